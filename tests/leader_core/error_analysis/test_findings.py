"""Findings over a small hospital made by hand: what was planted stands out with the right numbers, and nothing else does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import ttest_ind

from leader_core.error_analysis import classes
from leader_core.error_analysis.comparisons import model_agreement
from leader_core.error_analysis.findings import Findings, difference, find, mean_over, take_turns
from leader_core.error_analysis.frame import Choices, Column

MODELS = ("teacher", "student")
CODES = ("A01A", "B01A", "C03C")


@dataclass
class Hospital:
    """N cases of N patients, their prescriptions and what each model says, with the face of `Analysis`."""

    truth: np.ndarray  # (N, A)
    scores: dict[str, np.ndarray]  # (N, A) by model
    gender: np.ndarray  # (N,) 0 or 1
    cut: np.ndarray  # (N,)
    codes: tuple[str, ...] = CODES
    models: dict[str, SimpleNamespace] = field(
        default_factory=lambda: {name: SimpleNamespace(threshold=0.5) for name in MODELS}
    )

    @property
    def frame(self) -> SimpleNamespace:
        columns = {
            "gender": Column("gender", ("F", "M"), self.gender.astype(np.int16)),
            "truncated": Column("truncated", ("read whole", "cut to fit"), self.cut.astype(np.int16)),
        }
        return SimpleNamespace(columns=columns, patient_numbers=np.arange(len(self.truth)))

    def metrics(self, model: str) -> SimpleNamespace:
        chosen = self.scores[model] >= 0.5
        either = (chosen | self.truth).sum(1)
        both = (chosen & self.truth).sum(1)
        jaccard = np.divide(both, either, out=np.ones(len(both)), where=either > 0).astype(np.float32)
        return SimpleNamespace(jaccard=jaccard, scored=np.ones(len(both), bool))

    @property
    def choices(self) -> Choices:
        bits = self.truth.astype(np.uint16)
        for place, name in enumerate(MODELS, 1):
            bits |= ((self.scores[name] >= 0.5).astype(np.uint16) << place).astype(np.uint16)
        rows, numbers = np.nonzero(bits)
        return Choices(MODELS, rows.astype(np.int32), numbers.astype(np.int16), bits[rows, numbers])

    def class_counts(self, model: str, within: np.ndarray) -> classes.ClassCounts:
        return classes.class_counts(self.choices, model, len(CODES), within)

    def agreement(self, first: str, second: str, within: np.ndarray):  # type: ignore[no-untyped-def]
        return model_agreement(self.choices, first, second, len(CODES), within)

    def probabilities(self, model: str, progress: object = None) -> np.ndarray:
        return self.scores[model]

    def known(self, model: str) -> np.ndarray:
        return np.ones(len(CODES), bool)


def hospital(cases: int = 200) -> Hospital:
    """Every class ordered in half of the cases, both models always right, calibrated, men and women alike."""
    truth = np.zeros((cases, len(CODES)), bool)
    for i in range(len(CODES)):
        truth[i::2, i] = True
    scores = {name: np.where(truth, 0.98, 0.02).astype(np.float32) for name in MODELS}
    halves = np.arange(cases) // 2 % 2
    return Hospital(truth, scores, halves, np.zeros(cases, bool))


def found(made: Hospital, model: str = "student", other: str | None = "teacher") -> Findings:
    return find(made, model, other, np.ones(len(made.truth), bool))  # type: ignore[arg-type]


def test_where_nothing_is_wrong_nothing_stands_out() -> None:
    result = found(hospital())
    assert result.findings == () and result.tests == len(result.unclear) > 0


def test_a_class_that_is_never_suggested_stands_first_with_its_orders() -> None:
    made = hospital()
    made.scores["student"][:, 0] = 0.1
    first = found(made).findings[0]
    assert (first.kind, first.subject, first.cases, first.of) == ("never", ("A01A",), 100, 100)
    assert first.value.value == 0 and first.value.high == pytest.approx(0.037, abs=1e-3), "Wilson: 0 of 100"
    assert first.weight == pytest.approx(96.3, abs=0.1), "orders times the least share that is missed"
    assert first.other == 1.0, "the teacher suggests all of them"
    assert [c.text for c in first.conditions] == ["class:A01A:prescribed-1:student-0"]


def test_kinds_take_turns_and_within_a_turn_the_heaviest_is_first() -> None:
    made = hospital()
    made.scores["student"][:, 0] = 0.1
    one = found(made).findings[0]
    every = [replace(one, kind=kind, weight=weight) for kind, weight in  # type: ignore[arg-type]
             (("group", 5), ("never", 90), ("never", 80), ("cut", 7), ("group", 6), ("never", 70))]  # fmt: skip
    assert [(f.kind, f.weight) for f in take_turns(every)] == [
        ("never", 90), ("cut", 7), ("group", 6), ("never", 80), ("group", 5), ("never", 70)
    ]  # fmt: skip


def test_a_class_below_twenty_orders_is_no_finding() -> None:
    made = hospital()
    made.truth[19 * 2 :, 0] = False
    for scores in made.scores.values():
        scores[:, 0] = 0.1
    assert [f for f in found(made).findings if f.subject == ("A01A",)] == []


def test_a_group_that_does_worse_is_compared_with_all_other_cases() -> None:
    made = hospital()
    men = np.flatnonzero(made.gender == 1)
    wrong = men[: len(men) * 3 // 4]
    made.scores["student"][wrong, 1] = 1 - made.scores["student"][wrong, 1]
    made.scores["student"][0, 1] = (
        1 - made.scores["student"][0, 1]
    )  # one woman's, so that no group is all alike
    group = next(f for f in found(made).findings if f.kind == "group")
    assert group.subject == ("gender", "M") and group.cases == len(men)
    jaccard = made.metrics("student").jaccard.astype(np.float64)
    inside = made.gender == 1
    assert group.value.value == pytest.approx(jaccard[inside].mean()) and group.against == pytest.approx(
        jaccard[~inside].mean()
    )
    by_scipy = ttest_ind(jaccard[inside], jaccard[~inside], equal_var=False)
    gap, p = difference(
        mean_over(jaccard[inside], np.arange(int(inside.sum()))),
        mean_over(jaccard[~inside], np.arange((~inside).sum())),
    )
    assert p == pytest.approx(by_scipy.pvalue)
    interval = by_scipy.confidence_interval()
    assert (gap.low, gap.high) == pytest.approx((interval.low, interval.high))
    assert group.p is not None and group.p >= p, "corrected for all comparisons"
    assert group.weight == pytest.approx(-gap.high * len(men))


def test_what_is_lost_against_the_teacher_is_the_net_of_both_directions() -> None:
    made = hospital()
    ordered = np.flatnonzero(made.truth[:, 2])
    made.scores["student"][ordered[:40], 2] = 0.1  # misses 40 orders
    lost = next(f for f in found(made).findings if f.kind == "lost")
    assert (lost.subject, lost.cases, lost.of) == (("C03C",), 40, 200)
    assert [c.text for c in lost.conditions] == ["class:C03C:prescribed-1:teacher-1:student-0"]
    other = np.flatnonzero(~made.truth[:, 2])
    made.scores["teacher"][other[:40], 2] = 0.9  # and the teacher adds as many that were not ordered
    assert not [f for f in found(made).findings if f.kind in ("lost", "extra")], "neither is worse"


def test_calibration_that_is_off_names_the_direction() -> None:
    made = hospital()
    made.scores["student"][:, 0] = np.where(made.truth[:, 0], 0.98, 0.3)
    off = next(f for f in found(made).findings if f.kind == "calibration")
    assert off.subject == ("A01A",) and off.gap is not None
    assert off.value.value == pytest.approx(0.64) and off.against == pytest.approx(0.5)
    assert off.gap.value == pytest.approx(0.14) and off.gap.low > 0
    assert off.conditions[0].text == "class:A01A:prescribed-0:student-1"


def test_cut_prompts_are_the_teachers_with_the_students_difference_next_to_it() -> None:
    made = hospital()
    made.cut[:50] = True
    made.scores["teacher"][:40, 1] = 1 - made.scores["teacher"][:40, 1]
    result = found(made)
    cut = next(f for f in result.findings if f.kind == "cut")
    assert (cut.model, cut.cases, cut.other) == ("teacher", 50, 0.0)
    assert cut.value.value < cut.against == 1.0
    assert [c.text for c in cut.conditions] == ["truncated:is:1"]
    made.scores["teacher"] = hospital().scores["teacher"]
    assert [f.kind for f in found(made).unclear].count("cut") == 1, "looked at, not found"


def test_a_patients_cases_count_together() -> None:
    values = np.array([0.0, 0, 0, 1, 1, 1])
    one = mean_over(values, np.array([0, 0, 0, 1, 1, 1]))
    assert one.patients == 2 and one.error > 2 * mean_over(values, np.arange(6)).error
