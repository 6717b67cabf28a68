"""How a teacher is trained, as typed values validated once: section `[teacher.training]` of a TOML file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from leader_core.checks import problems_of
from leader_core.domain import Targets
from leader_core.errors import InputError
from train.schedule import Schedule

Selection = Literal["best", "last"]


@dataclass(frozen=True, slots=True)
class TeacherTraining:
    """AdamW over adapter and head; selection by the mean average precision of validation cases (PRAUC)."""

    targets: Targets = "all"  # which visits teach: every one with its past, or each patient's last
    epochs: float = 3.0
    steps: int = 0  # where above 0, instead of epochs
    batch_size: int = 32  # cases an optimiser step
    pass_tokens: int = (
        4096  # padded tokens in one forward and backward pass; a step takes as many as it needs
    )
    learning_rate: float = 1e-3  # of the adapter
    head_learning_rate: float = 3e-3  # of the head
    weight_decay: float = 0.0
    warmup: float = 0.03  # share of the steps
    schedule: Schedule = "cosine"
    clip: float = 1.0  # largest gradient norm; 0 = no clipping
    head_prior: bool = True  # start the head at the training cases' class frequencies
    gradient_checkpointing: bool = False
    evaluations: float = 2.0  # an epoch
    validation_cases: int = 0  # in each evaluation while training; 0 = all
    patience: int = 0  # evaluations without improvement before stopping; 0 = never stop early
    selection: Selection = "best"  # which weights are stored: of the best evaluation, or the last ones
    threshold: float = (
        0.0  # cut-off stored with the model; 0 = chosen on validation for the best mean Jaccard
    )
    save_every: int = 50  # steps between states that --resume continues from

    def __post_init__(self) -> None:
        problems = problems_of(
            self,
            at_least=dict.fromkeys(("batch_size", "pass_tokens", "save_every"), 1)
            | dict.fromkeys(("steps", "weight_decay", "clip", "validation_cases", "patience"), 0),
            above_zero=("learning_rate", "head_learning_rate", "evaluations"),
            below_one=("warmup", "threshold"),
        )
        if self.epochs <= 0 and self.steps == 0:
            problems.append(f"epochs = {self.epochs}: expected more than 0, or steps above 0")
        if problems:
            raise InputError("; ".join(problems))

    def total_steps(self, cases: int) -> int:
        """Optimiser steps over `cases` training cases."""
        return self.steps or max(1, round(self.epochs * cases / self.batch_size))

    def steps_between_evaluations(self, cases: int) -> int:
        """Optimiser steps from one evaluation to the next."""
        return max(1, round(cases / self.batch_size / self.evaluations))
