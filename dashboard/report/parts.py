"""Parts of a report as values: the alerts of every set of classes, and how far to trust each model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard.interactions import sets
from dashboard.interactions.alerts import AlertGroup, grouped
from dashboard.interactions.sets import KnownDrugs
from dashboard.scores import trust_text
from dashboard.shared import case_text, wording
from dashboard.shared.markup import Titles
from leader_core import Engine, Interaction, Recommendation
from leader_core.domain import MODEL_NAMES, ModelName
from leader_core.evaluation.trust import CaseTrust, ClassTrust, case_trust, class_trust
from leader_core.interactions import Alert
from leader_core.interactions.review import counts_text

Facts = tuple[tuple[str, str], ...]
"""Labels and values."""


@dataclass(frozen=True, slots=True)
class ReviewPart:
    """What the tables say about the drugs ordered and about what is suggested."""

    carried: tuple[AlertGroup, ...]  # alerts of the drugs ordered, most severe first
    if_chosen: tuple[AlertGroup, ...]  # those that depend on which drug of a class is chosen
    counts: Facts  # how many there are of each set of classes, in words
    carried_counts: str  # of the drugs ordered; empty where they are unknown or hidden
    signals: tuple[Interaction, ...]  # statistical pairs of classes, of unknown severity
    note: str  # what the tables hold
    codes: Mapping[str, Sequence[str]]  # the classes of each set

    @property
    def empty(self) -> bool:
        """Was there something to review, and is nothing listed?"""
        return bool(self.counts) and not (self.carried or self.if_chosen)

    def sets_of(self, *alerts: Alert) -> tuple[str, ...]:
        """The sets of classes that hold all drugs of one of the alerts."""
        among = [{drug.class_code for drug in alert.drugs} for alert in alerts]
        names = (n for each in among for n, own in self.codes.items() if n != sets.UNION and each <= set(own))
        return tuple(sets.LABELS[name] for name in dict.fromkeys(names))


def review_part(
    known: KnownDrugs, recommendations: Mapping[ModelName, Recommendation], titles: Titles
) -> ReviewPart:
    """The review of all sets together, with the counts of each."""
    codes = sets.named_sets(known, {n: recommendations[n] for n in MODEL_NAMES if n in recommendations})
    whole = known.review(tuple(dict.fromkeys(code for own in codes.values() for code in own)))
    return ReviewPart(
        carried=tuple(grouped(whole.carried, titles)),
        if_chosen=tuple(grouped(whole.if_chosen, titles)),
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


# Trust


@dataclass(frozen=True, slots=True)
class TrustPart:
    """How far to trust one model on this case."""

    name: ModelName
    about: CaseTrust
    lines: tuple[str, ...]  # sentences
    classes: Mapping[str, ClassTrust]  # what validation says, by code
    sentences: Mapping[str, str]  # the same in words


def trust_parts(engine: Engine, recommendations: Mapping[ModelName, Recommendation]) -> tuple[TrustPart, ...]:
    """What is unusual about the case for each model that scored it, and what validation says of every class."""
    parts = []
    unit = wording.unit(engine.cohort.fingerprint.atc_level)
    for name in MODEL_NAMES:
        if name not in recommendations or name not in engine.models:
            continue
        manifest = engine.models[name].manifest
        evidence, problem = trust_text.evidence_or_reason(engine, name)
        about = case_trust(manifest, recommendations[name])
        classes = class_trust(evidence, manifest, recommendations[name])
        sentences = {code: trust_text.sentence(trust) for code, trust in classes.items()}
        lines = trust_text.trust_lines(about, evidence, problem, unit)
        parts.append(TrustPart(name, about, tuple(lines), classes, sentences))
    return tuple(parts)
