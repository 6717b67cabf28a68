"""What a report says of the drugs: the alerts of every set of classes together, with the counts of each set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard.interactions import alerts, sets
from dashboard.interactions.sets import KnownDrugs
from dashboard.shared import case_text
from dashboard.shared.markup import Titles
from leader_core import Alert, Interaction, Recommendation
from leader_core.domain import MODEL_NAMES, ModelName, Severity
from leader_core.interactions.review import counts_text

Facts = tuple[tuple[str, str], ...]
"""Labels and values."""


@dataclass(frozen=True, slots=True)
class AlertPart:
    """Alerts that say the same of different drugs; often only one."""

    alerts: tuple[Alert, ...]
    heads: tuple[tuple[str, str], ...]  # of each its title, and which part of a class carries it in words
    sets: tuple[str, ...]  # of classes in which they stand
    facts: Facts  # what to do first

    @property
    def rank(self) -> Severity:
        """What they are shown and counted as."""
        return self.alerts[0].rank

    @property
    def carried(self) -> bool:
        """Are their drugs ordered?"""
        return self.alerts[0].carried

    @property
    def severe(self) -> bool:
        """Are they shown as contraindicated or major?"""
        return self.rank in ("contraindicated", "major")


@dataclass(frozen=True, slots=True)
class ReviewPart:
    """What the tables say about the drugs ordered and about what is suggested."""

    carried: tuple[AlertPart, ...]  # alerts of the drugs ordered, most severe first
    if_chosen: tuple[AlertPart, ...]  # those that depend on which drug of a class is chosen
    counts: Facts  # how many there are of each set of classes, in words
    carried_counts: str  # of the drugs ordered; empty where they are unknown or hidden
    signals: tuple[Interaction, ...]  # statistical pairs of classes, of unknown severity
    note: str  # what the tables hold
    codes: Mapping[str, Sequence[str]]  # the classes of each set

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
    return ReviewPart(
        carried=_alerts(whole.carried, codes, titles),
        if_chosen=_alerts(whole.if_chosen, codes, titles),
        codes=codes,
        counts=tuple(
            (sets.LABELS[name], known.review(own).counts_text)
            for name, own in codes.items()
            if name != sets.UNION
        ),
        carried_counts=counts_text(whole.counts) if known.classes else "",
        signals=whole.signals,
        note=case_text.tables_cover(),
    )


def _alerts(
    listed: Sequence[Alert], codes: Mapping[str, Sequence[str]], titles: Titles
) -> tuple[AlertPart, ...]:
    """Alerts in their order, those that say the same together, with the sets that hold all drugs of one of them."""
    parts = []
    for group in alerts.together(listed):
        first = group[0]
        facts = [
            ("What to do", alerts.own_words(first.management)),
            ("Consequence", alerts.own_words(first.effect)),
            *alerts.group_facts(group, titles),
        ]
        parts.append(
            AlertPart(
                group,
                tuple(
                    (a.title, alerts.likelihood(a, lambda code: titles("medication", code))) for a in group
                ),
                tuple(dict.fromkeys(name for alert in group for name in sets_of(alert, codes))),
                tuple((label, text) for label, text in facts if text),
            )
        )
    return tuple(parts)


def sets_of(alert: Alert, codes: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The sets of classes that hold all drugs of an alert."""
    classes = {drug.class_code for drug in alert.drugs}
    return tuple(sets.LABELS[n] for n, own in codes.items() if n != sets.UNION and classes <= set(own))
