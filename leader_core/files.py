"""Writing files and folders so that a reader never sees half of one, and a kill never costs the earlier one.

New content grows in a working folder next to its target, `.NAME.RANDOM.partial`, on which its process holds a lock. When it
is complete, it is flushed to disk and renamed into place; a folder that it replaces changes places with it in one step. Where
the system cannot do that, the earlier folder waits in the working folder until its successor is in place: whatever a killed
run left, the next run of the same target puts back or removes.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import glob
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

from leader_core.errors import ArtifactError, InputError

_CHUNK: Final = 1 << 20
_NEW: Final = "new"
_OLD: Final = "old"
_REPLACED: Final = "replaced"
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux
_IN_THE_WAY: Final = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)

T = TypeVar("T")

SEAL: Final = "seal"
"""Under which key a record carries the digest of all its others."""


def seal_of(record: Mapping[str, Any]) -> str:
    """Hex sha256 of a JSON record without its seal, however it is laid out."""
    rest = {key: value for key, value in record.items() if key != SEAL}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write_sealed(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record as JSON with a seal, by which a reader notices a later change."""
    write_json(path, {**record, SEAL: seal_of(record)})


@dataclass(frozen=True, slots=True)
class OutputKind:
    """What a command writes: an existing target is replaced only where it is one of the same kind."""

    name: str  # as in "expected a student's model folder"
    folder: bool
    problem: Callable[[Path], str]  # why an existing path is none; "" where it is one
    private: bool = False  # about patients: readable by its owner only

    def check(self, path: Path) -> None:
        """Refuse to replace anything but one of this kind; what does not exist or is empty may be written.

        Raises:
            InputError: something else is there, and the text says what.
        """
        if not os.path.lexists(path):
            return
        if path.is_dir() if self.folder else path.is_file():
            empty = not any(path.iterdir()) if self.folder else not path.stat().st_size
            reason = "" if empty else self.problem(path)
        elif path.is_dir():
            reason = "it is a folder"
        else:
            reason = "it is a file" if path.is_file() else "it is neither a file nor a folder"
        if reason:
            raise InputError(
                f"{path} is not replaced: expected {self.name}, but {reason}. Name another place, or move it away."
            )


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file's bytes, read in 1 MiB chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def write_text(path: Path, text: str, kind: OutputKind | None = None) -> None:
    """Write UTF-8 text next to `path`, then move it into place."""
    with replacing_file(path, kind) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any, kind: OutputKind | None = None) -> None:
    """Write indented JSON with sorted keys next to `path`, then move it into place."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", kind)


def write_by_class(path: Path, record: Mapping[str, Any]) -> None:
    """Write a JSON record with one line for each of its `classes`, into a folder that is still being made."""
    classes = record["classes"]
    head = json.dumps({key: value for key, value in record.items() if key != "classes"}, sort_keys=True)[:-1]
    lines = ",\n".join(f"{json.dumps(code)}: {json.dumps(classes[code])}" for code in sorted(classes))
    path.write_text(f'{head}, "classes": {{\n{lines}\n}}}}\n', encoding="utf-8")


def read_by_class(path: Path, parse: Callable[[Any], T]) -> T | None:
    """What `write_by_class` wrote, parsed; None where there is no such file.

    Raises:
        ArtifactError: the file is no JSON, or `parse` finds another shape.
    """
    if not path.is_file():
        return None
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ArtifactError(
            f"{path} is not readable ({error}). Write it again: python -m train calibrate."
        ) from error


def check_output(path: Path, kind: OutputKind) -> None:
    """What a command calls before it begins: put back what a killed run left of `path`, and check what is there.

    Raises:
        InputError: something is there that is not of this kind, or the folder cannot be written.
    """
    path = _target(path)
    place = path.parent
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise InputError(
            f"{path} cannot be written: {place} is no folder that you may write to. Name another place."
        )
    recover(path)
    kind.check(path)


@contextmanager
def replacing_file(
    path: Path, kind: OutputKind | None = None, *, private: bool = False, alone: bool = False
) -> Iterator[Path]:
    """A temporary path next to `path` that replaces it on success and vanishes on failure.

    Nothing is at the temporary path yet; the folder that it is in is the writer's own, and is removed in the end.

    Args:
        kind: what may be replaced; by default any file.
        private: readable by its owner only, as files of a private kind always are.
        alone: refuse to start while another process writes the same target.

    Raises:
        InputError: something of another kind is there, or another process is writing it.
    """
    path = _target(path)
    if kind is not None:
        kind.check(path)
    with _working_folder(path, alone=alone) as work:
        yield work / _NEW
        if private or (kind is not None and kind.private):
            (work / _NEW).chmod(0o600)
        _flush(work / _NEW)
        if kind is not None:
            kind.check(path)  # it may have come while this was written
        (work / _NEW).replace(path)
        _flush_folder(path.parent)


@contextmanager
def replacing_folder(path: Path, kind: OutputKind | None = None) -> Iterator[Path]:
    """A temporary folder next to `path` that replaces it on success and vanishes on failure.

    Raises:
        InputError: something of another kind is there.
    """
    path = _target(path)
    if kind is not None:
        kind.check(path)
    with _working_folder(path) as work:
        (work / _NEW).mkdir()
        yield work / _NEW
        _swap(work / _NEW, path, work, kind)


@contextmanager
def creating_file(path: Path) -> Iterator[Path]:
    """A temporary path next to `path` that becomes it on success, readable by its owner only; what another process put
    there meanwhile stays.
    """
    path = _target(path)
    with _working_folder(path) as work:
        new = work / _NEW
        yield new
        new.chmod(0o600)
        _flush(new)
        try:
            os.link(new, path)
        except FileExistsError:
            return
        except OSError:  # a file system without links, such as exFAT
            if not path.exists():
                new.replace(path)
        _flush_folder(path.parent)


def user_folder() -> Path:
    """A folder of this user alone in the system's temporary one, for what may hold data about patients.

    Raises:
        InputError: something else is in its place.
    """
    folder = Path(tempfile.gettempdir(), f"leader-{os.getuid()}")
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o077:
        raise InputError(
            f"{folder} is not a folder that you alone can read. Remove it, or set TMPDIR to another temporary folder."
        )
    return folder


@contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """A temporary folder of this user alone, removed in the end; the next one of this name removes what a kill left."""
    with _working_folder(user_folder() / name) as work:
        yield work


def move_into_place(folder: Path, path: Path, kind: OutputKind | None = None) -> None:
    """Let a complete folder on the same file system replace `path`; on failure both stay where they are.

    Raises:
        InputError: something of another kind is there.
    """
    path = _target(path)
    with _working_folder(path) as work:
        _swap(folder, path, work, kind)


def _target(path: Path) -> Path:
    """Where a path leads: a link is written through, and the last part is a name."""
    return Path(os.path.realpath(path))


def _swap(new: Path, path: Path, work: Path, kind: OutputKind | None) -> None:
    """Rename a complete folder to `path`; a folder in its way goes to `work`, from where `_clear` puts it back if need be."""
    if kind is not None and kind.private:
        new.chmod(0o700)
    _flush(new)
    for number in count():
        try:
            new.rename(path)
            break
        except OSError as error:
            if error.errno not in _IN_THE_WAY or not path.exists():
                raise
        if kind is not None:
            kind.check(path)
        if _exchange(new, path):
            new.rename(work / _REPLACED)
            break
        with suppress(FileNotFoundError):  # another process may move it first
            path.rename(work / f"{_OLD}-{number}")
    _flush_folder(path.parent)


def _exchange(new: Path, path: Path) -> bool:
    """Let two folders change places in one step; False where the system or the file system cannot."""
    try:
        rename = ctypes.CDLL(None).renameat2  # Python has no name for it
    except (AttributeError, OSError):
        return False
    return bool(rename(_HERE, os.fsencode(new), _HERE, os.fsencode(path), _EXCHANGE) == 0)


@contextmanager
def _working_folder(path: Path, *, alone: bool = False) -> Iterator[Path]:
    """A locked folder next to `path`, for its owner only, removed in the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    recover(path)
    while True:
        work = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
        with suppress(FileNotFoundError):  # another process may take it for a leftover before it is locked
            handle = os.open(work, os.O_RDONLY)
            _lock(handle)
            if work.exists():
                break
            os.close(handle)
    try:
        if alone and len(_leftovers(path)) > 1:
            raise InputError(f"Another run is writing {path}. Wait for it, or name another file.")
        yield work
    finally:
        _clear(work, path)
        os.close(handle)


def recover(path: Path) -> None:
    """Put back or remove what killed runs left next to `path`; what a running one holds stays."""
    for left in _leftovers(path):
        with suppress(OSError):
            handle = os.open(left, os.O_RDONLY)
            try:
                if _lock(handle):
                    _clear(left, path)
            finally:
                os.close(handle)


def _leftovers(path: Path) -> list[Path]:
    """The working folders of a target, of running and of killed processes."""
    named = path.parent.glob(f".{glob.escape(path.name)}.*.partial")
    return sorted(folder for folder in named if folder.is_dir())


def _lock(handle: int) -> bool:
    """Lock an open folder without waiting; False where another process holds it or the file system has no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _clear(work: Path, path: Path) -> None:
    """Remove a working folder, after an unfinished swap has been undone."""
    waiting = sorted(work.glob(f"{_OLD}-*"))
    if waiting and not os.path.lexists(path):
        try:
            waiting[-1].rename(path)
        except OSError:
            if not os.path.lexists(path):  # nobody else put theirs there meanwhile: it stays where it is
                raise
    elif waiting and (work / _NEW).exists():
        return  # unfinished, and somebody has written something else there since: nothing is deleted
    shutil.rmtree(work, ignore_errors=True)


def _flush(path: Path) -> None:
    """Have the disk hold a file, or a folder with all that is in it."""
    if path.is_dir():
        for each in path.iterdir():
            _flush(each)
        _flush_folder(path)
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_folder(path: Path) -> None:
    with suppress(OSError):  # some file systems cannot flush a folder
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
