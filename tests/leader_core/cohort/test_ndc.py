"""NDCs: their notation in Python and in SQL, the map's file, and how they compare with a drug's name, which wins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leader_core.cohort import Cohort
from leader_core.cohort.build import BuildResult, build_cohort
from leader_core.cohort.ndc import (
    AGREE,
    DISAGREE,
    FILLED_IN,
    NO_MAP,
    NOT_IN_MAP,
    NOT_VALID,
    SET_ASIDE,
    TOO_COARSE,
    VERDICTS,
    normalise_ndc,
    read_ndc_map,
)
from leader_core.cohort.statements import run
from leader_core.errors import InputError, NotFoundError
from leader_core.terminology.drugs import AtcLevel
from tests import raw_tables
from tests.conftest import ROOT

# --- notation


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("00054329425", "00054329425"),
        ("54329425", "00054329425"),  # zeros lost, as a spreadsheet does
        ("54329425.0", "00054329425"),  # and turned into a float
        ("0006-4943-00", "00006494300"),  # 4-4-2
        ("50242-040-62", "50242004062"),  # 5-3-2
        ("60575-4112-1", "60575411201"),  # 5-4-1
        ("00338-3552-48", "00338355248"),  # 5-4-2, whole
        ("338-3552-48", "00338355248"),  # hyphens, and zeros lost
        (" 00054329425 ", "00054329425"),
        ("5432942512", "05432942512"),  # ten digits lost a zero in front
        ("0", None),
        ("0.0", None),
        ("00000000000", None),
        ("0000-0000-00", None),
        ("", None),
        (None, None),
        ("nan", None),
        ("5.4329e7", None),  # digits are lost for good
        ("54329425.5", None),
        ("50242-040", None),  # no package
        ("123456-0001-01", None),  # one digit too many
        ("1-2-3-4", None),
        ("--", None),
        ("123456789012", None),
        ("-54329425", None),
    ],
)
def test_eleven_digits_or_nothing(raw: str | None, expected: str | None) -> None:
    assert normalise_ndc(raw) == expected


@pytest.fixture(scope="module")
def functions() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    run(connection, "raw/functions")
    return connection


cell = st.one_of(
    st.text("0123456789-. ex", max_size=16),
    st.from_regex(r"[0-9]{1,6}-[0-9]{1,5}-[0-9]{1,3}", fullmatch=True),
    st.from_regex(r" ?[0-9]{1,12}(\.0)? ?", fullmatch=True),
)


@given(st.lists(cell, min_size=1, max_size=60))
@settings(max_examples=30)
def test_sql_reads_an_ndc_as_python_does(functions: duckdb.DuckDBPyConnection, cells: list[str]) -> None:
    rows = functions.execute("SELECT normal_ndc(c) FROM (SELECT unnest($cells) AS c)", {"cells": cells})
    assert [row[0] for row in rows.fetchall()] == [normalise_ndc(c) for c in cells]


@given(cell)
def test_a_normal_ndc_stays_as_it_is(raw: str) -> None:
    normal = normalise_ndc(raw)
    assert normal is None or (normalise_ndc(normal) == normal and len(normal) == 11)


# --- the map


def test_the_first_row_of_an_ndc_counts_and_codes_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_text("NDC,ATC\n54329425,C03CA01\n0054-3294-25,B01AA03\n")
    assert read_ndc_map(path, 3).codes == {"00054329425": "C03C"}
    assert read_ndc_map(path, 5).codes == {"00054329425": "C03CA01"}


CASES = ROOT.parent / "shared" / "cases" / "ndc_maps"


@pytest.mark.parametrize(
    ("name", "level", "codes", "note"),
    [
        (
            "RXCUI2atc4.csv", 3, {"00054329425": "C03C", "00338355248": "J01X", "00056017275": "B01A"},
            "3 NDCs from the columns ndc and atc4.",
        ),
        (
            "fabkury.csv", 5, {"00054329425": "C03CA01", "00056017275": "B01AA03"},
            "NDCs from the columns ndc and atc5; 1 rows without a code were left out.",
        ),
        ("fda_dash2.csv", 3, {"000543294": "C03C"}, "of them products in every package."),
        ("pyhealth_NDC_to_ATC.csv", 4, {"00054329425": "C03CA", "00056017275": "B01AA"}, "columns source and target."),
    ],
)  # fmt: skip
def test_the_layouts_that_papers_publish_are_read_at_the_level_needed(
    name: str, level: AtcLevel, codes: dict[str, str], note: str
) -> None:
    if not (CASES / name).is_file():
        pytest.skip(f"the cases are not next to the project: {CASES / name}")
    table = read_ndc_map(CASES / name, level)
    assert table.codes.items() <= codes.items() and table.note.endswith(note)
    assert table.code("00054329425") == codes.get("00054329425", "C03C")
    assert table.code("00099000001") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("code,class\n1,C03C\n", "has the columns code, class: expected ndc and atc3"),
        ("ndc,atc3\n0,C03C\n", "line 2: '0' and 'C03C'"),
        (
            "ndc,atc3\n54329425,furosemide\n",
            "'FUROSEMIDE': expected an NDC of up to 11 digits and an ATC code",
        ),
        ("ndc,atc3\n", "holds no row"),
        (
            'ndc,atc3\n54329425,C03C\n"54329426,C03C\n54329427,C03C\n',
            "unexpected end of data",
        ),  # rows in a quote
    ],
)
def test_a_bad_map_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "map.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_ndc_map(path, 3)


def test_a_map_above_the_level_is_refused_unless_it_is_only_compared_with(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_text("ndc,atc3\n54329425,C03C\n")
    with pytest.raises(InputError, match="level 5 or deeper"):
        read_ndc_map(path, 5)
    assert read_ndc_map(path, 5, coarser=True).codes == {"00054329425": "C03C"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_a_map_may_have_other_separators_and_a_byte_order_mark(
    tmp_path: Path, sign: str, encoding: str
) -> None:
    (tmp_path / "map.csv").write_bytes(f'NDC Code{sign}ATC 3\n="00054329425"{sign}C03C\n'.encode(encoding))
    assert read_ndc_map(tmp_path / "map.csv", 3).codes == {"00054329425": "C03C"}


def test_an_absent_or_unreadable_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        read_ndc_map(tmp_path / "nowhere.csv", 3)
    (tmp_path / "map.csv").write_bytes(b"ndc,atc3\n\xff\xfe,C03C\n")
    with pytest.raises(InputError, match="not readable as CSV"):
        read_ndc_map(tmp_path / "map.csv", 3)


# --- together with the name


MAP = """ndc,atc3
00054329425,C03C
00338355248,A07A
00338004903,A12C
00000000001,A02B
00056017275,B01A
"""


def hospital() -> raw_tables.Tables:
    """The hand-written hospital; its D5W bears an NDC, and its nameless order one that the map knows."""
    tables = raw_tables.mimic3()
    for row in tables["PRESCRIPTIONS"]:
        if row["DRUG"] == "D5W":
            row["NDC"] = "338-0049-03"
        elif row["DRUG"] == "":
            row["NDC"] = "56017275"
    return tables


def build(folder: Path, text: str | None = MAP, **options: Any) -> BuildResult:
    if text is not None:
        (folder / "map.csv").write_text(text)
        options["ndc_map"] = folder / "map.csv"
    return raw_tables.build(folder, hospital(), **options)


def test_every_order_has_one_verdict_and_the_name_wins(tmp_path: Path) -> None:
    result = build(tmp_path)
    check = result.ndc
    assert {verdict: check.orders(verdict) for verdict in VERDICTS if check.orders(verdict)} == {
        AGREE: 4,  # furosemide twice by vein and once by mouth, warfarin
        DISAGREE: 1,  # vancomycin by vein
        SET_ASIDE: 1,  # D5W
        FILLED_IN: 2,  # Zzyzx Elixir and the order without a name
        NOT_IN_MAP: 2,  # aspirin, twice
        NOT_VALID: 4,
    }
    assert check.orders() == result.rows_read["prescriptions"] == 14
    assert (check.valid, check.in_map) == (10, 8)
    assert [(r.drug, r.route, r.ndc_code, r.name_code, r.orders) for r in check.disagreements] == [
        ("Vancomycin", "IV", "A07A", "J01X", 1),
        ("D5W", "IV", "A12C", "diluent", 1),
    ]
    cohort = Cohort.open(result.path)
    assert cohort.case(1, 1).current.medications == ("C03C", "J01X")


def test_an_unknown_name_takes_the_ndc_s_code_and_the_accounting_still_adds_up(tmp_path: Path) -> None:
    result = build(tmp_path)
    cohort = Cohort.open(result.path)
    assert cohort.case(1, 2).current.medications == ("A02B", "A07A", "B01A")
    assert {(o.code, o.drug) for o in cohort.orders(10)} == {
        ("A02B", "Zzyzx Elixir"),
        ("A07A", "Vancomycin Oral Liquid"),
        ("B01A", "no drug name"),
    }
    reported = {reason: rows for table, reason, rows in result.accounting if table == "prescriptions"}
    assert reported == {
        "kept": 8,
        "diluent": 2,
        "flush": 1,
        "additive": 1,
        "visit without a diagnosis": 1,
        "admission of another patient": 1,
    }
    assert sum(reported.values()) == 14
    assert result.unmapped == ()
    assert "Prescription rows mapped by their NDC alone, and counted as kept: 2." in result.notes
    assert "Prescription rows with a valid NDC: 10 of 14." in result.notes


def test_without_a_map_valid_ndcs_are_counted_and_nothing_else_changes(tmp_path: Path) -> None:
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    plain = build(tmp_path / "without", None)
    check = plain.ndc
    assert {row.verdict: row.orders for row in check.rows} == {NO_MAP: 10, NOT_VALID: 4}
    assert plain.unmapped == (("Zzyzx Elixir", "PO", 1),)
    # A map that agrees with every name, or knows none, leaves the cohort as it is.
    same = build(tmp_path / "with", "ndc,atc3\n00054329425,C03C\n")
    assert same.fingerprint.digest == plain.fingerprint.digest
    assert same.accounting == plain.accounting


def test_a_coarser_map_is_compared_at_its_own_level_and_fills_nothing_in(tmp_path: Path) -> None:
    result = build(tmp_path, atc_level=5)
    assert result.ndc.orders(AGREE) == 4 and result.ndc.orders(DISAGREE) == 1
    assert result.ndc.orders(TOO_COARSE) == 2 and result.ndc.orders(FILLED_IN) == 0
    assert result.unmapped == (("Zzyzx Elixir", "PO", 1),)
    assert Cohort.open(result.path).case(2).current.medications == ("B01AA03",)


def test_the_check_stands_in_the_database_with_the_map_s_hash(tmp_path: Path) -> None:
    result = build(tmp_path)
    with duckdb.connect(str(result.path), read_only=True) as connection:
        rows = connection.execute("SELECT verdict, sum(orders) FROM ndc_check GROUP BY verdict").fetchall()
    assert dict(rows)[AGREE] == 4 and sum(n for _, n in rows) == 14
    assert len(Cohort.open(result.path).meta["sha256:map.csv"]) == 64


def test_the_published_map_on_the_open_demo(mimic3demo: Path, reference: Path, tmp_path: Path) -> None:
    """What the published papers' map makes of real orders: the worst cases that a clinician would see at once."""
    result = build_cohort(mimic3demo, tmp_path / "c.duckdb", ndc_map=reference / "ndc_atc3_paper.csv")
    check = result.ndc
    assert check.orders() == result.rows_read["prescriptions"] == 10_398
    assert (check.valid, check.in_map) == (8_920, 6_788)
    assert check.orders(AGREE) + check.orders(DISAGREE, SET_ASIDE, FILLED_IN) == check.in_map
    wrong = {(r.drug, r.route, r.ndc_code, r.name_code) for r in check.disagreements}
    assert {
        ("Vancomycin", "IV", "A07A", "J01X"),
        ("Aspirin", "PO", "A01A", "B01A"),
        ("NS", "IV", "A12C", "diluent"),
        ("Tacrolimus", "PO", "D11A", "L04A"),
    } <= wrong
