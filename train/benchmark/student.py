"""The student on this machine, beside its published form with the same weights.

The published form pads every case to 10 visits of 100 codes; it does the same work on the same cases, so that the
ratios are measured and not quoted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from leader_core.cohort import Cohort
from leader_core.domain import Case
from leader_core.errors import InputError
from leader_core.student.encode import EncodedCases
from leader_core.student.packing import pack
from leader_core.student.scorer import StudentScorer, build_student
from train.benchmark.measure import best_seconds, latency, rounded
from train.student.padded import PaddedBatch, PaddedStudent

PADDED_BATCH: Final = 16  # cases; more of them cost the padded form more a case, not less
PADDED_CASES: Final = 64
TRAINING_BATCH: Final = 16
LEARNING_RATE: Final = 5e-4


def run(cohort_path: Path, folder: Path, device: str, count: int, seconds: float) -> dict[str, Any]:
    """All measurements over at most `count` cases of the cohort; needs a trained student."""
    cohort = Cohort.open(cohort_path)
    columns = cohort.columns("all", "last")
    if not len(columns):
        raise InputError(f"{cohort_path} has no patients to measure with. Build a larger cohort.")
    columns = columns.take(np.arange(min(count, len(columns))))
    cases = cohort.cases("all", "last")[:count]
    scorer = StudentScorer.load(folder, device)
    encoded = scorer.encoder.columns(columns)
    ours = _ours(scorer, cases, encoded, lambda: scorer.score_columns(columns), seconds)
    result: dict[str, Any] = {
        "device": str(scorer.model.codes.weight.device),
        "threads": torch.get_num_threads(),
        "cases": len(columns),
        "parameters": sum(p.numel() for p in scorer.model.parameters()),
        "ours": ours,
    }
    if scorer.config.recency or scorer.config.pooling != "mean":
        result["note"] = "the published form computes no recency: it is timed with the same widths and tables"
    published = _published(scorer, encoded, seconds)
    result["published_padded_form"] = published
    result["times_faster"] = {
        "one_case": rounded(published["one_case"]["p50_ms"] / ours["one_case_encoded"]["p50_ms"]),
        "scoring": rounded(published["scoring_ms_per_case"] / ours["scoring_ms_per_case"]),
        "training": rounded(published["training_ms_per_case"] / ours["training_ms_per_case"]),
    }
    return result


def _ours(
    scorer: StudentScorer,
    cases: Sequence[Case],
    encoded: EncodedCases,
    score: Callable[[], object],
    seconds: float,
) -> dict[str, Any]:
    count = len(encoded)
    scoring = best_seconds(score, seconds) / count
    model = build_student(scorer.config, scorer.vocabularies)
    batch = min(TRAINING_BATCH, count)
    order = np.random.default_rng(0).permutation(count)
    labels = encoded.labels(order, len(scorer.vocabularies.medication))

    def step(index: int) -> torch.Tensor:
        rows = order[index * batch : (index + 1) * batch]
        return _loss(model(pack(encoded, rows)).logits, labels[index * batch : (index + 1) * batch])

    single = [np.array([i]) for i in range(min(count, 256))]
    with torch.inference_mode():
        encoded_case = latency(
            lambda rows: scorer.model(pack(encoded, rows)).logits.sigmoid(), single, seconds
        )
    return {
        "one_case": latency(lambda case: scorer.score([case]), cases, seconds),
        "one_case_encoded": encoded_case,
        "scoring_ms_per_case": rounded(1000 * scoring),
        "scoring_cases_per_second": rounded(1 / scoring),
        "training_ms_per_case": rounded(1000 * _train_seconds(model, step, count // batch, seconds) / batch),
        "training_batch": batch,
    }


def _published(scorer: StudentScorer, encoded: EncodedCases, seconds: float) -> dict[str, Any]:
    """The same cases through the padded form; batches are laid out beforehand, so that only the network is timed."""
    sizes = tuple(len(scorer.vocabularies.profile[name]) + 1 for name in scorer.config.profile_fields)
    network = PaddedStudent(scorer.config, scorer.encoder.layout, sizes).eval()
    network.copy_weights(scorer.model.cpu())
    rows = np.arange(min(PADDED_CASES, len(encoded)))
    batches = [PaddedBatch(encoded, rows[i : i + PADDED_BATCH]) for i in range(0, len(rows), PADDED_BATCH)]
    single = [PaddedBatch(encoded, rows[i : i + 1]) for i in range(min(8, len(rows)))]
    with torch.inference_mode():
        one = latency(lambda batch: network(batch)[0].sigmoid(), single, seconds)
        scoring = best_seconds(lambda: [network(batch)[0].sigmoid() for batch in batches], seconds) / len(
            rows
        )
    batch = min(TRAINING_BATCH, len(rows))
    labels = encoded.labels(rows[:batch], len(scorer.vocabularies.medication))
    first = PaddedBatch(encoded, rows[:batch])
    network.train()
    trained = _train_seconds(network, lambda _: _loss(network(first)[0], labels), 1, seconds)
    return {
        "one_case": one,
        "scoring_ms_per_case": rounded(1000 * scoring),
        "scoring_batch": PADDED_BATCH,
        "training_ms_per_case": rounded(1000 * trained / batch),
        "training_batch": batch,
    }


def _train_seconds(
    model: nn.Module, loss_of: Callable[[int], torch.Tensor], batches: int, seconds: float
) -> float:
    """The best mean time of an optimiser step over all batches, forward, backward and Adam."""
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)

    def epoch() -> None:
        for index in range(batches):
            optimizer.zero_grad(set_to_none=True)
            loss_of(index).backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    return best_seconds(epoch, seconds) / batches


def _loss(logits: torch.Tensor, labels: np.ndarray) -> torch.Tensor:
    return binary_cross_entropy_with_logits(logits, torch.from_numpy(labels).to(logits))
