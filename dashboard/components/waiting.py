"""Looks again while models are busy with a case, and draws the page anew as soon as one of them has answered.

Draws nothing itself: looking costs a few milliseconds and moves nothing on the page. Refuses to know what is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from dashboard.guard import fragment
from dashboard.service import Service, busy
from leader_core import Case

EVERY: Final = 0.25
"""Seconds between two looks."""


def watch(service: Service, cases: Sequence[Case]) -> None:
    """Call once on a page, with every case that it shows scores of."""
    waited_for = busy(service, cases)
    if waited_for:
        fragment(_look, run_every=EVERY)(service, tuple(cases), waited_for)


def _look(service: Service, cases: tuple[Case, ...], waited_for: frozenset[tuple[int, str]]) -> None:
    if busy(service, cases) != waited_for:
        st.rerun()
