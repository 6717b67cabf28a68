"""Ways into New case besides typing: a file, a pasted list, a kept variant. What could not be read stands below.

Changes the session's draft only when all went well; every change can be undone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import streamlit as st

from dashboard.new_case import undo
from dashboard.server.service import Service
from dashboard.server.workspace import get_workspace
from dashboard.shared import markup, session
from dashboard.shared.draft import MAX_EARLIER, Draft
from dashboard.shared.formatting import count, day
from leader_core import KINDS, Concept, LeaderError
from leader_core.exchange.fhir import EncounterChoice
from leader_core.exchange.files import read_file
from leader_core.exchange.paste import read_list
from leader_core.workspace import Parent

_TOLD: Final = "_import_told"
_TURN: Final = "_import_turn"
_FILE: Final = "_import_file"
"""The bundle whose encounters can still be chosen between; forgotten with what was told of it."""
_MEGABYTES: Final = 20
_SHORT: Final = 6
_TALLEST: Final = 260
"""Rows that stand open, and the height in pixels that more of them scroll in."""
_KINDS: Final = {"diagnosis": "Diagnoses", "procedure": "Procedures", "medication": "Medications"}
_ASKED_FOR: Final = "is a medication of the current visit, which is what the models are asked for"


@dataclass(frozen=True, slots=True)
class Told:
    """What an import did, and what it could not do."""

    problem: str = ""  # nothing was changed
    done: str = ""
    notes: tuple[str, ...] = ()
    rows: tuple[tuple[str, str, str], ...] = ()  # what, about, reason
    candidates: tuple[tuple[str, tuple[Concept, ...]], ...] = ()  # a word of the list, and what it may mean
    encounters: tuple[EncounterChoice, ...] = ()  # of the file, where there are several to choose from
    current: str = ""  # which of them is the current visit


def show(service: Service, index: int) -> None:
    """The expander; `index` is the visit that a list goes to."""
    with st.expander("From a file, a list or a kept variant", icon=":material/upload_file:"):
        file, pasted, kept = st.tabs(["File", "List", "Kept variants"])
        with file:
            _file(service)
        with pasted:
            _list(service, index)
        with kept:
            _variants(service)
    _told(service, index)


def _file(service: Service) -> None:
    turn = int(st.session_state.get(_TURN, 0))
    st.file_uploader(
        "A case file or report of ours, or a FHIR R4 Bundle of one patient (JSON)",
        type=["json"],
        max_upload_size=_MEGABYTES,
        key=f"import-file-{turn}",
        on_change=_take_file,
        args=(service, f"import-file-{turn}"),
        help="The file is read here and stored nowhere; one with several encounters stays in this session until you put "
        "away what was read of it. Nothing that it refers to is fetched.",
    )


def _take_file(service: Service, key: str) -> None:
    upload = st.session_state.get(key)
    if upload is None:
        return
    st.session_state[_TURN] = int(st.session_state.get(_TURN, 0)) + 1  # an empty uploader for the next file
    _read(service, upload.getvalue(), str(upload.name)[:60], None)


def _take_encounter(service: Service, key: str) -> None:
    """The same file, with another of its encounters as the current visit."""
    kept, chosen = st.session_state.get(_FILE), st.session_state.get(key)
    if kept is not None and chosen:
        data, name = kept
        _read(service, data, name, chosen)


def _read(service: Service, data: bytes, name: str, current: str | None) -> None:
    """Make a file's case the draft; `current` chooses an encounter, by default the latest."""
    try:
        found = read_file(data, service.engine.cohort, current=current)
    except LeaderError as error:
        st.session_state[_TOLD] = Told(problem=f"{error} The case below was not changed.")
        return
    left_out = len(found.case.history) - MAX_EARLIER
    notes = list(found.notes)
    if left_out > 0:
        notes.append(
            f"{count(left_out, 'visit')} left out, the oldest: an entered case holds {MAX_EARLIER} earlier visits."
        )
    several = len(found.encounters) > 1
    st.session_state[_FILE] = (data, name) if several else None
    _replace(Draft.from_case(found.case, found.titles, name=f"the file {name}"))
    st.session_state[_TOLD] = Told(
        done=f"Read {name}: {count(len(found.case.history) + 1, 'visit')}.",
        notes=tuple(notes),
        rows=tuple((item.resource, item.code, item.reason) for item in found.listed),
        encounters=found.encounters if several else (),
        current=found.current,
    )


def _encounters(service: Service, told: Told) -> None:
    """Which encounter of the file is the current visit; earlier ones are its history."""
    labels = [each.label for each in told.encounters]
    said = {each.label: _encounter(each) for each in told.encounters}
    key = f"import-encounter-{'-'.join(labels)}-{told.current}"[:200]
    st.selectbox(
        "Encounter to recommend for",
        labels[::-1],
        index=labels[::-1].index(told.current),
        format_func=said.__getitem__,
        key=key,
        on_change=_take_encounter,
        args=(service, key),
        help="Earlier encounters are the history; later ones are left out, for the models cannot know them.",
    )


def _encounter(each: EncounterChoice) -> str:
    """When it began, and what stands in it."""
    began = each.began[:10] or "no date"
    held = [
        count(each.diagnoses, "diagnosis", "diagnoses"),
        count(each.procedures, "procedure"),
        count(each.medications, "medication"),
    ]
    return f"{began} · {', '.join(held)} · {each.label}"


def _list(service: Service, index: int) -> None:
    current = index >= len(session.draft().earlier)
    kinds = [kind for kind in KINDS if not (current and kind == "medication")]
    kind = st.segmented_control(
        "The list is of", kinds, default="diagnosis", required=True, key=f"import-kind-{current}",
        format_func=_KINDS.__getitem__,
    )  # fmt: skip
    st.text_area(
        "Codes, titles or drugs, one a line or separated by commas",
        key="import-list",
        height=110,
        placeholder="428.0, I50.9\n486 pneumonia\nwarfarin 5 mg PO"
        if not current
        else "428.0, I50.9\n486 pneumonia",
    )
    st.button(
        "Add to this visit", icon=":material/playlist_add:", key="import-add",
        on_click=_take_list, args=(service, index, str(kind)),
    )  # fmt: skip


def _take_list(service: Service, index: int, kind: str) -> None:
    text = str(st.session_state.get("import-list") or "")
    if not text.strip():
        st.session_state[_TOLD] = Told(problem="The list is empty: paste some codes or words first.")
        return
    try:
        found = read_list(text, kind, service.engine.cohort)  # type: ignore[arg-type]
    except LeaderError as error:
        st.session_state[_TOLD] = Told(problem=str(error))
        return
    draft = session.draft()
    current = index >= len(draft.earlier)
    rows = [(item.text, "", item.reason) for item in found.unmapped]
    rows += [(text, "", "stands in the list before") for text in found.repeated]
    notes, added = [], 0
    for item in found.resolved:
        code = item.found
        if current and code.kind == "medication":
            rows.append((item.text, code.code, _ASKED_FOR))
            continue
        concept = Concept(code.kind, code.code, code.code.partition(":")[0], code.title)
        changed = draft.add(index, concept)
        added += changed.visit(index) != draft.visit(index)
        draft = changed
        if code.note:
            notes.append(f"{item.text}: {code.note}.")
    undo.change(draft)
    if not found.unmapped:
        st.session_state["import-list"] = ""
    st.session_state[_TOLD] = Told(
        done=f"{count(added, 'code')} added to this visit.",
        notes=tuple(notes),
        rows=tuple(rows),
        candidates=tuple((item.text, item.candidates) for item in found.unmapped if item.candidates),
    )


def _told(service: Service, index: int) -> None:
    """What the last import did; stays until the next, or until it is put away."""
    told: Told | None = st.session_state.get(_TOLD)
    if told is None:
        return
    if told.problem:
        st.error(told.problem, icon=":material/error:")
    if told.done:
        st.success(told.done, icon=":material/check:")
    if told.encounters and st.session_state.get(_FILE) is not None:
        _encounters(service, told)
    if told.notes:
        st.html(markup.plain_list(told.notes))
    if told.rows:
        listed = markup.table(
            ["Not in the case", "About", "Why"], told.rows, caption=f"{len(told.rows)} not taken over"
        )
        with st.container(height=_TALLEST if len(told.rows) > _SHORT else "content", border=False):
            st.html(listed)
    for text, candidates in told.candidates[:5]:
        with st.container(horizontal=True, gap="small"):
            st.html(markup.note(f"{text}:"), width="content")
            for concept in candidates[:4]:
                st.button(
                    f"{concept.title[:48]} ({concept.code})", key=f"import-{text}-{concept.code}"[:200], type="tertiary",
                    on_click=_choose, args=(index, text, concept),
                )  # fmt: skip
    st.button(
        "Put this away", key="import-away", type="tertiary", icon=":material/close:", on_click=_put_away
    )


def _choose(index: int, text: str, concept: Concept) -> None:
    undo.change(session.draft().add(index, concept))
    told: Told = st.session_state[_TOLD]
    st.session_state[_TOLD] = Told(
        done=f"{concept.title} added for “{text}”.",
        notes=told.notes,
        rows=tuple(row for row in told.rows if row[0] != text),
        candidates=tuple(item for item in told.candidates if item[0] != text),
    )


def _put_away() -> None:
    st.session_state.pop(_TOLD, None)
    st.session_state.pop(_FILE, None)


def _variants(service: Service) -> None:
    workspace = get_workspace(service)
    for notice in workspace.notices:
        st.html(markup.callout(notice, "warn"))
    variants = workspace.variants()
    if not variants:
        st.html(markup.note("None yet. Under the scores, a case that you entered can be kept under a name."))
        return
    chosen = st.selectbox(
        "Variant", [v.variant_id for v in variants], key="variant-chosen",
        format_func={v.variant_id: f"{v.name} · {day(v.edited_at)}" for v in variants}.__getitem__,
    )  # fmt: skip
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Open a copy",
            key="variant-open",
            icon=":material/content_copy:",
            on_click=_open_variant,
            args=(service, chosen),
        )
        st.button(
            "Remove", key="variant-remove", icon=":material/delete:", type="tertiary",
            on_click=_remove_variant, args=(service, chosen),
        )  # fmt: skip


def _open_variant(service: Service, variant_id: str) -> None:
    cohort = service.engine.cohort
    try:
        variant = get_workspace(service).variant(variant_id)
    except LeaderError as error:
        st.session_state[_TOLD] = Told(problem=str(error))
        return
    titles = {code: cohort.title(kind, code) or code for kind, code in variant.case.codes()}
    _replace(
        Draft.from_case(
            variant.case, titles, name=f"variant “{variant.name}”", variant_id=variant_id
        ).submit()
    )
    st.session_state[_TOLD] = Told(done=f"Opened a copy of “{variant.name}”.")


def _remove_variant(service: Service, variant_id: str) -> None:
    workspace = get_workspace(service)
    try:
        workspace.remove_variant(workspace.variant(variant_id))
    except LeaderError as error:
        st.session_state[_TOLD] = Told(problem=str(error))


def _replace(draft: Draft) -> None:
    """Another case takes the draft's place; widgets of the one before are forgotten."""
    undo.change(draft)
    for key in [k for k in st.session_state if str(k).startswith(("profile-", "_draft_visit"))]:
        del st.session_state[key]


def keep(service: Service) -> None:
    """Keep the submitted case under a name."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input("Keep this case as", key="variant-name", placeholder="A name", width=240, max_chars=120)
        st.button("Keep", key="variant-keep", icon=":material/bookmark_add:", on_click=_keep, args=(service,))
    if said := st.session_state.pop("_variant_said", None):
        kind, text = said
        (st.success if kind == "done" else st.warning)(text)


def _keep(service: Service) -> None:
    draft = session.draft()
    if draft.submitted is None:
        return
    patient = draft.origin_name.removeprefix("patient ")
    parent = Parent(
        variant_id=draft.variant_id,
        patient_id=int(patient) if draft.origin_name.startswith("patient ") and patient.isdecimal() else None,
    )
    try:
        made = get_workspace(service).save_variant(
            str(st.session_state.get("variant-name") or ""), draft.submitted, parent=parent
        )
    except LeaderError as error:
        st.session_state["_variant_said"] = ("problem", str(error))
        return
    st.session_state["variant-name"] = ""
    st.session_state["_variant_said"] = (
        "done",
        f"Kept as “{made.name}”. It is among the kept variants after a restart too.",
    )
