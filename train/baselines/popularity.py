"""Every case gets the training frequencies of the classes. Reads nothing of the case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leader_core.student.encode import EncodedCases
from train.baselines.fitting import TrainingData
from train.console import Report
from train.evaluation.scoring import Scores


class Popularity:
    """How often each class is prescribed in training."""

    frequencies: NDArray[np.float32]  # (M,)

    def fit(self, data: TrainingData, *, seed: int, report: Report) -> None:
        """Count."""
        self.frequencies = data.frequencies().astype(np.float32)

    def score(self, cases: EncodedCases, rows: NDArray[np.int64]) -> Scores:
        """(B, M), all rows alike"""
        return np.repeat(self.frequencies[None], len(rows), axis=0)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {}
