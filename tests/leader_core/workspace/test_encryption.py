"""An encrypted workspace does not hold what people wrote, refuses any other key in words, and loses nothing on the way."""

from __future__ import annotations

import base64
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from leader_core import Case, Visit
from leader_core.errors import ArtifactError, InputError
from leader_core.workspace import Workspace, backup
from leader_core.workspace.backup import back_up, encrypt, restore, verify
from leader_core.workspace.encryption import KEY, KEY_FILE, Cipher, given_cipher
from tests.fakes import FINGERPRINT
from train.cli import main

SECRET = bytes(range(32))
WORDS = ("Ménière, wife of the mayor", "hearts of oak", "variant of Jane", "C09AA", "too rare")


def _open(path: Path, cipher: Cipher | None) -> Workspace:
    return Workspace.open(path, FINGERPRINT, cipher=cipher)


def _write(path: Path, cipher: Cipher | None) -> None:
    workspace = _open(path, cipher)
    note = workspace.add_note("draft", patient_id=7, author="Ann")
    workspace.edit_note(note.note_id, WORDS[0], based_on=1)
    workspace.save_cohort(WORDS[1], [7])
    workspace.save_variant(WORDS[2], Case({}, (), Visit(("ICD9:4019",))))
    workspace.tags.tag(7, (70, WORDS[3], "student"), "acute", note=WORDS[4], author="Ann")
    workspace.star(7)
    workspace.close()


def _state(path: Path, cipher: Cipher | None) -> object:
    workspace = _open(path, cipher)
    tags = [(tag.row, tag.kind, tag.note, tag.author) for tag in workspace.tags.all(70)]
    texts = [(note.text, note.versions, note.author) for note in workspace.notes(7)]
    rest = (workspace.flags(), [c.name for c in workspace.cohorts()], [v.case for v in workspace.variants()])
    workspace.close()
    return tags, texts, rest


def _held(path: Path) -> list[str]:
    data = b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
    return [word for word in WORDS if word.encode() in data or word.encode("unicode_escape") in data]


def test_an_encrypted_workspace_reads_the_same_and_its_file_holds_no_word(tmp_path: Path) -> None:
    plain, new, cipher = tmp_path / "plain.sqlite", tmp_path / "new.sqlite", Cipher(SECRET)
    _write(plain, None)
    _write(new, cipher)
    assert _held(plain) == list(WORDS) and _held(new) == []
    before, counts = _state(plain, None), verify(plain)
    assert encrypt(plain, cipher) == {**counts, "encrypted": counts["revisions"]}
    assert _held(plain) == [] and _state(plain, cipher) == before == _state(new, cipher)
    workspace = _open(plain, cipher)
    workspace.tags.tag(7, (70, WORDS[3], "student"), "harmful", author="Ann")
    assert [tag.kind for tag in workspace.tags.all()] == ["harmful"], "the tag of before is replaced"
    for tag in workspace.tags.all():
        workspace.tags.withdraw(tag)
    assert workspace.tags.all() == ()
    workspace.close()


def test_another_key_no_key_or_a_changed_row_is_refused_in_words(tmp_path: Path) -> None:
    path, cipher = tmp_path / "w.sqlite", Cipher(SECRET)
    _write(path, cipher)
    for other, words in ((None, "encrypted: give its key"), (Cipher(SECRET[::-1]), "key is another one")):
        with pytest.raises(ArtifactError, match=words):
            _open(path, other)
    with pytest.raises(ArtifactError, match="key is another one"):
        verify(path, Cipher(SECRET[::-1]))
    change = "UPDATE entries SET patient_id = 8 WHERE kind = 'note' AND revision = 2"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(change)  # somebody's note, moved to another patient
    with pytest.raises(ArtifactError, match=r"the note '\w+', revision 2.*the entry was changed"):
        _open(path, cipher).notes()
    plain = tmp_path / "plain.sqlite"
    _write(plain, None)
    with pytest.raises(ArtifactError, match=r"not encrypted.*workspace encrypt"):
        _open(plain, cipher)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE entries SET body = '{}' WHERE kind = 'star'")
    with pytest.raises(ArtifactError, match="encrypted in part"):
        verify(path)


def test_encrypting_waits_for_no_server_and_backups_stay_encrypted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leader_core.workspace.backup.BUSY_SECONDS", 0.01)
    path, copy, cipher = tmp_path / "w.sqlite", tmp_path / "b.sqlite", Cipher(SECRET)
    _write(path, None)
    server = _open(path, None)
    with pytest.raises(InputError, match="Stop the servers"):
        encrypt(path, cipher)
    server.close()
    before = _state(path, None)
    encrypt(path, cipher)
    back_up(path, copy)
    assert _held(copy) == [] and _state(copy, cipher) == before
    workspace = _open(path, cipher)
    workspace.add_note("after", patient_id=1)
    workspace.close()
    restore(copy, path)
    assert _state(path, cipher) == before


def test_a_run_that_had_no_space_is_completed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            if statement == "VACUUM":
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(statement.replace("secure_delete = ON", "secure_delete = OFF"), *values)

    path, cipher = tmp_path / "w.sqlite", Cipher(SECRET)
    _write(path, None)
    before = _state(path, None)
    with monkeypatch.context() as full, pytest.raises(InputError, match="free some space"):
        full.setattr(
            backup, "_writing", lambda path: sqlite3.connect(path, isolation_level=None, factory=Full)
        )
        encrypt(path, cipher)
    assert _held(path) != [], "in pages that are free"
    with pytest.raises(ArtifactError):
        encrypt(path, Cipher(bytes(32)))
    encrypt(path, cipher)
    assert _held(path) == [] and _state(path, cipher) == before


def test_the_key_comes_from_the_environment_or_a_file_of_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(KEY, raising=False)
    monkeypatch.delenv(KEY_FILE, raising=False)
    path, file = tmp_path / "w.sqlite", tmp_path / "key"
    _write(path, None)
    (tmp_path / "w.sqlite.version1").touch()
    command = ["workspace", "encrypt", "--workspace", str(path)]
    assert given_cipher() is None and main(command) == 2 and "openssl rand" in capsys.readouterr().err
    monkeypatch.setenv(KEY_FILE, str(file))
    for text, mode, words in (
        (None, 0, "There is no key"),
        ("short", 0o600, "no key of 32 bytes"),
        ("x" * 44, 0o644, "Others may read"),
    ):
        if text is not None:
            file.write_text(text)
            file.chmod(mode)
        with pytest.raises(InputError, match=words):
            given_cipher()
    file.write_text(base64.b64encode(SECRET).decode() + "\n")
    file.chmod(0o600)
    monkeypatch.setenv(KEY, "another")
    with pytest.raises(InputError, match="both set"):
        given_cipher()
    monkeypatch.delenv(KEY)
    assert main(command) == 0
    said = capsys.readouterr().err
    assert "w.sqlite.version1" in said and "nobody can read it again" in said
    assert main(["workspace", "verify", "--workspace", str(path)]) == 0
    assert "read with the key" in capsys.readouterr().err
    monkeypatch.delenv(KEY_FILE)
    assert main(["workspace", "verify", "--workspace", str(path)]) == 0
    assert "no key is given" in capsys.readouterr().err
    monkeypatch.setenv(KEY, base64.b64encode(SECRET[::-1]).decode())
    assert main(["workspace", "verify", "--workspace", str(path)]) == 2
    assert "key is another one" in capsys.readouterr().err
