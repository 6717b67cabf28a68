"""A pasted list of codes, words or drugs: what is read goes to the visit, what words may mean is offered to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import streamlit as st

from dashboard.new_case.import_preview import ImportOutcome, outcome, set_outcome
from dashboard.server.service import Service
from dashboard.shared import markup, wording
from dashboard.shared.draft import change_draft, session_draft
from dashboard.shared.formatting import count, listing, plain
from dashboard.shared.guard import guarded
from dashboard.shared.widgets import switch
from leader_core import KINDS, Concept, LeaderError
from leader_core.domain import Kind
from leader_core.exchange.paste import read_list

_TURN: Final = "_list_turn"
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
    if not result.unmapped:
        st.session_state["import-list"] = ""
    turn = int(st.session_state.get(_TURN, 0)) + 1
    st.session_state[_TURN] = turn
    set_outcome(
        ImportOutcome(
            done=f"{count(added, 'code')} added to this visit." if added else "",
            notes=tuple(notes),
            rows=tuple(rows),
            candidates=tuple((item.text, item.candidates) for item in result.unmapped if item.candidates),
            list_visit=index,
            visits=len(draft.earlier),
            turn=turn,
        )
    )


def show_candidates(shown: ImportOutcome) -> None:
    """What words of a list may mean, to choose from one by one, or the first of each at once; nothing is taken unasked."""
    if not shown.candidates:
        return
    if len(session_draft().earlier) != shown.visits:
        st.html(markup.note("The visits were changed since: paste the rest of the list again."))
        return
    each_first = {text: concepts[0] for text, concepts in shown.candidates}
    st.html(markup.panel_title("Read by their words", "nothing is taken until you choose"))
    st.button(
        f"Accept the first of {'each' if len(each_first) > 1 else 'these'}",
        key="import-accept-words",
        icon=":material/done_all:",
        on_click=_choose,
        args=(shown.list_visit, each_first),
    )
    for number, (text, concepts) in enumerate(shown.candidates):
        titles = {concept.code: f"{concept.title} ({concept.code})" for concept in concepts}
        key = f"import-words-{shown.turn}-{number}-{text}"[:200]
        st.selectbox(
            plain(f"“{text}” means"),
            list(titles),
            index=None,
            placeholder=f"Choose, such as {concepts[0].title}",
            format_func=titles.__getitem__,
            key=key,
            on_change=_choose_one,
            args=(shown.list_visit, text, key, concepts),
        )


@guarded
def _choose_one(index: int, text: str, key: str, concepts: Sequence[Concept]) -> None:
    chosen = next((concept for concept in concepts if concept.code == st.session_state.get(key)), None)
    if chosen is not None:
        _choose(index, {text: chosen})


@guarded
def _choose(index: int, chosen: Mapping[str, Concept]) -> None:
    """Add what words were chosen to mean, and leave the rest of the list to choose."""
    draft = session_draft()
    for concept in chosen.values():
        draft = draft.add(index, concept)
    change_draft(draft)
    before = outcome()
    if before is None:
        return
    rest = tuple(item for item in before.candidates if item[0] not in chosen)
    if not rest:
        st.session_state["import-list"] = ""
    texts = listing(f"“{text}” as {concept.title}" for text, concept in chosen.items())
    set_outcome(replace(before, done=f"Added {texts}.", candidates=rest))
