"""The self-check fails, in words, on every single thing that can be wrong; sizes come from headers, times from the clock."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from leader_core import Case, Recommendation, ScoredMedication
from leader_core.errors import ArtifactError, InputError
from leader_core.evaluation.self_check import (
    Check,
    base_parameters,
    folder_size,
    measure,
    self_check,
)
from tests.fakes import FINGERPRINT, FakeEngine


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    """Two models whose files are what their manifests say."""
    served: Any = FakeEngine()
    for name, card in served.models.items():
        card.folder = tmp_path / name
        card.folder.mkdir()
        files = {}
        for file in ("model.safetensors", "config.json", "vocabulary.json"):
            (card.folder / file).write_text(f"{name} {file}")
            files[file] = hashlib.sha256(f"{name} {file}".encode()).hexdigest()
        card.manifest = replace(card.manifest, files=files)
    return served


def check(engine: Any) -> tuple[Check, ...]:
    cases = [engine.cohort.case(10_001), engine.cohort.case(10_002)]
    return self_check(engine, ("teacher", "student"), cases=cases)


def failed(engine: Any) -> list[tuple[str, str, str]]:
    return [(each.model, each.name, each.text) for each in check(engine) if not each.passed]


def test_what_is_whole_passes_line_by_line(engine: Any) -> None:
    result = check(engine)
    assert failed(engine) == []
    assert [each.name for each in result if each.model == "teacher"] == [
        "config.json", "model.safetensors", "vocabulary.json", "Fit to the cohort", "Scores",
        "Same case twice", "Alone and with another case", "Another case",
    ]  # fmt: skip
    assert {each.model for each in result} == {"teacher", "student"}


def test_a_changed_and_a_missing_file_are_named(engine: Any) -> None:
    (engine.models["teacher"].folder / "config.json").write_text("other")
    (engine.models["student"].folder / "vocabulary.json").unlink()
    (one, two) = failed(engine)
    assert one[:2] == ("teacher", "config.json")
    assert one[2].startswith("Changed: sha256")
    assert two == ("student", "vocabulary.json", "The file is missing, but the manifest lists it.")


def test_a_model_of_another_level_does_not_fit(engine: Any) -> None:
    card = engine.models["student"]
    card.manifest = replace(card.manifest, cohort=replace(FINGERPRINT, atc_level=4))
    assert [each[1] for each in failed(engine)] == ["Fit to the cohort"]


def test_a_model_of_another_cohort_is_accepted_with_a_note(engine: Any) -> None:
    card = engine.models["student"]
    card.manifest = replace(card.manifest, cohort=replace(FINGERPRINT, digest="00" * 32, label="Elsewhere"))
    (line,) = [c for c in check(engine) if (c.model, c.name) == ("student", "Fit to the cohort")]
    assert line.passed
    assert "trained on another cohort: Elsewhere" in line.text


@pytest.mark.parametrize(
    ("fault", "lines"),
    [
        ("restless", {"Same case twice", "Alone and with another case"}),
        ("constant", {"Another case"}),
        ("wild", {"Scores"}),
        ("beside", {"Alone and with another case"}),
    ],
)
def test_answers_that_do_not_hold_still_fail(engine: Any, fault: str, lines: set[str]) -> None:
    calls = 0

    def answer(case: Case, model: str, together: int = 1) -> Recommendation:
        nonlocal calls
        calls += 1
        value = (
            0.5 if fault == "constant" else 0.1 + len(case.current.diagnoses) / 50 + case.patient_id % 2 / 10
        )
        if fault == "restless":
            value += calls / 100
        if fault == "wild":
            value += 1.0
        if fault == "beside" and together > 1:
            value += 0.01
        return Recommendation(model, (ScoredMedication("A", "A", value, True),), 0.5, (), ())  # type: ignore[arg-type]

    engine.recommend = answer
    engine.recommend_many = lambda cases, name: tuple(answer(c, name, len(cases)) for c in cases)
    names = {each.name for each in check(engine) if each.model == "student" and not each.passed}
    assert lines <= names
    assert fault == "restless" or names == lines


def test_a_model_that_cannot_answer_is_a_line_and_no_error(engine: Any) -> None:
    engine.failing["teacher"] = ArtifactError("The weights do not fit.")
    assert failed(engine) == [("teacher", "Answers", "The weights do not fit.")]


def test_a_model_that_is_not_there_says_how_to_get_it(engine: Any) -> None:
    card = engine.models["teacher"]
    card.manifest, card.error = None, "No model here. Train one."
    assert failed(engine) == [("teacher", "manifest.json", "No model here. Train one.")]


def test_progress_is_reported_line_by_line(engine: Any) -> None:
    steps: list[tuple[int, int, str]] = []
    self_check(engine, ("student",), lambda *step: steps.append(step), [engine.cohort.case(10_001)])
    assert [step[0] for step in steps][:3] == [1, 2, 3]
    assert all(done <= of for done, of, _ in steps)
    assert steps[0][2] == "student: config.json"


def test_parameters_are_counted_without_reading_a_tensor(tmp_path: Path) -> None:
    save_file(
        {"a": np.zeros((3, 4), np.float32), "head.weight": np.zeros(5, np.float32)},
        tmp_path / "model.safetensors",
    )
    (tmp_path / "config.json").write_bytes(b"12345")
    result = folder_size(tmp_path)
    assert (result.parameters, result.head) == (17, 5)
    assert result.bytes_on_disk == (tmp_path / "model.safetensors").stat().st_size + 5


def test_the_base_of_the_demo_teacher_is_counted() -> None:
    assert base_parameters("minilm") == 22_713_728


@pytest.mark.parametrize("content", [b"", b"\xff" * 20, b"\x02\x00\x00\x00\x00\x00\x00\x00[]"])
def test_what_is_no_weights_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ArtifactError, match="cannot be read as weights"):
        folder_size(tmp_path)


def test_weights_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="cannot be read as weights"):
        folder_size(tmp_path)


def test_every_case_is_timed_alone_after_one_that_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leader_core.evaluation.self_check.device_name", lambda device: f"device {device}")
    engine: Any = FakeEngine()
    cases = [engine.cohort.case(10_001 + n) for n in range(4)]
    ticks = iter([0.0, 0.010, 1.0, 1.020, 2.0, 2.030, 3.0, 3.040] + [0.0, 0.1] * 4)
    steps: list[tuple[int, int, str]] = []
    result = measure(
        engine, ("student", "teacher"), cases, lambda *step: steps.append(step), clock=lambda: next(ticks)
    )
    first, second = result.latencies
    assert (first.model, first.cases) == ("student", 4)
    assert (first.p50_ms, first.p95_ms, first.slowest_ms) == pytest.approx((20.0, 40.0, 40.0))
    assert second.p50_ms == pytest.approx(100.0)
    assert [model for model, _ in engine.requests] == ["student"] * 5 + ["teacher"] * 5
    assert steps[0] == (0, 8, "student, case 1 of 4")
    assert steps[-1] == (7, 8, "teacher, case 4 of 4")
    assert result.device == "device cpu"
    assert result.resident_bytes > 10e6


def test_measuring_can_be_stopped_and_needs_a_case() -> None:
    engine: Any = FakeEngine()

    def stop(*_: object) -> None:
        raise InputError("stop")

    with pytest.raises(InputError, match="stop"):
        measure(engine, ("student",), [engine.cohort.case(10_001)], stop)
    with pytest.raises(InputError, match="at least one case"):
        measure(engine, ("student",), [])
