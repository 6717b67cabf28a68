"""The error analysis as one HTML file that opens anywhere, offline: tables and small figures, no script, nothing loaded.

Everything that comes from data is escaped. Refuses to know where the tables come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboard.report.html_report import POLICY, style
from dashboard.shared import wording
from dashboard.shared.formatting import day, escape, tag
from leader_core import Fingerprint, __version__


@dataclass(frozen=True, slots=True)
class Section:
    """One heading with its sentence, figures that are HTML already, and a table of text."""

    heading: str
    told: str
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    figure: str = ""  # SVG made by `svg`
    few: frozenset[int] = frozenset()  # rows of few cases


@dataclass(frozen=True, slots=True)
class Paper:
    """Everything that the file says."""

    title: str
    subtitle: str
    made_at: datetime
    fingerprint: Fingerprint
    data_kind: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]


_OWN: str = (
    "table{font-variant-numeric:tabular-nums}td.num,th.num{text-align:right}tr.few td{color:#55616e;font-style:italic}"
    "section{break-inside:auto}svg{margin:.4rem 0 .8rem}"
)


def write_html(paper: Paper) -> bytes:
    """UTF-8 HTML."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
        f"{tag('title', escape(f'{paper.title} · {wording.NAME}'))}<style>{style()}{_OWN}</style>"
    )
    brand = tag("strong", wording.NAME) + " " + tag("span", escape(wording.TAGLINE))
    made = tag("span", escape(f"made {day(paper.made_at)}, {paper.made_at:%H:%M} UTC"))
    top = tag(
        "header", tag("p", tag("span", brand), made, css="brand"), tag("h1", escape(paper.title)),
        tag("p", escape(paper.subtitle)),
    )  # fmt: skip
    device = tag("div", tag("p", tag("strong", escape(wording.NOT_A_DEVICE))), css="device", role="note")
    facts = tag("dl", *(tag("dt", escape(k)) + tag("dd", escape(v)) for k, v in paper.facts))
    main = tag(
        "main", device, tag("section", tag("h2", "What was analysed"), facts), *map(_section, paper.sections)
    )
    end = f"{wording.NAME} {__version__} · {paper.title} · fingerprint {paper.fingerprint.digest[:16]}"
    footer = tag("footer", tag("p", escape(wording.INTENDED_USE)), tag("p", escape(end)))
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{top}{main}{footer}</body></html>\n'.encode()


def _section(section: Section) -> str:
    def cells(name: str, row: Sequence[str]) -> str:
        return "".join(tag(name, escape(text), css="num" if i else "") for i, text in enumerate(row))

    table = ""
    if section.rows:
        body = "".join(
            tag("tr", cells("td", row), css="few" if i in section.few else "")
            for i, row in enumerate(section.rows)
        )
        table = tag("table", tag("thead", tag("tr", cells("th", section.headings))), tag("tbody", body))
    told = tag("p", escape(section.told), css="note") if section.told else ""
    return tag("section", tag("h2", escape(section.heading)), told, section.figure, table)
