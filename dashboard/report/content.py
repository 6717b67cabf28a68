"""What the exported report of a case says, as plain values: composed once, written as HTML, PDF, JSON and CSV.

Where what was ordered is hidden, nothing here holds it either.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dashboard.interactions import sets
from dashboard.interactions.alerts import AlertGroup, grouped
from dashboard.interactions.sets import KnownDrugs
from dashboard.scores import trust_text
from dashboard.scores.reasons import Reason, reasons
from dashboard.scores.trust_text import NOT_SEARCHED, SimilarPatients, SimilarResult
from dashboard.shared import case_text, comparison, wording
from dashboard.shared.case_text import VisitText
from dashboard.shared.formatting import cut_off, listing, score
from dashboard.shared.markup import Titles
from leader_core import Case, Engine, Fingerprint, Interaction, LeaderError, Recommendation
from leader_core.domain import MODEL_NAMES, Kind, ModelName
from leader_core.evaluation.trust import CaseTrust, ClassTrust, case_trust, class_trust
from leader_core.explain import Outcomes
from leader_core.interactions import Alert
from leader_core.interactions.review import counts_text
from leader_core.model_folder import Manifest
from leader_core.workspace import Note

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


CLASSES_ONLY: Final = "Drug classes only (ATC level {level}): no dose, route, timing or duration."
HIDDEN: Final = (
    "What was ordered at this visit is left out of this report, and so is every metric that follows from it."
)
NOT_SCORED: Final = "The {name}'s scores were not available when this report was made."
NOT_LOOKED_UP: Final = "Not looked up, because it was not understood: {drugs}."
ENTERED: Final = "Drugs entered for this stay: {drugs}."
CUT: Final = "The {name} could not read all of this case. {what}"


@dataclass(frozen=True, slots=True)
class ModelPart:
    """One model in a report."""

    name: ModelName
    recommendation: Recommendation
    own_threshold: float | None
    facts: Facts  # version, training data and the like
    metrics: Facts  # Jaccard and so on, under the cut-off
    warnings: tuple[str, ...]  # unseen codes, truncation


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Classes of one kind of agreement; folded where neither model suggests them and nobody ordered them."""

    label: str
    rows: tuple[comparison.Row, ...]
    folded: bool


@dataclass(frozen=True, slots=True)
class CaseReport:
    """Everything that a report shows."""

    title: str
    subtitle: str
    made_at: datetime
    case: Case  # without what was ordered, where that is hidden
    identified: bool  # the case is a patient of the cohort
    fingerprint: Fingerprint
    hidden: bool
    prescribed_known: bool
    profile: Facts
    profile_note: str
    notices: tuple[str, ...]
    absent: tuple[str, ...]  # a sentence for each model without scores
    visits: tuple[VisitText, ...]  # newest first
    models: tuple[ModelPart, ...]
    groups: tuple[RowGroup, ...]
    orders: Mapping[str, str]  # class -> the hospital's own drug strings
    review: ReviewPart
    titles: Mapping[str, str]  # medication class -> title
    similar: SimilarPatients
    trust_facts: Facts
    trust: tuple[TrustPart, ...]
    reasons: Mapping[str, tuple[Reason, ...]] | None  # by class; None where the student could not say
    drug_names: Mapping[str, Sequence[str]]  # of the drugs ordered, by class
    allergies: tuple[str, ...]
    written: tuple[Note, ...]  # notes of the people who read the case; none where the orders are hidden

    @property
    def data(self) -> Facts:
        """Which cohort the case and the titles are from."""
        of = self.fingerprint
        return (
            ("Kind", wording.data_kind(of.synthetic, of.label)),
            ("Cohort", f"{of.label}, {of.patients:,} patients, {of.visits:,} visits"),
            ("Settings", f"{of.source}, preset {of.preset}, ATC level {of.atc_level}"),
            ("Fingerprint", of.digest[:16]),
        )

    @property
    def like(self) -> Mapping[str, ClassTrust]:
        """How usual each class is, as validation says of the student's scores; nothing where it does not."""
        return next((part.classes for part in self.trust if part.name == "student"), {})

    @property
    def scope(self) -> str:
        """What the lists say and do not say."""
        return CLASSES_ONLY.format(level=self.fingerprint.atc_level)


def compose(
    engine: Engine,
    case: Case,
    recommendations: Mapping[ModelName, Recommendation],
    *,
    patient_id: int | None,
    hide: bool,
    made_at: datetime,
    near: SimilarResult = NOT_SEARCHED,
    drugs: Sequence[str] = (),
    held: Collection[str] = (),
    outcomes: Outcomes | None = None,
    notes: Sequence[Note] = (),
    student_name: str = "",
) -> CaseReport:
    """The report of a case under the cut-offs that the recommendations carry.

    Args:
        case: with what was ordered.
        recommendations: one for each model that has scored it.
        patient_id: the patient of the cohort; None for a case that was entered.
        hide: leave out what was ordered in the current visit.
        near: the case's neighbours in the training split, as the page has them.
        drugs: those entered for the current stay of a case that was entered, as typed.
        held: classes that were taken out of the suggestions for the patient's conditions.
        outcomes: the student's scores with each thing of the case left out; None where it could not be asked.
        notes: what people wrote about the patient; left out with `hide`, as they may name what was ordered.
        student_name: of a student that was trained here; empty for the server's own.
    """
    recommendations = {name: recommendations[name] for name in MODEL_NAMES if name in recommendations}
    cohort, student = engine.cohort, recommendations.get("student")
    drugs_known = KnownDrugs.of(engine, case, drugs, hide=hide)
    known, recorded = bool(drugs_known.classes), patient_id is not None
    case = case.observed() if hide else case
    rows = comparison.rows(recommendations, drugs_known.classes, cohort.titles("medication"), held=held)

    def title(kind: Kind, code: str) -> str:
        return cohort.title(kind, code) or code

    names = _drug_names(drugs_known)
    why = reasons(outcomes, case, case_text.short_titles(title)) if outcomes and student else None
    return CaseReport(
        title=f"Patient {patient_id}" if recorded else "Entered case",
        subtitle=_subtitle(engine, case, recorded=recorded),
        made_at=made_at,
        case=case,
        identified=recorded,
        fingerprint=cohort.fingerprint,
        hidden=hide,
        prescribed_known=known,
        profile=tuple(case_text.profile_facts(case, cohort.profile_fields)),
        profile_note=case_text.profile_read(student.profile_read) if student is not None else "",
        notices=_notices(case, drugs_known, drugs, student_name, hide=hide),
        absent=tuple(NOT_SCORED.format(name=name) for name in MODEL_NAMES if name not in recommendations),
        visits=tuple(case_text.visit_texts(case, title)),
        models=tuple(_model(engine, *scored, case) for scored in recommendations.items()),
        groups=_groups(rows, known=known, models=len(recommendations)),
        orders=case_text.ordered_drugs(drugs_known.orders) or {c: listing(own) for c, own in names.items()},
        review=review_part(drugs_known, recommendations, title),
        titles={**cohort.titles("medication"), **{row.code: row.title for row in rows}},
        similar=trust_text.similar_patients(engine, recommendations, near),
        trust_facts=tuple(trust_text.case_facts(recommendations, near.similar)),
        trust=trust_parts(engine, recommendations),
        reasons=why,
        drug_names=names,
        allergies=tuple(each for each, _ in case_text.allergies(case, title)),
        written=() if hide else tuple(notes),
    )


def _subtitle(engine: Engine, case: Case, *, recorded: bool) -> str:
    visit = case.current.visit_id
    age = engine.cohort.age(visit) if recorded and visit is not None else None
    return case_text.case_summary(case, recorded=recorded, admission=True, age=age)


def _drug_names(drugs: KnownDrugs) -> dict[str, list[str]]:
    """The names of the drugs ordered by class; a string that names no known drug stands as it was written."""
    names: dict[str, list[str]] = {}
    for choice in drugs.review(drugs.classes).choices if drugs.classes else ():
        own = [choice.drugs[0].name] if choice.known else list(choice.written)
        for code in choice.class_codes:
            names.setdefault(code, []).extend(own)
    return names


def _notices(
    case: Case, known: KnownDrugs, drugs: Sequence[str], student_name: str, *, hide: bool
) -> tuple[str, ...]:
    """What must be seen before anything else."""
    notices = [HIDDEN] if hide else []
    if case.is_first_visit:
        notices.append(wording.FIRST_VISIT)
    if drugs and known.entered is not None:
        notices.append(ENTERED.format(drugs="; ".join(drugs)))
    if known.unknown:
        unknown = (f"“{each.text}” ({each.reason})" for each in known.unknown)
        notices.append(NOT_LOOKED_UP.format(drugs=listing(unknown)))
    if student_name:
        notices.append(wording.REPORT_STUDENT.format(name=student_name))
    return tuple(notices)


def _model(engine: Engine, name: ModelName, recommendation: Recommendation, case: Case) -> ModelPart:
    card = engine.models.get(name)
    manifest = card.manifest if card is not None else None
    agreement = comparison.agreement((m.code for m in recommendation.selected), case.prescribed)
    metrics: Facts = (("Classes", str(agreement.selected)),)
    if case.prescribed:
        metrics = (
            ("Jaccard", score(agreement.jaccard)),
            ("F1", score(agreement.f1)),
            ("Also ordered", f"{agreement.hits} of {agreement.selected}"),
        )
    warnings = [case_text.unseen_sentence(name, recommendation.unseen)] if recommendation.unseen else []
    warnings += [_cut(engine, name, case)] if recommendation.truncated else []
    return ModelPart(
        name=name,
        recommendation=recommendation,
        own_threshold=manifest.threshold if manifest else None,
        facts=_model_facts(manifest, recommendation, engine.cohort.fingerprint.digest) if manifest else (),
        metrics=metrics,
        warnings=tuple(warnings),
    )


def _cut(engine: Engine, name: ModelName, case: Case) -> str:
    """That a model could not read the whole case, and of the teacher what was left out."""
    try:
        dropped = engine.prompt(case).dropped if name == "teacher" and engine.models[name].loaded else ()
    except LeaderError:
        dropped = ()
    what = " ".join(dropped) or "The oldest visits, or the last codes of a long list, were left out."
    return CUT.format(name=name, what=what)


def _model_facts(manifest: Manifest, recommendation: Recommendation, cohort: str) -> Facts:
    """Identifies the model, so that its scores can be computed again."""
    text = cut_off(recommendation.threshold)
    if abs(recommendation.threshold - manifest.threshold) > 1e-9:
        text += f", moved by the viewer from the model's own, {cut_off(manifest.threshold)}"
    if manifest.threshold_rule:
        text += f" ({wording.threshold_rule(manifest.threshold_rule)})"
    version = manifest.digest[:12] or "unknown"
    trained = "this cohort" if manifest.cohort.digest == cohort else "another cohort"
    facts = [
        ("Cut-off", text),
        ("Version", f"{version}, made {manifest.created_at[:10] or 'at an unknown time'}"),
        ("Trained on", f"{trained}: {manifest.cohort.label}, {manifest.cohort.patients:,} patients"),
    ]
    if manifest.prompt_version:
        facts.append(("Prompt", manifest.prompt_version))
    if manifest.kind == "student":
        facts.append(("Distilled from", manifest.teacher_digest[:12] or "no teacher"))
    return tuple(facts)


def _groups(rows: list[comparison.Row], *, known: bool, models: int) -> tuple[RowGroup, ...]:
    """Rows by agreement; groups that are unknown or empty are left out."""
    return tuple(
        RowGroup(wording.group_label(key, models, known), tuple(members), folded=key == "neither")
        for key, members in comparison.grouped(rows).items()
        if members and (known or key != "missed")
    )
