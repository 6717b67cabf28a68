"""Deciding first: the classes that a viewer ticked for a case before seeing what the models and the record say.

They are held in the viewer's session alone, one set a case.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import streamlit as st

_CHOSEN: Final = "_decided"
_REVEALED: Final = "_revealed"


def chosen(case: str) -> tuple[str, ...]:
    """The viewer's own classes for a case, in the order of the list; `case` is the case's key in the session."""
    return tuple(st.session_state.get(_CHOSEN, {}).get(case, ()))


def choose(case: str, codes: Iterable[str]) -> None:
    """Set the viewer's classes; once revealed, the set stays as it was decided."""
    if not revealed(case):
        st.session_state[_CHOSEN] = {**st.session_state.get(_CHOSEN, {}), case: tuple(codes)}


def revealed(case: str) -> bool:
    """Whether the viewer has asked to see the models and the record."""
    return case in st.session_state.get(_REVEALED, frozenset())


def reveal(case: str) -> None:
    st.session_state[_REVEALED] = frozenset((*st.session_state.get(_REVEALED, ()), case))


def start_again(case: str) -> None:
    """Hide everything again and begin with an empty set."""
    st.session_state[_REVEALED] = frozenset(st.session_state.get(_REVEALED, ())) - {case}
    choose(case, ())
