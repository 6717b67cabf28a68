"""What the demo trains: every model of its table, with its label, its settings and its seeds.

A new ablation is one line in `STUDENTS`; a new baseline registers itself. Refuses to know how anything is run.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from leader_core.errors import InputError
from leader_core.files import write_text
from leader_core.student.config import PAPER_PROFILE
from train.baselines.registry import SEEDED, BaselineName
from train.config import CONFIGS, Settings, load_settings

SEEDS: Final = (42, 43, 44)
CONFIG: Final = CONFIGS / "demo.toml"
FOLDS: Final = 2
"""Teachers of the cross-fitted states: each sees half of the training patients, and both cost as much as one."""

Overrides = Mapping[str, Any]  # as a TOML file would have them


@dataclass(frozen=True, slots=True)
class StudentRow:
    """A student of the table: what differs from `demo.toml`."""

    name: str
    label: str
    overrides: Overrides = field(default_factory=dict)
    states: Literal["states", "states-crossfitted", ""] = (
        "states"  # what it is distilled from; "" for nothing
    )
    times: float = 1.0  # its training time, in those of the plain student


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """A baseline of the table."""

    name: str
    label: str
    baseline: BaselineName
    targets: Literal["last", "all"] = "last"
    minutes: float = 0.3

    @property
    def seeds(self) -> tuple[int, ...]:
        """One where a seed changes nothing."""
        return SEEDS if self.baseline in SEEDED else SEEDS[:1]


def _training(**values: Any) -> Overrides:
    return {"student": {"training": values}}


PUBLISHED: Final[Overrides] = {
    "student": {
        "dropout": 0.4,
        "recency": False,
        "current_apart": False,
        "code_text": False,
        "profile_fields": list(PAPER_PROFILE),
        "training": {
            "targets": "last",
            "epochs": 15,  # as many steps as the others
            "patience": 15,
            "standardise_states": False,
            "head_prior": False,
            "threshold_rule": "fixed",
        },
    }
}
"""The published network, losses and cut-off, under our schedule; 100 epochs of batches of 4 would take hours each."""

STUDENTS: Final[tuple[StudentRow, ...]] = (
    StudentRow("student", "Student, distilled"),
    StudentRow("student-undistilled", "Student, undistilled", states=""),
    StudentRow("student-unaligned", "Student, no alignment", _training(alignment="off")),
    StudentRow(
        "student-crossfitted", f"Student, cross-fitted states ({FOLDS} folds)", states="states-crossfitted"
    ),
    StudentRow(
        "student-last-visits",
        "Student - earlier visits as targets",
        _training(targets="last", epochs=15, patience=15),
    ),
    StudentRow(
        "student-no-place",
        "Student - which visit is current",
        {"student": {"recency": False, "current_apart": False}},
    ),
    StudentRow(
        "student-no-titles", "Student - titles of codes", {"student": {"code_text": False}}, times=0.8
    ),
    StudentRow(
        "student-five-fields",
        "Student - age band and gender",
        {"student": {"profile_fields": list(PAPER_PROFILE)}},
    ),
    StudentRow("student-no-profile", "Student - the whole profile", {"student": {"profile_fields": []}}),
    StudentRow("student-published", "Student, as published (our schedule)", PUBLISHED, times=0.8),
)
BASELINE_ROWS: Final[tuple[BaselineRow, ...]] = (
    BaselineRow("gamenet", "GAMENet", "gamenet", "all", minutes=5),
    BaselineRow("retain", "RETAIN", "retain", "all", minutes=4),
    BaselineRow("logistic", "Logistic regression", "logistic", "all", minutes=4),
    BaselineRow("neighbours", "Nearest neighbours", "neighbours", minutes=0.5),
    BaselineRow("repeat", "Repeat last prescription", "repeat"),
    BaselineRow("popularity", "Popularity", "popularity"),
)
"""Those that are trained learn from every visit, as their papers have it and as our student does."""
CALIBRATED: Final[Mapping[str, str]] = {
    "teacher": "Teacher, calibrated",
    "student": "Student, distilled, calibrated",
}
"""Which rows are also shown calibrated (as "NAME-calibrated"): nothing is trained for it."""
REFERENCE: Final = "student"
"""The row that every other one is compared with."""

LABELS: Final[Mapping[str, str]] = {
    "teacher": "Teacher",
    **{row.name: row.label for row in STUDENTS},
    **{f"{name}-calibrated": label for name, label in CALIBRATED.items()},
    **{row.name: row.label for row in BASELINE_ROWS},
}


def named_rows(text: str) -> frozenset[str]:
    """Rows by name, separated by commas, and the one that all are compared with.

    Raises:
        InputError: a name that no row has.
    """
    names = {name.strip() for name in text.split(",")} - {""}
    if strange := sorted(names - set(LABELS)):
        raise InputError(
            f"--rows {text}: the demo has no row {', '.join(strange)}. Expected any of {', '.join(LABELS)}."
        )
    return frozenset(names | {REFERENCE})


def settings_of(row: StudentRow, build: Path) -> tuple[Path, Settings]:
    """A configuration file for a student, written under `build`, and what it says."""
    if not row.overrides:
        return CONFIG, load_settings(str(CONFIG))
    path = build / "configs" / row.name / CONFIG.name
    record = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    write_text(path, toml(_merged(record, row.overrides)))
    return path, load_settings(str(path))


def differing(settings: Any) -> dict[str, Any]:
    """The fields of a settings dataclass that are not at their default: a new field at its default changes nothing."""
    return {
        f.name: getattr(settings, f.name)
        for f in dataclasses.fields(settings)
        if getattr(settings, f.name) != f.default
    }


def toml(record: Mapping[str, Any], prefix: str = "") -> str:
    """Nested tables of plain values and lists of strings as TOML.

    >>> print(toml({"seed": 1, "student": {"recency": True, "training": {"targets": "all"}}}))
    seed = 1
    <BLANKLINE>
    [student]
    recency = true
    <BLANKLINE>
    [student.training]
    targets = "all"
    """
    plain = [f"{key} = {_value(value)}" for key, value in record.items() if not isinstance(value, Mapping)]
    parts = [f"[{prefix}]"] if prefix else []
    text = ["\n".join([*parts, *plain])] if plain or prefix else []
    for key, value in record.items():
        if isinstance(value, Mapping):
            text.append(toml(value, f"{prefix}.{key}" if prefix else key))
    return "\n\n".join(text)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = (
            _merged(below, value) if isinstance(below, dict) and isinstance(value, Mapping) else value
        )
    return merged
