"""`realdata`: folds over real patients: students from scratch and from another student, or what the profile is worth."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from leader_core.errors import InputError
from leader_core.outputs import REAL_DATA
from train.config import load_settings
from train.console import Report
from train.evaluation.metrics_text import show_table

RESULT: Final = REAL_DATA


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cohort", type=Path, required=True, metavar="FILE", help="a cohort of real patients"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--student", type=Path, metavar="DIR", help="the student to start from, of another cohort"
    )
    what.add_argument(
        "--profile",
        action="store_true",
        help="train no student: what each profile field adds to a logistic regression on the codes",
    )
    parser.add_argument("--folds", type=int, default=5, metavar="N", help="(default: %(default)s)")


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from leader_core.cohort import Cohort

    if arguments.folds < 2:
        raise InputError(f"--folds {arguments.folds}: expected 2 or more.")
    settings = load_settings(arguments.config, seed=arguments.seed)
    if arguments.profile:
        from train.experiments.profile_signal import measure_profile, show_profile

        cohort = Cohort.open(arguments.cohort)
        worth = measure_profile(cohort, seed=settings.seed, folds=arguments.folds, report=report)
        show_profile(worth, report)
        return worth
    from train.experiments.realdata import evaluate_folds
    from train.experiments.results import fold_sentences

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
    return result
