"""`evaluate`: the paper's table for a model or a baseline on a split, with what it was trained and judged on."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from leader_core.errors import InputError
from leader_core.fsio import write_json
from train.baselines import BASELINES, fit_baseline
from train.figures import fingerprint_line, show_table, worth_quoting
from train.report import Report
from train.scoring import SPLITS, Labels, SplitModel, groups_of, open_model, score_split

SEED = 42


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cohort", type=Path, required=True, metavar="FILE", help="a cohort database")
    parser.add_argument("--model", type=Path, metavar="DIR", help="a teacher's or student's folder")
    parser.add_argument("--baseline", choices=BASELINES, help="a baseline instead of a model")
    parser.add_argument(
        "--fit-on", type=Path, metavar="FILE", help="cohort to fit the baseline on (default: --cohort)"
    )
    parser.add_argument(
        "--split", choices=SPLITS, default="test", help="which patients (default: %(default)s)"
    )
    parser.add_argument(
        "--targets", choices=("last", "all"), default="last", help="which visits (default: %(default)s)"
    )
    parser.add_argument("--threshold", type=float, help="another cut-off than the one kept with the model")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the result there as well")


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from leader_core.cohort import Cohort
    from leader_core.metrics import evaluate

    _check(arguments)
    cohort = Cohort.open(arguments.cohort)
    model: SplitModel
    if arguments.baseline:
        model = fit_baseline(
            arguments.baseline, Cohort.open(arguments.fit_on) if arguments.fit_on else cohort
        )
    else:
        model = open_model(arguments.model, arguments.device, cohort)
    columns = cohort.columns(arguments.split, arguments.targets)
    if not len(columns):
        raise InputError(
            f"{arguments.cohort} has no patients in split {arguments.split!r}. Name another --split."
        )
    threshold = model.threshold if arguments.threshold is None else arguments.threshold
    rule = model.threshold_rule if arguments.threshold is None else "given on the command line"
    labels = Labels.of(columns, model.medications)
    scores = labels.widen(score_split(model, cohort, columns))
    table = cohort.interactions.statistical_matrix(labels.codes)
    found = evaluate(
        scores,
        labels.wide_truth,
        threshold,
        table,
        groups_of(columns),
        known=labels.known,
        patients=columns.patient_ids,
        seed=SEED if arguments.seed is None else arguments.seed,
    )
    result = {
        "model": {
            "name": model.name,
            "folder": str(arguments.model) if arguments.model else None,
            "preset": model.manifest.preset if model.manifest else None,
            "digest": model.manifest.digest if model.manifest else None,
            "distilled_from": (model.manifest.teacher_digest or None) if model.manifest else None,
        },
        "cohort": dataclasses.asdict(cohort.fingerprint),
        "trained_on": dataclasses.asdict(model.trained_on),
        "split": arguments.split,
        "targets": arguments.targets,
        "threshold": threshold,
        "threshold_rule": rule,
        "interaction_density": cohort.interactions.density(labels.codes),
        "groups": {name: group.to_json() for name, group in found.items()},
        "unnamed": {
            "classes": list(labels.unnamed),
            "prescriptions": int(labels.missed.sum()),
            "share": float(labels.missed.sum() / max(1, labels.wide_truth.sum())),
        },
        "notes": worth_quoting(model.trained_on, len(columns)),
    }
    _show(result, report, cohort.fingerprint, model.trained_on)
    if arguments.out:
        write_json(arguments.out, result)
    return result


def _check(arguments: argparse.Namespace) -> None:
    if (arguments.model is None) == (arguments.baseline is None):
        raise InputError("Nothing to evaluate, or too much: give either --model DIR or --baseline NAME.")
    if arguments.fit_on and not arguments.baseline:
        raise InputError("--fit-on says what a baseline is fitted on: give it with --baseline.")
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
    report.line(f"Threshold {result['threshold']:.3f}, {result['threshold_rule']}")
    report.line(f"Interaction table density among these classes: {result['interaction_density']:.4f}")
    unnamed = result["unnamed"]
    if unnamed["classes"]:
        report.line(
            f"{unnamed['prescriptions']:,} prescriptions ({unnamed['share']:.1%}) are of "
            f"{len(unnamed['classes'])} classes that the model cannot name and count as missed: "
            f"{', '.join(unnamed['classes'])}"
        )
    for note in result["notes"]:
        report.line(note)
