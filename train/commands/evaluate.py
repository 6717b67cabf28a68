"""`evaluate`: the paper's table for a model or for scores in a file, with what it was trained and evaluated on."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from leader_core.errors import InputError
from leader_core.outputs import EVALUATION
from leader_core.scorer import Scorer
from train.config import DEFAULT_SEED
from train.console import Report
from train.evaluation.inputs import SPLITS, open_model
from train.evaluation.metrics_text import (
    fingerprint_line,
    show_differences,
    show_reliability,
    show_sections,
    show_table,
    worth_quoting,
)

if TYPE_CHECKING:
    from leader_core.cohort import Cohort

RESULT: Final = EVALUATION


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cohort", type=Path, required=True, metavar="FILE", help="a cohort database")
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        metavar="DIR|FILE.parquet",
        help="a teacher's or student's folder, or scores of `predict` or `baseline`",
    )
    parser.add_argument(
        "--trained-on",
        type=Path,
        metavar="FILE",
        help="the model's own cohort, whose training codes `--by codes` counts (default: --cohort)",
    )
    parser.add_argument(
        "--split", choices=SPLITS, default="test", help="which patients (default: %(default)s)"
    )
    parser.add_argument(
        "--targets", choices=("last", "all"), default="last", help="which visits (default: %(default)s)"
    )
    parser.add_argument("--threshold", type=float, help="another cut-off than the one stored with the model")
    parser.add_argument(
        "--by",
        type=lambda text: [word.strip() for word in text.split(",") if word.strip()],
        default=[],
        metavar="COLUMNS",
        help="more groups, comma-separated: profile fields, chapter, visits, truncated, codes",
    )
    parser.add_argument(
        "--sections",
        type=int,
        metavar="N",
        help="evaluate on N later visits of the split, and again with parts of the case left out or exchanged: what its "
        "history and profile are worth to the model",
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="DIR|FILE.parquet",
        help="another model or its scores: differences on the same cases, with a paired test",
    )


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from leader_core.cohort import Cohort
    from leader_core.evaluation.comparison import METHOD
    from train.evaluation.ablation import later_visits, sections
    from train.evaluation.evaluate import ModelEvaluation, differences_of, groups_by

    _check(arguments)
    cohort = Cohort.open(arguments.cohort)
    own = Cohort.open(arguments.trained_on) if arguments.trained_on else cohort
    model = _open(arguments.model, arguments.device, cohort)
    seed = DEFAULT_SEED if arguments.seed is None else arguments.seed
    columns = (
        cohort.columns(arguments.split, arguments.targets)
        if arguments.sections is None
        else later_visits(cohort, arguments.split, arguments.sections, seed)
    )
    if not len(columns):
        raise InputError(
            f"{arguments.cohort} has no patients in split {arguments.split!r}. Name another --split."
        )
    trained_on = own if own.fingerprint.digest == model.trained_on.digest else None
    groups = groups_by(arguments.by, columns, model, trained_on)
    evaluation = ModelEvaluation.of(model, cohort, columns, threshold=arguments.threshold)
    result = {
        "model": {
            "name": model.name,
            "folder": str(arguments.model),
            "preset": model.manifest.preset if model.manifest else None,
            "digest": model.manifest.digest if model.manifest else None,
            "distilled_from": (model.manifest.teacher_digest or None) if model.manifest else None,
        },
        "cohort": dataclasses.asdict(cohort.fingerprint),
        "trained_on": dataclasses.asdict(model.trained_on),
        "split": arguments.split,
        "targets": arguments.targets if arguments.sections is None else "later",
        "threshold": evaluation.threshold,
        "threshold_rule": evaluation.threshold_rule,
        "interaction_density": evaluation.density,
        "groups": evaluation.groups(groups, seed=seed),
        "unnamed": evaluation.unnamed(),
        "reliability": evaluation.reliability(),
        "conformal": evaluation.conformal(),
        "sections": None if arguments.sections is None else sections(model, cohort, columns, seed=seed),
        "against": None,
        "notes": worth_quoting(model.trained_on, len(columns)),
    }
    if arguments.against:
        other = ModelEvaluation.of(_open(arguments.against, arguments.device, cohort), cohort, columns)
        result["against"] = {
            "name": other.model.name,
            "threshold": other.threshold,
            "method": METHOD,
            "groups": differences_of(evaluation.cases, other.cases, columns.patient_ids, groups, seed),
        }
    _show(result, report, cohort.fingerprint, model.trained_on)
    return result


def _open(path: Path, device: str, cohort: Cohort) -> Scorer:
    """A model folder, or a file of scores."""
    if path.suffix == ".parquet":
        from train.evaluation.predictions import StoredScores

        return StoredScores(path, cohort)
    return open_model(path, device, cohort)


def _check(arguments: argparse.Namespace) -> None:
    if arguments.sections is not None and arguments.sections < 1:
        raise InputError(f"--sections {arguments.sections}: expected 1 or more.")
    if arguments.threshold is not None and not 0 <= arguments.threshold <= 1:
        raise InputError(f"--threshold {arguments.threshold}: expected 0 to 1.")


def _show(result: dict[str, Any], report: Report, judged_on: Any, trained_on: Any) -> None:
    title = f"{result['model']['name']}, {result['split']} split, {result['targets']} visits"
    show_table(report, title, result["groups"])
    report.line(fingerprint_line("Judged on", judged_on))
    report.line(
        "Trained on the same cohort"
        if judged_on == trained_on
        else fingerprint_line("Trained on", trained_on)
    )
    if result["sections"]:
        show_sections(report, result["sections"])
    if result["against"]:
        show_differences(report, result["against"])
    show_reliability(report, result["reliability"], result["conformal"])
    report.line(f"Threshold {result['threshold']:.3f}, {result['threshold_rule']}")
    density, level = result["interaction_density"], judged_on.atc_level
    report.line(
        f"Interaction table density among these classes: {density:.4f}"
        if density is not None
        else f"No table of statistical interactions at ATC level {level}: DDI rates cannot be computed. Build the cohort "
        "with --ddi to have them."
    )
    unnamed = result["unnamed"]
    if unnamed["classes"]:
        report.line(
            f"{unnamed['prescriptions']:,} prescriptions ({unnamed['share']:.1%}) are of "
            f"{len(unnamed['classes'])} classes that the model cannot name and count as missed: "
            f"{', '.join(unnamed['classes'])}"
        )
    for note in result["notes"]:
        report.line(note)
