"""A teacher of a named size with random weights: what its training and states reach of the card's matrix rate.

Nothing is downloaded: the base is created on the device. Everything but its weights is the real thing: adapter, head, loss,
optimiser step and passes. Rates are given by the products that the method needs (a forward pass, and one back through
frozen weights); computing activations again under checkpointing costs time and counts for nothing.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from leader_core.errors import InputError
from leader_core.ragged import Ragged
from leader_core.scorer import resolve_device
from leader_core.teacher.config import TeacherConfig
from leader_core.teacher.model import (
    TeacherModel,
    adapt,
    resolve_attention,
    resolve_precision,
)
from leader_core.teacher.scorer import run_batches
from leader_core.teacher.tokens import EncodedPrompts
from train.benchmark.measure import MIB, best_seconds, rounded
from train.config import TeacherTraining
from train.console import Silent
from train.teacher.data import TeacherData
from train.teacher.loop import TeacherTrainer
from train.teacher.plan import Shape, matrix_rate, shape_of, token_flops
from train.teacher.run import save_activations

MEDICATIONS: Final = 112


@dataclass(frozen=True, slots=True)
class BaseSize:
    """A Llama's shape and the work it is measured on."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_heads: int
    words: int
    tokens: int  # of a prompt
    batch: int  # cases per step
    needs_gpu: bool = True


SIZES: Final = {
    "llama-7b": BaseSize(4096, 11008, 32, 32, 32, 32_000, 2_048, 4),
    "llama-8b": BaseSize(4096, 14336, 32, 32, 8, 128_256, 2_048, 4),
    "llama-1b": BaseSize(2048, 8192, 16, 32, 8, 128_256, 2_048, 4),
    "tiny": BaseSize(64, 172, 2, 4, 2, 500, 64, 4, needs_gpu=False),
}


def check(name: str, device: str) -> None:
    """Refuse what cannot be measured here.

    Raises:
        InputError: a shape that needs a GPU where there is none, or that does not fit on it.
    """
    if not SIZES[name].needs_gpu:
        return
    if device == "cpu" or not torch.cuda.is_available():
        raise InputError(
            f"--shape {name} is measured on a GPU, and none is used here. Run it where there is one, or give --shape tiny."
        )


def run(name: str, device: str, seconds: float) -> dict[str, Any]:
    """Measure one shape: training with and without gradient checkpointing, the published way, and states."""
    check(name, device)
    size, target = SIZES[name], resolve_device(device)
    config = TeacherConfig(base=name, lora_rank=8, max_tokens=size.tokens)
    precision = resolve_precision("auto", target)
    torch.manual_seed(0)
    model = _random_teacher(size, config, target)
    shape = shape_of(_llama(size), "decoder", config, MEDICATIONS)
    rate = matrix_rate(target, precision)
    full = _prompts(np.full(4 * size.batch, size.tokens), size.words)
    # an assumed spread, from a sixteenth of the limit to all of it; most are short
    mixed = _prompts(np.geomspace(size.tokens / 16, size.tokens, 8 * size.batch).astype(np.int64), size.words)
    result: dict[str, Any] = {
        "shape": {"name": name, **asdict(size)},
        "device": torch.cuda.get_device_name(target) if target.type == "cuda" else "cpu",
        "precision": precision,
        "trained_weights": shape.trained,
        "frozen_weights": shape.parameters,
        "matrix_tflops": rounded(rate / 1e12),
    }
    result["states"] = _states(model, full, shape, rate, seconds)
    result["training"] = _guarded(lambda: _training(model, full, size, shape, rate))
    save_activations(model)
    result["training_with_checkpointing"] = _guarded(lambda: _training(model, full, size, shape, rate))
    ours = _guarded(lambda: _training(model, mixed, size, shape, rate))
    published = _guarded(lambda: _published(model, mixed, size))
    result["mixed_lengths"] = {"mean_tokens": rounded(float(mixed.encoded.lengths.mean())), "ours": ours}
    if "seconds_per_case" in ours and "seconds_per_case" in published:
        result["mixed_lengths"]["times_faster"] = rounded(
            published["seconds_per_case"] / ours["seconds_per_case"]
        )
    result["mixed_lengths"]["published_way"] = published
    return result


def _llama(size: BaseSize) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=size.words,
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.key_heads,
        max_position_embeddings=size.tokens,
        use_cache=False,
    )


def _random_teacher(size: BaseSize, config: TeacherConfig, device: torch.device) -> TeacherModel:
    from transformers import AutoModel

    precision = resolve_precision("auto", device)
    with torch.device(device):  # created where it is used: no copy in main memory
        body = AutoModel.from_config(
            _llama(size),
            dtype=torch.bfloat16 if precision == "bf16" else torch.float32,
            attn_implementation=resolve_attention("auto", precision, device),
        )
        return adapt(body, "decoder", config, MEDICATIONS, precision, name=config.base).to(device)


def _prompts(lengths: np.ndarray, words: int) -> TeacherData:
    """Random prompts of these lengths, with random prescriptions."""
    draw = np.random.default_rng(0)
    tokens = Ragged.of_lengths(lengths, draw.integers(1, words, int(lengths.sum())).astype(np.int32))
    encoded = EncodedPrompts(tokens, np.zeros(len(lengths), dtype=bool))
    return TeacherData(
        encoded, draw.random((len(lengths), MEDICATIONS)) < 0.15, np.zeros(len(lengths), dtype=np.int64)
    )


def _states(
    model: TeacherModel, data: TeacherData, shape: Shape, rate: float, seconds: float
) -> dict[str, Any]:
    _reset_peak()
    spent = best_seconds(lambda: run_batches(model, data.encoded), seconds)
    return _rates(data.encoded.lengths, spent, 1, shape, rate)


def _training(
    model: TeacherModel, data: TeacherData, size: BaseSize, shape: Shape, rate: float
) -> dict[str, Any]:
    """Optimiser steps of the real loop, without the evaluation at their end."""
    rows = len(data) // size.batch
    settings = TeacherTraining(
        steps=rows, batch_size=size.batch, pass_tokens=size.batch * size.tokens, head_prior=False
    )
    _reset_peak()
    with tempfile.TemporaryDirectory(prefix="leader-benchmark-") as folder:
        trainer = TeacherTrainer(model, data, data, settings, 0, "shape", Path(folder) / "state", Silent())
        optimizer, trained = trainer._optimizer(), model.trained()

        def steps() -> None:
            for step in range(rows):
                trainer._step(optimizer, trained, step)
            _wait(model)

        spent = best_seconds(steps, 0.0)
    return _rates(data.encoded.lengths, spent, 2, shape, rate)


def _published(model: TeacherModel, data: TeacherData, size: BaseSize) -> dict[str, Any]:
    """The published step: every prompt padded to the limit, no mask, the head on every token, then the last one taken."""
    device = model.head.weight.device
    trained = list(model.trained().values())
    optimizer = torch.optim.AdamW(trained, lr=2e-4)
    lengths = data.encoded.lengths
    model.train()

    def step(rows: np.ndarray) -> None:
        ids, _ = data.encoded.batch(rows)
        padded = torch.nn.functional.pad(ids, (0, size.tokens - ids.shape[1])).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=model.precision == "bf16"):
            every = model.head(model.body(input_ids=padded).last_hidden_state)  # (B, T, M)
        last = torch.from_numpy(lengths[rows] - 1).to(device)
        logits = every[torch.arange(len(rows), device=device), last].float()
        truth = torch.from_numpy(data.truth[rows]).to(device, torch.float32)
        torch.nn.functional.binary_cross_entropy_with_logits(logits, truth).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def steps() -> None:
        for first in range(0, len(data), size.batch):
            step(np.arange(first, min(first + size.batch, len(data))))
        _wait(model)

    spent = best_seconds(steps, 0.0)
    return {"seconds_per_case": rounded(spent / len(data))}


def _rates(lengths: np.ndarray, seconds: float, passes: int, shape: Shape, rate: float) -> dict[str, Any]:
    tokens = int(lengths.sum())
    flops = passes * sum(token_flops(shape, float(n)) * float(n) for n in lengths)
    return {
        "tokens_per_second": rounded(tokens / seconds),
        "seconds_per_case": rounded(seconds / len(lengths)),
        "share_of_matrix_rate": rounded(flops / seconds / rate),
        "peak_gpu_memory_mib": round(torch.cuda.max_memory_allocated() / MIB)
        if torch.cuda.is_available()
        else None,
    }


def _guarded(measure: Any) -> dict[str, Any]:
    """What was measured, or that it did not fit."""
    try:
        return dict(measure())
    except torch.cuda.OutOfMemoryError:
        torch.cuda.empty_cache()
        return {"not_measured": "out of GPU memory"}


def _reset_peak() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _wait(model: TeacherModel) -> None:
    if model.head.weight.device.type == "cuda":
        torch.cuda.synchronize()
