"""Checks of a served model on this machine: is it what was trained, how large is it, and how quickly does it answer.

Each check is one line that a person can read; nothing is repaired and nothing here is a stored number. Times are
wall-clock, one case at a time, as a person at the page waits.
"""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from safetensors import SafetensorError, safe_open

from leader_core.domain import Case, ModelName, Recommendation
from leader_core.errors import ArtifactError, InputError, LeaderError
from leader_core.files import sha256_file
from leader_core.model_folder import MANIFEST, Manifest

if TYPE_CHECKING:
    from leader_core.engine import Engine
    from leader_core.model_card import ModelCard

SAME: Final = 1e-6  # between two answers to the same case
TOGETHER: Final = 1e-3  # between an answer alone and one in a batch: sums in another order
STORED: Final = 2e-3  # between an answer now and a stored one, of batches and perhaps another device
WEIGHTS: Final = "model.safetensors"

CheckProgress = Callable[[int, int, str], None]
"""Called with what is done, of how much, and what comes next; it may raise to stop the work."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a self-check."""

    model: ModelName
    name: str
    passed: bool
    text: str


def self_check(
    engine: Engine,
    models: Sequence[ModelName],
    progress: CheckProgress | None = None,
    cases: Sequence[Case] | None = None,
) -> tuple[Check, ...]:
    """Every check of every model, failures among them; nothing is raised for a model that is broken.

    Args:
        progress: called before each check with what is done, of how much, and what comes next; it may raise to stop.
        cases: two cases to answer; by default the first two of the cohort.
    """
    if cases is None:
        from leader_core.cohort import PatientQuery

        rows = engine.cohort.patients(PatientQuery(page_size=2)).rows
        cases = [engine.cohort.case(row.patient_id) for row in rows]
    total = sum(len(_files(engine.models[name])) + 2 for name in models)
    checks: list[Check] = []
    for name in models:
        card = engine.models[name]
        for part in (_hashes(card), _fit(engine, card), _answers(engine, card, cases)):
            try:
                for check in part:
                    checks.append(check)
                    if progress is not None:
                        progress(min(len(checks), total), total, f"{name}: {check.name}")
            except LeaderError as error:
                checks.append(Check(name, "Answers", False, str(error)))
    return tuple(checks)


def _files(card: ModelCard) -> dict[str, str]:
    return dict(card.manifest.files) if card.manifest else {}


def _hashes(card: ModelCard) -> Iterator[Check]:
    """One line per file, read from the disk now."""
    check = partial(Check, card.name)
    if card.manifest is None:
        yield check(MANIFEST, False, card.error or f"There is no {card.name}.")
    for name, expected in sorted(_files(card).items()):
        path = Path(card.folder) / name
        if not path.is_file():
            yield check(name, False, "The file is missing, but the manifest lists it.")
        elif (digest := sha256_file(path)) == expected:
            yield check(name, True, f"sha256 {digest[:16]}…, as the manifest says")
        else:
            yield check(name, False, f"Changed: sha256 {digest[:16]}…, expected {expected[:16]}….")


def _fit(engine: Engine, card: ModelCard) -> Iterator[Check]:
    """Whether the model knows this cohort's medications."""
    if card.manifest is None:
        return
    trained, here = card.manifest.cohort, engine.cohort.fingerprint
    same_level = trained.atc_level == here.atc_level
    if not same_level:
        text = f"It names medications at ATC level {trained.atc_level}, the cohort at level {here.atc_level}."
    elif trained.digest == here.digest:
        text = f"Trained on this very cohort ({here.digest[:16]}…)"
    else:
        text = f"Same ATC level ({here.atc_level}); trained on another cohort: {trained.label}"
    yield Check(card.name, "Fit to the cohort", same_level, text)


def _answers(engine: Engine, card: ModelCard, cases: Sequence[Case]) -> Iterator[Check]:
    """Whether answers are probabilities, hold still, follow the case, and agree with stored ones."""
    if not card.available or card.manifest is None:
        return
    name, check = card.name, partial(Check, card.name)
    if not cases:
        yield check("Answers", False, "The cohort has no case to answer.")
        return
    first = engine.recommend(cases[0], name)
    values = [m.probability for m in first.medications]
    sound = bool(values) and all(math.isfinite(v) and 0 <= v <= 1 for v in values)
    text = f"{len(values)} probabilities between 0 and 1" if sound else "Some scores are no probabilities."
    yield check("Scores", sound, text)
    gap = _gap(first, engine.recommend(cases[0], name))
    yield check("Same case twice", gap <= SAME, _difference(gap, SAME))
    pair = engine.recommend_many(tuple(cases[:2]), name)
    gap = _gap(first, pair[0])
    yield check("Alone and with another case", gap <= TOGETHER, _difference(gap, TOGETHER))
    change = _gap(first, engine.recommend(_other(cases), name))
    follows = change > SAME
    text = f"Scores change by up to {change:.2g}" if follows else "Two different cases get the same scores."
    yield check("Another case", follows, text)
    yield from _stored(engine, card.manifest, name, cases[0], first)


def _stored(
    engine: Engine, manifest: Manifest, name: ModelName, case: Case, now: Recommendation
) -> Iterator[Check]:
    """Against the scores stored next to the cohort, where these weights computed them."""
    store = engine.cohort.scores
    scored = store.models.get(name) if store is not None else None
    if scored is None or scored.digest != manifest.digest:
        return
    stored = engine.stored(case, name)
    if stored is not None:
        gap = _gap(now, stored)
        yield Check(
            name, f"Scores stored on {scored.scored_at:%Y-%m-%d}", gap <= STORED, _difference(gap, STORED)
        )


def _other(cases: Sequence[Case]) -> Case:
    """A second case; where there is none, the first without its diagnoses but one."""
    if len(cases) > 1:
        return cases[1]
    current = cases[0].current
    return replace(cases[0], history=(), current=replace(current, diagnoses=current.diagnoses[:1]))


def _gap(one: Recommendation, other: Recommendation) -> float:
    """The largest difference between two sets of scores; infinite where they name different classes."""
    first = {m.code: m.probability for m in one.medications}
    second = {m.code: m.probability for m in other.medications}
    if first.keys() != second.keys():
        return math.inf
    return max((abs(first[code] - second[code]) for code in first), default=math.inf)


def _difference(gap: float, allowed: float) -> str:
    if gap == math.inf:
        return "The two answers name different classes."
    if gap == 0:
        return "Not the least difference"
    return f"Largest difference {gap:.2g}, {'within' if gap <= allowed else 'more than'} {allowed:g}"


@dataclass(frozen=True, slots=True)
class Size:
    """What a model folder holds."""

    parameters: int  # in the folder: of a teacher the adapter and the head, not its base
    head: int  # of these the ones of a teacher's scoring head
    bytes_on_disk: int


@dataclass(frozen=True, slots=True)
class Latency:
    """One model's answers to some cases, one at a time."""

    model: ModelName
    cases: int
    p50_ms: float
    p95_ms: float
    slowest_ms: float


@dataclass(frozen=True, slots=True)
class Measured:
    """Latencies of some models on this machine."""

    latencies: tuple[Latency, ...]
    resident_bytes: int  # of this process, with every model that it holds
    device: str
    cores: int
    measured_at: datetime  # UTC


def folder_size(folder: Path) -> Size:
    """Parameters and bytes of a model folder, from the weights' header: no tensor is read.

    Raises:
        ArtifactError: the weights are not there or are no safetensors file.
    """
    path = Path(folder) / WEIGHTS
    counts = _parameters(path)
    total = sum(file.stat().st_size for file in path.parent.iterdir() if file.is_file())
    head = sum(number for name, number in counts.items() if name.startswith("head."))
    return Size(sum(counts.values()), head, total)


def base_parameters(base: str) -> int:
    """Parameters of the pretrained base that a teacher stands on.

    Raises:
        NotFoundError: the base is not on this machine.
        ArtifactError: its weights cannot be read.
    """
    from leader_core.teacher.base import find_base
    from leader_core.teacher.base_check import weight_files

    return sum(sum(_parameters(path).values()) for path in weight_files(find_base(base).folder))


def _parameters(path: Path) -> dict[str, int]:
    """The size of each tensor of a safetensors file."""
    try:
        with safe_open(path, framework="np") as file:
            return {name: math.prod(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f"{path} cannot be read as weights ({error}). Train the model again.") from error


def measure(
    engine: Engine,
    models: Sequence[ModelName],
    cases: Sequence[Case],
    progress: CheckProgress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Measured:
    """Let each model answer each case alone, after one answer that is not counted.

    Raises:
        InputError: no case.
        NotFoundError: a model that is not there.
    """
    if not cases:
        raise InputError("Nothing to measure on: expected at least one case.")
    latencies = []
    total, done = len(models) * len(cases), 0
    for model in models:
        engine.recommend(cases[0], model)
        spent = []
        for case in cases:
            if progress is not None:
                progress(done, total, f"{model}, case {done % len(cases) + 1} of {len(cases)}")
            began = clock()
            engine.recommend(case, model)
            spent.append(1000 * (clock() - began))
            done += 1
        p50, p95 = np.quantile(spent, (0.5, 0.95), method="inverted_cdf")  # values that occurred
        latencies.append(Latency(model, len(cases), float(p50), float(p95), max(spent)))
    import psutil  # slow to import

    resident = psutil.Process().memory_info().rss
    return Measured(
        tuple(latencies), resident, device_name(engine.device), os.cpu_count() or 1, datetime.now(UTC)
    )


def device_name(device: str) -> str:
    """The device that models given this name run on, in words."""
    import torch

    if device != "cpu" and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    threads = torch.get_num_threads()
    return f"CPU ({platform.machine()}), {threads} {'thread' if threads == 1 else 'threads'}"
