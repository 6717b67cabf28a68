"""A chunk of the hospital as raw tables in the layouts of MIMIC-III v1.4 (ROW_ID is added on writing) and MIMIC-IV v2.2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute

from train.synthetic_hospital.arrays import BoolArray, FloatArray, IntArray
from train.synthetic_hospital.clinic import Clinic, Stays
from train.synthetic_hospital.codes import Codes
from train.synthetic_hospital.knowledge import Knowledge
from train.synthetic_hospital.patients import Text
from train.synthetic_hospital.prescription_rows import Orders, draw_orders

NOTHING = np.datetime64("NaT", "s")


def _text(values: Text) -> pa.Array:
    """Strings, empty ones as missing cells."""
    array = pa.array(values, type=pa.string(), from_pandas=True)
    return pa.compute.if_else(pa.compute.equal(array, ""), pa.scalar(None, pa.string()), array)


def table(columns: Mapping[str, Any]) -> pa.Table:
    arrays = {}
    for name, values in columns.items():
        array = np.asarray(values)
        if array.dtype == object:
            arrays[name] = _text(array)
        else:
            arrays[name] = pa.array(array)
    return pa.table(arrays)


def _choice(rng: np.random.Generator, size: int, table: Mapping[str, float]) -> Text:
    weights = np.asarray(list(table.values()))
    return np.asarray(list(table), dtype=object)[
        rng.choice(weights.size, size=size, p=weights / weights.sum())
    ]


def types(rng: np.random.Generator, knowledge: Knowledge, layout: str, elective: BoolArray) -> Text:
    tables = knowledge.population["admission_type"][layout]
    return np.where(
        elective,
        _choice(rng, elective.size, tables["elective"]),
        _choice(rng, elective.size, tables["emergency"]),
    )


def numbered(visit: IntArray) -> IntArray:
    """1, 2, 3, ... within each visit; rows are sorted by visit."""
    first = np.flatnonzero(np.diff(visit, prepend=-1))
    return np.arange(visit.size) - np.repeat(first, np.diff(np.append(first, visit.size))) + 1


def _unique(visit: IntArray, codes: Text) -> IntArray:
    """Rows that give a visit a code for the first time."""
    number = np.unique(codes.astype(str), return_inverse=True)[1]
    first = np.unique(visit * (int(number.max(initial=0)) + 1) + number, return_index=True)[1]
    return np.sort(first)


def coded(
    rng: np.random.Generator,
    tables: Mapping[int, Codes],
    version: IntArray,
    visit: IntArray,
    choice: IntArray,
    empty: float,
) -> tuple[IntArray, Text, IntArray]:
    """Visit, code and ICD version of each row, without repeats; a few codes were never filled in."""
    code = np.empty(choice.size, dtype=object)
    for number, table in tables.items():
        rows = version[visit] == number
        code[rows] = np.asarray(table.code, dtype=object)[choice[rows]]
    keep = _unique(visit, code)
    visit, code = visit[keep], code[keep]
    code = np.where(rng.random(code.size) < empty, "", code)
    return visit, code, version[visit]


def leaving(rng: np.random.Generator, clinic: Clinic, words: tuple[str, ...]) -> Text:
    """Where a patient goes: the sicker, the less often home."""
    home = 1 / (1 + np.exp(0.8 * clinic.severity + 0.2))
    draw: FloatArray = rng.random(clinic.dead.size)
    other = np.asarray(words[2:], dtype=object)[rng.integers(0, len(words) - 2, clinic.dead.size)]
    return np.where(clinic.dead, words[0], np.where(draw < home, words[1], other)).astype(object)


_MIMIC3_DESTINATIONS = ("DEAD/EXPIRED", "HOME", "HOME HEALTH CARE", "SNF", "REHAB/DISTINCT PART HOSP")
_DISGUISE = 300 * 365 + 73  # days: patients over 89 are recorded as 300 years old


def _mimic3_tables(rng: np.random.Generator, stays: Stays, orders: Orders) -> dict[str, pa.Table]:
    """The five tables of one chunk."""
    knowledge, clinic = stays.knowledge, stays.clinic
    tables = {"patients": _mimic3_patients(rng, stays), "admissions": _mimic3_admissions(rng, stays)}
    for name, codes, visit, choice, empty in (
        ("diagnoses", knowledge.diagnosis, clinic.diagnosis_visit, clinic.diagnosis, 0.0008),
        ("procedures", knowledge.procedure, clinic.procedure_visit, clinic.procedure, 0.0),
    ):
        rows, code, _ = coded(rng, codes, clinic.version, visit, choice, empty)
        tables[name] = {
            "SUBJECT_ID": stays.subject[stays.patients.owner[rows]],
            "HADM_ID": stays.hadm[rows],
            "SEQ_NUM": numbered(rows),
            "ICD9_CODE": code,
        }
    tables["prescriptions"] = _mimic3_prescriptions(rng, stays, orders)
    return {name: table(columns) for name, columns in tables.items()}


def _mimic3_patients(rng: np.random.Generator, stays: Stays) -> dict[str, Any]:
    patients, died = stays.patients, stays.died
    days = (patients.age * 365.25 + rng.integers(0, 300, patients.age.size) / 2).astype(np.int64)
    first = stays.admitted[patients.visit_no == 0].astype("datetime64[D]")
    born = first - np.where(patients.age >= 89.5, _DISGUISE, days)
    return {
        "SUBJECT_ID": stays.subject,
        "GENDER": np.where(patients.female, "F", "M").astype(object),
        "DOB": born.astype("datetime64[s]"),
        "DOD": died,
        "DOD_HOSP": died,
        "DOD_SSN": np.full(died.size, NOTHING),
        "EXPIRE_FLAG": (~np.isnat(died)).astype(np.int64),
    }


def _mimic3_admissions(rng: np.random.Generator, stays: Stays) -> dict[str, Any]:
    clinic, profile, admitted = stays.clinic, stays.profile, stays.admitted
    kind = types(rng, stays.knowledge, "mimic3", stays.elective)
    emergency = kind == "EMERGENCY"
    origin = np.where(emergency, "EMERGENCY ROOM ADMIT", "PHYS REFERRAL/NORMAL DELI").astype(object)
    reasons = np.asarray([c.name.replace("_", " ").upper() for c in stays.knowledge.conditions], dtype=object)
    return {
        "SUBJECT_ID": stays.subject[stays.patients.owner],
        "HADM_ID": stays.hadm,
        "ADMITTIME": admitted,
        "DISCHTIME": stays.discharged,
        "DEATHTIME": np.where(clinic.dead, stays.discharged, NOTHING),
        "ADMISSION_TYPE": kind,
        "ADMISSION_LOCATION": origin,
        "DISCHARGE_LOCATION": leaving(rng, clinic, _MIMIC3_DESTINATIONS),
        "INSURANCE": profile["insurance"],
        "LANGUAGE": profile["language"],
        "RELIGION": profile["religion"],
        "MARITAL_STATUS": profile["marital_status"],
        "ETHNICITY": profile["ethnicity"],
        "EDREGTIME": np.where(emergency, admitted - np.timedelta64(14400, "s"), NOTHING),
        "EDOUTTIME": np.where(emergency, admitted + np.timedelta64(5400, "s"), NOTHING),
        "DIAGNOSIS": reasons[clinic.principal],
        "HOSPITAL_EXPIRE_FLAG": clinic.dead.astype(np.int64),
        "HAS_CHARTEVENTS_DATA": np.ones(admitted.size, dtype=np.int64),
    }


def _mimic3_prescriptions(rng: np.random.Generator, stays: Stays, orders: Orders) -> dict[str, Any]:
    size = orders.visit.size
    bare = rng.random(size) < 0.42  # orders from before the electronic order entry
    start, stop = (t.astype("datetime64[D]").astype("datetime64[s]") for t in (orders.start, orders.stop))
    return {
        "SUBJECT_ID": stays.subject[stays.patients.owner[orders.visit]],
        "HADM_ID": stays.hadm[orders.visit],
        "ICUSTAY_ID": np.full(size, "", dtype=object),
        "STARTDATE": np.where(rng.random(size) < 0.0007, NOTHING, start),
        "ENDDATE": np.where(rng.random(size) < 0.0012, NOTHING, stop),
        "DRUG_TYPE": orders.kind,
        "DRUG": orders.drug,
        "DRUG_NAME_POE": np.where(bare, "", orders.drug),
        "DRUG_NAME_GENERIC": np.where(bare, "", orders.drug),
        "FORMULARY_DRUG_CD": orders.code,
        "GSN": orders.gsn,
        "NDC": orders.ndc,
        "PROD_STRENGTH": orders.strength,
        "DOSE_VAL_RX": orders.dose,
        "DOSE_UNIT_RX": orders.unit,
        "FORM_VAL_DISP": np.full(size, "1", dtype=object),
        "FORM_UNIT_DISP": orders.form,
        "ROUTE": orders.route,
    }


_MIMIC4_DESTINATIONS = ("DIED", "HOME", "HOME HEALTH CARE", "SKILLED NURSING FACILITY", "REHAB")
_MARITAL = ("SINGLE", "MARRIED", "WIDOWED", "DIVORCED")
_PROVIDERS = np.asarray([f"P{n:05d}" for n in range(400)], dtype=object)


def _mimic4_tables(rng: np.random.Generator, stays: Stays, orders: Orders) -> dict[str, pa.Table]:
    """The five tables of one chunk."""
    tables = {
        "patients": _mimic4_patients(stays),
        "admissions": _mimic4_admissions(rng, stays),
        "diagnoses": _mimic4_diagnoses(rng, stays),
        "procedures": _mimic4_procedures(rng, stays),
        "prescriptions": _mimic4_prescriptions(rng, stays, orders),
    }
    return {name: table(columns) for name, columns in tables.items()}


def _mimic4_patients(stays: Stays) -> dict[str, Any]:
    patients = stays.patients
    first = stays.admitted[patients.visit_no == 0]
    real = patients.first.astype("datetime64[Y]").astype(np.int64) + 1970
    began = real - (real - 2008) % 3
    return {
        "subject_id": stays.subject,
        "gender": np.where(patients.female, "F", "M").astype(object),
        "anchor_age": np.where(patients.age > 89, 91, patients.age.astype(np.int64)),  # as the release does
        "anchor_year": first.astype("datetime64[Y]").astype(np.int64) + 1970,
        "anchor_year_group": np.asarray([f"{year} - {year + 2}" for year in began], dtype=object),
        "dod": stays.died.astype("datetime64[D]"),
    }


def _mimic4_admissions(rng: np.random.Generator, stays: Stays) -> dict[str, Any]:
    clinic, profile, admitted = stays.clinic, stays.profile, stays.admitted
    kind = types(rng, stays.knowledge, "mimic4", stays.elective)
    emergency = np.char.startswith(kind.astype(str), "E")
    marital = profile["marital_status"]
    return {
        "subject_id": stays.subject[stays.patients.owner],
        "hadm_id": stays.hadm,
        "admittime": admitted,
        "dischtime": stays.discharged,
        "deathtime": np.where(clinic.dead, stays.discharged, NOTHING),
        "admission_type": kind,
        "admit_provider_id": _PROVIDERS[rng.integers(0, _PROVIDERS.size, admitted.size)],
        "admission_location": np.where(emergency, "EMERGENCY ROOM", "PHYSICIAN REFERRAL").astype(object),
        "discharge_location": leaving(rng, clinic, _MIMIC4_DESTINATIONS),
        "insurance": profile["insurance"],
        "language": profile["language"],
        "marital_status": np.where(np.isin(marital.astype(str), _MARITAL), marital, ""),
        "race": profile["ethnicity"],
        "edregtime": np.where(emergency, admitted - np.timedelta64(14400, "s"), NOTHING),
        "edouttime": np.where(emergency, admitted + np.timedelta64(5400, "s"), NOTHING),
        "hospital_expire_flag": clinic.dead.astype(np.int64),
    }


def _mimic4_diagnoses(rng: np.random.Generator, stays: Stays) -> dict[str, Any]:
    clinic = stays.clinic
    visit, code, version = coded(
        rng, stays.knowledge.diagnosis, clinic.version, clinic.diagnosis_visit, clinic.diagnosis, 0.0
    )
    return {
        "subject_id": stays.subject[stays.patients.owner[visit]],
        "hadm_id": stays.hadm[visit],
        "seq_num": numbered(visit),
        "icd_code": code,
        "icd_version": version,
    }


def _mimic4_procedures(rng: np.random.Generator, stays: Stays) -> dict[str, Any]:
    clinic = stays.clinic
    visit, code, version = coded(
        rng, stays.knowledge.procedure, clinic.version, clinic.procedure_visit, clinic.procedure, 0.0
    )
    length = (stays.discharged - stays.admitted).astype(np.int64)[visit]
    when = stays.admitted[visit] + (rng.random(visit.size) * length).astype("timedelta64[s]")
    return {
        "subject_id": stays.subject[stays.patients.owner[visit]],
        "hadm_id": stays.hadm[visit],
        "seq_num": numbered(visit),
        "chartdate": when.astype("datetime64[D]"),
        "icd_code": code,
        "icd_version": version,
    }


def _mimic4_prescriptions(rng: np.random.Generator, stays: Stays, orders: Orders) -> dict[str, Any]:
    size = orders.visit.size
    return {
        "subject_id": stays.subject[stays.patients.owner[orders.visit]],
        "hadm_id": stays.hadm[orders.visit],
        "pharmacy_id": rng.integers(10_000_000, 99_999_999, size),
        "poe_id": np.full(size, "", dtype=object),
        "poe_seq": np.full(size, "", dtype=object),
        "order_provider_id": _PROVIDERS[rng.integers(0, _PROVIDERS.size, size)],
        "starttime": np.where(rng.random(size) < 0.0007, NOTHING, orders.start),
        "stoptime": np.where(rng.random(size) < 0.0012, NOTHING, orders.stop),
        "drug_type": orders.kind,
        "drug": orders.drug,
        "formulary_drug_cd": orders.code,
        "gsn": orders.gsn,
        "ndc": orders.ndc,
        "prod_strength": orders.strength,
        "form_rx": np.full(size, "", dtype=object),
        "dose_val_rx": orders.dose,
        "dose_unit_rx": orders.unit,
        "form_val_disp": np.full(size, "1", dtype=object),
        "form_unit_disp": orders.form,
        "doses_per_24_hrs": rng.integers(1, 5, size),
        "route": orders.route,
    }


LAYOUTS: Final = ("mimic3", "mimic4")
FILES: Final[dict[str, dict[str, str]]] = {
    "mimic3": {
        "patients": "PATIENTS.csv.gz",
        "admissions": "ADMISSIONS.csv.gz",
        "diagnoses": "DIAGNOSES_ICD.csv.gz",
        "procedures": "PROCEDURES_ICD.csv.gz",
        "prescriptions": "PRESCRIPTIONS.csv.gz",
        "d_diagnoses": "D_ICD_DIAGNOSES.csv.gz",
        "d_procedures": "D_ICD_PROCEDURES.csv.gz",
    },
    "mimic4": {
        "patients": "hosp/patients.csv.gz",
        "admissions": "hosp/admissions.csv.gz",
        "diagnoses": "hosp/diagnoses_icd.csv.gz",
        "procedures": "hosp/procedures_icd.csv.gz",
        "prescriptions": "hosp/prescriptions.csv.gz",
        "d_diagnoses": "hosp/d_icd_diagnoses.csv.gz",
        "d_procedures": "hosp/d_icd_procedures.csv.gz",
    },
}


def chunk_tables(rng: np.random.Generator, stays: Stays, layout: str) -> dict[str, pa.Table]:
    """The raw tables of one chunk, by table name, without row numbers."""
    orders = draw_orders(rng, stays)
    return (_mimic3_tables if layout == "mimic3" else _mimic4_tables)(rng, stays, orders)
