"""Tags and notes rolled up: how often each kind of error was seen, how far annotators agree, what was written, the kinds."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Final

import streamlit as st

from dashboard.error_analysis.parts import Opens, TableCell, View, csv, table
from dashboard.report.csv_tables import Cell
from dashboard.scores.notes import AUTHOR
from dashboard.server.workspace import Workspace, get_workspace
from dashboard.shared import markup
from dashboard.shared.formatting import MISSING, count, day
from leader_core import LeaderError
from leader_core.error_analysis import AnnotatorAgreement, Condition, annotator_agreement
from leader_core.workspace import Annotation, ErrorKind, Note

_SAID: Final = "_kinds_said"
_MOST_PAIRS: Final = 10
_MOST_NOTES: Final = 50


def show(view: View) -> None:
    """The view: only cases among those chosen count."""
    workspace = get_workspace(view.service)
    for notice in workspace.notices:
        st.html(markup.callout(notice, "warn"))
    kinds = workspace.tags.kinds(removed=True)
    chosen = set(view.desk.analysis.frame.visit_ids[view.within].tolist())
    found = [a for a in workspace.tags.all() if a.visit_id in chosen]
    _counts(view, kinds, found)
    _agreement(kinds, found)
    _notes(view, workspace)
    _taxonomy(workspace, [kind for kind in kinds if not kind.removed])


def _counts(view: View, kinds: tuple[ErrorKind, ...], found: list[Annotation]) -> None:
    people = sorted({a.author for a in found})
    cases = len({a.visit_id for a in found})
    st.html(
        markup.panel_title(
            "Kinds of error",
            f"{count(cases, 'case')} looked at by {count(len(people), 'annotator')}" if found else "",
        )
    )
    if not found:
        st.html(
            markup.empty(
                "No chosen case is tagged",
                "Open a case and choose “Tag errors” beside its notes; counts stand here then.",
            )
        )
        return
    rows: list[list[TableCell]] = []
    for kind in kinds:
        visits = {a.visit_id for a in found if kind.kind_id in a.kinds}
        if kind.removed and not visits:
            continue
        by = Counter(a.author for a in found if kind.kind_id in a.kinds)
        condition = Condition("tag", (kind.kind_id,))
        number: TableCell = "0"
        if visits:
            number = Opens(
                f"{len(visits):,}", view.link(condition), f"Open {count(len(visits), 'case')}: {kind.name}"
            )
        rows.append(
            [kind.name, number, f"{len(visits) / cases:.0%}", *(f"{by[person]:,}" for person in people)]
        )
    nothing = {a.visit_id for a in found if not a.kinds}
    by = Counter(a.author for a in found if not a.kinds)
    rows.append(
        ["No error seen", f"{len(nothing):,}", f"{len(nothing) / cases:.0%}", *(f"{by[p]:,}" for p in people)]
    )
    headings = ["Kind", "Cases", "Of those looked at", *people]
    st.html(table(headings, rows, numeric=frozenset(range(1, 3 + len(people)))))
    with st.container(horizontal=True):
        st.space("stretch")
        csv("tags", *tags_csv(kinds, found))


def tags_csv(kinds: tuple[ErrorKind, ...], found: list[Annotation]) -> tuple[list[str], list[list[Cell]]]:
    """One row an annotator and visit, a column a kind."""
    used = [k for k in kinds if not k.removed or any(k.kind_id in a.kinds for a in found)]
    rows: list[list[Cell]] = [
        [a.patient_id, a.visit_id, a.author, a.annotated_at.isoformat(timespec="seconds"),
         *(k.kind_id in a.kinds for k in used)]
        for a in found
    ]  # fmt: skip
    return ["patient_id", "visit_id", "annotator", "annotated_at", *(k.name for k in used)], rows


def agreements(
    kinds: tuple[ErrorKind, ...], found: list[Annotation]
) -> list[tuple[str, str, tuple[AnnotatorAgreement, ...]]]:
    """Every pair of annotators who looked at the same cases, those with most in common first."""
    answers: dict[str, dict[int, tuple[str, ...]]] = {}
    for each in found:
        answers.setdefault(each.author, {})[each.visit_id] = each.kinds
    ids = [kind.kind_id for kind in kinds if not kind.removed]
    pairs = [
        (a, b, annotator_agreement(answers[a], answers[b], ids)) for a, b in combinations(sorted(answers), 2)
    ]
    shared = [pair for pair in pairs if pair[2] and pair[2][0].cases]
    return sorted(shared, key=lambda pair: -pair[2][0].cases)


def _agreement(kinds: tuple[ErrorKind, ...], found: list[Annotation]) -> None:
    pairs = agreements(kinds, found)
    if not pairs:
        return
    names = {kind.kind_id: kind.name for kind in kinds}
    st.html(
        markup.panel_title(
            "Agreement between annotators", "Cohen's kappa: 1 is full agreement, 0 what chance would give"
        )
    )
    rows: list[list[TableCell]] = [
        [
            f"{a} and {b}", names[one.kind], f"{one.cases:,}", f"{one.both:,}", f"{one.first_only:,}",
            f"{one.second_only:,}", f"{one.neither:,}", f"{one.observed:.2f}",
            MISSING if one.kappa is None else f"{one.kappa:.2f}".replace("-", "−"),
        ]
        for a, b, ones in pairs[:_MOST_PAIRS]
        for one in ones
        if one.both or one.first_only or one.second_only
    ]  # fmt: skip
    headings = [
        "Annotators",
        "Kind",
        "Cases of both",
        "Both",
        "First only",
        "Second only",
        "Neither",
        "Observed",
        "Kappa",
    ]
    st.html(table(headings, rows, numeric=frozenset(range(2, 9))))
    st.html(
        markup.note(
            "Over the cases that both have answered; kinds that neither saw are left out. A dash: one answer only, so that "
            "chance and agreement cannot be told apart. With few cases a kappa moves much by one answer."
        )
    )


def _notes(view: View, workspace: Workspace) -> None:
    frame = view.desk.analysis.frame
    people = set(frame.patient_ids[view.within].tolist())
    notes = [n for n in workspace.notes() if n.patient_id in people]
    if not notes:
        return
    words = Counter(word for note in notes for word in note.tags)
    told = ", ".join(f"{word} ({number})" for word, number in words.most_common(12))
    st.html(
        markup.panel_title(
            "Notes", f"{count(len(notes), 'note')} on the chosen patients" + (f"; {told}" if told else "")
        )
    )
    rows: list[list[TableCell]] = [_note(note) for note in notes[:_MOST_NOTES]]
    st.html(table(["Patient", "Note", "Words", "By", "When"], rows))


def _note(note: Note) -> list[TableCell]:
    text = note.text if len(note.text) <= 160 else note.text[:159] + "…"
    href = f"case?patient={note.patient_id}"
    opened = Opens(str(note.patient_id), href, f"Open patient {note.patient_id}")
    return [opened, text, ", ".join(note.tags), note.author or "No name", day(note.edited_at)]


def _taxonomy(workspace: Workspace, kinds: list[ErrorKind]) -> None:
    """The kinds themselves: rename, take off, add."""
    with st.expander(f"Edit the kinds of error ({len(kinds)})", icon=":material/edit:"):
        if said := st.session_state.pop(_SAID, ""):
            st.html(markup.callout(said, "warn"))
        for kind in kinds:
            key = f"{kind.kind_id}-{kind.version}"
            with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
                st.text_input("Name", kind.name, key=f"kind-name-{key}", max_chars=120, width=240)
                st.text_input("Meaning", kind.meaning, key=f"kind-meaning-{key}", max_chars=400)
                st.button("Save", key=f"kind-save-{key}", type="tertiary", disabled=not workspace.writable,
                          on_click=_save, args=(workspace, kind.kind_id, key))  # fmt: skip
                st.button("Take off", key=f"kind-remove-{key}", type="tertiary", disabled=not workspace.writable,
                          on_click=_remove, args=(workspace, kind.kind_id),
                          help="Tags that were set with it stay and are still counted.")  # fmt: skip
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            new = f"new-{len(kinds)}"
            st.text_input("New kind", key=f"kind-name-{new}", max_chars=120, width=240)
            st.text_input("Meaning", key=f"kind-meaning-{new}", max_chars=400)
            st.button(
                "Add",
                key="kind-add",
                disabled=not workspace.writable,
                on_click=_save,
                args=(workspace, None, new),
            )


def _save(workspace: Workspace, kind_id: str | None, key: str) -> None:
    name, meaning = (str(st.session_state.get(f"kind-{part}-{key}") or "") for part in ("name", "meaning"))
    try:
        workspace.tags.save_kind(
            name, meaning, kind_id=kind_id, author=str(st.session_state.get(AUTHOR) or "")
        )
    except LeaderError as error:
        st.session_state[_SAID] = str(error)


def _remove(workspace: Workspace, kind_id: str) -> None:
    try:
        workspace.tags.remove_kind(kind_id, author=str(st.session_state.get(AUTHOR) or ""))
    except LeaderError as error:
        st.session_state[_SAID] = str(error)
