"""Damaged raw tables: each kind ends in one clear sentence or in counted rejects; an earlier database stays."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from leader_core.cohort import Cohort
from leader_core.cohort.build import BuildResult, build_cohort, temporary_paths
from leader_core.cohort.raw_files import check_file, plain_blocks
from leader_core.errors import InputError
from tests import raw_tables
from tests.damages import CELLS, FOLDERS, append, damages, edit


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The tables of a small hospital, to be damaged."""
    return raw_tables.write(tmp_path / "raw", raw_tables.mimic3())


FATAL = {damage.kind: damage for damage in damages() if damage.kind in FOLDERS}


@pytest.mark.parametrize("kind", FATAL)
def test_what_cannot_be_built_from_is_refused_in_a_sentence(kind: str, tmp_path: Path) -> None:
    out = tmp_path / "out" / "cohort.duckdb"
    out.parent.mkdir()
    raw = FATAL[kind].write(tmp_path / "raw")
    with pytest.raises(InputError) as caught:
        build_cohort(raw, out)
    text = str(caught.value)
    assert FATAL[kind].expected in text and text.endswith(".") and "\n" not in text and str(tmp_path) in text
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("table", CELLS)
def test_what_can_be_left_out_is_counted(table: str, plain: BuildResult, tmp_path: Path) -> None:
    """All damages of a table at once: each under its own reason, and those of single cells with the cell."""
    raw = raw_tables.write(tmp_path / "raw", raw_tables.mimic3() if table.isupper() else raw_tables.mimic4())
    for damage, _ in CELLS[table].values():
        damage(raw)
    result = build_cohort(raw, tmp_path / "c.duckdb", max_rejects=1)
    _adds_up(result, raw)
    rejected = Counter(Cohort.open(result.path).rejects()["reason"])
    before, counted = (
        {why: count for name, why, count in each.accounting if name == table.lower()}
        for each in (plain, result)
    )
    for reason, number in Counter(reason for _, reason in CELLS[table].values()).items():
        assert counted.get(reason, rejected[reason]) == number + before.get(reason, 0), reason
        if reason.startswith(("unreadable", "not an", "discharge", "missing or", "birth", "unknown ICD")):
            assert rejected[reason], reason


def test_rejects_name_line_column_and_value(raw: Path, tmp_path: Path) -> None:
    lines = (raw / "PRESCRIPTIONS.csv").read_bytes().splitlines()
    lines[2] = b"too,few"
    lines[4] = b'1,20,x,MAIN,"open,,PO'
    lines[5] = b'1,20,x,MAIN,clo"sed,,PO'
    lines[8] = lines[8].replace(b"1,10,", b"1,ten,")
    (raw / "PRESCRIPTIONS.csv").write_bytes(b"\n".join(lines) + b"\n")
    edit("ADMISSIONS", b"2170-01-05 00:00:00", b"soon")(raw)
    with pytest.raises(
        InputError, match=r"4 of 14 rows .* line 3, column startdate: 'too,few'.*--max-rejects 0\.29"
    ):
        build_cohort(raw, tmp_path / "c.duckdb")
    result = build_cohort(raw, tmp_path / "c.duckdb", max_rejects=0.5)
    _adds_up(result, raw)
    rejects = Cohort.open(result.path).rejects()
    assert [
        tuple(row) for row in rejects[["source_table", "line", "column", "value"]].itertuples(index=False)
    ] == [
        ("admissions", 4, "dischtime", "soon"),
        ("prescriptions", 3, "startdate", "too,few"),
        ("prescriptions", 5, "drug", '1,20,x,MAIN,"open,,PO\n1,20,x,MAIN,clo"sed,,PO'),
        ("prescriptions", 9, "hadm_id", "ten"),
    ]


def test_the_first_thousand_rejects_of_a_reason_are_kept_and_all_are_counted(
    raw: Path, tmp_path: Path
) -> None:
    append("PRESCRIPTIONS", *[b"1,20"] * 1_200, *[b"1,many,2160,MAIN,Warfarin,,PO"] * 1_100)(raw)
    result = build_cohort(raw, tmp_path / "c.duckdb", max_rejects=1)
    _adds_up(result, raw)
    results = {(name, why): count for name, why, count in result.accounting}
    assert results["prescriptions", "unreadable line: too few cells"] == 1_200
    assert results["prescriptions", "unreadable patient or admission id"] == 1_100
    assert result.rejects == 2_300
    counts = Cohort.open(result.path).rejects()["reason"].value_counts()
    assert set(counts) == {1_000}


def test_ids_that_a_spreadsheet_turned_into_decimals_are_read(plain: BuildResult, tmp_path: Path) -> None:
    tables = raw_tables.mimic3()
    for row in tables["PRESCRIPTIONS"]:
        row["HADM_ID"] = f"{row['HADM_ID']}.0"
    decimal = raw_tables.build(tmp_path, tables)
    assert decimal.accounting == plain.accounting
    assert decimal.fingerprint.digest == plain.fingerprint.digest


def test_a_failed_build_leaves_the_earlier_database(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "c.duckdb"
    build_cohort(raw, out)
    before = out.read_bytes()
    edit("DIAGNOSES_ICD", b"1,20,", b'1,"20,')(raw)  # detected only while reading
    (raw / "PRESCRIPTIONS.csv").write_bytes((raw / "PRESCRIPTIONS.csv").read_bytes().split(b"\n")[0] + b"\n")
    with pytest.raises(InputError):
        build_cohort(raw, out)
    assert out.read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == ["c.duckdb"]


def test_options_and_destinations_are_checked_first(raw: Path, tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("not a database at all")
    wrong: list[tuple[dict[str, object], str]] = [
        ({"out": tmp_path}, "is a folder"),
        ({"out": letter}, "no DuckDB database"),
        ({"out": letter / "c.duckdb"}, "cannot be written"),
        ({"raw": tmp_path / "nowhere"}, "No folder"),
        ({"raw": letter}, "is a file"),
        ({"source": "mimic5"}, "mimic5"),
        ({"source": "mimic4"}, "--source mimic3"),
        ({"preset": "best"}, "Unknown preset"),
        ({"preset": "paper"}, "--ndc-map"),
        ({"preset": "paper", "ndc_map": tmp_path / "none.csv"}, "does not exist"),
        ({"preset": "paper", "ndc_map": letter}, "expected ndc and atc3"),
        ({"atc_level": 2}, "ATC level 2"),
        ({"ddi": tmp_path / "none.csv"}, "does not exist"),
        ({"memory_limit": "plenty"}, "plenty"),
    ]
    for options, expected in wrong:
        arguments: dict[str, object] = {"raw": raw, "out": tmp_path / "new" / "c.duckdb", **options}
        with pytest.raises(InputError, match=expected):
            build_cohort(**arguments)  # type: ignore[arg-type]
    assert letter.read_text() == "not a database at all"


def _adds_up(result: BuildResult, raw: Path) -> None:
    """Rows reported are the lines of each file."""
    for table in ("patients", "admissions", "diagnoses_icd", "procedures_icd", "prescriptions"):
        lines = len(next(p for p in raw.iterdir() if p.stem.lower() == table).read_bytes().splitlines()) - 1
        assert sum(rows for name, _, rows in result.accounting if name == table) == lines, table


def test_two_builds_do_not_write_one_file_and_the_dead_are_cleared_away(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "c.duckdb"
    with temporary_paths(out) as place:
        place.database.touch()
        with pytest.raises(InputError, match="Another run is writing"):
            build_cohort(raw, out)
    out.parent.joinpath(".c.duckdb.x1.partial", "spill").mkdir(parents=True)
    build_cohort(raw, out)
    assert [path.name for path in out.parent.iterdir()] == ["c.duckdb"]


def test_an_interrupt_ends_the_build_and_leaves_nothing(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "c.duckdb"

    class Impatient:
        def line(self, text: str) -> None:
            if text == "Writing the cohort":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_cohort(raw, out, report=Impatient())
    assert list(out.parent.iterdir()) == []


def test_a_packed_file_is_read_in_small_pieces_whatever_its_members(tmp_path: Path) -> None:
    path, texts = tmp_path / "x.csv.gz", (b"a" * (20 << 20), b"b\r", b"", b"\nc\r\n")
    path.write_bytes(b"".join(map(gzip.compress, texts)))
    blocks = list(plain_blocks(path))
    assert b"".join(blocks) == b"".join(texts) and all(0 < len(block) <= 1 << 20 for block in blocks)
    assert check_file(path, tmp_path, {}).note is None, "one kind of line end, across members"
