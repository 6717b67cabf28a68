"""What a person must know of the raw tables: missing values by column, odd values, and how much could not be read."""

from __future__ import annotations

from typing import Final

from leader_core.cohort.raw_reader import RawReader, kind_of
from leader_core.cohort.raw_tables import RawTable
from leader_core.cohort.sources import SOURCES, is_missing, listed
from leader_core.cohort.statements import run
from leader_core.errors import InputError

MAX_REJECTS: Final = 0.01
"""Share of a table's rows that may be unreadable before a build stops."""

_FEW: Final = (
    3  # rows that never stop a build, unless they are half of the table: one row of a small table is over 1 %
)

_CODE_WORDS: Final = """
SELECT count(*) FROM (SELECT kind, reason FROM icd_map WHERE reason = 'missing code' UNION ALL SELECT kind, reason
FROM icd_rows WHERE reason = 'missing patient or admission id') WHERE kind = $kind
"""
_DRUG_WORDS: Final = (
    "SELECT count(*) FROM drugs WHERE missing_word(drug) OR missing_word(route) OR missing_word(drug_type)"
)
_NULL_ORDERS: Final = "SELECT count(*) FROM drug_rows WHERE reason = 'missing patient or admission id'"
_FIRST_REJECT: Final = (
    'SELECT line, "column", value, reason FROM rejects WHERE source_table = $table ORDER BY line LIMIT 1'
)


def count_missing(reader: RawReader) -> list[str]:
    """Cells that hold a word for nothing, and ids written as decimals, by column; only of columns that are read.

    Large tables are looked through a second time only where something in them points to such cells.
    """
    notes = []
    for name, table in reader.raw.tables.items():
        if not _suspicious(reader, table):
            continue
        wanted = SOURCES[reader.raw.source].columns(name)
        for script, what in (
            ("raw/missing_words", "cell(s) hold a word for nothing (NULL, nan, \\N …) and count as missing"),
            ("raw/decimal_ids", "id(s) written as decimal numbers (123.0) were read as whole ones"),
        ):
            if script == "raw/decimal_ids" and not table.decimals():
                continue
            with reader.opened(name):
                counts = run(reader.connection, script).fetchall()[0]
            columns = [column for column in dict.fromkeys(table.columns) if column]
            by_column = {
                column: count
                for column, count in zip(columns, counts, strict=False)
                if count and column in wanted and (script == "raw/missing_words" or column.endswith("id"))
            }
            if by_column:
                detail = listed([f"{column} {count:,}" for column, count in by_column.items()], "and ")
                notes.append(f"{table.path.name}: {sum(by_column.values()):,} {what}: {detail}.")
    return notes


def _suspicious(reader: RawReader, table: RawTable) -> bool:
    """Whether a table may hold such cells: small ones always, large ones by what was read of them."""
    connection = reader.connection
    if table.decimals() or any(is_missing(cell) for row in table.first_rows for cell in row):
        return True
    if table.name in ("prescriptions", "medication"):
        return any(connection.execute(query).fetchall()[0][0] for query in (_DRUG_WORDS, _NULL_ORDERS))
    if table.name in ("diagnoses_icd", "procedures_icd", "diagnosis", "treatment"):
        return bool(connection.execute(_CODE_WORDS, {"kind": kind_of(table.name)}).fetchall()[0][0])
    return table.name in ("patients", "admissions", "patient")


def check_rejects(reader: RawReader, rows_read: dict[str, int], limit: float) -> None:
    """Stop where more of a table is unreadable than may be.

    Raises:
        InputError: too many rows of a table; names the first cell.
    """
    layout = SOURCES[reader.raw.source]
    lost: dict[str, int] = {}
    for staged, rows in run(reader.connection, "stage/reject_counts").fetchall():
        lost[layout.source_table(staged)] = lost.get(layout.source_table(staged), 0) + rows
    for table, rows in lost.items():
        total = rows_read[table]
        if rows <= limit * total or (rows <= _FEW and rows < total / 2):
            continue
        run(reader.connection, "cohort/rejects")
        line, column, value, reason = reader.connection.execute(_FIRST_REJECT, {"table": table}).fetchall()[0]
        share = min(1.0, rows / total + 0.005)
        without = f", or build without these rows: --max-rejects {share:.2f}" if rows < total else ""
        raise InputError(
            f"{rows:,} of {total:,} rows of {reader.raw[table].path} cannot be read ({rows / total:.1%}; more than "
            f"{limit:.0%} stops a build). The first: line {line:,}, column {column}: {value[:60]!r} ({reason}). Correct "
            f"the file{without}."
        )


def odd_values(reader: RawReader) -> list[str]:
    """Genders that are neither F nor M, and births after admission, as notes."""
    notes = []
    genders = run(reader.connection, "stage/odd_genders").fetchall()
    if genders:
        detail = listed([f"{gender!r} {rows:,}" for gender, rows in genders[:8]], "and ")
        notes.append(f"Patients whose gender is neither F nor M, left as written: {detail}.")
    late = reader.connection.execute(
        "SELECT count(*) FROM unreadable_cells WHERE reason = 'birth after admission'"
    )
    if count := late.fetchall()[0][0]:
        notes.append(f"Admissions before the patient's birth, which leave the age unknown: {count:,}.")
    return notes
