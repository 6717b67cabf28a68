"""Calibrated probabilities and conformal sets: fitted on validation, stored with the model.

Calibration is one temperature and one bias for all classes: `sigmoid(logit(p) / temperature + bias)`. It never changes
the order of a case's classes.

A conformal set holds every class at or above a cut-off. Its promise, for a chosen `share` and `confidence`: of new
cases like the validation cases, at least `confidence` have at least `share` of their prescribed classes in the set.
The cut-off is the split-conformal one: for each validation case take the highest cut-off that still keeps `share` of
its classes, and of these the k-th smallest, k = floor((n + 1)(1 - confidence)). The promise then holds on average over
draws of validation and new cases, whatever the model, if they are exchangeable and validation has no other use. Here
validation also chose the epoch, temperature and bias, so the promise is only nearly exact: `evaluate` measures it on
test. It says nothing of any single patient or group.

Letters: N cases, M classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import Recommendation, ScoredMedication
from leader_core.errors import ArtifactError

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

BINS: Final = 15
SHARES: Final = (0.5, 0.7, 0.8, 0.9, 1.0)
CONFIDENCES: Final = (0.8, 0.9, 0.95)
EDGE: Final = 1e-7  # probabilities nearer to 0 or 1 are taken as this near
STEEPEST: Final = 1e3  # temperature; a model that ranks worse than chance would fit a negative one


@dataclass(frozen=True, slots=True)
class Cutoff:
    """The cut-off of one promise; None where no set keeps it: too few cases, or classes the model cannot name."""

    share: float
    confidence: float
    cutoff: float | None


@dataclass(frozen=True, slots=True)
class KeptPromise:
    """Coverage of the conformal sets of one promise on other cases."""

    share: float
    confidence: float
    kept: float  # coverage: share of cases whose set holds at least `share` of what is prescribed
    standard_error: float
    medications: float  # mean number of classes in a set


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs of case and class whose probability lies in one of `BINS` equal parts of 0 to 1."""

    count: int
    probability: float  # mean
    observed: float  # share of them that were prescribed


@dataclass(frozen=True, slots=True)
class Calibration:
    """The record in a model's manifest."""

    temperature: float
    bias: float
    cases: int  # validation cases it was fitted on
    ece_before: float  # on those cases; `evaluate` gives it on test
    ece_after: float
    cutoffs: tuple[Cutoff, ...]  # of calibrated probabilities
    bins_before: tuple[Bin, ...] = ()  # reliability on those cases; empty in early manifests
    bins_after: tuple[Bin, ...] = ()

    def apply(self, probabilities: Floats) -> NDArray[np.float32]:
        """Calibrated probabilities of the same shape."""
        return _sigmoid(_logits(probabilities) / self.temperature + self.bias).astype(np.float32)

    def cutoff(self, share: float, confidence: float) -> float | None:
        """The cut-off of a promise.

        Raises:
            KeyError: a promise that was not prepared.
        """
        for each in self.cutoffs:
            if math.isclose(each.share, share) and math.isclose(each.confidence, confidence):
                return each.cutoff
        raise KeyError((share, confidence))

    def conformal_set(
        self, recommendation: Recommendation, share: float, confidence: float
    ) -> tuple[ScoredMedication, ...] | None:
        """The classes at or above the cut-off of a promise, in the order given; None where no set keeps it.

        Raises:
            KeyError: a promise that was not prepared.
        """
        cutoff = self.cutoff(share, confidence)
        if cutoff is None:
            return None
        return tuple(m for m in recommendation.medications if m.probability >= cutoff)

    def promises_kept(
        self, probabilities: Floats, truth: Bools, *, missed: NDArray[np.int64] | None = None
    ) -> tuple[KeptPromise, ...]:
        """Coverage of each promise that a set can keep; nothing without cases.

        Args:
            probabilities: (N, M) calibrated.
            truth: (N, M).
            missed: (N,) prescribed classes that are no column.
        """
        results = []
        for each in self.cutoffs:
            if each.cutoff is None or not len(truth):
                continue
            coverage = covered(probabilities, truth, each.cutoff, each.share, missed=missed).mean()
            results.append(
                KeptPromise(
                    each.share,
                    each.confidence,
                    float(coverage),
                    float(np.sqrt(coverage * (1 - coverage) / len(truth))),
                    float((probabilities >= np.float32(each.cutoff)).sum(1).mean()),
                )
            )
        return tuple(results)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Inverse of `dataclasses.asdict`.

        Raises:
            ArtifactError: a record of another shape, or without a usable temperature.
        """
        try:
            parts: dict[str, Any] = {"cutoffs": tuple(Cutoff(**each) for each in record["cutoffs"])}
            for name in ("bins_before", "bins_after"):
                parts[name] = tuple(Bin(**each) for each in record.get(name, ()))
            calibration = cls(**{**record, **parts})
            usable = 0 < calibration.temperature < math.inf and math.isfinite(calibration.bias)
        except (TypeError, KeyError) as error:
            raise ArtifactError(f"calibration: not readable ({error})") from error
        if not usable:
            raise ArtifactError(
                f"calibration: temperature {calibration.temperature} and bias {calibration.bias}, "
                "expected a positive and a finite number"
            )
        return calibration


def fit_calibration(
    probabilities: Floats,
    truth: Bools,
    *,
    missed: NDArray[np.int64] | None = None,
) -> Calibration:
    """Fit on validation cases.

    Args:
        probabilities: (N, M) as the model gives them.
        truth: (N, M).
        missed: (N,) prescribed classes that are no column; no set can hold them.

    Raises:
        ValueError: without cases, or without both prescribed and not prescribed pairs.
    """
    if not truth.any() or truth.all():
        raise ValueError(
            "calibration needs cases with classes that were prescribed and classes that were not"
        )
    temperature, bias = _fit(_logits(probabilities).ravel(), truth.ravel())
    calibrated = Calibration(temperature, bias, len(truth), 0.0, 0.0, ()).apply(probabilities)
    before, after = reliability(probabilities, truth), reliability(calibrated, truth)
    return Calibration(
        temperature,
        bias,
        len(truth),
        expected_error(before),
        expected_error(after),
        tuple(
            Cutoff(share, confidence, conformal_cutoff(calibrated, truth, share, confidence, missed=missed))
            for share in SHARES
            for confidence in CONFIDENCES
        ),
        before,
        after,
    )


def conformal_cutoff(
    probabilities: Floats,
    truth: Bools,
    share: float,
    confidence: float,
    *,
    missed: NDArray[np.int64] | None = None,
) -> float | None:
    """The highest cut-off whose sets keep the promise of the module's docstring; None where none does.

    A case with nothing prescribed is satisfied by any set.
    """
    rank = math.floor((len(truth) + 1) * (1 - confidence) + 1e-9)
    if rank < 1:
        return None
    highest = np.sort(_highest_cutoffs(probabilities, truth, share, missed))[rank - 1]
    if highest == -np.inf:
        return None
    return float(min(highest, 1.0))


def covered(
    probabilities: Floats,
    truth: Bools,
    cutoff: float,
    share: float,
    *,
    missed: NDArray[np.int64] | None = None,
) -> Bools:
    """(N,) whether each case's set holds at least `share` of its prescribed classes."""
    return _highest_cutoffs(probabilities, truth, share, missed) >= cutoff


def _highest_cutoffs(
    probabilities: Floats, truth: Bools, share: float, missed: NDArray[np.int64] | None
) -> NDArray[np.float64]:
    """(N,) the highest cut-off that keeps `share` of each case's classes; -inf where none does, inf without any."""
    named = truth.sum(1)
    needed = np.ceil(share * (named + (0 if missed is None else missed)) - 1e-9).astype(np.int64)
    falling = np.where(truth, -probabilities.astype(np.float64), np.inf)
    ranked = -np.sort(falling, axis=1)  # best first, then -inf
    reachable = np.clip(needed - 1, 0, truth.shape[1] - 1)
    highest = np.take_along_axis(ranked, reachable[:, None], axis=1)[:, 0]
    return np.where(needed == 0, np.inf, np.where(needed > named, -np.inf, highest))


def reliability(probabilities: Floats, truth: Bools, bins: int = BINS) -> tuple[Bin, ...]:
    """Predicted and observed, over all pairs of case and class, in equal parts of 0 to 1; empty parts too."""
    predicted = probabilities.ravel().astype(np.float64)
    bin_index = bin_of(predicted, bins)
    counts = np.bincount(bin_index, minlength=bins)
    sums = np.bincount(bin_index, predicted, minlength=bins)
    hits = np.bincount(bin_index, truth.ravel(), minlength=bins)
    return tuple(
        Bin(int(n), float(s / n) if n else 0.0, float(h / n) if n else 0.0)
        for n, s, h in zip(counts, sums, hits, strict=True)
    )


def bin_of(probabilities: Floats, bins: int = BINS) -> NDArray[np.int64]:
    """Which of `bins` equal parts of 0 to 1 a probability lies in; 1 belongs to the last."""
    return np.minimum((probabilities.astype(np.float64) * bins).astype(np.int64), bins - 1)


def expected_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: the mean gap between predicted and observed, weighed by pairs."""
    total = sum(each.count for each in bins)
    return sum(each.count * abs(each.probability - each.observed) for each in bins) / max(1, total)


def bins_to_json(bins: Sequence[Bin]) -> list[dict[str, Any]]:
    """For a report."""
    return [asdict(each) for each in bins]


def _logits(probabilities: Floats) -> NDArray[np.float64]:
    inside = np.clip(probabilities.astype(np.float64), EDGE, 1 - EDGE)
    return np.log(inside) - np.log1p(-inside)


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-logits))


def _fit(logits: NDArray[np.float64], truth: Bools) -> tuple[float, float]:
    """Temperature and bias of the highest likelihood: Platt scaling, which is logistic regression on one number."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(logits[:, None], truth)
    slope, bias = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope < 1 / STEEPEST:  # nothing is left of the logits: the prevalence
        return STEEPEST, float(np.log(truth.mean() / (1 - truth.mean())))
    return 1 / slope, bias
