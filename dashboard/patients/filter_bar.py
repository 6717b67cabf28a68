"""The worklist's search, filters and saved lists as widgets, which live in the URL, the search by an opaque id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import streamlit as st

from dashboard.patients import search
from dashboard.patients.filters import (
    FLAG_CHOICES,
    GENDER_CHOICES,
    LEASTS,
    OLDEST,
    PAGE_SIZES,
    SHARES,
    SPLIT_CHOICES,
    SPREAD_CHOICES,
    TRUNCATED_CHOICES,
    VISIT_CHOICES,
    Filters,
    read_ages,
    read_share,
    read_sort,
    write_ages,
    write_share,
    write_sort,
)
from dashboard.server.service import Service
from dashboard.server.workspace import get_workspace
from dashboard.shared import analysis, markup, view_switch, wording
from dashboard.shared.error_messages import message_of_errors, show_message
from dashboard.shared.formatting import count, plain
from dashboard.shared.url_state import Binding
from dashboard.shared.widgets import switch
from leader_core.cohort.worklist import Sort
from leader_core.workspace import SavedCohort, Workspace

_NAME: Final = "_list_name"
_MESSAGE: Final = "_list_message"
BINDINGS: Final[dict[str, Binding]] = {
    search.KEY: search.BINDING,
    "visits": Binding.choice("any", VISIT_CHOICES),
    "gender": Binding.choice("any", GENDER_CHOICES),
    "split": Binding.choice("any", SPLIT_CHOICES),
    "ages": Binding((0, OLDEST), read_ages, write_ages),
    "chapters": Binding([], lambda text: text.split("|"), "|".join),
    **{name: Binding((0.0, 1.0), read_share, write_share) for name in SHARES},
    **{name: Binding.number(0) for name in LEASTS},
    "truncated": Binding.choice("any", TRUNCATED_CHOICES),
    "marked": Binding.choice("any", FLAG_CHOICES),
    analysis.CASES: analysis.BINDING,
    "spread": Binding.choice("age", SPREAD_CHOICES),
    "sort": Binding(read_sort(""), read_sort, lambda sort: write_sort(*sort)),
    "page": Binding.number(1),
    "rows": Binding.number(PAGE_SIZES[0], PAGE_SIZES),
}
_HELP: Final = (
    "Words, codes or a drug's name. With commas or *and* all must match; *or* for either; *not* or *-* to leave out; "
    "quotes for an exact phrase: heart failure and renal failure, not dialysis."
)
_MORE: Final = ("marked", "chapters", *SHARES, *LEASTS, "truncated")


def show(service: Service) -> Filters:
    """The search box and the filters in one row; gives what is set."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="filters"):
        st.text_input(
            "Search",
            key=search.KEY,
            type="search",
            icon=":material/search:",
            live=True,  # after 250 ms; a length of time as text would import pandas before the first page
            persist_state="session",
            width=340,
            placeholder="Diagnosis, procedure, drug, code or patient number",
            on_change=first_page,
            help=_HELP,
        )
        _choice("Visits", "visits", {name: label for name, (label, _) in VISIT_CHOICES.items()})
        _choice("Sex", "gender", GENDER_CHOICES)
        st.slider("Age", 0, OLDEST, (0, OLDEST), key="ages", on_change=first_page, width=140)
        if view_switch.is_research():
            _split()
        _more_filters(service)
    return _filters(service)


def _split() -> None:
    st.selectbox(
        "Split",
        list(SPLIT_CHOICES),
        key="split",
        width=140,
        format_func=SPLIT_CHOICES.__getitem__,
        on_change=first_page,
    )


def _choice(label: str, key: str, labels: Mapping[str, str], disabled: bool = False) -> None:
    switch(label, labels, labelled=True, key=key, default="any", on_change=first_page, disabled=disabled)


def _more_filters(service: Service) -> None:
    """Filters that are wanted less often, and those that need stored scores."""
    chapters = service.engine.cohort.chapters()
    st.session_state["chapters"] = [c for c in st.session_state["chapters"] if c in chapters]
    inside = _MORE if view_switch.is_research() else ("split", *_MORE)
    active = sum(st.session_state[name] != BINDINGS[name].default for name in inside)
    with st.popover(f"More filters ({active})" if active else "More filters", icon=":material/tune:"):
        _choice("Show", "marked", FLAG_CHOICES)
        st.multiselect(
            "Diagnosis chapter",
            chapters,
            key="chapters",
            on_change=first_page,
            placeholder="Any chapter",
            help="Patients whose last visit has a diagnosis in any of these chapters.",
        )
        _least("prescribed_severe")
        if view_switch.is_research():
            _of_models(service)
        else:
            with st.expander("For research: the split, and how the models did"):
                _split()
                _of_models(service)


def _of_models(service: Service) -> None:
    """Filters by stored scores."""
    absent = service.engine.cohort.scores is None
    if absent:
        st.html(markup.callout(f"{wording.NO_SCORES} {service.engine.cohort.scores_note}", "warn"))
    for name, label in SHARES.items():
        st.slider(label, 0.0, 1.0, step=0.05, key=name, on_change=first_page, disabled=absent)
    _least("suggested_severe", disabled=absent)
    _choice("The teacher's prompt", "truncated", TRUNCATED_CHOICES, disabled=absent)


def _least(name: str, disabled: bool = False) -> None:
    st.number_input(
        f"{LEASTS[name]}, at least", 0, 999, step=1, key=name, on_change=first_page, disabled=disabled
    )


def _filters(service: Service) -> Filters:
    state = st.session_state
    marked = state["marked"] or "any"
    low, high = state["ages"]
    shares: dict[str, Any] = {name: tuple(map(float, state[name])) for name in SHARES}
    leasts: dict[str, Any] = {name: int(state[name]) for name in LEASTS}
    return Filters(
        text=state[search.KEY] or "",
        visits=state["visits"] or "any",
        gender=state["gender"] or "any",
        split=state["split"] or "any",
        ages=(int(low), int(high)),
        chapters=tuple(state["chapters"]),
        truncated=state["truncated"] or "any",
        marked=marked,
        patient_ids=_flagged(service, marked),
        **shares,
        **leasts,
        **analysis.worklist_filters(service),
    )


def first_page() -> None:
    st.session_state["page"] = 1


def clear(names: Iterable[str]) -> None:
    """Set these filters back to their defaults."""
    for name in names:
        if name == "text":
            st.session_state[search.KEY] = ""
        else:
            st.session_state[name] = BINDINGS[name].default
    first_page()


def search_for(text: str) -> None:
    """Search for another text."""
    st.session_state[search.KEY] = text
    first_page()


# Stars and notes


def _flagged(service: Service, marked: str) -> tuple[int, ...] | None:
    """The patients that are starred or have notes; None where everybody is meant."""
    if marked == "any":
        return None
    flags = get_workspace(service).flags()
    return tuple(sorted(p for p, f in flags.items() if (f.starred if marked == "starred" else f.notes)))


def flag_texts(service: Service, patient_ids: Iterable[int]) -> dict[int, str]:
    """Star and number of notes of these patients, in words; empty where none of them has either."""
    flags = get_workspace(service).flags()
    texts = {}
    for patient_id in patient_ids:
        if (flag := flags.get(patient_id)) is not None:
            parts = ["\N{BLACK STAR}"] if flag.starred else []
            texts[patient_id] = " ".join([*parts, *([count(flag.notes, "note")] if flag.notes else [])])
    return texts


# Saved lists


def saved_lists(service: Service, filters: Filters, sort: Sort, descending: bool) -> None:
    """A popover with the saved lists, and a field to save the list that is shown."""
    workspace = get_workspace(service)
    saved = [cohort for cohort in workspace.cohorts() if cohort.query is not None]
    label = f"Saved lists ({len(saved)})" if saved else "Saved lists"
    with st.popover(label, icon=":material/bookmarks:", type="tertiary"):
        for text in workspace.notices:
            st.html(markup.callout(text, "warn"))
        show_message(_MESSAGE)
        if not saved:
            st.html(
                markup.note(
                    "Filters and order saved under a name are listed here, for all users of this server."
                )
            )
        for cohort in saved:
            _saved_list(workspace, cohort)
        if workspace.writable:
            st.text_input("Save the list that is shown as", key=_NAME, max_chars=120, placeholder="A name")
            st.button("Save", key="save_list", on_click=_save, args=(workspace, filters, sort, descending))


def _saved_list(workspace: Workspace, cohort: SavedCohort) -> None:
    query = cohort.query
    if query is None:
        return
    filters = Filters.of(query)
    if query.patient_ids is not None:  # a fixed set of patients is shown as a list of its own
        filters = replace(filters, cases=f"list:{cohort.cohort_id}", cases_text=f"the list {cohort.name}")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            plain(cohort.name),
            key=f"list-{cohort.cohort_id}",
            type="tertiary",
            help=plain(", ".join(filters.active().values()) or "everybody"),
            on_click=_open,
            args=(filters, query.sort, query.descending),
        )
        st.space("stretch")
        st.button(
            "Remove",
            key=f"unlist-{cohort.cohort_id}-{cohort.version}",
            type="tertiary",
            disabled=not workspace.writable,
            on_click=_remove,
            args=(workspace, cohort),
        )


def _open(filters: Filters, sort: Sort, descending: bool) -> None:
    """Make a saved list's filters and order the page's."""
    st.session_state[search.KEY] = filters.text
    for name in BINDINGS:
        if hasattr(filters, name):
            value = getattr(filters, name)
            st.session_state[name] = list(value) if name == "chapters" else value
    st.session_state["sort"] = (sort, descending)
    first_page()


def _save(workspace: Workspace, filters: Filters, sort: Sort, descending: bool) -> None:
    name = str(st.session_state.get(_NAME) or "").strip()
    if not name:
        st.session_state[_MESSAGE] = "Give the list a name first."
        return
    with message_of_errors(_MESSAGE):
        workspace.save_cohort(name, replace(filters, marked="any").query(sort, descending))
        st.session_state[_NAME] = ""
        if filters.marked != "any":
            text = "Saved without the filter on stars and notes, which change from day to day."
            st.session_state[_MESSAGE] = text


def _remove(workspace: Workspace, cohort: SavedCohort) -> None:
    with message_of_errors(_MESSAGE):
        workspace.remove_cohort(cohort)
