"""SQL lint: every .sql file explains itself and makes one thing, all SQL parses, and nothing builds SQL from strings."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("leader_core", "train", "dashboard")
FILES = sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.sql"))

sql_file = pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))


def _code(text: str) -> str:
    """The text without comments and string literals."""
    return re.sub(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", " ", text, flags=re.DOTALL)


def test_there_is_sql_to_lint() -> None:
    assert FILES


@sql_file
def test_a_comment_on_top_says_why(path: Path) -> None:
    first, *_ = path.read_text(encoding="utf-8").splitlines()
    assert first.startswith("--") and len(first.split()) >= 4, (
        "the first line must be a comment in plain words"
    )


@sql_file
def test_it_parses(path: Path) -> None:
    statements = duckdb.extract_statements(path.read_text(encoding="utf-8"))
    assert statements


@sql_file
def test_no_placeholders_of_string_formatting(path: Path) -> None:
    result = re.findall(r"\{[^}]*\}|%\(?\w+\)?s|\$\{", _code(path.read_text(encoding="utf-8")))
    assert result == [], "bind parameters instead: ? or $name"


@sql_file
def test_one_file_makes_at_most_one_lasting_table_and_bears_its_name(path: Path) -> None:
    code = _code(path.read_text(encoding="utf-8"))
    result = re.findall(
        r"\bCREATE\s+(?:OR\s+REPLACE\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?([\w.\"]+)",
        code,
        flags=re.IGNORECASE,
    )
    assert len(set(result)) <= 1, f"several tables: {result}"
    if result:
        name = result[0].split(".")[-1].strip('"').lower()
        assert re.sub(r"^\d+_", "", path.stem) == name, f"the file makes {name}"


@sql_file
def test_layout(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n") and not text.endswith("\n\n")
    long = [i for i, line in enumerate(text.splitlines(), 1) if len(line) > 125]
    tabs = [i for i, line in enumerate(text.splitlines(), 1) if "\t" in line or line != line.rstrip()]
    assert long == [] and tabs == []


KEYWORDS = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|COPY|ATTACH|WITH)\b")


INLINE_LINES = 5  # a constant in triple quotes has two short lines more than its three of SQL


def _inline_sql(tree: ast.AST) -> list[tuple[int, str]]:
    """Line and text of every constant that is a SQL statement."""
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and KEYWORDS.match(node.value)
        and " " in node.value.strip()
    ]


def test_sql_inside_python_parses_and_is_short() -> None:
    statements = [
        (f"{path.relative_to(ROOT)}:{line}", text)
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, text in _inline_sql(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert len(statements) > 30
    for where, text in statements:
        try:
            assert duckdb.extract_statements(text), where
        except duckdb.Error as error:
            raise AssertionError(f"{where} does not parse: {error}") from error
        assert len(text.strip().splitlines()) <= INLINE_LINES, (
            f"{where}: longer statements stand in a .sql file"
        )


def _formatted_sql(tree: ast.AST) -> list[int]:
    """Lines where an f-string, `%`, `+` or `.format` puts values into text that looks like SQL."""
    lines = []
    for node in ast.walk(tree):
        text: ast.expr | None = None
        if isinstance(node, ast.JoinedStr) and any(isinstance(v, ast.FormattedValue) for v in node.values):
            text = node.values[0]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
            text = node.left
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format"
        ):
            text = node.func.value
        if isinstance(text, ast.Constant) and isinstance(text.value, str) and KEYWORDS.match(text.value):
            lines.append(node.lineno)
    return lines


def test_the_check_for_formatted_sql_sees_each_way() -> None:
    for bad in (
        "f'SELECT a FROM {t}'",
        "'SELECT a FROM %s' % t",
        "'DELETE FROM ' + t",
        "'DROP TABLE {}'.format(t)",
    ):
        assert _formatted_sql(ast.parse(bad)) == [1], bad
    assert _formatted_sql(ast.parse("f'Selected {n} of {m}'; 'SELECT ' 'a FROM b'")) == []


def test_python_builds_no_sql_from_strings() -> None:
    result = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in _formatted_sql(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert result == []
