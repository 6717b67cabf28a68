"""What any model has to beat, under the same evaluator: fitted on a cohort's training split, seeded, one protocol.

A baseline is a module with a class of its own; `BASELINES` names them in the order in which tables show them.
"""

from __future__ import annotations

from train.baselines.fitting import FittedBaseline, TrainingData, fit_baseline
from train.baselines.registry import BASELINES, SEEDED, BaselineName

__all__ = ["BASELINES", "SEEDED", "BaselineName", "FittedBaseline", "TrainingData", "fit_baseline"]
