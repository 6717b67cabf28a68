"""What the shipped models make of a diagnosis: the same in both ICD versions, and the right way round in minimal pairs.

A minimal pair is two cases that differ in one diagnosis: one calls for a class, the other speaks against it. The sources
stand in the table. None of it was used in training or to choose anything.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from leader_core import Case, Engine, Recommendation, Visit
from leader_core.domain import ModelName
from leader_core.terminology.equivalence import general_mappings
from tests.conftest import ROOT

with (ROOT / "tests" / "data" / "minimal_pairs.csv").open(encoding="utf-8", newline="") as file:
    PAIRS = tuple(csv.DictReader(file))
CASES = {"student": 200, "teacher": 40}
PROFILE = {"gender": "F", "age_band": "65-74"}


@cache
def _engine(cohort: Path, models: Path) -> Engine:
    return Engine.open(cohort, models, "cpu")


@pytest.fixture(scope="module")
def engine(demo_cohort: Path, demo_models: Path) -> Engine:
    return _engine(demo_cohort, demo_models)


@cache
def _pairs(engine: Engine, model: ModelName) -> dict[tuple[str, str, str], Recommendation]:
    """By pair, ICD version and side ("calls" or "against")."""
    keys = [
        (row["pair"], icd, side)
        for row in PAIRS
        for icd in ("icd9", "icd10")
        for side in ("calls", "against")
    ]
    rows = {row["pair"]: row for row in PAIRS}
    cases = [
        Case(
            PROFILE,
            current=Visit(
                diagnoses=tuple(f"{icd.upper()}:{rows[pair][f'{part}_{icd}']}" for part in (side, "with"))
            ),
        )
        for pair, icd, side in keys
    ]
    return dict(zip(keys, engine.recommend_many(cases, model), strict=True))


@pytest.mark.parametrize("icd", ["icd9", "icd10"])
@pytest.mark.parametrize("row", PAIRS, ids=[row["pair"] for row in PAIRS])
@pytest.mark.parametrize("model", get_args(ModelName))
def test_a_class_scores_higher_where_it_is_called_for(
    engine: Engine, model: ModelName, row: dict[str, str], icd: str
) -> None:
    calls, against = (
        next(
            m.probability
            for m in _pairs(engine, model)[row["pair"], icd, side].medications
            if m.code == row["class"]
        )
        for side in ("calls", "against")
    )
    assert calls > against


def _in_icd9(codes: Sequence[str]) -> tuple[str, ...]:
    """The ICD-9-CM diagnoses of the official backward mapping, one or a combination for each code; what has none stays."""
    result: list[str] = []
    for code in codes:
        bare = code.removeprefix("ICD10:")
        while bare not in general_mappings()[1] and len(bare) > 3:
            bare = bare[:-1]  # a code newer than the mapping: the one that it was split from
        rows = general_mappings()[1].get(bare, ())
        parts: dict[int, str] = {}
        for row in rows:
            if row.scenario == rows[0].scenario:
                parts.setdefault(row.part, f"ICD9:{row.target}")
        result += parts.values() or [code]
    return tuple(dict.fromkeys(result))


@pytest.mark.parametrize("model", get_args(ModelName))
def test_the_same_diagnoses_in_either_icd_version_select_the_same_classes(
    engine: Engine, model: ModelName
) -> None:
    """ICD-10-CM visits of test patients, and the same visits put into ICD-9-CM by the official backward mapping."""
    later = [
        case
        for case in engine.cohort.cases("test", "last")
        if not case.history and any(code.startswith("ICD10:") for code in case.current.diagnoses)
    ][: CASES[model]]
    nine = [
        replace(
            case,
            profile=dict(case.profile),
            current=replace(case.current, diagnoses=_in_icd9(case.current.diagnoses)),
        )
        for case in later
    ]
    assert len(later) == CASES[model]
    kept = [code for case in nine for code in case.current.diagnoses if code.startswith("ICD10:")]
    assert len(kept) < 0.05 * sum(len(case.current.diagnoses) for case in nine), "newer than the mapping"
    overlaps = []
    for one, other in zip(
        engine.recommend_many(later, model), engine.recommend_many(nine, model), strict=True
    ):
        first, second = ({m.code for m in result.selected} for result in (one, other))
        overlaps.append(len(first & second) / max(1, len(first | second)))
    assert np.mean(overlaps) >= 0.95, f"{np.mean(overlaps):.3f}"
