"""The training patients as the student sees them: one unit vector each, searched exactly, stored in one file.

A vector is the head's first layer before its activation, which distillation compares too, computed from each training
patient's last visit with its past and scaled to length one; the dot product of two is the cosine of their angle. The
search multiplies the whole matrix: measured faster than the target at 300,000 by 128, so an approximate
search is not needed. The file also holds what a page shows of a neighbour, and is mapped into memory, not read.

Letters: N training cases, H width of a vector, V validation cases.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from leader_core.cohort.columns import CodeColumn, CohortColumns
from leader_core.domain import Kind
from leader_core.errors import ArtifactError
from leader_core.files import replacing_file
from leader_core.outputs import SIMILAR
from leader_core.ragged import Ints, Ragged
from leader_core.terminology.equivalence import DiagnosisReading

if TYPE_CHECKING:
    from leader_core.cohort import Cohort
    from leader_core.student.scorer import StudentScorer

Floats = NDArray[np.float32]

NEAREST: Final = 10
"""How near a case is to training data: its mean cosine to this many nearest training patients."""
SAMPLE: Final = 2000
"""Validation cases whose own nearness is measured, at most: what "near" and "far" mean is read off them."""
BLOCK: Final = 512
FORMAT: Final = "1"
_KINDS: Final[tuple[Kind, ...]] = ("diagnosis", "medication")
_ARRAYS: Final = ("vectors", "patient_ids", "visit_ids", "visit_no", "gender", "age_band", "nearness")


def index_path(cohort: Path) -> Path:
    """Where the training cases of a cohort's database are looked for: next to it."""
    return cohort.with_name(f"{cohort.stem}.similar.safetensors")


@dataclass(frozen=True, slots=True)
class CaseIndex:
    """N training patients at their last visit, by patient id."""

    student: str  # digest of the weights that computed the vectors
    cohort: str  # digest of the cohort
    vectors: Floats  # (N, H) of length one
    patient_ids: Ints  # (N,)
    visit_ids: Ints  # (N,)
    visit_no: NDArray[np.int32]  # (N,) 1: a first visit
    gender: NDArray[np.int16]  # (N,) indices in `labels["gender"]`
    age_band: NDArray[np.int16]  # (N,) indices in `labels["age_band"]`
    labels: Mapping[str, tuple[str, ...]]
    codes: Mapping[Kind, CodeColumn]  # diagnoses and medications of the N visits
    nearness: Floats  # (V,) of validation patients to training patients, from far to near

    def __len__(self) -> int:
        return len(self.patient_ids)

    @classmethod
    def build(cls, scorer: StudentScorer, cohort: Cohort) -> Self:
        """Vectors of all training patients, and how near validation patients are to them."""
        columns, validation = cohort.columns("train", "last"), _sample(cohort.columns("validation", "last"))
        vectors = unit_vectors(scorer, columns)
        labels, indices = {}, {}
        for name in ("gender", "age_band"):
            values, where = np.unique(columns.profile[name].astype(str), return_inverse=True)
            labels[name], indices[name] = tuple(values.tolist()), where.astype(np.int16)
        return cls(
            student=scorer.manifest.digest,
            cohort=cohort.fingerprint.digest,
            vectors=vectors,
            patient_ids=columns.patient_ids.astype(np.int64),
            visit_ids=columns.visit_ids.astype(np.int64),
            visit_no=columns.visit_no.astype(np.int32),
            gender=indices["gender"],
            age_band=indices["age_band"],
            labels=labels,
            codes={kind: columns.codes[kind].take(columns.current) for kind in _KINDS},
            nearness=np.sort(_nearness(vectors, unit_vectors(scorer, validation))),
        )

    def cosines(self, vector: Floats) -> Floats:
        """(N,) of every training case with a unit vector (H,)."""
        return self.vectors @ vector

    def best(self, cosines: Floats, count: int, among: NDArray[np.bool_]) -> Ints:
        """The rows of the highest cosines, best first, by patient id where equal; at most `count`, all of `among`."""
        rows = np.flatnonzero(among)
        if not len(rows) or count < 1:
            return np.zeros(0, np.int64)
        if count < len(rows):
            rows = rows[np.argpartition(-cosines[rows], count - 1)[:count]]
        return rows[np.lexsort((self.patient_ids[rows], -cosines[rows]))]

    def with_any(self, diagnoses: Sequence[str], reading: DiagnosisReading) -> NDArray[np.bool_]:
        """(N,) whether a training visit has any of these diagnoses, as the student reads them."""
        column, read = self.codes["diagnosis"], partial(reading.of, "diagnosis")
        sought = {each for code in diagnoses for each in read(code)}
        wanted = np.fromiter(
            (not sought.isdisjoint(read(code)) for code in column.table), bool, len(column.table)
        )
        if not wanted.any():
            return np.zeros(len(self), dtype=bool)
        return column.ids.keep(wanted[column.ids.values]).lengths > 0

    def labelled(self, field: str, row: int) -> str:
        """A training patient's gender or age band."""
        index = self.gender[row] if field == "gender" else self.age_band[row]
        return self.labels[field][index]

    def save(self, path: Path) -> None:
        """Write the file whole; an earlier one stays until it is complete."""
        from safetensors.numpy import save_file

        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}
        about: dict[str, Any] = {"labels": self.labels, "tables": {}}
        for kind, column in self.codes.items():
            arrays |= {f"{kind}/offsets": column.ids.offsets, f"{kind}/ids": column.ids.values}
            about["tables"][kind] = column.table
        record = {
            "format": FORMAT,
            "student": self.student,
            "cohort": self.cohort,
            "about": json.dumps(about),
        }
        with replacing_file(path, SIMILAR) as temporary:
            save_file(arrays, temporary, metadata=record)

    @classmethod
    def open(cls, path: Path, *, student: str, cohort: str) -> Self:
        """Map a file of these weights and this cohort.

        Raises:
            ArtifactError: another format, other weights, another cohort, or no such file at all.
        """
        from safetensors import SafetensorError, safe_open

        remake = "Make it again: python -m train scores."
        try:
            with safe_open(path, framework="numpy") as file:
                meta = file.metadata() or {}
                for key, wanted, what in (
                    ("format", FORMAT, "format"),
                    ("student", student, "student"),
                    ("cohort", cohort, "cohort"),
                ):
                    if meta.get(key) != wanted:
                        raise ArtifactError(f"{path.name} belongs to another {what}. {remake}")
                about = json.loads(meta["about"])
                arrays = {name: file.get_tensor(name) for name in _ARRAYS}
                codes: dict[Kind, CodeColumn] = {
                    kind: CodeColumn(
                        tuple(about["tables"][kind]),
                        Ragged(file.get_tensor(f"{kind}/offsets"), file.get_tensor(f"{kind}/ids")),
                    )
                    for kind in _KINDS
                }
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise ArtifactError(f"{path.name} holds no training cases ({error}). {remake}") from error
        labels = {name: tuple(values) for name, values in about["labels"].items()}
        return cls(student=student, cohort=cohort, labels=labels, codes=codes, **arrays)


def unit(vectors: Floats) -> Floats:
    """Rows scaled to length one; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(lengths, np.float32(1e-12))).astype(np.float32)


def unit_vectors(scorer: StudentScorer, columns: CohortColumns) -> Floats:
    """(n, H) unit vectors of all cases, block by block."""
    from leader_core.student.scorer import represent

    encoded = scorer.encode_columns(columns)
    out = np.empty((len(columns), scorer.config.head_hidden), np.float32)
    for start in range(0, len(columns), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(columns)))
        out[rows] = represent(scorer.model, encoded, rows)
    return unit(out)


def _nearness(vectors: Floats, others: Floats) -> Floats:
    """(V,) mean cosine of each of `others` to its `NEAREST` among `vectors`; empty without either."""
    if not len(vectors) or not len(others):
        return np.zeros(0, np.float32)
    nearest = min(NEAREST, len(vectors))
    out = np.empty(len(others), np.float32)
    for start in range(0, len(others), 64):
        cosines = others[start : start + 64] @ vectors.T
        best = np.partition(cosines, -nearest, axis=1)[:, -nearest:]
        out[start : start + 64] = best.mean(1)
    return out


def _sample(columns: CohortColumns) -> CohortColumns:
    """At most `SAMPLE` of the cases, spread evenly over them."""
    if len(columns) <= SAMPLE:
        return columns
    return columns.take(np.linspace(0, len(columns) - 1, SAMPLE).astype(np.int64))
