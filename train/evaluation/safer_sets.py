"""What safer sets change over many cases, and how the table of indications agrees with what is prescribed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from leader_core.domain import GRADED, Case
from leader_core.interactions.conditions import findings
from leader_core.interactions.orders import drugs_of_text
from leader_core.interactions.safer_set import Limit
from leader_core.interactions.substitution import Indication, all_indications

if TYPE_CHECKING:
    from leader_core.cohort import Cohort
    from leader_core.engine import Engine

LEAST_SUPPORT: Final = 10
"""Visits with the condition, from which a lift says something."""

_ORDERS: Final = """
SELECT o.code, o.drug, o.route, list(o.visit_id) AS visits
FROM orders AS o INNER JOIN patients AS p ON p.patient_id = o.patient_id
WHERE p.split = 'train' GROUP BY o.code, o.drug, o.route
"""


@dataclass(frozen=True, slots=True)
class IndicationLift:
    """How much more often visits with a condition have what it calls for than all visits do."""

    indication: Indication
    support: int  # visits with the condition
    share: float  # of them that have the medication
    share_of_all: float  # of all visits

    @property
    def lift(self) -> float | None:
        """share / share_of_all; None where nobody has the medication."""
        return self.share / self.share_of_all if self.share_of_all else None

    @property
    def contradicted(self) -> bool:
        """Is it prescribed no more often with the condition, with enough visits to say so?"""
        return self.support >= LEAST_SUPPORT and self.lift is not None and self.lift <= 1.0


def indication_lifts(cohort: Cohort) -> tuple[IndicationLift, ...]:
    """Every row of `indications.csv`, measured over all visits of the training patients."""
    drugs: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for code, drug, route, visits in cohort.reader().execute(_ORDERS).fetchall():
        for match in drugs_of_text(code, drug, route):
            for visit in visits:
                drugs[visit][code].add(match.code)
    measured = []
    for case in cohort.cases("train", targets="all"):
        known = drugs.get(case.current.visit_id or -1, {})
        codes = tuple(own for code in case.prescribed for own in known.get(code) or [code])
        measured.append((findings(case), codes))
    return tuple(_lift(row, measured) for row in all_indications() if row.diagnoses)


def _lift(row: Indication, visits: Sequence[tuple[tuple[str, ...], tuple[str, ...]]]) -> IndicationLift:
    having = [any(row.calls_for(code) for code in codes) for _, codes in visits]
    present = [row.applies(diagnoses) for diagnoses, _ in visits]
    support = sum(present)
    both = sum(has and is_present for has, is_present in zip(having, present, strict=True))
    return IndicationLift(
        row, support, both / support if support else 0.0, sum(having) / len(visits) if visits else 0.0
    )


@dataclass
class SaferSets:
    """What safer sets do to many cases under one limit."""

    cases: int
    changed: int = 0  # cases in which anything changes
    medications: int = 0  # drugs in all plain sets
    alerts_before: Counter[str] = field(default_factory=Counter)  # by severity
    alerts_after: Counter[str] = field(default_factory=Counter)
    how: Counter[str] = field(default_factory=Counter)  # decisions: kept, switched, substituted, left out
    classes_removed: int = 0  # classes of plain sets that the safer ones do not have
    removed_prescribed: int = 0  # of these, classes that were prescribed in the visit
    unmet: int = 0  # alerts beyond the limit, kept because the diagnoses call for them
    unmet_cases: int = 0

    def lines(self) -> list[str]:
        """The figures for a reader."""
        removed = self.removed_prescribed / self.classes_removed if self.classes_removed else 0.0
        return [
            f"cases changed: {self.changed} of {self.cases}",
            f"alerts: {_counted(self.alerts_before)} -> {_counted(self.alerts_after)}",
            f"of {self.medications} drugs: {self.how['switched']} switched within their class, "
            f"{self.how['substituted']} substituted, {self.how['left out']} left out",
            f"classes removed: {self.classes_removed}, of which prescribed {self.removed_prescribed} ({removed:.0%})",
            f"could not be met: {self.unmet} alerts in {self.unmet_cases} cases",
        ]


def _counted(alerts: Mapping[str, int]) -> str:
    return ", ".join(f"{alerts[level]} {level}" for level in GRADED if alerts.get(level)) or "none"


def safer_sets(engine: Engine, cases: Iterable[Case], limit: Limit, *, ordered: bool) -> SaferSets:
    """Safer sets of what the student suggests for each case, or of what was ordered in its visit.

    Args:
        engine: with a student.
        cases: of the engine's cohort.
        limit: for every case.
        ordered: the drugs ordered in the visit, instead of the most used drugs of the classes suggested.
    """
    chosen = [case for case in cases if case.prescribed or not ordered]
    result = SaferSets(len(chosen))
    for case, recommendation in zip(chosen, engine.recommend_many(chosen), strict=True):
        visit = case.current.visit_id
        safer = engine.safer_set(
            case,
            recommendation,
            limit,
            codes=case.prescribed if ordered else None,
            orders=engine.cohort.orders(visit) if ordered and visit is not None else (),
        )
        removed = set(safer.plain) - set(safer.codes)
        result.changed += any(decision.how != "kept" for decision in safer.decisions)
        result.medications += len(safer.decisions)
        result.alerts_before.update(safer.before.counts)
        result.alerts_after.update(safer.after.counts)
        result.how.update(decision.how for decision in safer.decisions)
        result.classes_removed += len(removed)
        result.removed_prescribed += len(removed.intersection(case.prescribed))
        result.unmet += len(safer.unmet)
        result.unmet_cases += bool(safer.unmet)
    return result
