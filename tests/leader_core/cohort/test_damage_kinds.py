"""Every kind of damage that the generator knows: read as if nothing had happened, counted, or refused; never half used.

Only the reading stage runs here, in memory: what is made of the rows is tested with whole builds.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from leader_core.cohort.raw_tables import open_raw
from leader_core.cohort.reading import RawReader
from leader_core.errors import InputError
from tests import raw_tables
from tests.conftest import ROOT
from tests.damages import Damage, damages

KINDS = {damage.kind: damage for damage in damages()}
STAGED = {
    "patients": "FROM raw_patients",
    "admissions": "FROM raw_admissions",
    "diagnoses_icd": "FROM raw_codes WHERE kind = 'diagnosis'",
    "procedures_icd": "FROM raw_codes WHERE kind = 'procedure'",
    "prescriptions": "FROM raw_prescriptions",
}
Staged = dict[str, list[str]]


def read(raw: Path, scratch: Path, *names: str) -> tuple[Staged, int]:
    """The staged rows of these tables (of all where none is named), sorted, and how many lines were set aside."""
    with duckdb.connect() as connection, ThreadPoolExecutor(1) as pool:
        folder = open_raw(raw)
        only = {name: folder[name] for name in names or folder.tables}
        reader = RawReader(replace(folder, tables=only), scratch, connection, pool)
        staged = {}
        for name in only:
            reader.read(name, by_ndc=True)
            staged[name] = sorted(map(repr, connection.execute(STAGED[name]).fetchall()))
        counts = connection.execute("SELECT coalesce(sum(rows), 0) FROM unreadable_lines").fetchall()
    return staged, int(counts[0][0])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Staged:
    folder = tmp_path_factory.mktemp("whole")
    return read(raw_tables.write(folder / "raw", raw_tables.mimic3()), folder)[0]


def test_there_are_enough_kinds() -> None:
    assert len(KINDS) >= 110


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_half_used(kind: str, whole: Staged, tmp_path: Path) -> None:
    damage: Damage = KINDS[kind]
    table = damage.table.lower()
    raw = raw_tables.write(tmp_path / "raw", raw_tables.mimic3())
    damage.apply(raw)
    if damage.outcome == "refused":
        with pytest.raises(InputError) as caught:
            read(raw, tmp_path, table)
        text = str(caught.value)
        assert damage.table in text and text.endswith(".") and "\n" not in text
        return
    staged, lines = read(raw, tmp_path, table)
    if damage.outcome == "same":
        assert (staged[table], lines) == (whole[table], 0)
        return
    assert lines == 1
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
    assert lines == 0
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
