"""The dry run of a teacher's training: base, prompts, steps, and an estimate of the tokens, memory and time it takes.

Nothing is trained or written. Costs are estimated from the network's shape, with every assumption a constant below: a
plan for choosing a card, no measurement.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import torch
from torch import nn

from leader_core.errors import InputError
from leader_core.scorer import resolve_device
from leader_core.teacher.base import (
    UNREADABLE,
    Architecture,
    BaseFiles,
    find_base,
    not_loaded,
    read_config,
    text_config,
)
from leader_core.teacher.config import Quantisation, TeacherConfig
from leader_core.teacher.model import (
    adapt,
    check_precision,
    quantised,
    resolve_attention,
    resolve_precision,
)
from leader_core.teacher.scorer import TeacherReader, fit_to_base
from leader_core.vocabulary import Vocabularies
from train.config import TeacherTraining
from train.console import Report
from train.teacher.data import prepare
from train.teacher.run import save_activations

if TYPE_CHECKING:
    from leader_core.cohort import Cohort


TRAINING_SHARE: Final = 0.45
"""Of the device's matrix rate, reached in training."""
STATES_SHARE: Final = 0.55
"""Of the device's matrix rate, reached in passes without gradients."""
TRAINED_BYTES: Final = 16
"""Of a trained weight: itself, its gradient and two moments, all fp32."""
LAYER_BYTES: Final = (21.0, 8.2)
"""Stored by a layer for the backward pass, bytes per token in bf16: by hidden and by feed-forward width. Counted on Llama."""
DROPOUT_BYTES: Final = 3.0
"""And of LoRA's dropout, per token and input of an adapted layer: a dropped copy and its mask."""
_QUANTISED_BYTES: Final[dict[Quantisation, float]] = {"8bit": 1.06, "4bit": 0.56}
GIB: Final = 1024**3


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a teacher decides its cost."""

    layers: int
    hidden: int
    intermediate: int
    parameters: int  # frozen
    matrix: int  # of these, in matrix products with every token
    trained: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run is expected to take."""

    steps: int
    tokens: float  # real tokens of the whole training
    flops: float  # of the whole training
    weights_gib: float
    trained_gib: float
    activations_gib: float
    training_hours: float
    evaluation_hours: float
    states_hours: float  # every training and validation case once

    @property
    def memory_gib(self) -> float:
        """All of it, with a tenth for what the allocator wastes."""
        return 1.1 * (self.weights_gib + self.trained_gib + self.activations_gib)


def skeleton(
    files: BaseFiles,
    config: TeacherConfig,
    medications: int,
    precision: Literal["fp32", "bf16"],
    device: torch.device,
    *,
    checkpointing: bool,
) -> Shape:
    """The shape of the teacher that would be trained, built without weights: whatever of it does not fit is said here.

    Raises:
        LeaderError: a precision, attention, adapter or checkpointing that the base cannot do.
    """
    check_precision(files, precision)
    attention = resolve_attention(config.attention, precision, device)
    try:
        return shape_of(
            read_config(files.folder),
            files.architecture,
            config,
            medications,
            attention=attention,
            checkpointing=checkpointing,
        )
    except UNREADABLE as error:
        raise not_loaded(files.folder, error, attention) from error


def shape_of(
    config: Any,
    architecture: Architecture,
    teacher: TeacherConfig,
    medications: int,
    *,
    attention: Literal["sdpa", "eager"] | None = None,
    checkpointing: bool = False,
) -> Shape:
    """The shape of a teacher over a base with this configuration; no weights are allocated."""
    from transformers import AutoModel

    config = text_config(config)
    with torch.device("meta"):
        body = AutoModel.from_config(config, attn_implementation=attention)
        matrix = sum(m.weight.numel() for m in body.modules() if _is_matrix(m))
        parameters = sum(p.numel() for p in body.parameters())
        model = adapt(body, architecture, teacher, medications, "fp32", name=teacher.base)
        if checkpointing:
            save_activations(model)
    hidden = int(config.hidden_size)
    return Shape(
        layers=int(config.num_hidden_layers),
        hidden=hidden,
        intermediate=int(getattr(config, "intermediate_size", 0) or 4 * hidden),
        parameters=parameters,
        matrix=matrix,
        trained=sum(p.numel() for p in model.trained().values()),
    )


def _is_matrix(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"


def token_flops(shape: Shape, length: float) -> float:
    """Of one token's forward pass in a prompt of `length`: two a matrix weight, and attention over half the prompt."""
    return 2.0 * shape.matrix + 2.0 * shape.layers * shape.hidden * length


def pass_bytes(
    shape: Shape, tokens: float, precision: Literal["fp32", "bf16"], dropout: float, checkpointing: bool
) -> float:
    """Activations stored for the backward pass by a pass of so many tokens."""
    by_hidden, by_intermediate = LAYER_BYTES
    layer = by_hidden * shape.hidden + by_intermediate * shape.intermediate
    if dropout:
        layer += DROPOUT_BYTES * (6 * shape.hidden + shape.intermediate)
    stored = layer + 2.0 * shape.layers * shape.hidden if checkpointing else shape.layers * layer
    return tokens * stored * (2.0 if precision == "fp32" else 1.0)


def estimate(
    shape: Shape,
    teacher: TeacherConfig,
    training: TeacherTraining,
    precision: Literal["fp32", "bf16"],
    rate: float,
    lengths: np.ndarray,
    validation: np.ndarray,
) -> Estimate:
    """Tokens, memory and time of a training.

    Args:
        rate: of the device's matrix products, FLOP/s.
        lengths: tokens of each training prompt.
        validation: tokens of each validation prompt.
    """
    steps = training.total_steps(len(lengths))
    cases = steps * training.batch_size
    passes = (
        3 if training.gradient_checkpointing else 2
    )  # forward, (again,) back; frozen weights need no gradient
    per_case = float(np.mean([token_flops(shape, n) * n for n in _quantiles(lengths)]))
    flops = passes * cases * per_case
    evaluated = validation[: training.validation_cases or len(validation)]
    evaluations = steps // training.steps_between_evaluations(len(lengths)) + 1
    evaluation_flops = (
        evaluations
        * len(evaluated)
        * float(np.mean([token_flops(shape, n) * n for n in _quantiles(evaluated)]))
    )
    size = 4.0 if precision == "fp32" else 2.0
    held = _QUANTISED_BYTES.get(
        teacher.quantisation, size
    )  # of the matrices; embeddings and norms stay as they are
    tokens = max(float(lengths.max()), min(training.pass_tokens, training.batch_size * float(lengths.mean())))
    activations = pass_bytes(shape, tokens, precision, teacher.lora_dropout, training.gradient_checkpointing)
    return Estimate(
        steps=steps,
        tokens=cases * float(lengths.mean()),
        flops=flops,
        weights_gib=(shape.matrix * held + (shape.parameters - shape.matrix) * size) / GIB,
        trained_gib=shape.trained * TRAINED_BYTES / GIB,
        activations_gib=activations / GIB,
        training_hours=flops / (TRAINING_SHARE * rate) / 3600,
        evaluation_hours=evaluation_flops / (STATES_SHARE * rate) / 3600,
        states_hours=(len(lengths) + len(validation)) * per_case / (STATES_SHARE * rate) / 3600,
    )


def _quantiles(lengths: np.ndarray) -> np.ndarray:
    return np.quantile(lengths, np.linspace(0.005, 0.995, 100))


def matrix_rate(device: torch.device, precision: Literal["fp32", "bf16"], seconds: float = 0.5) -> float:
    """FLOP/s of large square matrix products on this device: the best of those that fit in `seconds`."""
    width = 8192 if device.type == "cuda" else 1024
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right = (torch.randn(width, width, device=device).to(dtype) for _ in range(2))
    repeats = 10 if device.type == "cuda" else 1
    best, end = float("inf"), time.perf_counter() + seconds
    for _ in range(1000):
        start = time.perf_counter()
        for _ in range(repeats):
            left @ right
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, (time.perf_counter() - start) / repeats)
        if time.perf_counter() > end:
            break
    return 2.0 * width**3 / best


def _speed(
    config: TeacherConfig, target: torch.device, rate: float | None
) -> tuple[Literal["fp32", "bf16"], float, str]:
    """Precision, FLOP/s, and where the rate comes from."""
    if rate is None:
        quantised(config.quantisation, target)  # says so where it cannot be done
        precision = resolve_precision(config.precision, target)
        return precision, matrix_rate(target, precision), f"measured on this machine's {target.type}"
    if rate <= 0:
        raise InputError(f"--rate {rate:g}: expected the card's TFLOP/s, more than 0.")
    return "fp32" if config.precision == "fp32" else "bf16", rate * 1e12, "as given by --rate"


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
    precision, speed, source = _speed(config, target, rate)
    files = find_base(config.base, allow_download=allow_download)
    config = fit_to_base(config, files)
    vocabularies = Vocabularies.of_training(cohort, equivalence=config.equivalence)
    reader = TeacherReader(files, config, cohort.title, vocabularies.diagnosis)
    train = prepare(cohort, "train", training.targets, reader, vocabularies.medication)
    validation = prepare(cohort, "validation", "last", reader, vocabularies.medication)
    size, checkpointing = len(vocabularies.medication), training.gradient_checkpointing
    shape = skeleton(files, config, size, precision, target, checkpointing=checkpointing)
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
            "embedding_rows": files.rows,
            "padding_token": reader.tokenizer.padding,
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
        "estimate": _rounded(expected),
    }
    _show(report, result, training, source)
    return result


def _rounded(expected: Estimate) -> dict[str, float]:
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
        ("padding token", base["padding_token"] or "none: padding is masked, no result depends on it"),
        ("precision", f"{plan['precision']}, quantisation {plan['quantisation']}"),
        ("trained weights", f"{plan['trained_weights']:,}"),
        ("cases", f"{plan['training_cases']:,} for training, {plan['validation_cases']:,} for validation"),
        ("medication classes", f"{plan['medications']:,}"),
        (
            "tokens per prompt",
            f"mean {tokens['mean']:.0f}, median {tokens['p50']}, 95th percentile {tokens['p95']}",
        ),
        ("longest, limit", f"{tokens['longest']}, {tokens['limit']}"),
        ("truncated", f"{tokens['truncated_share']:.1%} of the prompts"),
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
