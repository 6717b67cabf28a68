"""Teacher, student and baselines under one protocol: a whole split scored block by block, and its labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from leader_core.cohort.columns import CohortColumns
from leader_core.domain import Fingerprint
from leader_core.errors import InputError
from leader_core.evaluation.metrics import average_precision
from leader_core.model_folder import Manifest, read_manifest
from leader_core.vocabulary import Vocabulary

if TYPE_CHECKING:
    from leader_core.cohort import Cohort
    from leader_core.student.scorer import StudentScorer
    from leader_core.teacher.scorer import TeacherScorer

Targets = Literal["last", "all"]
SPLITS: Final[tuple[str, ...]] = ("train", "validation", "test", "all")
BLOCK: Final = 2048  # cases scored at a time
TEACHER_BLOCK: Final = 128

Scores = NDArray[np.float32]


class SplitModel(Protocol):
    """Anything that scores cases of a cohort's columns."""

    name: str
    medications: Vocabulary
    threshold: float
    threshold_rule: str
    trained_on: Fingerprint
    manifest: Manifest | None

    def blocks(self, cohort: Cohort, columns: CohortColumns) -> Iterator[tuple[NDArray[np.int64], Scores]]:
        """Row numbers of `columns` and their (B, M) probabilities (calibrated where the model is), in order."""


class _FolderModel:
    """What both kinds of model folder share."""

    manifest: Manifest | None

    def _given(self, scores: Scores) -> Scores:
        """The network's probabilities, calibrated where the manifest says so."""
        return scores if self.manifest is None else self.manifest.calibrated(scores)


class StudentModel(_FolderModel):
    """A student folder."""

    def __init__(self, folder: Path, device: str, cohort: Cohort) -> None:
        from leader_core.student.scorer import StudentScorer

        self.scorer: StudentScorer = StudentScorer.load(folder, device, titles=cohort.title)
        self.manifest: Manifest | None = self.scorer.manifest
        self.name = "student"
        self.medications = self.scorer.vocabularies.medication
        self.threshold, self.threshold_rule = (
            self.scorer.manifest.threshold,
            self.scorer.manifest.threshold_rule,
        )
        self.trained_on = self.scorer.manifest.cohort

    def blocks(self, cohort: Cohort, columns: CohortColumns) -> Iterator[tuple[NDArray[np.int64], Scores]]:
        from leader_core.student.scorer import predict

        encoded = self.scorer.encode_columns(columns)
        for rows in blocks_of(len(columns)):
            yield rows, self._given(predict(self.scorer.model, encoded, rows))

    def truncated(self, columns: CohortColumns) -> NDArray[np.bool_]:
        """(N,) whether some of each case is left out to fit the student."""
        return self.scorer.encode_columns(columns).truncated


class TeacherModel(_FolderModel):
    """A teacher folder."""

    def __init__(self, folder: Path, device: str, cohort: Cohort) -> None:
        from leader_core.teacher.scorer import TeacherScorer

        self.scorer: TeacherScorer = TeacherScorer.load(folder, titles=cohort.title, device=device)
        self.manifest: Manifest | None = self.scorer.manifest
        self.name = "teacher"
        self.medications = self.scorer.vocabularies.medication
        self.threshold, self.threshold_rule = (
            self.scorer.manifest.threshold,
            self.scorer.manifest.threshold_rule,
        )
        self.trained_on = self.scorer.manifest.cohort

    def blocks(self, cohort: Cohort, columns: CohortColumns) -> Iterator[tuple[NDArray[np.int64], Scores]]:
        for rows in blocks_of(len(columns), TEACHER_BLOCK):
            yield rows, self._given(self.scorer.score(columns.take(rows).cases()))

    def truncated(self, columns: CohortColumns) -> NDArray[np.bool_]:
        """(N,) whether some of each case is left out of its prompt."""
        blocks = blocks_of(len(columns), TEACHER_BLOCK)
        cut = [self.scorer.reader.encode(columns.take(rows).cases()).truncated for rows in blocks]
        return np.concatenate(cut) if cut else np.zeros(0, dtype=bool)


FolderModel = StudentModel | TeacherModel


def open_model(folder: Path, device: str, cohort: Cohort) -> FolderModel:
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
    return (
        TeacherModel(folder, device, cohort)
        if manifest.kind == "teacher"
        else StudentModel(folder, device, cohort)
    )


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
        """Mean average precision of (N, M) scores over the cases that got something: PRAUC of `evaluation.metrics`."""
        real = self.wide_truth.sum(1)
        judged = real > 0
        values = (
            average_precision(scores[judged], self.truth[judged]) * self.truth[judged].sum(1) / real[judged]
        )
        return float(values.mean()) if judged.any() else 0.0


def groups_of(columns: CohortColumns) -> dict[str, NDArray[np.bool_]]:
    """The groups every table shows."""
    single = columns.first == columns.current
    return {"overall": np.ones(len(columns), dtype=bool), "single-visit": single, "multi-visit": ~single}


def score_split(model: SplitModel, cohort: Cohort, columns: CohortColumns) -> Scores:
    """(N, M) probabilities of all cases."""
    out = np.empty((len(columns), len(model.medications)), dtype=np.float32)
    for rows, scores in model.blocks(cohort, columns):
        out[rows] = scores
    return out


def prescriptions(
    columns: CohortColumns, visits: NDArray[np.int64], codes: Sequence[str]
) -> NDArray[np.bool_]:
    """(B, len(codes)) what some visit rows were prescribed; classes that are not among `codes` are left out."""
    column = columns.codes["medication"]
    place = {code: i for i, code in enumerate(codes)}
    table = np.array([place.get(code, -1) for code in column.table], dtype=np.int64)
    ids = column.ids.take(visits)
    places = table[ids.values]
    out = np.zeros((len(visits), len(codes)), dtype=bool)
    out[ids.owners[places >= 0], places[places >= 0]] = True
    return out


def blocks_of(count: int, size: int = BLOCK) -> Iterator[NDArray[np.int64]]:
    """Consecutive row numbers, at most `size` at a time."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))
