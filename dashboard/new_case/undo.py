"""Changes of the session's draft, each of which can be undone. Refuses to know what a change is."""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard.shared import session
from dashboard.shared.draft import Draft

_PAST: Final = "_draft_past"
MOST: Final = 30


def change(new: Draft) -> None:
    """Make `new` the draft and remember the one before; no change is no step."""
    remember()
    session.set_draft(new)
    if (past := _past()) and past[-1] == new:
        past.pop()


def remember() -> None:
    """Remember the draft as it is, before somebody else changes it."""
    past = _past()
    past.append(session.draft())
    del past[:-MOST]


def undo() -> None:
    """Back to the draft before the last change."""
    if past := _past():
        session.set_draft(past.pop())


def undoable() -> int:
    """How many steps can be undone."""
    return len(_past())


def _past() -> list[Draft]:
    found: list[Draft] = st.session_state.setdefault(_PAST, [])
    return found
