"""The workspace: nothing that somebody wrote is lost, by two writers, two servers, a crash or another cohort."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from leader_core import ArtifactError, Case, InputError, NotFoundError, Visit
from leader_core.cohort import PatientQuery
from leader_core.workspace import (
    Parent,
    ReadOnlyError,
    StaleEditError,
    Workspace,
    default_path,
    store,
)
from tests.fakes import FINGERPRINT

ROOT = Path(__file__).parents[3]
OTHER = replace(FINGERPRINT, digest="cd" * 32, label="Another hospital")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "work" / "cohort.workspace.duckdb"


@pytest.fixture
def workspace(path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(path, FINGERPRINT)
    yield opened
    opened.close()


def _again(workspace: Workspace) -> Workspace:
    workspace.close()
    return Workspace.open(workspace.path, FINGERPRINT)


# Notes


def test_a_note_survives_a_restart_with_its_text_as_typed(workspace: Workspace) -> None:
    text = "<b>Ménière</b> & \"Ωmega\" 'x'; DROP TABLE entries; --\nsecond line"
    made = workspace.add_note(text, patient_id=7, visit_id=70, author="Ann", tags=["#Odd", "odd ", "Review"])
    again = _again(workspace)
    (found,) = again.notes(7)
    assert found == made
    assert (found.text, found.tags, found.author, found.visit_id) == (text, ("odd", "review"), "Ann", 70)
    assert again.notes(8) == ()
    assert found.created_at.tzinfo is not None


def test_edits_keep_every_version(workspace: Workspace) -> None:
    first = workspace.add_note("one", patient_id=7, author="Ann")
    second = workspace.edit_note(first.note_id, "two", author="Ben", tags=("x",), based_on=first.version)
    assert (second.text, second.author, second.patient_id, second.version) == ("two", "Ben", 7, 2)
    assert second.created_at == first.created_at <= second.edited_at
    assert [v.body for v in workspace.note_history(first.note_id)] == ["one", "two"]
    assert [n.text for n in workspace.notes()] == ["two"]


def test_a_stale_edit_is_refused_and_both_texts_are_kept(workspace: Workspace) -> None:
    note = workspace.add_note("start", patient_id=7)
    workspace.edit_note(note.note_id, "first tab", author="Ann", based_on=1)
    with pytest.raises(StaleEditError, match="changed by Ann while you were editing") as refused:
        workspace.edit_note(note.note_id, "second tab", author="Ben", based_on=1)
    assert (refused.value.current.body, refused.value.kept.body) == ("first tab", "second tab")
    (standing,) = workspace.notes(7)
    assert (standing.text, standing.version, standing.refused) == ("first tab", 2, 1)
    history = [(v.version, v.state, v.body) for v in workspace.note_history(note.note_id)]
    assert history == [(1, "accepted", "start"), (2, "accepted", "first tab"), (3, "refused", "second tab")]
    merged = workspace.edit_note(note.note_id, "both", based_on=standing.version)
    assert (merged.version, merged.refused, merged.versions) == (4, 1, 4)


def test_a_removed_note_keeps_its_history_and_late_edits(workspace: Workspace) -> None:
    note = workspace.add_note("text", patient_id=7)
    workspace.remove_note(note.note_id, author="Ann", based_on=1)
    assert workspace.notes() == ()
    with pytest.raises(StaleEditError, match="removed by Ann"):
        workspace.edit_note(note.note_id, "late", based_on=1)
    assert [v.state for v in workspace.note_history(note.note_id)] == ["accepted", "removed", "refused"]
    assert workspace.notes() == ()


def test_a_late_removal_leaves_the_edit_standing(workspace: Workspace) -> None:
    note = workspace.add_note("text", patient_id=7)
    workspace.edit_note(note.note_id, "better", based_on=1)
    with pytest.raises(StaleEditError):
        workspace.remove_note(note.note_id, based_on=1)
    assert [n.text for n in workspace.notes()] == ["better"]


@pytest.mark.parametrize(
    ("text", "tags", "said"),
    [
        ("  \n ", (), "empty"),
        ("x" * 20_001, (), "20,001 characters"),
        ("a\x00b", (), "control characters"),
        ("\ud800", (), "control characters"),
        ("x", ("y" * 41,), "tag has 41"),
        ("x", [str(n) for n in range(21)], "21 tags"),
    ],
)
def test_what_is_no_note_is_refused_in_words(
    workspace: Workspace, text: str, tags: tuple[str, ...], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        workspace.add_note(text, tags=tags)
    assert workspace.notes() == ()


def test_notes_need_a_patient_for_a_visit_and_an_entry_for_an_edit(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="names its patient"):
        workspace.add_note("x", visit_id=1)
    with pytest.raises(NotFoundError, match="no note"):
        workspace.edit_note("nothing", "x", based_on=1)


# Stars, marks, cohorts, variants, decisions


def test_stars_and_marks(workspace: Workspace) -> None:
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
    assert {k: (m.starred, m.notes) for k, m in again.marks().items()} == {5: (True, 1), 7: (False, 1)}


def test_saved_cohorts_are_filters_or_lists(workspace: Workspace) -> None:
    query = PatientQuery(text="heart failure", ages=(60, 80), splits=("test",), sort="age", page=3)
    saved = workspace.save_cohort("Old hearts", query, author="Ann")
    listed = workspace.save_cohort("a list", [3, 1, 3])
    again = _again(workspace)
    assert [c.name for c in again.cohorts()] == ["a list", "Old hearts"]
    assert again.cohorts()[1].query == replace(query, page=1)
    assert (listed.patient_ids, listed.query) == ((3, 1), None)
    with pytest.raises(InputError, match="already"):
        again.save_cohort("OLD hearts", [1])
    with pytest.raises(InputError, match="expected 1 to"):
        again.save_cohort("empty", [])
    changed = again.save_cohort("Old hearts", PatientQuery(text="x"), based_on=saved)
    with pytest.raises(StaleEditError):
        again.save_cohort("Old hearts", PatientQuery(text="y"), based_on=saved)
    again.remove_cohort(changed)
    assert [c.name for c in again.cohorts()] == ["a list"]
    again.close()


def test_a_filter_from_a_newer_version_says_so(workspace: Workspace) -> None:
    workspace.save_cohort("mine", PatientQuery())
    with workspace._store.writing() as cursor:
        cursor.execute('UPDATE entries SET body = \'{"query": {"moon": "full"}}\'')
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


def test_each_viewer_decides_for_themselves(workspace: Workspace) -> None:
    workspace.decide(7, 70, ["B01A", "C03C", "B01A"], author="Ann")
    workspace.decide(7, 70, ["B01A"], author="Ben")
    workspace.decide(7, 71, ["N02B"], author="Ann")
    again = workspace.decide(7, 70, ["C03C"], author="Ann", comment="after a look")
    assert again.version == 2
    found = {d.author: (d.codes, d.version, d.stage) for d in workspace.decisions(7, 70)}
    assert found == {"Ann": (("C03C",), 2, "before"), "Ben": (("B01A",), 1, "before")}
    assert len(workspace.decisions(7)) == 3


# Many writers


def test_twenty_threads_lose_nothing(workspace: Workspace) -> None:
    shared = workspace.add_note("0", patient_id=1)
    problems: list[Exception] = []
    refused: list[str] = []

    def work(number: int) -> None:
        try:
            for turn in range(50):
                text = f"{number}-{turn}"
                if turn % 25:
                    workspace.add_note(text, patient_id=number, author=f"user {number}")
                    continue
                try:
                    seen = workspace.notes(1)[-1] if turn else shared
                    workspace.edit_note(shared.note_id, text, based_on=seen.version)
                except StaleEditError as error:
                    refused.append(error.kept.body)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test tells of it
            problems.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(100, 120)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    notes = {n.text for n in workspace.notes()}
    assert notes >= {f"{n}-{t}" for n in range(100, 120) for t in range(50) if t % 25}
    history = workspace.note_history(shared.note_id)
    assert {v.body for v in history} == {"0"} | {
        f"{n}-{t}" for n in range(100, 120) for t in range(0, 50, 25)
    }
    assert [v.version for v in history] == list(range(1, 42))
    assert sorted(refused) == sorted(v.body for v in history if v.state == "refused")
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
    found = {n.patient_id for n in workspace.notes()}
    assert found >= set(acknowledged)
    assert len(found) <= len(acknowledged) + 1
    assert all(len(n.text) > 2000 for n in workspace.notes())
    workspace.add_note("and on", patient_id=1)
    workspace.close()


def test_a_second_server_reads_says_why_and_writes_once_it_may(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_SNAPSHOT_AGE", 0.0)
    process = _writer(path, 5)
    assert process.stdout is not None and process.stdin is not None
    for _ in range(3):
        process.stdout.readline()
    second = Workspace.open(path, FINGERPRINT)
    assert not second.writable
    assert "Another server has this workspace open" in second.notices[0]
    assert len(second.notes()) >= 3
    with pytest.raises(ReadOnlyError, match="Another server"):
        second.add_note("x", patient_id=1)
    process.stdout.readline(), process.stdout.readline()
    assert len(second.notes()) == 5, "what the other server writes is seen"
    process.stdin.close()
    process.wait()
    second.add_note("mine", patient_id=1)
    assert second.writable and second.notices == ()
    assert len(second.notes()) == 6
    second.close()
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name]


# The file


def test_it_remembers_its_cohort_and_says_when_there_is_another(path: Path, workspace: Workspace) -> None:
    workspace.add_note("x", patient_id=3)
    assert workspace.notices == ()
    workspace.close()
    other = Workspace.open(path, OTHER)
    assert (
        "begun beside another cohort (Synthetic hospital (MIMIC-III layout), abababababab)"
        in other.notices[0]
    )
    assert [n.patient_id for n in other.notes()] == [3]
    other.adopt()
    assert other.notices == ()
    other.close()
    again = Workspace.open(path, OTHER)
    assert again.notices == ()
    again.close()


def test_an_older_file_is_brought_forward_with_what_it_holds(
    path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.add_note("kept", patient_id=3)
    workspace.close()
    monkeypatch.setattr(store, "MIGRATIONS", [*store.MIGRATIONS, ("write/unstar_all",)])
    real = store.run

    def run(connection: duckdb.DuckDBPyConnection, name: str, values: object = None) -> object:
        if name == "write/unstar_all":
            return connection.execute("ALTER TABLE stars ADD COLUMN colour VARCHAR DEFAULT 'gold'")
        return real(connection, name, values)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "run", run)
    newer = Workspace.open(path, FINGERPRINT)
    assert [n.text for n in newer.notes()] == ["kept"]
    with newer._store.reading() as cursor:
        assert dict(cursor.execute("FROM about").fetchall())["schema"] == str(len(store.MIGRATIONS))
    newer.close()
    monkeypatch.undo()
    with pytest.raises(ArtifactError, match=f"has version {len(store.MIGRATIONS) + 1}"):
        Workspace.open(path, FINGERPRINT)


def test_a_migration_that_fails_changes_nothing(
    path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.close()
    monkeypatch.setattr(store, "MIGRATIONS", [*store.MIGRATIONS, ("schema/001_stars",)])  # is there already
    with pytest.raises(duckdb.Error):
        Workspace.open(path, FINGERPRINT)
    monkeypatch.undo()
    again = Workspace.open(path, FINGERPRINT)
    assert again.writable
    again.close()


def test_other_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text.duckdb"
    text.write_bytes(b"no database at all" * 1000)
    with pytest.raises(ArtifactError, match="not a workspace"):
        Workspace.open(text, FINGERPRINT)
    assert text.read_bytes() == b"no database at all" * 1000
    other = tmp_path / "other.duckdb"
    with duckdb.connect(str(other)) as connection:
        connection.execute("CREATE TABLE patients (a INTEGER)")
    with pytest.raises(ArtifactError, match="it has the tables patients"):
        Workspace.open(other, FINGERPRINT)


def test_where_nothing_can_be_written_it_reads_empty_and_says_so(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    workspace = Workspace.open(blocked / "w.duckdb", FINGERPRINT)
    assert "cannot be written here" in workspace.notices[0]
    assert workspace.notes() == ()
    with pytest.raises(ReadOnlyError, match="LEADER_WORKSPACE"):
        workspace.star(1)
    workspace.close()


def test_the_default_place_is_beside_the_cohort() -> None:
    assert default_path(Path("a/b/cohort.duckdb")) == Path("a/b/cohort.workspace.duckdb")
