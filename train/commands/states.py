"""`states`: the teacher's hidden states and logits for every case, once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from leader_core.outputs import STATES, UNFINISHED_STATES, Outputs
from train.console import Report, Silent


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
    parser.add_argument(
        "--folds",
        type=int,
        metavar="K",
        help="cross-fitted: train K teachers as this one was, each without a fold, and take every training patient's "
        "states from the one that never saw that patient",
    )


def outputs(arguments: argparse.Namespace) -> Outputs:
    yield arguments.out, STATES
    yield arguments.out.with_name(f"{arguments.out.name}.states.partial"), UNFINISHED_STATES


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from leader_core.cohort import Cohort
    from train.distributed import join_processes
    from train.teacher.states import write_states

    processes = join_processes(arguments.device)
    if not processes.main:
        report = Silent()
    shared: dict[str, Any] = {
        "device": arguments.device,
        "targets": arguments.targets,
        "report": report,
        "processes": processes,
    }
    cohort = Cohort.open(arguments.cohort)
    if arguments.folds is None:
        result = write_states(cohort, arguments.teacher, arguments.out, **shared)
    else:
        from train.experiments.crossfit import write_crossfitted_states

        result = write_crossfitted_states(
            cohort,
            arguments.teacher,
            arguments.out,
            folds=arguments.folds,
            seed=arguments.seed,
            main=processes.main,
            **shared,
        )
    report.line(f"{result['cases']:,} cases in {result['shards']} shards: {result['out']}")
    return result
