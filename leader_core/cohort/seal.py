"""What shows that a cohort database is as it was built: row counts, a seal over its `meta`, a digest of its content.

Opening compares row counts and seal, which takes milliseconds; `verify` reads everything.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leader_core import sql
from leader_core.cohort.sources import SOURCES
from leader_core.domain import Fingerprint
from leader_core.errors import ArtifactError
from leader_core.files import SEAL, seal_of

if TYPE_CHECKING:
    import duckdb

ROW_COUNTS: Final = "row_counts"
_TABLES: Final = (
    "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() AND NOT temporary"
)
_COUNT: Final = "SELECT count(*) FROM query_table($name)"
_READ_ALL: Final = "SELECT count(*), max(hash(t)) FROM query_table($name) AS t"
_CONCEPTS: Final = "SELECT concat_ws('|', kind, code, title) AS text FROM concepts ORDER BY concept_id"
_STATISTICAL_PAIRS: Final = """
SELECT concat_ws('|', code_a, code_b) AS text FROM interactions
WHERE severity = 'unknown' ORDER BY code_a, code_b
"""
_HOLDER: Final = re.compile(r"Conflicting lock is held in (.+?) \(PID ([0-9]+)\)")
_ROWS_AT_ONCE: Final = 50_000
_VECTORS_AT_ONCE: Final = 100  # of 2,048 rows each


def row_counts(connection: duckdb.DuckDBPyConnection, tables: list[str] | None = None) -> dict[str, int]:
    """Rows of every table of the current database but `meta`, or of some."""
    if tables is None:
        tables = sorted(row[0] for row in connection.execute(_TABLES).fetchall() if row[0] != "meta")
    return {name: connection.execute(_COUNT, {"name": name}).fetchall()[0][0] for name in tables}


def sealed_meta(meta: Mapping[str, str], counts: Mapping[str, int]) -> dict[str, str]:
    """The rows of `meta` with the row counts of the other tables and the seal over all."""
    record = {**meta, ROW_COUNTS: json.dumps(counts, sort_keys=True)}
    return {**record, SEAL: seal_of(record)}


def seal_again(connection: duckdb.DuckDBPyConnection) -> None:
    """Seal the current database after it was changed on purpose."""
    meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    rows = sealed_meta(meta, row_counts(connection)).items()
    connection.execute("DELETE FROM meta")
    connection.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", list(rows))


def check_seal(connection: duckdb.DuckDBPyConnection, meta: Mapping[str, str], path: Path) -> None:
    """Compare an open cohort's `meta` and row counts with what was sealed.

    Raises:
        ArtifactError: either differs.
    """
    if meta.get(SEAL) != seal_of(meta):
        raise _changed(path, "its table meta is not what the builder wrote")
    counts = json.loads(meta[ROW_COUNTS])
    present = row_counts(connection, sorted(counts))
    for name, rows in counts.items():
        if present[name] != rows:
            raise _changed(path, f"the table {name} has {present[name]:,} rows and was built with {rows:,}")


def verify_content(connection: duckdb.DuckDBPyConnection, meta: Mapping[str, str], path: Path) -> int:
    """Read every row of an open cohort and recompute its digest; how many rows were read.

    Raises:
        ArtifactError: the content is not that of the digest.
        duckdb.Error: a block that does not match its checksum.
    """
    rows = read_all(connection)
    settings = (meta["source"], meta["preset"], meta["atc_level"], meta["synthetic"])
    if content_digest(connection, *settings) != meta["digest"]:
        raise _changed(path, "its content does not have the digest that it was built with")
    return rows


def read_all(connection: duckdb.DuckDBPyConnection) -> int:
    """Read every row of the current database; how many there are.

    Raises:
        duckdb.Error: a block that does not match its checksum.
    """
    names = row_counts(connection)
    return sum(connection.execute(_READ_ALL, {"name": name}).fetchall()[0][0] for name in names)


def content_digest(
    connection: duckdb.DuckDBPyConnection, source: str, preset: str, atc_level: str, synthetic: str
) -> str:
    """sha256 of what models learn from and are evaluated by, each in a set order; read in pieces.

    Settings, visits, codes, titles and statistical pairs; not the clinical table, whose wording no metric depends on.
    """
    import pandas  # noqa: F401 - DuckDB needs it below, and would say of an interrupted import that it is missing

    digest = hashlib.sha256(f"{source}|{preset}|{atc_level}|{synthetic}\n".encode())
    for query in (_CONCEPTS, _STATISTICAL_PAIRS, sql.statement("leader_core.cohort", "cohort/digest")):
        texts = connection.execute(query)
        while rows := texts.fetchmany(_ROWS_AT_ONCE):
            digest.update("".join(f"{text}\n" for (text,) in rows).encode())
    codes = connection.execute("SELECT concept_id FROM visit_codes ORDER BY row_no")
    while len(chunk := codes.fetch_df_chunk(_VECTORS_AT_ONCE)):
        digest.update(chunk["concept_id"].to_numpy("<i4").tobytes())
    return digest.hexdigest()


def _changed(path: Path, how: str) -> ArtifactError:
    return ArtifactError(
        f"{path} was changed since it was built: {how}. Restore it, or build the cohort again."
    )


def file_identity(path: Path) -> tuple[int, ...] | None:
    """What tells a file from one that took its place; None where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def open_problem(path: Path, error: duckdb.Error) -> str:
    """Why a database does not open, with what helps: building it again helps only a damaged one."""
    text = str(error).splitlines()[0]
    if holder := _HOLDER.search(text):
        return (
            f"{path} is held by another program ({Path(holder[1]).name}, process {holder[2]}), which may be writing to it. "
            "Close the file there, or let that program open it read-only; the cohort itself is whole."
        )
    if "without a key" in text:
        return f"{path} is encrypted: give the key that it was made with, in {sql.KEY} or in the file that {sql.KEY}_FILE names."
    if "encryption key" in text:
        return f"{path} is encrypted with another key than {sql.KEY} or {sql.KEY}_FILE gives: give the one that it was made with."
    if "is not encrypted" in text:
        return (
            f"{path} is not encrypted, and a key is set. Unset {sql.KEY} and {sql.KEY}_FILE to read it; to have it encrypted, "
            "build it again with the key set: python -m train cohort."
        )
    if "Permission denied" in text:
        return f"{path} may not be read ({text}). Give yourself the right to read it, or name another cohort."
    return f"{path} cannot be opened as a DuckDB database ({text}). Build the cohort again: python -m train cohort."


def read_fingerprint(meta: Mapping[str, str]) -> Fingerprint:
    """The fingerprint that the builder wrote; raises ArtifactError where it is not whole."""
    try:
        if meta["source"] not in SOURCES:
            raise ValueError(f"source {meta['source']!r}")
        counts = ("patients", "visits", "single_visit_patients", "diagnoses", "procedures", "medications")
        return Fingerprint(
            label=meta["label"],
            source=meta["source"],
            synthetic=meta["synthetic"] == "True",
            preset=meta["preset"],
            atc_level=int(meta["atc_level"]),
            **{name: int(meta[name]) for name in counts},
            ddi_density=float(meta["ddi_density"]),
            digest=meta["digest"],
        )
    except (KeyError, ValueError) as error:
        raise ArtifactError(
            f"The cohort's meta table is not whole ({error}). Build the cohort again."
        ) from error
