"""Tags and notes: how often each kind of error was seen, how far annotators agree, what was written, and the kinds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Final
from urllib.parse import urlencode

import streamlit as st

from dashboard.error_analysis.context import AnalysisContext
from dashboard.error_analysis.tables import (
    AnalysisSection,
    AnalysisTable,
    TableCell,
    csv_row,
    number_cell,
    table_of,
)
from dashboard.scores.notes import author
from dashboard.server.workspace import Workspace, get_workspace
from dashboard.shared import markup, session
from dashboard.shared.formatting import count, day
from dashboard.shared.view import view_query
from leader_core import LeaderError
from leader_core.error_analysis import AnnotatorAgreement, Condition, annotator_agreement
from leader_core.workspace import Annotation, ErrorKind, Note

_MESSAGE: Final = "_kinds_message"
_ADDED: Final = "_kinds_added"  # how many this session added
_MOST_PAIRS: Final = 10
_MOST_NOTES: Final = 50


def draw(context: AnalysisContext) -> None:
    """Counts, agreement, notes and the kinds; only cases among those chosen count."""
    workspace = get_workspace(context.service)
    for notice in workspace.notices:
        st.html(markup.callout(notice, "warn"))
    kinds = workspace.tags.kinds(removed=True)
    annotations = _annotations(context, workspace)
    looked_at = count(len({a.visit_id for a in annotations}), "case")
    people = count(len({a.author for a in annotations}), "annotator")
    st.html(markup.panel_title("Kinds of error", f"{looked_at} looked at by {people}" if annotations else ""))
    if annotations:
        st.html(count_table(context, kinds, annotations).html())
        csv_row("tags", lambda: annotation_table(kinds, annotations))
    else:
        st.html(
            markup.empty(
                "No chosen case is tagged",
                "Open a case and choose “Tag errors” next to its notes; counts stand here then.",
            )
        )
    if pairs := agreements(kinds, annotations):
        st.html(
            markup.panel_title(
                "Agreement between annotators", "Cohen's kappa: 1 is full agreement, 0 what chance would give"
            )
        )
        st.html(agreement_table(kinds, pairs).html())
        st.html(
            markup.note(
                "Over the cases that both have answered; kinds that neither saw are left out. A dash: one answer only, "
                "so that chance and agreement cannot be distinguished. With few cases one answer changes kappa much."
            )
        )
    _draw_notes(context, workspace)
    _edit_kinds(workspace, [kind for kind in kinds if not kind.removed])


def sections(context: AnalysisContext) -> list[AnalysisSection]:
    """Counts and agreement; nothing where nobody has tagged a chosen case."""
    workspace = get_workspace(context.service)
    annotations, kinds = _annotations(context, workspace), workspace.tags.kinds(removed=True)
    if not annotations:
        return []
    looked_at = f"{count(len({a.visit_id for a in annotations}), 'case')} looked at"
    parts = [AnalysisSection("Tags", looked_at, count_table(context, kinds, annotations))]
    if pairs := agreements(kinds, annotations):
        parts.append(
            AnalysisSection("Agreement between annotators", "Cohen's kappa", agreement_table(kinds, pairs))
        )
    return parts


def _annotations(context: AnalysisContext, workspace: Workspace) -> list[Annotation]:
    chosen = set(context.analysis.frame.visit_ids[context.within].tolist())
    return [annotation for annotation in workspace.tags.all() if annotation.visit_id in chosen]


def count_table(
    context: AnalysisContext, kinds: Sequence[ErrorKind], annotations: Sequence[Annotation]
) -> AnalysisTable:
    """One row per kind: its cases, and how often each annotator saw it; the last row is "no error seen"."""
    people = sorted({a.author for a in annotations})
    looked_at = len({a.visit_id for a in annotations})

    def having(kind: ErrorKind | None) -> list[Annotation]:
        return [a for a in annotations if (kind.kind_id in a.kinds if kind else not a.kinds)]

    def cases(kind: ErrorKind | None) -> TableCell:
        number = len({a.visit_id for a in having(kind)})
        if kind is None:
            return TableCell(number, f"{number:,}")
        return context.opens(number, kind.name, Condition("tag", (kind.kind_id,)))

    def share(kind: ErrorKind | None) -> TableCell:
        return number_cell(len({a.visit_id for a in having(kind)}) / looked_at, ".0%")

    def by(person: str) -> Callable[[ErrorKind | None], int]:
        return lambda kind: sum(a.author == person for a in having(kind))

    return table_of(
        [*(kind for kind in kinds if not kind.removed or having(kind)), None],
        [
            ("Kind", "", lambda kind: kind.name if kind else "No error seen"),
            ("Cases", "", cases),
            ("Of those looked at", "", share),
            *((person, "", by(person)) for person in people),
        ],
    )


def annotation_table(kinds: Sequence[ErrorKind], annotations: Sequence[Annotation]) -> AnalysisTable:
    """One row per annotator and visit, a column per kind."""
    used = [k for k in kinds if not k.removed or any(k.kind_id in a.kinds for a in annotations)]

    def sees(kind: ErrorKind) -> Callable[[Annotation], bool]:
        return lambda annotation: kind.kind_id in annotation.kinds

    return table_of(
        annotations,
        [
            ("", "patient_id", lambda a: a.patient_id),
            ("", "visit_id", lambda a: a.visit_id),
            ("", "annotator", lambda a: a.author),
            ("", "annotated_at", lambda a: a.annotated_at.isoformat(timespec="seconds")),
            *(("", kind.name, sees(kind)) for kind in used),
        ],
    )


Pair = tuple[str, str, tuple[AnnotatorAgreement, ...]]
"""Two annotators, and their agreement on each kind."""


def agreements(kinds: Sequence[ErrorKind], annotations: Sequence[Annotation]) -> list[Pair]:
    """Every pair of annotators who looked at the same cases, those with most in common first."""
    answers: dict[str, dict[int, tuple[str, ...]]] = {}
    for each in annotations:
        answers.setdefault(each.author, {})[each.visit_id] = each.kinds
    ids = [kind.kind_id for kind in kinds if not kind.removed]
    pairs = [
        (a, b, annotator_agreement(answers[a], answers[b], ids))
        for a, b in combinations(sorted(answers), 2)
        if answers[a].keys() & answers[b].keys()
    ]
    return sorted((pair for pair in pairs if pair[2]), key=lambda pair: -pair[2][0].cases)


def agreement_table(kinds: Sequence[ErrorKind], pairs: Sequence[Pair]) -> AnalysisTable:
    """One row per pair of annotators and a kind that either saw."""
    names = {kind.kind_id: kind.name for kind in kinds}
    rows = [
        (f"{a} and {b}", one)
        for a, b, each in pairs[:_MOST_PAIRS]
        for one in each
        if one.both or one.first_only or one.second_only
    ]
    return table_of(
        rows,
        [
            ("Annotators", "", lambda row: row[0]),
            ("Kind", "", lambda row: names[row[1].kind]),
            ("Cases of both", "", lambda row: row[1].cases),
            ("Both", "", lambda row: row[1].both),
            ("First only", "", lambda row: row[1].first_only),
            ("Second only", "", lambda row: row[1].second_only),
            ("Neither", "", lambda row: row[1].neither),
            ("Observed", "", lambda row: number_cell(row[1].observed)),
            ("Kappa", "", lambda row: number_cell(row[1].kappa)),
        ],
    )


def _draw_notes(context: AnalysisContext, workspace: Workspace) -> None:
    people = set(context.analysis.frame.patient_ids[context.within].tolist())
    notes = [n for n in workspace.notes() if n.patient_id in people]
    if not notes:
        return
    tags = Counter(tag for note in notes for tag in note.tags)
    words = ", ".join(f"{word} ({number})" for word, number in tags.most_common(12))
    number = f"{count(len(notes), 'note')} on the chosen patients"
    st.html(markup.panel_title("Notes", f"{number}; {words}" if words else number))
    table = table_of(
        notes[:_MOST_NOTES],
        [
            ("Patient", "", _patient_cell),
            ("Note", "", lambda note: note.text if len(note.text) <= 160 else note.text[:159] + "…"),
            ("Words", "", lambda note: ", ".join(note.tags)),
            ("By", "", lambda note: note.author or "No name"),
            ("When", "", lambda note: day(note.edited_at)),
        ],
    )
    st.html(table.html())


def _patient_cell(note: Note) -> TableCell:
    patient = str(note.patient_id)
    return TableCell(
        patient,
        patient,
        f"case?{urlencode({session.PATIENT: patient, **view_query()})}",
        f"Open patient {patient}",
    )


def _edit_kinds(workspace: Workspace, kinds: list[ErrorKind]) -> None:
    """The kinds themselves: rename, remove, add."""
    with st.expander(f"Edit the kinds of error ({len(kinds)})", icon=":material/edit:"):
        if message := st.session_state.pop(_MESSAGE, ""):
            st.html(markup.callout(message, "warn"))
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
            new = f"new-{st.session_state.get(_ADDED, 0)}"  # what others add never empties what is typed here
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
        workspace.tags.save_kind(name, meaning, kind_id=kind_id, author=author())
        if kind_id is None:
            st.session_state[_ADDED] = st.session_state.get(_ADDED, 0) + 1
    except LeaderError as error:
        st.session_state[_MESSAGE] = str(error)


def _remove(workspace: Workspace, kind_id: str) -> None:
    try:
        workspace.tags.remove_kind(kind_id, author=author())
    except LeaderError as error:
        st.session_state[_MESSAGE] = str(error)
