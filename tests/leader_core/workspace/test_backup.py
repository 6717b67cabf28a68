"""A workspace is copied while it is written to, put back without losing the present one, and damage is named."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from leader_core.errors import ArtifactError, InputError, NotFoundError
from leader_core.workspace import Workspace, backup
from leader_core.workspace.backup import back_up, restore, verify
from tests.fakes import FINGERPRINT
from train.cli import main


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "c.workspace.sqlite"
    workspace = Workspace.open(path, FINGERPRINT)
    note = workspace.add_note("first", patient_id=1, author="Ann")
    workspace.edit_note(note.note_id, "second", based_on=note.version)
    workspace.star(2)
    workspace.close()
    return path


def _texts(path: Path) -> set[str]:
    workspace = Workspace.open(path, FINGERPRINT)
    texts = {note.text for note in workspace.notes()}
    workspace.close()
    return texts


def test_the_one_file_holds_every_note_while_a_server_has_it_open(written: Path, tmp_path: Path) -> None:
    workspace = Workspace.open(written, FINGERPRINT)
    workspace.add_note("just written", patient_id=3)
    shutil.copy(written, tmp_path / "copied.sqlite")
    assert _texts(tmp_path / "copied.sqlite") == {"second", "just written"}
    workspace.close()


def test_a_backup_of_an_open_workspace_comes_back_under_an_open_server(written: Path, tmp_path: Path) -> None:
    workspace = Workspace.open(written, FINGERPRINT)
    workspace.add_note("third", patient_id=3)
    out = tmp_path / "backup.sqlite"
    counts = back_up(written, out)
    assert counts == {"about": 1, "note": 2, "star": 1, "revisions": 5}
    assert stat.S_IMODE(out.stat().st_mode) == 0o600 and _texts(out) == {"second", "third"}
    workspace.add_note("after the backup", patient_id=3)
    after, kept = restore(out, written)
    assert after == counts and kept is not None
    assert {note.text for note in workspace.notes()} == {"second", "third"}
    workspace.add_note("and on", patient_id=3)
    workspace.close()
    assert _texts(written) == {"second", "third", "and on"}
    assert _texts(kept) == {"second", "third", "after the backup"}
    restore(out, tmp_path / "elsewhere.sqlite")
    assert _texts(tmp_path / "elsewhere.sqlite") == {"second", "third"}


def test_a_file_in_a_folder_that_cannot_be_written_is_verified_and_copied(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = written.rename(tmp_path / "100% of #1, why?.sqlite")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path and access(path, mode))
    assert verify(there) == back_up(there, tmp_path / "other" / "backup.sqlite")
    assert sorted(path.name for path in tmp_path.iterdir()) == [there.name, "other"], "no side files"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET revision = 7 WHERE kind = 'star'",
        "UPDATE entries SET created_at = 'yesterday' WHERE kind = 'star'",
        "PRAGMA user_version = 99",
        "DROP TABLE entries",
    ],
)
def test_damage_is_named_and_never_backed_up(written: Path, tmp_path: Path, change: str) -> None:
    with closing(sqlite3.connect(written, isolation_level=None)) as connection:
        connection.execute(change)
    for call in (
        verify,
        lambda path: back_up(path, tmp_path / "out"),
        lambda path: restore(path, tmp_path / "new"),
    ):
        with pytest.raises(ArtifactError):
            call(written)
    assert not (tmp_path / "out").exists() and not (tmp_path / "new").exists()


def test_a_full_disk_makes_no_foreign_file_of_a_workspace(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> sqlite3.Connection:
        raise sqlite3.OperationalError("disk I/O error")  # SQLite cannot make its side file

    monkeypatch.setattr(backup, "_reading", full)
    shutil.copy(written, tmp_path / "backup.sqlite")
    for call in (
        lambda: verify(written),
        lambda: back_up(written, tmp_path / "out"),
        lambda: restore(tmp_path / "backup.sqlite", written),
    ):
        with pytest.raises(ArtifactError, match=r"disk I/O error.*Leave the file"):
            call()


def test_the_command_guards_what_it_writes(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("years of work")
    for target in (letter, written):
        with pytest.raises(InputError):
            restore(written, target)
    with pytest.raises(NotFoundError):
        verify(tmp_path / "none")
    words = ["workspace", "backup", "--workspace", str(written), "--out"]
    assert main([*words, str(letter)]) == 2 and main([*words, str(written)]) == 2
    other, copy = tmp_path / "other.workspace.sqlite", tmp_path / "copy.sqlite"
    assert main([*words, str(copy)]) == 0 and main([*words, str(copy)]) == 0, "an earlier backup is replaced"
    restore(copy, other)
    with closing(Workspace.open(other, FINGERPRINT)) as workspace:
        workspace.add_note("another's", patient_id=4)
    assert main([*words, str(other)]) == 2 and "another's" in _texts(other)
    assert main(["workspace", "verify", "--cohort", str(tmp_path / "c.duckdb")]) == 0
    assert (
        main(["workspace", "verify"]) == 2 and main(["workspace", "backup", "--workspace", str(written)]) == 2
    )
    assert letter.read_text() == "years of work" and "Traceback" not in capsys.readouterr().err
