"""Prompt: the exact text the teacher reads of a case, part by part, what was cut to fit, and the published wording."""

from __future__ import annotations

import streamlit as st

from dashboard.prompt import editor, salience
from dashboard.prompt.sections import budget, coloured, key_rows
from dashboard.scores import explain_panel
from dashboard.server.service import Service, get_service
from dashboard.shared import markup, navigation, session, url_state, wording
from dashboard.shared.browser import component
from dashboard.shared.formatting import count
from dashboard.shared.guard import fragment
from dashboard.shared.session import Subject
from dashboard.shared.subject import case_title, opened
from leader_core import Prompt

PUBLISHED = "paper-1"
MODES = {
    "read": "Read",
    "salience": "What moved a score",
    "published": "Beside the published wording",
    "edit": "Edit the text",
}
_BINDINGS = {
    "mode": url_state.Binding.choice("read", MODES),
    "published": url_state.Binding.flag(),
    "level": url_state.Binding.choice("phrase", salience.LEVELS),
    explain_panel.CLASS: explain_panel.BINDINGS[explain_panel.CLASS],
}


def draw() -> None:
    service = get_service()
    subject = opened(service, "Prompt")
    if subject is None:
        return
    url_state.enter(f"prompt {subject.query}", _BINDINGS)
    if st.session_state["published"]:  # as links said it before
        st.session_state.update(mode="published", published=False)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.html(case_title(subject), width="content")
        st.space("stretch")
        navigation.link(
            "case" if subject.source == "cohort" else "new", "Back to the case", session.linked(subject)
        )
        navigation.link("interactions", "Interactions", session.linked(subject))
    fragment(_body)(service, subject)


def _body(service: Service, subject: Subject) -> None:
    _shown(service, subject)
    session.keep(session.linked(subject))
    url_state.publish("prompt", {**session.linked(subject), **url_state.written(_BINDINGS)})


def _shown(service: Service, subject: Subject) -> None:
    status = service.status("teacher")
    if status.readiness == "loading":
        st.html(
            markup.callout(
                wording.LOADING.format(model="The teacher, whose tokenizer counts the prompt,"),
                "teacher",
            )
        )
        st.skeleton(height=220)
        return
    if status.readiness != "ready":
        st.html(markup.callout(f"Without the teacher there is no prompt to show. {status.reason}", "teacher"))
        navigation.link("models", "See which models are there")
        return
    ours = service.engine.prompt(subject.case)
    left, right = st.columns([2.1, 1], gap="large")
    with right:
        _account(service, ours)
    with left:
        modes = [m for m in MODES if m != "published" or ours.version != PUBLISHED]
        mode = st.segmented_control(
            "How the prompt is shown",
            modes,
            key="mode",
            default="read",
            required=True,
            format_func=MODES.__getitem__,
            label_visibility="collapsed",
        )
        if mode == "published":
            one, two = st.columns(2, gap="medium")
            with one:
                _text(ours, "What this teacher reads")
            with two:
                _text(service.engine.prompt(subject.case, version=PUBLISHED), "The published wording")
        elif mode == "salience":
            salience.show(service, subject)
        elif mode == "edit":
            editor.show(service, subject, ours)
        else:
            _text(ours, "What this teacher reads")


def _text(prompt: Prompt, heading: str) -> None:
    st.html(markup.panel_title(heading, f"version {prompt.version} · {count(prompt.token_count, 'token')}"))
    component("shared/copy")(
        key=f"copy-{prompt.version}", data={"text": prompt.text, "label": "Copy the text"}
    )
    st.html(coloured(prompt))


def _account(service: Service, prompt: Prompt) -> None:
    """Tokens a section, against the limit; what was cut and where; codes without a title."""
    st.html(markup.panel_title("Tokens", f"{prompt.token_count:,} of at most {prompt.token_limit:,}"))
    st.html(budget(prompt))
    st.html(key_rows(prompt))
    st.html(markup.panel_title("Cut to fit"))
    if prompt.dropped:
        st.html(markup.plain_list(prompt.dropped))
    else:
        st.html(markup.note("Nothing was cut: the teacher reads the whole case as it stands here."))
    if prompt.untitled:
        st.html(markup.panel_title("Codes without a title"))
        st.html(markup.note(f"Written as they are, since no table knows them: {', '.join(prompt.untitled)}."))
    st.html(markup.panel_title("About this prompt"))
    st.html(markup.note(wording.TEACHER_SCORES))
    st.html(
        markup.note("The demographic profile is not in it, and neither is what was prescribed in this visit.")
    )
