"""The builder's first half: raw tables read, every row judged, damaged cells found.

The order of the SQL files stands here. Refuses to know where the database ends up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

import duckdb

from leader_core.cohort import drug_mapping
from leader_core.cohort.drug_mapping import AtcLevel
from leader_core.cohort.raw_tables import RawFolder, RawTable
from leader_core.cohort.statements import run
from leader_core.errors import InputError
from leader_core.interactions import StatisticalSignal

Preset = Literal["clinical", "paper"]
PRESETS: Final[tuple[Preset, ...]] = get_args(Preset)

_LONGEST_REJECT: Final = 10_000  # characters of a rejected line that the reader keeps
_EMPTY: Final = ("unreadable_lines", "unreadable_cells", "titles_diagnoses", "titles_procedures")


@dataclass(slots=True)
class Job:
    """One build under way."""

    raw: RawFolder
    preset: Preset
    atc_level: AtcLevel
    seed: int
    label: str
    synthetic: bool
    ndc_map: Mapping[str, str] | None
    signal: StatisticalSignal
    connection: duckdb.DuckDBPyConnection
    tell: Callable[[str], None]
    notes: list[str] = field(default_factory=list)
    rows_read: dict[str, int] = field(default_factory=dict)

    def run(self, name: str, **values: Any) -> duckdb.DuckDBPyConnection:
        """Execute `sql/NAME.sql` with the values it names."""
        return run(self.connection, name, values)

    def rows(self, name: str, **values: Any) -> list[tuple[Any, ...]]:
        """The rows that `sql/NAME.sql` gives."""
        return self.run(name, **values).fetchall()

    def give(self, name: str, table: Any) -> None:
        """Let the SQL that follows read an Arrow table under this name."""
        self.connection.register(name, table)


def read_raw(job: Job) -> None:
    """Read every raw table into a staging table; damaged lines are set aside and counted.

    Raises:
        InputError: a file that cannot be read at all, or a needed one without rows.
    """
    job.run("raw/functions")
    for name in _EMPTY:
        job.run(f"raw/empty_{name}")
    for name, table in job.raw.tables.items():
        job.tell(f"Reading {table.path.name}")
        own = "raw" if name == "prescriptions" else job.raw.source
        try:
            job.run(
                f"{own}/{name}",
                path=str(table.path),
                columns=columns_of(table),
                by_ndc=job.ndc_map is not None,
            )
            job.run("raw/unreadable_lines", table=name)
            job.run("raw/forget_errors")
        except duckdb.InterruptException:
            raise KeyboardInterrupt from None
        except duckdb.Error as error:
            raise InputError(_unreadable(table, error)) from error
        _check_swallowed(job, table)
    for name, rows in job.rows("stage/rows_read"):
        if name in job.raw:
            job.rows_read[name] = rows
            if not rows and not name.startswith("d_icd_"):
                raise InputError(
                    f"{job.raw[name].path} has a header line and no rows: expected the whole table. Download it again."
                )


def stage(job: Job) -> None:
    """Judge every row: which visit, which code, and if none, why."""
    job.tell("Matching codes and medications")
    job.run("stage/visit_candidates")
    job.run("stage/known_visits")
    job.give("icd_map", drug_mapping.map_icd(job.rows("stage/icd_distinct")))
    job.run("stage/drugs")
    drugs = job.rows("stage/drugs_to_map")
    mapped = (
        drug_mapping.map_ndc(drugs, job.ndc_map)
        if job.preset == "paper" and job.ndc_map is not None
        else drug_mapping.map_drugs(drugs, job.atc_level, job.ndc_map)
    )
    job.give("drug_outcomes", mapped.outcomes())
    job.give("drug_codes", mapped.code_table())
    for name in ("code_ids", "icd_rows", "drug_rows"):
        job.run(f"stage/{name}")
    _find_unreadable_cells(job)
    job.run("stage/forget_raw")
    job.run("stage/usable_codes")
    for name in ("kept_codes", "filters", "visit_filters"):
        job.run(f"{job.preset}/{name}", source=job.raw.source)
    for name in ("code_accounts", "kept_visit_codes", "forget_rows"):
        job.run(f"stage/{name}")


def _find_unreadable_cells(job: Job) -> None:
    """A second look at tables with damaged cells, to say on which line they are."""
    for name in [name for name, rows in job.rows("stage/damage") if rows]:
        table = job.raw[name]
        script = {
            "patients": f"{job.raw.source}/unreadable_patients",
            "admissions": "raw/unreadable_admissions",
            "prescriptions": "raw/unreadable_ids",
        }.get(name, f"{job.raw.source}/unreadable_codes")
        kind = {"diagnoses_icd": "diagnosis", "procedures_icd": "procedure"}.get(name)
        job.run(script, table=name, path=str(table.path), columns=columns_of(table), kind=kind)
        job.run("raw/forget_errors")


def nothing_left(job: Job) -> str:
    """Which filter took the last visit, as an error's text."""
    steps = job.rows("cohort/attrition") and job.rows("read/attrition")
    last = next((step for step in steps if not step[5]), steps[-1])
    return (
        f"No visit is left in {job.raw.root}: the filter '{last[1]}' left 0 of {last[4]:,} visits. "
        "Check that the tables belong together and are complete."
    )


def columns_of(table: RawTable) -> dict[str, str]:
    """Every column as text; a header cell without a name gets one that nothing reads."""
    return {name or f"unnamed_{i}": "VARCHAR" for i, name in enumerate(table.columns)}


def _check_swallowed(job: Job, table: RawTable) -> None:
    """A quote that opens and never closes swallows all that follows: no row count would be true."""
    found = job.rows("raw/swallowed", table=table.name, longest=_LONGEST_REJECT)
    if found:
        raise InputError(
            f"{table.path}, line {found[0][0]}: a quotation mark opens a cell and none closes it, so the lines "
            "after it cannot be told apart. Close the quotation mark or remove the line."
        )


def _unreadable(table: RawTable, error: duckdb.Error) -> str:
    text = str(error)
    if "invalid state" in text or "new line" in text.lower():
        reason, remedy = (
            "its line ends are mixed (some \\n, some \\r\\n)",
            "Give the file one kind of line end",
        )
    elif isinstance(error, duckdb.OutOfMemoryException):
        reason, remedy = "memory ran out", "Raise --memory-limit"
    else:
        reason, remedy = first_line(error), "Download it again, or save it as plain CSV in UTF-8"
    return f"{table.path} cannot be read: {reason}. {remedy}."


def first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
