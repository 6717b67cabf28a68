"""Prompt: the exact text the teacher reads of a case, part by part, what was cut to fit, and the published wording."""

from __future__ import annotations

import streamlit as st
from markupsafe import Markup

from dashboard.prompt import editor, salience
from dashboard.scores import cut_offs, explain_panel
from dashboard.server.service import Service, get_service
from dashboard.shared import markup, navigation, session, url_state, wording
from dashboard.shared.formatting import count
from dashboard.shared.page_case import header, open_subject
from dashboard.shared.session import Subject
from dashboard.shared.templates import component, macro
from dashboard.shared.widgets import switch
from leader_core import Prompt, PromptSection

PUBLISHED = "paper-1"
MODES = {
    "read": "Read",
    "salience": "What changed a score",
    "published": "Next to the published wording",
    "edit": "Edit the text",
}
_TEMPLATE = "prompt/prompt.html"
_COLOURS = {
    "instruction": "var(--unknown-soft)",
    "history": "var(--minor-soft)",
    "current": "var(--teacher-soft)",
    "question": "var(--moderate-soft)",
}
_BINDINGS = {
    "mode": url_state.Binding.choice("read", MODES),
    "level": url_state.Binding.choice("phrase", salience.LEVELS),
    explain_panel.CLASS: explain_panel.BINDINGS[explain_panel.CLASS],
}


def draw() -> None:
    service = get_service()
    subject = open_subject(service, "prompt")
    if subject is None:
        return
    url_state.enter(f"prompt {subject.query}", _BINDINGS)
    header(subject, "interactions", "Interactions")
    _shown(service, subject)
    session.remember_open_case(session.query_for(subject))
    url_state.publish("prompt", {**session.query_for(subject), **url_state.written(_BINDINGS)})


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
        modes = {m: name for m, name in MODES.items() if m != "published" or ours.version != PUBLISHED}
        mode = switch("How the prompt is shown", modes, key="mode", default="read")
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
    st.html(token_table(prompt))
    st.html(markup.panel_title("Cut to fit"))
    if prompt.dropped:
        st.html(markup.plain_list(prompt.dropped))
    elif prompt.left_out:  # by the wording, not by the limit
        left = count(prompt.left_out, "procedure")
        st.html(markup.note(f"Nothing was cut. This wording does not name {left} of earlier visits."))
    else:
        st.html(markup.note("Nothing was cut: the teacher reads the whole case as it stands here."))
    if prompt.untitled:
        st.html(markup.panel_title("Codes without a title"))
        st.html(markup.note(f"Written as they are, since no table knows them: {', '.join(prompt.untitled)}."))
    if prompt.read_as:
        st.html(cut_offs.read_as(prompt.read_as))
    st.html(markup.panel_title("About this prompt"))
    st.html(markup.note(wording.TEACHER_SCORES))
    st.html(
        markup.note("The demographic profile is not in it, and neither is what was ordered in this visit.")
    )


def coloured(prompt: Prompt) -> Markup:
    """The exact text with each section's background."""
    sections = sorted(prompt.sections, key=lambda s: s.start)
    return salience.with_marks(
        prompt.text, ((s.start, s.end, f"ld-part-{s.kind}", s.label) for s in sections)
    )


def budget(prompt: Prompt) -> Markup:
    """How the sections fill the limit of tokens, as a bar."""
    whole = max(prompt.token_limit, prompt.token_count, 1)
    slices = [
        (
            f"width:{100 * section.token_count / whole:.2f}%;background:{_colour(section)}",
            f"{section.label}: {section.token_count}",
        )
        for section in prompt.sections
    ]
    return macro("budget", _TEMPLATE)(slices, f"{prompt.token_count} of at most {prompt.token_limit} tokens")


def token_table(prompt: Prompt) -> Markup:
    """Sections in their order with their tokens; the special tokens make up the rest."""
    rows = [(section.label, section.token_count, _colour(section)) for section in prompt.sections]
    rest = prompt.token_count - sum(tokens for _, tokens, _ in rows)
    if rest > 0:
        rows.append(("Special tokens and joins", rest, "transparent"))
    return macro("token_table", _TEMPLATE)(rows, prompt.token_count)


def _colour(section: PromptSection) -> str:
    return _COLOURS.get(section.kind, "var(--unknown-soft)")
