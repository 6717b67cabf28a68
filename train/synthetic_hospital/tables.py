"""A chunk of the hospital as raw tables, and which file each table goes to.

Refuses to decide what happened to a patient.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from train.synthetic_hospital import mimic3, mimic4
from train.synthetic_hospital.clinic import Clinic
from train.synthetic_hospital.knowledge import Knowledge
from train.synthetic_hospital.orders import draw_orders
from train.synthetic_hospital.patients import Patients
from train.synthetic_hospital.stays import draw_stays

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


def chunk_tables(
    rng: np.random.Generator, know: Knowledge, patients: Patients, clinic: Clinic, layout: str
) -> dict[str, pa.Table]:
    """The raw tables of one chunk, by table name, without row numbers."""
    stays = draw_stays(rng, know, patients, clinic, layout)
    orders = draw_orders(rng, stays)
    return (mimic3 if layout == "mimic3" else mimic4).build(rng, stays, orders)
