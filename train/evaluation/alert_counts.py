"""How many alerts the cases of a cohort show, and whether those that stand red are carried by the drugs really ordered.

For each case three sets are reviewed: the drugs ordered, the classes prescribed as if only suggested (so that their
alerts can be compared with the drugs really ordered), and the classes that a model suggests. Next to them stands what a
statement about whole classes would show: an alert wherever some drug of each class carries one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from leader_core.domain import GRADED, Severity
from leader_core.interactions.conditions import findings
from leader_core.interactions.review import Alert, Matching, Review, class_choice
from leader_core.interactions.severity_matrix import (
    NUMBER,
    SEVERITY,
    pair_severities,
    present_conditions,
    severity_matrix,
)

if TYPE_CHECKING:
    from leader_core.domain import Case
    from leader_core.engine import Engine

RED: Final[tuple[Severity, ...]] = ("contraindicated", "major")


@dataclass(slots=True)
class SeverityCounts:
    """Alerts of one severity over all cases, of the classes prescribed reviewed as if they were suggestions."""

    shown: int = 0
    ordered: int = 0  # carried, at this severity or above, by the drugs really ordered
    mostly: int = 0  # not so, but more than half of the class's orders carry it
    by_class: int = 0  # what a statement about whole classes would show
    by_class_ordered: int = 0  # of these, carried by the drugs really ordered

    @property
    def right(self) -> float | None:
        """Part of the alerts shown that the drugs ordered, or most of the class's orders, carry."""
        return (self.ordered + self.mostly) / self.shown if self.shown else None


@dataclass
class AlertCounts:
    """Alerts of a cohort's cases, counted."""

    cases: int = 0
    of_orders: Counter[str] = field(default_factory=Counter)  # alerts of the drugs ordered, by rank
    cases_red: int = 0  # with a contraindicated alert of the drugs ordered
    of_suggestions: Counter[str] = field(default_factory=Counter)  # of the classes suggested alone
    severities: dict[str, SeverityCounts] = field(
        default_factory=lambda: {severity: SeverityCounts() for severity in RED}
    )
    prescribed: int = 0  # classes ordered
    prescribed_held_back: int = 0  # of these, classes that the conditions would have held back
    suggested: int = 0
    suggested_held_back: int = 0
    held_back_by: Counter[str] = field(
        default_factory=Counter
    )  # condition -> classes ordered that it holds back


def alert_counts(
    engine: Engine, cases: Sequence[Case], suggestions: Sequence[Iterable[str]] | None
) -> AlertCounts:
    """Count the alerts of cases of the engine's cohort.

    Args:
        engine: its shares say what a suggested class means.
        cases: with a visit of the cohort each.
        suggestions: for each case the classes suggested; None where no model is there.
    """
    counts = AlertCounts()
    for number, case in enumerate(cases):
        counts.cases += 1
        ordered = engine.review(case)
        counts.of_orders.update(ordered.counts)
        counts.cases_red += "contraindicated" in ordered.counts
        _as_suggested(counts, engine, case, ordered)
        held = engine.held_back(case, case.prescribed)
        counts.prescribed += len(case.prescribed)
        counts.prescribed_held_back += len(held)
        counts.held_back_by.update(alert.condition for alert in held.values())
        if suggestions is not None:
            codes = tuple(suggestions[number])
            reviewed = engine.review_set(case, codes)
            counts.of_suggestions.update(reviewed.counts_if_chosen)
            counts.suggested += len(codes)
            counts.suggested_held_back += len(engine.held_back(case, codes))
    return counts


def _as_suggested(counts: AlertCounts, engine: Engine, case: Case, ordered: Review) -> None:
    """Compare the alerts of the classes prescribed, reviewed without their orders, with what the drugs ordered carry."""
    carried = _carried(ordered.carried)
    for alert in engine.review_set(case, case.prescribed).alerts:
        if alert.rank in counts.severities:
            of_rank = counts.severities[alert.rank]
            of_rank.shown += 1
            if carried.get(_key(alert), 0) >= NUMBER[alert.rank]:
                of_rank.ordered += 1
            elif alert.share > 0.5:
                of_rank.mostly += 1
    choices = [class_choice(code, engine.shares) for code in case.prescribed]
    for key, number in _by_class(Matching(choices), findings(case)).items():
        if (severity := SEVERITY[number]) in counts.severities:
            counts.severities[severity].by_class += 1
            counts.severities[severity].by_class_ordered += carried.get(key, 0) >= number


def _by_class(matching: Matching, diagnoses: Sequence[str]) -> dict[tuple[str, ...], int]:
    """The most severe that any drugs of two classes, or of one under a condition, carry."""
    if not matching.choices:
        return {}
    codes = [choice.class_code for choice in matching.choices]
    worst: dict[tuple[str, ...], int] = {}
    number = (matching.pair_shares(pair_severities(diagnoses)) > 0).sum(0)
    for i, j in zip(*np.nonzero(np.triu(number, 1)), strict=True):
        worst[tuple(sorted((codes[i], codes[j])))] = int(number[i, j])
    matrix = severity_matrix()
    for condition in present_conditions(diagnoses):
        shares = matching.condition_shares(matrix.condition_severities(condition.rules))
        for i, most in enumerate((shares > 0).sum(0)):
            if most:
                worst[codes[i], condition.name] = int(most)
    return worst


def _carried(alerts: Iterable[Alert]) -> dict[tuple[str, ...], int]:
    """Classes (two, or one and a condition) -> number of the most severe alert that the drugs ordered carry."""
    carried: dict[tuple[str, ...], int] = {}
    for alert in alerts:
        if alert.kind != "duplication":
            key = _key(alert)
            carried[key] = max(carried.get(key, 0), NUMBER[alert.rank])
    return carried


def _key(alert: Alert) -> tuple[str, ...]:
    classes = [drug.class_code for drug in alert.drugs]
    return (classes[0], alert.condition) if alert.kind == "condition" else tuple(sorted(classes))


def lines(counts: AlertCounts, label: str) -> list[str]:
    """The counts as text."""
    cases = max(1, counts.cases)

    def per_case(by_severity: Mapping[str, int]) -> str:
        return ", ".join(f"{by_severity.get(s, 0) / cases:.2f} {s}" for s in GRADED)

    text = [
        f"{label}: {counts.cases:,} cases",
        f"Alerts a case, drugs ordered: {per_case(counts.of_orders)} "
        f"({counts.cases_red:,} cases with a contraindicated one)",
    ]
    if counts.suggested:
        text.append(f"Alerts a case, classes suggested: {per_case(counts.of_suggestions)}")
    for severity, each in counts.severities.items():
        right = "none" if each.right is None else f"{100 * each.right:.1f} %"
        text.append(
            f"The classes prescribed as if suggested, {severity}: {each.shown:,} shown, {each.ordered:,} carried by the "
            f"drugs ordered and {each.mostly:,} more by over half of the class's orders ({right}); a statement about whole "
            f"classes shows {each.by_class:,}, of which {each.by_class - each.by_class_ordered:,} are false by the drugs ordered"
        )
    text.append(
        f"Held back by the conditions: {counts.prescribed_held_back:,} of {counts.prescribed:,} classes prescribed "
        f"({100 * counts.prescribed_held_back / max(1, counts.prescribed):.1f} %)"
        + (
            f", {counts.suggested_held_back:,} of {counts.suggested:,} suggested "
            f"({100 * counts.suggested_held_back / counts.suggested:.1f} %)"
            if counts.suggested
            else ""
        )
    )
    if counts.held_back_by:
        most = ", ".join(f"{name} {count:,}" for name, count in counts.held_back_by.most_common(8))
        text.append(f"Conditions that hold back the classes prescribed: {most}")
    return text
