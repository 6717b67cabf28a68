"""The cohort builder: raw tables in, one database out, every row accounted for.

The order of the SQL files stands in `_read_raw`, `_stage` and `_COHORT_TABLES`. The database is written beside its
destination and moved into place only when complete. Refuses to know about models.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, Protocol, cast, get_args

import duckdb

from leader_core.cohort import mapping
from leader_core.cohort.layout import SOURCE_NAMES, RawFolder, RawTable, open_raw
from leader_core.cohort.mapping import AtcLevel
from leader_core.cohort.read import FORMAT
from leader_core.cohort.statements import run
from leader_core.domain import Fingerprint
from leader_core.errors import InputError, LeaderError
from leader_core.fsio import replacing_file, sha256_file

Preset = Literal["clinical", "paper"]
PRESETS: Final[tuple[Preset, ...]] = get_args(Preset)


DEFAULT_MEMORY: Final = "1GB"
"""What DuckDB may hold in memory; beyond it, it spills beside the destination."""

_LONGEST_REJECT: Final = 10_000  # characters of a rejected line that the reader keeps
_DUCKDB_MAGIC: Final = b"DUCK"
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
    "rejects",
    "meta",
)
"""Build order of the lasting tables: each reads those before it."""


class Reporter(Protocol):
    """What the builder tells while it works; `train.report.Report` satisfies it."""

    def line(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What was built, and the figures a person should look at."""

    path: Path
    fingerprint: Fingerprint
    accounting: tuple[tuple[str, str, int], ...]  # source table, reason, rows
    attrition: tuple[tuple[int, str, int, int, int, int], ...]  # step, filter, patients and visits before and after
    rows_read: Mapping[str, int]
    mapped_orders: int
    unmapped_orders: int
    untitled: Mapping[str, int]  # kind -> codes without any title
    rejects: int  # cells and lines kept in `rejects`
    notes: tuple[str, ...]
    seconds: float

    @property
    def mapping_rate(self) -> float:
        """Orders with a medication, as a share of those that name a drug (diluents and the like left out)."""
        total = self.mapped_orders + self.unmapped_orders
        return self.mapped_orders / total if total else 0.0


@dataclass(slots=True)
class _Job:
    """One build under way."""

    raw: RawFolder
    preset: Preset
    atc_level: AtcLevel
    seed: int
    label: str
    synthetic: bool
    ndc_map: Mapping[str, str] | None
    ddi: Path | None
    connection: duckdb.DuckDBPyConnection
    tell: Callable[[str], None]
    notes: list[str] = field(default_factory=list)
    rows_read: dict[str, int] = field(default_factory=dict)

    def run(self, name: str, **values: Any) -> duckdb.DuckDBPyConnection:
        return run(self.connection, name, values)


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
        ndc_map: CSV of `ndc, atc3`, for the preset "paper".
        ddi: CSV of statistical interaction pairs instead of those that come with the project.
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
    _check_destination(out)
    if preset == "paper" and ndc_map is None:
        raise InputError(
            "The preset 'paper' maps medications by NDC and needs --ndc-map FILE.csv with the columns ndc and atc3 "
            "(published with the medication-recommendation papers). Give it, or use --preset clinical."
        )
    folder = open_raw(raw, source)
    level = cast(AtcLevel, atc_level)
    read_map = mapping.read_ndc_map(Path(ndc_map), level) if preset == "paper" and ndc_map is not None else None
    described, synthetic = _describe_source(folder, label)
    try:
        with replacing_file(out) as partial, ThreadPoolExecutor(1) as pool:
            spill = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".spill", dir=out.parent))
            try:
                hashes = pool.submit(_hash_files, folder)  # reads the files once more, while SQL is busy
                with _connect(partial, memory_limit, spill) as connection:
                    job = _Job(
                        folder, cast(Preset, preset), level, seed, described, synthetic, read_map,
                        Path(ddi) if ddi is not None else None, connection, tell,
                    )  # fmt: skip
                    result = _build(job, hashes, out, started)
            finally:
                shutil.rmtree(spill, ignore_errors=True)
                partial.with_name(f"{partial.name}.wal").unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"The cohort cannot be written to {out} ({error}). Choose another --out.") from error
    return result


def _check_options(preset: str, atc_level: int) -> None:
    if preset not in PRESETS:
        raise InputError(f"Unknown preset {preset!r}: expected {' or '.join(map(repr, PRESETS))}.")
    if atc_level not in mapping.ATC_LENGTH:
        raise InputError(f"ATC level {atc_level!r}: expected 3, 4 or 5.")


def _check_destination(out: Path) -> None:
    """Refuse to replace what is no database: a slip of the keyboard must not cost a file."""
    if out.is_dir():
        raise InputError(f"{out} is a folder: expected the path of the database to write, like {out / 'cohort.duckdb'}.")
    if out.is_file() and out.stat().st_size:
        with out.open("rb") as stream:
            if stream.read(12)[8:] != _DUCKDB_MAGIC:
                raise InputError(f"{out} exists and is no DuckDB database, so it is not replaced. Choose another --out.")


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
        raise InputError(f'{mark}: expected {{"synthetic": true}}. Generate the tables again, or remove the file.')
    return label or f"Synthetic hospital ({name} layout)", True


def _hash_files(folder: RawFolder) -> dict[str, str]:
    return {table.path.name: sha256_file(table.path) for table in folder.tables.values()}


def _connect(path: Path, memory_limit: str, spill: Path) -> duckdb.DuckDBPyConnection:
    try:
        connection = duckdb.connect(
            str(path), config={"memory_limit": memory_limit, "temp_directory": str(spill), "threads": _threads()}
        )
    except duckdb.Error as error:
        raise InputError(f"DuckDB refused to start: {_first_line(error)} (memory limit {memory_limit!r}).") from error
    return connection


def _threads() -> int:
    import os

    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _build(job: _Job, hashes: Future[dict[str, str]], out: Path, started: float) -> BuildResult:
    """All tables, in order, into the open connection."""
    _read_raw(job)
    try:
        _stage(job)
        job.tell("Writing the cohort")
        kept = job.connection.execute("SELECT count(*) FROM visit_filters WHERE failed_at IS NULL").fetchone()
        if not kept or not kept[0]:
            raise InputError(_nothing_left(job))
        _unreadable_cells(job)
        job.run("stage/kept_visit_codes")
        _register(job, "concept_titles", mapping.describe(job.run("stage/titles").fetchall()))
        given = _interactions(job)
        for name in _COHORT_TABLES:
            job.run(f"cohort/{name}", seed=str(job.seed))
        fingerprint = _fingerprint(job, given)
        result = _result(job, fingerprint, out, started)
        _write_meta(job, fingerprint, result, hashes.result())
        job.connection.execute("CHECKPOINT")
    except duckdb.Error as error:
        raise InputError(_database_problem(error)) from error
    return result


def _read_raw(job: _Job) -> None:
    """Read every raw table into a staging table; damaged lines are set aside and counted."""
    job.run("raw/functions")
    for name in ("unreadable_lines", "unreadable_cells", "titles_diagnoses", "titles_procedures"):
        job.run(f"raw/empty_{name}")
    for name, table in job.raw.tables.items():
        job.tell(f"Reading {table.path.name}")
        own = "raw" if name == "prescriptions" else job.raw.source
        try:
            job.run(f"{own}/{name}", path=str(table.path), columns=_columns(table), by_ndc=job.preset == "paper")
            job.run("raw/unreadable_lines", table=name)
            _check_swallowed(job, table)
            job.connection.execute("DELETE FROM reject_errors")
        except duckdb.Error as error:
            raise InputError(_unreadable(table, error)) from error
    for name, rows in job.run("stage/rows_read").fetchall():
        if name in job.raw:
            job.rows_read[name] = rows
            if not rows and not name.startswith("d_icd_"):
                raise InputError(
                    f"{job.raw[name].path} has a header line and no rows: expected the whole table. Download it again."
                )


def _columns(table: RawTable) -> dict[str, str]:
    """Every column as text; a header cell without a name gets one that nothing reads."""
    return {name or f"unnamed_{i}": "VARCHAR" for i, name in enumerate(table.columns)}


def _check_swallowed(job: _Job, table: RawTable) -> None:
    """A quote that opens and never closes swallows all that follows: no row count would be true."""
    found = job.connection.execute(
        'SELECT min(line) FROM unreadable_lines WHERE source_table = $table AND length(value) >= $longest '
        "AND reason LIKE '%quotes%'",
        {"table": table.name, "longest": _LONGEST_REJECT},
    ).fetchone()
    if found and found[0] is not None:
        raise InputError(
            f"{table.path}, line {found[0]}: a quotation mark opens a cell and none closes it, so the lines after it "
            "cannot be told apart. Close the quotation mark or remove the line."
        )


def _stage(job: _Job) -> None:
    """Judge every row: which visit, which code, and if none, why."""
    job.tell("Matching codes and medications")
    job.run("stage/visit_candidates")
    job.run("stage/known_visits")
    _register(job, "icd_map", mapping.map_icd(row[:3] for row in job.run("stage/icd_distinct").fetchall()))
    job.run("stage/icd_rows")
    job.run("stage/drugs")
    drugs = job.connection.execute("SELECT drug_id, drug, route, drug_type, ndc FROM drugs ORDER BY drug_id").fetchall()
    if job.ndc_map is not None:
        mapped = mapping.map_drugs_by_ndc(drugs, job.ndc_map)
    else:
        mapped = mapping.map_drugs(drugs, job.atc_level)
    _register(job, "drug_outcomes", mapped.outcomes())
    _register(job, "drug_codes", mapped.code_table())
    job.run("stage/drug_rows")
    job.run("stage/usable_codes")
    for name in ("kept_codes", "filters", "visit_filters"):
        job.run(f"{job.preset}/{name}", source=job.raw.source)


def _register(job: _Job, name: str, table: Any) -> None:
    job.connection.register(name, table)


def _unreadable_cells(job: _Job) -> None:
    """A second look at tables with damaged cells, to say on which line they are."""
    damaged = [name for name, rows in job.run("stage/damage").fetchall() if rows]
    for name in damaged:
        table = job.raw[name]
        kind = {"diagnoses_icd": "diagnosis", "procedures_icd": "procedure"}.get(name)
        script = {
            "patients": f"{job.raw.source}/unreadable_patients",
            "admissions": "raw/unreadable_admissions",
            "prescriptions": "raw/unreadable_ids",
        }.get(name, f"{job.raw.source}/unreadable_codes")
        job.run(script, table=name, path=str(table.path), columns=_columns(table), kind=kind)


def _interactions(job: _Job) -> Any:
    """Register the pairs of this ATC level; returns their table."""
    import pyarrow as pa

    from leader_core.interactions import InteractionTable, load_clinical, read_statistical

    signal = read_statistical(job.atc_level, job.ddi)
    job.notes += signal.notes
    table = InteractionTable((*load_clinical(job.atc_level), *signal.pairs))
    names = ("code_a", "code_b", "severity", "source", "mechanism", "effect", "management", "evidence")
    columns = {name: pa.array([getattr(pair, name) for pair in table], pa.string()) for name in names}
    _register(job, "given_interactions", pa.table(columns))
    return table


def _fingerprint(job: _Job, interactions: Any) -> Fingerprint:
    counts = job.run("cohort/counts").fetchone()
    assert counts is not None
    patients, visits, single, diagnoses, procedures, medications = counts
    codes = [row[0] for row in job.run("cohort/medications").fetchall()]
    content = "\n".join(
        [FORMAT, job.raw.source, job.preset, str(job.atc_level), str(job.synthetic)]
        + [row[1] for row in job.run("cohort/digest").fetchall()]
    )
    return Fingerprint(
        label=job.label,
        source=job.raw.source,
        synthetic=job.synthetic,
        preset=job.preset,
        atc_level=job.atc_level,
        patients=patients,
        visits=visits,
        single_visit_patients=single,
        diagnoses=diagnoses,
        procedures=procedures,
        medications=medications,
        ddi_density=interactions.density(codes),
        digest=hashlib.sha256(content.encode()).hexdigest(),
    )


def _result(job: _Job, fingerprint: Fingerprint, out: Path, started: float) -> BuildResult:
    """Read the figures back, and check that every row is accounted for."""
    fetch = lambda query: tuple(job.connection.execute(query).fetchall())  # noqa: E731
    accounting = fetch("SELECT source_table, reason, rows FROM accounting")
    for table, read in job.rows_read.items():
        if (told := sum(rows for name, _, rows in accounting if name == table)) != read:
            raise LeaderError(
                f"The accounting of {table} tells of {told:,} rows where {read:,} were read. "
                "This is a fault of the builder: please report it with the printed accounting."
            )
    mapped, unmapped = job.run("stage/mapping_rate").fetchall()[0]
    return BuildResult(
        path=out,
        fingerprint=fingerprint,
        accounting=accounting,
        attrition=fetch("SELECT * FROM attrition ORDER BY step"),
        rows_read=dict(job.rows_read),
        mapped_orders=mapped,
        unmapped_orders=unmapped,
        untitled=dict(fetch("SELECT kind, count(*) FROM concepts WHERE NOT titled GROUP BY kind ORDER BY kind")),
        rejects=fetch("SELECT count(*) FROM rejects")[0][0],
        notes=tuple(job.notes),
        seconds=time.perf_counter() - started,
    )


def _write_meta(job: _Job, fingerprint: Fingerprint, result: BuildResult, hashes: Mapping[str, str]) -> None:
    from leader_core import __version__

    record = {
        "format": FORMAT,
        "code_version": __version__,
        "built_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": json.dumps(
            {"source": job.raw.source, "preset": job.preset, "atc_level": job.atc_level, "seed": job.seed},
            sort_keys=True,
        ),
        "seed": str(job.seed),
        "mapping_rate": f"{result.mapping_rate:.4f}",
        "notes": json.dumps(job.notes, ensure_ascii=False),
        "rows_read": json.dumps(dict(job.rows_read)),
        **{key: str(value) for key, value in asdict(fingerprint).items()},
        **{f"sha256:{name}": digest for name, digest in sorted(hashes.items())},
    }
    job.connection.executemany("INSERT INTO meta VALUES (?, ?)", sorted(record.items()))


def _nothing_left(job: _Job) -> str:
    """Which filter took the last visit."""
    job.run("cohort/attrition")
    steps = job.connection.execute("SELECT filter, visits_before, visits_after FROM attrition ORDER BY step").fetchall()
    last = next((s for s in steps if not s[2]), steps[-1])
    return (
        f"No visit is left in {job.raw.root}: the filter '{last[0]}' left 0 of {last[1]:,} visits. "
        "Check that the tables belong together and are complete."
    )


def _unreadable(table: RawTable, error: duckdb.Error) -> str:
    text = str(error)
    if "invalid state" in text or "new line" in text.lower():
        reason, remedy = "its line ends are mixed (some \\n, some \\r\\n)", "Give the file one kind of line end"
    elif isinstance(error, duckdb.OutOfMemoryException):
        reason, remedy = "memory ran out", "Raise --memory-limit"
    else:
        reason, remedy = _first_line(error), "Download it again, or save it as plain CSV in UTF-8"
    return f"{table.path} cannot be read: {reason}. {remedy}."


def _database_problem(error: duckdb.Error) -> str:
    if isinstance(error, duckdb.OutOfMemoryException):
        return f"DuckDB ran out of memory or disk while building: {_first_line(error)}. Raise --memory-limit."
    return f"The cohort could not be built: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
