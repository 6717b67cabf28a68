"""The prompt to edit: a text of the viewer's own, scored by the teacher and compared with the original.

The text lives in the session alone: it is never stored and never stands in the link. Both texts are scored now and in the
same way, one after the other: stored scores of the case may stem from another machine, whose last digits differ.
"""

from __future__ import annotations

import logging
from typing import Final

import streamlit as st

from dashboard.scores import case_diff
from dashboard.server.service import Service, failure
from dashboard.shared import markup, session
from dashboard.shared.error_messages import notice
from dashboard.shared.formatting import count
from dashboard.shared.session import Subject
from leader_core import LeaderError, Prompt, Recommendation

log = logging.getLogger("leader.dashboard")

_SCORED: Final = "_edited_prompt"  # (original text, answer to it, answer to the edited text)
_LONGEST: Final = 20_000  # characters: far beyond any teacher's limit of tokens, and a bound on what is sent
_SHOWN: Final = 15

Answer = tuple[int, Recommendation | None, str]  # tokens; what it scores, or why it does not


def show(service: Service, subject: Subject, original: Prompt) -> None:
    """The text to edit, its length once it is sent, and how the scores changed."""
    st.html(
        markup.panel_title("Your wording", "in this session only")
        + markup.note(
            "Change anything and let the teacher read it. Nothing is cut to fit: a text that is too long is refused."
        )
    )
    key = f"prompt-text-{subject.key}-{hash(original.text)}"
    if key not in st.session_state:
        st.session_state[key] = original.text
    with st.form(f"edit-{subject.key}", border=False):
        text = st.text_area("The text that the teacher reads", key=key, height=320, max_chars=_LONGEST)
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            sent = st.form_submit_button("Score this text", type="primary", icon=":material/play_arrow:")
            st.form_submit_button(
                "Back to the original",
                type="tertiary",
                icon=":material/restart_alt:",
                on_click=_restore,
                args=(key, original.text),
            )
    if sent:
        with st.spinner("The teacher is reading your text…"):
            before = answer(service, original.text)
            after = before if text == original.text else answer(service, text or "")
            st.session_state[_SCORED] = (original.text, before, after)
    scored = st.session_state.get(_SCORED)
    if scored is not None and scored[0] == original.text:
        _compare(service, original, *scored[1:])


def _restore(key: str, text: str) -> None:
    st.session_state[key] = text
    st.session_state.pop(_SCORED, None)


def answer(service: Service, text: str) -> Answer:
    """A text's tokens, and the teacher's scores or a sentence that says why there are none."""
    tokens = 0
    try:
        tokens = service.engine.prompt_tokens(text)
        with service.exclusive_access("teacher"):
            return tokens, service.engine.score_prompt(text), ""
    except LeaderError as error:
        return tokens, None, str(error)
    except Exception as error:
        log.exception("the teacher failed on an edited prompt")
        return tokens, None, failure("teacher", error, "on this text")


def _compare(service: Service, original: Prompt, first: Answer, second: Answer) -> None:
    _, before, problem_before = first
    tokens, edited, problem = second
    length = f"{count(tokens, 'token')} of at most {original.token_limit:,}; the original has {original.token_count:,}"
    st.html(markup.panel_title("Against the original", length))
    if before is None or edited is None:
        notice(problem or problem_before, "warning")
        return
    if before is edited:
        st.html(markup.note("The text is the original, letter by letter: every score is the same."))
        return
    if (threshold := session.threshold("teacher")) is not None:
        before, edited = (service.engine.with_threshold(r, threshold) for r in (before, edited))
    changes = case_diff.compare_scores(before, edited)
    added = [m for m in changes if m.one_sided and m.second_selected]
    dropped = [m for m in changes if m.one_sided and m.first_selected]
    st.html(
        markup.note(
            f"{count(len(added), 'class', 'classes')} suggested only for your wording, "
            f"{len(dropped)} only for the original; the largest change is {max(abs(m.change) for m in changes):.2f}."
        )
    )
    caption = "Teacher's scores for the original and for your wording"
    case_diff.show_scores(changes, "teacher", ("Original", "Yours"), caption, most=_SHOWN)
