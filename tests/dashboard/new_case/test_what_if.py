"""One-click counterfactuals on New case: every change is tried, the largest comes first, and can be applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from dashboard.new_case import what_if
from dashboard.shared.draft import SESSION_KEY, Draft
from leader_core import Case, Visit
from leader_core.explain import Change, Outcomes, apply
from tests.dashboard.conftest import OpenPage, text
from tests.fakes import MEDICATIONS, FakeEngine

DRAFT = Draft(
    earlier=(Visit(("ICD9:4019",), medications=("C07A",)),),
    current=Visit(("ICD9:4280", "ICD9:42731")),
    profile={"age_band": "65-74"},
).submit()
CODES = tuple(MEDICATIONS)


def scored(
    engine: FakeEngine,
    case: Case,
    model: str,
    changes: Iterable[Change],
    *,
    on_progress: Callable[[int, int], None],
) -> Outcomes:
    """As `score_changes`, of the made-up model."""

    def row(one: Case) -> np.ndarray:
        result = {m.code: m.probability for m in engine.recommend(one, model).medications}
        return np.array([result[code] for code in CODES], np.float32)

    every = tuple(changes)
    on_progress(1, 1)
    cut = engine.recommend(case, model).threshold
    after = np.stack([row(apply(case, change)) for change in every])
    return Outcomes(model, CODES, cut, row(case), every, after, len(every), 0.0)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(what_if, "score_changes", scored)


def test_every_change_is_tried_and_the_greatest_stands_first(open_page: OpenPage) -> None:
    page = open_page("new", session={SESSION_KEY: DRAFT})
    assert "Tries each diagnosis of the current visit left out" in text(page)
    page.button(key="what-if").click().run()
    assert not page.exception
    rows = [element.value for element in page.html if element.value.startswith('<div class="ld-what-if')]
    assert len(rows) == what_if.SHOWN
    changed = [row.count(", ") + ("+ added" in row) + ("− removed" in row) for row in rows]
    assert changed[0] > 0 and ("+ added" in rows[0] or "− removed" in rows[0])
    message = "".join(rows)
    assert "Without " in message and "more change less" in text(page)


def test_a_change_becomes_a_variant_next_to_its_case(open_page: OpenPage) -> None:
    page = open_page("new", session={SESSION_KEY: DRAFT})
    page.button(key="what-if").click().run()
    page.button(key="what-if-take-0").click().run()
    assert not page.exception
    draft: Draft = page.session_state[SESSION_KEY]
    assert draft.submitted is not None and draft.submitted != DRAFT.submitted
    assert draft.origin == DRAFT.submitted
    assert "Against the case before" in text(page)
    next(b for b in page.button if b.label == "Undo").click().run()
    assert page.session_state[SESSION_KEY] == DRAFT


def test_the_order_is_by_classes_that_come_or_go_then_by_the_largest_move() -> None:
    before = np.array([0.6, 0.4], np.float32)
    after = np.array([[0.6, 0.45], [0.4, 0.4], [0.6, 0.1]], np.float32)
    changes = tuple(Change("drop", item) for item in what_if_items())
    result = Outcomes("student", ("A", "B"), 0.5, before, changes, after, 3, 0.0)
    assert [m.change for m in what_if.ranked(result)] == [changes[1], changes[2], changes[0]]


def what_if_items() -> list:
    from leader_core.explain import code_item

    return [code_item(0, "diagnosis", f"ICD9:{n}") for n in range(3)]
