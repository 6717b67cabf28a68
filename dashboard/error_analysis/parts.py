"""Parts that the views of the error analysis share: tables whose cells open cases, the card of a chosen mark, CSV.

Everything given is escaped here or in `formatting`. Refuses to know which view asks.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import streamlit as st

from dashboard.server.analysis_cache import Desk, lookup
from dashboard.server.service import Service
from dashboard.shared import analysis_text, markup, navigation
from dashboard.shared.csv_table import Cell, write_csv
from dashboard.shared.formatting import count, escape, tag
from dashboard.shared.theme import Mode
from leader_core.error_analysis import Condition, Selection
from leader_core.error_analysis.frame import Bools

if TYPE_CHECKING:
    import plotly.graph_objects as go

CASES: Final = "cases"
"""The worklist's URL parameter that holds a selection."""
SCORED: Final = Condition("ge", ("visits",), 0)
"""A condition that every scored case fulfils."""


@dataclass(frozen=True)
class View:
    """What every view is drawn from: the desk, the cases meant, the two models, and how to name things."""

    service: Service
    desk: Desk
    selection: Selection
    within: Bools  # (N,) the cases of the selection
    model: str
    beside: str | None  # the model to compare with, where there is another
    metric: str
    named: Callable[[str, str], str]  # (kind, id) -> name of a class, saved list or tag

    @property
    def models(self) -> list[str]:
        """The model, and the one beside it, in the order that both have everywhere: the teacher first."""
        wanted = {self.model, self.beside}
        return [name for name in self.desk.analysis.models if name in wanted]

    @property
    def text(self) -> str:
        return self.selection.text

    @property
    def key(self) -> str:
        """Tells these cases from others: the text alone does not, where a list or a tag may have changed."""
        return f"{self.text}/{zlib.crc32(self.within.tobytes())}"

    def told(self, condition: Condition) -> str:
        """A condition in words."""
        return analysis_text.condition(condition, self.desk.analysis.frame, self.named)

    def link(self, *conditions: Condition) -> str:
        """Where the cases of this selection under further conditions stand in the worklist."""
        return f"./?{urlencode({CASES: linked(self.selection.but(*conditions))})}"

    def title(self, code: str) -> str:
        """A class in plain words."""
        return self.service.engine.cohort.title("medication", code) or code


@dataclass(frozen=True, slots=True)
class Opens:
    """A table's cell that opens cases: its text, and where they stand."""

    text: str
    href: str
    label: str  # what it opens, for whoever cannot see the table


TableCell = str | Opens


def linked(selection: Selection) -> str:
    """A selection's text for a link; every scored case, where it has no condition, which may not be every patient."""
    return selection.text or SCORED.text


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[TableCell]],
    *,
    numeric: frozenset[int] = frozenset(),
    faint: frozenset[int] = frozenset(),
    caption: str = "",
) -> str:
    """A table of text and links; rows in `faint` stand for few cases."""

    def cell(i: int, content: TableCell) -> str:
        if isinstance(content, Opens):
            inside = tag(
                "a", escape(content.text), href=content.href, target="_self", aria_label=content.label
            )
        else:
            inside = escape(content)
        return tag("td", inside, css="num" if i in numeric else "")

    head = tag(
        "tr",
        *(
            tag("th", escape(text), css="num" if i in numeric else "", scope="col")
            for i, text in enumerate(headings)
        ),
    )
    body = "".join(
        tag("tr", *(cell(i, content) for i, content in enumerate(row)), css="ld-few" if n in faint else "")
        for n, row in enumerate(rows)
    )
    inside = (tag("caption", escape(caption)) if caption else "") + tag("thead", head) + tag("tbody", body)
    return tag("div", tag("table", inside, css="ld-table ld-links"), css="ld-scroll", tabindex=0)


def opens(view: View, number: int, told: str, *conditions: Condition) -> TableCell:
    """A count that opens its cases; plain text where there are none."""
    if not number:
        return "0"
    return Opens(f"{number:,}", view.link(*conditions), f"Open {count(number, 'case')}: {told}")


def csv(name: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """A button that gives the table as a file."""
    st.download_button(
        "CSV",
        lambda: write_csv(headings, rows),
        file_name=f"leader-errors-{name}.csv",
        mime="text/csv",
        icon=":material/download:",
        type="tertiary",
        key=f"csv-{name}",
        on_click="ignore",
    )


def chart(
    view: View,
    drawn: go.Figure,
    key: str,
    alt: str,
    *,
    conditions: Callable[[Any], tuple[str, Sequence[Condition]] | None],
    wide: bool = False,
) -> None:
    """A figure whose marks can be chosen; the chosen one's card stands below and opens its cases.

    Args:
        view: what is looked at.
        drawn: the figure; each mark carries what `conditions` reads as customdata.
        key: of the chart.
        alt: what it shows, in words.
        conditions: from a mark's customdata to what it is called and the conditions that it adds; None for no mark.
        wide: whether it scrolls sideways in a narrow window.
    """
    width: Any = "content" if wide else "stretch"
    inner: Any = int(drawn.layout.width) if wide else "stretch"
    with st.container(key=f"{'wide' if wide else 'box'}-{key}"), st.container(width=inner):
        if wide:  # something to stand on for the keyboard, so that arrow keys scroll the figure sideways
            st.html(
                tag("p", "The figure scrolls sideways in a narrow window.", css="ld-note ld-wide", tabindex=0)
            )
        chosen: Any = st.plotly_chart(
            drawn,
            key=key,
            width=width,
            theme=None,
            on_select="rerun",
            selection_mode="points",
            config={"displayModeBar": False},
            alt=alt,
        )
    points = chosen.selection.points if chosen and chosen.selection else []
    found = conditions(_data(points[0])) if points else None
    if found is None:
        st.html(markup.note("Choose a mark for its cases."))
        return
    card(view, found[0], found[1])


def _data(point: Mapping[str, Any]) -> Any:
    data = point.get("customdata")
    return data[0] if isinstance(data, list) and len(data) == 1 else data


def card(view: View, told: str, conditions: Sequence[Condition]) -> None:
    """What a mark stands for, how many cases that is, and the way to them."""
    selection = view.selection.but(*conditions)
    number = int(view.desk.analysis.mask(selection, lookup(view.service)).sum())
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="mark_card"):
        st.html(
            tag("span", tag("strong", escape(told)) + " " + escape(f"· {count(number, 'case')}")),
            width="content",
        )
        if number:
            navigation.link(
                "patients", f"Open {count(number, 'case')} in the worklist", {CASES: linked(selection)}
            )


def mode() -> Mode:
    """Light or dark, as the page is."""
    return "dark" if st.context.theme.type == "dark" else "light"


def few_note(number: int) -> str:
    """Why some rows stand faint."""
    return f"Faint rows have fewer than {number} cases: their figures say little."
