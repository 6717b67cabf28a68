"""Calibration finds what was done to probabilities, keeps the order, and conformal sets keep their promise."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leader_core.errors import ArtifactError
from leader_core.evaluation.calibration import (
    Calibration,
    conformal_cutoff,
    covered,
    expected_error,
    fit_calibration,
    reliability,
)

PLAIN = Calibration(1.0, 0.0, 10, 0.0, 0.0, ())


def drawn(cases: int, seed: int, width: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Honest probabilities and what came of them."""
    random = np.random.default_rng(seed)
    predicted = random.beta(0.5, 1.5, (cases, width))
    return predicted, random.random((cases, width)) < predicted


def distorted(predicted: np.ndarray, temperature: float, bias: float) -> np.ndarray:
    """The probabilities of a model that calibration with these values corrects."""
    logits = (np.log(predicted / (1 - predicted)) - bias) * temperature
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


@pytest.mark.parametrize(("temperature", "bias"), [(1.0, 0.0), (2.5, 0.3), (0.5, -0.7)])
def test_the_distortion_is_estimated_and_corrected(temperature: float, bias: float) -> None:
    predicted, truth = drawn(3000, 1)
    predicted = np.clip(predicted, 1e-3, 1 - 1e-3)
    given = distorted(predicted, temperature, bias)
    fitted = fit_calibration(given, truth)
    assert fitted.temperature == pytest.approx(temperature, rel=0.03)
    assert fitted.bias == pytest.approx(bias, abs=0.03)
    assert fitted.ece_after < 0.01
    if temperature != 1:
        assert fitted.ece_before > 5 * fitted.ece_after
    np.testing.assert_allclose(fitted.apply(given), predicted, atol=0.02)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 10), st.floats(-3, 3), st.integers(0, 2**32 - 1))
def test_the_order_of_classes_never_changes(temperature: float, bias: float, seed: int) -> None:
    given = np.sort(np.random.default_rng(seed).random(50).astype(np.float32))
    calibrated = dataclasses.replace(PLAIN, temperature=temperature, bias=bias).apply(given)
    assert (np.diff(calibrated) >= 0).all()
    assert ((calibrated >= 0) & (calibrated <= 1)).all()


def test_certain_probabilities_stay_numbers() -> None:
    calibrated = dataclasses.replace(PLAIN, temperature=0.5).apply(np.array([0.0, 1.0], np.float32))
    assert calibrated[0] < 1e-6 and calibrated[1] > 1 - 1e-6


def test_the_expected_error_is_worked_by_hand() -> None:
    predicted = np.array([[0.1, 0.1, 0.9, 0.9]])
    truth = np.array([[False, True, True, True]])
    bins = reliability(predicted, truth, bins=2)
    assert [each.count for each in bins] == [2, 2]
    assert [each.observed for each in bins] == [0.5, 1.0]
    assert expected_error(bins) == pytest.approx(0.5 * 0.4 + 0.5 * 0.1)
    assert [each.count for each in reliability(np.array([[0.0, 1.0]]), truth[:, :2], bins=4)] == [1, 0, 0, 1]


def test_the_cutoff_is_worked_by_hand() -> None:
    predicted = np.array([[0.9, 0.5, 0.1], [0.8, 0.7, 0.2], [0.6, 0.4, 0.3]])
    truth = np.array([[True, False, True], [True, True, False], [False, True, False]])
    # the highest cut-offs that keep everything: 0.1, 0.7, 0.4; that keep half: 0.9, 0.8, 0.4
    assert conformal_cutoff(predicted, truth, 1.0, 0.75) == 0.1  # k = floor(4 * 0.25) = 1
    assert conformal_cutoff(predicted, truth, 1.0, 0.5) == 0.4
    assert conformal_cutoff(predicted, truth, 0.5, 0.5) == 0.8
    assert conformal_cutoff(predicted, truth, 1.0, 0.9) is None  # three cases cannot promise nine in ten
    assert covered(predicted, truth, 0.4, 1.0).tolist() == [False, True, True]


def test_nothing_prescribed_is_always_held_and_what_cannot_be_named_never() -> None:
    predicted, truth = np.full((2, 3), 0.5), np.zeros((2, 3), bool)
    truth[1, 0] = True
    assert covered(predicted, truth, 1.0, 0.9).tolist() == [True, False]
    assert covered(predicted, truth, 0.0, 0.9, missed=np.array([1, 1])).tolist() == [False, False]
    assert covered(predicted, truth, 0.0, 0.5, missed=np.array([0, 1])).tolist() == [True, True]
    assert conformal_cutoff(predicted, truth, 0.9, 0.5, missed=np.array([1, 1])) is None


@pytest.mark.parametrize(("share", "confidence"), [(0.5, 0.9), (0.9, 0.8), (1.0, 0.9)])
def test_the_coverage_holds_on_new_cases(share: float, confidence: float) -> None:
    coverages = []
    for seed in range(60):
        predicted, truth = drawn(260, seed)
        predicted = predicted**2  # the promise does not depend on honest probabilities
        cutoff = conformal_cutoff(predicted[:60], truth[:60], share, confidence)
        assert cutoff is not None
        coverages.append(covered(predicted[60:], truth[60:], cutoff, share).mean())
    error = np.std(coverages) / np.sqrt(len(coverages))
    assert confidence - 3 * error <= np.mean(coverages) <= confidence + 1 / 61 + 3 * error


def test_a_set_for_more_is_never_smaller() -> None:
    predicted, truth = drawn(500, 3)
    fitted = fit_calibration(predicted.astype(np.float32), truth)
    by_share = [fitted.cutoff(share, 0.9) for share in (0.5, 0.7, 0.9, 1.0)]
    by_confidence = [fitted.cutoff(0.9, confidence) for confidence in (0.8, 0.9, 0.95)]
    assert by_share == sorted(by_share, reverse=True)
    assert by_confidence == sorted(by_confidence, reverse=True)
    with pytest.raises(KeyError):
        fitted.cutoff(0.123, 0.9)


def test_without_both_outcomes_there_is_nothing_to_fit() -> None:
    with pytest.raises(ValueError, match="needs cases"):
        fit_calibration(np.zeros((0, 4), np.float32), np.zeros((0, 4), bool))


def test_it_is_kept_as_json_and_read_strictly() -> None:
    predicted, truth = drawn(100, 4)
    fitted = fit_calibration(predicted.astype(np.float32), truth)
    record = json.loads(json.dumps(dataclasses.asdict(fitted)))
    assert Calibration.from_json(record) == fitted
    for wrong in ({**record, "extra": 1}, {**record, "temperature": 0.0}, {"temperature": 1.0}):
        with pytest.raises(ArtifactError, match="calibration"):
            Calibration.from_json(wrong)
