"""A report as an A4 PDF: the words of the HTML, set for paper, with its fonts inside; the longest lists stay in the HTML."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, cast

from fpdf import FPDF, Align, XPos, YPos
from fpdf.enums import MethodReturnValue
from fpdf.fonts import TTFFont
from fpdf.util import Padding

from dashboard.report import content
from dashboard.report.content import CaseReport, ModelPart, PairPart
from dashboard.scores.trust_text import ABOUT_SIMILAR
from dashboard.shared import theme, wording
from dashboard.shared.case_text import Coded, VisitText
from dashboard.shared.comparison import Row
from dashboard.shared.formatting import count, day, listing, probability
from leader_core import __version__
from leader_core.domain import ModelName

_FONTS: Final = Path(__file__).resolve().parents[2] / "assets" / "fonts"
_MARGIN: Final = 16.0  # mm
_LEADING: Final = 0.3528 * 1.38  # mm of a line's height for each point of type
_SCORE: Final = 38.0  # mm of a score's column
_GIVEN: Final = 20.0
_BAR: Final = 24.0
_CLASSES: Final = 10
_PATIENTS: Final = 5


class _Span(NamedTuple):
    """A piece of a paragraph; `size` in points."""

    text: str = ""
    size: float = 9.0
    colour: str = "ink"
    bold: bool = False


def _muted(text: str, size: float = 8.5) -> _Span:
    return _Span(text, size, "muted")


def write_pdf(report: CaseReport) -> bytes:
    """The PDF's bytes."""
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    pdf = _ReportPdf(report)
    pdf.write_head()
    for model in report.models:
        pdf.write_model(model)
    pdf.write_classes()
    pdf.write_interactions()
    pdf.write_similar()
    pdf.write_trust()
    pdf.heading("Profile")
    pdf.facts(report.profile)
    if report.profile_note:
        pdf.paragraph(_muted(report.profile_note))
    pdf.heading("Data")
    pdf.facts([*report.data, ("Program", f"{wording.NAME} {__version__}")])
    pdf.heading("Visits")
    for visit in report.visits:
        pdf.write_visit(visit)
    pdf.ln(3)
    pdf.paragraph(_muted(wording.INTENDED_USE))
    return bytes(pdf.output())


class _ReportPdf(FPDF):
    """The pages of one report; everything is written downwards, and a full page turns by itself."""

    def __init__(self, report: CaseReport) -> None:
        super().__init__(format="A4")
        self.report = report
        self.set_creation_date(report.made_at)
        self.set_title(f"{report.title} · {wording.NAME} report")
        self.set_lang("en")
        self.set_margins(_MARGIN, _MARGIN)
        self.c_margin = 0.0
        self.set_auto_page_break(True, _MARGIN + 2)
        self.add_font("plex", "", _FONTS / "IBMPlexSans-Regular.ttf")
        self.add_font("plex", "B", _FONTS / "IBMPlexSans-SemiBold.ttf")
        self.glyphs = frozenset(cast("TTFFont", self.fonts["plex"]).cmap) | {ord("\n")}
        self.add_page()

    def normalize_text(self, text: str) -> str:
        """Text in characters that the fonts have: Latin, Greek, Cyrillic and signs; "?" stands for any other."""
        return super().normalize_text("".join(c if ord(c) in self.glyphs else "?" for c in text))

    def footer(self) -> None:
        self.set_y(-12)
        self.style(_muted("", 7.5))
        text = f"{wording.NOT_A_DEVICE}  {self.report.title}, made {day(self.report.made_at)}"
        self.cell(self.epw - 20, 5, text)
        self.cell(20, 5, f"{self.page_no()} / {{nb}}", align=Align.R)

    # Parts of a page

    def style(self, span: _Span) -> float:
        """Choose a span's type and colour; returns the height of a line in mm."""
        self.set_font("plex", "B" if span.bold else "", span.size)
        self.set_text_color(_hex(span.colour))
        return span.size * _LEADING

    def room(self, height: float) -> bool:
        """Turn the page where less than `height` mm is left; True where it was turned."""
        if not self.will_page_break(height):
            return False
        self.add_page()
        return True

    def paragraph(self, *spans: _Span, indent: float = 0.0, width: float | None = None) -> None:
        """Spans one after the other, broken between words; `width` is measured from the left margin."""
        left, right = self.l_margin, self.r_margin
        self.set_left_margin(left + indent)
        if width is not None:
            self.set_right_margin(self.w - left - width)
        self.set_x(self.l_margin)
        height = 0.0
        for span in spans:
            height = max(height, self.style(span))
            self.write(height, span.text)
        self.ln(height)
        self.set_margins(left, self.t_margin, right)
        self.set_x(left)

    def label(self, x: float, y: float, span: _Span) -> None:
        """A short text at a position."""
        height = self.style(span)
        self.set_xy(x, y)
        self.cell(None, height, span.text)

    def heading(self, text: str) -> None:
        """A section's heading, entered in the outline; never alone at the foot of a page."""
        self.room(24)
        self.ln(4.5)
        self.start_section(text)
        self.paragraph(_Span(text, 12, bold=True))
        self.rule("line", 0.3)
        self.ln(0.8)

    def rule(self, colour: str, thickness: float) -> None:
        self.set_draw_color(_hex(colour))
        self.set_line_width(thickness)
        y = self.get_y() + 0.8
        self.line(self.l_margin, y, self.l_margin + self.epw, y)
        self.set_y(y + 0.8)

    def facts(self, pairs: Iterable[tuple[str, str]], size: float = 9.0, column: float = 30.0) -> None:
        """Labels and values in two columns."""
        for name, value in pairs:
            self.room(2 * size * _LEADING)
            top = self.get_y()
            self.label(self.l_margin, top, _muted(name, size))
            self.set_y(top)
            self.paragraph(_Span(value, size), indent=column)

    def callout(self, text: str, edge: str, ground: str = "surface") -> None:
        """A sentence that must be seen, with a coloured edge."""
        self.room(20)
        self.ln(1)
        top, line = self.get_y(), self.style(_Span())
        self.set_fill_color(_hex(ground))
        self.multi_cell(
            0,
            line,
            text,
            fill=True,
            padding=Padding(1.2, 3.5, 1.2, 3.5),
            align=Align.L,
            new_x=XPos.LMARGIN,
            new_y=YPos.NEXT,
        )
        self.box(self.l_margin, top, 1.0, self.get_y() - top, edge)
        self.ln(1)

    def box(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle."""
        self.set_fill_color(_hex(colour))
        self.rect(x, y, width, height, style="F")

    def shape(self, model: ModelName, x: float, y: float) -> None:
        """The teacher's diamond or the student's disc, which the fonts do not have."""
        self.set_fill_color(_hex(model))
        if model == "teacher":
            self.polygon([(x, y - 1.5), (x + 1.3, y), (x, y + 1.5), (x - 1.3, y)], style="F")
        else:
            self.circle(x, y, 1.2, style="F")

    # The report's sections

    def write_head(self) -> None:
        report = self.report
        self.style(_muted(""))
        self.cell(self.epw / 2, 5, f"{wording.NAME}  {wording.TAGLINE}")
        footer = f"made {day(report.made_at)}, {report.made_at:%H:%M} UTC"
        self.cell(self.epw / 2, 5, footer, align=Align.R, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.paragraph(_Span(report.title, 19, bold=True))
        self.paragraph(_muted(report.subtitle, 10))
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
        self.label(self.l_margin + 5, top, _Span(wording.MODEL_LABELS[part.name], 12, part.name, bold=True))
        for label, value in part.metrics:
            self.label(x, top - 0.6, _muted(label, 7.5))
            self.label(x, top + 2.6, _Span(value, 12, bold=True))
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
        self.paragraph(_muted(content.BARS))
        self.class_headings()
        for group in self.report.groups:
            if group.folded:
                self.ln(1.5)
                number = count(len(group.rows), "class", "classes")
                self.paragraph(_muted(f"{group.label}: {number}. The HTML and JSON reports list them."))
                continue
            if self.room(16):
                self.class_headings()
            self.ln(1.5)
            self.paragraph(_Span(f"{group.label} ({len(group.rows)})", 9.5, bold=True))
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
        self.label(self.l_margin, top, _Span("Class", 8.5, "muted", bold=True))
        if self.report.prescribed_known:
            self.label(x, top, _Span("Prescribed", 8.5, "muted", bold=True))
            x += _GIVEN
        for model in self.report.models:
            self.shape(model.name, x + 1.4, top + 2.1)
            self.label(x + 4, top, _Span(wording.MODEL_LABELS[model.name], 8.5, model.name, bold=True))
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
        self.paragraph(_Span(row.title), _muted(f"  {row.code}", 8), width=width)
        if orders:
            self.paragraph(_muted(orders, 8), width=width)
        bottom = self.get_y()
        if self.report.prescribed_known:
            self.label(x, top, _Span("yes", bold=True) if row.prescribed else _muted("no", 9))
            x += _GIVEN
        for model in self.report.models:
            value, selected = row.score(model.name), row.selected(model.name)
            if value is None:
                self.label(x, top, _muted("not in its vocabulary", 8))
            else:
                self.box(x, top + 1.2, _BAR, 2.2, "surface")
                with self.local_context(fill_opacity=1 if selected else 0.38):
                    self.box(x, top + 1.2, max(_BAR * value, 0.2), 2.2, model.name)
                self.box(x + _BAR * model.recommendation.threshold - 0.2, top + 0.6, 0.4, 3.4, "ink")
                self.label(x + _BAR + 2, top, _Span(probability(value), bold=selected))
            x += _SCORE
        self.set_y(bottom - 0.3)
        self.rule("line", 0.15)

    def height_of(self, text: str, width: float) -> float:
        """mm that a text of 9 points takes."""
        height = MethodReturnValue.HEIGHT
        line = self.style(_Span())
        return cast("float", self.multi_cell(width, line, text, dry_run=True, output=height, align=Align.L))

    def write_interactions(self) -> None:
        """Graded pairs with what to do; on paper the mechanism and the ungraded signals would fill pages."""
        report = self.report
        self.heading("Interactions, most severe first")
        self.paragraph(_muted(report.interaction_counts))
        graded = [part for part in report.interactions if part.pair.severity != "unknown"]
        for part in graded:
            self.write_pair(part)
        self.ln(1.5)
        if signals := len(report.interactions) - len(graded):
            text = f"{count(signals, 'statistical signal')} of unknown severity, and the mechanism and evidence of the pairs "
            self.paragraph(_muted(f"{text}above, stand in the HTML and JSON reports."))
        if report.has_sets and not report.interactions:
            self.paragraph(_Span(wording.NO_PAIR, 9.5))
        self.paragraph(_muted(report.interaction_note))

    def write_pair(self, part: PairPart) -> None:
        """A severe pair with its consequence; any with what to do."""
        pair, level = part.pair, part.pair.severity
        self.room(20)
        self.ln(1)
        top = self.get_y()
        label = _Span(wording.SEVERITY_LABELS[level], 8, level, bold=True)
        self.style(label)
        width = self.get_string_width(label.text) + 3
        self.box(self.l_margin, top, width, 4.4, f"{level}-soft")
        self.label(self.l_margin + 1.5, top + 0.2, label)
        self.set_y(top)
        where = f"  {pair.code_a} · {pair.code_b}, in: {listing(part.sets).lower()}"
        self.paragraph(_Span(part.names, bold=True), _muted(where, 8), indent=width + 2)
        severe = level in ("contraindicated", "major")
        shown = ("What to do", "Consequence", "Source") if severe else ("What to do",)
        self.facts((fact for fact in part.facts if fact[0] in shown), size=8.5, column=24)
        self.rule("line", 0.15)

    def write_similar(self) -> None:
        """What fits on half a page."""
        similar = self.report.similar
        self.heading(content.SIMILAR)
        self.paragraph(_muted(similar.summary))
        if similar.filters:
            self.paragraph(_muted(f"Filters: {listing(similar.filters)}."))
        for given in similar.given[:_CLASSES]:
            text = f"given to {given.count} of {given.of}"
            if given.suggested:
                text += f", suggested here by {listing(given.suggested)}"
            spans = (_Span(given.title), _muted(f"  {given.code}  ", 8), _Span(text, 8.5))
            self.paragraph(*spans, indent=3)
        for near in similar.neighbours[:_PATIENTS]:
            text = f"Patient {near.patient_id}, similarity {near.similarity:.2f}: {near.about}"
            self.paragraph(_muted(text), indent=3)
        if similar.neighbours:
            self.paragraph(_muted(f"{ABOUT_SIMILAR} The HTML and JSON reports list all of them."))

    def write_trust(self) -> None:
        self.heading(content.TRUST)
        self.facts(self.report.trust_facts)
        for part in self.report.trust:
            self.room(20)
            self.paragraph(_Span(wording.MODEL_LABELS[part.name], 9.5, part.name, bold=True))
            for line in part.lines:
                self.paragraph(_Span(line), indent=3)
        if any(part.sentences for part in self.report.trust):
            self.paragraph(_muted("What validation says of each class stands in the HTML and JSON reports."))

    def write_visit(self, visit: VisitText) -> None:
        self.room(20)
        self.ln(2)
        self.paragraph(_Span(visit.heading, 10.5, bold=True), _muted(f"   {visit.detail}"))
        self.write_codes("Diagnoses", visit.diagnoses)
        self.write_codes("Procedures", visit.procedures)
        self.write_codes("Prescribed", visit.medications, new=visit.new)
        self.write_codes("Stopped since the visit before", visit.stopped, stopped=True)

    def write_codes(
        self, label: str, codes: Sequence[Coded], new: frozenset[str] = frozenset(), *, stopped: bool = False
    ) -> None:
        if not codes:
            return
        self.room(10)
        self.paragraph(_Span(f"{label} ({len(codes)})", 8.5, "muted", bold=True))
        for title, code in codes:
            spans = [_Span(title)]
            if code != title:
                spans.append(_muted(f"  {code}", 8))
            if stopped:
                spans.append(_Span("  stopped", 8, "major"))
            elif code in new:
                spans.append(_Span("  new", 8, "good"))
            self.paragraph(*spans, indent=3)


def _hex(name: str) -> str:
    return theme.COLOURS[name].light
