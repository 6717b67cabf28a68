"""A report as an A4 PDF with its fonts inside: the first page, then the appendix block by block."""

from __future__ import annotations

import logging
from typing import Final

from fpdf import Align, FontFace, XPos, YPos
from fpdf.enums import TableBordersLayout, VAlign

from dashboard.report import first_page
from dashboard.report.content import CaseReport
from dashboard.report.first_page import AlertLine, ClassLine
from dashboard.report.pdf_pages import PdfPages, TextRun, muted
from dashboard.report.review_part import AlertPart
from dashboard.report.sections import (
    ELSEWHERE,
    AlertList,
    Block,
    CellTable,
    FactList,
    FoldedPart,
    Paragraph,
    sections,
)
from dashboard.shared import wording
from dashboard.shared.formatting import day
from leader_core.domain import MODEL_NAMES

_SMALL: Final = 7.5  # points, of the first page
_MARK: Final = 11.5  # mm of a model's column there
_LIKE: Final = 16.0


def write_pdf(report: CaseReport) -> bytes:
    """The PDF's bytes."""
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    pdf = _ReportPdf(report)
    pdf.write_head()
    pdf.write_first_page()
    pdf.add_page()
    pdf.paragraph(TextRun("Appendix", 14, bold=True))
    for section in sections(report):
        pdf.heading(section.heading)
        for block in section.blocks:
            pdf.write_block(block)
    return bytes(pdf.output())


class _ReportPdf(PdfPages):
    """The parts of one report."""

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
        page = first_page.first_page(self.report)
        facts = [
            ("Problems", page.problems or "none recorded"),
            ("Allergies", page.allergies),
            ("Done", page.procedures),
            ("Before", page.history),
        ]
        self.facts((fact for fact in facts if fact[1]), size=_SMALL, column=17)
        self._small_heading(page.alert_heading)
        for alert in page.alerts:
            self._alert_line(alert)
        if not page.alerts:
            self.paragraph(TextRun(wording.NOTHING_LISTED, _SMALL))
        if page.more_alerts:
            self.paragraph(muted(page.more_alerts, _SMALL))
        if page.classes:
            self._small_heading("Drug classes")
            self._class_headings()
        for group in page.classes:
            self.ln(0.6)
            self.paragraph(TextRun(group.label, 8, bold=True))
            for line in group.lines:
                self._class_line(line)
            if group.more:
                self.paragraph(muted(group.more, _SMALL))
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

    def _columns(self) -> list[tuple[str, float]]:
        """The columns of the class list with their width in mm."""
        report = self.report
        columns = [("Class", 49.0)]
        columns += [("Ordered as", 37.0)] if report.prescribed_known else []
        columns += [(wording.MODEL_LABELS[part.name], _MARK) for part in report.models]
        columns += [(first_page.LIKE, _LIKE)] if report.like else []
        if report.reasons is not None:
            columns.append((first_page.RAISED, self.epw - sum(width for _, width in columns)))
        return columns

    def _class_headings(self) -> None:
        top, x = self.get_y(), self.l_margin
        colours = {wording.MODEL_LABELS[name]: name for name in MODEL_NAMES}
        for text, width in self._columns():
            self.label(x, top, TextRun(text, 7, colours.get(text, "muted"), bold=True))
            x += width
        self.set_xy(self.l_margin, top + 3.6)

    def _class_line(self, line: ClassLine) -> None:
        """One line of small type: texts too long for their column end with "…", and stand in the appendix in full."""
        report = self.report
        texts: list[str] = [line.title]
        texts += [line.ordered or "not ordered"] if report.prescribed_known else []
        texts += ["✓" if part.name in line.suggested else "–" for part in report.models]
        texts += [line.like or "–"] if report.like else []
        texts += [line.reason] if report.reasons is not None else []
        top, x = self.get_y(), self.l_margin
        for text, (_, width) in zip(texts, self._columns(), strict=True):
            run = TextRun(text, _SMALL, "muted" if text in ("–", "not ordered") else "ink")
            self.style(run)
            self.label(x, top, run._replace(text=self.fitted(text, width - 1.5)))
            x += width
        self.set_xy(self.l_margin, top + 3.45)
        self.set_draw_color(225)
        self.set_line_width(0.1)
        self.line(self.l_margin, self.get_y(), self.l_margin + self.epw, self.get_y())
        self.ln(0.25)

    # The appendix

    def write_block(self, block: Block) -> None:
        if isinstance(block, Paragraph):
            self._text(block)
        elif isinstance(block, FactList):
            self.facts(block.facts, size=8, column=40)
        elif isinstance(block, CellTable):
            self._table(block)
        elif isinstance(block, AlertList):
            for part in block.parts:
                self._alert(part)
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
        self.set_fill_color(255)  # a table fills its cells with the colour that was used last
        with self.table(
            borders_layout=TableBordersLayout.HORIZONTAL_LINES, col_widths=block.widths, line_height=height,
            headings_style=FontFace(emphasis="B"), text_align=Align.L, v_align=VAlign.T, padding=(0.5, 1.5, 0.5, 0),
        ) as table:  # fmt: skip
            for cells in (block.headings, *block.rows):
                row = table.row()
                for text in cells:
                    row.cell(self.normalize_text(text))
        self.ln(1)

    def _alert(self, part: AlertPart) -> None:
        self.room(16)
        titles = "; ".join(f"{title} ({likely})" if likely else title for title, likely in part.heads)
        rank = TextRun(f"{wording.SEVERITY_LABELS[part.rank]}  ", 8, part.rank, bold=True)
        self.paragraph(rank, TextRun(titles, 8, bold=True))
        self.facts(part.facts, size=7.5, column=24)
        self.rule("line", 0.15)
