"""The cohort builder: raw hospital tables in, one database out, every row accounted for.

The database is written next to its destination and moved into place only when complete, by one build at a time.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, cast

import duckdb

from leader_core import sql
from leader_core.cohort import accounting, drug_mapping
from leader_core.cohort.accounting import BuildResult
from leader_core.cohort.damage import MAX_REJECTS
from leader_core.cohort.drug_mapping import AtcLevel
from leader_core.cohort.ndc import read_ndc_map
from leader_core.cohort.raw_reader import RawReader, first_line
from leader_core.cohort.raw_tables import RawFolder, open_raw
from leader_core.cohort.sources import SOURCES
from leader_core.cohort.stages import (
    PRESETS,
    SPLIT_RULES,
    BuildJob,
    Preset,
    SplitRule,
    nothing_left,
    read_raw,
    stage,
)
from leader_core.errors import InputError
from leader_core.files import check_output, replacing_file, sha256_file
from leader_core.interactions import InteractionTable, StatisticalSignal, load_clinical, read_statistical
from leader_core.interactions.visit_alerts import as_columns, count_ordered
from leader_core.outputs import COHORT

DEFAULT_MEMORY: Final = "1GB"
"""What DuckDB may hold in memory; beyond it, it spills next to the destination."""

_ALERTS: Final = """
CREATE TABLE visit_alerts AS
SELECT visit_id, contraindicated, major, moderate, minor FROM given_alerts ORDER BY visit_id
"""

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
)
"""Build order of the lasting tables: each reads those before it."""


@dataclass(frozen=True, slots=True)
class BuildPaths:
    """Two paths next to the destination: the database while it grows, and a folder for what memory cannot hold."""

    database: Path
    spill: Path


class Reporter(Protocol):
    """Receives the builder's progress; `train.console.Report` satisfies it."""

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
    max_rejects: float = MAX_REJECTS,
    split: str = "hash",
    sample: float = 1.0,
    report: Reporter | None = None,
) -> BuildResult:
    """Build a cohort database from a folder of raw MIMIC tables.

    Args:
        raw: folder of tables (`.csv` or `.csv.gz`, either letter case, MIMIC-IV's root with `hosp/` or flat).
        out: the database; an earlier cohort there is replaced only by a complete new one.
        source: "mimic3", "mimic4" or "auto" (detected from the columns).
        preset: "clinical" maps drugs by name and route; "paper" repeats the published filters and needs `ndc_map`.
        atc_level: level of the medication classes, 3 to 5.
        seed: of the split and the sample.
        ndc_map: CSV of NDCs and ATC codes in a published layout. The preset "paper" maps by it; "clinical" compares it
            with the names, which win, and uses it only for an order whose name nobody knows.
        ddi: CSV of statistical interaction pairs instead of those that come with the project.
        ddi_map: from STITCH ids to ATC, for a `ddi` that names compounds by them.
        label: what the data are called on reports.
        memory_limit: for DuckDB, like "1GB" or "500MB".
        max_rejects: share of a table's rows, 0 to 1, that may be unreadable; more stops the build.
        split, sample: "hash" (by id and seed) or "published" (in order of the ids); share of the filtered patients drawn.
        report: receives one line per stage.

    Raises:
        InputError: anything wrong with what was given, in one sentence; an earlier database is left as it was.
    """
    started = time.perf_counter()
    report_progress = report.line if report is not None else lambda _: None
    raw, out = Path(raw), Path(out)
    _check_options(preset, atc_level, max_rejects, ndc_map, split, sample)
    check_output(out, COHORT)
    folder = open_raw(raw, source)
    if ndc_map is not None and "prescriptions" not in folder:
        raise InputError(
            f"{SOURCES[folder.source].name} has no NDCs. Leave --ndc-map out, and use --preset clinical."
        )
    level = cast(AtcLevel, atc_level)
    read_map = (
        read_ndc_map(Path(ndc_map), level, coarser=preset == "clinical") if ndc_map is not None else None
    )
    signal = _signal(level, ddi, ddi_map)
    described, synthetic = _describe_source(folder, label)
    try:
        with (
            temporary_paths(out) as paths,
            _checking_thread() as pool,
            _connect(paths, memory_limit) as connection,
        ):
            job = BuildJob(
                RawReader(folder, paths.spill / "tables", connection, pool), cast(Preset, preset), level, seed,
                described, synthetic, read_map, signal, max_rejects, cast(SplitRule, split), sample, connection, report_progress,
            )  # fmt: skip
            result = _build(job, [ndc_map, ddi, ddi_map], out, started)
    except OSError as error:
        raise InputError(f"The cohort cannot be written to {out} ({error}). Choose another --out.") from error
    return result


def _check_options(
    preset: str, atc_level: int, max_rejects: float, ndc_map: Path | None, split: str, sample: float
) -> None:
    if split not in SPLIT_RULES:
        raise InputError(f"Unknown split {split!r}: expected {' or '.join(map(repr, SPLIT_RULES))}.")
    if not 0 < sample <= 1:
        raise InputError(f"--sample {sample!r}: expected a share above 0 and up to 1, like 0.15 for 15 %.")
    if not 0 <= max_rejects <= 1:
        raise InputError(f"--max-rejects {max_rejects!r}: expected a share from 0 to 1, like 0.05 for 5 %.")
    if preset not in PRESETS:
        raise InputError(f"Unknown preset {preset!r}: expected {' or '.join(map(repr, PRESETS))}.")
    if atc_level not in drug_mapping.ATC_LENGTH:
        raise InputError(f"ATC level {atc_level!r}: expected 3, 4 or 5.")
    if preset == "paper" and ndc_map is None:
        raise InputError(
            "The preset 'paper' maps medications by NDC and needs --ndc-map FILE.csv with the columns ndc and atc3 "
            "(or another layout that papers publish). Give it, or use --preset clinical."
        )


def _describe_source(folder: RawFolder, label: str | None) -> tuple[str, bool]:
    """(label, synthetic): a generated hospital says so itself, in SYNTHETIC.json."""
    marker = folder.root / "SYNTHETIC.json"
    name = SOURCES[folder.source].name
    if not marker.is_file():
        return label or f"{name} tables", False
    try:
        record = json.loads(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{marker} cannot be read as JSON ({error}). Generate the tables again.") from error
    if not isinstance(record, dict) or record.get("synthetic") is not True:
        raise InputError(
            f'{marker}: expected {{"synthetic": true}}. Generate the tables again, or remove the file.'
        )
    return label or f"Synthetic hospital ({name} layout)", True


def _signal(level: AtcLevel, ddi: Path | None, ddi_map: Path | None) -> StatisticalSignal:
    """The statistical pairs; read before anything else, so that a wrong file is reported at once."""
    if ddi_map is not None and ddi is None:
        raise InputError(
            f"--ddi-map {ddi_map} says what the compounds of a drug-DDI.csv are, and no such file was given. "
            "Give it with --ddi, or leave --ddi-map out."
        )
    return read_statistical(level, ddi, ddi_map)


@contextmanager
def _checking_thread() -> Iterator[ThreadPoolExecutor]:
    """A thread that checks files while SQL reads others; what it has not begun is dropped when a build ends."""
    pool = ThreadPoolExecutor(1)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _connect(paths: BuildPaths, memory_limit: str) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | int] = {
        "memory_limit": memory_limit,
        "temp_directory": str(paths.spill),
        "threads": _threads(),
    }
    try:
        return sql.connect(paths.database, config=config)
    except duckdb.Error as error:
        raise InputError(
            f"DuckDB refused to start: {first_line(error)} (memory limit {memory_limit!r})."
        ) from error


def _threads() -> int:
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _build(job: BuildJob, given: Sequence[Path | None], out: Path, started: float) -> BuildResult:
    """All tables, in order, into the open connection."""
    read_raw(job)
    try:
        stage(job)
        job.report_progress("Writing the cohort")
        if not job.rows("SELECT 1 FROM visit_filters WHERE failed_at IS NULL LIMIT 1"):
            raise InputError(nothing_left(job))
        titles = job.run("stage/titles").fetchall()
        job.register("concept_titles", drug_mapping.describe(titles, job.atc_level))
        interactions = _interactions(job)
        for name in _COHORT_TABLES:
            job.run(f"cohort/{name}", seed=str(job.seed), split=job.split)
        _count_alerts(job)
        _name_tables(job)
        identity = accounting.fingerprint(job, interactions)
        built = accounting.result(job, identity, out, time.perf_counter() - started)
        digests = {Path(path).name: sha256_file(Path(path)) for path in given if path is not None}
        accounting.write_meta(job, built, job.reader.digests() | digests, (*_COHORT_TABLES, "visit_alerts"))
        sql.complete(job.connection)
    except duckdb.Error as error:
        raise InputError(_database_problem(error)) from error
    return built


def _count_alerts(job: BuildJob) -> None:
    """`visit_alerts`: the alerts of the drugs ordered in each visit, by rank, as the review of a case counts them."""
    import pyarrow as pa

    job.report_progress("Counting the alerts of what was ordered")
    visit_ids, counts = count_ordered(job.connection, job.atc_level)
    columns = {name: pa.array(values) for name, values in as_columns(counts).items()}
    job.register("given_alerts", pa.table({"visit_id": pa.array(visit_ids), **columns}))
    job.connection.execute(_ALERTS)


def _name_tables(job: BuildJob) -> None:
    """The source's own names of its tables in the accounting and among the rejects."""
    for staged, name in SOURCES[job.raw.source].tables.items():
        values = {"staged": staged, "name": name}
        if not name:
            job.connection.execute("DELETE FROM accounting WHERE source_table = $staged", {"staged": staged})
            continue
        job.connection.execute(
            "UPDATE accounting SET source_table = $name WHERE source_table = $staged", values
        )
        job.connection.execute("UPDATE rejects SET source_table = $name WHERE source_table = $staged", values)


def _interactions(job: BuildJob) -> InteractionTable:
    """Hand over the pairs of this ATC level; returns their table."""
    import pyarrow as pa

    job.notes += job.signal.notes
    table = InteractionTable((*load_clinical(job.atc_level), *job.signal.pairs))
    names = ("code_a", "code_b", "severity", "source", "mechanism", "effect", "management", "evidence")
    columns = {name: pa.array([getattr(pair, name) for pair in table], pa.string()) for name in names}
    job.register("given_interactions", pa.table(columns))
    return table


def _database_problem(error: duckdb.Error) -> str:
    if isinstance(error, duckdb.OutOfMemoryException):
        return f"DuckDB ran out of memory or disk while building: {first_line(error)}. Raise --memory-limit."
    return f"The cohort could not be built: {first_line(error)}"


@contextmanager
def temporary_paths(out: Path) -> Iterator[BuildPaths]:
    """Paths to write `out` under: the database replaces `out` on success, and nothing is left next to it on failure.

    Raises:
        InputError: another build is writing the same file, or it is no cohort.
    """
    with replacing_file(out, COHORT, alone=True) as database:
        spill = database.with_name("spill")
        spill.mkdir()
        yield BuildPaths(database, spill)
