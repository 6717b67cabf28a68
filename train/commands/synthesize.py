"""`synthesize`: raw tables of a synthetic hospital, or its own probabilities for a cohort built from them."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from leader_core.errors import InputError
from leader_core.outputs import PREDICTIONS, RAW_TABLES, Outputs
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
    parser.add_argument(
        "--oracle",
        type=Path,
        metavar="COHORT.duckdb",
        help="write no tables, but to --out as Parquet the true probabilities of all visits of this cohort's test patients: "
        "the best scores that any model can reach; the hospital is drawn again with --seed",
    )
    parser.add_argument(
        "--without-history",
        action="store_true",
        help="with --oracle: from the current visit's conditions alone",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--out", type=Path, metavar="DIR|FILE.parquet", help="folder for the raw tables, or file for --oracle"
    )
    what.add_argument(
        "--realism",
        type=Path,
        nargs=2,
        metavar=("REAL.duckdb", "SYNTHETIC.duckdb"),
        help="write nothing: compare a real cohort database with a synthetic one",
    )


def outputs(arguments: argparse.Namespace) -> Outputs:
    if arguments.out:
        yield arguments.out, PREDICTIONS if arguments.oracle else RAW_TABLES


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    """Write a synthetic hospital, or compare one with a real cohort."""
    if arguments.realism:
        from train.synthetic_hospital.realism import compare, show

        return show(compare(*arguments.realism), report)
    seed = DEFAULT_SEED if arguments.seed is None else arguments.seed
    if arguments.without_history and not arguments.oracle:
        raise InputError("--without-history is about the probabilities of --oracle: give both.")
    if arguments.oracle:
        return _true_probabilities(arguments, seed, report)
    from train.synthetic_hospital.hospital import synthesize

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


def _true_probabilities(arguments: argparse.Namespace, seed: int, report: Report) -> dict[str, Any]:
    from leader_core.cohort import Cohort
    from train.evaluation.predictions import write_predictions
    from train.synthetic_hospital.oracle import Oracle

    cohort = Cohort.open(arguments.oracle)
    oracle = Oracle(cohort, seed=seed, history=not arguments.without_history)
    columns = cohort.columns("test", "all")
    write_predictions(arguments.out, oracle, cohort, columns, oracle.threshold, report)
    report.line(f"{oracle.name}: true probabilities of {len(columns):,} visits written to {arguments.out}")
    return {"out": str(arguments.out), "visits": len(columns), "threshold": oracle.threshold}
