"""`cohort --ddi FILE --ddi-map FILE`: pairs of the published layout in the database, with side effects and severity."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from leader_core.cohort import Cohort
from tests import raw_tables
from train.cli import main

# Furosemide (3440), warfarin (54678486) and vancomycin (14969) under their STITCH numbers, and one that is not mapped.
DDI = """STITCH 1,STITCH 2,Polypharmacy Side Effect,Side Effect Name
CID054678486,CID000003440,C0020517,Hypersensitivity
CID000014969,CID000003440,C0020517,Hypersensitivity
CID000014969,CID000003440,C0018772,hearing loss
CID054678486,CID099999999,C0018772,hearing loss
"""
MAP = "CID000003440,C03CA01\nCID054678486,B01AA03\nCID000014969,A07AA09,J01XA01\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    raw_tables.write(tmp_path / "raw", raw_tables.mimic3())
    (tmp_path / "drug-DDI.csv").write_text(DDI)
    (tmp_path / "compounds.csv").write_text(MAP)
    return tmp_path


def build(files: Path, *words: str, level: int = 5) -> int:
    out = str(files / "cohort.duckdb")
    fixed = ["cohort", "--raw", str(files / "raw"), "--out", out, "--atc-level", str(level), "--json"]
    return main([*fixed, *words])


def signal(files: Path) -> dict[tuple[str, str], tuple[str, str]]:
    with duckdb.connect(str(files / "cohort.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "SELECT code_a, code_b, severity, effect FROM interactions WHERE source LIKE 'TWOSIDES%'"
        ).fetchall()
    return {(a, b): (severity, effect) for a, b, severity, effect in rows}


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (
            5,
            {
                ("B01AA03", "C03CA01"): "Hypersensitivity",
                ("A07AA09", "C03CA01"): "Hypersensitivity, hearing loss",
                ("C03CA01", "J01XA01"): "Hypersensitivity, hearing loss",
            },
        ),
        (
            3,
            {
                ("B01A", "C03C"): "Hypersensitivity",
                ("A07A", "C03C"): "Hypersensitivity, hearing loss",
                ("C03C", "J01X"): "Hypersensitivity, hearing loss",
            },
        ),
    ],
)
def test_pairs_keep_their_side_effects_and_no_severity(
    files: Path, level: int, expected: dict[tuple[str, str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--ddi", str(files / "drug-DDI.csv"), "--ddi-map", str(files / "compounds.csv"))
    assert build(files, *words, level=level) == 0
    assert signal(files) == {
        pair: ("unknown", f"Reported together with: {effects}") for pair, effects in expected.items()
    }
    printed = capsys.readouterr()
    summary = json.loads(printed.out.strip().splitlines()[-1])
    assert (
        f"3 pairs at ATC level {level} from drug-DDI.csv: the 2 rarest of 2 side effects, 4 rows."
        in summary["notes"]
    )
    assert "1 compounds of these rows have no ATC code in compounds.csv and give no pair." in printed.err
    cohort = Cohort.open(files / "cohort.duckdb")
    # Furosemide, warfarin, vancomycin by two routes: of 6 pairs of classes ordered, 3 stand in the file.
    assert cohort.fingerprint.ddi_density == pytest.approx(3 / 6)
    assert {"sha256:drug-DDI.csv", "sha256:compounds.csv"} <= set(cohort.meta)


def test_each_wrong_file_is_refused_and_the_earlier_cohort_stays(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = files / "cohort.duckdb"
    assert build(files) == 0
    assert Cohort.open(out).fingerprint.ddi_density == 0, "without a file of pairs"
    before = out.read_bytes()
    for words, message in (
        (["--ddi", "drug-DDI.csv"], "expected --ddi-map FILE.csv with lines like CID000003015,G03HA01"),
        (["--ddi-map", "compounds.csv"], "no such file was given. Give it with --ddi"),
        (["--ddi", "nowhere.csv"], "nowhere.csv does not exist"),
        (["--ddi", "drug-DDI.csv", "--ddi-map", "nowhere.csv"], "nowhere.csv does not exist"),
        (["--ddi", "drug-DDI.csv", "--ddi-map", "drug-DDI.csv"], "'CID000003440' is no ATC code"),
        (["--ddi", "compounds.csv", "--ddi-map", "compounds.csv"], "expected code_a and code_b"),
    ):
        assert build(files, *(word if word.startswith("--") else str(files / word) for word in words)) == 2
        printed = capsys.readouterr().err
        assert message in printed and "Traceback" not in printed
        assert out.read_bytes() == before


def test_the_published_table_of_compounds_serves(files: Path, reference: Path) -> None:
    """Real STITCH numbers through the published table: the pairs come out at level 5, both codes of a compound."""
    text = "STITCH 1,STITCH 2,Polypharmacy Side Effect,Side Effect Name\nCID000003015,CID000004011,C0038454,stroke\n"
    (files / "drug-DDI.csv").write_text(text)
    assert (
        build(files, "--ddi", str(files / "drug-DDI.csv"), "--ddi-map", str(reference / "stitch_cid_atc.csv"))
        == 0
    )
    assert signal(files) == {("G03HA01", "N06AA21"): ("unknown", "Reported together with: stroke")}
