"""What a workspace stores, as frozen values, and the checks of what people type into it.

Text is what people typed: data to show, never markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final

from leader_core.cohort.worklist import PatientQuery
from leader_core.domain import Case
from leader_core.errors import ArtifactError, InputError, LeaderError

LONGEST_TEXT: Final = 20_000
"""Characters of a note."""
LONGEST_NAME: Final = 120
LONGEST_AUTHOR: Final = 80
MOST_IDS: Final = 300_000
"""Patients of a saved list."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One state of an entry, as it was written; a row of the table."""

    key: str
    revision: int
    refused: bool
    deleted: bool
    patient_id: int | None
    visit_id: int | None
    author: str
    created_at: datetime  # UTC
    body: Mapping[str, Any]


class StaleEditError(InputError):
    """An edit of a revision that somebody else had changed meanwhile; both texts are stored.

    Attributes:
        current: the newest accepted revision.
        rejected: the refused edit, stored as a revision of its own; a refused removal is not stored.
    """

    def __init__(self, label: str, current: Revision, rejected: Revision, *, stored: bool = True) -> None:
        who = current.author or "somebody else"
        done = "removed" if current.deleted else "changed"
        super().__init__(
            f"This {label} was {done} by {who} while you were editing it. Nothing was overwritten"
            + (": your text is kept under it, as a late edit. " if stored else ". ")
            + "Look at the present one, then edit again."
        )
        self.current = current
        self.rejected = rejected


class ReadOnlyError(InputError):
    """A write to a workspace that cannot be written now; the text says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What an entry says now, and how often it was written."""

    now: Revision
    first_written: datetime
    revisions: int
    refused: int


@dataclass(frozen=True, slots=True)
class Note:
    """A note about a patient, one visit of theirs, or (without either) the cohort."""

    note_id: str
    version: int
    text: str
    author: str  # of this version
    created_at: datetime
    edited_at: datetime
    patient_id: int | None
    visit_id: int | None
    versions: int
    refused: int  # edits that came too late; their texts are stored too

    @classmethod
    def of(cls, entry: Entry) -> Note:
        now = entry.now
        return cls(
            now.key, now.revision, now.body["text"], now.author, entry.first_written,
            now.created_at, now.patient_id, now.visit_id, entry.revisions, entry.refused,
        )  # fmt: skip


_FIELDS: Final[Mapping[str, Mapping[str, type]]] = {
    "about": {"digest": str, "label": str},
    "note": {"text": str},
    "cohort": {"name": str},
    "variant": {"name": str, "case": dict, "parent": dict},
    "error_kind": {"name": str, "meaning": str},
    "row_tag": {"code": str, "model": str, "kind": str, "note": str},
}
"""What the record of an entry holds, by kind."""


def damaged(label: str, revision: Revision) -> str:
    """That an entry holds no record, as a sentence that quotes nothing of it."""
    patient = "" if revision.patient_id is None else f" on patient {revision.patient_id}"
    author = f" by {revision.author}" if revision.author else ""
    return (
        f"The {label}{patient} of {revision.created_at:%d %b %Y}{author} is damaged and not shown. `python -m train workspace "
        "verify` says where; `python -m train workspace restore` puts a backup in its place."
    )


def is_record(kind: str, body: object) -> bool:
    """Whether a body holds what entries of this kind do."""
    if not isinstance(body, dict):
        return False
    if kind == "cohort" and not (isinstance(body.get("query"), dict) or isinstance(body.get("ids"), list)):
        return False
    return all(isinstance(body.get(name), kind_of) for name, kind_of in _FIELDS.get(kind, {}).items())


@dataclass(frozen=True, slots=True)
class Star:
    """A starred patient."""

    patient_id: int
    author: str
    starred_at: datetime


@dataclass(frozen=True, slots=True)
class PatientFlags:
    """What the worklist shows of the workspace in a patient's row."""

    starred: bool
    notes: int


@dataclass(frozen=True, slots=True)
class SavedCohort:
    """A named set of patients: a filter that is run again each time, or a fixed list of ids."""

    cohort_id: str
    version: int
    name: str
    query: PatientQuery | None
    patient_ids: tuple[int, ...]
    created_at: datetime
    edited_at: datetime

    @classmethod
    def of(cls, entry: Entry) -> SavedCohort:
        """
        Raises:
            ArtifactError: a filter that this version does not know.
        """
        now, body = entry.now, entry.now.body
        query = _query(body["query"], body["name"]) if "query" in body else None
        return cls(
            now.key, now.revision, body["name"], query, tuple(body.get("ids", ())),
            entry.first_written, now.created_at,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parent:
    """Where a variant came from: another variant, a patient's visit, or (all None) nowhere."""

    variant_id: str | None = None
    patient_id: int | None = None
    visit_no: int | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """An edited or entered case, stored under a name."""

    variant_id: str
    version: int
    name: str
    case: Case
    parent: Parent
    created_at: datetime
    edited_at: datetime

    @classmethod
    def of(cls, entry: Entry) -> Variant:
        """
        Raises:
            InputError: a case that this version cannot read.
        """
        from leader_core.exchange.case_json import case_from_record  # it brings all readers of files

        now, body = entry.now, entry.now.body
        case = case_from_record(body["case"], what=f"variant {body['name']!r}")
        return cls(
            now.key, now.revision, body["name"], case, Parent(**body["parent"]),
            entry.first_written, now.created_at,
        )  # fmt: skip


def cohort_body(name: str, patients: PatientQuery | Sequence[int]) -> dict[str, Any]:
    """A filter without its page, or distinct ids in their order."""
    if isinstance(patients, PatientQuery):
        return {"name": name, "query": {k: v for k, v in asdict(patients).items() if k != "page"}}
    return {"name": name, "ids": list(dict.fromkeys(int(number) for number in patients))}


def _query(record: dict[str, Any], name: str) -> PatientQuery:
    """A filter from its fields; one that is absent takes its default, so that old filters go on working."""
    unknown = sorted(set(record) - {f.name for f in fields(PatientQuery)})
    if unknown:
        raise ArtifactError(
            f"The saved cohort {name!r} filters by {', '.join(unknown)}, which this version does not know. "
            "Open it with the newer version that saved it, or save it again."
        )
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in record.items()
    }
    try:
        return PatientQuery(**values)
    except (LeaderError, TypeError) as error:
        raise ArtifactError(f"The saved cohort {name!r} can no longer be used: {error}") from error


def clean_text(text: str, what: str, longest: int = LONGEST_TEXT, *, empty: bool = False) -> str:
    """Text as it is stored: the ends trimmed, line ends plain.

    Raises:
        InputError: nothing in it, too long, or control characters.
    """
    clean = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not clean and not empty:
        raise InputError(f"The {what} is empty: write something, or leave it.")
    if len(clean) > longest:
        raise InputError(
            f"The {what} has {len(clean):,} characters: expected at most {longest:,}. Shorten it."
        )
    if any((c < " " and c not in "\n\t") or "\ud800" <= c <= "\udfff" for c in clean):
        raise InputError(f"The {what} holds control characters, which are no text. Paste it as plain text.")
    return clean


def clean_name(name: str, what: str) -> str:
    """A name on one line."""
    return clean_text(" ".join(name.split()), f"{what}'s name", LONGEST_NAME)


def clean_author(author: str) -> str:
    """Who writes; may be empty."""
    return clean_text(" ".join(author.split()), "author's name", LONGEST_AUTHOR, empty=True)
