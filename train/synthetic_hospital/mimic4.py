"""The columns of MIMIC-IV v2.2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from train.synthetic_hospital.columns import NOTHING, coded, leaving, numbered, table, types
from train.synthetic_hospital.orders import Orders
from train.synthetic_hospital.stays import Stays

_DESTINATIONS = ("DIED", "HOME", "HOME HEALTH CARE", "SKILLED NURSING FACILITY", "REHAB")
_MARITAL = ("SINGLE", "MARRIED", "WIDOWED", "DIVORCED")
_PROVIDERS = np.asarray([f"P{n:05d}" for n in range(400)], dtype=object)


def build(rng: np.random.Generator, stays: Stays, orders: Orders) -> dict[str, pa.Table]:
    """The five tables of one chunk."""
    tables = {
        "patients": _patients(stays),
        "admissions": _admissions(rng, stays),
        "diagnoses": _diagnoses(rng, stays),
        "procedures": _procedures(rng, stays),
        "prescriptions": _prescriptions(rng, stays, orders),
    }
    return {name: table(columns) for name, columns in tables.items()}


def _patients(stays: Stays) -> dict[str, Any]:
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


def _admissions(rng: np.random.Generator, stays: Stays) -> dict[str, Any]:
    clinic, profile, admitted = stays.clinic, stays.profile, stays.admitted
    kind = types(rng, stays.know, "mimic4", stays.elective)
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
        "discharge_location": leaving(rng, clinic, _DESTINATIONS),
        "insurance": profile["insurance"],
        "language": profile["language"],
        "marital_status": np.where(np.isin(marital.astype(str), _MARITAL), marital, ""),
        "race": profile["ethnicity"],
        "edregtime": np.where(emergency, admitted - np.timedelta64(14400, "s"), NOTHING),
        "edouttime": np.where(emergency, admitted + np.timedelta64(5400, "s"), NOTHING),
        "hospital_expire_flag": clinic.dead.astype(np.int64),
    }


def _diagnoses(rng: np.random.Generator, stays: Stays) -> dict[str, Any]:
    clinic = stays.clinic
    visit, code, version = coded(
        rng, stays.know.diagnosis, clinic.version, clinic.diagnosis_visit, clinic.diagnosis, 0.0
    )
    return {
        "subject_id": stays.subject[stays.patients.owner[visit]],
        "hadm_id": stays.hadm[visit],
        "seq_num": numbered(visit),
        "icd_code": code,
        "icd_version": version,
    }


def _procedures(rng: np.random.Generator, stays: Stays) -> dict[str, Any]:
    clinic = stays.clinic
    visit, code, version = coded(
        rng, stays.know.procedure, clinic.version, clinic.procedure_visit, clinic.procedure, 0.0
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


def _prescriptions(rng: np.random.Generator, stays: Stays, orders: Orders) -> dict[str, Any]:
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
