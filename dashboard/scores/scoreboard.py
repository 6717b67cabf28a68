"""The combined figures of a case: what both models suggest, what either does, and the viewer's own set beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dashboard.server.service import ModelName
from dashboard.shared import comparison, markup, theme, wording
from dashboard.shared.formatting import MISSING, escape, score, tag
from leader_core import PairReview

Standing = Callable[[Sequence[str]], Sequence[PairReview]]
"""The graded pairs of a set that the drugs ordered do not rule out, most severe first: as the list of pairs has them."""


@dataclass(frozen=True, slots=True)
class Line:
    """One set of classes with its name; `css` is "teacher", "student", "own" or nothing."""

    name: str
    codes: tuple[str, ...]
    css: str = ""


def lines(chosen: Mapping[ModelName, Sequence[str]], own: Sequence[str] | None) -> list[Line]:
    """The sets worth a line: the viewer's own beside each model's, then both models together.

    `own` is None where the viewer did not decide first; the models' own figures then stand under their cut-offs alone.
    """
    made: list[Line] = []
    if own is not None:
        made.append(Line("You", tuple(own), "own"))
        made += [Line(wording.MODEL_NAMES[name], tuple(codes), name) for name, codes in chosen.items()]
    if len(chosen) == 2:
        first, second = (tuple(codes) for codes in chosen.values())
        made.append(Line("Both models agree", tuple(c for c in first if c in set(second))))
        made.append(Line("Either model", tuple(dict.fromkeys((*first, *second)))))
    return made


def table(
    sets: Sequence[Line],
    prescribed: Sequence[str],
    standing: Standing,
    *,
    known: bool,
    unit: wording.Unit,
) -> str:
    """One row a set: how many classes, how many of them were given, Jaccard, F1, listed pairs and the worst."""
    headings = [
        "Set",
        unit.many.capitalize(),
        *(["Given", "Jaccard", "F1"] if known else []),
        "Listed pairs",
        "Worst",
    ]
    head = tag(
        "tr",
        *(
            tag("th", escape(text), css="num" if 0 < i < len(headings) - 1 else "", scope="col")
            for i, text in enumerate(headings)
        ),
    )
    body = "".join(_row(line, prescribed, standing, known) for line in sets)
    caption = tag("caption", f"Figures of each set of {unit.many}", css="ld-visually-hidden")
    inside = tag("table", caption, tag("thead", head), tag("tbody", body), css="ld-table ld-board")
    return tag("div", inside, css="ld-scroll", tabindex=0, role="region", aria_label="Figures together")


def _row(line: Line, prescribed: Sequence[str], standing: Standing, known: bool) -> str:
    found = comparison.agreement(line.codes, prescribed)
    pairs = standing(line.codes)
    icon = theme.MODEL_ICONS.get(line.css, "")
    name = (tag("span", icon, aria_hidden="true") + " " if icon else "") + escape(line.name)
    figures = [str(found.selected)]
    if known:
        figures += [str(found.hits), score(found.jaccard), score(found.f1)]
    figures.append(str(len(pairs)))
    worst = markup.severity(pairs[0].severity) if pairs else escape(MISSING)
    return tag(
        "tr",
        tag("th", name, scope="row", css=line.css),
        *(tag("td", escape(text), css="num") for text in figures),
        tag("td", worst),
    )
