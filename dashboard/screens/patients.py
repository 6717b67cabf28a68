"""Patients: the worklist. Search, filters, order and page go to the database; a row opens the case."""

from __future__ import annotations

from typing import Any, Final, cast

import streamlit as st

from dashboard import address, navigation, state, wording
from dashboard.components import markup
from dashboard.components.browser import component, nothing
from dashboard.formatting import MISSING, count, day, words
from dashboard.service import Service, get_service
from dashboard.worklist import (
    GENDER_CHOICES,
    OLDEST,
    PAGE_SIZES,
    SPLIT_CHOICES,
    VISIT_CHOICES,
    Filters,
    read_ages,
    read_sort,
    ways_out,
    write_ages,
    write_sort,
)
from leader_core.cohort import PatientPage, PatientRow

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
_BINDINGS: Final[dict[str, address.Binding]] = {
    "visits": address.Binding.choice("any", VISIT_CHOICES),
    "gender": address.Binding.choice("any", GENDER_CHOICES),
    "split": address.Binding.choice("any", SPLIT_CHOICES),
    "ages": address.Binding((0, OLDEST), read_ages, write_ages),
    "sort": address.Binding(read_sort(""), read_sort, lambda sort: write_sort(*sort)),
    "page": address.Binding.number(1),
    "rows": address.Binding.number(PAGE_SIZES[0], PAGE_SIZES),
}


def draw() -> None:
    service = get_service()
    st.html(
        markup.title(
            "Patients",
            f"{service.engine.cohort.fingerprint.patients:,} in this cohort; open one to compare the models",
        )
    )
    address.enter("patients", _BINDINGS, st.query_params.to_dict() or st.session_state.get(_LAST))
    filters = _filters()
    sort, descending = st.session_state["sort"]
    size, page = int(st.session_state["rows"]), int(st.session_state["page"])
    found = service.engine.cohort.patients(filters.query(sort, descending, page, size))
    if found.total and not found.rows:  # a page number from an older, longer list
        st.session_state["page"] = 1
        found = service.engine.cohort.patients(filters.query(sort, descending, 1, size))
    _told(found, filters)
    st.session_state[_LAST] = address.written(_BINDINGS)
    address.publish("patients", st.session_state[_LAST])
    if not found.rows:
        _empty(service, filters)
        return
    _table(found, sort, descending)
    _pages(found)


def _filters() -> Filters:
    """The search box and the filters in one row; all but the search live in the URL."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="filters"):
        st.text_input(
            "Search",
            key=_SEARCH,
            type="search",
            icon=":material/search:",
            live="250ms",
            persist_state="session",
            width=340,
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
        st.slider("Age", 0, OLDEST, (0, OLDEST), key="ages", on_change=_first_page, width=165)
        st.selectbox(
            "Split",
            list(SPLIT_CHOICES),
            key="split",
            width=140,
            format_func=SPLIT_CHOICES.__getitem__,
            on_change=_first_page,
        )
    low, high = st.session_state["ages"]
    return Filters(
        text=st.session_state[_SEARCH] or "",
        visits=st.session_state["visits"] or "any",
        gender=st.session_state["gender"] or "any",
        split=st.session_state["split"] or "any",
        ages=(int(low), int(high)),
    )


def _first_page() -> None:
    st.session_state["page"] = 1


def _told(found: PatientPage, filters: Filters) -> None:
    """How many patients, under which filters, and one button that undoes them all."""
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


def _table(found: PatientPage, sort: str, descending: bool) -> None:
    unit = wording.unit(get_service().engine.cohort.fingerprint.atc_level)
    result = component("worklist")(
        key="worklist",
        data={
            "caption": "Patients; choose one to open the case",
            "columns": [
                {**c, "label": unit.headings} if c.get("sort") == "medications" else c for c in _COLUMNS
            ],
            "rows": [_row(row) for row in found.rows],
            "sort": sort,
            "descending": descending,
        },
        on_opened_change=nothing,
        on_sorted_change=nothing,
    )
    if result.opened is not None:
        number = next((row.visits for row in found.rows if str(row.patient_id) == result.opened), None)
        navigation.go("case", state.case_query(int(result.opened), number))
    if result.sorted is not None:
        _sort(cast(dict[str, Any], result.sorted))


def _sort(wanted: dict[str, Any]) -> None:
    written = write_sort(str(wanted.get("key", "")), bool(wanted.get("descending")))
    if read_sort(written) != st.session_state["sort"]:
        st.session_state["sort"] = read_sort(written)
        st.rerun()


def _row(row: PatientRow) -> dict[str, Any]:
    return {
        "id": str(row.patient_id),
        "href": f"case?patient={row.patient_id}&visit={row.visits}",
        "cells": [
            str(row.patient_id),
            MISSING if row.age is None else str(row.age),
            wording.GENDER_LABELS.get(row.gender, words(row.gender or "")),
            str(row.visits),
            day(row.admitted_at),
            row.main_diagnosis or MISSING,
            str(row.diagnoses),
            str(row.procedures),
            str(row.medications),
            wording.SPLIT_LABELS.get(row.split, row.split),
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
