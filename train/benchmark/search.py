"""Searching codes and patients on this machine: answers to what clinicians type, and the index they need."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from leader_core.cohort import Cohort, PatientQuery
from leader_core.domain import KINDS, Kind
from train.benchmark.measure import MIB, latency, peak_memory, rounded

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
"""What people type, by the way it is answered; the short and the hopeless cost most."""

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


def run(cohort: Path, seconds: float) -> dict[str, Any]:
    """Build the index once, then ask; one letter typed after the other too."""
    opened = Cohort.open(cohort)
    before = peak_memory()
    start = time.perf_counter()
    opened.warm_up()
    built = time.perf_counter() - start
    share = seconds / (len(QUERIES) + 3)
    found = {
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
        "by_kind_of_query": found,
        "typing_a_title": _codes(opened, typed, share),
        "misspelt_words_never_seen_before_ms": first,
        "patients": latency(lambda q: opened.patients(PatientQuery(text=q)), PATIENTS, share),
        "patients_in_cohort": opened.fingerprint.patients,
    }


def _codes(cohort: Cohort, queries: Sequence[tuple[str, tuple[Kind, ...]]], seconds: float) -> dict[str, Any]:
    return latency(lambda q: cohort.search(q[0], q[1], LIMIT), queries, seconds)


def _first_times(cohort: Cohort, words: Sequence[str]) -> dict[str, float]:
    """Each asked once: nothing about the word is remembered yet."""
    times = {}
    for word in words:
        start = time.perf_counter()
        cohort.search(word, KINDS, LIMIT)
        times[word] = rounded(1000 * (time.perf_counter() - start))
    return times
