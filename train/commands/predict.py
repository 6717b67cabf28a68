"""`predict`: one row per case and medication, as Parquet, written block by block and moved into place when complete."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from leader_core.errors import InputError
from leader_core.outputs import PREDICTIONS, Outputs
from leader_core.scorer import blocks_of
from train.console import Report
from train.evaluation.inputs import SPLITS, Labels, open_model
from train.evaluation.predictions import write_predictions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cohort", type=Path, required=True, metavar="FILE", help="a cohort database")
    parser.add_argument(
        "--model", type=Path, required=True, metavar="DIR", help="a teacher's or student's folder"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.parquet", help="the file to write")
    parser.add_argument(
        "--split", choices=SPLITS, default="all", help="which patients (default: %(default)s)"
    )
    parser.add_argument(
        "--targets", choices=("last", "all"), default="last", help="which visits (default: %(default)s)"
    )
    parser.add_argument("--threshold", type=float, help="another cut-off than the one stored with the model")


def outputs(arguments: argparse.Namespace) -> Outputs:
    yield arguments.out, PREDICTIONS


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from leader_core.cohort import Cohort

    if arguments.threshold is not None and not 0 <= arguments.threshold <= 1:
        raise InputError(f"--threshold {arguments.threshold}: expected 0 to 1.")
    cohort = Cohort.open(arguments.cohort)
    model = open_model(arguments.model, arguments.device, cohort)
    columns = cohort.columns(arguments.split, arguments.targets)
    threshold = model.threshold if arguments.threshold is None else arguments.threshold
    write_predictions(arguments.out, model, cohort, columns, threshold, report)
    missed = sum(
        int(Labels.of(columns.take(rows), model.medications).missed.sum()) for rows in blocks_of(len(columns))
    )
    if missed:
        report.line(f"{missed:,} prescriptions are of classes that the model cannot name: they have no row")
    report.line(f"{len(columns):,} cases by {len(model.medications)} medications written to {arguments.out}")
    return {
        "file": str(arguments.out),
        "cases": len(columns),
        "medications": len(model.medications),
        "rows": len(columns) * len(model.medications),
        "threshold": threshold,
        "unnamed_prescriptions": missed,
    }
