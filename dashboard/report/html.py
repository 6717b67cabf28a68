"""A report as one HTML file that opens anywhere, offline: style and type inside it, no script, fit to be printed."""

from __future__ import annotations

import base64
import functools
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from dashboard.report import first_page
from dashboard.report.content import CaseReport
from dashboard.report.sections import sections
from dashboard.shared import theme
from dashboard.shared.templates import render
from leader_core import Fingerprint, __version__

_ASSETS: Final = Path(__file__).resolve().parents[2] / "assets"
_FONTS: Final = (
    ("ibm-plex-sans-latin-wght-normal.woff2", "U+0000-00FF, U+2000-206F, U+20AC, U+2212"),
    ("ibm-plex-sans-latin-ext-wght-normal.woff2", "U+0100-02BA, U+1E00-1E9F, U+1EF2-1EFF"),
)
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:"
"""The file may load nothing and run nothing, whatever stood in the data."""


def write_html(report: CaseReport) -> bytes:
    """UTF-8 HTML."""
    return write_page(
        "report/report.html",
        title=report.title,
        subtitle=report.subtitle,
        made_at=report.made_at,
        fingerprint=report.fingerprint,
        report=report,
        first=first_page.first_page(report),
        sections=sections(report),
        kind_of=lambda block: type(block).__name__,
    )


def write_page(
    template: str, *, title: str, subtitle: str, made_at: datetime, fingerprint: Fingerprint, **values: Any
) -> bytes:
    """A template that extends `report/exported_frame.html`, as UTF-8 HTML; the frame shows what is named here."""
    values |= {"title": title, "subtitle": subtitle, "made_at": made_at, "fingerprint": fingerprint}
    page = render(template, style=_style(), policy=_POLICY, version=__version__, **values)
    return f"{page}\n".encode()


@functools.cache
def _style() -> Markup:
    """Type, colours and layout; the light colours, because paper is."""
    faces = ""
    for name, ranges in _FONTS:
        data = base64.b64encode((_ASSETS / "fonts" / name).read_bytes()).decode()
        faces += (
            f'@font-face{{font-family:"IBM Plex Sans";font-weight:100 700;unicode-range:{ranges};'
            f"src:url(data:font/woff2;base64,{data}) format('woff2')}}\n"
        )
    colours = "".join(f"--{name}:{colour.light};" for name, colour in theme.COLOURS.items())
    sheet = (_ASSETS / "theme" / "report.css").read_text(encoding="utf-8")
    return Markup(f"{faces}:root{{{colours}}}\n{sheet}")  # noqa: S704 - files of this project
