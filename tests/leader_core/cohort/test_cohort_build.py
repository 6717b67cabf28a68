"""The cohort builder on a hospital worked out by hand, and on the open demo's real tables."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from leader_core import InputError
from leader_core.cohort import Cohort
from leader_core.cohort.build import BuildResult, build_cohort
from tests import raw_tables

Accounts = dict[str, dict[str, int]]


def accounts(result: BuildResult) -> Accounts:
    reported: Accounts = {}
    for table, reason, rows in result.accounting:
        reported.setdefault(table, {})[reason] = rows
    return reported


@pytest.fixture(scope="module")
def cohort(plain: BuildResult) -> Cohort:
    return Cohort.open(plain.path)


def test_every_row_of_every_table_is_accounted_for(plain: BuildResult) -> None:
    assert accounts(plain) == {
        "patients": {"kept": 2, "patient without a kept visit": 2},
        "admissions": {"kept": 3, "visit without a diagnosis": 1, "visit without a mapped medication": 1},
        "diagnoses_icd": {
            "kept": 5,
            "duplicate code in the visit": 1,
            "missing code": 1,
            "visit without a mapped medication": 1,
        },
        "procedures_icd": {"kept": 1, "unknown admission": 1},
        "prescriptions": {
            "kept": 6,
            "diluent": 2,
            "flush": 1,
            "additive": 1,
            "unmapped drug": 1,
            "missing drug name": 1,
            "visit without a diagnosis": 1,
            "admission of another patient": 1,
        },
    }
    assert plain.rows_read == {
        "patients": 4,
        "admissions": 5,
        "diagnoses_icd": 8,
        "procedures_icd": 2,
        "prescriptions": 14,
    }


def test_attrition_counts_each_filter(plain: BuildResult) -> None:
    assert [row[1:] for row in plain.attrition] == [
        ("readable admission of a known patient", 4, 4, 5, 5),
        ("at least one diagnosis", 4, 3, 5, 4),
        ("at least one mapped medication", 3, 2, 4, 3),
    ]


def test_visits_are_in_order_of_admission_and_not_of_their_ids(cohort: Cohort) -> None:
    case = cohort.case(1)
    assert [v.visit_id for v in (*case.history, case.current)] == [20, 10]
    assert [v.visit_no for v in (*case.history, case.current)] == [1, 2]
    assert cohort.case(1, visit_no=1).current.visit_id == 20


def test_codes_keep_their_zeros_their_system_and_the_source_order(cohort: Cohort) -> None:
    first, last = cohort.case(1).history[0], cohort.case(1).current
    assert first.diagnoses == ("ICD9:4280", "ICD9:4019")
    assert last.diagnoses == ("ICD9:0389", "ICD9:V1046")
    assert last.procedures == ("ICD9PCS:0066",)
    assert first.medications == ("C03C", "J01X")  # vancomycin into a vein ...
    assert last.medications == ("A07A",)  # ... and by mouth


def test_orders_show_the_hospital_s_words(cohort: Cohort) -> None:
    assert [(o.code, o.drug, o.route, o.orders) for o in cohort.orders(20)] == [
        ("C03C", "Furosemide", "IV", 2),
        ("C03C", "Furosemide", "PO", 1),
        ("J01X", "Vancomycin", "IV", 1),
    ]


def test_profile_is_that_of_the_current_visit(cohort: Cohort) -> None:
    assert cohort.case(1, 1).profile["insurance"] == "Medicare"
    assert cohort.case(1, 2).profile["insurance"] == "Private"
    assert cohort.case(1, 2).profile["age_band"] == "55-64"  # 61 on the day after the birthday
    assert cohort.case(2).profile["marital_status"] == "unknown"
    assert cohort.case(2).profile["age_band"] == "85+"


@pytest.mark.parametrize(
    ("layout", "age", "years"),
    [("mimic3", 59, (None, None, None)), ("mimic4", 60, (2012, 2013, 2014))],
)
def test_ages_are_full_years_hidden_above_89_and_calendar_years_those_of_the_source(
    layout: str, age: int, years: tuple[int | None, ...], tmp_path: Path
) -> None:
    raw_tables.build(tmp_path, getattr(raw_tables, layout)())
    with duckdb.connect(str(tmp_path / "c.duckdb"), read_only=True) as connection:
        visits = connection.execute("SELECT visit_id, age, calendar_year FROM visits").fetchall()
    assert sorted(visits) == [(10, 61, years[1]), (20, age, years[0]), (30, 91, years[2])]


def _many(patients: int) -> raw_tables.Tables:
    """A hospital of patients with one visit each, all alike, in MIMIC-III's layout."""
    tables = raw_tables.mimic3()
    only = {
        name: next(row for row in rows if row["SUBJECT_ID"] == 2 and row.get("HADM_ID", 30) == 30)
        for name, rows in tables.items()
        if name != "PROCEDURES_ICD"
    }
    many = {
        name: [
            row | {"SUBJECT_ID": n} | ({"HADM_ID": 100 + n} if "HADM_ID" in row else {})
            for n in range(1, patients + 1)
        ]
        for name, row in only.items()
    }
    return {**many, "PROCEDURES_ICD": tables["PROCEDURES_ICD"]}


def test_the_published_split_and_sample_take_the_patients_that_the_published_code_takes(
    tmp_path: Path,
) -> None:
    raw = raw_tables.write(tmp_path / "raw", _many(39))
    whole = Cohort.open(build_cohort(raw, tmp_path / "all.duckdb", split="published").path)
    ids = {name: [c.patient_id for c in whole.cases(name)] for name in ("train", "validation", "test")}
    assert ids == {"train": [*range(1, 32)], "validation": [32, 33, 34], "test": [*range(35, 40)]}

    result = build_cohort(raw, tmp_path / "some.duckdb", split="published", sample=0.4)
    np.random.seed(42)  # noqa: NPY002 (as the published notebook draws)
    expected = sorted(np.random.choice(np.arange(1, 40), 15, replace=False).tolist())  # noqa: NPY002
    cohort = Cohort.open(result.path)
    assert [c.patient_id for c in cohort.cases()] == expected
    assert [c.patient_id for c in cohort.cases("train")] == expected[:12]
    assert result.attrition[-1][1:] == ("in the random 40 % of the patients (seed 42)", 39, 15, 39, 15)
    assert accounts(result)["admissions"] == {"kept": 15, "patient not drawn": 24}
    assert json.loads(cohort.meta["parameters"])["split"] == "published"
    assert json.loads(cohort.meta["parameters"])["sample"] == 0.4


@pytest.mark.parametrize(
    ("options", "message"), [({"split": "odd"}, "Unknown split 'odd'"), ({"sample": 0.0}, "--sample")]
)
def test_an_unknown_split_or_an_empty_sample_is_refused(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        raw_tables.build(tmp_path, **options)


def test_the_promised_columns_are_there(cohort: Cohort) -> None:
    promised = {
        "patients": "patient_id gender visits split",
        "visits": "visit_id patient_id visit_no admitted_at discharged_at age insurance language religion "
        "marital_status ethnicity admission_type",
        "visit_codes": "visit_id kind code position",
        "concepts": "kind code system title parent",
        "orders": "visit_id code drug route orders",
        "interactions": "code_a code_b severity source mechanism effect management evidence",
        "accounting": "source_table reason rows",
        "rejects": "source_table line column value reason",
        "meta": "key value",
    }
    with duckdb.connect(str(cohort.path), read_only=True) as connection:
        result = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
        ).fetchall()
        types = dict(
            connection.execute(
                "SELECT table_name || '.' || column_name, data_type FROM information_schema.columns"
            ).fetchall()
        )
        pairs = connection.execute(
            "SELECT count(*), count(*) FILTER (code_a < code_b) FROM interactions"
        ).fetchone()
    for table, columns in promised.items():
        assert set(columns.split()) <= {column for name, column in result if name == table}, table
    assert types["patients.patient_id"] == types["visits.visit_id"] == types["accounting.rows"] == "BIGINT"
    assert types["patients.visits"] == types["visits.visit_no"] == types["visits.age"] == "INTEGER"
    assert pairs is not None and pairs[0] == pairs[1] > 0


def test_the_split_is_the_documented_hash(plain: BuildResult, cohort: Cohort) -> None:
    for patient in (1, 2):
        tenth = int(hashlib.md5(f"42:{patient}".encode(), usedforsecurity=False).hexdigest()[:8], 16) % 10
        expected = "train" if tenth < 8 else "validation" if tenth == 8 else "test"
        assert [c.patient_id for c in cohort.cases(expected)].count(patient) == 1


def test_mimic4_keeps_icd_versions_apart_and_reads_hosp_folders_and_gzip(tmp_path: Path) -> None:
    raw = raw_tables.write(tmp_path / "release" / "hosp", raw_tables.mimic4(), compress=True)
    result = build_cohort(raw.parent, tmp_path / "c.duckdb")
    cohort = Cohort.open(result.path)
    assert result.fingerprint.source == "mimic4"
    assert cohort.case(2).current.diagnoses == ("ICD10:I4891",)
    assert cohort.case(1).current.diagnoses == ("ICD9:0389", "ICD9:V1046")
    assert "admission_type" in cohort.profile_fields and "religion" not in cohort.profile_fields
    assert cohort.case(1).profile["religion"] == "unknown" and cohort.case(1).profile["ethnicity"] == "WHITE"


def test_the_hospital_s_own_titles_win_and_are_separate_by_version(tmp_path: Path) -> None:
    tables = raw_tables.mimic4()
    tables["diagnoses_icd"] += [
        {"subject_id": 1, "hadm_id": 10, "seq_num": 4, "icd_code": "E8809", "icd_version": 9},
        {"subject_id": 2, "hadm_id": 30, "seq_num": 2, "icd_code": "E8809", "icd_version": 10},
        {"subject_id": 2, "hadm_id": 30, "seq_num": 3, "icd_code": "99999", "icd_version": 9},
    ]
    tables["d_icd_diagnoses"] = [
        {"icd_code": "E8809", "icd_version": 9, "long_title": "Fall on stairs"},
        {"icd_code": "E8809", "icd_version": 10, "long_title": "Plasma-protein disorder"},
        {"icd_code": "0010", "icd_version": 9, "long_title": "Cholera"},
    ]
    result = raw_tables.build(tmp_path, tables)
    cohort = Cohort.open(result.path)
    assert cohort.title("diagnosis", "ICD9:E8809") == "Fall on stairs"
    assert cohort.title("diagnosis", "ICD10:E8809") == "Plasma-protein disorder"
    assert cohort.title("diagnosis", "ICD9:4280") == "Congestive heart failure, unspecified"
    assert cohort.titles("diagnosis")["ICD9:99999"] == "ICD9:99999"
    assert result.untitled == {"diagnosis": 1}
    assert accounts(result)["d_icd_diagnoses"] == {"kept": 2, "code not in the cohort": 1}


def test_the_same_tables_give_the_same_digest_whatever_their_form(plain: BuildResult, tmp_path: Path) -> None:
    tables = raw_tables.mimic3()
    turned = {name.lower(): [raw_tables._lower(row) for row in rows] for name, rows in tables.items()}
    turned["prescriptions"].reverse()
    raw = raw_tables.write(tmp_path / "raw", turned, compress=True)
    again = build_cohort(raw, tmp_path / "other name.duckdb", label="Renamed")
    assert again.fingerprint.digest == plain.fingerprint.digest

    tables["DIAGNOSES_ICD"][0]["ICD9_CODE"] = "4010"
    other = raw_tables.build(tmp_path / "changed", tables)
    assert other.fingerprint.digest != plain.fingerprint.digest


@pytest.mark.parametrize(("level", "code"), [(3, "B01A"), (4, "B01AA"), (5, "B01AA03")])
def test_atc_levels(level: int, code: str, tmp_path: Path) -> None:
    cohort = Cohort.open(raw_tables.build(tmp_path, atc_level=level).path)
    assert cohort.case(2).current.medications == (code,)
    assert cohort.fingerprint.atc_level == level


def test_synthetic_tables_say_so(tmp_path: Path) -> None:
    raw = raw_tables.write(tmp_path / "raw", raw_tables.mimic3())
    (raw / "SYNTHETIC.json").write_text(json.dumps({"synthetic": True}))
    built = build_cohort(raw, tmp_path / "c.duckdb").fingerprint
    assert built.synthetic and built.label == "Synthetic hospital (MIMIC-III layout)"
    assert Cohort.open(tmp_path / "c.duckdb").fingerprint == built


def test_meta_names_every_raw_file_by_its_hash(plain: BuildResult, cohort: Cohort) -> None:
    raw = plain.path.parent / "raw" / "PRESCRIPTIONS.csv"
    assert cohort.meta["sha256:PRESCRIPTIONS.csv"] == hashlib.sha256(raw.read_bytes()).hexdigest()
    assert {"source", "preset", "parameters", "code_version", "built_at"} <= set(cohort.meta)
    assert cohort.fingerprint == plain.fingerprint


def test_paper_preset_maps_by_ndc_and_keeps_patients_with_two_prescribed_admissions(tmp_path: Path) -> None:
    tables = raw_tables.mimic3()
    for row in tables["PRESCRIPTIONS"]:
        if row["HADM_ID"] == 10 and row["DRUG"] == "Vancomycin Oral Liquid":
            row["NDC"] = "338-3552-48"  # the same package as the infusion, with dashes and without zeros
    tables["PROCEDURES_ICD"].append({"SUBJECT_ID": 1, "HADM_ID": 20, "SEQ_NUM": 1, "ICD9_CODE": "3961"})
    (tmp_path / "ndc.csv").write_text("ndc,atc3\n00054329425,C03C\n338355248,A07A\n00056017275,B01A\n")
    result = raw_tables.build(tmp_path, tables, preset="paper", ndc_map=tmp_path / "ndc.csv")
    case = Cohort.open(result.path).case(1)
    assert case.history[0].medications == ("A07A", "C03C")
    assert case.current.medications == ("A07A",)
    assert [row[2:] for row in result.attrition] == [
        (4, 4, 5, 5),
        (4, 1, 5, 2),
        (1, 1, 2, 2),
        (1, 1, 2, 2),
        (1, 1, 2, 2),
    ]
    assert accounts(result)["prescriptions"] == {
        "kept": 5,
        "missing NDC": 5,
        "NDC not in the map": 2,
        "patient with one prescribed admission": 1,
        "admission of another patient": 1,
    }


def test_the_open_demo_adds_up(real_cohort: Path) -> None:
    cohort = Cohort.open(real_cohort)
    rows = cohort.accounting().groupby("source_table")["rows"].sum().to_dict()
    assert rows == {
        "admissions": 129,
        "diagnoses_icd": 1761,
        "patients": 100,
        "prescriptions": 10398,
        "procedures_icd": 506,
    }
    assert len(cohort.rejects()) == 0
    with duckdb.connect(str(real_cohort), read_only=True) as connection:
        late = connection.execute(
            "SELECT count(*) FROM visits a JOIN visits b USING (patient_id) "
            "WHERE a.visit_no < b.visit_no AND a.admitted_at > b.admitted_at"
        ).fetchone()
        numbering = connection.execute(
            "SELECT count(*) FROM (SELECT patient_id, max(visit_no) m, count(*) n FROM visits GROUP BY 1) WHERE m <> n"
        ).fetchone()
    assert late == (0,) and numbering == (0,)
    remaining = (
        cohort.accounting().query("source_table == 'prescriptions' and reason == 'kept'")["rows"].sum()
    )
    with duckdb.connect(str(real_cohort), read_only=True) as connection:
        ordered = connection.execute("SELECT sum(orders) FROM orders").fetchone()
    assert (
        ordered is not None and ordered[0] >= remaining > 7_000
    )  # a combination stands behind several classes
