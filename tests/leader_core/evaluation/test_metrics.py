"""The evaluator against hand-worked cases, scikit-learn, and every empty case it defines."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, jaccard_score, precision_score, recall_score

from leader_core.evaluation.metrics import average_precision, case_metrics, choose_threshold, evaluate


def rows(*values: list[float]) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def test_a_case_worked_by_hand() -> None:
    scores = rows([0.9, 0.8, 0.7, 0.1])
    truth = np.array([[True, False, True, False]])
    table = np.zeros((4, 4), bool)
    table[0, 1] = table[1, 0] = True
    charts = case_metrics(scores, truth, 0.5, table)
    assert charts.prauc[0] == pytest.approx((1 + 2 / 3) / 2)
    assert charts.jaccard[0] == pytest.approx(2 / 3)  # 3 chosen, 2 of them right, none missed
    assert charts.precision[0] == pytest.approx(2 / 3)
    assert charts.recall[0] == 1
    assert charts.f1[0] == pytest.approx(0.8)
    assert charts.medications[0] == 3
    assert (charts.interacting[0], charts.pairs[0]) == (1, 3)
    assert (charts.real_interacting[0], charts.real_pairs[0]) == (0, 1)


def test_selected_means_at_or_above_the_threshold() -> None:
    assert case_metrics(rows([0.5, 0.4999]), np.array([[True, True]]), 0.5, None).medications[0] == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_average_precision_is_scikit_learns_ties_included(width: int, levels: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = (random.integers(0, levels, (5, width)) / levels).astype(np.float32)
    truth = random.random((5, width)) < 0.3
    truth[:, 0] = True  # scikit-learn warns without a positive
    expected = [average_precision_score(t, s) for t, s in zip(truth, scores, strict=True)]
    np.testing.assert_allclose(average_precision(scores, truth), expected, atol=1e-9)


def test_average_precision_without_positives_is_zero_and_left_out_of_the_mean() -> None:
    scores, truth = rows([0.9, 0.2], [0.9, 0.2]), np.array([[True, False], [False, False]])
    assert average_precision(scores, truth).tolist() == [1, 0]
    group = evaluate(scores, truth, 0.5, None, {"overall": np.ones(2, bool)})["overall"]
    assert group.scores["prauc"].value == 1
    assert group.without_truth == 1


@pytest.mark.parametrize(
    ("chosen", "real", "expected"),
    [((), (), 1.0), ((0,), (), 0.0), ((), (0,), 0.0), ((0,), (1,), 0.0), ((0,), (0,), 1.0)],
)
def test_empty_and_disjoint_sets_are_defined(
    chosen: tuple[int, ...], real: tuple[int, ...], expected: float
) -> None:
    scores, truth = np.zeros((1, 3), np.float32), np.zeros((1, 3), bool)
    scores[0, list(chosen)] = 1
    truth[0, list(real)] = True
    charts = case_metrics(scores, truth, 0.5, None)
    assert [charts.jaccard[0], charts.precision[0], charts.recall[0], charts.f1[0]] == [expected] * 4


def test_no_pair_gives_a_rate_of_zero() -> None:
    group = evaluate(
        rows([0.9, 0.1]), np.array([[True, False]]), 0.5, np.ones((2, 2), bool), {"all": np.ones(1, bool)}
    )["all"]
    assert group.scores["ddi_rate"].value == 0
    assert group.real_ddi_rate == 0


def test_the_interaction_rate_pools_the_pairs_of_all_cases() -> None:
    table = np.zeros((4, 4), bool)
    table[0, 1] = table[1, 0] = True
    scores = rows([1, 1, 0, 0], [1, 1, 1, 1])  # 1 of 1 pairs, 1 of 6
    group = evaluate(scores, scores > 0, 0.5, table, {"all": np.ones(2, bool)})["all"]
    assert group.scores["ddi_rate"].value == pytest.approx(2 / 7)
    assert group.real_ddi_rate == pytest.approx(2 / 7)


def test_an_empty_group_has_no_metrics() -> None:
    group = evaluate(rows([0.9]), np.array([[True]]), 0.5, None, {"multi-visit": np.zeros(1, bool)})[
        "multi-visit"
    ]
    assert group.cases == 0
    assert set(group.scores.values()) == {None}


def test_without_an_interaction_table_there_is_no_rate() -> None:
    group = evaluate(rows([0.9, 0.8]), np.array([[True, True]]), 0.5, None, {"all": np.ones(1, bool)})["all"]
    assert group.scores["ddi_rate"] is None
    assert group.real_ddi_rate is None


def test_a_class_the_model_cannot_name_counts_as_missed() -> None:
    scores = rows([0.9, 0.8, 0.9])
    truth = np.array([[True, False, True]])
    charts = case_metrics(scores, truth, 0.5, None, known=np.array([True, True, False]))
    assert charts.medications[0] == 2  # never predicted, whatever its score
    assert charts.recall[0] == 0.5
    assert charts.jaccard[0] == pytest.approx(1 / 3)
    assert charts.prauc[0] == 0.5  # ranked perfectly, but half of what was given cannot be ranked


def test_groups_are_their_own_cases_and_rounds_are_reproducible() -> None:
    random = np.random.default_rng(1)
    scores, truth = random.random((200, 20)).astype(np.float32), random.random((200, 20)) < 0.3
    first = np.arange(200) < 80
    groups = {"overall": np.ones(200, bool), "single-visit": first, "multi-visit": ~first}
    result = evaluate(scores, truth, 0.5, None, groups)
    again = evaluate(scores, truth, 0.5, None, groups)
    assert result == again
    alone = evaluate(scores[first], truth[first], 0.5, None, {"x": np.ones(80, bool)})["x"]
    assert result["single-visit"].scores == alone.scores
    pooled = (
        80 * result["single-visit"].scores["f1"].value + 120 * result["multi-visit"].scores["f1"].value
    ) / 200
    assert result["overall"].scores["f1"].value == pytest.approx(pooled)
    score = result["overall"].scores["f1"]
    assert score.low < score.value < score.high
    assert 0 < score.std < score.high - score.low  # ten overlapping rounds understate the spread


def test_the_bootstrap_draws_patients_not_cases() -> None:
    random = np.random.default_rng(2)
    scores, truth = random.random((20, 30)).astype(np.float32), random.random((20, 30)) < 0.3
    many = np.repeat(np.arange(20), 50)
    everyone = {"all": np.ones(1000, bool)}
    as_patients = evaluate(scores[many], truth[many], 0.5, None, everyone, patients=many)["all"]
    as_cases = evaluate(scores[many], truth[many], 0.5, None, everyone)["all"]
    assert as_patients.patients == 20
    width = {k: g.scores["f1"].high - g.scores["f1"].low for k, g in (("p", as_patients), ("c", as_cases))}
    assert width["p"] > 4 * width["c"]


def test_the_chosen_threshold_is_the_best_on_its_grid() -> None:
    random = np.random.default_rng(3)
    truth = random.random((300, 15)) < 0.3
    scores = np.clip(truth * 0.3 + random.random((300, 15)) * 0.6, 0, 1).astype(np.float32)
    best = choose_threshold(scores, truth)
    tried = {t: case_metrics(scores, truth, t, None).jaccard.mean() for t in np.arange(1, 200) / 200}
    assert tried[best] == pytest.approx(max(tried.values()))


def test_missed_classes_weigh_in_the_threshold() -> None:
    scores = np.array([[0.9, 0.6]], np.float32)
    truth = np.array([[True, False]])
    assert 0.6 < choose_threshold(scores, truth) <= 0.9
    assert choose_threshold(scores, truth, missed=np.array([3])) > 0.6


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 60), st.integers(1, 40), st.integers(0, 2**32 - 1), st.booleans())
def test_every_figure_is_scikit_learns_case_by_case(width: int, levels: int, seed: int, double: bool) -> None:
    random = np.random.default_rng(seed)
    scores = (random.integers(-levels, levels + 1, (6, width)) / levels).astype(
        np.float64 if double else np.float32
    )
    truth = random.random((6, width)) < 0.4
    charts = case_metrics(scores, truth, 0.25, None)
    chosen = scores >= 0.25
    for i in range(6):
        if not truth[i].any():
            assert np.isnan(charts.prauc[i])
            continue
        assert charts.prauc[i] == pytest.approx(average_precision_score(truth[i], scores[i]), abs=1e-9)
        for name, theirs in (
            ("jaccard", jaccard_score),
            ("precision", precision_score),
            ("recall", recall_score),
            ("f1", f1_score),
        ):
            expected = theirs(truth[i], chosen[i], zero_division=0)
            assert getattr(charts, name)[i] == pytest.approx(expected, abs=1e-9)


def test_scores_that_only_differ_in_the_last_bit_are_not_tied() -> None:
    low = np.float32(0.3)
    high = np.nextafter(low, np.float32(1))
    truth = np.array([[False, True]])
    assert average_precision(np.array([[low, high]]), truth)[0] == 1
    assert average_precision(np.array([[high, low]]), truth)[0] == 0.5
    assert average_precision(np.array([[0.0, -0.0]], np.float32), truth)[0] == 0.5
    tiny = np.array([[0.3, 0.3 + 1e-16 + 1e-15]])  # apart as doubles, equal as floats
    assert average_precision(tiny, truth)[0] == 1
    assert average_precision(tiny.astype(np.float32), truth)[0] == 0.5


def test_what_is_not_a_number_cannot_be_ranked() -> None:
    with pytest.raises(ValueError, match="not a number"):
        average_precision(rows([0.1, float("nan")]), np.array([[True, False]]))


def test_a_large_evaluation_takes_seconds() -> None:
    random = np.random.default_rng(4)
    scores = random.random((20_000, 150), dtype=np.float32)
    truth = random.random((20_000, 150), dtype=np.float32) < 0.1
    start = time.process_time()
    evaluate(
        scores, truth, 0.5, truth[:150] | truth[:150].T, {"overall": np.ones(20_000, bool)}, resamples=100
    )
    assert time.process_time() - start < 15
