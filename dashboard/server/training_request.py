"""What somebody asks of a training run: its settings, as the command's configuration file and as plain words.

Refuses to know how a run is started or followed, and what the settings do to a network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from dashboard.shared.formatting import listing
from leader_core import InputError

PRESETS: Final[Mapping[str, str]] = {"default": "Ours (default)", "paper": "As published (paper)"}
MOST_EPOCHS: Final = 500

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Addition:
    """One switch of the student: what it is called, and what the configuration says with and without it."""

    label: str
    short: str
    on: tuple[Values, Values]  # of [student] and of [student.training]
    off: tuple[Values, Values]


ADDITIONS: Final[Mapping[str, Addition]] = {
    "recency": Addition("Recency of visits", "recency", ({"recency": True}, {}), ({"recency": False}, {})),
    "current": Addition(
        "Current visit apart",
        "current visit apart",
        ({"current_apart": True}, {}),
        ({"current_apart": False}, {}),
    ),
    "titles": Addition("Titles of codes", "titles", ({"code_text": True}, {}), ({"code_text": False}, {})),
    "visits": Addition(
        "Every visit teaches", "every visit", ({}, {"targets": "all"}), ({}, {"targets": "last"})
    ),
    "calibrate": Addition(
        "Calibrated probabilities", "calibrated", ({}, {"calibrate": True}), ({}, {"calibrate": False})
    ),
    "no-profile": Addition("Without the profile", "no profile", ({"profile_fields": []}, {}), ({}, {})),
}
"""What each does stands in the specification of the method; the command checks the values again."""

USUAL: Final[Mapping[str, tuple[str, ...]]] = {
    "default": ("recency", "current", "titles", "visits", "calibrate"),
    "paper": ("calibrate",),
}
"""What is switched on at first: the preset's own additions (a test compares), and probabilities that mean something."""


@dataclass(frozen=True, slots=True)
class Request:
    """A student to train.

    Raises:
        InputError: values out of range, all of them named.
    """

    preset: str = "default"
    epochs: int = 12
    patience: int = 12
    seed: int = 42
    distilled: bool = False
    additions: tuple[str, ...] = USUAL["default"]

    def __post_init__(self) -> None:
        problems = []
        if self.preset not in PRESETS:
            problems.append(f"preset {self.preset!r}: expected {' or '.join(map(repr, PRESETS))}")
        problems += [
            f"{name} {getattr(self, name)}: expected 1 to {MOST_EPOCHS}"
            for name in ("epochs", "patience")
            if not 1 <= getattr(self, name) <= MOST_EPOCHS
        ]
        if not 0 <= self.seed < 2**31:
            problems.append(f"seed {self.seed}: expected 0 to {2**31 - 1}")
        if strange := [name for name in self.additions if name not in ADDITIONS]:
            problems.append(f"unknown additions {', '.join(strange)}")
        if problems:
            raise InputError("; ".join(problems) + ".")

    @property
    def name(self) -> str:
        """Short enough for the frame of every page: what sets this student apart."""
        usual, given = set(USUAL[self.preset]), set(self.additions)
        parts = [f" + {ADDITIONS[key].short}" for key in ADDITIONS if key in given - usual]
        parts += [f" - {ADDITIONS[key].short}" for key in ADDITIONS if key in usual - given]
        return f"{self.preset}{''.join(parts)}, seed {self.seed}"

    @property
    def sentence(self) -> str:
        """Everything that was asked for."""
        added = listing(ADDITIONS[key].label.lower() for key in self.additions) or "no additions"
        return (
            f"{PRESETS[self.preset]}, {'distilled' if self.distilled else 'undistilled'}, {added}; at most "
            f"{self.epochs} epochs, patience {self.patience}, seed {self.seed}"
        )

    @property
    def file_name(self) -> str:
        """The configuration's name: the manifest keeps it as the preset."""
        return "+".join([self.preset, *(key for key in ADDITIONS if key in self.additions)]) + ".toml"

    def toml(self) -> str:
        """The configuration file that the command reads; it says every addition, whatever the preset has."""
        student: dict[str, Any] = {}
        training: dict[str, Any] = {"epochs": self.epochs, "patience": self.patience}
        for key, addition in ADDITIONS.items():
            own, taught = addition.on if key in self.additions else addition.off
            student.update(own)
            training.update(taught)
        lines = [f'extends = "{self.preset}"', f"seed = {self.seed}", "", "[student]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in student.items()]
        lines += ["", "[student.training]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in training.items()]
        return "\n".join(lines) + "\n"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: a record of another shape.
        """
        try:
            return cls(**{**record, "additions": tuple(record["additions"])})
        except (TypeError, KeyError) as error:
            raise InputError(f"This is no training request ({error}).") from error
