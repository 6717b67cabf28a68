"""Filling New case from a file, a pasted list or a saved variant; and saving the case as a variant.

An import changes the session's draft only when all of it succeeded; what could not be read is listed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, cast

import streamlit as st

from dashboard.new_case import import_list
from dashboard.new_case.import_preview import (
    ImportOutcome,
    forget_outcome,
    next_turn,
    outcome,
    outcome_of,
    set_outcome,
    show_choices,
    show_rows,
    this_turn,
)
from dashboard.server import audit
from dashboard.server.service import Service
from dashboard.server.workspace import get_workspace
from dashboard.shared import markup
from dashboard.shared.draft import Draft, known_titles, replace_draft, session_draft
from dashboard.shared.error_messages import guarded, notice
from dashboard.shared.formatting import count, day, plain
from leader_core import LeaderError
from leader_core.cohort.ndc import NdcMap, parse_ndc_map
from leader_core.exchange.case_json import read_file
from leader_core.exchange.fhir import EncounterChoice
from leader_core.exchange.fhir_patient import PatientChoice
from leader_core.terminology.drugs import AtcLevel
from leader_core.workspace import Parent

_FILE: Final = "_import_file"
"""The upload whose encounters or patients can still be chosen between; forgotten when its outcome is dismissed."""
_SAVED: Final = "_variant_saved"
_MEGABYTES: Final = 20
_ONE_MAP: Final = (
    "A CSV is read as a map of NDCs to ATC codes, one at a time and together with the FHIR file that it is for. Codes in "
    "a table can be pasted under List. The case below was not changed."
)


@dataclass(frozen=True, slots=True)
class _Upload:
    """Files as they were given."""

    files: list[bytes]
    name: str
    ndc_map: NdcMap | None


def show(service: Service, index: int) -> None:
    """The expander; `index` is the visit that a list goes to."""
    with st.expander("From a file, a list or a saved variant", icon=":material/upload_file:"):
        file, pasted, saved = st.tabs(["File", "List", "Saved variants"])
        with file:
            _file(service)
        with pasted:
            import_list.show(service, index)
        with saved:
            _variants(service)
    with st.container():  # a place of its own, so that what follows keeps its place
        _outcome(service, index)


def _file(service: Service) -> None:
    key = f"import-file-{this_turn()}"
    st.file_uploader(
        "A case file or report of LEADER, or FHIR (JSON, NDJSON or XML, also gzipped)",
        type=["json", "ndjson", "jsonl", "xml", "gz", "csv"],
        accept_multiple_files=True,
        max_upload_size=_MEGABYTES,
        key=key,
        on_change=_take_file,
        args=(service, key),
        help="An export in several files is given at once, and with it a CSV of NDCs and ATC codes where its medicines have "
        "no names. Files are read here and stored nowhere; those with several encounters or patients stay in this session "
        "until you dismiss the message about them. Nothing that they refer to is fetched.",
    )


@guarded
def _take_file(service: Service, key: str) -> None:
    uploads = st.session_state.get(key)
    if uploads:
        next_turn()  # an empty uploader for the next file
        names = [str(upload.name)[:60] for upload in uploads]
        name = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        maps = [upload for upload in uploads if str(upload.name).lower().endswith(".csv")]
        if len(maps) > 1 or len(maps) == len(uploads):
            set_outcome(ImportOutcome(problem=_ONE_MAP))
            return
        data = [upload.getvalue() for upload in uploads if upload not in maps]
        try:
            level = cast(AtcLevel, service.engine.cohort.fingerprint.atc_level)
            ndc_map = parse_ndc_map(maps[0].getvalue(), str(maps[0].name)[:60], level) if maps else None
        except LeaderError as error:
            set_outcome(ImportOutcome(problem=f"{error} The case below was not changed."))
            return
        _read(service, _Upload(data, name, ndc_map))


@guarded
def _read_again(service: Service, choice: Literal["current", "patient"], key: str) -> None:
    """The same file, with another of its encounters as the current visit, or as the case of another patient."""
    upload, shown, chosen = st.session_state.get(_FILE), outcome(), st.session_state.get(key)
    if upload is not None and shown is not None and chosen:
        next_turn()
        _read(service, upload, **{"patient": shown.patient or None, choice: chosen})


def _read(
    service: Service, upload: _Upload, *, current: str | None = None, patient: str | None = None
) -> None:
    """Make the files' case the draft; `current` chooses an encounter, by default the latest."""
    try:
        result = read_file(
            upload.files, service.engine.cohort, current=current, patient=patient, ndc_map=upload.ndc_map
        )
        draft = Draft.from_case(result.case, result.titles, name=f"the file {upload.name}")
    except LeaderError as error:
        before = outcome()
        if before is None or not patient:
            set_outcome(ImportOutcome(problem=f"{error} The case below was not changed."))
        else:  # another patient of the same file can still be chosen
            set_outcome(replace(before, problem=f"{error} The case below was not changed.", done=""))
        return
    choices = len(result.encounters) > 1 or result.patients
    st.session_state[_FILE] = upload if choices else None
    replace_draft(draft)
    set_outcome(outcome_of(result, draft, upload.name, this_turn()))


def _choices(service: Service, shown: ImportOutcome) -> None:
    """Whose case it is, and which encounter is the current visit, where the file holds several."""
    if shown.patients:
        texts = {each.label: _patient_text(each) for each in shown.patients}
        key = f"import-patient-{this_turn()}"
        st.selectbox(
            "Patient of the file",
            list(texts),
            index=list(texts).index(shown.patient),
            format_func=texts.__getitem__,
            key=key,
            on_change=_read_again,
            args=(service, "patient", key),
            help="One case is of one patient; what the file has about the others is left alone.",
        )
    if shown.encounters:
        texts = {each.label: _encounter_text(each) for each in reversed(shown.encounters)}
        key = f"import-encounter-{this_turn()}"
        st.selectbox(
            "Encounter to recommend for",
            list(texts),
            index=list(texts).index(shown.current),
            format_func=texts.__getitem__,
            key=key,
            on_change=_read_again,
            args=(service, "current", key),
            help="Earlier encounters are the history; later ones are left out, for the models cannot know them.",
        )


def _patient_text(each: PatientChoice) -> str:
    born = f"born {each.born}" if each.born else "no date of birth"
    return plain(
        " · ".join(filter(None, (each.label, each.gender, born, count(each.resources, "entry", "entries")))),
        90,
    )


def _encounter_text(each: EncounterChoice) -> str:
    counts = [
        count(each.diagnoses, "diagnosis", "diagnoses"),
        count(each.procedures, "procedure"),
        count(each.medications, "medication"),
    ]
    return f"{each.began[:10] or 'no date'} · {', '.join(counts)} · {each.label}"


def _outcome(service: Service, index: int) -> None:
    """What the last import did; stays until the next, or until it is dismissed."""
    shown = outcome()
    if shown is None:
        return
    if shown.problem:
        notice(shown.problem)
    if shown.done:
        notice(shown.done, "success", "check")
    if st.session_state.get(_FILE) is not None:
        _choices(service, shown)
    if shown.notes:
        st.html(markup.plain_list(shown.notes))
    show_choices(shown)
    show_rows(shown)
    st.button("Dismiss", key="import-dismiss", type="tertiary", icon=":material/close:", on_click=_dismiss)


def _dismiss() -> None:
    forget_outcome()
    st.session_state.pop(_FILE, None)


def _variants(service: Service) -> None:
    workspace = get_workspace(service)
    variants = {each.variant_id: f"{each.name} · {day(each.edited_at)}" for each in workspace.variants()}
    for each in workspace.notices:  # one that is damaged too
        st.html(markup.callout(each, "warn"))
    if not variants:
        st.html(markup.note("None yet. Under the scores, a case that you entered can be saved under a name."))
        return
    variant_id = st.selectbox(
        "Variant", list(variants), key="variant-chosen", format_func=variants.__getitem__
    )
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Open a copy",
            key="variant-open",
            icon=":material/content_copy:",
            on_click=_open_variant,
            args=(service, variant_id),
        )
        st.button(
            "Remove",
            key="variant-remove",
            icon=":material/delete:",
            type="tertiary",
            on_click=_remove_variant,
            args=(service, variant_id),
        )


@guarded
def _open_variant(service: Service, variant_id: str) -> None:
    try:
        variant = get_workspace(service).variant(variant_id)
        patient = variant.parent.patient_id
        audit.record_opened(
            f"variant {variant_id}{f' of patient {patient}' if patient is not None else ''}", "variant"
        )
    except LeaderError as error:
        set_outcome(ImportOutcome(problem=str(error)))
        return
    titles = known_titles(variant.case, service)
    name = f"variant “{variant.name}”"
    replace_draft(Draft.from_case(variant.case, titles, name=name, variant_id=variant_id).submit())
    set_outcome(ImportOutcome(done=f"Opened a copy of “{variant.name}”."))


@guarded
def _remove_variant(service: Service, variant_id: str) -> None:
    workspace = get_workspace(service)
    try:
        workspace.remove_variant(workspace.variant(variant_id))
    except LeaderError as error:
        set_outcome(ImportOutcome(problem=str(error)))


def save(service: Service) -> None:
    """A field and a button to save the submitted case as a named variant."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input("Save this case as", key="variant-name", placeholder="A name", width=240, max_chars=120)
        st.button(
            "Save",
            key="variant-save",
            icon=":material/bookmark_add:",
            on_click=_save_variant,
            args=(service,),
        )
    if (message := st.session_state.pop(_SAVED, None)) is not None:
        succeeded, text = message
        notice(text, "success" if succeeded else "warning", "check" if succeeded else "error")


@guarded
def _save_variant(service: Service) -> None:
    draft = session_draft()
    if draft.submitted is None:
        return
    patient = draft.origin_name.removeprefix("patient ")
    parent = Parent(
        variant_id=draft.variant_id,
        patient_id=int(patient) if draft.origin_name.startswith("patient ") and patient.isdecimal() else None,
    )
    try:
        name = str(st.session_state.get("variant-name") or "")
        variant = get_workspace(service).save_variant(name, draft.submitted, parent=parent)
    except LeaderError as error:
        st.session_state[_SAVED] = (False, str(error))
        return
    st.session_state["variant-name"] = ""
    st.session_state[_SAVED] = (
        True,
        f"Saved as “{variant.name}”. It stays among the saved variants after a restart.",
    )
