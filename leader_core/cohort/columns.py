"""Cases as contiguous arrays: the form in which cases are encoded, a whole split at a time or one by one.

Letters: N cases, R visits (rows), C codes of one kind in all visits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from leader_core.domain import KINDS, PROFILE_FIELDS, UNKNOWN, Case, Kind, Visit
from leader_core.ragged import Ints, Ragged

Times = npt.NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class CodeColumn:
    """The codes of one kind of all R visits: within a visit distinct and in the source's order."""

    table: tuple[str, ...]
    ids: Ragged  # R rows of positions in `table`

    def of(self, row: int) -> tuple[str, ...]:
        """The codes of one visit, as text."""
        return tuple(self.table[i] for i in self.ids.row(row))

    def take(self, rows: Ints) -> CodeColumn:
        """The codes of the chosen visits, over the same table."""
        return CodeColumn(self.table, self.ids.take(rows))

    @classmethod
    def from_lists(cls, lists: Sequence[Sequence[str]]) -> CodeColumn:
        """From R lists of codes; of a code that is repeated within a list the first counts."""
        index: dict[str, int] = {}
        ids = [[index.setdefault(code, len(index)) for code in dict.fromkeys(codes)] for codes in lists]
        return cls(tuple(index), Ragged.of(ids))


@dataclass(frozen=True, slots=True)
class CohortColumns:
    """N cases over R visits. Case n is at visit row `current[n]`, its history is rows `first[n]` to `current[n] - 1`.

    Rows of one patient are contiguous and in order of admission, and stored once: with targets "all" the same row is
    one case's current visit and another's history. The medications of row `current[n]` are the truth of case n and
    must not be read as its input.
    """

    row_visit_ids: Ints  # (R,) -1 where a visit has none
    row_visit_no: npt.NDArray[np.int32]  # (R,) 1-based within the patient
    admitted_at: Times  # (R,) NaT where not recorded
    discharged_at: Times  # (R,) likewise
    patient_ids: Ints  # (N,) -1 where a case has none
    first: Ints  # (N,) row of the oldest visit
    current: Ints  # (N,) row of the current visit
    profile: Mapping[str, npt.NDArray[np.object_]]  # field -> (N,) str; UNKNOWN where not recorded
    codes: Mapping[Kind, CodeColumn]

    def __len__(self) -> int:
        return len(self.current)

    @property
    def visits(self) -> int:
        """R, the number of visit rows."""
        return len(self.row_visit_ids)

    @property
    def visit_ids(self) -> Ints:
        """(N,) the current visits."""
        return self.row_visit_ids[self.current]

    @property
    def visit_no(self) -> npt.NDArray[np.int32]:
        """(N,) of the current visits."""
        return self.row_visit_no[self.current]

    @property
    def history_lengths(self) -> Ints:
        """(N,) how many earlier visits each case has."""
        return self.current - self.first

    def take(self, indices: npt.ArrayLike) -> CohortColumns:
        """The chosen cases, in the given order, over the same visit rows (nothing is copied but (N,) arrays)."""
        chosen = np.asarray(indices)
        return replace(
            self,
            patient_ids=self.patient_ids[chosen],
            first=self.first[chosen],
            current=self.current[chosen],
            profile={name: values[chosen] for name, values in self.profile.items()},
        )

    def cases(self) -> list[Case]:
        """The same cases as values, their current medications included."""
        rows = self._visits()
        patients = [None if patient < 0 else patient for patient in self.patient_ids.tolist()]
        fields = [values.tolist() for values in self.profile.values()]
        return [
            Case(
                profile={name: values[n] for name, values in zip(self.profile, fields, strict=True)},
                history=tuple(rows[row] for row in range(first, current)),
                current=rows[current],
                patient_id=patients[n],
            )
            for n, (first, current) in enumerate(zip(self.first.tolist(), self.current.tolist(), strict=True))
        ]

    def _visits(self) -> dict[int, Visit]:
        """The visits that the cases stand on, by row."""
        used = np.zeros(self.visits + 1, dtype=np.int64)  # each case opens an interval of rows and closes it
        np.add.at(used, self.first, 1)
        np.add.at(used, self.current + 1, -1)
        rows = np.flatnonzero(np.cumsum(used))
        values = (
            self.row_visit_ids[rows].tolist(),
            self.row_visit_no[rows].tolist(),
            self.admitted_at[rows].astype("datetime64[us]").tolist(),
            self.discharged_at[rows].astype("datetime64[us]").tolist(),
        )
        return {
            row: Visit.of(
                {kind: self.codes[kind].of(row) for kind in KINDS},
                None if visit_id < 0 else visit_id,
                visit_no,
                admitted_at,
                discharged_at,
            )
            for row, visit_id, visit_no, admitted_at, discharged_at in zip(
                rows.tolist(), *values, strict=True
            )
        }

    @classmethod
    def from_cases(cls, cases: Sequence[Case]) -> CohortColumns:
        """The same arrays for cases built by hand or read one by one; every visit of every case is a row of its own."""
        visits = [visit for case in cases for visit in (*case.history, case.current)]
        counts = np.array([len(case.history) + 1 for case in cases], np.int64)
        ends = np.cumsum(counts)
        return cls(
            row_visit_ids=_ids(visit.visit_id for visit in visits),
            row_visit_no=np.array(
                [v.visit_no or n for case in cases for n, v in enumerate((*case.history, case.current), 1)],
                np.int32,
            ),
            admitted_at=np.array([v.admitted_at for v in visits], "datetime64[us]"),
            discharged_at=np.array([v.discharged_at for v in visits], "datetime64[us]"),
            patient_ids=_ids(case.patient_id for case in cases),
            first=ends - counts,
            current=ends - 1,
            profile={
                name: np.array([c.profile.get(name, UNKNOWN) for c in cases], dtype=object)
                for name in PROFILE_FIELDS
            },
            codes={kind: CodeColumn.from_lists([v.codes(kind) for v in visits]) for kind in KINDS},
        )


def _ids(values: Iterable[int | None]) -> Ints:
    return np.array([-1 if value is None else value for value in values], np.int64)
