"""Error analysis over stored scores: equal to the evaluator case by case, to counts by hand, and to each other."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leader_core.cohort import Cohort
from leader_core.error_analysis import (
    Analysis,
    Condition,
    Grouping,
    GroupScores,
    MetricEstimate,
    Selection,
    classed,
)
from leader_core.errors import InputError, NotFoundError
from leader_core.evaluation.calibration import expected_error, reliability
from leader_core.evaluation.metrics import METRICS, case_metrics, evaluate
from tests.planted import CUT, Planted


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, synthetic_cohort: Path) -> Planted:
    return Planted(synthetic_cohort, tmp_path_factory.mktemp("analysis"))


@pytest.fixture(scope="module")
def analysis(planted: Planted) -> Analysis:
    return Analysis.of(planted.cohort)


@pytest.fixture(scope="module")
def order(planted: Planted, analysis: Analysis) -> np.ndarray:
    """Rows of the frame -> rows of the planted arrays."""
    place = {visit: n for n, visit in enumerate(planted.columns.visit_ids.tolist())}
    return np.array([place[visit] for visit in analysis.frame.visit_ids.tolist()])


def test_without_stored_scores_the_command_is_named(synthetic_cohort: Path) -> None:
    with pytest.raises(NotFoundError, match="python -m train scores --cohort"):
        Analysis.of(Cohort.open(synthetic_cohort))


def test_models_stand_in_order_and_what_was_prescribed_is_none(analysis: Analysis) -> None:
    assert list(analysis.models) == ["teacher", "student", "popularity"]
    with pytest.raises(NotFoundError, match="retain"):
        analysis.metrics("retain")


@pytest.mark.parametrize("model", list(CUT))
def test_metrics_of_each_case_are_the_evaluators(
    planted: Planted, analysis: Analysis, order: np.ndarray, model: str
) -> None:
    table = planted.cohort.interactions.statistical_matrix(planted.codes)
    expected = case_metrics(
        planted.scores[model], planted.truth, CUT[model], table, known=planted.known[model]
    )
    result = analysis.metrics(model)
    there = planted.there[model][order]
    assert (result.scored == there).all() and there.sum() > 0
    for name in ("prauc", "jaccard", "f1", "precision", "recall", "medications", "pairs", "interacting"):
        mine, theirs = result.of(name), getattr(expected, name)[order]
        assert np.allclose(mine[there], theirs[there], atol=1e-6, equal_nan=True), name
        assert np.isnan(mine[~there]).all()


@pytest.mark.parametrize("field", ["gender", "ethnicity", "history", "age_band", "split"])
def test_groups_are_the_evaluators(
    planted: Planted, analysis: Analysis, order: np.ndarray, field: str
) -> None:
    column = analysis.column(field)
    grouping = analysis.by(field, ["student"])
    table = planted.cohort.interactions.statistical_matrix(planted.codes)
    back = np.argsort(order)
    masks = {value: (column.codes == i)[back] for i, value in enumerate(column.values)}
    expected = evaluate(
        planted.scores["student"],
        planted.truth,
        CUT["student"],
        table,
        masks,
        known=planted.known["student"],
        patients=planted.columns.patient_ids,
    )
    assert sum(row.cases for row in grouping.rows) == len(planted.columns)
    for value in column.values:
        mine, theirs = next(r for r in grouping.rows if r.group == value), expected[value]
        assert (mine.cases, mine.patients) == (theirs.cases, theirs.patients)
        assert mine.real_medications == pytest.approx(theirs.real_medications, rel=1e-5)
        assert mine.real_ddi_rate == pytest.approx(theirs.real_ddi_rate, rel=1e-5)
        assert mine.few == (theirs.cases < 20)
        for name in METRICS:
            one, other = mine.scores[name], theirs.scores[name]
            assert (one is None) == (other is None), name
            if one is None or other is None:
                continue
            assert one.value == pytest.approx(other.value, abs=1e-5), name
            width = max(other.high - other.low, 1e-6)
            assert one.low == pytest.approx(other.low, abs=0.2 * width), name
            assert one.high == pytest.approx(other.high, abs=0.2 * width), name


def test_gaps_are_differences_to_the_largest_group(analysis: Analysis) -> None:
    grouping = analysis.by("gender", ["teacher"])
    largest = max(grouping.rows, key=lambda row: row.cases)
    assert grouping.reference == largest.group and largest.gaps["jaccard"] is None
    other = next(row for row in grouping.rows if row.group != largest.group)
    gap = other.gaps["jaccard"]
    assert gap is not None and other.scores["jaccard"] and largest.scores["jaccard"]
    assert gap.value == pytest.approx(other.scores["jaccard"].value - largest.scores["jaccard"].value)
    assert gap.low < gap.value < gap.high and gap.p is not None and 0 <= gap.p <= 1


def test_stars_are_corrected_and_never_on_few_cases() -> None:
    """Of 40 groups, one is clearly off, one a little (as one of 40 is by chance), and one tiny one very much."""
    estimates = [MetricEstimate(-0.1, -0.15, -0.05, 1e-6), MetricEstimate(-0.02, -0.04, -0.001, 0.04)]
    estimates += [MetricEstimate(-0.5, -0.9, -0.1, 1e-9)] + [MetricEstimate(0.0, -0.1, 0.1, 0.5)] * 37
    cases = [500, 500, 3] + [500] * 37
    rows = tuple(
        GroupScores(str(i), "student", n, n, {"jaccard": gap}, {"jaccard": gap}, None, None)
        for i, (n, gap) in enumerate(zip(cases, estimates, strict=True))
    )
    reference = GroupScores("r", "student", 900, 900, {}, {"jaccard": None}, None, None)
    assert Grouping("f", "r", (reference, *rows)).beyond_chance("jaccard") == {("0", "student")}


def test_saved_lists_may_overlap(analysis: Analysis) -> None:
    everybody = np.ones(len(analysis.frame), bool)
    women = analysis.mask(Selection((Condition("is", ("gender",), 0),)))
    grouping = analysis.by_masks(
        "lists", ["teacher"], {"all": everybody, "some": women, "nobody": ~everybody}
    )
    assert [row.cases for row in grouping.rows] == [len(everybody), int(women.sum()), 0]
    assert grouping.rows[2].few and set(grouping.rows[2].scores.values()) == {None}


def test_a_heatmap_adds_up(planted: Planted, analysis: Analysis) -> None:
    everybody = np.ones(len(analysis.frame), bool)
    result = analysis.heat_map("gender", "history", "teacher", "jaccard", everybody)
    assert result.cases.sum() == len(planted.columns)
    women, first = analysis.column("gender").codes == 0, analysis.column("history").codes == 0
    jaccard = analysis.metrics("teacher").jaccard
    assert result.cases[0, 0] == (women & first).sum()
    assert result.values[0, 0] == pytest.approx(jaccard[women & first].mean(), abs=1e-6)
    empty = analysis.heat_map("gender", "history", "teacher", "jaccard", ~everybody)
    assert empty.cases.sum() == 0 and np.isnan(empty.values).all()


def test_class_counts_by_hand(planted: Planted, analysis: Analysis, order: np.ndarray) -> None:
    women = analysis.column("gender").codes == 0
    for model in CUT:
        chosen = ((planted.scores[model] >= CUT[model]) & planted.known[model])[order]
        truth, mask = planted.truth[order], women & planted.there[model][order]
        result = analysis.class_counts(model, women)
        assert result.cases == mask.sum()
        assert (result.prescribed == truth[mask].sum(0)).all()
        assert (result.chosen == chosen[mask].sum(0)).all()
        assert (result.hits == (chosen & truth)[mask].sum(0)).all()
        assert (result.missed == (truth & ~chosen)[mask].sum(0)).all()
        assert (result.extra == (chosen & ~truth)[mask].sum(0)).all()


def test_crossing_two_models_by_hand(planted: Planted, analysis: Analysis, order: np.ndarray) -> None:
    everybody = np.ones(len(analysis.frame), bool)
    result = analysis.agreement("teacher", "student", everybody)
    given = planted.truth[order]
    one, other = (((planted.scores[m] >= CUT[m]) & planted.known[m])[order] for m in ("teacher", "student"))
    for t in (0, 1):
        for a in (0, 1):
            for b in (0, 1):
                expected = ((given == t) & (one == a) & (other == b)).sum(0)
                assert (result.counts[:, t, a, b] == expected).all(), (t, a, b)
    right = result.right
    assert (sum(right.values()) == len(everybody)).all()
    assert (right["both"] == ((one == given) & (other == given)).sum(0)).all()
    assert (right["teacher"] == ((one == given) & (other != given)).sum(0)).all()


def test_reliability_is_the_calibrations(planted: Planted, analysis: Analysis, order: np.ndarray) -> None:
    everybody = np.ones(len(analysis.frame), bool)
    result = analysis.reliability("teacher", everybody)
    bins = reliability(planted.scores["teacher"], planted.truth)
    counts, predicted, observed = result.of()
    assert counts.tolist() == [b.count for b in bins]
    assert np.allclose(np.nan_to_num(predicted), [b.probability for b in bins], atol=1e-6)
    assert np.allclose(np.nan_to_num(observed), [b.observed for b in bins], atol=1e-6)
    assert result.overall_error == pytest.approx(expected_error(bins), abs=1e-6)
    place = 4
    own = reliability(planted.scores["teacher"][:, [place]], planted.truth[:, [place]])
    assert result.error[place] == pytest.approx(expected_error(own), abs=1e-6)
    assert result.mean_observed[place] == pytest.approx(planted.truth[:, place].mean())
    assert analysis.reliability("student", everybody).counts[0].sum() == 0, "it cannot name this class"


def test_the_sweep_is_the_evaluator_at_every_cut_off(
    planted: Planted, analysis: Analysis, order: np.ndarray
) -> None:
    within = analysis.column("gender").codes == 0
    result = analysis.sweep("student", within)
    table = planted.cohort.interactions.statistical_matrix(planted.codes)
    rows = order[within]
    for place in (4, 29, 30, 49, 80, 98):
        cut = float(np.float32(result.thresholds[place]))
        expected = evaluate(
            planted.scores["student"][rows],
            planted.truth[rows],
            cut,
            table,
            {"all": np.ones(len(rows), bool)},
            known=planted.known["student"],
            resamples=0,
        )["all"]
        for name in ("jaccard", "f1", "precision", "recall", "medications", "ddi_rate"):
            score = expected.scores[name]
            assert score is not None
            assert getattr(result, name)[place] == pytest.approx(score.value, abs=1e-9), (name, cut)
    assert result.cases == within.sum() and 0 < result.best < 1


def test_a_score_on_the_cut_off_is_chosen(analysis: Analysis) -> None:
    from leader_core.error_analysis.classes import THRESHOLDS, steps_passed

    on = THRESHOLDS.astype(np.float32)
    assert steps_passed(on).tolist() == list(range(1, 100))
    assert steps_passed(np.nextafter(on, np.float32(0))).tolist() == list(range(99))
    assert steps_passed(np.array([0, 1], np.float32)).tolist() == [0, 99]


def test_conditions_choose_their_cases(planted: Planted, analysis: Analysis, order: np.ndarray) -> None:
    age = analysis.frame.numbers["age"]
    old = analysis.mask(Selection.of("age:ge:65"))
    assert (old == (age >= 65)).all() and 0 < old.sum() < len(old)
    assert (analysis.mask(Selection.of("age:lt:65")) == ~old).all()
    both = analysis.mask(Selection.of("age:ge:65,gender:is:1"))
    assert (both == (old & (analysis.column("gender").codes == 1))).all()
    assert (analysis.mask(Selection.of("gender:not:1")) == (analysis.column("gender").codes != 1)).all()
    code = planted.codes[7]
    chosen = (planted.scores["teacher"] >= CUT["teacher"])[order][:, 7]
    missed = analysis.mask(Selection((classed(code, [("prescribed", True), ("teacher", False)]),)))
    assert (missed == (planted.truth[order][:, 7] & ~chosen)).all()
    high = analysis.mask(Selection.of(f"bin:teacher:{code}:11"))
    scores = planted.scores["teacher"][order][:, 7]
    assert (high == ((scores >= 11 / 15) & (scores < 12 / 15))).all()
    jaccard = {m: analysis.metrics(m).jaccard for m in ("teacher", "student")}
    worse = analysis.mask(Selection.of("better:teacher:student:0.1,score:jaccard:student:lt:0.3"))
    assert (worse == ((jaccard["teacher"] - jaccard["student"] > 0.1) & (jaccard["student"] < 0.3))).all()
    chapter = analysis.frame.chapters[0]
    having = {
        case.patient_id
        for case in planted.cohort.cases()
        if any(c in _codes_of(planted.cohort, chapter) for c in case.current.diagnoses)
    }
    assert set(analysis.patients(Selection.of("chapter:has:0"))) == having
    listed = analysis.patients(Selection.of("list:abc"), lambda kind, name: [3, *sorted(having)[:2]])
    assert list(listed) == sorted(having)[:2]


def test_a_gap_of_just_a_tenth_is_not_more_than_a_tenth(analysis: Analysis) -> None:
    tied = copy.copy(analysis)
    tied._metrics = {
        model: replace(analysis.metrics(model), jaccard=np.full(len(analysis.frame), value, np.float32))
        for model, value in (("teacher", 0.6), ("student", 0.5))
    }
    assert not tied.mask(Selection.of("better:teacher:student:0.1")).any()
    assert tied.mask(Selection.of("better:teacher:student:0.09")).all()


def _codes_of(cohort: Cohort, chapter: str) -> set[str]:
    from leader_core.terminology.chapters import chapter as of

    return {code for code in cohort.vocabulary_codes("diagnosis", "all") if of(code) == chapter}


@pytest.mark.parametrize(
    "text",
    [
        "", "gender:is:1", "age:ge:64.5", "chapter:has:3", "class:B01A:prescribed-1:teacher-0",
        "bin:student:B01A:4", "score:jaccard:teacher:lt:0.5", "better:teacher:student:0.1", "list:0f3a-9",
    ],
)  # fmt: skip
def test_a_selection_comes_back_from_its_text(text: str) -> None:
    assert Selection.of(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "gender", "gender:is:x", "gender:is:-1", "age:ge:nan", "class:B01A", "class:b;drop:teacher-1",
        "list:<b>", "score:jaccard:teacher:eq:1", "x" * 700, ",".join(["age:ge:1"] * 13),
    ],
)  # fmt: skip
def test_a_broken_selection_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(InputError, match=r"selection|condition"):
        Selection.of(text)


@pytest.mark.parametrize(
    "text",
    ["colour:is:0", "gender:is:99", "chapter:has:62", "class:X99Z:teacher-1", "score:age:teacher:lt:1"],
)
def test_a_condition_on_what_is_not_there_is_refused(analysis: Analysis, text: str) -> None:
    with pytest.raises(InputError, match="do not have"):
        analysis.mask(Selection.of(text))


def test_drift_is_found_where_it_is(planted: Planted, analysis: Analysis) -> None:
    women = analysis.column("gender").codes == 0
    result = analysis.shifts(women, ~women)
    assert result[0].name == "gender" and result[0].measure > 1
    same = analysis.shifts(women, women)
    assert all(shift.measure == pytest.approx(0, abs=1e-9) for shift in same)
    classes = {shift.name: shift for shift in result if shift.kind == "class"}
    given = planted.truth.mean(0)
    assert set(classes) == {c for c, share in zip(planted.codes, given, strict=True) if share}
    nothing = analysis.shifts(women, np.zeros(len(women), bool))
    assert all(np.isnan(s.measure) for s in nothing)
