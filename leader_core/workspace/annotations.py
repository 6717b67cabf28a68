"""Tags on cases: kinds of error that people define, and which of them each annotator saw in which visit.

An annotator who saved no kind has looked and seen no error, which counts where two annotators are compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from leader_core.errors import InputError, NotFoundError
from leader_core.workspace.store import Entry, Store
from leader_core.workspace.values import clean_author, clean_name, clean_text

LONGEST_MEANING: Final = 400
MOST_KINDS: Final = 40


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
    ErrorKind("chronic", 0, "Missed chronic drug", "given before and prescribed again, but not suggested"),
    ErrorKind(
        "acute", 0, "Missed new treatment", "prescribed for what this visit is about, but not suggested"
    ),
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
class Annotation:
    """What one annotator says of one visit."""

    visit_id: int
    patient_id: int
    author: str
    kinds: tuple[str, ...]  # ids; empty where nothing is wrong
    version: int
    annotated_at: datetime  # UTC


class Annotations:
    """Kinds of error and tags in one workspace."""

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

    def annotate(self, patient_id: int, visit_id: int, kinds: Iterable[str], *, author: str) -> Annotation:
        """What an annotator sees in a visit, in place of what they said before; no kind says that nothing is wrong.

        Raises:
            InputError: no annotator's name.
            NotFoundError: a kind that does not exist.
        """
        name = clean_author(author)
        if not name:
            raise InputError(
                "Tags need the annotator's name or initials, so that annotators can be compared."
            )
        chosen = tuple(dict.fromkeys(kinds))
        with self._store.writing():
            self._check(*chosen)
            return _annotation(self._write(patient_id, visit_id, name, chosen))

    def withdraw(self, patient_id: int, visit_id: int, *, author: str) -> None:
        """Take an annotator's answer about a visit back, as if they had not looked."""
        self._write(patient_id, visit_id, clean_author(author), None)

    def all(self, visit_id: int | None = None) -> tuple[Annotation, ...]:
        """What annotators say of one visit, or of all; newest first."""
        annotations = (_annotation(entry) for entry in self._store.entries("annotation"))
        return tuple(each for each in annotations if visit_id in (None, each.visit_id))

    def tagged(self, kind_id: str) -> tuple[int, ...]:
        """Visits in which some annotator saw a kind of error."""
        return tuple(sorted({each.visit_id for each in self.all() if kind_id in each.kinds}))

    def _kinds(self) -> dict[str, ErrorKind]:
        """Every kind by id as it stands: defaults as they were edited, then the others, oldest first."""
        entries = sorted(
            self._store.entries("error_kind", deleted=True), key=lambda e: (e.first_written, e.now.key)
        )
        return {kind.kind_id: kind for kind in (*DEFAULTS, *map(_error_kind, entries))}

    def _check(self, *kind_ids: str) -> None:
        known = self._kinds()
        for kind_id in kind_ids:
            if kind_id not in known:
                raise NotFoundError(
                    f"There is no kind of error {kind_id!r} in this workspace. Choose one of the list."
                )

    def _write(self, patient_id: int, visit_id: int, author: str, kinds: tuple[str, ...] | None) -> Entry:
        return self._store.put(
            "annotation", {"kinds": list(kinds or ())}, author, key=f"{visit_id}/{author}",
            patient_id=patient_id, visit_id=visit_id, deleted=kinds is None,
        )  # fmt: skip


def _error_kind(entry: Entry) -> ErrorKind:
    now = entry.now
    return ErrorKind(now.key, now.revision, now.body["name"], now.body["meaning"], now.deleted, now.author)


def _annotation(entry: Entry) -> Annotation:
    now = entry.now
    return Annotation(
        now.visit_id or 0,
        now.patient_id or 0,
        now.author,
        tuple(now.body["kinds"]),
        now.revision,
        now.created_at,
    )
