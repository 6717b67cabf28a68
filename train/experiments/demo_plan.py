"""What the demo trains and what it is evaluated on: every row with label, settings and seeds, and where its files are.

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

from leader_core.cohort.raw_tables import open_raw
from leader_core.cohort.sources import SOURCES
from leader_core.domain import Targets
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
SCORES: Final = "scores.parquet"


@dataclass(frozen=True, slots=True)
class RealDemo:
    """An open data set of real patients, which no model is trained on."""

    name: str
    label: str
    note: str  # what a reader must know of it


REAL_DEMOS: Final[Mapping[str, RealDemo]] = {
    "mimic3": RealDemo(
        "mimic3-demo",
        "MIMIC-III Clinical Database Demo",
        "No independent check: while the synthetic hospital was made, its class frequencies and some habits of its prescribers "
        "were fitted to these tables.",
    ),
    "mimic4": RealDemo(
        "mimic4-demo",
        "MIMIC-IV Clinical Database Demo",
        "Untouched: no model was trained, calibrated or chosen on these patients.",
    ),
    "eicu": RealDemo(
        "eicu-demo",
        "eICU Collaborative Research Database Demo",
        "A hospital stay is a visit; there are no dates, so the order of a patient's stays is partly unknown.",
    ),
}
"""By the layout of their tables (`leader_core.cohort.sources.SOURCES`)."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The cases of one part of the table."""

    cohort: str  # a name of `DemoPlan.cohorts`
    title: str  # short
    split: str = "all"
    targets: Targets = "last"
    note: str = ""


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
    further: bool = False  # only on request: `--rows ablations`


def _training(**values: Any) -> Overrides:
    return {"student": {"training": values}}


AS_RECORDED: Final = {"code_dropout": 0.0, "history_dropout": 0.0, "less_detail": 0.0}

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
            **AS_RECORDED,
        },
    }
}
"""The published network, losses and cut-off, under our schedule; 100 epochs of batches of 4 would take hours each."""

STUDENTS: Final[tuple[StudentRow, ...]] = (
    StudentRow("student", "Student, distilled"),
    StudentRow("student-undistilled", "Student, undistilled", states=""),
    StudentRow("student-no-linear", "Student - linear path", {"student": {"linear": False}}),
    StudentRow(
        "student-no-categories",
        "Student - categories in the linear path",
        {"student": {"linear_categories": False}},
    ),
    StudentRow(
        "student-no-embedded",
        "Student - embeddings in the linear path",
        {"student": {"linear_embedded": False}},
    ),
    StudentRow("student-no-carry-over", "Student - carry-over", {"student": {"carry_over": False}}),
    StudentRow("student-no-augmentation", "Student - augmentation", _training(**AS_RECORDED)),
    StudentRow(
        "student-probabilities",
        "Student + the teacher's probabilities as targets",
        _training(truth=0.5, probabilities=1.0),
        further=True,
    ),
    StudentRow("student-unaligned", "Student, no alignment", _training(alignment="off"), further=True),
    StudentRow(
        "student-crossfitted",
        f"Student, cross-fitted states ({FOLDS} folds)",
        states="states-crossfitted",
        further=True,
    ),
    StudentRow(
        "student-last-visits",
        "Student - earlier visits as targets",
        _training(targets="last", epochs=15, patience=15),
        further=True,
    ),
    StudentRow(
        "student-no-place",
        "Student - which visit is current",
        {"student": {"recency": False, "current_apart": False}},
        further=True,
    ),
    StudentRow(
        "student-no-titles", "Student - titles of codes", {"student": {"code_text": False}}, further=True
    ),
    StudentRow(
        "student-five-fields",
        "Student - age band and gender",
        {"student": {"profile_fields": list(PAPER_PROFILE)}},
        further=True,
    ),
    StudentRow(
        "student-no-profile",
        "Student - the whole profile",
        {"student": {"profile_fields": []}},
        further=True,
    ),
    StudentRow("student-published", "Student, as published (our schedule)", PUBLISHED, further=True),
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

ORACLES: Final[Mapping[str, str]] = {
    "oracle": "Oracle: the generator's own probabilities",
    "oracle-current": "Oracle without history",
}
"""On the synthetic hospital alone: no model can be better but by chance."""

LABELS: Final[Mapping[str, str]] = {
    "teacher": "Teacher",
    **{row.name: row.label for row in STUDENTS},
    EVERYWHERE: "Student, linear path on here as well",
    **{f"{name}-calibrated": label for name, label in CALIBRATED.items()},
    **{name: baseline.label for name, baseline in reversed(list(BASELINES.items()))},
    **ORACLES,
}
"""Every row, in the order of the table."""

FURTHER: Final = "ablations"
FURTHER_ROWS: Final = frozenset(row.name for row in STUDENTS if row.further)
MAIN_ROWS: Final = frozenset(LABELS) - FURTHER_ROWS


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """One run: what it makes and where its files are."""

    build: Path
    real: tuple[str, ...]  # keys of `REAL_DEMOS` that are evaluated on as well
    device: str
    teacher_seeds: tuple[int, ...]
    rows: frozenset[str] = MAIN_ROWS

    @property
    def cohort(self) -> Path:
        return self.build / "cohort.duckdb"

    @property
    def real_result(self) -> Path:
        """What was learned from the real patients alone."""
        return self.build / "realdata.json"

    def real_cohort(self, source: str) -> Path:
        return self.build / f"{REAL_DEMOS[source].name}.duckdb"

    def cohorts(self) -> Mapping[str, Path]:
        """Name -> file."""
        return {"synthetic": self.cohort, **{REAL_DEMOS[s].name: self.real_cohort(s) for s in self.real}}

    def evaluations(self) -> Mapping[str, Evaluated]:
        """What models are evaluated on, in the order of the table."""
        parts = {"synthetic": Evaluated("synthetic", "synthetic test", "test")}
        for source in self.real:
            demo = REAL_DEMOS[source]
            title = f"{SOURCES[source].name} demo"
            parts[demo.name] = Evaluated(demo.name, title, note=demo.note)
            if source == "mimic4":
                parts[f"{demo.name}-visits"] = Evaluated(
                    demo.name, f"{title}, all visits", targets="all", note="Every visit with its past."
                )
        return parts

    def seeds(self, row: str) -> tuple[int, ...]:
        """The seeds that a row is the mean of."""
        if row.startswith("teacher"):
            return self.teacher_seeds
        once = row in ORACLES or (row in BASELINES and not BASELINES[row].seeded)
        ablation = row in {each.name for each in STUDENTS} - {REFERENCE}
        return SEEDS[:1] if once or ablation else SEEDS

    def folder(self, row: str, seed: int) -> Path:
        """A model, or a baseline's scores."""
        return self.build / "models" / (REFERENCE if row == EVERYWHERE else row) / str(seed)

    def stored_scores(self, row: str, seed: int, cohort: str) -> Path:
        """The file of a teacher's or baseline's scores: the test split's last visits, or all visits of real patients."""
        if row.startswith("teacher"):
            return self.build / "scores" / f"teacher-{seed}-{cohort}.parquet"
        folder = self.folder(row, seed)
        return folder / SCORES if cohort == "synthetic" else folder / cohort / SCORES

    def sections(self, name: str) -> Path:
        """What the parts of a case are worth to a teacher or student."""
        return self.build / f"sections-{name}.json"


def named_rows(text: str) -> frozenset[str]:
    """Rows by name, separated by commas ("ablations" names all that are made on request), and the reference.

    Raises:
        InputError: a name that no row has.
    """
    names = {name.strip() for name in text.split(",")} - {""}
    if FURTHER in names:
        names = (names - {FURTHER}) | FURTHER_ROWS
    if unknown := sorted(names - set(LABELS)):
        raise InputError(
            f"--rows {text}: the demo has no row {', '.join(unknown)}. Expected {FURTHER}, or any of {', '.join(LABELS)}."
        )
    return frozenset(names | {REFERENCE})


def real_demos(folder: Path) -> dict[str, Path]:
    """Source -> folder of each open demo in a folder: its own tables, or those of the folders in it.

    Raises:
        InputError: no demo there, or two in one layout.
    """
    found: dict[str, Path] = {}
    problem = ""
    for path in (*sorted(each for each in folder.iterdir() if each.is_dir()), folder):
        if path == folder and found:
            break
        try:
            source = open_raw(path).source
        except InputError as error:  # tables of something else
            problem = str(error)
            continue
        if source in found:
            raise InputError(
                f"--real {folder}: {found[source].name} and {path.name} both have {SOURCES[source].name}'s layout. "
                "Keep one of them there, or name a folder that holds one."
            )
        found[source] = path
    if not found:
        raise InputError(
            f"--real {folder}: no demo of {', '.join(SOURCES[s].name for s in REAL_DEMOS)} there, nor in its folders "
            f"({problem})"
        )
    return {source: found[source] for source in REAL_DEMOS if source in found}


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
