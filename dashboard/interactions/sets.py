"""The sets of medications that a case compares: teacher, student, prescribed, and all together; and their review."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dashboard.interactions.review_text import Title
from dashboard.server.answers import all_scores
from dashboard.server.service import Service
from dashboard.shared import session, wording
from dashboard.shared.formatting import count
from dashboard.shared.session import Subject
from leader_core import ClassReview, Order, Recommendation
from leader_core.domain import ModelName

LABELS: Final[Mapping[str, str]] = {
    **wording.MODEL_LABELS,
    "prescribed": "Prescribed",
    "union": "All together",
}


@dataclass(frozen=True, slots=True)
class Sets:
    """Codes by set, the recommendations behind them, and a sentence for each model that is missing."""

    codes: Mapping[str, tuple[str, ...]]
    recommendations: Mapping[ModelName, Recommendation]
    missing: tuple[tuple[str, str], ...]  # (sentence, model)
    orders: tuple[Order, ...]  # the drug strings behind what was prescribed; empty where hidden or unknown

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
    review: ClassReview
    orders: tuple[Order, ...]  # that the review took into account; empty where they are unknown or ignored
    titles: Title
    unit: wording.Unit  # what a code stands for: a class, or at ATC level 5 a drug

    @property
    def size(self) -> str:
        """ "25 classes" """
        return count(len(self.codes), self.unit.one, self.unit.many)

    @property
    def key(self) -> str:
        """Identifies case and set to a browser component."""
        return f"{sorted(self.subject.query.items())} {self.name}"

    def file_name(self, ending: str) -> str:
        """A name for what is downloaded of this set."""
        return f"interactions-{LABELS[self.name].lower().replace(' ', '-')}.{ending}"


def of_case(service: Service, subject: Subject) -> Sets:
    """What each model selects at its cut-off, what was prescribed, and all together."""
    codes: dict[str, tuple[str, ...]] = {}
    recommendations: dict[ModelName, Recommendation] = {}
    missing: list[tuple[str, str]] = []
    for name, scores in all_scores(service, subject.case).items():
        if scores.recommendation is not None:
            recommendation = scores.recommendation
            if (threshold := session.threshold(name)) is not None:
                recommendation = service.engine.with_threshold(recommendation, threshold)
            recommendations[name] = recommendation
            codes[name] = tuple(m.code for m in recommendation.selected)
        elif scores.status in ("loading", "running"):
            text = wording.LOADING if scores.status == "loading" else wording.RUNNING
            missing.append((text.format(model=f"The {name}"), name))
        else:
            missing.append((f"{wording.MODEL_LABELS[name]} is not available. {scores.reason}", name))
    known = subject.source == "cohort" and bool(subject.case.prescribed) and not session.hidden(subject)
    if known:
        codes["prescribed"] = subject.case.prescribed
    if len(codes) > 1:
        codes["union"] = tuple(dict.fromkeys(code for own in codes.values() for code in own))
    return Sets(codes, recommendations, tuple(missing), orders(service, subject) if known else ())


def orders(service: Service, subject: Subject) -> tuple[Order, ...]:
    """The drug strings of a cohort case's current visit."""
    visit = subject.case.current.visit_id
    return service.engine.cohort.orders(visit) if visit is not None else ()


def review(
    service: Service, subject: Subject, codes: tuple[str, ...], ordered: tuple[Order, ...]
) -> ClassReview:
    """What the tables say about a set of medications of a case."""
    return service.engine.review_classes(codes, diagnoses=subject.case.current.diagnoses, orders=ordered)
