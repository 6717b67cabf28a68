"""Files and folders are replaced whole, whatever step a run is killed at, and only by what is of their kind."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leader_core import files, sql
from leader_core.errors import InputError
from leader_core.files import (
    OutputKind,
    check_output,
    creating_file,
    move_into_place,
    recover,
    replacing_file,
    replacing_folder,
    scratch_folder,
    user_folder,
    write_json,
)

ANYTHING = OutputKind(
    "a folder of ours", True, lambda path: "" if (path / "ours").exists() else "it is not ours"
)


def _content(path: Path) -> str | None:
    file = path / "ours" if path.is_dir() else path
    return file.read_text() if file.exists() else None


def _write_file(path: Path) -> None:
    with replacing_file(path) as temporary:
        temporary.write_text("later")


def _write_folder(path: Path) -> None:
    with replacing_folder(path, ANYTHING) as temporary:
        (temporary / "ours").write_text("later")


def _move_folder(path: Path) -> None:
    ready = path.with_name("ready")
    ready.mkdir(exist_ok=True)
    (ready / "ours").write_text("later")
    move_into_place(ready, path, ANYTHING)


def _killed_at(step: int, write: Callable[[Path], None], path: Path) -> bool:
    """Write in a process that dies before its `step`-th change of the disk; whether it lived to the end."""
    child = os.fork()
    if not child:
        calls = 0

        def deadly(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*values: Any, **options: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls > step:
                    os._exit(9)
                return function(*values, **options)

            return call

        for owner, names in (
            (Path, ("rename", "replace", "mkdir", "write_text")),
            (shutil, ("rmtree",)),
            (os, ("fsync", "link")),
        ):
            for name in names:
                setattr(owner, name, deadly(getattr(owner, name)))
        write(path)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("write", [_write_file, _write_folder, _move_folder])
@pytest.mark.parametrize("there", ["there", "there, without a swap in one step", ""])
def test_a_kill_at_any_step_costs_nothing(
    write: Callable[[Path], None], there: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    always = there == "there" and sys.platform == "linux"
    if not always:
        monkeypatch.setattr(files, "_exchange", lambda new, path: False)
    steps = 0
    while True:
        place = tmp_path / str(steps)
        place.mkdir()
        path = place / "target"
        if there and write is _write_file:
            path.write_text("earlier")
        elif there:
            path.mkdir()
            (path / "ours").write_text("earlier")
        lived = _killed_at(steps, write, path)
        assert not always or _content(path) is not None, "at no moment is there nothing"
        kind = ANYTHING if write is not _write_file else OutputKind("a file", False, lambda _: "")
        check_output(path, kind)
        assert _content(path) in ("later", "earlier" if there else None), steps
        assert [p.name for p in place.iterdir() if p.name != "ready"] == (["target"] if path.exists() else [])
        write(path)
        assert _content(path) == "later" and [p.name for p in place.iterdir()] == ["target"]
        if lived:
            break
        steps += 1
    assert steps >= 4


def _create(path: Path) -> None:
    with creating_file(path) as new:
        new.write_text("whole")


def test_a_first_writing_that_is_killed_leaves_nothing_and_one_that_comes_late_changes_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "target"
    for step in range(20):
        lived = _killed_at(step, _create, path)
        assert not path.exists() or _content(path) == "whole"
        recover(path)
        assert [each.name for each in tmp_path.iterdir()] == ["target"] * path.exists()
        if lived:
            break
        path.unlink(missing_ok=True)
    assert lived and step >= 4 and stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("another's")
    _create(path)
    assert _content(path) == "another's"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary folder, of this test alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_temporary_folders_are_the_users_alone_and_a_killed_ones_go_with_the_next(temporary: Path) -> None:
    def use(_: Path) -> None:
        with scratch_folder("work") as folder:
            (folder / "rows").write_text("of a patient")
            assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
            os._exit(9)

    for _ in range(2):
        _killed_at(99, use, temporary)
        assert len(list(user_folder().iterdir())) == 1
    with scratch_folder("work"):
        assert len(list(user_folder().iterdir())) == 1
    assert list(user_folder().iterdir()) == []
    user_folder().chmod(0o755)
    with pytest.raises(InputError, match="you alone can read"):
        user_folder()


def test_rows_that_queries_put_on_disk_go_however_a_process_ends(temporary: Path) -> None:
    def spill() -> Any:
        connection = sql.connect(config={"memory_limit": "20MB", "threads": 1})
        connection.execute("CREATE TABLE t AS SELECT hash(range)::VARCHAR AS a FROM range(1_200_000)")
        return connection

    for after_ctrl_c in (True, False):
        if not (child := os.fork()):
            connection = spill()
            spilled = list(user_folder().iterdir())
            if after_ctrl_c:
                sql.remove_spilled()
            os._exit(not spilled or connection is None)
        assert os.waitpid(child, 0)[1] == 0
        assert bool(list(user_folder().iterdir())) != after_ctrl_c
    spill().close()
    assert list(user_folder().iterdir()) == [], "what a killed process left went with the next rows"
    with pytest.raises(InputError, match="not UTF-8"):
        sql.connect(temporary / "a\udcff.duckdb")


def test_a_running_process_keeps_its_working_folder(tmp_path: Path) -> None:
    path = tmp_path / "target"
    with replacing_folder(path, ANYTHING) as temporary:
        (temporary / "ours").write_text("first")
        _write_folder(path)
        assert _content(path) == "later"
    assert _content(path) == "first" and [p.name for p in tmp_path.iterdir()] == ["target"]
    with replacing_file(tmp_path / "file", alone=True) as temporary:
        temporary.touch()
        with pytest.raises(InputError, match="Another run"), replacing_file(tmp_path / "file", alone=True):
            pass


@pytest.mark.parametrize("foreign", ["folder", "folder with more", "file", "pipe"])
def test_nothing_of_another_kind_is_replaced(foreign: str, tmp_path: Path) -> None:
    path = tmp_path / "target"
    if foreign.startswith("folder"):
        path.mkdir()
        (path / "thesis.doc").write_text("years")
    elif foreign == "file":
        path.write_text("years")
    else:
        os.mkfifo(path)
    with pytest.raises(InputError, match=r"target is not replaced: expected a folder of ours, but it is"):
        _write_folder(path)
    with pytest.raises(InputError), replacing_folder(tmp_path / "new", ANYTHING) as temporary:
        (temporary / "ours").touch()
        path.rename(tmp_path / "new")  # it comes while the new one is written
    assert (tmp_path / "new").exists() and not list(tmp_path.glob(".*"))


def test_a_link_is_written_through_and_private_files_are_their_owners(tmp_path: Path) -> None:
    real = tmp_path / "disk" / "cohort"
    real.parent.mkdir()
    (tmp_path / "link").symlink_to(real)
    with replacing_file(tmp_path / "link", private=True) as temporary:
        temporary.write_text("rows")
        assert stat.S_IMODE(temporary.parent.stat().st_mode) == 0o700
    assert (tmp_path / "link").is_symlink() and real.read_text() == "rows"
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    write_json(tmp_path / "link", {"a": 1})
    assert json.loads(real.read_text()) == {"a": 1}
    with replacing_folder(tmp_path / "states", replace(ANYTHING, private=True)) as temporary:
        (temporary / "ours").write_text("hidden states")
    assert stat.S_IMODE((tmp_path / "states").stat().st_mode) == 0o700
