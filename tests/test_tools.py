"""What runs before any package is there: the environment, the browser, the Makefile."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from dashboard.__main__ import _parser as main_parser
from tests.browser import chromium

ROOT = Path(__file__).parents[1]


@pytest.fixture
def environment() -> ModuleType:
    spec = importlib.util.spec_from_file_location("environment", ROOT / "tools" / "environment.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_old_python_is_refused_in_one_sentence(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment.sys, "version_info", (3, 10, 13))
    assert environment.main([]) == 2
    error = capsys.readouterr().err
    assert "3.11 or newer" in error and "3.10.13" in error and len(error.splitlines()) == 1


def test_nothing_is_installed_twice(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runs: list[list[str]] = []
    shutil.copytree(ROOT / "tools" / "locks", tmp_path / "locks")
    monkeypatch.setattr(environment, "LOCKS", tmp_path / "locks")
    monkeypatch.setattr(environment, "works", lambda: True)
    monkeypatch.setattr(environment, "STAMP", tmp_path / "installed.json")
    monkeypatch.setattr(environment, "install", lambda names: runs.append(names) or True)
    for _ in range(2):
        assert environment.main(["tests"]) == 0
    assert environment.main([]) == 0  # the tests' packages include these
    assert runs == [["torch.txt", "runtime.txt", "cuda.txt", "tests.txt"]]
    with (tmp_path / "locks" / "runtime.txt").open("a", encoding="utf-8") as lock:
        lock.write("# changed\n")
    assert environment.main([]) == 0
    assert runs[1:] == [["torch.txt", "runtime.txt", "cuda.txt"]]


def test_a_failed_install_is_not_remembered(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(environment, "works", lambda: True)
    monkeypatch.setattr(environment, "STAMP", tmp_path / "installed.json")
    monkeypatch.setattr(environment, "install", lambda _: False)
    assert environment.main([]) == 2
    assert not (tmp_path / "installed.json").exists()


def test_every_package_that_is_wanted_stands_in_a_lock_with_its_hashes() -> None:
    """`make lock` was run after the last change of a requirements file."""
    locks = [
        line
        for path in (ROOT / "tools" / "locks").glob("*.txt")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    names = [re.split(r"[ ;\\]", line)[0] for line in locks if re.match(r"[a-z0-9]", line)]
    wanted = [
        line
        for name in ("requirements.txt", "tests/requirements.txt")
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if re.match(r"[a-z0-9]", line)
    ]
    assert set(wanted) <= set(names)
    assert len(names) >= 114 and sum("--hash=sha256:" in line for line in locks) >= len(names)


def test_a_named_browser_is_taken_and_a_missing_one_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "browser"
    program.write_text("", encoding="utf-8")
    monkeypatch.setenv("BROWSER_PATH", str(program))
    assert chromium.find() == program
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "absent"))
    assert chromium.find() is None


def test_only_continuous_integration_insists_on_a_browser(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(chromium, "find", lambda: None)
    monkeypatch.setattr(chromium, "install", lambda: None)
    monkeypatch.delenv("CI", raising=False)
    assert chromium.main() == 0
    monkeypatch.setenv("CI", "true")
    assert chromium.main() == 1
    assert "skip" in capsys.readouterr().err


def test_continuous_integration_runs_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111, "must be executable"
    assert script.read_text(encoding="utf-8").splitlines()[-1] == "exec make test"


def test_make_help_lists_every_target_with_its_purpose() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("run", "test", "lint", "demo-models", "clean"):
        assert re.search(rf"^  make {target} +\w", listed, flags=re.MULTILINE), target


def test_a_cohort_that_is_not_there_ends_make_run_with_one_sentence() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "cohort-demo", "COHORT=no/such.duckdb", "-o", "environment"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no cohort no/such.duckdb")


def test_the_containers_steps_are_those_that_the_project_has() -> None:
    """What is copied exists, what is made is a target, and the server understands what it is started with."""
    steps = [
        line.split(maxsplit=1)
        for line in (ROOT / "Containerfile").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word, rest in steps:
        if word == "COPY":
            sources = [source for source in rest.split()[:-1] if not source.startswith("--")]
            assert all((ROOT / source).exists() for source in sources), rest
        for target in re.findall(r"\bmake ([a-z-]+)", rest if word == "RUN" else ""):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    entry, command = (json.loads(dict(steps)[word]) for word in ("ENTRYPOINT", "CMD"))
    assert entry[1:] == ["-m", "dashboard"]
    assert main_parser().parse_args(command).address == "0.0.0.0"
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    entering = {line[1:] for line in lines if line.startswith("!")}
    assert lines[1] == "*" and all((ROOT / name).exists() for name in entering)
    assert {"Makefile", "tools", "assets", "dashboard", "leader_core", "train"} <= entering
    assert not entering & {".", ".git", ".venv", ".streamlit", "build"}
