"""Stars, notes, saved lists and exports on the pages: what is written is there for the next session, as text and never markup."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.patients import filters as worklist
from dashboard.patients import search
from dashboard.server.service import get_service
from dashboard.server.workspace import get_workspace
from leader_core.cohort import PatientQuery
from leader_core.stored_scores import ScoredModel
from leader_core.workspace import Workspace
from tests.dashboard.conftest import OpenPage, Serve, address, component_data, text
from tests.fakes import FakeEngine

PATIENT = 10_001


def _button(page: AppTest, label: str) -> Any:
    return next(b for b in page.button if b.label == label)


def _workspace() -> Workspace:
    return get_workspace(get_service())


def test_a_star_set_on_the_case_stands_in_the_worklist_and_filters_it(open_page: OpenPage) -> None:
    page = open_page("case", patient=str(PATIENT))
    _button(page, "Star").click().run()
    assert [s.patient_id for s in _workspace().stars()] == [PATIENT]
    listed = open_page()
    data = component_data(listed, "worklist")
    assert data["columns"][-1]["label"] == "Notes"
    assert data["rows"][0]["cells"][-1] == "★" and data["rows"][1]["cells"][-1] == ""
    only = open_page(marked="starred")
    assert [row["id"] for row in component_data(only, "worklist")["rows"]] == [str(PATIENT)]
    assert "only starred" in text(only)
    _button(open_page("case", patient=str(PATIENT)), "Starred").click().run()
    assert _workspace().stars() == ()
    assert "Notes" not in [c["label"] for c in component_data(open_page(), "worklist")["columns"]]


def test_without_stars_the_list_is_empty_with_a_way_out(open_page: OpenPage) -> None:
    page = open_page(marked="starred")
    assert not page.exception
    assert any(b.label.startswith("Remove only starred") for b in page.button)


def test_a_note_is_written_shown_as_text_and_edited(open_page: OpenPage) -> None:
    page = open_page("case", patient=str(PATIENT))
    visit = get_service().engine.cohort.case(PATIENT).current.visit_id
    name = f"new-{PATIENT}-{visit}-0"
    page.text_area(key=f"text-{name}").set_value("<b>no aspirin</b>\nwhy?")
    page.text_input(key=f"author-{name}").set_value("AB")
    _button(page, "Save").click().run()
    assert not page.exception
    (note,) = _workspace().notes(PATIENT)
    assert (note.text, note.author, note.visit_id) == ("<b>no aspirin</b>\nwhy?", "AB", visit)

    again = open_page("case", patient=str(PATIENT))
    shown = text(again)
    assert "&lt;b&gt;no aspirin&lt;/b&gt;" in shown and "<b>no aspirin" not in shown
    assert "AB" in shown
    key = f"text-{note.note_id}-0"
    again.text_area(key=key).set_value("aspirin was stopped")
    next(b for b in again.button if b.label == "Save" and note.note_id in str(b.form_id)).click().run()
    (edited,) = _workspace().notes(PATIENT)
    assert edited.text == "aspirin was stopped" and edited.versions == 2
    assert component_data(open_page(), "worklist")["rows"][0]["cells"][-1] == "1 note"


def test_a_late_edit_is_reported_and_stored(open_page: OpenPage) -> None:
    note = _seed_note("first")
    page = open_page("case", patient=str(PATIENT))
    _workspace().edit_note(note.note_id, "somebody else's", author="CD", based_on=note.version)
    page.text_area(key=f"text-{note.note_id}-0").set_value("mine")
    next(b for b in page.button if b.label == "Save" and note.note_id in str(b.form_id)).click().run()
    assert "Nothing was overwritten" in text(page)
    (standing,) = _workspace().notes(PATIENT)
    assert standing.text == "somebody else's" and standing.refused == 1
    assert [edit.body["text"] for edit in _workspace().late_edits(standing)] == ["mine"]
    shown = text(page)
    assert "1 late edit" in shown and "<p>mine</p>" in shown


def test_what_others_save_never_empties_what_is_being_typed(open_page: OpenPage) -> None:
    note = _seed_note("first")
    page = open_page("case", patient=str(PATIENT))
    visit = get_service().engine.cohort.case(PATIENT).current.visit_id
    new, edited = f"text-new-{PATIENT}-{visit}-0", f"text-{note.note_id}-0"
    before = {key: page.text_area(key=key).proto.id for key in (new, edited)}
    _workspace().add_note("of another session", patient_id=PATIENT)
    _workspace().edit_note(note.note_id, "somebody else's", author="CD", based_on=note.version)
    page.run()
    assert "of another session" in text(page) and "somebody else" in text(page)
    after = {key: page.text_area(key=key).proto.id for key in (new, edited)}
    assert after == before, "the browser keeps what is typed in a field while its id stays"
    page.text_area(key=edited).set_value("begun before")
    next(b for b in page.button if b.label == "Save" and note.note_id in str(b.form_id)).click().run()
    assert "Nothing was overwritten" in text(page), "it was begun on an earlier version"
    assert {n.text for n in _workspace().notes(PATIENT)} == {"somebody else's", "of another session"}
    assert page.text_area(key=f"text-{note.note_id}-1").value == "somebody else's"


def _seed_note(words: str) -> Any:
    return _workspace().add_note(words, patient_id=PATIENT)


def test_an_empty_note_is_refused_in_a_sentence(open_page: OpenPage) -> None:
    page = open_page("case", patient=str(PATIENT))
    _button(page, "Save").click().run()
    assert not page.exception and _workspace().notes(PATIENT) == ()
    assert "note" in text(page)


def test_a_removed_note_is_gone_from_the_page(open_page: OpenPage) -> None:
    _seed_note("to go")
    page = open_page("case", patient=str(PATIENT))
    assert "to go" in text(page)
    _button(page, "Remove").click().run()
    assert "to go" not in text(page) and _workspace().notes(PATIENT) == ()


def test_a_list_is_kept_under_a_name_and_opened_again(open_page: OpenPage) -> None:
    page = open_page(gender="F", visits="first", sort="-age")
    page.text_input(key="search").set_value("heart").run()
    expected = component_data(page, "worklist")["rows"]
    page.text_input(key="_list_name").set_value("Women, first visit").run()
    _button(page, "Save").click().run()
    (saved,) = _workspace().cohorts()
    assert saved.query is not None and saved.query.text == "heart" and saved.query.genders == ("F",)

    other = open_page()
    assert component_data(other, "worklist")["rows"] != expected
    _button(other, "Women, first visit").click().run()
    assert component_data(other, "worklist")["rows"] == expected
    link = address(other)
    assert search.BINDING.read(link.pop("search")) == "heart", "the link has an id for it, not the text"
    assert link == {"gender": "F", "visits": "first", "sort": "-age"}
    unlist = next(b for b in other.button if str(b.key).startswith("unlist-"))
    unlist.click().run()
    assert _workspace().cohorts() == ()


def test_a_list_without_a_name_or_with_a_taken_one_is_refused(open_page: OpenPage) -> None:
    page = open_page()
    _button(page, "Save").click().run()
    assert "Give the list a name first" in text(page)
    for _ in range(2):
        page.text_input(key="_list_name").set_value("Twice").run()
        _button(page, "Save").click().run()
    assert len(_workspace().cohorts()) == 1
    assert "Twice" in text(page) and not page.exception


@pytest.mark.parametrize(
    "filters",
    [
        worklist.Filters(),
        worklist.Filters("chf", "many", "M", "test", (20, 60), ("Circulatory system",)),
        worklist.Filters(ages=(70, 100), gap=(0.25, 1.0), prescribed_severe=3, truncated="cut"),
    ],
)
def test_filters_come_back_from_their_question(filters: worklist.Filters) -> None:
    assert worklist.Filters.of(filters.query()) == filters
    assert worklist.Filters.of(PatientQuery()) == worklist.Filters()


def test_stored_scores_stand_in_for_a_model_that_is_not_there(serve: Serve, open_page: OpenPage) -> None:
    engine, other = FakeEngine(absent=("teacher",)), FakeEngine()
    result = ScoredModel("teacher", "digest", 0.5, 80, datetime.fromisoformat("2026-11-20"), ())
    engine.cohort.scores = SimpleNamespace(models={"teacher": result})  # type: ignore[assignment]
    engine.stored = lambda case, model: other.recommend(case, model)  # type: ignore[attr-defined]
    serve(engine)
    shown = text(open_page("case", patient=str(PATIENT)))
    assert "These scores were stored on 20 Nov 2026. No model in assets" in shown
    serve(FakeEngine(absent=("teacher",)))
    assert "Teacher scores are not available" in text(open_page("case", patient=str(PATIENT)))


def test_scores_of_other_weights_do_not_stand_in(serve: Serve, open_page: OpenPage) -> None:
    engine, other = FakeEngine(loading=("teacher",)), FakeEngine()
    serve(engine)
    own = engine.models["teacher"].manifest
    assert own is not None
    for digest, threshold, there in (
        ("other weights", own.threshold, False),
        (own.digest, own.threshold + 0.1, False),  # of before a calibration
        (own.digest, own.threshold, True),
    ):
        result = ScoredModel("teacher", digest, threshold, 80, datetime.fromisoformat("2026-11-20"), ())
        engine.cohort.scores = SimpleNamespace(models={"teacher": result})  # type: ignore[assignment]
        engine.stored = lambda case, model: other.recommend(case, model)  # type: ignore[attr-defined]
        shown = text(open_page("case", patient=str(PATIENT)))
        assert ("stored on 20 Nov 2026. The model is still loading." in shown) is there


def test_a_case_offers_its_exports(open_page: OpenPage) -> None:
    page = open_page("case", patient=str(PATIENT))
    labels = [e.proto.label for e in page.get("download_button")]
    assert any("PDF" in label for label in labels) and any("JSON" in label for label in labels)
