"""The audit log: who opened, exported and changed what, in a file that is only ever appended to.

One JSON object a line. Each holds the hash of the line before it and its own (SHA-256 over its other fields), so that a line
changed, removed or inserted later breaks the chain. Lines cut off at the end break nothing: note the last hash elsewhere and
give it to `verify`. Entries name accounts and opaque ids, never what a record says.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from leader_core.errors import ArtifactError, InputError, NotFoundError

SUFFIX: Final = ".audit.jsonl"
START: Final = "0" * 64
"""What stands for the hash of the line before the first."""
_LONGEST_LINE: Final = 8_192
"""Bytes: three fields of 200 characters, of which JSON makes up to 12 bytes each, and the rest."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the log."""

    number: int  # from 1
    time: str  # ISO 8601, UTC
    account: str  # who; "" where nobody signs in
    action: str
    object: str  # an opaque id, such as "patient 1031, visit 2"
    previous: str  # hash of the line before
    hash: str


_FIELDS: Final = tuple(each.name for each in fields(AuditEntry))


@dataclass(slots=True)
class AuditLog:
    """An audit log that this process appends to. Safe between threads, and between processes on one machine."""

    path: Path
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def append(self, account: str, action: str, target: str = "") -> AuditEntry:
        """Add an entry; it is on the disk when this returns.

        Raises:
            InputError: the file cannot be written.
            ArtifactError: the file's last line is no entry.
        """
        try:
            with self._lock, self._open() as handle:
                fcntl.flock(handle, fcntl.LOCK_EX)  # until it is closed
                number, previous = _last(self.path, handle.fileno())
                entry = _entry(number + 1, datetime.now(UTC).isoformat(), account, action, target, previous)
                size = os.fstat(handle.fileno()).st_size
                try:
                    if handle.write(line := _line(entry)) < len(line):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.fsync(handle.fileno())
                except OSError:  # after a part of a line nothing could follow
                    handle.truncate(size)
                    raise
        except OSError as error:
            raise InputError(
                f"The audit log {self.path} cannot be written ({error.strerror or error}), and without it nothing is opened, "
                "exported or changed. Free some space or name another file with --audit."
            ) from error
        return entry

    def _open(self) -> Any:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return os.fdopen(os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "ab", buffering=0)


def read(path: Path) -> Iterator[AuditEntry]:
    """The entries of a log, each checked against the one before it.

    Raises:
        NotFoundError: no such file.
        ArtifactError: a line that is no entry, or breaks the chain; its number is named.
    """
    if not path.is_file():
        raise NotFoundError(f"There is no audit log {path}.")
    number, previous = 0, START
    with path.open("rb") as lines:
        for line in lines:
            entry = _parsed(line)
            if entry is None or line != _line(entry):  # JSON has other ways to write the same
                raise ArtifactError(
                    f"{path}, line {number + 1}, is no entry of an audit log: it was changed or cut off."
                )
            if (entry.number, entry.previous) != (number + 1, previous) or _hash(entry) != entry.hash:
                raise ArtifactError(
                    f"{path}, line {number + 1}, does not follow from the line before it: a line was changed, removed or "
                    "inserted."
                )
            number, previous = entry.number, entry.hash
            yield entry


def verify(path: Path, head: str = "") -> tuple[int, str]:
    """Read a log whole.

    Args:
        path: the log.
        head: a hash that was noted earlier as the last one; it must still be among the entries.

    Returns:
        How many entries it holds, and the hash of the last.

    Raises:
        NotFoundError: no such file.
        ArtifactError: the chain is broken, or `head` is not in it.
    """
    count, last, present = 0, START, head in ("", START)
    for entry in read(path):
        count, last = entry.number, entry.hash
        present = present or entry.hash == head
    if not present:
        raise ArtifactError(
            f"{path} holds no entry with the hash {head}: entries were cut off at the end, or this is another log."
        )
    return count, last


def _last(path: Path, descriptor: int) -> tuple[int, str]:
    """Number and hash of the last entry."""
    size = os.fstat(descriptor).st_size
    if size == 0:
        return 0, START
    end = os.pread(descriptor, _LONGEST_LINE, max(0, size - _LONGEST_LINE))
    entry = _parsed(end.rstrip(b"\n").rsplit(b"\n", 1)[-1]) if end.endswith(b"\n") else None
    if entry is None:
        raise ArtifactError(
            f"The audit log {path} does not end with an entry. Move it away and keep it; a new one is begun."
        )
    return entry.number, entry.hash


def _entry(number: int, time: str, account: str, action: str, target: str, previous: str) -> AuditEntry:
    entry = AuditEntry(number, time, account[:200], action[:200], target[:200], previous, "")
    return replace(entry, hash=_hash(entry))


def _hash(entry: AuditEntry) -> str:
    content = json.dumps(astuple(entry)[:-1], ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _line(entry: AuditEntry) -> bytes:
    return json.dumps(asdict(entry), ensure_ascii=True).encode() + b"\n"


def _parsed(line: bytes) -> AuditEntry | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict) or set(record) != set(_FIELDS) or not isinstance(record["number"], int):
        return None
    if not all(isinstance(record[name], str) for name in _FIELDS[1:]):
        return None
    return AuditEntry(**record)
