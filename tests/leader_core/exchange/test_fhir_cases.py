"""FHIR files on which importers fail: stays inside stays, drugs named anywhere, what is only meant, other versions."""

from __future__ import annotations

import gzip
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leader_core import InputError
from leader_core.cohort import Cohort
from leader_core.exchange import fhir_file
from leader_core.exchange.case_json import read_file
from leader_core.exchange.fhir import Imported, read_fhir
from tests.conftest import ROOT
from tests.fakes import FakeCohort

CASES = ROOT.parent / "shared" / "cases" / "fhir"
Codes = tuple[str, ...]


@dataclass(frozen=True)
class Expected:
    """What a file means: (diagnoses, procedures, medications) of each visit, the current one last."""

    visits: tuple[tuple[Codes, Codes, Codes], ...]
    listed: tuple[str, ...] = ()  # beginnings of reasons
    problems: Codes = ()
    home: int | None = None
    offered: tuple[tuple[str, str], ...] = ()  # text, first code


HF: Codes = ("ICD10:I509",)
RIGHT: dict[str, Expected] = {
    "stay_inside_stay.json": Expected(
        (
            (("ICD9:4280",), (), ("C03C",)),
            (("ICD9:486", "ICD9:5849"), ("ICD9PCS:9671", "ICD9PCS:3893"), ("J01M", "B01A", "C01C")),
        )
    ),
    "mimic_medications.json": Expected(((("ICD9:4280",), (), ("C03C", "B01A", "C07A")), (HF, (), ()))),
    "list_concept.json": Expected(((("ICD9:4280",), (), ("C03C",)), (HF, (), ("B01A",)))),
    "request_kinds.json": Expected(
        ((HF, (), ("C03C", "B01A")),),
        (
            "is a discharge prescription",
            "is a community prescription",
            "is a plan",
            "is a proposal",
            "is an option",
            "its status is unknown",
        ),
    ),
    "problem_list_home_medicines.json": Expected(
        (
            ((), (), ("B01A", "C07A", "A10A")),
            (("ICD10:J189", "ICD10:I5022", "ICD10:N184", "ICD10:E119"), (), ()),
        ),
        problems=("ICD10:I5022", "ICD10:N184", "ICD10:E119"),
        home=0,
    ),
    "version_r4_encounters_without_class.json": Expected(
        (
            (("ICD10:S72001A",), (), ("N02A",)),
            (("ICD10:I214",), (), ("B01A",)),
            (("ICD10:J189",), (), ("J01M",)),
        )
    ),
    "version_r5.json": Expected(((HF, (), ("C03C",)),)),
    "version_stu3.json": Expected(((HF, (), ("C03C",)),)),
    "version_dstu2.json": Expected(((HF, (), ("C03C",)),)),
    "patient.ndjson": Expected(((HF, (), ("C03C",)),)),
    "list.json": Expected(((HF, (), ()),)),
    "shape_nested_bundles.json": Expected(((HF, (), ()),)),
    "shape_nulls.json": Expected(((HF, (), ("C03C",)),)),
    "shape_medication_by_ingredient.json": Expected(((HF, (), ("B01A",)),)),
    "shape_rxnorm_code_alone.json": Expected(((HF, (), ()),), ("RxNorm is not mapped",)),
    "shape_snomed_and_icd.json": Expected(((HF, (), ()),)),
    "shape_snomed_only_with_medicines.json": Expected(
        (((), (), ("A10B",)),), offered=(("Essential (primary) hypertension", "ICD10:I10"),)
    ),
    "shape_bundle.xml": Expected(()),
}


def _visits(result: Imported) -> tuple[tuple[Codes, Codes, Codes], ...]:
    case = result.case
    return tuple((v.diagnoses, v.procedures, v.medications) for v in (*case.history, case.current))


def _file(name: str) -> bytes:
    if not CASES.is_dir():
        pytest.skip(f"the cases are not next to the project: {CASES}")
    return (CASES / name).read_bytes()


@pytest.mark.parametrize("name", [name for name in RIGHT if name != "shape_bundle.xml"])
def test_each_file_means_what_it_should(cohort: Cohort, name: str) -> None:
    result, right = read_fhir(_file(name), cohort), RIGHT[name]
    assert _visits(result) == right.visits
    reasons = [item.reason for item in result.listed]
    assert len(reasons) == len(right.listed)
    assert all(reason.startswith(start) for reason, start in zip(reasons, right.listed, strict=True))
    assert (result.problems, result.home) == (right.problems, right.home)
    assert tuple((each.text, each.concepts[0].code) for each in result.offered) == right.offered


def test_no_case_file_is_without_its_right_value() -> None:
    _file("list.json")
    assert {path.name for path in CASES.iterdir()} == set(RIGHT)


def test_kinds_that_were_only_meant_are_counted(cohort: Cohort) -> None:
    notes = read_fhir(_file("request_kinds.json"), cohort).notes
    assert (
        "Left out as not given or ordered in the stay: community prescriptions 1, discharge prescriptions 1, options 1, "
        "plans 1, proposals 1, status unknown 1."
    ) in notes
    assert "Orders on hold, taken as ordered: 1." in notes


# The kinds behind the files, with bundles made here


def _encounter(
    name: str, start: str = "", end: str = "", kind: str = "IMP", **more: object
) -> dict[str, Any]:
    period = {key: value for key, value in (("start", start), ("end", end)) if value}
    return {
        "resourceType": "Encounter",
        "id": name,
        "status": "finished",
        "class": {"code": kind},
        "period": period,
    } | more


def _condition(code: str, encounter: str = "", **more: object) -> dict[str, Any]:
    coded = {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code}
    where = {"encounter": {"reference": f"Encounter/{encounter}"}} if encounter else {}
    return {"resourceType": "Condition", "id": f"c-{code}", "code": {"coding": [coded]}} | where | more


def _order(drug: str, encounter: str = "", **more: object) -> dict[str, Any]:
    where = {"encounter": {"reference": f"Encounter/{encounter}"}} if encounter else {}
    order = {"resourceType": "MedicationRequest", "id": f"m-{drug}", "status": "completed", "intent": "order"}
    return order | {"medicationCodeableConcept": {"text": drug}} | where | more


def _read(cohort: Cohort, *resources: dict[str, Any], **options: Any) -> Imported:
    entries = [{"resource": resource} for resource in resources]
    return read_fhir(json.dumps({"resourceType": "Bundle", "entry": entries}).encode(), cohort, **options)


def _part(name: str) -> dict[str, Any]:
    return {"partOf": {"reference": f"Encounter/{name}"}}


FIRST = _encounter("a", "2150-01-02T10:00:00", "2150-01-06T12:00:00")
LAST = _encounter("z", "2151-01-02T10:00:00", "2151-01-06T12:00:00")


@pytest.mark.parametrize(
    "part",
    [
        [_encounter("p", "2151-01-03T10:00:00", "2151-01-04T10:00:00", "ACUTE", **_part("z"))],
        [_encounter("q", **_part("z")), _encounter("p", **_part("q"))],
        [_encounter("p", "2151-01-01T20:00:00", "2151-01-02T11:00:00", "EMER")],  # overlaps the admission
        [_encounter("p", "2151-01-02T01:00:00", "2151-01-02T07:00:00", "EMER")],  # led to it
        [_encounter("p", "2151-01-02", "2151-01-02", "EMER")],  # the same, by the day only
        [_encounter("p", "2151-01-01T20:00:00", "", "EMER")],  # the same, without an end
        [_encounter("p", "2151-01-03T10:00:00", "2151-01-20T10:00:00")],  # outlasts it
        [_encounter("p", "2151-01-03T10:00:00", "2151-01-03T11:00:00", "AMB")],  # lies within it
    ],
)
def test_no_part_of_the_current_stay_is_history(cohort: Cohort, part: list[dict[str, Any]]) -> None:
    result = _read(
        cohort, FIRST, *part, LAST, _condition("I50.9", "a"), _condition("N17.9", "z"), _condition("J18.9", "p"),
        _order("Warfarin", "a"), _order("Heparin", "z"), _order("Norepinephrine", "p"),
    )  # fmt: skip
    assert _visits(result) == ((HF, (), ("B01A",)), (("ICD10:N179", "ICD10:J189"), (), ("B01A", "C01C")))
    assert result.case.observed().current.medications == ()


def test_parts_of_a_stay_that_is_not_in_the_file_are_one_visit(cohort: Cohort) -> None:
    parts = [_encounter(n, f"2151-01-0{n}", f"2151-01-0{n}", **_part("lost")) for n in "24"]
    result = _read(
        cohort, FIRST, *parts, _condition("I50.9", "a"), _condition("N17.9", "2"), _order("Heparin", "4")
    )
    assert _visits(result) == ((HF, (), ()), (("ICD10:N179",), (), ("B01A",)))


def test_encounters_in_a_circle_end(cohort: Cohort) -> None:
    circle = [_encounter("a", "2150-01-02", **_part("b")), _encounter("b", "2150-01-02", **_part("a"))]
    result = _read(cohort, *circle, _condition("I50.9", "a"), _order("Heparin", "b"))
    assert _visits(result) == ((HF, (), ("B01A",)),)


def test_outpatient_encounters_by_the_stated_rule(cohort: Cohort) -> None:
    visit = _encounter("o", "2150-06-01T10:00:00", "2150-06-01T10:20:00", "AMB")
    clinic = [visit, _condition("I10", "o"), _order("Lisinopril", "o", status="active")]
    alone = _read(cohort, *clinic)
    assert _visits(alone) == ((("ICD10:I10",), (), ("C09A",)),)
    assert any("no hospital stay" in note for note in alone.notes)
    both = _read(cohort, *clinic, LAST, _condition("I50.9", "z"))
    assert _visits(both) == (((), (), ("C09A",)), (HF, (), ())), "still taken, therefore a home medicine"
    assert any(note.startswith("Hospital and emergency encounters are visits.") for note in both.notes)
    assert {"Encounter/o", "Condition/c-I10"} <= {item.resource for item in both.listed}
    admitted = _read(
        cohort, visit | {"hospitalization": {"admitSource": {}}}, *clinic[1:], LAST, _condition("I50.9", "z")
    )
    assert _visits(admitted)[0] == (("ICD10:I10",), (), ("C09A",))


NEVER = {"start": "2150-01-04", "end": "2150-01-03"}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"intent": "proposal"}, "is a proposal"),
        ({"intent": "option"}, "is an option"),
        ({"intent": "plan"}, "is a plan"),
        ({"doNotPerform": True}, "it says not to give this"),
        ({"status": "entered-in-error"}, "its status is entered-in-error"),
        ({"status": "cancelled"}, "its status is cancelled"),
        ({"status": "draft"}, "its status is draft"),
        ({"status": "stopped", "dispenseRequest": {"validityPeriod": NEVER}}, "was stopped before"),
        ({"category": [{"text": "Discharge"}]}, "is a discharge prescription"),
        ({"category": {"coding": {"code": "community"}}}, "is a community prescription"),
        ({"resourceType": "MedicationAdministration", "status": "not-done"}, "its status is not-done"),
        ({"resourceType": "MedicationAdministration", "status": "completed", "notGiven": True}, "its status is not-done"),
    ],
)  # fmt: skip
def test_what_was_only_meant_is_no_medication(cohort: Cohort, more: dict[str, Any], reason: str) -> None:
    result = _read(
        cohort, FIRST, _condition("I50.9", "a"), _order("Heparin", "a"), _order("Digoxin", "a", **more)
    )
    assert result.case.prescribed == ("B01A",)
    (left,) = result.listed
    assert left.reason.startswith(reason) and left.code == "Digoxin"
    assert any(note.startswith("Left out as not given") for note in result.notes)


def _concept(system: str, code: str = "", display: str = "") -> dict[str, Any]:
    coding = {"system": system, "code": code, "display": display}
    return {"coding": [{key: value for key, value in coding.items() if value}]}


INSIDE = {"resourceType": "Medication", "id": "w", "code": {"text": "Warfarin"}}
RXNORM, NDC = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://hl7.org/fhir/sid/ndc"


@pytest.mark.parametrize(
    "named",
    [
        {"medicationCodeableConcept": {"text": "warfarin 5 mg"}},
        {"medicationCodeableConcept": _concept(RXNORM, "855332", "warfarin sodium 5 MG Oral Tablet")},
        {"medicationCodeableConcept": _concept("http://hospital.example/CodeSystem/drug-name", "WARFARIN")},
        {"medicationCodeableConcept": _concept("http://hospital.example/orderables", "Warfarin Sodium")},
        {"medicationCodeableConcept": _concept("http://www.whocc.no/atc", "B01AA03")},
        {"medicationCodeableConcept": _concept(NDC, "0056-0172-70")},
        {"medicationReference": {"display": "Coumadin"}},
        {"medicationReference": {"reference": "#w"}, "contained": [INSIDE]},
        {"medicationReference": {"reference": "#x"}, "contained": [
            {"resourceType": "Medication", "id": "x", "ingredient": [{"itemReference": {"reference": "#w"}}]},
            {"resourceType": "Substance", "id": "s", "code": 7},
            INSIDE]},
        {"medicationReference": {"reference": "Medication/m"}},
        {"medication": {"reference": {"reference": "Medication/m"}}},
        {"medication": {"concept": {"text": "Warfarin"}}},
    ],
)  # fmt: skip
def test_a_drug_is_read_wherever_it_is_named(cohort: Cohort, named: dict[str, Any]) -> None:
    order = _order("x", "a") | named
    if "medicationCodeableConcept" not in named:
        del order["medicationCodeableConcept"]
    medication = {"resourceType": "Medication", "id": "m", "identifier": [{"system": "x/medication-name", "value": "Warfarin"}],
                  "code": _concept(NDC, "00056017270")}  # fmt: skip
    result = _read(
        cohort, FIRST, _condition("I50.9", "a"), medication, order, ndc_map={"00056017270": "B01AA03"}
    )
    assert result.case.prescribed == ("B01A",)
    assert result.listed == ()


def test_a_code_that_only_looks_like_a_name_is_not_guessed(cohort: Cohort) -> None:
    order = _order("x", "a") | {
        "medicationCodeableConcept": _concept("http://hospital.example/formulary", "FURO40I")
    }
    result = _read(cohort, FIRST, _condition("I50.9", "a"), order)
    assert result.case.prescribed == ()
    assert [item.reason for item in result.listed] == ["another code system is not mapped"]


def _problem(code: str, **more: object) -> dict[str, Any]:
    return _condition(
        code,
        clinicalStatus={"coding": [{"code": "active"}]},
        category=[_concept("", "problem-list-item")],
        **more,
    )


def test_what_lasts_joins_the_current_visit_and_what_ended_or_came_later_does_not(cohort: Cohort) -> None:
    def statement(drug: str, **more: object) -> dict[str, Any]:
        statement = {"resourceType": "MedicationStatement", "id": f"s-{drug}", "status": "active"}
        return statement | {"medicationCodeableConcept": {"text": drug}} | more

    result = _read(
        cohort, FIRST, LAST, _condition("J18.9", "z"), _condition("I10", "a"),
        _problem("I50.9"), _problem("N18.4", recordedDate="2150-01-03"), _problem("E11.9", recordedDate="2152-01-01"),
        _condition("I48.91", clinicalStatus={"coding": [{"code": "resolved"}]}),
        statement("warfarin"), statement("Metoprolol", effectivePeriod={"start": "2151-01-04"}),
        statement("Digoxin", effectivePeriod={"start": "2140", "end": "2141"}), statement("Insulin", status="stopped"),
        statement("Lisinopril", encounter={"reference": "Encounter/z"}),
    )  # fmt: skip
    assert _visits(result) == (
        (("ICD10:I10",), (), ()),
        ((), (), ("B01A", "C09A")),
        (("ICD10:J189", "ICD10:I509", "ICD10:N184"), (), ()),
    )
    assert (result.problems, result.home) == (("ICD10:I509", "ICD10:N184"), 1)
    reasons = {item.resource: item.reason for item in result.listed}
    assert reasons == {
        "Condition/c-E11.9": "was noted after the chosen encounter",
        "Condition/c-I48.91": "belongs to no visit, and is no longer active",
        "MedicationStatement/s-Metoprolol": "was begun or noted after admission, and may be of the stay itself",
        "MedicationStatement/s-Digoxin": "ended before the chosen encounter",
        "MedicationStatement/s-Insulin": "its status is stopped",
    }


def test_a_patient_just_admitted_is_read_from_what_lasts(cohort: Cohort) -> None:
    now = LAST | {"status": "in-progress", "period": {"start": "2151-01-02T10:00:00"}}
    result = _read(cohort, FIRST, now, _condition("J18.9", "a"), _order("Heparin", "a"), _problem("I50.9"))
    assert _visits(result) == ((("ICD10:J189",), (), ("B01A",)), (HF, (), ()))
    assert result.current == "Encounter/z"


@pytest.mark.parametrize(
    ("concept", "codes"),
    [
        (_concept("http://snomed.info/sct", "42343007", "Congestive heart failure (disorder)"), {"ICD9:4280", "ICD10:I509"}),
        (_concept("http://hl7.org/fhir/sid/icd-10", "I50.9"), {"ICD10:I509"}),
        (_concept("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "I50.9"), {"ICD10:I509"}),
        ({"text": "heart failure"}, {"ICD9:4280", "ICD10:I509"}),
    ],
)  # fmt: skip
def test_other_codes_are_offered_by_our_own_search(
    cohort: Cohort, concept: dict[str, Any], codes: set[str]
) -> None:
    condition = _condition("x", "a") | {"code": concept}
    result = _read(cohort, FIRST, condition, _order("Heparin", "a"))
    assert result.case.prescribed == ("B01A",), "the medicines are read at once"
    (offer,) = result.offered
    assert codes & {each.code for each in offer.concepts} and offer.visits == (0,) and offer.sure


@pytest.mark.parametrize(
    ("where", "own", "systems"),
    [
        ("z", [("I50.9", "a"), ("N17.9", "z")], {"ICD10"}),
        ("z", [("I50.9", "a")], {"ICD10"}),  # a visit without codes of its own
        ("z", [("428.0", "a"), ("N17.9", "z")], {"ICD10"}),  # its own visit's count
        ("z", [("428.0", "z")], {"ICD9"}),
        ("z", [("428.0", "a"), ("I50.9", "a")], {"ICD9", "ICD10"}),
    ],
)
def test_codes_are_offered_in_the_system_that_the_file_is_coded_in(
    cohort: Cohort, where: str, own: list[tuple[str, str]], systems: set[str]
) -> None:
    coded = [_condition(code, place) for code, place in own]
    for each, (code, _) in zip(coded, own, strict=True):
        version = "10" if code[0].isalpha() else "9"
        each["code"]["coding"][0]["system"] = f"http://hl7.org/fhir/sid/icd-{version}-cm"
    asked = _condition("x", where) | {"code": {"text": "hypertension"}}
    (offer,) = _read(cohort, FIRST, LAST, *coded, asked).offered
    assert {each.system for each in offer.concepts} == systems
    first = {"ICD9": "ICD9:4019", "ICD10": "ICD10:I10"}
    assert offer.concepts[0].code in {first[system] for system in systems}


def test_several_files_gzipped_or_not_are_one_case(cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = {"resourceType": "Patient", "id": "p"}
    first = "\n".join(json.dumps(each) for each in (patient, FIRST)).encode()
    second = "\n".join(
        json.dumps(each) for each in (_condition("I50.9", "a"), _order("Heparin", "a"))
    ).encode()
    result = read_fhir([gzip.compress(first), b"\xef\xbb\xbf" + second + b'\n{"cut": \n'], cohort)
    assert _visits(result) == ((HF, (), ("B01A",)),)
    assert [(item.resource, item.reason[:11]) for item in result.listed] == [("line 3", "It is not J")]
    monkeypatch.setattr(fhir_file, "LARGEST_TOGETHER", 10_000)
    small = [gzip.compress(b'{"resourceType": "X"}\n' * 300) for _ in range(3)]  # of about 100 bytes each
    with pytest.raises(InputError, match="more than 0 MB together"):
        read_file(small, cohort)
    with pytest.raises(InputError, match="21 files at once"):
        read_file(small * 7, cohort)


def test_a_file_whose_encounters_are_all_rejected_is_refused(cohort: Cohort) -> None:
    planned = FIRST | {"status": "planned"}
    with pytest.raises(InputError, match="no visit of its patient"):
        _read(cohort, planned, _condition("I50.9", "a"), _order("Heparin", "a"))


@pytest.mark.parametrize("kind", ["IMP", "AMB"])
def test_thousands_of_encounters_take_seconds(kind: str) -> None:
    def moment(number: float) -> str:
        return (datetime(1990, 1, 1, tzinfo=UTC) + timedelta(hours=100 * number)).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        )

    many, code = 3_000, {"coding": [{"system": "http://hl7.org/fhir/sid/icd-9-cm", "code": "4280"}]}
    resources: list[dict[str, Any]] = []
    for n in range(many):
        period = {"start": moment(n), "end": moment(n + 0.3)}
        resources.append(
            {"resourceType": "Encounter", "id": f"e{n}", "class": {"code": kind}, "period": period}
        )
        resources += [
            {"resourceType": "Condition", "id": f"c{n}-{k}", "recordedDate": moment(n + 0.1), "code": code}
            for k in range(3)
        ]
    data = json.dumps({"resourceType": "Bundle", "entry": [{"resource": each} for each in resources]})
    began = time.process_time()
    imported = read_fhir(data.encode(), FakeCohort())  # type: ignore[arg-type]
    assert time.process_time() - began < 10
    assert len(imported.encounters) == many and all(each.diagnoses == 1 for each in imported.encounters)
    assert imported.listed == ()
