"""What raised a score, in words: the things that a linear model is known to count."""

from __future__ import annotations

import numpy as np

from dashboard.scores.reasons import reasons
from leader_core import Case, Visit
from leader_core.explain import Outcomes, code_item
from leader_core.explain.changes import drop, profile_item, visit_item


def test_the_largest_falls_are_named_and_small_ones_are_not() -> None:
    case = Case({"gender": "F"}, (Visit(("D1",), (), ("B03A",)),), Visit(("D1", "D2")))
    items = (
        code_item(1, "diagnosis", "D2"), code_item(0, "medication", "B03A"), code_item(0, "diagnosis", "D1"),
        profile_item("gender"), visit_item(0),
    )  # fmt: skip
    after = np.array([[0.5, 0.9], [0.7, 0.9], [0.79, 0.89], [0.6, 0.9], [0.1, 0.1]])
    outcomes = Outcomes(
        "student", ("B03A", "N02A"), 0.4, np.array([0.8, 0.9]), tuple(map(drop, items)), after, 6, 0.0
    )
    named = reasons(outcomes, case, lambda kind, code: f"{kind} {code}")
    assert [(r.text, r.without) for r in named["B03A"]] == [
        ("diagnosis D2", 0.5), ("Sex: Female", 0.6), ("ordered at an earlier visit", 0.7),
    ]  # fmt: skip
    assert named["N02A"] == (), (
        "nothing that is left out moves it much: an earlier diagnosis by 0.2 log-odds at most"
    )
    assert all(r.before == 0.8 for r in named["B03A"])
