"""A chunk of the hospital as raw tables, column by column, in MIMIC-III's or MIMIC-IV's layout.

Adds the dirt that real tables have: missing drug codes, repeated rows, empty codes, unknown drugs, dates that end
before they begin. Refuses to decide what happened to a patient.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from train.synth.clinic import Clinic
from train.synth.knowledge import BoolArray, FloatArray, Formulary, IntArray, Knowledge
from train.synth.patients import Patients, Text, draw_profile

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
_LABELERS: Final = (
    "00338",
    "00904",
    "63323",
    "00409",
    "51079",
    "00517",
    "10019",
    "00074",
    "68084",
    "00781",
    "55390",
)
_STRIDE: Final = 16  # admission numbers reserved for a patient: more than the most visits there are


@dataclass(frozen=True, slots=True)
class Orders:
    """Prescription rows before they take a layout's columns; all arrays of one length R."""

    visit: IntArray
    start: NDArray[np.datetime64]
    stop: NDArray[np.datetime64]
    kind: Text  # MAIN, BASE or ADDITIVE
    drug: Text
    route: Text
    strength: Text
    form: Text
    ndc: Text
    code: Text  # formulary code
    gsn: Text
    dose: Text
    unit: Text


def chunk_tables(
    rng: np.random.Generator, know: Knowledge, patients: Patients, clinic: Clinic, layout: str
) -> dict[str, pa.Table]:
    """The raw tables of one chunk, by table name, without row numbers."""
    admitted, discharged = _times(rng, patients, clinic)
    subject, hadm = _identifiers(rng, patients, layout)
    profile = draw_profile(rng, patients, know.population, layout)
    elective = np.asarray([c.elective for c in know.conditions])[clinic.principal]
    orders = _orders(rng, know, clinic, admitted, discharged)
    build = _mimic3 if layout == "mimic3" else _mimic4
    return build(rng, know, patients, clinic, admitted, discharged, subject, hadm, profile, elective, orders)


def _times(
    rng: np.random.Generator, patients: Patients, clinic: Clinic
) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64]]:
    """Admission and discharge, seconds; whole years are added to hide the true date, as MIMIC does."""
    years = (patients.shift * 365.25).astype(np.int64)
    day = (patients.first + years)[patients.owner].astype("datetime64[s]")
    minute = np.rint(patients.gap_days * 1440).astype(np.int64) + rng.integers(0, 1440, patients.owner.size)
    admitted = day + (minute * 60).astype("timedelta64[s]")
    length = clinic.length.copy()
    following = np.flatnonzero(np.diff(patients.owner) == 0)  # a visit ends before the next begins
    free = (admitted[following + 1] - admitted[following]).astype(np.int64) / 86400 - 1.0
    length[following] = np.clip(np.minimum(length[following], free), 0.3, None)
    return admitted, admitted + (np.rint(length * 1440).astype(np.int64) * 60).astype("timedelta64[s]")


def _identifiers(rng: np.random.Generator, patients: Patients, layout: str) -> tuple[IntArray, IntArray]:
    """Subject and admission numbers; the latter do not follow time, as in the real tables."""
    base, start = (3, 100_000) if layout == "mimic3" else (10_000_000, 20_000_000)
    step = 7 if layout == "mimic3" else 33
    subject = base + patients.number * step + rng.integers(0, step - 1, patients.number.size)
    slot = np.argsort(rng.random((patients.number.size, _STRIDE)), axis=1)
    return subject, start + patients.number[patients.owner] * _STRIDE + slot[
        patients.owner, patients.visit_no
    ]


def _orders(
    rng: np.random.Generator,
    know: Knowledge,
    clinic: Clinic,
    admitted: NDArray[np.datetime64],
    discharged: NDArray[np.datetime64],
) -> Orders:
    """All prescription rows of a chunk: drugs with repeated orders, what they are dissolved in, fluids and flushes."""
    drugs, extras = know.formulary, know.extras
    visits = clinic.length.size
    repeats = 1 + np.minimum(
        rng.poisson(0.25 + 0.05 * np.minimum(clinic.length, 30))[clinic.product_visit], 14
    )
    repeats = 1 + (rng.random(repeats.size) < 0.55) * (repeats - 1) + (rng.random(repeats.size) < 0.2)
    visit, product = np.repeat(clinic.product_visit, repeats), np.repeat(clinic.product, repeats)
    main = _rows(rng, drugs, visit, product, "MAIN")
    dissolved = np.flatnonzero(drugs.diluted[product])
    base = _rows(rng, extras, visit[dissolved], _extra(rng, extras, "base", dissolved.size), "BASE")
    lists = [
        ("fluid", "BASE", rng.poisson(1.0, visits)),
        ("flush", "MAIN", (rng.random(visits) < 0.82).astype(np.int64) * (1 + rng.poisson(0.5, visits))),
        ("line_flush", "MAIN", (rng.random(visits) < 0.22).astype(np.int64)),
        ("additive", "ADDITIVE", rng.poisson(0.25, visits)),
        ("unknown", "MAIN", rng.poisson(0.12, visits)),
    ]
    pieces = [main, base]
    for name, kind, counts in lists:
        rows = np.repeat(np.arange(visits), counts)
        pieces.append(_rows(rng, extras, rows, _extra(rng, extras, name, rows.size), kind))
    columns = {key: np.concatenate([piece[key] for piece in pieces]) for key in main}
    _span(rng, columns, admitted, discharged, main["visit"].size, dissolved)
    again = np.flatnonzero(rng.random(columns["visit"].size) < 0.004)  # the same order entered twice
    columns = {key: np.concatenate([value, value[again]]) for key, value in columns.items()}
    order = np.lexsort((rng.random(columns["visit"].size), columns["visit"]))
    return Orders(**{key: value[order] for key, value in columns.items()})


def _extra(rng: np.random.Generator, extras: Formulary, group: str, size: int) -> IntArray:
    return extras.products.draw(np.full(size, extras.groups.index(group)), rng.random(size))


def _rows(
    rng: np.random.Generator, drugs: Formulary, visit: IntArray, product: IntArray, kind: str
) -> dict[str, Any]:
    """Columns that depend on the product alone; the spelling varies from order to order."""
    spelled = drugs.names.draw(product, rng.random(product.size))
    name, route = np.asarray(drugs.name, dtype=object), np.asarray(drugs.route, dtype=object)
    form, strength = np.asarray(drugs.form, dtype=object), np.asarray(drugs.strength, dtype=object)
    marks = np.asarray([zlib.crc32(n.encode()) for n in drugs.name])
    ndc = np.asarray([f"{_LABELERS[m % len(_LABELERS)]}{m // 7 % 1000000:06d}" for m in marks], dtype=object)
    gsn = np.asarray([f"{m // 13 % 70000:06d}" for m in marks], dtype=object)
    code = np.asarray(
        [
            f"{''.join(c for c in n.upper() if c.isalpha())[:4]}{m % 90 + 10}"
            for n, m in zip(drugs.name, marks, strict=True)
        ],
        dtype=object,
    )
    unit = np.asarray([_unit(s) for s in drugs.strength], dtype=object)
    dose = np.asarray([_dose(s) for s in drugs.strength], dtype=object)
    packages = ndc[spelled]
    sliding = strength[product] == "Dummy Package for Sliding Scale"
    without = sliding | (rng.random(product.size) < (0.35 if kind == "BASE" else 0.05))
    return {
        "visit": visit,
        "kind": np.full(visit.size, kind, dtype=object),
        "drug": name[spelled],
        "route": np.where(rng.random(visit.size) < 0.0004, "", route[product]),
        "strength": strength[product],
        "form": form[product],
        "ndc": np.where(without, np.where(rng.random(visit.size) < 0.01, "", "0"), packages),
        "code": code[spelled],
        "gsn": np.where(rng.random(visit.size) < 0.08, "", gsn[spelled]),
        "dose": dose[product],
        "unit": unit[product],
    }


def _unit(strength: str) -> str:
    text = strength.lower()
    return (
        next((u for u in ("mcg", "mg", "meq", "unit", "gm", "ml") if u in text), "dose")
        .replace("meq", "mEq")
        .replace("unit", "UNIT")
    )


def _dose(strength: str) -> str:
    digits = ""
    for character in strength:
        if character.isdigit() or (character == "." and digits):
            digits += character
        elif digits:
            break
    return digits.rstrip(".") or "1"


def _span(
    rng: np.random.Generator,
    columns: dict[str, Any],
    admitted: NDArray[np.datetime64],
    discharged: NDArray[np.datetime64],
    main: int,
    dissolved: IntArray,
) -> None:
    """Start and stop of each order; what a drug is dissolved in shares the drug's dates."""
    visit = columns["visit"]
    length = (discharged - admitted).astype(np.int64)[visit]
    begin = (rng.random(visit.size) ** 1.8 * length * 0.9).astype(np.int64)
    last = (rng.random(visit.size) * (length - begin)).astype(np.int64)
    wrong = rng.random(visit.size) < 0.006  # stopped before it began: orders cancelled or mistyped
    begin[main : main + dissolved.size] = begin[dissolved]
    last[main : main + dissolved.size] = last[dissolved]
    start = admitted[visit] + begin.astype("timedelta64[s]")
    hour = np.timedelta64(3600, "s")
    columns["start"] = start.astype("datetime64[h]").astype("datetime64[s]")
    stop = np.where(wrong, start - 26 * hour, start + last.astype("timedelta64[s]"))
    columns["stop"] = stop.astype("datetime64[h]").astype("datetime64[s]")


def _text(values: Text) -> pa.Array:
    """Strings, empty ones as missing cells."""
    array = pa.array(values, type=pa.string(), from_pandas=True)
    return pa.compute.if_else(pa.compute.equal(array, ""), pa.scalar(None, pa.string()), array)


def _table(columns: Mapping[str, Any]) -> pa.Table:
    arrays = {}
    for name, values in columns.items():
        array = np.asarray(values)
        if array.dtype == object:
            arrays[name] = _text(array)
        elif array.dtype.kind == "M":
            arrays[name] = pa.array(array)
        else:
            arrays[name] = pa.array(array)
    return pa.table(arrays)


def _choice(rng: np.random.Generator, size: int, table: Mapping[str, float]) -> Text:
    weights = np.asarray(list(table.values()))
    return np.asarray(list(table), dtype=object)[
        rng.choice(weights.size, size=size, p=weights / weights.sum())
    ]


def _types(rng: np.random.Generator, know: Knowledge, layout: str, elective: BoolArray) -> Text:
    tables = know.population["admission_type"][layout]
    return np.where(
        elective,
        _choice(rng, elective.size, tables["elective"]),
        _choice(rng, elective.size, tables["emergency"]),
    )


def _numbered(visit: IntArray) -> IntArray:
    """1, 2, 3, ... within each visit; rows are sorted by visit."""
    first = np.flatnonzero(np.diff(visit, prepend=-1))
    return np.arange(visit.size) - np.repeat(first, np.diff(np.append(first, visit.size))) + 1


def _unique(visit: IntArray, codes: Text) -> IntArray:
    """Rows that give a visit a code for the first time."""
    number = np.unique(codes.astype(str), return_inverse=True)[1]
    first = np.unique(visit * (int(number.max(initial=0)) + 1) + number, return_index=True)[1]
    return np.sort(first)


def _coded(
    rng: np.random.Generator,
    tables: dict[int, Any],
    version: IntArray,
    visit: IntArray,
    found: IntArray,
    empty: float,
) -> tuple[IntArray, Text, IntArray]:
    """Visit, code and ICD version of each row, without repeats; a few codes were never filled in."""
    code = np.empty(found.size, dtype=object)
    for number, table in tables.items():
        rows = version[visit] == number
        code[rows] = np.asarray(table.code, dtype=object)[found[rows]]
    keep = _unique(visit, code)
    visit, code = visit[keep], code[keep]
    code = np.where(rng.random(code.size) < empty, "", code)
    return visit, code, version[visit]


def _mimic3(
    rng: np.random.Generator,
    know: Knowledge,
    patients: Patients,
    clinic: Clinic,
    admitted: NDArray[np.datetime64],
    discharged: NDArray[np.datetime64],
    subject: IntArray,
    hadm: IntArray,
    profile: dict[str, Text],
    elective: BoolArray,
    orders: Orders,
) -> dict[str, pa.Table]:
    """MIMIC-III v1.4 columns; ROW_ID is added on writing."""
    owner, visits = patients.owner, patients.owner.size
    days = (patients.age * 365.25 + rng.integers(0, 300, patients.age.size) / 2).astype(np.int64)
    first = admitted[patients.visit_no == 0].astype("datetime64[D]")
    born = first - np.where(patients.age >= 89.5, 300 * 365 + 73, days)  # over 89: disguised as 300 years old
    died = _death(clinic, patients, discharged)
    kind = _types(rng, know, "mimic3", elective)
    emergency = kind == "EMERGENCY"
    titles = np.asarray([c.name.replace("_", " ").upper() for c in know.conditions], dtype=object)
    nothing = np.datetime64("NaT", "s")
    tables = {
        "patients": {
            "SUBJECT_ID": subject,
            "GENDER": np.where(patients.female, "F", "M").astype(object),
            "DOB": born.astype("datetime64[s]"),
            "DOD": died,
            "DOD_HOSP": died,
            "DOD_SSN": np.full(died.size, nothing),
            "EXPIRE_FLAG": (~np.isnat(died)).astype(np.int64),
        },
        "admissions": {
            "SUBJECT_ID": subject[owner],
            "HADM_ID": hadm,
            "ADMITTIME": admitted,
            "DISCHTIME": discharged,
            "DEATHTIME": np.where(clinic.dead, discharged, nothing),
            "ADMISSION_TYPE": kind,
            "ADMISSION_LOCATION": np.where(
                emergency, "EMERGENCY ROOM ADMIT", "PHYS REFERRAL/NORMAL DELI"
            ).astype(object),
            "DISCHARGE_LOCATION": _leaving(
                rng, clinic, ("DEAD/EXPIRED", "HOME", "HOME HEALTH CARE", "SNF", "REHAB/DISTINCT PART HOSP")
            ),
            "INSURANCE": profile["insurance"],
            "LANGUAGE": profile["language"],
            "RELIGION": profile["religion"],
            "MARITAL_STATUS": profile["marital_status"],
            "ETHNICITY": profile["ethnicity"],
            "EDREGTIME": np.where(emergency, admitted - np.timedelta64(14400, "s"), nothing),
            "EDOUTTIME": np.where(emergency, admitted + np.timedelta64(5400, "s"), nothing),
            "DIAGNOSIS": titles[clinic.principal],
            "HOSPITAL_EXPIRE_FLAG": clinic.dead.astype(np.int64),
            "HAS_CHARTEVENTS_DATA": np.ones(visits, dtype=np.int64),
        },
    }
    for name, codes, visit, found, empty in (
        ("diagnoses", know.diagnosis, clinic.diagnosis_visit, clinic.diagnosis, 0.0008),
        ("procedures", know.procedure, clinic.procedure_visit, clinic.procedure, 0.0),
    ):
        rows, code, _ = _coded(rng, codes, clinic.version, visit, found, empty)
        tables[name] = {
            "SUBJECT_ID": subject[owner[rows]],
            "HADM_ID": hadm[rows],
            "SEQ_NUM": _numbered(rows),
            "ICD9_CODE": code,
        }
    day = "datetime64[D]"
    bare = rng.random(orders.visit.size) < 0.42
    tables["prescriptions"] = {
        "SUBJECT_ID": subject[owner[orders.visit]],
        "HADM_ID": hadm[orders.visit],
        "ICUSTAY_ID": np.full(orders.visit.size, "", dtype=object),
        "STARTDATE": np.where(
            rng.random(bare.size) < 0.0007, nothing, orders.start.astype(day).astype("datetime64[s]")
        ),
        "ENDDATE": np.where(
            rng.random(bare.size) < 0.0012, nothing, orders.stop.astype(day).astype("datetime64[s]")
        ),
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
        "FORM_VAL_DISP": np.full(orders.visit.size, "1", dtype=object),
        "FORM_UNIT_DISP": orders.form,
        "ROUTE": orders.route,
    }
    return {name: _table(columns) for name, columns in tables.items()}


def _mimic4(
    rng: np.random.Generator,
    know: Knowledge,
    patients: Patients,
    clinic: Clinic,
    admitted: NDArray[np.datetime64],
    discharged: NDArray[np.datetime64],
    subject: IntArray,
    hadm: IntArray,
    profile: dict[str, Text],
    elective: BoolArray,
    orders: Orders,
) -> dict[str, pa.Table]:
    """MIMIC-IV v2.2 columns."""
    owner = patients.owner
    first = admitted[patients.visit_no == 0]
    real = patients.first.astype("datetime64[Y]").astype(np.int64) + 1970
    began = real - (real - 2008) % 3
    nothing = np.datetime64("NaT", "s")
    kind = _types(rng, know, "mimic4", elective)
    emergency = np.char.startswith(kind.astype(str), "E")
    provider = np.asarray([f"P{n:05d}" for n in range(400)], dtype=object)
    died = _death(clinic, patients, discharged)
    tables = {
        "patients": {
            "subject_id": subject,
            "gender": np.where(patients.female, "F", "M").astype(object),
            "anchor_age": np.where(patients.age > 89, 91, patients.age.astype(np.int64)),
            "anchor_year": first.astype("datetime64[Y]").astype(np.int64) + 1970,
            "anchor_year_group": np.asarray([f"{a} - {a + 2}" for a in began], dtype=object),
            "dod": pa.array(died.astype("datetime64[D]")),
        },
        "admissions": {
            "subject_id": subject[owner],
            "hadm_id": hadm,
            "admittime": admitted,
            "dischtime": discharged,
            "deathtime": np.where(clinic.dead, discharged, nothing),
            "admission_type": kind,
            "admit_provider_id": provider[rng.integers(0, 400, owner.size)],
            "admission_location": np.where(emergency, "EMERGENCY ROOM", "PHYSICIAN REFERRAL").astype(object),
            "discharge_location": _leaving(
                rng, clinic, ("DIED", "HOME", "HOME HEALTH CARE", "SKILLED NURSING FACILITY", "REHAB")
            ),
            "insurance": profile["insurance"],
            "language": profile["language"],
            "marital_status": np.where(
                np.isin(profile["marital_status"].astype(str), ("SINGLE", "MARRIED", "WIDOWED", "DIVORCED")),
                profile["marital_status"],
                "",
            ),
            "race": profile["ethnicity"],
            "edregtime": np.where(emergency, admitted - np.timedelta64(14400, "s"), nothing),
            "edouttime": np.where(emergency, admitted + np.timedelta64(5400, "s"), nothing),
            "hospital_expire_flag": clinic.dead.astype(np.int64),
        },
    }
    visit, code, version = _coded(
        rng, know.diagnosis, clinic.version, clinic.diagnosis_visit, clinic.diagnosis, 0.0
    )
    tables["diagnoses"] = {
        "subject_id": subject[owner[visit]],
        "hadm_id": hadm[visit],
        "seq_num": _numbered(visit),
        "icd_code": code,
        "icd_version": version,
    }
    visit, code, version = _coded(
        rng, know.procedure, clinic.version, clinic.procedure_visit, clinic.procedure, 0.0
    )
    length = (discharged - admitted).astype(np.int64)[visit]
    when = (admitted[visit] + (rng.random(visit.size) * length).astype("timedelta64[s]")).astype(
        "datetime64[D]"
    )
    tables["procedures"] = {
        "subject_id": subject[owner[visit]],
        "hadm_id": hadm[visit],
        "seq_num": _numbered(visit),
        "chartdate": pa.array(when),
        "icd_code": code,
        "icd_version": version,
    }
    size = orders.visit.size
    number = rng.integers(10_000_000, 99_999_999, size)
    tables["prescriptions"] = {
        "subject_id": subject[owner[orders.visit]],
        "hadm_id": hadm[orders.visit],
        "pharmacy_id": number,
        "poe_id": np.full(size, "", dtype=object),
        "poe_seq": np.full(size, "", dtype=object),
        "order_provider_id": provider[rng.integers(0, 400, size)],
        "starttime": np.where(rng.random(size) < 0.0007, nothing, orders.start),
        "stoptime": np.where(rng.random(size) < 0.0012, nothing, orders.stop),
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
    return {name: _table(columns) for name, columns in tables.items()}


def _death(clinic: Clinic, patients: Patients, discharged: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    died = np.full(patients.number.size, np.datetime64("NaT", "s"))
    died[patients.owner[clinic.dead]] = discharged[clinic.dead]
    return died


def _leaving(rng: np.random.Generator, clinic: Clinic, words: tuple[str, ...]) -> Text:
    """Where a patient goes: the sicker, the less often home."""
    home = 1 / (1 + np.exp(0.8 * clinic.severity + 0.2))
    draw: FloatArray = rng.random(clinic.dead.size)
    other = np.asarray(words[2:], dtype=object)[rng.integers(0, len(words) - 2, clinic.dead.size)]
    return np.where(clinic.dead, words[0], np.where(draw < home, words[1], other)).astype(object)
