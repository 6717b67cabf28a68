"""What a workspace keeps, as frozen values, and the two ways in which a write is refused.

Text is what people typed: data to show, never markup. Refuses to know how any of it is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from leader_core.cohort.query import PatientQuery
from leader_core.domain import Case
from leader_core.errors import InputError

EntryKind = Literal["note", "cohort", "variant", "decision"]
State = Literal["accepted", "refused", "removed"]
Stage = Literal["before", "after"]

LONGEST_TEXT: Final = 20_000
"""Characters of a note."""
LONGEST_NAME: Final = 120
LONGEST_AUTHOR: Final = 80
MOST_TAGS: Final = 20
LONGEST_TAG: Final = 40
MOST_IDS: Final = 300_000
"""Patients of a saved list."""


@dataclass(frozen=True, slots=True)
class Version:
    """One state of an entry, as it was written; a refused one is an edit that came too late and was kept beside."""

    entry_id: str
    version: int
    state: State
    based_on: int  # the version its writer saw; 0 for the first
    patient_id: int | None
    visit_id: int | None
    name: str
    body: str
    tags: tuple[str, ...]
    author: str
    written_at: datetime  # UTC


@dataclass(frozen=True, slots=True)
class Note:
    """A note about a patient, one visit of theirs, or (without either) the cohort."""

    note_id: str
    version: int
    text: str
    tags: tuple[str, ...]
    author: str  # of this version
    created_at: datetime
    edited_at: datetime
    patient_id: int | None
    visit_id: int | None
    versions: int
    refused: int  # edits that came too late; their texts stand in the history


@dataclass(frozen=True, slots=True)
class Star:
    """A starred patient."""

    patient_id: int
    author: str
    starred_at: datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """What the worklist shows beside a patient."""

    starred: bool
    notes: int


@dataclass(frozen=True, slots=True)
class SavedCohort:
    """A named set of patients: a filter that is asked anew each time, or a fixed list of ids."""

    cohort_id: str
    version: int
    name: str
    query: PatientQuery | None
    patient_ids: tuple[int, ...]
    author: str
    created_at: datetime
    edited_at: datetime


@dataclass(frozen=True, slots=True)
class Parent:
    """Where a variant came from: another variant, a patient's visit, or (all None) nowhere."""

    variant_id: str | None = None
    patient_id: int | None = None
    visit_no: int | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """A case of one's own, kept under a name."""

    variant_id: str
    version: int
    name: str
    case: Case
    parent: Parent
    author: str
    created_at: datetime
    edited_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """The classes that a viewer chose for one visit; each viewer has one decision a visit and stage."""

    decision_id: str
    version: int
    patient_id: int
    visit_id: int
    author: str
    stage: Stage  # before or after the models' answers were shown
    codes: tuple[str, ...]  # ATC classes, in the order they were ticked
    comment: str
    decided_at: datetime


class StaleEditError(InputError):
    """An edit of a version that somebody else had changed meanwhile; both texts are kept.

    Attributes:
        current: the version that stands.
        kept: the refused edit, kept as a version of its own.
    """

    def __init__(self, what: str, current: Version, kept: Version) -> None:
        who = current.author or "somebody else"
        done = "removed" if current.state == "removed" else "changed"
        super().__init__(
            f"This {what} was {done} by {who} while you were editing it. Nothing was overwritten: your text is kept "
            "beside it as a version of its own. Look at both, then edit again."
        )
        self.current = current
        self.kept = kept


class ReadOnlyError(InputError):
    """A write to a workspace that this server can only read; the text says why."""
