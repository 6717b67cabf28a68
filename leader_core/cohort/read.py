"""A built cohort, opened for reading: cases, columns, the worklist, search and the builder's own tables.

Every call works on a cursor of its own, so threads may share one `Cohort`. Refuses to know about models and pages.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import duckdb
import numpy as np

from leader_core.cohort.columns import CodeColumn, CohortColumns
from leader_core.cohort.layout import SOURCE_NAMES
from leader_core.cohort.query import SPLITS, PatientPage, PatientQuery, PatientRow
from leader_core.cohort.search import Library, fold, split_parts
from leader_core.cohort.statements import run
from leader_core.domain import (
    KINDS,
    UNKNOWN,
    Case,
    Concept,
    Fingerprint,
    Interaction,
    Kind,
    Order,
    Visit,
    age_band,
)
from leader_core.errors import ArtifactError, InputError, NotFoundError
from leader_core.interactions import InteractionTable

if TYPE_CHECKING:
    import pandas as pd

FORMAT: Final = "1"
"""Version of the database's tables that this code writes and reads."""

Targets = Literal["last", "all"]

_PROFILE: Final[Mapping[str, tuple[str, ...]]] = {
    "mimic3": ("insurance", "language", "religion", "marital_status", "ethnicity", "age_band", "gender"),
    "mimic4": ("insurance", "language", "marital_status", "ethnicity", "admission_type", "age_band", "gender"),
}
_TEXT_FIELDS: Final = ("insurance", "language", "religion", "marital_status", "ethnicity", "admission_type")
_PROMISED: Final = frozenset(
    ("patients", "visits", "visit_codes", "concepts", "orders", "interactions", "accounting", "rejects", "meta")
)
_MOST_CONCEPTS: Final = 100_000  # of one searched part; more than any cohort has


class Cohort:
    """A cohort database, read-only. Open it with `Cohort.open`."""

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection, meta: Mapping[str, str]) -> None:
        self.path = path
        self.meta = dict(meta)
        self.fingerprint = _fingerprint(self.meta)
        self.profile_fields = _PROFILE[self.fingerprint.source]
        self._connection = connection
        self._lock = threading.Lock()
        self._titles: dict[Kind, dict[str, str]] = {}

    @classmethod
    def open(cls, path: str | Path) -> Cohort:
        """Open a database made by `python -m train cohort`.

        Raises:
            NotFoundError: no such file.
            ArtifactError: no database, no cohort, or one of another format.
        """
        path = Path(path)
        if not path.is_file():
            raise NotFoundError(
                f"No cohort database {path}. Build one: python -m train cohort --raw FOLDER --out {path}."
            )
        try:
            connection = duckdb.connect(str(path), read_only=True, config={"enable_external_access": "false"})
            tables = {row[0] for row in run(connection, "read/tables").fetchall()}
        except duckdb.Error as error:
            raise ArtifactError(
                f"{path} cannot be opened as a DuckDB database ({str(error).splitlines()[0]}). "
                "Build the cohort again: python -m train cohort."
            ) from error
        if missing := sorted(_PROMISED - tables):
            connection.close()
            raise ArtifactError(
                f"{path} is no cohort: it lacks the table {', '.join(missing)}. Build one: python -m train cohort."
            )
        meta = dict(run(connection, "read/meta").fetchall())
        if meta.get("format") != FORMAT:
            connection.close()
            raise ArtifactError(
                f"{path} has cohort format {meta.get('format', 'unknown')!r}, and this version reads {FORMAT!r}. "
                "Build the cohort again: python -m train cohort."
            )
        return cls(path, connection, meta)

    def close(self) -> None:
        """Let go of the file; the cohort cannot be used afterwards."""
        self._connection.close()

    # Cases

    def case(self, patient_id: int, visit_no: int | None = None) -> Case:
        """One patient at one visit (the last by default), with the visits before it as history.

        Raises:
            NotFoundError: no such patient, or no such visit of theirs.
        """
        cursor = self._cursor()
        rows = run(cursor, "read/case_visits", {"patient_id": patient_id}).fetchall()
        if not rows:
            raise NotFoundError(f"No patient {patient_id} in {self.path.name}. Look the id up in the worklist.")
        if visit_no is not None and not 1 <= visit_no <= len(rows):
            raise NotFoundError(
                f"Patient {patient_id} has {len(rows)} visit(s), and no visit {visit_no}. "
                f"Choose a number from 1 to {len(rows)}."
            )
        current = len(rows) if visit_no is None else visit_no
        codes: dict[tuple[int, str], list[str]] = {}
        for visit_id, kind, code in run(cursor, "read/case_codes", {"patient_id": patient_id}).fetchall():
            codes.setdefault((visit_id, kind), []).append(code)
        visits = [
            Visit(
                *(tuple(codes.get((visit_id, kind), ())) for kind in KINDS),
                visit_id=visit_id,
                visit_no=number,
                admitted_at=admitted,
                discharged_at=discharged,
            )
            for visit_id, number, admitted, discharged, *_ in rows[:current]
        ]
        _, _, _, _, age, gender, *texts = rows[current - 1]
        profile = {name: value or UNKNOWN for name, value in zip(_TEXT_FIELDS, texts, strict=True)}
        profile |= {"age_band": age_band(age), "gender": gender or UNKNOWN}
        return Case(profile=profile, history=tuple(visits[:-1]), current=visits[-1], patient_id=patient_id)

    def cases(self, split: str = "all", targets: Targets = "last") -> list[Case]:
        """The cases of a split, by patient id and visit; with targets "all" every visit is one, with its past.

        Raises:
            InputError: an unknown split or choice of targets.
        """
        columns, visits = self._read_columns(split, targets)
        made: list[Case] = []
        for n in range(len(columns)):
            first, current = int(columns.first[n]), int(columns.current[n])
            made.append(
                Case(
                    profile={name: values[n] for name, values in columns.profile.items()},
                    history=tuple(visits[first:current]),
                    current=visits[current],
                    patient_id=int(columns.patient_ids[n]),
                )
            )
        return made

    def columns(self, split: str = "all", targets: Targets = "last") -> CohortColumns:
        """The same cases as contiguous arrays, in the same order; see `CohortColumns`."""
        return self._read_columns(split, targets, objects=False)[0]

    def _read_columns(
        self, split: str, targets: str, *, objects: bool = True
    ) -> tuple[CohortColumns, list[Visit]]:
        """Arrays of a split, and (where wanted) its visits as objects, one for each row."""
        _check_split(split)
        if targets not in ("last", "all"):
            raise InputError(f"Unknown targets {targets!r}: expected 'last' or 'all'.")
        cursor = self._cursor()
        values = {"split": split}
        rows = run(cursor, "read/column_visits", values).fetchnumpy()
        count = len(rows["visit_id"])
        codes: dict[Kind, CodeColumn] = {}
        counts = {"diagnosis": "diagnoses", "procedure": "procedures", "medication": "medications"}
        for kind in KINDS:
            names, base = self._code_table(cursor, kind)
            ids = run(cursor, "read/column_codes", {**values, "kind": kind}).fetchnumpy()["concept_id"]
            offsets = np.zeros(count + 1, np.int64)
            np.cumsum(rows[counts[kind]], out=offsets[1:])
            if len(ids) != offsets[-1]:
                raise ArtifactError(f"{self.path}: visits and codes do not agree. Build the cohort again.")
            codes[kind] = CodeColumn(names, offsets, np.asarray(ids, np.int32) - np.int32(base))
        numbers = rows["visit_no"].astype(np.int32)
        every = np.arange(count, dtype=np.int64)
        chosen = every[rows["is_last"].astype(bool)] if targets == "last" else every
        columns = CohortColumns(
            visit_ids=rows["visit_id"][chosen],
            patient_ids=rows["patient_id"][chosen],
            visit_no=numbers[chosen],
            first=(every - numbers + 1)[chosen],
            current=chosen,
            profile=_profile_arrays(rows, chosen),
            codes=codes,
        )
        return columns, _visit_objects(rows, columns) if objects else []

    def _code_table(self, cursor: duckdb.DuckDBPyConnection, kind: Kind) -> tuple[tuple[str, ...], int]:
        """All codes of a kind in the cohort, sorted, and the concept number of the first."""
        found = run(cursor, "read/concepts", {"kind": kind}).fetchall()
        return tuple(row[0] for row in found), found[0][2] if found else 0

    # Vocabularies and titles

    def vocabulary_codes(self, kind: Kind, split: str = "train") -> list[str]:
        """The distinct codes of a kind that a split's patients have, sorted."""
        _check_split(split)
        _check_kinds((kind,))
        found = run(self._cursor(), "read/vocabulary_codes", {"kind": kind, "split": split}).fetchall()
        return [row[0] for row in found]

    def profile_values(self, field: str, split: str = "train") -> list[str]:
        """The distinct values of a profile field in a split's visits, sorted; `UNKNOWN` among them where it occurs.

        Raises:
            InputError: a field that no case has.
        """
        _check_split(split)
        found = run(self._cursor(), "read/profile_values", {"split": split}).fetchall()
        names = ("age_band", "gender", *_TEXT_FIELDS)
        if field not in names:
            raise InputError(f"Unknown profile field {field!r}: expected one of {', '.join(sorted(names))}.")
        position = names.index(field)
        if field == "age_band":
            return sorted({age_band(row[0]) for row in found})
        return sorted({row[position] or UNKNOWN for row in found})

    def title(self, kind: Kind, code: str) -> str | None:
        """A readable title: the cohort's own, else the libraries'; None where nobody has one."""
        own = self._own_titles(kind).get(code)
        if own is not None:
            return own
        from leader_core.terminology.codes import code_title

        return code_title(kind, code)

    def titles(self, kind: Kind) -> dict[str, str]:
        """Title of every code of a kind in the cohort; a code without one is its own title."""
        _check_kinds((kind,))
        return {row[0]: row[1] for row in run(self._cursor(), "read/concepts", {"kind": kind}).fetchall()}

    def _own_titles(self, kind: Kind) -> dict[str, str]:
        """Titles that differ from the code, read once a kind."""
        with self._lock:
            if kind not in self._titles:
                self._titles[kind] = {code: title for code, title in self.titles(kind).items() if title != code}
            return self._titles[kind]

    # Worklist and search

    def patients(self, query: PatientQuery | None = None) -> PatientPage:
        """One page of the worklist: filtered, sorted and cut in the database."""
        query = query or PatientQuery()
        cursor = self._cursor()
        parts = [self._concepts_of(cursor, part) for part in split_parts(query.text)]
        # A part that matches no concept leaves nothing but patient ids that begin with the text.
        values: dict[str, Any] = {
            "text": query.text.strip(),
            "parts": parts if parts and all(parts) else [[-1]],
            "splits": list(query.splits),
            "genders": list(query.genders),
            "sort": query.sort,
            "descending": query.descending,
            "page_size": query.page_size,
            "skip": (query.page - 1) * query.page_size,
        }
        for name, limits in (("age", query.ages), ("visits", query.visits)):
            values |= {f"{name}_low": limits[0] if limits else None, f"{name}_high": limits[1] if limits else None}
        found = run(cursor, "read/patients", values).fetchall()
        rows = tuple(
            PatientRow(
                patient_id=row[0],
                gender=row[1] or UNKNOWN,
                age=row[2],
                visits=row[3],
                split=row[4],
                visit_id=row[5],
                admitted_at=row[6],
                admission_type=row[7] or UNKNOWN,
                main_diagnosis=row[8] or "",
                diagnoses=row[9],
                procedures=row[10],
                medications=row[11],
            )
            for row in found
            if row[0] is not None  # an empty page still brings the total
        )
        return PatientPage(rows, found[0][12] if found else 0, query.page, query.page_size)

    def _concepts_of(self, cursor: duckdb.DuckDBPyConnection, part: str) -> list[int]:
        """Numbers of the concepts that a searched part names: all words in one title, else any of the words."""
        words = fold(part).split()
        return [row[5] for row in _matching(cursor, words, KINDS, _MOST_CONCEPTS)]

    def search(self, text: str, kinds: Iterable[Kind] = KINDS, limit: int = 20) -> tuple[Concept, ...]:
        """Type-ahead: concepts of the cohort that fit all the words, best match first, then codes of the libraries."""
        wanted = tuple(kinds)
        _check_kinds(wanted)
        words = fold(text).split()
        if not words or limit < 1:
            return ()
        found = _matching(self._cursor(), words, wanted, limit)
        if len(found) < limit:
            known = {(row[0], row[1]) for row in found}
            more = _matching(self._library.cursor(), words, wanted, limit + len(found))
            found += [row for row in more if (row[0], row[1]) not in known][: limit - len(found)]
        return tuple(Concept(*row[:5]) for row in found)

    @cached_property
    def _library(self) -> Library:
        return Library(self.fingerprint.atc_level)

    # The builder's own tables

    def orders(self, visit_id: int) -> tuple[Order, ...]:
        """The drug strings behind each medication of a visit.

        Raises:
            NotFoundError: no such visit.
        """
        cursor = self._cursor()
        found = run(cursor, "read/orders", {"visit_id": visit_id}).fetchall()
        if not found and run(cursor, "read/visit_exists", {"visit_id": visit_id}).fetchall() == [(0,)]:
            raise NotFoundError(f"No visit {visit_id} in {self.path.name}. Look it up under its patient.")
        return tuple(Order(*row) for row in found)

    @cached_property
    def interactions(self) -> InteractionTable:
        """Pairs of medication classes at the cohort's ATC level."""
        return InteractionTable(Interaction(*row) for row in run(self._cursor(), "read/interactions").fetchall())

    def accounting(self) -> pd.DataFrame:
        """Where every raw row went: `source_table, reason, rows`."""
        return self._frame("accounting")

    def rejects(self) -> pd.DataFrame:
        """Cells and lines that could not be read: `source_table, line, column, value, reason`."""
        return self._frame("rejects")

    def attrition(self) -> pd.DataFrame:
        """Patients and visits before and after each filter."""
        return self._frame("attrition")

    def unmapped(self) -> pd.DataFrame:
        """Drug strings without a medication class, most frequent first: `drug, route, rows`."""
        return self._frame("unmapped")

    def _frame(self, name: str) -> pd.DataFrame:
        return cast("pd.DataFrame", run(self._cursor(), f"read/{name}").df())

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        return self._connection.cursor()


def _matching(
    cursor: duckdb.DuckDBPyConnection, words: Sequence[str], kinds: Sequence[str], limit: int
) -> list[tuple[Any, ...]]:
    """Rows `(kind, code, system, title, parent, concept_id)` that fit all words."""
    values = {"words": list(words), "text": " ".join(words), "code": words[-1], "kinds": list(kinds), "limit": limit}
    return run(cursor, "read/matching_concepts", values).fetchall() if words else []


def _fingerprint(meta: Mapping[str, str]) -> Fingerprint:
    """The fingerprint that the builder wrote; raises ArtifactError where it is not whole."""
    try:
        if meta["source"] not in SOURCE_NAMES:
            raise ValueError(f"source {meta['source']!r}")
        counts = ("patients", "visits", "single_visit_patients", "diagnoses", "procedures", "medications")
        return Fingerprint(
            label=meta["label"],
            source=meta["source"],
            synthetic=meta["synthetic"] == "True",
            preset=meta["preset"],
            atc_level=int(meta["atc_level"]),
            **{name: int(meta[name]) for name in counts},
            ddi_density=float(meta["ddi_density"]),
            digest=meta["digest"],
        )
    except (KeyError, ValueError) as error:
        raise ArtifactError(f"The cohort's meta table is not whole ({error}). Build the cohort again.") from error


def _profile_arrays(rows: Mapping[str, Any], chosen: np.ndarray) -> dict[str, np.ndarray]:
    """Profile field -> (N,) text for the chosen visit rows."""
    profile = {name: np.asarray(rows[name], dtype=object)[chosen] for name in (*_TEXT_FIELDS, "gender")}
    for values in profile.values():
        values[values == ""] = UNKNOWN
    bands = np.array([age_band(age) for age in range(-1, 151)], dtype=object)
    profile["age_band"] = bands[np.clip(rows["age"][chosen], -1, 150) + 1]
    return profile


def _visit_objects(rows: Mapping[str, Any], columns: CohortColumns) -> list[Visit]:
    codes = [columns.codes[kind] for kind in KINDS]
    times = (np.ma.filled(rows[name], np.datetime64("NaT")) for name in ("admitted_at", "discharged_at"))
    facts = zip(
        rows["visit_id"].tolist(), rows["visit_no"].tolist(),
        *(values.astype("datetime64[us]").tolist() for values in times), strict=True,
    )  # fmt: skip
    return [
        Visit(
            *(column.of(r) for column in codes),
            visit_id=visit_id,
            visit_no=number,
            admitted_at=admitted,
            discharged_at=discharged,
        )
        for r, (visit_id, number, admitted, discharged) in enumerate(facts)
    ]


def _check_split(split: str) -> None:
    if split not in ("all", *SPLITS):
        raise InputError(f"Unknown split {split!r}: expected one of {', '.join(SPLITS)} or all.")


def _check_kinds(kinds: Sequence[str]) -> None:
    if strange := [kind for kind in kinds if kind not in KINDS]:
        raise InputError(f"Unknown kind {', '.join(map(repr, strange))}: expected any of {', '.join(KINDS)}.")
