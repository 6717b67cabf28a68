"""The student stands at once; a slow teacher follows, in turn, and its answer is cached for all sessions."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st

from dashboard.server import answers, service
from dashboard.shared import wording
from dashboard.shared.draft import Draft
from leader_core import Case, LeaderError, Recommendation, Visit
from tests.dashboard.conftest import OpenPage, Serve, component_data, text
from tests.fakes import FakeEngine

RUNNING = wording.RUNNING.format(model="The teacher")
PATIENT = "10006"


class InterruptedTeacher(FakeEngine):
    """A teacher during whose work somebody clicks, as long as `interrupted`."""

    interrupted = True

    def recommend(self, case: Case, model: str = "student", **given: Any) -> Recommendation:
        if model == "teacher" and self.interrupted:
            st.stop()
        return super().recommend(case, model, **given)


def test_the_student_answers_first_and_the_teacher_follows(serve: Serve, open_page: OpenPage) -> None:
    engine = InterruptedTeacher()
    serve(engine)
    page = open_page("case", patient=PATIENT)
    assert [model for model, _ in engine.requests] == ["student"]
    assert RUNNING in text(page)
    assert component_data(page, "comparison")["student"]["ready"]
    engine.interrupted = False
    page.run()
    assert RUNNING not in text(page)
    assert component_data(page, "comparison")["teacher"]["ready"]


def test_an_answer_is_computed_once_for_every_session(serve: Serve, open_page: OpenPage) -> None:
    engine = serve()
    for _ in range(2):
        open_page("case", patient=PATIENT).run()
    assert sorted(model for model, _ in engine.requests) == ["student", "teacher"]


def test_student_answers_an_entered_case_before_teacher(serve: Serve, open_page: OpenPage) -> None:
    engine = InterruptedTeacher()
    serve(engine)
    page = open_page("new", session={"_draft": Draft(current=Visit(("ICD9:4280",)))})
    page.button(key="recommend").click().run()
    assert [model for model, _ in engine.requests] == ["student"]
    assert component_data(page, "comparison")["student"]["ready"]


def test_what_failed_is_tried_again_only_on_request(serve: Serve, open_page: OpenPage) -> None:
    engine = serve(FakeEngine(failing={"teacher": RuntimeError("bad kernel")}))
    page = open_page("case", patient=PATIENT)
    engine.failing = {}
    assert "The teacher failed on this case" in text(page.run())
    page.button(key="ask-teacher").click().run()
    assert component_data(page, "comparison")["teacher"]["ready"]


def test_a_model_that_failed_to_load_is_loaded_again_on_request(
    serve: Serve, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "FIRST_PAGE", 0.0)  # the worklist waits for no model

    class Unlucky(FakeEngine):
        attempts = 0

        def warm_up(self, model: str) -> None:
            if model == "teacher":
                self.attempts += 1
                if self.attempts == 1:
                    raise LeaderError("The card is full.")
            super().warm_up(model)

    engine = Unlucky()
    serve(engine)
    open_page("patients")
    served = service.default_service()
    served._loading["teacher"].done.wait(20)
    page = open_page("case", patient=PATIENT)
    assert "The card is full." in text(page)
    page.button(key="ask-teacher").click().run()
    served._loading["teacher"].done.wait(20)
    assert engine.attempts == 2
    assert component_data(page.run(), "comparison")["teacher"]["ready"]


@pytest.mark.parametrize(
    ("digest", "threshold", "same"), [("ab", 0.4, True), ("cd", 0.4, False), ("ab", 0.5, False)]
)
def test_stored_scores_count_only_under_the_weights_and_the_cut_off_served(
    digest: str, threshold: float, same: bool
) -> None:
    manifest = SimpleNamespace(digest="ab", threshold=0.4)
    stored = SimpleNamespace(digest=digest, threshold=threshold)
    engine = SimpleNamespace(
        cohort=SimpleNamespace(scores=SimpleNamespace(models={"teacher": stored})),
        models={"teacher": SimpleNamespace(manifest=manifest)},
    )
    service: Any = SimpleNamespace(engine=engine, student_name="")
    assert (answers._stored_model(service, "teacher") is stored) is same
    assert answers.without_stored_scores(service) == ([] if same else ["teacher"])


def test_stored_scores_of_the_same_weights_are_the_answer_until_somebody_asks(
    serve: Serve, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, plain = FakeEngine(), FakeEngine()
    result = SimpleNamespace(digest="ab", scored_at=datetime.now(UTC))
    monkeypatch.setattr(engine, "stored", plain.recommend, raising=False)
    monkeypatch.setattr(answers, "_stored_model", lambda _, model: result if model == "teacher" else None)
    serve(engine)
    page = open_page("case", patient=PATIENT)
    assert "were stored on" in text(page)
    assert component_data(page, "comparison")["teacher"]["ready"]
    assert [model for model, _ in engine.requests] == ["student"]
    page.button(key="ask-teacher").click().run()
    assert "were stored on" not in text(page)
    assert [model for model, _ in engine.requests] == ["student", "teacher"]


def test_requests_to_one_model_take_turns_and_an_explanation_does_not_hold_up_a_score() -> None:
    served = service.Service(FakeEngine())  # type: ignore[arg-type]
    order: list[str] = []
    first, second = threading.Event(), threading.Event()

    def ask(name: str, entered: threading.Event, until: threading.Event, work: service.Work) -> None:
        with served.exclusive_access("teacher", work):
            order.append(name)
            entered.set()
            assert until.wait(10)

    go, at_once = threading.Event(), threading.Event()
    at_once.set()
    one = threading.Thread(target=ask, args=("one", first, go, "score"))
    one.start()
    assert first.wait(10)
    two = threading.Thread(target=ask, args=("two", second, at_once, "score"))
    two.start()
    ask("explanation", threading.Event(), at_once, "explain")
    assert order == ["one", "explanation"]
    go.set()
    for thread in (one, two):
        thread.join(10)
    assert order == ["one", "explanation", "two"]


def test_a_line_is_served_in_order_and_says_how_many_are_before() -> None:
    line, order = service.Line(), list[str]()
    shown = {name: threading.Event() for name in "bcd"}
    counts: dict[str, set[int]] = {name: set() for name in "bcd"}

    def wait(name: str) -> None:
        def show(before: int) -> None:
            counts[name].add(before)
            shown[name].set()
            if name == "c":  # a click ends this run: the others move up
                raise KeyboardInterrupt

        with suppress(KeyboardInterrupt), line.turn(show):
            order.append(name)

    threads = []
    with line.turn(lambda before: None):
        for name in "bcd":
            threads.append(threading.Thread(target=wait, args=(name,)))
            threads[-1].start()
            assert shown[name].wait(10)
    for thread in threads:
        thread.join(10)
    assert order == ["b", "d"] and counts["b"] == {1} and counts["c"] == {2} and counts["d"] & {2, 3}


def test_results_used_last_are_kept() -> None:
    results = service.RecentResults[int](2)
    for key in "ab":
        results.put(key, ord(key))
    assert results.get("a") == 97
    results.put("c", 99)
    assert (results.get("a"), results.get("b"), results.get("c")) == (97, None, 99)
