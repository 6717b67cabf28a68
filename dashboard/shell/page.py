"""Every page: its set-up, the navigation, the frame around it, and the guard that keeps errors readable."""

from __future__ import annotations

import streamlit as st

from dashboard.server import chosen_student
from dashboard.server.service import get_service
from dashboard.shared import markup, navigation, theme, wording
from dashboard.shared.guard import guarded
from dashboard.shell import frame, keyboard, mends, waiting
from leader_core import LeaderError

mends.install()


@guarded
def draw() -> None:
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
    if chosen_student.gone():
        st.html(markup.callout(wording.STUDENT_GONE, "warn"))
    keyboard.show()
    waiting.begin()
    try:
        page.run()
        waiting.watch()
    finally:
        service.page_drawn()
