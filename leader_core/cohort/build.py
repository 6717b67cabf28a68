"""The cohort builder: raw hospital tables in, one database out, every row accounted for.

The database is written beside its destination and moved into place only when complete. Refuses to know about models.
"""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol, cast

import duckdb

from leader_core.cohort import accounting, drug_mapping
from leader_core.cohort.accounting import BuildResult
from leader_core.cohort.destination import Workplace, check_destination, workplace
from leader_core.cohort.drug_mapping import AtcLevel
from leader_core.cohort.ndc import read_ndc_map
from leader_core.cohort.raw_tables import SOURCE_NAMES, RawFolder, open_raw
from leader_core.cohort.stages import (
    PRESETS,
    Job,
    Preset,
    first_line,
    nothing_left,
    read_raw,
    stage,
)
from leader_core.errors import InputError
from leader_core.files import sha256_file
from leader_core.interactions import InteractionTable, StatisticalSignal, load_clinical, read_statistical

DEFAULT_MEMORY: Final = "1GB"
"""What DuckDB may hold in memory; beyond it, it spills beside the destination."""

_COHORT_TABLES: Final = (
    "patients",
    "visits",
    "concepts",
    "visit_codes",
    "orders",
    "interactions",
    "worklist",
    "patient_codes",
    "accounting",
    "attrition",
    "unmapped",
    "ndc_check",
    "rejects",
    "meta",
)
"""Build order of the lasting tables: each reads those before it."""


class Reporter(Protocol):
    """What the builder tells while it works; `train.console.Report` satisfies it."""

    def line(self, text: str) -> None: ...


def build_cohort(
    raw: Path,
    out: Path,
    *,
    source: str = "auto",
    preset: str = "clinical",
    atc_level: int = 3,
    seed: int = 42,
    ndc_map: Path | None = None,
    ddi: Path | None = None,
    ddi_map: Path | None = None,
    label: str | None = None,
    memory_limit: str = DEFAULT_MEMORY,
    report: Reporter | None = None,
) -> BuildResult:
    """Build a cohort database from a folder of raw MIMIC tables.

    Args:
        raw: folder of tables (`.csv` or `.csv.gz`, either letter case, MIMIC-IV's root with `hosp/` or flat).
        out: the database; an earlier cohort there is replaced only by a complete new one.
        source: "mimic3", "mimic4" or "auto" (told by the columns).
        preset: "clinical" maps drugs by name and route; "paper" repeats the published filters and needs `ndc_map`.
        atc_level: level of the medication classes, 3 to 5.
        seed: of the split.
        ndc_map: CSV of `ndc, atc3`. The preset "paper" maps by it; "clinical" compares it with the names, which win,
            and uses it only for an order whose name nobody knows.
        ddi: CSV of statistical interaction pairs instead of those that come with the project.
        ddi_map: for a `ddi` that names compounds by STITCH id, the table from these to ATC.
        label: what the data are called on reports.
        memory_limit: for DuckDB, like "1GB" or "500MB".
        report: told of each stage.

    Raises:
        InputError: anything wrong with what was given, in one sentence; an earlier database is left as it was.
    """
    started = time.perf_counter()
    tell = report.line if report is not None else lambda _: None
    raw, out = Path(raw), Path(out)
    _check_options(preset, atc_level)
    check_destination(out)
    if preset == "paper" and ndc_map is None:
        raise InputError(
            "The preset 'paper' maps medications by NDC and needs --ndc-map FILE.csv with the columns ndc and atc3 "
            "(published with the medication-recommendation papers). Give it, or use --preset clinical."
        )
    folder = open_raw(raw, source)
    level = cast(AtcLevel, atc_level)
    read_map = (
        read_ndc_map(Path(ndc_map), level, coarser=preset == "clinical") if ndc_map is not None else None
    )
    signal = _signal(level, ddi, ddi_map)
    described, synthetic = _describe_source(folder, label)
    try:
        with workplace(out) as place, ThreadPoolExecutor(1) as pool:
            hashes = pool.submit(
                _hash_files, folder, ndc_map, ddi, ddi_map
            )  # reads the files once more, while SQL is busy
            with _connect(place, memory_limit) as connection:
                job = Job(
                    folder, cast(Preset, preset), level, seed, described, synthetic, read_map,
                    signal, connection, tell,
                )  # fmt: skip
                result = _build(job, hashes, out, started)
    except OSError as error:
        raise InputError(f"The cohort cannot be written to {out} ({error}). Choose another --out.") from error
    return result


def _check_options(preset: str, atc_level: int) -> None:
    if preset not in PRESETS:
        raise InputError(f"Unknown preset {preset!r}: expected {' or '.join(map(repr, PRESETS))}.")
    if atc_level not in drug_mapping.ATC_LENGTH:
        raise InputError(f"ATC level {atc_level!r}: expected 3, 4 or 5.")


def _describe_source(folder: RawFolder, label: str | None) -> tuple[str, bool]:
    """(label, synthetic): a generated hospital says so itself, in SYNTHETIC.json."""
    mark = folder.root / "SYNTHETIC.json"
    name = SOURCE_NAMES[folder.source]
    if not mark.is_file():
        return label or f"{name} tables", False
    try:
        record = json.loads(mark.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{mark} cannot be read as JSON ({error}). Generate the tables again.") from error
    if not isinstance(record, dict) or record.get("synthetic") is not True:
        raise InputError(
            f'{mark}: expected {{"synthetic": true}}. Generate the tables again, or remove the file.'
        )
    return label or f"Synthetic hospital ({name} layout)", True


def _signal(level: AtcLevel, ddi: Path | None, ddi_map: Path | None) -> StatisticalSignal:
    """The statistical pairs; read before anything else, because a wrong file is found at once."""
    if ddi_map is not None and ddi is None:
        raise InputError(
            f"--ddi-map {ddi_map} says what the compounds of a drug-DDI.csv are, and no such file was given. "
            "Give it with --ddi, or leave --ddi-map out."
        )
    return read_statistical(level, ddi, ddi_map)


def _hash_files(folder: RawFolder, *given: Path | None) -> dict[str, str]:
    paths = [*(table.path for table in folder.tables.values()), *(Path(path) for path in given if path)]
    return {path.name: sha256_file(path) for path in paths}


def _connect(place: Workplace, memory_limit: str) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory_limit,
        "temp_directory": str(place.spill),
        "threads": _threads(),
    }
    try:
        return duckdb.connect(str(place.database), config=config)
    except duckdb.Error as error:
        raise InputError(
            f"DuckDB refused to start: {first_line(error)} (memory limit {memory_limit!r})."
        ) from error


def _threads() -> int:

    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _build(job: Job, hashes: Future[dict[str, str]], out: Path, started: float) -> BuildResult:
    """All tables, in order, into the open connection."""
    read_raw(job)
    try:
        stage(job)
        job.tell("Writing the cohort")
        if not job.rows("stage/any_visit"):
            raise InputError(nothing_left(job))
        job.give("concept_titles", drug_mapping.describe(job.rows("stage/titles"), job.atc_level))
        interactions = _interactions(job)
        for name in _COHORT_TABLES:
            job.run(f"cohort/{name}", seed=str(job.seed))
        made = accounting.fingerprint(job, interactions)
        built = accounting.result(job, made, out, time.perf_counter() - started)
        accounting.write_meta(job, built, hashes.result())
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except duckdb.Error as error:
        raise InputError(_database_problem(error)) from error
    return built


def _interactions(job: Job) -> InteractionTable:
    """Hand over the pairs of this ATC level; returns their table."""
    import pyarrow as pa

    job.notes += job.signal.notes
    table = InteractionTable((*load_clinical(job.atc_level), *job.signal.pairs))
    names = ("code_a", "code_b", "severity", "source", "mechanism", "effect", "management", "evidence")
    columns = {name: pa.array([getattr(pair, name) for pair in table], pa.string()) for name in names}
    job.give("given_interactions", pa.table(columns))
    return table


def _database_problem(error: duckdb.Error) -> str:
    if isinstance(error, duckdb.OutOfMemoryException):
        return f"DuckDB ran out of memory or disk while building: {first_line(error)}. Raise --memory-limit."
    return f"The cohort could not be built: {first_line(error)}"
