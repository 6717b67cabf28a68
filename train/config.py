"""Settings of every training step, as typed dataclasses read from TOML and validated once.

A preset is a file in `train/configs/`: `default` (our recommendation) or `paper` (the published behaviour). Any other
file says only what differs from `default`, or from the preset that its first line names: `extends = "paper"`.
Every problem in a file is collected and raised together, naming the fields.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from leader_core.config_checks import problems_of
from leader_core.domain import Targets
from leader_core.errors import InputError
from leader_core.student.config import StudentConfig
from leader_core.teacher.config import TeacherConfig

Schedule = Literal["linear", "cosine", "constant"]
DEFAULT_SEED: Final = 42
"""The seed of every command that is given none."""
CONFIGS: Final = Path(__file__).parent / "configs"
PRESETS: Final[tuple[str, ...]] = ("default", "paper")

Selection = Literal["best", "last"]
ThresholdRule = Literal["validation", "fixed"]
Alignment = Literal["official", "infonce", "off"]


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
    weight_decay: float = 0.0  # of the network's matrices, times the learning rate, as AdamW does it
    linear_rate: float = 6e-3  # learning rate of the linear path and the carry-over
    linear_penalty: float = (
        8e-4  # of the linear path's weights: this times the sum of their squares, divided by 2M
    )
    linear_dropout: float = 0.2  # share of a case's columns that a step leaves out
    code_dropout: float = 0.0  # share of codes that an epoch does not read
    history_dropout: float = 0.0  # share of cases that an epoch reads as a first visit
    less_detail: float = 0.0  # share of diagnoses that an epoch reads with no more detail than ICD-9-CM has
    linear_least: int = 30  # training cases that a column needs for a weight
    category_least: int = 30  # training cases that a category needs, over all its codes
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
            at_least=dict.fromkeys(("batch_size", "epochs", "patience", "linear_least", "category_least"), 1)
            | dict.fromkeys(
                ("alpha", "beta", "probabilities", "weight_decay", "linear_penalty", "threshold"), 0
            ),
            above_zero=("learning_rate", "tau", "linear_rate", "truth"),
            below_one=("warmup", "linear_dropout", "code_dropout", "history_dropout", "less_detail"),
        )
        if self.threshold > 1:
            problems.append(f"threshold = {self.threshold}: expected 0 to 1")
        if problems:
            raise InputError("; ".join(problems))


@dataclass(frozen=True, slots=True)
class Settings:
    """One TOML file: `[teacher]`, `[teacher.training]`, `[student]`, `[student.training]`."""

    preset: str
    seed: int = 42
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    teacher_training: TeacherTraining = field(default_factory=TeacherTraining)
    student: StudentConfig = field(default_factory=StudentConfig)
    student_training: StudentTraining = field(default_factory=StudentTraining)


def load_settings(name: str, *, seed: int | None = None) -> Settings:
    """Settings of a preset or of a TOML file.

    Raises:
        InputError: file missing, not TOML, or with unknown fields or wrong values (all listed).
    """
    path = CONFIGS / f"{name}.toml" if name in PRESETS else Path(name)
    record = _read(path)
    if name not in PRESETS:
        base = record.pop("extends", "default")
        if base not in PRESETS:
            raise InputError(f"{path}: extends = {base!r}: expected {' or '.join(map(repr, PRESETS))}.")
        record = merge_tables(_read(CONFIGS / f"{base}.toml"), record)
    problems: list[str] = []
    teacher = _table(record, "teacher", problems)
    student = _table(record, "student", problems)
    built: dict[str, Any] = {
        "teacher_training": _build(
            TeacherTraining, _table(teacher, "training", problems), "teacher.training", problems
        ),
        "student_training": _build(
            StudentTraining, _table(student, "training", problems), "student.training", problems
        ),
        "teacher": _build(TeacherConfig, teacher, "teacher", problems),
        "student": _build(StudentConfig, student, "student", problems),
    }
    file_seed = record.pop("seed", 42)
    if not isinstance(file_seed, int):
        problems.append(f"seed: expected a whole number, found {file_seed!r}")
    problems += [
        f"{key}: unknown; expected seed, [teacher] or [student]"
        for key in record
        if key not in ("teacher", "student")
    ]
    if problems:
        raise InputError(f"{path}: {len(problems)} problem(s): " + "; ".join(problems) + ".")
    return Settings(preset=path.stem, seed=file_seed if seed is None else seed, **built)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(
            f"No configuration {str(path)!r}: expected {' or '.join(map(repr, PRESETS))}, or a TOML file's path."
        )
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}.") from error


def merge_tables(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over` in their place, table by table."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, Mapping):
            value = merge_tables(below, value)
        merged[key] = value
    return merged


def _table(record: dict[str, Any], name: str, problems: list[str]) -> dict[str, Any]:
    """Take the sub-table `name`; the top level keeps its own tables so that unknown ones are reported."""
    value = record.get(name, {}) if name != "training" else record.pop(name, {})
    if not isinstance(value, dict):
        problems.append(f"{name}: expected a table")
        return {}
    return value


def _build(cls: type, values: Mapping[str, Any], where: str, problems: list[str]) -> Any:
    """An instance of a settings dataclass; wrong names and types are added to `problems`."""
    hints = typing.get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]
    accepted: dict[str, Any] = {}
    for key, value in values.items():
        if key not in names:
            problems.append(f"{where}.{key}: unknown; expected any of {', '.join(names)}")
        elif not _matches_type(value, hints[key]):
            problems.append(f"{where}.{key}: expected {hints[key]}, found {value!r}")
        else:
            accepted[key] = tuple(value) if isinstance(value, list) else value
    try:
        return cls(**accepted)
    except InputError as error:
        problems.append(f"{where}: {error}")
        return cls()


def _matches_type(value: Any, hint: Any) -> bool:
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if origin is tuple:
        return isinstance(value, list) and all(
            _matches_type(item, typing.get_args(hint)[0]) for item in value
        )
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def rate_factor(step: int, total: int, warmup: float, schedule: Schedule) -> float:
    """The share of the learning rate at a step: a linear warm-up, then linear, cosine or constant."""
    rise = round(warmup * total)
    if step < rise:
        return (step + 1) / (rise + 1)
    done = (step - rise) / max(1, total - rise)
    if schedule == "constant":
        return 1.0
    return 1.0 - done if schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))
