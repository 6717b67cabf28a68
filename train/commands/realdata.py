"""`realdata`: folds over a few real patients: students from scratch and from another student, and baselines."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from leader_core.errors import InputError
from leader_core.files import write_json
from leader_core.outputs import REAL_DATA, Outputs
from train.config import load_settings
from train.console import Report
from train.evaluation.metrics_text import show_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cohort", type=Path, required=True, metavar="FILE", help="a cohort of real patients"
    )
    parser.add_argument(
        "--student",
        type=Path,
        required=True,
        metavar="DIR",
        help="the student to start from, of another cohort",
    )
    parser.add_argument("--folds", type=int, default=5, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the result there as well")


def outputs(arguments: argparse.Namespace) -> Outputs:
    if arguments.out:
        yield arguments.out, REAL_DATA


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from leader_core.cohort import Cohort
    from train.experiments.realdata import evaluate_folds
    from train.experiments.results import fold_sentences

    if arguments.folds < 2:
        raise InputError(f"--folds {arguments.folds}: expected 2 or more.")
    settings = load_settings(arguments.config, seed=arguments.seed)
    result = evaluate_folds(
        Cohort.open(arguments.cohort),
        arguments.student,
        settings.student_training,
        seed=settings.seed,
        folds=arguments.folds,
        device=arguments.device,
        report=report,
    )
    overall = {entry["label"]: entry["groups"]["overall"] for entry in result["models"].values()}
    show_table(report, f"{arguments.folds} folds of {result['cohort']['label']}", overall)
    for sentence in fold_sentences(result):
        report.line(sentence)
    if arguments.out:
        write_json(arguments.out, result, REAL_DATA)
    return result
