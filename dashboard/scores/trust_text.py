"""Similar training patients, and how far to trust a score: values and sentences for the panels and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dashboard.shared import wording
from dashboard.shared.case_text import Coded
from dashboard.shared.formatting import count, probability
from leader_core import UNKNOWN, Engine, LeaderError, Recommendation
from leader_core.domain import MODEL_NAMES, Kind, ModelName
from leader_core.evaluation.class_evidence import Evidence, Proportion
from leader_core.evaluation.trust import FEW, CaseTrust, ClassTrust, evidence_of, widest_gap
from leader_core.similar import Neighbour, Similar

NO_NEIGHBOURS: Final = "They cannot be computed for this case."
ABOUT_SIMILAR: Final = (
    "Patients of the training split whose case the student reads in nearly the same way; similarity 1 is the same reading, "
    "which may rest on other things than shared diagnoses. "
    "What was ordered for them is what was done, not what was right."
)
NO_EVIDENCE: Final = (
    "This {model} was trained before validation counts of each class were stored with a model. "
    "`python -m train calibrate` adds it."
)


@dataclass(frozen=True, slots=True)
class SimilarResult:
    """A case's neighbours in the training split, and the words around them."""

    similar: Similar | None = None
    filters: tuple[str, ...] = ()  # in words: which training patients were searched
    reason: str = ""  # a sentence where there are none


@dataclass(frozen=True, slots=True)
class GivenClass:
    """How many of the neighbours had a class ordered."""

    code: str
    title: str
    count: int
    of: int
    weighted: float  # of their similarity
    suggested: tuple[ModelName, ...]  # the models that suggest it for this case


@dataclass(frozen=True, slots=True)
class NearPatient:
    """One training patient."""

    patient_id: int
    visit_no: int
    similarity: float
    about: str  # who they are and how much is shared, in words
    shared: tuple[Coded, ...]  # diagnoses of both
    given: tuple[Coded, ...]  # classes


@dataclass(frozen=True, slots=True)
class SimilarPatients:
    """The neighbours for panel and report; none of them and a reason where they cannot be had."""

    summary: str
    filters: tuple[str, ...] = ()
    among: int = 0
    training: int = 0
    nearness: float | None = None
    nearer_than: float | None = None
    given: tuple[GivenClass, ...] = ()  # most often ordered first
    neighbours: tuple[NearPatient, ...] = ()  # nearest first


NOT_SEARCHED: Final = SimilarResult()


def nearest_of(similar: Similar) -> str:
    """Of how many training patients these are the nearest."""
    text = f"The {len(similar.neighbours)} nearest of {similar.among:,} training patients"
    if similar.among < similar.training:
        return f"{text} that pass the filters ({similar.training:,} in all)."
    return f"{text}."


def ranked(similar: Similar) -> list[str]:
    """Every class that a neighbour had ordered, by the similarity of those who were."""
    return sorted(similar.given, key=lambda code: (-similar.given[code].weighted, code))


def neighbour_text(neighbour: Neighbour) -> str:
    """Who a training patient is, and how much they share with the case."""
    gender = wording.GENDER_LABELS.get(neighbour.gender, "sex not recorded")
    band = neighbour.age_band if neighbour.age_band != UNKNOWN else "age not recorded"
    visit = "first visit" if neighbour.visit_no == 1 else f"visit {neighbour.visit_no}"
    shared = f"{len(neighbour.shared)} of {count(neighbour.diagnoses, 'diagnosis', 'diagnoses')} shared"
    return f"{gender}, {band}, {visit}, {shared}"


def similar_patients(
    engine: Engine, recommendations: Mapping[ModelName, Recommendation], near: SimilarResult
) -> SimilarPatients:
    """The neighbours in words, and which models suggest what they had ordered."""
    similar = near.similar
    if similar is None or not similar.neighbours:
        nobody = f"None of {similar.training:,} training patients passes the filters." if similar else ""
        return SimilarPatients(nobody or near.reason or NO_NEIGHBOURS, near.filters)
    selected = {name: {m.code for m in each.selected} for name, each in recommendations.items()}

    def titled(kind: Kind, codes: Sequence[str]) -> tuple[Coded, ...]:
        return tuple((engine.cohort.title(kind, code) or code, code) for code in codes)

    given = [
        GivenClass(
            code=code,
            title=engine.cohort.title("medication", code) or code,
            count=similar.given[code].count,
            of=similar.given[code].total,
            weighted=similar.given[code].weighted,
            suggested=tuple(name for name in MODEL_NAMES if code in selected.get(name, ())),
        )
        for code in ranked(similar)
    ]
    neighbours = [
        NearPatient(
            patient_id=n.patient_id,
            visit_no=n.visit_no,
            similarity=n.similarity,
            about=neighbour_text(n),
            shared=titled("diagnosis", n.shared),
            given=titled("medication", n.given),
        )
        for n in similar.neighbours
    ]
    return SimilarPatients(
        nearest_of(similar),
        near.filters,
        similar.among,
        similar.training,
        similar.mean_similarity,
        similar.nearer_than,
        tuple(given),
        tuple(neighbours),
    )


def sentence(trust: ClassTrust) -> str:
    """What validation says of a class, as counts with their shares."""
    p = trust.prevalence
    sentences = [f"Ordered in {p.part:,} of {p.whole:,} cases ({percent(p)})."]
    if trust.precision.whole:
        sentences.append(
            f"Suggested in {trust.precision.whole:,} at this cut-off, right in {trust.precision.part:,} "
            f"({percent(trust.precision, interval=True)}); found {percent(trust.recall)} of the orders of it."
        )
    else:
        sentences.append("Never suggested at this cut-off.")
    if trust.like.whole:
        sentences.append(
            f"Of {count(trust.like.whole, 'case')} scored {trust.low:.1f} to {trust.high:.1f}, like this one, "
            f"{trust.like.part:,} had it ordered ({percent(trust.like)})"
            + (", too few to rely on." if trust.like.whole < FEW else ".")
        )
    else:
        sentences.append(f"No case was scored {trust.low:.1f} to {trust.high:.1f}, like this one.")
    if trust.promised is not None:
        sentences.append("In the 90 % set." if trust.promised else "Not in the 90 % set.")
    return " ".join(sentences)


def percent(share: Proportion, *, interval: bool = False) -> str:
    """A share in whole per cent, with its 95 % interval on request.

    >>> percent(Proportion(3, 4)), percent(Proportion(30, 40), interval=True), percent(Proportion(0, 0))
    ('75 %', '75 %, interval 60–86 %', 'none')
    """
    if share.value is None:
        return "none"
    text = f"{share.value:.0%}".replace("%", " %")
    if interval:
        low, high = share.interval
        text += f", interval {low * 100:.0f}–{high * 100:.0f} %"
    return text


def case_facts(
    recommendations: Mapping[ModelName, Recommendation], similar: Similar | None
) -> list[tuple[str, str]]:
    """What is unusual about the case whichever model reads it."""
    lines: list[tuple[str, str]] = []
    if similar is not None and similar.nearer_than is not None:
        lines.append(("To training data", distance_to_training_data(similar)))
    gap = widest_gap(recommendations.get("teacher"), recommendations.get("student"))
    if gap is not None:
        title, teacher, student = gap
        text = f"{title}: teacher {probability(teacher)}, student {probability(student)}"
        lines.append(("Furthest apart", text))
    return lines


def distance_to_training_data(similar: Similar) -> str:
    """How near the case is to training data, measured against validation patients."""
    share = similar.nearer_than or 0.0
    if share < 0.05:
        return (
            "further from any training patient than 95 % of validation patients are: an unusual case, on which the "
            "metrics of a class may not hold"
        )
    return f"nearer than {share * 100:.0f} % of validation patients are (mean cosine {similar.mean_similarity:.2f})"


def trust_lines(about: CaseTrust, evidence: Evidence | None, problem: str, unit: wording.Unit) -> list[str]:
    """What is unusual about the case for one model, and what its metrics rest on, a sentence each."""
    lines = []
    if about.unseen:
        unread = [each for each in about.unseen if not each.by_title]
        if unread:
            lines.append(f"{count(len(unread), 'code')} of this case not known, and not read.")
        if by_title := len(about.unseen) - len(unread):
            lines.append(
                f"{count(by_title, 'code')} of this case never seen in training, read by title only."
            )
    if about.truncated:
        lines.append("Could not read all of the case: it was cut to fit.")
    if not about.unseen and not about.truncated:
        lines.append("Knows every code of the case, and nothing was cut.")
    if about.promised is not None and len(about.promised) * 2 > about.scored:
        lines.append(
            f"No {about.share * 100:.0f} % set worth showing: it would hold {len(about.promised)} of "
            f"{count(about.scored, unit.one, unit.many)}."
        )
    elif about.promised is not None:
        lines.append(
            f"The {about.share * 100:.0f} % set: {count(len(about.promised), unit.one, unit.many)}. Of cases like those of "
            f"validation, at least {about.confidence * 100:.0f} % have at least {about.share * 100:.0f} % of what was "
            "ordered in their set. "
            "It promises nothing about one patient."
        )
    else:
        lines.append("No set with a stated coverage: this model is not calibrated.")
    if evidence is not None:
        kind = "calibrated" if evidence.calibrated else "uncalibrated"
        lines.append(
            f"Each {unit.one} was counted on {evidence.cases:,} validation cases, by its {kind} scores."
        )
    else:
        lines.append(problem)
    return lines


def evidence_or_reason(engine: Engine, name: ModelName) -> tuple[Evidence | None, str]:
    """What validation says of the model's classes, as its folder has it, and a sentence where it says nothing."""
    try:
        evidence = evidence_of(engine.models[name])
    except LeaderError as error:
        return None, str(error)
    return evidence, "" if evidence is not None else NO_EVIDENCE.format(model=name)
