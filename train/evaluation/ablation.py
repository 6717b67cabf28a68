"""Ablation: what the parts of a case are worth to a model, by its metrics on later visits with a part left out or exchanged.

Nothing is trained for it. A part that a model was trained with and does not get is an unusual input, so this says what the
model uses, not what it would lose if it had never had that part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from leader_core.cohort.columns import CohortColumns
from leader_core.domain import Case, Visit
from leader_core.errors import InputError
from leader_core.evaluation.metrics import summarise
from leader_core.scorer import Scorer
from train.evaluation.evaluate import ModelEvaluation, differences_of
from train.evaluation.inputs import groups_of

if TYPE_CHECKING:
    from leader_core.cohort import Cohort
    from leader_core.student.scorer import StudentScorer

WHOLE: Final = "as it is"  # results_tables.py puts it first
METRICS: Final = ("prauc", "jaccard", "f1")


def later_visits(cohort: Cohort, split: str, count: int, seed: int) -> CohortColumns:
    """At most `count` visits of a split that have a visit before them, drawn at random.

    Raises:
        InputError: there is none.
    """
    columns = cohort.columns(split, "all")
    later = np.flatnonzero(columns.history_lengths > 0)
    if not len(later):
        raise InputError(
            f"{cohort.path} has no patient with an earlier visit in split {split!r}. Name another --split."
        )
    return columns.take(np.sort(np.random.default_rng(seed).permutation(later)[:count]))


def sections(model: Scorer, cohort: Cohort, columns: CohortColumns, *, seed: int) -> dict[str, Any]:
    """Metrics of `columns` with each part left out or exchanged, and the difference from the cases as they are."""
    from leader_core.student.scorer import StudentScorer

    runs = {WHOLE: ModelEvaluation.of(model, cohort, columns)}
    for name, cases in without_parts(columns.cases()).items():
        runs[name] = ModelEvaluation.of(model, cohort, CohortColumns.from_cases(cases))
    if isinstance(model, StudentScorer):
        for part in _own_parts(model):
            runs[part] = ModelEvaluation.of(model, cohort, columns)
    groups = {"overall": groups_of(columns)["overall"]}
    patients = columns.patient_ids
    result: dict[str, Any] = {}
    for name, run in runs.items():
        scores = summarise(run.cases, groups, patients=patients, seed=seed)["overall"].to_json()
        result[name] = {metric: scores[metric] for metric in METRICS}
        if name != WHOLE:
            difference = differences_of(run.cases, runs[WHOLE].cases, patients, groups, seed)["overall"]
            result[name]["difference"] = {metric: difference[metric] for metric in METRICS}
    return {"cases": len(columns), "patients": len(np.unique(patients)), "parts": result}


def without_parts(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """The same cases with a part left out or exchanged, by what was done. Their current visits stay as they are."""
    return {
        "no history": [replace(case, history=()) for case in cases],
        "another patient's history": [replace(case, history=other) for case, other in _exchanged(cases)],
        "medications alone in the history": [
            replace(case, history=tuple(replace(v, diagnoses=(), procedures=()) for v in case.history))
            for case in cases
        ],
        "no medications in the history": [
            replace(case, history=tuple(replace(v, medications=()) for v in case.history)) for case in cases
        ],
        "no profile": [replace(case, profile={}) for case in cases],
    }


def _exchanged(cases: Sequence[Case]) -> Iterator[tuple[Case, tuple[Visit, ...]]]:
    """Each case with the history of the next case that is another patient's, without its dates."""
    for i, case in enumerate(cases):
        others = (cases[(i + k) % len(cases)] for k in range(1, len(cases)))
        other = next((each for each in others if each.patient_id != case.patient_id), case)
        yield case, tuple(replace(visit, admitted_at=None, discharged_at=None) for visit in other.history)


def _own_parts(scorer: StudentScorer) -> Iterator[str]:
    """Name of what is switched off while the caller scores: the linear path's word on this case, or the carry-over."""
    linear, carry_over = scorer.model.linear, scorer.model.carry_over
    if linear is not None:
        factor, linear.factor = linear.factor, 0.0
        yield "linear path off"
        linear.factor = factor
    if carry_over is not None:
        scorer.model.carry_over = None
        yield "carry-over off"
        scorer.model.carry_over = carry_over
