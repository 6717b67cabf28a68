"""`calibrate`: give a trained model calibrated probabilities and conformal sets, without training it again."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from leader_core.errors import InputError
from leader_core.outputs import MODELS, Outputs
from train.console import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", type=Path, required=True, metavar="DIR", help="a teacher's or student's folder"
    )
    parser.add_argument(
        "--cohort", type=Path, required=True, metavar="FILE", help="the cohort it was trained on"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write a calibrated copy there and leave the model as it is"
    )
    parser.add_argument(
        "--elsewhere",
        type=Path,
        metavar="FILE",
        help="another hospital's cohort: choose on its patients, the test split aside, how much of a student's linear path "
        "counts there; otherwise it is off",
    )


def outputs(arguments: argparse.Namespace) -> Outputs:
    from leader_core.model_folder import read_manifest

    if arguments.out:
        yield arguments.out, MODELS[read_manifest(arguments.model).kind]


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from leader_core.cohort import Cohort
    from leader_core.model_folder import copy_model, read_manifest, rewrite_manifest
    from train.evaluation.calibrated_manifest import calibrated, with_linear_factor
    from train.evaluation.inputs import open_model

    cohort = Cohort.open(arguments.cohort)
    manifest = read_manifest(arguments.model)
    if manifest.cohort.digest != cohort.fingerprint.digest:
        raise InputError(
            f"The model in {arguments.model} was trained on another cohort ({manifest.cohort.label}, "
            f"{manifest.cohort.digest[:12]}) than {arguments.cohort} ({cohort.fingerprint.digest[:12]}): calibration "
            "needs that one's validation patients. Name it with --cohort."
        )
    model = open_model(arguments.model, arguments.device, cohort)
    new, evidence = calibrated(model, cohort)
    if arguments.elsewhere:
        other = Cohort.open(arguments.elsewhere)
        new = with_linear_factor(model, new, other)
        factor = new.linear_factor(other.fingerprint)
        report.line(f"on {other.fingerprint.label}, {factor:.0%} of the linear path count")
    shares = cohort.drug_shares()
    folder = arguments.out or arguments.model
    if arguments.out:
        copy_model(arguments.model, folder, lambda copy: rewrite_manifest(copy, new, evidence, shares))
    else:
        rewrite_manifest(folder, new, evidence, shares)
    fitted = new.calibration
    assert fitted is not None  # noqa: S101 (for the type checker)
    report.line(
        f"{folder}: temperature {fitted.temperature:.3f}, bias {fitted.bias:+.3f}, expected calibration error on validation "
        f"{fitted.ece_before:.4f} before and {fitted.ece_after:.4f} after; threshold {new.threshold:.3f}"
    )
    return {"model": str(folder), "threshold": new.threshold, "calibration": dataclasses.asdict(fitted)}
