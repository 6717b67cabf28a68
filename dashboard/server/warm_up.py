"""What is made ready before the first visitor: the modules that a page needs, the cohort, and in time the models.

It happens while the browser still loads Streamlit's own files. Refuses to know how a page is drawn.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any, Final

log = logging.getLogger("leader.dashboard")

_FIRST: Final = ("dashboard.shell.page", "dashboard.patients.page")
"""What the first page needs, in this order."""


@asynccontextmanager
async def lifespan(_: object) -> AsyncIterator[dict[str, Any]]:
    """Begin when the server does, in a thread of its own: nobody waits for it."""
    threading.Thread(target=make_ready, name="leader-ahead", daemon=True).start()
    yield {}


def make_ready() -> None:
    """Import what the first page needs, and open the cohort with its models."""
    from leader_core import LeaderError  # here, not above: the server begins to listen before it

    try:
        for name in _FIRST:
            import_module(name)
        from dashboard.server.service import shipped

        shipped()
    except LeaderError as error:
        log.warning("%s", error)  # the first page says it too
    except Exception:
        log.exception("nothing could be made ready ahead of the first page")
