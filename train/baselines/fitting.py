"""Baselines: the protocol that each satisfies, their training data, and fitting one as a scorer for the evaluation."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from leader_core.cohort.columns import CohortColumns
from leader_core.domain import Fingerprint, Targets
from leader_core.errors import TrainingError
from leader_core.evaluation.metrics import CHOSEN_ON_VALIDATION, choose_threshold
from leader_core.scorer import CaseScores, blocks_of
from leader_core.student.config import StudentConfig
from leader_core.student.encode import EncodedCases, Encoder
from leader_core.vocabulary import Vocabularies
from train.baselines import BASELINES
from train.config import DEFAULT_SEED
from train.console import Report
from train.evaluation.inputs import Labels, Scores

if TYPE_CHECKING:
    from leader_core.cohort import Cohort
    from leader_core.model_folder import Manifest


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


class FittedBaseline:
    """A fitted baseline with its cut-off, ready to score any cohort (`leader_core.scorer.Scorer`)."""

    def __init__(self, name: str, baseline: Baseline, data: TrainingData, trained_on: Fingerprint) -> None:
        self.name = name
        self.baseline = baseline
        self.encoder = data.encoder
        self.medications = data.encoder.vocabularies.medication
        self.trained_on = trained_on
        self.manifest: Manifest | None = None
        self.seconds = 0.0
        self.threshold_rule = CHOSEN_ON_VALIDATION
        scores = self.score(data.validation)
        self.validation_prauc = data.labels.mean_prauc(scores)
        self.threshold = choose_threshold(scores, data.labels.truth, missed=data.labels.missed)

    @property
    def settings(self) -> Mapping[str, Any]:
        """What was fixed or chosen, for the record."""
        return self.baseline.settings

    def score(self, encoded: EncodedCases) -> Scores:
        """(N, M)"""
        out = np.empty((len(encoded), len(self.medications)), dtype=np.float32)
        for rows in blocks_of(len(encoded)):
            out[rows] = self.baseline.score(encoded, rows)
        return out

    def blocks(self, columns: CohortColumns) -> Iterator[tuple[NDArray[np.int64], CaseScores]]:
        encoded = self.encoder.columns(columns)
        for rows in blocks_of(len(columns)):
            yield rows, CaseScores(self.baseline.score(encoded, rows), encoded.truncated[rows], len(rows))


def fit_baseline(
    name: str,
    cohort: Cohort,
    *,
    targets: Targets = "last",
    seed: int = DEFAULT_SEED,
    report: Report | None = None,
) -> FittedBaseline:
    """Fit on a cohort's training cases; settings, stopping and the cut-off come from its validation patients.

    Args:
        targets: "last" visits teach, as in the paper, or "all" of them.
        seed: of what is random in it, see `BaselineEntry.seeded`.

    Raises:
        TrainingError: the cohort has no training or no validation patients.
    """
    data = TrainingData.of(cohort, targets)
    return fit_on(name, data, cohort.fingerprint, seed=seed, report=report)


def fit_on(
    name: str,
    data: TrainingData,
    trained_on: Fingerprint,
    *,
    seed: int = DEFAULT_SEED,
    report: Report | None = None,
) -> FittedBaseline:
    """Fit on data read already."""
    began = time.perf_counter()
    baseline = _new(name)
    baseline.fit(data, seed=seed, report=report or Report(quiet=True))
    fitted = FittedBaseline(name, baseline, data, trained_on)
    fitted.seconds = time.perf_counter() - began
    return fitted


def _new(name: str) -> Baseline:
    """A baseline that has not learned yet; torch is imported only for those that need it."""
    entry = BASELINES[name]
    baseline: Baseline = getattr(import_module(entry.module), entry.class_name)()
    return baseline
