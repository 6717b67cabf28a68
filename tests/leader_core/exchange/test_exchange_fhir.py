"""FHIR bundles: encounters become visits, everything that does not is listed, and hostile files change nothing."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leader_core import InputError
from leader_core.cohort import Cohort
from leader_core.exchange import fhir_medications
from leader_core.exchange.case_json import read_file
from leader_core.exchange.fhir import Imported, read_fhir
from tests.fakes import FakeCohort

DATA = (Path(__file__).parents[2] / "data" / "fhir_bundle.json").read_bytes()
FAKE = FakeCohort()
ICD9 = "http://hl7.org/fhir/sid/icd-9-cm"


@pytest.fixture(scope="module")
def cohort(synthetic_cohort: Path) -> Iterator[Cohort]:
    opened = Cohort.open(synthetic_cohort)
    own = opened.profile_values
    values = {"language": ["ENGL", "SPAN"], "ethnicity": ["BLACK/AFRICAN AMERICAN", "WHITE"]}
    opened.profile_values = lambda field: values.get(field) or own(field)  # type: ignore[method-assign]
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def imported(cohort: Cohort) -> Imported:
    return read_fhir(DATA, cohort)


def _changed(change: Callable[[dict[str, Any]], None]) -> bytes:
    """The bundle, with each resource handed to `change` by its id."""
    bundle = json.loads(DATA)
    change({entry["resource"]["id"]: entry["resource"] for entry in bundle["entry"]})
    return json.dumps(bundle).encode()


def test_encounters_become_visits_in_order_of_time(imported: Imported) -> None:
    first, second = imported.case.history
    assert first.diagnoses == ("ICD9:4280", "ICD9:4019")
    assert first.medications == ("B01A", "C03C")
    assert second.diagnoses == ("ICD10:E119", "ICD9:486"), "the second by its date"
    assert second.procedures == ("ICD9PCS:9671",)
    assert second.medications == ("A07A", "C07A", "C09A"), (
        "oral vancomycin, contained metoprolol, ATC lisinopril"
    )
    assert second.admitted_at == datetime.fromisoformat("2120-02-10T22:15"), "the hospital's own clock"
    assert imported.current == "Encounter/e3"
    assert imported.case.current.diagnoses == ("ICD9:4280", "ICD9:42731", "ICD9:41401"), (
        "by the encounter's ranks; one without a subject is the patient's"
    )
    assert imported.case.current.procedures == ("ICD10PCS:5A1D70Z",)
    assert [v.visit_no for v in (*imported.case.history, imported.case.current)] == [1, 2, 3]


def test_what_the_current_visit_was_given_is_the_truth_and_no_input(cohort: Cohort) -> None:
    imported = read_file(DATA, cohort)
    assert imported.case.prescribed == ("A10A", "C01B")
    assert imported.case.observed().current.medications == ()
    assert any("2 medication classes of the current visit" in note for note in imported.notes)


def test_the_profile_takes_the_cohorts_own_values(imported: Imported) -> None:
    profile = imported.case.profile
    assert profile["gender"] == "F"
    assert profile["age_band"] == "65-74", "72 years at the current encounter"
    assert (profile["insurance"], profile["marital_status"], profile["language"]) == (
        "Medicare",
        "WIDOWED",
        "SPAN",
    )
    assert profile["ethnicity"] == "BLACK/AFRICAN AMERICAN"
    assert profile["religion"] == "unknown"
    assert imported.case.patient_id is None


def test_everything_else_is_listed_with_its_reason(imported: Imported) -> None:
    reasons = {item.resource: item.reason for item in imported.listed}
    expected = {
        "Condition/c-nodate": "has no date",
        "Condition/c-refuted": "refuted",
        "Condition": "has not the form of a code in ICD-9-CM; its words match no diagnosis",
        "Condition/c-other": "who is not the patient of the file",
        "Encounter/e0": "status is cancelled",
        "Procedure/pr-cpt": "CPT is not mapped",
        "MedicationRequest/m6": "RxNorm is not mapped",
        "MedicationRequest/m7": "flush",
        "MedicationRequest/m9": "status is cancelled",
        "MedicationRequest/m11": "not in the file",
        "Patient/p1": "religion is none of this cohort's values",
    }
    assert reasons.keys() == expected.keys()
    assert [(k, reasons[k]) for k in expected if expected[k] not in reasons[k]] == []
    (offer,) = imported.offered
    assert (offer.text, offer.reason, offer.visits) == ("Hypertension", "SNOMED CT is not mapped", (2,))
    assert {concept.system for concept in offer.concepts} == {"ICD9"}, "as its visit is coded"
    assert "ICD9:4019" in {concept.code for concept in offer.concepts}
    assert any("4 Observation" in note for note in imported.notes)


def test_no_resource_is_dropped(imported: Imported) -> None:
    """Every resource that bears on a case is in a visit or on the list."""
    bundle = json.loads(DATA)
    kinds = {"Condition", "Procedure", "MedicationRequest", "MedicationStatement", "MedicationAdministration"}
    total = sum(entry["resource"]["resourceType"] in kinds for entry in bundle["entry"])
    visits = (*imported.case.history, imported.case.current)
    remaining = sum(len(v.diagnoses) + len(v.procedures) + len(v.medications) for v in visits)
    listed = sum(item.resource.split("/")[0] in kinds for item in imported.listed)
    assert total == remaining + listed + len(imported.offered)


def test_another_encounter_can_be_the_current_one(cohort: Cohort) -> None:
    result = read_fhir(DATA, cohort, current="Encounter/e2")
    assert [e.label for e in result.encounters] == ["Encounter/e1", "Encounter/e2", "Encounter/e3"]
    assert result.case.prescribed == ("A07A", "C07A")
    assert result.home == 1 and result.case.history[1].medications == ("C09A",), (
        "what a statement says the patient takes was not ordered in the stay"
    )
    assert any(i.resource == "Encounter/e3" and "later than the chosen" in i.reason for i in result.listed)
    assert result.case.profile["age_band"] == "65-74"
    with pytest.raises(InputError, match="choose one of Encounter/e1"):
        read_fhir(DATA, cohort, current="Encounter/e9")


def test_changing_the_file_changes_the_case(cohort: Cohort, imported: Imported) -> None:
    def change(by_id: dict[str, Any]) -> None:
        by_id["c-af"]["code"]["coding"][0]["code"] = "585.9"
        by_id["p1"]["birthDate"] = "2091-07-02"
        by_id["e1"]["period"]["start"] = by_id["e1"]["period"]["end"] = "2120-12-24"
        by_id["m4"]["dosageInstruction"][0]["route"]["coding"][0] = {"display": "Intravenous route"}

    result = read_fhir(_changed(change), cohort)
    assert "ICD9:5859" in result.case.current.diagnoses
    assert result.case.profile["age_band"] == "18-29", "29 on the day before the birthday"
    assert [e.label for e in result.encounters][:2] == ["Encounter/e2", "Encounter/e1"]
    assert result.case.history[0].medications == ("J01X", "C07A", "C09A")


def test_a_file_without_encounters_is_one_visit(cohort: Cohort) -> None:
    entry = {
        "resourceType": "Condition",
        "subject": {"display": "Ann"},
        "code": {"coding": [{"system": ICD9, "code": "428.0"}]},
    }
    result = read_fhir(
        json.dumps({"resourceType": "Bundle", "entry": [{"resource": entry}]}).encode(), cohort
    )
    assert result.case.current.diagnoses == ("ICD9:4280",)
    assert result.case.history == ()
    assert "no encounter" in result.notes[0]


def _bundle(*resources: object, **more: object) -> bytes:
    return json.dumps(
        {"resourceType": "Bundle", "entry": [{"resource": r} for r in resources], **more}
    ).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b" " * 20_000_001, "at most 20 MB"),
        (b"[" * 100_000, "levels deep"),
        (b"\xff", "not UTF-8"),
        (b"<Bundle/>", "is XML without the namespace"),
        (b'{"resourceType": "Bundle", "resourceType": "Patient"}', "twice"),
        (b'{"resourceType": "Bundle", "total": ' + b"9" * 5000 + b"}", "a number of 5,000"),
        (b'{"resourceType": "Patient"}', "expected a Bundle"),
        (b"[1]", "nothing to read (is a number: expected a resource)"),
        (b"[" + b"0," * 50_000 + b"0]", "more than 40,000 entries that cannot be read"),
        (b"{}\n" * 50_000, "more than 40,000 entries that cannot be read"),
        (b'{"resourceType": "Bundle", "entry": 3}', "its entry is a number: expected a list"),
        (b'{"resourceType": "Bundle", "entry": [{}]}', "nothing to read (is nothing: expected a resource)"),
        (_bundle({"resourceType": "Patient"}, {"resourceType": "Patient"}), "no diagnosis and no procedure"),
        (_bundle({"resourceType": "Patient"}), "no diagnosis and no procedure"),
        (_bundle({"resourceType": "Condition", "code": 3}), "its code is a number: expected a concept"),
        (_bundle({"resourceType": "Patient", "id": "<script>x</script>"}), "no diagnosis and no procedure"),
        (
            _bundle({"resourceType": "Encounter", "status": "cancelled"}),
            "no visit of its patient (its status is cancelled)",
        ),
        (b'{"resourceType": "Patient", "id": "\\ud83d"}', "lone surrogate"),
        (b"MSH|^~\\&|A", "an HL7 v2 message"),
        (b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>', "a CDA document"),
        (b"\x1f\x8b\x08damaged", "gzip archive that ends early or is damaged"),
        (json.dumps({"resourceType": "Bundle", "entry": [{"content": {}}]}).encode(), "FHIR DSTU1"),
    ],
)
def test_a_hostile_or_useless_file_gets_one_sentence(data: bytes, message: str) -> None:
    with pytest.raises(InputError) as raised:
        read_fhir(data, FAKE)  # type: ignore[arg-type]
    assert message in str(raised.value) and "\n" not in str(raised.value) and len(str(raised.value)) <= 265


def test_nothing_is_fetched_or_opened(cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("something was opened")

    read_fhir(DATA, cohort)  # titles and tables are read by now
    monkeypatch.setattr(socket, "socket", never)
    monkeypatch.setattr("builtins.open", never)
    monkeypatch.setattr(Path, "open", never)

    def change(by_id: dict[str, Any]) -> None:
        by_id["m11"]["medicationReference"]["reference"] = "file:///etc/passwd"
        by_id["c-chf1"]["encounter"]["reference"] = "http://127.0.0.1:9/Encounter/e1"

    result = read_fhir(_changed(change), cohort)
    assert result.case.history[0].diagnoses[0] == "ICD9:4280", (
        "the last part of a reference names it within the file"
    )
    assert not any("root:" in item.reason for item in result.listed)


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=40)
@given(data=st.data())
def test_junk_inside_a_bundle_is_listed_or_refused(data: st.DataObject) -> None:
    """Any part of a good bundle replaced by any JSON: a case or one sentence, never anything else."""
    bundle = json.loads(DATA)
    entry = data.draw(st.sampled_from(bundle["entry"]))
    resource = entry["resource"]
    name = data.draw(st.sampled_from(sorted(resource)))
    resource[name] = data.draw(_JSON)
    try:
        result = read_fhir(json.dumps(bundle).encode(), FAKE)  # type: ignore[arg-type]
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) <= 265
    else:
        case = result.case
        assert case.current.diagnoses or case.current.procedures or case.history or result.offered


@given(data=st.binary(max_size=60))
def test_any_bytes_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(InputError):
        read_fhir(data, FAKE)  # type: ignore[arg-type]


def _admitted(*resources: dict[str, Any]) -> bytes:
    encounter = {"encounter": {"reference": "Encounter/e"}}
    return _bundle(
        {"resourceType": "Encounter", "id": "e"},
        {"resourceType": "Condition", **encounter, "code": {"coding": [{"system": ICD9, "code": "4280"}]}},
        *({**resource, **encounter} for resource in resources),
    )


def test_what_no_patient_has_is_refused_or_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    many = 60  # medications that are all ingredients of each other: millions of ways through them
    parts = [{"itemReference": {"reference": f"Medication/m{n}"}} for n in range(many)]
    medications: list[dict[str, Any]] = [
        {"resourceType": "Medication", "id": f"m{n}", "ingredient": list(parts)} for n in range(many)
    ]
    medications[-1]["code"] = {"text": "Warfarin"}
    order = {"resourceType": "MedicationRequest", "medicationReference": {"reference": "Medication/m0"}}
    began = time.process_time()
    imported = read_fhir(_admitted(order, *medications), FAKE)  # type: ignore[arg-type]
    assert imported.case.current.medications == ("B01A",) and time.process_time() - began < 5
    medications[0]["ingredient"] = parts * 4
    imported = read_fhir(_admitted(order, *medications), FAKE)  # type: ignore[arg-type]
    assert "has more than 200 ingredients" in {each.reason for each in imported.listed}

    conditions = [{"resourceType": "Condition", "code": {"text": f"strange {n}"}} for n in range(1_001)]
    with pytest.raises(InputError, match="1,000 different conditions"):
        read_fhir(_admitted(*conditions), FAKE)  # type: ignore[arg-type]
    monkeypatch.setattr(fhir_medications, "MOST_NAMES", 3)
    drugs = [
        {"resourceType": "MedicationRequest", "medicationCodeableConcept": {"text": f"drug {n}"}}
        for n in range(4)
    ]
    with pytest.raises(InputError, match="more than 3 different names"):
        read_fhir(_admitted(*drugs), FAKE)  # type: ignore[arg-type]
