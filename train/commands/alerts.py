"""`alerts`: how many alerts a cohort's cases show, and whether those that stand red are carried by what was ordered."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from train.console import Report
from train.evaluation.inputs import SPLITS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cohort", type=Path, required=True, metavar="FILE", help="a cohort database")
    parser.add_argument(
        "--models",
        type=Path,
        metavar="DIR",
        help="folder with student/ inside, whose suggestions and shares of drugs count; without, only what was ordered",
    )
    parser.add_argument(
        "--split", choices=SPLITS, default="all", help="whose last visits (default: %(default)s)"
    )


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from leader_core import Engine
    from train.evaluation.alert_counts import alert_counts, lines

    engine = Engine.open(arguments.cohort, arguments.models or Path("no models"), arguments.device)
    cases = engine.cohort.cases(arguments.split, "last")
    suggestions = None
    if engine.models["student"].available:
        recommendations = engine.recommend_many(cases, "student")
        suggestions = [[m.code for m in each.selected] for each in recommendations]
    counts = alert_counts(engine, cases, suggestions)
    label = f"{engine.cohort.fingerprint.label}, {arguments.split}"
    for line in (f"Shares of drugs: {engine.shares.label}", *lines(counts, label)):
        report.line(line)
    severities = {name: dataclasses.asdict(each) for name, each in counts.severities.items()}
    return {"cohort": label, "shares": engine.shares.label, **vars(counts), "severities": severities}
