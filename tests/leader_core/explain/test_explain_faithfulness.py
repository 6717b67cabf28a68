"""Deletion and insertion curves: worked by hand on a linear model, and better than random where the order is true."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np
import pytest

from leader_core.domain import Case, Recommendation, Visit
from leader_core.explain import Item, code_item, faithfulness
from leader_core.explain.changes import code_items, profile_item, visits_of
from leader_core.explain.faithfulness import METHODS, Curves, area, curves, measure
from tests.explain_fakes import CLASSES, LinearScorer, OneModel

CASE = Case({"gender": "F"}, (Visit(("D1",), (), (), 1, 1),), Visit(("D2", "D3"), (), ("C03C",), 2, 2))
D1, D2, D3 = code_item(0, "diagnosis", "D1"), code_item(1, "diagnosis", "D2"), code_item(1, "diagnosis", "D3")
GENDER = profile_item("gender")
ODDS = {"D1": 9.0, "D2": 1 / 3, "D3": 3.0}
"""What each multiplies the odds of A02B by; gender by 1, the start is 1."""
TRUE = {D1: np.log(9), D2: -np.log(3), D3: np.log(3), GENDER: 0.0}


def linear() -> LinearScorer:
    weights = {code: (float(np.log(odds)), 0.0, 0.0) for code, odds in ODDS.items()}
    return LinearScorer(weights, start=(0.0, -1.0, -1.0), profile={("gender", "F"): (0.0, 0.0, 0.0)})


def curves_with(
    monkeypatch: pytest.MonkeyPatch,
    shares: Mapping[Item, float],
    random: object,
    *,
    case: Case = CASE,
    scorer: LinearScorer | None = None,
    draws: int = 3,
) -> Curves:
    """Curves with given shares in the place of gradients."""
    stand_in = SimpleNamespace(values=lambda: dict(shares))
    monkeypatch.setattr(faithfulness, "attribute", lambda *_: stand_in)
    engine = OneModel(scorer or linear())
    return curves(engine, case, "student", "A02B", random, draws=draws)  # type: ignore[arg-type]


def shares_of(odds: list[float]) -> list[float]:
    return [o / (1 + o) for o in odds]


def test_both_curves_of_a_linear_model_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole case: odds 9; D1, D3, gender and D2 leave in this order, and come back in this order."""
    result = curves_with(monkeypatch, TRUE, np.random.default_rng(0))
    deletion, insertion = shares_of([9, 1, 1 / 3, 1 / 3, 1]), shares_of([1, 9, 27, 27, 9])
    assert (result.code, result.items) == ("A02B", 4)
    for method in ("gradients", "removal"):
        assert result.deletion[method] == pytest.approx(deletion)
        assert result.insertion[method] == pytest.approx(insertion)
        assert area(result.deletion[method]) == pytest.approx((0.9 / 2 + 0.5 + 0.25 + 0.25 + 0.5 / 2) / 4)
        assert area(result.insertion[method]) == pytest.approx((0.5 / 2 + 0.9 + 27 / 28 * 2 + 0.9 / 2) / 4)


def test_each_method_is_judged_by_its_own_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients that are wrong, and say nothing of D1: D2, gender, D1, D3 leave, and removal's curve does not care."""
    wrong = {D2: 2.0, D3: -1.0}  # D1 and gender: nothing, in the case's order
    result = curves_with(monkeypatch, wrong, np.random.default_rng(0))
    assert result.deletion["gradients"] == pytest.approx(shares_of([9, 27, 3, 3, 1]))
    assert result.insertion["gradients"] == pytest.approx(shares_of([1, 1 / 3, 3, 3, 9]))
    assert result.deletion["removal"] == pytest.approx(shares_of([9, 1, 1 / 3, 1 / 3, 1]))


def test_random_is_the_mean_of_the_drawn_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [[0, 1, 2, 3], [2, 3, 1, 0]]  # places among D1, D2, D3, gender
    random = SimpleNamespace(permutation=lambda n: np.array(orders.pop(0))[:n])
    result = curves_with(monkeypatch, TRUE, random, draws=2)
    first, second = shares_of([9, 1, 3, 1, 1]), shares_of([9, 3, 3, 9, 1])
    assert result.deletion["random"] == pytest.approx((np.array(first) + np.array(second)) / 2)
    assert not orders


@pytest.mark.parametrize("seed", range(4))
def test_the_true_order_is_nowhere_worse_than_random_and_clearly_better_in_sum(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """By descending weight no other order leaves a linear model's score lower, or brings it higher, at any point."""
    random = np.random.default_rng(seed)
    case = Case(
        {},
        (Visit(tuple(f"H{i}" for i in range(8)), (), (), 1, 1),),
        Visit(tuple(f"N{i}" for i in range(15)), (), (), 2, 2),
    )
    drawn = random.normal(size=23)
    weights = dict(
        zip(code_items(case), (drawn - drawn.mean()).tolist(), strict=True)
    )  # whole and empty: 0.5
    scorer = LinearScorer(
        {item.name: (value, 0.0, 0.0) for item, value in weights.items()}, start=(0.0, 0.0, 0.0)
    )
    result = curves_with(monkeypatch, weights, random, case=case, scorer=scorer)
    assert result.items == 23 and all(len(curve) == 11 for curve in result.deletion.values())
    for method in ("gradients", "removal"):
        assert (result.deletion[method] <= result.deletion["random"] + 1e-6).all()
        assert (result.insertion[method] >= result.insertion["random"] - 1e-6).all()
        assert area(result.deletion[method]) < area(result.deletion["random"]) - 0.05
        assert area(result.insertion[method]) > area(result.insertion["random"]) + 0.05
    upside_down = curves_with(
        monkeypatch, {i: -w for i, w in weights.items()}, random, case=case, scorer=scorer
    ).deletion
    assert area(upside_down["gradients"]) > area(upside_down["random"]) + 0.05, "a false order loses"
    assert result.deletion["random"][[0, -1]] == pytest.approx(result.insertion["random"][[-1, 0]])


def test_what_was_prescribed_now_is_never_taken_away_or_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = linear()
    curves_with(monkeypatch, TRUE, np.random.default_rng(0), scorer=scorer)
    assert scorer.read and not any(visits_of(case)[-1].medications for case in scorer.read)
    assert not any(case.prescribed for case in scorer.read)


def test_a_suggested_class_of_each_case_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two classes are suggested; the seed alone decides which is measured; without any it is the best."""
    codes: list[str] = []

    def noted(engine: object, case: Case, model: str, code: str, random: object) -> Curves:
        codes.append(code)
        return Curves(code, 1, {}, {})

    def recommended(case: Case, model: str) -> Recommendation:
        ranked = [SimpleNamespace(code=code) for code in CLASSES]
        return SimpleNamespace(selected=ranked[:2] if case.history else [], medications=ranked)  # type: ignore[return-value]

    monkeypatch.setattr(faithfulness, "curves", noted)
    engine = SimpleNamespace(recommend=recommended)
    progress: list[tuple[int, int]] = []
    cases = [CASE] * 12
    measure(engine, cases, "student", seed=3, on_progress=lambda *now: progress.append(now))  # type: ignore[arg-type]
    first, codes[:] = list(codes), []
    assert set(first) == set(CLASSES[:2]) and progress == [(n, 12) for n in range(1, 13)]
    measure(engine, cases, "student", seed=3)  # type: ignore[arg-type]
    assert codes == first
    codes.clear()
    measure(engine, [Case({}, (), CASE.current)], "student", seed=3)  # type: ignore[arg-type]
    assert codes == [CLASSES[0]]
    assert set(METHODS) == {"gradients", "removal", "random"}
