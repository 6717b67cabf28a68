"""Baselines without a network: popularity, the last prescription, nearest neighbours, logistic regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import KINDS
from leader_core.ragged import Ints, Ragged
from leader_core.student.encode import RESERVED, EncodedCases, Encoder
from train.baselines.fitting import TrainingData
from train.console import Report
from train.evaluation.inputs import Scores

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


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


REPEATED: Final = 0.9
"""What a class of the last prescription is given before the popularity term, which fills the rest up to 1."""


class Repeat(Popularity):
    """Popularity below whatever the patient got last time."""

    def score(self, cases: EncodedCases, rows: NDArray[np.int64]) -> Scores:
        """(B, M)"""
        popular = super().score(cases, rows)
        returning = np.flatnonzero(~cases.first_visit[rows])
        before = np.zeros_like(popular[returning])
        visits = cases.current[rows][returning] - 1
        last = cases.medication.take(visits)
        before[last.owners, last.values - RESERVED] = 1
        popular[returning] = REPEATED * before + np.float32(1 - REPEATED) * popular[returning]
        return popular

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"repeated": REPEATED}


class Features:
    """Lays out the columns for one encoder's vocabularies. Medications are only ever those of earlier visits."""

    def __init__(self, encoder: Encoder) -> None:
        layout = encoder.layout
        self.tokens = layout.size - RESERVED  # columns of a block that spans all kinds
        self.medications = layout.medications
        self.profile = [len(encoder.vocabularies.profile[n]) + 1 for n in encoder.config.profile_fields]

    def codes(self, cases: EncodedCases, rows: Ints) -> csr_matrix:
        """(B, 2 * tokens + M) of 0 and 1: current codes, codes of any earlier visit, the last prescription."""
        from scipy.sparse import hstack

        current, first = cases.current[rows], cases.first[rows]
        now = [self._hot(cases.sets(kind), current, current + 1, self.tokens) for kind in KINDS[:2]]
        before = [self._hot(cases.sets(kind), first, current, self.tokens) for kind in KINDS]
        last = self._hot(cases.medication, np.maximum(first, current - 1), current, self.medications)
        matrix = hstack([sum(now[1:], now[0]), sum(before[1:], before[0]), last], format="csr")
        matrix.data[:] = 1
        return matrix

    def with_profile(self, cases: EncodedCases, rows: Ints) -> csr_matrix:
        """`codes`, each profile field's value as one of its columns, and whether this is a first visit."""
        from scipy.sparse import csr_matrix, hstack

        starts = np.cumsum([0, *self.profile])
        columns = cases.profile[rows] + starts[:-1]
        owners = np.repeat(np.arange(len(rows)), columns.shape[1])
        ones = np.ones(columns.size, np.float64)
        profile = csr_matrix((ones, (owners, columns.ravel())), shape=(len(rows), int(starts[-1])))
        first = csr_matrix(cases.first_visit[rows, None].astype(np.float64))
        return hstack([self.codes(cases, rows), profile, first], format="csr")

    @staticmethod
    def _hot(sets: Ragged, begin: Ints, end: Ints, width: int) -> csr_matrix:
        """(B, width) counts of the codes of visit rows `begin` to `end` - 1 of each case."""
        from scipy.sparse import csr_matrix

        joined = sets.merge(begin, end)
        ones: NDArray[np.float64] = np.ones(len(joined.values))
        return csr_matrix((ones, (joined.owners, joined.values - RESERVED)), shape=(len(begin), width))


NEIGHBOUR_COUNTS: Final = (5, 10, 20, 40, 80, 160, 320)
PRIOR: Final = 0.1
"""Weight of the training frequencies among the neighbours' similarities: it orders classes that no neighbour got."""
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
        self.validation_prauc = {
            k: data.labels.mean_prauc(self._score(data.validation, rows, k))
            for k in NEIGHBOUR_COUNTS
            if k <= len(data.train) or k == NEIGHBOUR_COUNTS[0]
        }
        self.k = max(self.validation_prauc, key=lambda k: self.validation_prauc[k])
        report.line(f"neighbours: k = {self.k} (validation PRAUC {self.validation_prauc[self.k]:.4f})")

    def score(self, cases: EncodedCases, rows: NDArray[np.int64]) -> Scores:
        """(B, M)"""
        return self._score(cases, rows, self.k)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {
            "k": self.k,
            "prior": PRIOR,
            "validation_prauc_by_k": {str(k): v for k, v in self.validation_prauc.items()},
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


INVERSE_PENALTIES: Final = (0.01, 0.03, 0.1, 0.3)  # inverse penalties


class Logistic:
    """M independent linear models."""

    def __init__(self, penalties: Sequence[float] = INVERSE_PENALTIES) -> None:
        self._penalties = penalties

    def fit(self, data: TrainingData, *, seed: int, report: Report) -> None:
        """Fit with every penalty, keep the best on validation."""
        self._features = Features(data.encoder)
        matrix = self._features.with_profile(data.train, np.arange(len(data.train)))
        truth = data.truth()
        rows = np.arange(len(data.validation))
        self.validation_prauc: dict[float, float] = {}
        fitted = {}
        for penalty in self._penalties:
            self._weights, self._bias = fitted[penalty] = _fit(matrix, truth, penalty)
            self.validation_prauc[penalty] = data.labels.mean_prauc(self.score(data.validation, rows))
        self.c = max(self.validation_prauc, key=lambda penalty: self.validation_prauc[penalty])
        self._weights, self._bias = fitted[self.c]
        report.line(f"logistic: C = {self.c} (validation PRAUC {self.validation_prauc[self.c]:.4f})")

    def score(self, cases: EncodedCases, rows: NDArray[np.int64]) -> Scores:
        """(B, M)"""
        logits = self._features.with_profile(cases, rows) @ self._weights + self._bias
        return (1 / (1 + np.exp(-np.clip(logits, -50, 50)))).astype(np.float32)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"C": self.c, "validation_prauc_by_C": {str(c): v for c, v in self.validation_prauc.items()}}


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
