"""What changed a score, on the case: both ways, both models, their states, and the link."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.scores import explain_table, explanations
from leader_core import Case, InputError, Visit
from leader_core.explain import Attribution, code_item
from leader_core.explain.attribution import Share, Token
from leader_core.explain.changes import profile_item, visit_item, wording_item
from tests.dashboard.conftest import OpenPage, Serve, address, text
from tests.fakes import FakeEngine

RETURNING = "10006"
CASE = Case({"gender": "F"}, (Visit(("D1",), (), ("A02B",), 1, 4),), Visit(("D2", "D3"), ("P1",), (), 2, 5))


def titles(kind: str, code: str) -> str:
    return f"<{kind} {code}>"


def settled(page: AppTest) -> AppTest:
    """The page once no model works on an explanation any more."""
    for _ in range(40):
        if "Working:" not in text(page):
            return page
        page.run()
    raise AssertionError("still working")


def test_rows_stand_by_visit_newest_first_and_largest_first_with_sums() -> None:
    teacher = {
        code_item(1, "diagnosis", "D2"): 0.5,
        code_item(1, "diagnosis", "D3"): -2.0,
        wording_item("question"): 0.1,
    }
    student = {
        code_item(0, "medication", "A02B"): 1.0,
        profile_item("gender"): 0.25,
        code_item(1, "diagnosis", "D2"): 3.0,
    }
    result = explain_table.item_groups(CASE, (teacher, student), titles)
    assert [g.label for g in result] == ["This visit", "Visit 4", "Profile", "The prompt's own words"]
    assert [r.item.name for r in result[0].rows] == ["D2", "D3"]
    assert [g.values for g in result] == [(-1.5, 3.0), (None, 1.0), (None, 0.25), (0.1, None)]
    html = explain_table.table(result, caption="c", most=3)
    assert "&lt;diagnosis D2&gt;" in html, "what a source wrote is never HTML"
    assert "+3.00" in html
    assert "−2.00" in html
    assert html.count("1 more, each smaller") == 2
    assert "not read" in html


def test_a_visit_left_out_is_reported_as_measured_and_not_as_a_sum() -> None:
    effects = {code_item(1, "diagnosis", "D2"): 0.1, code_item(1, "diagnosis", "D3"): 0.1, visit_item(1): 0.7}
    (only,) = explain_table.item_groups(CASE, (None, effects), titles)
    assert only.values == (None, 0.7)
    assert len(only.rows) == 2


def test_without_a_class_the_panel_says_what_to_do(open_page: OpenPage) -> None:
    page = open_page("case", patient=RETURNING)
    assert "Nothing chosen" in text(page)
    assert "explain" not in address(page)


def test_removals_of_both_models_stand_side_by_side_and_the_link_keeps_them(open_page: OpenPage) -> None:
    page = settled(open_page("case", patient=RETURNING, explain="B01A", by="removal"))
    shown = text(page)
    assert "things left out in turn" in shown
    assert "What changed the score of B01A in both models" in shown
    assert "Exact: every changed case is rendered and encoded again" in shown
    assert address(page)["explain"] == "B01A"
    assert address(page)["by"] == "removal"
    buttons = [b for b in page.button if b.label == "Search in the student"]
    buttons[0].click().run()
    assert "cut-off 0.38" in text(page)


def test_a_class_that_no_model_scores_is_reported(open_page: OpenPage) -> None:
    assert "Neither model scores Z99Z" in text(open_page("case", patient=RETURNING, explain="Z99Z"))


def test_gradients_say_how_they_were_made(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake_attribute(
        engine: object, case: Case, model: str, code: str, *, on_progress: object
    ) -> Attribution:
        shares = (Share(code_item(len(case.history), "diagnosis", case.current.diagnoses[0]), 1.5),)
        unread = (code_item(0, "diagnosis", "X"),)
        return Attribution(model, code, 1.0, -0.5, shares, unread, "average", 32, 0.004, 0.03, 0.1)  # type: ignore[arg-type]

    monkeypatch.setattr(explanations, "attribute", fake_attribute)
    shown = text(settled(open_page("case", patient=RETURNING, explain="B01A")))
    assert (
        "32 steps from 0.38 (average). The shares add up: gap 0.004 log-odds, tolerance 0.030. 1 code not read."
        in shown
    )
    assert "+1.50" in shown


def test_what_one_session_had_explained_stands_at_once_in_another(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[tuple[str, str]] = []

    def fake_attribute(
        engine: object, case: Case, model: str, code: str, *, on_progress: object
    ) -> Attribution:
        requests.append((model, code))
        return Attribution(model, code, 0.0, 0.0, (), (), "average", 24, 0.0, 0.02, 0.1)  # type: ignore[arg-type]

    monkeypatch.setattr(explanations, "attribute", fake_attribute)
    for _ in range(2):
        assert "24 steps" in text(settled(open_page("case", patient=RETURNING, explain="C03C")))
    assert sorted(requests) == [("student", "C03C"), ("teacher", "C03C")], "worked out once for both sessions"
    settled(open_page("case", patient=RETURNING, explain="B01A"))
    assert len(requests) == 4, "another class is another question"
    del requests[:]
    page = settled(open_page("case", patient=RETURNING, focus="C07A"))
    assert requests == [("student", "C07A")], (
        "a class that steps along from case to case does not ask the teacher"
    )
    page.button(key="ask-gradients-teacher").click().run()
    settled(page)
    assert requests == [("student", "C07A"), ("teacher", "C07A")]


def test_a_model_that_fails_says_so_and_the_other_stands(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(engine: object, case: Case, model: str, code: str, *, on_progress: object) -> Attribution:
        if model == "teacher":
            raise InputError("The teacher does not score it.")
        return Attribution("student", code, 0.0, 0.0, (), (), "average", 8, 0.0, 0.02, 0.1)

    monkeypatch.setattr(explanations, "attribute", refused)
    shown = text(settled(open_page("case", patient=RETURNING, explain="B01A")))
    assert "The teacher does not score it." in shown
    assert "8 steps" in shown


def test_an_absent_teacher_is_reported(serve: Serve, open_page: OpenPage) -> None:
    serve(FakeEngine(absent=("teacher",)))
    shown = text(settled(open_page("case", patient=RETURNING, explain="B01A", by="removal")))
    assert "things left out in turn" in shown
    assert "No model in assets/demo/models/teacher" in shown


def test_the_prompt_is_marked_word_for_word_with_what_moved_a_score(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine()

    def fake_attribute(_: object, case: Case, model: str, code: str, *, on_progress: object) -> Attribution:
        prompt = engine.prompt(case)
        item = code_item(len(case.history), "diagnosis", case.current.diagnoses[0])
        tokens = (
            Token(0, 3, 1.5, item),
            Token(3, 6, 0.5, item),
            Token(8, 12, -1.0, wording_item("instruction")),
        )
        shares = (Share(item, 2.0), Share(wording_item("instruction"), -1.0))
        return Attribution(
            model, code, 1.0, 0.0, shares, (), "average", 16, 0.0, 0.02, 0.1, prompt=prompt, tokens=tokens
        )  # type: ignore[arg-type]

    monkeypatch.setattr(explanations, "attribute", fake_attribute)
    page = open_page("prompt", patient=RETURNING, mode="salience")
    assert "Nothing chosen" in text(page)
    page = open_page("prompt", patient=RETURNING, mode="salience", explain="B01A")
    shown = text(page)
    assert 'class="ld-sal up s4" title="+2.00 log-odds"' in shown, "tokens of one code are one phrase"
    assert 'class="ld-sal down s3" title="−1.00 log-odds"' in shown
    assert "dotted line" in shown
    assert address(page)["explain"] == "B01A"
    page.segmented_control(key="level").set_value("token").run()
    shown = text(page)
    assert 'class="ld-sal up s4" title="+1.50 log-odds"' in shown
    assert 'class="ld-sal up s2" title="+0.50 log-odds"' in shown
