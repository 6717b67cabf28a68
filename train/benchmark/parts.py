"""The parts of the benchmark, each in a process of its own, and the student's two forms side by side.

Imports no model library: what is measured is imported where it is measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from train.benchmark.measure import isolated, rounded
from train.student.settings import StudentTraining


def student(
    cohort: Path, folder: Path, device: str, cases: int, seconds: float, training: StudentTraining
) -> dict[str, Any]:
    """Our student, the published padded form on the CPU, and how many times faster ours is."""
    common = (cases, seconds, training)
    ours = isolated("train.benchmark.student", "ours", cohort, folder, device, *common)
    published = isolated("train.benchmark.student", "published", cohort, folder, "cpu", *common)
    return {
        "ours": ours,
        "published_padded_form": published,
        "times_faster": {
            "one_case": rounded(published["one_case_scored"]["p50_ms"] / ours["one_case_scored"]["p50_ms"]),
            "scoring": rounded(published["scoring_ms_per_case"] / ours["scoring_ms_per_case"]),
            "training": rounded(published["training_ms_per_case"] / ours["training_ms_per_case"]),
        },
    }


def teacher(cohort: Path, folder: Path, device: str, cases: int, seconds: float) -> dict[str, Any]:
    """One case, states and training steps of a trained teacher."""
    return isolated("train.benchmark.teacher", cohort, folder, device, cases, seconds)


def teacher_shape(name: str, device: str, seconds: float) -> dict[str, Any]:
    """Training and states of a teacher of a named size with random weights."""
    return isolated("train.benchmark.teacher_shape", name, device, seconds)


def cohort(raw: Path | None, patients: int, seed: int) -> dict[str, Any]:
    """Raw tables to a cohort."""
    return isolated("train.benchmark.cohort", raw, patients, seed)


def search(cohort: Path, seconds: float) -> dict[str, Any]:
    """Codes and patients found by what people type."""
    return isolated("train.benchmark.search", cohort, seconds)


def evaluate(cases: int) -> dict[str, Any]:
    """The evaluator on made-up scores."""
    return isolated("train.benchmark.evaluate", cases)


def analysis(cohort: Path, cases: int) -> dict[str, Any]:
    """The error analysis on planted scores."""
    from train.benchmark.analysis import measure

    return measure(cohort, cases)
