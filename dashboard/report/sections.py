"""The appendix of a case's report, as sections of a few kinds of blocks: what HTML and PDF each set in their own way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dashboard.interactions.alerts import AlertGroup
from dashboard.report.content import Facts
from dashboard.scores.reasons import Reason
from dashboard.scores.trust_text import ABOUT_SIMILAR
from dashboard.shared import wording
from dashboard.shared.case_text import Coded, VisitText
from dashboard.shared.comparison import Row
from dashboard.shared.formatting import MISSING, count, day, listing, probability
from leader_core import __version__
from leader_core.domain import ModelName

if TYPE_CHECKING:
    from dashboard.report.content import CaseReport, RowGroup

NOTES: Final = "Notes of readers, not from the record"
SIMILAR: Final = "Similar patients of the training split"
TRUST: Final = "How far to trust these scores"
SCORES: Final = "A score is from 0 to 1; classes at or above the model's cut-off are suggested (✓)."
ELSEWHERE: Final = "in the HTML and JSON reports"
_OFTEN: Final = 10  # classes that similar patients had ordered, of which more are folded


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A text; a note is set smaller, a notice with an edge in the colour of a model."""

    text: str
    look: str = ""  # "note", "notice", "heading", "teacher" or "student"


@dataclass(frozen=True, slots=True)
class FactList:
    """Labels and values."""

    facts: Facts


@dataclass(frozen=True, slots=True)
class CellTable:
    """A table of texts; `widths` are shares of the line."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AlertItem:
    """Alerts that say the same, the sets of suggestions that carry them, and what is said of them."""

    group: AlertGroup
    sets: tuple[str, ...]
    facts: Facts


@dataclass(frozen=True, slots=True)
class AlertList:
    """Alerts with everything the tables say of them."""

    items: tuple[AlertItem, ...]


@dataclass(frozen=True, slots=True)
class FoldedPart:
    """What the HTML folds under a title, and the PDF says to stand there."""

    title: str
    blocks: tuple[Block, ...]


Block = Paragraph | FactList | CellTable | AlertList | FoldedPart


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it."""

    heading: str
    blocks: tuple[Block, ...]


def sections(report: CaseReport) -> tuple[Section, ...]:
    """Everything that the first page has no room for."""
    listed = [
        ("Visits", _visits(report)),
        (NOTES, _notes(report)),
        ("Alerts of the drugs ordered", _carried(report)),
        ("Alerts if a suggested drug is chosen", _choices(report)),
        ("Medication classes, with scores", _classes(report)),
        (SIMILAR, _similar(report)),
        (TRUST, _trust(report)),
        ("The models", _models(report)),
        ("Profile and data", _data(report)),
    ]
    return tuple(Section(heading, blocks) for heading, each in listed if (blocks := tuple(each)))


def _visits(report: CaseReport) -> Iterator[Block]:
    for visit in report.visits:
        yield Paragraph(f"{visit.heading} · {visit.detail}" if visit.detail else visit.heading, "heading")
        yield FactList(tuple(_visit_facts(visit)))


def _visit_facts(visit: VisitText) -> Iterator[tuple[str, str]]:
    for label, codes in (
        ("Diagnoses", visit.diagnoses),
        ("Procedures", visit.procedures),
        ("Ordered", visit.medications),
        ("Stopped", visit.stopped),
    ):
        if codes:
            text = "; ".join(_coded(each) + (" (new)" if each[1] in visit.new else "") for each in codes)
            yield f"{label} ({len(codes)})", text


def _coded(coded: Coded) -> str:
    title, code = coded
    return title if code == title else f"{title} {code}"


def _notes(report: CaseReport) -> Iterator[Block]:
    visit = report.case.current.visit_id
    for note in report.written:
        about = ", about another visit" if note.visit_id not in (None, visit) else ""
        yield Paragraph(f"{note.author or 'No name'}, {day(note.edited_at)}{about}", "heading")
        yield Paragraph(note.text)


def _carried(report: CaseReport) -> Iterator[Block]:
    review = report.review
    if review.counts:
        yield FactList(review.counts)
    if review.carried:
        yield _list(report, review.carried)
    if review.empty:
        yield Paragraph(wording.NOTHING_LISTED)
    yield Paragraph(review.note, "note")


def _list(report: CaseReport, groups: Iterable[AlertGroup]) -> AlertList:
    """Alerts without what the class list says, and the lesser ones without their mechanism, which the JSON holds."""
    items = []
    for group in groups:
        shown = (f for f in group.facts if f[0] == "Source" or (group.severe and f[0] != "Ordered as"))
        facts = (("What to do", group.management), ("Consequence", group.effect), *shown)
        among = () if group.alerts[0].carried else report.review.sets_of(*group.alerts)
        items.append(AlertItem(group, among, tuple(fact for fact in facts if fact[1])))
    return AlertList(tuple(items))


def _choices(report: CaseReport) -> Iterator[Block]:
    """Alerts that depend on which drug of a class is chosen; the least severe would fill pages."""
    review = report.review
    if review.if_chosen:
        yield Paragraph(wording.SHARES_NOTE, "note")
        yield _list(report, (part for part in review.if_chosen if part.severe))
        if lesser := tuple(part for part in review.if_chosen if not part.severe):
            number = count(sum(len(part.alerts) for part in lesser), "alert")
            yield FoldedPart(f"{number} of lesser rank", (_list(report, lesser),))
    if review.signals:
        titles = report.titles
        pairs = tuple(
            (
                f"{titles.get(s.code_a, s.code_a)} with {titles.get(s.code_b, s.code_b)}",
                f"{s.effect} ({s.source})",
            )
            for s in review.signals
        )
        number = count(len(pairs), "statistical signal")
        blocks = (Paragraph(wording.STATISTICAL, "note"), FactList(pairs))
        yield FoldedPart(f"{number}, severity unknown", blocks)


def _classes(report: CaseReport) -> Iterator[Block]:
    if report.groups:
        yield Paragraph(SCORES, "note")
    for group in report.groups:
        table = _class_table(report, group)
        if group.folded:
            yield FoldedPart(f"{group.label}: {count(len(group.rows), 'class', 'classes')}", (table,))
        else:
            yield Paragraph(f"{group.label} ({len(group.rows)})", "heading")
            yield table


def _class_table(report: CaseReport, group: RowGroup) -> CellTable:
    names = [part.name for part in report.models]
    known, reasons = report.prescribed_known, report.reasons
    headings = ["Class", *(["Ordered"] if known else []), *(wording.MODEL_LABELS[n] for n in names)]
    rows = []
    for row in group.rows:
        cells = [f"{row.title} {row.code}" if row.title != row.code else row.code]
        if known:
            cells.append(report.orders.get(row.code, "yes") if row.prescribed else "no")
        cells += [_score(row, name) for name in names]
        if reasons is not None:
            cells.append(_reason(reasons.get(row.code, ())))
        rows.append(tuple(cells))
    widths = [27, *([22] if known else []), *(8 for _ in names), *([35] if reasons is not None else [])]
    if reasons is not None:
        headings.append("Student's score without")
    return CellTable(tuple(headings), tuple(rows), tuple(widths))


def _score(row: Row, name: ModelName) -> str:
    value = row.scores.get(name)
    if value is None:
        return "not in its vocabulary"
    return f"{probability(value)}{' ✓' if name in row.suggested else ''}"


def _reason(reasons: Sequence[Reason]) -> str:
    return "; ".join(f"{each.text} {probability(each.without)}" for each in reasons) or MISSING


def _models(report: CaseReport) -> Iterator[Block]:
    for part in report.models:
        yield Paragraph(wording.MODEL_LABELS[part.name], part.name)
        yield FactList((*part.metrics, *part.facts))
        for text in part.warnings:
            yield Paragraph(text, "notice")


def _similar(report: CaseReport) -> Iterator[Block]:
    similar = report.similar
    yield Paragraph(similar.summary, "note")
    if similar.filters:
        yield Paragraph(f"Filters: {listing(similar.filters)}.", "note")
    given = [
        (f"{part.title} {part.code}", f"{part.count} of {part.of}", listing(part.suggested) or "neither")
        for part in similar.given
    ]
    headings, widths = ("Class", "Ordered for", "Suggested here by"), (60, 18, 22)
    if given:
        yield CellTable(headings, tuple(given[:_OFTEN]), widths)
    if rest := tuple(given[_OFTEN:]):
        yield FoldedPart(
            f"{count(len(rest), 'more class', 'more classes')}", (CellTable(headings, rest, widths),)
        )
    if similar.neighbours:
        facts = []
        for each in similar.neighbours:
            text = f"{each.about}."
            if each.shared:
                text += f" Diagnoses of both: {listing(title for title, _ in each.shared)}."
            if each.given:
                text += f" Ordered: {listing(title for title, _ in each.given)}."
            facts.append((f"Patient {each.patient_id}, similarity {each.similarity:.2f}", text))
        yield FoldedPart(count(len(facts), "training patient"), (FactList(tuple(facts)),))
        yield Paragraph(ABOUT_SIMILAR, "note")


def _trust(report: CaseReport) -> Iterator[Block]:
    if report.trust_facts:
        yield FactList(report.trust_facts)
    for part in report.trust:
        yield Paragraph(wording.MODEL_LABELS[part.name], part.name)
        for line in part.lines:
            yield Paragraph(line)
        if part.sentences:
            said = tuple((f"{report.titles.get(c, c)} {c}", text) for c, text in part.sentences.items())
            yield FoldedPart("What validation says of each class", (FactList(said),))
    if not report.trust:
        yield Paragraph("There is no score to trust.", "note")


def _data(report: CaseReport) -> Iterator[Block]:
    yield FactList((*report.profile, *report.data, ("Program", f"{wording.NAME} {__version__}")))
    if report.profile_note:
        yield Paragraph(report.profile_note, "note")
    yield Paragraph(f"{wording.TEACHER_SCORES} {wording.INTENDED_USE}", "note")
