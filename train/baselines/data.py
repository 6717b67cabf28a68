"""The training data of baselines, and the protocol that each satisfies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from leader_core.cohort.columns import CohortColumns
from leader_core.domain import Targets
from leader_core.errors import TrainingError
from leader_core.scorer import blocks_of
from leader_core.student.config import StudentConfig
from leader_core.student.encode import EncodedCases, Encoder
from leader_core.vocabulary import Vocabularies
from train.console import Report
from train.evaluation.scoring import Labels, Scores

if TYPE_CHECKING:
    from leader_core.cohort import Cohort


@dataclass(frozen=True, slots=True)
class TrainingData:
    """One cohort as baselines see it: M medications; codes as token ids of the training vocabularies."""

    train: EncodedCases
    validation: EncodedCases
    labels: Labels  # of the validation cases
    encoder: Encoder
    interactions: NDArray[np.bool_]  # (M, M) statistical interactions

    @classmethod
    def of(cls, cohort: Cohort, targets: Targets = "last") -> TrainingData:
        """Read a cohort. Vocabularies are those of the training split; both ICD versions are read as our models do.

        Raises:
            TrainingError: the cohort has no training or no validation patients.
        """
        train, validation = cohort.columns("train", targets), cohort.columns("validation", "last")
        if not len(train) or not len(validation):
            raise TrainingError(
                f"{cohort.path} has no training or no validation patients to fit a baseline on: expected at least one "
                "of each. Build a cohort of more patients."
            )
        vocabularies = Vocabularies.of_training(cohort, equivalence=True)
        return cls.from_columns(
            train,
            validation,
            vocabularies,
            cohort.interactions.statistical_matrix(vocabularies.medication.codes),
        )

    @classmethod
    def from_columns(
        cls,
        train: CohortColumns,
        validation: CohortColumns,
        vocabularies: Vocabularies,
        interactions: NDArray[np.bool_],
    ) -> TrainingData:
        """The same from columns, such as one fold's."""
        config = StudentConfig(profile_fields=tuple(vocabularies.profile), equivalence=True)
        encoder = Encoder(config, vocabularies)
        labels = Labels.of(validation, vocabularies.medication)
        return cls(encoder.columns(train), encoder.columns(validation), labels, encoder, interactions)

    @property
    def medications(self) -> int:
        """M"""
        return len(self.encoder.vocabularies.medication)

    def truth(self) -> NDArray[np.bool_]:
        """(N, M) what the training cases were prescribed."""
        return self.train.labels(np.arange(len(self.train)), self.medications)

    def frequencies(self) -> NDArray[np.float64]:
        """(M,) share of the training cases with each class."""
        counts = np.zeros(self.medications)
        for rows in blocks_of(len(self.train)):
            counts += self.train.labels(rows, self.medications).sum(0)
        return counts / len(self.train)


class Baseline(Protocol):
    """Learns once, then scores cases of any cohort at the same ATC level."""

    def fit(self, data: TrainingData, *, seed: int, report: Report) -> None:
        """Learn from `data.train`; `data.validation` chooses settings or the moment to stop."""

    def score(self, cases: EncodedCases, rows: NDArray[np.int64]) -> Scores:
        """(B, M) probabilities of some cases. Their current medications must not be read."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What was fixed or chosen, for the record."""
