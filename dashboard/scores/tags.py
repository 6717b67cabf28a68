"""Tags on the comparison table's rows: what its chooser offers, which tags the rows bear, and writing the one chosen.

A row shows the tags of the annotator who looks at it alone, so that two annotators who are compared stay independent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from dashboard.scores.notes import AUTHOR, author
from dashboard.server import serving
from dashboard.server.service import Service
from dashboard.server.workspace import get_workspace
from dashboard.shared import markup
from dashboard.shared.guard import guarded
from leader_core import LeaderError
from leader_core.workspace import NO_ERROR, Workspace

NO_ERROR_NAME: Final = "No error"
_NO_ERROR_MEANING: Final = "looked at it: the answer is right, or the record cannot tell"
_MESSAGE: Final = "_tags_message"  # why the last tag was not saved, shown once


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
            "asks": serving.current_account() is None,
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


def show_message() -> None:
    """Why the last tag was not saved."""
    if message := st.session_state.pop(_MESSAGE, ""):
        st.html(markup.callout(message, "warn"))


@guarded
def write(where: RowTagging, key: str) -> None:
    """Save what was chosen in the table mounted under `key`, or take the tag back where no kind was."""
    chosen = getattr(st.session_state.get(key), "tagged", None)
    if not isinstance(chosen, Mapping):
        return
    if serving.current_account() is None:
        st.session_state[AUTHOR] = " ".join(str(chosen.get("author") or "").split())
    tags, code, kind = where.workspace.tags, str(chosen.get("code")), str(chosen.get("kind") or "")
    rows = [(where.visit_id, code, str(model)) for model in chosen.get("models") or ()]
    try:
        for row in rows:
            if kind:
                tags.tag(where.patient_id, row, kind, note=str(chosen.get("note") or ""), author=author())
        for tag in tags.all(where.visit_id) if not kind else ():
            if tag.row in rows and tag.author == author():
                tags.withdraw(tag)
    except LeaderError as error:
        st.session_state[_MESSAGE] = str(error)
