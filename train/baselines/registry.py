"""Which baselines there are, and the protocol they keep. Modules are imported only when one is fitted."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, cast, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from leader_core.student.encode import EncodedCases
    from train.baselines.fitting import TrainingData
    from train.console import Report
    from train.evaluation.scoring import Scores

BaselineName = Literal["popularity", "repeat", "neighbours", "logistic", "retain", "gamenet"]
BASELINES: Final[tuple[BaselineName, ...]] = get_args(BaselineName)
SEEDED: Final[tuple[BaselineName, ...]] = ("retain", "gamenet")
"""Those that another seed changes; the others give the same scores whatever the seed."""


class Baseline(Protocol):
    """Learns once, then scores cases of any cohort at the same ATC level."""

    def fit(self, data: TrainingData, *, seed: int, report: Report) -> None:
        """Learn from `data.train`; `data.validation` chooses settings or the moment to stop."""

    def score(self, cases: EncodedCases, rows: NDArray[np.int64]) -> Scores:
        """(B, M) probabilities of some cases. Their current medications must not be read."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What was fixed or chosen, for the record."""


_CLASSES: Final[Mapping[BaselineName, str]] = {
    "popularity": "Popularity",
    "repeat": "Repeat",
    "neighbours": "Neighbours",
    "logistic": "Logistic",
    "retain": "RetainBaseline",
    "gamenet": "GamenetBaseline",
}


def make(name: BaselineName) -> Baseline:
    """A baseline that has not learned yet."""
    module = importlib.import_module(f"train.baselines.{name}")
    return cast("Baseline", getattr(module, _CLASSES[name])())
