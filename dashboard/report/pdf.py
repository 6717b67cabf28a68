"""A report as an A4 PDF: the words of the HTML, set for paper, with its fonts inside; the longest lists stay in the HTML."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from fpdf import Align, XPos, YPos

from dashboard.report import content
from dashboard.report.content import CaseReport, ModelPart
from dashboard.report.pdf_pages import PdfPages, TextRun, muted
from dashboard.report.review_part import AlertPart
from dashboard.scores.trust_text import ABOUT_SIMILAR
from dashboard.shared import wording
from dashboard.shared.case_text import Coded, VisitText
from dashboard.shared.comparison import Row
from dashboard.shared.formatting import count, day, listing, probability
from leader_core import __version__

_SCORE: Final = 38.0  # mm of a score's column
_GIVEN: Final = 20.0
_BAR: Final = 24.0
_CLASSES: Final = 10
_PATIENTS: Final = 5


def write_pdf(report: CaseReport) -> bytes:
    """The PDF's bytes."""
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    pdf = _ReportPdf(report)
    pdf.write_head()
    pdf.write_diagnoses()
    pdf.write_alerts()
    for model in report.models:
        pdf.write_model(model)
    pdf.write_classes()
    pdf.write_choices()
    pdf.write_similar()
    pdf.write_trust()
    pdf.heading("Profile")
    pdf.facts(report.profile)
    if report.profile_note:
        pdf.paragraph(muted(report.profile_note))
    pdf.heading("Data")
    pdf.facts([*report.data, ("Program", f"{wording.NAME} {__version__}")])
    pdf.heading("Visits")
    for visit in report.visits:
        pdf.write_visit(visit)
    pdf.ln(3)
    pdf.paragraph(muted(wording.INTENDED_USE))
    return bytes(pdf.output())


class _ReportPdf(PdfPages):
    """The sections of one report."""

    def write_head(self) -> None:
        report = self.report
        self.style(muted(""))
        self.cell(self.epw / 2, 5, f"{wording.NAME}  {wording.TAGLINE}")
        footer = f"made {day(report.made_at)}, {report.made_at:%H:%M} UTC"
        self.cell(self.epw / 2, 5, footer, align=Align.R, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.paragraph(TextRun(report.title, 19, bold=True))
        self.paragraph(muted(report.subtitle, 10))
        self.rule("ink", 0.5)
        text = f"{wording.NOT_A_DEVICE} {report.scope} {wording.TEACHER_SCORES}"
        self.callout(text, "moderate", "moderate-soft")
        for text in (*report.notices, *report.absent):
            self.callout(text, "line-strong")

    def write_model(self, part: ModelPart) -> None:
        """A model's name in its colour with its shape, its metrics in the same line, and which model it is."""
        self.room(34)
        self.ln(2)
        self.box(self.l_margin, self.get_y(), self.epw, 1.0, part.name)
        top, x = self.get_y() + 2.2, self.l_margin + 44
        self.shape(part.name, self.l_margin + 1.6, top + 3.1)
        self.label(self.l_margin + 5, top, TextRun(wording.MODEL_LABELS[part.name], 12, part.name, bold=True))
        for label, value in part.metrics:
            self.label(x, top - 0.6, muted(label, 7.5))
            self.label(x, top + 2.6, TextRun(value, 12, bold=True))
            x += (self.epw - 44) / max(4, len(part.metrics))
        self.set_y(top + 9.5)
        self.facts(part.facts)
        for text in part.warnings:
            self.callout(text, part.name)
        self.ln(1.5)

    def write_classes(self) -> None:
        if not self.report.groups:
            return
        self.heading("Medication classes")
        self.paragraph(muted(content.BARS))
        self.class_headings()
        for group in self.report.groups:
            if group.folded:
                self.ln(1.5)
                number = count(len(group.rows), "class", "classes")
                self.paragraph(muted(f"{group.label}: {number}. The HTML and JSON reports list them."))
                continue
            if self.room(16):
                self.class_headings()
            self.ln(1.5)
            self.paragraph(TextRun(f"{group.label} ({len(group.rows)})", 9.5, bold=True))
            self.rule("line-strong", 0.2)
            for row in group.rows:
                self.class_row(row)

    @property
    def class_width(self) -> float:
        """mm of the column with the classes."""
        given = _GIVEN if self.report.prescribed_known else 0.0
        return self.epw - given - _SCORE * len(self.report.models)

    def class_headings(self) -> None:
        self.ln(1)
        top, x = self.get_y(), self.l_margin + self.class_width
        self.label(self.l_margin, top, TextRun("Class", 8.5, "muted", bold=True))
        if self.report.prescribed_known:
            self.label(x, top, TextRun("Ordered", 8.5, "muted", bold=True))
            x += _GIVEN
        for model in self.report.models:
            self.shape(model.name, x + 1.4, top + 2.1)
            self.label(x + 4, top, TextRun(wording.MODEL_LABELS[model.name], 8.5, model.name, bold=True))
            x += _SCORE
        self.set_y(top + 4.4)
        self.rule("line-strong", 0.25)

    def class_row(self, row: Row) -> None:
        """A class with its code and drugs, whether it was prescribed, and a bar for each model."""
        width = self.class_width - 3
        orders = self.report.orders.get(row.code, "")
        if self.room(self.height_of(f"{row.title}  {row.code}\n{orders}", width) + 2):
            self.class_headings()
        top, x = self.get_y(), self.l_margin + self.class_width
        self.paragraph(TextRun(row.title), muted(f"  {row.code}", 8), width=width)
        if orders:
            self.paragraph(muted(orders, 8), width=width)
        bottom = self.get_y()
        if self.report.prescribed_known:
            self.label(x, top, TextRun("yes", bold=True) if row.prescribed else muted("no", 9))
            x += _GIVEN
        for model in self.report.models:
            value, selected = row.score(model.name), row.selected(model.name)
            if value is None:
                self.label(x, top, muted("not in its vocabulary", 8))
            else:
                self.box(x, top + 1.2, _BAR, 2.2, "surface")
                with self.local_context(fill_opacity=1 if selected else 0.38):
                    self.box(x, top + 1.2, max(_BAR * value, 0.2), 2.2, model.name)
                self.box(x + _BAR * model.recommendation.threshold - 0.2, top + 0.6, 0.4, 3.4, "ink")
                self.label(x + _BAR + 2, top, TextRun(probability(value), bold=selected))
            x += _SCORE
        self.set_y(bottom - 0.3)
        self.rule("line", 0.15)

    def write_diagnoses(self) -> None:
        """The diagnoses of the current visit in one paragraph; every visit stands in full at the end."""
        current = next((visit for visit in self.report.visits if visit.current), None)
        if current is not None and current.diagnoses:
            self.heading("Diagnoses of this visit")
            self.paragraph(TextRun("; ".join(title for title, _ in current.diagnoses)))

    def write_alerts(self) -> None:
        """What the drugs ordered carry, severe alerts in full; and the numbers of every set."""
        report = self.report.review
        self.heading("Alerts")
        self.facts(report.counts)
        if report.carried_counts:
            self.ln(1)
            self.paragraph(TextRun(f"With the drugs ordered: {report.carried_counts}", 9.5, bold=True))
        for part in report.carried:
            self.write_alert(part)
        if report.empty:
            self.paragraph(TextRun(wording.NOTHING_LISTED, 9.5))

    def write_choices(self) -> None:
        """Alerts that depend on which drug of a class is chosen; on paper the least severe would fill pages."""
        report = self.report.review
        shown = [part for part in report.if_chosen if part.severe]
        if report.if_chosen:
            self.heading("If you choose what is suggested")
            self.paragraph(muted(wording.SHARES_NOTE))
            for part in shown:
                self.write_alert(part)
            self.ln(1.5)
            rest = sum(len(part.alerts) for part in report.if_chosen if not part.severe)
            if rest:
                self.paragraph(
                    muted(f"{count(rest, 'alert')} of lesser rank stand in the HTML and JSON reports.")
                )
        if report.signals:
            number = count(len(report.signals), "statistical signal")
            self.paragraph(muted(f"{number} of unknown severity stand in the HTML and JSON reports."))
        self.paragraph(muted(report.note))

    def write_alert(self, part: AlertPart) -> None:
        """A severe alert with what to do, its consequence and source; of another one what to do."""
        level = part.rank
        self.room(20)
        self.ln(1)
        top = self.get_y()
        label = TextRun(wording.SEVERITY_LABELS[level], 8, level, bold=True)
        self.style(label)
        width = self.get_string_width(label.text) + 3
        self.box(self.l_margin, top, width, 4.4, f"{level}-soft")
        self.label(self.l_margin + 1.5, top + 0.2, label)
        self.set_y(top)
        if part.carried:
            titles = "; ".join(title for title, _ in part.heads)
            self.paragraph(TextRun(titles, bold=True), indent=width + 2)
        for title, likelihood in part.heads if not part.carried else ():
            spans = [TextRun(title, bold=True)] + ([muted(f"   {likelihood}", 8)] if likelihood else [])
            self.paragraph(*spans, indent=width + 2)
        shown = ("What to do", "Consequence", "Source")
        if part.severe:
            self.facts((fact for fact in part.facts if fact[0] in shown), size=8.5, column=24)
        else:
            self.paragraph(TextRun(part.facts[0][1], 8.5), indent=width + 2)
        self.rule("line", 0.15)

    def write_similar(self) -> None:
        """What fits on half a page."""
        similar = self.report.similar
        self.heading(content.SIMILAR)
        self.paragraph(muted(similar.summary))
        if similar.filters:
            self.paragraph(muted(f"Filters: {listing(similar.filters)}."))
        for given in similar.given[:_CLASSES]:
            text = f"given to {given.count} of {given.of}"
            if given.suggested:
                text += f", suggested here by {listing(given.suggested)}"
            spans = (TextRun(given.title), muted(f"  {given.code}  ", 8), TextRun(text, 8.5))
            self.paragraph(*spans, indent=3)
        for near in similar.neighbours[:_PATIENTS]:
            text = f"Patient {near.patient_id}, similarity {near.similarity:.2f}: {near.about}"
            self.paragraph(muted(text), indent=3)
        if similar.neighbours:
            self.paragraph(muted(f"{ABOUT_SIMILAR} The HTML and JSON reports list all of them."))

    def write_trust(self) -> None:
        self.heading(content.TRUST)
        self.facts(self.report.trust_facts)
        for part in self.report.trust:
            self.room(20)
            self.paragraph(TextRun(wording.MODEL_LABELS[part.name], 9.5, part.name, bold=True))
            for line in part.lines:
                self.paragraph(TextRun(line), indent=3)
        if any(part.sentences for part in self.report.trust):
            self.paragraph(muted("What validation says of each class stands in the HTML and JSON reports."))

    def write_visit(self, visit: VisitText) -> None:
        self.room(20)
        self.ln(2)
        self.paragraph(TextRun(visit.heading, 10.5, bold=True), muted(f"   {visit.detail}"))
        self.write_codes("Diagnoses", visit.diagnoses)
        self.write_codes("Procedures", visit.procedures)
        self.write_codes("Ordered", visit.medications, new=visit.new)
        self.write_codes("Stopped since the visit before", visit.stopped, stopped=True)

    def write_codes(
        self, label: str, codes: Sequence[Coded], new: frozenset[str] = frozenset(), *, stopped: bool = False
    ) -> None:
        if not codes:
            return
        self.room(10)
        self.paragraph(TextRun(f"{label} ({len(codes)})", 8.5, "muted", bold=True))
        for title, code in codes:
            spans = [TextRun(title)]
            if code != title:
                spans.append(muted(f"  {code}", 8))
            if stopped:
                spans.append(TextRun("  stopped", 8, "major"))
            elif code in new:
                spans.append(TextRun("  new", 8, "good"))
            self.paragraph(*spans, indent=3)
