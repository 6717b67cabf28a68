"""What an import read, what it left out and why, and what is still to be decided; stays until dismissed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import streamlit as st

from dashboard.shared import markup
from dashboard.shared.draft import MAX_EARLIER, Draft, change_draft, session_draft
from dashboard.shared.error_messages import guarded
from dashboard.shared.formatting import count, plain
from leader_core import Concept
from leader_core.domain import Kind
from leader_core.exchange.fhir import EncounterChoice, Imported
from leader_core.exchange.fhir_conditions import OfferedCondition
from leader_core.exchange.fhir_file import Listed
from leader_core.exchange.fhir_patient import PatientChoice

_OUTCOME: Final = "_import_outcome"
_TURN: Final = "_import_turn"
_FEW_ROWS: Final = 6
_SCROLL_HEIGHT: Final = 260
"""The height in pixels that more rows than `_FEW_ROWS` scroll in."""
_MOST_ROWS: Final = 300
"""Rows of what was left out that are drawn; the notes count the others."""
_NOTHING: Final = ""
_LEAVE_OUT: Final = "Leave out"


@dataclass(frozen=True, slots=True)
class OptionalCodes:
    """Codes that an import added to a visit and that can be taken out again with a click."""

    label: str
    help: str
    visit: int  # index in the draft
    kind: Kind
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What an import did, and what it could not do."""

    problem: str = ""  # nothing was changed
    done: str = ""
    notes: tuple[str, ...] = ()
    rows: tuple[tuple[str, str, str], ...] = ()  # what was left out, details, reason
    from_list: bool = False  # of a list that was pasted, not of a file
    encounters: tuple[EncounterChoice, ...] = ()  # of the file, where there are several to choose from
    current: str = ""  # which of them is the current visit
    patients: tuple[PatientChoice, ...] = ()  # of the file, where there are several to choose from
    patient: str = ""  # which of them the case is of
    optional: tuple[OptionalCodes, ...] = ()
    # conditions of a file, or words of a list, to choose a code for; their visits as the draft counts
    offered: tuple[OfferedCondition, ...] = ()
    # text of what is offered -> what was added for it, and to which visits
    accepted: Mapping[str, tuple[tuple[int, Concept], ...]] = field(default_factory=dict)
    # earlier visits of the draft when it was read; with others, nothing can be chosen any more
    visits: int = 0
    turn: int = 0  # counts imports, for the keys of widgets


def set_outcome(outcome: ImportOutcome) -> None:
    st.session_state[_OUTCOME] = outcome


def outcome() -> ImportOutcome | None:
    """The last import's, until it is dismissed."""
    last: ImportOutcome | None = st.session_state.get(_OUTCOME)
    return last


def forget_outcome() -> None:
    st.session_state.pop(_OUTCOME, None)


def this_turn() -> int:
    """How many imports this session began; part of the keys of their widgets, so that each begins anew."""
    return int(st.session_state.get(_TURN, 0))


def next_turn() -> int:
    """Count another import."""
    st.session_state[_TURN] = this_turn() + 1
    return this_turn()


def outcome_of(result: Imported, draft: Draft, name: str, turn: int) -> ImportOutcome:
    """The outcome of a file that was read and is the draft now."""
    notes = list(result.notes)
    dropped = max(0, len(result.case.history) - MAX_EARLIER)
    if dropped:
        notes.append(
            f"{count(dropped, 'visit')} left out, the oldest: an entered case holds {MAX_EARLIER} earlier visits."
        )
    rows = grouped(result.listed)
    if len(rows) > _MOST_ROWS:
        notes.append(
            f"Of {len(rows):,} kinds of things that are not in the case, the first {_MOST_ROWS} are shown."
        )
    optional = []
    if result.problems:
        optional.append(
            OptionalCodes(
                "Active problems, joined to the current visit",
                "They belong to no stay of the file. Click one to take it out of the case or put it back.",
                len(draft.earlier),
                "diagnosis",
                result.problems,
            )
        )
    if result.home is not None and result.home >= dropped:
        place = result.home - dropped
        optional.append(
            OptionalCodes(
                f"Medicines taken at home before admission (earlier visit {place + 1})",
                "The models read them as history. Click one to take it out of the case or put it back.",
                place,
                "medication",
                draft.visit(place).medications,
            )
        )
    shifted = (
        replace(each, visits=tuple(visit - dropped for visit in each.visits if visit >= dropped))
        for each in result.offered
    )
    several = len(result.encounters) > 1
    return ImportOutcome(
        done=f"Read {name}: {count(len(result.case.history) + 1, 'visit')}.",
        notes=tuple(notes),
        rows=tuple(rows[:_MOST_ROWS]),
        encounters=result.encounters if several else (),
        current=result.current,
        patients=result.patients,
        patient=result.patient,
        optional=tuple(optional),
        offered=tuple(each for each in shifted if each.visits),
        visits=len(draft.earlier),
        turn=turn,
    )


def grouped(listed: Iterable[Listed]) -> list[tuple[str, str, str]]:
    """What was left out, things with the same words and reason as one row."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for each in listed:
        kind = each.resource.partition("/")[0].rpartition("(")[
            2
        ]  # of "Condition/c1" or "entry 12 (Condition)"
        groups.setdefault((kind.rstrip(")"), each.code, each.reason), []).append(each.resource)
    return [
        (names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more", code, reason)
        for (_, code, reason), names in groups.items()
    ]


def show_choices(shown: ImportOutcome) -> None:
    """What the import leaves to the reader: what lasts, and conditions without a code that is used here."""
    if not shown.optional and not shown.offered:
        return
    if len(session_draft().earlier) != shown.visits:
        st.html(markup.note("The visits were changed since: choose the rest by hand."))
        return
    titles = session_draft().titles
    for number, each in enumerate(shown.optional):
        key = f"import-optional-{shown.turn}-{number}"
        st.pills(
            each.label,
            each.codes,
            selection_mode="multi",
            default=each.codes,
            format_func=lambda code: plain(f"{code} {titles.get(code, code)}", 60),
            key=key,
            help=each.help,
            on_change=_tick,
            args=(each, key),
        )
    if shown.offered:
        _offers(shown)


@guarded
def _tick(each: OptionalCodes, key: str) -> None:
    """Make the visit hold exactly the ticked ones of these codes."""
    ticked = set(st.session_state.get(key) or ())
    draft = session_draft()
    others = [code for code in draft.visit(each.visit).codes(each.kind) if code not in each.codes]
    change_draft(draft.with_codes(each.visit, each.kind, (*others, *(c for c in each.codes if c in ticked))))


def _offers(shown: ImportOutcome) -> None:
    """A choice for each condition or word, and one button for those that a code says exactly, or for the first of each."""
    open_ = [each for each in shown.offered if each.text not in shown.accepted]
    sure = [each for each in open_ if each.sure or shown.from_list]
    heading = "Read by their words" if shown.from_list else "Conditions without a code used here"
    exactly = f"Accept the {count(len(sure), 'condition')} that a code names exactly"
    st.html(markup.panel_title(heading, f"{len(shown.offered)}; nothing is taken until you choose"))
    with st.container():  # a place of its own, so that what follows keeps its place when the button goes
        if sure:
            st.button(
                "Accept the first of each" if shown.from_list else exactly,
                key=f"import-accept-{shown.turn}",
                icon=":material/done_all:",
                on_click=_accept,
                args=({each.text: each.concepts[0].code for each in sure},),
            )
    with st.container(height=_SCROLL_HEIGHT if len(shown.offered) > 3 else "content", border=False):
        for number, each in enumerate(shown.offered):
            titles = {concept.code: concept.title for concept in each.concepts}
            key = _offer_key(shown, number)
            if key not in st.session_state:
                st.session_state[key] = _NOTHING
            st.selectbox(
                plain(f"{each.text} · {_where(each, shown.visits)}"),
                [_NOTHING, *titles],
                format_func=_code_text(titles),
                key=key,
                help=plain(f"{each.reason[:1].upper()}{each.reason[1:]}."),
                on_change=_choose_offer,
                args=(each.text, key),
            )


def _code_text(titles: Mapping[str, str]) -> Callable[[str], str]:
    return lambda code: f"{titles[code]} ({code})" if code else _LEAVE_OUT


def _offer_key(shown: ImportOutcome, number: int) -> str:
    return f"import-offer-{shown.turn}-{number}"


def _where(each: OfferedCondition, earlier: int) -> str:
    """Which visits a condition stands in."""
    past = [str(visit + 1) for visit in each.visits if visit < earlier]
    parts = [f"earlier visit{'s' if len(past) > 1 else ''} {', '.join(past)}"] if past else []
    return " and ".join([*parts, *(["current visit"] if earlier in each.visits else [])])


@guarded
def _choose_offer(text: str, key: str) -> None:
    _accept({text: str(st.session_state.get(key) or "")})


@guarded
def _accept(chosen: Mapping[str, str]) -> None:
    """Add the chosen codes to the visits that they are offered for, in place of what was chosen before."""
    shown = outcome()
    draft = session_draft()
    if shown is None or len(draft.earlier) != shown.visits:
        return
    accepted = dict(shown.accepted)
    for number, each in enumerate(shown.offered):
        if each.text not in chosen:
            continue
        code = chosen[each.text]
        st.session_state[_offer_key(shown, number)] = code
        for visit, before in accepted.pop(each.text, ()):
            draft = draft.remove(visit, before.kind, before.code)
        concept = next((concept for concept in each.concepts if concept.code == code), None)
        if concept is not None:
            new = [visit for visit in each.visits if code not in draft.visit(visit).codes(concept.kind)]
            for visit in new:
                draft = draft.add(visit, concept)
            accepted[each.text] = tuple((visit, concept) for visit in new)
    change_draft(draft)
    set_outcome(replace(shown, accepted=accepted))


def show_rows(shown: ImportOutcome) -> None:
    """What is not in the case, and why."""
    if not shown.rows:
        return
    scrolls = len(shown.rows) > _FEW_ROWS
    caption = f"{len(shown.rows)} left out{'; scroll to see all' if scrolls else ''}"
    with st.container(height=_SCROLL_HEIGHT if scrolls else "content", border=False):
        st.html(markup.table(["Not in the case", "Details", "Why"], shown.rows, caption=caption))
