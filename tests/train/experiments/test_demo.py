"""The demo's plan of tasks, and when it takes a teacher that is already trained."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from leader_core import InputError
from leader_core.cohort import Cohort
from tests import raw_tables
from train.baselines import BASELINES
from train.config import StudentTraining, load_settings
from train.console import Report
from train.experiments.demo_plan import (
    CONFIG,
    EVERYWHERE,
    FURTHER_ROWS,
    LABELS,
    ORACLES,
    REAL_DEMOS,
    SEEDS,
    STUDENTS,
    DemoPlan,
    changed_fields,
    named_rows,
    real_demos,
    settings_of,
)
from train.experiments.demo_tasks import goals_of, take_teacher, tasks_of
from train.experiments.tasks import CommandTask, with_requirements

DIGEST = "0123456789abcdef"


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DemoPlan:
    opened = SimpleNamespace(fingerprint=SimpleNamespace(digest=DIGEST))
    monkeypatch.setattr(Cohort, "open", classmethod(lambda cls, path: opened))
    return DemoPlan(tmp_path, tuple(REAL_DEMOS), "cpu", SEEDS[:1])


def tasks(plan: DemoPlan) -> list[CommandTask]:
    return list(tasks_of(plan, None, Report(quiet=True)))


def test_every_input_is_the_target_of_an_earlier_task_and_no_target_has_two(plan: DemoPlan) -> None:
    targets: set[Path] = set()
    names: set[str] = set()
    for task in tasks(plan):
        assert set(task.inputs) <= targets, task.name
        assert targets.isdisjoint(task.targets) and task.name not in names
        targets.update(task.targets)
        names.add(task.name)


def test_every_command_line_of_the_plan_is_understood(plan: DemoPlan) -> None:
    from train.cli import parse

    for task in tasks(plan):
        for words in task.commands:
            parse([*words])  # exits with 2 where the command would not take it


@pytest.mark.parametrize("rows", [None, "ablations"])
def test_every_evaluated_file_is_written_by_a_task_that_its_row_needs(
    plan: DemoPlan, rows: str | None
) -> None:
    plan = plan if rows is None else dataclasses.replace(plan, rows=named_rows(rows))
    needed = with_requirements(tasks(plan), goals_of(plan, further=rows is None))
    targets = {path for task in needed for path in task.targets}
    assert (plan.rows >= FURTHER_ROWS) is (rows is not None)
    for row in plan.rows:
        for seed in plan.seeds(row):
            if row.startswith("student"):
                assert plan.folder(row, seed) / "manifest.json" in targets
            else:
                scored = ["synthetic"] if row in ORACLES else plan.cohorts()
                assert {plan.stored_scores(row, seed, on) for on in scored} <= targets
            if row == "teacher-calibrated":
                assert plan.folder(row, seed) / "manifest.json" in targets
    assert (plan.sections("teacher") in targets) is (rows is None)
    assert any("crossfitted" in task.name for task in needed) is (rows is not None)


def test_a_few_rows_need_no_more_than_what_they_are_made_from(plan: DemoPlan) -> None:
    few = dataclasses.replace(plan, rows=named_rows(f"student-crossfitted, popularity, {EVERYWHERE}"))
    needed = with_requirements(tasks(few), goals_of(few, further=False))
    assert [task.name for task in needed] == [
        "teacher:42",
        "states",
        "states-crossfitted",
        *(f"student:{seed}" for seed in SEEDS),
        "student-crossfitted:42",
        "popularity:42",
    ]


def test_real_demos_are_recognised_by_their_tables(tmp_path: Path) -> None:
    raw_tables.write(tmp_path / "one", raw_tables.mimic3())
    raw_tables.write(tmp_path / "another" / "hosp", raw_tables.mimic4())
    (tmp_path / "papers").mkdir()
    both = {"mimic3": tmp_path / "one", "mimic4": tmp_path / "another"}
    assert real_demos(tmp_path) == both
    assert real_demos(tmp_path / "one") == {"mimic3": tmp_path / "one"}
    assert list(real_demos(tmp_path / "another")) == ["mimic4"]
    with pytest.raises(InputError, match="no demo of MIMIC-III, MIMIC-IV, eICU"):
        real_demos(tmp_path / "papers")
    raw_tables.write(tmp_path / "twice", raw_tables.mimic3())
    with pytest.raises(InputError, match="one and twice both have MIMIC-III's layout"):
        real_demos(tmp_path)


def test_an_unknown_row_is_named() -> None:
    with pytest.raises(InputError, match="has no row student-better"):
        named_rows("student,student-better")


def test_cross_fitted_students_learn_from_teachers_that_did_not_train_on_the_patient(plan: DemoPlan) -> None:
    by_name = {task.name: task for task in tasks(plan)}
    (words,) = by_name["states-crossfitted"].commands
    assert words[words.index("--folds") + 1] == "2"
    for name, states in (("student-crossfitted:42", "states-crossfitted"), ("student:43", "states")):
        (words,) = by_name[name].commands
        assert words[words.index("--states") + 1] == str(plan.build / states)
        assert by_name[name].inputs == by_name[states].targets


def test_models_that_a_seed_changes_have_three_and_a_student_without_a_part_has_the_first(
    plan: DemoPlan,
) -> None:
    assert set(BASELINES) <= set(LABELS)
    counts = {name: len(plan.seeds(name)) for name in BASELINES}
    assert counts == {"popularity": 1, "repeat": 1, "neighbours": 1, "logistic": 1, "retain": 3, "gamenet": 3}
    assert plan.seeds("student") == plan.seeds("student-calibrated") == plan.seeds(EVERYWHERE) == SEEDS
    assert plan.seeds("student-no-linear") == plan.seeds("oracle") == SEEDS[:1]


def test_all_visits_are_evaluated_on_the_untouched_demo_alone(plan: DemoPlan) -> None:
    targets = {name: (about.cohort, about.split, about.targets) for name, about in plan.evaluations().items()}
    assert targets == {
        "synthetic": ("synthetic", "test", "last"),
        "mimic3-demo": ("mimic3-demo", "all", "last"),
        "mimic4-demo": ("mimic4-demo", "all", "last"),
        "mimic4-demo-visits": ("mimic4-demo", "all", "all"),
        "eicu-demo": ("eicu-demo", "all", "last"),
    }


def test_each_student_differs_in_just_what_its_row_says(tmp_path: Path) -> None:
    plain = load_settings(str(CONFIG))
    for row in STUDENTS:
        _, settings = settings_of(row, tmp_path)
        assert settings.preset == plain.preset
        assert (settings.teacher, settings.teacher_training) == (plain.teacher, plain.teacher_training)
        expected = dict(row.overrides.get("student", {}))
        training = expected.pop("training", {})
        for kind, values in (("student", expected), ("student_training", training)):
            values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
            assert getattr(settings, kind) == dataclasses.replace(getattr(plain, kind), **values)


def test_a_setting_at_its_default_does_not_count() -> None:
    assert changed_fields(StudentTraining()) == {}
    assert changed_fields(StudentTraining(targets="all")) == {"targets": "all"}


def _manifest(**changes: Any) -> SimpleNamespace:
    settings = load_settings(str(CONFIG), seed=SEEDS[0])
    record = {
        "seed": SEEDS[0],
        "teacher": dataclasses.asdict(settings.teacher),
        "training": {**dataclasses.asdict(settings.teacher_training), **changes},
    }
    record["training"].pop("weight_decay")  # a field that an older manifest does not name has its default
    record = json.loads(json.dumps(record))
    cohort, files = SimpleNamespace(digest=DIGEST), {"model.safetensors": "0" * 64}
    return SimpleNamespace(kind="teacher", files=files, cohort=cohort, settings=record, calibration=None)


@pytest.mark.parametrize(
    ("changes", "seed", "taken"),
    [({}, 42, True), ({"epochs": 7.0}, 42, False), ({}, 43, False)],
)
def test_a_teacher_trained_with_these_settings_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], seed: int, taken: bool
) -> None:
    installed = tmp_path / "installed"
    installed.mkdir()
    for name in ("model.safetensors", "manifest.json"):
        (installed / name).touch()
    manifest = _manifest(**changes)
    monkeypatch.setattr("leader_core.model_folder.read_manifest", lambda folder, kind=None: manifest)
    settings = load_settings(str(CONFIG), seed=seed)
    assert take_teacher(installed, tmp_path / "out", settings, DIGEST, Report(quiet=True)) is taken
    assert (tmp_path / "out" / "model.safetensors").exists() is taken
