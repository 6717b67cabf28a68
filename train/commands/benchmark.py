"""`benchmark`: throughput, latency and peak memory of the real code paths on this machine, as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from leader_core.errors import InputError
from leader_core.outputs import BENCHMARK
from train.benchmark.measure import isolated, machine, times_faster
from train.config import load_settings
from train.console import Report

SHAPES: Final = ("llama-7b", "llama-8b", "llama-1b", "tiny")
PARTS: Final = ("student", "teacher", "cohort", "search", "analysis")
DASHBOARD: Final = "dashboard"
"""Measured only where it is named: it needs a browser, and writes a large cohort first."""
MODEL_PARTS: Final = ("student", "teacher")
CASES: Final = {"student": 2_000, "teacher": 64, "analysis": 300_000}
ROOT: Final = Path(__file__).resolve().parents[2]

RESULT: Final = BENCHMARK


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "parts",
        nargs="*",
        type=_part,  # not `choices`: some versions of argparse look for the empty list among them
        metavar="student/teacher/cohort/search/analysis/dashboard",
        help="what to measure (default: all but dashboard)",
    )
    parser.add_argument(
        "--cohort",
        type=Path,
        metavar="FILE",
        default=ROOT / "build" / "demo" / "cohort.duckdb",
        help="a cohort database for student, teacher and search (default: the demo's)",
    )
    parser.add_argument(
        "--model", type=Path, metavar="DIR", help="the model to measure, where one part is named"
    )
    parser.add_argument(
        "--models",
        type=Path,
        metavar="DIR",
        default=ROOT / "assets" / "demo" / "models",
        help="a folder with teacher/ and student/ inside (default: the demo's)",
    )
    parser.add_argument(
        "--raw", type=Path, metavar="DIR", help="raw tables for cohort (default: a synthetic hospital)"
    )
    parser.add_argument(
        "--patients",
        type=int,
        metavar="N",
        help="of that hospital (default: 2000); with dashboard, of the repeated cohort (default: 300000)",
    )
    parser.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        default=ROOT / "build" / "benchmark",
        help="with dashboard: where the repeated cohort is stored (default: build/benchmark)",
    )
    parser.add_argument(
        "--interactions",
        type=int,
        default=200,
        metavar="N",
        help="with dashboard: how many in all (default: %(default)s)",
    )
    parser.add_argument(
        "--cases",
        type=int,
        metavar="N",
        help="to measure with (default: student 2000, teacher 64, analysis 300000)",
    )
    parser.add_argument(
        "--seconds", type=float, default=3.0, metavar="S", help="a measurement (default: %(default)s)"
    )
    parser.add_argument(
        "--shape",
        choices=SHAPES,
        help="with teacher: random weights of this size instead of a trained model; all but tiny need a GPU",
    )


def _part(name: str) -> str:
    if name not in (*PARTS, DASHBOARD):
        raise argparse.ArgumentTypeError(f"{name}: expected any of {', '.join((*PARTS, DASHBOARD))}")
    return name


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    parts = tuple(dict.fromkeys(arguments.parts)) or PARTS
    _check(arguments, parts)
    result: dict[str, Any] = {"machine": machine()}
    for part in parts:
        report.line(f"measuring {part}")
        result[part] = _measure(part, arguments, report)
    if not arguments.json:
        report.table("Benchmark", ["what", "value"], list(_flat(result)))
    return result


def _check(arguments: argparse.Namespace, parts: tuple[str, ...]) -> None:
    problems = []
    if arguments.model is not None and len([p for p in parts if p in MODEL_PARTS]) != 1:
        problems.append("--model names one model: name one of student and teacher with it, or give --models")
    if arguments.shape is not None and parts != ("teacher",):
        problems.append(f"--shape {arguments.shape} is a teacher's: name the part teacher alone with it")
    if arguments.patients is not None and arguments.patients < 20:
        problems.append(f"--patients {arguments.patients}: expected 20 or more")
    if arguments.cases is not None and arguments.cases < 1:
        problems.append(f"--cases {arguments.cases}: expected 1 or more")
    if arguments.interactions < 1:
        problems.append(f"--interactions {arguments.interactions}: expected 1 or more")
    if not 0 < arguments.seconds <= 600:
        problems.append(f"--seconds {arguments.seconds}: expected more than 0 and at most 600")
    if problems:
        raise InputError("; ".join(problems) + ".")


def _measure(part: str, arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    """One part, in a process of its own."""
    settings = load_settings(arguments.config, seed=arguments.seed)
    cases, seconds = arguments.cases or CASES.get(part), arguments.seconds
    if part == DASHBOARD:
        from train.benchmark import dashboard

        patients, work = arguments.patients or dashboard.PATIENTS, arguments.work
        common = (arguments.cohort, arguments.models, patients, work)
        return dashboard.run(*common, arguments.interactions, arguments.device, report)
    if part == "cohort":
        return isolated(
            "train.benchmark.engine", part, arguments.raw, arguments.patients or 2_000, settings.seed
        )
    if part == "search":
        return isolated("train.benchmark.engine", part, arguments.cohort, seconds)
    if part == "analysis":
        from train.benchmark import analysis

        return analysis.measure(arguments.cohort, cases or 0)
    if arguments.shape is not None:
        from train.benchmark import teacher_shape

        teacher_shape.check(arguments.shape, arguments.device)
        return isolated("train.benchmark.teacher_shape", arguments.shape, arguments.device, seconds)
    folder = arguments.model if arguments.model is not None else arguments.models / part
    if part == "teacher":
        return isolated("train.benchmark.teacher", arguments.cohort, folder, arguments.device, cases, seconds)
    work = (cases, seconds, settings.student_training)
    ours = isolated("train.benchmark.student", "ours", arguments.cohort, folder, arguments.device, *work)
    published = isolated("train.benchmark.student", "published", arguments.cohort, folder, "cpu", *work)
    return {"ours": ours, "published_padded_form": published, "times_faster": times_faster(ours, published)}


def _flat(result: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested results as rows: `student.ours.one_case.p50_ms`."""
    rows: list[tuple[str, Any]] = []
    for name, value in result.items():
        path = f"{prefix}{name}"
        rows += _flat(value, f"{path}.") if isinstance(value, Mapping) else [(path, _shown(value))]
    return rows


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
