"""How the student is trained: `[student.training]` of a configuration file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from leader_core.errors import InputError
from train.schedule import Schedule

Targets = Literal["last", "all"]
ThresholdRule = Literal["validation", "fixed"]
Alignment = Literal["official", "infonce", "off"]


@dataclass(frozen=True, slots=True)
class StudentTraining:
    """Schedule, losses and targets, as `default.toml` has them. Validation, selection and test use last visits only."""

    batch_size: int = 32
    learning_rate: float = 1e-3
    schedule: Schedule = "constant"  # of the learning rate over all `epochs`
    warmup: float = 0.0  # the share of all steps over which the rate rises from nothing
    epochs: int = 100
    patience: int = 10  # epochs without a strictly better validation PRAUC
    alpha: float = 0.4  # weight of distillation; nothing to weigh without teacher states
    standardise_states: bool = (
        True  # bring each of the teacher's H values to mean 0 and variance 1 beforehand
    )
    beta: float = 0.005  # weight of alignment
    alignment: Alignment = "official"
    tau: float = 1.0  # temperature of alignment
    head_prior: bool = True  # start the last layer at the training cases' class frequencies
    targets: Targets = "last"  # "all": every visit teaches, with its past as history
    threshold_rule: ThresholdRule = "validation"
    threshold: float = 0.3  # used where the rule is "fixed"
    calibrate: bool = (
        False  # fit temperature, bias and conformal cut-offs on validation, and store them with the model
    )

    def __post_init__(self) -> None:
        problems = [
            f"{name} = {getattr(self, name)}: expected at least 1"
            for name in ("batch_size", "epochs", "patience")
            if getattr(self, name) < 1
        ]
        problems += [
            f"{name} = {getattr(self, name)}: expected more than 0"
            for name in ("learning_rate", "tau")
            if not getattr(self, name) > 0
        ]
        problems += [
            f"{name} = {getattr(self, name)}: expected 0 or more"
            for name in ("alpha", "beta")
            if not getattr(self, name) >= 0
        ]
        if not 0 <= self.threshold <= 1:
            problems.append(f"threshold = {self.threshold}: expected 0 to 1")
        if not 0 <= self.warmup < 1:
            problems.append(f"warmup = {self.warmup}: expected 0 or more and less than 1")
        choices = {
            "schedule": get_args(Schedule),
            "alignment": get_args(Alignment),
            "targets": get_args(Targets),
            "threshold_rule": get_args(ThresholdRule),
        }
        problems += [
            f"{name} = {getattr(self, name)!r}: expected one of {', '.join(values)}"
            for name, values in choices.items()
            if getattr(self, name) not in values
        ]
        if problems:
            raise InputError("; ".join(problems))
