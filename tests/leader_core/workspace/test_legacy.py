"""The DuckDB workspace of earlier versions: taken over once with everything in it, and left as it is."""

from __future__ import annotations

import base64
import json
import multiprocessing
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path

import duckdb
import pytest

from leader_core import ArtifactError, Case, Visit
from leader_core.cohort import PatientQuery
from leader_core.exchange.case_json import case_to_record
from leader_core.workspace import NO_ERROR, Parent, StaleEditError, Workspace
from leader_core.workspace.tags import DEFAULTS
from tests.fakes import FINGERPRINT

CASE = Case({"gender": "F"}, (), Visit(("ICD9:4019",)), 12)

SCHEMA = """
CREATE TABLE about (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);
CREATE TABLE entries (entry_id VARCHAR, version INTEGER, kind VARCHAR, state VARCHAR, based_on INTEGER,
    patient_id BIGINT, visit_id BIGINT, name VARCHAR, body VARCHAR, tags VARCHAR[], author VARCHAR,
    written_at TIMESTAMP, PRIMARY KEY (entry_id, version));
CREATE TABLE stars (patient_id BIGINT PRIMARY KEY, author VARCHAR, starred_at TIMESTAMP);
CREATE TABLE annotations (visit_id BIGINT, author VARCHAR, version INTEGER, patient_id BIGINT, kinds VARCHAR[],
    written_at TIMESTAMP, PRIMARY KEY (visit_id, author, version));
CREATE TABLE error_kinds (kind_id VARCHAR, version INTEGER, name VARCHAR, meaning VARCHAR, removed BOOLEAN,
    author VARCHAR, written_at TIMESTAMP, PRIMARY KEY (kind_id, version));
INSERT INTO about VALUES ('schema', '2'), ('cohort_digest', 'cd'), ('cohort_label', 'Elsewhere');
INSERT INTO entries VALUES
    ('n', 1, 'note', 'accepted', 0, 7, 70, '', 'first', [], 'Ann', '2026-01-01 10:00:00'),
    ('n', 2, 'note', 'accepted', 1, 7, 70, '', 'second', ['odd'], 'Ben', '2026-01-02 10:00:00'),
    ('n', 3, 'note', 'refused', 1, 7, 70, '', 'late', [], 'Cy', '2026-01-03 10:00:00'),
    ('gone', 1, 'note', 'accepted', 0, 8, NULL, '', 'x', [], '', '2026-01-01 10:00:00'),
    ('gone', 2, 'note', 'removed', 1, 8, NULL, '', 'x', [], '', '2026-01-02 10:00:00'),
    ('d', 1, 'decision', 'accepted', 0, 7, 70, 'before Ann', '{"codes": ["B01A"]}', [], 'Ann', '2026-01-01 10:00:00');
INSERT INTO stars VALUES (5, 'Ann', '2026-01-01 10:00:00.25');
INSERT INTO annotations VALUES
    (11, 'A', 1, 1, ['chronic'], '2026-01-01'), (11, 'A', 2, 1, [], '2026-01-02'),
    (11, 'B', 1, 1, ['own'], '2026-01-01'), (12, 'B', 1, 1, ['own'], '2026-01-01'), (12, 'B', 2, 1, NULL, '2026-01-02');
INSERT INTO error_kinds VALUES
    ('own', 1, 'Odd', 'old', false, 'A', '2026-01-01'), ('own', 2, 'Odd', 'new', false, 'A', '2026-01-02'),
    ('record', 1, 'Record at fault', '', true, 'A', '2026-01-01');
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "cohort.workspace.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(SCHEMA)
        bodies = {
            "cohort": {"query": {"text": "heart", "ages": [60, 80]}},
            "variant": {
                "case": case_to_record(CASE, identified=True),
                "parent": {"patient_id": 12, "visit_no": 2},
            },
        }
        for kind, body in bodies.items():
            connection.execute(
                "INSERT INTO entries VALUES (?, 1, ?, 'accepted', 0, NULL, NULL, ?, ?, [], '', '2026-01-01')",
                [kind, kind, f"My {kind}", json.dumps(body)],
            )
    return path


def test_everything_is_taken_over_once_and_the_old_file_stays(old: Path) -> None:
    before = old.read_bytes()
    workspace = Workspace.open(old.with_suffix(".sqlite"), FINGERPRINT)
    (note,) = workspace.notes()
    assert (note.text, note.author, note.version) == ("second\nTags: odd", "Ben", 2)
    assert (note.patient_id, note.visit_id, note.versions, note.refused) == (7, 70, 3, 1)
    assert (note.created_at.isoformat(), note.edited_at.day) == ("2026-01-01T10:00:00+00:00", 2)
    assert [r.body["text"] for r in workspace._store.history("note", "n")] == [
        "first",
        "second\nTags: odd",
        "late",
    ]
    (star,) = workspace.stars()
    assert (star.patient_id, star.author, star.starred_at.microsecond) == (5, "Ann", 250_000)
    (cohort,) = workspace.cohorts()
    assert (cohort.name, cohort.query) == ("My cohort", PatientQuery(text="heart", ages=(60, 80)))
    (variant,) = workspace.variants()
    assert (variant.name, variant.case, variant.parent) == ("My variant", CASE, Parent(None, 12, 2))
    assert {(t.row, t.author, t.kind) for t in workspace.tags.all()} == {
        ((11, "", ""), "A", NO_ERROR),
        ((11, "", ""), "B", "own"),
    }
    kinds = {kind.kind_id: kind for kind in workspace.tags.kinds(removed=True)}
    assert list(kinds) == [*(kind.kind_id for kind in DEFAULTS), "own"]
    assert kinds["record"].removed and kinds["own"].meaning == "new"
    assert workspace._store.history("decision", "d")[0].body["codes"] == ["B01A"]
    assert "Elsewhere, cd" in workspace.notices[0]

    workspace.edit_note("n", "third", based_on=2)
    with pytest.raises(StaleEditError):
        workspace.edit_note("n", "too late", based_on=2)
    workspace.close()
    assert old.read_bytes() == before
    again = Workspace.open(old.with_suffix(".sqlite"), FINGERPRINT)
    assert [n.text for n in again.notes()] == ["third"], "the old file is not read a second time"
    again.close()


def test_a_setting_that_names_the_old_file_goes_on_working(tmp_path: Path, old: Path) -> None:
    named = old.rename(tmp_path / "team.duckdb")
    workspace = Workspace.open(named, FINGERPRINT)
    assert workspace.path == tmp_path / "team.sqlite" and len(workspace.notes()) == 1
    workspace.close()


def test_it_is_taken_over_where_cohorts_are_encrypted(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADER_COHORT_KEY", base64.b64encode(bytes(32)).decode())
    workspace = Workspace.open(old.with_suffix(".sqlite"), FINGERPRINT)
    assert len(workspace.notes()) == 1 and workspace.writable
    workspace.close()


def test_a_file_of_the_first_version_has_no_tags(old: Path) -> None:
    with duckdb.connect(str(old)) as connection:
        connection.execute("UPDATE about SET value = '1' WHERE key = 'schema'; DROP TABLE annotations")
        connection.execute("DROP TABLE error_kinds")
    workspace = Workspace.open(old.with_suffix(".sqlite"), FINGERPRINT)
    assert workspace.tags.kinds() == DEFAULTS and len(workspace.notes()) == 1
    workspace.close()


def _newer(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE about SET value = '3' WHERE key = 'schema'")


def _damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _other(path: Path) -> None:
    path.unlink()
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE patients (a INTEGER)")


@pytest.mark.parametrize(
    ("change", "message"),
    [(_newer, "has version 3"), (_damaged, "cannot be read"), (_other, "cannot be read")],
)
def test_an_old_file_that_cannot_be_read_is_refused_and_named(
    old: Path, change: Callable[[Path], None], message: str
) -> None:
    change(old)
    before = old.read_bytes()
    with pytest.raises(ArtifactError, match=rf"earlier workspace .*cohort\.workspace\.duckdb {message}"):
        Workspace.open(old.with_suffix(".sqlite"), FINGERPRINT)
    assert [p.name for p in old.parent.iterdir()] == [old.name] and old.read_bytes() == before


def _hold(path: Path, ready: Event, done: Event) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("INSERT INTO stars VALUES (6, 'Ben', '2026-01-05')")
        ready.set()
        done.wait(60)


def test_an_old_server_that_still_runs_is_named_and_its_last_writes_are_taken_over(old: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(old, ready, done))
    process.start()
    assert ready.wait(60)
    with pytest.raises(ArtifactError, match="open in another server"):
        Workspace.open(old.with_suffix(".sqlite"), FINGERPRINT)
    process.kill()  # its writes are in the log next to the file
    process.join()
    workspace = Workspace.open(old.with_suffix(".sqlite"), FINGERPRINT)
    assert [s.patient_id for s in workspace.stars()] == [6, 5]
    workspace.close()
