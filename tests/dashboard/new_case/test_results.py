"""New case: what stands on the right belongs to the case on the left, or says that it does not; a reload keeps the case."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.new_case import results
from dashboard.shared import draft as drafts
from dashboard.shared.draft import SESSION_KEY, Draft, DraftStore
from leader_core import Visit
from tests.dashboard.conftest import OpenPage, address, text

SCORED = Draft(current=Visit(("ICD9:4280", "ICD9:42731")), profile={"gender": "F"}).submit()
RETURNING = "10006"


def _button(page: AppTest, label: str) -> Any:
    return next(b for b in page.button if b.label == label)


@pytest.mark.parametrize("view", ["clinician", "research"])
def test_an_edited_case_has_its_old_recommendations_greyed(open_page: OpenPage, view: str) -> None:
    page = open_page("new", session={SESSION_KEY: SCORED}, view=view)
    assert results._SCORED_BEFORE not in text(page)
    page.selectbox(key="profile-gender").select("M").run()
    assert results._SCORED_BEFORE in text(page)
    assert "variant-save" not in {b.key for b in page.button}, "the case before is not saved as this one"
    _button(page, "Recommend again").click().run()
    assert results._SCORED_BEFORE not in text(page)
    assert "Sex: </strong>" not in text(page) and "Female → Male" in text(page)


@pytest.mark.parametrize("start", ["Copy", "Start blank"])
def test_another_case_takes_the_recommendations_away(open_page: OpenPage, start: str) -> None:
    page = open_page("new", session={SESSION_KEY: SCORED})
    assert "Female, age not given" in text(page)
    page.text_input(key="_draft_start").set_value(RETURNING).run()
    _button(page, start).click().run()
    assert "not scored yet" in text(page) or "Nothing scored yet" in text(page)
    assert "Female, age not given" not in text(page)
    _button(page, "Undo").click().run()
    assert "Female, age not given" in text(page)


def test_drugs_count_in_the_run_that_they_are_typed_in(open_page: OpenPage) -> None:
    page = open_page("new", session={SESSION_KEY: SCORED})
    page.text_area(key="planned-drugs").set_value("amiodarone; sotalol; asprin 81").run()
    assert "amiodarone with sotalol" in text(page).lower()
    assert "“asprin 81” names no drug" in text(page), "what was not understood is said where it was typed"


def test_age_and_sex_stand_first_and_the_example_fills_the_form(open_page: OpenPage) -> None:
    page = open_page("new")
    assert [box.label for box in page.selectbox[:2]] == ["Age", "Sex"]
    _button(page, "Fill in an example").click().run()
    draft: Draft = page.session_state[SESSION_KEY]
    assert set(draft.current.diagnoses) >= {"ICD9:42731", "ICD9:4280"}
    assert draft.profile == {"age_band": "75-84", "gender": "F"} and draft.drugs
    assert page.selectbox(key="profile-gender").value == "F"


def test_a_reload_keeps_the_case_by_an_opaque_id(open_page: OpenPage) -> None:
    page = open_page("new", session={SESSION_KEY: SCORED})
    page.selectbox(key="profile-gender").select("M").run()
    key = address(page)["draft"]
    assert not any(word in key for word in ("4280", "42731", "gender"))
    again = open_page("new", draft=key)
    assert again.session_state[SESSION_KEY] == page.session_state[SESSION_KEY]
    assert again.selectbox(key="profile-gender").value == "M"
    assert results._SCORED_BEFORE in text(again)
    assert "Entered case" in text(open_page("prompt", case="draft", draft=key))
    lost = open_page("new", draft="another")
    assert drafts.LOST[:40] in text(lost)
    assert "draft" not in address(open_page("new"))


def test_a_stored_draft_is_its_owners_and_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    store = DraftStore()
    store.put("a", SCORED, "ann")
    assert store.get("a", "ann") == SCORED
    assert store.get("a", "ben") is None and store.get("b", "ann") is None
    monkeypatch.setattr(drafts, "_MOST_STORED", 1)
    small = DraftStore()
    small.put("a", SCORED, "ann")
    small.put("b", SCORED, "ann")
    assert small.get("a", "ann") is None and small.get("b", "ann") == SCORED
    monkeypatch.setattr(drafts, "LONGEST_SECONDS", -1.0)
    assert store.get("a", "ann") is None


@pytest.mark.parametrize("path", ["interactions", "prompt", "case"])
def test_other_pages_say_that_the_entered_case_was_changed(open_page: OpenPage, path: str) -> None:
    changed = SCORED.set_profile({"gender": "M"})
    assert "before your latest changes" in text(open_page(path, session={SESSION_KEY: changed}, case="draft"))
    assert "before your latest changes" not in text(
        open_page(path, session={SESSION_KEY: SCORED}, case="draft")
    )
