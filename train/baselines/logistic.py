"""Logistic regression (scikit-learn), one a class, over the case's codes, its history and its profile.

The strength of the L2 penalty is chosen on validation, the same for all classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.student.encode import EncodedCases
from train.baselines.features import Features
from train.baselines.fitting import TrainingData
from train.console import Report
from train.evaluation.scoring import Scores

CHOICES: Final = (0.01, 0.03, 0.1, 0.3)  # inverse penalties


class Logistic:
    """M independent linear models."""

    def fit(self, data: TrainingData, *, seed: int, report: Report) -> None:
        """Fit with every penalty, keep the best on validation."""
        self._features = Features(data.encoder)
        matrix = self._features.with_profile(data.train, np.arange(len(data.train)))
        truth = data.truth()
        rows = np.arange(len(data.validation))
        self.tried: dict[float, float] = {}
        fitted = {}
        for penalty in CHOICES:
            self._weights, self._bias = fitted[penalty] = _fit(matrix, truth, penalty)
            self.tried[penalty] = data.labels.mean_prauc(self.score(data.validation, rows))
        self.c = max(self.tried, key=lambda penalty: self.tried[penalty])
        self._weights, self._bias = fitted[self.c]
        report.line(f"logistic: C = {self.c} (validation PRAUC {self.tried[self.c]:.4f})")

    def score(self, cases: EncodedCases, rows: NDArray[np.int64]) -> Scores:
        """(B, M)"""
        logits = self._features.with_profile(cases, rows) @ self._weights + self._bias
        return (1 / (1 + np.exp(-np.clip(logits, -50, 50)))).astype(np.float32)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"C": self.c, "validation_prauc_by_C": {str(c): v for c, v in self.tried.items()}}


def _fit(
    matrix: Any, truth: NDArray[np.bool_], penalty: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(features, M) weights and (M,) biases. A class with one outcome only keeps its smoothed log odds."""
    from sklearn.linear_model import LogisticRegression

    count, width = truth.shape
    weights = np.zeros((matrix.shape[1], width))
    bias = np.zeros(width)
    for m in range(width):
        positives = truth[:, m].sum()
        bias[m] = np.log((positives + 0.5) / (count - positives + 0.5))
        if 0 < positives < count:
            # liblinear penalises the intercept too: scaled, hardly. It needs no threads, which steps this small wait for.
            model = LogisticRegression(C=penalty, solver="liblinear", intercept_scaling=10.0, random_state=0)
            model.fit(matrix, truth[:, m])
            weights[:, m], bias[m] = model.coef_[0], model.intercept_[0]
    return weights, bias
