"""Tags on a case: which kinds of error an annotator sees in the visit that is open, and what others said of it."""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard.server.workspace import Workspace
from dashboard.shared import markup
from dashboard.shared.formatting import day, escape, tag
from leader_core import LeaderError
from leader_core.workspace import Annotation, ErrorKind

AUTHOR: Final = "_author"
"""Session key of the name that this person writes under, shared with the notes."""
_SAID: Final = "_tags_said"


def show(workspace: Workspace, patient_id: int, visit_id: int) -> None:
    """What annotators say of the visit, and the form of one's own answer."""
    kinds = workspace.tags.kinds(removed=True)
    said = workspace.tags.all(visit_id)
    if text := st.session_state.pop(_SAID, ""):
        st.html(markup.callout(text, "warn"))
    if said:
        st.html("".join(_answer(found, kinds) for found in said))
    if workspace.writable:
        own = next((a for a in said if a.author == (st.session_state.get(AUTHOR) or "")), None)
        name = f"{patient_id}-{visit_id}-{own.version if own else 0}"
        with st.popover("Tag errors", icon=":material/sell:", key=f"tag-{name}"):
            _form(workspace, [k for k in kinds if not k.removed], own, patient_id, visit_id, name)


def _answer(found: Annotation, kinds: tuple[ErrorKind, ...]) -> str:
    """One annotator's answer as text."""
    names = {kind.kind_id: kind.name for kind in kinds}
    told = [tag("span", escape(names.get(k, k)), css="ld-tag warn") + " " for k in found.kinds]
    seen = "".join(told) or tag("span", "no error seen", css="ld-tag good")
    head = tag("span", escape(f"{found.author} · {day(found.annotated_at)} "), css="ld-muted")
    return tag("p", head, seen, css="ld-chips")


def _form(
    workspace: Workspace,
    kinds: list[ErrorKind],
    own: Annotation | None,
    patient_id: int,
    visit_id: int,
    name: str,
) -> None:
    with st.form(f"tags-{name}", border=False):
        for kind in kinds:
            st.checkbox(
                kind.name,
                own is not None and kind.kind_id in own.kinds,
                key=f"kind-{kind.kind_id}-{name}",
                help=kind.meaning or None,
            )
        st.text_input(
            "Your name or initials",
            st.session_state.get(AUTHOR) or "",
            key=f"tagger-{name}",
            max_chars=80,
            help="Two annotators' answers to the same case are compared under Error analysis.",
        )
        st.form_submit_button(
            "Save tags",
            type="primary",
            on_click=_save,
            args=(workspace, kinds, patient_id, visit_id, name),
            help="Saving without a tick says: looked, no error seen.",
        )
    if own is not None:
        st.button(
            "Take my answer back",
            type="tertiary",
            key=f"untag-{name}",
            on_click=_withdraw,
            args=(workspace, patient_id, visit_id, own.author),
        )


def _save(workspace: Workspace, kinds: list[ErrorKind], patient_id: int, visit_id: int, name: str) -> None:
    author = str(st.session_state.get(f"tagger-{name}") or "")
    chosen = [kind.kind_id for kind in kinds if st.session_state.get(f"kind-{kind.kind_id}-{name}")]
    try:
        found = workspace.tags.annotate(patient_id, visit_id, chosen, author=author)
        st.session_state[AUTHOR] = found.author
    except LeaderError as error:
        st.session_state[_SAID] = str(error)


def _withdraw(workspace: Workspace, patient_id: int, visit_id: int, author: str) -> None:
    try:
        workspace.tags.withdraw(patient_id, visit_id, author=author)
    except LeaderError as error:
        st.session_state[_SAID] = str(error)
