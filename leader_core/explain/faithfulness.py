"""Whether an explanation is true to its model: the score while what it names first is taken away, or put back first.

Deletion: things leave the case in the explanation's order; a faithful order makes the score fall early. Insertion:
they come into an empty case in that order; a faithful order makes it rise early.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import Case, ModelName
from leader_core.explain.attribution import attribute
from leader_core.explain.changes import Item, apply, code_items, drop, leave_one_out, profile_items

if TYPE_CHECKING:
    from leader_core.engine import Engine

METHODS: Final = ("gradients", "removal", "random")
POINTS: Final = 10  # parts that a curve is cut into


@dataclass(frozen=True, slots=True)
class Curves:
    """One class of one case: the probability at each of P + 1 shares of the things, for each way of ordering them."""

    code: str
    items: int
    deletion: Mapping[str, NDArray[np.float64]]  # method -> (P + 1,), from the whole case to the empty one
    insertion: Mapping[str, NDArray[np.float64]]  # method -> (P + 1,), from the empty case to the whole one


def area(curve: NDArray[np.float64]) -> float:
    """The mean height of a curve over equal steps.

    >>> area(np.array([1.0, 0.5, 0.0]))
    0.5
    """
    return float((curve[:-1] + curve[1:]).mean() / 2)


def curves(
    engine: Engine, case: Case, model: ModelName, code: str, random: np.random.Generator, *, draws: int = 3
) -> Curves:
    """Both curves of a class for integrated gradients, removal and `draws` random orders (their mean).

    The things are the codes of the case, and for the student the profile fields that the case records; what a
    method says nothing about counts as zero, so that it stands before what it says lowers the score.
    """
    case = case.observed()
    scorer = engine.scorer(model)
    items = (*code_items(case), *profile_items(case, scorer.profile_read))
    column = scorer.vocabularies.medication.find(code)
    shares = attribute(engine, case, model, code).values()
    effects = leave_one_out(engine, case, model).effects(code)
    orders: list[tuple[str, list[Item]]] = [
        ("gradients", sorted(items, key=lambda item: -shares.get(item, 0.0))),
        ("removal", sorted(items, key=lambda item: -effects[item])),
        *(("random", [items[i] for i in random.permutation(len(items))]) for _ in range(draws)),
    ]
    counts = np.linspace(0, len(items), min(POINTS, len(items)) + 1).round().astype(int)
    cases = [
        apply(case, *map(drop, gone))
        for _, order in orders
        for gone in (*(order[:count] for count in counts), *(order[count:] for count in counts))
    ]
    scores = scorer.score(cases).probabilities[:, column].astype(np.float64)
    by_order = scores.reshape(len(orders), 2, len(counts))
    return Curves(code, len(items), _by_method(orders, by_order[:, 0]), _by_method(orders, by_order[:, 1]))


def _by_method(
    orders: Sequence[tuple[str, list[Item]]], rows: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    names = np.array([name for name, _ in orders])
    return {name: rows[names == name].mean(0) for name in METHODS}


def measure(
    engine: Engine,
    cases: Sequence[Case],
    model: ModelName,
    *,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Curves]:
    """The curves of one suggested class of each case, drawn at random; of the best class where none is suggested."""
    random = np.random.default_rng(seed)
    results = []
    for done, case in enumerate(cases, 1):
        recommendation = engine.recommend(case, model)
        pool = recommendation.selected or recommendation.medications[:1]
        code = pool[int(random.integers(len(pool)))].code
        results.append(curves(engine, case, model, code, random))
        if on_progress is not None:
            on_progress(done, len(cases))
    return results
