"""The pages of a PDF report as it is set: A4, its fonts inside, written downwards in the theme's light colours."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple, cast

from fpdf import FPDF, Align, XPos, YPos
from fpdf.fonts import TTFFont
from fpdf.util import Padding

from dashboard.report.content import CaseReport
from dashboard.shared import theme, wording
from dashboard.shared.formatting import day
from leader_core.domain import ModelName

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


class PdfPages(FPDF):
    """The pages of one report; everything is written downwards, and a full page turns by itself."""

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

    def room(self, height: float) -> bool:
        """Turn the page where less than `height` mm is left; True where it was turned."""
        if not self.will_page_break(height):
            return False
        self.add_page()
        return True

    def paragraph(self, *spans: TextRun, indent: float = 0.0, width: float | None = None) -> None:
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
        self.box(self.l_margin, top, 1.0, self.get_y() - top, edge)
        self.ln(0.8)

    def fitted(self, text: str, width: float) -> str:
        """The text in the type that is chosen, ended by "…" where it is wider than `width` mm."""
        text = self.normalize_text(text)
        if self.get_string_width(text) <= width:
            return text
        while text and self.get_string_width(f"{text}…") > width:
            text = text[:-1]
        return f"{text.rstrip(' ,;')}…"

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


def _hex(name: str) -> str:
    return theme.COLOURS[name].light
