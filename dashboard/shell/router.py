"""Runs every page: set-up, navigation, status strip, and the work deferred to the end of its run.

A new page: a folder with `page.py`, an entry here in `DRAWN`, and one in `PAGES` in `shared/navigation.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Final

import streamlit as st

from dashboard.server import access, answers, audit
from dashboard.server.service import get_service, reopen, student_gone
from dashboard.server.workspace import get_workspace
from dashboard.shared import markup, navigation, theme, view_switch, wording
from dashboard.shared.error_messages import guarded, notice, session_ended
from dashboard.shared.templates import render
from dashboard.shell import frame
from leader_core import LeaderError

DRAWN: Final[Mapping[str, str]] = {
    "patients": "patients",
    "case": "case",
    "new": "new_case",
    "interactions": "interactions",
    "prompt": "prompt",
    "errors": "error_analysis",
    "models": "models",
}
"""URL path -> folder of the page, which is imported when it is first drawn: the first page waits for no other."""
_WITHOUT_MODELS: Final = ("patients", "errors")
"""Pages that look the same whether models are loaded or not: never drawn again for them, so that no word half typed is lost."""
_ACCOUNT: Final = "_account"
"""Session key of whose page this is."""
_THEME: Final = Path(__file__).resolve().parents[2] / "assets" / "theme"


@guarded
def draw() -> None:
    """Draw the frame and the page that the URL names, then compute what it was drawn without."""
    st.set_page_config(
        page_title=wording.NAME,
        page_icon=str(_THEME / "icon.svg"),
        layout="wide",
        initial_sidebar_state="collapsed",
    )
    st.html(f"<style>{theme.style_sheet()}</style>")
    st.logo(_logo(st.context.theme.type == "dark"), size="medium")
    if not signed_in():
        return
    pages = {
        path: st.Page(
            guarded(partial(_draw, path), home=navigation.home_link),
            title=title,
            icon=icon,
            url_path=path,
            default=path == "patients",
            visibility="hidden"
            if path in navigation.RESEARCH_PAGES and not view_switch.is_research()
            else "visible",
        )
        for path, (title, icon) in navigation.PAGES.items()
    }
    navigation.register(pages)
    page = st.navigation(list(pages.values()), position="top")
    path = page.url_path or "patients"
    try:
        service = get_service()
    except LeaderError as error:
        frame.show(None)
        notice(str(error))
        st.html(render("shell/no_cohort.html"))
        return
    loading = frame.is_loading(service)  # before it is drawn: a model may be ready when the page is
    strip, progress = frame.show(service)
    with st.container():  # a place of its own, so that the page keeps its place when a message comes or goes
        if student_gone():
            st.html(markup.callout(wording.STUDENT_GONE, "warn"))
        if service.engine.cohort.replaced:
            notice(wording.COHORT_REPLACED, "warning", "update")
            st.button("Open the new cohort", on_click=reopen, key="reopen")
        if problem := get_workspace(service).problem:
            notice(problem, "warning", "sticky_note_2")
    frame.help_button()
    answers.begin()
    page.run()
    answers.finish(progress)
    if loading:
        frame.follow_loading(service, strip)
        if path not in _WITHOUT_MODELS:
            st.rerun()


def _draw(path: str) -> None:
    import_module(f"dashboard.{DRAWN[path]}.page").draw()


def import_pages(paths: Iterable[str] = DRAWN) -> None:
    """Import these pages, so that none waits for it when it is first opened."""
    for path in paths:
        import_module(f"dashboard.{DRAWN[path]}.page")


def signed_in() -> bool:
    """Whether pages may be drawn; where people sign in with a provider, the button that leads to it otherwise."""
    if not access.sign_in():
        return True
    if (account := access.current_account()) is not None:
        if (before := st.session_state.get(_ACCOUNT)) != account.name:
            if before:  # a page of somebody else that was left open in this browser: it holds what they did
                st.session_state.clear()
            if access.sign_in() == "oidc":
                audit.record("signed in", "with the provider", account=account)
            st.session_state[_ACCOUNT] = account.name
        if access.sign_in() == "oidc":
            access.admit(account)
        return True
    if access.sign_in() == "password":
        session_ended("load this page again to sign in")
    elif st.user.get("is_logged_in"):
        if access.provider_session_ended():
            session_ended("sign out, then sign in again")
        else:
            st.error("Your address has no role here: ask an administrator to add it.", icon=":material/lock:")
        st.button("Sign out", on_click=st.logout)
    else:
        st.button("Sign in", on_click=st.login, type="primary", icon=":material/lock:")
    return False


@cache
def _logo(dark: bool) -> str:
    return str(_THEME / ("logo-dark.svg" if dark else "logo-light.svg"))
