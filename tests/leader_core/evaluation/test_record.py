"""A record is only that of the model itself: by its weights where they are named, else by seed, cut-off and cohort."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leader_core.evaluation.calibration import Calibration
from leader_core.evaluation.record import EvaluationRecord
from tests.fakes import FINGERPRINT, manifest

GROUP = {"cases": 20, "prauc": {"value": 0.7, "low": 0.6, "high": 0.8, "mean": 0.7, "std": 0.01}}
BINS = [{"count": 3, "probability": 0.2, "observed": 0.25}]
COHORT = {"label": FINGERPRINT.label, "digest": FINGERPRINT.digest, "synthetic": True}
OTHER = {"label": "MIMIC-III Clinical Database Demo", "digest": "ff" * 32, "synthetic": False}


def row(ece: float = 0.03, **more: Any) -> dict[str, Any]:
    return {
        "seeds": [42, 43],
        "thresholds": [0.38, 0.31],
        "groups": {"overall": GROUP, "codes=rare": GROUP},
        "reliability": {"bins": BINS, "ece": ece},
        "ece": [ece, 0.5],
        "conformal": [],
        **more,
    }


def record_of(models: dict[str, Any]) -> EvaluationRecord:
    cohorts = {
        "mimic3-demo": {"cohort": OTHER, "split": "all", "cases": 94, "models": models},
        "synthetic": {"cohort": COHORT, "split": "test", "cases": 20, "models": models},
    }
    return EvaluationRecord({"format": 2, "cohorts": cohorts})


def calibrated(**changes: Any) -> Any:
    return replace(manifest("student"), calibration=Calibration(1.1, 0.0, 9, 0.05, 0.01, ()), **changes)


def test_a_model_finds_its_own_row_its_own_cohort_first() -> None:
    judgements = record_of({"student": row()}).of(manifest("student"))
    assert [each.cohort for each in judgements] == [COHORT["label"], OTHER["label"]]
    first = judgements[0]
    assert (first.split, first.cases, first.seeds, first.ece) == ("test", 20, 2, 0.03)
    assert list(first.groups) == ["overall"]
    assert first.bins[0].observed == 0.25
    assert (first.bins_before, first.ece_before) == ((), None)


def test_a_calibrated_model_is_shown_before_and_after() -> None:
    promise = {
        "share": 0.8,
        "confidence": 0.9,
        "kept": 0.91,
        "standard_error": 0.01,
        "medications": 22.0,
        "cutoff": 0.1,
    }
    record = record_of({"student": row(0.05), "student-calibrated": row(0.01, conformal=[promise])})
    first = record.of(calibrated())[0]
    assert (first.ece_before, first.ece) == (0.05, 0.01)
    assert first.bins_before == first.bins != ()
    assert (first.conformal[0].kept, first.conformal[0].medications) == (0.91, 22.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": 0.4},
        {"settings": {"seed": 44}},
        {"cohort": replace(FINGERPRINT, digest="11" * 32)},
        {"kind": "teacher"},
    ],
)
def test_another_model_finds_nothing(changes: dict[str, Any]) -> None:
    assert record_of({"student": row()}).of(replace(manifest("student"), **changes)) == ()


def test_the_diagram_belongs_to_the_first_seed_alone() -> None:
    second = replace(manifest("student"), settings={"seed": 43}, threshold=0.31)
    judgements = record_of({"student": row()}).of(second)[0]
    assert (judgements.bins, judgements.ece) == ((), 0.5)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"format": 2}', '{"a": {"b": 1}}', '{"format": 2, "cohorts": {"x": 1}}']
)
def test_a_record_that_says_nothing_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "evaluation.json").write_text(content)
    assert EvaluationRecord.next_to(tmp_path / "models").of(manifest("student")) == ()


def test_no_record_is_none(tmp_path: Path) -> None:
    assert EvaluationRecord.next_to(tmp_path / "models").of(manifest("student")) == ()


def test_the_shipped_record_is_about_the_shipped_models(demo_models: Path) -> None:
    from leader_core.model_folder import read_manifest

    for kind in ("teacher", "student"):
        own = read_manifest(demo_models / kind, kind=kind)
        judgements = EvaluationRecord.next_to(demo_models).of(own)
        assert judgements, kind
        assert judgements[0].cohort_digest == own.cohort.digest
        assert json.dumps(judgements[0].groups["overall"]["prauc"])
