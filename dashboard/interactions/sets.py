"""The sets of medications that a case compares (teacher, student, ordered, all together), and the review of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dashboard.server.answers import all_scores
from dashboard.server.service import Service
from dashboard.shared import session, wording
from dashboard.shared.formatting import count
from dashboard.shared.markup import Title
from dashboard.shared.session import Subject
from leader_core import Case, Engine, Order, Recommendation
from leader_core.domain import ModelName
from leader_core.interactions import Alert, Review
from leader_core.interactions.review import Choice, NotUnderstood
from leader_core.interactions.safer_set import SERIOUS

CODE: Final = r"[A-Z]\d{2}[A-Z0-9]{1,4}"
"""An ATC code, as links have it."""
ORDERED: Final = "prescribed"
UNION: Final = "union"
LABELS: Final[Mapping[str, str]] = {**wording.MODEL_LABELS, ORDERED: "Ordered", UNION: "All together"}
SUGGESTED_BY: Final[Mapping[str, str]] = {
    "teacher": "what the teacher suggests",
    "student": "what the student suggests",
    ORDERED: "a drug of these classes",
    UNION: "what the models suggest",
}
"""What would be chosen of a set's classes without known drugs, in words."""


@dataclass(frozen=True, slots=True)
class KnownDrugs:
    """What is known of the drugs of a case's current stay: recorded as orders, or entered as text."""

    engine: Engine
    case: Case
    orders: tuple[Order, ...] = ()
    prescribed: tuple[str, ...] = ()  # classes; empty where hidden
    entered: Review | None = None  # of what was typed, which says too what was not understood

    @classmethod
    def of(cls, engine: Engine, case: Case, drugs: Sequence[str] = (), *, hide: bool = False) -> KnownDrugs:
        """`drugs` as they were typed, for a case that is not recorded; with `hide`, nothing is known."""
        if drugs:
            return cls(engine, case, entered=engine.review(case, drugs))
        visit = case.current.visit_id
        if hide:
            return cls(engine, case)
        return cls(engine, case, () if visit is None else engine.cohort.orders(visit), case.prescribed)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of what was ordered or entered."""
        if self.entered is not None:
            return tuple(
                dict.fromkeys(code for choice in self.entered.choices for code in choice.class_codes)
            )
        return tuple(dict.fromkeys((*self.prescribed, *(order.code for order in self.orders))))

    @property
    def unknown(self) -> tuple[NotUnderstood, ...]:
        """What was typed and not understood."""
        return self.entered.unknown if self.entered is not None else ()

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The drugs that were entered as text; those recorded as orders stand in `orders`."""
        return () if self.entered is None else tuple(c for c in self.entered.choices if c.known)

    def allowed(self, class_code: str) -> bool:
        """Is a drug of this class known that no condition of the patient makes contraindicated or major?"""
        if class_code not in self.classes:
            return False
        reviewed = self.review([class_code])
        against = {
            a.drugs[0].name for a in reviewed.carried if a.kind == "condition" and a.severity in SERIOUS
        }
        return any(choice.known and choice.drugs[0].name not in against for choice in reviewed.choices)

    def review(self, codes: Sequence[str]) -> Review:
        """What the tables say about a set of classes; one of which drugs are known stands for these drugs."""
        if self.entered is None:
            return self.engine.review_set(self.case, codes, self.orders)
        own = [c for c in self.entered.choices if c.known and set(c.class_codes) & set(codes)]
        covered = {code for choice in own for code in choice.class_codes}
        drugs = [drug.code for choice in own for drug in choice.drugs]
        return self.engine.review(self.case, (*drugs, *(code for code in codes if code not in covered)))


@dataclass(frozen=True, slots=True)
class Sets:
    """What is known to be ordered, codes by set, the recommendations behind them, and a sentence for each model missing."""

    known: KnownDrugs
    codes: Mapping[str, tuple[str, ...]]
    recommendations: Mapping[ModelName, Recommendation]
    missing: tuple[tuple[str, str], ...]  # (sentence, model)

    @property
    def everything(self) -> tuple[str, ...]:
        """Every code of any set."""
        return tuple(dict.fromkeys(code for codes in self.codes.values() for code in codes))


@dataclass(frozen=True, slots=True)
class ReviewedSet:
    """One set of a case with its review: what every view of the Interactions page draws from."""

    service: Service
    subject: Subject
    sets: Sets
    name: str  # of the set, as in `LABELS`
    codes: tuple[str, ...]
    review: Review
    titles: Title
    unit: wording.Unit  # what a code stands for: a class, or at ATC level 5 a drug

    @property
    def known(self) -> KnownDrugs:
        """The drugs that are ordered or were entered; nothing where they are unknown or hidden."""
        return self.sets.known

    @property
    def size(self) -> str:
        """ "25 classes" """
        return count(len(self.codes), self.unit.one, self.unit.many)

    def file_name(self, ending: str) -> str:
        """A name for what is downloaded of this set."""
        return f"interactions-{LABELS[self.name].lower().replace(' ', '-')}.{ending}"


def of_case(service: Service, subject: Subject) -> Sets:
    """What each model selects at its cut-off, what was ordered, and all together."""
    recommendations: dict[ModelName, Recommendation] = {}
    missing: list[tuple[str, str]] = []
    for name, scores in all_scores(service, subject.case).items():
        if scores.recommendation is not None:
            recommendation = scores.recommendation
            if (threshold := session.threshold(name)) is not None:
                recommendation = service.engine.with_threshold(recommendation, threshold)
            recommendations[name] = recommendation
        else:
            missing.append((wording.no_scores(name, scores.status, scores.reason), name))
    known = known_drugs(service, subject)
    if session.holding_back():
        recommendations = without(recommendations, held_back(service, subject.case, recommendations, known))
    return Sets(known, named_sets(known, recommendations), recommendations, tuple(missing))


def named_sets(
    known: KnownDrugs, recommendations: Mapping[ModelName, Recommendation]
) -> dict[str, tuple[str, ...]]:
    """The classes of each set: of each model, ordered where that is known, and of all together."""
    codes: dict[str, tuple[str, ...]] = {
        name: tuple(m.code for m in each.selected) for name, each in recommendations.items()
    }
    if known.classes:
        codes[ORDERED] = known.classes
    if len(codes) > 1:
        codes[UNION] = tuple(dict.fromkeys(code for own in codes.values() for code in own))
    return codes


def known_drugs(service: Service, subject: Subject) -> KnownDrugs:
    """The drugs of a page's case that are known and not hidden."""
    return KnownDrugs.of(service.engine, subject.case, subject.drugs, hide=session.hidden(subject))


# Held back


def held_back(
    service: Service,
    case: Case,
    recommendations: Mapping[ModelName, Recommendation],
    known: KnownDrugs | None = None,
) -> dict[str, Alert]:
    """The suggested classes that the patient's conditions speak against, each with the reason.

    A class of which `known` has a drug that they do not speak against stays: argatroban in heparin-induced thrombocytopenia.
    """
    held = service.engine.held_back(case, (m.code for r in recommendations.values() for m in r.selected))
    return {code: alert for code, alert in held.items() if known is None or not known.allowed(code)}


def without(
    recommendations: Mapping[ModelName, Recommendation], codes: Collection[str]
) -> dict[ModelName, Recommendation]:
    """The same scores with some classes taken out of what is selected."""
    return {name: _without(each, codes) for name, each in recommendations.items()}


def _without(recommendation: Recommendation, codes: Collection[str]) -> Recommendation:
    medications = tuple(
        replace(m, selected=m.selected and m.code not in codes) for m in recommendation.medications
    )
    pairs = tuple(p for p in recommendation.interactions if not {p.code_a, p.code_b} & set(codes))
    return replace(recommendation, medications=medications, interactions=pairs)
