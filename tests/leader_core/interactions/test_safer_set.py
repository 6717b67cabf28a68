"""The safer set against brute force, on the classical cases, with pinned and avoided classes, and within its time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from leader_core.domain import Interaction, Severity
from leader_core.errors import InputError
from leader_core.interactions import InteractionTable, load_clinical, load_statistical
from leader_core.interactions.safer_set import Limit, safer_set

CODES = ("A01A", "A01B", "A02A", "B01A", "B01B", "C01A", "C01B")


def table_of(*pairs: tuple[str, str, Severity]) -> InteractionTable:
    return InteractionTable(Interaction(a, b, severity, "test") for a, b, severity in pairs)


def keeps(codes: Iterable[str], table: InteractionTable, limit: Limit) -> bool:
    """Does a set keep the limit?"""
    severities = [pair.severity for pair in table.among(codes)]
    for severity, most in limit.by_severity():
        if most is not None and severities.count(severity) > most:
            return False
    return limit.ddi_rate is None or table.density(codes) <= limit.ddi_rate + 1e-9


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
        sum(probabilities[c] - cut for c in s) for s in subsets if keep <= set(s) and keeps(s, table, limit)
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
    safer = safer_set(probabilities, table, cut, limit, keep=keep, avoid=avoid)
    assert safer.score == pytest.approx(expected, abs=1e-9)
    assert keeps(safer.codes, table, limit)
    assert keep <= set(safer.codes)
    assert not avoid & set(safer.codes)
    assert safer.remaining == table.among(safer.codes)
    assert {left_out.code for left_out in safer.left_out} == set(safer.plain) - set(safer.codes)
    for left_out in safer.left_out:
        for other in left_out.alternatives:
            assert keeps((*safer.codes, other.code), table, limit)
            assert other.code[:3] == left_out.code[:3]
            assert other.code not in avoid | {left_out.code}


@given(instances())
@settings(max_examples=40, deadline=None)
def test_without_a_limit_the_set_is_the_plain_one(
    instance: tuple[dict[str, float], InteractionTable, Limit, set[str], set[str]],
) -> None:
    probabilities, table, *_ = instance
    safer = safer_set(probabilities, table, 0.5, Limit(contraindicated=None))
    assert set(safer.codes) == set(safer.plain) == {c for c, p in probabilities.items() if p >= 0.5}
    assert safer.cost == 0
    assert safer.left_out == safer.added == ()


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
    safer = safer_set({a: 0.9, b: 0.6, "A06AD11"[:length]: 0.8}, table, 0.5, Limit(major=0))
    assert set(safer.codes) == {a, "A06AD11"[:length]}
    (left_out,) = safer.left_out
    assert left_out.code == b
    assert left_out.because == table.pair(a, b)
    assert safer.cost == pytest.approx(0.1) == left_out.cost


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
    (left_out,) = safer_set(probabilities, table, 0.5, Limit()).left_out
    assert [(a.code, round(a.cost, 2)) for a in left_out.alternatives] == [
        ("J01FA10", 0.25),
        ("J01AA02", 0.3),
        ("J01MA12", 0.5),
    ]


# --- wishes, worked by hand


def test_wishes_are_kept_and_priced() -> None:
    table = table_of(("A01A", "B01A", "contraindicated"))
    probabilities = {"A01A": 0.9, "B01A": 0.4, "C01A": 0.2}
    safer = safer_set(probabilities, table, 0.5, Limit(), keep=["B01A"])
    assert safer.codes == ("B01A",)
    assert safer.added == ("B01A",)
    assert safer.cost == pytest.approx(0.4 + 0.1)
    safer = safer_set(probabilities, table, 0.5, Limit(), avoid=["A01A"])
    assert safer.codes == ()
    assert safer.left_out[0].because == ()


def test_rate_is_not_thinned_out_with_unlikely_classes() -> None:
    table = table_of(("A01A", "B01A", "unknown"))
    probabilities = {"A01A": 0.9, "B01A": 0.8, "C01A": 0.49, "C01B": 0.49}
    safer = safer_set(probabilities, table, 0.5, Limit(contraindicated=None, ddi_rate=0.2))
    assert safer.codes == ("A01A",)
    assert (safer.plain_ddi_rate, safer.ddi_rate) == (1.0, 0.0)


def test_classes_that_interact_with_nothing_help_the_rate() -> None:
    table = table_of(("A01A", "B01A", "unknown"))
    probabilities = dict.fromkeys(CODES, 0.9)
    safer = safer_set(probabilities, table, 0.5, Limit(ddi_rate=0.05))
    assert len(safer.codes) == 7
    assert safer.ddi_rate == pytest.approx(1 / 21)


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
        safer = safer_set(probabilities, table, 0.3, limit)
        times.append(time.process_time() - begun)
        assert keeps(safer.codes, table, limit)
    assert len(codes) == 150
    assert sorted(times)[len(times) // 2] < 0.1
