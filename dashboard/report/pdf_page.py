"""An A4 page to write on from top to bottom: text, facts, bars and rules in the theme's colours and type.

Owns the PDF library; refuses to know what is written.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from dashboard.shared import theme

_MARGIN: Final = 16.0  # mm
_FOOT: Final = 18.0
_LINE: Final = 0.3528 * 1.38  # mm of a line's height for each point of type
_FAMILY: Final = "plex"

_Run = tuple[str, str, float, bool, float]
"""Text, colour, size in points, bold, width in mm."""


class Page:
    """Writes downwards and turns the page by itself."""

    def __init__(self, fonts: Path, *, footer: str, title: str, made_at: datetime) -> None:
        from fpdf import FPDF

        logging.getLogger("fontTools").setLevel(logging.ERROR)
        self._footer = footer
        outer = self

        class Sheet(FPDF):
            def footer(self) -> None:
                outer._foot()

        self._pdf = Sheet(format="A4")
        self._pdf.set_creation_date(made_at)
        self._pdf.set_title(title)
        self._pdf.set_lang("en")
        self._pdf.set_margins(_MARGIN, _MARGIN, _MARGIN)
        self._pdf.set_auto_page_break(True, _FOOT)
        self._pdf.add_font(_FAMILY, "", str(fonts / "IBMPlexSans-Regular.ttf"))
        self._pdf.add_font(_FAMILY, "B", str(fonts / "IBMPlexSans-SemiBold.ttf"))
        faces: list[Any] = [self._pdf.fonts[_FAMILY], self._pdf.fonts[f"{_FAMILY}B"]]
        self._widths = [face.cw for face in faces]  # by character, in thousandths of the size
        self._glyphs = frozenset(faces[0].cmap)
        self._pdf.add_page()
        self.left = _MARGIN
        self.width = self._pdf.epw

    @property
    def y(self) -> float:
        """Where the next thing is written, in mm from the top."""
        return float(self._pdf.get_y())

    def output(self) -> bytes:
        return bytes(self._pdf.output())

    def safe(self, text: str) -> str:
        """Text in characters that the fonts have: Latin, Greek, Cyrillic and signs; "□" stands for any other."""
        spare = "□" if ord("□") in self._glyphs else "?"
        return "".join(c if ord(c) in self._glyphs else " " if c.isspace() else spare for c in text)

    def gap(self, height: float) -> None:
        self._pdf.ln(height)

    def needs(self, height: float) -> bool:
        """Turn the page where less than `height` mm is left; True where it was turned."""
        if not self._pdf.will_page_break(height):
            return False
        self._pdf.add_page()
        return True

    def text(self, text: str, *, size: float = 9.5, bold: bool = False, colour: str = "ink") -> None:
        """A paragraph over the whole width."""
        self.spans([(text, colour, size, bold)])

    def spans(
        self, parts: Iterable[tuple[str, str, float, bool]], indent: float = 0.0, width: float | None = None
    ) -> None:
        """One paragraph of (text, colour, size, bold) parts, broken between words; `width` from the left margin."""
        given = list(parts)
        left = self.left + indent
        height = max((size for _, _, size, _ in given), default=9.0) * _LINE
        for line in self._broken(given, (width or self.width) - indent):
            self.needs(height)
            x, y = left, self.y
            for text, colour, size, bold, length in line:
                self._set(size, bold, colour)
                self._pdf.text(x, y + height * 0.74, text)
                x += length
            self._pdf.set_xy(self.left, y + height)

    def _broken(self, parts: Sequence[tuple[str, str, float, bool]], width: float) -> list[list[_Run]]:
        """Lines of runs; a word longer than a line is cut."""
        lines: list[list[_Run]] = [[]]
        room = width
        for text, colour, size, bold in parts:
            for word in re.findall(r"\s*\S+", self.safe(text).rstrip()):
                piece = word if lines[-1] else word.lstrip()
                length = self._measure(piece, size, bold)
                if length > room and lines[-1]:
                    lines.append([])
                    room, piece = width, word.lstrip()
                    length = self._measure(piece, size, bold)
                while length > width and len(piece) > 1:
                    fits = max(1, int(len(piece) * width / length) - 1)
                    head = piece[:fits]
                    lines[-1].append((head, colour, size, bold, self._measure(head, size, bold)))
                    lines.append([])
                    room, piece = width, piece[fits:]
                    length = self._measure(piece, size, bold)
                last = lines[-1][-1] if lines[-1] else None
                if last is not None and last[1:4] == (colour, size, bold):
                    lines[-1][-1] = (last[0] + piece, colour, size, bold, last[4] + length)
                else:
                    lines[-1].append((piece, colour, size, bold, length))
                room -= length
        return lines

    def _measure(self, text: str, size: float, bold: bool) -> float:
        """Width in mm."""
        widths = self._widths[bold]
        return float(sum(widths[ord(c)] for c in text)) * size * 0.3528 / 1000

    def row(self, left: str, right: str) -> None:
        """Two short texts at both ends of a line."""
        self._set(8.5, False, "muted")
        self._pdf.cell(self.width / 2, 5, self.safe(left))
        self._pdf.cell(self.width / 2, 5, self.safe(right), align="R", new_x="LMARGIN", new_y="NEXT")

    def heading(self, text: str) -> None:
        """A section's heading, entered in the outline; never alone at the foot of a page."""
        self.needs(24)
        self.gap(4.5)
        self._pdf.start_section(self.safe(text))
        self.text(text, size=12, bold=True)
        self.rule("line", 0.3)
        self.gap(0.8)

    def rule(self, colour: str, thickness: float) -> None:
        self._pdf.set_draw_color(_hex(colour))
        self._pdf.set_line_width(thickness)
        y = self.y + 0.8
        self._pdf.line(self.left, y, self.left + self.width, y)
        self._pdf.set_y(y + 0.8)

    def facts(self, pairs: Iterable[tuple[str, str]], *, size: float = 9.0, label: float = 30.0) -> None:
        """Labels and values in two columns."""
        height = size * _LINE
        for name, value in pairs:
            self.needs(height * min(self._lines(value, self.width - label, size), 3))
            self.at(self.left, self.y, name, size=size, colour="muted")
            self.spans([(value, "ink", size, False)], indent=label)

    def callout(self, text: str, colour: str, *, tinted: bool = False) -> None:
        """A sentence that must be seen, with a coloured edge."""
        size, inset = 9.0, 3.5
        height = self._lines(text, self.width - 2 * inset, size) * size * _LINE + 2.4
        self.needs(height + 2)
        top = self.y + 1
        self._pdf.set_fill_color(_hex(f"{colour}-soft" if tinted else "surface"))
        self._pdf.rect(self.left, top, self.width, height, style="F")
        self._pdf.set_fill_color(_hex(colour))
        self._pdf.rect(self.left, top, 1.0, height, style="F")
        self._pdf.set_xy(self.left, top + 1.2)
        self.spans([(text, "ink", size, False)], indent=inset, width=self.width - inset)
        self._pdf.set_xy(self.left, top + height + 1)

    def model_head(self, model: str, name: str, figures: Sequence[tuple[str, str]]) -> None:
        """A model's name in its colour with its shape, and its figures beside it."""
        self.needs(34)
        self.gap(2)
        self._pdf.set_fill_color(_hex(model))
        self._pdf.rect(self.left, self.y, self.width, 1.0, style="F")
        top = self.y + 2.2
        self._shape(model, self.left + 1.6, top + 3.1)
        self.at(self.left + 5, top, name, bold=True, size=12, colour=model)
        x = self.left + 44
        for label, value in figures:
            self.at(x, top - 0.6, label, size=7.5, colour="muted")
            self.at(x, top + 2.6, value, size=12, bold=True)
            x += (self.width - 44) / max(4, len(figures))
        self._pdf.set_xy(self.left, top + 9.5)

    def table_head(
        self, cells: Sequence[tuple[str, str]], widths: Sequence[float], shapes: Mapping[str, str]
    ) -> None:
        """Column headings, each with a colour; those in `shapes` with the model's shape."""
        self.gap(1)
        top, x = self.y, self.left
        for (text, colour), width in zip(cells, widths, strict=True):
            inset = 0.0
            if text in shapes:
                self._shape(shapes[text], x + 1.4, top + 2.1)
                inset = 4.0
            self.at(x + inset, top, text, bold=True, size=8.5, colour=colour)
            x += width
        self._pdf.set_xy(self.left, top + 4.4)
        self.rule("line-strong", 0.25)

    def height_of(self, text: str, width: float) -> float:
        """mm that a text takes in a table's cell."""
        return self._lines(text, width - 3, 9.0) * 9.0 * _LINE

    def cell_lines(self, lines: Sequence[tuple[str, str, float, str]], width: float) -> float:
        """Paragraphs of (text, colour, size, code behind it) in the first column; returns where they end."""
        top = self.y
        for text, colour, size, code in lines:
            behind = (f"  {code}" if code else "", "muted", 8.0, False)
            self.spans([(text, colour, size, False), behind], width=width)
        bottom = self.y
        self._pdf.set_xy(self.left, top)
        return bottom

    def close_row(self, bottom: float) -> None:
        """Go below the tallest cell of a row."""
        self._pdf.set_xy(self.left, max(bottom, self.y))
        self._pdf.set_y(max(bottom, self.y) - 0.3)
        self.rule("line", 0.15)

    def at(
        self, x: float, y: float, text: str, *, size: float = 9.0, bold: bool = False, colour: str = "ink"
    ) -> None:
        """A short text at a place; the pen stays where it was."""
        self._set(size, bold, colour)
        self._pdf.text(x, y + size * _LINE * 0.74, self.safe(text))

    def bar(
        self, x: float, y: float, width: float, value: float, cut: float, model: str, *, chosen: bool
    ) -> None:
        """A score on a track with the cut-off across it; pale where it is below."""
        self._pdf.set_fill_color(_hex("surface"))
        self._pdf.rect(x, y, width, 2.2, style="F")
        self._pdf.set_fill_color(_hex(model) if chosen else _pale(model))
        self._pdf.rect(x, y, max(width * value, 0.2), 2.2, style="F")
        self._pdf.set_fill_color(_hex("ink"))
        self._pdf.rect(x + width * cut - 0.2, y - 0.6, 0.4, 3.4, style="F")

    def severity(self, label: str, level: str, names: str, codes: str) -> None:
        """A severity as a coloured word, then the pair."""
        width = self._measure(self.safe(label), 8, True) + 3
        top = self.y
        self._pdf.set_fill_color(_hex(f"{level}-soft"))
        self._pdf.rect(self.left, top, width, 4.4, style="F")
        self.at(self.left + 1, top + 0.2, label, size=8, bold=True, colour=level)
        self._pdf.set_xy(self.left, top)
        self.spans([(names, "ink", 9, True), (f"  {codes}", "muted", 8, False)], indent=width + 2)

    def _shape(self, model: str, x: float, y: float) -> None:
        """The teacher's diamond or the student's disc; the fonts have neither."""
        self._pdf.set_fill_color(_hex(model))
        if theme.MODEL_ICONS[model] == "◆":
            self._pdf.polygon([(x, y - 1.5), (x + 1.3, y), (x, y + 1.5), (x - 1.3, y)], style="F")
        else:
            self._pdf.circle(x, y, 1.2, style="F")

    def _lines(self, text: str, width: float, size: float) -> int:
        return len(self._broken([(text, "ink", size, False)], width))

    def _set(self, size: float, bold: bool, colour: str) -> None:
        self._pdf.set_font(_FAMILY, "B" if bold else "", size)
        self._pdf.set_text_color(_hex(colour))

    def _foot(self) -> None:
        self._pdf.set_y(-12)
        self._set(7.5, False, "muted")
        self._pdf.cell(self.width - 20, 5, self.safe(self._footer))
        self._pdf.cell(20, 5, f"{self._pdf.page_no()} / {{nb}}", align="R")


def _hex(name: str) -> str:
    return theme.COLOURS[name].light


def _pale(name: str) -> str:
    """A colour at about a third of its strength on white."""
    value = _hex(name).lstrip("#")
    parts = (int(value[i : i + 2], 16) for i in (0, 2, 4))
    return "#" + "".join(f"{round(255 - (255 - part) * 0.38):02x}" for part in parts)
