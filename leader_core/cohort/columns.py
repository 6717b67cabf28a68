"""Cases as contiguous arrays: the form in which a whole split is scored or learned from.

Refuses to know about vocabularies and tensors: codes are numbered by the tables that travel with them.

Letters: N targets (cases), R visits (rows), C codes of one kind in all visits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from leader_core.domain import KINDS, PROFILE_FIELDS, UNKNOWN, Case, Kind, Visit

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CodeColumn:
    """The codes of one kind of all R visits, ragged: visit r has `ids[offsets[r]:offsets[r + 1]]`.

    An id is a position in `table`; within a visit codes are distinct and in the source's order.
    """

    table: tuple[str, ...]
    offsets: Ints  # (R + 1,)
    ids: npt.NDArray[np.int32]  # (C,)

    def of(self, row: int) -> tuple[str, ...]:
        """The codes of one visit, as text."""
        return tuple(self.table[i] for i in self.ids[self.offsets[row] : self.offsets[row + 1]])


@dataclass(frozen=True, slots=True)
class CohortColumns:
    """N cases over R visits. Case n is at visit row `current[n]`, its history is rows `first[n]` to `current[n] - 1`.

    Rows of one patient are contiguous and in order of admission, and stored once: with targets "all" the same row is
    one case's current visit and another's history. The medications of row `current[n]` are the truth of case n and
    must not be read as its input.
    """

    visit_ids: Ints  # (N,) the current visit; -1 where a case has none
    patient_ids: Ints  # (N,) -1 where a case has none
    visit_no: npt.NDArray[np.int32]  # (N,) 1-based
    first: Ints  # (N,) row of the oldest visit
    current: Ints  # (N,) row of the current visit
    profile: Mapping[str, npt.NDArray[np.object_]]  # field -> (N,) str; UNKNOWN where not recorded
    codes: Mapping[Kind, CodeColumn]

    def __len__(self) -> int:
        return len(self.current)

    @property
    def visits(self) -> int:
        """R, the number of visit rows."""
        return len(self.codes["diagnosis"].offsets) - 1

    @property
    def history_lengths(self) -> Ints:
        """(N,) how many earlier visits each case has."""
        return self.current - self.first

    def take(self, indices: npt.ArrayLike) -> CohortColumns:
        """The chosen cases, in the given order, over the same visit rows (nothing is copied but (N,) arrays)."""
        chosen = np.asarray(indices)
        return replace(
            self,
            visit_ids=self.visit_ids[chosen],
            patient_ids=self.patient_ids[chosen],
            visit_no=self.visit_no[chosen],
            first=self.first[chosen],
            current=self.current[chosen],
            profile={name: values[chosen] for name, values in self.profile.items()},
        )

    @classmethod
    def from_cases(cls, cases: Sequence[Case]) -> CohortColumns:
        """The same arrays for cases made by hand or read one by one; code tables hold the codes that occur, sorted."""
        visits: list[Visit] = []
        first, current = [], []
        for case in cases:
            first.append(len(visits))
            visits += [*case.history, case.current]
            current.append(len(visits) - 1)
        return cls(
            visit_ids=np.array(
                [-1 if c.current.visit_id is None else c.current.visit_id for c in cases], np.int64
            ),
            patient_ids=np.array([-1 if c.patient_id is None else c.patient_id for c in cases], np.int64),
            visit_no=np.array([len(c.history) + 1 for c in cases], np.int32),
            first=np.array(first, np.int64),
            current=np.array(current, np.int64),
            profile={
                name: np.array([c.profile.get(name, UNKNOWN) for c in cases], dtype=object)
                for name in PROFILE_FIELDS
            },
            codes={kind: _ragged([v.codes(kind) for v in visits]) for kind in KINDS},
        )


def _ragged(lists: Sequence[Sequence[str]]) -> CodeColumn:
    """One code column from R lists of codes."""
    table = tuple(sorted({code for codes in lists for code in codes}))
    index = {code: i for i, code in enumerate(table)}
    offsets = np.zeros(len(lists) + 1, np.int64)
    np.cumsum([len(codes) for codes in lists], out=offsets[1:])
    return CodeColumn(table, offsets, np.array([index[c] for codes in lists for c in codes], np.int32))
