"""`cohort`: raw MIMIC tables to a cohort database, with its accounting, attrition and fingerprint on the way out."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from leader_core.cohort.build import DEFAULT_MEMORY, PRESETS, BuildResult, build_cohort
from leader_core.cohort.damage import MAX_REJECTS
from leader_core.cohort.sources import SOURCES
from leader_core.cohort.stages import SPLIT_RULES
from leader_core.outputs import COHORT, Outputs
from train.config import DEFAULT_SEED
from train.console import Report
from train.evaluation.mapping_quality import ndc_json, percent, print_ndc

_LISTED: Final = 40  # unmapped strings printed; all of them are in the database
_FILTERS: Final = ("filter", "patients_before", "patients_after", "visits_before", "visits_after")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--raw",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of raw tables (.csv, .csv.gz, .parquet and others)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.duckdb", help="the database to write"
    )
    parser.add_argument(
        "--source",
        choices=(*SOURCES, "auto"),
        default="auto",
        help="layout (default: recognized by the columns)",
    )
    parser.add_argument(
        "--preset", choices=PRESETS, default="clinical", help="filters and mapping (default: %(default)s)"
    )
    parser.add_argument(
        "--atc-level", type=int, choices=(3, 4, 5), default=3, help="of the classes (default: %(default)s)"
    )
    parser.add_argument(
        "--ndc-map",
        type=Path,
        metavar="FILE.csv",
        help="NDCs and ATC codes, as papers publish them: --preset paper maps by it; "
        "clinical compares it with the drugs' names, which win",
    )
    parser.add_argument(
        "--ddi",
        type=Path,
        metavar="FILE.csv",
        help="statistical pairs instead of ours: columns code_a, code_b, or the published drug-DDI.csv",
    )
    parser.add_argument(
        "--ddi-map",
        type=Path,
        metavar="FILE.csv",
        help="for drug-DDI.csv: lines of STITCH compound, ATC codes "
        "(default: drug-atc.csv or stitch_cid_atc.csv in the same folder)",
    )
    parser.add_argument(
        "--split",
        choices=SPLIT_RULES,
        default="hash",
        help="8:1:1 by a hash of the patient's id, or as published: in order of the ids (default: %(default)s)",
    )
    parser.add_argument(
        "--sample",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="a random share of the patients that pass the filters, drawn with --seed (MIMIC-IV as published: 0.15)",
    )
    parser.add_argument("--label", help="what the data are called on reports (default: by the source)")
    parser.add_argument(
        "--memory-limit",
        default=DEFAULT_MEMORY,
        metavar="SIZE",
        help="for DuckDB, which spills to disk beyond (default: %(default)s)",
    )
    parser.add_argument(
        "--max-rejects",
        type=float,
        default=MAX_REJECTS,
        metavar="SHARE",
        help="share of a table's rows that may be unreadable before the build stops (default: %(default)s)",
    )


def outputs(arguments: argparse.Namespace) -> Outputs:
    yield arguments.out, COHORT


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    result = build_cohort(
        arguments.raw,
        arguments.out,
        source=arguments.source,
        preset=arguments.preset,
        atc_level=arguments.atc_level,
        seed=DEFAULT_SEED if arguments.seed is None else arguments.seed,
        ndc_map=arguments.ndc_map,
        ddi=arguments.ddi,
        ddi_map=arguments.ddi_map,
        label=arguments.label,
        memory_limit=arguments.memory_limit,
        max_rejects=arguments.max_rejects,
        split=arguments.split,
        sample=arguments.sample,
        report=report,
    )
    print_result(result, report)
    return {
        "cohort": str(result.path),
        "fingerprint": asdict(result.fingerprint),
        "accounting": [{"source_table": t, "reason": r, "rows": n} for t, r, n in result.accounting],
        "attrition": [dict(zip(("step", *_FILTERS), row, strict=True)) for row in result.attrition],
        "rows_read": dict(result.rows_read),
        "mapping_rate": result.mapping_rate,
        "unmapped": [{"drug": drug, "route": route, "orders": n} for drug, route, n in result.unmapped],
        "ndc": ndc_json(result.ndc),
        "notes": list(result.notes),
        "untitled": dict(result.untitled),
        "rejects": result.rejects,
        "seconds": round(result.seconds, 3),
    }


def print_result(result: BuildResult, report: Report) -> None:
    """Accounting, attrition and fingerprint, as tables."""
    report.table("Accounting of all rows", ("table", "reason", "rows"), result.accounting)
    report.table(
        "Filters",
        [name.replace("_", " ") for name in _FILTERS],
        [row[1:] for row in result.attrition],
    )
    report.table(
        "Cohort",
        ("", "value"),
        [(key.replace("_", " "), value) for key, value in asdict(result.fingerprint).items()],
    )
    for kind, count in result.untitled.items():
        report.line(f"{count:,} {kind} code(s) have no title anywhere and are shown as codes.")
    if result.rejects:
        report.line(f"{result.rejects:,} cells or lines could not be read: see the table 'rejects'.")
    for note in result.notes:
        report.line(note)
    print_ndc(result.ndc, report)
    known = result.mapped_orders + result.unmapped_orders
    if result.unmapped:
        report.table("Drugs without an ATC code", ("drug", "route", "orders"), result.unmapped[:_LISTED])
    if (more := len(result.unmapped) - _LISTED) > 0:
        report.line(f"... and {more:,} more strings: see the table 'unmapped'.")
    report.line(
        f"{result.mapped_orders:,} of {known:,} orders that name a drug ({percent(result.mapping_rate)}) "
        "have an ATC code."
    )
    report.line(f"Written to {result.path} in {result.seconds:.1f} s.")
