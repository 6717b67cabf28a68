"""Scores of one model under two readings, as a table: what is suggested in one alone, and how far each class moved."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.scores.case_diff import Move
from dashboard.shared.formatting import escape, probability, tag


def table(
    moves: Sequence[Move],
    name: str,
    first: str,
    second: str,
    *,
    given: tuple[Sequence[str], Sequence[str]] | None = None,
    caption: str,
) -> str:
    """One row a class with a bar for each reading; `given` adds a mark where that side's visit prescribed it."""
    head = tag(
        "tr",
        *(
            tag("th", escape(text), scope="col", css=css)
            for text, css in (("Drug class", ""), (first, "ld-side"), (second, "ld-side"), ("Change", "num"))
        ),
    )
    rows = "".join(_row(move, given) for move in moves)
    inside = (
        tag("caption", escape(caption), css="ld-visually-hidden") + tag("thead", head) + tag("tbody", rows)
    )
    made = tag("table", inside, css=f"ld-table ld-moves {name}")
    return tag("div", made, css="ld-scroll", tabindex=0, role="region", aria_label=caption)


def _row(move: Move, given: tuple[Sequence[str], Sequence[str]] | None) -> str:
    title = f"{escape(move.title)} {tag('span', escape(move.code), css='ld-code')}"
    one, two = (None, None) if given is None else (move.code in given[0], move.code in given[1])
    return tag(
        "tr",
        tag("th", title, scope="row"),
        _side(move.first, move.first_selected, one),
        _side(move.second, move.second_selected, two),
        tag("td", escape(signed(move)), css="num"),
    )


def _side(value: float | None, selected: bool, given: bool | None) -> str:
    if value is None:
        return tag("td", tag("span", "not scored", css="ld-muted"))
    bar = tag("span", css="ld-bar" + (" on" if selected else ""), style=f"width:{value * 100:.1f}%")
    told = tag("span", "✓ suggested" if selected else "", css="ld-mark")
    marks = told + (tag("span", "given", css="ld-mark given") if given else "")
    return tag(
        "td",
        tag("span", bar, css="ld-track", aria_hidden="true"),
        tag("span", escape(probability(value)), css="ld-value"),
        tag("span", marks, css="ld-marks"),
    )


def signed(move: Move) -> str:
    """The change with its sign; a dash where one side has no score."""
    if move.first is None or move.second is None:
        return "–"
    if abs(move.change) < 0.005:
        return "0.00"
    return f"{'+' if move.change > 0 else '−'}{abs(move.change):.2f}"
