"""Salience: the prompt marked with how much each token, phrase and section changed the teacher's score of one class.

Shown on request only: it costs the teacher some seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import streamlit as st
from markupsafe import Markup

from dashboard.scores import explain_table, explanations
from dashboard.scores.explain_panel import CLASS, how, in_words
from dashboard.server.service import Service
from dashboard.shared import markup
from dashboard.shared.formatting import signed
from dashboard.shared.page_case import titles_of
from dashboard.shared.session import Subject
from dashboard.shared.templates import macro, render
from dashboard.shared.widgets import switch
from leader_core import Prompt
from leader_core.explain import Attribution

LEVELS: Final = {"token": "Tokens", "phrase": "Phrases"}
_STRENGTHS: Final = 4  # steps of intensity
_FAINTEST: Final = 0.06  # of the strongest: what is weaker is not marked


def show(service: Service, subject: Subject) -> None:
    """A class to choose and, once one is, the prompt marked with what changed its score."""
    manifest_classes = service.engine.cohort.titles("medication")
    scored = {
        code: manifest_classes.get(code, code)
        for code in service.engine.scorer("teacher").vocabularies.medication
    }
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.selectbox(
            "Class to explain",
            ["", *sorted(scored, key=lambda code: scored[code])],
            key=CLASS,
            format_func=lambda code: f"{scored[code]} ({code})" if code in scored else "No class chosen",
        )
        switch("Marked by", LEVELS, labelled=True, key="level", default="phrase")
    code = str(st.session_state.get(CLASS) or "")
    if code not in scored:
        st.html(
            markup.note("Nothing chosen: choose a class to see which words of the prompt changed its score.")
        )
        return
    result = explanations.gradients(service, subject.case, "teacher", code)
    attribution = result.value
    if attribution is None or attribution.prompt is None:
        if result.status == "running":
            st.skeleton(height=220)
        else:
            st.html(markup.callout(result.reason or "The teacher gives no explanation.", "teacher"))
        explanations.button(result)
        return
    _draw_marks(subject, code, attribution, attribution.prompt, titles_of(service))


def _draw_marks(
    subject: Subject, code: str, attribution: Attribution, prompt: Prompt, titles: markup.Titles
) -> None:
    """The marked text, and what every section and phrase of it adds."""
    st.html(
        markup.note(in_words(attribution)) + render("scores/exactness.html", text=how(attribution)) + legend()
    )
    st.html(marked(prompt, attribution, str(st.session_state.get("level") or "phrase")))
    rows = explain_table.item_groups(subject.case, (attribution.values(), None), titles)
    st.html(
        markup.panel_title("By section", "log-odds")
        + markup.table(
            ("Section", "Adds"),
            [
                (section.label, signed(value))
                for section, value in zip(prompt.sections, attribution.by_section(), strict=True)
            ],
            numeric=frozenset({1}),
        )
    )
    st.html(
        markup.panel_title("By phrase", "log-odds")
        + explain_table.table(
            rows,
            caption=f"What changed the teacher's score of {code}, by phrase",
            most=14,
            models=("teacher",),
        )
    )


def legend() -> Markup:
    """What the marks mean, in words."""
    return macro("legend", "prompt/prompt.html")()


def marked(prompt: Prompt, attribution: Attribution, level: str) -> Markup:
    """The exact text with every token or phrase that changed the score; its log-odds stand in its title."""
    pieces = _pieces(attribution, level)
    strongest = max((abs(value) for _, _, value in pieces), default=0.0)
    marks = []
    for start, end, value in pieces:
        share = abs(value) / strongest if strongest else 0.0
        if share >= _FAINTEST:
            strength = min(_STRENGTHS, 1 + int(share * _STRENGTHS))
            css = f"ld-sal {'up' if value > 0 else 'down'} s{strength}"
            marks.append((start, end, css, f"{signed(value)} log-odds"))
    return with_marks(prompt.text, marks)


def with_marks(text: str, marks: Iterable[tuple[int, int, str, str]]) -> Markup:
    """The exact text, nothing added and nothing left out, with parts of it marked: (start, end, class, title) in order."""
    parts: list[tuple[str, str, str]] = []  # text, class, title
    position = 0
    for start, end, css, title in marks:
        parts += [(text[position:start], "", ""), (text[start:end], css, title)]
        position = end
    parts.append((text[position:], "", ""))
    return macro("text", "prompt/prompt.html")(parts)


def _pieces(attribution: Attribution, level: str) -> list[tuple[int, int, float]]:
    """(start, end, log-odds) of every token, or of every run of tokens that stand for one code."""
    if level == "token":
        return [(token.start, token.end, token.value) for token in attribution.tokens]
    pieces: list[tuple[int, int, float]] = []
    before = None
    for token in attribution.tokens:
        if pieces and token.item == before and token.item.part == "code":
            start, _, value = pieces[-1]
            pieces[-1] = (start, token.end, value + token.value)
        else:
            pieces.append((token.start, token.end, token.value))
        before = token.item
    return pieces
