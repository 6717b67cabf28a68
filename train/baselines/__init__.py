"""Simple and published methods to compare a model with: fitted on a cohort's training split, scored by the same evaluator.

A new baseline is a class that satisfies `train.baselines.fitting.Baseline` and one entry in `BASELINES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class BaselineEntry:
    """One baseline: its row in the demo's table and where its class is, which is imported only when it is fitted."""

    label: str
    module: str
    class_name: str
    seeded: bool = False  # whether another seed gives other scores
    targets: Literal["last", "all"] = "last"  # which visits of the demo teach it


BASELINES: Final[Mapping[str, BaselineEntry]] = {
    "popularity": BaselineEntry("Popularity", "train.baselines.simple", "Popularity"),
    "repeat": BaselineEntry("Repeat last prescription", "train.baselines.simple", "Repeat"),
    "neighbours": BaselineEntry("Nearest neighbours", "train.baselines.simple", "Neighbours"),
    "logistic": BaselineEntry("Logistic regression", "train.baselines.simple", "Logistic", targets="all"),
    "retain": BaselineEntry("RETAIN", "train.baselines.neural", "RetainBaseline", seeded=True, targets="all"),
    "gamenet": BaselineEntry(
        "GAMENet", "train.baselines.gamenet", "GamenetBaseline", seeded=True, targets="all"
    ),
}
"""From the simplest to the strongest. Those that are trained learn from every visit, as their papers have it and as our
student does."""
