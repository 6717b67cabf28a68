"""One rule for what every command writes: only an artefact of the same kind is replaced, checked before any work."""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
from pathlib import Path

import pytest

from leader_core.outputs import BASELINE, COHORT, MODELS, STATES
from train.cli import COMMANDS, build_parser, main

ABSENT = "no-such-file"
WORDS: dict[str, list[str]] = {
    "synthesize": ["--layout", "mimic3", "--patients", "20"],
    "cohort": ["--raw", ABSENT],
    "mapping": ["--raw", ABSENT, "--sample", "5"],
    "teacher": ["--cohort", ABSENT],
    "states": ["--cohort", ABSENT, "--teacher", ABSENT],
    "student": ["--cohort", ABSENT],
    "evaluate": ["--cohort", ABSENT, "--model", ABSENT],
    "baseline": ["--cohort", ABSENT, "--name", "popularity"],
    "calibrate": ["--cohort", ABSENT],
    "predict": ["--cohort", ABSENT, "--model", ABSENT],
    "scores": ["--cohort", ABSENT, "--models", ABSENT],
    "faithfulness": ["--cohort", ABSENT, "--model", ABSENT],
    "benchmark": ["search"],
    "workspace": ["backup", "--workspace", ABSENT],
    "realdata": ["--cohort", ABSENT, "--student", ABSENT],
}
"""A command line of every command that has `--out`, without it."""


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory, synthetic_cohort: Path, demo_models: Path) -> Path:
    """Things that no command may replace; `models` and `cohort` only those of their kind."""
    root = tmp_path_factory.mktemp("foreign")
    (root / "folder").mkdir()
    (root / "folder" / "thesis.doc").write_text("years of work")
    (root / "letter.txt").write_text("years of work")
    (root / "other.json").write_text('{"years": "of work"}')
    shutil.copy(synthetic_cohort, root / "cohort.duckdb")
    shutil.copytree(demo_models, root / "models")
    (root / "models" / "student" / "notes.txt").write_text("mine")
    return root


def _snapshot(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_every_command_that_writes_says_what() -> None:
    for command in COMMANDS:
        parser = build_parser(command)
        subparsers = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
        options = {action.dest for action in subparsers.choices[command]._actions}
        module = importlib.import_module(f"train.commands.{command}")
        if options & {"out", "progress", "assets"}:
            checked = hasattr(module, "outputs") or hasattr(module, "RESULT")
            assert checked, f"{command} writes and has neither `outputs` nor `RESULT`"
        assert ("out" in options) == (command in WORDS), command


@pytest.mark.parametrize("command", sorted(WORDS))
def test_nothing_foreign_is_replaced(
    command: str, foreign: Path, demo_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = ["--model", str(demo_models / "student")] if command == "calibrate" else []
    before = _snapshot(foreign)
    targets = ["folder", "letter.txt", "other.json", "models", "models/student", "models/teacher", "."]
    for target in (*targets, *(["cohort.duckdb"] if command != "cohort" else [])):
        assert main([command, *WORDS[command], *extra, "--out", str(foreign / target)]) == 2
        message = capsys.readouterr().err
        if (command, target) != (
            "teacher",
            "models/teacher",
        ):  # that one is its own: here the cohort is missing
            assert "is not replaced: expected " in message and message.count("error: ") == 1, (
                target,
                message,
            )
    assert _snapshot(foreign) == before


def test_other_files_that_a_command_writes_are_guarded_too(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    letter = foreign / "letter.txt"
    for name in ("student.training.safetensors", "states.states.partial", "c.similar.safetensors"):
        shutil.copy(letter, tmp_path / name)
    (tmp_path / "build" / "raw").mkdir(parents=True)
    shutil.copy(letter, tmp_path / "build" / "raw")
    before = _snapshot(tmp_path) | _snapshot(foreign)
    for words in (
        [
            "student",
            *WORDS["student"],
            "--out",
            str(tmp_path / "new"),
            "--progress",
            str(foreign / "cohort.duckdb"),
        ],
        ["student", *WORDS["student"], "--out", str(tmp_path / "student")],
        ["teacher", *WORDS["teacher"], "--out", str(tmp_path / "student")],
        ["states", *WORDS["states"], "--out", str(tmp_path / "states")],
        ["scores", "--cohort", str(tmp_path / "c.duckdb"), "--models", ABSENT],
        ["demo", "--build", str(tmp_path / "build")],
        ["demo", "--build", str(tmp_path / "b"), "--models", "--assets", str(foreign)],
    ):
        assert main(words) == 2, words
        assert "is not replaced" in capsys.readouterr().err, words
    assert _snapshot(tmp_path) | _snapshot(foreign) == before


def test_artefacts_of_the_same_kind_are_recognised(
    foreign: Path, tmp_path: Path, demo_models: Path, synthetic_raw: Path
) -> None:
    from leader_core.outputs import RAW_TABLES

    COHORT.check(foreign / "cohort.duckdb")
    RAW_TABLES.check(synthetic_raw)
    for kind in MODELS:
        MODELS[kind].check(demo_models / kind)
    states = tmp_path / "states"
    states.mkdir()
    (states / "index.json").write_text(json.dumps({"teacher_digest": "", "shards": [{"name": "a"}]}))
    (states / "a").touch()
    STATES.check(states)
    BASELINE.check(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    BASELINE.check(tmp_path / "empty")
