"""`baseline`: fit one baseline and write its scores, so that it is evaluated like any model."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from leader_core.errors import InputError
from leader_core.files import replacing_folder, write_json
from leader_core.outputs import BASELINE, Outputs
from train.baselines import BASELINES
from train.config import DEFAULT_SEED
from train.console import Report
from train.evaluation.inputs import SPLITS

RECORD = "baseline.json"
SCORES = "scores.parquet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cohort", type=Path, required=True, metavar="FILE", help="a cohort to fit on")
    parser.add_argument("--name", choices=BASELINES, required=True, help="which baseline")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help=f"folder for {SCORES} and {RECORD}"
    )
    parser.add_argument(
        "--targets", choices=("last", "all"), default="last", help="which visits teach (default: %(default)s)"
    )
    parser.add_argument(
        "--split", choices=SPLITS, default="all", help="whose last visits are scored (default: %(default)s)"
    )
    parser.add_argument(
        "--score",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help=f"score all visits of this cohort as well, into a folder of its name with {SCORES} (may be repeated)",
    )


def outputs(arguments: argparse.Namespace) -> Outputs:
    yield arguments.out, BASELINE


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from leader_core.cohort import Cohort
    from train.baselines.fitting import fit_baseline
    from train.evaluation.predictions import write_predictions

    cohort = Cohort.open(arguments.cohort)
    others = {path.stem: Cohort.open(path) for path in arguments.score}
    if len(others) != len(arguments.score):
        raise InputError("--score: expected cohort files of different names, to tell their scores apart.")
    seed = DEFAULT_SEED if arguments.seed is None else arguments.seed
    model = fit_baseline(arguments.name, cohort, targets=arguments.targets, seed=seed, report=report)
    record = {
        "name": model.name,
        "seed": seed,
        "targets": arguments.targets,
        "settings": dict(model.settings),
        "threshold": model.threshold,
        "threshold_rule": model.threshold_rule,
        "validation_prauc": model.validation_prauc,
        "seconds": round(model.seconds, 1),
        "trained_on": dataclasses.asdict(model.trained_on),
    }
    with replacing_folder(arguments.out, BASELINE) as temporary:
        columns = cohort.columns(arguments.split, "last")
        write_predictions(temporary / SCORES, model, cohort, columns, model.threshold, report)
        for name, other in others.items():
            columns = other.columns("all", "all")
            write_predictions(temporary / name / SCORES, model, other, columns, model.threshold, report)
        write_json(temporary / RECORD, record)
    report.line(
        f"{model.name}: validation PRAUC {model.validation_prauc:.4f}, {model.seconds:.0f} s; written to {arguments.out}"
    )
    return {**record, "out": str(arguments.out)}
