"""DuckDB connections that load nothing from elsewhere, and SQL files of a package, run by name.

A statement gets exactly the parameters that it names; values are bound, never written in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from leader_core.errors import InputError
from leader_core.files import user_folder

if TYPE_CHECKING:
    import duckdb

_PARAMETER: Final = re.compile(r"\$([a-z_]+)")
_COMMENT: Final = re.compile(r"--[^\n]*")

_NO_DOWNLOADS: Final = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
"""Without these, a file of another format makes DuckDB fetch an extension that could read it."""
_NO_OTHER_FILES: Final = {"enable_external_access": False}
"""A view in a database that somebody else wrote could read any file of this machine; its own file DuckDB opens all the same."""


def connect(
    path: Path | str = ":memory:", *, read_only: bool = False, config: Mapping[str, str | int] | None = None
) -> duckdb.DuckDBPyConnection:
    """A database file, or one in memory; every connection of this project is opened here.

    Raises:
        duckdb.Error: the file is no database or cannot be opened.
        InputError: its name is not UTF-8, which DuckDB needs.
    """
    import duckdb

    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"The name {str(path)!r} is not UTF-8: choose another one.") from error

    # By default .tmp in the working folder. DuckDB removes there what processes that were killed have left.
    own = {"temp_directory": str(user_folder())} if path == ":memory:" else {}
    alone = _NO_OTHER_FILES if read_only else {}
    return duckdb.connect(
        str(path), read_only=read_only, config={**_NO_DOWNLOADS, **alone, **own, **(config or {})}
    )


def allow_only(connection: duckdb.DuckDBPyConnection, *databases: Path) -> None:
    """From now on a connection reads and writes no files but these databases and their logs, whatever a view in them says."""
    names = [name for path in databases for name in (str(path), os.path.realpath(path))]
    paths = [*names, *(f"{name}.wal" for name in names)]
    connection.execute("SET allowed_paths = $paths", {"paths": paths})
    connection.execute("SET enable_external_access = false")


def complete(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring everything into the file of a database: closing does so as well, but is silent where the disk is full.

    Raises:
        duckdb.Error: the disk is full, or fails.
    """
    connection.execute("CHECKPOINT")


def remove_spilled() -> None:
    """Remove what queries of this process put on disk, where it ends without closing its connections."""
    for path in user_folder().glob(f"duckdb_temp_{os.getpid()}_*"):
        path.unlink(missing_ok=True)


@cache
def statement(package: str, name: str) -> str:
    """The text of `sql/NAME.sql` of a package."""
    return (files(package) / "sql" / f"{name}.sql").read_text(encoding="utf-8")


@cache
def _parameters(package: str, name: str) -> frozenset[str]:
    return frozenset(_PARAMETER.findall(_COMMENT.sub("", statement(package, name))))


def run(
    package: str, connection: duckdb.DuckDBPyConnection, name: str, values: Mapping[str, Any] | None = None
) -> duckdb.DuckDBPyConnection:
    """Execute `sql/NAME.sql` of a package; of `values`, those it names as $parameters are bound.

    Raises:
        KeyError: a parameter that `values` lacks.
    """
    text = statement(package, name)
    bound = {key: (values or {})[key] for key in _parameters(package, name)}
    return connection.execute(text, bound) if bound else connection.execute(text)
