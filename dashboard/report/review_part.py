"""What a report says of the drugs: the alerts of every set of classes together, with the counts of each set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard.interactions import alerts, sets
from dashboard.interactions.sets import KnownDrugs
from dashboard.shared import case_text
from dashboard.shared.markup import Titles
from leader_core import Alert, Interaction, Recommendation, Review
from leader_core.domain import MODEL_NAMES, ModelName
from leader_core.interactions.review import counts_text

Facts = tuple[tuple[str, str], ...]
"""Labels and values."""


@dataclass(frozen=True, slots=True)
class AlertPart:
    """An alert, and in which sets of classes it stands."""

    alert: Alert
    sets: tuple[str, ...]
    likelihood: str  # which part of a class carries it, in words; empty where its drugs are known
    facts: Facts  # what to do first

    @property
    def severe(self) -> bool:
        """Is it shown as contraindicated or major?"""
        return self.alert.rank in ("contraindicated", "major")


@dataclass(frozen=True, slots=True)
class ReviewPart:
    """What the tables say about the drugs ordered and about what is suggested."""

    carried: tuple[AlertPart, ...]  # alerts of the drugs ordered, most severe first
    if_chosen: tuple[AlertPart, ...]  # those that depend on which drug of a class is chosen
    counts: Facts  # how many there are of each set of classes, in words
    carried_counts: str  # of the drugs ordered; empty where they are unknown or hidden
    signals: tuple[Interaction, ...]  # statistical pairs of classes, of unknown severity
    note: str  # what the tables hold

    @property
    def empty(self) -> bool:
        """Was there something to review, and is nothing listed?"""
        return bool(self.counts) and not (self.carried or self.if_chosen)


def review_part(
    known: KnownDrugs, recommendations: Mapping[ModelName, Recommendation], titles: Titles
) -> ReviewPart:
    """The review of all sets together, with the counts of each."""
    codes = sets.named_sets(known, {n: recommendations[n] for n in MODEL_NAMES if n in recommendations})
    whole = known.review(tuple(dict.fromkeys(code for own in codes.values() for code in own)))
    parts = _alerts(whole, codes, titles)
    return ReviewPart(
        carried=tuple(part for part in parts if part.alert.carried),
        if_chosen=tuple(part for part in parts if not part.alert.carried),
        counts=tuple(
            (sets.LABELS[name], known.review(own).counts_text)
            for name, own in codes.items()
            if name != sets.UNION
        ),
        carried_counts=counts_text(whole.counts) if known.classes else "",
        signals=whole.signals,
        note=case_text.tables_cover(),
    )


def _alerts(review: Review, codes: Mapping[str, Sequence[str]], titles: Titles) -> list[AlertPart]:
    """Every alert once, in the order of the review, with the sets that hold all its drugs."""
    parts = []
    for alert in review.alerts:
        classes = {drug.class_code for drug in alert.drugs}
        holders = [sets.LABELS[n] for n, own in codes.items() if n != sets.UNION and classes <= set(own)]
        facts = [
            ("What to do", alerts.own_words(alert.management)),
            ("Consequence", alerts.own_words(alert.effect)),
            *alerts.facts(alert, titles),
        ]
        parts.append(
            AlertPart(
                alert,
                tuple(holders),
                alerts.likelihood(alert, lambda code: titles("medication", code)),
                tuple((label, text) for label, text in facts if text),
            )
        )
    return parts
