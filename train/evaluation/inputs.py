"""What an evaluation starts from: an opened model folder, and the labels that its scores are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray

from leader_core.cohort.columns import CohortColumns
from leader_core.errors import InputError
from leader_core.evaluation.metrics import mean_prauc
from leader_core.model_folder import read_manifest
from leader_core.scorer import ModelScorer
from leader_core.vocabulary import Vocabulary

if TYPE_CHECKING:
    from leader_core.cohort import Cohort

SPLITS: Final[tuple[str, ...]] = ("train", "validation", "test", "all")
Scores = NDArray[np.float32]


def open_model(folder: Path, device: str, cohort: Cohort) -> ModelScorer:
    """The model of a folder, by its manifest's kind.

    Raises:
        NotFoundError, ArtifactError: no model there, or one that fails its checks.
        InputError: a model that names medications at another ATC level than the cohort.
    """
    manifest = read_manifest(folder)
    if manifest.cohort.atc_level != cohort.fingerprint.atc_level:
        raise InputError(
            f"The model in {folder} names medications at ATC level {manifest.cohort.atc_level}, but {cohort.path} "
            f"is at level {cohort.fingerprint.atc_level}. "
            f"Build the cohort with --atc-level {manifest.cohort.atc_level}."
        )
    if manifest.kind == "teacher":
        from leader_core.teacher.scorer import TeacherScorer

        return TeacherScorer.load(folder, titles=cohort.title, device=device)
    from leader_core.student.scorer import StudentScorer

    return StudentScorer.load(folder, titles=cohort.title, device=device, served=cohort.fingerprint)


@dataclass(frozen=True, slots=True)
class Labels:
    """What was prescribed at the current visits, over a model's classes and the classes it cannot name."""

    codes: tuple[str, ...]  # the model's M classes, then the others that were prescribed, sorted
    known: NDArray[np.bool_]  # (all,) which of them the model has
    wide_truth: NDArray[np.bool_]  # (N, all)

    @classmethod
    def of(cls, columns: CohortColumns, medications: Vocabulary) -> Self:
        column, current = columns.codes["medication"], columns.current
        used = np.unique(column.ids.take(current).values)
        codes = (*medications.codes, *sorted(medications.unseen([column.table[i] for i in used])))
        known = np.arange(len(codes)) < len(medications)
        return cls(codes, known, prescriptions(columns, current, codes))

    @property
    def width(self) -> int:
        """M"""
        return int(self.known.sum())

    @property
    def truth(self) -> NDArray[np.bool_]:
        """(N, M) over the model's classes."""
        return self.wide_truth[:, : self.width]

    @property
    def missed(self) -> NDArray[np.int64]:
        """(N,) prescribed classes that the model cannot name."""
        return self.wide_truth[:, self.width :].sum(1)

    @property
    def unnamed(self) -> tuple[str, ...]:
        """Prescribed classes that the model cannot name."""
        return self.codes[self.width :]

    def widen(self, scores: Scores) -> Scores:
        """(N, M) -> (N, all), zero for what the model cannot name."""
        if self.width == len(self.codes):
            return scores
        return np.pad(scores, ((0, 0), (0, len(self.codes) - self.width)))

    def widen_table(self, table: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """(M, M) -> (all, all), no pair for what the table does not hold."""
        extra = len(self.codes) - self.width
        return table if table is None or not extra else np.pad(table, ((0, extra), (0, extra)))

    def mean_prauc(self, scores: Scores) -> float:
        """PRAUC of (N, M) scores, the mean over cases."""
        return mean_prauc(scores, self.truth, self.missed)


def groups_of(columns: CohortColumns) -> dict[str, NDArray[np.bool_]]:
    """The groups every table shows."""
    single = columns.first == columns.current
    return {"overall": np.ones(len(columns), dtype=bool), "single-visit": single, "multi-visit": ~single}


def prescriptions(
    columns: CohortColumns, visits: NDArray[np.int64], codes: Sequence[str]
) -> NDArray[np.bool_]:
    """(B, len(codes)) what some visit rows were prescribed; classes that are not among `codes` are left out."""
    column = columns.codes["medication"]
    column_of = {code: i for i, code in enumerate(codes)}
    table = np.array([column_of.get(code, -1) for code in column.table], dtype=np.int64)
    ids = column.ids.take(visits)
    columns_of = table[ids.values]
    out = np.zeros((len(visits), len(codes)), dtype=bool)
    out[ids.owners[columns_of >= 0], columns_of[columns_of >= 0]] = True
    return out
