"""`synthesize`: raw tables of a synthetic hospital."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from leader_core.outputs import RAW_TABLES, Outputs
from train.config import DEFAULT_SEED
from train.console import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "--layout", choices=("mimic3", "mimic4"), default="mimic3", help="whose tables to imitate"
    )
    parser.add_argument(
        "--patients", type=int, default=12_000, metavar="N", help="how many patients (default: 12,000)"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=Path, metavar="DIR", help="folder to write the raw tables to")
    what.add_argument(
        "--realism",
        type=Path,
        nargs=2,
        metavar=("REAL.duckdb", "SYNTHETIC.duckdb"),
        help="write nothing: compare a real cohort database with a synthetic one",
    )


def outputs(arguments: argparse.Namespace) -> Outputs:
    if arguments.out:
        yield arguments.out, RAW_TABLES


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    """Write a synthetic hospital, or compare one with a real cohort."""
    if arguments.realism:
        from train.synthetic_hospital.realism import compare, show

        return show(compare(*arguments.realism), report)
    from train.synthetic_hospital.hospital import synthesize

    seed = DEFAULT_SEED if arguments.seed is None else arguments.seed
    summary = synthesize(
        arguments.out, layout=arguments.layout, patients=arguments.patients, seed=seed, report=report
    )
    rows = [
        ("patients", summary.patients),
        ("admissions", summary.visits),
        ("diagnoses", summary.diagnoses),
        ("procedures", summary.procedures),
        ("prescriptions", summary.prescriptions),
        ("patients with one admission", summary.single_visit_patients),
    ]
    report.table(
        f"Synthetic hospital in {arguments.out} (seed {seed}, {arguments.layout} layout)",
        ("rows of", "count"),
        rows,
    )
    report.line("These patients are invented: results on them say nothing about real ones.")
    return {"out": str(arguments.out), **asdict(summary)}
