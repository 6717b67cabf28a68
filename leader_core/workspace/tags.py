"""Tags on rows: what kind of error each annotator sees in one class of one model's answer to one case.

A row is a case, a class and a model. That a row holds no error is an answer too, and counts where annotators are compared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from leader_core.errors import InputError, NotFoundError
from leader_core.workspace.store import Store
from leader_core.workspace.values import Entry, clean_author, clean_name, clean_text

LONGEST_MEANING: Final = 400
"""Characters of a kind's meaning, and of a tag's note."""
MOST_KINDS: Final = 40
NO_ERROR: Final = "none"
"""In place of a kind's id: the annotator looked and saw no error."""
_CODE: Final = re.compile(r"[A-Z0-9]{1,10}")
_MODEL: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")

TagRow = tuple[int, str, str]
"""(visit id, ATC code, model)."""


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One kind of error."""

    kind_id: str
    version: int  # 0 for one that was never edited
    name: str
    meaning: str
    removed: bool = False
    author: str = ""


DEFAULTS: Final = (
    ErrorKind("chronic", 0, "Missed chronic drug", "ordered before and again, but not suggested"),
    ErrorKind("acute", 0, "Missed new treatment", "ordered for what this visit is about, but not suggested"),
    ErrorKind(
        "indication", 0, "No indication", "suggested without a diagnosis or procedure that calls for it"
    ),
    ErrorKind("duplicate", 0, "Duplication", "suggested although another class in the set does the same"),
    ErrorKind(
        "harmful", 0, "Interaction or contraindication", "suggested although it is harmful with the rest"
    ),
    ErrorKind(
        "alternative", 0, "Defensible alternative", "differs from the record, but a clinician could choose it"
    ),
    ErrorKind("record", 0, "Record at fault", "coding or mapping of the source is wrong or incomplete"),
)
"""The kinds that a new workspace begins with; each can be renamed or taken off the list."""


@dataclass(frozen=True, slots=True)
class RowTag:
    """What one annotator says of one row; without class and model, of a whole case (tags of earlier versions)."""

    tag_id: str
    visit_id: int
    patient_id: int
    code: str  # of the class
    model: str
    kind: str  # id of a kind of error, or NO_ERROR
    note: str
    author: str
    version: int
    tagged_at: datetime  # UTC

    @property
    def row(self) -> TagRow:
        return self.visit_id, self.code, self.model


class Tags:
    """Kinds of error and tagged rows in one workspace.

    Each annotator's tag of a row is an entry of its own, so that annotators and sessions never overwrite each other.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def kinds(self, *, removed: bool = False) -> tuple[ErrorKind, ...]:
        """The kinds, the defaults first; with `removed` those too that were taken off the list."""
        return tuple(kind for kind in self._kinds().values() if removed or not kind.removed)

    def save_kind(
        self, name: str, meaning: str = "", *, kind_id: str | None = None, author: str = ""
    ) -> ErrorKind:
        """A new kind, or another name and meaning for an existing one.

        Raises:
            InputError: an empty or taken name, or too many kinds.
            NotFoundError: no such kind.
        """
        clean = clean_name(name, "kind of error")
        body = {
            "name": clean,
            "meaning": clean_text(" ".join(meaning.split()), "meaning", LONGEST_MEANING, empty=True),
        }
        with self._store.writing():
            others = [kind for kind in self.kinds() if kind.kind_id != kind_id]
            if any(kind.name.casefold() == clean.casefold() for kind in others):
                raise InputError(f"There is a kind of error {clean!r} already: choose another name.")
            if kind_id is not None:
                self._check(kind_id)
            elif len(others) >= MOST_KINDS:
                raise InputError(
                    f"There are {len(others)} kinds of error: expected at most {MOST_KINDS}. Remove one first."
                )
            return _error_kind(self._store.put("error_kind", body, clean_author(author), key=kind_id or ""))

    def remove_kind(self, kind_id: str, *, author: str = "") -> None:
        """Take a kind off the list; tags that were set with it stay.

        Raises:
            NotFoundError: no such kind.
        """
        with self._store.writing():
            self._check(kind_id)
            kind = self._kinds()[kind_id]
            body = {"name": kind.name, "meaning": kind.meaning}
            self._store.put("error_kind", body, clean_author(author), key=kind_id, deleted=True)

    def tag(self, patient_id: int, row: TagRow, kind: str, *, note: str = "", author: str) -> RowTag:
        """What an annotator sees in a row, in place of what they said of it before.

        Raises:
            InputError: no annotator's name, no class or model, or a note that is too long.
            NotFoundError: a kind that does not exist.
        """
        visit_id, code, model = row
        name = clean_author(author)
        if not name:
            raise InputError(
                "A tag needs the annotator's name or initials, so that annotators can be compared."
            )
        if not (_CODE.fullmatch(code) and _MODEL.fullmatch(model)):
            raise InputError(
                f"Tag of class {code!r}, model {model!r}: expected an ATC code and a model's name."
            )
        text = clean_text(" ".join(note.split()), "note", LONGEST_MEANING, empty=True)
        body = {"code": code, "model": model, "kind": kind, "note": text}
        key = self._store.opaque(f"{visit_id}/{code}/{model}/{name}")
        with self._store.writing():
            self._check(kind)
            return _row_tag(
                self._store.put("row_tag", body, name, key=key, patient_id=patient_id, visit_id=visit_id)
            )

    def withdraw(self, tag: RowTag) -> None:
        """Take a tag back, as if its annotator had not looked; its text stays in the file."""
        body = {"code": tag.code, "model": tag.model, "kind": tag.kind, "note": tag.note}
        self._store.put(
            "row_tag", body, tag.author, key=tag.tag_id, patient_id=tag.patient_id, visit_id=tag.visit_id,
            deleted=True,
        )  # fmt: skip

    def all(self, visit_id: int | None = None) -> tuple[RowTag, ...]:
        """The tags of one visit's rows, or of all; newest first."""
        tags = map(_row_tag, self._store.entries("row_tag"))
        return tuple(tag for tag in tags if visit_id in (None, tag.visit_id))

    def tagged(self, kind: str) -> tuple[int, ...]:
        """Visits in which some annotator saw a kind of error, or, for `NO_ERROR`, a row without one."""
        return tuple(sorted({tag.visit_id for tag in self.all() if tag.kind == kind}))

    def _kinds(self) -> dict[str, ErrorKind]:
        """Every kind by id as it stands: defaults as they were edited, then the others, oldest first."""
        entries = sorted(
            self._store.entries("error_kind", deleted=True), key=lambda e: (e.first_written, e.now.key)
        )
        return {kind.kind_id: kind for kind in (*DEFAULTS, *map(_error_kind, entries))}

    def _check(self, kind_id: str) -> None:
        if kind_id not in self._kinds() and kind_id != NO_ERROR:
            raise NotFoundError(
                f"There is no kind of error {kind_id!r} in this workspace. Choose one of the list."
            )


def _error_kind(entry: Entry) -> ErrorKind:
    now = entry.now
    return ErrorKind(now.key, now.revision, now.body["name"], now.body["meaning"], now.deleted, now.author)


def _row_tag(entry: Entry) -> RowTag:
    now = entry.now
    return RowTag(
        now.key, now.visit_id or 0, now.patient_id or 0, now.body["code"], now.body["model"], now.body["kind"],
        now.body["note"], now.author, now.revision, now.created_at,
    )  # fmt: skip
