"""What the demo trains: every model of its table with label, settings and seeds, and where its files are.

A new ablation is one line in `STUDENTS`; a new baseline one in `train.baselines.BASELINES`.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import tomli_w

from leader_core.errors import InputError
from leader_core.files import write_text
from leader_core.student.config import PAPER_PROFILE
from train.baselines import BASELINES
from train.config import CONFIGS, Settings, load_settings, merge_tables

SEEDS: Final = (42, 43, 44)
SEED: Final = SEEDS[0]
CONFIG: Final = CONFIGS / "demo.toml"
FOLDS: Final = 2
"""Teachers of the cross-fitted states: each sees half of the training patients, and both cost as much as one."""
REAL: Final = "mimic3-demo"
SCORES: Final = "scores.parquet"

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


def _training(**values: Any) -> Overrides:
    return {"student": {"training": values}}


PUBLISHED: Final[Overrides] = {
    "student": {
        "dropout": 0.4,
        "recency": False,
        "current_apart": False,
        "code_text": False,
        "linear": False,
        "carry_over": False,
        "profile_fields": list(PAPER_PROFILE),
        "training": {
            "truth": 1.0,
            "probabilities": 0.0,
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
    StudentRow("student-no-linear", "Student - linear path", {"student": {"linear": False}}),
    StudentRow("student-no-carry-over", "Student - carry-over", {"student": {"carry_over": False}}),
    StudentRow(
        "student-no-probabilities",
        "Student - the teacher's probabilities",
        _training(truth=1.5, probabilities=0.0),
    ),
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
    StudentRow("student-no-titles", "Student - titles of codes", {"student": {"code_text": False}}),
    StudentRow(
        "student-five-fields",
        "Student - age band and gender",
        {"student": {"profile_fields": list(PAPER_PROFILE)}},
    ),
    StudentRow("student-no-profile", "Student - the whole profile", {"student": {"profile_fields": []}}),
    StudentRow("student-published", "Student, as published (our schedule)", PUBLISHED),
)
CALIBRATED: Final[Mapping[str, str]] = {
    "teacher": "Teacher, calibrated",
    "student": "Student, distilled, calibrated",
}
"""Which rows are also shown calibrated (as "NAME-calibrated"): nothing is trained for it."""
REFERENCE: Final = "student"
"""The row that every other one is compared with."""

EVERYWHERE: Final = "student-linear-everywhere"
"""The reference judged on another hospital's patients as if its linear path were of use there; nothing is trained for it."""

LABELS: Final[Mapping[str, str]] = {
    "teacher": "Teacher",
    **{row.name: row.label for row in STUDENTS},
    EVERYWHERE: "Student, linear path on here as well",
    **{f"{name}-calibrated": label for name, label in CALIBRATED.items()},
    **{name: baseline.label for name, baseline in reversed(list(BASELINES.items()))},
}
"""Every row, in the order of the table."""


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """One run: what it makes and where its files are."""

    build: Path
    real: bool  # whether the open MIMIC-III demo is evaluated on as well
    device: str
    teacher_seeds: tuple[int, ...]
    rows: frozenset[str] = frozenset(LABELS)

    @property
    def cohort(self) -> Path:
        return self.build / "cohort.duckdb"

    @property
    def real_result(self) -> Path:
        """What was learned from the real patients alone."""
        return self.build / "realdata.json"

    def cohorts(self) -> Mapping[str, tuple[Path, str]]:
        """What models are evaluated on: name -> file and split."""
        real = {REAL: (self.build / f"{REAL}.duckdb", "all")} if self.real else {}
        return {"synthetic": (self.cohort, "test"), **real}

    def seeds(self, row: str) -> tuple[int, ...]:
        """The seeds that a row is the mean of."""
        if row.startswith("teacher"):
            return self.teacher_seeds
        if row in BASELINES and not BASELINES[row].seeded:
            return SEEDS[:1]  # another seed would change nothing
        return SEEDS

    def folder(self, row: str, seed: int) -> Path:
        """A model, or a baseline's scores."""
        return self.build / "models" / (REFERENCE if row == EVERYWHERE else row) / str(seed)

    def stored_scores(self, row: str, seed: int, on: str) -> Path:
        """The file of a teacher's or baseline's scores on a cohort."""
        if row.startswith("teacher"):
            return self.build / "scores" / f"{row}-{seed}-{on}.parquet"
        folder = self.folder(row, seed)
        return folder / SCORES if on == "synthetic" else folder / REAL / SCORES


def named_rows(text: str) -> frozenset[str]:
    """Rows by name, separated by commas, and the one that all are compared with.

    Raises:
        InputError: a name that no row has.
    """
    names = {name.strip() for name in text.split(",")} - {""}
    if unknown := sorted(names - set(LABELS)):
        raise InputError(
            f"--rows {text}: the demo has no row {', '.join(unknown)}. Expected any of {', '.join(LABELS)}."
        )
    return frozenset(names | {REFERENCE})


def settings_of(row: StudentRow, build: Path) -> tuple[Path, Settings]:
    """A configuration file for a student, written under `build`, and its settings."""
    if not row.overrides:
        return CONFIG, load_settings(str(CONFIG))
    path = build / "configs" / row.name / CONFIG.name
    record = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    write_text(path, tomli_w.dumps(merge_tables(record, row.overrides)))
    return path, load_settings(str(path))


def changed_fields(settings: Any) -> dict[str, Any]:
    """The fields of a settings dataclass that are not at their default: a new field at its default changes nothing."""
    return {
        f.name: getattr(settings, f.name)
        for f in dataclasses.fields(settings)
        if getattr(settings, f.name) != f.default
    }
