"""What everything that scores cases has in common: teacher, student, baselines, and files of stored scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import Case, Fingerprint, Kind
from leader_core.errors import ArtifactError, InputError
from leader_core.model_folder import Manifest
from leader_core.ragged import Ints
from leader_core.terminology.equivalence import DiagnosisReading
from leader_core.vocabulary import Vocabularies, Vocabulary

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor

    from leader_core.cohort.columns import CohortColumns

Floats = NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called between passes with what is done and the whole; an exception raised in it stops the work."""

BLOCK: Final = 2048  # cases scored at a time


@dataclass(frozen=True, slots=True)
class CaseScores:
    """What a model says of B cases, in their order."""

    probabilities: Floats  # (B, M) calibrated where the model is, in the order of its medications
    truncated: NDArray[np.bool_]  # (B,) some of the case was cut to fit the model
    inputs: int  # distinct inputs that the model read: cases that read the same are scored once


class Scorer(Protocol):
    """Scores the cases of a cohort's columns."""

    @property
    def name(self) -> str:
        """What reports call it."""

    @property
    def medications(self) -> Vocabulary:
        """The M classes that it scores."""

    @property
    def manifest(self) -> Manifest | None:
        """The manifest of its folder, where it has one."""

    @property
    def threshold(self) -> float:
        """The cut-off that it was given."""

    @property
    def threshold_rule(self) -> str:
        """Where the cut-off comes from."""

    @property
    def trained_on(self) -> Fingerprint:
        """The cohort that it learned from."""

    def blocks(self, columns: CohortColumns) -> Iterator[tuple[Ints, CaseScores]]:
        """Row numbers of `columns` and their scores, in order."""


class ModelScorer(ABC):
    """A loaded model folder. Deterministic on one device; safe to share between threads."""

    def __init__(self, manifest: Manifest, vocabularies: Vocabularies) -> None:
        self.manifest = manifest
        self.vocabularies: Final = vocabularies

    @property
    def name(self) -> str:
        return self.manifest.kind

    @property
    def medications(self) -> Vocabulary:
        return self.vocabularies.medication

    @property
    def threshold(self) -> float:
        return self.manifest.threshold

    @property
    def threshold_rule(self) -> str:
        return self.manifest.threshold_rule

    @property
    def trained_on(self) -> Fingerprint:
        return self.manifest.cohort

    @property
    @abstractmethod
    def reading(self) -> DiagnosisReading:
        """How the model reads diagnosis codes."""

    @property
    @abstractmethod
    def profile_read(self) -> tuple[str, ...]:
        """Profile fields that the model reads."""

    @abstractmethod
    def score(self, cases: Sequence[Case], progress: Progress | None = None) -> CaseScores:
        """Score cases in batches. Their current medications are not read."""

    @abstractmethod
    def blocks(self, columns: CohortColumns) -> Iterator[tuple[Ints, CaseScores]]:
        """Row numbers of `columns` and their scores, in order."""

    @abstractmethod
    def truncated(self, columns: CohortColumns) -> NDArray[np.bool_]:
        """(N,) whether some of each case is cut to fit the model; nothing is scored."""

    @abstractmethod
    def unseen(self, case: Case) -> list[tuple[Kind, str]]:
        """Codes of the case of which the model knows neither the code nor an equivalent, each once."""

    @abstractmethod
    def by_title(self, kind: Kind, code: str) -> bool:
        """Whether the model reads the title of such a code in its place."""

    def calibrated(self, probabilities: Floats) -> Floats:
        """The network's probabilities as this model gives them.

        Raises:
            ArtifactError: they are not finite numbers.
        """
        if not np.isfinite(probabilities).all():
            raise ArtifactError(
                f"The {self.name} gives scores that are not finite numbers: its weights are damaged. "
                "Restore its folder, or train it again."
            )
        calibration = self.manifest.calibration
        return probabilities if calibration is None else calibration.apply(probabilities)


def check_finite(weights: Mapping[str, Tensor], folder: Path) -> None:
    """Refuse weights that are not finite numbers.

    Raises:
        ArtifactError: some are not; the text names the first.
    """
    for name, weight in weights.items():
        if weight.is_floating_point() and not bool(weight.isfinite().all()):
            raise ArtifactError(
                f"{folder}: the weights {name} are not finite numbers. Restore the folder, or train the model again."
            )


def score_columns(scorer: Scorer, columns: CohortColumns) -> Floats:
    """(N, M) probabilities of all cases; each must have been scored."""
    out = np.full((len(columns), len(scorer.medications)), np.nan, dtype=np.float32)
    for rows, scores in scorer.blocks(columns):
        out[rows] = scores.probabilities
    if missing := int(np.isnan(out).any(axis=1).sum()):
        raise InputError(
            f"{scorer.name} gave no score for some classes of {missing} of {len(columns)} cases."
        )
    return out


def blocks_of(count: int, size: int = BLOCK) -> Iterator[Ints]:
    """Consecutive row numbers, at most `size` at a time."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))


def resolve_device(device: str) -> torch.device:
    """The torch device of "auto" (CUDA where there is one), "cpu" or "cuda".

    Raises:
        InputError: "cuda" where there is none.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("No CUDA device is here: expected one for --device cuda. Use --device cpu or auto.")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
