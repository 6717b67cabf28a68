"""Scoring passes shared between processes: each takes its batches, and all have every row in the end.

Refuses to know what the states and logits are for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from leader_core.teacher.model import TeacherModel
from leader_core.teacher.scorer import pass_tokens, run_batches
from leader_core.teacher.tokens import EncodedPrompts, scoring_batches
from train.distributed import Processes


@torch.no_grad()
def run_together(
    model: TeacherModel,
    encoded: EncodedPrompts,
    processes: Processes,
    *,
    each: Callable[[int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Hidden (N, H) and logits (N, M) float32 of encoded prompts, in their order and equal in every process.

    Every process must call this with the same prompts. `each` is called after every pass with its number of cases.
    """
    if processes.count == 1:
        return run_batches(model, encoded, each=each)
    batches = list(scoring_batches(encoded.lengths, pass_tokens(model)))
    own = processes.own_batches(batches)
    for _ in range(processes.passes(len(own)) - len(own)):  # the others cannot pass without this one
        run_batches(model, encoded, batches=[batches[0][:1]])
    found = run_batches(model, encoded, batches=own, each=each)
    hidden, logits = (processes.total(torch.from_numpy(part)).cpu().numpy() for part in found)
    return hidden, logits
