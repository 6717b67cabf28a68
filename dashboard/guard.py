"""Errors become sentences: what a person reads when something is missing or breaks, and what they can do next.

The log has the traceback; a page never does.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable

import streamlit as st
from streamlit.runtime.scriptrunner import RerunException, StopException

from dashboard import wording
from leader_core import LeaderError, NotFoundError

log = logging.getLogger("leader.dashboard")


def guarded(draw: Callable[[], None], *, home: Callable[[], None] | None = None) -> Callable[[], None]:
    """`draw` with every error turned into a sentence and a way on (`home` draws it)."""

    def page() -> None:
        try:
            draw()
        except (RerunException, StopException):
            raise
        except NotFoundError as error:
            st.warning(str(error), icon=":material/search_off:")
            if home is not None:
                home()
        except LeaderError as error:
            st.error(str(error), icon=":material/error:")
            if home is not None:
                home()
        except Exception:
            reference = uuid.uuid4().hex[:8]
            log.exception("page failed, reference %s", reference)
            st.error(wording.UNEXPECTED.format(reference=reference), icon=":material/error:")
            if home is not None:
                home()

    return page
