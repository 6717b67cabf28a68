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
from leader_core.terminology.equivalence import current_codes, general_mappings
from tests.conftest import ROOT
from tests.reviews import HARMS

with (ROOT / "tests" / "data" / "minimal_pairs.csv").open(encoding="utf-8", newline="") as file:
    PAIRS = tuple(csv.DictReader(file))
CASES = {"student": 150, "teacher": 30}
RECOMMENDED_HARMS = {"teacher": 5, "student": 5}
PROFILE = {"gender": "F", "age_band": "65-74"}


@cache
def _engine(cohort: Path, models: Path) -> Engine:
    return Engine.open(cohort, models, "cpu")


@pytest.fixture(scope="module")
def engine(demo_cohort: Path, demo_models: Path) -> Engine:
    return _engine(demo_cohort, demo_models)


_READ: dict[str, Recommendation] = {}
"""By the teacher's prompt, which a case mostly shares with itself in the other ICD version."""


def _scored(engine: Engine, cases: Sequence[Case], model: ModelName) -> Sequence[Recommendation]:
    if model == "student":
        return engine.recommend_many(cases, model)
    prompts = [engine.prompt(case).text for case in cases]
    new = {text: case for text, case in zip(prompts, cases, strict=True) if text not in _READ}
    _READ.update(zip(new, engine.recommend_many(list(new.values()), model), strict=True))
    return [_READ[text] for text in prompts]


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
    return dict(zip(keys, _scored(engine, cases, model), strict=True))


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


@pytest.mark.parametrize("icd", [1, 2], ids=["icd9", "icd10"])
@pytest.mark.parametrize("model", get_args(ModelName))
def test_few_classes_of_the_list_of_harms_are_recommended_though_nothing_is_held_back(
    engine: Engine, model: ModelName, icd: int
) -> None:
    """Of the condition alone. The first models had 5 and 6 (teacher), 14 and 16 (student) of the 32 recommended."""
    cases = [
        Case(current=Visit(diagnoses=(f"ICD{(9, 10)[icd - 1]}:{codes[icd]}",))) for codes in HARMS.values()
    ]
    results = _scored(engine, cases, model)
    harms = [
        harm
        for (harm, codes), result in zip(HARMS.items(), results, strict=True)
        if codes[0][:4] in {m.code for m in result.selected}
    ]
    assert len(harms) <= RECOMMENDED_HARMS[model], harms


def _translated(codes: Sequence[str], old: str, new: str) -> tuple[str, ...]:
    """Diagnoses in the other ICD version: the first that the official mapping lists, every part of a combination."""
    forward, backward = general_mappings()
    table = forward if old == "ICD9" else backward
    result: list[str] = []
    for code in codes:
        bare = code.removeprefix(f"{old}:")
        while old == "ICD10" and bare not in table and len(bare) > 3:
            bare = bare[:-1]  # a code newer than the mapping: the one that it was split from
        parts: dict[int, str] = {}
        for row in (rows := table.get(bare, ())):
            if row.scenario == rows[0].scenario:
                target = (current_codes(row.target) or (row.target,))[0] if new == "ICD10" else row.target
                parts.setdefault(row.part, f"{new}:{target}")
        result += parts.values() or [code]
    return tuple(dict.fromkeys(result))


@pytest.mark.parametrize(("old", "new", "least"), [("ICD9", "ICD10", 0.95), ("ICD10", "ICD9", 0.93)])
@pytest.mark.parametrize("model", get_args(ModelName))
def test_the_same_diagnoses_in_either_icd_version_select_the_same_classes(
    engine: Engine, model: ModelName, old: str, new: str, least: float
) -> None:
    """First visits of test patients, and the same visits put into the other version by the official mapping: it takes the
    first of its choices and not ours, and ICD-9-CM does not say all that ICD-10-CM does.
    """
    cases = [
        case
        for case in engine.cohort.cases("test", "last")
        if not case.history and case.current.diagnoses[0].startswith(f"{old}:")
    ][: CASES[model]]
    assert len(cases) >= 30
    others = [
        replace(
            case,
            profile=dict(case.profile),
            current=replace(case.current, diagnoses=_translated(case.current.diagnoses, old, new)),
        )
        for case in cases
    ]
    assert all(
        one.current.diagnoses != other.current.diagnoses for one, other in zip(cases, others, strict=True)
    )
    overlaps = []
    for one, other in zip(_scored(engine, cases, model), _scored(engine, others, model), strict=True):
        first, second = ({m.code for m in result.selected} for result in (one, other))
        overlaps.append(len(first & second) / max(1, len(first | second)))
    assert np.mean(overlaps) >= least, f"{np.mean(overlaps):.3f}"
