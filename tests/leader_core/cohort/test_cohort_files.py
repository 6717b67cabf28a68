"""Raw tables as they arrive: other shapes of folders and files, words for nothing, tables out of a spreadsheet."""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from leader_core.cohort import Cohort
from leader_core.cohort.build import BuildResult, build_cohort
from leader_core.cohort.raw_tables import open_raw
from leader_core.cohort.sources import MISSING_WORDS
from leader_core.cohort.spreadsheet import restore_codes
from leader_core.errors import InputError, NotFoundError
from tests import raw_tables
from tests.conftest import ROOT

CASES = ROOT.parent / "shared" / "cases" / "tables"
WORDS = ("null_backslash_N", "null_lower", "null_na", "null_nan", "null_word")


def case_folder(name: str) -> Path:
    if not (CASES / name).is_dir():
        pytest.skip(f"the cases are not next to the project: {CASES / name}")
    return CASES / name


@pytest.mark.parametrize("name", WORDS)
def test_words_for_nothing_are_missing_values_counted_by_column(
    name: str, plain: BuildResult, tmp_path: Path
) -> None:
    result = build_cohort(case_folder(name), tmp_path / "c.duckdb")
    assert result.accounting == plain.accounting
    assert Cohort.open(result.path).case(1).profile["language"] == "unknown"
    counted = [note for note in result.notes if "word for nothing" in note]
    assert [re.findall(r"^(\w+)|(\w+ \d+)(?=,| and|\.$)", note) for note in counted] == [
        [("admissions", ""), ("", "language 5"), ("", "marital_status 5")],
        [("diagnoses_icd", ""), ("", "icd_code 1")],
        [("prescriptions", ""), ("", "drug 1"), ("", "ndc 2"), ("", "route 3")],
    ]


def test_python_and_sql_know_the_same_words() -> None:
    text = (ROOT / "leader_core/cohort/sql/raw/functions.sql").read_text()
    listed = text[text.index("trim(cell) IN (") :].split(")\n", 1)[0] + ")"
    assert set(re.findall(r"'([^']+)'", listed)) == MISSING_WORDS


def test_cells_written_as_formulas_of_a_spreadsheet_are_their_text(
    plain: BuildResult, tmp_path: Path
) -> None:
    tables = raw_tables.mimic3()
    for name in ("DIAGNOSES_ICD", "PROCEDURES_ICD"):
        for row in tables[name]:
            row["ICD9_CODE"] = f'="{row["ICD9_CODE"]}"'
    for row in tables["ADMISSIONS"]:
        row["HADM_ID"] = f'="{row["HADM_ID"]}"'
    result = raw_tables.build(tmp_path, tables)
    assert result.fingerprint.digest == plain.fingerprint.digest
    assert sum('cells written ="…"' in note for note in result.notes) == 3


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")])
def test_tables_without_commas_are_refused_naming_what_stands_there(
    sign: str, name: str, tmp_path: Path
) -> None:
    raw = raw_tables.write(tmp_path / "raw", raw_tables.mimic3())
    path = raw / "DIAGNOSES_ICD.csv"
    path.write_text(path.read_text().replace(",", sign))
    with pytest.raises(InputError, match=f"DIAGNOSES_ICD.csv: {name} stand between its cells"):
        open_raw(raw)


def test_dates_that_may_mean_two_are_refused_naming_the_cell(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"admissions\.csv, line 2, column admittime: '5/1/2160 10:00' may mean two"
    ):
        build_cohort(case_folder("excel_us"), tmp_path / "c.duckdb")


@pytest.mark.parametrize(
    ("old", "new", "order"),
    [
        ("2160-05-01 10:00:00", "5/1/2160 10:00", "month/day/year"),
        ("2160-05-01 10:00:00", "01/05/2160 10:00:00", "day/month/year"),
        ("2160-05-01 10:00:00", "5/1/2160 10:00:00 AM", "month/day/year"),
        ("2160-05-01 10:00:00", "01.05.2160 10:00", ""),
        ("2160-05-01 10:00:00", "01-MAY-2160 10:00:00", ""),
    ],
)
def test_dates_of_a_spreadsheet_are_read_where_unambiguous(
    old: str, new: str, order: str, plain: BuildResult, tmp_path: Path
) -> None:
    tables = raw_tables.mimic3()
    tables["ADMISSIONS"][0]["ADMITTIME"] = new
    tables["ADMISSIONS"][3]["ADMITTIME"] = "1/15/2170 0:00" if order.startswith("month") else "15/1/2170 0:00"
    if not order:
        tables["ADMISSIONS"][3]["ADMITTIME"] = "2170-01-15 00:00:00"
    tables["ADMISSIONS"][3]["DISCHTIME"] = "2170-02-01 00:00:00"
    result = raw_tables.build(tmp_path, tables)
    assert result.fingerprint.digest == plain.fingerprint.digest
    assert [n for n in result.notes if "dates written" in n] == (
        [f"ADMISSIONS.csv: dates written as {order} were read as such."] if order else []
    )


def test_unreadable_admission_times_name_the_cell(tmp_path: Path) -> None:
    tables = raw_tables.mimic3()
    for row in tables["ADMISSIONS"]:
        row["ADMITTIME"] = 95094.416
    with pytest.raises(InputError, match=r"5 of 5 rows .*line 2, column admittime: '95094\.416'"):
        raw_tables.build(tmp_path, tables)


def test_columns_that_a_cut_down_copy_lacks_are_said_once(plain: BuildResult, tmp_path: Path) -> None:
    tables = raw_tables.mimic3()
    for name, lacking in {
        "PRESCRIPTIONS": {"DRUG_TYPE", "ROUTE", "NDC"},
        "DIAGNOSES_ICD": {"SEQ_NUM"},
        "ADMISSIONS": {"RELIGION", "DISCHTIME"},
        "PATIENTS": {"DOB"},
    }.items():
        tables[name] = [{k: v for k, v in row.items() if k not in lacking} for row in tables[name]]
    result = raw_tables.build(tmp_path, tables)
    cohort = Cohort.open(result.path)
    assert len(cohort.cases(targets="all")) == 3
    assert cohort.case(1).profile["religion"] == cohort.case(1).profile["age_band"] == "unknown"
    notes = [note for note in result.notes if " lacks " in note or note.startswith("No table")]
    assert notes == [
        "PATIENTS.csv lacks dob: age is unknown.",
        "ADMISSIONS.csv lacks dischtime: lengths of stay are unknown.",
        "ADMISSIONS.csv lacks religion: religion is unknown.",
        "DIAGNOSES_ICD.csv lacks seq_num: the codes of a visit stand in the order of their text, and none is the main one.",
        "PRESCRIPTIONS.csv lacks drug_type: diluents and additives are recognized by their names alone.",
        "PRESCRIPTIONS.csv lacks route: every drug is taken for its commonest route.",
        "PRESCRIPTIONS.csv lacks ndc: drugs are known by their names alone.",
        "No table d_icd_diagnoses and no d_icd_procedures: titles are those of the official code lists.",
    ]


def test_a_parquet_table_in_parts_and_a_wrapped_release_are_read(plain: BuildResult, tmp_path: Path) -> None:
    raw = raw_tables.write(tmp_path / "release" / "mimic-iii" / "tables", raw_tables.mimic3())
    with (raw / "PRESCRIPTIONS.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    (raw / "PRESCRIPTIONS.csv").unlink()
    for part in (0, 1):
        folder = raw / "prescriptions" / f"half={part}"
        folder.mkdir(parents=True)
        parquet.write_table(pa.Table.from_pylist(rows[part::2]), folder / "part-0.parquet")
    (raw / "prescriptions" / "_SUCCESS").touch()
    result = build_cohort(tmp_path / "release", tmp_path / "c.duckdb")
    assert result.fingerprint.digest == plain.fingerprint.digest


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("s3://bucket/mimic", "is an address (s3): expected a folder of this machine"),
        ("gs://bucket/mimic", "Copy the tables here first"),
        ("https://physionet.org/files/mimiciv", "is an address (https)"),
    ],
)
def test_addresses_are_refused_in_words(given: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        open_raw(Path(given))


def test_what_was_seen_instead_of_a_table_is_named(tmp_path: Path) -> None:
    raw = raw_tables.write(tmp_path / "raw", raw_tables.mimic3())
    (raw / "ADMISSIONS.csv").rename(raw / "ADMISSIONS.xlsx")
    with pytest.raises(
        NotFoundError, match=r"no table admissions .*Seen there and not read: ADMISSIONS\.xlsx"
    ):
        open_raw(raw)
    (tmp_path / "mimic.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match="Unpack it"):
        open_raw(tmp_path / "mimic.zip")
    parts = raw / "ADMISSIONS"
    parts.mkdir()
    for part in ("a.csv", "b.csv"):
        (parts / part).write_text("x\n")
    with pytest.raises(InputError, match="holds several files"):
        open_raw(raw)


def test_the_release_s_own_list_of_checksums_is_compared(plain: BuildResult, tmp_path: Path) -> None:
    raw = raw_tables.write(tmp_path / "raw", raw_tables.mimic3())
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in raw.iterdir()}
    (raw / "SHA256SUMS.txt").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    assert build_cohort(raw, tmp_path / "c.duckdb").fingerprint.digest == plain.fingerprint.digest
    (raw / "PRESCRIPTIONS.csv").write_bytes(
        (raw / "PRESCRIPTIONS.csv").read_bytes() + b"1,20,,MAIN,Aspirin,,PO\n"
    )
    with pytest.raises(InputError, match=r"PRESCRIPTIONS\.csv is not the file that SHA256SUMS\.txt lists"):
        build_cohort(raw, tmp_path / "d.duckdb")


# --- codes that became numbers


def test_the_open_demo_read_as_integers_is_refused_with_its_counts(mimic3demo: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for path in mimic3demo.glob("*.csv*"):
        (raw / path.name).symlink_to(path)
    for name in ("DIAGNOSES_ICD", "PROCEDURES_ICD"):
        (path,) = mimic3demo.glob(f"{name}.csv*")
        (raw / path.name).unlink()
        with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        for row in rows:
            row["icd9_code"] = str(int(row["icd9_code"])) if row["icd9_code"].isdigit() else row["icd9_code"]
        with (raw / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    with pytest.raises(
        InputError, match=r"read as numbers by a spreadsheet.*none of 1,\d+ ICD9 codes.*may be .* or "
    ):
        build_cohort(raw, tmp_path / "c.duckdb")


def test_zeros_are_put_back_where_only_one_code_fits() -> None:
    rows = [("diagnosis", "4019", "9", 90), ("diagnosis", "389", "9", 4), ("diagnosis", "V1046", "9", 3)]
    restored = restore_codes([*rows, ("procedure", "3893", "9", 5)])
    assert restored.codes == {("diagnosis", "389", "9"): "0389"}
    assert restored.notes == (
        "diagnoses_icd: the leading zeros of 4 ICD9 codes were lost in a spreadsheet or another program, and put back "
        "where only one code fits (389 is 0389).",
    )
    with pytest.raises(InputError, match=r"7 rows fit several \(4111 may be 04111 or 4111\)"):
        restore_codes([*rows, ("diagnosis", "4111", "9", 7)])
    with pytest.raises(InputError, match=r"\(66 may be 0066 or 066\)"):
        restore_codes(
            [("procedure", "66", "9", 2), ("procedure", "331", "9", 1), ("procedure", "3893", "9", 9)]
        )


def test_sound_tables_are_left_alone() -> None:
    sound = [("diagnosis", "389", "9", 4), ("diagnosis", "0389", "9", 4), ("diagnosis", "4111", "9", 1)]
    assert restore_codes(sound) == restore_codes([])
    categories = [("diagnosis", code, "9", 10) for code in ("401", "428", "250", "380", "584")]
    assert restore_codes(categories).codes == {}


def test_codes_with_a_decimal_point_behind_them_are_read() -> None:
    rows = [
        ("diagnosis", "4019.0", "9.0", 2),
        ("diagnosis", "25000.0", "9.0", 1),
        ("procedure", "270346", "10", 1),
    ]
    assert restore_codes(rows).codes == {
        ("diagnosis", "4019.0", "9.0"): "4019",
        ("diagnosis", "25000.0", "9.0"): "25000",
        ("procedure", "270346", "10"): "0270346",
    }


def test_births_after_admission_and_odd_genders_are_counted(tmp_path: Path) -> None:
    tables = raw_tables.mimic3()
    tables["PATIENTS"][0] |= {"DOB": "2199-01-01 00:00:00", "GENDER": "X"}
    tables["PATIENTS"][1]["GENDER"] = "Male"
    result = raw_tables.build(tmp_path, tables)
    assert Cohort.open(result.path).case(2).profile["gender"] == "M"
    assert "Patients whose gender is neither F nor M, left as written: 'X' 1." in result.notes
    assert "Admissions before the patient's birth, which leave the age unknown: 2." in result.notes
    assert result.rejects == 2 and Cohort.open(result.path).case(1).profile["age_band"] == "unknown"
