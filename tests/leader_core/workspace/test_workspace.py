"""The workspace: nothing that somebody wrote is lost, by two writers, two servers, a crash or another cohort."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from leader_core import ArtifactError, Case, InputError, NotFoundError, Visit
from leader_core.cohort import PatientQuery
from leader_core.workspace import (
    Note,
    Parent,
    ReadOnlyError,
    StaleEditError,
    Workspace,
    default_path,
    store,
)
from leader_core.workspace.backup import back_up, restore, verify
from leader_core.workspace.values import Revision
from tests.fakes import FINGERPRINT

ROOT = Path(__file__).parents[3]
OTHER = replace(FINGERPRINT, digest="cd" * 32, label="Another hospital")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "work" / "cohort.workspace.sqlite"


@pytest.fixture
def workspace(path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(path, FINGERPRINT)
    yield opened
    opened.close()


def _history(workspace: Workspace, note: Note) -> list[Revision]:
    return workspace._store.history("note", note.note_id)


def _again(workspace: Workspace) -> Workspace:
    workspace.close()
    return Workspace.open(workspace.path, FINGERPRINT)


# Notes


def test_a_note_survives_a_restart_with_its_text_as_typed(workspace: Workspace) -> None:
    text = "<b>Ménière</b> & \"Ωmega\" 'x'; DROP TABLE entries; --\nsecond line"
    written = workspace.add_note(text, patient_id=7, visit_id=70, author="Ann")
    again = _again(workspace)
    (note,) = again.notes(7)
    assert note == written
    assert (note.text, note.author, note.visit_id) == (text, "Ann", 70)
    assert again.notes(8) == ()
    assert note.created_at.tzinfo is not None


def test_edits_keep_every_version(workspace: Workspace) -> None:
    first = workspace.add_note("one", patient_id=7, author="Ann")
    second = workspace.edit_note(first.note_id, "two", author="Ben", based_on=first.version)
    assert (second.text, second.author, second.patient_id, second.version) == ("two", "Ben", 7, 2)
    assert second.created_at == first.created_at <= second.edited_at
    assert [r.body["text"] for r in _history(workspace, first)] == ["one", "two"]
    assert [n.text for n in workspace.notes()] == ["two"]


def test_a_stale_edit_is_refused_and_both_texts_are_kept(workspace: Workspace) -> None:
    note = workspace.add_note("start", patient_id=7)
    workspace.edit_note(note.note_id, "first tab", author="Ann", based_on=1)
    with pytest.raises(StaleEditError, match="changed by Ann while you were editing") as refused:
        workspace.edit_note(note.note_id, "second tab", author="Ben", based_on=1)
    assert (refused.value.current.body["text"], refused.value.rejected.body["text"]) == (
        "first tab",
        "second tab",
    )
    (standing,) = workspace.notes(7)
    assert (standing.text, standing.version, standing.refused) == ("first tab", 2, 1)
    history = [(r.revision, r.refused, r.body["text"]) for r in _history(workspace, note)]
    assert history == [(1, False, "start"), (2, False, "first tab"), (3, True, "second tab")]
    merged = workspace.edit_note(note.note_id, "both", based_on=standing.version)
    assert (merged.version, merged.refused, merged.versions) == (4, 1, 4)


def test_a_removed_note_keeps_its_history_and_late_edits(workspace: Workspace) -> None:
    note = workspace.add_note("text", patient_id=7)
    workspace.remove_note(note.note_id, author="Ann", based_on=1)
    assert workspace.notes() == ()
    with pytest.raises(StaleEditError, match="removed by Ann"):
        workspace.edit_note(note.note_id, "late", based_on=1)
    states = [(r.deleted, r.refused) for r in _history(workspace, note)]
    assert states == [(False, False), (True, False), (False, True)]
    assert workspace.notes() == ()


def test_a_late_removal_leaves_the_edit_standing(workspace: Workspace) -> None:
    note = workspace.add_note("text", patient_id=7)
    workspace.edit_note(note.note_id, "better", based_on=1)
    with pytest.raises(StaleEditError) as refused:
        workspace.remove_note(note.note_id, based_on=1)
    assert "is stored" not in str(refused.value)  # there is no text of the second visitor
    assert [n.text for n in workspace.notes()] == ["better"]


def test_a_file_that_cannot_be_opened_now_is_not_called_foreign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(path: object) -> sqlite3.Connection:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(store, "_connect", busy)
    with pytest.raises(ArtifactError, match=r"cannot be opened now \(database is locked\).*Leave the file"):
        store.Store(tmp_path / "notes.sqlite")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  \n ", "empty"),
        ("x" * 20_001, "20,001 characters"),
        ("a\x00b", "control characters"),
        ("\ud800", "control characters"),
    ],
)
def test_bad_notes_are_refused_with_a_reason(workspace: Workspace, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        workspace.add_note(text)
    assert workspace.notes() == ()


def test_notes_need_a_patient_for_a_visit_and_an_entry_for_an_edit(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="names its patient"):
        workspace.add_note("x", visit_id=1)
    with pytest.raises(NotFoundError, match="no note"):
        workspace.edit_note("nothing", "x", based_on=1)


# Stars, cohorts, variants


def test_stars_and_flags(workspace: Workspace) -> None:
    workspace.star(5, "Ann")
    workspace.star(5, "Ben")
    workspace.star(6)
    workspace.unstar(6)
    workspace.add_note("x", patient_id=7)
    workspace.add_note("y", patient_id=5)
    gone = workspace.add_note("z", patient_id=8)
    workspace.remove_note(gone.note_id, based_on=1)
    again = _again(workspace)
    assert [(s.patient_id, s.author) for s in again.stars()] == [(5, "Ann")]
    assert {k: (m.starred, m.notes) for k, m in again.flags().items()} == {5: (True, 1), 7: (False, 1)}


def test_saved_cohorts_are_filters_or_lists(workspace: Workspace) -> None:
    query = PatientQuery(text="heart failure", ages=(60, 80), splits=("test",), sort="age", page=3)
    saved = workspace.save_cohort("Old hearts", query)
    listed = workspace.save_cohort("a list", [3, 1, 3])
    again = _again(workspace)
    assert [c.name for c in again.cohorts()] == ["a list", "Old hearts"]
    assert again.cohorts()[1].query == replace(query, page=1)
    assert (listed.patient_ids, listed.query) == ((3, 1), None)
    with pytest.raises(InputError, match="already"):
        again.save_cohort("OLD hearts", [1])
    with pytest.raises(InputError, match="expected 1 to"):
        again.save_cohort("empty", [])
    again.remove_cohort(saved)
    with pytest.raises(StaleEditError):
        again.remove_cohort(saved)
    assert [c.name for c in again.cohorts()] == ["a list"]
    again.close()


def test_a_filter_from_a_newer_version_says_so(workspace: Workspace) -> None:
    workspace.save_cohort("mine", PatientQuery())
    with sqlite3.connect(workspace.path) as connection:
        connection.execute("UPDATE entries SET body = ?", ('{"name": "mine", "query": {"moon": "full"}}',))
    with pytest.raises(ArtifactError, match="filters by moon"):
        workspace.cohorts()


def test_variants_keep_case_and_origin(workspace: Workspace) -> None:
    case = Case(
        {"gender": "F"}, (Visit(("ICD9:4280",), (), ("C03C",), visit_no=1),), Visit(("ICD9:4019",)), 12
    )
    first = workspace.save_variant("base", case, parent=Parent(patient_id=12, visit_no=2))
    other = replace(case, profile=dict(case.profile), current=Visit(("ICD9:4019", "ICD9:486")))
    second = workspace.save_variant("with pneumonia", other, parent=Parent(variant_id=first.variant_id))
    again = _again(workspace)
    assert again.variant(first.variant_id).case == case
    assert again.variant(second.variant_id).parent == Parent(variant_id=first.variant_id)
    assert [v.name for v in again.variants()] == ["with pneumonia", "base"]
    again.remove_variant(first)
    with pytest.raises(NotFoundError, match="removed"):
        again.variant(first.variant_id)
    again.close()


# Many writers


def test_twenty_threads_lose_nothing(workspace: Workspace) -> None:
    shared = workspace.add_note("0", patient_id=1)
    problems: list[Exception] = []
    refused: list[str] = []

    def work(number: int) -> None:
        try:
            for turn in range(8):
                text = f"{number}-{turn}"
                if turn % 4:
                    workspace.add_note(text, patient_id=number, author=f"user {number}")
                    continue
                try:
                    seen = workspace.notes(1)[-1] if turn else shared
                    workspace.edit_note(shared.note_id, text, based_on=seen.version)
                except StaleEditError as error:
                    refused.append(error.rejected.body["text"])
        except Exception as error:  # noqa: BLE001 - whatever it is, the test reports it
            problems.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(100, 120)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    notes = {n.text for n in workspace.notes()}
    assert notes >= {f"{n}-{t}" for n in range(100, 120) for t in range(8) if t % 4}
    history = _history(workspace, shared)
    assert {r.body["text"] for r in history} == {"0"} | {
        f"{n}-{t}" for n in range(100, 120) for t in range(0, 8, 4)
    }
    assert [r.revision for r in history] == list(range(1, 42))
    assert sorted(refused) == sorted(r.body["text"] for r in history if r.refused)
    assert refused, "edits of one version at once must meet"


def test_one_process_may_open_a_file_twice(path: Path) -> None:
    first, second = Workspace.open(path, FINGERPRINT), Workspace.open(path, FINGERPRINT)
    first.add_note("first", patient_id=1)
    second.add_note("second", patient_id=1)
    assert {n.text for n in first.notes()} == {n.text for n in second.notes()} == {"first", "second"}
    first.close()
    second.close()


# Other processes

WRITER = """
import sys
from pathlib import Path
from leader_core.workspace import Workspace
from tests.fakes import FINGERPRINT
workspace = Workspace.open(Path(sys.argv[1]), FINGERPRINT)
number = 0
while True:
    workspace.add_note(f"note {number} " + "x" * 2000, patient_id=number)
    print(number, flush=True)
    number += 1
    if number == int(sys.argv[2]):
        sys.stdin.read()
        sys.exit()
"""


def _writer(path: Path, most: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(most)]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ}
    )


def test_what_was_acknowledged_survives_kill_9(path: Path) -> None:
    process = _writer(path, 10**9)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(12)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in process.stdout.read().split()]
    process.wait()
    workspace = Workspace.open(path, FINGERPRINT)
    assert workspace.writable
    stored = {n.patient_id for n in workspace.notes()}
    assert stored >= set(acknowledged)
    assert len(stored) <= len(acknowledged) + 1
    assert all(len(n.text) > 2000 for n in workspace.notes())
    workspace.add_note("and on", patient_id=1)
    workspace.close()


def test_two_processes_write_one_file_at_the_same_time(path: Path) -> None:
    """Both make the file, both write, and each sees what the other wrote."""
    processes = [_writer(path, 30) for _ in range(2)]
    workspace = Workspace.open(path, FINGERPRINT)
    for process in processes:
        assert process.stdout is not None
        assert [int(process.stdout.readline()) for _ in range(30)] == list(range(30))
        workspace.add_note("here", patient_id=99)
    assert len(workspace.notes()) == 62, "what the others wrote is seen at once"
    for process in processes:
        process.communicate("", timeout=60)
        assert process.returncode == 0
    workspace.close()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("other", ["", "another"])
def test_a_file_that_is_moved_away_or_replaced_takes_no_note_that_would_be_lost(
    path: Path, workspace: Workspace, other: str
) -> None:
    workspace.add_note("before", patient_id=1)
    moved = path.rename(path.with_name("moved"))
    if other:
        path.write_text(other)
    assert "was moved, removed or replaced" in workspace.problem
    with pytest.raises(ReadOnlyError, match="moved, removed or replaced"):
        workspace.add_note("lost", patient_id=1)
    assert [note.text for note in workspace.notes()] == ["before"]
    moved.replace(path)
    workspace.add_note("after", patient_id=1)
    assert workspace.problem == "" and len(workspace.notes()) == 2


def test_a_file_that_stays_busy_refuses_the_write_in_words(
    path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.01)
    second = Workspace.open(path, FINGERPRINT)
    with workspace._store.writing(), pytest.raises(ReadOnlyError, match="could not be written"):
        second.star(1)
    second.star(1)
    assert [s.patient_id for s in workspace.stars()] == [1]
    second.close()


# The file


def test_it_remembers_its_cohort_and_says_when_there_is_another(path: Path, workspace: Workspace) -> None:
    workspace.add_note("x", patient_id=3)
    assert workspace.notices == ()
    workspace.close()
    other = Workspace.open(path, OTHER)
    assert (
        "begun with another cohort (Synthetic hospital (MIMIC-III layout), abababababab)" in other.notices[0]
    )
    assert [n.patient_id for n in other.notes()] == [3]
    other.close()


def test_a_file_of_an_earlier_schema_is_copied_and_upgraded(
    path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.add_note("text", patient_id=3)
    workspace.close()
    step = "ALTER TABLE entries ADD COLUMN colour TEXT DEFAULT 'gold';\nUPDATE entries SET colour = 'blue';\n"
    monkeypatch.setattr(store, "MIGRATIONS", [*store.MIGRATIONS, step])
    newer = Workspace.open(path, FINGERPRINT)
    assert [n.text for n in newer.notes()] == ["text"]
    newer.close()
    monkeypatch.undo()
    with pytest.raises(ArtifactError, match=r"cohort\.workspace\.sqlite has version 3"):
        Workspace.open(path, FINGERPRINT)
    copy = path.with_name(f"{path.name}.version2")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    earlier = Workspace.open(copy, FINGERPRINT)
    assert [n.text for n in earlier.notes()] == ["text"]
    earlier.close()


def test_an_upgrade_that_fails_changes_nothing(
    path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.add_note("text", patient_id=3)
    workspace.close()
    steps = [*store.MIGRATIONS, "DELETE FROM entries", "CREATE TABLE entries (again)"]
    monkeypatch.setattr(store, "MIGRATIONS", steps)
    with pytest.raises(ArtifactError):
        Workspace.open(path, FINGERPRINT)
    monkeypatch.undo()
    again = Workspace.open(path, FINGERPRINT)
    assert [n.text for n in again.notes()] == ["text"]
    again.close()


def test_only_the_owner_can_read_the_file(path: Path, workspace: Workspace) -> None:
    workspace.star(1)
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}


def test_other_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text.sqlite"
    text.write_bytes(b"no database at all" * 1000)
    with pytest.raises(ArtifactError, match=r"text\.sqlite is not a workspace"):
        Workspace.open(text, FINGERPRINT)
    assert text.read_bytes() == b"no database at all" * 1000
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE patients (a INTEGER)")
    with pytest.raises(ArtifactError, match="it holds patients"):
        Workspace.open(other, FINGERPRINT)


def test_a_damaged_file_is_refused(path: Path, workspace: Workspace) -> None:
    for number in range(20):
        workspace.add_note(f"{number} " + "x" * 19_000, patient_id=number)
    workspace.close()
    data = bytearray(path.read_bytes())
    data[8192:40_000] = os.urandom(40_000 - 8192)
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"cohort\.workspace\.sqlite is not a workspace"):
        Workspace.open(path, FINGERPRINT)
    assert path.read_bytes() == data


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET body = CAST(x'7b2274657874223a22736563726574ff227d' AS TEXT)",  # {"text":"secret\xff"}
        "UPDATE entries SET created_at = 'secret' WHERE kind = 'note'",
    ],
)
def test_a_damaged_entry_is_said_without_quoting_it(path: Path, workspace: Workspace, change: str) -> None:
    workspace.add_note("whole", patient_id=1)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(change)
    with pytest.raises(ArtifactError, match=r"is damaged.*workspace verify") as caught:
        workspace.notes()
    assert "secret" not in str(caught.value)
    with pytest.raises(ArtifactError) as caught:
        verify(path)
    assert "secret" not in str(caught.value) or "created_at" in change


@pytest.mark.parametrize("body", ['{"tekst": "secret"}', '{"text": 7}', '["secret"]', "{secret"])
def test_a_note_without_its_text_is_named_and_the_others_are_read(
    path: Path, workspace: Workspace, body: str
) -> None:
    workspace.add_note("whole", patient_id=1)
    lost = workspace.add_note("lost", patient_id=1, author="ann")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE entries SET body = ? WHERE key = ?", (body, lost.note_id))
    assert [note.text for note in workspace.notes(1)] == ["whole"]
    [notice] = workspace.notices
    assert (
        "note on patient 1" in notice
        and "by ann" in notice
        and "damaged" in notice
        and "secret" not in notice
    )
    with pytest.raises(ArtifactError, match=rf"{lost.note_id}.*holds no record|CHECK") as caught:
        verify(path)
    assert "secret" not in str(caught.value)
    if body != "{secret":  # a backup holds the others, and is put back
        copy = path.with_name("backup.sqlite")
        assert back_up(path, copy)["damaged"] == 1 and restore(copy, path)[0]["damaged"] == 1
        assert [note.text for note in workspace.notes(1)] == ["whole"]
        with pytest.raises(ArtifactError, match="to a new file"):
            back_up(path, copy)  # which may hold it whole
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE entries SET body = ? WHERE key = ?", ('{"text": "back"}', lost.note_id))
    assert len(workspace.notes(1)) == 2 and not workspace.notices


def test_other_damaged_entries_are_left_out_and_named(path: Path, workspace: Workspace) -> None:
    workspace.save_cohort("mine", [1, 2])
    workspace.save_variant("less", Case())
    workspace.tags.tag(1, (3, "A01A", "student"), "acute", author="ann")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE entries SET body = replace(body, 'ids', 'idz') WHERE kind = 'cohort'")
        connection.execute("UPDATE entries SET body = replace(body, 'parent', 'p') WHERE kind = 'variant'")
        connection.execute("UPDATE entries SET body = replace(body, 'model', 'm') WHERE kind = 'row_tag'")
    assert not workspace.cohorts() and not workspace.variants() and not workspace.tags.all()
    text = " ".join(workspace.notices)
    assert all(f"The {label}" in text for label in ("saved cohort", "variant", "tag on patient 1"))


def test_a_damaged_schema_is_refused(path: Path, workspace: Workspace) -> None:
    """SQLite's own message about it cannot be decoded."""
    workspace.close()
    data = path.read_bytes().replace(b"CREATE TABLE entries", b"CREATE TABLE\xb1entries", 1)
    path.write_bytes(data)
    with pytest.raises(ArtifactError):
        Workspace.open(path, FINGERPRINT)
    with pytest.raises(ArtifactError):
        verify(path)


def test_where_nothing_can_be_written_it_reads_empty_and_says_so(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    workspace = Workspace.open(blocked / "w.sqlite", FINGERPRINT)
    assert "cannot be written here" in workspace.notices[0]
    assert workspace.notes() == ()
    with pytest.raises(ReadOnlyError, match="LEADER_WORKSPACE"):
        workspace.star(1)
    workspace.close()


def test_in_a_folder_that_cannot_be_written_it_reads_what_the_log_holds(
    path: Path, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.add_note("in the log", patient_id=3)
    folder = tmp_path / "read-only"
    folder.mkdir()
    for part in path.parent.glob(f"{path.name}*"):
        shutil.copyfile(part, folder / part.name)
    connect = store._connect

    def refuse(path: Path | str) -> sqlite3.Connection:
        if str(path).startswith("file:"):
            raise sqlite3.OperationalError("unable to open database file")
        return connect(path)

    monkeypatch.setattr(os, "access", lambda *_: False)
    for connecting in (connect, refuse):
        monkeypatch.setattr(store, "_connect", connecting)
        reader = Workspace.open(folder / path.name, FINGERPRINT)
        assert "its folder cannot be written" in reader.notices[0]
        assert [n.text for n in reader.notes()] == ["in the log"]
        reader.close()


def test_a_file_system_without_links_is_no_hindrance(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    for expected in (0, 1):
        workspace = Workspace.open(path, FINGERPRINT)
        assert len(workspace.stars()) == expected
        workspace.star(1)
        workspace.close()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_default_place_is_next_to_the_cohort() -> None:
    assert default_path(Path("a/b/cohort.duckdb")) == Path("a/b/cohort.workspace.sqlite")
