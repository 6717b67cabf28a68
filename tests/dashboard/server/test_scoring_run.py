"""Scoring from the page: a process of its own with progress, a way to cancel, and a reason where it fails."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboard.server.scoring_run import ScoringRun, typed
from dashboard.server.settings import ROOT, ServerSettings
from leader_core import InputError
from leader_core.files import user_folder

_PROGRAM = """
import json, sys, time
path = sys.argv[sys.argv.index("--progress") + 1]
with open(path, "a") as file:
    for done in (128, 256):
        file.write(json.dumps({"event": "part", "label": "teacher", "done": done, "of": 512}) + "\\n")
        file.flush()
"""
_runs: list[ScoringRun] = []


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    return ServerSettings(cohort=tmp_path / "a cohort.duckdb", models=tmp_path / "models", device="cpu")


@pytest.fixture(autouse=True)
def _no_folder_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    _runs.clear()
    yield
    for run in _runs:
        run.end()
    assert list(user_folder().iterdir()) == []


def _run(more: str) -> ScoringRun:
    _runs.append(ScoringRun((sys.executable, "-c", _PROGRAM + more)))
    return _runs[-1]


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(400):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it never came")


def test_a_run_says_how_far_it_is_and_ends(settings: ServerSettings) -> None:
    run = _run("")
    assert run.state == "none"
    run.start(settings, "test")
    _until(lambda: run.state == "done")
    assert run.progress() == ("teacher", 256, 512)
    run.forget()
    assert run.state == "none"


def test_one_at_a_time_and_it_can_be_cancelled(settings: ServerSettings) -> None:
    run = _run("time.sleep(60)")
    run.start(settings, "all")
    with pytest.raises(InputError, match="already"):
        run.start(settings, "all")
    _until(lambda: run.progress() is not None)
    run.cancel()
    _until(lambda: run.state != "running")
    assert run.state == "cancelled"
    run.start(settings, "all")
    process = run._process
    _until(lambda: run.progress() is not None)
    run.end()
    assert process is not None and process.wait(20) != 0, "it ends with its server"


def test_a_failure_gives_its_reason(settings: ServerSettings) -> None:
    run = _run("sys.exit('error: No model in models: expected a folder teacher or student inside.')")
    run.start(settings, "test")
    _until(lambda: run.state == "failed")
    assert run.reason.startswith("No model in models")


def test_the_command_as_printed_is_understood_from_any_folder(
    settings: ServerSettings, tmp_path: Path
) -> None:
    command = typed(settings, "test")
    assert shlex.split(command)[:3] == ["cd", str(ROOT), "&&"] and sys.executable in command
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "No cohort database" in done.stderr, (
        "it starts; only this cohort is absent"
    )
