"""A model's validation cases class by class: how it scored them and how often it was right. Stored with the model.

For each class the validation cases are counted in `GRID` equal parts of 0 to 1 by their score, so that precision and
recall at any cut-off of a page, and how often classes with a similar score were prescribed, are sums over a few counts.
Scores are those that the model gives: calibrated where it carries a calibration. The cases had a part in choosing the
epoch, the cut-off and the calibration, so the shares are a little optimistic.

Letters: N cases, M classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from leader_core.files import read_by_class, write_by_class

EVIDENCE: Final = "validation.json"
"""The file in a model's folder; models from before it have none."""
GRID: Final = 200
"""Cut-offs are chosen on this grid and changed in steps of two of it, so every count at a cut-off is exact."""
FORMAT: Final = 1
NEAR: Final = 0.1
"""Scores are alike when they lie in the same tenth."""

Counts = tuple[tuple[int, int, int], ...]


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (E. B. Wilson, 1927); it stays within 0 and 1 and holds near them.

    >>> [round(bound, 4) for bound in wilson(198, 200)]
    [0.9643, 0.9973]
    """
    # Written out: by `scipy.stats.binomtest` the 280 intervals of a case page take 85 of its 110 ms.
    z, p = 1.959964, hits / trials
    middle = (p + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Proportion:
    """`part` of `whole` cases, with a 95 % Wilson interval; nothing to say of no case."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> tuple[float, float]:
        """(low, high); 0 to 1 without cases."""
        return wilson(self.part, self.whole) if self.whole else (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class ClassEvidence:
    """The validation cases of one class; parts of `GRID` without a case are left out."""

    cases: int
    given: int  # cases in which it was prescribed
    expected: float  # sum of the scores: as many prescriptions as the model expected
    counts: Counts  # (part of the grid, cases, prescribed in), by part
    _from: tuple[tuple[int, int], ...] = field(init=False, repr=False, compare=False)
    """(cases, prescribed in) in each part and all above it, so that a page asks for any cut-off without counting."""

    def __post_init__(self) -> None:
        parts = {part: (cases, given) for part, cases, given in self.counts}
        sums = [(0, 0)]
        for part in range(GRID, -1, -1):
            cases, given = parts.get(part, (0, 0))
            sums.append((sums[-1][0] + cases, sums[-1][1] + given))
        object.__setattr__(self, "_from", tuple(reversed(sums)))

    @property
    def prevalence(self) -> Proportion:
        return Proportion(self.given, self.cases)

    def at(self, threshold: float) -> tuple[Proportion, Proportion]:
        """(precision, recall) of what scores at or above a cut-off, which is taken as the nearest on the grid."""
        chosen, hits = self._from[min(max(round(threshold * GRID), 0), GRID + 1)]
        return Proportion(hits, chosen), Proportion(hits, self.given)

    def like(self, score: float) -> tuple[float, float, Proportion]:
        """(from, to, how many of the cases scored there were prescribed it): the tenth that a score lies in."""
        tenths = round(1 / NEAR)
        tenth = min(int(score * tenths + 1e-6), tenths - 1)
        wide = GRID // tenths
        cases, given = self._from[tenth * wide]
        if tenth < tenths - 1:  # the last tenth has its upper end
            beyond = self._from[(tenth + 1) * wide]
            cases, given = cases - beyond[0], given - beyond[1]
        return tenth / tenths, (tenth + 1) / tenths, Proportion(given, cases)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All classes of one model."""

    classes: Mapping[str, ClassEvidence]
    cases: int
    calibrated: bool  # whether the scores counted were calibrated ones

    @classmethod
    def of(
        cls,
        codes: Sequence[str],
        scores: NDArray[np.floating[Any]],
        truth: NDArray[np.bool_],
        *,
        calibrated: bool,
    ) -> Self:
        """Count (N, M) scores against (N, M) prescriptions; columns as in `codes`."""
        grid = (np.arange(GRID + 1) / GRID).astype(np.float32)  # as scores are compared with a cut-off
        parts = np.searchsorted(grid, scores.astype(np.float32), side="right") - 1
        classes = {}
        for column, code in enumerate(codes):
            every = np.bincount(parts[:, column], minlength=GRID + 1)
            right = np.bincount(parts[truth[:, column], column], minlength=GRID + 1)
            counts = tuple((int(i), int(every[i]), int(right[i])) for i in np.flatnonzero(every))
            expected = round(float(scores[:, column].sum(dtype=np.float64)), 4)
            classes[code] = ClassEvidence(len(scores), int(right.sum()), expected, counts)
        return cls(classes, len(scores), calibrated)

    def to_json(self) -> dict[str, Any]:
        """A record for `EVIDENCE`."""
        return {
            "format": FORMAT,
            "cases": self.cases,
            "calibrated": self.calibrated,
            "grid": GRID,
            "classes": {
                code: {"given": c.given, "expected": c.expected, "counts": [list(row) for row in c.counts]}
                for code, c in self.classes.items()
            },
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`; another shape or format raises TypeError, KeyError, ValueError or AttributeError."""
        if (record["format"], record["grid"]) != (FORMAT, GRID):
            raise ValueError(f"format {record['format']!r}, expected {FORMAT}")
        cases = int(record["cases"])
        classes = {
            str(code): ClassEvidence(cases, int(c["given"]), float(c["expected"]), _counts(c["counts"]))
            for code, c in record["classes"].items()
        }
        return cls(classes, cases, bool(record["calibrated"]))


def _counts(rows: Iterable[Sequence[int]]) -> Counts:
    return tuple((int(part), int(cases), int(given)) for part, cases, given in rows)


def write_evidence(folder: Path, evidence: Evidence) -> None:
    """Write `EVIDENCE` into a model's folder before it is sealed."""
    write_by_class(folder / EVIDENCE, evidence.to_json())


def read_evidence(folder: Path) -> Evidence | None:
    """What a model's folder says of its classes; None in early folders without the file.

    Raises:
        ArtifactError: the file is damaged.
    """
    return read_by_class(folder / EVIDENCE, Evidence.from_json)
