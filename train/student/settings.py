"""How the student is trained: `[student.training]` of a configuration file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from leader_core.checks import problems_of
from leader_core.domain import Targets
from leader_core.errors import InputError
from train.schedule import Schedule

Alignment = Literal["official", "infonce", "off"]
ThresholdRule = Literal["validation", "fixed"]


@dataclass(frozen=True, slots=True)
class StudentTraining:
    """Schedule, losses and targets: `train/configs/default.toml` and `paper.toml` set them, and the values here fill what
    they leave out. Validation, selection and test use last visits only."""

    batch_size: int = 32
    learning_rate: float = 1e-3
    schedule: Schedule = "constant"  # of the learning rate over all `epochs`
    warmup: float = 0.0  # the share of all steps over which the rate rises from nothing
    epochs: int = 100
    patience: int = 10  # epochs without a strictly better validation PRAUC
    truth: float = 1.0  # weight of the prescriptions as targets
    probabilities: float = (
        0.0  # weight of the teacher's probabilities as targets; without states added to `truth`
    )
    alpha: float = 0.4  # weight of distillation; nothing to weigh without teacher states
    standardise_states: bool = (
        True  # bring each of the teacher's H values to mean 0 and variance 1 before use
    )
    beta: float = 0.005  # weight of alignment
    alignment: Alignment = "official"
    tau: float = 1.0  # temperature of alignment
    linear_rate: float = 6e-3  # learning rate of the linear path and the carry-over
    linear_penalty: float = (
        8e-4  # of the linear path's weights: this times the sum of their squares, divided by 2M
    )
    linear_dropout: float = 0.2  # share of a case's columns that a step leaves out
    linear_least: int = 30  # training cases that a column needs for a weight
    head_prior: bool = True  # start the last layer at the training cases' class frequencies
    targets: Targets = "last"  # "all": every visit teaches, with its past as history
    threshold_rule: ThresholdRule = "validation"
    threshold: float = 0.3  # used where the rule is "fixed"
    calibrate: bool = (
        False  # fit temperature, bias and conformal cut-offs on validation, and store them with the model
    )

    def __post_init__(self) -> None:
        problems = problems_of(
            self,
            at_least=dict.fromkeys(("batch_size", "epochs", "patience", "linear_least"), 1)
            | dict.fromkeys(("alpha", "beta", "probabilities", "linear_penalty", "threshold"), 0),
            above_zero=("learning_rate", "tau", "linear_rate", "truth"),
            below_one=("warmup", "linear_dropout"),
        )
        if self.threshold > 1:
            problems.append(f"threshold = {self.threshold}: expected 0 to 1")
        if problems:
            raise InputError("; ".join(problems))
