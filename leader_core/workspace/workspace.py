"""The workspace: notes, stars, saved cohorts, variants and decisions beside a read-only cohort.

Owns what each of them means; `entries` owns how versions are kept, `store` the file. Refuses to know about pages.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from leader_core.cohort.query import PatientQuery
from leader_core.domain import Case, Fingerprint
from leader_core.errors import InputError
from leader_core.workspace.annotations import Annotations
from leader_core.workspace.bodies import (
    read_cohort,
    read_decision,
    read_variant,
    write_cohort,
    write_decision,
    write_variant,
)
from leader_core.workspace.entries import (
    Content,
    Current,
    Entries,
    clean_author,
    clean_name,
    clean_tags,
    clean_text,
)
from leader_core.workspace.store import Store, run
from leader_core.workspace.values import (
    MOST_IDS,
    Decision,
    Mark,
    Note,
    Parent,
    SavedCohort,
    Stage,
    Star,
    Variant,
    Version,
)

OTHER_COHORT: Final = (
    "This workspace was begun beside another cohort ({label}, {digest}). Its notes, stars and decisions are kept by "
    "patient id: make sure that the ids mean the same people here."
)
_DIGITS: Final = 12


def default_path(cohort: Path) -> Path:
    """Where the workspace of a cohort stands unless somebody names another place.

    >>> default_path(Path("build/demo/cohort.duckdb")).as_posix()
    'build/demo/cohort.workspace.duckdb'
    """
    return cohort.with_name(f"{cohort.stem}.workspace.duckdb")


class Workspace:
    """What people keep while they work with one cohort. Open it with `Workspace.open`; safe between threads."""

    def __init__(self, store: Store, fingerprint: Fingerprint) -> None:
        self._store = store
        self._entries = Entries(store)
        self.tags = Annotations(store)  # kinds of error, and which of them annotators saw
        self._fingerprint = fingerprint
        self._begun_beside = self._about()

    @classmethod
    def open(cls, path: str | Path, fingerprint: Fingerprint) -> Workspace:
        """Open a workspace, or begin one. Where it cannot be written, it opens for reading and `notices` says why.

        Raises:
            ArtifactError: a file that is no workspace, or one that a newer program made.
        """
        return cls(Store(Path(path)), fingerprint)

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    @property
    def path(self) -> Path:
        return self._store.path

    @property
    def writable(self) -> bool:
        """Whether this server may write now; a write tries again in any case."""
        return self._store.writable

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences that a person should read before relying on it."""
        found = [self._store.reason] if self._store.reason else []
        label, digest = self._begun_beside
        if digest and digest != self._fingerprint.digest:
            found.append(OTHER_COHORT.format(label=label, digest=digest[:_DIGITS]))
        return tuple(found)

    def adopt(self) -> None:
        """Say that it belongs to this cohort from now on (the same people, built again)."""
        facts = {"cohort_digest": self._fingerprint.digest, "cohort_label": self._fingerprint.label}
        with self._store.writing() as cursor:
            for key, value in facts.items():
                run(cursor, "write/fact", {"key": key, "value": value})
        self._begun_beside = (self._fingerprint.label, self._fingerprint.digest)

    def _about(self) -> tuple[str, str]:
        """Label and digest of the cohort it was begun beside; a new one begins beside this cohort."""
        with self._store.reading() as cursor:
            facts = dict(run(cursor, "read/about").fetchall())
        if "cohort_digest" not in facts and self._store.writable:
            with self._store.writing() as cursor:
                begun = {
                    "cohort_digest": self._fingerprint.digest,
                    "cohort_label": self._fingerprint.label,
                    "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
                }
                for key, value in begun.items():
                    run(cursor, "write/fact", {"key": key, "value": value})
            return self._fingerprint.label, self._fingerprint.digest
        return facts.get("cohort_label", ""), facts.get("cohort_digest", "")

    # Notes

    def add_note(
        self,
        text: str,
        *,
        patient_id: int | None = None,
        visit_id: int | None = None,
        author: str = "",
        tags: Iterable[str] = (),
    ) -> Note:
        """Write a note about a patient, one visit of theirs, or (without either) the cohort.

        Raises:
            InputError: an empty or too long text, a visit without its patient.
            ReadOnlyError: the workspace cannot be written.
        """
        if visit_id is not None and patient_id is None:
            raise InputError("A note about a visit names its patient too: give patient_id.")
        content = Content(
            clean_text(text, "note"),
            tags=clean_tags(tuple(tags)),
            patient_id=patient_id,
            visit_id=visit_id,
        )
        return _note(self._entries.add("note", content, author))

    def edit_note(
        self, note_id: str, text: str, *, tags: Iterable[str] = (), author: str = "", based_on: int
    ) -> Note:
        """Replace what a note says; `based_on` is the version that the editor saw.

        Raises:
            StaleEditError: somebody else changed or removed it meanwhile; both texts are kept.
            NotFoundError: no such note.
        """
        content = Content(clean_text(text, "note"), tags=clean_tags(tuple(tags)))
        return _note(self._entries.edit("note", note_id, content, author, based_on=based_on))

    def remove_note(self, note_id: str, *, author: str = "", based_on: int) -> None:
        """Hide a note; its history stays. Raises as `edit_note` does."""
        self._entries.remove("note", note_id, author, based_on=based_on)

    def notes(self, patient_id: int | None = None) -> tuple[Note, ...]:
        """Notes about one patient, or all of them; last edited first."""
        return tuple(_note(found) for found in self._entries.current("note", patient_id=patient_id))

    def note_history(self, note_id: str) -> tuple[Version, ...]:
        """Every version of a note, refused edits and removals among them, oldest first."""
        return self._entries.history("note", note_id)

    # Stars

    def star(self, patient_id: int, author: str = "") -> None:
        """Star a patient; twice is once."""
        values = {
            "patient_id": patient_id,
            "author": clean_author(author),
            "written_at": datetime.now(UTC).replace(tzinfo=None),
        }
        with self._store.writing() as cursor:
            run(cursor, "write/star", values)

    def unstar(self, patient_id: int) -> None:
        """Take a star away, where there is one."""
        with self._store.writing() as cursor:
            run(cursor, "write/unstar", {"patient_id": patient_id})

    def stars(self) -> tuple[Star, ...]:
        """Starred patients, newest star first."""
        with self._store.reading() as cursor:
            rows = run(cursor, "read/stars").fetchall()
        return tuple(Star(row[0], row[1], row[2].replace(tzinfo=UTC)) for row in rows)

    def marks(self) -> dict[int, Mark]:
        """Star and number of notes of every patient who has either."""
        with self._store.reading() as cursor:
            rows = run(cursor, "read/marks").fetchall()
        return {row[0]: Mark(bool(row[1]), int(row[2])) for row in rows}

    # Saved cohorts

    def save_cohort(
        self,
        name: str,
        what: PatientQuery | Sequence[int],
        *,
        author: str = "",
        based_on: SavedCohort | None = None,
    ) -> SavedCohort:
        """Keep a filter or a list of patients under a name; `based_on` is the saved cohort that it replaces.

        Raises:
            InputError: an empty list or name, a name that is taken, or more than `MOST_IDS` patients.
            StaleEditError: somebody else changed it meanwhile.
        """
        if not isinstance(what, PatientQuery) and not 0 < len(set(what)) <= MOST_IDS:
            raise InputError(
                f"A saved list of {len(set(what)):,} patients: expected 1 to {MOST_IDS:,}. Save the filter instead."
            )
        content = Content(write_cohort(what), name=clean_name(name, "cohort"))
        if based_on is None:
            return read_cohort(self._entries.add("cohort", content, author, unique_name=True))
        found = self._entries.edit(
            "cohort", based_on.cohort_id, content, author, based_on=based_on.version, unique_name=True
        )
        return read_cohort(found)

    def remove_cohort(self, cohort: SavedCohort, *, author: str = "") -> None:
        """Take a saved cohort off the list; raises StaleEditError where it was changed meanwhile."""
        self._entries.remove("cohort", cohort.cohort_id, author, based_on=cohort.version)

    def cohorts(self) -> tuple[SavedCohort, ...]:
        """Saved cohorts by name."""
        found = (read_cohort(entry) for entry in self._entries.current("cohort"))
        return tuple(sorted(found, key=lambda c: c.name.casefold()))

    # Variants

    def save_variant(
        self,
        name: str,
        case: Case,
        *,
        parent: Parent | None = None,
        author: str = "",
        based_on: Variant | None = None,
    ) -> Variant:
        """Keep a case of one's own under a name; `based_on` is the variant that it replaces.

        Raises:
            InputError: an empty name, or one that is taken.
            StaleEditError: somebody else changed it meanwhile; both are kept.
        """
        origin = parent or (based_on.parent if based_on else Parent())
        content = Content(write_variant(case, origin), name=clean_name(name, "variant"))
        if based_on is None:
            return read_variant(self._entries.add("variant", content, author, unique_name=True))
        found = self._entries.edit(
            "variant", based_on.variant_id, content, author, based_on=based_on.version, unique_name=True
        )
        return read_variant(found)

    def remove_variant(self, variant: Variant, *, author: str = "") -> None:
        """Take a variant off the list; raises StaleEditError where it was changed meanwhile."""
        self._entries.remove("variant", variant.variant_id, author, based_on=variant.version)

    def variant(self, variant_id: str) -> Variant:
        """One variant; raises NotFoundError."""
        return read_variant(self._entries.one("variant", variant_id))

    def variants(self) -> tuple[Variant, ...]:
        """Variants, last edited first."""
        return tuple(read_variant(entry) for entry in self._entries.current("variant"))

    # Decisions

    def decide(
        self,
        patient_id: int,
        visit_id: int,
        codes: Sequence[str],
        *,
        author: str = "",
        stage: Stage = "before",
        comment: str = "",
    ) -> Decision:
        """Keep what a viewer chose for a visit; deciding again is a version more of their own decision."""
        said = write_decision(stage, codes, clean_text(comment, "comment", empty=True))
        who = clean_author(author)
        name = f"{stage} {who}".strip()
        content = Content(said, name=name, patient_id=patient_id, visit_id=visit_id)
        # The id follows from whose decision it is, so that two tabs of one viewer write versions of one entry.
        entry_id = uuid.uuid5(uuid.NAMESPACE_OID, f"{patient_id}/{visit_id}/{stage}/{who}").hex
        return read_decision(self._entries.put("decision", entry_id, content, who))

    def decisions(self, patient_id: int, visit_id: int | None = None) -> tuple[Decision, ...]:
        """What viewers chose for a patient's visits, newest first."""
        found = (read_decision(entry) for entry in self._entries.current("decision", patient_id=patient_id))
        return tuple(d for d in found if visit_id is None or d.visit_id == visit_id)


def _note(found: Current) -> Note:
    version = found.version
    return Note(
        note_id=version.entry_id,
        version=version.version,
        text=version.body,
        tags=version.tags,
        author=version.author,
        created_at=found.created_at,
        edited_at=version.written_at,
        patient_id=version.patient_id,
        visit_id=version.visit_id,
        versions=found.versions,
        refused=found.refused,
    )
