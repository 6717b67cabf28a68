"""The worklist's alert counts are those of the review of each case: one definition, counted in bulk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leader_core import Engine
from leader_core.cohort import PatientQuery
from leader_core.domain import GRADED
from leader_core.interactions.severity_matrix import NUMBER
from leader_core.interactions.visit_alerts import OrderedVisits, VisitAlerts

CASES = 60


@pytest.mark.parametrize("cohort", ["real_cohort", "real_cohort_mimic4", "synthetic_cohort"])
def test_the_worklist_counts_what_the_review_of_each_case_shows(
    cohort: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    engine = Engine.open(request.getfixturevalue(cohort), tmp_path, "cpu")
    rows = engine.cohort.patients(PatientQuery(page_size=1000)).rows
    for row in rows[::3]:
        counts = engine.review(engine.cohort.case(row.patient_id)).counts
        severe = counts.get("contraindicated", 0) + counts.get("major", 0)
        assert (row.prescribed_contraindicated, row.prescribed_severe) == (
            counts.get("contraindicated", 0),
            severe,
        )
    assert any(row.prescribed_severe for row in rows)


@pytest.mark.parametrize("cohort", ["real_cohort", "real_cohort_mimic4", "synthetic_cohort"])
def test_suggestions_are_counted_in_bulk_as_the_review_of_the_set_counts_them(
    cohort: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Sets that hold some of the classes ordered, and some that were not."""
    engine = Engine.open(request.getfixturevalue(cohort), tmp_path, "cpu")
    codes = sorted(engine.cohort.titles("medication"))
    cases = engine.cohort.cases("all", "last")[:CASES]
    random = np.random.default_rng(3)
    ordered = np.array([[code in case.prescribed for code in codes] for case in cases])
    chosen = (ordered & (random.random(ordered.shape) < 0.7)) | (random.random(ordered.shape) < 0.04)
    counter = VisitAlerts(OrderedVisits.read(engine.cohort.reader()), 3, codes, engine.shares)
    bulk = counter.suggested(np.array([case.current.visit_id for case in cases]), chosen)
    for case, row, counts in zip(cases, chosen, bulk, strict=True):
        own = [code for code, there in zip(codes, row, strict=True) if there]
        reviewed = engine.review_set(case, own, engine.cohort.orders(case.current.visit_id or 0))
        for part, expected in enumerate((reviewed.counts, reviewed.counts_if_chosen)):
            assert {s: int(counts[part, NUMBER[s]]) for s in GRADED if counts[part, NUMBER[s]]} == expected
