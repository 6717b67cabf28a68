"""The server's entry: imported once to serve, and run by Streamlit for every page.

Run with `make run` or `python -m dashboard`, which set Streamlit's options; `streamlit run dashboard/app.py` refuses to
serve without them.
"""

from __future__ import annotations

import sys
from pathlib import Path

if (
    str(Path(__file__).resolve().parent.parent) not in sys.path
):  # streamlit puts this file's own folder there instead
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


if __name__ == "__main__":
    from dashboard.shell import router

    router.draw()
else:  # Streamlit finds `app` by reading this file, and imports it under another name
    import streamlit as st

    from dashboard.server.access import refuse_unless_safe
    from dashboard.shell.gate import MIDDLEWARE, ROUTES, lifespan

    refuse_unless_safe()
    app = st.App(__file__, lifespan=lifespan, middleware=MIDDLEWARE, routes=ROUTES)
