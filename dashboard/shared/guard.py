"""Errors become sentences: what a person reads when something is missing or breaks, and what they can do next.

The log has the traceback; a page never does. What ends or repeats a run of Streamlit is no `Exception` and passes through.
"""

from __future__ import annotations

import functools
import logging
import uuid
from collections.abc import Callable
from typing import ParamSpec

import streamlit as st

from dashboard.shared import wording
from leader_core import LeaderError, NotFoundError

log = logging.getLogger("leader.dashboard")

P = ParamSpec("P")


def guarded(draw: Callable[P, None], *, home: Callable[[], None] | None = None) -> Callable[P, None]:
    """`draw` with every error turned into a sentence and a link to go on (`home` draws it)."""

    @functools.wraps(draw)
    def page(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            draw(*args, **kwargs)
            return
        except NotFoundError as error:
            st.warning(str(error), icon=":material/search_off:")
        except LeaderError as error:
            st.error(str(error), icon=":material/error:")
        except Exception:
            reference = uuid.uuid4().hex[:8]
            log.exception("page failed, reference %s", reference)
            st.error(wording.UNEXPECTED.format(reference=reference), icon=":material/error:")
        if home is not None:
            home()

    return page


def fragment(draw: Callable[P, None]) -> Callable[P, None]:
    """A part of a page that reruns alone, guarded too. A click in it does not interrupt a run: nothing slow goes in it."""
    return st.fragment(guarded(draw))
