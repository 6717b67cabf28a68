"""`scores`: what both models say of every case, stored beside the cohort for the worklist and the error analysis."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from leader_core.engine import MODEL_NAMES
from leader_core.errors import NotFoundError
from leader_core.scores import CaseBlock, ScoreWriter, scores_path
from train.report import Report
from train.scoring import FolderModel, open_model, prescriptions

if TYPE_CHECKING:
    from leader_core.cohort import Cohort
    from leader_core.cohort.columns import CohortColumns

SPEAK_EVERY: Final = 15.0
"""Seconds between lines of progress."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cohort", type=Path, required=True, metavar="FILE", help="a cohort database")
    parser.add_argument(
        "--models", type=Path, required=True, metavar="DIR", help="folder with teacher/ and student/ inside"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="default: beside the cohort, where the dashboard looks for it",
    )
    parser.add_argument(
        "--targets",
        choices=("last", "all"),
        default="last",
        help="each patient's last visit, or every visit with its past (default: %(default)s)",
    )
    parser.add_argument("--only", choices=MODEL_NAMES, help="one model only; the other's columns stay empty")


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from leader_core.cohort import Cohort

    began = time.perf_counter()
    cohort = Cohort.open(arguments.cohort)
    models = _models(arguments, cohort)
    columns = cohort.columns("all", arguments.targets)
    codes = _codes(columns, models)
    out = arguments.out or scores_path(arguments.cohort)
    cohort_digest = cohort.fingerprint.digest
    done: dict[str, int] = {}
    with ScoreWriter.writing(out, cohort_digest, arguments.targets, codes, cohort.interactions) as writer:
        for model in models:
            known = np.array([code in model.medications for code in codes])
            blocks = _blocks(model, cohort, columns, codes)
            digest = model.manifest.digest if model.manifest is not None else ""
            told = _told(blocks, len(columns), model.name, report)
            done[model.name] = writer.add(model.name, digest, model.threshold, known, told)
    seconds = time.perf_counter() - began
    for name, count in done.items():
        report.line(f"{name}: {count:,} cases")
    report.line(f"Written to {out} in {seconds:.1f} s.")
    return {"file": str(out), "targets": arguments.targets, "cases": done, "seconds": round(seconds, 3)}


def _models(arguments: argparse.Namespace, cohort: Cohort) -> list[FolderModel]:
    wanted = [arguments.only] if arguments.only else list(MODEL_NAMES)
    there = [name for name in wanted if (arguments.models / name).is_dir()]
    if not there:
        raise NotFoundError(
            f"No model in {arguments.models}: expected a folder {' or '.join(wanted)} inside. Name another with --models."
        )
    return [open_model(arguments.models / name, arguments.device, cohort) for name in there]


def _codes(columns: CohortColumns, models: Sequence[FolderModel]) -> tuple[str, ...]:
    """Every class that a model can name or that was prescribed, sorted."""
    prescribed = columns.codes["medication"].table
    return tuple(sorted({*prescribed, *(code for model in models for code in model.medications.codes)}))


def _blocks(
    model: FolderModel, cohort: Cohort, columns: CohortColumns, codes: Sequence[str]
) -> Iterator[CaseBlock]:
    """The cases block by block, over all classes."""
    place = {code: i for i, code in enumerate(codes)}
    own = np.array([place[code] for code in model.medications.codes])
    truncated = model.truncated(columns)
    for rows, scores in model.blocks(cohort, columns):
        wide = np.zeros((len(rows), len(codes)), np.float32)
        wide[:, own] = scores
        yield CaseBlock(
            visit_ids=columns.visit_ids[rows],
            patient_ids=columns.patient_ids[rows],
            scores=wide,
            truth=prescriptions(columns, columns.current[rows], codes),
            truncated=truncated[rows],
        )


def _told(blocks: Iterator[CaseBlock], total: int, model: str, report: Report) -> Iterator[CaseBlock]:
    """The blocks, with a line now and then of how far they are."""
    done, spoken = 0, time.monotonic()
    for block in blocks:
        yield block
        done += len(block.visit_ids)
        if time.monotonic() - spoken > SPEAK_EVERY:
            spoken = time.monotonic()
            report.line(f"{model}: {done:,} of {total:,} cases")
