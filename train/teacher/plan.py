"""A training looked at before it is started: base, prompts, steps, and what they are expected to take.

Nothing is trained or written. Refuses to know the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from leader_core.device import resolve_device
from leader_core.errors import InputError
from leader_core.teacher.base import find_base, read_config
from leader_core.teacher.config import TeacherConfig
from leader_core.teacher.model import quantised, resolve_precision
from leader_core.teacher.scorer import TeacherReader, fit_to_base
from train.console import Report
from train.teacher.data import prepare, vocabularies_of
from train.teacher.estimate import STATES_SHARE, TRAINING_SHARE, Estimate, estimate, matrix_rate, shape_of
from train.teacher.settings import TeacherTraining

if TYPE_CHECKING:
    from leader_core.cohort import Cohort


def plan_teacher(
    cohort: Cohort,
    config: TeacherConfig,
    training: TeacherTraining,
    *,
    device: str,
    rate: float | None,
    report: Report,
    allow_download: bool = False,
) -> dict[str, Any]:
    """Print and return what `train_teacher` would do with the same arguments.

    Args:
        rate: matrix rate in TFLOP/s of the card to plan for, in bf16 where teacher.precision is "auto"; None measures
            this machine.

    Raises:
        LeaderError: whatever would stop the training before its first step.
    """
    target = resolve_device(device)
    if rate is None:
        quantised(config.quantisation, target)  # says so where it cannot be done
        precision = resolve_precision(config.precision, target)
        speed, source = matrix_rate(target, precision), f"measured on this machine's {target.type}"
    else:
        if rate <= 0:
            raise InputError(f"--rate {rate:g}: expected the card's TFLOP/s, more than 0.")
        precision = "fp32" if config.precision == "fp32" else "bf16"
        speed, source = rate * 1e12, "as given by --rate"
    files = find_base(config.base, allow_download=allow_download)
    config = fit_to_base(config, files)
    vocabularies = vocabularies_of(cohort)
    reader = TeacherReader(files, config, cohort.title)
    train = prepare(cohort, "train", training.targets, reader, vocabularies.medication)
    validation = prepare(cohort, "validation", "last", reader, vocabularies.medication)
    shape = shape_of(read_config(files.folder), files.architecture, config, len(vocabularies.medication))
    lengths = train.encoded.lengths
    expected = estimate(shape, config, training, precision, speed, lengths, validation.encoded.lengths)
    tokens = {
        "mean": float(lengths.mean()),
        **{f"p{q}": int(np.percentile(lengths, q)) for q in (5, 50, 95)},
        "longest": int(lengths.max()),
        "limit": config.max_tokens,
        "truncated_share": float(train.encoded.truncated.mean()),
    }
    result = {
        "base": {
            "id": files.id,
            "architecture": files.architecture,
            "sha256": files.sha256,
            "parameters": shape.parameters,
            "layers": shape.layers,
            "hidden": shape.hidden,
        },
        "training_cases": len(train),
        "validation_cases": len(validation),
        "medications": len(vocabularies.medication),
        "trained_weights": shape.trained,
        "tokens": tokens,
        "steps": expected.steps,
        "epochs": expected.steps * training.batch_size / len(train),
        "precision": precision,
        "quantisation": config.quantisation,
        "matrix_rate_tflops": speed / 1e12,
        "estimate": _figures(expected),
    }
    _show(report, result, training, source)
    return result


def _figures(expected: Estimate) -> dict[str, float]:
    return {
        "memory_gib": expected.memory_gib,
        "weights_gib": expected.weights_gib,
        "trained_gib": expected.trained_gib,
        "activations_gib": expected.activations_gib,
        "tokens": expected.tokens,
        "flops": expected.flops,
        "training_hours": expected.training_hours,
        "evaluation_hours": expected.evaluation_hours,
        "states_hours": expected.states_hours,
    }


def _show(report: Report, plan: dict[str, Any], training: TeacherTraining, source: str) -> None:
    base, tokens, expected = plan["base"], plan["tokens"], plan["estimate"]
    rows = [
        ("base", f"{base['id']} ({base['architecture']}, {base['parameters'] / 1e6:,.1f} M weights)"),
        ("precision", f"{plan['precision']}, quantisation {plan['quantisation']}"),
        ("trained weights", f"{plan['trained_weights']:,}"),
        ("cases", f"{plan['training_cases']:,} for training, {plan['validation_cases']:,} for validation"),
        ("medication classes", f"{plan['medications']:,}"),
        (
            "tokens a prompt",
            f"mean {tokens['mean']:.0f}, median {tokens['p50']}, 95th percentile {tokens['p95']}",
        ),
        ("longest, limit", f"{tokens['longest']}, {tokens['limit']}"),
        ("cut to fit", f"{tokens['truncated_share']:.1%} of the prompts"),
        ("steps", f"{plan['steps']:,} of {training.batch_size} cases, {plan['epochs']:.1f} epochs"),
        ("matrix rate", f"{plan['matrix_rate_tflops']:.3g} TFLOP/s, {source}"),
        ("memory, estimated", f"{expected['memory_gib']:.1f} GiB"),
        ("training, estimated", _duration(expected["training_hours"] + expected["evaluation_hours"])),
        ("states, estimated", _duration(expected["states_hours"])),
    ]
    report.table("Plan: nothing was trained", ("what", "value"), rows)
    report.line(
        f"Estimates from shapes, on one device: {TRAINING_SHARE:.0%} of the matrix rate in training, "
        f"{STATES_SHARE:.0%} in states; {expected['flops']:.3g} FLOPs over {expected['tokens'] / 1e6:.1f} M real tokens."
    )


def _duration(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.1f} min"
