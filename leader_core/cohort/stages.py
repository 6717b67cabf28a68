"""The builder's first half: raw tables read, every row judged, damaged cells located.

The order of the SQL statements is the order of this file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

import duckdb
import numpy as np
import pyarrow as pa

from leader_core.cohort import drug_mapping
from leader_core.cohort.damage import check_rejects, count_missing, odd_values
from leader_core.cohort.drug_mapping import AtcLevel
from leader_core.cohort.ndc import NdcMap
from leader_core.cohort.raw_reader import RawReader, kind_of
from leader_core.cohort.raw_tables import RawFolder
from leader_core.cohort.sources import SOURCES
from leader_core.cohort.spreadsheet import restore_codes
from leader_core.cohort.statements import run
from leader_core.errors import InputError
from leader_core.interactions import StatisticalSignal

Preset = Literal["clinical", "paper"]
PRESETS: Final[tuple[Preset, ...]] = get_args(Preset)
SplitRule = Literal["hash", "published"]
SPLIT_RULES: Final[tuple[SplitRule, ...]] = get_args(SplitRule)

_DROP_RAW: Final = "DROP TABLE raw_prescriptions; DROP TABLE raw_codes"
_DROP_ROWS: Final = "DROP TABLE icd_rows; DROP TABLE usable_codes"
DRUGS: Final = "SELECT drug_id, drug, route, drug_type, ndc FROM drugs ORDER BY drug_id"
_KEPT_PATIENTS: Final = (
    "SELECT DISTINCT patient_id FROM visit_filters WHERE failed_at IS NULL ORDER BY patient_id"
)
_NOT_DRAWN: Final = """
UPDATE visit_filters SET failed_at = $step
WHERE failed_at IS NULL AND patient_id NOT IN (SELECT patient_id FROM drawn)
"""
ATTRITION: Final = "SELECT * FROM attrition ORDER BY step"


@dataclass(slots=True)
class BuildJob:
    """One build in progress."""

    reader: RawReader
    preset: Preset
    atc_level: AtcLevel
    seed: int
    label: str
    synthetic: bool
    ndc_map: NdcMap | None
    signal: StatisticalSignal
    max_rejects: float
    split: SplitRule
    sample: float  # share of the patients, drawn once all filters are passed; 1 for all of them
    connection: duckdb.DuckDBPyConnection
    report_progress: Callable[[str], None]
    notes: list[str] = field(default_factory=list)
    rows_read: dict[str, int] = field(default_factory=dict)

    @property
    def raw(self) -> RawFolder:
        """The raw tables."""
        return self.reader.raw

    def run(self, name: str, **values: Any) -> duckdb.DuckDBPyConnection:
        """Execute `sql/NAME.sql` with the values it names."""
        return run(self.connection, name, values)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.connection.execute(query).fetchall()

    def register(self, name: str, table: Any) -> None:
        """Let the SQL that follows read an Arrow table under this name."""
        self.connection.register(name, table)


def read_raw(job: BuildJob) -> None:
    """Read every raw table into a staging table; damaged lines are set aside and counted.

    Raises:
        InputError: a file that cannot be read at all, or a needed one without rows.
    """
    for name, table in job.raw.tables.items():
        job.report_progress(f"Reading {table.path.name}")
        job.reader.read(name, by_ndc=job.ndc_map is not None)
    layout = SOURCES[job.raw.source]
    for staged, rows in job.run("stage/rows_read").fetchall():
        if (name := layout.source_table(staged)) in job.raw:
            job.rows_read[name] = job.rows_read.get(name, 0) + rows
    for name, rows in job.rows_read.items():
        if not rows and not name.startswith("d_icd_"):
            raise InputError(
                f"{job.raw[name].path} has a header line and no rows: expected the whole table. Download it again."
            )


def stage(job: BuildJob) -> None:
    """Judge every row: which visit, which code, and if none, why."""
    job.report_progress("Matching codes and medications")
    again = SOURCES[job.raw.source].again
    job.run("stage/visit_candidates", again=again)
    job.run("stage/known_visits", again=again)
    distinct = job.run("stage/icd_distinct").fetchall()
    restored = restore_codes(distinct)
    job.notes += restored.notes
    job.register("icd_map", drug_mapping.map_icd(distinct, restored.codes))
    job.run("stage/drugs")
    drugs = job.rows(DRUGS)
    mapped = (
        drug_mapping.map_ndc(drugs, job.ndc_map)
        if job.preset == "paper" and job.ndc_map is not None
        else drug_mapping.map_drugs(drugs, job.atc_level, job.ndc_map)
    )
    job.register("drug_outcomes", mapped.outcomes())
    job.register("drug_codes", mapped.code_table())
    for name in ("code_ids", "icd_rows", "drug_rows"):
        job.run(f"stage/{name}")
    _find_unreadable_cells(job)
    job.run("stage/birth_after_admission")
    check_rejects(job.reader, job.rows_read, job.max_rejects)
    job.notes += [job.ndc_map.note] if job.ndc_map is not None else []
    job.notes += [*job.reader.notes, *count_missing(job.reader), *odd_values(job.reader)]
    job.connection.execute(_DROP_RAW)  # the largest staging tables are not read again
    job.run("stage/usable_codes")
    for name in ("kept_codes", "filter_steps", "visit_filters"):
        job.run(f"preset_{job.preset}/{name}", source=job.raw.source)
    if job.sample < 1:
        _draw_patients(job)
    for name in ("code_accounts", "kept_visit_codes"):
        job.run(f"stage/{name}")
    job.connection.execute(_DROP_ROWS)


def _draw_patients(job: BuildJob) -> None:
    """Leave a random share of the patients, as the published code draws them, and add it to the filters."""
    patients = [row[0] for row in job.rows(_KEPT_PATIENTS)]
    drawn = np.random.RandomState(job.seed).choice(patients, int(len(patients) * job.sample), replace=False)
    job.register("drawn", pa.table({"patient_id": pa.array(drawn, pa.int64())}))
    (step,) = job.rows("SELECT max(step) + 1 FROM filter_steps")[0]
    name = f"in the random {100 * job.sample:g} % of the patients (seed {job.seed})"
    job.connection.execute(
        "INSERT INTO filter_steps VALUES ($step, $name, 'patient not drawn')", {"step": step, "name": name}
    )
    job.connection.execute(_NOT_DRAWN, {"step": step})


def _find_unreadable_cells(job: BuildJob) -> None:
    """A second look at tables with damaged cells, to say on which line they are."""
    layout = SOURCES[job.raw.source]
    damaged = [layout.source_table(staged) for staged, rows in job.run("stage/damage").fetchall() if rows]
    for name in filter(None, damaged):
        script = {
            "patients": f"{job.raw.source}/unreadable_patients",
            "admissions": "raw/unreadable_admissions",
            "prescriptions": "raw/unreadable_ids",
            "patient": "eicu/unreadable_patients",
            "medication": "eicu/unreadable_ids",
            "treatment": "eicu/unreadable_ids",
        }.get(name, f"{job.raw.source}/unreadable_codes")
        with job.reader.opened(name):
            job.run(script, table=name, kind=kind_of(name))


def nothing_left(job: BuildJob) -> str:
    """Which filter took the last visit, as an error's text."""
    job.run("cohort/attrition")
    steps = job.rows(ATTRITION)
    last = next((step for step in steps if not step[5]), steps[-1])
    return (
        f"No visit is left in {job.raw.root}: the filter '{last[1]}' left 0 of {last[4]:,} visits. "
        "Check that the tables belong together and are complete."
    )
