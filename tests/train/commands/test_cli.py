"""The command line's promises: help, exit codes 0, 2 and 130, one message and no traceback, JSON in the last line."""

from __future__ import annotations

import argparse
import errno
import importlib
import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pyarrow
import pytest
from safetensors import SafetensorError

from leader_core.errors import InputError
from train.cli import COMMANDS, main, parse
from train.console import Report

ROOT = Path(__file__).parents[3]

PROMISED: dict[str, tuple[str, ...]] = {
    "synthesize": ("--layout", "--patients", "--out"),
    "cohort": ("--source", "--raw", "--out", "--atc-level", "--preset", "--ndc-map", "--ddi"),
    "teacher": ("--cohort", "--base", "--out", "--resume"),
    "states": ("--cohort", "--teacher", "--out"),
    "student": ("--cohort", "--states", "--out", "--alpha", "--beta", "--resume"),
    "evaluate": ("--cohort", "--model", "--split", "--out"),
    "predict": ("--cohort", "--model", "--out"),
    "check": ("--drugs", "--diagnoses"),
    "benchmark": ("student", "teacher", "cohort", "search"),
}
EVERYWHERE = ("--config", "--seed", "--device", "--json")


def test_every_promised_command_is_there() -> None:
    assert set(PROMISED) <= set(COMMANDS)
    assert parse(["benchmark"]).parts == []  # all parts


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_ends_well_and_names_every_promised_argument(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for word in (*PROMISED.get(command, ()), *EVERYWHERE):
        assert word in text, f"{command} --help does not name {word}"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["prescribe"],
        ["--no-such-option"],
        *([command, "--no-such-option"] for command in sorted(COMMANDS)),
        ["synthesize", "--layout", "mimic9", "--patients", "10", "--out", "x"],
        ["synthesize", "--layout", "mimic3", "--patients", "many", "--out", "x"],
        ["cohort", "--raw", "x"],
        ["cohort", "--raw", "x", "--out", "y", "--atc-level", "7"],
        ["teacher", "--cohort", "x"],
        ["states", "--cohort", "x"],
        ["student", "--out", "x"],
        ["predict", "--cohort", "x", "--model", "y"],
        ["evaluate", "--cohort", "x", "--model", "y", "--device", "abacus"],
    ],
    ids=lambda words: " ".join(words) or "nothing",
)
def test_wrong_usage_ends_with_2_and_says_how_to_use_it(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "usage:" in error and "Traceback" not in error


def _bad_inputs(folder: Path) -> dict[str, list[str]]:
    """Command lines that are well formed and ask for what is not there or not right."""
    absent, out = str(folder / "absent"), str(folder / "out")
    empty = folder / "empty"
    empty.mkdir()
    junk = folder / "junk.duckdb"
    junk.write_bytes(b"not a database" * 1000)
    toml = folder / "wrong.toml"
    toml.write_text("[student]\nno_such_field = 1\n", encoding="utf-8")
    return {
        "no raw folder": ["cohort", "--source", "mimic3", "--raw", absent, "--out", out],
        "an empty raw folder": ["cohort", "--raw", str(empty), "--out", out],
        "no patients": ["synthesize", "--layout", "mimic3", "--patients", "0", "--out", out],
        "teacher without cohort": ["teacher", "--cohort", absent, "--base", "minilm", "--out", out],
        "states without cohort": ["states", "--cohort", absent, "--teacher", absent, "--out", out],
        "student without cohort": ["student", "--cohort", absent, "--out", out],
        "student on junk": ["student", "--cohort", str(junk), "--out", out],
        "evaluate without cohort": ["evaluate", "--cohort", absent, "--model", absent],
        "evaluate junk": ["evaluate", "--cohort", str(junk), "--model", absent],
        "predict without cohort": ["predict", "--cohort", absent, "--model", absent, "--out", out],
        "benchmark without model": ["benchmark", "student", "--cohort", absent, "--model", absent],
        "no configuration": ["student", "--cohort", absent, "--out", out, "--config", absent],
        "an unknown field": ["student", "--cohort", str(junk), "--out", out, "--config", str(toml)],
    }


BAD = (
    "no raw folder", "an empty raw folder", "no patients", "teacher without cohort", "states without cohort",
    "student without cohort", "student on junk", "evaluate without cohort", "evaluate junk",
    "predict without cohort", "benchmark without model", "no configuration", "an unknown field",
)  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_ends_with_2_and_one_message(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_bad_inputs(tmp_path)[name]) == 2
    message = capsys.readouterr()
    messages = [line for line in message.err.splitlines() if line.startswith("error: ")]
    assert len(messages) == 1, message.err
    assert "Traceback" not in message.err
    assert message.err.splitlines()[-1].rstrip().endswith((".", ")")), "a message is a sentence"
    assert not (tmp_path / "out").exists(), "bad input leaves nothing behind"


class _Fake:
    """A command module in memory, put in place of `benchmark`."""

    def __init__(self, outcome: BaseException | dict[str, object]) -> None:
        self.outcome = outcome

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("part", nargs="?")

    def run(self, arguments: argparse.Namespace, report: Report) -> dict[str, object]:
        report.line("working")
        report.table("Result", ["name", "value"], [["a", 1.5]])
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


def _put(monkeypatch: pytest.MonkeyPatch, fake: _Fake) -> None:
    real = importlib.import_module
    monkeypatch.setattr(
        importlib,
        "import_module",
        lambda name, *a: fake if name == "train.commands.benchmark" else real(name, *a),
    )


def test_interrupted_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _put(monkeypatch, _Fake(KeyboardInterrupt()))
    assert main(["benchmark"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_an_error_of_ours_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _put(monkeypatch, _Fake(InputError("No such thing: expected another. Name it.")))
    assert main(["benchmark"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "error: No such thing: expected another. Name it."


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/data/out"), "The disk is full (/data/out)"),
        (PermissionError(errno.EACCES, "Permission denied", "/data/out"), "/data/out: Permission denied"),
        (OSError(errno.EROFS, "Read-only file system", "/data/out"), "/data/out: Read-only file system"),
        (MemoryError(), "The memory does not suffice"),
        (
            duckdb.IOException("IO Error: Could not write file: No space left on device\nmore"),
            "The disk is full",
        ),
        (duckdb.SerializationException("Corrupt database file"), "could not be read or written: Corrupt"),
        (SafetensorError("Error while serializing: I/O error"), "could not be read or written: Error while"),
        (pyarrow.ArrowInvalid("Not a parquet file"), "could not be read or written: Not a parquet"),
    ],
)
def test_a_failing_disk_or_file_is_one_sentence(
    failure: Exception, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _put(monkeypatch, _Fake(failure))
    assert main(["benchmark"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ") and expected in last and last.endswith(".")


def test_a_disk_that_fills_with_the_last_bytes_is_said_and_costs_nothing(
    synthetic_raw: Path, synthetic_cohort: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.duckdb"
    shutil.copy2(synthetic_cohort, out)
    largest = out.stat().st_size * 3 // 4  # DuckDB writes the most when it is told to complete the file
    done = subprocess.run(
        [sys.executable, "-m", "train", "cohort", "--raw", str(synthetic_raw), "--out", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest)),
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "File too large" in done.stderr.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert out.read_bytes() == synthetic_cohort.read_bytes()


def test_json_is_all_that_stdout_holds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _put(monkeypatch, _Fake({"rate": 0.5, "title": "Ménière"}))
    assert main(["benchmark", "--json"]) == 0
    message = capsys.readouterr()
    assert json.loads(message.out) == {"rate": 0.5, "title": "Ménière"}
    assert "working" in message.err and "Result" in message.err


def test_without_json_the_tables_go_to_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _put(monkeypatch, _Fake({}))
    assert main(["benchmark"]) == 0
    message = capsys.readouterr()
    assert "Result" in message.out and "1.5000" in message.out and "{}" not in message.out


def test_a_real_run_prints_json_in_its_last_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--layout",
        "mimic3",
        "--patients",
        "20",
        "--seed",
        "1",
        "--out",
        str(tmp_path / "raw"),
        "--json",
    ]
    assert main(["synthesize", *words]) == 0
    assert isinstance(json.loads(capsys.readouterr().out.splitlines()[-1]), dict)
    assert (tmp_path / "raw").is_dir()


def test_a_real_interrupt_ends_with_130_and_leaves_nothing(tmp_path: Path) -> None:
    words = ["synthesize", "--layout", "mimic3", "--patients", "200000", "--out", str(tmp_path / "raw")]
    process = subprocess.Popen(
        [sys.executable, "-m", "train", *words],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        # A test runner in a shell's background hands on an ignored SIGINT, which Python then never sees.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not any(tmp_path.iterdir()) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130, error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []
