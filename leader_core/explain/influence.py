"""The global picture: which codes move which classes, on average over many cases, in either model by the same method.

A code is left out wherever it stands in a case, and the case is scored again: the difference is exactly what the model would
say otherwise, and comparable between models. Its mean says which way and how far a code moves a class where it stands; it
does not say why, nor what several codes do together.

Letters: K codes, M classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import Case, Kind, ModelName
from leader_core.explain.changes import apply, code_item, drop, visits_of
from leader_core.scorer import Progress

if TYPE_CHECKING:
    from leader_core.engine import Engine

CODES: Final = 15
"""The most frequent codes are looked at."""
EACH: Final = 12
"""Each is left out of this many cases."""
FEWEST: Final = 5
"""A code of fewer cases is not looked at."""


@dataclass(frozen=True, slots=True)
class InfluenceSample:
    """The cases and codes that are looked at; `rows[k]` are the places of the cases that code k is left out of."""

    kind: Kind
    cases: tuple[Case, ...]
    codes: tuple[str, ...]  # (K,) most frequent first
    rows: tuple[tuple[int, ...], ...]  # (K,)


@dataclass(frozen=True, slots=True)
class CodeInfluence:
    """What each of K codes adds to a model's probability of each of M classes, on average."""

    model: ModelName
    kind: Kind
    codes: tuple[str, ...]  # (K,)
    cases: tuple[int, ...]  # (K,) that each code was left out of
    classes: tuple[str, ...]  # (M,)
    mean: NDArray[np.float64]  # (K, M) probability with the code minus without it
    error: NDArray[np.float64]  # (K, M) standard error over the cases
    scored: int  # inputs that the model read

    def of(self, code: str, name: str) -> tuple[float, float]:
        """Mean and standard error of one code and class; NaN where the model does not score the class."""
        if name not in self.classes:
            return float("nan"), float("nan")
        at = self.codes.index(code), self.classes.index(name)
        return float(self.mean[at]), float(self.error[at])


def influence_sample(
    cases: Sequence[Case], kind: Kind, *, codes: int = CODES, each: int = EACH
) -> InfluenceSample:
    """The most frequent codes of a kind, and for each the first cases that have it.

    Args:
        cases: in random order.
        kind: diagnoses and procedures of all visits, or drug classes of earlier visits.
        codes: at most so many.
        each: cases of each code, at most.
    """
    having: dict[str, list[int]] = {}
    for row, case in enumerate(cases):
        for code in dict.fromkeys(code for visit in visits_of(case) for code in visit.codes(kind)):
            having.setdefault(code, []).append(row)
    counts = Counter({code: len(rows) for code, rows in having.items() if len(rows) >= FEWEST})
    common = tuple(code for code, _ in counts.most_common(codes))
    used = sorted({row for code in common for row in having[code][:each]})
    place = {row: i for i, row in enumerate(used)}
    return InfluenceSample(
        kind,
        tuple(cases[row] for row in used),
        common,
        tuple(tuple(place[row] for row in having[code][:each]) for code in common),
    )


def code_influence(
    engine: Engine, model: ModelName, sample: InfluenceSample, *, on_progress: Progress | None = None
) -> CodeInfluence:
    """Score every case of the sample as it is, and once without each code that is looked at in it.

    Raises:
        NotFoundError: the model is not there.
    """
    scorer = engine.scorer(model)
    without = [_without(sample.cases[row], sample.kind, code) for code, rows in zip(sample.codes, sample.rows, strict=True)
               for row in rows]  # fmt: skip
    scores = scorer.score([*(case.observed() for case in sample.cases), *without], on_progress)
    base, changed = np.split(scores.probabilities.astype(np.float64), [len(sample.cases)])
    classes = scorer.medications.codes
    mean, error = np.zeros((2, len(sample.codes), len(classes)))
    start = 0
    for k, rows in enumerate(sample.rows):
        effects = base[list(rows)] - changed[start : start + len(rows)]
        start += len(rows)
        mean[k], error[k] = effects.mean(0), effects.std(0, ddof=1) / len(rows) ** 0.5
    counts = tuple(len(rows) for rows in sample.rows)
    return CodeInfluence(model, sample.kind, sample.codes, counts, classes, mean, error, scores.inputs)


def _without(case: Case, kind: Kind, code: str) -> Case:
    """The case without a code in any of its visits."""
    places = [i for i, visit in enumerate(visits_of(case)) if code in visit.codes(kind)]
    return apply(case, *(drop(code_item(i, kind, code)) for i in places))
