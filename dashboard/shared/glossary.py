"""The glossary of the research view: every term on screen in a line."""

from __future__ import annotations

import streamlit as st

from dashboard.shared import markup, wording


def show() -> None:
    """A popover with all terms; the shell draws it on every page of the research view."""
    with st.popover("Glossary", icon=":material/menu_book:", type="tertiary", key="glossary"):
        st.html(markup.facts(wording.GLOSSARY.items()))
