"""What this server serves: which cohort, which models, on which device. Read from the environment, once, on demand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast

from leader_core import InputError

ROOT: Final = Path(__file__).resolve().parents[2]
DEFAULT_COHORT: Final = ROOT / "build" / "demo" / "cohort.duckdb"
DEFAULT_MODELS: Final = ROOT / "assets" / "demo" / "models"

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The server's inputs; paths need not exist yet (the pages say so when they don't)."""

    cohort: Path = DEFAULT_COHORT
    models: Path = DEFAULT_MODELS
    device: Device = "auto"
    workspace: Path | None = None  # by default next to the cohort
    runs: Path | None = (
        None  # where models trained from the page are stored; by default next to the workspace
    )
    states: Path | None = None  # stored states of the teacher, for distilled students
    training: bool = False  # whether the page may start trainings


def read_settings(environ: Mapping[str, str] | None = None) -> ServerSettings:
    """Settings from LEADER_COHORT, LEADER_MODELS, LEADER_DEVICE, LEADER_WORKSPACE, LEADER_RUNS, LEADER_STATES and
    LEADER_TRAINING; unset ones take the demo's values.

    Raises:
        InputError: an unknown device, or training neither on nor off.
    """
    given = os.environ if environ is None else environ
    device = given.get("LEADER_DEVICE", "").strip() or "auto"
    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"LEADER_DEVICE is {device!r}: expected 'auto', 'cpu' or 'cuda'. Set or unset it.")
    training = given.get("LEADER_TRAINING", "").strip().lower() or "off"
    if training not in ("on", "off"):
        raise InputError(f"LEADER_TRAINING is {training!r}: expected 'on' or 'off'. Set or unset it.")

    def named(key: str) -> Path | None:
        return Path(value) if (value := given.get(key, "").strip()) else None

    return ServerSettings(
        cohort=Path(given.get("LEADER_COHORT", "").strip() or DEFAULT_COHORT),
        models=Path(given.get("LEADER_MODELS", "").strip() or DEFAULT_MODELS),
        device=cast(Device, device),
        workspace=named("LEADER_WORKSPACE"),
        runs=named("LEADER_RUNS"),
        states=named("LEADER_STATES"),
        training=training == "on",
    )
