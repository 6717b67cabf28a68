"""The statistical signal: the published pairs, and tables of the user's own."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from leader_core.errors import InputError, NotFoundError
from leader_core.interactions import InteractionTable, read_statistical


def test_shipped_statistical_pairs_are_the_published_ones(reference: Path) -> None:
    with (reference / "twosides_atc3_pairs.csv").open(encoding="utf-8", newline="") as stream:
        published = {(min(r.values()), max(r.values())) for r in csv.DictReader(stream)}
    pairs = read_statistical(3).pairs
    assert {(p.code_a, p.code_b) for p in pairs} == published
    assert len(pairs) == 337
    assert {p.severity for p in pairs} == {"unknown"}
    assert all("Tatonetti" in p.source and not p.management for p in pairs)


def test_density_of_the_published_vocabulary(reference: Path) -> None:
    with (reference / "atc3_vocabulary_paper.csv").open(encoding="utf-8", newline="") as stream:
        codes = [row["code"] for row in csv.DictReader(stream)]
    assert len(codes) == 112
    assert InteractionTable(read_statistical(3).pairs).density(codes) == pytest.approx(0.0542, abs=5e-5)


@pytest.mark.parametrize("level", [4, 5])
def test_no_statistical_pairs_below_level_3_without_a_file_and_the_reason(level: int) -> None:
    signal = read_statistical(level)
    assert signal.pairs == ()
    assert "level-3 classes" in signal.notes[0]


def test_pairs_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(
        "CODE_A,code_b,effect\nJ01FA09,C10AA01,myopathy\nc10aa05,J01FA01,pain\nB01AA03,B01AC06,bleeding\n"
    )
    signal = read_statistical(3, path)
    (pair,) = signal.pairs
    assert (pair.code_a, pair.code_b, pair.severity) == ("C10A", "J01F", "unknown")
    assert pair.effect == "Reported together with: myopathy, pain"
    assert "1 rows join two codes of one class" in signal.notes[1]
    assert [(p.code_a, p.code_b) for p in read_statistical(5, path).pairs] == [
        ("B01AA03", "B01AC06"),
        ("C10AA01", "J01FA09"),
        ("C10AA05", "J01FA01"),
    ]


@pytest.mark.parametrize(
    ("text", "level", "message"),
    [
        ("a,b\nB01A,C10A\n", 3, "has the columns a, b: expected code_a and code_b"),
        ("", 3, r"has the columns \(none\)"),
        ("code_a,code_b\nB01A,warfarin\n", 3, "line 2, column code_b: 'warfarin' is no ATC code"),
        ("code_a,code_b\nB01A,C10A\n", 5, "B01A is less specific than ATC level 5"),
        ("code_a,code_b\nB01A\n", 3, "line 2, column code_b: '' is no ATC code"),
    ],
)
def test_bad_pair_file_is_refused(tmp_path: Path, text: str, level: int, message: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_statistical(level, path)


def test_missing_and_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"nowhere\.csv does not exist"):
        read_statistical(3, tmp_path / "nowhere.csv")
    binary = tmp_path / "pairs.csv"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="not readable as CSV"):
        read_statistical(3, binary)


@pytest.fixture
def twosides(tmp_path: Path) -> Path:
    """Three side effects: common (3 rows), and two rare ones."""
    path = tmp_path / "drug-DDI.csv"
    path.write_text(
        "STITCH 1,STITCH 2,Polypharmacy Side Effect,Side Effect Name\n"
        "CID000000001,CID000000002,C01,nausea\n"
        "CID000000001,CID000000003,C01,nausea\n"
        "CID000000002,CID000000003,C01,nausea\n"
        "CID000000002,CID000000001,C02,muscle lysis\n"
        "CID000000001,CID000000003,C03,bleeding\n"
        "CID000000009,CID000000003,C03,bleeding\n"
    )
    (tmp_path / "drug-atc.csv").write_text(
        "CID000000001,C10AA01\nCID000000002,J01FA09,A02BD04\nCID000000003,B01AA03,B01AC06\n"
    )
    return path


def test_twosides_file_keeps_the_rarest_effects_with_their_names(twosides: Path) -> None:
    signal = read_statistical(3, twosides, rarest=2)
    assert {
        (p.code_a, p.code_b): p.effect.removeprefix("Reported together with: ") for p in signal.pairs
    } == {
        ("C10A", "J01F"): "muscle lysis",
        ("A02B", "C10A"): "muscle lysis",
        ("B01A", "C10A"): "bleeding",
    }
    assert {p.severity for p in signal.pairs} == {"unknown"}
    assert "the 2 rarest of 3 side effects" in signal.notes[0]
    assert "1 compounds of these rows have no ATC code" in signal.notes[1]
    assert ("C10AA01", "J01FA09") in {
        (p.code_a, p.code_b) for p in read_statistical(5, twosides, rarest=1).pairs
    }


def test_twosides_file_needs_its_mapping(twosides: Path) -> None:
    given = twosides.with_name("mapping.csv")
    (twosides.parent / "drug-atc.csv").rename(given)
    with pytest.raises(InputError, match="no table from STITCH to ATC was given"):
        read_statistical(3, twosides)
    assert read_statistical(3, twosides, given).pairs
    given.write_bytes(b"CID000000001,C10AA01\n\xff\xfe,B01AA03\n")
    with pytest.raises(InputError, match=r"table from STITCH compound to ATC .* is not readable as CSV"):
        read_statistical(3, twosides, given)
    given.write_text("CID000000007,C10AA01\n")
    with pytest.raises(InputError, match=r"gives no pair: .* mapping\.csv has codes for too few"):
        read_statistical(3, twosides, given)
    with pytest.raises(NotFoundError, match=r"table from STITCH compound to ATC .* does not exist"):
        read_statistical(3, twosides, twosides.with_name("nowhere.csv"))
    given.write_text("compound,codes\n")
    with pytest.raises(InputError, match="maps no compound"):
        read_statistical(3, twosides, given)
    given.write_text("CID000000001,C10AA01\nwarfarin,B01AA03\n")
    with pytest.raises(InputError, match="line 2: 'warfarin' is no STITCH compound"):
        read_statistical(3, twosides, given)


def test_a_compound_on_two_lines_has_the_codes_of_both(twosides: Path) -> None:
    (twosides.parent / "drug-atc.csv").write_text(
        "CID000000001,C10AA01\nCID000000002,J01FA09\nCID000000002,A02BD04\n\nCID000000003,B01AA03\n"
    )
    codes = {(p.code_a, p.code_b) for p in read_statistical(5, twosides).pairs}
    assert {("C10AA01", "J01FA09"), ("A02BD04", "C10AA01")} <= codes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "gives no pair"),
        ("CID000000001,CID000000002\n", "not readable as CSV"),
        ("warfarin,CID000000002,C01,nausea\n", "'warfarin' is no STITCH compound"),
        (",CID000000002,C01,nausea\n", "'' is no STITCH compound"),
    ],
)
def test_bad_rows_of_a_twosides_file_are_refused(twosides: Path, text: str, message: str) -> None:
    header = twosides.read_text().splitlines()[0]
    twosides.write_text(f"{header}\n{text}")
    with pytest.raises(InputError, match=message):
        read_statistical(3, twosides)


def test_a_mapping_for_a_file_that_needs_none_is_refused(twosides: Path) -> None:
    pairs = twosides.with_name("pairs.csv")
    pairs.write_text("code_a,code_b\nB01A,C10A\n")
    with pytest.raises(InputError, match=r"has nothing to do\. Leave --ddi-map out"):
        read_statistical(3, pairs, twosides.with_name("drug-atc.csv"))
    pairs.write_text("code_a,code_b\n")
    with pytest.raises(InputError, match="holds no pair"):
        read_statistical(3, pairs)


def test_twosides_file_reads_with_the_published_mapping(twosides: Path, reference: Path) -> None:
    text = (
        twosides.read_text().replace("CID000000001", "CID000003015").replace("CID000000003", "CID000004011")
    )
    twosides.write_text(text)
    pairs = read_statistical(5, twosides, reference / "stitch_cid_atc.csv").pairs
    assert ("G03HA01", "N06AA21") in {(p.code_a, p.code_b) for p in pairs}
