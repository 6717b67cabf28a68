"""The guided tour as it is drawn: the offer on the worklist, and the card that speaks of one panel at a time."""

from __future__ import annotations

from dataclasses import asdict

import streamlit as st

from dashboard.shared import navigation, wording
from dashboard.shared.browser import component, nothing
from dashboard.tour import tour

_RUN = "_tour_run"


def offer() -> None:
    """Offer the tour; the browser shows it once and remembers."""
    with st.container(key="tour_offer"):
        result = component("tour/tour_offer")(
            key="offer",
            data={
                "label": "New here?",
                "words": wording.TOUR_OFFER,
                "start": "Take the tour",
                "later": "Not now",
            },
            on_tour_change=nothing,
        )
    if result.tour:
        navigation.go("case", tour.link())


def begin() -> None:
    """A new run of the tour: the browser forgets that an earlier one was left."""
    st.session_state[_RUN] = st.session_state.get(_RUN, 0) + 1


def show() -> None:
    """The card, at the step that the link names; going from step to step needs no round trip."""
    with st.container(key="tour_card"):
        component("tour/tour")(
            key="tour",
            data={"run": st.session_state.get(_RUN, 0), "stops": [asdict(stop) for stop in tour.STOPS]},
        )
