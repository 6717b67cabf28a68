"""The server's entry: page set-up, navigation, the frame around every page, and the guard that keeps errors readable.

Run with `make run`, or `streamlit run dashboard/app.py` from the project's root.
"""

from __future__ import annotations

import sys
from pathlib import Path

if (
    str(Path(__file__).resolve().parent.parent) not in sys.path
):  # streamlit puts this file's own folder there instead
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import streamlit as st

from dashboard import mends, navigation, students, theme, wording
from dashboard.components import frame, keyboard, markup, waiting
from dashboard.guard import guarded
from dashboard.service import get_service
from leader_core import LeaderError

mends.install()


def main() -> None:
    """Draw the frame and the page that the URL names."""
    st.set_page_config(
        page_title=wording.NAME, page_icon=navigation.ICON, layout="wide", initial_sidebar_state="collapsed"
    )
    st.html(f"<style>{theme.style_sheet()}</style>")
    st.logo(navigation.logo(st.context.theme.type == "dark"), size="medium")
    page = navigation.current_page()
    try:
        service = get_service()
    except LeaderError as error:
        frame.show(None)
        st.error(str(error), icon=":material/error:")
        st.html(navigation.no_cohort_help())
        return
    frame.show(service)
    if students.gone():
        st.html(markup.callout(wording.STUDENT_GONE, "warn"))
    keyboard.show()
    waiting.begin()
    try:
        page.run()
        waiting.watch()
    finally:
        service.page_drawn()


if __name__ == "__main__":
    guarded(main)()
