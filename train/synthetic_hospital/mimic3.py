"""The columns of MIMIC-III v1.4; ROW_ID is added on writing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from train.synthetic_hospital.columns import NOTHING, coded, leaving, numbered, table, types
from train.synthetic_hospital.orders import Orders
from train.synthetic_hospital.stays import Stays

_DESTINATIONS = ("DEAD/EXPIRED", "HOME", "HOME HEALTH CARE", "SNF", "REHAB/DISTINCT PART HOSP")
_DISGUISE = 300 * 365 + 73  # days: patients over 89 are recorded as 300 years old


def build(rng: np.random.Generator, stays: Stays, orders: Orders) -> dict[str, pa.Table]:
    """The five tables of one chunk."""
    know, clinic = stays.know, stays.clinic
    tables = {"patients": _patients(rng, stays), "admissions": _admissions(rng, stays)}
    for name, codes, visit, found, empty in (
        ("diagnoses", know.diagnosis, clinic.diagnosis_visit, clinic.diagnosis, 0.0008),
        ("procedures", know.procedure, clinic.procedure_visit, clinic.procedure, 0.0),
    ):
        rows, code, _ = coded(rng, codes, clinic.version, visit, found, empty)
        tables[name] = {
            "SUBJECT_ID": stays.subject[stays.patients.owner[rows]],
            "HADM_ID": stays.hadm[rows],
            "SEQ_NUM": numbered(rows),
            "ICD9_CODE": code,
        }
    tables["prescriptions"] = _prescriptions(rng, stays, orders)
    return {name: table(columns) for name, columns in tables.items()}


def _patients(rng: np.random.Generator, stays: Stays) -> dict[str, Any]:
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


def _admissions(rng: np.random.Generator, stays: Stays) -> dict[str, Any]:
    clinic, profile, admitted = stays.clinic, stays.profile, stays.admitted
    kind = types(rng, stays.know, "mimic3", stays.elective)
    emergency = kind == "EMERGENCY"
    origin = np.where(emergency, "EMERGENCY ROOM ADMIT", "PHYS REFERRAL/NORMAL DELI").astype(object)
    reasons = np.asarray([c.name.replace("_", " ").upper() for c in stays.know.conditions], dtype=object)
    return {
        "SUBJECT_ID": stays.subject[stays.patients.owner],
        "HADM_ID": stays.hadm,
        "ADMITTIME": admitted,
        "DISCHTIME": stays.discharged,
        "DEATHTIME": np.where(clinic.dead, stays.discharged, NOTHING),
        "ADMISSION_TYPE": kind,
        "ADMISSION_LOCATION": origin,
        "DISCHARGE_LOCATION": leaving(rng, clinic, _DESTINATIONS),
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


def _prescriptions(rng: np.random.Generator, stays: Stays, orders: Orders) -> dict[str, Any]:
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
