"""A page never waits for a slow model, and never keeps saying that it is running once it has answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from dashboard.new_case import page as new_case
from dashboard.report import download
from dashboard.server import service
from dashboard.shared import wording
from dashboard.shared.draft import Draft, DraftVisit
from dashboard.shell import waiting
from leader_core import Case, Recommendation
from tests.dashboard.conftest import OpenPage, Serve, text
from tests.fakes import FakeEngine

RUNNING = wording.RUNNING.format(model="The teacher")
PATIENT = "10006"


class SlowTeacher(FakeEngine):
    """Answers for the student at once, and for the teacher when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.done = threading.Event()

    def recommend(self, case: Case, model: str = "student", **given: Any) -> Recommendation:
        if model == "teacher":
            assert self.go.wait(30)
            self.done.set()
        return super().recommend(case, model, **given)


@pytest.fixture
def engine(serve: Serve) -> Iterator[SlowTeacher]:
    made = SlowTeacher()
    serve(made)
    yield made
    made.go.set()


def test_the_student_stands_while_the_teacher_reads_and_the_teacher_follows(
    engine: SlowTeacher, open_page: OpenPage, serve: Serve
) -> None:
    serve(engine)
    page = open_page("case", patient=PATIENT)
    assert [model for model, _ in engine.asked] == ["student"]
    assert RUNNING in text(page)
    engine.go.set()
    assert engine.done.wait(10)
    assert RUNNING not in text(page.run())


def test_an_answer_that_comes_while_the_page_is_drawn_is_not_overlooked(
    engine: SlowTeacher, open_page: OpenPage, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The panel was drawn without it; by the end of the run nothing is running any more."""
    serve(engine)
    plain = download.show

    def answered_meanwhile(*given: Any, **more: Any) -> None:
        engine.go.set()
        assert engine.done.wait(10)
        plain(*given, **more)

    monkeypatch.setattr(download, "show", answered_meanwhile)
    assert RUNNING not in text(open_page("case", patient=PATIENT))
    assert {model for model, _ in engine.asked} == {"student", "teacher"}


def test_nothing_is_looked_for_again_where_everything_was_there(
    engine: SlowTeacher, open_page: OpenPage, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(engine)
    looked: list[object] = []
    monkeypatch.setattr(waiting, "_look", looked.append)
    page = open_page("case", patient=PATIENT)
    assert len(looked) == 1
    engine.go.set()
    for answer in page.session_state["_scores"].values():
        answer.result(10)
    page.run()
    assert len(looked) == 1


def test_the_student_answers_an_entered_case_before_the_teacher_begins(
    open_page: OpenPage, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = serve()
    monkeypatch.setattr(new_case, "TEACHER_AFTER", 2.0)
    page = open_page("new", session={"_draft": Draft(current=DraftVisit({"diagnosis": ("ICD9:4280",)}))})
    page.button(key="recommend").click().run()
    assert [model for model, _ in engine.asked] == ["student"]
    assert RUNNING in text(page)
    for answer in page.session_state["_scores"].values():
        answer.result(10)
    assert RUNNING not in text(page.run())
    assert [model for model, _ in engine.asked] == ["student", "teacher"]


def test_what_begins_later_is_handed_over_with_its_answer_or_its_error() -> None:
    engine = FakeEngine()
    served = service.Service(engine)  # type: ignore[arg-type]
    case = engine.cohort.case(int(PATIENT))
    assert served.submit(case, "student", after=0.02).result(10).model == "student"
    engine.failing = {"student": MemoryError()}
    with pytest.raises(MemoryError):
        served.submit(case, "student", after=0.02).result(10)
