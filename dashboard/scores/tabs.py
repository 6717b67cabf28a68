"""What stands beside the scores, one thing at a time: the tabs, and which of them the link opens.

The server knows which is open, so that a page need not draw what nobody looks at. Refuses to know what the tabs hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.shared import url_state

Tab = Literal["pairs", "similar", "trust", "notes"]
LABELS: Final[Mapping[Tab, str]] = {
    "pairs": "Interactions",
    "similar": "Similar",
    "trust": "Trust",
    "notes": "Notes",
}
KEY: Final = "tab"
BINDINGS: Final = {KEY: url_state.Binding.choice("pairs", LABELS)}


def kept() -> dict[str, str]:
    """What a link that does not say leaves open: who goes from case to case looks at the same thing in each."""
    return {KEY: st.session_state[KEY]} if KEY in st.session_state else {}


def tabs(*names: Tab) -> tuple[Tab, dict[Tab, DeltaGenerator]]:
    """Draw the tabs of these names; gives the open one, and where the content of each goes."""
    labels = [LABELS[name] for name in names]
    wanted = st.session_state.get(KEY)
    opened = wanted if wanted in names else names[0]
    shown = f"{KEY}_shown_{'_'.join(names)}"
    st.session_state[shown] = LABELS[opened]

    def take_over() -> None:
        st.session_state[KEY] = next((n for n in names if LABELS[n] == st.session_state[shown]), names[0])

    places = st.tabs(labels, key=shown, on_change=take_over)
    return opened, dict(zip(names, places, strict=True))
