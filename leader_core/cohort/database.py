"""A built cohort, opened for reading: cases, columns, the worklist, search and the builder's own tables.

Every call works on a cursor of its own, so threads may share one `Cohort`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import duckdb

from leader_core import sql
from leader_core.cohort.cases import (
    PROFILE_TEXTS,
    check_split,
    read_age,
    read_cases,
    read_columns,
    read_orders,
    read_unordered,
)
from leader_core.cohort.columns import CohortColumns
from leader_core.cohort.patient_codes import PatientCodes
from leader_core.cohort.patient_search import (
    DrugSearch,
    MatchReason,
    PatientSearch,
    SearchReading,
    code_table,
)
from leader_core.cohort.seal import check_seal, file_identity, open_problem, read_fingerprint, verify_content
from leader_core.cohort.sources import SOURCES
from leader_core.cohort.statements import run
from leader_core.cohort.worklist import PatientPage, PatientQuery, PatientRow, Sort, Split, Spread, Worklist
from leader_core.domain import KINDS, UNKNOWN, Case, Concept, Interaction, Kind, Order, Targets, age_band
from leader_core.errors import ArtifactError, InputError, NotFoundError
from leader_core.interactions import InteractionTable
from leader_core.interactions.shares import DrugShares, count_shares
from leader_core.search.index import CodeIndex, with_libraries
from leader_core.search.matching import search_codes
from leader_core.stored_scores.store import ScoreStore, attach_nothing, scores_path
from leader_core.terminology.drugs import AtcLevel
from leader_core.terminology.icd import code_title

if TYPE_CHECKING:
    import pandas as pd

FORMAT: Final = "1"
"""Version of the database's tables that this code writes and reads."""

CACHED_CASES: Final = 128
"""Cases, and orders of a visit: a page needs the one it shows several times."""

UNMAPPED: Final = "SELECT * FROM unmapped ORDER BY rows DESC, drug, route"

ACCOUNTING: Final = "SELECT * FROM accounting ORDER BY source_table, reason <> 'kept', rows DESC, reason"

_REQUIRED_TABLES: Final = frozenset(
    "patients visits visit_codes visit_alerts concepts orders interactions accounting rejects meta".split()
)


class Cohort:
    """A cohort database, read-only. Open it with `Cohort.open`."""

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection, meta: Mapping[str, str]) -> None:
        self.path = path
        self._file = file_identity(path)
        self.meta = dict(meta)
        self.fingerprint = read_fingerprint(self.meta)
        self.scores: ScoreStore | None = None  # stored scores of this cohort's cases
        self.scores_note = ""  # why stored scores next to the file are not used
        self.profile_fields = SOURCES[self.fingerprint.source].profile_fields
        self._connection = connection
        self._indexing = threading.Lock()
        self._own_index: CodeIndex | None = None
        self._full_index: CodeIndex | None = None
        self._cases = lru_cache(CACHED_CASES)(lambda patient_id: read_cases(self._cursor(), patient_id))
        self._orders = lru_cache(CACHED_CASES)(self._read_orders)
        self._titles = lru_cache(self._read_titles)
        self._worklist = Worklist(self._cursor, self._searching)

    @classmethod
    def open(cls, path: str | Path) -> Cohort:
        """Open a database built by `python -m train cohort`, with the scores stored next to it.

        Raises:
            NotFoundError: no such file.
            ArtifactError: no database, no cohort, one of another format, or one that was changed since it was built.
        """
        path = Path(path)
        if not path.is_file():
            raise NotFoundError(
                f"No cohort database {path}. Build one: python -m train cohort --raw FOLDER --out {path}."
            )
        try:
            connection = sql.connect()  # in memory: what one reader defines is not another reader's
            try:
                sql.allow_only(connection, path, scores_path(path))
                sql.attach(connection, path, "cohort")
                connection.execute("USE cohort")
                cohort = cls(path, connection, _read_meta(connection, path))
                check_seal(connection, cohort.meta, path)
                cohort._attach_scores(scores_path(path))
            except BaseException:
                connection.close()
                raise
        except duckdb.Error as error:
            raise ArtifactError(open_problem(path, error)) from error
        return cohort

    def _attach_scores(self, path: Path) -> None:
        """Attach stored scores to the cohort's tables, or an empty overview where there are none of this cohort."""
        if path.is_file():
            try:
                self.scores = ScoreStore.attach(self._connection, path, self.fingerprint.digest)
            except ArtifactError as error:
                self.scores_note = str(error)
        if self.scores is None:
            attach_nothing(self._connection)
        # The cohort's own file stays read-only.
        self._connection.execute("ATTACH ':memory:' AS working_memory")
        run(self._connection, "worklist/rows")
        run(self._connection, "worklist/matching_rows")

    @property
    def replaced(self) -> bool:
        """Whether another file stands at the cohort's path since it was opened: this reader still sees the earlier one."""
        current = file_identity(self.path)
        return current is not None and current != self._file

    def close(self) -> None:
        self._connection.close()

    def verify(self) -> int:
        """Read every row and recompute the digest; how many rows there are.

        Raises:
            ArtifactError: the content is not what was built.
        """
        try:
            return verify_content(self._cursor(), self.meta, self.path)
        except duckdb.Error as error:
            raise ArtifactError(
                f"{self.path} is damaged ({str(error).splitlines()[0]}). Restore it, or build the cohort again."
            ) from error

    def warm_up(self) -> None:
        """Load what the first look-ups would wait for: titles, interactions, the index of codes; the worklist, which until
        then is answered from the files, several times slower; which drugs the orders name.
        """
        for kind in KINDS:
            self._titles(kind)
        _ = self.interactions
        self._all_codes()
        self._worklist.search().warm_up()

    # Cases

    def case(self, patient_id: int, visit_no: int | None = None) -> Case:
        """One patient at one visit (the last by default), with the visits before it as history.

        Raises:
            NotFoundError: no such patient, or no such visit of theirs.
        """
        cases = self._cases(patient_id)
        if visit_no is not None and not 1 <= visit_no <= len(cases):
            raise NotFoundError(
                f"Patient {patient_id} has {len(cases)} visit(s), and no visit {visit_no}. "
                f"Choose a number from 1 to {len(cases)}."
            )
        return cases[-1 if visit_no is None else visit_no - 1]

    def age(self, visit_id: int) -> int | None:
        """The patient's age in years at a visit; None where it is not recorded, or there is no such visit."""
        return read_age(self._cursor(), visit_id)

    def unordered_visits(self, patient_id: int) -> tuple[int, ...]:
        """Numbers of the patient's visits whose order among each other the source does not tell; empty for dated ones."""
        return read_unordered(self._cursor(), patient_id)

    def split_of(self, patient_id: int) -> Split | None:
        """The split a patient is in; None for a patient who is not in this cohort."""
        query = "SELECT split FROM worklist WHERE patient_id = $patient_id"
        row = self._cursor().execute(query, {"patient_id": patient_id}).fetchone()
        return cast(Split, row[0]) if row else None

    def cases(self, split: str = "all", targets: Targets = "last") -> list[Case]:
        """The cases of a split, by patient id and visit; with targets "all" every visit is one, with its past.

        Raises:
            InputError: an unknown split or choice of targets.
        """
        return self.columns(split, targets).cases()

    def columns(self, split: str = "all", targets: Targets = "last") -> CohortColumns:
        """The same cases as contiguous arrays, in the same order; see `CohortColumns`."""
        return read_columns(self._cursor(), split, targets)

    # Vocabularies and titles

    def vocabulary_codes(self, kind: Kind, split: str = "train") -> list[str]:
        """The distinct codes of a kind that a split's patients have, sorted."""
        check_split(split)
        _check_kinds((kind,))
        rows = run(self._cursor(), "read/vocabulary_codes", {"kind": kind, "split": split}).fetchall()
        return [row[0] for row in rows]

    def profile_values(self, field: str) -> list[str]:
        """The distinct values of a profile field in the training split, sorted; `UNKNOWN` among them where it occurs.

        Raises:
            InputError: a field that no case has.
        """
        names = ("age_band", "gender", *PROFILE_TEXTS)
        if field not in names:
            raise InputError(f"Unknown profile field {field!r}: expected one of {', '.join(sorted(names))}.")
        values = {row[names.index(field)] for row in self._profiles}
        return sorted(
            {age_band(age) for age in values} if field == "age_band" else {v or UNKNOWN for v in values}
        )

    @cached_property
    def _profiles(self) -> list[tuple[Any, ...]]:
        return run(self._cursor(), "read/profile_values", {"split": "train"}).fetchall()

    def title(self, kind: Kind, code: str) -> str | None:
        """A readable title: the cohort's own, else the libraries'; None where nobody has one."""
        own = self._titles(kind).get(code, code)
        return own if own != code else code_title(kind, code)

    def titles(self, kind: Kind) -> dict[str, str]:
        """Title of every code of a kind in the cohort; a code without one is its own title."""
        return dict(self._titles(kind))

    def _read_titles(self, kind: Kind) -> dict[str, str]:
        _check_kinds((kind,))
        rows = run(self._cursor(), "read/concepts", {"kind": kind}).fetchall()
        return {code: title for code, title, _ in rows}

    # Worklist and search

    def patients(self, query: PatientQuery | None = None) -> PatientPage:
        """One page of the worklist: filtered, sorted and cut in the database."""
        return self._worklist.page(query or PatientQuery())

    def spread(self, query: PatientQuery, column: Sort, bins: int = 20) -> Spread:
        """How the patients that a query matches (all pages) spread over a column.

        Raises:
            InputError: a column that has no distribution.
        """
        return self._worklist.spread(query, column, bins)

    def patient_ids(self, query: PatientQuery) -> tuple[int, ...]:
        """Every patient that a query matches, on all pages, by id."""
        return self._worklist.ids(query)

    def worklist_csv(self, query: PatientQuery) -> bytes:
        """Every patient that a query matches, on all pages, as CSV."""
        return self._worklist.csv(query)

    def read_search(self, text: str) -> SearchReading:
        """What the text of a `PatientQuery` is taken for, and what of it is not understood."""
        return self._worklist.search().read(text.strip())

    def match_reasons(self, text: str, patient_ids: Iterable[int]) -> dict[int, tuple[MatchReason, ...]]:
        """For each patient the codes by which a searched text matches."""
        return self._worklist.search().reasons(text.strip(), patient_ids)

    def problems(self, rows: Sequence[PatientRow], most: int = 3) -> dict[int, tuple[str, ...]]:
        """The titles of the main diagnoses of each row's last visit, by patient id: conditions first, as listed."""
        return self._worklist.problems(rows, most)

    def _searching(self, codes: PatientCodes) -> PatientSearch:
        return PatientSearch(codes, self._own_codes(), self._all_codes, DrugSearch(self._cursor, codes.ids))

    def chapters(self) -> tuple[str, ...]:
        """The chapters of the cohort's diagnoses, the most frequent first."""
        return self._chapters

    @cached_property
    def _chapters(self) -> tuple[str, ...]:
        return tuple(row[0] for row in run(self._cursor(), "read/chapters").fetchall())

    def search(
        self, text: str, kinds: Iterable[Kind] = KINDS, limit: int = 20, system: str = ""
    ) -> tuple[Concept, ...]:
        """Type-ahead over the cohort's codes and the libraries': by code, title, synonym or brand, begun or misspelt.

        The best match first, among equal ones the more frequent in the cohort, then the plainer; see `search.matching`.
        With `system` ("ICD10") of that code system alone.

        Raises:
            InputError: an unknown kind.
        """
        wanted = tuple(kinds)
        _check_kinds(wanted)
        return search_codes(self._all_codes(), text, wanted, limit, system)

    @property
    def searchable_codes(self) -> int:
        """How many codes `search` knows: the cohort's and the libraries'."""
        return len(self._all_codes())

    def _own_codes(self) -> CodeIndex:
        """The cohort's own codes, indexed on first need."""
        with self._indexing:
            if self._own_index is None:
                level = cast(AtcLevel, self.fingerprint.atc_level)
                self._own_index = CodeIndex(code_table(self._cursor(), level))
            return self._own_index

    def _all_codes(self) -> CodeIndex:
        """Those and the libraries', indexed on first need."""
        own = self._own_codes()
        with self._indexing:
            if self._full_index is None:
                self._full_index = CodeIndex(with_libraries(own.table))
            return self._full_index

    # The builder's own tables

    def orders(self, visit_id: int) -> tuple[Order, ...]:
        """The drug strings behind each medication of a visit.

        Raises:
            NotFoundError: no such visit.
        """
        return self._orders(visit_id)

    def _read_orders(self, visit_id: int) -> tuple[Order, ...]:
        return read_orders(self._cursor(), visit_id, self.path.name)

    def drug_shares(self) -> DrugShares:
        """Which drugs each class means, by the training patients' orders."""
        identity = self.fingerprint
        return count_shares(self._cursor(), identity.atc_level, identity.label)

    @cached_property
    def interactions(self) -> InteractionTable:
        """Pairs of medication classes at the cohort's ATC level."""
        query = (
            "SELECT code_a, code_b, severity, source, mechanism, effect, management, evidence "
            "FROM interactions ORDER BY code_a, code_b, source"
        )
        return InteractionTable(Interaction(*row) for row in self._cursor().execute(query).fetchall())

    def accounting(self) -> pd.DataFrame:
        """Where every raw row went: `source_table, reason, rows`."""
        return self._cursor().execute(ACCOUNTING).df()

    def rejects(self) -> pd.DataFrame:
        """Cells and lines that could not be read: `source_table, line, column, value, reason`."""
        return self._cursor().execute('SELECT * FROM rejects ORDER BY source_table, line, "column"').df()

    def unmapped(self) -> pd.DataFrame:
        """Drug strings without a medication class, most frequent first: `drug, route, rows`."""
        return self._cursor().execute(UNMAPPED).df()

    def reader(self) -> duckdb.DuckDBPyConnection:
        """A read-only connection of its own, for queries of other packages (`leader_core.error_analysis`)."""
        return self._cursor()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own to the same database, for one thread's query."""
        cursor = self._connection.cursor()
        cursor.execute("USE cohort")
        return cursor


def _read_meta(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """What an attached database says of itself; raises ArtifactError where it is no cohort of this format."""
    query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'"
    tables = {row[0] for row in connection.execute(query).fetchall()}
    if missing := sorted(_REQUIRED_TABLES - tables):
        raise ArtifactError(
            f"{path} is no cohort: it lacks the table {', '.join(missing)}. Build one: python -m train cohort."
        )
    meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    if meta.get("format") != FORMAT:
        raise ArtifactError(
            f"{path} has cohort format {meta.get('format', 'unknown')!r}, and this version reads {FORMAT!r}. "
            "Build the cohort again: python -m train cohort."
        )
    return meta


def _check_kinds(kinds: Sequence[str]) -> None:
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise InputError(f"Unknown kind {', '.join(map(repr, unknown))}: expected any of {', '.join(KINDS)}.")
