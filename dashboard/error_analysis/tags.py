"""Tags and notes: which kinds of error were seen in which rows, how far annotators agree, what was written, and the kinds."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import combinations
from typing import Final
from urllib.parse import urlencode

import streamlit as st

from dashboard.error_analysis.context import AnalysisContext
from dashboard.error_analysis.tables import AnalysisTable, TableCell, csv_row, number_cell, table_of
from dashboard.scores.notes import NO_ERROR_NAME, author
from dashboard.server.workspace import Workspace, get_workspace
from dashboard.shared import markup, session
from dashboard.shared.analysis import model_name
from dashboard.shared.error_messages import message_of_errors, show_message
from dashboard.shared.formatting import count, day, listing, shortened
from dashboard.shared.view_switch import view_query
from leader_core.error_analysis import AnnotatorAgreement, Condition, annotator_agreement
from leader_core.workspace import NO_ERROR, ErrorKind, Note, RowTag, TagRow

_MESSAGE: Final = "_kinds_message"
_ADDED: Final = "_kinds_added"  # how many this session added
_MOST_PAIRS: Final = 6
_MOST_ROWS: Final = 50
_HOW: Final = "Open a case in the research view, go to a row of the table of classes and press t: a digit chooses the kind."
_KAPPA: Final = (
    "Cohen's kappa over what both have tagged (a class tagged alike for both models counts once): 1 is full "
    "agreement, 0 what chance would give. A dash: one answer only, so that chance and agreement cannot be distinguished. "
    "With few of them one answer changes kappa much."
)


def draw(context: AnalysisContext) -> None:
    """Counts, agreement, the tagged rows, notes and the kinds; only cases among those chosen count."""
    workspace = get_workspace(context.service)
    names, tags = kind_names(workspace), tags_of(context, workspace)
    for notice in workspace.notices:  # damaged tags too
        st.html(markup.callout(notice, "warn"))
    st.html(markup.panel_title("Tags", tag_summary(tags) if tags else ""))
    if tags:
        st.html(count_table(context, names, tags).html())
        pairs = agreements(tags)
        if pairs:
            st.html(markup.panel_title("Agreement of annotators", "Cohen's kappa"))
            st.html(agreement_table(names, pairs).html())
            csv_row("agreement", lambda: agreement_table(names, pairs), _KAPPA)
            _draw_disagreements(context, names, tags)
        newest = f"the newest {_MOST_ROWS}" if len(tags) > _MOST_ROWS else ""
        st.html(markup.panel_title("Tagged rows", newest))
        st.html(row_table(context, names, tags[:_MOST_ROWS], merged=True).html())
        csv_row(
            "tags", lambda: row_table(context, names, tags), "The CSV holds every tag of the chosen cases."
        )
    else:
        st.html(markup.empty("No row of the chosen cases is tagged", _HOW))
    _draw_notes(context, workspace)
    _edit_kinds(workspace, list(workspace.tags.kinds()))


def kind_names(workspace: Workspace) -> dict[str, str]:
    """The name of every kind of error by id, those taken off the list too, and of no error."""
    return {**{k.kind_id: k.name for k in workspace.tags.kinds(removed=True)}, NO_ERROR: NO_ERROR_NAME}


def tags_of(context: AnalysisContext, workspace: Workspace) -> list[RowTag]:
    """The tags on the chosen cases, newest first."""
    chosen = set(context.analysis.frame.visit_ids[context.within].tolist())
    return [tag for tag in workspace.tags.all() if tag.visit_id in chosen]


def tag_summary(tags: Sequence[RowTag]) -> str:
    """How many answers of a model about a class, in how many cases, by how many annotators."""
    answers, cases, people = {t.row for t in tags}, {t.visit_id for t in tags}, {t.author for t in tags}
    return f"{count(len(answers), 'answer')} in {count(len(cases), 'case')}, by {count(len(people), 'annotator')}"


def count_table(context: AnalysisContext, names: Mapping[str, str], tags: Sequence[RowTag]) -> AnalysisTable:
    """One row per kind: its rows, its cases, and how often each annotator saw it."""
    people = sorted({tag.author for tag in tags})
    of_kind: dict[str, list[RowTag]] = {}
    for tag in tags:
        of_kind.setdefault(tag.kind, []).append(tag)
    order = list(names)

    def cases(kind: str) -> TableCell:
        number = len({tag.visit_id for tag in of_kind[kind]})
        return context.opens(number, names.get(kind, kind), Condition("tag", (kind,)))

    def by(person: str) -> Callable[[str], int]:
        return lambda kind: sum(tag.author == person for tag in of_kind[kind])

    return table_of(
        sorted(of_kind, key=lambda kind: (kind == NO_ERROR, -len(of_kind[kind]), order.index(kind))),
        [
            ("Kind of error", "", lambda kind: names.get(kind, kind)),
            ("Answers", "", lambda kind: len({tag.row for tag in of_kind[kind]})),
            ("Cases", "", cases),
            *((person, "", by(person)) for person in people),
        ],
    )


def row_table(
    context: AnalysisContext, names: Mapping[str, str], tags: Sequence[RowTag], *, merged: bool = False
) -> AnalysisTable:
    """One row per tag, where `merged` one for all models of which an annotator says the same; the case opens at the class."""
    alike: dict[Hashable, list[RowTag]] = {}
    for tag in tags:
        said = (tag.visit_id, tag.code, tag.kind, tag.note, tag.author)
        alike.setdefault(said if merged and tag.code else tag.tag_id, []).append(tag)
    models = {same[0].tag_id: sorted((t.model for t in same), reverse=True) for same in alike.values()}

    def model(tag: RowTag) -> TableCell:
        return TableCell(tag.model, listing(map(model_name, filter(None, models[tag.tag_id]))))

    def case(tag: RowTag) -> TableCell:
        patient = str(tag.patient_id)
        where = context.title(tag.code) if tag.code else "the whole case"
        return TableCell(
            patient,
            patient,
            context.case_link(tag.visit_id, tag.code),
            f"Open patient {patient} at {where}",
        )

    return table_of(
        [same[0] for same in alike.values()],
        [
            ("Patient", "patient_id", case),
            ("", "visit_id", lambda tag: tag.visit_id),
            ("", "class", lambda tag: tag.code),
            ("Class", "class_title", lambda tag: TableCell(context.title(tag.code) if tag.code else "",
                                                           context.titled(tag.code) if tag.code else "Whole case")),
            ("Model", "model", model),
            ("Tag", "tag", lambda tag: names.get(tag.kind, tag.kind)),
            ("Note", "note", lambda tag: TableCell(tag.note, tag.note)),
            ("By", "annotator", lambda tag: tag.author),
            ("When", "tagged_at", lambda tag: TableCell(tag.tagged_at.isoformat(timespec="seconds"), day(tag.tagged_at))),
        ],
    )  # fmt: skip


Pair = tuple[str, str, tuple[AnnotatorAgreement, ...]]
"""Two annotators, and their agreement on all kinds, then on each."""


def _answers(tags: Sequence[RowTag]) -> dict[str, dict[TagRow, str]]:
    """What each annotator says of each row; tags of whole cases, which may be several, are left out."""
    answers: dict[str, dict[TagRow, str]] = {}
    for tag in tags:
        if tag.code:
            answers.setdefault(tag.author, {})[tag.row] = tag.kind
    return answers


def _judged(first: Mapping[TagRow, str], second: Mapping[TagRow, str]) -> list[TagRow]:
    """The rows that both tagged; of a class that was tagged alike for both models, one: it was one judgement."""
    judged = {(*row[:2], first[row], second[row]): row for row in first if row in second}
    return list(judged.values())


def agreements(tags: Sequence[RowTag]) -> list[Pair]:
    """Every pair of annotators who tagged the same rows, those with most in common first."""
    answers = _answers(tags)
    pairs = [
        (a, b, annotator_agreement(answers[a], {row: answers[b][row] for row in shared}))
        for a, b in combinations(sorted(answers), 2)
        if (shared := _judged(answers[a], answers[b]))
    ]
    return sorted(pairs, key=lambda pair: -pair[2][0].rows)[:_MOST_PAIRS]


def agreement_table(names: Mapping[str, str], pairs: Sequence[Pair]) -> AnalysisTable:
    """Of each pair of annotators one row over all kinds, then one for each kind that either saw."""
    rows = [(f"{a} and {b}", a, b, one) for a, b, each in pairs for one in each]
    return table_of(
        rows,
        [
            ("Annotators", "annotators", lambda row: row[0]),
            ("Kind of error", "tag", lambda row: names.get(row[3].kind, row[3].kind) or "All kinds"),
            ("Judged by both", "judged by both", lambda row: row[3].rows),
            ("Agreed", "agreed", lambda row: row[3].agreed),
            ("Both saw it", "both", lambda row: row[3].both),
            ("First only", "first only", lambda row: row[3].first_only),
            ("Second only", "second only", lambda row: row[3].second_only),
            ("Observed", "observed agreement", lambda row: number_cell(row[3].observed)),
            ("Kappa", "kappa", lambda row: number_cell(row[3].kappa)),
        ],
    )


def _draw_disagreements(context: AnalysisContext, names: Mapping[str, str], tags: Sequence[RowTag]) -> None:
    """The rows that annotators tagged differently, to be talked about."""
    by_row: dict[TagRow, list[RowTag]] = {}
    for tag in tags:
        if tag.code:
            by_row.setdefault(tag.row, []).append(tag)
    split = [row for row, own in by_row.items() if len({tag.kind for tag in own}) > 1]
    if not split:
        return
    number = len({row[:2] for row in split})
    with st.expander(f"{count(number, 'class', 'classes')} tagged differently", icon=":material/difference:"):
        own = sorted(
            (tag for row in split for tag in by_row[row]), key=lambda tag: (split.index(tag.row), tag.author)
        )
        st.html(row_table(context, names, own, merged=True).html())


def _draw_notes(context: AnalysisContext, workspace: Workspace) -> None:
    people = set(context.analysis.frame.patient_ids[context.within].tolist())
    notes = [n for n in workspace.notes() if n.patient_id in people]
    if not notes:
        return
    st.html(markup.panel_title("Notes", f"{count(len(notes), 'note')} on the chosen patients"))
    table = table_of(
        notes[:_MOST_ROWS],
        [
            ("Patient", "", lambda note: _patient_cell(context, note)),
            ("Note", "", lambda note: shortened(note.text, 160)),
            ("By", "", lambda note: note.author or "No name"),
            ("When", "", lambda note: day(note.edited_at)),
        ],
    )
    st.html(table.html())


def _patient_cell(context: AnalysisContext, note: Note) -> TableCell:
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
        show_message(_MESSAGE)
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
    with message_of_errors(_MESSAGE):
        workspace.tags.save_kind(name, meaning, kind_id=kind_id, author=author())
        if kind_id is None:
            st.session_state[_ADDED] = st.session_state.get(_ADDED, 0) + 1


def _remove(workspace: Workspace, kind_id: str) -> None:
    with message_of_errors(_MESSAGE):
        workspace.tags.remove_kind(kind_id, author=author())
