"""What needs no model, on this machine: raw tables to a cohort, searching codes and patients, evaluating simulated scores."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from leader_core.cohort import Cohort, PatientQuery
from leader_core.cohort.build import build_cohort
from leader_core.domain import KINDS, Kind
from leader_core.evaluation.comparison import compare
from leader_core.evaluation.metrics import case_metrics, choose_threshold, summarise
from train.benchmark.measure import MIB, latency, peak_memory, rounded
from train.cli import call, parse
from train.console import Report


def run(part: str, *arguments: Any) -> dict[str, Any]:
    """One of the parts, in the process that is measured."""
    parts: dict[str, Callable[..., dict[str, Any]]] = {
        "cohort": measure_cohort,
        "search": measure_search,
        "evaluate": measure_evaluation,
    }
    return parts[part](*arguments)


def measure_cohort(raw: Path | None, patients: int, seed: int) -> dict[str, Any]:
    """Build one cohort from `raw`, or from a synthetic hospital of `patients`."""
    with tempfile.TemporaryDirectory(prefix="leader-benchmark-") as folder:
        source = raw or Path(folder) / "raw"
        if raw is None:
            words = ["synthesize", "--layout", "mimic3", "--patients", str(patients), "--seed", str(seed)]
            call(parse([*words, "--out", str(source)]), Report(quiet=True))
        out = Path(folder) / "cohort.duckdb"
        start = time.perf_counter()
        build_cohort(source, out, seed=seed)
        seconds = time.perf_counter() - start
        accounting = Cohort.open(out).accounting()
        rows = accounting.groupby("source_table")["rows"].sum()
        prescriptions = int(rows[[name for name in rows.index if name.lower() == "prescriptions"]].sum())
        return {
            "source": str(raw) if raw else f"synthetic, {patients:,} patients",
            "seconds": rounded(seconds),
            "rows": int(rows.sum()),
            "prescriptions": prescriptions,
            "rows_per_second": rounded(float(rows.sum()) / seconds),
            "prescriptions_per_second": rounded(prescriptions / seconds),
            "database_mib": rounded(out.stat().st_size / 1024 / 1024),
        }


LIMIT: Final = 12  # what the type-ahead shows
QUERIES: Final[dict[str, tuple[str, ...]]] = {
    "codes": ("428.0", "I50", "icd9:4280", "250", "5A1D70Z", "B01A", "Z9"),
    "words": ("heart failure", "pneumonia", "chronic kidney disease stage 3", "fracture femur", "chest pain"),
    "synonyms": (
        "heart attack",
        "CHF",
        "afib",
        "DM2",
        "COPD",
        "CABG",
        "water pill",
        "lasix",
        "acute chf",
        "h/o mi",
    ),
    "beginnings": ("a", "e", "he", "pne", "hyperten", "heart att", "warf", "cor", "per"),
    "misspelt": (
        "hart failure",
        "diabetis",
        "pnuemonia",
        "atrial fibrilation",
        "warfrin",
        "colonscopy",
        "pneumna",
    ),
    "nothing": ("zzzzzz", "qqqqqqq wwwwwww", "xylophonistic", "heart xyzzy", "% _ '", "x" * 10_000),
}
"""What people type, by kind; short queries and those without a match cost most."""

PATIENTS: Final = (
    "heart failure",
    "CHF",
    "afib, warfarin",
    "diabetis",
    "a",
    "pneumonia copd",
    "zzzzzz",
    "428.0",
)


def measure_search(cohort: Path, seconds: float) -> dict[str, Any]:
    """Build the index once, then ask; one letter typed after the other too."""
    opened = Cohort.open(cohort)
    before = peak_memory()
    start = time.perf_counter()
    opened.warm_up()
    built = time.perf_counter() - start
    share = seconds / (len(QUERIES) + 3)
    by_kind = {
        name: _codes(opened, [(q, (kind,)) for q in queries for kind in KINDS], share)
        for name, queries in QUERIES.items()
    }
    every = [(q, (kind,)) for queries in QUERIES.values() for q in queries for kind in KINDS]
    typed = [("congestive heart failure"[:n], KINDS) for n in range(1, 25)]
    first = _first_times(
        opened, ["athritis", "hypertenson", "acetominophen", "apendicitis", "hemorhage", "siezure"]
    )
    return {
        "cohort": opened.fingerprint.label,
        "codes": opened.searchable_codes,
        "warm_up_seconds": rounded(built),
        "warm_up_memory_mib": rounded((peak_memory() - before) / MIB),
        "all_queries": _codes(opened, every, share),
        "by_kind_of_query": by_kind,
        "typing_a_title": _codes(opened, typed, share),
        "misspelt_words_never_seen_before_ms": first,
        "patients": latency(lambda q: opened.patients(PatientQuery(text=q)), PATIENTS, share),
        "patients_in_cohort": opened.fingerprint.patients,
    }


def _codes(cohort: Cohort, queries: Sequence[tuple[str, tuple[Kind, ...]]], seconds: float) -> dict[str, Any]:
    return latency(lambda q: cohort.search(q[0], q[1], LIMIT), queries, seconds)


def _first_times(cohort: Cohort, words: Sequence[str]) -> dict[str, float]:
    """Each searched once: nothing about the word is cached yet."""
    times = {}
    for word in words:
        start = time.perf_counter()
        cohort.search(word, KINDS, LIMIT)
        times[word] = rounded(1000 * (time.perf_counter() - start))
    return times


CLASSES: Final = 150
PRESCRIBED: Final = 0.12  # share of the classes in a case
INTERACTING: Final = 0.05  # share of the pairs
BLOCK: Final = 8192


def measure_evaluation(cases: int, classes: int = CLASSES) -> dict[str, Any]:
    """Seconds of each step for `cases` cases by `classes` classes."""
    random = np.random.default_rng(0)
    scores = np.empty((cases, classes), np.float32)
    other = np.empty_like(scores)
    truth = np.empty((cases, classes), bool)
    for start in range(0, cases, BLOCK):
        block = slice(start, start + BLOCK)
        size = len(scores[block])
        truth[block] = random.random((size, classes), np.float32) < PRESCRIBED
        for part in (scores, other):
            part[block] = 0.6 * random.random((size, classes), np.float32) + 0.3 * truth[block]
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
    timed("metrics_of_cases", began)
    began = time.perf_counter()
    summarise(first, groups)
    timed("groups_with_intervals", began)
    result["evaluation_seconds"] = rounded(
        result["metrics_of_cases_seconds"] + result["groups_with_intervals_seconds"]
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
