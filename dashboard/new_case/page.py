"""New case: enter visits, codes and a profile by words or code; both models answer on submit."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import streamlit as st

from dashboard.interactions import alert_list
from dashboard.new_case import import_file
from dashboard.new_case import results as results_panel
from dashboard.server import audit
from dashboard.server.service import Service, get_service
from dashboard.shared import markup, wording
from dashboard.shared.case_text import profile_value
from dashboard.shared.draft import (
    LOST,
    MAX_EARLIER,
    VISIT,
    Draft,
    can_undo,
    change_draft,
    copy_case,
    draft_lost,
    replace_draft,
    session_draft,
    undo,
)
from dashboard.shared.error_messages import guarded, notice
from dashboard.shared.templates import component
from leader_core import AGE_BANDS, KINDS, UNKNOWN, Concept, LeaderError
from leader_core.domain import Kind
from leader_core.errors import InputError
from leader_core.exchange.code_lists import read_drugs

_START: Final = "_draft_start"
_PROBLEM: Final = "_draft_problem"
_PLANNED: Final = "planned-drugs"
_FIRST: Final[Mapping[str, str]] = {"age_band": "Age", "gender": "Sex"}
"""Fields that stand first, as they are called here."""
_EXAMPLE: Final = ("atrial fibrillation", "congestive heart failure", "acute kidney injury")
_EXAMPLE_DRUGS: Final = "warfarin 5 mg PO; metoprolol 25 mg PO; ibuprofen 400 mg PO"
_NAMED_IN_FULL: Final = 3
_RESULTS: Final = 12
_LONGEST_QUERY: Final = 200  # characters
_PLACEHOLDERS: Final[Mapping[str, str]] = {
    "diagnosis": "Words, abbreviation or ICD code: CHF, I50",
    "procedure": "Words, abbreviation or ICD code: CABG, 9671",
    "medication": "Drug, brand, class or ATC code: Lasix, B01A",
}


def draw() -> None:
    service = get_service()
    st.html(
        markup.title(
            "New case",
            "nothing typed here enters the link or the cohort; a reload keeps it, saving gives it a name",
        )
    )
    form, results = st.columns([1, 1.75], gap="large")
    with (
        results
    ):  # drawn first: they are what is waited for; every change of the form was taken by a callback
        results_panel.show(service)
    with form:
        _form(service)


def _form(service: Service) -> None:
    draft = session_draft()
    if draft_lost():
        st.html(markup.callout(LOST, "warn"))
    _start(service, draft)
    _profile(service, draft)
    st.html(markup.panel_title("Visits", "the models answer for the current one"))
    index = _visit_choice(draft)
    import_file.show(service, index)
    _codes(service, draft, index)
    if index >= len(draft.earlier):
        _planned(draft)
    _submit(draft)


def _start(service: Service, draft: Draft) -> None:
    """Blank, as a copy of a patient, or an example."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="start"):
        st.text_input(
            "Start from a patient of the cohort",
            key=_START,
            placeholder="Patient id",
            width=190,
        )
        st.button("Copy", on_click=_copy, args=(service,), icon=":material/content_copy:", key="copy")
        st.button("Start blank", on_click=_blank, icon=":material/restart_alt:", type="tertiary", key="blank")
        st.button(
            "Undo",
            on_click=undo,
            icon=":material/undo:",
            type="tertiary",
            key="undo",
            disabled=not can_undo(),
        )
        if draft.problem and not draft.earlier:
            st.button(
                "Fill in an example",
                on_click=_example,
                args=(service,),
                icon=":material/lightbulb:",
                type="tertiary",
                key="example",
                help="A woman with atrial fibrillation, heart failure and acute kidney injury, and three drugs.",
            )
    if problem := st.session_state.pop(_PROBLEM, ""):
        notice(problem, "warning", "search_off")


@guarded
def _copy(service: Service) -> None:
    text = str(st.session_state.get(_START) or "").strip()
    if not text.isdecimal() or len(text) > 18:
        st.session_state[_PROBLEM] = "Give the patient's id as a whole number, as the worklist shows it."
        return
    try:
        case = service.engine.cohort.case(int(text))
        audit.record_opened(f"patient {case.patient_id}, visit {case.current.visit_no}", "copy")
        copy_case(case, service)
    except LeaderError as error:
        st.session_state[_PROBLEM] = str(error)


def _blank() -> None:
    replace_draft(Draft())
    st.session_state[_START] = ""


@guarded
def _example(service: Service) -> None:
    """The example's words, looked up in this cohort's code lists as if they were typed."""
    draft = Draft(profile={"age_band": "75-84", "gender": "F"}, drugs=(_EXAMPLE_DRUGS,))
    for words_ in _EXAMPLE:
        for concept in service.engine.cohort.search(words_, kinds=("diagnosis",), limit=1):
            draft = draft.add(0, concept)
    replace_draft(draft)


def _visit_choice(draft: Draft) -> int:
    """Which visit is being edited; the last index is the current visit."""
    total = len(draft.earlier)
    long = total <= _NAMED_IN_FULL  # more of them are numbered, so that all stand in one row
    labels = [f"Earlier visit {n}" if long else f"{n}" for n in range(1, total + 1)] + ["Current visit"]
    chosen = min(int(st.session_state.get(VISIT, total)), total)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        picked = st.segmented_control(
            "Visit",
            range(total + 1),
            default=chosen,
            required=True,
            format_func=labels.__getitem__,
            key=f"{VISIT}-of-{total}",
            label_visibility="collapsed",
        )
        st.button(
            "Add an earlier visit",
            icon=":material/add:",
            type="tertiary",
            on_click=_add_visit,
            disabled=total >= MAX_EARLIER,
        )
    index = chosen if picked is None else int(picked)
    if index < total:
        st.button(
            "Remove this visit",
            icon=":material/delete:",
            type="tertiary",
            on_click=_remove_visit,
            args=(index,),
        )
    return index


def _add_visit() -> None:
    change_draft(session_draft().add_visit())
    st.session_state[VISIT] = len(session_draft().earlier) - 1


def _remove_visit(index: int) -> None:
    change_draft(session_draft().remove_visit(index))
    st.session_state[VISIT] = len(session_draft().earlier)


def _codes(service: Service, draft: Draft, index: int) -> None:
    """A search for each kind of code; the current visit takes no medications, which the models recommend."""
    current = index >= len(draft.earlier)
    for kind in KINDS:
        if kind == "medication" and current:
            continue
        key = f"pick-{kind}-{index}-of-{len(draft.earlier)}"
        query, results = _search_results(key)
        codes = draft.visit(index).codes(kind)
        component("new_case/code_search")(
            key=key,
            data={
                "label": wording.KIND_LABELS[kind],
                "placeholder": _PLACEHOLDERS[kind],
                "chosen": [{"code": code, "title": draft.titles.get(code, code)} for code in codes],
                "query": query,
                "results": list(listed_results(results)),
            },
            on_searched_change=functools.partial(_search, service, kind, key),
            on_added_change=functools.partial(_add_code, key, index),
            on_removed_change=functools.partial(_remove_code, key, index, kind),
        )


def _search_results(key: str) -> tuple[str, tuple[Concept, ...]]:
    """The last query of this field, and its results."""
    last: tuple[str, tuple[Concept, ...]] = st.session_state.get(f"_search-{key}", ("", ()))
    return last


def _search(service: Service, kind: Kind, key: str) -> None:
    if (typed := getattr(st.session_state.get(key), "searched", None)) is not None:
        query = str(typed)[:_LONGEST_QUERY]
        results = service.engine.cohort.search(query, kinds=(kind,), limit=_RESULTS)
        st.session_state[f"_search-{key}"] = (query, results)


def _add_code(key: str, index: int) -> None:
    code = getattr(st.session_state.get(key), "added", None)
    concept = next((c for c in _search_results(key)[1] if c.code == code), None)
    st.session_state[f"_search-{key}"] = ("", ())
    if concept is not None:
        change_draft(session_draft().add(index, concept))


def _remove_code(key: str, index: int, kind: Kind) -> None:
    if (code := getattr(st.session_state.get(key), "removed", None)) is not None:
        change_draft(session_draft().remove(index, kind, str(code)))


def listed_results(results: Iterable[Concept]) -> Iterator[dict[str, Any]]:
    """What the list of results shows; a hint that several results share is given with the first."""
    terms: set[str] = set()
    for concept in results:
        term = concept.hint.partition(": ")[0]
        yield {"code": concept.code, "title": concept.title, "hint": "" if term in terms else concept.hint}
        terms.add(term)


def _planned(draft: Draft) -> None:
    """Drugs of the current stay: reviewed for alerts at once, never read by a model."""
    if _PLANNED not in st.session_state:  # through the state, which also updates a browser with another value
        st.session_state[_PLANNED] = "\n".join(draft.drugs)
    st.text_area(
        "Drugs ordered or planned",
        key=_PLANNED,
        height=80,
        placeholder="Nafcillin 2 g IV; metoprolol 25 mg PO",
        help="Optional, in any spelling, one a line or separated by ; or ,. They are checked against each other, "
        "the conditions and the suggestions; the models never read them.",
        on_change=_take_planned,
    )
    if draft.origin_name.startswith("patient ") and not draft.drugs:
        st.html(markup.note("What was ordered for the patient is not copied: type what is to be checked."))
    try:
        alert_list.not_understood(read_drugs("\n".join(draft.drugs)).unknown)
    except InputError as error:
        st.html(markup.callout(str(error), "warn"))


def _take_planned() -> None:
    typed = str(st.session_state.get(_PLANNED) or "")
    change_draft(replace(session_draft(), drugs=(typed,) if typed.strip() else ()))


def _profile(service: Service, draft: Draft) -> None:
    """Age and sex, then the other fields of this cohort's profiles; anything left out is "unknown" to the student."""
    st.html(markup.panel_title("Patient", "optional; only the student reads it"))
    fields = [name for name in service.engine.cohort.profile_fields if name in wording.FIELD_LABELS]
    first = [name for name in _FIRST if name in fields]
    rest = [name for name in fields if name not in first]
    _fields(service, draft, first)
    if rest:
        given = sum(draft.profile.get(name, UNKNOWN) != UNKNOWN for name in rest)
        with st.expander(f"Insurance, admission and more{f' ({given} given)' if given else ''}"):
            _fields(service, draft, rest)


def _fields(service: Service, draft: Draft, names: Sequence[str]) -> None:
    columns = st.columns(2, gap="small")
    for position, name in enumerate(names):
        values = _values(service, name)
        value = draft.profile.get(name, UNKNOWN)
        options = [UNKNOWN, *values] + ([value] if value not in (UNKNOWN, *values) else [])
        key = f"profile-{name}"
        if key not in st.session_state:  # through the state, which also updates a browser with another value
            st.session_state[key] = value
        with columns[position % 2]:
            st.selectbox(
                _FIRST.get(name, wording.FIELD_LABELS[name]),
                options,
                key=key,
                format_func=functools.partial(profile_value, name, missing="Not given"),
                on_change=_take_field,
                args=(name, key),
            )


def _take_field(name: str, key: str) -> None:
    """One field of the profile as it was chosen; what has no field here stays."""
    draft = session_draft()
    change_draft(draft.set_profile({**draft.profile, name: str(st.session_state.get(key) or UNKNOWN)}))


def _values(service: Service, name: str) -> list[str]:
    if name == "age_band":
        return [label for _, label in AGE_BANDS]
    return [v for v in service.engine.cohort.profile_values(name) if v != UNKNOWN]


def _submit(draft: Draft) -> None:
    """The button, and why it does nothing yet."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="submit"):
        st.button(
            "Recommend",
            type="primary",
            disabled=bool(draft.problem),
            key="recommend",
            icon=":material/play_arrow:",
            on_click=results_panel.submit,
        )
        if draft.problem:
            st.html(markup.note(draft.problem), width="content")
        elif draft.changed:
            st.html(markup.note("Edited since it was scored."), width="content")
        elif draft.submitted is not None:
            with st.container(key="scored_below", width="content"):
                st.html(markup.note("The recommendations are below."), width="content")
