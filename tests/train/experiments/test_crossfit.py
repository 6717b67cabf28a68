"""Cross-fitted states: no patient's states come from a teacher that trained on them, and a stopped run continues."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import train.teacher.run as teacher_run
from leader_core.errors import InputError
from leader_core.teacher.config import TeacherConfig
from leader_core.teacher.scorer import TeacherScorer
from tests.teacher_fakes import DIAGNOSES, TinyCohort, quickly_trained, tiny_bert
from train.config import TeacherTraining
from train.experiments.crossfit import PartOfCohort, fold_of, write_crossfitted_states
from train.teacher.states import TeacherStates, write_states

COHORT: Any = TinyCohort()
FOLDS = 3


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("crossfit")
    config = TeacherConfig(base=str(tiny_bert(root / "base")), max_tokens=96, lora_rank=2)
    return quickly_trained(root / "teacher", config, TeacherTraining(steps=2, batch_size=8), COHORT)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[set[int]]]:
    """The patients that each training saw, in the order of the trainings."""
    seen: list[set[int]] = []
    prepare = teacher_run.prepare

    def watch(cohort: Any, split: str, *rest: Any) -> Any:
        if split == "train":
            seen.append({case.patient_id for case in cohort.cases("train", "all")})
        return prepare(cohort, split, *rest)

    monkeypatch.setattr(teacher_run, "prepare", watch)
    yield seen


def test_no_patients_states_come_from_a_teacher_that_trained_on_them(
    teacher: Path, trained: list[set[int]], tmp_path: Path
) -> None:
    out = tmp_path / "states"
    result = write_crossfitted_states(COHORT, teacher, out, folds=FOLDS)
    states = TeacherStates.open(out)
    index = json.loads((out / "index.json").read_text())
    cases = COHORT.cases("all", "all")
    assert result["cases"] == len(cases) == len(states.visit_ids)
    assert result["folds"] == FOLDS == len(trained)
    training = {case.patient_id for case in COHORT.cases("train", "last")}
    folds = [{p for p in training if fold_of(p, FOLDS, 1) == k} for k in range(FOLDS)]
    assert trained == [training - fold for fold in folds]
    assert all(folds)
    # The index names each state's teacher, and each state is that teacher's.
    digests = {entry["fold"]: entry["teacher_digest"] for entry in index["shards"]}
    assert len(set(digests.values())) == FOLDS + 1
    assert states.teacher_digest not in digests.values()
    models = [p / "teacher" for p in sorted((tmp_path / "states.folds").glob("*/fold-*"))]
    for fold, folder in [*enumerate(models), (-1, teacher)]:
        scorer = TeacherScorer.load(folder, COHORT.title)
        assert scorer.manifest.digest == digests[fold]
        expected = folds[fold] if fold >= 0 else {c.patient_id for c in cases} - training
        mine = [case for case in cases if case.patient_id in expected]
        hidden, logits = scorer.states(mine)
        rows = states.rows(np.array([case.current.visit_id for case in mine]))
        np.testing.assert_allclose(states.hidden[rows], hidden, atol=1e-5)
        np.testing.assert_allclose(states.logits[rows], logits, atol=1e-5)


def test_states_hold_numbers_and_no_text(teacher: Path, tmp_path: Path) -> None:
    write_states(COHORT, teacher, tmp_path / "states")
    files = sorted((tmp_path / "states").iterdir())
    assert {file.suffix for file in files} == {".json", ".safetensors"}
    for file in files[1:]:
        assert {name: str(value.dtype) for name, value in load_file(file).items()} == {
            "visit_ids": "int64",
            "hidden": "float32",
            "logits": "float32",
        }
    index = files[0].read_text()
    assert files[0].name == "index.json"
    assert not [title for title in (*DIAGNOSES.values(), *DIAGNOSES, "visit", "Private") if title in index]


def test_a_stopped_run_continues_and_a_finished_one_is_left(
    teacher: Path, trained: list[set[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "states"
    write_crossfitted_states(COHORT, teacher, whole, folds=2)
    train = teacher_run.train_teacher
    calls = 0

    def stop_at_the_second(*args: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return train(*args, **named)

    trained.clear()
    monkeypatch.setattr(teacher_run, "train_teacher", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        write_crossfitted_states(COHORT, teacher, out, folds=2)
    assert not out.exists()
    monkeypatch.setattr(teacher_run, "train_teacher", train)
    write_crossfitted_states(COHORT, teacher, out, folds=2)
    assert len(trained) == 2  # each fold once, the first one before the stop
    one, other = TeacherStates.open(whole), TeacherStates.open(out)
    np.testing.assert_array_equal(one.hidden, other.hidden)
    assert one.teacher_digest == other.teacher_digest
    write_crossfitted_states(COHORT, teacher, out, folds=2)
    assert len(trained) == 2


def test_bad_folds_and_foreign_teachers_are_named(teacher: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 2"):
        write_crossfitted_states(COHORT, teacher, tmp_path / "x", folds=1)
    with pytest.raises(InputError, match="Use fewer folds"):
        write_crossfitted_states(COHORT, teacher, tmp_path / "x", folds=5_000)
    with pytest.raises(InputError, match="another cohort"):
        write_crossfitted_states(TinyCohort(seed=5), teacher, tmp_path / "x", folds=2)  # type: ignore[arg-type]


def test_a_patients_fold_depends_on_number_and_seed_alone_and_folds_are_even() -> None:
    counts = np.bincount([fold_of(patient, 5, 42) for patient in range(5_000)], minlength=5)
    assert counts.min() > 900
    assert [fold_of(p, 5, 42) for p in (1, 2, 3)] == [fold_of(p, 5, 42) for p in (1, 2, 3)]
    assert [fold_of(p, 5, 42) for p in range(50)] != [fold_of(p, 5, 43) for p in range(50)]


def test_a_part_keeps_the_vocabularies_of_the_whole_and_has_a_fingerprint_of_its_own() -> None:
    part = PartOfCohort(COHORT, "some", lambda patient: patient < 5)
    assert {case.patient_id for case in part.cases("all", "all")} == {0, 1, 2, 3, 4}
    assert part.vocabulary_codes("medication") == COHORT.vocabulary_codes("medication")
    assert part.fingerprint.digest != COHORT.fingerprint.digest
