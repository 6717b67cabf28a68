"""`safer`: what safer sets change over a cohort's cases, and how its training visits agree with the indications."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from train.console import Report
from train.evaluation.inputs import SPLITS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cohort", type=Path, required=True, metavar="FILE", help="a cohort database")
    parser.add_argument(
        "--models", type=Path, default=None, metavar="DIR", help="the folder with the student; without it only the indications"
    )  # fmt: skip
    parser.add_argument("--split", choices=SPLITS, default="all", help="of the cases")
    parser.add_argument(
        "--contraindicated", type=int, default=0, metavar="N", help="alerts allowed (default 0)"
    )
    parser.add_argument(
        "--major", type=int, default=None, metavar="N", help="alerts allowed (default: not limited)"
    )


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from leader_core.cohort import Cohort
    from leader_core.engine import Engine
    from leader_core.interactions.safer_set import Limit
    from train.evaluation.safer_sets import indication_lifts, safer_sets

    result: dict[str, Any] = {}
    limit = Limit(arguments.contraindicated, arguments.major)
    if arguments.models is not None:
        engine = Engine.open(arguments.cohort, arguments.models, arguments.device)
        cases = engine.cohort.cases(arguments.split)
        report.line(f"Shares of drugs: {engine.shares.label}")
        for name, ordered in (("student", False), ("ordered", True)):
            measured = safer_sets(engine, cases, limit, ordered=ordered)
            report.line(f"{'Suggested by the student' if not ordered else 'Ordered'} ({limit}):")
            for line in measured.lines():
                report.line(f"  {line}")
            result[name] = vars(measured)
    lifts = indication_lifts(Cohort.open(arguments.cohort))
    report.line("Indications over the training visits: visits, share of them, share of all, lift")
    rows = []
    for each in lifts:
        row = {
            "condition": each.indication.condition,
            "medication": each.indication.medication,
            "visits": each.support,
            "share": each.share,
            "share_of_all": each.share_of_all,
            "lift": each.lift if each.support else None,
        }
        lift = "-" if row["lift"] is None else f"{row['lift']:.2f}"
        mark = "  CONTRADICTED" if each.contradicted else ""
        report.line(
            f"  {row['condition']}: {row['medication']}: {each.support}, {each.share:.0%}, "
            f"{each.share_of_all:.0%}, {lift}{mark}"
        )
        rows.append(row)
    return {**result, "indications": rows}
