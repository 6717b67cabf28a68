"""What people write about a patient: the star, notes, and tags on the rows of the comparison table.

All of it is stored in the workspace, never in the cohort or a link. A row shows the tags of the annotator who looks at it
alone, so that two annotators who are compared stay independent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from dashboard.server import access
from dashboard.server.service import Service
from dashboard.server.workspace import get_workspace
from dashboard.shared import markup
from dashboard.shared.error_messages import fragment, guarded, message_of_errors, show_message
from dashboard.shared.formatting import count
from dashboard.shared.templates import render
from leader_core import LeaderError
from leader_core.workspace import NO_ERROR, Note, StaleEditError, Workspace

AUTHOR: Final = "_author"
"""Session key of the name that this person writes notes and tags under."""
_MESSAGE: Final = "_notes_message"  # a sentence about the last write, shown once
_SAVED: Final = "_notes_saved"  # how often this session saved each form
_BASES: Final = "_notes_bases"  # the version of each note whose text this session's form began with
_PLACEHOLDER: Final = "What is notable about this patient?"


def star(service: Service, patient_id: int) -> None:
    """A button that stars the patient, or takes the star away."""
    workspace = get_workspace(service)
    starred = any(each.patient_id == patient_id for each in workspace.stars())
    st.button(
        "Starred" if starred else "Star",
        icon=":material/star:" if starred else ":material/star_border:",
        type="tertiary",
        key="star",
        disabled=not workspace.writable,
        help="Starred patients can be listed by themselves in the worklist.",
        on_click=_set_star,
        args=(workspace, patient_id, not starred),
    )


@guarded
def _set_star(workspace: Workspace, patient_id: int, starred: bool) -> None:
    if starred:
        workspace.star(patient_id, author())
    else:
        workspace.unstar(patient_id)


def author() -> str:
    """The name that this person writes under: the account's where people sign in, else what they typed."""
    account = access.current_account()
    return account.name if account is not None else str(st.session_state.get(AUTHOR) or "")


def _ask_author(key: str) -> None:
    """The field for the name; nobody who signed in can write under another."""
    if access.current_account() is None:
        st.text_input("Your name or initials", author(), key=key, max_chars=80)


def show(service: Service, patient_id: int, visit_id: int | None) -> None:
    """The patient's notes, and a place to write one about the visit that is open."""
    fragment(_panel)(service, patient_id, visit_id)


def _panel(service: Service, patient_id: int, visit_id: int | None) -> None:
    workspace = get_workspace(service)
    notes = workspace.notes(patient_id)
    detail = count(len(notes), "note") if notes else "stored apart from the cohort"
    st.html(markup.panel_title("Notes", detail))
    for text in workspace.notices:
        st.html(markup.callout(text, "warn"))
    show_message(_MESSAGE)
    for note in notes:
        _note(workspace, note, visit_id)
    if workspace.writable:
        # A new key after each note that this session saved: the place to write closes, and starts empty.
        name = _form_name(f"new-{patient_id}-{visit_id}")
        with st.popover("Write a note", icon=":material/edit_note:", key=f"write-{name}"):
            _note_form(workspace, None, patient_id, visit_id, name)


def _note(workspace: Workspace, note: Note, visit_id: int | None) -> None:
    """One note as text, and what can be done with it."""
    other_visit, late = note.visit_id not in (None, visit_id), workspace.late_edits(note)
    st.html(render("scores/note.html", note=note, other_visit=other_visit, late=late))
    if not workspace.writable:
        return
    name = _form_name(note.note_id)
    if f"text-{name}" not in st.session_state:  # opened anew, with the text as it is now
        st.session_state.setdefault(_BASES, {})[note.note_id] = note.version
    with st.container(horizontal=True, gap="small"):
        with st.popover("Edit", type="tertiary", key=f"edit-{name}"):
            _note_form(workspace, note, note.patient_id, note.visit_id, name)
        st.button(
            "Remove", type="tertiary", key=f"remove-{name}", on_click=_remove_note, args=(workspace, note)
        )


def _form_name(place: str) -> str:
    """The name of a form's fields: another only once this session has saved it, whatever others write meanwhile."""
    return f"{place}-{st.session_state.get(_SAVED, {}).get(place, 0)}"


def _note_form(
    workspace: Workspace, note: Note | None, patient_id: int | None, visit_id: int | None, name: str
) -> None:
    """The form of one note; `name` sets its fields apart from those of others."""
    text = note.text if note else ""
    with st.form(f"note-{name}", border=False):
        st.text_area("Note", text, placeholder=_PLACEHOLDER, height=140, key=f"text-{name}")
        _ask_author(f"author-{name}")
        st.form_submit_button(
            "Save", type="primary", on_click=_save_note, args=(workspace, note, patient_id, visit_id, name)
        )


@guarded
def _save_note(
    workspace: Workspace, note: Note | None, patient_id: int | None, visit_id: int | None, name: str
) -> None:
    text, typed = (str(st.session_state.get(f"{k}-{name}") or "") for k in ("text", "author"))
    st.session_state[AUTHOR] = typed
    try:
        if note is None:
            workspace.add_note(text, patient_id=patient_id, visit_id=visit_id, author=author())
        else:
            base = st.session_state.get(_BASES, {}).get(note.note_id, note.version)
            workspace.edit_note(note.note_id, text, author=author(), based_on=base)
    except StaleEditError as error:  # the text is stored: the form begins again with the present one
        st.session_state[_MESSAGE] = str(error)
    except LeaderError as error:
        st.session_state[_MESSAGE] = str(error)
        return
    saved = st.session_state.setdefault(_SAVED, {})
    place = name.rpartition("-")[0]
    saved[place] = saved.get(place, 0) + 1


@guarded
def _remove_note(workspace: Workspace, note: Note) -> None:
    with message_of_errors(_MESSAGE):
        workspace.remove_note(note.note_id, author=author(), based_on=note.version)


# Tags

NO_ERROR_NAME: Final = "No error"
_NO_ERROR_MEANING: Final = "looked at it: the answer is right, or the record cannot tell"
TAG_MESSAGE: Final = "_tags_message"  # why the last tag was not saved, shown once


@dataclass(frozen=True, slots=True)
class RowTagging:
    """Where the tags of one recorded visit's rows are read and written."""

    workspace: Workspace
    patient_id: int
    visit_id: int

    def chooser(self) -> dict[str, Any]:
        """What the chooser offers: kinds with their keys, and whom the tags are from."""
        kinds = [
            {"id": kind.kind_id, "name": kind.name, "meaning": kind.meaning}
            for kind in self.workspace.tags.kinds()
        ]
        none = {"id": NO_ERROR, "name": NO_ERROR_NAME, "meaning": _NO_ERROR_MEANING}
        keys = [str(number) if number < 10 else "" for number in range(1, len(kinds) + 1)]
        return {
            "kinds": [{**kind, "key": key} for kind, key in zip((*kinds, none), (*keys, "0"), strict=True)],
            "author": author(),
            "asks": access.current_account() is None,
        }

    def own(self) -> Mapping[str, list[dict[str, str]]]:
        """This annotator's tags by class."""
        names = {kind.kind_id: kind.name for kind in self.workspace.tags.kinds(removed=True)}
        names[NO_ERROR] = NO_ERROR_NAME
        own: dict[str, list[dict[str, str]]] = {}
        for tag in self.workspace.tags.all(self.visit_id):
            if tag.author == author() and tag.code:
                own.setdefault(tag.code, []).append(
                    {
                        "model": tag.model,
                        "kind": tag.kind,
                        "name": names.get(tag.kind, tag.kind),
                        "note": tag.note,
                    }
                )
        return {code: sorted(tags, key=lambda tag: tag["model"], reverse=True) for code, tags in own.items()}


def tagging(service: Service, patient_id: int | None, visit_id: int | None) -> RowTagging | None:
    """For a recorded visit in a workspace that can be written; None elsewhere."""
    workspace = get_workspace(service)
    if patient_id is None or visit_id is None or not workspace.writable:
        return None
    return RowTagging(workspace, patient_id, visit_id)


@guarded
def write_tag(where: RowTagging, key: str) -> None:
    """Save what was chosen in the table mounted under `key`, or take the tag back where no kind was."""
    chosen = getattr(st.session_state.get(key), "tagged", None)
    if not isinstance(chosen, Mapping):
        return
    shown_to = author()
    if access.current_account() is None:
        st.session_state[AUTHOR] = " ".join(str(chosen.get("author") or "").split())
    tags, code, kind = where.workspace.tags, str(chosen.get("code")), str(chosen.get("kind") or "")
    rows = [(where.visit_id, code, str(model)) for model in chosen.get("models") or ()]
    # Somebody who gives their initials now has not seen the note of their earlier session: it stays.
    own = [tag for tag in tags.all(where.visit_id) if tag.author == author()]
    unseen = {tag.row: tag.note for tag in own} if author() != shown_to else {}
    with message_of_errors(TAG_MESSAGE):
        for row in rows:
            if kind:
                note = str(chosen.get("note") or "") or unseen.get(row, "")
                tags.tag(where.patient_id, row, kind, note=note, author=author())
        for tag in tags.all(where.visit_id) if not kind else ():
            if tag.row in rows and tag.author == author():
                tags.withdraw(tag)
