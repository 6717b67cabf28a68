"""Paired comparisons: the difference is the difference, chance is not mistaken for one, and patients are the units."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import permutation_test

from leader_core.evaluation.bootstrap import intervals, paired_intervals, share, swap_test
from leader_core.evaluation.comparison import compare
from leader_core.evaluation.metrics import METRICS, CaseMetrics, case_metrics, evaluate, mean_cases


def drawn(
    seed: int, skill: float, cases: int = 150, width: int = 30
) -> tuple[CaseMetrics, np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    truth = random.random((cases, width)) < 0.3
    table = np.triu(random.random((width, width)) < 0.1, 1)
    noise = np.random.default_rng(seed).random((cases, width))
    scores = (0.5 * noise + skill * truth).astype(np.float32)
    return case_metrics(scores, truth, 0.4, table | table.T), scores, truth


def everyone(cases: int = 150) -> dict[str, np.ndarray]:
    return {"overall": np.ones(cases, bool), "nobody": np.zeros(cases, bool)}


def test_the_difference_is_that_of_the_two_tables() -> None:
    (first, scores, truth), (second, others, _) = drawn(1, 0.3), drawn(2, 0.1)
    result = compare(first, second, everyone(), swaps=200)["overall"]
    tables = [evaluate(s, truth, 0.4, None, everyone())["overall"] for s in (scores, others)]
    for name in ("prauc", "jaccard", "f1", "precision", "recall", "medications"):
        values = [table.scores[name].value for table in tables]
        assert result[name].value == pytest.approx(values[0] - values[1])
        assert result[name].low <= result[name].value <= result[name].high
    assert result["prauc"].low > 0 and result["prauc"].p < 0.01


def test_a_model_is_not_better_than_itself() -> None:
    first, _, _ = drawn(1, 0.2)
    result = compare(first, first, everyone(), swaps=100)["overall"]
    assert {(d.value, d.low, d.high, d.p) for d in result.values()} == {(0.0, 0.0, 0.0, 1.0)}


def test_empty_groups_and_absent_rates_have_no_difference() -> None:
    first, _, _ = drawn(1, 0.2)
    result = compare(first, first, everyone(), with_rates=False, swaps=10)
    assert result["nobody"] == dict.fromkeys(METRICS)
    assert result["overall"]["ddi_rate"] is None


def test_chance_is_seldom_called_a_difference() -> None:
    low = sum(
        compare(drawn(seed, 0.2)[0], drawn(1000 + seed, 0.2)[0], everyone(), resamples=0, swaps=200)[
            "overall"
        ]["prauc"].p
        < 0.05
        for seed in range(60)
    )
    assert low <= 9  # 3 expected; ten and more happen once in two thousand times


def test_p_is_that_of_scipys_paired_permutations() -> None:
    first, second = drawn(1, 0.2)[0], drawn(2, 0.19)[0]
    result = compare(first, second, everyone(), resamples=0, swaps=4000)["overall"]["jaccard"]
    theirs = permutation_test(
        (first.jaccard, second.jaccard),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=4000,
        vectorized=True,
        rng=np.random.default_rng(3),
    )
    assert result.p == pytest.approx(theirs.pvalue, abs=0.03)


def test_patients_are_drawn_and_swapped_with_all_their_cases() -> None:
    first, second = drawn(1, 0.2, cases=20)[0], drawn(2, 0.19, cases=20)[0]
    many = np.repeat(np.arange(20), 30)

    def repeated(cases: CaseMetrics) -> CaseMetrics:
        return CaseMetrics(**{name: getattr(cases, name)[many] for name in CaseMetrics.__slots__})

    once = compare(first, second, everyone(20), swaps=500)["overall"]["f1"]
    as_patients = compare(repeated(first), repeated(second), everyone(600), patients=many, swaps=500)[
        "overall"
    ]["f1"]
    as_cases = compare(repeated(first), repeated(second), everyone(600), swaps=500)["overall"]["f1"]
    assert as_patients.p == once.p
    assert (as_patients.low, as_patients.high) == pytest.approx((once.low, once.high))
    assert as_cases.high - as_cases.low < 0.5 * (once.high - once.low)


def test_other_cases_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="expected the same ones"):
        compare(drawn(1, 0.2, cases=10)[0], drawn(1, 0.2, cases=11)[0], everyone(10))


def test_the_interval_of_a_mean_is_the_textbooks() -> None:
    random = np.random.default_rng(5)
    values = random.normal(1.0, 2.0, (400, 1))
    low, high = intervals(values, np.ones_like(values), 4000, random)
    error = values.std() / 20
    assert (low[0], high[0]) == pytest.approx(
        (values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.15 * error
    )


def test_pairing_takes_out_what_both_share() -> None:
    random = np.random.default_rng(6)
    shared = random.normal(0, 5, (300, 1))
    first, second = shared + random.normal(0.2, 0.5, (300, 1)), shared
    ones = np.ones_like(shared)
    low, high = paired_intervals((first, ones), (second, ones), 500, random)
    apart = intervals(first, ones, 500, random)
    assert high - low < 0.2 * (apart[1] - apart[0])
    assert swap_test((first, ones), (second, ones), 500, random)[0] < 0.01


def test_seeds_are_averaged_case_by_case() -> None:
    runs = [drawn(seed, 0.2)[0] for seed in (1, 2, 3)]
    mean = mean_cases(runs)
    np.testing.assert_allclose(mean.prauc, np.mean([run.prauc for run in runs], axis=0))
    assert share(1.0, 0.0) == 0
