"""Patients: the worklist. Search, filters, order and page go to the database; a row opens the case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from dashboard.case import header
from dashboard.patients import saved_lists
from dashboard.patients.filters import (
    CUT_CHOICES,
    GENDER_CHOICES,
    LEASTS,
    MARK_CHOICES,
    OLDEST,
    PAGE_SIZES,
    SHARES,
    SPLIT_CHOICES,
    SPREAD_CHOICES,
    VISIT_CHOICES,
    Filters,
    read_ages,
    read_share,
    read_sort,
    ways_out,
    write_ages,
    write_share,
    write_sort,
)
from dashboard.patients.spread import spread
from dashboard.server.service import Service, get_service
from dashboard.shared import analysis_selection, markup, url_state, wording
from dashboard.shared.browser import component
from dashboard.shared.formatting import MISSING, count, day, score, words
from dashboard.tour import guide
from leader_core.cohort import PatientPage, PatientRow
from leader_core.cohort.query import SCORE_SORTS, Sort

_SEARCH: Final = "_search"  # clinical text: in the session, never in the URL
_LAST: Final = "_worklist"  # filters as they were last seen: the navigation's link leads back to them
_COLUMNS: Final[list[dict[str, Any]]] = [
    {"label": "Patient", "sort": "patient_id"},
    {"label": "Age", "sort": "age", "numeric": True},
    {"label": "Gender"},
    {"label": "Visits", "sort": "visits", "numeric": True},
    {"label": "Last admitted", "sort": "admitted_at"},
    {"label": "Main diagnosis of the last visit", "wide": True},
    {"label": "Diagnoses", "sort": "diagnoses", "numeric": True},
    {"label": "Procedures", "numeric": True},
    {"label": "Drug classes", "sort": "medications", "numeric": True},
    {"label": "Split"},
]
_SCORE_COLUMNS: Final[list[dict[str, Any]]] = [
    {"label": "Teacher", "sort": "teacher_jaccard", "numeric": True, "help": "Jaccard of the teacher's set"},
    {"label": "Student", "sort": "student_jaccard", "numeric": True, "help": "Jaccard of the student's set"},
    {"label": "Gap", "sort": "gap", "numeric": True, "help": "Share of the suggested that only one suggests"},
    {
        "label": "Severe pairs",
        "sort": "prescribed_severe",
        "numeric": True,
        "help": "Contraindicated and major pairs of the classes prescribed; the drugs ordered may rule some out",
    },
]
"""Shown where scores are stored, in place of the number of procedures."""
_BINDINGS: Final[dict[str, url_state.Binding]] = {
    "visits": url_state.Binding.choice("any", VISIT_CHOICES),
    "gender": url_state.Binding.choice("any", GENDER_CHOICES),
    "split": url_state.Binding.choice("any", SPLIT_CHOICES),
    "ages": url_state.Binding((0, OLDEST), read_ages, write_ages),
    "chapters": url_state.Binding([], lambda text: text.split("|"), "|".join),
    **{name: url_state.Binding((0.0, 1.0), read_share, write_share) for name in SHARES},
    **{name: url_state.Binding.number(0) for name in LEASTS},
    "truncated": url_state.Binding.choice("any", CUT_CHOICES),
    "marked": url_state.Binding.choice("any", MARK_CHOICES),
    analysis_selection.CASES: analysis_selection.BINDING,
    "spread": url_state.Binding.choice("age", SPREAD_CHOICES),
    "sort": url_state.Binding(read_sort(""), read_sort, lambda sort: write_sort(*sort)),
    "page": url_state.Binding.number(1),
    "rows": url_state.Binding.number(PAGE_SIZES[0], PAGE_SIZES),
}


def draw() -> None:
    service = get_service()
    st.html(
        markup.title(
            "Patients",
            f"{service.engine.cohort.fingerprint.patients:,} in this cohort; open one to compare the models",
        )
    )
    guide.offer()
    asked = {key: value for key, value in st.query_params.to_dict().items() if key in _BINDINGS}
    url_state.enter("patients", _BINDINGS, asked or st.session_state.get(_LAST))
    filters = _filters(service)
    sort, descending = st.session_state["sort"]
    size, page = int(st.session_state["rows"]), int(st.session_state["page"])
    found = service.engine.cohort.patients(filters.query(sort, descending, page, size))
    if found.total and not found.rows:  # a page number from an older, longer list
        st.session_state["page"] = 1
        found = service.engine.cohort.patients(filters.query(sort, descending, 1, size))
    st.session_state[header.LISTED] = filters.query(sort, descending, found.page, size)
    _told(service, found, filters, sort, descending)
    st.session_state[_LAST] = url_state.written(_BINDINGS)
    url_state.publish("patients", st.session_state[_LAST])
    if not found.rows:
        _empty(service, filters)
        return
    _spread(service, filters)
    _table(service, found, sort, descending)
    _pages(found)


def _filters(service: Service) -> Filters:
    """The search box and the filters in one row; all but the search live in the URL."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="filters"):
        st.text_input(
            "Search",
            key=_SEARCH,
            type="search",
            icon=":material/search:",
            live="250ms",
            persist_state="session",
            width=270,
            placeholder="Patient id, diagnosis, procedure or drug",
            on_change=_first_page,
            help="Words or codes. Separate several by commas: all must be found.",
        )
        st.segmented_control(
            "Visits",
            list(VISIT_CHOICES),
            key="visits",
            default="any",
            required=True,
            format_func=lambda v: VISIT_CHOICES[v][0],
            on_change=_first_page,
        )
        st.segmented_control(
            "Gender",
            list(GENDER_CHOICES),
            key="gender",
            default="any",
            required=True,
            format_func=GENDER_CHOICES.__getitem__,
            on_change=_first_page,
        )
        st.slider("Age", 0, OLDEST, (0, OLDEST), key="ages", on_change=_first_page, width=140)
        st.selectbox(
            "Split",
            list(SPLIT_CHOICES),
            key="split",
            width=140,
            format_func=SPLIT_CHOICES.__getitem__,
            on_change=_first_page,
        )
        _more_filters(service)
    low, high = st.session_state["ages"]
    return Filters(
        text=st.session_state[_SEARCH] or "",
        visits=st.session_state["visits"] or "any",
        gender=st.session_state["gender"] or "any",
        split=st.session_state["split"] or "any",
        ages=(int(low), int(high)),
        chapters=tuple(st.session_state["chapters"]),
        prescribed_severe=int(st.session_state["prescribed_severe"]),
        suggested_severe=int(st.session_state["suggested_severe"]),
        truncated=st.session_state["truncated"] or "any",
        marked=(marked := st.session_state["marked"] or "any"),
        patient_ids=saved_lists.marked_ids(service, marked),
        **analysis_selection.filters(service),
        **{name: tuple(map(float, st.session_state[name])) for name in SHARES},  # type: ignore[arg-type]
    )


def _more_filters(service: Service) -> None:
    """Filters that are wanted less often, and those that need stored scores."""
    chapters = service.engine.cohort.chapters()
    st.session_state["chapters"] = [c for c in st.session_state["chapters"] if c in chapters]
    set_here = sum(
        st.session_state[name] != _BINDINGS[name].default
        for name in ("marked", "chapters", *SHARES, *LEASTS, "truncated")
    )
    with st.popover(f"More filters ({set_here})" if set_here else "More filters", icon=":material/tune:"):
        st.segmented_control(
            "Show",
            list(MARK_CHOICES),
            key="marked",
            default="any",
            required=True,
            format_func=MARK_CHOICES.__getitem__,
            on_change=_first_page,
        )
        st.multiselect(
            "Diagnosis chapter",
            chapters,
            key="chapters",
            on_change=_first_page,
            placeholder="Any chapter",
            help="Patients whose last visit has a diagnosis in any of these chapters.",
        )
        absent = service.engine.cohort.scores is None
        if absent:
            st.html(markup.callout(wording.NO_SCORES + " " + service.engine.cohort.scores_note, "warn"))
        for name, label in SHARES.items():
            st.slider(label, 0.0, 1.0, step=0.05, key=name, on_change=_first_page, disabled=absent)
        for name, label in LEASTS.items():
            st.number_input(
                f"{label}, at least", 0, 999, step=1, key=name, on_change=_first_page, disabled=absent
            )
        st.segmented_control(
            "The teacher's prompt",
            list(CUT_CHOICES),
            key="truncated",
            default="any",
            required=True,
            format_func=CUT_CHOICES.__getitem__,
            on_change=_first_page,
            disabled=absent,
        )


def _first_page() -> None:
    st.session_state["page"] = 1


def _told(service: Service, found: PatientPage, filters: Filters, sort: Sort, descending: bool) -> None:
    """How many patients, under which filters, one button that undoes them all, and the list to take along."""
    active = filters.active()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        text = count(found.total, "patient")
        if active:
            text += f", with {', '.join(active.values())}"
        st.html(markup.note(text), width="content")
        if active:
            st.button(
                "Clear filters",
                type="tertiary",
                icon=":material/filter_alt_off:",
                on_click=_clear,
                args=(tuple(active),),
            )
        st.space("stretch")
        saved_lists.show(service, filters, sort, descending, _open_list)
        if found.total:
            query = filters.query(sort, descending)
            st.download_button(
                "CSV",
                lambda: service.engine.cohort.worklist_csv(query),
                file_name="patients.csv",
                mime="text/csv",
                icon=":material/download:",
                type="tertiary",
                help=f"All {count(found.total, 'patient')} of this list, with their scores where there are any.",
            )


def _open_list(filters: Filters, sort: Sort, descending: bool) -> None:
    """Show a saved list: its filters and order become the page's."""
    st.session_state[_SEARCH] = filters.text
    for name in _BINDINGS:
        if hasattr(filters, name):
            value = getattr(filters, name)
            st.session_state[name] = list(value) if name == "chapters" else value
    st.session_state["sort"] = (sort, descending)
    _first_page()


def _spread(service: Service, filters: Filters) -> None:
    """How the listed patients spread over one figure."""
    choices = [s for s in SPREAD_CHOICES if service.engine.cohort.scores is not None or s not in SCORE_SORTS]
    if st.session_state["spread"] not in choices:
        st.session_state["spread"] = choices[0]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="spread_box"):
        st.selectbox(
            "Distribution of",
            choices,
            key="spread",
            format_func=SPREAD_CHOICES.__getitem__,
            width=190,
        )
        figure = st.session_state["spread"]
        found = service.engine.cohort.spread(filters.query(), figure)
        st.html(spread(found, SPREAD_CHOICES[figure]), width="stretch")


def _clear(names: tuple[str, ...]) -> None:
    for name in names:
        if name == "text":
            st.session_state[_SEARCH] = ""
        else:
            st.session_state[name] = _BINDINGS[name].default
    _first_page()


def _empty(service: Service, filters: Filters) -> None:
    """No row: which filter took the last one away, and a button that undoes it."""
    if not filters.active():
        st.html(
            markup.empty(
                "This cohort holds no patients", "Build one with `python -m train cohort`, or serve another."
            )
        )
        return
    ways = ways_out(filters, lambda query: service.engine.cohort.patients(query).total)
    if ways:
        st.html(
            markup.empty("No patient matches all of this", "Any one of these steps brings patients back.")
        )
        with st.container(horizontal=True):
            for way in ways:
                st.button(
                    f"Remove {way.words} ({count(way.total, 'patient')})",
                    on_click=_clear,
                    args=((way.name,),),
                    key=f"out-{way.name}",
                )
    else:
        st.html(
            markup.empty(
                "No patient matches",
                "No single filter is to blame: clear them all, or search for fewer words.",
            )
        )


def _table(service: Service, found: PatientPage, sort: str, descending: bool) -> None:
    scored = service.engine.cohort.scores is not None
    marks = saved_lists.marks(service, [row.patient_id for row in found.rows])
    component("patients/worklist")(
        key="worklist",
        data={
            "caption": "Patients; choose one to open the case",
            "columns": _columns(service, scored, bool(marks)),
            "rows": [_row(row, scored, marks) for row in found.rows],
            "sort": sort,
            "descending": descending,
        },
        on_sorted_change=_sort,
    )


def _columns(service: Service, scored: bool, marked: bool) -> list[dict[str, Any]]:
    """The columns: scores in place of the number of procedures where there are any; stars and notes last."""
    unit = wording.unit(service.engine.cohort.fingerprint.atc_level)
    shown = [{**c, "label": unit.headings} if c.get("sort") == "medications" else c for c in _COLUMNS]
    if scored:
        shown = [c for c in shown if c["label"] != "Procedures"]
        shown = [*shown[:-1], *_SCORE_COLUMNS, shown[-1]]
    return [*shown, {"label": "Marked"}] if marked else shown


def _sort() -> None:
    """Take over the order that a column's heading asked for, from its first page on."""
    wanted = getattr(st.session_state.get("worklist"), "sorted", None)
    if isinstance(wanted, Mapping):
        written = write_sort(str(wanted.get("key", "")), bool(wanted.get("descending")))
        st.session_state["sort"] = read_sort(written)
        _first_page()


def _row(row: PatientRow, scored: bool, marks: Mapping[int, str]) -> dict[str, Any]:
    cells = [
        str(row.patient_id),
        MISSING if row.age is None else str(row.age),
        wording.GENDER_LABELS.get(row.gender, words(row.gender or "")),
        str(row.visits),
        day(row.admitted_at),
        row.main_diagnosis or MISSING,
        str(row.diagnoses),
        *([] if scored else [str(row.procedures)]),
        str(row.medications),
    ]
    if scored:
        cells += [score(value) for value in (row.teacher_jaccard, row.student_jaccard, row.gap)]
        cells.append(MISSING if row.prescribed_severe is None else str(row.prescribed_severe))
    return {
        "id": str(row.patient_id),
        "href": f"case?patient={row.patient_id}&visit={row.visits}",
        "cells": [
            *cells,
            wording.SPLIT_LABELS.get(row.split, row.split),
            *([marks.get(row.patient_id, "")] if marks else []),
        ],
    }


def _pages(found: PatientPage) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.pagination(found.pages, key="page")
        st.selectbox(
            "Rows a page",
            PAGE_SIZES,
            key="rows",
            on_change=_first_page,
            width=120,
            label_visibility="collapsed",
            format_func=lambda n: f"{n} rows",
        )
