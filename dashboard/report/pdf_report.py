"""A report as an A4 PDF: the same words as the HTML, set for paper, with its fonts inside.

Refuses to know what a report says, which `report` owns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dashboard.report.content import CLASSES_ONLY, Coded, Report, VisitPart
from dashboard.report.html_report import counted, data_facts, pair_facts
from dashboard.report.pdf_page import Page
from dashboard.report.pdf_similar import beside
from dashboard.shared import wording
from dashboard.shared.comparison import Row
from dashboard.shared.formatting import count, day, listing, probability
from leader_core import Interaction, __version__

if TYPE_CHECKING:
    from dashboard.server.service import ModelName

_FONTS: Final = Path(__file__).resolve().parents[2] / "assets" / "fonts"
_SCORE: Final = 38.0  # mm of a score's column
_GIVEN: Final = 20.0
_BAR: Final = 24.0


def write_pdf(report: Report) -> bytes:
    """The PDF's bytes."""
    page = Page(
        _FONTS,
        footer=f"{wording.NOT_A_DEVICE}  {report.title}, made {day(report.made_at)}",
        title=f"{report.title} · {wording.NAME} report",
        made_at=report.made_at,
    )
    _head(page, report)
    _models(page, report)
    _comparison(page, report)
    _interactions(page, report)
    beside(page, report)
    page.heading("Profile")
    page.facts(report.profile)
    if report.profile_note:
        page.text(report.profile_note, colour="muted", size=8.5)
    page.heading("Data")
    page.facts([*data_facts(report), ("Program", f"{wording.NAME} {__version__}")])
    page.heading("Visits")
    for part in report.visits:
        _visit(page, part)
    page.gap(3)
    page.text(wording.INTENDED_USE, colour="muted", size=8.5)
    return page.output()


def _head(page: Page, report: Report) -> None:
    page.row(f"{wording.NAME}  {wording.TAGLINE}", f"made {day(report.made_at)}, {report.made_at:%H:%M} UTC")
    page.text(report.title, size=19, bold=True)
    page.text(report.subtitle, colour="muted", size=10)
    page.rule("ink", 0.5)
    level = report.fingerprint.atc_level
    page.callout(
        f"{wording.NOT_A_DEVICE} {CLASSES_ONLY.format(level=level)} {wording.TEACHER_SCORES}",
        "moderate",
        tinted=True,
    )
    for text in (*report.notices, *report.absent):
        page.callout(text, "line-strong")


def _models(page: Page, report: Report) -> None:
    for part in report.models:
        page.model_head(part.name, wording.MODEL_NAMES[part.name], part.figures)
        page.facts(part.facts)
        for text in part.warnings:
            page.callout(text, part.name)
        page.gap(1.5)


def _comparison(page: Page, report: Report) -> None:
    if not report.groups:
        return
    page.heading("Medication classes")
    page.text(
        "A bar is a score from 0 to 1; the line across it is the cut-off; classes at or above it are suggested.",
        colour="muted", size=8.5,
    )  # fmt: skip
    names: list[ModelName] = [part.name for part in report.models]
    widths = _columns(page, report, names)
    _table_head(page, report, names, widths)
    for label, rows in report.groups:
        if all(row.group == "neither" for row in rows):
            page.gap(1.5)
            text = f"{label}: {count(len(rows), 'class', 'classes')}. The HTML and JSON reports list them."
            page.text(text, colour="muted", size=8.5)
            continue
        if page.needs(16):
            _table_head(page, report, names, widths)
        page.gap(1.5)
        page.text(f"{label} ({len(rows)})", bold=True, size=9.5)
        page.rule("line-strong", 0.2)
        for row in rows:
            if page.needs(page.height_of(row.title, widths[0]) + 5):
                _table_head(page, report, names, widths)
            _row(page, report, row, widths)


def _columns(page: Page, report: Report, names: Sequence[str]) -> list[float]:
    given = [_GIVEN] if report.prescribed_known else []
    return [page.width - sum(given) - _SCORE * len(names), *given, *([_SCORE] * len(names))]


def _table_head(page: Page, report: Report, names: Sequence[ModelName], widths: Sequence[float]) -> None:
    cells = [("Class", "muted")] + ([("Prescribed", "muted")] if report.prescribed_known else [])
    cells += [(wording.MODEL_NAMES[name], name) for name in names]
    page.table_head(cells, widths, shapes={wording.MODEL_NAMES[name]: name for name in names})


def _row(page: Page, report: Report, row: Row, widths: Sequence[float]) -> None:
    """A class with its code and drugs, whether it was prescribed, and a bar for each model."""
    top = page.y
    lines = [(row.title, "ink", 9.0, row.code)]
    if row.code in report.orders:
        lines.append((report.orders[row.code], "muted", 8.0, ""))
    bottom = page.cell_lines(lines, widths[0] - 3)
    x = page.left + widths[0]
    if report.prescribed_known:
        page.at(
            x,
            top,
            "yes" if row.prescribed else "no",
            bold=row.prescribed,
            colour="ink" if row.prescribed else "muted",
        )
        x += _GIVEN
    for part in report.models:
        value = row.teacher if part.name == "teacher" else row.student
        chosen = row.teacher_selected if part.name == "teacher" else row.student_selected
        if value is None:
            page.at(x, top, "not in its vocabulary", colour="muted", size=8)
        else:
            page.bar(x, top + 1.2, _BAR, value, part.recommendation.threshold, part.name, chosen=chosen)
            page.at(x + _BAR + 2, top, probability(value), bold=chosen)
        x += _SCORE
    page.close_row(bottom)


def _interactions(page: Page, report: Report) -> None:
    """Graded pairs with what to do; on paper the mechanism and the ungraded signals would fill pages."""
    page.heading("Interactions, most severe first")
    page.text(counted(report), colour="muted", size=8.5)
    graded = [item for item in report.interactions if item[0].severity != "unknown"]
    for pair, holders in graded:
        _pair(page, report, pair, holders)
    page.gap(1.5)
    if signals := len(report.interactions) - len(graded):
        text = f"{count(signals, 'statistical signal')} of unknown severity, and the mechanism and evidence of the pairs "
        page.text(f"{text}above, stand in the HTML and JSON reports.", colour="muted", size=8.5)
    if not report.interactions and report.interaction_counts:
        page.text(wording.NO_PAIR)
    page.text(report.interaction_note, colour="muted", size=8.5)


def _pair(page: Page, report: Report, pair: Interaction, holders: Sequence[str]) -> None:
    """A severe pair with its consequence; any with what to do and where that is from."""
    names = " + ".join(report.titles.get(code, code) for code in (pair.code_a, pair.code_b))
    page.needs(20)
    page.gap(1)
    page.severity(
        wording.SEVERITY_LABELS[pair.severity], pair.severity, names,
        f"{pair.code_a} · {pair.code_b}, in: {listing(holders).lower()}",
    )  # fmt: skip
    wanted = (
        ("What to do", "Consequence", "Source")
        if pair.severity in ("contraindicated", "major")
        else ("What to do",)
    )
    page.facts([fact for fact in pair_facts(pair) if fact[0] in wanted], size=8.5, label=24)
    page.rule("line", 0.15)


def _visit(page: Page, part: VisitPart) -> None:
    page.needs(20)
    page.gap(2)
    page.spans([(part.heading, "ink", 10.5, True), (f"   {part.detail}", "muted", 8.5, False)])
    _codes(page, "Diagnoses", part.diagnoses)
    _codes(page, "Procedures", part.procedures)
    _codes(page, "Prescribed", part.medications, part.new, "new", "good")
    stopped = frozenset(code or title for title, code in part.stopped)
    _codes(page, "Stopped since the visit before", part.stopped, stopped, "stopped", "major")


def _codes(
    page: Page,
    label: str,
    codes: Sequence[Coded],
    marked: Iterable[str] = (),
    mark: str = "",
    colour: str = "ink",
) -> None:
    if not codes:
        return
    page.needs(10)
    page.text(f"{label} ({len(codes)})", colour="muted", size=8.5, bold=True)
    for title, code in codes:
        told = f"  {mark}" if (code or title) in set(marked) else ""
        page.spans(
            [(title, "ink", 9, False), (f"  {code}", "muted", 8, False), (told, colour, 8, False)], indent=3
        )
