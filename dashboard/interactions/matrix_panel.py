"""The whole vocabulary as a matrix: which family, which therapeutic areas, and the cell that was chosen."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

import streamlit as st

from dashboard.interactions import chart_keys
from dashboard.server.service import Service
from dashboard.shared import markup, url_state
from dashboard.shared.comparison import AREAS, area
from dashboard.shared.formatting import count, tag
from leader_core import Interaction
from leader_core.interactions import is_statistical

WHOLE: Final = "all"
_MOST: Final = 220
"""Classes that can be drawn at once; a vocabulary of single drugs is drawn area by area."""

BINDINGS: Final = {
    "family": url_state.Binding.choice("clinical", dict.fromkeys(("clinical", "statistical"))),
    "rows": url_state.Binding.choice(WHOLE, dict.fromkeys((WHOLE, *AREAS))),
    "columns": url_state.Binding.choice(WHOLE, dict.fromkeys((WHOLE, *AREAS))),
}


def show(
    service: Service, marked: Collection[str], chosen: tuple[str, str] | None, on_cell: Callable[[str], None]
) -> None:
    """Draw the controls and the matrix; `on_cell` is called with the key of the chart whose cell was chosen."""
    titles = _titles(id(service), service)
    letters = sorted({code[:1] for code in titles})
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="matrix_tools"):
        family = st.segmented_control(
            "Table",
            ["clinical", "statistical"],
            required=True,
            **url_state.mirror("family"),
            format_func={"clinical": "Clinical alerts", "statistical": "Statistical signal"}.__getitem__,
        )
        rows, columns = _areas(letters, len(titles))
    across = [code for code in titles if columns in (WHOLE, code[:1])]
    down = [code for code in titles if rows in (WHOLE, code[:1])]
    pairs = [p for p in _pairs(id(service), service) if is_statistical(p) == (family == "statistical")]
    st.html(chart_keys.severity_levels(("unknown",) if family == "statistical" else None))
    key = f"matrix-{family}-{rows}-{columns}"
    from dashboard.interactions.matrix_chart import figure

    drawn = figure(
        across,
        down,
        pairs,
        titles=titles,
        marked=marked,
        chosen=chosen,
        mode="dark" if st.context.theme.type == "dark" else "light",
    )
    with st.container(key="matrix_box"), st.container(width=int(drawn.layout.width)):
        # Something to stand on for the keyboard, so that arrow keys scroll the table sideways.
        st.html(tag("p", "The table scrolls sideways.", css="ld-note", tabindex=0))
        st.plotly_chart(
            drawn,
            key=key,
            width="content",
            theme=None,
            on_select=lambda: on_cell(key),
            selection_mode="points",
            config={"displayModeBar": False},
            alt=f"{count(len(pairs), 'pair')} of {len(down)} rows by {len(across)} columns",
        )
    bold = " Codes of the patient's set stand in bold." if marked else ""
    st.html(
        markup.note(
            "Hover a cell for its names, choose it for its card. An empty cell is a pair that this table does not "
            f"list, never proof of safety.{bold}"
        )
    )


def _areas(letters: list[str], size: int) -> tuple[str, str]:
    """Which areas stand in rows and columns; everything, where that can still be read."""
    options = [*([WHOLE] if size <= _MOST else []), *letters]
    chosen = []
    for key, label in (("rows", "Rows"), ("columns", "Columns")):
        if st.session_state.get(key) not in options:
            st.session_state[key] = options[0]
        picked = st.selectbox(
            label,
            options,
            **url_state.mirror(key),
            width=220,
            format_func=lambda letter: "All areas" if letter == WHOLE else f"{letter}  {area(letter)}",
        )
        chosen.append(str(picked))
    return chosen[0], chosen[1]


@st.cache_resource(max_entries=4, show_spinner=False)
def _titles(identity: int, _service: Service) -> dict[str, str]:
    return dict(sorted(_service.engine.cohort.titles("medication").items()))


@st.cache_resource(max_entries=4, show_spinner=False)
def _pairs(identity: int, _service: Service) -> tuple[Interaction, ...]:
    return tuple(_service.engine.cohort.interactions)
