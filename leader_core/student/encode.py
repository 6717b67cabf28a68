"""Cases as token ids: what the student reads, in serving and in training.

Every visit of the columns is held once, and cases point at their visits, so that a patient's visits are encoded once
however many of them are targets.

Token ids are positions in the one embedding table (`TokenLayout`): kinds never share one, so a diagnosis and a
procedure of the same string are different tokens. Medication ids are columns of the scores; the two are never mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from leader_core.cohort.columns import CodeColumn, CohortColumns
from leader_core.domain import KINDS, Case, Kind
from leader_core.ragged import Ints, Ragged
from leader_core.student.config import StudentConfig
from leader_core.terminology.equivalence import DiagnosisReading
from leader_core.vocabulary import UNSEEN, Vocabularies

PAD: Final = 0
RESERVED: Final = 3  # PAD, and two ids that the published table keeps and never reads


@dataclass(frozen=True, slots=True)
class TokenLayout:
    """Where each kind's codes lie in the embedding table: medications, then diagnoses, then procedures."""

    medications: int
    diagnoses: int
    procedures: int

    @classmethod
    def of(cls, vocabularies: Vocabularies) -> TokenLayout:
        return cls(len(vocabularies.medication), len(vocabularies.diagnosis), len(vocabularies.procedure))

    @property
    def size(self) -> int:
        """N, the rows of the table: the reserved ids and every code."""
        return RESERVED + self.medications + self.diagnoses + self.procedures

    def offset(self, kind: Kind) -> int:
        """The token id of a kind's first code."""
        if kind == "medication":
            return RESERVED
        return RESERVED + self.medications + (0 if kind == "diagnosis" else self.diagnoses)


@dataclass(frozen=True, slots=True)
class LinearLayout:
    """Columns of the linear path, in this order: codes of the current visit and codes of any earlier one, both by token
    id; every profile field's rows; whether it is a first visit."""

    tokens: int  # ids of the embedding table; those that are read by their title alone have no column
    medications: int  # M
    profile: tuple[int, ...]  # rows of each field's table

    @property
    def profile_starts(self) -> Ints:
        """(K,) the first column of each field: the value that training did not see."""
        return 2 * self.tokens + np.cumsum([0, *self.profile], dtype=np.int64)[:-1]

    @property
    def first_visit(self) -> int:
        return 2 * self.tokens + sum(self.profile)

    @property
    def size(self) -> int:
        return self.first_visit + 1


@dataclass(frozen=True, slots=True)
class EncodedCases:
    """N cases over R visits. Sets hold token ids of known codes only, at most `max_codes` each.

    Case n reads rows `first[n]` to `current[n]`, at most `max_visits` of them. `medication` holds the sets of all
    visits; only those of earlier visits are ever read as input (`leader_core.student.packing` decides).
    `prescribed` holds the same sets uncut, for the truth knows no limit of the input.
    """

    diagnosis: Ragged  # R rows of token ids
    procedure: Ragged
    medication: Ragged
    prescribed: Ragged
    first: Ints  # (N,) row of the oldest visit that is read
    current: Ints  # (N,) row of the current visit
    profile: Ints  # (N, K) rows of each field's table
    first_visit: NDArray[np.bool_]  # (N,) no history at all
    days: NDArray[np.float32]  # (N,) from the last discharge to this admission; NaN where not known
    visits_cut: NDArray[np.bool_]  # (N,) visits were left out to fit `max_visits`
    codes_cut: NDArray[np.bool_]  # (N,) codes of a visit that is read were left out to fit `max_codes`
    patient_ids: Ints  # (N,) -1 where a case has none
    visit_ids: Ints  # (N,) likewise
    linear: LinearLayout | None = (
        None  # of a student with a linear path or a carry-over, which read it as well
    )

    def __len__(self) -> int:
        return len(self.current)

    @property
    def truncated(self) -> NDArray[np.bool_]:
        """(N,) visits or codes were left out to fit"""
        return self.visits_cut | self.codes_cut

    def sets(self, kind: Kind) -> Ragged:
        return {"diagnosis": self.diagnosis, "procedure": self.procedure, "medication": self.medication}[kind]

    def labels(self, rows: Ints, medications: int) -> NDArray[np.bool_]:
        """(B, M) what was prescribed at the current visits of some cases, within the vocabulary."""
        out = np.zeros((len(rows), medications), dtype=bool)
        sets = self.prescribed.take(self.current[rows])
        named = sets.values < RESERVED + medications  # others are read by their title, and are no label
        out[sets.owners[named], sets.values[named] - RESERVED] = True
        return out


class Encoder:
    """Turns cases into `EncodedCases` for one configuration and its vocabularies."""

    def __init__(self, config: StudentConfig, vocabularies: Vocabularies) -> None:
        self.config = config
        self.vocabularies = vocabularies
        self.reading = DiagnosisReading(vocabularies.diagnosis, config.equivalence)
        self.layout = TokenLayout.of(vocabularies)
        self.profile_rows = tuple(len(vocabularies.profile[name]) + 1 for name in config.profile_fields)
        self.linear = LinearLayout(self.layout.size, self.layout.medications, self.profile_rows)
        self.added: dict[tuple[Kind, str], int] = {}  # token ids of codes that are read by their title alone

    def unseen(self, case: Case) -> list[tuple[Kind, str]]:
        """Codes of a case that neither stand in the vocabularies nor have an equivalent there, each once, in the case's order."""
        return list(
            dict.fromkeys(
                (kind, code)
                for kind, code in case.codes()
                if not any(read in self.vocabularies.of(kind) for read in self.reading.of(kind, code))
            )
        )

    def read(self, case: Case) -> dict[Kind, list[tuple[int, str]]]:
        """By kind, the case's code behind each code of the encoded sets, in their order, with the index of its visit."""
        visits = (*case.history, case.observed().current)
        oldest = max(0, len(visits) - self.config.max_visits)
        return {
            kind: [
                (position, code)
                for position in range(oldest, len(visits))
                for code, read in self.reading.pairs(kind, dict.fromkeys(visits[position].codes(kind)))[
                    : self.config.max_codes
                ]
                if self._token(kind, read) != UNSEEN
            ]
            for kind in KINDS
        }

    def cases(self, cases: Sequence[Case]) -> EncodedCases:
        """Encode cases built by hand or read one by one."""
        return self.columns(CohortColumns.from_cases(cases))

    def columns(self, columns: CohortColumns) -> EncodedCases:
        """Encode a cohort's columns."""
        columns = self._as_read(columns)
        first = np.maximum(columns.first, columns.current - self.config.max_visits + 1)
        medications = self._token_sets("medication", columns.codes["medication"])
        return EncodedCases(
            diagnosis=self._cut(self._token_sets("diagnosis", columns.codes["diagnosis"])),
            procedure=self._cut(self._token_sets("procedure", columns.codes["procedure"])),
            medication=self._cut(medications),
            prescribed=_known(medications),
            first=first,
            current=columns.current,
            profile=self._profile(columns),
            first_visit=columns.first == columns.current,
            days=_days_since(columns),
            visits_cut=first > columns.first,
            codes_cut=self._codes_cut(columns, first),
            patient_ids=columns.patient_ids,
            visit_ids=columns.visit_ids,
            linear=self.linear if self.config.linear or self.config.carry_over else None,
        )

    def _as_read(self, columns: CohortColumns) -> CohortColumns:
        """The columns with each diagnosis replaced by what is read of it, each once in a visit."""
        if not self.config.equivalence:
            return columns
        column = columns.codes["diagnosis"]
        index: dict[str, int] = {}
        as_read = [self.reading.of("diagnosis", code) for code in column.table]
        if all(codes == (code,) for codes, code in zip(as_read, column.table, strict=True)):
            return columns
        read = Ragged.of([[index.setdefault(code, len(index)) for code in codes] for codes in as_read])
        every = read.take(column.ids.values.astype(np.int64))  # a row for each code of each visit
        sets = Ragged(every.offsets[column.ids.offsets], every.values)
        _, first = np.unique(sets.owners * len(index) + sets.values, return_index=True)
        distinct = np.zeros(len(sets.values), dtype=bool)
        distinct[first] = True
        ids = sets.keep(distinct)
        return replace(columns, codes={**columns.codes, "diagnosis": CodeColumn(tuple(index), ids)})

    def _token(self, kind: Kind, code: str) -> int:
        """The token id of a code, or UNSEEN."""
        known = self.vocabularies.of(kind).find(code)
        return self.added.get((kind, code), UNSEEN) if known == UNSEEN else known + self.layout.offset(kind)

    def _token_sets(self, kind: Kind, column: CodeColumn) -> Ragged:
        """Token ids of one kind for all R visits, UNSEEN for codes that cannot be read."""
        table = np.array([self._token(kind, code) for code in column.table], dtype=np.int32)
        return Ragged(column.ids.offsets, table[column.ids.values])

    def _cut(self, sets: Ragged) -> Ragged:
        """The first `max_codes` codes of each visit, without those that cannot be read."""
        limit, lengths = self.config.max_codes, sets.lengths
        if lengths.max(initial=0) > limit:
            position = np.arange(len(sets.values)) - np.repeat(sets.offsets[:-1], lengths)
            sets = sets.keep(position < limit)
        return _known(sets)

    def _codes_cut(self, columns: CohortColumns, first: Ints) -> NDArray[np.bool_]:
        """(N,) whether a set that is read has more than `max_codes` codes."""
        out = np.zeros(len(columns), dtype=bool)
        for kind in KINDS:
            end = columns.current if kind == "medication" else columns.current + 1
            overlong = columns.codes[kind].ids.lengths > self.config.max_codes
            if overlong.any():
                before = np.concatenate(([0], np.cumsum(overlong)))
                out |= before[end] > before[first]
        return out

    def _profile(self, columns: CohortColumns) -> Ints:
        """(N, K) rows of each field's table: 0 for a value that training did not see, else 1 + its id."""
        out = np.zeros((len(columns), len(self.config.profile_fields)), dtype=np.int64)
        for k, name in enumerate(self.config.profile_fields):
            find = self.vocabularies.profile[name].find
            out[:, k] = [find(value) + 1 for value in columns.profile[name].tolist()]
        return out


def _days_since(columns: CohortColumns) -> NDArray[np.float32]:
    """(N,) days from the discharge before (where that is not recorded, its admission) to the current admission."""
    before = np.maximum(columns.first, columns.current - 1)
    left = columns.discharged_at[before]
    left = np.where(np.isnat(left), columns.admitted_at[before], left)
    days = (columns.admitted_at[columns.current] - left) / np.timedelta64(1, "D")
    days[before == columns.current] = np.nan
    return np.maximum(days, 0).astype(np.float32)


def _known(sets: Ragged) -> Ragged:
    """The sets without codes that cannot be read."""
    known = sets.values != UNSEEN
    return sets if known.all() else sets.keep(known)
