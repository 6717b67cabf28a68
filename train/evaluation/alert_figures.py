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
    PresentCondition,
    present_conditions,
    severity_matrix,
)

if TYPE_CHECKING:
    from leader_core.domain import Case
    from leader_core.engine import Engine

RED: Final[tuple[Severity, ...]] = ("contraindicated", "major")


@dataclass(slots=True)
class SeverityFigures:
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
class AlertFigures:
    """The figures of a cohort's cases."""

    cases: int = 0
    of_orders: Counter[str] = field(default_factory=Counter)  # alerts of the drugs ordered, by rank
    cases_red: int = 0  # with a contraindicated alert of the drugs ordered
    of_suggestions: Counter[str] = field(default_factory=Counter)  # of the classes suggested alone
    severities: dict[str, SeverityFigures] = field(
        default_factory=lambda: {severity: SeverityFigures() for severity in RED}
    )
    prescribed: int = 0  # classes ordered
    prescribed_held_back: int = 0  # of these, classes that the conditions would have held back
    suggested: int = 0
    suggested_held_back: int = 0
    held_back_by: Counter[str] = field(
        default_factory=Counter
    )  # condition -> classes ordered that it holds back


def alert_figures(
    engine: Engine, cases: Sequence[Case], suggestions: Sequence[Iterable[str]] | None
) -> AlertFigures:
    """Count the alerts of cases of the engine's cohort.

    Args:
        engine: its shares say what a suggested class means.
        cases: with a visit of the cohort each.
        suggestions: for each case the classes suggested; None where no model is there.
    """
    figures = AlertFigures()
    for number, case in enumerate(cases):
        figures.cases += 1
        ordered = engine.review(case)
        figures.of_orders.update(ordered.counts)
        figures.cases_red += "contraindicated" in ordered.counts
        _as_suggested(figures, engine, case, ordered)
        held = engine.held_back(case, case.prescribed)
        figures.prescribed += len(case.prescribed)
        figures.prescribed_held_back += len(held)
        figures.held_back_by.update(alert.condition for alert in held.values())
        if suggestions is not None:
            codes = tuple(suggestions[number])
            reviewed = engine.review_set(case, codes)
            figures.of_suggestions.update(reviewed.counts_if_chosen)
            figures.suggested += len(codes)
            figures.suggested_held_back += len(engine.held_back(case, codes))
    return figures


def _as_suggested(figures: AlertFigures, engine: Engine, case: Case, ordered: Review) -> None:
    """Compare the alerts of the classes prescribed, reviewed without their orders, with what the drugs ordered carry."""
    carried = _carried(ordered.carried)
    for alert in engine.review_set(case, case.prescribed).alerts:
        if alert.rank in figures.severities:
            of_rank = figures.severities[alert.rank]
            of_rank.shown += 1
            if carried.get(_key(alert), 0) >= NUMBER[alert.rank]:
                of_rank.ordered += 1
            elif alert.share > 0.5:
                of_rank.mostly += 1
    choices = [class_choice(code, engine.shares) for code in case.prescribed]
    for key, number in _by_class(Matching(choices), present_conditions(findings(case))).items():
        if (severity := SEVERITY[number]) in figures.severities:
            figures.severities[severity].by_class += 1
            figures.severities[severity].by_class_ordered += carried.get(key, 0) >= number


def _by_class(matching: Matching, present: Sequence[PresentCondition]) -> dict[tuple[str, ...], int]:
    """The most severe that any drugs of two classes, or of one under a condition, carry."""
    if not matching.choices:
        return {}
    codes = [choice.class_code for choice in matching.choices]
    worst: dict[tuple[str, ...], int] = {}
    number = (matching.pair_shares() > 0).sum(0)
    for i, j in zip(*np.nonzero(np.triu(number, 1)), strict=True):
        worst[tuple(sorted((codes[i], codes[j])))] = int(number[i, j])
    matrix = severity_matrix()
    for condition in present:
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


def lines(figures: AlertFigures, label: str) -> list[str]:
    """The figures for a reader."""
    cases = max(1, figures.cases)

    def per_case(counts: Mapping[str, int]) -> str:
        return ", ".join(f"{counts.get(s, 0) / cases:.2f} {s}" for s in GRADED)

    text = [
        f"{label}: {figures.cases:,} cases",
        f"Alerts a case, drugs ordered: {per_case(figures.of_orders)} "
        f"({figures.cases_red:,} cases with a contraindicated one)",
    ]
    if figures.suggested:
        text.append(f"Alerts a case, classes suggested: {per_case(figures.of_suggestions)}")
    for severity, each in figures.severities.items():
        right = "none" if each.right is None else f"{100 * each.right:.1f} %"
        text.append(
            f"The classes prescribed as if suggested, {severity}: {each.shown:,} shown, {each.ordered:,} carried by the "
            f"drugs ordered and {each.mostly:,} more by over half of the class's orders ({right}); a statement about whole "
            f"classes shows {each.by_class:,}, of which {each.by_class - each.by_class_ordered:,} are false by the drugs ordered"
        )
    text.append(
        f"Held back by the conditions: {figures.prescribed_held_back:,} of {figures.prescribed:,} classes prescribed "
        f"({100 * figures.prescribed_held_back / max(1, figures.prescribed):.1f} %)"
        + (
            f", {figures.suggested_held_back:,} of {figures.suggested:,} suggested "
            f"({100 * figures.suggested_held_back / figures.suggested:.1f} %)"
            if figures.suggested
            else ""
        )
    )
    if figures.held_back_by:
        most = ", ".join(f"{name} {count:,}" for name, count in figures.held_back_by.most_common(8))
        text.append(f"Conditions that hold back the classes prescribed: {most}")
    return text
