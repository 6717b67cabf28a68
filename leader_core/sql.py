"""DuckDB connections that load nothing from elsewhere, and SQL files of a package, run by name.

A statement gets exactly the parameters that it names; values are bound, never written in.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from leader_core.errors import InputError
from leader_core.files import user_folder
from leader_core.keys import given_key

if TYPE_CHECKING:
    import duckdb

_PARAMETER: Final = re.compile(r"\$([a-z_]+)")
_COMMENT: Final = re.compile(r"--[^\n]*")

KEY: Final = "LEADER_COHORT_KEY"
"""Names the key (`leader_core.keys`) with which cohorts and stored scores are then encrypted and read."""

_NO_DOWNLOADS: Final = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
"""Without these, a file of another format makes DuckDB fetch an extension that could read it."""
_NO_OTHER_FILES: Final = {"enable_external_access": False}
"""A view in a database that somebody else wrote could read any file of this machine; its own file DuckDB opens all the same."""


def connect(
    path: Path | str = ":memory:",
    *,
    read_only: bool = False,
    config: Mapping[str, str | int] | None = None,
    plain: bool = False,
) -> duckdb.DuckDBPyConnection:
    """A database file, or one in memory; every connection of this project is opened here. `plain` is a file that is in the
    clear whether a key is set or not.

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
    encrypted = not plain and given_key(KEY) is not None
    own = {"temp_directory": str(user_folder())} if path == ":memory:" or encrypted else {}
    options = {**_NO_DOWNLOADS, **own, **(config or {})}
    if encrypted:
        return _connect_encrypted(path, read_only, options)
    alone = _NO_OTHER_FILES if read_only else {}
    return duckdb.connect(str(path), read_only=read_only, config={**options, **alone})


def _connect_encrypted(
    path: Path | str, read_only: bool, config: dict[str, Any]
) -> duckdb.DuckDBPyConnection:
    """DuckDB takes a key only where a database is attached. What a query puts on disk is encrypted too, or the query fails."""
    import duckdb

    connection = duckdb.connect(config=config)
    try:
        connection.execute("SET temp_file_encryption = true")
        with suppress(InputError) if read_only or path == ":memory:" else nullcontext():
            load_cipher(connection)
        if path == ":memory:":
            return connection
        attach(connection, Path(path), "encrypted", read_only=read_only)
        connection.execute("USE encrypted")
        if read_only:
            allow_only(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def attach(connection: duckdb.DuckDBPyConnection, path: Path, name: str, *, read_only: bool = True) -> None:
    """Attach a cohort or stored scores, with the key where the environment gives one.

    Raises:
        duckdb.Error: no database, an encrypted one without its key, or one in the clear with a key.
        InputError: see `given_key`.
    """
    options, values = ["TYPE duckdb"], {"path": str(path)}
    if read_only:
        options.append("READ_ONLY")
    if (key := given_key(KEY)) is not None:
        options.append("ENCRYPTION_KEY $key")
        values["key"] = base64.b64encode(key).decode()
    connection.execute(f"ATTACH $path AS {name} ({', '.join(options)})", values)


def load_cipher(connection: duckdb.DuckDBPyConnection) -> None:
    """Load what DuckDB writes encrypted databases with; it reads them by itself.

    Raises:
        InputError: its extension httpfs (OpenSSL) is not installed; it is never fetched here.
    """
    import duckdb

    try:
        connection.execute("LOAD httpfs")
    except duckdb.Error as error:
        raise InputError(
            f"{KEY} is set, and DuckDB writes encrypted files only with its extension httpfs, which is not installed. "
            """Install it once: .venv/bin/python -c "import duckdb; duckdb.sql('INSTALL httpfs')"; without a network, as """
            "dashboard/README.md says."
        ) from error


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
