"""What an exported report of one case says, as plain values: composed once, written by `html`, `pdf` and `data`.

Refuses to know any file format. With what was prescribed hidden, nothing here knows it either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dashboard.report.similar_and_trust import (
    SimilarPart,
    TrustPart,
    similar_part,
    trust_parts,
)
from dashboard.scores import evidence_text
from dashboard.scores.evidence_text import NOT_SEARCHED, SimilarResult
from dashboard.server.service import MODELS, ModelName
from dashboard.shared import case_text, comparison, wording
from dashboard.shared.formatting import count, day, gap, listing, score, stay
from dashboard.shared.session import Subject
from dashboard.shared.subject import person
from leader_core import SEVERITIES, Case, Engine, Fingerprint, Interaction, Recommendation, Visit
from leader_core.model_folder import Manifest

Coded = tuple[str, str]
"""A code's title and the code; the code is empty where it is its own title."""


@dataclass(frozen=True, slots=True)
class ModelPart:
    """One model in a report."""

    name: ModelName
    recommendation: Recommendation
    own_cut_off: float | None
    facts: tuple[tuple[str, str], ...]  # version, training data and the like, for people
    figures: tuple[tuple[str, str], ...]  # Jaccard and so on, under the cut-off
    warnings: tuple[str, ...]  # unseen codes, truncation


@dataclass(frozen=True, slots=True)
class VisitPart:
    """One visit, in words."""

    heading: str
    detail: str
    current: bool
    diagnoses: tuple[Coded, ...]
    procedures: tuple[Coded, ...]
    medications: tuple[Coded, ...]
    new: frozenset[str]  # medication codes that the visit before had not
    stopped: tuple[Coded, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report shows."""

    title: str
    subtitle: str
    made_at: datetime
    case: Case  # without what was prescribed, where that is hidden
    identified: bool  # the case is a patient of the cohort
    fingerprint: Fingerprint
    data_kind: str
    hidden: bool
    prescribed_known: bool
    profile: tuple[tuple[str, str], ...]
    profile_note: str
    notices: tuple[str, ...]
    visits: tuple[VisitPart, ...]  # newest first
    models: tuple[ModelPart, ...]
    absent: tuple[str, ...]  # a sentence for each model without scores
    groups: tuple[tuple[str, tuple[comparison.Row, ...]], ...]  # heading, rows; "neither" last
    orders: Mapping[str, str]  # class -> the hospital's own drug strings
    interactions: tuple[
        tuple[Interaction, tuple[str, ...]], ...
    ]  # each pair once, and in whose sets it stands
    interaction_counts: tuple[tuple[str, int], ...]  # whose set, pairs in it
    interaction_note: str
    titles: Mapping[str, str]  # medication class -> title
    similar: SimilarPart
    trust_facts: tuple[tuple[str, str], ...]
    trust: tuple[TrustPart, ...]


CLASSES_ONLY: Final = "Drug classes only (ATC level {level}): no dose, route, timing or duration."
HIDDEN: Final = (
    "What this visit was given is left out of this report, and so is every figure that follows from it."
)
NOT_SCORED: Final = "The {name}'s scores were not available when this report was made."


def compose(
    engine: Engine,
    subject: Subject,
    recommendations: Mapping[ModelName, Recommendation],
    *,
    hide: bool,
    made_at: datetime,
    near: SimilarResult = NOT_SEARCHED,
) -> Report:
    """The report of a case under the cut-offs that the recommendations carry.

    Args:
        engine: titles, interactions, orders and the models' manifests.
        subject: the case and where it came from.
        recommendations: one for each model that has scored it.
        hide: leave out what the current visit was given.
        made_at: the moment that the report names.
        near: the case's neighbours in the training split, as the page has them.
    """
    cohort = engine.cohort
    known = not hide and bool(subject.case.prescribed)
    case = subject.case.observed() if hide else subject.case
    titles = cohort.titles("medication")
    rows = comparison.rows(
        recommendations.get("teacher"), recommendations.get("student"), case.prescribed, titles
    )
    sets = {wording.MODEL_NAMES[n]: recommendations[n].interactions for n in MODELS if n in recommendations}
    if known:
        sets["Prescribed"] = cohort.interactions.among(case.prescribed)
    student = recommendations.get("student")
    visit_id = case.current.visit_id
    return Report(
        title=f"Patient {subject.patient_id}" if subject.source == "cohort" else "Entered case",
        subtitle=_subtitle(subject),
        made_at=made_at,
        case=case,
        identified=subject.source == "cohort",
        fingerprint=cohort.fingerprint,
        data_kind=wording.data_kind(cohort.fingerprint.synthetic, cohort.fingerprint.label),
        hidden=hide,
        prescribed_known=known,
        profile=tuple(case_text.profile_facts(case, cohort.profile_fields)),
        profile_note=_profile_note(student),
        notices=tuple(_notices(case, hide)),
        visits=tuple(_visits(case, engine)),
        models=tuple(_model(engine, name, recommendations[name], case, known) for name in MODELS if name in recommendations),
        absent=tuple(NOT_SCORED.format(name=name) for name in MODELS if name not in recommendations),
        groups=_groups(rows, known, tuple(recommendations)),
        orders=case_text.ordered_drugs(cohort.orders(visit_id)) if known and visit_id is not None else {},
        interactions=_merged(sets),
        interaction_counts=tuple((name, len(pairs)) for name, pairs in sets.items()),
        interaction_note=case_text.table_covers(cohort.interactions),
        titles={**titles, **{row.code: row.title for row in rows}},
        similar=similar_part(engine, recommendations, near),
        trust_facts=tuple(evidence_text.case_facts(recommendations, near.similar)),
        trust=trust_parts(engine, recommendations),
    )  # fmt: skip


def _merged(
    sets: Mapping[str, tuple[Interaction, ...]],
) -> tuple[tuple[Interaction, tuple[str, ...]], ...]:
    """Every pair of any set once, most severe first, with the sets it stands in."""
    holders: dict[Interaction, list[str]] = {}
    for name, pairs in sets.items():
        for pair in pairs:
            holders.setdefault(pair, []).append(name)
    order = sorted(holders, key=lambda p: (SEVERITIES.index(p.severity), p.code_a, p.code_b))
    return tuple((pair, tuple(holders[pair])) for pair in order)


def _subtitle(subject: Subject) -> str:
    current = subject.case.current
    told = [person(subject)]
    if subject.source == "cohort":
        told += [
            f"visit {current.visit_no or len(subject.case.history) + 1}",
            f"admitted {day(current.admitted_at)}",
        ]
        told += [length] if (length := stay(current.admitted_at, current.discharged_at)) else []
    else:
        told += [count(len(subject.case.history), "earlier visit") if subject.case.history else "first visit"]
        told += ["not in the cohort"]
    return " · ".join(told)


def _profile_note(student: Recommendation | None) -> str:
    if student is None:
        return ""
    if not student.profile_read:
        return wording.STUDENT_PROFILE_NONE
    fields = listing(wording.FIELD_LABELS[name].lower() for name in student.profile_read)
    return wording.STUDENT_PROFILE.format(fields=fields)


def _notices(case: Case, hide: bool) -> list[str]:
    found = [HIDDEN] if hide else []
    return [*found, wording.FIRST_VISIT] if case.is_first_visit else found


def _visits(case: Case, engine: Engine) -> list[VisitPart]:
    visits = [*case.history, case.current]
    parts = [
        _visit(v, visits[i - 1] if i else None, i + 1, i == len(visits) - 1, engine)
        for i, v in enumerate(visits)
    ]
    return parts[::-1]


def _visit(visit: Visit, before: Visit | None, number: int, current: bool, engine: Engine) -> VisitPart:
    def coded(kind: str, codes: tuple[str, ...]) -> tuple[Coded, ...]:
        titled = ((engine.cohort.title(kind, code) or code, code) for code in codes)  # type: ignore[arg-type]
        return tuple((title, "" if title == code else code) for title, code in titled)

    number = visit.visit_no or number
    told = [f"visit {number}"] if visit.admitted_at else []
    told += [length] if (length := stay(visit.admitted_at, visit.discharged_at)) else []
    if before is not None and (between := gap(before.discharged_at or before.admitted_at, visit.admitted_at)):
        told.append(f"{between} after the visit before")
    compared = before is not None and bool(visit.medications)
    new, stopped = (
        comparison.changes(before.medications, visit.medications) if before and compared else ((), ())
    )
    return VisitPart(
        heading=day(visit.admitted_at) if visit.admitted_at else f"Visit {number}",
        detail=" · ".join([*told, *(["this case"] if current else [])]),
        current=current,
        diagnoses=coded("diagnosis", visit.diagnoses),
        procedures=coded("procedure", visit.procedures),
        medications=coded("medication", visit.medications),
        new=frozenset(new),
        stopped=coded("medication", stopped),
    )


def _model(
    engine: Engine, name: ModelName, recommendation: Recommendation, case: Case, known: bool
) -> ModelPart:
    card = engine.models.get(name)
    manifest = card.manifest if card is not None else None
    agreement = comparison.agreement((m.code for m in recommendation.selected), case.prescribed)
    pairs = recommendation.interactions
    figures = [("Classes", str(agreement.selected)), ("Interactions", str(len(pairs)))]
    if known:
        figures = [
            ("Jaccard", score(agreement.jaccard)),
            ("F1", score(agreement.f1)),
            ("Also prescribed", f"{agreement.hits} of {agreement.selected}"),
            ("Interactions", str(len(pairs))),
        ]
    warnings = [case_text.unseen_sentence(name, recommendation.unseen)] if recommendation.unseen else []
    warnings += [wording.CUT_TO_FIT[name]] if recommendation.truncated else []
    return ModelPart(
        name=name,
        recommendation=recommendation,
        own_cut_off=manifest.threshold if manifest else None,
        facts=tuple(_model_facts(manifest, recommendation, engine)) if manifest else (),
        figures=tuple(figures),
        warnings=tuple(warnings),
    )


def _model_facts(manifest: Manifest, recommendation: Recommendation, engine: Engine) -> list[tuple[str, str]]:
    """Which model it was, so that its scores can be made again."""
    moved = abs(recommendation.threshold - manifest.threshold) > 1e-9
    cut = f"{recommendation.threshold:.2f}"
    if moved:
        cut += f", moved by the viewer from {manifest.threshold:.2f}"
    rule = f"; the model's own was {manifest.threshold_rule}" if manifest.threshold_rule else ""
    here = engine.cohort.fingerprint.digest
    trained = "this cohort" if manifest.cohort.digest == here else "another cohort"
    facts = [
        ("Cut-off", cut + rule),
        (
            "Version",
            f"{manifest.digest[:12] or 'unknown'}, made {manifest.created_at[:10] or 'at an unknown time'}",
        ),
        ("Trained on", f"{trained}: {manifest.cohort.label}, {manifest.cohort.patients:,} patients"),
    ]
    if manifest.prompt_version:
        facts.append(("Prompt", manifest.prompt_version))
    if manifest.kind == "student":
        facts.append(("Distilled from", manifest.teacher_digest[:12] or "no teacher"))
    return facts


def _groups(
    rows: list[comparison.Row], known: bool, names: tuple[ModelName, ...]
) -> tuple[tuple[str, tuple[comparison.Row, ...]], ...]:
    """Rows by agreement; groups that cannot be told, or are empty, are left out."""
    labels = wording.GROUP_LABELS if len(names) == 2 else {**wording.GROUP_LABELS, **wording.GROUP_LABELS_ONE}
    found = []
    for key, members in comparison.grouped(rows).items():
        if not members or (key == "missed" and not known):
            continue
        label = labels[key]
        if not names:
            label = "Prescribed"
        elif key == "neither" and not known:
            label = "Not suggested"
        found.append((label, tuple(members)))
    return tuple(found)
