"""A patient's star and notes: what people write beside a case, kept in the workspace and never in the cohort or a link."""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard.scores import error_tags
from dashboard.server.service import Service
from dashboard.server.workspace import get_workspace
from dashboard.shared import markup
from dashboard.shared.formatting import count, day, escape, tag
from dashboard.shared.guard import fragment
from leader_core import LeaderError
from leader_core.workspace import Note, Workspace

_AUTHOR: Final = error_tags.AUTHOR
_SAID: Final = "_notes_said"  # a sentence about the last write, shown once
_PLACEHOLDER: Final = "What stands out here? Which class is wrong, and why?"


def star(service: Service, patient_id: int) -> None:
    """A button that stars the patient, or takes the star away."""
    workspace = get_workspace(service)
    starred = any(found.patient_id == patient_id for found in workspace.stars())
    st.button(
        "Starred" if starred else "Star",
        icon=":material/star:" if starred else ":material/star_border:",
        type="tertiary",
        key="star",
        disabled=not workspace.writable,
        help="Starred patients can be listed by themselves in the worklist.",
        on_click=_turn,
        args=(workspace, patient_id, not starred),
    )


def _turn(workspace: Workspace, patient_id: int, on: bool) -> None:
    if on:
        workspace.star(patient_id, st.session_state.get(_AUTHOR) or "")
    else:
        workspace.unstar(patient_id)


def show(service: Service, patient_id: int, visit_id: int | None) -> None:
    """The patient's notes, and a place to write one about the visit that is open."""
    fragment(_panel)(service, patient_id, visit_id)


def _panel(service: Service, patient_id: int, visit_id: int | None) -> None:
    workspace = get_workspace(service)
    notes = workspace.notes(patient_id)
    st.html(
        markup.panel_title("Notes and tags", count(len(notes), "note") if notes else "kept beside the cohort")
    )
    for notice in workspace.notices:
        st.html(markup.callout(notice, "warn"))
    if said := st.session_state.pop(_SAID, ""):
        st.html(markup.callout(said, "warn"))
    if visit_id is not None:
        error_tags.show(workspace, patient_id, visit_id)
    for note in notes:
        _note(workspace, note, visit_id)
    if workspace.writable:
        # A new key after each note: the place to write closes, and starts empty.
        name = f"new-{patient_id}-{visit_id}-{len(notes)}"
        with st.popover("Write a note", icon=":material/edit_note:", key=f"write-{name}"):
            _editor(workspace, None, patient_id, visit_id, name)


def _note(workspace: Workspace, note: Note, visit_id: int | None) -> None:
    """One note as text, and what can be done with it."""
    about = "" if note.visit_id in (None, visit_id) else " · another visit"
    edited = " · edited" if note.versions > 1 else ""
    late = f" · {count(note.refused, 'late edit')} kept beside it" if note.refused else ""
    head = f"{note.author or 'No name'} · {day(note.edited_at)}{edited}{about}{late}"
    tags = "".join(tag("span", escape(each), css="ld-tag") + " " for each in note.tags)
    st.html(
        tag(
            "div",
            tag("div", escape(head), css="ld-muted"),
            tag("p", escape(note.text)),
            tags,
            css="ld-written",
        )
    )
    if workspace.writable:
        with st.container(horizontal=True, gap="small"):
            with st.popover("Edit", type="tertiary", key=f"edit-{note.note_id}-{note.version}"):
                name = f"{note.note_id}-{note.version}"
                _editor(workspace, note, note.patient_id, note.visit_id, name)
            st.button(
                "Remove",
                type="tertiary",
                key=f"remove-{note.note_id}-{note.version}",
                on_click=_remove,
                args=(workspace, note),
            )


def _editor(
    workspace: Workspace, note: Note | None, patient_id: int | None, visit_id: int | None, name: str
) -> None:
    """The form of one note; `name` tells its fields from those of others."""
    with st.form(f"note-{name}", border=False):
        st.text_area(
            "Note", note.text if note else "", placeholder=_PLACEHOLDER, height=140, key=f"text-{name}"
        )
        st.text_input(
            "Tags, separated by commas",
            ", ".join(note.tags) if note else "",
            key=f"tags-{name}",
            placeholder="wrong indication, missed chronic drug",
        )
        st.text_input(
            "Your name or initials", st.session_state.get(_AUTHOR) or "", key=f"author-{name}", max_chars=80
        )
        st.form_submit_button(
            "Save", type="primary", on_click=_save, args=(workspace, note, patient_id, visit_id, name)
        )


def _save(
    workspace: Workspace, note: Note | None, patient_id: int | None, visit_id: int | None, name: str
) -> None:
    """Write it; what was refused is said, and an edit that came too late is kept beside the note."""
    text, tags, author = (str(st.session_state.get(f"{k}-{name}") or "") for k in ("text", "tags", "author"))
    written = tuple(part.strip() for part in tags.split(",") if part.strip())
    st.session_state[_AUTHOR] = author
    try:
        if note is None:
            workspace.add_note(text, patient_id=patient_id, visit_id=visit_id, tags=written, author=author)
        else:
            workspace.edit_note(note.note_id, text, tags=written, author=author, based_on=note.version)
    except LeaderError as error:
        st.session_state[_SAID] = str(error)


def _remove(workspace: Workspace, note: Note) -> None:
    try:
        workspace.remove_note(
            note.note_id, author=str(st.session_state.get(_AUTHOR) or ""), based_on=note.version
        )
    except LeaderError as error:
        st.session_state[_SAID] = str(error)
