"""Settings of every training step, as typed dataclasses read from TOML and validated once.

A preset is a file in `train/configs/`: `default` (our recommendation) or `paper` (the published behaviour). Any other
file says only what differs from `default`, or from the preset that its first line names: `extends = "paper"`.
Every problem in a file is collected and raised together, naming the fields.
"""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from leader_core.errors import InputError
from leader_core.student.config import StudentConfig
from leader_core.teacher.config import TeacherConfig
from train.student.settings import StudentTraining
from train.teacher.settings import TeacherTraining

DEFAULT_SEED: Final = 42
"""The seed of every command that is given none."""
CONFIGS: Final = Path(__file__).parent / "configs"
PRESETS: Final[tuple[str, ...]] = ("default", "paper")


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
