"""Tags on cases: kinds of error that people define, and which of them each annotator saw in which visit.

Versions are only added, never changed. An annotator who saved no kind has looked and found nothing, which counts where
two annotators are compared. Refuses to know about pages.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import duckdb

from leader_core.errors import InputError, NotFoundError
from leader_core.workspace.entries import clean_author, clean_name, clean_text
from leader_core.workspace.store import Store, run

LONGEST_MEANING: Final = 400
MOST_KINDS: Final = 40


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One kind of error."""

    kind_id: str
    version: int  # 0 for one that was never edited
    name: str
    meaning: str
    removed: bool = False
    author: str = ""


DEFAULTS: Final = (
    ErrorKind("chronic", 0, "Missed chronic drug", "given before and prescribed again, but not suggested"),
    ErrorKind(
        "acute", 0, "Missed new treatment", "prescribed for what this visit is about, but not suggested"
    ),
    ErrorKind(
        "indication", 0, "No indication", "suggested without a diagnosis or procedure that calls for it"
    ),
    ErrorKind("duplicate", 0, "Duplication", "suggested although another class in the set does the same"),
    ErrorKind(
        "harmful", 0, "Interaction or contraindication", "suggested although it is harmful with the rest"
    ),
    ErrorKind(
        "alternative", 0, "Defensible alternative", "differs from the record, but a clinician could choose it"
    ),
    ErrorKind("record", 0, "Record at fault", "coding or mapping of the source is wrong or incomplete"),
)
"""The kinds that a new workspace begins with; each can be renamed or taken off the list."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What one annotator says of one visit."""

    visit_id: int
    patient_id: int
    author: str
    kinds: tuple[str, ...]  # ids; empty where nothing was found
    version: int
    annotated_at: datetime  # UTC


class Annotations:
    """Kinds of error and tags in one workspace."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def kinds(self, *, removed: bool = False) -> tuple[ErrorKind, ...]:
        """The kinds, the defaults first; with `removed` those too that were taken off the list."""
        with self._store.reading() as cursor:
            return tuple(kind for kind in _kinds(cursor) if removed or not kind.removed)

    def save_kind(
        self, name: str, meaning: str = "", *, kind_id: str | None = None, author: str = ""
    ) -> ErrorKind:
        """A new kind, or another name and meaning for one that there is.

        Raises:
            InputError: an empty or taken name, or too many kinds.
            NotFoundError: no such kind.
        """
        clean = clean_name(name, "kind of error")
        told = clean_text(" ".join(meaning.split()), "meaning", LONGEST_MEANING, empty=True)
        with self._store.writing() as cursor:
            known = {kind.kind_id: kind for kind in _kinds(cursor)}
            standing = [k for k in known.values() if not k.removed and k.kind_id != kind_id]
            if any(k.name.casefold() == clean.casefold() for k in standing):
                raise InputError(f"There is a kind of error {clean!r} already: choose another name.")
            if kind_id is None and len(standing) >= MOST_KINDS:
                raise InputError(
                    f"There are {len(standing)} kinds of error: expected at most {MOST_KINDS}. Remove one first."
                )
            found = _kind(known, kind_id) if kind_id is not None else None
            made = ErrorKind(
                found.kind_id if found else uuid.uuid4().hex,
                found.version + 1 if found else 1,
                clean,
                told,
                False,
                clean_author(author),
            )
            _write_kind(cursor, made)
        return made

    def remove_kind(self, kind_id: str, *, author: str = "") -> None:
        """Take a kind off the list; tags that were set with it stay.

        Raises:
            NotFoundError: no such kind.
        """
        with self._store.writing() as cursor:
            found = _kind({kind.kind_id: kind for kind in _kinds(cursor)}, kind_id)
            _write_kind(
                cursor,
                ErrorKind(kind_id, found.version + 1, found.name, found.meaning, True, clean_author(author)),
            )

    def annotate(self, patient_id: int, visit_id: int, kinds: Iterable[str], *, author: str) -> Annotation:
        """What an annotator sees in a visit, in place of what they said before; no kind says that nothing is wrong.

        Raises:
            InputError: no annotator's name.
            NotFoundError: a kind that there is not.
        """
        who = clean_author(author)
        if not who:
            raise InputError(
                "Tags need the annotator's name or initials, so that annotators can be compared."
            )
        chosen = tuple(dict.fromkeys(kinds))
        with self._store.writing() as cursor:
            known = {kind.kind_id: kind for kind in _kinds(cursor)}
            for kind_id in chosen:
                _kind(known, kind_id)
            return _write(cursor, patient_id, visit_id, who, chosen)

    def withdraw(self, patient_id: int, visit_id: int, *, author: str) -> None:
        """Take an annotator's answer about a visit back, as if they had not looked."""
        with self._store.writing() as cursor:
            _write(cursor, patient_id, visit_id, clean_author(author), None)

    def all(self, visit_id: int | None = None) -> tuple[Annotation, ...]:
        """What annotators say of one visit, or of all; newest first."""
        with self._store.reading() as cursor:
            rows = run(cursor, "read/annotations", {"visit_id": visit_id}).fetchall()
        return tuple(
            Annotation(row[0], row[1], row[2], tuple(row[3]), row[4], row[5].replace(tzinfo=UTC))
            for row in rows
        )

    def tagged(self, kind_id: str) -> tuple[int, ...]:
        """Visits in which some annotator saw a kind of error."""
        return tuple(sorted({found.visit_id for found in self.all() if kind_id in found.kinds}))


def _kinds(cursor: duckdb.DuckDBPyConnection) -> list[ErrorKind]:
    """Every kind as it stands: defaults as they were edited, then the others."""
    written = {row[0]: ErrorKind(*row[:6]) for row in run(cursor, "read/error_kinds").fetchall()}
    return [*(written.pop(kind.kind_id, kind) for kind in DEFAULTS), *written.values()]


def _kind(known: dict[str, ErrorKind], kind_id: str) -> ErrorKind:
    if kind_id not in known:
        raise NotFoundError(
            f"There is no kind of error {kind_id!r} in this workspace. Choose one of the list."
        )
    return known[kind_id]


def _write_kind(cursor: duckdb.DuckDBPyConnection, kind: ErrorKind) -> None:
    values = {name: getattr(kind, name) for name in ErrorKind.__slots__}
    run(cursor, "write/error_kind", {**values, "written_at": _now()})


def _write(
    cursor: duckdb.DuckDBPyConnection,
    patient_id: int,
    visit_id: int,
    author: str,
    kinds: tuple[str, ...] | None,
) -> Annotation:
    key = {"visit_id": visit_id, "author": author}
    version = int(run(cursor, "read/annotation_version", key).fetchall()[0][0]) + 1
    moment = _now()
    values = {
        **key,
        "version": version,
        "patient_id": patient_id,
        "kinds": None if kinds is None else list(kinds),
        "written_at": moment,
    }
    run(cursor, "write/annotation", values)
    return Annotation(visit_id, patient_id, author, kinds or (), version, moment.replace(tzinfo=UTC))


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
