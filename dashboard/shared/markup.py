"""Panels as HTML text: profile, timeline, interactions, tables, notices. Everything given is escaped here.

Plain functions from values to markup; refuses to know about Streamlit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from dashboard.shared import comparison, theme, wording
from dashboard.shared.formatting import count, day, escape, gap, listing, probability, score, stay, tag, words
from leader_core import SEVERITIES, Case, PairReview, ScoredMedication, UnseenCode, Visit
from leader_core.cohort import Spread

Titles = Callable[[str, str], str]
_SHORT = 6


def title(text: str, detail: str = "") -> str:
    """A page's heading with one line beside it."""
    return tag("div", tag("h1", escape(text)), tag("p", escape(detail)) if detail else "", css="ld-title")


def panel_title(text: str, detail: str = "") -> str:
    return tag(
        "div", tag("h2", escape(text)), tag("span", escape(detail)) if detail else "", css="ld-panel-title"
    )


def note(text: str) -> str:
    return tag("p", _worded(text), css="ld-note")


def _worded(text: str) -> str:
    """Text with its `commands` set as such."""
    return re.sub(r"`([^`]+)`", r'<code class="ld-command">\1</code>', escape(text))


def callout(text: str, kind: str = "") -> str:
    """A sentence that must be seen; `kind` is a model's name, "warn" or nothing."""
    return tag("div", _worded(text), css=f"ld-callout {kind}".strip(), role="note")


def plain_list(items: Iterable[str]) -> str:
    """A short list of sentences."""
    return tag("ul", *(tag("li", escape(item)) for item in items), css="ld-plain")


def empty(heading: str, text: str) -> str:
    return tag("div", tag("strong", escape(heading)), escape(text), css="ld-empty")


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    return tag("dl", *(tag("dt", escape(k)) + tag("dd", escape(v)) for k, v in pairs), css="ld-facts")


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numeric: frozenset[int] = frozenset(),
    caption: str = "",
) -> str:
    """A plain table of text; columns in `numeric` stand to the right."""

    def cell(name: str, i: int, text: str) -> str:
        return tag(name, escape(text), css="num" if i in numeric else "")

    head = tag("tr", *(cell("th", i, text) for i, text in enumerate(headings)))
    body = "".join(tag("tr", *(cell("td", i, text) for i, text in enumerate(row))) for row in rows)
    inside = (tag("caption", escape(caption)) if caption else "") + tag("thead", head) + tag("tbody", body)
    return tag("div", tag("table", inside, css="ld-table"), css="ld-scroll", tabindex=0)


def severity(level: str) -> str:
    """A severity as icon, word and colour."""
    icon = tag("span", theme.SEVERITY_ICONS[level], aria_hidden="true")
    return tag("span", icon, escape(wording.SEVERITY_LABELS[level]), css=f"ld-severity {level}")


def profile_facts(case: Case, fields: Sequence[str]) -> list[tuple[str, str]]:
    """The profile's fields in words; a field that was not recorded says so."""
    shown = [name for name in fields if name in wording.FIELD_LABELS]
    values = {name: case.profile[name] for name in shown}
    if "gender" in values:
        values["gender"] = wording.GENDER_LABELS.get(values["gender"], values["gender"])
    return [(wording.FIELD_LABELS[name], words(value)) for name, value in values.items()]


def profile(case: Case, fields: Sequence[str], read: Sequence[str]) -> str:
    """The demographic profile; which of it the student reads stands below, in words."""
    if read:
        text = wording.STUDENT_PROFILE.format(fields=listing(wording.FIELD_LABELS[f].lower() for f in read))
    else:
        text = wording.STUDENT_PROFILE_NONE
    return facts(profile_facts(case, fields)) + callout(text, "student")


def unseen_sentence(name: str, unseen: Sequence[UnseenCode]) -> str:
    """Which codes a model does not know, and whether it read their titles instead."""
    return " ".join(f"{told}: {listed}." for told, listed in _unseen(name, unseen))


def unseen_callout(name: str, unseen: Sequence[UnseenCode]) -> str:
    """The same as a callout that stays short: the codes themselves open on demand."""
    told = "".join(
        tag("details", tag("summary", escape(f"{claim}.")), tag("p", escape(f"{listed}.")))
        for claim, listed in _unseen(name, unseen)
    )
    return tag("div", told, css=f"ld-callout {name}", role="note")


def _unseen(name: str, unseen: Sequence[UnseenCode]) -> list[tuple[str, str]]:
    """What is said of the codes that were not read, and of those read by title: the claim, and the codes."""
    said: list[tuple[str, str]] = []
    for by_title, told in (
        (False, "The {name} does not know {codes} of this case and did not read {them}"),
        (True, "The {name} never met {codes} of this case in training and read only the {titles}"),
    ):
        if not (found := [each for each in unseen if each.by_title is by_title]):
            continue
        listed = listing(f"{u.title} ({u.code})" if u.title != u.code else u.code for u in found[:5])
        one = len(found) == 1
        claim = told.format(
            name=name,
            codes=count(len(found), "code"),
            them="it" if one else "them",
            titles="title" if one else "titles",
        )
        said.append((claim, listed + (f" and {len(found) - 5} more" if len(found) > 5 else "")))
    return said


def table_covers(interactions: object) -> str:
    """What the interaction table covers, where it can say so."""
    try:
        pairs = f"{len(interactions):,}"  # type: ignore[arg-type]
    except TypeError:
        return wording.LIST_COVERS_UNCOUNTED
    return wording.LIST_COVERS.format(pairs=pairs)


def timeline(case: Case, titles: Titles, *, hide: bool = False) -> str:
    """Visits, newest first: what was diagnosed and done, what was given, what is new and what stopped.

    With `hide`, what the current visit was given stays out.
    """
    visits = [*case.history, (case.observed() if hide else case).current]
    items = []
    for index in range(len(visits) - 1, -1, -1):
        visit = visits[index]
        before = visits[index - 1] if index else None
        current = index == len(visits) - 1
        body = _visit(visit, before, titles, index + 1, current)
        if before is not None and (
            between := gap(before.discharged_at or before.admitted_at, visit.admitted_at)
        ):
            body += tag("div", escape(f"{between} after the visit before"), css="ld-gap")
        items.append(tag("li", body, css="current" if current else ""))
    return tag("ol", *items, css="ld-visits", reversed="")


def _visit(visit: Visit, before: Visit | None, titles: Titles, number: int, current: bool) -> str:
    length = stay(visit.admitted_at, visit.discharged_at)
    when = day(visit.admitted_at) if visit.admitted_at else f"Visit {number}"
    head = tag("span", escape(when), css="ld-when")
    told = [
        f"visit {visit.visit_no or number}",
        *([length] if length else []),
        *(["this case"] if current else []),
    ]
    head += " " + tag("span", escape(" · ".join(told)), css="ld-muted")
    compared = before is not None and bool(visit.medications)
    new_codes, stopped = (
        comparison.changes(before.medications if before else (), visit.medications) if compared else ((), ())
    )
    body = head
    for kind, codes in (
        ("diagnosis", visit.diagnoses),
        ("procedure", visit.procedures),
        ("medication", visit.medications),
    ):
        if not codes:
            continue
        label = wording.KIND_LABELS[kind] if kind != "medication" else "Prescribed"
        marked = set(new_codes) if kind == "medication" else set()
        lines = [_coded(kind, code, titles, "new" if code in marked else "") for code in codes]
        fold = kind == "medication" or not current
        body += _listed(f"{label} ({len(codes)})", lines, shown=0 if fold else _SHORT)
    if stopped:
        lines = [_coded("medication", code, titles, "stopped") for code in stopped]
        body += _listed(f"Stopped since the visit before ({len(stopped)})", lines, shown=0)
    return body


def _coded(kind: str, code: str, titles: Titles, change: str = "") -> str:
    """A title with its code behind it: plain words before codes."""
    text = titles(kind, code)
    shown = escape(text) + (" " + tag("span", escape(code), css="ld-code") if text != code else "")
    if change:
        sign = tag("span", "+" if change == "new" else "−", css="ld-sign", aria_hidden="true")
        shown += tag("span", f"{sign} {escape(change)}", css=f"ld-change {change}")
    return shown


def _listed(label: str, lines: Sequence[str], shown: int) -> str:
    """A list that folds what is beyond `shown` lines."""
    visible, folded = lines[:shown], lines[shown:]
    body = tag("h3", escape(label)) if shown else ""
    if visible:
        body += tag("ul", *(tag("li", line) for line in visible))
    if folded:
        summary = f"{len(folded)} more" if shown else label
        body += tag(
            "details", tag("summary", escape(summary)), tag("ul", *(tag("li", line) for line in folded))
        )
    return body


def figures(pairs: Iterable[tuple[str, str, str]]) -> str:
    """Four or so figures in a row: (label, value, what it is out of)."""
    return tag(
        "dl",
        *(
            tag("div", tag("dt", escape(k)), tag("dd", escape(v), f"<small>{escape(of)}</small>"))
            for k, v, of in pairs
        ),
        css="ld-figures",
    )


def model_head(name: str, sub: str) -> str:
    """The teacher's or the student's name, in its colour, with its shape."""
    icon = tag("span", theme.MODEL_ICONS[name], aria_hidden="true")
    return tag(
        "div",
        tag("span", f"{icon} {escape(wording.MODEL_NAMES[name])}", css="ld-name"),
        " ",
        tag("span", escape(sub), css="ld-sub", title=sub),
        css=f"ld-head {name}",
    )


def agreement_figures(
    found: comparison.Agreement, pairs: Sequence[PairReview], *, known: bool, unit: wording.Unit
) -> str:
    """The figures under a cut-off; without known prescriptions only the counts. `pairs`: most severe first."""
    worst = wording.SEVERITY_LABELS[pairs[0].severity].lower() if pairs else ""
    rows = [
        (unit.many.capitalize(), f"{found.selected}", f"{found.hits} given" if known else ""),
        ("Listed pairs", f"{len(pairs)}", worst),
    ]
    if known:
        rows = [("Jaccard", score(found.jaccard), ""), ("F1", score(found.f1), ""), *rows]
    return figures(rows)


def ranked(name: str, medications: Sequence[ScoredMedication]) -> str:
    """Classes best first with a bar each, in the model's colour."""

    def line(m: ScoredMedication) -> str:
        bar = tag("span", css="ld-bar", style=f"width:{m.probability * 100:.1f}%")
        return tag(
            "li",
            tag("span", f"{escape(m.title)} {tag('span', escape(m.code), css='ld-code')}"),
            tag("span", bar, css="ld-track", aria_hidden="true"),
            tag("span", escape(probability(m.probability)), css="ld-value"),
        )

    return tag("ol", *(line(m) for m in medications), css=f"ld-ranked {name}")


def axis(moments: Sequence[datetime | None], current: int) -> str:
    """Visits as marks on one time axis, to scale; empty where there are no dates or only one visit."""
    known = [(i, m) for i, m in enumerate(moments) if m is not None]
    if len(known) < 2:
        return ""
    first, last = known[0][1], known[-1][1]
    span = max((last - first).total_seconds(), 1.0)
    marks = "".join(
        tag(
            "i",
            css="current" if i == current else "",
            style=f"left:{100 * (m - first).total_seconds() / span:.2f}%",
            title=day(m),
        )
        for i, m in known
    )
    told = f"{count(len(known), 'visit')} from {day(first)} to {day(last)}"
    return tag(
        "div",
        tag("div", marks, css="ld-axis-line"),
        tag("span", escape(day(first))),
        tag("span", escape(day(last))),
        css="ld-axis",
        role="img",
        aria_label=told,
    )


def spread(found: Spread, label: str) -> str:
    """A small distribution as bars, with its ends named; every bar says its range and count."""
    if not found.counts:
        return note(f"{label}: nothing to show for these patients.")
    highest = max(found.counts) or 1
    whole = all(edge == int(edge) for edge in found.edges)

    def at(edge: float) -> str:
        return f"{edge:.0f}" if whole else f"{edge:.2f}"

    def told(i: int) -> str:
        low, high = found.edges[i], found.edges[i + 1]
        if whole:
            return at(low) if high - low == 1 else f"{at(low)} to {at(high - 1)}"
        return f"{at(low)} to {at(high)}"

    bars = "".join(
        tag(
            "i",
            style=f"height:{max(3, 100 * number / highest) if number else 0:.0f}%",
            title=f"{told(i)}: {count(number, 'patient')}",
        )
        for i, number in enumerate(found.counts)
    )
    fullest = max(range(len(found.counts)), key=found.counts.__getitem__)
    summary = f"{label} of {count(sum(found.counts), 'patient')}; most often {told(fullest)}"
    missing = f" · {count(found.missing, 'patient')} without" if found.missing else ""
    last = at(found.edges[-1] - 1) if whole else at(found.edges[-1])
    ends = tag("span", at(found.edges[0])) + tag("span", escape(f"{summary}{missing}")) + tag("span", last)
    return tag(
        "div",
        tag("div", bars, css="ld-spread-bars", aria_hidden="true"),
        tag("div", ends, css="ld-spread-ends"),
        css="ld-spread",
        role="img",
        aria_label=summary + missing,
    )


def named(titles: Mapping[str, str]) -> Titles:
    """A title function over a plain mapping, falling back to the code."""
    return lambda kind, code: titles.get(code, code)


def severity_key() -> str:
    """What the lines of the graph mean: style and mark say what colour says."""
    line = {"solid": "solid", "dash": "dashed", "dashdot": "dashed", "dot": "dotted"}

    def sample(level: str) -> str:
        dash, width = theme.EDGE_STYLES[level]
        style = f"border-top:{max(1, round(width * 0.75))}px {line[dash]} var(--{level})"
        return tag(
            "span",
            tag("i", style=style, css="ld-line-sample", aria_hidden="true"),
            escape(wording.SEVERITY_LABELS[level]),
            css="ld-area",
        )

    return tag("p", *(sample(level) for level in SEVERITIES[:-1]), css="ld-note")


def severity_levels(levels: Sequence[str] | None = None) -> str:
    """What the cells of the matrix mean: the more severe, the fuller the cell."""

    def sample(level: str) -> str:
        size = f"{round(12 * theme.CELL_SIZES[level])}px"
        style = f"background:{theme.CELL_COLOURS[level].css};width:{size};height:{size};border-radius:0"
        label = escape(wording.SEVERITY_LABELS[level])
        return tag("span", tag("i", style=style, aria_hidden="true"), label, css="ld-area")

    return tag("p", *(sample(level) for level in levels or SEVERITIES[:-1]), css="ld-note")


def area_key(codes: Iterable[str]) -> str:
    """The therapeutic areas of these classes, each with its colour in the graph."""
    letters = sorted({code[:1] for code in codes})
    return tag(
        "p",
        *(
            tag(
                "span",
                tag(
                    "i",
                    style=f"background:{theme.AREA_COLOURS.get(letter, theme.AREA_COLOURS['V']).css}",
                    aria_hidden="true",
                ),
                escape(comparison.area(letter)),
                css="ld-area",
            )
            for letter in letters
        ),
        css="ld-note",
    )
