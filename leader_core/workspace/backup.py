"""Copies of a workspace: taken while servers write to it, checked, put back without losing what is there now; its encryption."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, get_args

from leader_core.errors import ArtifactError, InputError, NotFoundError
from leader_core.files import OutputKind, replacing_file
from leader_core.workspace.encryption import Cipher, is_encrypted
from leader_core.workspace.store import BUSY_SECONDS, MIGRATIONS, Kind, Store
from leader_core.workspace.values import is_record

_MAGIC: Final = b"SQLite format 3\0"
_WRITE_VERSION: Final = 18
"""Offset of the byte that says 2 in WAL mode, else 1. Source: sqlite.org/fileformat2.html, Database Header."""
_ENTRIES: Final = "SELECT * FROM entries ORDER BY kind, key, revision"
_REPLACE: Final = "UPDATE entries SET key = ?, body = ? WHERE kind = ? AND key = ? AND revision = ?"


def _is_workspace(path: Path) -> str:
    with path.open("rb") as stream:
        if stream.read(16) != _MAGIC:
            return "it is no SQLite database"
    try:
        with closing(_reading(path)) as connection:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master").fetchall()}
    except sqlite3.OperationalError as error:  # locked, disk full: nothing is wrong with the file
        raise ArtifactError(
            f"{path} cannot be read now ({error}). Close what holds it or free some space on its disk, then try again. "
            "Leave the file where it is: it holds the notes."
        ) from error
    except (sqlite3.Error, UnicodeDecodeError) as error:
        return f"it cannot be read ({error})"
    return "" if "entries" in tables else "it is a database of something else"


def _is_backup(path: Path) -> str:
    """Why a file is not replaced by a backup: notes are written to a workspace in WAL mode, which no copy made here is in."""
    with path.open("rb") as stream:
        stream.seek(_WRITE_VERSION)
        in_use = stream.read(1) == b"\2"
    return _is_workspace(path) or ("it is a workspace that notes are written to" if in_use else "")


_KINDS: Final = {*get_args(Kind), "annotation", "decision"}  # the last two are of earlier versions
WORKSPACE: Final = OutputKind("a workspace", False, _is_workspace, private=True)
BACKUP: Final = OutputKind("a backup of a workspace", False, _is_backup, private=True)


def verify(path: Path, cipher: Cipher | None = None, *, damaged: bool = False) -> Mapping[str, int]:
    """Read all of a workspace; how many entries of each kind stand, and how many `revisions` there are in all.

    With `damaged`, revisions that hold no record are counted as that. Where all are `encrypted`, that is a count too; what they
    say is read only with their cipher.

    Raises:
        NotFoundError: no such file.
        ArtifactError: no workspace of a version known here, damaged, or encrypted with another key; the text names the entry.
    """
    if not path.is_file():
        raise NotFoundError(f"There is no workspace {path}. Name the file with the notes.")
    if why := _is_workspace(path):
        raise ArtifactError(f"{path} is no workspace: {why}.")
    counts: Counter[str] = Counter()
    try:
        with closing(_reading(path)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if not 1 <= version <= len(MIGRATIONS):
                raise ArtifactError(f"{path} has version {version}, expected 1 to {len(MIGRATIONS)}.")
            problem = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if problem != "ok":
                raise ArtifactError(f"{path} is damaged: {problem}. Restore a backup.")
            standing: dict[tuple[str, str], bool] = {}
            expected: dict[tuple[str, str], int] = {}
            for *row, body in connection.execute(_ENTRIES):
                kind, key, revision, refused, deleted, *_, created_at = row
                where = f"{path}: the {kind} {key!r}, revision {revision}"
                expected[kind, key] = expected.get((kind, key), 0) + 1
                if kind not in _KINDS or revision != expected[kind, key]:
                    raise ArtifactError(f"{where}, is not where it should be. Restore a backup.")
                encrypted = is_encrypted(body)
                counts.update({"encrypted": 1} if encrypted else {})
                if encrypted and cipher is not None:
                    body = cipher.decrypt(row, body)
                if not (encrypted and cipher is None) and not is_record(kind, json.loads(body)):
                    if not damaged:
                        raise ArtifactError(
                            f"{where}, holds no record. Restore a backup, or back up the rest to a new file."
                        )
                    counts["damaged"] += 1
                datetime.fromisoformat(created_at)
                if not refused:
                    standing[kind, key] = not deleted
                counts["revisions"] += 1
    except (sqlite3.Error, ValueError, TypeError) as error:
        raise ArtifactError(f"{path} is damaged ({error}). Restore a backup.") from error
    if counts["encrypted"] not in (0, counts["revisions"]):
        raise ArtifactError(f"{path} is encrypted in part. Restore a backup.")
    counts.update(kind for (kind, _), stands in standing.items() if stands)
    return {name: number for name, number in counts.items() if number}


def back_up(path: Path, out: Path) -> Mapping[str, int]:
    """Copy a workspace, in use or not, to one file of its own; what `verify` says of the copy. One with damaged entries replaces
    no earlier backup, which may have them whole.

    Raises:
        NotFoundError, ArtifactError: as `verify`.
        InputError: something else is at `out`.
    """
    verify(path, damaged=not out.exists())
    if out.exists() and out.resolve() == path.resolve():
        raise InputError(f"{out} is the workspace itself: name another file for its backup.")
    with replacing_file(out, BACKUP) as temporary:
        _copy(path, temporary)
        return verify(temporary, damaged=True)


def restore(backup: Path, path: Path) -> tuple[Mapping[str, int], Path | None]:
    """Let a backup stand in place of a workspace, which servers may have open; what `verify` says of it.

    The present state is copied next to the workspace first: the second value is where.

    Raises:
        NotFoundError, ArtifactError: the backup is not sound.
        InputError: something else is at `path`, or it is being written to.
    """
    verify(backup, damaged=True)
    if path.exists() and path.resolve() == backup.resolve():
        raise InputError(f"{path} is the backup itself: name the workspace that it is to replace.")
    WORKSPACE.check(path)
    if not path.exists() or not path.stat().st_size:
        counts = back_up(backup, path)
        with closing(_writing(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")  # from now on no backup any more
        return counts, None
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    # Written under a name without the time, so that the next run clears up after one that was killed.
    copied = path.with_name(f"{path.name}.before-restore")
    with replacing_file(copied, WORKSPACE) as temporary:
        _copy(path, temporary)  # as it is, damaged or not
    kept = copied.rename(f"{copied}-{moment}")
    try:
        with closing(_reading(backup)) as source, closing(_writing(path)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = WAL")
            target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise InputError(
            f"{path} could not be restored ({error}). Close what writes to it, then try again; {kept} is as it was."
        ) from error
    Store(path).close()  # a backup of an earlier version is brought to this one
    return verify(path, damaged=True), kept


def encrypt(path: Path, cipher: Cipher) -> Mapping[str, int]:
    """Encrypt a workspace that is not, in its own file and for good; what `verify` says of it.

    One that is encrypted already is cleared of the old text, which a run that was killed or had no space may have left.

    Raises:
        NotFoundError, ArtifactError: as `verify`; encrypted with another key.
        InputError: a server has it open, or the disk is full.
    """
    before = verify(path, damaged=True)
    if "encrypted" in before:
        verify(path, cipher, damaged=True)
    else:
        Store(path).close()  # brought to this version
    try:
        with closing(_writing(path)) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("BEGIN EXCLUSIVE")
            rows = connection.execute(_ENTRIES).fetchall() if "encrypted" not in before else ()
            for *row, body in rows:
                kind, key, revision, *rest = row
                stored = cipher.opaque(key) if kind == "row_tag" else key
                body = cipher.encrypt((kind, stored, revision, *rest), body)
                connection.execute(_REPLACE, (stored, body, kind, key, revision))
            connection.execute("COMMIT")
            connection.execute("VACUUM")  # or free pages would go on holding the old text
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.OperationalError as error:
        raise InputError(
            f"{path} could not be encrypted now ({error}). Stop the servers that have it open, or free some space, then "
            "try again: until then it may hold the old text."
        ) from error
    return verify(path, cipher, damaged=True)


def _copy(path: Path, out: Path) -> None:
    try:
        with closing(_reading(path)) as source, closing(_writing(out)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # one file, nothing next to it
    except sqlite3.Error as error:
        raise ArtifactError(f"{path} could not be copied ({error}).") from error


def _reading(path: Path) -> sqlite3.Connection:
    """A connection for reading. SQLite may need to write its side files to see what the log holds; where there is no log
    and nothing can be written, such as on a disc, nobody changes the file meanwhile.
    """
    fixed = not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists()
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={'ro&immutable=1' if fixed else 'rw'}",
        timeout=BUSY_SECONDS,
        uri=True,
    )
    connection.text_factory = (
        bytes.decode
    )  # SQLite's own error would quote what follows a byte that is no UTF-8
    connection.execute("PRAGMA query_only = ON")
    return connection


def _writing(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
