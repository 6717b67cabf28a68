"""What moved a score, as rows that both models share: plain values for the bars, and their HTML.

Refuses to know where the values come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dashboard.shared import wording
from dashboard.shared.formatting import escape, tag, words
from dashboard.shared.markup import Titles
from leader_core import Case
from leader_core.explain import Item

Values = Mapping[Item, float]

_KIND_ORDER: Final = {"diagnosis": 0, "procedure": 1, "medication": 2}
_SECTIONS: Final = {
    "instruction": "The prompt's instruction",
    "history": "Words around the lists",
    "current": "Words around the lists",
    "question": "The prompt's question",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One item with what it adds in each model; None: that model does not read it, or was not asked."""

    item: Item
    label: str
    detail: str
    values: tuple[float | None, float | None]  # teacher, student

    @property
    def size(self) -> float:
        return max(abs(value or 0.0) for value in self.values)


@dataclass(frozen=True, slots=True)
class Group:
    """A visit, the profile, or the prompt's own words, with the whole of each model."""

    label: str
    values: tuple[float | None, float | None]
    rows: tuple[Row, ...]


def groups(case: Case, found: tuple[Values | None, Values | None], titles: Titles) -> list[Group]:
    """The items by visit, newest first, then the profile and the prompt's words; in each, the largest first."""
    members: dict[tuple[int, int], list[Row]] = {}
    wholes: dict[int, list[float | None]] = {}
    for item in dict.fromkeys(item for values in found if values for item in values):
        given = tuple(None if values is None else values.get(item) for values in found)
        if item.part == "visit":
            wholes[item.visit or 0] = list(given)
            continue
        members.setdefault(_place(item, case), []).append(Row(item, *_named(item, case, titles), given))  # type: ignore[arg-type]
    made = []
    for place in sorted(members):
        rows = sorted(members[place], key=lambda row: (-row.size, row.label))
        visit = rows[0].item.visit
        whole = wholes.get(visit) if visit is not None else None
        made.append(Group(_heading(rows[0].item, case), _whole(rows, whole), tuple(rows)))
    return made


def _place(item: Item, case: Case) -> tuple[int, int]:
    if item.visit is not None:
        return (0, -item.visit)
    return (1, 0) if item.part == "profile" else (2, 0)


def _heading(item: Item, case: Case) -> str:
    if item.part == "profile":
        return "Profile"
    if item.visit is None:
        return "The prompt's own words"
    if item.visit == len(case.history):
        return "This visit"
    visit = case.history[item.visit]
    return f"Visit {visit.visit_no or item.visit + 1}"


def _named(item: Item, case: Case, titles: Titles) -> tuple[str, str]:
    if item.part == "profile":
        return wording.FIELD_LABELS.get(item.name, item.name), words(case.profile[item.name])
    if item.part == "wording":
        return _SECTIONS.get(item.name, item.name), "wording"
    return titles(item.kind or "", item.name), item.name


def _whole(rows: Sequence[Row], given: Sequence[float | None] | None) -> tuple[float | None, float | None]:
    """A group's own value where it was measured, else the sum of its rows."""
    made: list[float | None] = []
    for side in (0, 1):
        if given is not None:
            made.append(given[side])
            continue
        values = [row.values[side] for row in rows if row.values[side] is not None]
        made.append(sum(v for v in values if v is not None) if values else None)
    return made[0], made[1]


def table(
    found: Sequence[Group],
    *,
    caption: str,
    most: int,
    digits: int = 2,
    summed: bool = True,
    missing: tuple[str, str] = ("not read", "not read"),
) -> str:
    """Both models' bars on one scale, left of the middle what lowers the score and right of it what raises it.

    Args:
        most: rows shown in all; a group says how many more it has.
        summed: whether a group's figure is the sum of its rows; else it was measured by itself.
        missing: what stands in the place of a value that is not there, for teacher and student.
    """
    scale = max((row.size for group in found for row in group.rows), default=0.0)
    scale = max(scale, *(abs(v or 0.0) for group in found for v in group.values), 1e-9) if found else 1.0
    kept = {id(row) for row in sorted((r for g in found for r in g.rows), key=lambda r: -r.size)[:most]}
    head = tag(
        "tr",
        tag("th", "What was read", scope="col"),
        tag("th", escape(wording.MODEL_NAMES["teacher"]), scope="col", css="ld-side teacher"),
        tag("th", escape(wording.MODEL_NAMES["student"]), scope="col", css="ld-side student"),
    )
    bodies = []
    for group in found:
        rows = [row for row in group.rows if id(row) in kept]
        left = len(group.rows) - len(rows)
        label = tag("strong", escape(group.label)) + (tag("small", " together") if summed else "")
        body = _line(label, group.values, scale, digits, missing, css="ld-group")
        for row in rows:
            text = f"{escape(row.label)} {tag('span', escape(row.detail), css='ld-code')}"
            body += _line(text, row.values, scale, digits, missing)
        if left:
            body += tag("tr", tag("td", escape(f"{left} more, each smaller"), colspan=3, css="ld-muted"))
        bodies.append(tag("tbody", body))
    inside = tag("caption", escape(caption), css="ld-visually-hidden") + tag("thead", head) + "".join(bodies)
    made = tag("table", inside, css="ld-table ld-why")
    return tag("div", made, css="ld-scroll", tabindex=0, role="region", aria_label=caption)


def _line(
    label: str,
    values: Sequence[float | None],
    scale: float,
    digits: int,
    missing: tuple[str, str],
    css: str = "",
) -> str:
    sides = zip(values, ("teacher", "student"), missing, strict=True)
    cells = "".join(_bar(value, scale, digits, name, instead) for value, name, instead in sides)
    return tag("tr", tag("th", label, scope="row") + cells, css=css)


def _bar(value: float | None, scale: float, digits: int, name: str, missing: str) -> str:
    if value is None:
        return tag("td", tag("span", escape(missing), css="ld-muted"), css="ld-side")
    width = 50 * min(1.0, abs(value) / scale)
    side = "left:50%" if value >= 0 else f"left:{50 - width:.1f}%"
    bar = tag(
        "span", css=f"ld-bar {name}" + (" down" if value < 0 else ""), style=f"{side};width:{width:.1f}%"
    )
    track = tag("span", bar, css="ld-track", aria_hidden="true")
    return tag("td", track + tag("span", escape(signed(value, digits)), css="ld-value"), css="ld-side")


def signed(value: float, digits: int = 2) -> str:
    """
    >>> signed(0.123), signed(-2.0), signed(0.001)
    ('+0.12', '−2.00', '0.00')
    """
    if abs(value) < 0.5 * 10**-digits:
        return f"{0:.{digits}f}"
    return f"{'+' if value > 0 else '−'}{abs(value):.{digits}f}"
