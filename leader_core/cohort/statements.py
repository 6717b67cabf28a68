"""The room's SQL files: found by name, run with exactly the values they ask for.

Values are always bound, never written into the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

_PARAMETER = re.compile(r"\$([a-z_]+)")
_COMMENT = re.compile(r"--[^\n]*")


@cache
def statement(name: str) -> str:
    """The text of `sql/NAME.sql`."""
    return (files("leader_core.cohort") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


@cache
def _parameters(name: str) -> frozenset[str]:
    return frozenset(_PARAMETER.findall(_COMMENT.sub("", statement(name))))


def run(
    connection: duckdb.DuckDBPyConnection, name: str, values: Mapping[str, Any] | None = None
) -> duckdb.DuckDBPyConnection:
    """Execute `sql/NAME.sql`; of `values`, those it names as $parameters are bound (a missing one raises KeyError)."""
    bound = {key: (values or {})[key] for key in _parameters(name)}
    return connection.execute(statement(name), bound) if bound else connection.execute(statement(name))
