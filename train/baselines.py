"""Baselines that any model has to beat, under the same evaluator.

`popularity` scores every case by how often each class is prescribed in training; `repeat` adds what the patient got
at the visit before. Refuses to know networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from leader_core.cohort.columns import CohortColumns
from leader_core.domain import Fingerprint
from leader_core.errors import TrainingError
from leader_core.metrics import choose_threshold
from leader_core.vocabulary import Vocabulary
from train.scoring import Labels, Scores, blocks_of, prescriptions

if TYPE_CHECKING:
    from leader_core.artifacts import Manifest
    from leader_core.cohort import Cohort

BaselineName = Literal["popularity", "repeat"]
BASELINES: Final[tuple[BaselineName, ...]] = ("popularity", "repeat")
REPEATED: Final = 0.9
"""What a class of the last prescription is given before the popularity term, which fills the rest up to 1."""


class Popularity:
    """Every case gets the training frequencies."""

    name = "popularity"

    def __init__(
        self, medications: Vocabulary, frequencies: NDArray[np.float32], trained_on: Fingerprint
    ) -> None:
        self.medications = medications
        self.frequencies = frequencies  # (M,) share of training cases with each class
        self.trained_on = trained_on
        self.threshold = 0.5
        self.threshold_rule = "chosen on validation to maximise mean Jaccard"
        self.manifest: Manifest | None = None

    def scores(self, columns: CohortColumns, rows: NDArray[np.int64]) -> Scores:
        """(B, M)"""
        return np.repeat(self.frequencies[None], len(rows), axis=0)

    def blocks(self, cohort: Cohort, columns: CohortColumns) -> Iterator[tuple[NDArray[np.int64], Scores]]:
        for rows in blocks_of(len(columns)):
            yield rows, self.scores(columns, rows)


class Repeat(Popularity):
    """The prescription of the visit before, ranked by popularity; popularity alone at a first visit."""

    name = "repeat"

    def scores(self, columns: CohortColumns, rows: NDArray[np.int64]) -> Scores:
        """(B, M)"""
        popular = super().scores(columns, rows)
        returning = np.flatnonzero(columns.first[rows] < columns.current[rows])
        before = prescriptions(columns, columns.current[rows][returning] - 1, self.medications.codes)
        popular[returning] = REPEATED * before + (1 - REPEATED) * popular[returning]
        return popular


def fit_baseline(name: BaselineName, cohort: Cohort) -> Popularity:
    """Fit on a cohort's training cases (last visits); the threshold on its validation cases.

    Raises:
        TrainingError: the cohort has no training or no validation patients.
    """
    train, validation = cohort.columns("train", "last"), cohort.columns("validation", "last")
    if not len(train) or not len(validation):
        raise TrainingError(f"{cohort.path} has no training or no validation patients to fit a baseline on.")
    medications = Vocabulary.of(cohort.vocabulary_codes("medication"))
    frequencies = (
        prescriptions(train, train.current, medications.codes).mean(0, dtype=np.float64).astype(np.float32)
    )
    model = (Repeat if name == "repeat" else Popularity)(medications, frequencies, cohort.fingerprint)
    labels = Labels.of(validation, medications)
    scores = model.scores(validation, np.arange(len(validation)))
    model.threshold = choose_threshold(scores, labels.truth, missed=labels.missed)
    return model
