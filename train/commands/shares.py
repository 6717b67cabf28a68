"""`shares`: the drugs behind each class by the training orders, and how well they foretell validation orders."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from leader_core.errors import InputError
from train.console import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cohort",
        type=Path,
        required=True,
        metavar="FILE",
        help="a cohort database; its training orders count",
    )
    parser.add_argument(
        "--classes", default="", metavar="CODES", help="print these classes only: B01A,C07A (all by default)"
    )


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from leader_core.cohort import Cohort
    from train.evaluation.drug_shares import share_losses

    cohort = Cohort.open(arguments.cohort)
    shares = cohort.drug_shares()
    wanted = [code.strip().upper() for code in arguments.classes.split(",") if code.strip()]
    if unknown := [code for code in wanted if code not in shares.classes]:
        raise InputError(
            f"{', '.join(unknown)}: no training order of this cohort is of that class. "
            "Name classes at the cohort's ATC level, or leave --classes out."
        )
    report.line(f"Counted: {shares.label}")
    for code in wanted or sorted(shares.classes):
        drugs = ", ".join(f"{each.name} {100 * each.share:.1f} %" for each in shares.of(code))
        report.line(f"{code} {cohort.title('medication', code) or ''}: {drugs}")
    losses = share_losses(cohort)
    if losses is None:
        report.line("No validation order names a drug: nothing to compare the shares with.")
    else:
        report.line(
            f"Log-loss over {losses.orders:,} validation orders: plain frequency {losses.plain:.3f}; with the drug of "
            f"the visit before {losses.by_visit_before:.3f}; with the main diagnosis {losses.by_main_diagnosis:.3f}"
        )
        if losses.plain_repeated is not None and losses.by_visit_before_repeated is not None:
            report.line(
                f"Of these {losses.repeated:,} are of a class that the visit before had: {losses.plain_repeated:.3f} "
                f"plain, {losses.by_visit_before_repeated:.3f} with the drug of the visit before"
            )
    return {
        "label": shares.label,
        "classes": {
            code: [dataclasses.asdict(each) for each in drugs] for code, drugs in shares.classes.items()
        },
        "log_loss": dataclasses.asdict(losses) if losses else None,
    }
