"""A report as an A4 PDF with its fonts inside: the first page, then the appendix block by block."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple, cast

from fpdf import FPDF, Align, FontFace, XPos, YPos
from fpdf.enums import TableBordersLayout, VAlign
from fpdf.fonts import TTFFont
from fpdf.util import Padding

from dashboard.report.content import CaseReport
from dashboard.report.first_page import AlertLine, FirstPage, first_page
from dashboard.report.sections import (
    ELSEWHERE,
    AlertItem,
    AlertList,
    Block,
    CellTable,
    FactList,
    FoldedPart,
    Paragraph,
    sections,
)
from dashboard.shared import theme, wording
from dashboard.shared.formatting import day

_SMALL: Final = 7.5  # points, of the first page


def write_pdf(report: CaseReport) -> bytes:
    """The PDF's bytes."""
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    pdf = ReportPdf(report)
    pdf.write_head()
    pdf.write_first_page()
    pdf.add_page()
    pdf.paragraph(TextRun("Appendix", 14, bold=True))
    for section in sections(report):
        pdf.heading(section.heading)
        for block in section.blocks:
            pdf.write_block(block)
    return bytes(pdf.output())


# The pages as they are set: written downwards in the theme's light colours

_FONTS: Final = Path(__file__).resolve().parents[2] / "assets" / "fonts"
_MARGIN: Final = 12.0  # mm
_LEADING: Final = 0.3528 * 1.38  # mm of a line's height for each point of type


class TextRun(NamedTuple):
    """A piece of a paragraph; `size` in points."""

    text: str = ""
    size: float = 9.0
    colour: str = "ink"
    bold: bool = False


def muted(text: str, size: float = 8.5) -> TextRun:
    return TextRun(text, size, "muted")


def _hex(name: str) -> str:
    return theme.COLOURS[name].light


class ReportPdf(FPDF):
    """One report; everything is written downwards, and a full page turns by itself."""

    def __init__(self, report: CaseReport) -> None:
        super().__init__(format="A4")
        self.report = report
        self.set_creation_date(report.made_at)
        self.set_title(f"{report.title} · {wording.NAME} report")
        self.set_lang("en")
        self.set_margins(_MARGIN, _MARGIN)
        self.c_margin = 0.0
        self.set_auto_page_break(True, _MARGIN)
        self.add_font("plex", "", _FONTS / "IBMPlexSans-Regular.ttf")
        self.add_font("plex", "B", _FONTS / "IBMPlexSans-SemiBold.ttf")
        self.glyphs = frozenset(cast("TTFFont", self.fonts["plex"]).cmap) | {ord("\n")}
        self.add_page()

    def normalize_text(self, text: str) -> str:
        """Text in characters that the fonts have: Latin, Greek, Cyrillic and signs; "?" stands for any other."""
        return super().normalize_text("".join(c if ord(c) in self.glyphs else "?" for c in text))

    def footer(self) -> None:
        self.set_y(-9)
        self.style(muted("", 7.5))
        text = f"{wording.NOT_A_DEVICE}  {self.report.title}, made {day(self.report.made_at)}"
        self.cell(self.epw - 20, 5, text)
        self.cell(20, 5, f"{self.page_no()} / {{nb}}", align=Align.R)

    def style(self, span: TextRun) -> float:
        """Choose a span's type and colour; returns the height of a line in mm."""
        self.set_font("plex", "B" if span.bold else "", span.size)
        self.set_text_color(_hex(span.colour))
        return span.size * _LEADING

    def room(self, height: float) -> None:
        """Turn the page where less than `height` mm is left."""
        if self.will_page_break(height):
            self.add_page()

    def paragraph(self, *spans: TextRun, indent: float = 0.0) -> None:
        """Spans one after the other, broken between words."""
        left = self.l_margin
        self.set_left_margin(left + indent)
        self.set_x(self.l_margin)
        height = 0.0
        for span in spans:
            height = max(height, self.style(span))
            word = self.get_string_width(self.normalize_text(span.text.partition(" ")[0]))
            if self.l_margin < self.x and self.x + word > self.w - self.r_margin:
                self.ln(height)  # `write` would break a span's first word
            self.write(height, span.text)
        self.ln(height)
        self.set_left_margin(left)
        self.set_x(left)

    def label(self, x: float, y: float, span: TextRun) -> None:
        """A short text at a position."""
        height = self.style(span)
        self.set_xy(x, y)
        self.cell(None, height, span.text)

    def heading(self, text: str) -> None:
        """A section's heading, entered in the outline; never alone at the foot of a page."""
        self.room(22)
        self.ln(3)
        self.start_section(text)
        self.paragraph(TextRun(text, 11, bold=True))
        self.rule("line", 0.3)

    def rule(self, colour: str, thickness: float) -> None:
        self.set_draw_color(_hex(colour))
        self.set_line_width(thickness)
        y = self.get_y() + 0.4
        self.line(self.l_margin, y, self.l_margin + self.epw, y)
        self.set_y(y + 0.6)

    def facts(self, pairs: Iterable[tuple[str, str]], size: float = 9.0, column: float = 30.0) -> None:
        """Labels and values in two columns."""
        for name, value in pairs:
            self.room(2 * size * _LEADING)
            top = self.get_y()
            self.label(self.l_margin, top, muted(name, size))
            self.set_y(top)
            self.paragraph(TextRun(value, size), indent=column)

    def callout(self, text: str, edge: str, ground: str = "surface", size: float = 8.0) -> None:
        """A sentence that must be seen, with a coloured edge."""
        self.room(14)
        top, line = self.get_y(), self.style(TextRun("", size))
        self.set_fill_color(_hex(ground))
        self.multi_cell(
            0, line, text, fill=True, padding=Padding(0.7, 3, 0.7, 3), align=Align.L,
            new_x=XPos.LMARGIN, new_y=YPos.NEXT,
        )  # fmt: skip
        self.set_fill_color(_hex(edge))
        self.rect(self.l_margin, top, 1.0, self.get_y() - top, style="F")
        self.ln(0.8)

    # The first page

    def write_head(self) -> None:
        report = self.report
        self.style(muted("", 7.5))
        self.cell(self.epw / 2, 4, f"{wording.NAME}  {wording.TAGLINE}")
        made = f"made {day(report.made_at)}, {report.made_at:%H:%M} UTC"
        self.cell(self.epw / 2, 4, made, align=Align.R, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.paragraph(TextRun(report.title, 15, bold=True), muted(f"   {report.subtitle}", 9.5))
        self.rule("ink", 0.4)
        self.callout(f"{wording.NOT_A_DEVICE} {report.scope}", "moderate", "moderate-soft", _SMALL)
        for text in (*report.notices, *report.absent):
            self.callout(text, "line-strong", size=_SMALL)

    def write_first_page(self) -> None:
        """Who, problems, alerts, and each class with its reason."""
        page = first_page(self.report)
        facts = [
            ("Problems", page.problems or "none recorded"),
            ("Allergies", page.allergies),
            ("Procedures", page.procedures),
            ("Earlier visits", page.history),
        ]
        self.facts((fact for fact in facts if fact[1]), size=_SMALL, column=20)
        self._small_heading(page.alert_heading)
        for alert in page.alerts:
            self._alert_line(alert)
        if not page.alerts:
            self.paragraph(TextRun(wording.NOTHING_LISTED, _SMALL))
        if page.more_alerts:
            self.paragraph(muted(page.more_alerts, _SMALL))
        if page.classes:
            self._small_heading("Drug classes")
            self._classes(page)
        self.ln(0.8)
        for text in page.notes:
            self.paragraph(muted(text, 7))

    def _small_heading(self, text: str) -> None:
        self.ln(1.4)
        self.paragraph(TextRun(text, 9.5, bold=True))
        self.rule("line", 0.25)

    def _alert_line(self, alert: AlertLine) -> None:
        rank = TextRun(f"{wording.SEVERITY_LABELS[alert.rank]}  ", _SMALL, alert.rank, bold=True)
        spans = [rank, TextRun(f"{alert.title}. ", _SMALL, bold=True), TextRun(f"{alert.effect} ", _SMALL)]
        if alert.management:
            spans += [muted("To do: ", _SMALL), TextRun(alert.management, _SMALL)]
        self.paragraph(*spans)
        self.ln(0.3)

    def _classes(self, page: FirstPage) -> None:
        """The list of classes; texts too long for their column take another line."""
        height = self.style(TextRun("", _SMALL))
        self.set_draw_color(225)
        self.set_fill_color(255)  # a table fills its cells with the colour that was used last
        self.set_line_width(0.1)
        rest = self.epw - sum(column.width for column in page.columns)
        with self.table(
            borders_layout=TableBordersLayout.HORIZONTAL_LINES, line_height=height, first_row_as_headings=False,
            col_widths=tuple(column.width or rest for column in page.columns), text_align=Align.L,
            v_align=VAlign.T, padding=(0.1, 1.5, 0.1, 0),
        ) as table:  # fmt: skip
            row = table.row()
            for column in page.columns:
                look = column.look if column.look in theme.MODEL_ICONS else "muted"
                row.cell(column.heading, style=FontFace(emphasis="B", color=_hex(look), size_pt=7))
            for group in page.classes:
                table.row().cell(
                    group.label, colspan=len(page.columns), style=FontFace(emphasis="B", size_pt=8)
                )
                for texts in group.lines:
                    row = table.row()
                    for text in texts:
                        row.cell(self.normalize_text(text))
                if group.more:
                    table.row().cell(
                        self.normalize_text(group.more),
                        colspan=len(page.columns),
                        style=FontFace(color=_hex("muted")),
                    )

    # The appendix

    def write_block(self, block: Block) -> None:
        if isinstance(block, Paragraph):
            self._text(block)
        elif isinstance(block, FactList):
            self.facts(block.facts, size=8, column=40)
        elif isinstance(block, CellTable):
            self._table(block)
        elif isinstance(block, AlertList):
            for item in block.items:
                self._alert(item)
        elif isinstance(block, FoldedPart):
            self.paragraph(muted(f"{block.title}: {ELSEWHERE}.", 8))

    def _text(self, block: Paragraph) -> None:
        if block.look == "notice":
            self.callout(block.text, "line-strong")
        elif block.look in ("heading", "teacher", "student"):
            self.room(14)
            self.ln(1.2)
            colour = block.look if block.look != "heading" else "ink"
            self.paragraph(TextRun(block.text, 9, colour, bold=True))
        else:
            self.paragraph(muted(block.text, 8) if block.look == "note" else TextRun(block.text, 8))

    def _table(self, block: CellTable) -> None:
        """Headings are repeated on each page."""
        height = self.style(TextRun("", 7.5))
        self.set_fill_color(255)
        with self.table(
            borders_layout=TableBordersLayout.HORIZONTAL_LINES, col_widths=block.widths, line_height=height,
            headings_style=FontFace(emphasis="B"), text_align=Align.L, v_align=VAlign.T, padding=(0.5, 1.5, 0.5, 0),
        ) as table:  # fmt: skip
            for cells in (block.headings, *block.rows):
                row = table.row()
                for text in cells:
                    row.cell(self.normalize_text(text))
        self.ln(1)

    def _alert(self, item: AlertItem) -> None:
        self.room(16)
        titles = "; ".join(f"{title} ({likely})" if likely else title for title, likely in item.group.heads)
        level = item.group.rank
        rank = TextRun(f"{wording.SEVERITY_LABELS[level]}  ", 8, level, bold=True)
        self.paragraph(rank, TextRun(titles, 8, bold=True))
        self.facts(item.facts, size=7.5, column=24)
        self.rule("line", 0.15)
