"""The safer set against brute force, on the classical cases, with wishes, and within its time."""

from __future__ import annotations

import time
from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from leader_core.domain import Interaction, Severity
from leader_core.errors import InputError
from leader_core.interactions import InteractionTable, load_clinical, load_statistical
from leader_core.interactions.safer_set import Limit, safer_set, within

CODES = ("A01A", "A01B", "A02A", "B01A", "B01B", "C01A", "C01B")


def table_of(*pairs: tuple[str, str, Severity]) -> InteractionTable:
    return InteractionTable(Interaction(a, b, severity, "test") for a, b, severity in pairs)


@st.composite
def instances(draw: st.DrawFn) -> tuple[dict[str, float], InteractionTable, Limit, set[str], set[str]]:
    codes = CODES[: draw(st.integers(0, len(CODES)))]
    probabilities = {code: draw(st.integers(0, 20)) / 20 for code in codes}
    graded: st.SearchStrategy[Severity | None] = st.sampled_from(
        [None, None, "contraindicated", "major", "minor"]
    )
    pairs: list[tuple[str, str, Severity]] = []
    for a, b in combinations(codes, 2):
        if severity := draw(graded):
            pairs.append((a, b, severity))
        if draw(st.booleans()) and draw(st.booleans()):
            pairs.append((a, b, "unknown"))
    limit = Limit(
        contraindicated=draw(st.sampled_from([None, 0, 0, 1])),
        major=draw(st.sampled_from([None, 0, 1, 2])),
        ddi_rate=draw(st.sampled_from([None, None, 0.0, 0.1, 0.25, 0.5])),
    )
    wishes = {code: draw(st.sampled_from(["", "", "", "", "keep", "avoid"])) for code in codes}
    keep = {code for code, wish in wishes.items() if wish == "keep"}
    avoid = {code for code, wish in wishes.items() if wish == "avoid"}
    return probabilities, table_of(*pairs), limit, keep, avoid


def brute_force(
    probabilities: dict[str, float],
    table: InteractionTable,
    limit: Limit,
    keep: set[str],
    avoid: set[str],
    cut: float,
) -> float | None:
    """The best score over every subset of the candidates; None where none is allowed."""
    candidates = [c for c, p in probabilities.items() if (p >= cut or c in keep) and c not in avoid]
    subsets = chain.from_iterable(combinations(candidates, n) for n in range(len(candidates) + 1))
    scores = [
        sum(probabilities[c] - cut for c in s) for s in subsets if keep <= set(s) and within(s, table, limit)
    ]
    return max(scores) if scores else None


@given(instances(), st.sampled_from([0.0, 0.3, 0.5]))
@settings(max_examples=200, deadline=None)
def test_safer_set_is_the_best_of_all_sets(
    instance: tuple[dict[str, float], InteractionTable, Limit, set[str], set[str]], cut: float
) -> None:
    probabilities, table, limit, keep, avoid = instance
    expected = brute_force(probabilities, table, limit, keep, avoid, cut)
    if expected is None:
        with pytest.raises(InputError, match=r"Release one"):
            safer_set(probabilities, table, cut, limit, keep=keep, avoid=avoid)
        return
    found = safer_set(probabilities, table, cut, limit, keep=keep, avoid=avoid)
    assert found.score == pytest.approx(expected, abs=1e-9)
    assert within(found.codes, table, limit)
    assert keep <= set(found.codes)
    assert not avoid & set(found.codes)
    assert found.remaining == table.among(found.codes)
    assert {lost.code for lost in found.left_out} == set(found.plain) - set(found.codes)
    for lost in found.left_out:
        for other in lost.alternatives:
            assert within((*found.codes, other.code), table, limit)
            assert other.code[:3] == lost.code[:3]
            assert other.code not in avoid | {lost.code}


@given(instances())
@settings(max_examples=40, deadline=None)
def test_without_a_limit_or_wish_the_set_is_the_plain_one(
    instance: tuple[dict[str, float], InteractionTable, Limit, set[str], set[str]],
) -> None:
    probabilities, table, *_ = instance
    found = safer_set(probabilities, table, 0.5, Limit(contraindicated=None))
    assert set(found.codes) == set(found.plain) == {c for c, p in probabilities.items() if p >= 0.5}
    assert found.cost == 0
    assert found.left_out == found.added == ()


@given(instances())
@settings(max_examples=40, deadline=None)
def test_a_stricter_limit_never_scores_better(
    instance: tuple[dict[str, float], InteractionTable, Limit, set[str], set[str]],
) -> None:
    probabilities, table, *_ = instance
    assume(probabilities)
    scores = [safer_set(probabilities, table, 0.3, Limit(major=most)).score for most in (0, 1, 3)]
    assert scores == sorted(scores)


# --- the classical prescribing cases, as single drugs and as classes

CLASSICAL = [
    ("B01AA03", "J01EE01"),
    ("C10AA01", "J01FA09"),
    ("C09AA03", "C03DA01"),
    ("C01BD01", "N05AD01"),
    ("N02AA01", "N05BA06"),
    ("L01BA01", "M01AE01"),
    ("C01AA05", "C01BD01"),
    ("N06AB06", "J01XX08"),
    ("B01AC04", "A02BC01"),
    ("N05AN01", "C03AA03"),
]


@pytest.mark.parametrize(("first", "second"), CLASSICAL)
@pytest.mark.parametrize("level", [3, 5])
def test_safer_set_avoids_each_classical_case(first: str, second: str, level: int) -> None:
    length = {3: 4, 5: 7}[level]
    a, b = first[:length], second[:length]
    table = InteractionTable(load_clinical(level))
    found = safer_set({a: 0.9, b: 0.6, "A06AD11"[:length]: 0.8}, table, 0.5, Limit(major=0))
    assert set(found.codes) == {a, "A06AD11"[:length]}
    (lost,) = found.left_out
    assert lost.code == b
    assert lost.because == table.pair(a, b)
    assert found.cost == pytest.approx(0.1) == lost.cost


def test_safer_set_replaces_clarithromycin_within_its_group() -> None:
    table = InteractionTable(load_clinical(5))
    probabilities = {
        "C10AA01": 0.9,
        "J01FA09": 0.7,
        "J01FA10": 0.45,
        "J01AA02": 0.4,
        "J01MA12": 0.2,
        "A06AD11": 0.6,
    }
    (lost,) = safer_set(probabilities, table, 0.5, Limit()).left_out
    assert [(a.code, round(a.cost, 2)) for a in lost.alternatives] == [
        ("J01FA10", 0.25),
        ("J01AA02", 0.3),
        ("J01MA12", 0.5),
    ]


# --- wishes, worked by hand


def test_wishes_are_kept_and_priced() -> None:
    table = table_of(("A01A", "B01A", "contraindicated"))
    probabilities = {"A01A": 0.9, "B01A": 0.4, "C01A": 0.2}
    found = safer_set(probabilities, table, 0.5, Limit(), keep=["B01A"])
    assert found.codes == ("B01A",)
    assert found.added == ("B01A",)
    assert found.cost == pytest.approx(0.4 + 0.1)
    found = safer_set(probabilities, table, 0.5, Limit(), avoid=["A01A"])
    assert found.codes == ()
    assert found.left_out[0].because == ()


def test_rate_is_not_thinned_out_with_unlikely_classes() -> None:
    table = table_of(("A01A", "B01A", "unknown"))
    probabilities = {"A01A": 0.9, "B01A": 0.8, "C01A": 0.49, "C01B": 0.49}
    found = safer_set(probabilities, table, 0.5, Limit(contraindicated=None, ddi_rate=0.2))
    assert found.codes == ("A01A",)
    assert (found.plain_ddi_rate, found.ddi_rate) == (1.0, 0.0)


def test_classes_that_interact_with_nothing_help_the_rate() -> None:
    table = table_of(("A01A", "B01A", "unknown"))
    probabilities = dict.fromkeys(CODES, 0.9)
    found = safer_set(probabilities, table, 0.5, Limit(ddi_rate=0.05))
    assert len(found.codes) == 7
    assert found.ddi_rate == pytest.approx(1 / 21)


@pytest.mark.parametrize(
    ("keep", "avoid", "message"),
    [
        (["A01A"], ["A01A"], "A01A must both stay and not appear"),
        (["Z99Z"], [], "Z99Z must stay but has no probability"),
        (["A01A", "B01A"], [], r"1 contraindicated pairs \(A01A with B01A\), and at most 0 are allowed"),
    ],
)
def test_wishes_that_cannot_be_are_refused(keep: list[str], avoid: list[str], message: str) -> None:
    table = table_of(("A01A", "B01A", "contraindicated"))
    with pytest.raises(InputError, match=message):
        safer_set({"A01A": 0.9, "B01A": 0.9}, table, 0.5, Limit(), keep=keep, avoid=avoid)


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="At most -1 major pairs"):
        Limit(major=-1)
    with pytest.raises(InputError, match="share from 0 to 1"):
        Limit(ddi_rate=1.5)
    with pytest.raises(InputError, match="cut-off of 2"):
        safer_set({}, table_of(), 2, Limit())
    with pytest.raises(InputError, match=r"probability of A01A is 1\.2"):
        safer_set({"A01A": 1.2}, table_of(), 0.5, Limit())


# --- time


@pytest.mark.parametrize(
    "limit",
    [Limit(), Limit(major=0), Limit(major=3), Limit(ddi_rate=0.02), Limit(major=3, ddi_rate=0.03)],
    ids=str,
)
def test_150_classes_take_under_100_milliseconds(limit: Limit) -> None:
    """Processor time, so that a busy machine does not fail it: scores as models give them, about 30 above the cut."""
    table = InteractionTable((*load_clinical(3), *load_statistical(3)))
    codes = sorted({code for pair in table for code in (pair.code_a, pair.code_b)})
    codes += [f"X{n:02}A" for n in range(150 - len(codes))]
    times = []
    for seed in range(6):
        scores = np.random.default_rng(seed).beta(0.5, 2.5, len(codes))
        probabilities = dict(zip(codes, scores.tolist(), strict=True))
        begun = time.process_time()
        found = safer_set(probabilities, table, 0.3, limit)
        times.append(time.process_time() - begun)
        assert within(found.codes, table, limit)
    assert len(codes) == 150
    assert sorted(times)[len(times) // 2] < 0.1
