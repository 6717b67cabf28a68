"""The error analysis on this machine: planted scores of many cases, and every question that its page asks of them.

The cohort is a small one repeated under other ids; three models' scores are made up. Planting and asking are processes
of their own, so that the memory told is that of asking.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from leader_core import sql
from train.benchmark.measure import isolated, rounded

CLASSES: Final = 150
MODELS: Final = ("teacher", "student", "popularity")
PRESCRIBED: Final = 0.12  # share of the classes in a case
CUT: Final = 0.5
BLOCK: Final = 8192


def measure(cohort: Path, cases: int) -> dict[str, Any]:
    """Plant in a folder that is thrown away, then ask."""
    with tempfile.TemporaryDirectory(prefix="leader-benchmark-") as folder:
        path = Path(folder) / "many.duckdb"
        planted = isolated("train.benchmark.analysis", "plant", cohort, path, cases)
        asked = isolated("train.benchmark.analysis", "ask", path)
    return {"planting_seconds": planted["seconds"], "file_mib": planted["file_mib"], **asked}


def run(what: str, *arguments: Any) -> dict[str, Any]:
    """One of the two processes."""
    return plant(*arguments) if what == "plant" else ask(*arguments)


def plant(cohort: Path, path: Path, cases: int) -> dict[str, Any]:
    """A cohort of many patients, and three models' scores of their last visits."""
    import duckdb

    from leader_core.cohort import Cohort
    from leader_core.scores import ScoreWriter, scores_path

    began = time.perf_counter()
    shutil.copyfile(cohort, path)
    found = Cohort.open(cohort)
    digest, table = found.fingerprint.digest, found.interactions
    codes = tuple(sorted(found.titles("medication")))[:CLASSES]
    copies = max(0, -(-cases // found.fingerprint.patients) - 1)
    found.close()
    with duckdb.connect(str(path)) as connection:
        values = {"copies": copies, "step": 1_000_000_000}
        for name in ("repeat_visit_codes", "repeat_visits", "repeat_patients"):
            sql.run("train.benchmark", connection, name, values)
        ids = sql.run("train.benchmark", connection, "last_visits", {"cases": cases}).fetchnumpy()
    with ScoreWriter.writing(scores_path(path), digest, "last", codes, table) as writer:
        for number, model in enumerate(MODELS):
            known = np.ones(len(codes), bool)
            writer.add(model, "", CUT, known, _blocks(ids["visit_id"], ids["patient_id"], len(codes), number))
    return {
        "seconds": rounded(time.perf_counter() - began),
        "file_mib": round(scores_path(path).stat().st_size / 2**20),
    }


def _blocks(visits: np.ndarray, patients: np.ndarray, classes: int, model: int) -> Iterator[Any]:
    from leader_core.scores import CaseBlock

    truths, noise = np.random.default_rng(0), np.random.default_rng(model + 1)
    for start in range(0, len(visits), BLOCK):
        own = slice(start, start + BLOCK)
        shape = len(visits[own]), classes
        truth = truths.random(shape, np.float32) < PRESCRIBED
        scores = (0.6 * noise.random(shape, np.float32) + 0.3 * truth).astype(np.float32)
        yield CaseBlock(visits[own], patients[own], scores, truth, noise.random(shape[0]) < 0.1)


def ask(path: Path) -> dict[str, Any]:
    """Seconds of every question, each asked for the first time after what it shares with others was read."""
    import psutil

    from leader_core.cohort import Cohort
    from leader_core.error_analysis import FIELDS, Analysis, Selection

    cohort = Cohort.open(path)
    result: dict[str, Any] = {}

    def timed(name: str, call: Callable[[], Any]) -> Any:
        began, computed = time.perf_counter(), time.process_time()
        found = call()
        result[f"{name}_seconds"] = rounded(time.perf_counter() - began)
        result[f"{name}_processor_seconds"] = rounded(time.process_time() - computed)
        return found

    analysis = Analysis.of(cohort)
    frame = timed("cases_read", lambda: analysis.frame)
    timed("figures_read", lambda: [analysis.metrics(model) for model in MODELS])
    timed("marks_read", lambda: analysis.choices)
    everybody = np.ones(len(frame), bool)
    result |= {"cases": len(frame), "classes": len(analysis.codes), "models": len(MODELS)}
    fields = [field for field in FIELDS if field in frame.columns]
    times = {}
    for field in fields:
        began = time.perf_counter()
        analysis.by(field, MODELS)
        times[field] = time.perf_counter() - began
    slowest = max(times, key=lambda f: times[f])
    result |= {"grouping_slowest": slowest, "grouping_slowest_seconds": rounded(times[slowest])}
    result["grouping_median_seconds"] = rounded(float(np.median(list(times.values()))))
    timed("grouping_again", lambda: analysis.by(slowest, MODELS))
    timed("two_fields", lambda: analysis.heat_map("ethnicity", "age_band", "student", "jaccard", everybody))
    timed("tree_depth_3", lambda: analysis.tree("student", everybody, depth=3))
    timed("tree_depth_4", lambda: analysis.tree("student", everybody, depth=4))
    timed("classes", lambda: analysis.class_counts("student", everybody))
    timed("two_models", lambda: analysis.agreement("teacher", "student", everybody))
    timed("drift", lambda: analysis.shifts(everybody, frame.columns["history"].codes == 0))
    timed("selection_to_patients", lambda: analysis.patients(Selection.of("age:ge:65,chapter:has:0")))
    timed("probabilities_read", lambda: analysis.probabilities("student"))
    timed("truth", lambda: analysis.truth)
    timed("reliability", lambda: analysis.reliability("student", everybody))
    timed("sweep", lambda: analysis.sweep("student", everybody))
    result["memory_mib"] = round(psutil.Process().memory_info().rss / 2**20)
    return result
