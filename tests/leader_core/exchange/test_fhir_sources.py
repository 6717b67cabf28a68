"""FHIR as real programs write it: the open MIMIC-IV on FHIR demo against its own tables, and generated patients.

All 40 patients were compared with a cohort of the tables once: 102 visits with the same 1,817 diagnoses and 278 procedures;
2,161 medication classes in both, none in the tables alone, 76 in FHIR alone (34 of them bases and additives, which the tables
mark and FHIR does not; 42 orders that the table of prescriptions lacks), and 9 stays of which the tables have no prescription.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leader_core.cohort import Cohort
from leader_core.domain import Kind
from leader_core.exchange.fhir import Imported, read_fhir
from leader_core.exchange.fhir_file import read_files
from leader_core.exchange.fhir_medications import MedicationReader
from leader_core.exchange.resolve import Resolver, Unresolved
from leader_core.terminology.icd import normalise_icd
from tests.conftest import SHARED_DATA
from tests.synthea_like import DRUGS, bundle

PATIENTS = ("10005866", "10014354")
"""Of the demo: with stays inside stays, a stay that begins hours after another, and stays without prescriptions."""
FILES = (
    "Patient",
    "Encounter",
    "EncounterED",
    "EncounterICU",
    "Condition",
    "Procedure",
    "ProcedureICU",
    "MedicationRequest",
)
MEDICATIONS = ("Medication", "MedicationMix")


@pytest.fixture(scope="module")
def cohort(synthetic_cohort_mimic4: Path) -> Iterator[Cohort]:
    opened = Cohort.open(synthetic_cohort_mimic4)
    yield opened
    opened.close()


def _packed(name: str) -> bytes:
    path = SHARED_DATA / "mimic4fhir" / f"Mimic{name}.ndjson.gz"
    if not path.is_file():
        pytest.skip(f"the open MIMIC-IV on FHIR demo is not next to the project: {path.parent}")
    return path.read_bytes()


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(_packed(name)).splitlines()]


def _table(name: str) -> list[dict[str, str]]:
    path = SHARED_DATA / "mimic4demo" / "hosp" / f"{name}.csv.gz"
    return list(csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode())))


def _known(resolver: Resolver, row: dict[str, str], kind: Kind) -> bool:
    """Whether the code lists have it; a retired code is offered by its words instead."""
    return not isinstance(resolver.icd(row["icd_code"], kind, int(row["icd_version"])), Unresolved)


def _ndjson(resources: list[dict[str, Any]]) -> bytes:
    return "\n".join(map(json.dumps, resources)).encode()


@pytest.fixture(scope="module")
def demo() -> dict[str, list[bytes]]:
    """Patient's number -> files: one with everything about the patient, and the medications."""
    every = {name: _lines(name) for name in FILES}
    number = {patient["id"]: patient["identifier"][0]["value"] for patient in every["Patient"]}
    medications = _ndjson([each for name in MEDICATIONS for each in _lines(name)])
    about: dict[str, list[dict[str, Any]]] = {each: [] for each in PATIENTS}
    for name, resources in every.items():
        for each in resources:
            identity = each["id"] if name == "Patient" else each["subject"]["reference"].partition("/")[2]
            if number.get(identity) in about:
                about[number[identity]].append(each)
    return {patient: [_ndjson(resources), gzip.compress(medications)] for patient, resources in about.items()}


@pytest.mark.parametrize("patient", PATIENTS)
def test_a_patient_has_the_stays_and_codes_of_the_tables(
    cohort: Cohort, demo: dict[str, list[bytes]], patient: str
) -> None:
    result = read_fhir(demo[patient], cohort)
    visits = {str(v.admitted_at): v for v in (*result.case.history, result.case.current)}
    stays = {
        each["hadm_id"]: each["admittime"] for each in _table("admissions") if each["subject_id"] == patient
    }
    diagnoses = [row for row in _table("diagnoses_icd") if row["hadm_id"] in stays]
    procedures = [row for row in _table("procedures_icd") if row["hadm_id"] in stays]
    assert set(visits) == {stays[row["hadm_id"]] for row in diagnoses}, (
        "each coded admission, once, at its own time"
    )
    resolver = Resolver(cohort)
    for stay, admitted in stays.items():
        kinds: tuple[tuple[Kind, list[dict[str, str]]], ...] = (
            ("diagnosis", diagnoses),
            ("procedure", procedures),
        )
        for kind, rows in kinds:
            codes = {
                normalise_icd(row["icd_code"], int(row["icd_version"]), kind)
                for row in rows
                if row["hadm_id"] == stay and _known(resolver, row, kind)
            }
            if admitted in visits:
                assert set(visits[admitted].codes(kind)) == codes
    for row in _table("prescriptions"):
        if row["hadm_id"] in stays and row["drug_type"] == "MAIN":
            answer = resolver.drug(row["drug"], row["route"])
            codes = set() if isinstance(answer, Unresolved) else {match.code for match in answer}
            assert codes <= set(visits[stays[row["hadm_id"]]].medications), row["drug"]


def test_nearly_every_drug_request_of_the_demo_is_read(cohort: Cohort) -> None:
    """All requests of the 40 patients, from the files as they are published.

    7,262 have a class. 535 flushes and 243 carriers are no drugs of their own; 76 "IV therapy" and 2 NDCs name none.
    """
    file = read_files([_packed(name) for name in (*MEDICATIONS, "MedicationRequest")])
    reader = MedicationReader(file, Resolver(cohort), {})
    answers = [reader.read(each) for each in file.resources["MedicationRequest"]]
    reasons = [each.reason for each in answers if isinstance(each, Unresolved)]
    aside = sum(reason.startswith("is no drug of its own") for reason in reasons)
    assert (len(answers), aside, file.listed) == (8_118, 778, [])
    assert len(answers) - len(reasons) >= 0.98 * (len(answers) - aside)


@pytest.mark.parametrize("seed", range(10))
def test_generated_patients_are_read_whole(cohort: Cohort, seed: int) -> None:
    written = bundle(seed, stays=seed % 4)
    result = read_fhir(json.dumps(written).encode(), cohort)
    resources = [entry["resource"] for entry in written["entry"]]
    inside = {e["id"] for e in resources if e["resourceType"] == "Encounter" and e["class"]["code"] == "IMP"}
    if seed % 4:
        assert {each.label for each in result.encounters} == {f"Encounter/{name}" for name in inside}
    _check_drugs(result, resources, inside)
    _check_conditions(result, resources)


def _check_drugs(result: Imported, resources: list[dict[str, Any]], inside: set[str]) -> None:
    """Each request is in its visit, in the home medicines, or on the list."""
    classes = {code: atc for code, _, atc in DRUGS}
    listed = {item.resource for item in result.listed}
    times = {str(v.admitted_at): set(v.medications) for v in (*result.case.history, result.case.current)}
    home = set() if result.home is None else set(result.case.history[result.home].medications)
    for each in resources:
        if each["resourceType"] == "MedicationRequest":
            atc = classes[each["medicationCodeableConcept"]["coding"][0]["code"]]
            place = each["encounter"]["reference"].removeprefix("urn:uuid:")
            if place in inside or not inside:
                assert atc in times[each["authoredOn"][:19].replace("T", " ")]
            else:
                assert (f"MedicationRequest/{each['id']}" in listed) != (
                    each["status"] == "active" and atc in home
                )


def _check_conditions(result: Imported, resources: list[dict[str, Any]]) -> None:
    """Each condition is offered by its words, or on the list."""
    listed = {item.resource for item in result.listed}
    texts = {each.text for each in result.offered} | {item.code for item in result.listed}
    assert result.case.current.diagnoses == (), "nothing is taken before it is accepted"
    for each in resources:
        if each["resourceType"] == "Condition":
            words = each["code"]["text"].rpartition(" (")[0]
            assert words in texts or f"Condition/{each['id']}" in listed
