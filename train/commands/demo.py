"""`demo`: the synthetic cohort that the dashboard serves out of the box, and with `--models` the models it ships."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from leader_core.errors import InputError
from leader_core.outputs import (
    COHORT,
    DEMO_EVALUATION,
    EXPORTED_SCORES,
    MODELS,
    RAW_TABLES,
    RESULTS_PAGE,
    SCORES,
    Outputs,
)
from leader_core.stored_scores import scores_path
from train.console import Report
from train.experiments.demo import (
    ASSETS,
    BUILD,
    README,
    SHIPPED_SCORES,
    build_cohort,
    build_models,
    build_scores,
    store_shipped_scores,
)
from train.experiments.demo_plan import SEEDS, named_rows
from train.experiments.results import write_results
from train.experiments.tasks import STATE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--build", type=Path, default=BUILD, help="folder for what can be rebuilt (default: %(default)s)"
    )
    parser.add_argument(
        "--models",
        action="store_true",
        help="also train, evaluate and install the demo models (hours on a CPU)",
    )
    parser.add_argument(
        "--scores",
        action="store_true",
        help="also score the test patients with the shipped models and three baselines, into the file that ships "
        "(minutes on a CPU)",
    )
    parser.add_argument(
        "--assets", type=Path, default=ASSETS, help="where the models go (default: %(default)s)"
    )
    parser.add_argument(
        "--real",
        type=Path,
        metavar="DIR",
        help="to evaluate on as well: the raw tables of an open demo (MIMIC-III, MIMIC-IV, eICU), or a folder of several",
    )
    parser.add_argument(
        "--rows",
        metavar="NAME,...",
        help="with --models: train and evaluate just these rows of the table (ablations: all that are made on request); the "
        "others and the models stay as they are",
    )
    parser.add_argument(
        "--teacher-seeds",
        type=int,
        choices=range(1, len(SEEDS) + 1),
        help="how many teachers are trained and averaged (default: 1, with CUDA 3)",
    )
    parser.add_argument(
        "--table",
        action="store_true",
        help="only write RESULTS.md (and the README's table) from the evaluation.json that is there",
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="tasks at once (default: one a core, at most 4)"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="redo every task, even those already done with these settings"
    )


def outputs(arguments: argparse.Namespace) -> Outputs:
    yield arguments.build / "cohort.duckdb", COHORT
    yield arguments.build / "raw", RAW_TABLES
    yield scores_path(arguments.build / "cohort.duckdb"), SCORES
    if arguments.scores or arguments.models:
        yield arguments.assets / SHIPPED_SCORES, EXPORTED_SCORES
    if arguments.models or arguments.table:
        yield arguments.assets / "RESULTS.md", RESULTS_PAGE
    if arguments.models:
        yield arguments.assets / "evaluation.json", DEMO_EVALUATION
        for kind, model in MODELS.items():
            yield arguments.assets / "models" / kind, model


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    if arguments.jobs is not None and arguments.jobs < 1:
        raise InputError(f"--jobs {arguments.jobs}: expected 1 or more.")
    if arguments.real is not None and not arguments.real.is_dir():
        raise InputError(
            f"--real {arguments.real}: no such folder. Name the folder of the demo's raw tables."
        )
    for name in ("build", "assets", "real"):  # the tasks run in another folder
        if (path := getattr(arguments, name)) is not None:
            setattr(arguments, name, path.resolve())
    rows = None if arguments.rows is None else named_rows(arguments.rows)
    if rows and not arguments.models:
        raise InputError("--rows is about the models: give --models with it.")
    if arguments.table:
        readme = README if arguments.assets == ASSETS else None
        return {"results": str(write_results(arguments.assets, readme))}
    if arguments.fresh:
        (arguments.build / STATE).unlink(missing_ok=True)
    cohort = build_cohort(arguments.build, report)
    if arguments.scores and not arguments.models:
        return {"scores": str(build_scores(arguments.build, arguments.assets, report, arguments.device))}
    if not arguments.models:
        return {"cohort": str(cohort), "scores": store_shipped_scores(cohort, arguments.assets, report)}
    return build_models(
        arguments.build,
        arguments.assets,
        report,
        device=arguments.device,
        real=arguments.real,
        fresh=arguments.fresh,
        jobs=arguments.jobs,
        rows=rows,
        teacher_seeds=arguments.teacher_seeds,
    )
