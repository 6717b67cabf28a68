"""The error tree finds what was planted, refuses noise, and its nodes' conditions choose exactly its cases; drift by hand."""

from __future__ import annotations

import numpy as np
import pytest

from leader_core.error_analysis.comparisons import shifts
from leader_core.error_analysis.frame import Choices, Column, Frame, age_column, band_column, flag_column
from leader_core.error_analysis.selection import Condition
from leader_core.error_analysis.tree import error_tree
from leader_core.errors import InputError
from leader_core.evaluation.bootstrap import drawn_pools, intervals, patient_pools, pool_sums

N = 3000


def _frame(seed: int = 1, cases: int = N) -> Frame:
    random = np.random.default_rng(seed)
    age = random.integers(18, 95, cases).astype(np.float32)
    visits = random.integers(1, 6, cases).astype(np.float32)
    numbers = {
        "age": age,
        "visits": visits,
        **{
            n: random.integers(1, 20, cases).astype(np.float32)
            for n in ("diagnoses", "procedures", "prescribed")
        },
    }

    def column(name: str, *values: str) -> Column:
        return Column(name, values, random.integers(0, len(values), cases).astype(np.int16))

    columns = {
        "gender": column("gender", "F", "M"),
        "insurance": column("insurance", "Medicaid", "Medicare", "Private"),
        "ethnicity": column("ethnicity", "ASIAN", "BLACK", "WHITE", "unknown"),
        "age_band": age_column(age),
        "visits": band_column("visits", visits),
        "truncated": flag_column("truncated", random.random(cases) < 0.1, "read whole", "cut to fit"),
    }
    ids = np.arange(cases, dtype=np.int64)
    bits = random.integers(0, 2**5, cases)
    nothing = np.zeros(cases, np.float32)
    return Frame(ids, ids, columns, numbers, ("A", "B", "C", "D", "E"), bits, nothing, nothing)


def _holds(frame: Frame, conditions: tuple[Condition, ...]) -> np.ndarray:
    """The cases of a node, chosen by the analysis's own reading of conditions."""
    from leader_core.error_analysis.stored import Analysis

    result = Analysis.__new__(Analysis)
    result.__dict__["frame"] = frame
    out = np.ones(len(frame), bool)
    for condition in conditions:
        out &= result._holds(condition, None)
    return out


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("ethnicity", 1, Condition("is", ("ethnicity",), 1)),
        ("gender", 0, None),
        ("chapter", 2, Condition("has", (), 2)),
    ],
)
def test_a_subgroup_whose_labels_are_shuffled_is_found_at_the_root(
    seed: int, field: str, value: int, expected: Condition | None
) -> None:
    """Truth and prediction agree mostly; in the subgroup the truths are dealt out again among its cases."""
    frame = _frame(seed)
    random = np.random.default_rng(seed)
    truth = random.random((N, 30)) < random.uniform(0.1, 0.6, 30)
    chosen = truth ^ (random.random(truth.shape) < 0.1)
    inside = (
        (frame.chapter_bits >> value) & 1 > 0 if field == "chapter" else frame.columns[field].codes == value
    )
    rows = np.flatnonzero(inside)
    truth[rows] = truth[random.permutation(rows)]
    jaccard = (truth & chosen).sum(1) / np.maximum(1, (truth | chosen).sum(1))
    tree = error_tree(frame, 1 - jaccard, np.ones(N, bool), depth=3)
    root = tree.nodes[0]
    assert root.split is not None and root.children is not None
    halves = {
        frozenset(np.flatnonzero(_holds(frame, tree.nodes[c].conditions)).tolist()) for c in root.children
    }
    assert frozenset(rows.tolist()) in halves
    if expected is not None:
        assert root.split == expected
    worst = tree.nodes[root.children[0]], tree.nodes[root.children[1]]
    planted = max(worst, key=lambda n: n.rate)
    assert planted.cases == len(rows) and planted.coverage == pytest.approx(len(rows) / N)
    assert planted.rate == pytest.approx((1 - jaccard[rows]).mean())


def test_an_interaction_of_two_fields_is_found_in_two_steps() -> None:
    frame = _frame()
    inside = (frame.numbers["age"] >= 70) & (frame.columns["insurance"].codes == 0)
    error = np.where(inside, 0.9, 0.2) + np.random.default_rng(0).normal(0, 0.05, N)
    tree = error_tree(frame, error, np.ones(N, bool), depth=2)
    assert set(tree.worst.conditions) == {Condition("ge", ("age",), 70), Condition("is", ("insurance",), 0)}
    assert tree.worst.cases == inside.sum()


def test_every_node_is_its_conditions_and_children_add_up() -> None:
    frame = _frame(4)
    error = 0.01 * frame.numbers["diagnoses"] + 0.2 * (frame.columns["gender"].codes == 1)
    within = frame.columns["truncated"].codes == 0
    steps: list[float] = []
    tree = error_tree(frame, error, within, depth=4, leaf=50, progress=steps.append)
    assert max(n.depth for n in tree.nodes) <= 4 and steps[-1] <= 1 and steps == sorted(steps)
    for node in tree.nodes:
        mask = within & _holds(frame, node.conditions)
        assert mask.sum() == node.cases >= 50
        assert node.rate == pytest.approx(error[mask].mean(), rel=1e-5)
        if node.children is not None:
            assert sum(tree.nodes[c].cases for c in node.children) == node.cases
            assert sum(tree.nodes[c].share for c in node.children) == pytest.approx(node.share)


@pytest.mark.parametrize("seed", [5, 6])
def test_no_other_split_explains_more(seed: int) -> None:
    """Every node's split against every split there is, each chosen by its conditions and counted by hand."""
    frame = _frame(seed, 400)
    random = np.random.default_rng(seed)
    error = random.random(400) + 0.02 * frame.numbers["age"] * (frame.columns["ethnicity"].codes == 2)
    error += 0.3 * ((frame.chapter_bits >> 1) & 1)
    ages, others = range(18, 95), range(1, 20)
    splits = [Condition("ge", ("age",), n) for n in ages]
    splits += [Condition("ge", (name,), n) for name in ("visits", "diagnoses", "procedures") for n in others]
    splits += [
        Condition("is", (name,), n)
        for name in ("gender", "insurance", "ethnicity", "truncated")
        for n in range(len(frame.columns[name].values))
    ]
    splits += [Condition("has", (), n) for n in range(5)]
    tree = error_tree(frame, error, np.ones(400, bool), depth=3, leaf=20)
    assert sum(node.split is not None for node in tree.nodes) >= 3
    for node in tree.nodes:
        rows = _holds(frame, node.conditions)
        explained = {}
        for split in splits:
            upper = rows & _holds(frame, (split,))
            lower = rows & ~upper
            if min(upper.sum(), lower.sum()) >= 20:
                parts = [error[part].var() * part.sum() for part in (rows, upper, lower)]
                explained[split] = parts[0] - parts[1] - parts[2]
        if node.split is not None:
            assert node.children is not None
            children = [_holds(frame, tree.nodes[child].conditions) for child in node.children]
            own = error[rows].var() * rows.sum() - sum(error[c].var() * c.sum() for c in children)
            assert own == pytest.approx(max(explained.values()))


def test_the_outcome_is_never_split_and_fields_can_be_chosen() -> None:
    """The error follows what was prescribed most, then age, then gender: the tree sees the last two, or the one chosen."""
    frame = _frame(7)
    error = 0.02 * frame.numbers["prescribed"] + 0.2 * (frame.numbers["age"] >= 70)
    error += 0.1 * (frame.columns["gender"].codes == 0)
    tree = error_tree(frame, error, np.ones(N, bool), depth=4)
    names = {condition.names for node in tree.nodes for condition in node.conditions}
    assert ("age",) in names and ("prescribed",) not in names
    one = error_tree(frame, error, np.ones(N, bool), fields=("gender",))
    assert {c.names for node in one.nodes for c in node.conditions} == {("gender",)}
    for field in ("prescribed", "jaccard"):
        with pytest.raises(InputError, match=f"cannot split {field}"):
            error_tree(frame, error, np.ones(N, bool), fields=(field,))


def test_errors_that_are_all_the_same_grow_no_tree() -> None:
    assert len(error_tree(_frame(), np.full(N, 0.3), np.ones(N, bool)).nodes) == 1


def test_noise_grows_no_tree() -> None:
    for seed in range(5):
        error = np.random.default_rng(seed).random(N)
        assert len(error_tree(_frame(seed), error, np.ones(N, bool), depth=4).nodes) <= 3


def test_too_few_cases_or_too_deep_is_refused() -> None:
    frame = _frame(1, 30)
    with pytest.raises(InputError, match="too few"):
        error_tree(frame, np.zeros(30), np.ones(30, bool))
    with pytest.raises(InputError, match="Depth 5"):
        error_tree(frame, np.zeros(30), np.ones(30, bool), depth=5)


def test_drift_by_hand() -> None:
    """Shares 50/50 against 75/25: index 0.25 ln 2 * ... worked out; means 40 and 60 with standard deviation 10."""
    first = np.array([True] * 4 + [False] * 4)
    codes = np.array([0, 0, 1, 1, 0, 0, 0, 1], np.int16)
    numbers = {
        name: np.array([30, 50, 30, 50, 50, 70, 50, 70], np.float32)
        for name in ("age", "visits", "diagnoses", "procedures", "prescribed")
    }
    ids = np.arange(8, dtype=np.int64)
    frame = Frame(ids, ids, {"gender": Column("gender", ("F", "M"), codes)}, numbers, (), ids, ids, ids)
    choices = Choices(
        (), np.array([0, 1, 4], np.int32), np.array([0, 0, 0], np.int16), np.array([1, 1, 1], np.uint16)
    )
    result = shifts(frame, choices, ("B01A",), first, ~first)
    by_name = {s.name: s for s in result}
    expected = (0.5 - 0.75) * np.log(0.5 / 0.75) + (0.5 - 0.25) * np.log(0.5 / 0.25)
    assert by_name["gender"].measure == pytest.approx(expected)
    assert by_name["age"].measure == pytest.approx(2.0)
    share = (0.25 - 0.5) / np.sqrt((0.25 + 0.1875) / 2)
    assert by_name["B01A"].measure == pytest.approx(share)


def test_pools_give_the_interval_of_patients() -> None:
    """10,000 patients in 1,000 pools against the bootstrap that draws every patient."""
    random = np.random.default_rng(3)
    people = 10_000
    owner = np.repeat(np.arange(people), random.integers(1, 4, people))
    values = random.random(len(owner)) + random.random(people)[owner]
    shuffled = random.permutation(people)[owner]
    rows, places, count = patient_pools(np.zeros(len(owner), np.int16), 1, shuffled)
    summed = pool_sums(places, 1, [values[rows], np.ones(len(rows))])
    assert count.tolist() == [people] and summed.sum((0, 1)).tolist() == pytest.approx(
        [values.sum(), len(rows)]
    )
    drawn = drawn_pools(summed[0], people, 1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], (0.025, 0.975))
    tops, bottoms = (np.bincount(owner, v)[:, None] for v in (values, np.ones(len(owner))))
    exact_low, exact_high = intervals(tops, bottoms, 1000, np.random.default_rng(1))
    assert high - low == pytest.approx(float(exact_high[0] - exact_low[0]), rel=0.12)
    assert low == pytest.approx(float(exact_low[0]), abs=0.1 * float(exact_high[0] - exact_low[0]))
