"""Versioned entries: the one mechanism by which notes, cohorts, variants and decisions are written and never lost.

Each write is a version more. An edit names the version it was made from; where another came first, it is refused and
kept. Refuses to know what a body means.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import duckdb

from leader_core.errors import InputError, NotFoundError
from leader_core.workspace.store import Store, run
from leader_core.workspace.values import (
    LONGEST_AUTHOR,
    LONGEST_NAME,
    LONGEST_TAG,
    LONGEST_TEXT,
    MOST_TAGS,
    EntryKind,
    StaleEditError,
    State,
    Version,
)

NAMES: Final[dict[EntryKind, str]] = {
    "note": "note",
    "cohort": "saved cohort",
    "variant": "variant",
    "decision": "decision",
}


@dataclass(frozen=True, slots=True)
class Current:
    """What an entry says now, and what is known of its past."""

    version: Version
    created_at: datetime
    versions: int
    refused: int
    newest: int  # number of its newest version, refused ones counted


@dataclass(frozen=True, slots=True)
class Content:
    """What one version says."""

    body: str
    name: str = ""
    tags: tuple[str, ...] = ()
    patient_id: int | None = None
    visit_id: int | None = None


class Entries:
    """The log of versions in one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(
        self,
        kind: EntryKind,
        content: Content,
        author: str,
        *,
        unique_name: bool = False,
    ) -> Current:
        """A new entry.

        Raises:
            InputError: another entry of this kind has the name, where names are unique.
            ReadOnlyError: the workspace cannot be written.
        """
        made = Version(
            uuid.uuid4().hex, 1, "accepted", 0, content.patient_id, content.visit_id,
            content.name, content.body, content.tags, clean_author(author), _now(),
        )  # fmt: skip
        with self._store.writing() as cursor:
            if unique_name:
                _check_name(cursor, kind, content.name, made.entry_id)
            _write(cursor, kind, made)
        return Current(made, made.written_at, 1, 0, 1)

    def edit(
        self,
        kind: EntryKind,
        entry_id: str,
        content: Content,
        author: str,
        *,
        based_on: int,
        unique_name: bool = False,
    ) -> Current:
        """A version more, made from the one numbered `based_on`.

        Raises:
            NotFoundError: no such entry.
            StaleEditError: another version stands by now; this one was kept beside it.
        """
        return self._append(kind, entry_id, content, author, based_on, "accepted", unique_name)

    def put(self, kind: EntryKind, entry_id: str, content: Content, author: str) -> Current:
        """A version more of an entry that has one writer, or its first; the newest stands and the others are kept."""
        with self._store.writing() as cursor:
            past = _history(cursor, kind, entry_id)
            number = len(past) + 1
            made = Version(
                entry_id, number, "accepted", number - 1, content.patient_id, content.visit_id,
                content.name, content.body, content.tags, clean_author(author), _now(),
            )  # fmt: skip
            _write(cursor, kind, made)
        return Current(made, past[0].written_at if past else made.written_at, number, 0, number)

    def remove(self, kind: EntryKind, entry_id: str, author: str, *, based_on: int) -> None:
        """Hide an entry; its versions stay.

        Raises:
            NotFoundError: no such entry.
            StaleEditError: another version stands by now, which is kept as it is.
        """
        self._append(kind, entry_id, None, author, based_on, "removed", False)

    def _append(
        self,
        kind: EntryKind,
        entry_id: str,
        content: Content | None,
        author: str,
        based_on: int,
        state: State,
        unique_name: bool,
    ) -> Current:
        with self._store.writing() as cursor:
            past = _history(cursor, kind, entry_id)
            if not past:
                raise NotFoundError(f"There is no {NAMES[kind]} {entry_id!r} in this workspace.")
            standing = next(v for v in reversed(past) if v.state != "refused")
            stale = standing.version != based_on or standing.state == "removed"
            said = content or Content(standing.body, standing.name, standing.tags)
            made = Version(
                entry_id, past[-1].version + 1, "refused" if stale else state, based_on,
                past[0].patient_id, past[0].visit_id, said.name, said.body, said.tags,
                clean_author(author), _now(),
            )  # fmt: skip
            if unique_name and not stale:
                _check_name(cursor, kind, said.name, entry_id)
            if not (stale and content is None):  # a late removal has no text to keep
                _write(cursor, kind, made)
        if stale:
            raise StaleEditError(NAMES[kind], standing, made)
        refused = sum(v.state == "refused" for v in past)
        return Current(made, past[0].written_at, len(past) + 1, refused, made.version)

    def current(
        self, kind: EntryKind, *, entry_id: str | None = None, patient_id: int | None = None
    ) -> list[Current]:
        """What entries say now, newest first; removed ones are left out."""
        values = {"kind": kind, "entry_id": entry_id, "patient_id": patient_id}
        with self._store.reading() as cursor:
            rows = run(cursor, "read/current", values).fetchall()
        return [Current(_version(row[:11]), _utc(row[11]), row[12], row[13], row[14]) for row in rows]

    def one(self, kind: EntryKind, entry_id: str) -> Current:
        """One entry as it stands.

        Raises:
            NotFoundError: no such entry, or a removed one.
        """
        found = self.current(kind, entry_id=entry_id)
        if not found:
            raise NotFoundError(
                f"There is no {NAMES[kind]} {entry_id!r} in this workspace; perhaps somebody removed it."
            )
        return found[0]

    def history(self, kind: EntryKind, entry_id: str) -> tuple[Version, ...]:
        """Every version, oldest first, refused ones and removals among them.

        Raises:
            NotFoundError: no such entry.
        """
        with self._store.reading() as cursor:
            past = _history(cursor, kind, entry_id)
        if not past:
            raise NotFoundError(f"There is no {NAMES[kind]} {entry_id!r} in this workspace.")
        return tuple(past)


def clean_text(text: str, what: str, longest: int = LONGEST_TEXT, *, empty: bool = False) -> str:
    """Text as it is kept: the ends trimmed, line ends plain.

    Raises:
        InputError: nothing in it, too long, or characters that are no text.
    """
    found = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not found and not empty:
        raise InputError(f"The {what} is empty: write something, or leave it.")
    if len(found) > longest:
        raise InputError(
            f"The {what} has {len(found):,} characters: expected at most {longest:,}. Shorten it."
        )
    if any((c < " " and c not in "\n\t") or "\ud800" <= c <= "\udfff" for c in found):
        raise InputError(f"The {what} holds control characters, which are no text. Paste it as plain text.")
    return found


def clean_name(name: str, what: str) -> str:
    """A name on one line."""
    return clean_text(" ".join(name.split()), f"{what}'s name", LONGEST_NAME)


def clean_author(author: str) -> str:
    """Who writes; may be empty."""
    return clean_text(" ".join(author.split()), "author's name", LONGEST_AUTHOR, empty=True)


def clean_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags in lower case, each once, in their order.

    Raises:
        InputError: too many, or one too long.
    """
    found = tuple(dict.fromkeys(" ".join(tag.split()).lstrip("#").casefold() for tag in tags))
    found = tuple(clean_text(tag, "tag", LONGEST_TAG) for tag in found if tag)
    if len(found) > MOST_TAGS:
        raise InputError(f"{len(found)} tags: expected at most {MOST_TAGS}. Leave some out.")
    return found


def _check_name(cursor: duckdb.DuckDBPyConnection, kind: EntryKind, name: str, entry_id: str) -> None:
    values = {"kind": kind, "entry_id": None, "patient_id": None}
    taken = {row[6].casefold(): row[0] for row in run(cursor, "read/current", values).fetchall()}
    if taken.get(name.casefold(), entry_id) != entry_id:
        raise InputError(f"There is a {NAMES[kind]} {name!r} already: choose another name.")


def _history(cursor: duckdb.DuckDBPyConnection, kind: EntryKind, entry_id: str) -> list[Version]:
    rows = run(cursor, "read/history", {"kind": kind, "entry_id": entry_id}).fetchall()
    return [_version(row) for row in rows]


def _write(cursor: duckdb.DuckDBPyConnection, kind: EntryKind, made: Version) -> None:
    values: dict[str, Any] = {name: getattr(made, name) for name in Version.__slots__}
    values |= {"kind": kind, "tags": list(made.tags), "written_at": made.written_at.replace(tzinfo=None)}
    run(cursor, "write/entry", values)


def _version(row: Sequence[Any]) -> Version:
    return Version(*(*row[:8], tuple(row[8]), row[9], _utc(row[10])))


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


def _now() -> datetime:
    return datetime.now(UTC)
