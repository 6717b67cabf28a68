"""A report as one HTML file that opens anywhere, offline: style and type inside it, no script, made to be printed too.

Everything that comes from data is escaped. Refuses to know what a report says, which `report` owns.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from dashboard.report.content import CLASSES_ONLY, Coded, ModelPart, Report, VisitPart
from dashboard.report.html_similar import similar_section, trust_section
from dashboard.shared import theme, wording
from dashboard.shared.comparison import Row
from dashboard.shared.formatting import count, day, escape, listing, probability, tag
from leader_core import Interaction, __version__

_ASSETS: Final = Path(__file__).resolve().parents[2] / "assets"
_FONTS: Final = (
    ("ibm-plex-sans-latin-wght-normal.woff2", "U+0000-00FF, U+2000-206F, U+20AC, U+2212"),
    ("ibm-plex-sans-latin-ext-wght-normal.woff2", "U+0100-02BA, U+1E00-1E9F, U+1EF2-1EFF"),
)
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:"
"""The file may load nothing and run nothing, whatever stood in the data."""


def write_html(report: Report) -> bytes:
    """UTF-8 HTML."""
    title = f"{report.title} · {wording.NAME} report"
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
        f"{tag('title', escape(title))}<style>{style()}</style>"
    )
    body = _header(report) + tag("main", *_sections(report)) + _footer(report)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'.encode()


def _header(report: Report) -> str:
    brand = tag("strong", wording.NAME) + " " + tag("span", escape(wording.TAGLINE))
    made = tag("span", escape(f"made {day(report.made_at)}, {report.made_at:%H:%M} UTC"))
    return tag(
        "header",
        tag("p", tag("span", brand), made, css="brand"),
        tag("h1", escape(report.title)),
        tag("p", escape(report.subtitle)),
    )


def _sections(report: Report) -> list[str]:
    level = report.fingerprint.atc_level
    device = tag("p", tag("strong", escape(wording.NOT_A_DEVICE))) + tag(
        "p", escape(f"{CLASSES_ONLY.format(level=level)} {wording.TEACHER_SCORES}")
    )
    found = [tag("div", device, css="device", role="note")]
    found += [tag("div", escape(text), css="notice") for text in (*report.notices, *report.absent)]
    found.append(tag("div", *(_model(part) for part in report.models), css="two") if report.models else "")
    found.append(_comparison(report))
    found.append(_interactions(report))
    found.append(similar_section(report))
    found.append(trust_section(report))
    found.append(_person(report))
    found.append(tag("h2", "Visits") + tag("ol", *(_visit(v) for v in report.visits), css="visits"))
    return found


def _model(part: ModelPart) -> str:
    shape = tag("span", theme.MODEL_ICONS[part.name], css="shape", aria_hidden="true")
    figures = "".join(tag("div", tag("dt", escape(k)), tag("dd", escape(v))) for k, v in part.figures)
    return tag(
        "section",
        tag("h3", f"{shape} {escape(wording.MODEL_NAMES[part.name])}"),
        tag("dl", figures, css="figures"),
        _facts(part.facts),
        *(tag("div", escape(text), css=f"notice {part.name}") for text in part.warnings),
        css=f"model {part.name}",
    )


def _comparison(report: Report) -> str:
    if not report.groups:
        return ""
    main = [(label, rows) for label, rows in report.groups if any(r.group != "neither" for r in rows)]
    rest = [(label, rows) for label, rows in report.groups if all(r.group == "neither" for r in rows)]
    text = "A bar is a score from 0 to 1; the line across it is the cut-off; classes at or above it are suggested."
    made = tag("h2", "Medication classes") + _table(report, main, text)
    for label, rows in rest:
        summary = tag("summary", escape(f"{label}: {count(len(rows), 'class', 'classes')}"))
        made += tag("details", summary, _table(report, [("", rows)], ""), css="rest")
    return made


def _table(report: Report, groups: Sequence[tuple[str, Sequence[Row]]], caption: str) -> str:
    names = [part.name for part in report.models]
    head = [tag("th", "Class", scope="col")]
    if report.prescribed_known:
        head.append(tag("th", "Prescribed", css="given", scope="col"))
    for name in names:
        shown = f"{theme.MODEL_ICONS[name]} {wording.MODEL_NAMES[name]}"
        head.append(tag("th", escape(shown), css=f"score {name}", scope="col"))
    body = ""
    for label, rows in groups:
        if label:
            heading = escape(label) + " " + tag("span", escape(f"({len(rows)})"), css="code")
            body += tag("tr", tag("th", heading, scope="colgroup", colspan=len(head)), css="group")
        body += "".join(_row(report, row) for row in rows)
    inside = tag("caption", escape(caption)) if caption else ""
    return tag("table", inside, tag("thead", tag("tr", *head)), tag("tbody", body))


def _row(report: Report, row: Row) -> str:
    named = tag("span", f"{escape(row.title)} {tag('span', escape(row.code), css='code')}", css="title")
    if row.code in report.orders:
        named += tag("span", escape(report.orders[row.code]), css="orders")
    cells = [tag("td", named)]
    if report.prescribed_known:
        cells.append(tag("td", "✓ yes" if row.prescribed else "no", css="given"))
    for part in report.models:
        value = row.teacher if part.name == "teacher" else row.student
        chosen = row.teacher_selected if part.name == "teacher" else row.student_selected
        cells.append(tag("td", _bar(value, chosen, part.recommendation.threshold), css=f"score {part.name}"))
    return tag("tr", *cells)


def _bar(value: float | None, chosen: bool, cut: float) -> str:
    if value is None:
        return escape("not in its vocabulary")
    fill = tag("i", style=f"width:{value * 100:.1f}%") + tag("b", style=f"left:{cut * 100:.1f}%")
    bar = tag("span", fill, css="bar chosen" if chosen else "bar", aria_hidden="true")
    text = tag("span", escape(probability(value)), css="chosen-value" if chosen else "")
    return bar + text


def _interactions(report: Report) -> str:
    """Graded pairs in full; statistical ones, which nobody has graded, folded below."""
    made = tag("h2", "Interactions, most severe first") + tag("p", escape(counted(report)), css="note")
    graded = [item for item in report.interactions if item[0].severity != "unknown"]
    signals = [item for item in report.interactions if item[0].severity == "unknown"]
    if graded:
        made += tag("ul", *(_pair(report, *item) for item in graded), css="pairs")
    if signals:
        summary = tag("summary", escape(f"{count(len(signals), 'statistical signal')}, severity unknown"))
        made += tag("details", summary, tag("ul", *(_pair(report, *item) for item in signals), css="pairs"))
    if not report.interactions and report.interaction_counts:
        made += tag("p", escape(wording.NO_PAIR))
    return made + tag("p", escape(report.interaction_note), css="note")


def counted(report: Report) -> str:
    """How many pairs stand among each set of classes."""
    sets = listing(f"{name.lower()} {number}" for name, number in report.interaction_counts)
    return (
        f"Pairs among the classes of each set: {sets}." if sets else "There is no set of classes to look at."
    )


def _pair(report: Report, pair: Interaction, holders: Sequence[str]) -> str:
    icon = theme.SEVERITY_ICONS[pair.severity]
    level = tag(
        "span", escape(f"{icon} {wording.SEVERITY_LABELS[pair.severity]}"), css=f"severity {pair.severity}"
    )
    names = " + ".join(report.titles.get(code, code) for code in (pair.code_a, pair.code_b))
    codes = tag("span", escape(f"{pair.code_a} · {pair.code_b}"), css="code")
    among = tag("span", escape(f"in: {listing(holders).lower()}"), css="detail")
    return tag("li", f"{level}{escape(names)} {codes} ", among, _facts(pair_facts(pair)))


def pair_facts(pair: Interaction) -> list[tuple[str, str]]:
    """What is known of a pair, in the order that a reader needs it."""
    known = [
        ("What to do", pair.management),
        ("Consequence", pair.effect),
        ("Mechanism", pair.mechanism),
        ("Evidence", pair.evidence),
        ("Source", pair.source),
    ]
    if pair.severity == "unknown":
        known.insert(0, ("Note", wording.STATISTICAL))
    return [(label, text) for label, text in known if text]


def _person(report: Report) -> str:
    profile = tag("section", tag("h2", "Profile"), _facts(report.profile))
    if report.profile_note:
        profile += tag("p", escape(report.profile_note), css="note")
    return tag("div", profile) + tag("section", tag("h2", "Data"), _facts(data_facts(report)))


def data_facts(report: Report) -> list[tuple[str, str]]:
    """Which cohort the case and the titles are from."""
    found = report.fingerprint
    return [
        ("Kind", report.data_kind),
        ("Cohort", f"{found.label}, {found.patients:,} patients, {found.visits:,} visits"),
        ("Settings", f"{found.source}, preset {found.preset}, ATC level {found.atc_level}"),
        ("Fingerprint", found.digest[:16]),
    ]


def _visit(part: VisitPart) -> str:
    body = tag("h3", escape(part.heading), " ", tag("span", escape(part.detail), css="detail"))
    for label, codes in (("Diagnoses", part.diagnoses), ("Procedures", part.procedures)):
        body += _codes(label, codes)
    body += _codes("Prescribed", part.medications, frozenset(part.new), "new", "+ new")
    stopped = frozenset(code or title for title, code in part.stopped)
    body += _codes("Stopped since the visit before", part.stopped, stopped, "stopped", "− stopped")
    return tag("li", body, css="current" if part.current else "")


def _codes(
    label: str, codes: Sequence[Coded], marked: frozenset[str] = frozenset(), css: str = "", mark: str = ""
) -> str:
    if not codes:
        return ""
    items = []
    for title, code in codes:
        text = escape(title) + (f" {tag('span', escape(code), css='code')}" if code else "")
        items.append(
            tag("li", text, f" {tag('span', escape(mark), css=css)}" if (code or title) in marked else "")
        )
    return tag("h4", escape(f"{label} ({len(codes)})")) + tag("ul", *items)


def _facts(pairs: Iterable[tuple[str, str]]) -> str:
    return tag("dl", *(tag("dt", escape(k)) + tag("dd", escape(v)) for k, v in pairs))


def _footer(report: Report) -> str:
    text = f"{wording.NAME} {__version__} · {report.title} · fingerprint {report.fingerprint.digest[:16]}"
    return tag("footer", tag("p", escape(wording.INTENDED_USE)), tag("p", escape(text)))


@functools.cache
def style() -> str:
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
    return f"{faces}:root{{{colours}}}\n{sheet}"
