"""What all benchmarks share: latencies, rates, peak memory of a part's own process, and the machine they ran on."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

MIB: Final = 1024 * 1024
WARM_UP: Final = 3
FEWEST_RUNS: Final = 20
FEWEST_TURNS: Final = 3


def latency(call: Callable[[Any], object], items: Sequence[Any], seconds: float) -> dict[str, Any]:
    """Call with one item after another, cyclically, for about `seconds` (and at least 20 times); times in milliseconds."""
    for item in items[:WARM_UP]:
        call(item)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < FEWEST_RUNS or time.perf_counter() < end:
        item = items[len(times) % len(items)]
        start = time.perf_counter()
        call(item)
        times.append(1000 * (time.perf_counter() - start))
    p50, p95 = np.percentile(times, [50, 95])
    return {"p50_ms": round(float(p50), 3), "p95_ms": round(float(p95), 3), "runs": len(times)}


def best_seconds(
    call: Callable[[], object], seconds: float, *, warm_up: bool = True, fewest: int = 2
) -> float:
    """The shortest of the runs that fit in `seconds`: what the code costs when nothing else disturbs it."""
    if warm_up:
        call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < fewest or time.perf_counter() < end:
        times.append(_seconds(call))
    return min(times)


def best_seconds_in_turns(
    first: Callable[[], object], second: Callable[[], object], seconds: float
) -> tuple[float, float]:
    """The shortest runs of each of two that are compared, one after the other in turns: a slower spell meets both."""
    times: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while len(times) < FEWEST_TURNS or time.perf_counter() < end:
        times.append((_seconds(first), _seconds(second)))
    one, other = zip(*times, strict=True)
    return min(one), min(other)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def rounded(value: float) -> float:
    """Four significant digits: more would be noise."""
    return float(f"{value:.4g}")


def isolated(module: str, *arguments: object) -> dict[str, Any]:
    """Call `run` of a part's module in a fresh process and add that process's peak memory."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(_measured, module, arguments).result()


def _measured(module: str, arguments: tuple[object, ...]) -> dict[str, Any]:
    part = importlib.import_module(module)
    before = peak_memory()
    result: dict[str, Any] = part.run(*arguments)
    return {
        **result,
        "peak_memory_mib": round(peak_memory() / MIB),
        "imports_memory_mib": round(before / MIB),
    }


def peak_memory() -> int:
    """The most memory this process has held, in bytes; what it holds now where the system does not keep a peak."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration, ValueError):
        return int(psutil.Process().memory_info().rss)


def machine() -> dict[str, Any]:
    """The machine that was measured."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": _processor(),
        "cores": available,
        "memory_gib": round(psutil.virtual_memory().total / MIB / 1024, 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "load_before": rounded(psutil.getloadavg()[0]),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):
        return platform.processor() or platform.machine()


def times_faster(ours: Mapping[str, Any], published: Mapping[str, Any]) -> dict[str, float]:
    """How many times faster our student is than the published padded form."""
    return {
        "one_case": rounded(published["one_case_scored"]["p50_ms"] / ours["one_case_scored"]["p50_ms"]),
        "scoring": rounded(published["scoring_ms_per_case"] / ours["scoring_ms_per_case"]),
        "training": rounded(published["training_ms_per_case"] / ours["training_ms_per_case"]),
    }
