"""Removals, flips and additions: exact against scoring the changed case by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leader_core.domain import Case, Interaction, Visit
from leader_core.errors import InputError
from leader_core.explain import (
    Change,
    Item,
    apply,
    code_item,
    flips,
    interacting_drugs,
    leave_one_out,
    score_changes,
    smallest_flip,
    without_each_diagnosis,
)
from leader_core.explain.changes import code_items, drop, profile_item, removals, visit_item
from leader_core.interactions import InteractionTable
from tests.explain_fakes import CLASSES, LinearScorer, OneModel

CASE = Case(
    {"insurance": "Private", "gender": "F"},
    (
        Visit(("D1", "D2"), ("P1",), ("A02B",), 1, 1),
        Visit(("D1",), (), ("C03C",), 2, 2),
    ),
    Visit(("D3", "D1"), ("P2",), ("B01A",), 3, 3),
    patient_id=7,
)
WEIGHTS = {"D1": (0.5, 0.0, 0.0), "D3": (0.0, 2.0, 0.0), "P2": (0.0, 1.0, 0.0), "A02B": (3.0, 0.0, 0.0)}
PROFILE = {
    ("gender", "F"): (0.0, 0.0, 1.5),
    ("gender", "M"): (0.0, 0.0, -1.5),
    ("insurance", "Private"): (0.0, 0.0, 0.0),
    ("insurance", "Medicaid"): (-4.0, 0.0, 0.0),
}


def linear(**options: object) -> tuple[LinearScorer, OneModel]:
    scorer = LinearScorer(WEIGHTS, profile=PROFILE, **options)  # type: ignore[arg-type]
    return scorer, OneModel(scorer)


def logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def test_every_code_of_every_visit_is_an_item_once_and_what_was_prescribed_is_none() -> None:
    twice = replace(
        CASE, profile=dict(CASE.profile), current=replace(CASE.current, diagnoses=("D3", "D1", "D3"))
    )
    assert [(i.visit, i.name) for i in code_items(twice)] == [
        (0, "D1"), (0, "D2"), (0, "P1"), (0, "A02B"), (1, "D1"), (1, "C03C"), (2, "D3"), (2, "D1"), (2, "P2"),
    ]  # fmt: skip
    every = removals(CASE, ("insurance", "gender", "religion"))
    assert len(every) == 9 + 3 + 2, "a field that is not recorded cannot be left out"


def test_a_code_is_dropped_from_its_visit_alone() -> None:
    changed = apply(CASE, drop(code_item(1, "diagnosis", "D1")))
    assert [v.diagnoses for v in changed.history] == [("D1", "D2"), ()]
    assert changed.current.diagnoses == ("D3", "D1")
    assert changed.prescribed == (), "a changed case never carries the truth"


def test_a_visit_that_is_dropped_is_gone_and_later_ones_are_numbered_down() -> None:
    changed = apply(CASE, drop(visit_item(0)))
    assert [(v.visit_no, v.medications) for v in changed.history] == [(1, ("C03C",))]
    assert changed.current.visit_no == 2
    emptied = apply(CASE, drop(visit_item(2)))
    assert len(emptied.history) == 2
    assert (emptied.current.diagnoses, emptied.current.procedures) == ((), ())
    both = apply(CASE, drop(visit_item(0)), drop(code_item(0, "diagnosis", "D1")))
    assert both == changed, "what went with its visit is gone already"


@pytest.mark.parametrize(
    "change",
    [
        Change("set", code_item(0, "diagnosis", "D1"), "x"),
        Change("drop", Item("wording")),
        Change("add", visit_item(0)),
    ],
)
def test_a_change_that_means_nothing_is_refused(change: Change) -> None:
    with pytest.raises(InputError, match="expected a code or visit to drop"):
        apply(CASE, change)


def test_effects_are_the_weights_of_a_linear_model() -> None:
    _, engine = linear()
    result = leave_one_out(engine, CASE, "student")  # type: ignore[arg-type]
    assert result.codes == CLASSES
    before = logit(float(result.before[1]))
    after = {c.item: logit(float(result.after[i, 1])) for i, c in enumerate(result.changes)}
    moved = {item: round(before - value, 4) for item, value in after.items() if abs(before - value) > 1e-4}
    assert moved == {
        code_item(2, "diagnosis", "D3"): 2.0,
        code_item(2, "procedure", "P2"): 1.0,
        visit_item(2): 3.0,
    }
    gender = profile_item("gender")
    assert result.effects("C03C")[gender] > 0.3
    assert result.effects("B01A")[gender] == 0


def test_outcomes_are_those_of_the_changed_cases_scored_by_hand() -> None:
    scorer, engine = linear()
    result = leave_one_out(engine, CASE, "student")  # type: ignore[arg-type]
    for i, change in enumerate(result.changes):
        by_hand = scorer.score([apply(CASE, change)]).probabilities[0]
        np.testing.assert_allclose(result.after[i], by_hand, atol=1e-7)
    assert all(not case.prescribed for case in scorer.read), "the truth never reaches a model"
    with pytest.raises(InputError, match="does not score 'N02B'"):
        result.effects("N02B")


def test_work_reports_progress_and_stops_on_request() -> None:
    _, engine = linear()
    progress: list[tuple[int, int]] = []
    leave_one_out(engine, CASE, "student", on_progress=lambda done, whole: progress.append((done, whole)))  # type: ignore[arg-type]
    assert progress[-1][0] == progress[-1][1] == 15

    def stop(done: int, whole: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave_one_out(engine, CASE, "student", on_progress=stop)  # type: ignore[arg-type]


def test_one_removal_that_flips_is_exact() -> None:
    _, engine = linear()
    result = smallest_flip(engine, CASE, "student", "B01A")  # type: ignore[arg-type]
    # -1 + 2 + 1 = 2; without D3: 0, at the cut-off still; the cut-off is moved up so that it falls below
    assert not result.exact or len(result.removed) > 1
    higher = smallest_flip(engine, CASE, "student", "B01A", threshold=0.6)  # type: ignore[arg-type]
    assert higher.removed == (code_item(2, "diagnosis", "D3"),)
    assert (higher.flipped, higher.exact, higher.at_least) == (True, True, 1)


def test_greedy_finds_the_pair_and_proves_it_smallest() -> None:
    _, engine = linear()
    result = smallest_flip(engine, CASE, "student", "B01A")  # type: ignore[arg-type]
    assert result.removed == (code_item(2, "diagnosis", "D3"), code_item(2, "procedure", "P2"))
    assert (result.flipped, result.exact, result.at_least) == (True, True, 2)
    assert logit(result.after) == pytest.approx(-1, abs=1e-4)


def test_greedy_takes_an_absent_class_up_and_says_when_it_cannot() -> None:
    scorer = LinearScorer({"D1": (-0.9, 0.0, 0.0)}, start=(1.5, -2.0, 0.0))
    engine = OneModel(scorer)
    up = smallest_flip(engine, CASE, "student", "A02B")  # type: ignore[arg-type]
    # 1.5 - 3 x 0.9 = -1.2: two of the three D1 have to go
    assert {item.name for item in up.removed} == {"D1"}
    assert (up.flipped, len(up.removed), up.exact) == (True, 2, True)
    never = smallest_flip(engine, CASE, "student", "B01A", most=3)  # type: ignore[arg-type]
    assert not never.flipped
    assert not never.exact
    assert never.before == pytest.approx(never.after)


def test_what_is_not_needed_is_put_back() -> None:
    """One thing moves the score furthest alone, but the others together do it without it."""

    class Odd(LinearScorer):
        def logits(self, case: Case) -> np.ndarray:
            held = set(case.current.diagnoses)
            value = 1.0 + 0.5 * ("X" in held) + 0.3 * sum(d in held for d in ("A", "B", "C"))
            value -= 3.0 * (not held & {"A", "B", "C"})
            return np.array([value, 0.0, 0.0])

    case = Case(current=Visit(diagnoses=("X", "A", "B", "C")))
    result = smallest_flip(OneModel(Odd({})), case, "student", "A02B")  # type: ignore[arg-type]
    assert {item.name for item in result.removed} == {"A", "B", "C"}
    assert result.flipped
    assert not result.exact, "greedy proves no more than that one removal does not do it"


def test_changing_the_profile_shows_the_changes_of_the_whole_recommendation() -> None:
    _, engine = linear()
    values = {"insurance": ("Medicaid", "Private"), "gender": ("F", "M"), "language": ("English",)}
    result = score_changes(engine, CASE, "student", flips(CASE, values))  # type: ignore[arg-type]
    by_change = {(m.change.item.name, m.change.value): m for m in result.change_effects()}
    assert set(by_change) == {("insurance", "Medicaid"), ("gender", "M")}, "language is not recorded"
    assert by_change["gender", "M"].removed == ("C03C",)
    assert by_change["gender", "M"].largest == "C03C"
    assert by_change["gender", "M"].by < 0
    assert by_change["insurance", "Medicaid"].removed == ("A02B",)
    assert by_change["insurance", "Medicaid"].added == ()


def test_interacting_drugs_are_added_to_the_last_earlier_visit_gravest_first() -> None:
    table = InteractionTable(
        [
            Interaction("A02B", "B01A", "moderate", "t"),
            Interaction("B01A", "C03C", "major", "t"),
            Interaction("A02B", "C03C", "unknown", "signal"),
        ]
    )
    _, engine = linear()
    changes = interacting_drugs(CASE, table, ("B01A",), CLASSES)
    result = score_changes(engine, CASE, "student", changes)  # type: ignore[arg-type]
    # C03C stands in the last earlier visit already
    assert [c.item for c in result.changes] == [code_item(1, "medication", "A02B")]
    assert logit(float(result.after[0, 0])) - logit(float(result.before[0])) == pytest.approx(3.0, abs=1e-3)
    first = Case(current=Visit(diagnoses=("D1",)))
    assert interacting_drugs(first, table, ("B01A",), CLASSES) == ()


def test_each_diagnosis_of_the_current_visit_in_turn() -> None:
    _, engine = linear()
    changes = without_each_diagnosis(CASE)
    assert [c.item.name for c in changes] == ["D3", "D1"]
    result = score_changes(engine, CASE, "student", changes)  # type: ignore[arg-type]
    assert result.after.shape == (2, 3)
    assert result.after[0, 1] < result.before[1]
    assert result.after[1, 1] == result.before[1]
