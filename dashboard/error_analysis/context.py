"""The chosen cases and models that every view of the error analysis draws, and charts whose points open their cases."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

import numpy as np
import streamlit as st
from markupsafe import Markup

from dashboard.error_analysis import cross_filter
from dashboard.error_analysis.tables import TableCell
from dashboard.server.analysis_cache import LIST, AnalysisCache, lookup, read_selection
from dashboard.server.service import Service
from dashboard.server.workspace import get_workspace
from dashboard.shared import charts, markup, navigation
from dashboard.shared.analysis import CASES, describe_condition, field_value, model_name, named
from dashboard.shared.formatting import count
from dashboard.shared.session import FOCUS, case_query
from dashboard.shared.view_switch import PARAMETER, RESEARCH, view_query
from leader_core.error_analysis import Analysis, Bools, Condition, Selection

if TYPE_CHECKING:
    import plotly.graph_objects as go

T = TypeVar("T")

SCORED: Final = Condition("ge", ("visits",), 0)
"""A condition that every scored case fulfils."""
_SCROLL_NOTE: Final = (
    '<p class="ld-note ld-wide" tabindex="0">The chart scrolls sideways in a narrow window.</p>'
)
"""What the keyboard can stand on, so that arrow keys scroll the chart."""
_CHOSEN: Final = Markup("<span><strong>{}</strong> · {}</span>")


@dataclass(frozen=True)
class AnalysisContext:
    """The chosen cases, the models that are compared, and the metric."""

    service: Service
    cache: AnalysisCache
    selection: Selection
    within: Bools  # (N,) the cases of the selection
    model: str
    other: str | None  # the model to compare with, where there is another
    metric: str
    chosen: Selection = Selection()  # what was chosen in this very view, which draws all cases still

    @property
    def analysis(self) -> Analysis:
        return self.cache.analysis

    @property
    def models(self) -> list[str]:
        """The one or two models in the order that they have everywhere: the teacher first."""
        return [name for name in self.analysis.models if name in (self.model, self.other)]

    @property
    def key(self) -> str:
        """Of these cases: the selection's text alone does not show that a list or tag has changed."""
        return f"{self.selection.text}/{zlib.crc32(self.within.tobytes())}"

    def cached(self, key: Hashable, compute: Callable[[Analysis], T]) -> T:
        """A result over these cases, computed once."""
        return self.cache.cached((key, self.key), lambda: compute(self.analysis))

    def with_progress(self, key: Hashable, text: str, compute: Callable[[Callable[[float], object]], T]) -> T:
        """The same with a progress bar while it is computed."""

        def shown() -> T:
            bar = st.progress(0.0, text)
            try:
                return compute(lambda share: bar.progress(share))
            finally:
                bar.empty()

        return self.cached(key, lambda _: shown())

    def named(self, kind: str, name: str) -> str:
        """The name of a class, saved list or tag."""
        return named(self.service, kind, name)

    def describe(self, condition: Condition) -> str:
        """A condition in words."""
        return describe_condition(condition, self.analysis.frame, self.named)

    def title(self, code: str) -> str:
        """A class in plain words."""
        return self.service.engine.cohort.title("medication", code) or code

    def titled(self, code: str) -> str:
        """A class in plain words with its code."""
        title = self.title(code)
        return f"{title} ({code})" if title != code else code

    def case_link(self, visit_id: int, code: str = "") -> str:
        """The address of a scored case, with the row of a class in focus; empty where the case is not scored."""
        rows = self.analysis.frame.rows(np.array([visit_id]))
        if not len(rows):
            return ""
        row = int(rows[0])
        visit_no = int(self.analysis.frame.numbers["visits"][row])
        query = case_query(int(self.analysis.frame.patient_ids[row]), visit_no)
        return f"case?{urlencode({**query, **({FOCUS: code} if code else {}), PARAMETER: RESEARCH})}"

    def opens(self, number: int, text: str, *conditions: Condition) -> TableCell:
        """A count that opens its cases in the worklist; plain text where there are none."""
        if not number:
            return TableCell(0, "0")
        href = f"./?{urlencode({CASES: link_text(self.selection.but(*conditions)), **view_query()})}"
        return TableCell(number, f"{number:,}", href, f"Open {count(number, 'case')}: {text}")


def model_cell(name: str) -> TableCell:
    """A model by its name as stored in the CSV, and as people read it elsewhere."""
    return TableCell(name, model_name(name))


def link_text(selection: Selection) -> str:
    """A selection for a link; every scored case, where it has no condition, which may not be every patient."""
    return selection.text or SCORED.text


def case_sets(service: Service, analysis: Analysis) -> dict[str, str]:
    """The splits and saved lists by the key that `analysis_cache.base` reads, each with its name."""
    splits = analysis.frame.columns["split"].values
    lists = {f"{LIST}{c.cohort_id}": f"List: {c.name}" for c in get_workspace(service).cohorts()}
    return {**{split: f"{field_value('split', split)} split" for split in splits}, **lists}


def chart(context: AnalysisContext, figure: go.Figure, key: str, alt: str, *, wide: bool = False) -> None:
    """A chart whose points can be chosen: what is chosen becomes the selection that every other view shows.

    Args:
        context: the chosen cases.
        figure: each point carries the text of the conditions that it adds as customdata.
        key: of the chart.
        alt: what it shows, in words.
        wide: whether it scrolls sideways in a narrow window.
    """
    width: Any = "content" if wide else "stretch"
    inner: Any = int(figure.layout.width) if wide else "stretch"
    key = cross_filter.chart_key(key)

    def take() -> None:
        points = st.session_state[key].selection.points
        text = points[0].get("customdata") if points else ""
        text = text[0] if isinstance(text, list) else text
        cross_filter.choose(Selection.of(read_selection(str(text or "")) or "").conditions)

    with st.container(key=f"{'wide' if wide else 'box'}-{key}"), st.container(width=inner):
        if wide:
            st.html(_SCROLL_NOTE)
        charts.draw(figure, key, alt, width=width, on_select=take, selection_mode="points")
    show_chosen(context, "Choose a point: every other view then shows its cases alone.")


def show_chosen(context: AnalysisContext, hint: str) -> None:
    """Below a chart: what was chosen in it, and the way to its cases; `hint` where nothing is."""
    if not context.chosen.conditions:
        st.html(markup.note(hint))
        return
    selection = context.selection.but(*context.chosen.conditions)
    number = int(context.analysis.mask(selection, lookup(context.service)).sum())
    cases = count(number, "case")
    text = ", ".join(map(context.describe, context.chosen.conditions))
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="mark_card"):
        st.html(_CHOSEN.format(text, cases), width="content")
        if number:
            navigation.link("patients", f"Open {cases} in the worklist", {CASES: link_text(selection)})


def few_note(number: int, rows: str = "Faint rows") -> str:
    """Why some rows stand faint."""
    return f"{rows} have fewer than {number} cases: their metrics say little."
