"""The one visual language: colours, type and spacing, for light and dark, and the style sheet built from them.

Components and charts take all their colours from here.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Mode = Literal["light", "dark"]

_STYLE_SHEET: Final = Path(__file__).resolve().parents[2] / "assets" / "theme" / "leader.css"


@dataclass(frozen=True, slots=True)
class Colour:
    """One meaning, in both modes; contrast with the mode's background is AA or better."""

    light: str
    dark: str

    def of(self, mode: Mode) -> str:
        return self.dark if mode == "dark" else self.light

    @property
    def css(self) -> str:
        """Follows the page's own colour scheme without a round trip."""
        return f"light-dark({self.light}, {self.dark})"


COLOURS: Final[dict[str, Colour]] = {
    "paper": Colour("#ffffff", "#11161c"),
    "surface": Colour("#f4f6f8", "#1a212a"),
    "raised": Colour("#ffffff", "#212a34"),
    "hover": Colour("#eef3f8", "#222c37"),
    "ink": Colour("#16202b", "#e6ebf0"),
    "muted": Colour("#55616e", "#9aa7b4"),
    "line": Colour("#dde3e8", "#2b3540"),
    "line-strong": Colour("#b4bfca", "#4a5868"),
    "accent": Colour("#1f4e8c", "#8ab8f0"),
    "accent-soft": Colour("#e8eff8", "#1c2c40"),
    "teacher": Colour("#6b3fa0", "#bda0f2"),
    "teacher-soft": Colour("#efe8f7", "#2a2240"),
    "student": Colour("#0a6b6b", "#56c9c0"),
    "student-soft": Colour("#e0f1f0", "#12302f"),
    "prescribed": Colour("#16202b", "#e6ebf0"),
    "contraindicated": Colour("#a61b1b", "#ff9c94"),
    "contraindicated-soft": Colour("#fbe8e7", "#3d1a1a"),
    "major": Colour("#9a4100", "#f6ad6e"),
    "major-soft": Colour("#fcecdf", "#3a2413"),
    "moderate": Colour("#7a5500", "#e3c15c"),
    "moderate-soft": Colour("#faf0d2", "#332a10"),
    "minor": Colour("#35597d", "#9cc3ea"),
    "minor-soft": Colour("#e6eef6", "#1b2a39"),
    "unknown": Colour("#55616e", "#9aa7b4"),
    "unknown-soft": Colour("#eceff2", "#232c36"),
    "good": Colour("#1c6b3c", "#7ccf9b"),
    "good-soft": Colour("#e4f3e9", "#16301f"),
}
"""Every colour by what it means. Teacher is violet and stands left; student is teal and stands right."""

AREA_COLOURS: Final[dict[str, Colour]] = {
    "A": Colour("#8a5a00", "#e3b85c"),
    "B": Colour("#a61b1b", "#ff9c94"),
    "C": Colour("#1f4e8c", "#8ab8f0"),
    "D": Colour("#7b4a35", "#d3a893"),
    "G": Colour("#9c2f72", "#f09acb"),
    "H": Colour("#5a6b00", "#c2d05c"),
    "J": Colour("#1c6b3c", "#7ccf9b"),
    "L": Colour("#5c4a99", "#b3a4ee"),
    "M": Colour("#9a4100", "#f6ad6e"),
    "N": Colour("#6b3fa0", "#cba8ff"),
    "P": Colour("#3c6e71", "#96cdd0"),
    "R": Colour("#006d8f", "#6cc9e6"),
    "S": Colour("#55616e", "#9aa7b4"),
    "V": Colour("#55616e", "#9aa7b4"),
}


def area_colour(code: str) -> Colour:
    """The colour of an ATC code's therapeutic area, its first letter."""
    return AREA_COLOURS.get(code[:1], AREA_COLOURS["V"])


MODEL_ICONS: Final[dict[str, str]] = {"teacher": "◆", "student": "●"}
"""A shape next to each colour, so that colour is never the only cue."""

SEVERITY_ICONS: Final[dict[str, str]] = {
    "contraindicated": "⊗",
    "major": "▲",
    "moderate": "◭",
    "minor": "△",
    "unknown": "◌",
}

EDGE_STYLES: Final[dict[str, tuple[str, float]]] = {
    "contraindicated": ("solid", 4.0),
    "major": ("solid", 3.0),
    "moderate": ("dash", 2.5),
    "minor": ("dashdot", 1.8),
    "unknown": ("dot", 1.5),
}
"""Plotly dash and width of an interaction's line, by severity."""

EDGE_MARKS: Final[dict[str, str]] = {
    "contraindicated": "x",
    "major": "triangle-up",
    "moderate": "diamond",
    "minor": "circle",
    "unknown": "circle-open",
}
"""Plotly's symbol on an interaction's line, by severity."""

CELL_COLOURS: Final[dict[str, Colour]] = {
    "contraindicated": Colour("#a61b1b", "#ff6b61"),
    "major": Colour("#e0701f", "#f0954a"),
    "moderate": Colour("#d3a514", "#b8962f"),
    "minor": Colour("#8fb0d0", "#5f86ad"),
    "unknown": Colour("#6b7785", "#8f9dab"),
}
"""Cells carry no text, so they may be further apart than text colours can be."""

CELL_SIZES: Final[dict[str, float]] = {
    "contraindicated": 1.0,
    "major": 0.9,
    "moderate": 0.62,
    "minor": 0.4,
    "unknown": 0.72,
}
"""How much of a matrix's cell a pair fills: size says what colour says."""

FONT: Final = "IBM Plex Sans, system-ui, sans-serif"
MONO: Final = "IBM Plex Mono, ui-monospace, monospace"


def variables() -> str:
    """CSS custom properties, one for each colour; they follow the page's colour scheme."""
    return "\n".join(f"  --{name}: {colour.css};" for name, colour in COLOURS.items())


@functools.cache
def style_sheet() -> str:
    """The whole style sheet for elements in the page.

    What opens above the page stands outside `.stApp`, the only element that Streamlit marks with the scheme.
    """
    scheme = ":root { color-scheme: light dark; }"
    return f"{scheme}\n:root, .stApp {{\n{variables()}\n}}\n{_STYLE_SHEET.read_text(encoding='utf-8')}"


@functools.cache
def component_style(css: str) -> str:
    """A component's own style sheet with the variables in front: a shadow root sees no page styles."""
    return f":host {{\n{variables()}\n}}\n{css}"
