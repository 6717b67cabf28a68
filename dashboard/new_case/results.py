"""The right side of New case: what the models say of the case as it was submitted, greyed once the form says something else."""

from __future__ import annotations

import functools
from typing import Any, Final

import streamlit as st

from dashboard.new_case import import_file, what_if
from dashboard.report import download
from dashboard.scores import case_diff, panel
from dashboard.server.answers import all_scores, scores
from dashboard.server.service import Service
from dashboard.shared import case_text, markup, session, url_state, view_switch, wording
from dashboard.shared.draft import Draft, draft_query, session_draft, set_draft
from dashboard.shared.error_messages import fragment
from dashboard.shared.formatting import listing, probability
from dashboard.shared.page_case import titles_of
from dashboard.shared.session import Subject
from dashboard.shared.templates import macro
from leader_core.domain import MODEL_NAMES

_SCORED_BEFORE: Final = "These recommendations are for the case before your changes."
_TEMPLATE: Final = "new_case/difference.html"


def show(service: Service) -> None:
    """One element where nothing is scored, one container where something is: either takes the other's place at once."""
    draft = session_draft()
    if draft.submitted is None:
        heading, text = (
            ("Nothing scored yet", "Add at least one diagnosis or procedure to the current visit, then press Recommend.")
            if draft.problem
            else ("This case is not scored yet", "Press Recommend: both models then say what they suggest for it.")
        )  # fmt: skip
        st.html(markup.panel_title("Recommendations") + markup.empty(heading, text))
        url_state.publish("new", draft_query())
        return
    with st.container(key="results"):
        subject = Subject(draft.submitted, "draft", drugs=draft.drugs)
        detail = case_text.case_summary(subject.case, recorded=False)
        with (
            st.container()
        ):  # each part has a place of its own, so that none stands twice while it is drawn again
            st.html(markup.panel_title("Recommendations", detail))
            if draft.changed:
                _outdated(draft)
        with st.container(key="results_body"):
            _scored(service, draft, subject)


def submit() -> None:
    """Make the draft the case that is scored; a button's callback."""
    if not session_draft().problem:
        set_draft(session_draft().submit())


def _outdated(draft: Draft) -> None:
    """Says that what follows is about the case before, which is greyed."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="outdated"):
        st.html(markup.callout(_SCORED_BEFORE, "warn"), width="content")
        st.button(
            "Recommend again",
            key="recommend-again",
            icon=":material/play_arrow:",
            disabled=bool(draft.problem),
            help=draft.problem or None,
            on_click=submit,
        )


def _scored(service: Service, draft: Draft, subject: Subject) -> None:
    """The difference from the case it came from, the answers, and what can be done with them while they are current."""
    with st.container():
        if draft.compared is not None and not draft.changed:
            _difference(service, draft)
    with st.container():
        if subject.case.is_first_visit:
            st.html(markup.callout(wording.FIRST_VISIT, "student"))
    current = not draft.changed
    export = functools.partial(download.show, service, subject) if current else _no_export
    if view_switch.is_research():
        panel.show(service, subject, "new", export)
    else:
        panel.show_clinical(service, subject, export, current=current)
        link = session.query_for(subject)
        session.remember_open_case(link)
        url_state.publish("new", {key: value for key, value in link.items() if key != session.CASE})
    if not current:
        return
    answers = {name: answer.recommendation for name, answer in all_scores(service, subject.case).items()}
    what_if.show(service, subject.case, {n: r for n, r in answers.items() if r is not None})
    st.html(markup.panel_title("Save"))
    fragment(import_file.save)(service)


def _no_export(*_: Any) -> None:
    """What belongs to a case that was changed since is not taken away."""


def _difference(service: Service, draft: Draft) -> None:
    """What changed against the case that this one came from, or was before, in the case and in each model's answer."""
    if draft.compared is None or draft.submitted is None:
        return
    (before, name_before), after = draft.compared, draft.submitted
    added, removed = case_diff.code_changes(before, after)
    titles = titles_of(service)
    lines = [("Added", f"{titles(kind, code)}", code) for kind, code in added]
    lines += [("Removed", f"{titles(kind, code)}", code) for kind, code in removed]
    lines += [
        (
            wording.FIELD_LABELS[name],
            " → ".join(case_text.profile_value(name, v, "not given") for v in (old, new)),
            "",
        )
        for name, old, new in case_diff.profile_changes(before, after, after.profile)
    ]
    models = []
    for name in MODEL_NAMES:
        first, second = (scores(service, case, name).recommendation for case in (before, after))
        changes = None if first is None or second is None else case_diff.compare_suggestions(first, second)
        models.append((name, changes, _sentence(changes)))
    st.html(
        macro("difference", _TEMPLATE)(name_before, lines, models, view_switch.is_research(), probability)
    )


def _sentence(changes: case_diff.SuggestionChanges | None) -> str:
    if changes is None:
        return "Not compared: one of the two cases has no scores yet."
    parts = [
        f"{label} {listing((each.title for each in group), at_most=6)}"
        for label, group in (("now also suggests", changes.added), ("no longer suggests", changes.removed))
        if group
    ]
    return f"{'; '.join(parts)}." if parts else "suggests the same."
