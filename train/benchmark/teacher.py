"""The teacher on this machine: one case, states of many, training steps, each compared with the bare passes it consists of.

The bare passes run the same network over rectangles that hold the same number of real tokens and no padding: what is
above them is the price of prompts, tokenising, padding and the optimiser.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from leader_core.cohort import Cohort
from leader_core.errors import InputError
from leader_core.teacher.model import TeacherModel
from leader_core.teacher.scorer import SCORING_TOKENS, TeacherScorer
from leader_core.teacher.tokens import EncodedPrompts, split_by_length
from train.benchmark.measure import best_seconds_in_turns, latency, rounded
from train.config import TeacherTraining
from train.console import Silent
from train.teacher.data import TeacherData, truth_matrix
from train.teacher.loop import TeacherTrainer

STEPS: Final = 3
CASES_A_STEP: Final = 16


def run(cohort_path: Path, folder: Path, device: str, count: int, seconds: float) -> dict[str, Any]:
    """All measurements over the cohort's first `count` cases; needs a trained teacher."""
    cohort = Cohort.open(cohort_path)
    cases = cohort.cases("all", "last")[:count]
    if not cases:
        raise InputError(f"{cohort_path} has no patients to measure with. Build a larger cohort.")
    scorer = TeacherScorer.load(folder, cohort.title, device)
    encoded = scorer.reader.encode(cases)
    longest = [cases[i] for i in np.argsort(-encoded.lengths)[:8]]
    limit = scorer.config.max_tokens
    ids = torch.full((1, limit), 1, dtype=torch.int64, device=scorer.model.head.weight.device)
    with torch.no_grad():
        full = latency(lambda _: scorer.model(ids, torch.ones_like(ids)).logits.cpu(), [None], seconds)
    tokens = int(encoded.lengths.sum())
    batches = split_by_length(encoded.lengths, SCORING_TOKENS[ids.device.type])
    with torch.no_grad():
        scoring, bare = best_seconds_in_turns(
            lambda: scorer.states(cases),
            lambda: _bare_passes(scorer.model, encoded, batches, backward=False),
            2 * seconds,
        )
    return {
        "device": str(ids.device),
        "cases": len(cases),
        "tokens_per_case": rounded(tokens / len(cases)),
        "one_case": latency(lambda case: scorer.score([case]), cases, seconds),
        "one_long_case": {
            **latency(lambda case: scorer.score([case]), longest, seconds),
            "tokens": int(np.sort(encoded.lengths)[-8:].mean()),
        },
        "one_full_prompt_forward": {**full, "tokens": limit},
        "states": {
            "cases_per_second": rounded(len(cases) / scoring),
            "tokens_per_second": rounded(tokens / scoring),
            "bare_forward_tokens_per_second": rounded(tokens / bare),
            "times_the_bare_forward": rounded(scoring / bare),
        },
        "training": _training(
            scorer, TeacherData(encoded, truth_matrix(cases, scorer.vocabularies.medication), _none(cases))
        ),
    }


def _training(scorer: TeacherScorer, data: TeacherData) -> dict[str, Any]:
    """A few optimiser steps through the real loop, compared with bare forward and backward passes."""
    model = scorer.model
    for name, weight in model.named_parameters():
        weight.requires_grad_(name.startswith("head.") or "lora_" in name)
    rows = np.arange(CASES_A_STEP * STEPS) % len(data)
    chosen, one = data.take(rows), data.take(rows[:1])
    settings = TeacherTraining(
        steps=STEPS,
        batch_size=CASES_A_STEP,
        head_prior=False,
        save_every=10**6,
        evaluations=1.0,
        selection="last",
    )
    lengths = chosen.encoded.lengths
    groups = [
        piece[part]
        for piece in np.split(np.arange(len(rows)), STEPS)
        for part in split_by_length(lengths[piece], settings.pass_tokens)
    ]
    with tempfile.TemporaryDirectory(prefix="leader-benchmark-") as folder:

        def train(steps: int) -> None:
            fitted = dataclasses.replace(settings, steps=steps)
            state = Path(folder) / "state.safetensors"
            TeacherTrainer(model, chosen, one, fitted, 0, "benchmark", state, Silent()).fit(resume=False)

        def bare_passes() -> None:
            model.train()
            _bare_passes(model, chosen.encoded, groups, backward=True)

        train(1)
        seconds, bare = best_seconds_in_turns(lambda: train(STEPS), bare_passes, 0.0)
    model.eval().requires_grad_(False)
    tokens = int(lengths.sum())
    return {
        "cases_per_second": rounded(len(rows) / seconds),
        "tokens_per_second": rounded(tokens / seconds),
        "bare_tokens_per_second": rounded(tokens / bare),
        "times_the_bare_passes": rounded(seconds / bare),
    }


def _bare_passes(
    model: TeacherModel, encoded: EncodedPrompts, groups: Sequence[np.ndarray], *, backward: bool
) -> None:
    """Forward (and backward) over rectangles of the groups' mean lengths: as many real tokens, no padding."""
    device = model.head.weight.device
    for rows in groups:
        width = max(1, round(float(encoded.lengths[rows].mean())))
        ids = torch.ones((len(rows), width), dtype=torch.int64, device=device)
        logits = model(ids, torch.ones_like(ids)).logits
        if backward:
            logits.square().mean().backward()
            model.zero_grad(set_to_none=True)
    if device.type == "cuda":
        torch.cuda.synchronize()


def _none(cases: Sequence[object]) -> np.ndarray:
    return np.zeros(len(cases), dtype=np.int64)
