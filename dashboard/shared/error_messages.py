"""Errors become sentences: what a person reads when something is missing or breaks, and what they can do next.

The log has the places in the code; a page never does. What ends or repeats a run of Streamlit is no `Exception` and passes
through. Nothing in a notice is markup: it may quote a link, a file or what somebody typed.
"""

from __future__ import annotations

import functools
import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal, ParamSpec

import streamlit as st

from dashboard.server import access
from dashboard.shared import markup, wording
from dashboard.shared.formatting import plain
from leader_core import LeaderError, NotFoundError

log = logging.getLogger("leader.dashboard")

P = ParamSpec("P")
LONGEST: Final = 300
"""Characters of a notice."""


def notice(text: str, kind: Literal["error", "warning", "success"] = "error", icon: str = "error") -> None:
    """A message on the page, as text and never as markup, of at most `LONGEST` characters."""
    getattr(st, kind)(plain(text, LONGEST), icon=f":material/{icon}:")


def session_ended(what_to_do: str) -> None:
    """Say so."""
    notice(f"Your session has ended: {what_to_do}.", "warning", "lock")


@contextmanager
def message_of_errors(key: str) -> Iterator[None]:
    """What goes wrong inside becomes a sentence that `show_message` draws, once, where the page has a place for it."""
    try:
        yield
    except LeaderError as error:
        st.session_state[key] = str(error)


def show_message(key: str, kind: str = "warn") -> None:
    """The sentence that was left under this key since the last run."""
    if message := st.session_state.pop(key, ""):
        st.html(markup.callout(message, kind))


def guarded(draw: Callable[P, None], *, home: Callable[[], None] | None = None) -> Callable[P, None]:
    """`draw` with every error turned into a sentence and a link to go on (`home` draws it); of callbacks too."""

    @functools.wraps(draw)
    def page(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            draw(*args, **kwargs)
            return
        except NotFoundError as error:
            notice(str(error), "warning", "search_off")
        except LeaderError as error:
            notice(str(error))
        except Exception:
            reference = uuid.uuid4().hex[:8]
            log.exception("page failed, reference %s", reference)
            notice(wording.UNEXPECTED.format(reference=reference))
        if home is not None:
            home()

    return page


def fragment(draw: Callable[P, None]) -> Callable[P, None]:
    """A part of a page that reruns alone, guarded too, and only while its user may see it. A click in it does not
    interrupt a run: nothing slow goes in it.
    """

    @functools.wraps(draw)
    def allowed(*args: P.args, **kwargs: P.kwargs) -> None:
        if access.sign_in() and access.current_account() is None:
            session_ended("load this page again to sign in")
        else:
            draw(*args, **kwargs)

    return st.fragment(guarded(allowed))
