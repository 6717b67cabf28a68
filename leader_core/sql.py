"""SQL files of a package, run by name with exactly the parameters that they use; values are bound, never written in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import duckdb

_PARAMETER: Final = re.compile(r"\$([a-z_]+)")
_COMMENT: Final = re.compile(r"--[^\n]*")


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
