"""The guided tour as it is drawn: the offer on the worklist, and the card that speaks of one panel at a time."""

from __future__ import annotations

from dataclasses import asdict

import streamlit as st

from dashboard import navigation, tour, wording
from dashboard.components.browser import component, nothing


def offer() -> None:
    """Offer the tour; the browser shows it once and remembers."""
    with st.container(key="tour_offer"):
        result = component("tour_offer")(
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


def show(step: int) -> None:
    """The card, from this step on; going from step to step needs no round trip."""
    with st.container(key="tour_card"):
        component("tour")(key="tour", data={"step": step, "stops": [asdict(stop) for stop in tour.STOPS]})
