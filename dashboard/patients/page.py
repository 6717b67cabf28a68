"""Patients: the worklist. Search, filters, order and page go to the database; a row opens the case."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

import streamlit as st

from dashboard.patients import filter_bar, search
from dashboard.patients.filters import PAGE_SIZES, SPREAD_CHOICES, Filters, read_sort, relaxations, write_sort
from dashboard.server import audit
from dashboard.server.service import Service, get_service
from dashboard.shared import analysis, markup, session, stepping, url_state, view_switch, wording
from dashboard.shared.case_text import profile_value, short_title
from dashboard.shared.formatting import MISSING, count, day, plain, score, words
from dashboard.shared.navigation import shared_query
from dashboard.shared.templates import component, render
from dashboard.tour import tour
from leader_core.cohort import PatientPage, PatientRow, Spread
from leader_core.cohort.worklist import SCORE_SORTS, Sort
from leader_core.domain import UNKNOWN, Severity
from leader_core.interactions.review import counts_text

_LAST: Final = "_worklist"  # filters as they were last seen: the navigation's link leads back to them

Column = tuple[dict[str, Any], Callable[[PatientRow], str]]
"""What the table's heading says and sorts by, and the cell of a patient."""


def severe_alerts(row: PatientRow) -> str:
    """How many severe alerts the drugs ordered carry, in the words of every other place."""
    if row.prescribed_severe is None:
        return MISSING
    contraindicated = row.prescribed_contraindicated or 0
    counts: dict[Severity, int] = {
        "contraindicated": contraindicated,
        "major": row.prescribed_severe - contraindicated,
    }
    return counts_text(counts) if row.prescribed_severe else "none"


_PATIENT: Final[Column] = ({"label": "Patient", "sort": "patient_id"}, lambda row: str(row.patient_id))
_AGE: Final[Column] = (
    {"label": "Age", "sort": "age", "numeric": True},
    lambda row: MISSING if row.age is None else str(row.age),
)
_SEX: Final[Column] = ({"label": "Sex"}, lambda row: profile_value("gender", row.gender))
_VISITS: Final[Column] = ({"label": "Visits", "sort": "visits", "numeric": True}, lambda row: str(row.visits))
_ALERTS: Final[Column] = (
    {
        "label": "Severe alerts",
        "sort": "prescribed_severe",
        "descending": True,
        "help": "Contraindicated and major alerts of the drugs ordered in the last visit",
    },
    severe_alerts,
)


def draw() -> None:
    service = get_service()
    cohort = service.engine.cohort
    patients = f"{cohort.fingerprint.patients:,} in this cohort; open one to compare the models"
    st.html(markup.title("Patients", patients))
    tour.offer()
    query = {key: value for key, value in st.query_params.to_dict().items() if key in filter_bar.BINDINGS}
    url_state.enter("patients", filter_bar.BINDINGS, query or st.session_state.get(_LAST))
    if service.student_name and cohort.scores is not None and view_switch.is_research():
        st.html(markup.callout(wording.STORED_STUDENT.format(name=service.student_name), "student"))
    filters = filter_bar.show(service)
    if search.lost():
        st.html(markup.callout(search.LOST, "warn"))
    sort, descending = st.session_state["sort"]
    size, number = int(st.session_state["rows"]), int(st.session_state["page"])
    page = cohort.patients(filters.query(sort, descending, number, size))
    if page.total and not page.rows:  # a page number from an older, longer list
        st.session_state["page"] = 1
        page = cohort.patients(filters.query(sort, descending, 1, size))
    stepping.remember_list(filters.query(sort, descending, page.page, size))
    _summary(service, page, filters, sort, descending)
    if filters.text.strip():
        st.html(search.understood(service, filters.text))
    st.session_state[_LAST] = url_state.written(filter_bar.BINDINGS)
    url_state.publish("patients", st.session_state[_LAST])
    if not page.rows:
        _empty(service, filters)
        return
    _spread(service, filters)
    _table(service, page, filters.text, sort, descending)
    _pages(page)


def _summary(service: Service, page: PatientPage, filters: Filters, sort: Sort, descending: bool) -> None:
    """How many patients, under which filters, one button that clears them all, and the list to take along."""
    active = filters.active()
    patients = count(page.total, "patient")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        text = " · ".join([patients, *active.values()])
        st.html(markup.note(text), width="content")
        if active:
            st.button(
                "Clear filters",
                type="tertiary",
                icon=":material/filter_alt_off:",
                on_click=filter_bar.clear,
                args=(tuple(active),),
            )
        st.space("stretch")
        filter_bar.saved_lists(service, filters, sort, descending)
        if page.total:
            query = filters.query(sort, descending)
            audit.download_button(
                "CSV",
                f"list of {patients}",
                lambda: service.engine.cohort.worklist_csv(query),
                "patients.csv",
                "text/csv",
                help=f"All {patients} of this list, with their scores where there are any.",
            )


def _empty(service: Service, filters: Filters) -> None:
    """No row: which filter to remove, with a button that does it."""
    if not filters.active():
        st.html(
            markup.empty(
                "This cohort holds no patients", "Build one with `python -m train cohort`, or serve another."
            )
        )
        return
    cohort = service.engine.cohort
    reading = cohort.read_search(filters.text)
    rest = search.without_unknown(reading)
    known = cohort.patients(replace(filters, text=rest).query(size=1)).total if rest else 0
    removable = relaxations(filters, lambda query: cohort.patients(query).total)
    if not removable and not known:
        st.html(
            markup.empty(
                "No patient matches",
                "Removing one filter alone does not help: clear them all, or search for fewer words.",
            )
        )
        return
    st.html(markup.empty("No patient matches all of this", "Any one of these steps brings patients back."))
    with st.container(horizontal=True):
        if known:
            st.button(
                search.removal_label(rest, known, reading.not_understood()),
                on_click=filter_bar.search_for,
                args=(rest,),
                key="out-unknown",
            )
        for each in removable:
            st.button(
                plain(f"Remove {each.words} ({count(each.total, 'patient')})"),
                on_click=filter_bar.clear,
                args=((each.name,),),
                key=f"out-{each.name}",
            )


def _spread(service: Service, filters: Filters) -> None:
    """How one number of the listed patients is distributed."""
    scored = view_switch.is_research() and service.engine.cohort.scores is not None
    choices = [s for s in SPREAD_CHOICES if scored or s not in SCORE_SORTS]
    if st.session_state["spread"] not in choices:
        st.session_state["spread"] = choices[0]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="spread_box"):
        st.selectbox(
            "Distribution of", choices, key="spread", format_func=SPREAD_CHOICES.__getitem__, width=190
        )
        field = st.session_state["spread"]
        distribution = service.engine.cohort.spread(filters.query(), field)
        st.html(spread_html(distribution, SPREAD_CHOICES[field]), width="stretch")


def spread_html(distribution: Spread, label: str) -> str:
    """A small distribution as bars, with its ends named; every bar says its range and count."""
    counts, edges = distribution.counts, distribution.edges
    if not counts:
        return markup.note(f"{label}: nothing to show for these patients.")
    highest = max(counts) or 1
    whole = all(edge == int(edge) for edge in edges)

    def text(edge: float) -> str:
        return f"{edge:.0f}" if whole else f"{edge:.2f}"

    def interval(i: int) -> str:
        low, high = edges[i], edges[i + 1]
        if whole:
            return text(low) if high - low == 1 else f"{text(low)} to {text(high - 1)}"
        return f"{text(low)} to {text(high)}"

    bars = [
        (max(3, 100 * number / highest) if number else 0, f"{interval(i)}: {count(number, 'patient')}")
        for i, number in enumerate(counts)
    ]
    mode = max(range(len(counts)), key=counts.__getitem__)
    summary = f"{label} of {count(sum(counts), 'patient')}; most often {interval(mode)}"
    if distribution.missing:
        summary += f" · {count(distribution.missing, 'patient')} without"
    last = text(edges[-1] - 1) if whole else text(edges[-1])
    return render("patients/spread.html", bars=bars, summary=summary, first=text(edges[0]), last=last)


def _table(service: Service, page: PatientPage, text: str, sort: str, descending: bool) -> None:
    ids = [row.patient_id for row in page.rows]
    flags = filter_bar.flag_texts(service, ids)
    columns = _research(service) if view_switch.is_research() else _clinical(service, page)
    if flags:
        columns.append(({"label": "Notes"}, lambda row: flags.get(row.patient_id, "")))
    why = search.reasons(service, text, ids)
    carried = {**shared_query(), **analysis.focus_query()}
    component("patients/worklist")(
        key="worklist",
        data={
            "caption": "Patients; choose one to open the case",
            "columns": [heading for heading, _ in columns],
            "rows": [
                {
                    "id": str(row.patient_id),
                    "href": f"case?{urlencode({**session.case_query(row.patient_id, row.visits), **carried})}",
                    "cells": [cell(row) for _, cell in columns],
                    "why": why.get(row.patient_id, []),
                }
                for row in page.rows
            ],
            "sort": sort,
            "descending": descending,
        },
        on_sorted_change=_sort,
    )


def _clinical(service: Service, page: PatientPage) -> list[Column]:
    """What a clinician reads in a list: who, since when, with what, and what to be careful about."""
    problems = service.engine.cohort.problems(page.rows)

    def admitted(row: PatientRow) -> str:
        kind = "" if row.admission_type == UNKNOWN else words(row.admission_type).lower()
        return " · ".join(filter(None, (day(row.admitted_at), kind)))

    def main(row: PatientRow) -> str:
        return "; ".join(map(short_title, problems.get(row.patient_id, ()))) or row.main_diagnosis or MISSING

    return [
        _PATIENT, _AGE, _SEX, ({"label": "Admitted", "sort": "admitted_at"}, admitted),
        ({"label": "Main problems of the last visit", "wide": True}, main), _ALERTS, _VISITS,
    ]  # fmt: skip


def _research(service: Service) -> list[Column]:
    """Everything that is counted or scored; scores take the place of the number of procedures."""
    unit = wording.unit(service.engine.cohort.fingerprint.atc_level)
    counted: list[Column] = [
        ({"label": "Diagnoses", "sort": "diagnoses", "numeric": True}, lambda row: str(row.diagnoses)),
        ({"label": "Procedures", "numeric": True}, lambda row: str(row.procedures)),
        ({"label": unit.headings, "sort": "medications", "numeric": True}, lambda row: str(row.medications)),
        _ALERTS,
    ]
    if service.engine.cohort.scores is not None:
        del counted[1]
        for label, name, meaning in (
            ("Teacher", "teacher_jaccard", "Jaccard of the teacher's set"),
            ("Student", "student_jaccard", "Jaccard of the student's set"),
            ("Gap", "gap", "Share of the suggested that only one suggests"),
        ):
            heading = {"label": label, "sort": name, "numeric": True, "help": meaning}
            counted.append((heading, functools.partial(_score, name)))
    return [
        _PATIENT, _AGE, _SEX, _VISITS,
        ({"label": "Last admitted", "sort": "admitted_at"}, lambda row: day(row.admitted_at)),
        ({"label": "Main diagnosis of the last visit", "wide": True}, lambda row: row.main_diagnosis or MISSING),
        *counted,
        ({"label": "Split"}, lambda row: wording.SPLIT_LABELS.get(row.split, row.split)),
    ]  # fmt: skip


def _score(name: str, row: PatientRow) -> str:
    return score(getattr(row, name))


def _sort() -> None:
    """Sort by the column whose heading was clicked, from the first page."""
    order = getattr(st.session_state.get("worklist"), "sorted", None)
    if isinstance(order, Mapping):
        written = write_sort(str(order.get("key", "")), bool(order.get("descending")))
        st.session_state["sort"] = read_sort(written)
        filter_bar.first_page()


def _pages(page: PatientPage) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.pagination(page.pages, key="page")
        st.selectbox(
            "Rows per page",
            PAGE_SIZES,
            key="rows",
            on_change=filter_bar.first_page,
            width=120,
            label_visibility="collapsed",
            format_func=lambda n: f"{n} rows",
        )
