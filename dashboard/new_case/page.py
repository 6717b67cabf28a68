"""New case: enter visits, codes and a profile by words or code; both models answer on submit."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import streamlit as st

from dashboard.new_case import import_file, what_if
from dashboard.report import download
from dashboard.scores import case_diff, panel
from dashboard.server.answers import all_scores, scores
from dashboard.server.service import Service, get_service
from dashboard.shared import markup, wording
from dashboard.shared.draft import (
    MAX_EARLIER,
    VISIT,
    Draft,
    can_undo,
    change_draft,
    copy_case,
    replace_draft,
    session_draft,
    set_draft,
    undo,
)
from dashboard.shared.formatting import probability, words
from dashboard.shared.guard import fragment, guarded, notice
from dashboard.shared.session import Subject
from dashboard.shared.subject import titles_of
from dashboard.shared.templates import component
from leader_core import AGE_BANDS, KINDS, UNKNOWN, Concept, LeaderError
from leader_core.domain import MODEL_NAMES, Kind

_START: Final = "_draft_start"
_PROBLEM: Final = "_draft_problem"
_PLANNED: Final = "planned-drugs"
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
            "New case", "nothing typed here enters the link or the cohort; it is saved only where you say so"
        )
    )
    form, results = st.columns([1, 1.75], gap="large")
    with results:  # drawn first: they are what is waited for
        _results(service)
    with form:
        _form(service)


def _form(service: Service) -> None:
    draft = session_draft()
    _start(service)
    st.html(markup.panel_title("Visits", "the models answer for the current one"))
    index = _visit_choice(draft)
    import_file.show(service, index)
    _codes(service, draft, index)
    if index >= len(draft.earlier):
        _planned(draft)
    _profile(service, session_draft())
    _submit(service, session_draft())


def _start(service: Service) -> None:
    """Blank, or as a copy of a patient."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
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
    if problem := st.session_state.pop(_PROBLEM, ""):
        notice(problem, "warning", "search_off")


@guarded
def _copy(service: Service) -> None:
    text = str(st.session_state.get(_START) or "").strip()
    if not text.isdecimal() or len(text) > 18:
        st.session_state[_PROBLEM] = "Give the patient's id as a whole number, as it stands in the worklist."
        return
    try:
        copy_case(service.engine.cohort.case(int(text)), service)
    except LeaderError as error:
        st.session_state[_PROBLEM] = str(error)


def _blank() -> None:
    replace_draft(Draft())
    st.session_state[_START] = ""


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
        codes = draft.visit(index).of(kind)
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


def _remove_code(key: str, index: int, kind: str) -> None:
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
    typed = str(
        st.text_area(
            "Drugs ordered or planned",
            key=_PLANNED,
            height=80,
            placeholder="Nafcillin 2 g IV; metoprolol 25 mg PO",
            help="Optional, in any spelling, one a line or separated by ; or ,. They are checked against each other, "
            "the conditions and the suggestions; the models never read them.",
        )
        or ""
    )
    change_draft(replace(draft, drugs=(typed,) if typed.strip() else ()))


def _profile(service: Service, draft: Draft) -> None:
    """The fields of this cohort's profiles; anything left out is "unknown" to the student."""
    st.html(markup.panel_title("Profile", "optional; only the student reads it"))
    profile: dict[str, str] = {}
    fields = [name for name in service.engine.cohort.profile_fields if name in wording.FIELD_LABELS]
    columns = st.columns(2, gap="small")
    for position, name in enumerate(fields):
        values = _values(service, name)
        value = draft.profile.get(name, UNKNOWN)
        options = [UNKNOWN, *values] + ([value] if value not in (UNKNOWN, *values) else [])
        key = f"profile-{name}"
        if key not in st.session_state:  # through the state, which also updates a browser with another value
            st.session_state[key] = value
        with columns[position % 2]:
            profile[name] = st.selectbox(
                wording.FIELD_LABELS[name], options, key=key, format_func=_value_text(name)
            )
    change_draft(draft.set_profile({**draft.profile, **profile}))  # what has no field here stays


def _value_text(name: str) -> Callable[[str], str]:
    """How a field's values are shown."""

    def text(value: str) -> str:
        if value == UNKNOWN:
            return "Not given"
        return wording.GENDER_LABELS.get(value, value) if name == "gender" else words(value)

    return text


def _values(service: Service, name: str) -> list[str]:
    if name == "age_band":
        return [label for _, label in AGE_BANDS]
    return [v for v in service.engine.cohort.profile_values(name) if v != UNKNOWN]


def _submit(service: Service, draft: Draft) -> None:
    """The button, and why it does nothing yet."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="submit"):
        st.button(
            "Recommend",
            type="primary",
            disabled=bool(draft.problem),
            key="recommend",
            icon=":material/play_arrow:",
            on_click=_recommend,
        )
        if draft.problem:
            st.html(markup.note(draft.problem), width="content")
        elif draft.changed:
            st.html(markup.note("Edited since it was scored."), width="content")


def _recommend() -> None:
    if not session_draft().problem:
        set_draft(session_draft().submit())


def _results(service: Service) -> None:
    draft = session_draft()
    if draft.submitted is None:
        st.html(markup.panel_title("Recommendations"))
        st.html(
            markup.empty(
                "Nothing scored yet",
                "Add at least one diagnosis or procedure to the current visit, then press Recommend. "
                "Earlier visits and the profile are optional.",
            )
        )
        return
    subject = Subject(draft.submitted, "draft", drugs=draft.drugs)
    if subject.case.is_first_visit:
        st.html(markup.callout(wording.FIRST_VISIT, "student"))
    panel.show(service, subject, "new", functools.partial(download.show, service, subject))
    if draft.compared is not None:
        _difference(service, draft)
    answers = {name: answer.recommendation for name, answer in all_scores(service, subject.case).items()}
    what_if.show(service, subject.case, {n: r for n, r in answers.items() if r is not None})
    st.html(markup.panel_title("Save"))
    fragment(import_file.save)(service)


def _difference(service: Service, draft: Draft) -> None:
    """What changed against the case that this one came from, or was before, in the case and in each model's answer."""
    if draft.compared is None or draft.submitted is None:
        return
    (before, name_before), after = draft.compared, draft.submitted
    st.html(markup.panel_title(f"Against {name_before}", "at the models' own cut-offs"))
    added, removed = case_diff.code_changes(before, after)
    titles = titles_of(service)
    lines = [f"Added: {titles(kind, code)} ({code})" for kind, code in added]
    lines += [f"Removed: {titles(kind, code)} ({code})" for kind, code in removed]
    lines += [
        f"{wording.FIELD_LABELS[name]}: {words(old)} → {words(new)}"
        for name, old, new in case_diff.profile_changes(before, after, after.profile)
    ]
    st.html(markup.plain_list(lines))
    for name, column in zip(MODEL_NAMES, st.columns(2, gap="large"), strict=True):
        with column:
            st.html(markup.model_head(name, ""))
            first, second = (scores(service, case, name).recommendation for case in (before, after))
            if first is None or second is None:
                st.html(markup.note("Not compared: one of the two cases has no scores yet."))
            else:
                _suggestion_changes(case_diff.compare_suggestions(first, second))


def _suggestion_changes(changes: case_diff.SuggestionChanges) -> None:
    """One model's suggestions that were added, removed or rescored."""
    if changes.empty:
        st.html(
            markup.note(f"No suggestion changed, and no score changed by {case_diff.NOTICEABLE:.2f} or more.")
        )
        return
    rows = [
        (
            label,
            f"{each.title} {each.code}",
            f"{probability(each.first or 0.0)} → {probability(each.second or 0.0)}",
            each.signed,
        )
        for label, group in (
            ("+ added", changes.added),
            ("− removed", changes.removed),
            ("rescored", changes.rescored),
        )
        for each in group
    ]
    st.html(markup.table(["", "Class", "Score", "By"], rows, numeric=frozenset((2, 3))))
