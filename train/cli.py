"""The command line: parse, call one command module, turn errors into exit codes.

A command module has `add_arguments` and `run`, `outputs` where it writes files, and `RESULT`, the kind of JSON file, where
its result may be written with `--out`.

Exit codes: 0 success, 2 wrong usage or bad input (one message on stderr, no traceback), 130 interrupted.
Command modules are imported only when called, so `--help` stays quick.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from leader_core import sql
from leader_core.errors import LeaderError
from leader_core.files import check_output, write_json
from leader_core.interrupts import interrupted
from leader_core.logs import set_up_logs
from train.console import Report

log = logging.getLogger("leader.train")

_LIBRARY_FAILURES: Final = (
    ("duckdb", "Error"),
    ("safetensors", "SafetensorError"),
    ("pyarrow", "ArrowException"),
    ("torch", "OutOfMemoryError"),
)

COMMANDS: Final[dict[str, str]] = {
    "synthesize": "raw tables of a synthetic hospital in MIMIC's own file layout",
    "cohort": "raw MIMIC tables to a cohort database",
    "mapping": "how well drug strings become ATC codes: rate, unmapped strings, precision, draws to judge",
    "teacher": "train the teacher: a language model with LoRA and a classification head",
    "states": "the teacher's hidden states and logits for every case, once",
    "student": "train the student, distilled where teacher states are given",
    "evaluate": "the paper's table for a model on a split",
    "baseline": "fit a baseline and write its scores",
    "calibrate": "give a trained model calibrated probabilities and conformal sets",
    "alerts": "how many alerts a cohort's cases show, and which of the red ones the drugs ordered carry",
    "shares": "which drugs each class means in training orders, and how well that foretells validation orders",
    "predict": "one row per case and medication, as Parquet",
    "scores": "both models' scores of every case, stored next to the cohort for the worklist",
    "faithfulness": "whether explanations are true to a model: deletion and insertion against random order",
    "workspace": "copy a workspace with its notes, put a copy back, check or encrypt it",
    "verify": "whether cohorts, models, states and scores are as they were written",
    "safer": "what safer sets change over a cohort, and how indications agree with its training visits",
    "check": "what the interaction tables list about some drugs and conditions, most severe first",
    "benchmark": "throughput, latency and peak memory on this machine, as JSON",
    "realdata": "folds over a few real patients: students from scratch and from another student",
    "doctor": "whether machine, packages, cohort, models, workspace and port are in order, and what to do if not",
    "demo": "build what the dashboard's demo needs: cohort, and with --models its models",
}


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """The parser; only the chosen command's arguments are loaded."""
    parser = argparse.ArgumentParser(
        prog="python -m train", description="Train, evaluate and prepare LEADER models."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == command:
            sub.add_argument(
                "--config", metavar="FILE.toml", default="default", help="'default', 'paper' or a TOML file"
            )
            sub.add_argument("--seed", type=int, default=None, help="overrides the configuration's seed")
            sub.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
            sub.add_argument(
                "--json", action="store_true", help="print the result as one JSON line at the end"
            )
            module = importlib.import_module(f"train.commands.{name}")
            module.add_arguments(sub)
            if hasattr(module, "RESULT"):
                sub.add_argument(
                    "--out", type=Path, metavar="FILE.json", help="write the result there as well"
                )
    return parser


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Arguments of a command line; exits with 2 on wrong usage."""
    command = next((word for word in words if word in COMMANDS), None)
    return build_parser(command).parse_args(words)


def _is_first() -> bool:
    """Of processes that work together, the first checks and answers."""
    return os.environ.get("RANK", "0") == "0"


def call(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    """Run one parsed command, once all that it is to write may be written; errors pass through."""
    command = importlib.import_module(f"train.commands.{arguments.command}")
    written = arguments.out if hasattr(command, "RESULT") else None
    if _is_first():
        for path, kind in command.outputs(arguments) if hasattr(command, "outputs") else ():
            check_output(path, kind)
        if written:
            check_output(written, command.RESULT)
    result: dict[str, Any] = command.run(arguments, report)
    if written:
        write_json(written, result, command.RESULT)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    result: dict[str, Any] = {}
    try:
        set_up_logs("warning")
        arguments = parse(list(sys.argv[1:] if argv is None else argv))
        result = call(arguments, Report(quiet=arguments.json))
        if arguments.json and _is_first():
            print(json.dumps(result, ensure_ascii=False, sort_keys=True))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) or interrupted():
            sql.remove_spilled()
            print("interrupted: nothing half-written was left in place", file=sys.stderr)
            return 130
        if not isinstance(error, _failures()):
            raise
        log.debug("the command failed", exc_info=True)
        print(f"error: {_sentence(error)}", file=sys.stderr)
        return 2
    return int(result.get("exit_code", 0))


def _failures() -> tuple[type[Exception], ...]:
    """Errors of ours, and failures of disk, memory and files that any command can meet, of the libraries that are loaded."""
    own = [
        getattr(sys.modules[module], name)
        for module, name in _LIBRARY_FAILURES
        if hasattr(sys.modules.get(module), name)
    ]
    return (LeaderError, OSError, MemoryError, *own)


def _sentence(error: Exception) -> str:
    """A failure as what happened and what to do."""
    if isinstance(error, LeaderError):
        return str(error)
    text = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "No space left" in text:
        where = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
        return f"The disk is full{where}. Free some space; what was there before is as it was."
    if isinstance(error, MemoryError) or "out of memory" in text.lower():
        return f"The memory does not suffice ({text}). Close other programs, or work on less at once."
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return (
            f"{name}{error.strerror or text}. Check that the place exists and that you may read it, and write to it "
            "where something is to be written."
        )
    return f"A file could not be read or written: {text}. Check it with `python -m train verify`, or make it again."
