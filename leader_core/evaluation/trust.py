"""How far to trust a score: what validation says of its class, and what is unusual about the case.

Every number is a count over validation patients or a fact of the case; none is a probability that this one
recommendation is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leader_core.domain import Recommendation, UnseenCode
from leader_core.evaluation.class_evidence import EVIDENCE, Evidence, Proportion, read_evidence
from leader_core.model_folder import Manifest

if TYPE_CHECKING:
    from leader_core.model_card import ModelCard

FEW: Final = 20
"""Below so many cases a share is shown with a warning."""
PROMISE: Final = (0.9, 0.9)
"""The share and confidence of the conformal set that is shown; see `leader_core.evaluation.calibration`."""


@dataclass(frozen=True, slots=True)
class ClassTrust:
    """What validation says of one class of one model, at a cut-off and about scores like this one."""

    probability: float
    selected: bool
    cut_off: float
    precision: Proportion  # of the validation cases it was suggested in, how many were prescribed it
    recall: Proportion  # of those prescribed it, how many it was suggested in
    prevalence: Proportion  # of all validation cases, how many were prescribed it
    low: float  # scores like this one: from `low` to `high`
    high: float
    like: Proportion  # of the validation cases scored so, how many were prescribed it
    expected: float  # prescriptions that its scores add up to over all validation cases
    promised: bool | None  # whether it is in the conformal set; None without one, or with one of most classes


@dataclass(frozen=True, slots=True)
class CaseTrust:
    """What is unusual about a case for one model."""

    unseen: tuple[UnseenCode, ...]
    truncated: bool
    share: float  # the conformal set holds at least this share of what is prescribed
    confidence: float  # in at least this share of cases like those of validation
    promised: frozenset[str] | None  # its classes; None where the model carries no such set
    scored: int  # classes that the model scores


def evidence_of(card: ModelCard) -> Evidence | None:
    """What a model's folder says of its classes; None for an early folder without it, or an unsealed one.

    Raises:
        ArtifactError: the file is damaged.
    """
    manifest = card.manifest
    if manifest is None or EVIDENCE not in manifest.files:
        return None
    return read_evidence(card.folder)


def promised_set(manifest: Manifest | None, recommendation: Recommendation) -> frozenset[str] | None:
    """The classes of the conformal set of `PROMISE`; None without a calibration or a set that keeps it."""
    if manifest is None or manifest.calibration is None:
        return None
    try:
        chosen = manifest.calibration.conformal_set(recommendation, *PROMISE)
    except KeyError:
        return None
    return None if chosen is None else frozenset(m.code for m in chosen)


def case_trust(manifest: Manifest | None, recommendation: Recommendation) -> CaseTrust:
    """What is unusual about the case that was scored."""
    promised = promised_set(manifest, recommendation)
    scored = len(recommendation.medications)
    return CaseTrust(recommendation.unseen, recommendation.truncated, *PROMISE, promised, scored)


def class_trust(
    evidence: Evidence | None, manifest: Manifest | None, recommendation: Recommendation
) -> Mapping[str, ClassTrust]:
    """By code, at the recommendation's cut-off; classes that validation says nothing of are left out."""
    if evidence is None:
        return {}
    promised = promised_set(manifest, recommendation)
    if promised is not None and len(promised) * 2 > len(recommendation.medications):
        promised = None  # more than half of the classes: to be one of them says nothing
    trust = {}
    for m in recommendation.medications:
        own = evidence.classes.get(m.code)
        if own is None:
            continue
        precision, recall = own.at(recommendation.threshold)
        low, high, like = own.like(m.probability)
        trust[m.code] = ClassTrust(
            probability=m.probability,
            selected=m.selected,
            cut_off=recommendation.threshold,
            precision=precision,
            recall=recall,
            prevalence=own.prevalence,
            low=low,
            high=high,
            like=like,
            expected=own.expected,
            promised=None if promised is None else m.code in promised,
        )
    return trust


def widest_gap(
    teacher: Recommendation | None, student: Recommendation | None
) -> tuple[str, float, float] | None:
    """(title, teacher's score, student's score) of the class on which they are furthest apart; None without both."""
    if teacher is None or student is None:
        return None
    other = {m.code: m.probability for m in student.medications}
    shared = [m for m in teacher.medications if m.code in other]
    if not shared:
        return None
    widest = max(shared, key=lambda m: (abs(m.probability - other[m.code]), m.code))
    return widest.title, widest.probability, other[widest.code]
