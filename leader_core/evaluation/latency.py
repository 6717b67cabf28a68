"""How large a model is and how quickly it answers, measured on this machine: nothing here is a stored figure.

Refuses to know who shows the figures. Times are wall-clock, one case at a time, as a person at the page waits.
"""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from leader_core.domain import Case, ModelName
from leader_core.errors import ArtifactError, InputError

if TYPE_CHECKING:
    from leader_core.engine import Engine

WEIGHTS: Final = "model.safetensors"
_HEADER: Final = 100_000_000  # bytes; a longer header is no safetensors file

Tell = Callable[[int, int, str], None]
"""Called with what is done, of how much, and what comes next; it may raise to stop the work."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a model folder holds."""

    parameters: int  # in the folder: of a teacher the adapter and the head, not its base
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
    resident_bytes: (
        int | None
    )  # of this process, with every model that it holds; None where it cannot be told
    device: str
    cores: int
    measured_at: datetime  # UTC


def folder_size(folder: Path) -> Size:
    """Parameters and bytes of a model folder, from the weights' header: no tensor is read.

    Raises:
        ArtifactError: the weights are not there or are no safetensors file.
    """
    path = Path(folder) / WEIGHTS
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header: Any = json.loads(stream.read(length)) if 0 < length < _HEADER else None
        tensors = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
        total = sum(file.stat().st_size for file in path.parent.iterdir() if file.is_file())
        return Size(sum(math.prod(shape) for shape in tensors), total)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(f"{path} cannot be read as weights ({error}). Train the model again.") from error


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed (nearest rank).

    >>> percentile([4.0, 1.0, 3.0, 2.0], 0.5), percentile([1.0, 2.0, 3.0], 0.95)
    (2.0, 3.0)
    """
    if not values:
        raise InputError("No value to take a percentile of: measure at least one case.")
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked) - 1e-9) - 1)]


def measure(
    engine: Engine,
    models: Sequence[ModelName],
    cases: Sequence[Case],
    tell: Tell | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Measured:
    """Let each model answer each case alone, after one answer that is not counted.

    Raises:
        InputError: no case.
        NotFoundError: a model that is not there.
    """
    if not cases:
        raise InputError("Nothing to measure on: expected at least one case.")
    found = []
    total, done = len(models) * len(cases), 0
    for model in models:
        engine.recommend(cases[0], model)
        spent = []
        for case in cases:
            if tell is not None:
                tell(done, total, f"{model}, case {done % len(cases) + 1} of {len(cases)}")
            began = clock()
            engine.recommend(case, model)
            spent.append(1000 * (clock() - began))
            done += 1
        found.append(Latency(model, len(cases), percentile(spent, 0.5), percentile(spent, 0.95), max(spent)))
    return Measured(
        tuple(found), resident_bytes(), device_name(engine.device), os.cpu_count() or 1, datetime.now(UTC)
    )


def resident_bytes() -> int | None:
    """Memory that this process holds now; where only the most it ever held is known, that; None where neither is."""
    try:
        with Path("/proc/self/status").open(encoding="utf-8") as stream:
            line = next((each for each in stream if each.startswith("VmRSS:")), "")
        return int(line.split()[1]) * 1024
    except (OSError, IndexError, ValueError):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return (most if sys.platform == "darwin" else most * 1024) or None


def device_name(asked: str) -> str:
    """The device that a model asked for by this name runs on, in words."""
    import torch

    if asked != "cpu" and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    threads = torch.get_num_threads()
    return f"CPU ({platform.machine()}), {threads} {'thread' if threads == 1 else 'threads'}"
