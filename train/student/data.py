"""A student's training and validation data: a cohort's columns, its vocabularies and, where given, teacher states.

One class for all: teacher states are an argument, not another data set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leader_core.cohort.columns import CohortColumns
from leader_core.domain import Fingerprint, Targets
from leader_core.errors import InputError, TrainingError
from leader_core.interactions.shares import DrugShares
from leader_core.student.config import StudentConfig
from leader_core.vocabulary import Vocabularies

if TYPE_CHECKING:
    from leader_core.cohort import Cohort
    from leader_core.student.titles import Titles
    from train.teacher.states import TeacherStates


@dataclass(frozen=True, slots=True)
class Guidance:
    """The teacher's hidden states and logits for the training cases."""

    hidden: NDArray[np.float32]  # (states, H)
    logits: (
        NDArray[np.float32] | None
    )  # (states, M) in the vocabulary's order; None where it lacks one of the classes
    rows: NDArray[np.int64]  # (N,) the state of each training case, -1 where it has none
    teacher_digest: str
    mean: NDArray[np.float32] | None = None  # (H,) taken from every state before use
    scale: NDArray[np.float32] | None = None  # (H,) that it is divided by then

    def of(self, cases: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Which of some training cases have a state, and (G, H) those states."""
        rows = self.rows[cases]
        there = np.flatnonzero(rows >= 0)
        hidden = self.hidden[rows[there]]
        if self.mean is None or self.scale is None:
            return there, hidden
        return there, (hidden - self.mean) / self.scale

    def probabilities(self, cases: NDArray[np.int64]) -> NDArray[np.float32]:
        """(G, M) what the teacher says of those of some training cases that have a state.

        Raises:
            InputError: it does not score every class of the vocabulary.
        """
        if self.logits is None:
            raise InputError(
                "The teacher's probabilities cannot be targets: it does not score every class of this cohort. Train a "
                "teacher on this cohort, or set probabilities = 0 under [student.training]."
            )
        rows = self.rows[cases]
        odds = np.exp(-self.logits[rows[rows >= 0]])
        return (1 / (1 + odds)).astype(np.float32)

    def standardised(self) -> Guidance:
        """The same states with mean 0 and variance 1 in each of their H values over the training cases."""
        used = self.hidden[np.unique(self.rows[self.rows >= 0])]
        return replace(self, mean=used.mean(0), scale=np.maximum(used.std(0), 1e-6))

    @property
    def cases(self) -> int:
        """Training cases with a state."""
        return int((self.rows >= 0).sum())

    @property
    def width(self) -> int:
        """H"""
        return int(self.hidden.shape[1])


@dataclass(frozen=True, slots=True)
class StudentData:
    """Training and validation cases of one cohort. Validation cases are always patients' last visits."""

    train: CohortColumns
    validation: CohortColumns
    vocabularies: Vocabularies
    fingerprint: Fingerprint
    guidance: Guidance | None = None
    titles: Titles | None = None  # of codes, for a student that reads them
    shares: DrugShares | None = None  # of drugs within classes, over the training orders

    @classmethod
    def of(
        cls,
        cohort: Cohort,
        targets: Targets,
        states: TeacherStates | None = None,
        *,
        equivalence: bool = False,
    ) -> StudentData:
        """Read a cohort for a student that reads diagnoses with or without `equivalence`.

        Raises:
            TrainingError: the cohort has no training or no validation patients.
            InputError: the states are of another cohort, or lack training cases.
        """
        train, validation = cohort.columns("train", targets), cohort.columns("validation", "last")
        for name, columns in (("training", train), ("validation", validation)):
            if not len(columns):
                raise TrainingError(
                    f"{cohort.path} has no {name} patients: expected at least one. Build a cohort of more patients."
                )
        vocabularies = Vocabularies.of_training(cohort, equivalence=equivalence)
        guidance = None
        if states is not None:
            if states.cohort_digest != cohort.fingerprint.digest:
                raise InputError(
                    f"The teacher states are of another cohort ({states.cohort_digest[:12]}) than {cohort.path} "
                    f"({cohort.fingerprint.digest[:12]}). Make them again with `python -m train states`."
                )
            guidance = guide(states, train.visit_ids, targets, vocabularies.medication.codes)
        return cls(
            train,
            validation,
            vocabularies,
            cohort.fingerprint,
            guidance,
            cohort.title,
            cohort.drug_shares(),
        )


def guide(
    states: TeacherStates, visit_ids: NDArray[np.int64], targets: Targets, medications: Sequence[str]
) -> Guidance:
    """Find the state of each training case. Where every visit is a target, or the states are of a sample, visits without
    a state learn without one.

    Args:
        medications: the classes of the student's vocabulary, in its order.

    Raises:
        InputError: a last visit has no state (naming the visits), or no case has one.
    """
    columns = {code: i for i, code in enumerate(states.medications)}
    scored = all(code in columns for code in medications)
    logits = states.logits[:, [columns[code] for code in medications]] if scored else None
    if targets == "last" and not states.sample:
        rows = states.rows(visit_ids).astype(np.int64)
        return Guidance(states.hidden, logits, rows, states.teacher_digest)
    rows = np.searchsorted(states.visit_ids, visit_ids).clip(max=max(0, len(states.visit_ids) - 1))
    known = (
        states.visit_ids[rows] == visit_ids if len(states.visit_ids) else np.zeros(len(visit_ids), dtype=bool)
    )
    if not known.any():
        raise InputError(
            "No training case has a teacher state. Make them with `python -m train states` for this cohort."
        )
    return Guidance(states.hidden, logits, np.where(known, rows, -1), states.teacher_digest)


def fields_read(config: StudentConfig, vocabularies: Vocabularies) -> tuple[StudentConfig, tuple[str, ...]]:
    """The configuration with the profile fields that this cohort records, and those left out."""
    recorded = tuple(name for name in config.profile_fields if name in vocabularies.profile)
    return replace(config, profile_fields=recorded), tuple(
        n for n in config.profile_fields if n not in recorded
    )
