"""Looks again while a model is busy with something that the page shows, and draws the page anew when it has answered.

Draws nothing itself: looking costs a few milliseconds and moves nothing on the page. Refuses to know what is shown.
"""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard.server.service import AnswerKey, answered, awaited
from dashboard.shared.guard import fragment

EVERY: Final = 0.25
"""Seconds between two looks."""


def begin() -> None:
    """Call before a page is drawn: what an earlier one waited for does not matter any more."""
    awaited()


def watch() -> None:
    """Call when the page is drawn."""
    if wanted := awaited():
        fragment(_look, run_every=EVERY)(wanted)


def _look(wanted: frozenset[AnswerKey]) -> None:
    if answered(wanted):
        st.rerun()
