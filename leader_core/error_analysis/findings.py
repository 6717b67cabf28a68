"""What stands out in the stored scores: classes never suggested, groups clearly worse, what one model lost against another,
calibration that is off, cut prompts. Each finding names its cases.

Every difference that is tested enters one family, and its p is adjusted by Benjamini and Hochberg's procedure
(`scipy.stats.false_discovery_control`): of the findings shown, at most 5 % are expected to be chance. Nothing is tested
on fewer than `FEWEST` cases. Standard errors are over patients: a patient's cases count together. Within a kind the order is
by `weight`: how many cases too many are wrong at least, by the end of the 95 % interval that is nearer to none.

Letters: N cases, A classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from leader_core.error_analysis.database import ShareProgress
from leader_core.error_analysis.frame import FIELDS, Bools, Column
from leader_core.error_analysis.groups import FEWEST, LEVEL, MetricEstimate, adjust
from leader_core.error_analysis.selection import Condition, classed
from leader_core.error_analysis.stored import Analysis
from leader_core.evaluation.class_evidence import wilson

FindingKind = Literal["never", "group", "lost", "extra", "lost-group", "calibration", "cut"]

RARELY: Final = 0.1
"""A class whose share of orders suggested is below this, with its whole interval, counts as (almost) never suggested."""
_OUTCOMES: Final = ("prescribed", "truncated", "split")
"""No groups: the outcome itself, what has a finding of its own, and the design."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ErrorFinding:
    """One thing that stands out, of one model."""

    kind: FindingKind
    model: str
    subject: tuple[str, ...]  # (code,), or (field, value)
    cases: int  # that its conditions hold
    of: int  # cases looked at for it: orders of the class, the group's cases, all cases
    value: MetricEstimate  # what was measured, with its 95 % interval
    against: float  # what it is compared with: the rest's mean, the other model's share, the share observed
    gap: MetricEstimate | None  # value minus against; None where nothing is tested
    p: float | None  # adjusted; None where nothing is tested
    weight: float  # cases too many that are wrong, at least
    conditions: tuple[Condition, ...]  # what holds its cases
    other: float = float("nan")  # the same measure of the other model, where it helps to judge


@dataclass(frozen=True, slots=True)
class Findings:
    """All findings, and every comparison that gave none."""

    findings: tuple[ErrorFinding, ...]  # see `take_turns`
    unclear: tuple[ErrorFinding, ...]  # what was tested and is no clearer than chance, or not worse
    cases: int  # that the model has scored

    @property
    def tests(self) -> int:
        """How many comparisons entered the correction."""
        return len(self.unclear) + sum(finding.p is not None for finding in self.findings)


def find(
    analysis: Analysis, model: str, other: str | None, within: Bools, progress: ShareProgress | None = None
) -> Findings:
    """What stands out about a model over some cases.

    Args:
        analysis: the stored scores.
        model: whose findings.
        other: the model that it is compared with, for instance its teacher; None: nothing is compared.
        within: (N,) the cases to look at.
        progress: called with the share that is read.
    """
    scored = within & analysis.metrics(model).scored
    never = list(_never(analysis, model, other, scored))
    tested = list(_groups(analysis, model, scored))
    tested += _cut(analysis, other, scored)
    if other is not None:
        both = scored & analysis.metrics(other).scored
        tested += _lost(analysis, model, other, both)
        tested += _lost_groups(analysis, model, other, both)
    tested += _calibration(analysis, model, scored, progress)
    adjusted = adjust([finding.p or 0.0 for finding in tested])
    judged = [replace(finding, p=float(p)) for finding, p in zip(tested, adjusted, strict=True)]
    sure = [finding for finding in judged if is_clear(finding)]
    unclear = tuple(finding for finding in judged if not is_clear(finding))
    return Findings(take_turns((*never, *sure)), unclear, int(scored.sum()))


def take_turns(findings: Iterable[ErrorFinding]) -> tuple[ErrorFinding, ...]:
    """The heaviest finding of each kind, then the second of each; within a turn the heaviest first."""
    ranked = sorted(findings, key=lambda finding: -finding.weight)
    turns: Counter[FindingKind] = Counter()
    order = []
    for finding in ranked:
        order.append(turns[finding.kind])
        turns[finding.kind] += 1
    return tuple(finding for _, finding in sorted(zip(order, ranked, strict=True), key=lambda pair: pair[0]))


def is_clear(finding: ErrorFinding) -> bool:
    """Whether a tested difference is for the worse and clearer than chance."""
    return finding.p is not None and finding.p < LEVEL and finding.weight > 0


def _never(analysis: Analysis, model: str, other: str | None, scored: Bools) -> Iterator[ErrorFinding]:
    """Classes that were ordered at least `FEWEST` times and are (almost) never suggested."""
    counts = analysis.class_counts(model, scored)
    others = analysis.class_counts(other, scored) if other is not None else None
    for i, code in enumerate(analysis.codes):
        orders, hits = int(counts.prescribed[i]), int(counts.hits[i])
        if orders < FEWEST:
            continue
        recall = proportion(hits, orders)
        if recall.high >= RARELY:
            continue
        seen = int(others.prescribed[i]) if others is not None else 0
        yield ErrorFinding(
            "never", model, (code,), orders - hits, orders, recall, 1.0, None, None,
            orders * (1 - recall.high), (classed(code, [("prescribed", True), (model, False)]),),
            int(others.hits[i]) / seen if others is not None and seen else float("nan"),
        )  # fmt: skip


def _groups(analysis: Analysis, model: str, scored: Bools) -> Iterator[ErrorFinding]:
    """Groups whose mean Jaccard is below that of all other cases."""
    for column, index, inside, outside in _each_group(analysis, scored):
        yield _against_rest(analysis, "group", model, column, index, inside, outside)


def _cut(analysis: Analysis, other: str | None, scored: Bools) -> Iterator[ErrorFinding]:
    """The model that had to cut cases, on these against those that it read whole; the other model's same gap with it."""
    reader = next(iter(analysis.models))
    column = analysis.frame.columns["truncated"]
    read = scored & analysis.metrics(reader).scored
    inside, outside = read & (column.codes == 1), read & (column.codes == 0)
    if min(inside.sum(), outside.sum()) < FEWEST:
        return
    comparison = next((m for m in ("student", other) if m in analysis.models and m != reader), None)
    apart = float("nan")
    if comparison is not None:
        theirs = analysis.metrics(comparison).jaccard
        apart = float(np.nanmean(theirs[inside]) - np.nanmean(theirs[outside]))
    yield replace(_against_rest(analysis, "cut", reader, column, 1, inside, outside), other=apart)


def _against_rest(
    analysis: Analysis,
    kind: FindingKind,
    model: str,
    column: Column,
    index: int,
    inside: Bools,
    outside: Bools,
) -> ErrorFinding:
    """A group's mean Jaccard against that of the cases outside it."""
    jaccard = analysis.metrics(model).jaccard.astype(np.float64)
    owner = analysis.frame.patient_numbers
    mean, rest = mean_over(jaccard[inside], owner[inside]), mean_over(jaccard[outside], owner[outside])
    gap, p = difference(mean, rest)
    cases = int(inside.sum())
    return ErrorFinding(
        kind, model, (column.name, column.values[index]), cases, cases, mean.estimate(), rest.mean, gap, p,
        -gap.high * cases, (Condition("is", (column.name,), index),),
    )  # fmt: skip


def _lost(analysis: Analysis, model: str, other: str, both: Bools) -> Iterator[ErrorFinding]:
    """Classes about which the model is wrong where the other is right more often than the other way round.

    McNemar's exact test on each, over orders that are missed and suggestions that were not ordered together: a model that
    merely suggests more wins as many of the first as it loses of the second. The cases are those of the side that it
    loses more on.
    """
    counts = analysis.agreement(model, other, both).counts  # (A, prescribed, model, other)
    total = int(both.sum())
    for i, code in enumerate(analysis.codes):
        missed, won = int(counts[i, 1, 0, 1]), int(counts[i, 1, 1, 0])
        extra, spared = int(counts[i, 0, 1, 0]), int(counts[i, 0, 0, 1])
        worse, better = missed + extra, won + spared
        if int(counts[i, 1].sum()) < FEWEST or not worse + better:
            continue
        split = proportion(worse, worse + better)
        given = missed - won >= extra - spared
        yield ErrorFinding(
            "lost" if given else "extra", model, (code,), missed if given else extra, total,
            proportion(worse, total), better / total, None, sign_test(worse, better),
            (2 * split.low - 1) * (worse + better),
            (classed(code, [("prescribed", given), (other, given), (model, not given)]),),
        )  # fmt: skip


def _lost_groups(analysis: Analysis, model: str, other: str, both: Bools) -> Iterator[ErrorFinding]:
    """Groups in which the other model's Jaccard is higher, case by case."""
    mine, theirs = analysis.metrics(model).jaccard, analysis.metrics(other).jaccard
    lost = (mine - theirs).astype(np.float64)
    owner = analysis.frame.patient_numbers
    for column, index, inside, _ in _each_group(analysis, both):
        gap, p = difference(mean_over(lost[inside], owner[inside]), None)
        mean = mean_over(mine[inside].astype(np.float64), owner[inside])
        yield ErrorFinding(
            "lost-group", model, (column.name, column.values[index]), int(inside.sum()), int(inside.sum()),
            mean.estimate(), float(theirs[inside].mean()), gap, p, -gap.high * int(inside.sum()),
            (Condition("is", (column.name,), index),),
        )  # fmt: skip


def _calibration(
    analysis: Analysis, model: str, scored: Bools, progress: ShareProgress | None
) -> Iterator[ErrorFinding]:
    """Classes whose mean probability is not the share that was prescribed."""
    scores = analysis.probabilities(model, progress)
    known, rows = analysis.known(model), np.flatnonzero(scored)
    owner = analysis.frame.patient_numbers[rows]
    for i, code in enumerate(analysis.codes):
        given = analysis.truth[rows, i]
        if not known[i] or min(int(given.sum()), len(rows)) < FEWEST:
            continue
        predicted = scores[rows, i].astype(np.float64)
        gap, p = difference(mean_over(predicted - given, owner), None)
        over = gap.value > 0
        who = [("prescribed", not over), (model, over)]
        wrong = classed(code, who)
        chosen = predicted >= analysis.models[model].threshold
        yield ErrorFinding(
            "calibration", model, (code,), int((chosen & ~given if over else ~chosen & given).sum()), len(rows),
            mean_over(predicted, owner).estimate(), float(given.mean()), gap, p,
            (gap.low if over else -gap.high) * len(rows), (wrong,),
        )  # fmt: skip


def _each_group(analysis: Analysis, scored: Bools) -> Iterator[tuple[Column, int, Bools, Bools]]:
    """Every value of every field with enough cases in it and outside it: column, place, (N,) inside, (N,) outside."""
    seen: set[bytes] = set()  # a first visit is also "1 visit"
    for name in FIELDS:
        column = analysis.frame.columns.get(name)
        if column is None or name in _OUTCOMES:
            continue
        for index in range(len(column.values)):
            inside = scored & (column.codes == index)
            outside = scored & ~inside
            content = inside.tobytes()
            if min(inside.sum(), outside.sum()) >= FEWEST and content not in seen:
                seen.add(content)
                yield column, index, inside, outside


# Means over patients


@dataclass(frozen=True, slots=True)
class PatientMean:
    """A mean over cases, its standard error over patients, and how many patients there are."""

    mean: float
    error: float
    patients: int

    def estimate(self) -> MetricEstimate:
        """With its 95 % interval."""
        return _interval(self.mean, self.error, max(1.0, self.patients - 1))


def mean_over(values: Floats, owner: NDArray[np.int64]) -> PatientMean:
    """The mean of some cases and its standard error, in which a patient's cases count together.

    Args:
        values: (n,) at least one.
        owner: (n,) whose case each is, as small whole numbers.

    >>> mean_over(np.array([1.0, 2, 3]), np.array([0, 1, 2]))  # the usual standard error, 1 / sqrt(3)
    PatientMean(mean=2.0, error=0.5773502691896257, patients=3)
    >>> mean_over(np.array([1.0, 1, 3, 3]), np.array([0, 0, 1, 1])).error  # two patients, not four
    1.0
    """
    mean = float(values.mean())
    sums = np.bincount(owner, values - mean)
    patients = int(np.count_nonzero(np.bincount(owner)))
    spread = float((sums**2).sum()) * patients / max(1, patients - 1)
    return PatientMean(mean, spread**0.5 / len(values), patients)


def difference(first: PatientMean, second: PatientMean | None) -> tuple[MetricEstimate, float]:
    """First minus second (or minus 0) with its 95 % interval, and the two-sided p of Welch's test."""
    from scipy.stats import t as student_t

    if second is None:
        value, error, free = first.mean, first.error, max(1.0, first.patients - 1)
    else:
        value = first.mean - second.mean
        a, b = first.error**2, second.error**2
        error = (a + b) ** 0.5
        below = a**2 / max(1, first.patients - 1) + b**2 / max(1, second.patients - 1)
        free = (a + b) ** 2 / below if below else 1.0
    if error == 0:
        return MetricEstimate(value, value, value), 1.0 if value == 0 else 0.0
    return _interval(value, error, free), float(2 * student_t.sf(abs(value) / error, free))


def _interval(value: float, error: float, free: float) -> MetricEstimate:
    from scipy.stats import t as student_t

    half = float(student_t.ppf(0.975, free)) * error
    return MetricEstimate(value, value - half, value + half)


def proportion(hits: int, of: int) -> MetricEstimate:
    """A share with Wilson's 95 % interval.

    >>> share = proportion(0, 152)
    >>> [round(bound, 3) for bound in (share.value, share.low, share.high)]
    [0.0, 0.0, 0.025]
    """
    return MetricEstimate(hits / of, *wilson(hits, of))


def sign_test(worse: int, better: int) -> float:
    """The exact two-sided p of McNemar's test on the cases about which just one of two models is right.

    >>> round(sign_test(9, 1), 4)  # 2 (1 + 10) / 2 ** 10
    0.0215
    """
    from scipy.stats import binomtest

    return float(binomtest(worse, worse + better).pvalue)
