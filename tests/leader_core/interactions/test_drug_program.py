"""The integer program behind the safer set, against brute force over every choice."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product

from hypothesis import given, settings
from hypothesis import strategies as st

from leader_core.interactions.drug_program import (
    OWN,
    SUBSTITUTE,
    SWITCH,
    Problem,
    ProgramAlert,
    ProgramOption,
    RateLimit,
    fires,
    solve,
)

Worth = tuple[float, ...]


@st.composite
def problems(draw: st.DrawFn, *, rated: bool = False) -> Problem:
    sizes = draw(st.lists(st.integers(1, 3), min_size=0, max_size=4))
    options = []
    for slot, size in enumerate(sizes):
        options.append(ProgramOption(slot, OWN, use=draw(st.integers(0, 4)) / 4))
        for _ in range(size - 1):
            change = draw(st.sampled_from([SWITCH, SUBSTITUTE]))
            against, added, use = (
                draw(st.integers(0, 1)),
                draw(st.integers(0, 2)),
                draw(st.integers(0, 4)) / 4,
            )
            options.append(ProgramOption(slot, change, against, added, use))
    count = len(options)
    pairs = [(a, b) for a, b in combinations(range(count), 2) if options[a].slot != options[b].slot]
    triggers = [*pairs, *((i, i) for i in range(count))]
    alerts = [
        ProgramAlert(
            draw(st.integers(0, 1)), tuple(draw(st.permutations(triggers))[: draw(st.integers(1, 3))])
        )
        for _ in range(draw(st.integers(0, 8)) if triggers else 0)
    ]
    changed = [(a, b) for a, b in pairs if options[a].change or options[b].change]
    exclusive = draw(st.lists(st.sampled_from(changed), max_size=2, unique=True)) if changed else []
    members = [tuple(i for i in range(count) if options[i].slot == slot) for slot in range(len(sizes))]
    required = [frozenset(m) for m in members if draw(st.integers(0, 3)) == 0]
    if len(sizes) > 1 and draw(st.booleans()):
        required.append(frozenset((*members[0], *members[1])))
    limits = tuple(draw(st.sampled_from([None, 0, 0, 1, 2])) for _ in range(2))
    rate = None
    if rated:
        groups = tuple(draw(st.integers(0, 4)) for _ in options)
        listed = draw(st.lists(st.sampled_from(list(combinations(range(5), 2))), max_size=5, unique=True))
        rate = RateLimit(groups, tuple(listed), draw(st.sampled_from([0.0, 0.2, 0.5])))
    loss = tuple(draw(st.sampled_from([0, 0, 1, 3, 5, 9])) / 10 for _ in sizes)
    called_for = frozenset(slot for slot in range(len(sizes)) if draw(st.integers(0, 3)) == 0)
    return Problem(
        tuple(options), loss, tuple(alerts), limits, tuple(exclusive), tuple(required), called_for, rate
    )


def allowed(problem: Problem, chosen: frozenset[int]) -> bool:
    """Does a choice hold what is required, and nothing that is exclusive, within the rate?"""
    if any(chosen.issuperset(pair) for pair in problem.exclusive):
        return False
    if any(not group & chosen for group in problem.required):
        return False
    if problem.rate is None:
        return True
    present = {problem.rate.group[i] for i in chosen}
    listed = sum(present.issuperset(pair) for pair in problem.rate.pairs)
    return listed <= problem.rate.most * len(present) * (len(present) - 1) / 2 + 1e-9


def worth(problem: Problem, chosen: frozenset[int]) -> Worth:
    """The tiers of a choice, the smaller the better, written down as the module's docstring has them."""
    fired = Counter(alert.severity for alert in problem.alerts if fires(alert, chosen))
    excess = [0 if most is None else max(0, fired[s] - most) for s, most in enumerate(problem.limits)]
    taken = [problem.options[i] for i in sorted(chosen)]
    filled = {option.slot for option in taken}
    changes = Counter(option.change for option in taken)
    return (
        *excess,
        round(sum(loss for slot, loss in enumerate(problem.loss) if slot not in filled), 6),
        len(problem.called_for - filled),
        sum(loss > 0 for slot, loss in enumerate(problem.loss) if slot not in filled),
        sum(option.against for option in taken),
        changes[SUBSTITUTE],
        changes[SWITCH],
        sum(option.added for option in taken),
        sum(loss == 0 for slot, loss in enumerate(problem.loss) if slot not in filled),
        -round(sum(option.use for option in taken), 6),
    )


def best_by_brute_force(problem: Problem) -> Worth | None:
    choices = (
        frozenset(i for i in choice if i is not None)
        for choice in product(*((*members, None) for members in problem.slots))
    )
    least = sum(1 for _ in problem.limits)
    worths = [worth(problem, choice) for choice in choices if allowed(problem, choice)]
    if problem.rate is None:
        return min(worths, default=None)
    # The rate is never exceeded, nor does it allow for more alerts than there would be without it.
    excess = best_by_brute_force(Problem(**{**_fields(problem), "rate": None}))  # type: ignore[arg-type]
    assert excess is not None
    return min((w for w in worths if w[:least] == excess[:least]), default=None)


def _fields(problem: Problem) -> dict[str, object]:
    return {name: getattr(problem, name) for name in Problem.__slots__}


@given(problems())
@settings(max_examples=50, deadline=None)
def test_the_choice_is_the_best_of_all(problem: Problem) -> None:
    expected = best_by_brute_force(problem)
    solution = solve(problem)
    if expected is None:  # exclusive options never stand in the way: own drugs exclude nothing
        raise AssertionError(problem)
    assert solution is not None
    assert allowed(problem, solution.chosen)
    assert worth(problem, solution.chosen) == expected
    assert solution.excess == expected[: len(problem.limits)]


@given(problems(rated=True))
@settings(max_examples=30, deadline=None)
def test_the_best_within_a_rate(problem: Problem) -> None:
    expected = best_by_brute_force(problem)
    solution = solve(problem)
    assert (solution is None) == (expected is None)
    if solution is not None:
        assert allowed(problem, solution.chosen)
        assert worth(problem, solution.chosen) == expected
