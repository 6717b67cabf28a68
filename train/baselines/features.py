"""Cases as rows of a sparse matrix: which codes the current visit and the history hold, and the profile.

For baselines that are linear or compare sets. Refuses to know what is learned from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import KINDS
from leader_core.ragged import Ints, Ragged
from leader_core.student.encode import RESERVED, EncodedCases, Encoder

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class Features:
    """Lays out the columns for one encoder's vocabularies. Medications are only ever those of earlier visits."""

    def __init__(self, encoder: Encoder) -> None:
        layout = encoder.layout
        self.tokens = layout.size - RESERVED  # columns of a block that spans all kinds
        self.medications = layout.medications
        self.profile = [len(encoder.vocabularies.profile[n]) + 1 for n in encoder.config.profile_fields]

    def codes(self, cases: EncodedCases, rows: Ints) -> csr_matrix:
        """(B, 2 * tokens + M) of 0 and 1: current codes, codes of any earlier visit, the last prescription."""
        from scipy.sparse import hstack

        current, first = cases.current[rows], cases.first[rows]
        now = [self._hot(cases.sets(kind), current, current + 1, self.tokens) for kind in KINDS[:2]]
        before = [self._hot(cases.sets(kind), first, current, self.tokens) for kind in KINDS]
        last = self._hot(cases.medication, np.maximum(first, current - 1), current, self.medications)
        matrix = hstack([sum(now[1:], now[0]), sum(before[1:], before[0]), last], format="csr")
        matrix.data[:] = 1
        return matrix

    def with_profile(self, cases: EncodedCases, rows: Ints) -> csr_matrix:
        """`codes`, each profile field's value as one of its columns, and whether this is a first visit."""
        from scipy.sparse import csr_matrix, hstack

        starts = np.cumsum([0, *self.profile])
        columns = cases.profile[rows] + starts[:-1]
        owners = np.repeat(np.arange(len(rows)), columns.shape[1])
        ones = np.ones(columns.size, np.float64)
        profile = csr_matrix((ones, (owners, columns.ravel())), shape=(len(rows), int(starts[-1])))
        first = csr_matrix(cases.first_visit[rows, None].astype(np.float64))
        return hstack([self.codes(cases, rows), profile, first], format="csr")

    @staticmethod
    def _hot(sets: Ragged, begin: Ints, end: Ints, width: int) -> csr_matrix:
        """(B, width) counts of the codes of visit rows `begin` to `end` - 1 of each case."""
        from scipy.sparse import csr_matrix

        joined = sets.merge(begin, end)
        ones: NDArray[np.float64] = np.ones(len(joined.values))
        return csr_matrix((ones, (joined.owners, joined.values - RESERVED)), shape=(len(begin), width))
