"""The cohort's SQL files.

Refuses to know how they are run; `leader_core.sql` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from leader_core import sql

if TYPE_CHECKING:
    import duckdb

_ROOM: Final = "leader_core.cohort"


def statement(name: str) -> str:
    """The text of `sql/NAME.sql`."""
    return sql.statement(_ROOM, name)


def run(
    connection: duckdb.DuckDBPyConnection, name: str, values: Mapping[str, Any] | None = None
) -> duckdb.DuckDBPyConnection:
    """Execute `sql/NAME.sql`; of `values`, those it names as $parameters are bound (a missing one raises KeyError)."""
    return sql.run(_ROOM, connection, name, values)
