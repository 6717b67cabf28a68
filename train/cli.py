"""The command line: parse, call one command module, turn errors into exit codes.

Exit codes: 0 success, 2 wrong usage or bad input (one message on stderr, no traceback), 130 interrupted.
Command modules are imported only when called, so `--help` stays quick.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

from leader_core.errors import LeaderError
from leader_core.files import check_output
from train.console import Report

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
    "predict": "one row per case and medication, as Parquet",
    "scores": "both models' scores of every case, stored next to the cohort for the worklist",
    "faithfulness": "whether explanations are true to a model: deletion and insertion against random order",
    "check": "what the interaction tables list about some drugs and conditions, most severe first",
    "benchmark": "throughput, latency and peak memory on this machine, as JSON",
    "realdata": "folds over a few real patients: students from scratch and from another student",
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
            importlib.import_module(f"train.commands.{name}").add_arguments(sub)
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
    if _is_first() and hasattr(command, "outputs"):
        for path, kind in command.outputs(arguments):
            check_output(path, kind)
    result: dict[str, Any] = command.run(arguments, report)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    try:
        arguments = parse(list(sys.argv[1:] if argv is None else argv))
        result = call(arguments, Report(quiet=arguments.json))
    except LeaderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: nothing half-written was left in place", file=sys.stderr)
        return 130
    if arguments.json and _is_first():
        print(json.dumps(result, ensure_ascii=False, sort_keys=True))
    return 0
