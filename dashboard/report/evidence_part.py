"""What a report says of similar training patients, and how far to trust each model on the case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard.scores import trust_text
from dashboard.scores.trust_text import SimilarResult
from dashboard.shared import wording
from dashboard.shared.case_text import Coded
from leader_core import Engine, Recommendation
from leader_core.domain import MODEL_NAMES, Kind, ModelName
from leader_core.evaluation.trust import CaseTrust, ClassTrust, case_trust, class_trust


@dataclass(frozen=True, slots=True)
class GivenPart:
    """How many of the neighbours had a class ordered."""

    code: str
    title: str
    count: int
    of: int
    weighted: float  # of their similarity
    suggested: tuple[ModelName, ...]  # the models that suggest it for this case


@dataclass(frozen=True, slots=True)
class NeighbourPart:
    """One training patient."""

    patient_id: int
    visit_no: int
    similarity: float
    about: str  # who they are and how much is shared, in words
    shared: tuple[Coded, ...]  # diagnoses of both
    given: tuple[Coded, ...]  # classes


@dataclass(frozen=True, slots=True)
class SimilarPart:
    """The neighbours in a report; none of them and a reason where they cannot be had."""

    summary: str
    filters: tuple[str, ...] = ()
    among: int = 0
    training: int = 0
    nearness: float | None = None
    nearer_than: float | None = None
    given: tuple[GivenPart, ...] = ()  # most often ordered first
    neighbours: tuple[NeighbourPart, ...] = ()  # nearest first


@dataclass(frozen=True, slots=True)
class TrustPart:
    """How far to trust one model on this case."""

    name: ModelName
    about: CaseTrust
    lines: tuple[str, ...]  # sentences
    classes: Mapping[str, ClassTrust]  # what validation says, by code
    sentences: Mapping[str, str]  # the same in words


def similar_part(
    engine: Engine, recommendations: Mapping[ModelName, Recommendation], near: SimilarResult
) -> SimilarPart:
    similar = near.similar
    if similar is None or not similar.neighbours:
        nobody = f"None of {similar.training:,} training patients passes the filters." if similar else ""
        return SimilarPart(nobody or near.reason or trust_text.NO_NEIGHBOURS, near.filters)
    selected = {name: {m.code for m in each.selected} for name, each in recommendations.items()}

    def titled(kind: Kind, codes: Sequence[str]) -> tuple[Coded, ...]:
        return tuple((engine.cohort.title(kind, code) or code, code) for code in codes)

    given = [
        GivenPart(
            code=code,
            title=engine.cohort.title("medication", code) or code,
            count=similar.given[code].count,
            of=similar.given[code].total,
            weighted=similar.given[code].weighted,
            suggested=tuple(name for name in MODEL_NAMES if code in selected.get(name, ())),
        )
        for code in trust_text.ranked(similar)
    ]
    neighbours = [
        NeighbourPart(
            patient_id=n.patient_id,
            visit_no=n.visit_no,
            similarity=n.similarity,
            about=trust_text.neighbour_text(n),
            shared=titled("diagnosis", n.shared),
            given=titled("medication", n.given),
        )
        for n in similar.neighbours
    ]
    return SimilarPart(
        trust_text.nearest_of(similar),
        near.filters,
        similar.among,
        similar.training,
        similar.mean_similarity,
        similar.nearer_than,
        tuple(given),
        tuple(neighbours),
    )


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
