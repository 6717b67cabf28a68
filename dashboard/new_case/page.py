"""New case: enter visits, codes and a profile by words or code; both models answer on submit."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard.new_case import changes, code_search, import_file, undo, what_if
from dashboard.scores import panel
from dashboard.server.service import MODELS, TEACHER_AFTER, Service, all_scores, ask, get_service, scores
from dashboard.shared import markup, session, wording
from dashboard.shared.draft import MAX_EARLIER, Draft
from dashboard.shared.formatting import probability, words
from dashboard.shared.guard import fragment
from dashboard.shared.session import Subject
from dashboard.shared.subject import titles_of
from leader_core import AGE_BANDS, KINDS, UNKNOWN, Concept, LeaderError

_VISIT = "_draft_visit"
_START = "_draft_start"
_PRESSED = "_draft_pressed"
_NAMED_IN_FULL = 3


def draw() -> None:
    service = get_service()
    st.html(
        markup.title(
            "New case", "nothing typed here enters the link or the cohort; it is kept only where you say so"
        )
    )
    form, results = st.columns([1, 1.75], gap="large")
    with results:  # drawn first: they are what is waited for
        _results(service)
    with form:
        fragment(_form)(service)


def _form(service: Service) -> None:
    if st.session_state.pop(_PRESSED, False):
        st.rerun()  # the form reruns alone, and the results stand outside it
    draft = session.draft()
    _start(service)
    st.html(markup.panel_title("Visits", "the current one is what the models answer"))
    index = _visit_choice(draft)
    import_file.show(service, index)
    _codes(service, draft, index)
    _profile(service, draft)
    _submit(service, session.draft())


def _start(service: Service) -> None:
    """Blank, or as a copy of a patient."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input(
            "Start from a patient of the cohort",
            key=_START,
            placeholder="Patient id",
            width=190,
            persist_state="session",
        )
        st.button("Copy", on_click=_copy, args=(service,), icon=":material/content_copy:", key="copy")
        st.button("Start blank", on_click=_blank, icon=":material/restart_alt:", type="tertiary", key="blank")
        st.button(
            "Undo",
            on_click=_undo,
            icon=":material/undo:",
            type="tertiary",
            key="undo",
            disabled=not undo.undoable(),
        )
    if problem := st.session_state.pop("_draft_problem", ""):
        st.warning(problem, icon=":material/search_off:")


def _copy(service: Service) -> None:
    text = str(st.session_state.get(_START) or "").strip()
    if not text.isdecimal() or len(text) > 18:
        st.session_state["_draft_problem"] = (
            "Give the patient's id as a whole number, as it stands in the worklist."
        )
        return
    try:
        case = service.engine.cohort.case(int(text))
        undo.remember()
        session.start_from(case, service)
    except LeaderError as error:
        st.session_state["_draft_problem"] = str(error)
        return
    _forget_widgets()


def _blank() -> None:
    undo.change(Draft())
    st.session_state[_START] = ""
    _forget_widgets()


def _undo() -> None:
    undo.undo()
    _forget_widgets()


def _forget_widgets() -> None:
    """Profile widgets and the chosen visit belong to the draft before."""
    for key in [k for k in st.session_state if str(k).startswith(("profile-", _VISIT))]:
        del st.session_state[key]


def _visit_choice(draft: Draft) -> int:
    """Which visit is being edited; the last index is the current visit."""
    total = len(draft.earlier)
    long = total <= _NAMED_IN_FULL  # more of them are numbered, so that all stand in one row
    labels = [f"Earlier visit {n}" if long else f"{n}" for n in range(1, total + 1)] + ["Current visit"]
    chosen = min(int(st.session_state.get(_VISIT, total)), total)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        picked = st.segmented_control(
            "Visit",
            range(total + 1),
            default=chosen,
            required=True,
            format_func=labels.__getitem__,
            key=f"{_VISIT}-of-{total}",
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
    undo.change(session.draft().add_visit())
    st.session_state[_VISIT] = len(session.draft().earlier) - 1


def _remove_visit(index: int) -> None:
    undo.change(session.draft().remove_visit(index))
    st.session_state[_VISIT] = len(session.draft().earlier)


def _codes(service: Service, draft: Draft, index: int) -> None:
    """A search for each kind of code; the current visit takes no medications, they are the question."""
    current = index >= len(draft.earlier)

    def add(concept: Concept) -> None:
        undo.change(session.draft().add(index, concept))

    for kind in KINDS:
        if kind == "medication" and current:
            continue

        def remove(code: str, kind: str = kind) -> None:
            undo.change(session.draft().remove(index, kind, code))

        code_search.pick(
            service,
            kind,
            draft.visit(index).of(kind),
            draft.titles,
            key=f"pick-{kind}-{index}-of-{len(draft.earlier)}",
            on_add=add,
            on_remove=remove,
        )


def _profile(service: Service, draft: Draft) -> None:
    """The fields this cohort knows; anything left out is "unknown" to the student."""
    st.html(markup.panel_title("Profile", "optional; only the student reads it"))
    given: dict[str, str] = {}
    fields = [name for name in service.engine.cohort.profile_fields if name in wording.FIELD_LABELS]
    columns = st.columns(2, gap="small")
    for position, name in enumerate(fields):
        values = _values(service, name)
        have = draft.profile.get(name, UNKNOWN)
        options = [UNKNOWN, *values] + ([have] if have not in (UNKNOWN, *values) else [])
        key = f"profile-{name}"
        if (
            key not in st.session_state
        ):  # through the state, which also tells a browser that shows another value
            st.session_state[key] = have
        with columns[position % 2]:
            given[name] = st.selectbox(wording.FIELD_LABELS[name], options, key=key, format_func=_told(name))
    if draft.set_profile(given) != draft:
        undo.change(draft.set_profile(given))


def _told(name: str) -> Callable[[str], str]:
    """How a field's values are shown."""

    def tell(value: str) -> str:
        if value == UNKNOWN:
            return "Not given"
        return wording.GENDER_LABELS.get(value, value) if name == "gender" else words(value)

    return tell


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
            args=(service,),
        )
        if draft.problem:
            st.html(markup.note(draft.problem), width="content")
        elif draft.changed:
            st.html(markup.note("Edited since the scores were made."), width="content")


def _recommend(service: Service) -> None:
    if not session.draft().problem:
        session.set_draft(submitted := session.draft().submit())
        if submitted.submitted is not None:
            ask(
                service, submitted.submitted, teacher_after=TEACHER_AFTER
            )  # they answer while the page is drawn
    st.session_state[_PRESSED] = True


def _results(service: Service) -> None:
    draft = session.draft()
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
    subject = Subject(draft.submitted, "draft")
    if subject.case.is_first_visit:
        st.html(markup.callout(wording.FIRST_VISIT, "student"))
    panel.show(service, subject, "new")
    if draft.compared is not None:
        fragment(_difference)(service, draft)
    answers = {name: found.recommendation for name, found in all_scores(service, subject.case).items()}
    what_if.show(service, subject.case, {n: r for n, r in answers.items() if r is not None})
    st.html(markup.panel_title("Keep"))
    fragment(import_file.keep)(service)


def _difference(service: Service, draft: Draft) -> None:
    """What changed against the case that this one came from, or was before, in the case and in each model's answer."""
    if draft.compared is None or draft.submitted is None:
        return
    (before, name_before), after = draft.compared, draft.submitted
    st.html(markup.panel_title(f"Against {name_before}", "at the models' own cut-offs"))
    added, gone = changes.codes(before, after)
    titles = titles_of(service)
    lines = [f"Added: {titles(kind, code)} ({code})" for kind, code in added]
    lines += [f"Taken out: {titles(kind, code)} ({code})" for kind, code in gone]
    lines += [
        f"{wording.FIELD_LABELS[name]}: {words(old)} → {words(new)}"
        for name, old, new in changes.fields(before, after)
    ]
    st.html(markup.plain_list(lines))
    for name, column in zip(MODELS, st.columns(2, gap="large"), strict=True):
        with column:
            st.html(markup.model_head(name, ""))
            old, new = (scores(service, case, name).recommendation for case in (before, after))
            if old is None or new is None:
                st.html(markup.note("Not compared: the scores of one of the two cases are not there yet."))
                continue
            _answers(changes.between(old, new))


def _answers(found: changes.Difference) -> None:
    """One model's suggestions that came, went or moved."""
    if found.empty:
        st.html(markup.note("No suggestion changed, and no score moved by 0.05 or more."))
        return
    rows = [
        (label, f"{m.title} {m.code}", f"{probability(m.before)} → {probability(m.after)}", f"{m.by:+.2f}")
        for label, group in (("+ added", found.added), ("− removed", found.removed), ("moved", found.moved))
        for m in group
    ]
    st.html(markup.table(["", "Class", "Score", "By"], rows, numeric=frozenset((2, 3))))
