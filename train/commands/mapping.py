"""`mapping`: how well drug strings become ATC codes: rate, unmapped strings, precision on judged pairs, draws to judge."""

from __future__ import annotations

import argparse
import csv
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from leader_core.cohort.drug_orders import MAPPED, DrugOrders, read_drug_orders
from leader_core.cohort.ndc import read_ndc_map
from leader_core.cohort.sources import SOURCES
from leader_core.errors import InputError
from leader_core.files import replacing_file
from leader_core.outputs import DRAW, Outputs
from leader_core.terminology.atc import atc_title
from leader_core.terminology.drugs import map_drug
from train.console import Report
from train.evaluation.mapping_quality import (
    COLUMNS,
    Precision,
    ndc_json,
    percent,
    precision,
    print_ndc,
    read_judged,
)

DEFAULT_SEED: Final = 2026
"""Of the draw that tests/data/judged_drugs.csv was judged from."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--raw",
        type=Path,
        nargs="+",
        required=True,
        metavar="DIR",
        help="folders of raw tables, taken together",
    )
    parser.add_argument(
        "--source",
        choices=(*SOURCES, "auto"),
        default="auto",
        help="layout (default: recognized by the columns)",
    )
    parser.add_argument(
        "--atc-level", type=int, choices=(3, 4, 5), default=3, help="of the codes (default: %(default)s)"
    )
    parser.add_argument(
        "--judged",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE.csv",
        help=f"pairs judged by hand, to print the precision: columns {', '.join(COLUMNS)}",
    )
    parser.add_argument(
        "--ndc-map",
        type=Path,
        metavar="FILE.csv",
        help="columns ndc, atc3: compared with the names, which win",
    )
    parser.add_argument(
        "--sample", type=int, metavar="N", help="draw N distinct (drug, route) pairs into --out, to be judged"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="where the draw goes")


def outputs(arguments: argparse.Namespace) -> Outputs:
    if arguments.out:
        yield arguments.out, DRAW


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    if (arguments.sample is None) != (arguments.out is None):
        raise InputError("--sample N and --out FILE.csv go together: give both to draw pairs, or neither.")
    level = arguments.atc_level
    ndc_map = read_ndc_map(arguments.ndc_map, level, coarser=True) if arguments.ndc_map is not None else None
    judged = [(path, precision(read_judged(path), level)) for path in arguments.judged]
    orders = read_drug_orders(arguments.raw, source=arguments.source, atc_level=level, ndc_map=ndc_map)
    _print(orders, report)
    print_ndc(orders.ndc, report)
    for path, measured in judged:
        _print_precision(path, measured, report)
    result = {
        "atc_level": level,
        "orders": orders.count(),
        "unreadable_lines": orders.unreadable,
        "outcomes": [{"outcome": o, "strings": s, "orders": n} for o, s, n in orders.outcomes()],
        "drug_orders": orders.drug_orders,
        "mapping_rate": orders.rate,
        "unmapped": [{"drug": d, "route": r, "orders": n} for d, r, n in orders.unmapped()],
        "ndc": ndc_json(orders.ndc),
        "judged": [_precision_json(path, measured) for path, measured in judged],
    }
    if arguments.sample is not None:
        seed = DEFAULT_SEED if arguments.seed is None else arguments.seed
        pairs = orders.draw(arguments.sample, seed)
        write_draw(pairs, arguments.out)
        report.line(
            f"{len(pairs):,} pairs drawn with seed {seed} to {arguments.out}: fill in the column verdict."
        )
        result |= {"sample": str(arguments.out), "seed": seed}
    return result


def _print(orders: DrugOrders, report: Report) -> None:
    """The outcome of all orders, and every string without a code."""
    rows: list[tuple[str, int, int]] = orders.outcomes()
    if orders.unreadable:
        rows.append(("unreadable line", 0, orders.unreadable))
    rows.append(("all", len(orders.orders), orders.count() + orders.unreadable))
    report.table("Outcomes of the orders", ("outcome", "distinct strings", "orders"), rows)
    if unmapped := orders.unmapped():
        report.table("Drugs without an ATC code", ("drug", "route", "orders"), unmapped)
    report.line(
        f"{orders.count(MAPPED):,} of {orders.drug_orders:,} orders that name a drug ({percent(orders.rate)}) "
        f"have a code of ATC level {orders.atc_level}."
    )
    for note in orders.ndc.notes():
        report.line(note)


def _print_precision(path: Path, measured: Precision, report: Report) -> None:
    report.table(
        f"Precision on the pairs of {path.name}",
        ("pairs with a code", "without", "correct", "precision", "95 % interval (Wilson)"),
        [
            (
                measured.pairs,
                measured.unmapped,
                measured.correct,
                percent(measured.value),
                f"{percent(measured.low)} to {percent(measured.high)}",
            )
        ],
    )
    if measured.not_correct:
        report.table(
            "Not correct",
            ("drug", "route", "judged", "given now", "verdict", "remark"),
            [
                (pair.drug, pair.route, pair.expected, given, pair.verdict, pair.remark)
                for pair, given in measured.not_correct
            ],
        )


def _precision_json(path: Path, measured: Precision) -> dict[str, Any]:
    return {
        "file": path.name,
        "pairs": measured.pairs,
        "unmapped": measured.unmapped,
        "correct": measured.correct,
        "precision": measured.value,
        "low": measured.low,
        "high": measured.high,
        "not_correct": [{**asdict(pair), "given": given} for pair, given in measured.not_correct],
    }


def write_draw(pairs: list[tuple[str, str]], out: Path) -> None:
    """A file to be judged: each pair with the level-5 codes that the mapper gives, their titles, and no verdict."""
    with replacing_file(out, DRAW) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for drug, route in pairs:
            codes = [match.code for match in map_drug(drug, route, 5)]
            titles = "; ".join(atc_title(code) or code for code in codes)
            writer.writerow((drug, route, " ".join(codes), "" if codes else "unmapped", titles))
