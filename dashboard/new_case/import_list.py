"""A pasted list of codes, words or drugs: what is read goes to the visit, what words may mean is offered to choose from."""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard.new_case.import_preview import ImportOutcome, next_turn, set_outcome
from dashboard.server.service import Service
from dashboard.shared import wording
from dashboard.shared.draft import change_draft, session_draft
from dashboard.shared.error_messages import guarded
from dashboard.shared.formatting import count
from dashboard.shared.widgets import switch
from leader_core import KINDS, Concept, LeaderError
from leader_core.domain import Kind
from leader_core.exchange.fhir_conditions import OfferedCondition
from leader_core.exchange.paste import read_list

_ASKED_FOR: Final = "is a medication of the current visit, which is what the models recommend"


def show(service: Service, index: int) -> None:
    current = index >= len(session_draft().earlier)
    names = {kind: wording.KIND_LABELS[kind] for kind in KINDS if not (current and kind == "medication")}
    kind: Kind = switch(
        "The list is of", names, labelled=True, default="diagnosis", key=f"import-kind-{current}"
    )
    example = "428.0, I50.9\n486 pneumonia"
    st.text_area(
        "Codes, titles or drugs: a list, cells or a table",
        key="import-list",
        height=110,
        placeholder=example if current else f"{example}\nwarfarin 5 mg PO",
    )
    st.button(
        "Add to this visit",
        icon=":material/playlist_add:",
        key="import-add",
        on_click=_take_list,
        args=(service, index, kind),
    )


@guarded
def _take_list(service: Service, index: int, kind: Kind) -> None:
    text = str(st.session_state.get("import-list") or "")
    if not text.strip():
        set_outcome(ImportOutcome(problem="The list is empty: paste some codes or words first."))
        return
    try:
        result = read_list(text, kind, service.engine.cohort, session_draft().system_of(kind))
    except LeaderError as error:
        set_outcome(ImportOutcome(problem=str(error)))
        return
    draft = session_draft()
    current = index >= len(draft.earlier)
    rows = [(item.text, "", item.reason) for item in result.unmapped if not item.candidates]
    rows += [(repeated, "", "is in the list already") for repeated in result.repeated]
    notes, added = [], 0
    for item in result.resolved:
        code = item.code
        if current and code.kind == "medication":
            rows.append((item.text, code.code, _ASKED_FOR))
            continue
        concept = Concept(code.kind, code.code, code.code.partition(":")[0], code.title)
        changed = draft.add(index, concept)
        added += changed.visit(index) != draft.visit(index)
        draft = changed
        if code.note:
            notes.append(f"{item.text}: {code.note}.")
    change_draft(draft)
    if all(item.candidates for item in result.unmapped):
        st.session_state["import-list"] = ""
    set_outcome(
        ImportOutcome(
            done=f"{count(added, 'code')} added to this visit." if added else "",
            notes=tuple(notes),
            rows=tuple(rows),
            from_list=True,
            offered=tuple(
                OfferedCondition(item.text, item.reason, (index,), item.candidates, sure=False)
                for item in result.unmapped
                if item.candidates
            ),
            visits=len(draft.earlier),
            turn=next_turn(),
        )
    )
