"""The workspace's SQLite file: one table of entries, of which every revision stays.

An edit names the revision that it is based on; where somebody else wrote another one meanwhile, the edit is refused and
stored as a refused revision. Several servers may use one file: it is in WAL mode, and writers wait for each other.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from leader_core import sql
from leader_core.errors import ArtifactError, InputError, NotFoundError
from leader_core.files import creating_file, recover, scratch_folder
from leader_core.workspace.encryption import Cipher, read_body
from leader_core.workspace.legacy import import_duckdb
from leader_core.workspace.values import Entry, ReadOnlyError, Revision, StaleEditError, damaged, is_record

Kind = Literal["about", "note", "star", "cohort", "variant", "error_kind", "row_tag"]

MIGRATIONS: tuple[str, ...] = (
    sql.statement("leader_core.workspace", "entries"),
    sql.statement("leader_core.workspace", "row_tags"),
)
"""Scripts that bring a file from each `PRAGMA user_version` to the next; each statement ends its line with a semicolon."""

BUSY_SECONDS: Final = 10.0
"""How long a write waits for another process's write."""

_LABELS: Final = {"cohort": "saved cohort", "error_kind": "kind of error", "row_tag": "tag"}
_HISTORY: Final = """
SELECT key, revision, refused, deleted, patient_id, visit_id, author, created_at, body FROM entries
WHERE kind = ? AND key = ? ORDER BY revision
"""
_INSERT: Final = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_READ_ONLY: Final = (
    "The workspace {name} cannot be written here ({reason}), so that notes, stars and variants cannot be saved. "
    "Name a file in a folder that can be written with LEADER_WORKSPACE."
)
_MOVED: Final = (
    "The workspace {name} was moved, removed or replaced while it is open here, so that nothing more is written to it. Put it "
    "back, or start the server again; to replace it, use `python -m train workspace restore`."
)

OnWrite = Callable[[Kind, Revision], None]


class Store:
    """The entries of one workspace file. Safe to share between threads."""

    def __init__(
        self,
        path: Path,
        legacy: Path | None = None,
        on_write: OnWrite | None = None,
        *,
        cipher: Cipher | None = None,
        unreadable: str = "",
    ) -> None:
        """
        Args:
            path: the SQLite file; created where it is missing, readable by its owner only.
            legacy: a workspace of earlier versions (DuckDB), taken over when the file is created, and left as it is.
            on_write: called with every revision before it is stored; an error that it raises keeps the revision out.
            cipher: what bodies are encrypted with; None for a workspace that is not.
            unreadable: why the file cannot be used; nothing stands in its place then, and nothing can be written.

        Raises:
            ArtifactError: a damaged file, one that is no workspace, or one of a newer version.
        """
        self.path = path
        self.unreadable = unreadable
        self.read_only_reason = unreadable  # why it cannot be written; empty where it can
        self._lock = threading.RLock()
        self._on_write = on_write
        # Sentences about entries that were read and hold no record.
        self.damaged: dict[tuple[Kind, str], str] = {}
        self._cipher = cipher
        try:
            self._connection = _empty() if unreadable else self._open(legacy)
        except sqlite3.OperationalError as error:  # locked, disk full: nothing is wrong with the file
            raise ArtifactError(
                f"The workspace {path} cannot be opened now ({error}). Close what holds it or free some space, then "
                "try again. Leave the file where it is: it holds the notes."
            ) from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise self._not_a_workspace(str(error)) from error
        self._file = _identity(path)

    @property
    def problem(self) -> str:
        """Why the file cannot be used at all, or not any more; empty where it can."""
        moved = _identity(self.path) != self._file
        return self.unreadable or (_MOVED.format(name=self.path.name) if moved else "")

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction: stored when the block ends well, undone otherwise. No other thread or process writes meanwhile.

        Raises:
            ReadOnlyError: the file cannot be written, or another process has been writing for `BUSY_SECONDS`.
        """
        with self._lock:
            if reason := self.read_only_reason or self.problem:
                raise ReadOnlyError(reason)
            try:
                with _transaction(self._connection):
                    yield
                with contextlib.suppress(sqlite3.OperationalError):  # the file by itself holds it then
                    self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except sqlite3.OperationalError as error:
                raise ReadOnlyError(
                    f"The workspace {self.path.name} could not be written ({error}). Nothing of this was saved: try again."
                ) from error

    def entries(
        self, kind: Kind, *, key: str | None = None, patient_id: int | None = None, deleted: bool = False
    ) -> list[Entry]:
        """What entries say now, newest first; with `deleted`, the removed ones too. `damaged` names those that say nothing."""
        values = {"kind": kind, "key": key, "patient_id": patient_id, "deleted": deleted}
        with self._reading():
            entries = [
                Entry(self._revision(kind, row[:9]), datetime.fromisoformat(row[9]), row[10], row[11])
                for row in self.rows("current", values)
            ]
            return [entry for entry in entries if self._is_whole(kind, entry.now)]

    def _is_whole(self, kind: Kind, revision: Revision) -> bool:
        self.damaged.pop((kind, revision.key), None)
        if not is_record(kind, revision.body):
            self.damaged[kind, revision.key] = damaged(_LABELS.get(kind, kind), revision)
        return (kind, revision.key) not in self.damaged

    def entry(self, kind: Kind, key: str) -> Entry:
        """One entry as it stands.

        Raises:
            NotFoundError: no such entry, or a removed one.
        """
        for entry in self.entries(kind, key=key):
            return entry
        raise NotFoundError(
            f"There is no {_LABELS.get(kind, kind)} {key!r} in this workspace; perhaps somebody removed it."
        )

    def history(self, kind: Kind, key: str) -> list[Revision]:
        """Every revision, oldest first, refused ones and removals among them."""
        with self._reading():
            rows = self._connection.execute(_HISTORY, (kind, key)).fetchall()
            return [self._revision(kind, row) for row in rows]

    def rows(self, name: str, values: Mapping[str, Any] | None = None) -> list[Any]:
        """The rows of `sql/NAME.sql`."""
        with self._reading():
            statement = sql.statement("leader_core.workspace", name)
            return self._connection.execute(statement, values or {}).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Nobody else reads or writes meanwhile; raises ArtifactError, which quotes nothing, where the file is damaged."""
        try:
            with self._lock:
                yield
        except (sqlite3.DatabaseError, ValueError) as error:
            raise ArtifactError(
                f"The workspace {self.path.name} cannot be read: it is damaged. `python -m train workspace verify` says "
                "where; `python -m train workspace restore` puts a backup in its place."
            ) from error

    def put(
        self,
        kind: Kind,
        body: Mapping[str, Any],
        author: str,
        *,
        key: str = "",
        patient_id: int | None = None,
        visit_id: int | None = None,
        deleted: bool = False,
        unique_name: bool = False,
    ) -> Entry:
        """A new entry, or another revision of the one with this key, whichever revision is current; `deleted` marks it removed.

        Raises:
            InputError: another entry of this kind has the name, where names are unique.
            ReadOnlyError: the workspace cannot be written.
        """
        with self.writing():
            key = key or uuid.uuid4().hex
            past = self.history(kind, key)
            if unique_name:
                self._check_name(kind, body["name"], key)
            revision = Revision(
                key, len(past) + 1, False, deleted, patient_id, visit_id, author, datetime.now(UTC), body
            )
            self._insert(kind, revision)
        return _entry([*past, revision])

    def edit(
        self,
        kind: Kind,
        key: str,
        body: Mapping[str, Any] | None,
        author: str,
        *,
        based_on: int,
    ) -> Entry:
        """Another revision, based on the one numbered `based_on`; without a body it removes the entry.

        Never called inside another transaction, which its refusal would undo.

        Raises:
            NotFoundError: no such entry.
            StaleEditError: another revision stands by now; this one was stored as refused.
            ReadOnlyError: the workspace cannot be written.
        """
        with self.writing():
            past = self.history(kind, key)
            if not past:
                raise NotFoundError(f"There is no {_LABELS.get(kind, kind)} {key!r} in this workspace.")
            current = next(each for each in reversed(past) if not each.refused)
            stale = current.revision != based_on or current.deleted
            revision = Revision(
                key, len(past) + 1, stale, body is None and not stale, past[0].patient_id, past[0].visit_id,
                author, datetime.now(UTC), current.body if body is None else body,
            )  # fmt: skip
            if not (stale and body is None):  # a late removal has no text to keep
                self._insert(kind, revision)
        if stale:
            raise StaleEditError(_LABELS.get(kind, kind), current, revision, stored=body is not None)
        return _entry([*past, revision])

    def _check_name(self, kind: Kind, name: str, key: str) -> None:
        """Raise InputError where another entry of this kind has the name, in upper or lower case."""
        for entry in self.entries(kind):
            if entry.now.key != key and entry.now.body["name"].casefold() == name.casefold():
                raise InputError(
                    f"There is a {_LABELS.get(kind, kind)} {name!r} already: choose another name."
                )

    def _insert(self, kind: Kind, revision: Revision) -> None:
        if self._on_write is not None:
            self._on_write(kind, revision)
        values = (
            kind, revision.key, revision.revision, revision.refused, revision.deleted, revision.patient_id,
            revision.visit_id, revision.author, revision.created_at.isoformat(timespec="microseconds"),
        )  # fmt: skip
        body = json.dumps(revision.body, ensure_ascii=False, sort_keys=True)
        if self._cipher is not None:
            body = self._cipher.encrypt(values, body)
        self._connection.execute(_INSERT, (*values, body))

    def opaque(self, key: str) -> str:
        """An entry's key as this file stores it: of an encrypted one, it does not say what the entry is about."""
        return key if self._cipher is None else self._cipher.opaque(key)

    def _revision(self, kind: Kind, row: tuple[Any, ...]) -> Revision:
        key, revision, refused, deleted, patient_id, visit_id, author, created_at, body = row
        return Revision(
            key, revision, bool(refused), bool(deleted), patient_id, visit_id, author,
            datetime.fromisoformat(created_at), read_body(self._cipher, (kind, *row[:-1]), body),
        )  # fmt: skip

    # The file

    def _open(self, legacy: Path | None) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            recover(self.path)
            if not self.path.exists():
                rows = import_duckdb(legacy) if legacy and legacy.is_file() else ()
                if rows and self._cipher is not None:
                    raise ArtifactError(
                        f"{legacy} is not encrypted: open it once without a key, then `python -m train workspace encrypt`."
                    )
                _create(self.path, rows)
            os.close(os.open(self.path, os.O_RDWR))
            if not os.access(self.path.parent, os.W_OK):  # for the two side files of the log
                raise PermissionError(errno.EACCES, "its folder cannot be written")
        except OSError as error:
            self.read_only_reason = _READ_ONLY.format(name=self.path.name, reason=error.strerror or error)
            return self._open_for_reading()
        connection = _connect(self.path)
        try:
            self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _open_for_reading(self) -> sqlite3.Connection:
        """The file without a writer's rights; an empty workspace where there is none."""
        if not self.path.is_file():
            return _empty()
        with contextlib.suppress(sqlite3.OperationalError):
            connection = _connect(f"{self.path.resolve().as_uri()}?mode=ro")
            self._check(connection)
            return connection
        # SQLite reads the log only where it can write its side files: so in a copy, which holds what the log does.
        with scratch_folder("workspace") as folder:
            for part in (self.path, Path(f"{self.path}-wal")):
                if part.is_file():
                    shutil.copyfile(part, folder / part.name)
            with contextlib.closing(_connect(folder / self.path.name)) as copy:
                self._check(copy)
                connection = _connect(":memory:")
                copy.backup(connection)
        return connection

    def _check(self, connection: sqlite3.Connection) -> int:
        """The file's version; raises ArtifactError where the file cannot be used."""
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > len(MIGRATIONS):
            raise ArtifactError(
                f"The workspace {self.path} has version {version}, and this program knows versions up to "
                f"{len(MIGRATIONS)}. Use the newer program that wrote it, or name another file with LEADER_WORKSPACE."
            )
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if version == 0 or "entries" not in tables:
            raise self._not_a_workspace(f"it holds {', '.join(sorted(tables)[:5]) or 'no tables'}")
        if (problem := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise self._not_a_workspace(f"it is damaged: {problem}")
        return version

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Bring the file to this code's version in one transaction; a copy of an older file is saved first."""
        version = self._check(connection)
        if version == len(MIGRATIONS):
            return
        copy = Path(f"{self.path}.version{version}")
        copy.touch(0o600)
        with contextlib.closing(_connect(copy)) as target:
            connection.backup(target)
        with _transaction(connection):
            _run_scripts(connection, MIGRATIONS[self._check(connection) :])  # perhaps another process did it

    def _not_a_workspace(self, why: str) -> ArtifactError:
        return ArtifactError(
            f"{self.path} is not a workspace of this program ({why.splitlines()[0][:160]}). Move it away, "
            "or name another file with LEADER_WORKSPACE; it was not changed."
        )


def _connect(path: Path | str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=str(path).startswith("file:")
    )  # fmt: skip
    connection.text_factory = (
        bytes.decode
    )  # SQLite's own error would quote what follows a byte that is no UTF-8
    return connection


def _identity(path: Path) -> tuple[int, int]:
    """Device and number of the file that is at a path; zeros where there is none."""
    with contextlib.suppress(OSError):
        about = path.stat()
        return about.st_dev, about.st_ino
    return (0, 0)


def _empty() -> sqlite3.Connection:
    """A workspace without entries, in memory."""
    connection = _connect(":memory:")
    _run_scripts(connection, MIGRATIONS)
    return connection


def _create(path: Path, rows: Iterable[tuple[Any, ...]]) -> None:
    """A new file with these rows, whole or not at all; one that another process created meanwhile stays."""
    with creating_file(path) as new, contextlib.closing(_connect(new)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        with _transaction(connection):
            _run_scripts(connection, MIGRATIONS[:1])
            connection.executemany(_INSERT, rows)  # of the first version, as `legacy` reads them
            _run_scripts(connection, MIGRATIONS[1:])


def _run_scripts(connection: sqlite3.Connection, scripts: Iterable[str]) -> None:
    """Bring the file to this code's version; `executescript` would end the transaction that is open."""
    for script in scripts:
        for statement in script.split(";\n"):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """The write lock of the file from the first statement on; a transaction inside one joins it."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _entry(history: list[Revision]) -> Entry:
    """An entry whose newest revision stands."""
    return Entry(history[-1], history[0].created_at, len(history), sum(each.refused for each in history))
