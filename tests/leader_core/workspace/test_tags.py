"""Tags on rows: kinds are edited and never lost, tags are versions, and kappa agrees with a table worked by hand."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from leader_core.error_analysis import annotator_agreement
from leader_core.errors import InputError, NotFoundError
from leader_core.workspace import NO_ERROR, Workspace, store
from leader_core.workspace.backup import verify
from leader_core.workspace.tags import DEFAULTS, MOST_KINDS
from tests.fakes import FINGERPRINT


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "w.sqlite", FINGERPRINT)


def test_kappa_by_hand() -> None:
    """Cohen's table of 50 rows: both yes 20, first only 5, second only 10, both no 15: kappa 0.4."""
    first: dict[object, str] = {i: "a" if i < 25 else "b" for i in range(50)}
    second: dict[object, str] = {i: "a" if i < 20 or 25 <= i < 35 else "b" for i in range(50)}
    whole, kind, _ = annotator_agreement(first, {**second, 99: "a"})
    assert (kind.kind, kind.rows, kind.both, kind.first_only, kind.second_only) == ("a", 50, 20, 5, 10)
    assert (whole.kind, whole.agreed, whole.both) == ("", 35, None)
    for result in (whole, kind):  # two kinds: one against the rest is the same table
        assert result.observed == pytest.approx(0.7) and result.kappa == pytest.approx(0.4)


def test_kappa_at_its_ends() -> None:
    one, other = {1: "a", 2: "b"}, {1: "b", 2: "a"}
    assert annotator_agreement(one, one)[0].kappa == 1
    assert annotator_agreement(one, other)[0].kappa == -1
    always = {1: "a", 2: "a"}
    assert annotator_agreement(always, always)[0].kappa is None, "chance alone would agree always"
    assert (annotator_agreement(one, {3: "a"})[0].rows, annotator_agreement(one, {3: "a"})[0].kappa) == (
        0,
        None,
    )
    assert annotator_agreement(always, one)[0].kappa == pytest.approx(0)


def test_a_new_workspace_has_kinds_that_can_be_edited(workspace: Workspace) -> None:
    assert workspace.tags.kinds() == DEFAULTS
    renamed = workspace.tags.save_kind("Forgot  home drug", "x", kind_id="chronic", author="AB")
    assert renamed.name == "Forgot home drug" and renamed.version == 1
    added = workspace.tags.save_kind("Odd")
    assert [k.kind_id for k in workspace.tags.kinds()] == [*(k.kind_id for k in DEFAULTS), added.kind_id]
    workspace.tags.remove_kind("record")
    assert "record" not in {k.kind_id for k in workspace.tags.kinds()}
    assert next(k for k in workspace.tags.kinds(removed=True) if k.kind_id == "record").removed
    for taken in ("odd", "forgot home drug"):
        with pytest.raises(InputError, match="already"):
            workspace.tags.save_kind(taken)
    with pytest.raises(InputError, match="empty"):
        workspace.tags.save_kind("  ")
    with pytest.raises(NotFoundError):
        workspace.tags.save_kind("x", kind_id="nothing")
    for i in range(MOST_KINDS - len(workspace.tags.kinds())):
        workspace.tags.save_kind(f"kind {i}")
    with pytest.raises(InputError, match=f"at most {MOST_KINDS}"):
        workspace.tags.save_kind("one too many")


def test_a_row_has_one_tag_of_each_annotator_and_the_newest_stands(workspace: Workspace) -> None:
    tags, row = workspace.tags, (11, "C03C", "student")
    tags.tag(1, row, "chronic", author=" A  B ")
    tags.tag(1, row, "record", note=" see\n orders ", author="A B")
    tags.tag(1, row, NO_ERROR, author="CD")
    tags.tag(1, (11, "C03C", "teacher"), "chronic", author="A B")
    assert {(t.row, t.author, t.kind, t.note, t.version) for t in tags.all(11)} == {
        (row, "A B", "record", "see orders", 2),
        (row, "CD", NO_ERROR, "", 1),
        ((11, "C03C", "teacher"), "A B", "chronic", "", 1),
    }
    assert tags.tagged("record") == tags.tagged(NO_ERROR) == (11,) and tags.tagged("acute") == ()
    tags.withdraw(next(tag for tag in tags.all() if tag.kind == "record"))
    assert sorted(tag.author for tag in tags.all()) == ["A B", "CD"] and tags.all(12) == ()
    for bad, message in (({"author": " "}, "name or initials"), ({"note": "x" * 401}, "401")):
        with pytest.raises(InputError, match=message):
            tags.tag(1, row, "record", **{"author": "A", **bad})
    for bad_row in ((11, "<b>", "student"), (11, "C03C", ""), (11, "", "")):
        with pytest.raises(InputError, match="expected an ATC code"):
            tags.tag(1, bad_row, "record", author="A")
    with pytest.raises(NotFoundError, match="<b>"):
        tags.tag(1, row, "<b>", author="A")


def test_two_sessions_tag_at_once_and_lose_nothing(tmp_path: Path) -> None:
    sessions = {who: Workspace.open(tmp_path / "w.sqlite", FINGERPRINT) for who in ("AB", "CD")}

    def annotate(who: str) -> None:
        for visit in range(30):
            sessions[who].tags.tag(visit, (visit, "C03C", "student"), "chronic", author=who)

    with ThreadPoolExecutor() as pool:
        list(pool.map(annotate, sessions))
    for session in sessions.values():
        assert Counter(tag.author for tag in session.tags.all()) == {"AB": 30, "CD": 30}
        session.close()


def test_earlier_tags_on_cases_and_notes_are_taken_over_and_the_old_file_is_copied(tmp_path: Path) -> None:
    path, moment = tmp_path / "w.sqlite", "2026-01-01T00:00:00.000000+00:00"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(store.MIGRATIONS[0])
        connection.execute("PRAGMA user_version = 1")
        for kind, key, revision, deleted, body in (
            ("annotation", "11/A", 1, 0, {"kinds": ["acute"]}),
            ("annotation", "11/A", 2, 0, {"kinds": ["chronic", "record"]}),
            ("annotation", "12/A", 1, 0, {"kinds": []}),
            ("annotation", "13/A", 1, 0, {"kinds": ["acute"]}),
            ("annotation", "13/A", 2, 1, {"kinds": []}),
            ("note", "n", 1, 0, {"text": "see orders", "tags": ["odd", "x y"]}),
            ("note", "m", 1, 0, {"text": "plain", "tags": []}),
        ):
            visit = int(key.partition("/")[0]) if kind == "annotation" else None
            values = (kind, key, revision, 0, deleted, 1, visit, "A", moment, json.dumps(body))
            connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    workspace = Workspace.open(path, FINGERPRINT)
    tags = workspace.tags.all()
    assert {(t.row, t.kind, t.author, t.tagged_at.year) for t in tags} == {
        ((11, "", ""), "chronic", "A", 2026),
        ((11, "", ""), "record", "A", 2026),
        ((12, "", ""), NO_ERROR, "A", 2026),
    }
    workspace.tags.withdraw(next(tag for tag in tags if tag.kind == "record"))
    assert len(workspace.tags.all()) == 2
    assert {note.text for note in workspace.notes()} == {"see orders\nTags: odd, x y", "plain"}
    workspace.close()
    assert verify(path)["note"] == 2
    assert verify(path.with_name("w.sqlite.version1"))["annotation"] == 2
    assert len(Workspace.open(path, FINGERPRINT).tags.all()) == 2, "taken over once"
