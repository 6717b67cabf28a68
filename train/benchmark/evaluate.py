"""The evaluator on this machine: made-up scores of many cases, judged as `evaluate` judges a model.

Three groups, the interaction rates, 1,000 bootstrap resamples over patients, and the paired comparison of two models.
"""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np

from leader_core.evaluation.comparison import compare
from leader_core.evaluation.metrics import case_metrics, choose_threshold, summarise
from train.benchmark.measure import rounded

CLASSES: Final = 150
PRESCRIBED: Final = 0.12  # share of the classes in a case
INTERACTING: Final = 0.05  # share of the pairs
BLOCK: Final = 8192


def run(cases: int, classes: int = CLASSES) -> dict[str, Any]:
    """Seconds of each step for `cases` cases by `classes` classes."""
    random = np.random.default_rng(0)
    scores = np.empty((cases, classes), np.float32)
    other = np.empty_like(scores)
    truth = np.empty((cases, classes), bool)
    for start in range(0, cases, BLOCK):
        block = slice(start, start + BLOCK)
        size = len(scores[block])
        truth[block] = random.random((size, classes), np.float32) < PRESCRIBED
        for made in (scores, other):
            made[block] = 0.6 * random.random((size, classes), np.float32) + 0.3 * truth[block]
    table = np.triu(random.random((classes, classes)) < INTERACTING, 1)
    table |= table.T
    single = random.random(cases) < 0.6
    groups = {"overall": np.ones(cases, bool), "single-visit": single, "multi-visit": ~single}
    result: dict[str, Any] = {"cases": cases, "classes": classes}

    def timed(name: str, began: float) -> None:
        result[f"{name}_seconds"] = rounded(time.perf_counter() - began)

    computed = time.process_time()
    began = time.perf_counter()
    first = case_metrics(scores, truth, 0.5, table)
    timed("figures_of_cases", began)
    began = time.perf_counter()
    summarise(first, groups)
    timed("groups_with_intervals", began)
    result["evaluation_seconds"] = rounded(
        result["figures_of_cases_seconds"] + result["groups_with_intervals_seconds"]
    )
    result["evaluation_processor_seconds"] = rounded(
        time.process_time() - computed
    )  # a busy machine adds none
    began = time.perf_counter()
    choose_threshold(scores, truth)
    timed("threshold", began)
    second = case_metrics(other, truth, 0.5, table)
    began = time.perf_counter()
    compare(first, second, {"overall": groups["overall"]})
    timed("comparison", began)
    result["arrays_memory_mib"] = round((2 * scores.nbytes + truth.nbytes) / 2**20)
    return result
