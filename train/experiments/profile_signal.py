"""What the profile adds on real patients: logistic regressions with and without its fields, judged on patients unseen.

Each field alone and all together are added to the codes under the penalty that the codes alone chose, so that nothing else
differs. So is the profile added to nothing, which at first visits is popularity.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from leader_core.evaluation.metrics import CaseMetrics, case_metrics
from leader_core.vocabulary import Vocabularies, Vocabulary
from train.baselines.fitting import Baseline, FittedBaseline, TrainingData
from train.baselines.simple import Logistic
from train.console import Report, Silent
from train.evaluation.inputs import Labels
from train.experiments.realdata import Fold, folds_of, over_folds
from train.experiments.results_tables import signed, value

if TYPE_CHECKING:
    from leader_core.cohort import Cohort
    from leader_core.cohort.columns import CohortColumns

CODES: Final = "codes alone"
EVERY: Final = "every field"
ALONE: Final = "the profile alone"
NEITHER: Final = "neither codes nor profile"
NONE: Final = Vocabulary.of(())


def measure_profile(cohort: Cohort, *, seed: int, folds: int, report: Report) -> dict[str, Any]:
    """PRAUC by model and group, and differences to the codes alone (of the profile alone: to neither).

    Every visit of a tested patient is a case: the first one of each patient is a first visit, whatever follows.

    Raises:
        InputError: too few patients for the folds.
    """
    every = cohort.columns("all", "all")
    fields = {CODES: (), **{name: (name,) for name in cohort.profile_fields}, EVERY: cohort.profile_fields}
    parts: dict[str, list[CaseMetrics]] = {name: [] for name in (*fields, ALONE, NEITHER)}
    tests = []
    for number, fold in enumerate(folds_of(cohort, folds, seed), 1):
        report.line(f"fold {number} of {folds}")
        test = every.take(np.flatnonzero(np.isin(every.patient_ids, fold.test.patient_ids)))
        tests.append(test)
        codes = Logistic()
        for name, used in fields.items():
            model = codes if name == CODES else Logistic((codes.c,))
            parts[name].append(_judge(model, cohort, fold, _with_fields(fold.vocabularies, used), test))
        without = dataclasses.replace(fold.vocabularies, diagnosis=NONE, procedure=NONE)
        alone = Logistic()
        parts[ALONE].append(_judge(alone, cohort, fold, without, test))
        parts[NEITHER].append(_judge(Logistic((alone.c,)), cohort, fold, _with_fields(without, ()), test))
    against = {**dict.fromkeys(fields, CODES), ALONE: NEITHER}
    del against[CODES]
    return {
        "cohort": dataclasses.asdict(cohort.fingerprint),
        "folds": folds,
        "seed": seed,
        "cases": sum(map(len, tests)),
        "models": over_folds(parts, tests, against, seed),
    }


def _with_fields(vocabularies: Vocabularies, fields: tuple[str, ...]) -> Vocabularies:
    return dataclasses.replace(vocabularies, profile={name: vocabularies.profile[name] for name in fields})


def _judge(
    model: Baseline, cohort: Cohort, fold: Fold, vocabularies: Vocabularies, test: CohortColumns
) -> CaseMetrics:
    """Fit on a fold with these vocabularies, and judge on its test visits."""
    table = cohort.interactions.statistical_matrix(vocabularies.medication.codes)
    data = TrainingData.from_columns(fold.train, fold.validation, vocabularies, table)
    model.fit(data, seed=0, report=Silent())
    fitted = FittedBaseline("", model, data, cohort.fingerprint)
    labels = Labels.of(test, vocabularies.medication)
    scores = labels.widen(fitted.score(data.encoder.columns(test)))
    return case_metrics(scores, labels.wide_truth, fitted.threshold, None, known=labels.known)


def show_profile(result: Mapping[str, Any], report: Report) -> None:
    """One row a model: PRAUC of first and later visits, and the differences with their intervals."""
    rows = []
    for name, model in result["models"].items():
        row = [name]
        for group in ("single-visit", "multi-visit"):
            difference = model.get("difference", {}).get(group, {}).get("prauc")
            row += [value(model["groups"][group]["prauc"], 4), signed(difference)]
        rows.append(row)
    report.table(
        f"{result['cohort']['label']}: {result['cases']:,} visits, {result['folds']} folds",
        (
            "logistic regression on",
            "PRAUC, first visits",
            "difference",
            "later visits",
            "difference",
        ),
        rows,
    )
    report.line(
        "95 % intervals by bootstrap over patients, not corrected for the number of fields. The profile alone is compared with "
        "neither, which is popularity at first visits; at later visits both know the medications given before."
    )
