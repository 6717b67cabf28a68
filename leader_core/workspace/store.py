"""The workspace's file: opened for writing by one process at a time, migrated, and guarded by one lock.

A second process reads a snapshot of it, and writes as soon as the first lets go. Refuses to know what is written.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb

from leader_core import sql
from leader_core.errors import ArtifactError
from leader_core.workspace.values import ReadOnlyError

log = logging.getLogger("leader.workspace")

_ROOM: Final = "leader_core.workspace"
MIGRATIONS: list[tuple[str, ...]] = [
    ("schema/001_about", "schema/001_entries", "schema/001_stars"),
    ("schema/002_error_kinds", "schema/002_annotations"),
]
"""What brings a file from each schema version to the next; the last one's number is this code's version."""

_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "threads": 1,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_SNAPSHOT_TRIES: Final = 8
_SNAPSHOT_AGE: Final = 1.0
"""Seconds that a snapshot is read before its file is looked at again."""

IN_USE: Final = (
    "Another server has this workspace open, so that here it can be read but not changed. "
    "Close the other server, or give this one a file of its own with LEADER_WORKSPACE."
)
NO_PLACE: Final = (
    "The workspace {name} cannot be written here ({reason}), so that notes, stars and variants cannot be saved. "
    "Name a file in a folder that can be written with LEADER_WORKSPACE."
)

_locks: dict[Path, threading.RLock] = {}
_locks_guard = threading.Lock()


def run(
    connection: duckdb.DuckDBPyConnection, name: str, values: Mapping[str, Any] | None = None
) -> duckdb.DuckDBPyConnection:
    """Execute one of this room's statements."""
    return sql.run(_ROOM, connection, name, values)


class Store:
    """One workspace file of this process. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            ArtifactError: a file that is no workspace, or one of a newer version.
        """
        self.path = path
        self.reason = ""  # why it cannot be written; empty where it can
        self._lock = _lock_of(path)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._seen: tuple[object, ...] = ()
        self._looked = 0.0
        with self._lock:
            self._connection = self._open()

    @property
    def writable(self) -> bool:
        return not self.reason

    def close(self) -> None:
        """Let go of the file; another process may write it then."""
        with self._lock:
            self._connection.close()
            self._drop_snapshot()

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor that sees every finished write (of another process: within about a second)."""
        with self._lock:
            if self.reason and time.monotonic() - self._looked > _SNAPSHOT_AGE:
                self._refresh()
            cursor = self._connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor in a transaction, the only one at a time; kept when the block ends well, undone otherwise.

        Raises:
            ReadOnlyError: another process holds the file, or its folder cannot be written.
        """
        with self._lock:
            if self.reason:
                self._take_over()
            cursor = self._connection.cursor()
            try:
                cursor.begin()
                yield cursor
                cursor.commit()
            except BaseException:
                _roll_back(cursor)
                raise
            finally:
                cursor.close()

    def _open(self) -> duckdb.DuckDBPyConnection:
        try:
            connection = self._connect()
        except _BusyError:
            self.reason = IN_USE
        except OSError as error:
            self.reason = NO_PLACE.format(name=self.path.name, reason=error.strerror or error)
        else:
            self.reason = ""
            return connection
        return self._snapshot()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        """The file itself, for writing.

        Raises:
            _BusyError: another process has it.
            OSError: it cannot be made or written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            connection = duckdb.connect(str(self.path), config=_CONFIG)
        except duckdb.IOException as error:
            text = str(error)
            if "lock" in text.lower():
                raise _BusyError from error
            if self.path.is_file() and "not a valid DuckDB" in text:
                raise self._not_ours(text) from error
            raise OSError(0, text.splitlines()[0][:200]) from error
        except duckdb.Error as error:
            raise self._not_ours(str(error)) from error
        return self._prepared(connection)

    def _prepared(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
        try:
            run(connection, "read/no_files")
            self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Bring the file to this code's version, in one transaction."""
        tables = {row[0] for row in run(connection, "read/tables").fetchall()}
        version = 0
        if tables:
            if "about" not in tables:
                raise self._not_ours(f"it has the tables {', '.join(sorted(tables)[:5])}")
            try:
                version = int(dict(run(connection, "read/about").fetchall())["schema"])
            except (KeyError, ValueError) as error:
                raise self._not_ours("it does not say its version") from error
        if version > len(MIGRATIONS):
            raise ArtifactError(
                f"The workspace {self.path} has version {version}, and this program knows versions up to "
                f"{len(MIGRATIONS)}. Use the newer program that made it, or name another file with LEADER_WORKSPACE."
            )
        if version == len(MIGRATIONS):
            return
        connection.begin()
        try:
            for step in MIGRATIONS[version:]:
                for name in step:
                    run(connection, name)
            run(connection, "write/fact", {"key": "schema", "value": str(len(MIGRATIONS))})
            connection.commit()
        except BaseException:
            _roll_back(connection)
            raise

    def _not_ours(self, why: str) -> ArtifactError:
        return ArtifactError(
            f"{self.path} is not a workspace of this program ({why.splitlines()[0][:160]}). Move it away, "
            "or name another file with LEADER_WORKSPACE; it was not changed."
        )

    # Reading what another process writes

    def _refresh(self) -> None:
        """Look at the file again: write it where that is possible by now, else read what is new."""
        self._looked = time.monotonic()
        if _state(self.path) == self._seen:
            return
        try:
            self._replace(self._snapshot())
        except ArtifactError:
            log.exception("no new snapshot of the workspace; the earlier one is still read")

    def _take_over(self) -> None:
        """Open the file for writing after all.

        Raises:
            ReadOnlyError: that is still not possible.
        """
        try:
            connection = self._connect()
        except (_BusyError, OSError):
            raise ReadOnlyError(self.reason) from None
        self.reason = ""
        self._replace(connection)
        self._drop_snapshot()

    def _replace(self, connection: duckdb.DuckDBPyConnection) -> None:
        # The old one is left to the cursors that may still read from it.
        self._connection = connection

    def _snapshot(self) -> duckdb.DuckDBPyConnection:
        """A private copy of the file and of its log of the latest writes; an empty workspace where there is no file.

        Raises:
            ArtifactError: no whole copy could be had, because the file changed each time.
        """
        if not self.path.is_file():
            self._seen = _state(self.path)
            return self._prepared(duckdb.connect(":memory:", config=_CONFIG))
        problem: Exception | None = None
        for attempt in range(_SNAPSHOT_TRIES):
            folder = tempfile.TemporaryDirectory(prefix="leader-workspace-", ignore_cleanup_errors=True)
            copy = Path(folder.name) / "snapshot.duckdb"
            before = _state(self.path)
            try:
                shutil.copyfile(self.path, copy)
                if _log_of(self.path).is_file():
                    shutil.copyfile(_log_of(self.path), _log_of(copy))
                if _state(self.path) == before:
                    connection = self._prepared(duckdb.connect(str(copy), config=_CONFIG))
                    self._drop_snapshot()
                    self._folder, self._seen, self._looked = folder, before, time.monotonic()
                    return connection
            except (OSError, duckdb.Error) as error:
                problem = error
            folder.cleanup()
            time.sleep(0.02 * (attempt + 1))
        raise ArtifactError(
            f"The workspace {self.path} cannot be read while another server writes it. Try again in a moment."
        ) from problem

    def _drop_snapshot(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


class _BusyError(Exception):
    """Another process holds the file."""


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.rollback()
    except duckdb.Error:
        log.debug("nothing to undo", exc_info=True)


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _state(path: Path) -> tuple[object, ...]:
    """Tells one state of the file and its log from another."""
    found: list[object] = []
    for part in (path, _log_of(path)):
        try:
            stat = part.stat()
            found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
        except OSError:
            found.append(None)
    return tuple(found)


def _lock_of(path: Path) -> threading.RLock:
    """One lock a file, also where a process opens it twice."""
    with _locks_guard:
        return _locks.setdefault(path.resolve(), threading.RLock())
