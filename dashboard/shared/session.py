"""What a page is about: read from the URL, written to it, and the little that lives in the session alone.

The URL carries opaque ids, cut-offs and filters. Clinical text (a search, a case that was typed in) never enters it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import streamlit as st

from dashboard.server.service import Service
from dashboard.shared.draft import draft_query, session_draft
from dashboard.shared.formatting import cut_off
from dashboard.shared.url_state import read_number
from dashboard.shared.view_switch import is_research
from leader_core import Case, InputError, NotFoundError

PATIENT: Final = "patient"
VISIT: Final = "visit"
CASE: Final = "case"
DRAFT: Final = "draft"
VIEW: Final = "show"

VIEWS: Final[Mapping[str, str]] = {
    "all": "Show everything",
    "hide": "Hide orders",
    "decide": "Decide first",
}
"""How a case is shown: with what was ordered, without it, or only after the viewer has chosen a set of their own."""

HOLD: Final = "hold"
"""URL parameter and session key: whether what the patient's conditions forbid is held back from the suggestions ("1" or "0");
without it, it is in the clinician's view and is not in the research view."""

FOCUS: Final = "focus"
"""URL parameter: the class that a link is about; its row is opened and scrolled to."""

_LAST: Final = "_last_case"
_VIEW: Final = "_view"
_HOLD: Final = "_hold_back"
_DECIDED: Final = "_decided"
_REVEALED: Final = "_revealed"


@dataclass(frozen=True, slots=True)
class Subject:
    """The case a page is about and where it came from."""

    case: Case
    source: Literal["cohort", "draft"]
    patient_id: int | None = None
    visit_no: int | None = None
    age: int | None = None  # in years, at the visit of a recorded case
    drugs: tuple[str, ...] = ()  # entered for the current stay, as typed; the models never read them

    @property
    def query(self) -> dict[str, str]:
        """The URL parameters that lead back to it."""
        if self.source == "draft":
            return {CASE: DRAFT, **draft_query()}
        return case_query(self.patient_id or 0, self.visit_no)

    @property
    def key(self) -> str:
        """What the session keeps things about this case under."""
        return "draft" if self.source == "draft" else f"{self.patient_id}-{self.visit_no}"

    @property
    def audit_name(self) -> str:
        """What the audit log calls it."""
        return (
            "an entered case"
            if self.source == "draft"
            else f"patient {self.patient_id}, visit {self.visit_no}"
        )


def case_query(patient_id: int, visit_no: int | None = None) -> dict[str, str]:
    """URL parameters of a case in the cohort; without a visit, the patient's last."""
    query = {PATIENT: str(patient_id)}
    if visit_no is not None:
        query[VISIT] = str(visit_no)
    return query


def open_case(patient_id: int, visit_no: int) -> None:
    """Open another case on the page that is open, at the same class; call from a widget's callback. Back leads to this one."""
    st.query_params.from_dict({**case_query(patient_id, visit_no), **focus_query()})


def url_query() -> dict[str, str]:
    """The URL parameters; where they name no case, those of the case that was open last, as it was seen."""
    query = {key: st.query_params[key] for key in st.query_params}
    if PATIENT in query or CASE in query:
        return query
    return {**st.session_state.get(_LAST, {}), **query}


def subject(service: Service) -> Subject | None:
    """The case that the URL names, or the one that was open last; None where there is neither.

    Raises:
        InputError: an id or visit number that is not a number.
        NotFoundError: a patient or visit that this cohort does not hold.
    """
    query = url_query()
    if query.get(CASE) == DRAFT:
        return _entered()
    if not query.get(PATIENT):
        return None
    patient_id = _number(query[PATIENT], "patient id")
    return recorded(service, patient_id, _number(query[VISIT], "visit number") if query.get(VISIT) else None)


def recorded(service: Service, patient_id: int, visit_no: int | None = None) -> Subject:
    """A case of the cohort, at the patient's last visit unless another is named.

    Raises:
        NotFoundError: a patient or visit that this cohort does not hold.
    """
    case = service.engine.cohort.case(patient_id, visit_no)
    visit = case.current
    age = None if visit.visit_id is None else service.engine.cohort.age(visit.visit_id)
    return Subject(case, "cohort", patient_id, visit_no if visit_no is not None else visit.visit_no, age)


def remember_open_case(query: Mapping[str, str]) -> None:
    """Make this the case that pages opened without one return to, under these cut-offs."""
    st.session_state[_LAST] = dict(query)


def threshold(model: str) -> float | None:
    """The cut-off that the link names; None where it is the model's own."""
    return read_number(url_query().get(threshold_key(model), ""))


def threshold_key(model: str) -> str:
    """The URL parameter and widget key of a model's cut-off."""
    return f"{model}_cut"


def focused_class() -> str:
    """The class that the link is about; "" where it names none."""
    code = url_query().get(FOCUS, "")
    return code if code.isascii() and code.isalnum() and len(code) <= 7 else ""


def focus_query() -> dict[str, str]:
    """The URL parameter of the class that the link is about."""
    code = focused_class()
    return {FOCUS: code} if code else {}


def query_for(subject: Subject, thresholds: Mapping[str, float] | None = None) -> dict[str, str]:
    """URL parameters for any page about the same case, under the same cut-offs.

    `thresholds` are those that differ from a model's own; without them, the ones that this page has.
    """
    if thresholds is None:
        thresholds = {
            name: value for name in ("teacher", "student") if (value := threshold(name)) is not None
        }
    shown = {VIEW: view()} if subject.source == "cohort" and view() != "all" else {}
    held = {} if holding_back() != is_research() else {HOLD: "1" if holding_back() else "0"}
    return {
        **subject.query,
        **{threshold_key(name): cut_off(value) for name, value in thresholds.items()},
        **shown,
        **held,
    }


def view() -> str:
    """How cases are shown in this session: as it was last chosen, else as the link asks."""
    choice = st.session_state.get(_VIEW) or url_query().get(VIEW, "")
    return choice if choice in VIEWS else "all"


def set_view(choice: str) -> None:
    """Show every case this way from now on: in a demonstration the next case does not show its orders either."""
    st.session_state[_VIEW] = choice if choice in VIEWS else "all"


def holding_back() -> bool:
    """Whether suggestions that the patient's conditions forbid are held back: as last chosen, else as the link asks."""
    chosen = st.session_state.get(_HOLD, {}).get(is_research())
    if chosen is not None:
        return bool(chosen)
    return url_query().get(HOLD, "0" if is_research() else "1") == "1"


def hold_back(choice: bool) -> None:
    """Hold back, or not, in every case from now on; each of the two views has its own choice."""
    st.session_state[_HOLD] = {**st.session_state.get(_HOLD, {}), is_research(): choice}


def undecided(subject: Subject) -> bool:
    """Whether the viewer wants to decide first, and has not yet."""
    return subject.source == "cohort" and view() == "decide" and not revealed(subject.key)


def hidden(subject: Subject) -> bool:
    """Whether the viewer chose not to see what was ordered in this visit."""
    return undecided(subject) or (subject.source == "cohort" and view() == "hide")


def decided(case: str) -> Mapping[str, Sequence[str]]:
    """The classes that the viewer chose before revealing, in the order of the list; `case` is a `Subject.key`.

    Each with the drugs for which it was chosen; a class that was ticked as such has none.
    """
    chosen: Mapping[str, Sequence[str]] = st.session_state.get(_DECIDED, {}).get(case, {})
    return chosen


def decide(case: str, chosen: Mapping[str, Sequence[str]]) -> None:
    """Set the classes that the viewer chose, as in `decided`; once revealed, the set stays as it was decided."""
    if not revealed(case):
        st.session_state[_DECIDED] = {**st.session_state.get(_DECIDED, {}), case: chosen}


def revealed(case: str) -> bool:
    """Whether the viewer chose to see the models and the record."""
    return case in st.session_state.get(_REVEALED, frozenset())


def reveal(case: str) -> None:
    """Show the models and the record, and freeze the viewer's set."""
    st.session_state[_REVEALED] = frozenset((*st.session_state.get(_REVEALED, ()), case))


def decide_again(case: str) -> None:
    """Hide everything again and begin with an empty set."""
    st.session_state[_REVEALED] = frozenset(st.session_state.get(_REVEALED, ())) - {case}
    decide(case, {})


def _entered() -> Subject:
    draft = session_draft()
    if draft.submitted is None:
        raise NotFoundError(
            "The entered case is not in this session: it was never submitted, or the session has ended. "
            "Entered cases stay in the session only and never enter the link. Enter it again under New case."
        )
    return Subject(draft.submitted, "draft", drugs=draft.drugs)


def _number(text: str, what: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise InputError(
            f"The link names {text[:40]!r} as {what}: expected a whole number of at most 18 digits. "
            "Choose a patient instead."
        )
    return int(text)
