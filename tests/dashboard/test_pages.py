"""Every page in its states, over the fake engine: what stands on it, what it says when something is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.shared import wording
from dashboard.shared.draft import Draft
from leader_core import ArtifactError, LeaderError, NotFoundError, Visit
from leader_core.cohort import PatientQuery
from tests.dashboard.conftest import OpenPage, Serve, address, component_data, text
from tests.fakes import DIAGNOSES, FakeCohort, FakeEngine

FIRST_TIMER, RETURNING = "10003", "10006"
PAGES = ("patients", "case", "new", "interactions", "prompt", "errors", "models")


@pytest.mark.parametrize("path", PAGES)
def test_every_page_draws_its_frame_and_no_error(open_page: OpenPage, path: str) -> None:
    page = open_page(path, **({"patient": RETURNING} if path in ("case", "interactions", "prompt") else {}))
    assert not page.exception
    assert not page.error
    assert wording.NOT_A_DEVICE in text(page)
    assert "Synthetic data: invented patients" in text(page)
    assert "Teacher ready" in text(page)
    assert "Student ready" in text(page)


@pytest.mark.parametrize("path", PAGES)
def test_without_a_cohort_every_page_says_what_to_do(serve: Serve, open_page: OpenPage, path: str) -> None:
    serve(
        error=NotFoundError("No cohort at build/demo/cohort.duckdb. Build one with `python -m train cohort`.")
    )
    page = open_page(path)
    assert not page.exception
    assert "No cohort at build/demo/cohort.duckdb" in text(page)
    assert "make run" in text(page)
    assert wording.NOT_A_DEVICE in text(page)


def test_a_cohort_built_again_is_noticed_and_offered(serve: Serve, open_page: OpenPage) -> None:
    serve(FakeEngine(FakeCohort(replaced=True)))
    page = open_page("case", patient=RETURNING)
    assert wording.COHORT_REPLACED in text(page) and "6 of 80" in text(page)
    serve(FakeEngine(FakeCohort(size=40)))
    page.button(key="reopen").click().run()
    assert not page.exception and wording.COHORT_REPLACED not in text(page)
    assert "6 of 40" in text(page), "the place in the new list"
    serve(FakeEngine(FakeCohort(size=3)))
    assert f"No patient {RETURNING} in this cohort" in text(page.run())


@pytest.mark.parametrize("path", ["case", "prompt"])
def test_pages_about_a_case_have_an_empty_state(open_page: OpenPage, path: str) -> None:
    page = open_page(path)
    assert wording.NO_CASE_TITLE in text(page)
    assert [link.value for link in page.page_link] == ["Choose a patient", "Enter a case"]
    assert component_data(page, "url_state")["query"] == "view=research", "a reload keeps the view"


@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        ("case", {"patient": "99"}, "No patient 99"),
        ("interactions", {"patient": "99"}, "No patient 99"),
        ("prompt", {"patient": "99"}, "No patient 99"),
        ("case", {"patient": "abc"}, "expected a whole number"),
        ("interactions", {"patient": "9" * 40}, "at most 18 digits"),
        ("prompt", {"patient": RETURNING, "visit": "77"}, "no visit 77"),
        ("case", {"case": "draft"}, "not in this session"),
    ],
)
def test_a_stale_link_is_a_sentence_and_a_way_on(
    open_page: OpenPage, path: str, query: dict[str, str], message: str
) -> None:
    page = open_page(path, **query)
    assert not page.exception
    assert message in text(page)
    assert text(page).count("<h1>") == 1
    assert page.page_link[-1].value == "Go to the worklist"


@pytest.mark.parametrize("broken", ["patients", "case", "titles", "interactions"])
def test_a_fault_never_shows_a_traceback(
    serve: Serve, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fault(*_: object, **__: object) -> None:
        raise RuntimeError("secret inner workings")

    engine = serve()
    if broken == "interactions":
        monkeypatch.setattr(engine.cohort, "interactions", None)
    else:
        monkeypatch.setattr(engine.cohort, broken, fault)
    page = open_page("patients" if broken == "patients" else "case", patient=RETURNING)
    assert not page.exception
    assert "could not be shown" in text(page)
    assert "secret inner workings" not in text(page)


@pytest.mark.parametrize("name", ["patients", "case"])
def test_an_unreadable_workspace_is_a_notice_on_a_page_that_works(
    open_page: OpenPage, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "workspace.sqlite"
    file.write_text("not notes")
    page = open_page(name, patient=RETURNING)
    assert "is not a workspace of this program" in text(page) and file.read_text() == "not notes"
    shown = "worklist" if name == "patients" else "comparison"
    assert component_data(page, shown) and all(button.label != "Save" for button in page.button)
    file.unlink()
    page.run()  # it is tried again
    assert "is not a workspace" not in text(page) and file.exists()


@pytest.mark.parametrize("name", ["case", "interactions", "prompt"])
def test_without_a_case_recent_and_example_cases_are_offered(open_page: OpenPage, name: str) -> None:
    open_page("case", patient="10004", visit="1")
    page = open_page(name)
    labels = [button.label for button in page.button]
    assert any(label.startswith("Patient 10004") for label in labels), labels
    example = next(b for b in page.button if b.label.startswith("A first visit"))
    example.click().run()
    assert not page.exception and page.query_params["visit"] == "1"


# Patients


def test_the_worklist_shows_a_page_of_patients(open_page: OpenPage) -> None:
    data = component_data(open_page(), "worklist")
    assert len(data["rows"]) == 25
    assert data["rows"][0]["cells"][0] == "10001"
    assert data["rows"][0]["href"] == "case?patient=10001&visit=1&view=research"


def test_filters_sort_and_page_come_from_the_url(open_page: OpenPage) -> None:
    page = open_page(visits="first", sort="-age", view="research")
    data = component_data(page, "worklist")
    ages = [int(row["cells"][1]) for row in data["rows"]]
    assert ages == sorted(ages, reverse=True)
    assert {row["cells"][3] for row in data["rows"]} == {"1"}
    assert "visits: first visit only" in text(page)


def test_filters_go_to_the_url_and_reset_the_page(open_page: OpenPage) -> None:
    page = open_page(page="2", rows="25")
    assert address(page) == {"page": "2"}
    page.segmented_control(key="gender").set_value("F").run()
    page.slider(key="ages").set_value((40, 100)).run()
    assert address(page) == {"gender": "F", "ages": "40-100"}
    next(b for b in page.button if b.label == "Clear filters").click().run()
    assert address(page) == {}


def test_a_strange_url_is_read_as_the_default(open_page: OpenPage) -> None:
    page = open_page(visits="<script>", sort="drop table", page="-4", rows="1e9", ages="9-1", gender="X")
    assert not page.exception
    assert len(component_data(page, "worklist")["rows"]) == 25


def test_search_text_stays_out_of_the_url(open_page: OpenPage) -> None:
    page = open_page()
    page.text_input(key="search").set_value("heart failure").run()
    result = component_data(page, "worklist")["rows"]
    assert 0 < len(result) <= 25
    assert "heart" not in str(page.query_params).lower() + str(address(page)).lower()
    assert "Understood as" in text(page) and all(row["why"] for row in result)
    again = open_page(search=address(page)["search"])
    assert again.text_input(key="search").value == "heart failure", "a reload keeps it"
    assert component_data(again, "worklist")["rows"] == result
    assert "no longer known" in text(open_page(search="of-an-earlier-server"))


def test_each_view_has_its_own_columns(open_page: OpenPage) -> None:
    labels = {
        view: [c["label"] for c in component_data(open_page(**query), "worklist")["columns"]]
        for view, query in {"clinician": {"view": "clinician"}, "research": {"view": "research"}}.items()
    }
    assert labels["clinician"] == [
        "Patient", "Age", "Sex", "Admitted", "Main problems of the last visit", "Severe alerts", "Visits",
    ]  # fmt: skip
    assert {"Diagnoses", "Procedures", "Split"} <= set(labels["research"])


def test_an_empty_worklist_says_which_filter_to_remove(open_page: OpenPage) -> None:
    page = open_page(gender="F")
    page.text_input(key="search").set_value("no such thing").run()
    assert "No patient matches all of this" in text(page)
    way = next(b for b in page.button if b.label.startswith("Remove search"))
    way.click().run()
    assert page.session_state["search"] == ""
    assert component_data(page, "worklist")["rows"]


def test_a_cohort_without_patients_is_an_empty_state(serve: Serve, open_page: OpenPage) -> None:
    serve(FakeEngine(FakeCohort(size=0)))
    assert "This cohort holds no patients" in text(open_page())


# Case


def test_a_case_shows_both_models_and_the_prescription(open_page: OpenPage) -> None:
    page = open_page("case", patient=RETURNING)
    data = component_data(page, "comparison")
    assert [g["key"] for g in data["groups"]] == ["missing", "extra", "right", "neither"], "errors first"
    missing, extra, right, neither = (g["rows"] for g in data["groups"])
    assert all(r["prescribed"] and not (r["teacher_selected"] and r["student_selected"]) for r in missing)
    assert all(not r["prescribed"] and (r["teacher_selected"] or r["student_selected"]) for r in extra)
    assert all(r["prescribed"] and r["teacher_selected"] and r["student_selected"] for r in right)
    assert not any(r["prescribed"] or r["teacher_selected"] or r["student_selected"] for r in neither)
    both = sum(not (r["teacher_selected"] or r["student_selected"]) for r in missing)
    assert (f"{both} by both" in data["groups"][0]["hint"]) == bool(both)
    page.segmented_control(key="grouping").set_value("agreement").run()
    data = component_data(page, "comparison")
    assert [g["key"] for g in data["groups"]] == ["agreed", "teacher", "student", "missed", "neither"]
    row = data["groups"][0]["rows"][0]
    assert isinstance(row["teacher"], float)
    assert isinstance(row["student"], float)
    assert "no dose, route or timing" in data["note"]
    assert "it writes no reasons" in text(page)
    assert "Only the student reads the profile" in text(page)
    assert address(page) == {"patient": RETURNING, "visit": "5"}


def test_a_training_patient_is_said_to_be_one(serve: Serve, open_page: OpenPage) -> None:
    cohort = serve().cohort
    people = {r.patient_id: r.split for r in cohort.patients(PatientQuery(page_size=100)).rows}
    seen = next(p for p, split in people.items() if split == "train")
    unseen = next(p for p, split in people.items() if split == "test")
    assert wording.TRAINING_OVERLAP in text(open_page("case", patient=str(seen)))
    assert wording.TRAINING_OVERLAP not in text(open_page("case", patient=str(unseen)))
    for patient, tag in ((seen, "Used to train the models"), (unseen, "Not used to train the models")):
        assert tag in text(open_page("case", research=False, patient=str(patient)))


def test_moving_a_cut_off_changes_the_sets_and_the_url(open_page: OpenPage) -> None:
    page = open_page("case", patient=RETURNING)
    before = component_data(page, "comparison")
    page.slider(key="teacher_cut").set_value(0.95).run()
    after = component_data(page, "comparison")
    assert after["teacher"]["cut"] == 0.95
    suggested = [
        sum(r["teacher_selected"] for g in data["groups"] for r in g["rows"]) for data in (before, after)
    ]
    assert suggested[1] < suggested[0]
    assert address(page) == {"patient": RETURNING, "visit": "5", "teacher_cut": "0.95"}


def test_a_link_with_a_cut_off_opens_the_same_view(open_page: OpenPage) -> None:
    page = open_page("case", patient=RETURNING, visit="2", student_cut="0.8")
    assert component_data(page, "comparison")["student"]["cut"] == 0.8
    assert "visit 2" in text(page)
    assert address(page) == {"patient": RETURNING, "visit": "2", "student_cut": "0.8"}
    for link in page.page_link:
        if "similarity" in link.proto.label:  # to another patient
            continue
        assert "student_cut=0.8" in link.proto.query_string


def test_a_first_visit_says_what_stands_in_for_history(open_page: OpenPage) -> None:
    assert wording.FIRST_VISIT in text(open_page("case", patient=FIRST_TIMER))
    assert wording.FIRST_VISIT not in text(open_page("case", patient=RETURNING))


def test_hiding_the_prescription_hides_it_everywhere_in_the_table(open_page: OpenPage) -> None:
    page = open_page("case", patient=RETURNING)
    page.segmented_control(key="show_shown").set_value("hide").run()
    data = component_data(page, "comparison")
    assert data["prescribed"] is False
    rows = [row for group in data["groups"] for row in group["rows"]]
    assert not any(row["prescribed"] for row in rows)
    assert "Ordered in this visit" not in str(rows)
    assert "<dt>Jaccard</dt>" not in text(page)
    assert "ordered</small>" not in text(page)
    assert "With the drugs ordered" not in text(page)
    assert page.segmented_control(key="alerts_of_teacher_student_union").options == [
        "Teacher",
        "Student",
        "All",
    ]
    assert text(page).count("Ordered (") == 4  # the earlier visits' only
    assert "Stopped since" in text(page)


@pytest.mark.parametrize(
    ("states", "shown", "hidden"),
    [
        ({"absent": ("teacher",)}, ("python -m train teacher",), "The teacher is loading"),
        ({"loading": ("teacher",)}, ("The teacher is loading",), "python -m train teacher"),
        ({"failing": RuntimeError("bad kernel at 0x7f")}, ("The teacher failed on this case",), "0x7f"),
        (
            {"failing": MemoryError()},
            ("The teacher ran out of memory on this case", "DEVICE=cpu"),
            "failed on",
        ),
        (
            {"failing": RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")},
            ("The teacher ran out of memory on this case", "DEVICE=cpu"),
            "2 GiB",
        ),
    ],
)
def test_without_the_teacher_s_answer_the_student_s_still_stands(
    serve: Serve, open_page: OpenPage, states: dict[str, Any], shown: tuple[str, ...], hidden: str
) -> None:
    if "failing" in states:
        states = {"failing": {"teacher": states["failing"]}}
    serve(FakeEngine(**states))
    page = open_page("case", patient=RETURNING)
    assert all(sentence in text(page) for sentence in shown)
    assert hidden not in text(page)
    data = component_data(page, "comparison")
    assert data["teacher"]["ready"] is False
    assert data["student"]["ready"] is True
    assert data["groups"][0]["label"] == "Ordered, not suggested", "errors come first"


@pytest.mark.parametrize("path", ["case", "interactions", "prompt", "models"])
def test_models_that_do_not_fit_the_cohort_are_refused_in_words(
    serve: Serve, open_page: OpenPage, path: str
) -> None:
    engine = FakeEngine()
    for card in engine.models.values():
        card.error = (
            "It names medications at ATC level 4, but this cohort is at level 3. Train another model."
        )
        card.loaded = False
    serve(engine)
    page = open_page(path, patient=RETURNING)
    assert not page.exception
    assert "this cohort is at level 3" in text(page)
    assert "Teacher could not be loaded" in text(page)


@pytest.mark.parametrize("path", PAGES)
def test_without_any_model_no_page_breaks(serve: Serve, open_page: OpenPage, path: str) -> None:
    serve(FakeEngine(absent=("teacher", "student")))
    page = open_page(path, **({"patient": RETURNING} if path in ("case", "interactions", "prompt") else {}))
    assert not page.exception
    assert not page.error
    assert "Teacher not installed" in text(page)
    if path in ("case", "prompt", "models"):
        assert "python -m train teacher" in text(page)
    if path == "case":  # the prescription still shows
        assert [g["label"] for g in component_data(page, "comparison")["groups"]] == ["Ordered"]


def test_text_from_the_data_is_never_markup(
    serve: Serve, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = serve()
    monkeypatch.setattr(engine.cohort, "title", lambda kind, code: "<img src=x onerror=alert(1)>")
    page = open_page("case", patient=RETURNING)
    assert "<img" not in text(page)
    assert "&lt;img" in text(page)


# New case


def _draft(*codes: str) -> Draft:
    return Draft(current=Visit(codes), titles={c: DIAGNOSES.get(c, (c, ()))[0] for c in codes})


def test_a_blank_case_cannot_be_submitted_and_the_page_explains_why(open_page: OpenPage) -> None:
    page = open_page("new")
    assert page.button(key="recommend").disabled
    assert "at least one diagnosis or procedure" in text(page)
    assert "Nothing scored yet" in text(page)


def test_submitting_gives_both_recommendations(open_page: OpenPage) -> None:
    page = open_page("new", session={"_draft": _draft("ICD9:4280", "ICD9:42731")})
    page.button(key="recommend").click().run()
    data = component_data(page, "comparison")
    assert data["teacher"]["ready"]
    assert data["student"]["ready"]
    assert data["prescribed"] is False
    assert data["groups"][0]["rows"]
    assert "ICD9" not in str(page.query_params) + str(address(page))


def test_unseen_codes_are_reported_for_each_model(open_page: OpenPage) -> None:
    page = open_page("new", session={"_draft": _draft("ICD9:4280", "ICD9:0479")})
    page.button(key="recommend").click().run()
    assert "The teacher does not know 1 code" in text(page)
    assert "The student does not know 1 code" in text(page)
    assert "ICD9:0479" in text(page)


def test_the_profile_reaches_the_student(serve: Serve, open_page: OpenPage) -> None:
    engine = serve()
    page = open_page("new", session={"_draft": _draft("ICD9:4280")})
    page.selectbox(key="profile-gender").set_value("F").run()
    page.button(key="recommend").click().run()
    assert {case.profile["gender"] for _, case in engine.requests} == {"F"}


def test_copying_a_patient_leaves_out_what_was_prescribed(open_page: OpenPage) -> None:
    page = open_page("new")
    page.text_input(key="_draft_start").set_value(RETURNING).run()
    page.button(key="copy").click().run()
    draft = page.session_state["_draft"]
    assert len(draft.earlier) == 4
    assert draft.current.medications == ()
    assert draft.current.diagnoses


@pytest.mark.parametrize(("typed", "message"), [("99", "No patient 99"), ("ten", "whole number")])
def test_copying_an_unknown_patient_gives_a_message(open_page: OpenPage, typed: str, message: str) -> None:
    page = open_page("new")
    page.text_input(key="_draft_start").set_value(typed).run()
    page.button(key="copy").click().run()
    assert message in text(page)


def test_an_earlier_visit_takes_medications(open_page: OpenPage) -> None:
    page = open_page("new")
    labels = _searches(page)
    assert labels == ["Diagnoses", "Procedures"]
    next(b for b in page.button if b.label == "Add an earlier visit").click().run()
    labels = _searches(page)
    assert labels == ["Diagnoses", "Procedures", "Medications"]


def _searches(page: AppTest) -> list[str]:
    result = [e for e in page.get("bidi_component") if e.proto.component_name == "leader.code_search"]
    return [json.loads(e.proto.json)[0]["label"] for e in result]


# Prompt, Models


def test_the_prompt_stands_as_it_is_read(serve: Serve, open_page: OpenPage) -> None:
    engine = serve()
    page = open_page("prompt", patient=RETURNING)
    exact = engine.prompt(engine.cohort.case(int(RETURNING))).text
    assert component_data(page, "copy")["text"] == exact
    assert "Visit 1 was left out" in text(page)
    assert "version leader-1" in text(page)
    assert "of at most 512" in text(page)


def test_the_published_wording_stands_next_to_ours(open_page: OpenPage) -> None:
    page = open_page("prompt", patient=RETURNING, mode="published")
    assert "version leader-1" in text(page)
    assert "version paper-1" in text(page)


def test_a_prompt_needs_the_teacher(serve: Serve, open_page: OpenPage) -> None:
    serve(FakeEngine(absent=("teacher",)))
    page = open_page("prompt", patient=RETURNING)
    assert "Without the teacher there is no prompt" in text(page)
    serve(FakeEngine(loading=("teacher",)))
    assert "is loading" in text(open_page("prompt", patient=RETURNING))


def test_a_model_that_was_changed_is_refused_in_words(serve: Serve, open_page: OpenPage) -> None:
    engine = FakeEngine()
    error: LeaderError = ArtifactError("assets/teacher/model.safetensors was changed since it was written.")
    engine.models["teacher"].error = str(error)
    engine.models["teacher"].manifest = None
    engine.models["teacher"].loaded = False
    serve(engine)
    assert "was changed since it was written" in text(open_page("models"))
