"""`python -m train states`: parse, build, call."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from train.report import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cohort", type=Path, required=True, metavar="FILE", help="a cohort database")
    parser.add_argument("--teacher", type=Path, required=True, metavar="DIR", help="a teacher's model folder")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the folder of states to write"
    )
    parser.add_argument(
        "--targets",
        choices=("all", "last"),
        default="all",
        help="every visit with its past, or each patient's last",
    )


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from leader_core.cohort import Cohort
    from train.states import write_states

    result = write_states(
        Cohort.open(arguments.cohort),
        arguments.teacher,
        arguments.out,
        device=arguments.device,
        targets=arguments.targets,
        report=report,
    )
    report.line(f"{result['cases']:,} cases in {result['shards']} shards: {result['out']}")
    return result
