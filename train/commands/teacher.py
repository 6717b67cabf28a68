"""`teacher`: train the teacher, or with `--dry-run` say what that takes."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from leader_core.errors import InputError
from leader_core.outputs import CHECKPOINT, MODELS, Outputs
from train.console import Report, Silent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cohort", type=Path, required=True, metavar="FILE", help="a cohort database")
    parser.add_argument(
        "--base", metavar="DIR_OR_HUB_ID", help="the language model: 'minilm' (default), a folder, a hub id"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the model folder to write")
    parser.add_argument(
        "--resume", action="store_true", help="continue a run that was stopped, to the same result"
    )
    parser.add_argument(
        "--allow-download", action="store_true", help="fetch a hub id that is not in the local cache"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="train nothing: print base, prompts, steps, and estimated memory and time",
    )
    parser.add_argument(
        "--rate",
        type=float,
        metavar="TFLOPS",
        help="with --dry-run: the bf16 matrix rate of the card to plan for (default: this machine's, measured)",
    )


def outputs(arguments: argparse.Namespace) -> Outputs:
    if not arguments.dry_run:
        yield arguments.out, MODELS["teacher"]
        yield arguments.out.with_name(f"{arguments.out.name}.training.safetensors"), CHECKPOINT


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    # Training meets more shapes than oneDNN keeps kernels for; making them again costs as much as the work itself.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "20000")
    from leader_core.cohort import Cohort
    from train.config import load_settings
    from train.distributed import join_processes
    from train.teacher.plan import plan_teacher
    from train.teacher.run import train_teacher

    if arguments.rate is not None and not arguments.dry_run:
        raise InputError("--rate plans for another card: give --dry-run with it.")
    processes = join_processes(arguments.device)
    if not processes.main:
        report = Silent()
    settings = load_settings(arguments.config, seed=arguments.seed)
    config = replace(settings.teacher, base=arguments.base) if arguments.base else settings.teacher
    if arguments.dry_run:
        return plan_teacher(
            Cohort.open(arguments.cohort),
            config,
            settings.teacher_training,
            device=arguments.device,
            rate=arguments.rate,
            report=report,
            allow_download=arguments.allow_download,
        )
    result = train_teacher(
        Cohort.open(arguments.cohort),
        arguments.out,
        config,
        settings.teacher_training,
        preset=settings.preset,
        seed=settings.seed,
        device=arguments.device,
        report=report,
        resume=arguments.resume,
        allow_download=arguments.allow_download,
        processes=processes,
    )
    report.table(
        f"Teacher in {arguments.out}, on validation (threshold {result['threshold']:.3f})",
        ("metric", "value"),
        list(result["validation"].items()),
    )
    return result
