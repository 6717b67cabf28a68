"""The demo's plan, its acceptance of a finished teacher, and its tables: they show what was measured and claim no more."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from leader_core import InputError
from leader_core.cohort import Cohort
from train.baselines import BASELINES
from train.config import load_settings
from train.console import Report
from train.experiments import demo
from train.experiments.demo import Plan, stages_of
from train.experiments.demo_evaluation import rows_of
from train.experiments.demo_merge import merged
from train.experiments.demo_plan import (
    BASELINE_ROWS,
    CONFIG,
    LABELS,
    SEEDS,
    STUDENTS,
    differing,
    named_rows,
    settings_of,
    toml,
)
from train.experiments.stages import Runner
from train.student.settings import StudentTraining

DIGEST = "0123456789abcdef"


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    opened = SimpleNamespace(fingerprint=SimpleNamespace(digest=DIGEST))
    monkeypatch.setattr(Cohort, "open", classmethod(lambda cls, path: opened))
    return Plan(tmp_path, tmp_path / "c.duckdb", Path("raw"), "cpu", SEEDS[:1])


def test_every_stage_waits_only_for_stages_of_the_plan_and_writes_where_no_other_does(plan: Plan) -> None:
    stages = list(stages_of(plan))
    names = [stage.name for stage in stages]
    outputs = [path for stage in stages for path in stage.outputs]
    assert len(set(names)) == len(names)
    assert len(set(outputs)) == len(outputs)
    assert {name for stage in stages for name in stage.after} <= set(names)


def test_every_command_line_of_the_plan_is_understood(plan: Plan) -> None:
    from train.cli import parse

    for stage in stages_of(plan):
        parse([*stage.words, "--json"])  # exits with 2 where the command would not take it


def test_whatever_is_judged_is_made_by_a_stage(plan: Plan) -> None:
    outputs = {path for stage in stages_of(plan) for path in stage.outputs}
    for row in rows_of(plan.teacher_seeds):
        for seed in row.seeds:
            if row.name.startswith("student"):
                assert plan.folder(row.name, seed) in outputs
            else:
                assert {plan.scores(row.name, seed, on) for on in plan.cohorts()} <= outputs
    assert {row.name for row in rows_of(SEEDS)} == set(LABELS)


def test_a_few_rows_need_no_more_than_what_they_are_made_from(plan: Plan) -> None:
    few = dataclasses.replace(plan, rows=named_rows("student-crossfitted, popularity"))
    names = [stage.name for stage in stages_of(few)]
    assert names == [
        "mimic3-demo cohort",
        "teacher 42",
        "states",
        "states-crossfitted",
        *(f"student {seed}" for seed in SEEDS),
        *(f"student-crossfitted {seed}" for seed in SEEDS),
        "popularity 42",
    ]
    assert [stage.name for stage in stages_of(dataclasses.replace(plan, rows=frozenset(LABELS)))] == [
        stage.name for stage in stages_of(plan)
    ]


def test_a_row_that_nobody_planned_is_named() -> None:
    with pytest.raises(InputError, match="has no row student-better"):
        named_rows("student,student-better")


def test_cross_fitted_students_learn_from_teachers_that_did_not_train_on_the_patient(plan: Plan) -> None:
    stages = {stage.name: stage for stage in stages_of(plan)}
    words = stages["states-crossfitted"].words
    assert words[words.index("--folds") + 1] == "2"
    for name, states in (("student-crossfitted 43", "states-crossfitted"), ("student 43", "states")):
        words = stages[name].words
        assert words[words.index("--states") + 1] == str(plan.build / states)
        assert states in stages[name].after


def test_every_baseline_has_a_row_and_every_row_that_a_seed_changes_has_three() -> None:
    assert {row.baseline for row in BASELINE_ROWS} == set(BASELINES)
    assert {len(row.seeds) for row in BASELINE_ROWS if row.baseline in ("retain", "gamenet")} == {3}


def test_each_student_differs_in_just_what_its_row_says(tmp_path: Path) -> None:
    plain = load_settings(str(CONFIG))
    for row in STUDENTS:
        path, settings = settings_of(row, tmp_path)
        assert settings.preset == plain.preset
        assert (settings.teacher, settings.teacher_training) == (plain.teacher, plain.teacher_training)
        wanted = dict(row.overrides.get("student", {}))
        training = wanted.pop("training", {})
        for kind, values in (("student", wanted), ("student_training", training)):
            values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
            assert getattr(settings, kind) == dataclasses.replace(getattr(plain, kind), **values)
        assert tomllib.loads(toml(tomllib.loads(path.read_text()))) == tomllib.loads(path.read_text())


def test_a_setting_at_its_default_does_not_count() -> None:
    assert differing(StudentTraining()) == {}
    assert differing(StudentTraining(targets="all")) == {"targets": "all"}


def _manifest(**changes: Any) -> SimpleNamespace:
    settings = load_settings(str(CONFIG), seed=SEEDS[0])
    told = {
        "seed": SEEDS[0],
        "teacher": dataclasses.asdict(settings.teacher),
        "training": {**dataclasses.asdict(settings.teacher_training), **changes},
    }
    told["training"].pop("weight_decay")  # a field that an older manifest does not name has its default
    told = json.loads(json.dumps(told))
    return SimpleNamespace(
        cohort=SimpleNamespace(digest=DIGEST), settings=told, digest="weights", calibration=None
    )


@pytest.mark.parametrize(("changes", "taken"), [({}, True), ({"epochs": 7.0}, False)])
def test_a_teacher_trained_with_these_settings_is_not_trained_again(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], taken: bool
) -> None:
    installed = tmp_path / "installed"
    installed.mkdir()
    (installed / "model.safetensors").touch()
    monkeypatch.setattr(demo, "read_manifest", lambda folder, kind=None: _manifest(**changes))
    runner = Runner(plan.build, Report(quiet=True))
    demo._accept_teacher(plan, runner, installed, Report(quiet=True))
    settings = load_settings(str(CONFIG), seed=SEEDS[0])
    assert runner.is_done(demo._teacher_stage(plan, SEEDS[0], settings, DIGEST)) is taken
    assert (plan.teacher / "model.safetensors").exists() is taken


def _score(value: float) -> dict[str, Any]:
    return {"value": value, "low": value - 0.02, "high": value + 0.02, "seed_std": 0.003}


def _entry(label: str, prauc: float, difference: float | None, p: float = 0.001) -> dict[str, Any]:
    metrics = dict.fromkeys(("jaccard", "f1", "ddi_rate", "medications"), _score(0.4))
    group = {"cases": 40, "few": False, "real_ddi_rate": 0.05, "real_medications": 18.0, **metrics}
    names = ("overall", "single-visit", "codes=common", "codes=rare", "codes=unseen")
    groups = {name: {**group, "prauc": _score(prauc)} for name in names}
    groups["multi-visit"] = {**group, "cases": 0, **dict.fromkeys(("prauc", *metrics))}
    entry = {
        "label": label,
        "groups": groups,
        "thresholds": [0.3, 0.32],
        "ece": [0.02, 0.04],
        "conformal": [],
        "unnamed": {"prescriptions": 0, "share": 0.0},
    }
    if difference is not None:
        found = {"value": difference, "low": difference - 0.01, "high": difference + 0.01, "p": p}
        cell = {"prauc": found}
        entry["difference"] = {"overall": cell, "single-visit": cell, "multi-visit": {"prauc": None}}
    return entry


def _evaluation(*entries: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "seeds": [1, 2, 3],
        "reference": "student",
        "comparison": "a fair test",
        "rare_below": 10,
        "few_below": 20,
        "cohorts": {
            "synthetic": {
                "cohort": {"label": "A hospital", "synthetic": True, "digest": DIGEST},
                "split": "test",
                "cases": 40,
                "interaction_density": 0.03,
                "models": dict(entries),
            }
        },
    }


def _with(kept: dict[str, Any], **changes: Any) -> dict[str, Any]:
    made = json.loads(json.dumps(kept))
    made["cohorts"]["synthetic"].update(changes)
    return made  # type: ignore[no-any-return]


def test_new_rows_join_a_kept_table_and_leave_its_other_rows_alone() -> None:
    kept = _evaluation(
        ("teacher", _entry("Teacher", 0.7, 0.1)),
        ("student", _entry("Student", 0.6, None)),
        ("popularity", _entry("Old", 0.4, -0.2)),
    ) | {"format": 2, "real-data": {"folds": 5}}
    new = _evaluation(
        ("student", _entry("Student again", 0.6005, None)),
        ("student-crossfitted", _entry("Cross-fitted", 0.61, 0.01)),
        ("popularity", _entry("New", 0.41, -0.19)),
    ) | {"format": 2, "real-data": None}
    found = merged(kept, new)
    rows = found["cohorts"]["synthetic"]["models"]
    assert list(rows) == ["teacher", "student", "student-crossfitted", "popularity"]
    assert [row["label"] for row in rows.values()] == ["Teacher", "Student", "Cross-fitted", "New"]
    assert found["real-data"] == {"folds": 5}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"models": {"student": _entry("Student", 0.65, None)}}, "all are compared with has PRAUC"),
        ({"cases": 41}, "number of cases 40, this run 41"),
        ({"cohort": {"label": "Another", "synthetic": True, "digest": "f" * 16}}, "cohort 0123456789ab"),
    ],
)
def test_rows_of_other_patients_or_of_another_reference_do_not_join(changes: Any, said: str) -> None:
    kept = _evaluation(("student", _entry("Student", 0.6, None))) | {"format": 2}
    with pytest.raises(InputError, match=said):
        merged(kept, _with(kept, **changes))


def test_a_cohort_that_only_one_run_was_judged_on_is_refused_with_its_remedy() -> None:
    kept = _evaluation(("student", _entry("Student", 0.6, None))) | {"format": 2}
    kept["cohorts"]["mimic3-demo"] = kept["cohorts"]["synthetic"]
    new = _evaluation(("student", _entry("Student", 0.6, None))) | {"format": 2}
    with pytest.raises(InputError, match="Give --real as the kept run did"):
        merged(kept, new)
