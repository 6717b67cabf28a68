"""Cases as contiguous arrays: what the student reads, from `Case` objects or from a cohort's columns.

Every distinct visit is held once, and cases point at their visits, so that a patient's visits are encoded once
however many of them are targets. Refuses to know torch, batches and where cases come from.

Token ids are positions in the one embedding table (`TokenLayout`): kinds never share one, so a diagnosis and a
procedure of the same string are different tokens. Medication ids are columns of the scores; the two are never mixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import KINDS, Case, Kind, Visit
from leader_core.student.config import StudentConfig
from leader_core.vocabulary import UNSEEN, Vocabularies

if TYPE_CHECKING:
    from leader_core.cohort.columns import CodeColumn, CohortColumns

Ints = NDArray[np.int64]

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
class Ragged:
    """Rows of different lengths, end to end: row i is `values[offsets[i]:offsets[i + 1]]`."""

    offsets: Ints  # (rows + 1,)
    values: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Ints:
        """(rows,)"""
        return np.diff(self.offsets)

    def row(self, index: int) -> NDArray[np.int32]:
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    @classmethod
    def of(cls, rows: Iterable[Sequence[int]]) -> Ragged:
        rows = list(rows)
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        return cls(
            offsets, np.fromiter((v for row in rows for v in row), dtype=np.int32, count=int(offsets[-1]))
        )


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
    visits_cut: NDArray[np.bool_]  # (N,) visits were left out to fit `max_visits`
    codes_cut: NDArray[np.bool_]  # (N,) codes of a visit that is read were left out to fit `max_codes`
    patient_ids: Ints  # (N,) -1 where a case has none
    visit_ids: Ints  # (N,) likewise

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
        visits = self.current[rows]
        lengths = self.prescribed.lengths[visits]
        tokens = self.prescribed.values[spans(self.prescribed.offsets[visits], lengths)]
        owners = np.repeat(np.arange(len(rows)), lengths)
        named = tokens < RESERVED + medications  # others are read by their title, and are no label
        out[owners[named], tokens[named] - RESERVED] = True
        return out


def spans(starts: Ints, lengths: Ints) -> Ints:
    """Positions of runs laid end to end: `starts[i] .. starts[i] + lengths[i] - 1` for each i."""
    total = int(lengths.sum())
    if total == 0:
        return np.zeros(0, dtype=np.int64)
    ends = np.cumsum(lengths)
    return np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - lengths), lengths)


class Encoder:
    """Turns cases into `EncodedCases` for one configuration and its vocabularies."""

    def __init__(self, config: StudentConfig, vocabularies: Vocabularies) -> None:
        self.config = config
        self.vocabularies = vocabularies
        self.layout = TokenLayout.of(vocabularies)
        self.added: dict[tuple[Kind, str], int] = {}  # token ids of codes that are read by their title alone

    def unseen(self, case: Case) -> list[tuple[Kind, str]]:
        """Codes of a case that the vocabularies do not hold, each once, in the case's order."""
        return list(dict.fromkeys((k, c) for k, c in case.codes() if c not in self.vocabularies.of(k)))

    def truncated(self, case: Case) -> bool:
        """Whether visits or codes of a case are left out to fit `max_visits` and `max_codes`."""
        return self._visits_cut(case) or self._codes_cut(case)

    def _visits_cut(self, case: Case) -> bool:
        return len(self._history(case)) < len(case.history)

    def _codes_cut(self, case: Case) -> bool:
        limit = self.config.max_codes
        return any(len(codes) > limit for codes in (case.current.diagnoses, case.current.procedures)) or any(
            len(visit.codes(kind)) > limit for visit in self._history(case) for kind in KINDS
        )

    def read(self, case: Case) -> dict[Kind, list[tuple[int, list[str]]]]:
        """By kind, the codes that are read of each visit: (place in the case, codes), in the order of the encoded sets."""
        visits = (*case.history, case.observed().current)
        kept = range(len(case.history) - len(self._history(case)), len(visits))
        limit = self.config.max_codes
        return {
            kind: [
                (
                    place,
                    [
                        c
                        for c in dict.fromkeys(visits[place].codes(kind)[:limit])
                        if self._token(kind, c) != UNSEEN
                    ],
                )
                for place in kept
            ]
            for kind in KINDS
        }

    def cases(self, cases: Sequence[Case]) -> EncodedCases:
        """Encode cases one after another; every visit of every case is a row of its own."""
        sets: dict[Kind, list[list[int]]] = {kind: [] for kind in KINDS}
        prescribed: list[list[int]] = []
        first, current = [], []
        for case in cases:
            first.append(len(sets["diagnosis"]))
            for visit in (*self._history(case), case.current):
                for kind in KINDS:
                    sets[kind].append(self._tokens(kind, visit.codes(kind)[: self.config.max_codes]))
                prescribed.append(self._tokens("medication", visit.medications))
            current.append(len(sets["diagnosis"]) - 1)
        return EncodedCases(
            diagnosis=Ragged.of(sets["diagnosis"]),
            procedure=Ragged.of(sets["procedure"]),
            medication=Ragged.of(sets["medication"]),
            prescribed=Ragged.of(prescribed),
            first=np.array(first, dtype=np.int64),
            current=np.array(current, dtype=np.int64),
            profile=np.array([self._profile(case) for case in cases], dtype=np.int64).reshape(
                len(cases), len(self.config.profile_fields)
            ),
            first_visit=np.array([case.is_first_visit for case in cases], dtype=bool),
            visits_cut=np.array([self._visits_cut(case) for case in cases], dtype=bool),
            codes_cut=np.array([self._codes_cut(case) for case in cases], dtype=bool),
            patient_ids=np.array(
                [-1 if c.patient_id is None else c.patient_id for c in cases], dtype=np.int64
            ),
            visit_ids=np.array(
                [-1 if c.current.visit_id is None else c.current.visit_id for c in cases], dtype=np.int64
            ),
        )

    def columns(self, columns: CohortColumns) -> EncodedCases:
        """Encode a cohort's columns; the same arrays as `cases` gives, but each visit is a row once."""
        config = self.config
        limit = config.max_codes
        sets = {kind: self._ragged(kind, columns.codes[kind], limit) for kind in KINDS}
        first = np.maximum(columns.first, columns.current - config.max_visits + 1)
        return EncodedCases(
            diagnosis=sets["diagnosis"],
            procedure=sets["procedure"],
            medication=sets["medication"],
            prescribed=self._ragged("medication", columns.codes["medication"], None),
            first=first,
            current=columns.current,
            profile=self._profile_columns(columns),
            first_visit=columns.first == columns.current,
            visits_cut=first > columns.first,
            codes_cut=self._overlong(columns, first),
            patient_ids=columns.patient_ids,
            visit_ids=columns.visit_ids,
        )

    def _history(self, case: Case) -> tuple[Visit, ...]:
        """The earlier visits that fit beside the current one, oldest first."""
        return case.history[max(0, len(case.history) + 1 - self.config.max_visits) :]

    def _tokens(self, kind: Kind, codes: Sequence[str]) -> list[int]:
        """Token ids of the codes that can be read, repeats left out."""
        found = (self._token(kind, code) for code in dict.fromkeys(codes))
        return [token for token in found if token != UNSEEN]

    def _token(self, kind: Kind, code: str) -> int:
        """The token id of a code, or UNSEEN."""
        known = self.vocabularies.of(kind).find(code)
        return self.added.get((kind, code), UNSEEN) if known == UNSEEN else known + self.layout.offset(kind)

    def _ragged(self, kind: Kind, column: CodeColumn, limit: int | None) -> Ragged:
        """Token ids of one kind for all visits: unknown codes and those of a visit beyond `limit` left out."""
        table = np.array([self._token(kind, code) for code in column.table], dtype=np.int32)
        tokens = table[column.ids] if len(table) else np.zeros(0, np.int32)
        lengths = np.diff(column.offsets)
        kept = tokens != UNSEEN
        if limit is not None and lengths.max(initial=0) > limit:
            kept &= np.arange(len(tokens)) - np.repeat(column.offsets[:-1], lengths) < limit
        if kept.all():
            return Ragged(column.offsets, tokens)
        before = np.concatenate(([0], np.cumsum(kept)))
        return Ragged(before[column.offsets], tokens[kept])

    def _overlong(self, columns: CohortColumns, first: Ints) -> NDArray[np.bool_]:
        """(N,) whether a set that is read has more than `max_codes` codes."""
        limit, ends = self.config.max_codes, columns.current
        out = np.zeros(len(columns), dtype=bool)
        for kind in KINDS:
            before = np.concatenate(([0], np.cumsum(np.diff(columns.codes[kind].offsets) > limit)))
            out |= before[ends if kind == "medication" else ends + 1] > before[first]
        return out

    def _profile(self, case: Case) -> list[int]:
        """(K,) row 0 for a value that training did not see, else 1 + its id."""
        return [
            self.vocabularies.profile[name].find(case.profile[name]) + 1
            for name in self.config.profile_fields
        ]

    def _profile_columns(self, columns: CohortColumns) -> Ints:
        """(N, K) the same as `_profile`, for all cases."""
        out = np.zeros((len(columns), len(self.config.profile_fields)), dtype=np.int64)
        for k, name in enumerate(self.config.profile_fields):
            values, index = np.unique(columns.profile[name].astype(str), return_inverse=True)
            find = self.vocabularies.profile[name].find
            out[:, k] = np.array([find(str(value)) + 1 for value in values], dtype=np.int64)[index]
        return out
