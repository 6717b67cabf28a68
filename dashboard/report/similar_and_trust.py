"""What an exported report says beside the scores: similar training patients, and how far to trust each model.

Composed with the report, from what the page had found. Refuses to know any file format. What the current visit was
given is never read here; what the neighbours were given is of other patients, all of the training split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dashboard.scores import evidence_text
from dashboard.scores.evidence_text import SimilarResult
from dashboard.server.service import MODELS, ModelName
from dashboard.shared import wording
from leader_core import Engine, Recommendation
from leader_core.domain import Kind
from leader_core.evaluation.trust import CaseTrust, ClassTrust, case_trust, class_trust

SIMILAR: Final = "Similar patients of the training split"
TRUST: Final = "How far to trust these scores"


@dataclass(frozen=True, slots=True)
class GivenPart:
    """How many of the neighbours were given a class."""

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
    shared: tuple[tuple[str, str], ...]  # diagnoses of both: title and code
    given: tuple[tuple[str, str], ...]  # classes: title and code


@dataclass(frozen=True, slots=True)
class SimilarPart:
    """The neighbours in a report; none of them and a reason where they cannot be had."""

    told: str
    filters: tuple[str, ...] = ()
    among: int = 0
    training: int = 0
    nearness: float | None = None
    nearer_than: float | None = None
    given: tuple[GivenPart, ...] = ()  # most often given first
    neighbours: tuple[NeighbourPart, ...] = ()  # nearest first


@dataclass(frozen=True, slots=True)
class TrustPart:
    """How far to trust one model on this case."""

    name: ModelName
    about: CaseTrust
    told: tuple[str, ...]  # sentences
    classes: Mapping[str, ClassTrust]  # what validation says, by code
    sentences: Mapping[str, str]  # the same in words


def similar_part(engine: Engine, cut: Mapping[ModelName, Recommendation], near: SimilarResult) -> SimilarPart:
    """The neighbours in words."""
    found = near.similar
    if found is None or not found.neighbours:
        nobody = f"None of {found.training:,} training patients passes the filters." if found else ""
        return SimilarPart(nobody or near.reason or evidence_text.NO_NEIGHBOURS, near.filters)
    chosen = {name: {m.code for m in recommendation.selected} for name, recommendation in cut.items()}
    titled = _titles(engine)
    return SimilarPart(
        evidence_text.nearest_of(found),
        near.filters,
        found.among,
        found.training,
        found.nearness,
        found.nearer_than,
        tuple(
            GivenPart(
                code,
                titled("medication", [code])[0][0],
                found.given[code].count,
                found.given[code].of,
                found.given[code].weighted,
                tuple(name for name in MODELS if code in chosen.get(name, ())),
            )
            for code in evidence_text.ranked(found)
        ),
        tuple(
            NeighbourPart(
                n.patient_id,
                n.visit_no,
                n.similarity,
                evidence_text.neighbour_text(n),
                titled("diagnosis", n.shared),
                titled("medication", n.given),
            )
            for n in found.neighbours
        ),
    )


def trust_parts(engine: Engine, cut: Mapping[ModelName, Recommendation]) -> tuple[TrustPart, ...]:
    """What is unusual about the case for each model that scored it, and what validation says of every class."""
    made = []
    unit = wording.unit(engine.cohort.fingerprint.atc_level)
    for name in MODELS:
        if name not in cut or name not in engine.models:
            continue
        manifest = engine.models[name].manifest
        evidence, problem = evidence_text.evidence_or_reason(engine, name)
        about = case_trust(manifest, cut[name])
        lines = evidence_text.trust_lines(about, evidence, problem, unit)
        classes = class_trust(evidence, manifest, cut[name])
        sentences = {code: evidence_text.sentence(trust) for code, trust in classes.items()}
        made.append(TrustPart(name, about, tuple(lines), classes, sentences))
    return tuple(made)


def _titles(engine: Engine) -> Callable[[Kind, Sequence[str]], tuple[tuple[str, str], ...]]:
    def titled(kind: Kind, codes: Sequence[str]) -> tuple[tuple[str, str], ...]:
        return tuple((engine.cohort.title(kind, code) or code, code) for code in codes)

    return titled
