"""Safer sets over real patients, and the indications against what is prescribed in training."""

from __future__ import annotations

from pathlib import Path

import pytest

from leader_core.cohort import Cohort
from train.cli import call, parse
from train.console import Report
from train.evaluation.safer_sets import IndicationLift, SaferSets, indication_lifts


def test_no_indication_is_contradicted_by_training_visits(synthetic_cohort: Path, real_cohort: Path) -> None:
    for path in (synthetic_cohort, real_cohort):
        lifts = indication_lifts(Cohort.open(path))
        assert [each.indication.condition for each in lifts if each.contradicted] == []
        assert sum(each.support > 0 for each in lifts) > 20


def test_a_lift_compares_with_all_visits(real_cohort: Path) -> None:
    lifts = {each.indication.condition: each for each in indication_lifts(Cohort.open(real_cohort))}
    thyroid = lifts["hypothyroidism"]
    assert thyroid.lift == pytest.approx(thyroid.share / thyroid.share_of_all)
    assert thyroid.lift is not None
    assert thyroid.lift > 2
    assert IndicationLift(thyroid.indication, 30, 0.2, 0.3).contradicted
    assert IndicationLift(thyroid.indication, 0, 0.0, 0.0).lift is None


def test_the_command_measures_safer_sets_of_real_patients(real_cohort: Path, demo_models: Path) -> None:
    words = [
        "safer",
        "--cohort",
        str(real_cohort),
        "--models",
        str(demo_models),
        "--split",
        "validation",
        "--major",
        "0",
    ]
    result = call(parse(words), Report(quiet=True))
    assert len(result["indications"]) > 40
    for name in ("student", "ordered"):
        measured = SaferSets(**result[name])
        assert 0 < measured.changed <= measured.cases == 11
        assert sum(measured.alerts_after.get(s, 0) for s in ("contraindicated", "major")) == measured.unmet
        assert measured.how["switched"] > 0
        assert measured.removed_prescribed <= measured.classes_removed
        assert f"cases changed: {measured.changed} of 11" in measured.lines()
