"""The server's entry: imported once to serve, and run by Streamlit for every page.

Run with `make run`, or `streamlit run dashboard/app.py` from the project's root.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

if (
    str(Path(__file__).resolve().parent.parent) not in sys.path
):  # streamlit puts this file's own folder there instead
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


@asynccontextmanager
async def lifespan(_: object) -> AsyncIterator[dict[str, Any]]:
    """Warm up when the server starts, in a thread of its own: it listens meanwhile."""
    threading.Thread(target=warm_up, name="leader-warm-up", daemon=True).start()
    yield {}


def warm_up() -> None:
    """Import the pages, open the cohort and load the models, while the browser still loads Streamlit's own files."""
    log = logging.getLogger("leader.dashboard")
    from leader_core import LeaderError  # here, not above: the server begins to listen before it

    try:
        from dashboard.server.service import default_service
        from dashboard.shell import page

        log.debug("%d pages", len(page.DRAWN))
        default_service()
    except LeaderError as error:
        log.warning("%s", error)  # the first page says it too
    except Exception:
        log.exception("warming up failed")


if __name__ == "__main__":
    from dashboard.shell import page

    page.draw()
else:  # Streamlit finds `app` by reading this file, and imports it under another name
    import streamlit as st

    app = st.App(__file__, lifespan=lifespan)
