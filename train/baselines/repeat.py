"""The prescription of the visit before, ranked by popularity; popularity alone at a first visit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.student.encode import RESERVED, EncodedCases
from train.baselines.popularity import Popularity
from train.evaluation.scoring import Scores

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
