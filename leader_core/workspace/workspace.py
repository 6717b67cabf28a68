"""The workspace: notes, tags, stars, saved cohorts and variants of one cohort, in a file next to it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from leader_core.cohort.worklist import PatientQuery
from leader_core.domain import Case, Fingerprint
from leader_core.errors import InputError
from leader_core.workspace.encryption import Cipher
from leader_core.workspace.store import OnWrite, Store
from leader_core.workspace.tags import Tags
from leader_core.workspace.values import (
    MOST_IDS,
    Note,
    Parent,
    PatientFlags,
    Revision,
    SavedCohort,
    Star,
    Variant,
    clean_author,
    clean_name,
    clean_text,
    cohort_body,
    is_record,
)

OTHER_COHORT: Final = (
    "This workspace was begun with another cohort ({label}, {digest}). Its notes, stars and tags are stored by "
    "patient id: make sure that the ids mean the same people here."
)
_DIGITS: Final = 12
_MOST_DAMAGED: Final = 3  # entries that are named
_LEGACY: Final = ".duckdb"


def default_path(cohort: Path) -> Path:
    """Where the workspace of a cohort is unless somebody names another place.

    >>> default_path(Path("build/demo/cohort.duckdb")).as_posix()
    'build/demo/cohort.workspace.sqlite'
    """
    return cohort.with_name(f"{cohort.stem}.workspace.sqlite")


def _files(path: Path) -> tuple[Path, Path | None]:
    """The SQLite file, and where an earlier version would have stored the same workspace."""
    if path.suffix == _LEGACY:
        return path.with_suffix(".sqlite"), path
    if path.name.endswith(".workspace.sqlite"):
        return path, path.with_suffix(_LEGACY)
    return path, None


class Workspace:
    """What people write while they work with one cohort. Open it with `Workspace.open`; safe between threads."""

    def __init__(self, store: Store, fingerprint: Fingerprint) -> None:
        self._store = store
        self.tags = Tags(store)  # kinds of error, and the rows in which annotators saw them
        self._fingerprint = fingerprint
        self._begun_with = self._first_cohort()

    @classmethod
    def open(
        cls,
        path: str | Path,
        fingerprint: Fingerprint,
        on_write: OnWrite | None = None,
        cipher: Cipher | None = None,
    ) -> Workspace:
        """Open a workspace, or begin one. Where it cannot be written, it opens for reading and `notices` says why.

        The workspace of an earlier version, `NAME.duckdb`, is taken over into `NAME.sqlite` once and left as it is.

        `on_write` is called with every revision before it is stored; `cipher` is that of an encrypted workspace.

        Raises:
            ArtifactError: a damaged file, one that is no workspace, one that a newer version wrote, or another key.
        """
        return cls(Store(*_files(Path(path)), on_write, cipher=cipher), fingerprint)

    @classmethod
    def without_file(cls, path: Path, fingerprint: Fingerprint, reason: str) -> Workspace:
        """An empty workspace that cannot be written, in place of a file that cannot be used; `reason` is its notice."""
        return cls(Store(path, unreadable=reason), fingerprint)

    def close(self) -> None:
        self._store.close()

    def read_only(self, reason: str) -> Workspace:
        """The same workspace for somebody who may not write; `reason` is what they read."""
        store = copy(self._store)
        store.read_only_reason = self._store.read_only_reason or reason
        return Workspace(store, self._fingerprint)

    @property
    def path(self) -> Path:
        return self._store.path

    @property
    def writable(self) -> bool:
        return not self._store.read_only_reason

    @property
    def problem(self) -> str:
        """Why the file cannot be used at all, or not any more, as a sentence; empty where it can."""
        return self._store.problem

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences that a person should read before relying on it, of entries that were read and are damaged too."""
        notices = [self._store.read_only_reason] if self._store.read_only_reason else []
        damaged = list(self._store.damaged.values())
        notices += damaged[:_MOST_DAMAGED]
        if len(damaged) > _MOST_DAMAGED:
            notices.append(f"{len(damaged) - _MOST_DAMAGED:,} other entries are damaged too.")
        if self._begun_with["digest"] != self._fingerprint.digest:
            notices.append(
                OTHER_COHORT.format(**{**self._begun_with, "digest": self._begun_with["digest"][:_DIGITS]})
            )
        return tuple(notices)

    def _first_cohort(self) -> dict[str, Any]:
        """Label and digest of the cohort it was begun with; a new one begins with this cohort."""
        this = {"digest": self._fingerprint.digest, "label": self._fingerprint.label}
        if self.writable:
            with self._store.writing():
                if not self._store.entries("about", key="cohort"):
                    self._store.put("about", this, "", key="cohort")
        return next((dict(entry.now.body) for entry in self._store.entries("about", key="cohort")), this)

    # Notes

    def add_note(
        self,
        text: str,
        *,
        patient_id: int | None = None,
        visit_id: int | None = None,
        author: str = "",
    ) -> Note:
        """Write a note about a patient, one visit of theirs, or (without either) the cohort.

        Raises:
            InputError: an empty or too long text, a visit without its patient.
            ReadOnlyError: the workspace cannot be written.
        """
        if visit_id is not None and patient_id is None:
            raise InputError("A note about a visit names its patient too: give patient_id.")
        body = {"text": clean_text(text, "note")}
        return Note.of(
            self._store.put("note", body, clean_author(author), patient_id=patient_id, visit_id=visit_id)
        )

    def edit_note(self, note_id: str, text: str, *, author: str = "", based_on: int) -> Note:
        """Replace what a note says; `based_on` is the version that the editor saw.

        Raises:
            StaleEditError: somebody else changed or removed it meanwhile; both texts are stored.
            NotFoundError: no such note.
        """
        body = {"text": clean_text(text, "note")}
        return Note.of(self._store.edit("note", note_id, body, clean_author(author), based_on=based_on))

    def remove_note(self, note_id: str, *, author: str = "", based_on: int) -> None:
        """Hide a note; its text stays in the file. Raises as `edit_note` does."""
        self._store.edit("note", note_id, None, clean_author(author), based_on=based_on)

    def notes(self, patient_id: int | None = None) -> tuple[Note, ...]:
        """Notes about one patient, or all of them; last edited first."""
        return tuple(Note.of(entry) for entry in self._store.entries("note", patient_id=patient_id))

    def late_edits(self, note: Note) -> tuple[Revision, ...]:
        """Edits of a note that came too late, oldest first: their texts stand in `body["text"]`."""
        history = self._store.history("note", note.note_id) if note.refused else []
        return tuple(
            revision for revision in history if revision.refused and is_record("note", revision.body)
        )

    # Stars

    def star(self, patient_id: int, author: str = "") -> None:
        """Star a patient; a second star changes nothing."""
        with self._store.writing():
            if not self._store.entries("star", key=str(patient_id)):
                self._store.put("star", {}, clean_author(author), key=str(patient_id), patient_id=patient_id)

    def unstar(self, patient_id: int) -> None:
        """Take a star away, where there is one."""
        with self._store.writing():
            if self._store.entries("star", key=str(patient_id)):
                self._store.put("star", {}, "", key=str(patient_id), patient_id=patient_id, deleted=True)

    def stars(self) -> tuple[Star, ...]:
        """Starred patients, newest star first."""
        entries = (entry.now for entry in self._store.entries("star"))
        return tuple(Star(int(each.key), each.author, each.created_at) for each in entries)

    def flags(self) -> dict[int, PatientFlags]:
        """Star and number of notes of every patient who has either."""
        return {row[0]: PatientFlags(bool(row[1]), row[2]) for row in self._store.rows("flags")}

    # Saved cohorts

    def save_cohort(self, name: str, patients: PatientQuery | Sequence[int]) -> SavedCohort:
        """Store a filter or a list of patients under a name.

        Raises:
            InputError: an empty list or name, a name that is taken, or more than `MOST_IDS` patients.
        """
        if not isinstance(patients, PatientQuery) and not 0 < len(set(patients)) <= MOST_IDS:
            raise InputError(
                f"A saved list of {len(set(patients)):,} patients: expected 1 to {MOST_IDS:,}. Save the filter instead."
            )
        body = cohort_body(clean_name(name, "cohort"), patients)
        return SavedCohort.of(self._store.put("cohort", body, "", unique_name=True))

    def remove_cohort(self, cohort: SavedCohort) -> None:
        """Take a saved cohort off the list; raises StaleEditError where it was changed meanwhile."""
        self._store.edit("cohort", cohort.cohort_id, None, "", based_on=cohort.version)

    def cohorts(self) -> tuple[SavedCohort, ...]:
        """Saved cohorts by name."""
        cohorts = (SavedCohort.of(entry) for entry in self._store.entries("cohort"))
        return tuple(sorted(cohorts, key=lambda c: c.name.casefold()))

    # Variants

    def save_variant(self, name: str, case: Case, *, parent: Parent | None = None) -> Variant:
        """Store a case under a name, with where it came from.

        Raises:
            InputError: an empty name, or one that is taken.
        """
        from leader_core.exchange.case_json import case_to_record  # it brings all readers of files

        body = {
            "name": clean_name(name, "variant"),
            "case": case_to_record(case, identified=True),
            "parent": asdict(parent or Parent()),
        }
        return Variant.of(self._store.put("variant", body, "", unique_name=True))

    def remove_variant(self, variant: Variant) -> None:
        """Take a variant off the list; raises StaleEditError where it was changed meanwhile."""
        self._store.edit("variant", variant.variant_id, None, "", based_on=variant.version)

    def variant(self, variant_id: str) -> Variant:
        """One variant; raises NotFoundError."""
        return Variant.of(self._store.entry("variant", variant_id))

    def variants(self) -> tuple[Variant, ...]:
        """Variants, last edited first."""
        return tuple(Variant.of(entry) for entry in self._store.entries("variant"))
