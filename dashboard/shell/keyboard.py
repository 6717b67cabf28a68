"""The help button in the head of every page, with the shortcuts that its script listens for."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

from dashboard.shared import navigation, wording
from dashboard.shared.browser import component, nothing
from dashboard.tour import tour

SHORTCUTS: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (("/",), "Search: patients, the classes of a case, or codes"),
    (("j",), "Next case; in the worklist, next row"),
    (("k",), "Previous case; in the worklist, the row before"),
    (("Enter",), "Open the row in focus"),
    (("?",), "This help"),
    (("Esc",), "Close this help, or leave the tour"),
)
"""What each key does, in the words of the help."""


def show() -> None:
    """Mount the script; the tour begins from here wherever it is asked for."""
    with st.container(key="keyboard"):
        result = component("shell/keyboard")(
            key="keys", data=help_text(), on_tour_change=nothing, on_scheme_change=nothing
        )
    if result.tour:
        navigation.go("case", tour.link(int(result.tour)))


def help_text() -> dict[str, Any]:
    """What the help says, as plain JSON values."""
    return {
        "title": "Help",
        "shortcuts": [[list(keys), words] for keys, words in SHORTCUTS],
        "tour": {
            "title": "Guided tour",
            "words": wording.TOUR_OFFER,
            "start": "Start the tour",
            "resume": f"Resume at step {{step}} of {tour.STEPS}",
            "steps": tour.STEPS,
        },
        "about": [f"{wording.NOT_A_DEVICE} {wording.INTENDED_USE}", *wording.LIMITS[:2]],
    }
