"""Reviews of single drugs, and the lists of clinical cases, for tests of the rules."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import pytest

from leader_core.domain import SEVERITY_RANK
from leader_core.interactions import (
    Alert,
    InteractionTable,
    OrderedDrug,
    Review,
    drug_choices,
    review,
    typical_shares,
)
from leader_core.interactions.orders import usual_names

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT.parent / "shared" / "cases" / "clinical"


def clinical_rows(name: str) -> list[dict[str, str]]:
    """A list of clinical cases; skips where it does not lie next to the checkout."""
    path = CASES / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"needs the folder of cases next to the checkout: {path} does not exist")
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def review_drugs(*codes: str, diagnoses: Iterable[str] = ()) -> Review:
    """The review of known drugs, given by their ATC codes."""
    drugs = [OrderedDrug(usual_names()[code], code, (code,)) for code in codes]
    return review(drug_choices(drugs, 3), InteractionTable(()), typical_shares(3), diagnoses=diagnoses)


def warnings_of(code: str, *diagnoses: str) -> tuple[Alert, ...]:
    """The alerts of one drug (ATC code) under diagnoses."""
    return review_drugs(code, diagnoses=diagnoses).alerts


def warned(code: str, diagnosis: str, *others: str) -> str | None:
    """The most severe grade of a drug under a diagnosis, next to other findings; None without an alert."""
    warnings = [w for w in warnings_of(code, diagnosis, *others) if diagnosis in w.diagnoses]
    return min((w.severity for w in warnings), key=SEVERITY_RANK.__getitem__, default=None)


def at_least(severity: str | None, expected: str) -> bool:
    """Is a grade this one or a more severe one?"""
    return severity is not None and SEVERITY_RANK[severity] <= SEVERITY_RANK[expected]  # type: ignore[index]
