"""Integrated gradients of one score over vectors, by Captum, with the steps doubled until they add up.

Refuses to know models: what is explained is a function from vectors to log-odds.

Shapes: N vectors of width D, S steps of the path at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from captum.attr import IntegratedGradients
from numpy.typing import NDArray
from torch import Tensor

from leader_core.scorer import Progress

STEPS: Final = 16  # to begin with
MOST_STEPS: Final = 256
SHARE: Final = 0.02  # of the score difference that attributions may miss it by
LEAST: Final = 0.02  # log-odds: what may be missed however small the difference is


@dataclass(frozen=True, slots=True)
class Integrated:
    """What each vector adds to the score on the straight path from its baseline."""

    values: NDArray[np.float64]  # (N,) log-odds
    start: float  # log-odds at the baseline
    end: float  # log-odds of the input
    steps: int

    @property
    def gap(self) -> float:
        """What the values together miss the score difference by: sum minus difference."""
        return float(self.values.sum() - (self.end - self.start))

    @property
    def tolerance(self) -> float:
        return tolerance(self.end - self.start)


def tolerance(difference: float) -> float:
    """What the attributions of a score difference may miss it by, in log-odds.

    >>> tolerance(-3.0), tolerance(0.2)
    (0.06, 0.02)
    """
    return max(LEAST, SHARE * abs(difference))


def integrate(
    score: Callable[[Tensor], Tensor],
    inputs: Tensor,
    baseline: Tensor,
    *,
    at_once: int,
    steps: int = STEPS,
    most: int = MOST_STEPS,
    slow: int = 3,
    each: Progress | None = None,
) -> Integrated:
    """Attribute `score(inputs) - score(baseline)` to the vectors.

    The path is the straight one; it is walked slowly at first (with `slow` 3, after a third of the steps a 27th of
    it lies behind), because close to an average vector, layer normalisation turns the whole vector round within a
    small stretch. Steps of Gauss-Legendre quadrature are doubled until the attributions sum to the difference within
    `tolerance`, or `most` is reached; the result says which.

    Args:
        score: (S, N, D) to (S,) log-odds, each row by itself.
        inputs, baseline: (N, D).
        at_once: rows in one pass, which bounds the memory.
        steps: to begin with.
        slow: after a share b of the steps, b to this power of the path lies behind.
        each: called after every pass with the passes done and those of this number of steps.
    """
    with torch.no_grad():
        start, end = (float(score(x[None])[0]) for x in (baseline, inputs))
    while True:
        values = (
            _attributions(score, inputs, baseline, steps, at_once, slow, each)
            if inputs.numel()
            else _nothing()
        )
        found = Integrated(values, start, end, steps)
        if abs(found.gap) <= found.tolerance or steps * 2 > most:
            return found
        steps *= 2


def _nothing() -> NDArray[np.float64]:
    return np.zeros(0)


def _attributions(
    score: Callable[[Tensor], Tensor],
    inputs: Tensor,
    baseline: Tensor,
    steps: int,
    at_once: int,
    slow: int,
    each: Progress | None,
) -> NDArray[np.float64]:
    """(N,)"""
    passes = -(-steps // at_once)
    done = 0
    way = inputs - baseline
    length = way.square().sum(-1, keepdim=True)  # (N, 1)
    along = way / torch.where(length > 0, length, 1.0)

    def counted(rows: Tensor) -> Tensor:
        """Of rows a share b of the way along, the score b ** slow of the way along: on the path, the same integral."""
        nonlocal done
        gone = rows - baseline
        share = (gone * along).sum(-1, keepdim=True)  # (S, N, 1)
        out = score(baseline + share.pow(slow - 1) * gone)
        done += 1
        if each is not None:
            each(min(done, passes), passes)
        return out

    parts = IntegratedGradients(counted).attribute(
        inputs[None], baseline[None], n_steps=steps, internal_batch_size=at_once
    )
    return parts[0].double().sum(-1).cpu().numpy()  # type: ignore[no-any-return]
