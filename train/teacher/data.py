"""A teacher's training and validation data: prompts as token ids and prescriptions as a matrix, encoded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leader_core.domain import Case, Targets
from leader_core.errors import TrainingError
from leader_core.teacher.scorer import TeacherReader
from leader_core.teacher.tokens import EncodedPrompts
from leader_core.vocabulary import Vocabulary

if TYPE_CHECKING:
    from leader_core.cohort import Cohort


@dataclass(frozen=True, slots=True)
class TeacherData:
    """N cases of one split."""

    encoded: EncodedPrompts
    truth: np.ndarray  # bool (N, M): prescribed, of the medications in the vocabulary
    missed: np.ndarray  # int64 (N,): prescribed medications that the vocabulary lacks

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: np.ndarray) -> TeacherData:
        """Some of the cases, in the order of `rows`."""
        return TeacherData(self.encoded.take(rows), self.truth[rows], self.missed[rows])


def prepare(
    cohort: Cohort, split: str, targets: Targets, reader: TeacherReader, medications: Vocabulary
) -> TeacherData:
    """Encode one split of a cohort.

    Raises:
        TrainingError: where the split is empty.
    """
    cases = cohort.cases(split=split, targets=targets)
    if not cases:
        raise TrainingError(
            f"The cohort has no {split} patients to learn from. Build a cohort with more patients (10 or more)."
        )
    missed = [len(medications.unseen(case.prescribed)) for case in cases]
    return TeacherData(
        reader.encode(cases), truth_matrix(cases, medications), np.asarray(missed, dtype=np.int64)
    )


def truth_matrix(cases: Sequence[Case], medications: Vocabulary) -> np.ndarray:
    """bool (N, M): what each case's current visit really got, of the medications in the vocabulary."""
    truth = np.zeros((len(cases), len(medications)), dtype=bool)
    for row, case in enumerate(cases):
        truth[row, medications.ids(case.prescribed)] = True
    return truth


def step_rows(step: int, batch_size: int, cases: int, seed: int) -> np.ndarray:
    """The cases of an optimiser step: consecutive pieces of one seeded permutation an epoch, end to end."""
    first, last = step * batch_size, (step + 1) * batch_size
    pieces = []
    for epoch in range(first // cases, (last - 1) // cases + 1):
        order = np.random.default_rng((seed, epoch)).permutation(cases)
        pieces.append(order[max(first - epoch * cases, 0) : last - epoch * cases])
    return np.concatenate(pieces)
