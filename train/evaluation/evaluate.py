"""One model on one set of cases: figures by group, reliability, what its conformal sets keep, and how it compares.

The one evaluator for teacher, student, baselines and stored scores. Refuses to know command lines and files.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from leader_core.cohort.columns import CohortColumns
from leader_core.evaluation.calibration import bins_to_json, expected_error, reliability
from leader_core.evaluation.comparison import METHOD, Difference, compare
from leader_core.evaluation.metrics import CaseMetrics, case_metrics, summarise
from train.evaluation.grouping import FEWEST, Groups
from train.evaluation.scoring import Labels, Scores, SplitModel, score_split

if TYPE_CHECKING:
    from leader_core.cohort import Cohort


@dataclass(frozen=True, slots=True)
class Judged:
    """A model's scores on some cases, and the figures of each."""

    model: SplitModel
    columns: CohortColumns
    labels: Labels
    scores: Scores  # (N, M) over the model's classes
    threshold: float
    threshold_rule: str
    cases: CaseMetrics
    density: float | None  # of the interaction table among these classes; None without a table at their level

    @classmethod
    def of(
        cls, model: SplitModel, cohort: Cohort, columns: CohortColumns, *, threshold: float | None = None
    ) -> Self:
        """Score and judge."""
        labels = Labels.of(columns, model.medications)
        scores = score_split(model, cohort, columns)
        cut = model.threshold if threshold is None else threshold
        table = bool(cohort.interactions.statistical)
        cases = case_metrics(
            labels.widen(scores),
            labels.wide_truth,
            cut,
            cohort.interactions.statistical_matrix(labels.codes) if table else None,
            known=labels.known,
        )
        rule = model.threshold_rule if threshold is None else "given on the command line"
        density = cohort.interactions.density(labels.codes) if table else None
        return cls(model, columns, labels, scores, cut, rule, cases, density)

    def groups(self, groups: Groups, *, seed: int) -> dict[str, Any]:
        """Each group's figures, flat; `few` marks groups of less than `FEWEST` cases."""
        found = summarise(self.cases, groups, patients=self.columns.patient_ids, seed=seed)
        return {name: {**group.to_json(), "few": group.cases < FEWEST} for name, group in found.items()}

    def unnamed(self) -> dict[str, Any]:
        """What was prescribed and is no class of the model."""
        return {
            "classes": list(self.labels.unnamed),
            "prescriptions": int(self.labels.missed.sum()),
            "share": float(self.labels.missed.sum() / max(1, self.labels.wide_truth.sum())),
        }

    def reliability(self) -> dict[str, Any]:
        """What the probabilities say against what was so, over the model's classes."""
        bins = reliability(self.scores, self.labels.truth)
        calibration = self.model.manifest.calibration if self.model.manifest else None
        return {
            "ece": expected_error(bins),
            "bins": bins_to_json(bins),
            "temperature": calibration.temperature if calibration else None,
            "bias": calibration.bias if calibration else None,
        }

    def conformal(self) -> list[dict[str, Any]]:
        """For each promise of a calibrated model: the share of cases that kept it, and how large the sets are."""
        calibration = self.model.manifest.calibration if self.model.manifest else None
        if calibration is None:
            return []
        promises = calibration.promises_kept(self.scores, self.labels.truth, missed=self.labels.missed)
        return [
            {
                "share": each.share,
                "confidence": each.confidence,
                "cutoff": calibration.cutoff(each.share, each.confidence),
                **dataclasses.asdict(each),
            }
            for each in promises
        ]


def differences(first: Judged, second: Judged, groups: Groups, *, seed: int) -> dict[str, Any]:
    """First minus second, by group and figure, with how it was tested."""
    return {
        "method": METHOD,
        "groups": differences_of(first.cases, second.cases, first.columns.patient_ids, groups, seed),
    }


def differences_of(
    first: CaseMetrics, second: CaseMetrics, patients: NDArray[np.int64], groups: Groups, seed: int
) -> dict[str, dict[str, Any]]:
    """The same of figures of cases."""
    found = compare(first, second, groups, patients=patients, seed=seed)
    return {name: {key: _plain(value) for key, value in row.items()} for name, row in found.items()}


def _plain(difference: Difference | None) -> dict[str, float] | None:
    return None if difference is None else dataclasses.asdict(difference)
