"""FHIR in XML says what the same JSON says; files of several patients; NDCs with a map."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from leader_core import InputError
from leader_core.cohort import Cohort
from leader_core.cohort.ndc import parse_ndc_map
from leader_core.exchange.case_json import read_file
from leader_core.exchange.fhir import read_fhir
from leader_core.exchange.fhir_file import LARGEST
from tests.conftest import ROOT
from tests.fakes import FakeCohort
from tests.fhir_as_xml import as_xml
from tests.synthea_like import bundle

CASES = ROOT.parent / "shared" / "cases" / "fhir"
OWN = Path(__file__).parents[2] / "data" / "fhir_bundle.json"
FAKE: Any = FakeCohort()
ICD9 = "http://hl7.org/fhir/sid/icd-9-cm"


def _bundles() -> dict[str, dict[str, Any]]:
    files = [OWN, *sorted(CASES.glob("*.json"))]  # only our own where the cases are not there
    values = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in files}
    values = {
        name: {"resourceType": "Bundle", "entry": [{"resource": each} for each in value]}
        if isinstance(value, list)
        else value
        for name, value in values.items()
    }
    return {**values, "generated": bundle(3, stays=2)}


def test_xml_is_read_as_the_same_json(cohort: Cohort) -> None:
    for name, value in _bundles().items():
        expected = read_fhir(json.dumps(value).encode(), cohort)
        assert read_fhir(as_xml(value), cohort) == expected, name


def test_a_narrative_and_what_is_not_fhir_are_left_out_of_xml() -> None:
    inside = (
        '<text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml"><p value="x">Ann</p></div></text>'
        '<!-- a comment --><x:own xmlns:x="urn:own"><x:code value="1"/></x:own>'
        f'<code><coding><system value="{ICD9}"/><code value="428.0"/></coding></code>'
    )
    data = f'<Condition xmlns="http://hl7.org/fhir">{inside}</Condition>'.encode()
    assert read_fhir(data, FAKE).case.current.diagnoses == ("ICD9:4280",)
    assert read_fhir(b"\xef\xbb\xbf" + data, FAKE).case.current.diagnoses == ("ICD9:4280",)


LAUGHS = b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12))
FHIR = b'xmlns="http://hl7.org/fhir"'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'<!DOCTYPE x [<!ENTITY a0 "ha">' + LAUGHS + b"]><Bundle " + FHIR + b">&a11;</Bundle>", "document type or entities"),
        (b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Bundle ' + FHIR + b">&a;</Bundle>", "document type"),
        (b'<!DOCTYPE Bundle SYSTEM "http://127.0.0.1:9/x.dtd"><Bundle ' + FHIR + b"/>", "document type"),
        (b"<Bundle " + FHIR + b"><entry>&undeclared;</entry></Bundle>", "no well-formed XML (undefined entity, line 1"),
        (b"<Bundle " + FHIR + b"><entry>", "no well-formed XML (no element found, line 1"),
        (b"<Bundle " + FHIR + b"><a></b></Bundle>", "mismatched tag"),
        (b"<Bundle " + FHIR + b">" + b"<a>" * 100, "more than 60 levels deep"),
        (b'<?xml version="1.0" encoding="none"?><Bundle ' + FHIR + b"/>", "declares an encoding that is not read"),
        (b'<?xml version="1.0" encoding="shift_jis"?><Bundle ' + FHIR + b"/>", "declares an encoding that is not read"),
        (b"<Bundle " + FHIR + b"/>", "nothing to read"),
        (b"<x:y xmlns:x='urn:x' " + FHIR + b"/>", "is XML, but not FHIR"),
        (b"<html><body>Sign in</body></html>", "is HTML, which is not read"),
        (b"<Bundle " + FHIR + b">" + b" " * LARGEST + b"</Bundle>", "at most 20 MB"),
    ],
)  # fmt: skip
def test_hostile_or_useless_xml_gets_one_sentence(data: bytes, message: str) -> None:
    with pytest.raises(InputError) as refused:
        read_fhir(data, FAKE)
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_the_empty_bundle_of_the_cases_is_refused_in_words() -> None:
    path = CASES / "shape_bundle.xml"
    if not path.is_file():
        pytest.skip(f"the cases are not next to the project: {CASES}")
    with pytest.raises(InputError, match="has nothing to read"):
        read_fhir(path.read_bytes(), FAKE)


def _about(patient: str, code: str, drug: str) -> list[dict[str, Any]]:
    subject = {"reference": f"Patient/{patient}"}
    stay = {"encounter": {"reference": f"Encounter/e-{patient}"}, "subject": subject}
    return [
        {"resourceType": "Encounter", "id": f"e-{patient}", "subject": subject},
        {"resourceType": "Condition", "id": f"c-{patient}", "code": {"coding": [{"system": ICD9, "code": code}]}, **stay},
        {"resourceType": "MedicationRequest", "id": f"m-{patient}", "medicationCodeableConcept": {"text": drug}, **stay},
    ]  # fmt: skip


def _lines(*resources: dict[str, Any]) -> bytes:
    return "\n".join(map(json.dumps, resources)).encode()


PEOPLE = [
    {"resourceType": "Patient", "id": "none"},
    {"resourceType": "Patient", "id": "a", "gender": "female", "birthDate": "1950-02-01"},
    {"resourceType": "Patient", "id": "b", "gender": "male"},
]
BOTH = [*_about("a", "4280", "Warfarin"), *_about("b", "486", "Furosemide")]
NOBODYS = {"resourceType": "Condition", "id": "x", "code": {"text": "heart failure"}}


def test_one_of_several_patients_is_chosen_and_the_others_are_left_alone() -> None:
    first = read_fhir(_lines(*PEOPLE, *BOTH, NOBODYS), FAKE)
    assert [(each.label, each.born, each.resources) for each in first.patients] == [
        ("Patient/none", "", 0),
        ("Patient/a", "1950-02-01", 3),
        ("Patient/b", "", 3),
    ]
    assert first.patient == "Patient/a", "the first with a visit"
    assert (first.case.current.diagnoses, first.case.prescribed) == (("ICD9:4280",), ("B01A",))
    assert first.case.profile["gender"] == "F"
    assert "The file holds 3 patients; this is Patient/a. Left alone are 3 " in first.notes[0]
    assert [(each.resource, each.reason) for each in first.listed][:1] == [
        ("Condition/x", "names no patient, of whom the file has 3")
    ]
    other = read_fhir(_lines(*PEOPLE, *BOTH, NOBODYS), FAKE, patient="Patient/b")
    alone = read_fhir(_lines(PEOPLE[2], *_about("b", "486", "Furosemide")), FAKE)
    assert other.case == alone.case and alone.patients == ()
    with pytest.raises(InputError, match="no diagnosis and no procedure"):
        read_fhir(_lines(*PEOPLE, *BOTH), FAKE, patient="Patient/none")
    with pytest.raises(InputError, match="has no patient 'Patient/z': choose one of Patient/none, Patient/a"):
        read_fhir(_lines(*PEOPLE, *BOTH), FAKE, patient="Patient/z")


def test_patients_who_are_only_referred_to_can_be_chosen_too() -> None:
    result = read_fhir(_lines(*BOTH), FAKE, patient="Patient/b")
    assert [each.label for each in result.patients] == ["Patient/a", "Patient/b"]
    assert result.case.current.diagnoses == ("ICD9:486",)
    assert read_fhir(_lines(*_about("a", "4280", "Warfarin")), FAKE).patients == ()


def test_a_map_names_medicines_that_have_an_ndc_alone() -> None:
    coded = {"coding": [{"system": "http://hl7.org/fhir/sid/ndc", "code": "0056-0172-70"}]}
    order = {**_about("a", "4280", "")[2], "medicationCodeableConcept": coded}
    files = [_lines(*_about("a", "4280", "")[:2], order)]
    without = read_file(files, FAKE)
    assert without.case.prescribed == () and without.listed[0].reason == "NDC is not mapped"
    for text in (b"ndc,atc3\n00056017270,B01A\n", b"NDC,RXCUI,ATC4\n0056-0172,11289,B01AA\n"):
        result = read_file(files, FAKE, ndc_map=parse_ndc_map(text, "own.csv", 3))
        assert result.case.prescribed == ("B01A",)
        assert result.notes[0].startswith("NDC map own.csv: 1 NDCs from the columns")
    with pytest.raises(InputError, match=r"own\.csv has the columns a, b"):
        parse_ndc_map(b"a,b\n1,2\n", "own.csv", 3)


ONE = {"resourceType": "Bundle", "entry": [{"resource": each} for each in _about("a", "4280", "Warfarin")]}


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(ONE).encode("utf-16"),
        as_xml(ONE).decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        gzip.compress(json.dumps(ONE).encode("utf-16")),
        as_xml(ONE).decode().replace("UTF-8", "windows-1252").encode("cp1252"),
        as_xml(ONE).replace(b"<", b"<f:").replace(b"<f:/", b"</f:").replace(b"<f:?", b"<?").replace(b"xmlns=", b"xmlns:f="),
        b"\r".join(json.dumps(entry["resource"]).encode() for entry in ONE["entry"]),  # type: ignore[index]
        json.dumps(ONE).replace("http://hl7", "HTTPS://hl7").encode(),
        "".join(json.dumps(entry["resource"]) for entry in ONE["entry"]).encode(),  # type: ignore[index]
        "".join(json.dumps(entry["resource"], indent=1) for entry in ONE["entry"]).encode(),  # type: ignore[index]
        "\n".join([json.dumps(PEOPLE[1]), *(json.dumps(e, indent=1) for e in _about("a", "4280", "Warfarin"))]).encode(),
        "\n".join(json.dumps(each) + json.dumps(PEOPLE[1]) for each in _about("a", "4280", "Warfarin")).encode(),
    ],
)  # fmt: skip
def test_one_meaning_in_other_writings(data: bytes) -> None:
    case = read_file(data, FAKE).case
    assert (case.current.diagnoses, case.prescribed) == (("ICD9:4280",), ("B01A",))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The file is empty"),
        (b" \r\n", "The file is empty"),
        (b"PK\x03\x04xl/workbook.xml", "is a ZIP archive, which is not read"),
        (b"BZh91AY", "is a bzip2 archive"),
        (b"%PDF-1.7", "is a PDF document"),
        (b"{\\rtf1 x}", "is an RTF document"),
        (
            b'{"resourceType": "OperationOutcome"}',
            "it has OperationOutcome, and nothing that bears on a case",
        ),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
    ],
)
def test_files_of_other_kinds_are_named(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_file(data, FAKE)


def test_one_page_of_several_says_so() -> None:
    page = {**ONE, "type": "searchset", "link": [{"relation": "next", "url": "http://127.0.0.1:9/next"}]}
    notes = read_file(json.dumps(page).encode(), FAKE).notes
    assert notes[0] == (
        "The file is one page of several: it links a next page, which is not here. Give all pages at once."
    )


def test_a_reference_by_identifier_is_followed_within_the_file() -> None:
    stay, condition, _ = _about("a", "4280", "")
    stay["identifier"] = [{"system": "urn:stays", "value": "7"}]
    condition["encounter"] = {"reference": "Encounter?identifier=urn:stays|7"}
    assert read_fhir(_lines(stay, condition), FAKE).case.current.diagnoses == ("ICD9:4280",)
    condition["encounter"] = {"reference": "Encounter?identifier=urn:stays|8"}
    with pytest.raises(InputError, match="names an encounter that is not in the file"):
        read_fhir(_lines(stay, condition), FAKE)
