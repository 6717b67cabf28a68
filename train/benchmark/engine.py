"""What needs no model, on this machine: raw tables to a cohort, searching codes and patients."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from leader_core.cohort import Cohort, PatientQuery
from leader_core.cohort.build import build_cohort
from leader_core.domain import KINDS, Kind
from train.benchmark.measure import MIB, latency, peak_memory, rounded
from train.cli import call, parse
from train.console import Report


def run(part: str, *arguments: Any) -> dict[str, Any]:
    """One of the parts, in the process that is measured."""
    return measure_cohort(*arguments) if part == "cohort" else measure_search(*arguments)


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
