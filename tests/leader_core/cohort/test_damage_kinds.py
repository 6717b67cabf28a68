"""Every kind of damage that the generator knows: read as if nothing had happened, counted, or refused; never half used.

Only the reading stage runs here, in memory: what is made of the rows is tested with whole builds.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from leader_core.cohort.raw_reader import RawReader
from leader_core.cohort.raw_tables import open_raw
from leader_core.errors import InputError
from tests import raw_tables
from tests.conftest import ROOT
from tests.damages import damages

KINDS = {damage.kind: damage for damage in damages() if damage.table}
STAGED = {
    "patients": "FROM raw_patients",
    "admissions": "FROM raw_admissions",
    "diagnoses_icd": "FROM raw_codes WHERE kind = 'diagnosis'",
    "procedures_icd": "FROM raw_codes WHERE kind = 'procedure'",
    "prescriptions": "FROM raw_prescriptions",
}
Staged = dict[str, list[str]]


def read(raw: Path, scratch: Path, *names: str) -> tuple[Staged, dict[str, int]]:
    """The staged rows of these tables (of all where none is named), sorted, and the lines set aside by reason."""
    with duckdb.connect() as connection, ThreadPoolExecutor(1) as pool:
        folder = open_raw(raw)
        only = {name: folder[name] for name in names or folder.tables}
        reader = RawReader(replace(folder, tables=only), scratch, connection, pool)
        staged = {}
        for name in only:
            reader.read(name, by_ndc=True)
            staged[name] = sorted(map(repr, connection.execute(STAGED[name]).fetchall()))
        lines = dict(
            connection.execute(
                "SELECT reason, sum(rows)::INTEGER FROM unreadable_lines GROUP BY reason"
            ).fetchall()
        )
    return staged, lines


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Staged:
    folder = tmp_path_factory.mktemp("whole")
    return read(raw_tables.write(folder / "raw", raw_tables.mimic3()), folder)[0]


def test_there_are_enough_kinds() -> None:
    assert len({damage.kind for damage in damages()}) >= 125


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_half_used(kind: str, whole: Staged, tmp_path: Path) -> None:
    damage = KINDS[kind]
    table = damage.table.lower()
    raw = damage.write(tmp_path / "raw")
    if damage.outcome == "refused":
        with pytest.raises(InputError) as caught:
            read(raw, tmp_path, table)
        text = str(caught.value)
        assert damage.table in text and damage.expected in text and text.endswith(".") and "\n" not in text
        return
    staged, lines = read(raw, tmp_path, table)
    if damage.outcome == "same":
        assert (staged[table], lines) == (whole[table], {})
        return
    assert lines == {damage.expected: 1}
    missing = [row for row in whole[table] if row not in staged[table]]
    assert len(missing) == ("cut within" in kind)


CASES = ROOT.parent / "shared" / "cases" / "tables"


@pytest.mark.parametrize(
    "name", ["nested_folders", "browser_copies", "zip", "bigquery_utc", "iso_z", "mimic4_core", "parquet"]
)
def test_the_same_tables_in_another_shape_are_read_alike(name: str, whole: Staged, tmp_path: Path) -> None:
    if not (CASES / name).is_dir():
        pytest.skip(f"the cases are not next to the project: {CASES / name}")
    staged, lines = read(CASES / name, tmp_path)
    assert lines == {}
    if name in ("nested_folders", "browser_copies", "zip"):
        assert staged == whole
    else:
        tables = raw_tables.mimic4()
        for row in tables["patients"]:
            del row["anchor_year_group"]  # which the cases do not have
        plain = read(raw_tables.write(tmp_path / "raw", tables), tmp_path)[0]
        same = {table for table, rows in staged.items() if rows == plain[table]}
        assert same >= {"patients", "admissions", "procedures_icd", "prescriptions"}
        assert len(staged["diagnoses_icd"]) == 8
