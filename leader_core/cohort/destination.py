"""Where a cohort is written: checked before work begins, held by one builder at a time, left clean whatever happens.

Refuses to know what is written.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leader_core.errors import InputError
from leader_core.files import replacing_file

_DUCKDB_MAGIC: Final = b"DUCK"


@dataclass(frozen=True, slots=True)
class Workplace:
    """Two paths beside the destination: the database while it grows, and a folder for what memory cannot hold."""

    database: Path
    spill: Path


def check_destination(out: Path) -> None:
    """Refuse to replace what is no database: a slip of the keyboard must not cost a file.

    Raises:
        InputError: a folder, or a file of another kind.
    """
    if out.is_dir():
        raise InputError(
            f"{out} is a folder: expected the path of the database to write, like {out / 'cohort.duckdb'}."
        )
    if out.is_file() and out.stat().st_size:
        with out.open("rb") as stream:
            if stream.read(12)[8:] != _DUCKDB_MAGIC:
                raise InputError(
                    f"{out} exists and is no DuckDB database, so it is not replaced. Choose another --out."
                )


@contextmanager
def workplace(out: Path) -> Iterator[Workplace]:
    """Room to write `out` in: it replaces `out` on success, and nothing is left beside it on failure.

    What a killed build left (patients' data) is removed first; the lock says that no living one needs it.

    Raises:
        InputError: another build is writing the same file.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    lock = out.with_name(f".{out.name}.lock")
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"Another build is writing {out}. Wait for it, or choose another --out."
            ) from None
        try:
            _remove_leftovers(out)
            with replacing_file(out) as partial:
                spill = out.with_name(f".{out.name}.spill")
                spill.mkdir()
                yield Workplace(partial, spill)
        finally:
            _remove_leftovers(out)
            lock.unlink(missing_ok=True)


def _remove_leftovers(out: Path) -> None:
    for path in out.parent.iterdir():
        if path.name.startswith(f".{out.name}.") and path.name.endswith(
            (".partial", ".partial.wal", ".spill")
        ):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
