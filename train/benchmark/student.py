"""The student on this machine, and the published form on the same cases: with the same weights where they fit.

The published form pads every case to 10 visits of 100 codes. Each form runs in a process of its own, so that each has
its own peak memory; the command `benchmark` puts them side by side.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from leader_core.cohort import Cohort
from leader_core.errors import InputError
from leader_core.scorer import score_columns
from leader_core.student.config import StudentConfig
from leader_core.student.losses import prediction_loss
from leader_core.student.packing import pack
from leader_core.student.scorer import StudentScorer
from train.benchmark.measure import best_seconds, latency, rounded
from train.config import StudentTraining
from train.console import Silent
from train.student.data import StudentData
from train.student.loop import StudentTrainer
from train.student.published_form import PaddedBatch, PaddedStudent

PADDED_BATCH: Final = 16  # cases; more of them cost the padded form more a case, not less
PADDED_CASES: Final = 64
TRAINING_CASES: Final = 512
PUBLISHED: Final[Mapping[str, Any]] = {
    "recency": False,
    "pooling": "mean",
    "current_apart": False,
    "code_text": False,
    "text_width": 0,
    "linear": False,
    "linear_columns": 0,
    "carry_over": False,
}
"""What makes a student's network the published one."""


class _AnyVectors:
    """Vectors of the right width: what a title says changes no time."""

    id, sha256 = "any", ""

    def __init__(self, config: StudentConfig) -> None:
        self.width = max(1, config.text_width)

    def encode(self, titles: Sequence[str]) -> NDArray[np.float32]:
        """(n, width)"""
        return np.random.default_rng(0).normal(size=(len(titles), self.width)).astype(np.float32)


def run(
    form: str, cohort: Path, folder: Path, device: str, count: int, seconds: float, training: StudentTraining
) -> dict[str, Any]:
    """Measure one form, "ours" or "published", on at most `count` of the cohort's last visits."""
    opened = Cohort.open(cohort)
    scorer = StudentScorer.load(folder, device)
    measure = _ours if form == "ours" else _published
    return measure(opened, scorer, count, seconds, training)


def _ours(
    cohort: Cohort, scorer: StudentScorer, count: int, seconds: float, training: StudentTraining
) -> dict[str, Any]:
    columns = cohort.columns("all", "last")
    if not len(columns):
        raise InputError(f"{cohort.path} has no patients to measure with. Build a larger cohort.")
    columns = columns.take(np.arange(min(count, len(columns))))
    cases = cohort.cases("all", "last")[:count]
    encoded = scorer.encoder.columns(columns)
    single = [np.array([i]) for i in range(min(len(columns), 256))]
    scoring = best_seconds(lambda: score_columns(scorer, columns), seconds) / len(columns)
    with torch.inference_mode():
        network = latency(lambda rows: scorer.model(pack(encoded, rows)).logits.sigmoid(), single, seconds)
    return {
        "device": str(scorer.model.codes.weight.device),
        "threads": torch.get_num_threads(),
        "cases": len(columns),
        "parameters": sum(p.numel() for p in scorer.model.parameters()),
        "one_case_encoded_and_scored": latency(lambda case: scorer.score([case]), cases, seconds),
        "one_case_scored": network,
        "scoring_ms_per_case": rounded(1000 * scoring),
        "scoring_cases_per_second": rounded(1 / scoring),
        **_our_training(cohort, scorer, seconds, training),
    }


def _our_training(
    cohort: Cohort, scorer: StudentScorer, seconds: float, training: StudentTraining
) -> dict[str, Any]:
    """Optimiser steps of the real loop, alignment included, without validation."""
    data = StudentData.of(cohort, "last", equivalence=scorer.config.equivalence)
    device = scorer.model.codes.weight.device.type
    trainer = StudentTrainer(
        data,
        scorer.config,
        training,
        seed=0,
        device=device,
        report=Silent(),
        vectors=_AnyVectors(scorer.config),
    )
    size = min(training.batch_size, len(trainer.encoded))
    order = np.random.default_rng(0).permutation(len(trainer.encoded))[:TRAINING_CASES]
    steps = max(1, len(order) // size)
    trainer.losses.train()

    def epoch() -> None:
        for index in range(steps):
            parts = trainer.losses(trainer.batch(order[index * size : (index + 1) * size]))
            _step(trainer.optimizer, parts["loss"])

    spent = best_seconds(epoch, seconds) / (steps * size)
    return {"training_ms_per_case": rounded(1000 * spent), "training_batch": size}


def _published(
    cohort: Cohort, scorer: StudentScorer, count: int, seconds: float, training: StudentTraining
) -> dict[str, Any]:
    """Batches are laid out beforehand: only the network is timed."""
    columns = cohort.columns("all", "last")
    rows = np.arange(min(PADDED_CASES, count, len(columns)))
    encoded = scorer.encoder.columns(columns.take(rows))
    sizes = tuple(len(scorer.vocabularies.profile[name]) + 1 for name in scorer.config.profile_fields)
    plain = dataclasses.replace(scorer.config, **PUBLISHED)
    network = PaddedStudent(plain, scorer.encoder.layout, sizes).eval()
    if plain == scorer.config:  # otherwise fresh weights, which take the same time
        network.copy_weights(scorer.model)
    batches = [PaddedBatch(encoded, rows[i : i + PADDED_BATCH]) for i in range(0, len(rows), PADDED_BATCH)]
    single = [PaddedBatch(encoded, rows[i : i + 1]) for i in range(min(8, len(rows)))]
    with torch.inference_mode():
        one = latency(lambda batch: network(batch)[0].sigmoid(), single, seconds)
        scoring = best_seconds(lambda: [network(batch)[0].sigmoid() for batch in batches], seconds) / len(
            rows
        )
    size = min(training.batch_size, len(rows))
    truth = torch.from_numpy(
        encoded.labels(rows[:size], len(scorer.vocabularies.medication)).astype(np.float32)
    )
    batch = PaddedBatch(encoded, rows[:size])
    network.train().requires_grad_(True)
    optimizer = torch.optim.Adam(network.parameters(), lr=training.learning_rate, fused=True)
    spent = best_seconds(lambda: _step(optimizer, prediction_loss(network(batch)[0], truth)), seconds) / size
    result: dict[str, Any] = {
        "cases": len(rows),
        "one_case_scored": one,
        "scoring_ms_per_case": rounded(1000 * scoring),
        "scoring_batch": PADDED_BATCH,
        "training_ms_per_case": rounded(1000 * spent),
        "training_batch": size,
    }
    if plain != scorer.config:
        added = [name for name, value in PUBLISHED.items() if getattr(scorer.config, name) != value]
        result["note"] = f"without what the published form does not have: {', '.join(added)}"
    return result


def _step(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
