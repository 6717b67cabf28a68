"""Learning-rate schedules, as functions of the step alone, so that a continued run goes on where it was."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["linear", "cosine", "constant"]


def rate_factor(step: int, total: int, warmup: float, schedule: Schedule) -> float:
    """The share of the learning rate at a step: a linear warm-up, then linear, cosine or constant."""
    rise = round(warmup * total)
    if step < rise:
        return (step + 1) / (rise + 1)
    done = (step - rise) / max(1, total - rise)
    if schedule == "constant":
        return 1.0
    return 1.0 - done if schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))
