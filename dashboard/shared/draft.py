"""The case that a session is entering: visits, codes and profile until it becomes a `Case`, with undo.

A `Draft` is immutable: each edit gives a new one. The session holds the present one and those before it; the server holds the
present one too, under an opaque id that stands in the link, so that a reload of the page does not lose it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import streamlit as st

from dashboard.server.access import account_name
from dashboard.server.accounts import LONGEST_SECONDS
from dashboard.server.service import RecentResults, Service
from leader_core import KINDS, UNKNOWN, Case, Concept, Visit
from leader_core.domain import Kind

MAX_EARLIER: Final = 9
SESSION_KEY: Final = "_draft"
"""Session key of the present draft."""
VISIT: Final = "_draft_visit"
"""Session key of the index of the visit that is being edited."""
_PAST: Final = "_draft_past"
_MOST_UNDONE: Final = 30
_BEFORE: Final = "what you submitted before"

ID: Final = "draft"
"""The URL parameter of the session's draft: an opaque id, for what was entered never stands in a link."""
_ID: Final = "_draft_id"
_LOST: Final = "_draft_lost"
_MOST_STORED: Final = 500
LOST: Final = (
    "The case of this link is no longer here: what is entered stays in this server's memory for 12 hours, until a restart, "
    "and for the person who entered it. A case saved under a name stays."
)


@dataclass(frozen=True, slots=True)
class Draft:
    """Earlier visits (oldest first), the current one, the profile, and the last version that was submitted."""

    earlier: tuple[Visit, ...] = ()
    current: Visit = Visit()
    profile: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)  # code -> title, as it was chosen
    submitted: Case | None = None
    before: Case | None = None  # what was submitted before that
    origin: Case | None = None  # the case it started from, without what was ordered in it
    origin_name: str = ""  # "patient 10006", "variant ‘base’"
    variant_id: str | None = None  # the saved variant it started from
    drugs: tuple[str, ...] = ()  # of the current stay, as typed: reviewed, never read by a model

    def visit(self, index: int) -> Visit:
        """`index` counts earlier visits from 0; the number of earlier visits is the current one."""
        return self.current if index >= len(self.earlier) else self.earlier[index]

    def with_codes(self, index: int, kind: Kind, codes: Iterable[str]) -> Draft:
        """The draft with these codes of a kind, each once, in place of those that a visit has."""
        before = self.visit(index)
        by_kind = {each: before.codes(each) for each in KINDS} | {kind: tuple(dict.fromkeys(codes))}
        visit = Visit(by_kind["diagnosis"], by_kind["procedure"], by_kind["medication"])
        if index >= len(self.earlier):
            return replace(self, current=visit)
        return replace(self, earlier=(*self.earlier[:index], visit, *self.earlier[index + 1 :]))

    def system_of(self, kind: Kind) -> str:
        """The code system of the codes of a kind, where all are of one; empty otherwise."""
        codes = [code for visit in (*self.earlier, self.current) for code in visit.codes(kind)]
        systems = {code.partition(":")[0] for code in codes if ":" in code}
        return systems.pop() if len(systems) == 1 else ""

    def add(self, index: int, concept: Concept) -> Draft:
        """One code more in a visit; the current visit takes no medications, which the models recommend."""
        if concept.kind == "medication" and index >= len(self.earlier):
            return self
        have = self.visit(index).codes(concept.kind)
        changed = self.with_codes(index, concept.kind, (*have, concept.code))
        return replace(changed, titles={**self.titles, concept.code: concept.title})

    def remove(self, index: int, kind: Kind, code: str) -> Draft:
        return self.with_codes(index, kind, (c for c in self.visit(index).codes(kind) if c != code))

    def add_visit(self) -> Draft:
        """One more earlier visit, just before the current one; at most `MAX_EARLIER`."""
        return self if len(self.earlier) >= MAX_EARLIER else replace(self, earlier=(*self.earlier, Visit()))

    def remove_visit(self, index: int) -> Draft:
        return replace(self, earlier=(*self.earlier[:index], *self.earlier[index + 1 :]))

    def set_profile(self, profile: Mapping[str, str]) -> Draft:
        return replace(self, profile={k: v for k, v in profile.items() if v and v != UNKNOWN})

    def submit(self) -> Draft:
        """The draft with its present content as the submitted case; submitted unchanged, nothing is new."""
        case = self.case()
        return self if case == self.submitted else replace(self, submitted=case, before=self.submitted)

    @property
    def compared(self) -> tuple[Case, str] | None:
        """The case to show what changed against, and its name: where it started from, else what was submitted before."""
        case, name = (self.origin, self.origin_name) if self.origin is not None else (self.before, _BEFORE)
        return None if case is None or case == self.submitted else (case, name)

    @property
    def problem(self) -> str:
        """Why it cannot be scored yet, in a sentence; empty where it can."""
        if not (self.current.diagnoses or self.current.procedures):
            return "Give the current visit at least one diagnosis or procedure."
        return ""

    @property
    def changed(self) -> bool:
        """Whether something was edited since it was submitted."""
        return self.submitted is not None and self.submitted != self.case()

    def case(self) -> Case:
        """The case as entered; earlier visits without any code are left out."""
        filled = [visit for visit in self.earlier if any(map(visit.codes, KINDS))]
        return Case(
            profile=dict(self.profile),
            history=tuple(replace(visit, visit_no=number) for number, visit in enumerate(filled, 1)),
            current=replace(self.current, visit_no=len(filled) + 1),
        )

    @classmethod
    def from_case(
        cls, case: Case, titles: Mapping[str, str], *, name: str = "", variant_id: str | None = None
    ) -> Draft:
        """A draft that starts from another case, without the medications of that case's current visit.

        `name` says which case that is; by default its patient.
        """
        patient = f"patient {case.patient_id}" if case.patient_id is not None else ""
        draft = cls(
            earlier=tuple(
                Visit(visit.diagnoses, visit.procedures, visit.medications)
                for visit in case.history[-MAX_EARLIER:]
            ),
            current=Visit(case.current.diagnoses, case.current.procedures),
            profile={k: v for k, v in case.profile.items() if v != UNKNOWN},
            titles=dict(titles),
            origin_name=name or patient,
            variant_id=variant_id,
        )
        return replace(draft, origin=draft.case()) if draft.origin_name else draft


def session_draft() -> Draft:
    """The session's draft: at first the one that the link names, or a blank one."""
    if not isinstance(st.session_state.get(SESSION_KEY), Draft):
        linked = st.query_params.get(ID, "")
        stored = _stored_drafts().get(linked, account_name()) if linked else None
        st.session_state[_LOST] = bool(linked) and stored is None
        set_draft(stored or Draft())
    draft: Draft = st.session_state[SESSION_KEY]
    return draft


def set_draft(draft: Draft) -> None:
    """Set the session's draft without a step to undo."""
    st.session_state[SESSION_KEY] = draft
    if draft != Draft():
        st.session_state[_LOST] = False
        _stored_drafts().put(
            st.session_state.setdefault(_ID, secrets.token_urlsafe(12)), draft, account_name()
        )


def draft_query() -> dict[str, str]:
    """The URL parameter that leads back to the session's draft after a reload; empty where nothing was entered."""
    return {ID: st.session_state[_ID]} if session_draft() != Draft() and _ID in st.session_state else {}


def draft_lost() -> bool:
    """Whether the link names a draft that is no longer there."""
    return bool(st.session_state.get(_LOST))


class DraftStore:
    """Drafts by opaque id, in this server's memory alone: for 12 hours, and the last few hundred."""

    def __init__(self) -> None:
        self._drafts: RecentResults[tuple[Draft, str, float]] = RecentResults(
            _MOST_STORED
        )  # draft, owner, when

    def put(self, key: str, draft: Draft, owner: str) -> None:
        self._drafts.put(key, (draft, owner, time.monotonic()))

    def get(self, key: str, owner: str) -> Draft | None:
        """The draft of this id, where the same person stored it and not too long ago."""
        draft, stored_by, at = self._drafts.get(key) or (None, "", 0.0)
        return draft if stored_by == owner and time.monotonic() - at < LONGEST_SECONDS else None


@st.cache_resource(show_spinner=False)
def _stored_drafts() -> DraftStore:
    return DraftStore()


def change_draft(draft: Draft) -> None:
    """Set the session's draft so that it can be undone; the same draft again is no step."""
    if draft != (before := session_draft()):
        past = _past()
        past.append(before)
        del past[:-_MOST_UNDONE]
    set_draft(draft)


def replace_draft(draft: Draft) -> None:
    """Put another case in the draft's place; it can be undone."""
    change_draft(draft)
    _forget_widgets()


def copy_case(case: Case, service: Service) -> None:
    """Make a copy of a case the session's draft; it can be undone."""
    replace_draft(Draft.from_case(case, known_titles(case, service)))


def known_titles(case: Case, service: Service) -> dict[str, str]:
    """Titles of a case's codes; the code itself where no table knows one."""
    return {code: service.engine.cohort.title(kind, code) or code for kind, code in case.codes()}


def undo() -> None:
    """Go back to the draft before the last change."""
    if past := _past():
        set_draft(past.pop())
    _forget_widgets()


def can_undo() -> bool:
    return bool(_past())


def _past() -> list[Draft]:
    drafts: list[Draft] = st.session_state.setdefault(_PAST, [])
    return drafts


def _forget_widgets() -> None:
    """Profile widgets and the chosen visit belong to the draft before."""
    for key in [k for k in st.session_state if str(k).startswith(("profile-", "planned-", VISIT))]:
        del st.session_state[key]
