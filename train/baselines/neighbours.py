"""What the training cases with the most similar codes were prescribed.

Similarity is the cosine of sets of codes (the current visit's, the history's, the last prescription's), each code
weighed by how rare it is (inverse document frequency). The number of neighbours is chosen on validation.
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

CHOICES: Final = (5, 10, 20, 40, 80, 160, 320)
PRIOR: Final = 0.1
"""Weight of the training frequencies beside the neighbours' similarities: it orders classes that no neighbour got."""
CELLS: Final = 4_000_000  # similarities held at once


class Neighbours:
    """Similarity-weighted share of the k nearest training cases with each class."""

    def fit(self, data: TrainingData, *, seed: int, report: Report) -> None:
        """Index the training cases and choose k."""
        from scipy.sparse import diags

        self._features = Features(data.encoder)
        codes = self._features.codes(data.train, np.arange(len(data.train)))
        seen = np.asarray((codes > 0).sum(0)).ravel()
        self._weights = diags(np.log((1 + len(data.train)) / (1 + seen)))
        self._index = self._normed(codes)
        self._truth = data.truth().astype(np.float32)
        self._popular = data.frequencies().astype(np.float32)
        self.k = 0
        rows = np.arange(len(data.validation))
        self.tried = {
            k: data.labels.mean_prauc(self._score(data.validation, rows, k))
            for k in CHOICES
            if k <= len(data.train) or k == CHOICES[0]
        }
        self.k = max(self.tried, key=lambda k: self.tried[k])
        report.line(f"neighbours: k = {self.k} (validation PRAUC {self.tried[self.k]:.4f})")

    def score(self, cases: EncodedCases, rows: NDArray[np.int64]) -> Scores:
        """(B, M)"""
        return self._score(cases, rows, self.k)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {
            "k": self.k,
            "prior": PRIOR,
            "validation_prauc_by_k": {str(k): v for k, v in self.tried.items()},
        }

    def _score(self, cases: EncodedCases, rows: NDArray[np.int64], k: int) -> Scores:
        codes = self._normed(self._features.codes(cases, rows))
        count = self._index.shape[0]
        k = min(k, count)
        out = np.empty((len(rows), self._truth.shape[1]), dtype=np.float32)
        size = max(1, CELLS // count)
        for start in range(0, len(rows), size):
            near = (codes[start : start + size] @ self._index.T).toarray().astype(np.float32)
            nearest = np.argpartition(-near, k - 1, axis=1)[:, :k]
            weight = np.take_along_axis(near, nearest, axis=1)
            top = np.einsum("bk,bkm->bm", weight, self._truth[nearest])
            total = weight.sum(1, keepdims=True) + PRIOR
            out[start : start + size] = (top + PRIOR * self._popular) / total
        return np.clip(out, 0, 1)

    def _normed(self, codes: Any) -> Any:
        from sklearn.preprocessing import normalize

        return normalize(codes @ self._weights)
