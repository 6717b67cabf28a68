"""SQL lint: every .sql file explains itself and makes one thing, all SQL parses, and nothing builds SQL from strings."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import duckdb

ROOT = Path(__file__).parents[1]
FOLDERS = ("leader_core", "train", "dashboard")
BUILT = ROOT / "leader_core" / "sql.py"
"""Writes the name and the options of an attached database into its one statement; `test_architecture` looks at that."""
MODULES = [p for folder in FOLDERS for p in sorted((ROOT / folder).rglob("*.py")) if p != BUILT]
TEXTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.sql"))
}


def _code(text: str) -> str:
    """The text without comments and string literals."""
    return re.sub(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", " ", text, flags=re.DOTALL)


def test_a_comment_on_top_says_why() -> None:
    assert len(TEXTS) > 50
    firsts = {name: text.splitlines()[0] for name, text in TEXTS.items()}
    assert [name for name, line in firsts.items() if not line.startswith("--") or len(line.split()) < 4] == []


def test_every_file_parses() -> None:
    for name, text in TEXTS.items():
        assert duckdb.extract_statements(text), name


def test_no_placeholders_of_string_formatting() -> None:
    """Parameters are bound instead: ? or $name."""
    form = re.compile(r"\{[^}]*\}|%\(?\w+\)?s|\$\{")
    assert [(name, bad) for name, text in TEXTS.items() if (bad := form.findall(_code(text)))] == []


def test_one_file_makes_at_most_one_lasting_table_and_bears_its_name() -> None:
    table = re.compile(
        r"\bCREATE\s+(?:OR\s+REPLACE\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?([\w.\"]+)", flags=re.IGNORECASE
    )
    for name, text in TEXTS.items():
        made = {each.split(".")[-1].strip('"').lower() for each in table.findall(_code(text))}
        assert made <= {re.sub(r"^\d+_", "", Path(name).stem)}, name


def test_layout() -> None:
    for name, text in TEXTS.items():
        assert text.endswith("\n") and not text.endswith("\n\n"), name
        for number, line in enumerate(text.splitlines(), 1):
            assert len(line) <= 125 and "\t" not in line and line == line.rstrip(), f"{name}:{number}"


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
        for path in MODULES
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
        for path in MODULES
        for line in _formatted_sql(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert result == []
