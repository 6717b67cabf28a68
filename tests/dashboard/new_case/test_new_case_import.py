"""New case by file, list and variant: what is read, what is listed, what a bad file leaves alone, and undo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.scores import case_diff
from dashboard.shared.draft import SESSION_KEY, Draft
from leader_core import Case, Visit
from leader_core.exchange.case_json import case_to_record
from tests.dashboard.conftest import OpenPage, text
from tests.fakes import FakeEngine

BUNDLE = (Path(__file__).parents[2] / "data" / "fhir_bundle.json").read_bytes()
CASE = Case(
    {"gender": "F", "insurance": "Medicare"}, (Visit(("ICD9:4280",), (), ("C03C",)),), Visit(("ICD9:4019",))
)
DRAFT = Draft(current=Visit(("ICD9:486",)), profile={"gender": "M"})


def _upload(page: AppTest, data: bytes, name: str = "case.json") -> AppTest:
    page.file_uploader[0].set_value((name, data, "application/json")).run()
    assert not page.exception
    return page


def _draft(page: AppTest) -> Draft:
    result: Draft = page.session_state[SESSION_KEY]
    return result


def _button(page: AppTest, label: str) -> Any:
    return next(b for b in page.button if b.label == label)


def test_a_case_file_becomes_the_draft_with_its_profile(open_page: OpenPage) -> None:
    page = _upload(open_page("new", session={SESSION_KEY: DRAFT}), json.dumps(case_to_record(CASE)).encode())
    assert _draft(page).case() == Case(
        dict(CASE.profile),
        (Visit(("ICD9:4280",), (), ("C03C",), visit_no=1),),
        Visit(("ICD9:4019",), visit_no=2),
    )
    assert page.selectbox(key="profile-gender").value == "F", "the widgets follow"
    page.run()
    assert _draft(page).profile == {"gender": "F", "insurance": "Medicare"}, "and give nothing old back"
    assert "Read case.json: 2 visits" in page.success[0].value
    _button(page, "Undo").click().run()
    assert _draft(page) == DRAFT
    assert page.selectbox(key="profile-gender").value == "M"
    assert _button(page, "Undo").disabled


def test_another_encounter_of_a_bundle_can_be_the_current_visit(open_page: OpenPage) -> None:
    page = _upload(open_page("new"), BUNDLE, "bundle.json")
    latest = _draft(page)
    choice = next(s for s in page.selectbox if s.label == "Encounter to recommend for")
    assert len(choice.options) == 3 and choice.value == "Encounter/e3", "the latest by default"
    assert choice.options[0].startswith("21") and "diagnos" in choice.options[0], "named by date and content"
    choice.set_value("Encounter/e2").run()
    assert not page.exception
    earlier = _draft(page)
    assert earlier.earlier[0] == latest.earlier[0]
    assert earlier.earlier[1] == Visit(medications=("C09A",)), "what the patient took at home"
    assert earlier.current.diagnoses == latest.earlier[-1].diagnoses
    assert "Encounter/e3" in text(page), "what is later is listed as left out"
    choice = next(s for s in page.selectbox if s.label == "Encounter to recommend for")
    choice.set_value("Encounter/e3").run()
    assert _draft(page) == latest
    _button(page, "Dismiss").click().run()
    assert not [s for s in page.selectbox if s.label == "Encounter to recommend for"]


def test_one_patient_of_several_is_chosen_on_the_page(open_page: OpenPage) -> None:
    lines = [{"resourceType": "Patient", "id": name, "gender": "female"} for name in ("a", "b", "c")]
    for name, code in (("a", "428.0"), ("b", "486")):
        coding = [{"system": "http://hl7.org/fhir/sid/icd-9-cm", "code": code}]
        subject = {"reference": f"Patient/{name}"}
        lines.append(
            {"resourceType": "Condition", "id": name, "code": {"coding": coding}, "subject": subject}
        )  # type: ignore[dict-item]
    page = _upload(open_page("new"), "\n".join(map(json.dumps, lines)).encode(), "ward.ndjson")
    assert _draft(page).current.diagnoses == ("ICD9:4280",)
    choice = next(s for s in page.selectbox if s.label == "Patient of the file")
    assert choice.options[1] == "Patient/b · female · no date of birth · 1 entry"
    choice.set_value("Patient/c").run()
    assert "no diagnosis and no procedure" in page.error[0].value
    assert _draft(page).current.diagnoses == ("ICD9:4280",), "not changed"
    next(s for s in page.selectbox if s.label == "Patient of the file").set_value("Patient/b").run()
    assert _draft(page).current.diagnoses == ("ICD9:486",) and not page.exception and not page.error


def test_a_map_of_ndcs_comes_with_the_file_that_it_is_for(open_page: OpenPage) -> None:
    coded = {"coding": [{"system": "http://hl7.org/fhir/sid/ndc", "code": "0056-0172-70"}]}
    order = {"resourceType": "MedicationStatement", "status": "active", "medicationCodeableConcept": coded}
    condition = {"resourceType": "Condition", "code": {"text": "heart failure"}}
    data = "\n".join(map(json.dumps, (order, condition))).encode()
    page = open_page("new")
    table = ("own.csv", b"ndc,atc3\n00056017270,B01A\n", "text/csv")
    page.file_uploader[0].set_value([("case.ndjson", data, "application/json"), table]).run()
    assert not page.exception and [v.medications for v in _draft(page).earlier] == [("B01A",)]
    assert "NDC map own.csv" in text(page)
    page.file_uploader[0].set_value([table]).run()
    assert "together with the FHIR file" in page.error[0].value


def test_a_bundle_lists_what_it_could_not_take_over(open_page: OpenPage) -> None:
    page = _upload(open_page("new"), BUNDLE, "bundle.json")
    draft = _draft(page)
    assert draft.current.diagnoses == ("ICD9:4280", "ICD9:42731", "ICD9:41401")
    assert draft.current.medications == ()
    assert len(draft.earlier) == 2
    message = text(page)
    for part in (
        "Chronic kidney disease",
        "RxNorm is not mapped",
    ):
        assert part in message
    _button(page, "Dismiss").click().run()
    assert "RxNorm" not in text(page)


def test_what_lasts_can_be_taken_out_and_conditions_are_accepted_by_their_words(open_page: OpenPage) -> None:
    def resource(kind: str, name: str, **more: object) -> dict[str, object]:
        return {"resourceType": kind, "id": name, "status": "active", **more}

    active, stay = {"coding": [{"code": "active"}]}, {"reference": "Encounter/e"}
    page = _upload(
        open_page("new"),
        "\n".join(
            json.dumps(each)
            for each in (
                resource("Encounter", "e", period={"start": "2150-06-02", "end": "2150-06-06"}),
                resource("MedicationStatement", "s", medicationCodeableConcept={"text": "warfarin"}),
                resource(
                    "Condition", "c1", code={"coding": [{"system": "http://hl7.org/fhir/sid/icd-9-cm", "code": "428.0"}]},
                    clinicalStatus=active, category=[{"coding": [{"code": "problem-list-item"}]}],
                ),
                resource("Condition", "c2", code={"text": "Pneumonia, organism unspecified"}, encounter=stay),
                resource("Condition", "c3", code={"text": "heart failure"}, encounter=stay),
            )
        ).encode(),
        "patient.ndjson",
    )  # fmt: skip
    assert _draft(page).current.diagnoses == ("ICD9:4280",)
    assert [v.medications for v in _draft(page).earlier] == [("B01A",)]
    problems, home = page.pills
    assert "problems" in problems.label and "at home" in home.label
    home.set_value([]).run()
    assert _draft(page).earlier[0].medications == ()
    page.pills[1].set_value(["B01A"]).run()
    assert _draft(page).earlier[0].medications == ("B01A",)
    accept = next(b for b in page.button if b.label.startswith("Accept the"))
    accept.click().run()
    assert "ICD9:486" in _draft(page).current.diagnoses
    choice = next(s for s in page.selectbox if s.label.startswith("Pneumonia"))
    assert choice.value == "ICD9:486"
    choice.set_value("").run()
    assert "ICD9:486" not in _draft(page).current.diagnoses
    assert not page.exception


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[" * 5000, "levels deep"),
        (b'{"resourceType": "Bundle", "entry": [', "is not JSON"),
        (b'{"resourceType": "Patient"}', "expected a Bundle"),
        (b"\xff\x00", "not UTF-8"),
        (b'{"schema": "leader-case/1", "current": {"diagnoses": ["<b>"]}}', "begins with ICD9:"),
        (b'{"resourceType": "Bundle"}', "nothing to read"),
    ],
)
def test_a_bad_file_gets_one_sentence_and_changes_nothing(
    open_page: OpenPage, data: bytes, message: str
) -> None:
    page = _upload(open_page("new", session={SESSION_KEY: DRAFT}), data)
    assert message in page.error[0].value and "was not changed" in page.error[0].value
    assert _draft(page) == DRAFT
    assert _button(page, "Undo").disabled


def test_a_pasted_list_goes_to_the_visit_and_the_rest_is_listed(open_page: OpenPage) -> None:
    page = open_page("new", session={SESSION_KEY: DRAFT})
    page.text_area(key="import-list").set_value("428.0 - CHF\nICD9:486\nxyzzy\nATC B01A").run()
    _button(page, "Add to this visit").click().run()
    assert _draft(page).current.diagnoses == ("ICD9:486", "ICD9:4280")
    assert _draft(page).current.medications == ()
    assert "1 code added" in page.success[0].value
    assert "matches no diagnosis" in text(page) and "what the models recommend" in text(page)
    _button(page, "Undo").click().run()
    assert _draft(page).current.diagnoses == ("ICD9:486",)


def test_a_word_with_several_meanings_is_offered(open_page: OpenPage) -> None:
    """Words and abbreviations of a list: candidates to choose from, or the first of each at once; nothing unasked."""
    page = open_page("new", session={SESSION_KEY: DRAFT})
    page.text_area(key="import-list").set_value("heart failure; fibrillation").run()
    _button(page, "Add to this visit").click().run()
    assert _draft(page).current.diagnoses == ("ICD9:486",)
    assert not page.success, "nothing was added yet"
    offered = {box.label: box for box in page.selectbox if box.label.endswith("· current visit")}
    assert list(offered) == ["heart failure · current visit", "fibrillation · current visit"]
    offered["heart failure · current visit"].select_index(1).run()
    assert _draft(page).current.diagnoses == ("ICD9:486", "ICD9:4280")
    _button(page, "Accept the first of each").click().run()
    assert _draft(page).current.diagnoses == ("ICD9:486", "ICD9:4280", "ICD9:42731")
    assert page.text_area(key="import-list").value == ""
    offered = {box.label: box for box in page.selectbox if box.label.endswith("· current visit")}
    offered["heart failure · current visit"].select_index(0).run()
    assert _draft(page).current.diagnoses == ("ICD9:486", "ICD9:42731"), "left out again"


def test_a_variant_is_kept_and_opened_in_another_session(open_page: OpenPage) -> None:
    page = open_page("new", session={SESSION_KEY: DRAFT.submit()})
    page.text_input(key="variant-name").set_value("Pneumonia").run()
    _button(page, "Save").click().run()
    assert any("Saved as “Pneumonia”" in s.value for s in page.success)
    page.text_input(key="variant-name").set_value("pneumonia").run()
    _button(page, "Save").click().run()
    assert any("choose another name" in w.value for w in page.warning)
    other = open_page("new")
    _button(other, "Open a copy").click().run()
    assert _draft(other).case() == DRAFT.case()
    assert _draft(other).origin_name == "variant “Pneumonia”"
    _button(other, "Remove").click().run()
    assert "None yet" in text(other)


def test_the_difference_against_the_case_it_came_from(open_page: OpenPage) -> None:
    start = Draft.from_case(CASE, {}, name="the file x.json")
    changed = start.with_codes(1, "diagnosis", (*start.current.diagnoses, "ICD9:42731")).submit()
    page = open_page("new", session={SESSION_KEY: changed}, view="research")
    message = text(page)
    assert "Against the file x.json" in message
    assert '<strong>Added:</strong> Atrial fibrillation <span class="ld-code">(ICD9:42731)</span>' in message
    assert "+ added" in message
    same = open_page("new", session={SESSION_KEY: start.submit()})
    assert "Against" not in text(same)


def test_a_case_from_nothing_is_compared_with_what_was_submitted_before(open_page: OpenPage) -> None:
    first = DRAFT.submit()
    assert "Against" not in text(open_page("new", session={SESSION_KEY: first}))
    again = first.with_codes(0, "diagnosis", (*first.current.diagnoses, "ICD9:42731")).submit()
    assert again.submit() == again, "pressed twice, it is still compared with the one before"
    message = text(open_page("new", session={SESSION_KEY: again}, view="research"))
    assert "Against what you submitted before" in message
    assert '<strong>Added:</strong> Atrial fibrillation <span class="ld-code">(ICD9:42731)</span>' in message
    assert "+ added" in message


def test_differences_are_what_was_added_removed_and_rescored() -> None:
    engine = FakeEngine()
    engine.finish_loading()
    before, after = (
        engine.recommend(Case(current=Visit(codes)), "student") for codes in (("ICD9:4280",), ("ICD9:486",))
    )
    changes = case_diff.compare_suggestions(before, after)
    was, now = ({m.code for m in r.selected} for r in (before, after))
    assert {each.code for each in changes.added} == now - was != set()
    assert {each.code for each in changes.removed} == was - now != set()
    assert all(abs(each.change) >= case_diff.NOTICEABLE for each in changes.rescored)
    assert case_diff.compare_suggestions(before, before).empty
    added, removed = case_diff.code_changes(
        CASE, Case(dict(CASE.profile), (), Visit(("ICD9:4019", "ICD9:486")))
    )
    assert (added, removed) == (
        [("diagnosis", "ICD9:486")],
        [("diagnosis", "ICD9:4280"), ("medication", "C03C")],
    )
    assert case_diff.profile_changes(CASE, Case(), CASE.profile) == [
        ("insurance", "Medicare", "unknown"),
        ("gender", "F", "unknown"),
    ]


def test_the_export_popover_offers_each_format(open_page: OpenPage) -> None:
    def page() -> None:
        from dashboard.report import download
        from dashboard.server.service import get_service
        from dashboard.shared.session import Subject

        service = get_service()
        case = service.engine.cohort.case(10006)
        result = {"student": service.engine.recommend(case, "student")}
        download.show(service, Subject(case, "cohort", 10006, 2), result)  # type: ignore[arg-type]

    test = AppTest.from_function(page, default_timeout=120).run()
    assert not test.exception
    labels = [b.proto.label for b in test.get("download_button")]
    assert [label.rpartition("(")[2] for label in labels] == ["HTML)", "PDF)", "JSON)", "CSV)"]
