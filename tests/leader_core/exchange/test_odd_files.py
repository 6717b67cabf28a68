"""Files as programs that keep to no standard write them: read where the meaning is plain, else refused naming what is odd."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from leader_core.errors import InputError
from leader_core.exchange.case_json import read_file
from tests.fakes import FakeCohort

FAKE: Any = FakeCohort()
Resource = dict[str, Any]
STAY = "2019-01-02T10:00:00", "2019-01-06T10:00:00"


def _resources() -> list[Resource]:
    """A patient, a stay, its diagnosis and its order."""
    about = {"subject": {"reference": "Patient/p"}, "encounter": {"reference": "Encounter/e"}}
    coding = {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "I50.9"}
    stay = {
        "status": "finished",
        "class": {"code": "IMP"},
        "period": dict(zip(("start", "end"), STAY, strict=True)),
    }
    order = {"status": "completed", "intent": "order", "medicationCodeableConcept": {"text": "Warfarin"}}
    return [
        {"resourceType": "Patient", "id": "p"},
        {"resourceType": "Encounter", "id": "e", "subject": about["subject"], **stay},
        {"resourceType": "Condition", "id": "c", **about, "code": {"coding": [coding]}},
        {"resourceType": "MedicationRequest", "id": "m", **about, **order},
    ]  # fmt: skip


def _bundle(change: Callable[[list[Resource]], object] = lambda _: None) -> bytes:
    resources = copy.deepcopy(_resources())
    change(resources)
    return json.dumps(
        {"resourceType": "Bundle", "entry": [{"resource": each} for each in resources]}
    ).encode()


def _put(resource: int, name: str, value: object) -> bytes:
    return _bundle(lambda resources: resources[resource].update({name: value}))


def _refer(resources: list[Resource], **references: object) -> None:
    """Other references to the patient and the stay, where there are some."""
    for each in resources:
        each.update({name: reference for name, reference in references.items() if name in each})


def _numbered(resources: list[Resource]) -> None:
    for number, each in enumerate(resources):
        each["id"] = number
    _refer(resources, subject={"reference": "Patient/0"}, encounter={"reference": "Encounter/1"})


def _known_by_address() -> bytes:
    entries = [
        {"fullUrl": f"https://x.example/fhir/{each['resourceType']}/{each.pop('id')}", "resource": each}
        for each in _resources()
    ]
    return json.dumps({"resourceType": "Bundle", "entry": entries}).encode()


def _coded(system: str, code: object) -> bytes:
    return _put(2, "code", {"coding": [{"system": system, "code": code}]})


def _lines(separator: bytes) -> bytes:
    return separator.join(json.dumps(each).encode() for each in _resources())


@pytest.mark.parametrize(
    ("data", "diagnosis"),
    [
        (_bundle(_numbered), "ICD10:I509"),  # ids and references as numbers
        (_known_by_address(), "ICD10:I509"),
        (_bundle(lambda r: _refer(r, subject="Patient/p", encounter="Encounter/e")), "ICD10:I509"),
        (_coded("ICD-10-CM", "I50.9"), "ICD10:I509"),
        (_coded("icd9", "428.0"), "ICD9:4280"),
        (_lines(b",\n"), "ICD10:I509"),
        (b"# one patient\n" + _lines(b"\n"), "ICD10:I509"),
    ],
)  # fmt: skip
def test_what_is_meant_is_read(data: bytes, diagnosis: str) -> None:
    case = read_file(data, FAKE).case
    assert (case.current.diagnoses, case.prescribed) == ((diagnosis,), ("B01A",))


def test_a_status_in_capitals_counts() -> None:
    result = read_file(_put(3, "status", "CANCELLED"), FAKE)
    assert result.case.prescribed == () and result.listed[0].reason == "its status is cancelled"
    with pytest.raises(InputError, match="its status is cancelled"):
        read_file(_put(1, "status", "Cancelled"), FAKE)


OWN = {"schema": "leader-case/1", "current": {"diagnoses": ["ICD10:I509"]}}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_coded("http://hl7.org/fhir/sid/icd-9-cm", 250.00), "has no words and no code as text"),
        (_put(2, "subject", {"reference": "Patient/q"}), "is about Patient/q, who is not the patient of the file"),
        (json.dumps({"data": OWN, "resourceType": None, "x": '"resourceType"'}).encode(), "has no resourceType"),
        (json.dumps({"resourceType": "Bundle", "entry": [{"resource": "{}"}]}).encode(), "is text: expected a resource"),
        (b'{"resourceType": "bundle"}', "it has bundle, and nothing that bears on a case"),
        (b"<Bundle><entry/></Bundle>", "is XML without the namespace http://hl7.org/fhir"),
        (b"<!DOCTYPE html><html>Log in</html>", "is HTML"),
        (_bundle()[:-40], "not JSON: unterminated string starting at line 1"),
        (gzip.compress(b"{}")[:-4], "a gzip archive that ends early"),
    ],
)  # fmt: skip
def test_what_is_odd_is_named(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_file(data, FAKE)


def test_a_case_file_may_be_packed_and_its_odd_values_and_dates_are_said() -> None:
    later = {"diagnoses": ["ICD10:I10"], "admitted_at": STAY[1]}
    current = {
        "diagnoses": ["ICD10:I509"],
        "admitted_at": f"{STAY[0]}Z",
        "discharged_at": f"2018{STAY[1][4:]}Z",
    }
    case = OWN | {"history": [later], "profile": {"gender": "female"}, "current": current}
    result = read_file(gzip.compress(json.dumps(case).encode()), FAKE)
    assert [(each.resource, each.code) for each in result.listed] == [("profile", "gender female")]
    assert result.notes == (
        "Check the dates: visit 2 would begin before the visit that stands before it. Earlier visits come first.",
        "Check the dates: visit 2 would end before it begins.",
    )
