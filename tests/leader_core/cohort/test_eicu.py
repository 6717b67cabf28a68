"""eICU as a source: hospital stays from unit stays, one row one diagnosis, drugs by name and HICL, no dates."""

from __future__ import annotations

from pathlib import Path

import pytest

from leader_core.cohort import Cohort
from leader_core.cohort.build import BuildResult
from leader_core.cohort.eicu import names_by_hicl
from leader_core.errors import InputError
from tests import raw_tables
from tests.leader_core.cohort.test_cohort_build import accounts

UNIT = "patientunitstayid patienthealthsystemstayid uniquepid gender age hospitaladmitoffset hospitaldischargeyear".split()
DRUG = "patientunitstayid drugname drughiclseqno routeadmin drugordercancelled".split()


def hospital() -> raw_tables.Tables:
    """Patient 2001039 with two hospital stays, the earlier one numbered higher; of the later one two unit stays."""
    rows = {
        "patient": (
            UNIT,
            [
                (11, 500, "002-1039", "Female", 70, -2000, 2015),
                (12, 500, "002-1039", "Female", 70, -10, 2015),
                (13, 600, "002-1039", "Female", 69, -5, 2014),
                (14, 700, "003-7", "Male", "> 89", -1, 2014),
            ],
        ),
        "diagnosis": (
            ["patientunitstayid", "diagnosispriority", "diagnosisoffset", "icd9code"],
            [
                (11, "Major", 5, "401.9, I10"),
                (12, "Primary", 90, "038.9, 518.81, R65.20, J96.0"),
                (12, "Primary", 91, "038.9, R65.20"),
                (13, "Other", 1, "I42.0"),
                (13, "Other", 1, ""),
                (14, "Other", 1, "V62.84, R45.851"),
                (99, "Other", 1, "401.9"),
            ],
        ),
        "medication": (
            DRUG,
            [
                (11, "WARFARIN SODIUM 5 MG PO TABS", 2812, "PO", "No"),
                (12, "", 2812, "PER NG TUBE", "No"),
                (12, "HEPARIN", 10, "SUBCUTAN", "Yes"),
                (12, "HEPARIN", 10, "SUBCUTAN", "TRUE"),
                (12, "", 77, "IV", "No"),
                (13, "KCL IN DEXTROSE-NACL", 0, "PERIPH IV", "No"),
                (14, "vanc", 0, "INTRAVENOU", "No"),
                (14, "MMF", 0, "NG TUBE", "No"),
                (14, "fluticasone", 0, "EACH NARE", "No"),
                (14, "NS 1000 ML", 0, "IV", "No"),
            ],
        ),
        "treatment": (
            ["patientunitstayid", "treatmentstring"],
            [
                (11, "pulmonary|ventilation and oxygenation|mechanical ventilation"),
                (12, "cardiovascular|shock|vasopressors|norepinephrine"),
            ],
        ),
    }
    return {
        name: [dict(zip(columns, map(str, row), strict=True)) for row in table]
        for name, (columns, table) in rows.items()
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    return raw_tables.build(tmp_path_factory.mktemp("eicu"), hospital())


def test_every_row_is_accounted_for_under_the_source_s_own_tables(built: BuildResult) -> None:
    assert built.fingerprint.source == "eicu"
    assert accounts(built) == {
        "patient": {"kept": 3, "further unit stay of its hospital stay": 1},
        "diagnosis": {
            "kept": 4, "duplicate code in the visit": 1, "missing code": 1, "unknown admission": 1,
        },
        "medication": {"kept": 6, "cancelled order": 2, "missing drug name": 1, "diluent": 1},
        "treatment": {"kept": 1, "treatment by a drug": 1},
    }  # fmt: skip
    assert built.rows_read == {"patient": 4, "diagnosis": 7, "medication": 10, "treatment": 2}


def test_hospital_stays_are_the_visits_in_order_of_year_and_age(built: BuildResult) -> None:
    case = Cohort.open(built.path).case(2001039)
    assert [visit.visit_id for visit in (*case.history, case.current)] == [600, 500]
    assert case.current.admitted_at is None
    assert case.profile["age_band"] == "65-74" and case.profile["gender"] == "F"
    assert Cohort.open(built.path).case(3000007).profile["age_band"] == "85+"
    assert any("for 0 of the 1 patients with several stays" in note for note in built.notes)


def test_the_visits_whose_order_is_not_known_are_known_by_patient(built: BuildResult, tmp_path: Path) -> None:
    assert Cohort.open(built.path).unordered_visits(2001039) == ()
    tables = hospital()
    tables["patient"] += [
        dict(zip(UNIT, map(str, row), strict=True))
        for row in (
            (15, 800, "002-1039", "Female", 69, -5, 2014),
            (16, 900, "003-7", "Male", "> 89", -1, 2015),
        )
    ]
    for table, cells in (("diagnosis", {"icd9code": "401.9"}), ("medication", {"drugname": "vanc"})):
        columns = tables[table][0]
        tables[table] += [
            {**dict.fromkeys(columns, ""), "patientunitstayid": stay, **cells} for stay in ("15", "16")
        ]
    cohort = Cohort.open(raw_tables.build(tmp_path, tables).path)
    assert cohort.unordered_visits(2001039) == (1, 2), "600 and 800: the same year and age"
    assert cohort.case(3000007).history and cohort.unordered_visits(3000007) == ()


def test_a_row_gives_its_icd_9_codes_or_else_its_icd_10_ones(built: BuildResult) -> None:
    cohort = Cohort.open(built.path)
    case = cohort.case(2001039)
    assert case.current.diagnoses == ("ICD9:0389", "ICD9:51881", "ICD9:4019")
    assert case.history[0].diagnoses == ("ICD10:I420",)
    assert cohort.case(3000007).current.diagnoses == ("ICD9:V6284",)


def test_treatments_are_procedures_of_their_own_system_unless_they_name_drugs(built: BuildResult) -> None:
    cohort = Cohort.open(built.path)
    code = "EICU:pulmonary|ventilation and oxygenation|mechanical ventilation"
    assert cohort.case(2001039).current.procedures == (code,)
    assert (
        cohort.title("procedure", code) == "Mechanical ventilation (pulmonary: ventilation and oxygenation)"
    )


def test_drugs_are_known_by_name_and_by_what_their_number_means_elsewhere(built: BuildResult) -> None:
    cohort = Cohort.open(built.path)
    assert [(o.code, o.drug, o.orders) for o in cohort.orders(500)] == [
        ("B01A", "WARFARIN SODIUM 5 MG PO TABS", 1),
        ("B01A", "warfarin (HICL 2812)", 1),
    ]
    assert cohort.case(2001039, 1).current.medications == ("B05X",)
    assert cohort.case(3000007).current.medications == ("J01X", "L04A", "R01A"), (
        "a spray by nose is not inhaled"
    )
    assert "Orders without a name: 2; 1 of them are known by their HICL number." in built.notes


def test_without_the_table_of_treatments_no_visit_has_a_procedure(built: BuildResult, tmp_path: Path) -> None:
    tables = {name: rows for name, rows in hospital().items() if name != "treatment"}
    plain = raw_tables.build(tmp_path, tables)
    assert accounts(plain) == {name: rows for name, rows in accounts(built).items() if name != "treatment"}
    assert "No table treatment: no visit has a procedure." in plain.notes
    assert Cohort.open(plain.path).case(2001039).current.procedures == ()


def test_a_number_that_means_two_drugs_names_none() -> None:
    rows = [
        ("1", "Warfarin", 9),
        ("1", "Coumadin 5 mg", 2),
        ("2", "Warfarin", 9),
        ("2", "Heparin", 1),
        ("3", "NS", 4),
    ]
    assert names_by_hicl(rows) == {"1": "warfarin (HICL 1)", "3": "NS"}


def test_without_ndcs_a_map_of_them_is_refused(tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text("ndc,atc3\n1,B01A\n")
    with pytest.raises(InputError, match="eICU has no NDCs"):
        raw_tables.build(tmp_path, hospital(), ndc_map=tmp_path / "map.csv")
