"""`faithfulness`: deletion and insertion curves of a model's explanations against random order, with intervals."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from leader_core.errors import InputError
from leader_core.outputs import FAITHFULNESS
from train.config import DEFAULT_SEED
from train.console import Report
from train.evaluation.inputs import SPLITS

if TYPE_CHECKING:
    import numpy as np

    from leader_core.domain import ModelName
    from leader_core.explain.faithfulness import Curves

_DRAWS: Final = 2_000
_TITLES: Final = {"gradients": "integrated gradients", "removal": "removing one", "random": "random order"}

RESULT: Final = FAITHFULNESS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cohort", type=Path, required=True, metavar="FILE", help="a cohort database")
    parser.add_argument(
        "--model", type=Path, required=True, metavar="DIR", help="a teacher's or student's folder"
    )
    parser.add_argument(
        "--cases", type=int, default=50, metavar="N", help="cases to draw (default: %(default)s)"
    )
    parser.add_argument(
        "--split", choices=SPLITS, default="test", help="which patients (default: %(default)s)"
    )


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    import numpy as np

    from leader_core import Engine
    from leader_core.explain.faithfulness import measure
    from leader_core.model_folder import read_manifest

    if arguments.cases < 1:
        raise InputError(f"--cases {arguments.cases}: expected at least 1.")
    name: ModelName = "teacher" if read_manifest(arguments.model).kind == "teacher" else "student"
    engine = Engine.open(arguments.cohort, arguments.model.resolve().parent, arguments.device)
    if arguments.model.resolve().name != name:
        raise InputError(f"{arguments.model} holds a {name}: expected a folder called {name!r}.")
    seed = DEFAULT_SEED if arguments.seed is None else arguments.seed
    cases = [case for case in engine.cohort.cases(arguments.split) if any(True for _ in case.codes())]
    if not cases:
        raise InputError(
            f"{arguments.cohort} has no patients in split {arguments.split!r}. Name another --split."
        )
    chosen = np.random.default_rng(seed).permutation(len(cases))[: arguments.cases]
    began = time.perf_counter()
    bar = iter(report.progress(range(len(chosen)), total=len(chosen), label="cases"))

    def advance(done: int, whole: int) -> None:
        next(bar, None)

    curves = measure(engine, [cases[i] for i in chosen], name, seed=seed, on_progress=advance)
    result = {
        "model": {"name": name, "folder": str(arguments.model)},
        "cohort": engine.cohort.fingerprint.digest,
        "split": arguments.split,
        "cases": len(curves),
        "seconds": round(time.perf_counter() - began, 1),
        **summary(curves, seed),
    }
    _show(result, report)
    return result


def summary(curves: list[Curves], seed: int) -> dict[str, Any]:
    """The mean area of each method's curves, and by how much it beats random order, with 95 % intervals over cases."""
    import numpy as np

    from leader_core.explain.faithfulness import METHODS, area

    draws = np.random.default_rng(seed).integers(len(curves), size=(_DRAWS, len(curves)))
    result: dict[str, Any] = {}
    for which, sign in (("deletion", 1.0), ("insertion", -1.0)):
        areas = {m: np.array([area(getattr(c, which)[m]) for c in curves]) for m in METHODS}
        result[which] = {
            method: {
                "area": _interval(areas[method], draws),
                "better_than_random": _interval(sign * (areas["random"] - areas[method]), draws),
            }
            for method in METHODS
        }
    return result


def _interval(values: np.ndarray, draws: np.ndarray) -> dict[str, float]:
    import numpy as np

    low, high = np.quantile(values[draws].mean(1), (0.025, 0.975))
    return {
        "mean": round(float(values.mean()), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }


def _show(result: dict[str, Any], report: Report) -> None:
    report.line(
        f"{result['model']['name']}: {result['cases']} cases of the {result['split']} split, one suggested class each, "
        f"{result['seconds']:.0f} s"
    )
    report.line("Mean probability during deletion (lower is better) and during insertion (higher is better)")
    for which in ("deletion", "insertion"):
        for method, row in result[which].items():
            area, better = row["area"], row["better_than_random"]
            text = (
                f"  {which:9} {_TITLES[method]:21} {area['mean']:.3f} [{area['low']:.3f}, {area['high']:.3f}]"
            )
            if method != "random":
                text += f"  better than random by {better['mean']:+.3f} [{better['low']:+.3f}, {better['high']:+.3f}]"
            report.line(text)
