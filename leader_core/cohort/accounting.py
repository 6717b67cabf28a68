"""The result of a build: fingerprint, row counts read back and checked, and the database's description of itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa

from leader_core import __version__
from leader_core.cohort.database import ACCOUNTING, FORMAT
from leader_core.cohort.ndc import NdcCheck, check_of
from leader_core.cohort.seal import content_digest, row_counts, sealed_meta
from leader_core.cohort.stages import ATTRITION, BuildJob
from leader_core.domain import Fingerprint
from leader_core.errors import LeaderError
from leader_core.interactions import InteractionTable

NDC_CHECK: Final = "SELECT * FROM ndc_check ORDER BY orders DESC, verdict, drug, route, ndc_code, name_code"
_UNMAPPED: Final = "SELECT * FROM unmapped ORDER BY rows DESC, drug, route"
_UNTITLED: Final = "SELECT kind, count(*) AS codes FROM concepts WHERE NOT titled GROUP BY kind ORDER BY kind"
_MAPPING_RATE: Final = """
SELECT
    CAST(coalesce(sum(rows) FILTER (reason IS NULL), 0) AS BIGINT) AS mapped,
    CAST(coalesce(sum(rows) FILTER (reason IN ('unmapped drug', 'NDC not in the map')), 0) AS BIGINT) AS unmapped
FROM drug_rows
"""
_REJECTS: Final = """
SELECT CAST((SELECT coalesce(sum(rows), 0) FROM unreadable_lines) + (SELECT count(*) FROM unreadable_cells) AS BIGINT)
"""


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What was built, and the numbers a person should look at."""

    path: Path
    fingerprint: Fingerprint
    accounting: tuple[tuple[str, str, int], ...]  # source table, reason, rows
    attrition: tuple[
        tuple[int, str, int, int, int, int], ...
    ]  # step, filter, patients and visits before and after
    rows_read: Mapping[str, int]
    mapped_orders: int
    unmapped_orders: int
    unmapped: tuple[tuple[str, str, int], ...]  # drug, route, orders; most frequent first
    ndc: NdcCheck  # what the NDCs say compared with the names
    untitled: Mapping[str, int]  # kind -> codes without any title
    rejects: int  # cells and lines that could not be read; `rejects` lists the first 1,000 of each reason
    notes: tuple[str, ...]
    seconds: float

    @property
    def mapping_rate(self) -> float:
        """Orders with a medication, as a share of those that name a drug (diluents and the like left out)."""
        total = self.mapped_orders + self.unmapped_orders
        return self.mapped_orders / total if total else 0.0


def fingerprint(job: BuildJob, interactions: InteractionTable) -> Fingerprint:
    """What the cohort is; the digest covers settings and content, not when or where it was built."""
    patients, visits, single, diagnoses, procedures, medications = job.run("cohort/counts").fetchall()[0]
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
        ddi_density=interactions.density(
            row[0] for row in job.rows("SELECT code FROM concepts WHERE kind = 'medication'")
        ),
        digest=content_digest(
            job.connection, job.raw.source, job.preset, str(job.atc_level), str(job.synthetic)
        ),
    )


def result(job: BuildJob, identity: Fingerprint, out: Path, seconds: float) -> BuildResult:
    """The row counts as they stand in the database.

    Raises:
        LeaderError: rows that the accounting misses; a fault of the builder, never of the data.
    """
    accounting = tuple(job.rows(ACCOUNTING))
    for table, read in job.rows_read.items():
        if (counted := sum(rows for name, _, rows in accounting if name == table)) != read:
            raise LeaderError(
                f"The accounting of {table} counts {counted:,} rows where {read:,} were read. "
                "This is a fault of the builder: please report it with the printed accounting."
            )
    mapped, unmapped = job.rows(_MAPPING_RATE)[0]
    ndc = check_of(job.rows(NDC_CHECK))
    if "prescriptions" in job.raw:  # the other sources have no NDCs
        job.notes += ndc.notes()
    return BuildResult(
        path=out,
        fingerprint=identity,
        accounting=accounting,
        attrition=tuple(job.rows(ATTRITION)),
        rows_read=dict(job.rows_read),
        mapped_orders=mapped,
        unmapped_orders=unmapped,
        unmapped=tuple(job.rows(_UNMAPPED)),
        ndc=ndc,
        untitled=dict(job.rows(_UNTITLED)),
        rejects=job.rows(_REJECTS)[0][0],
        notes=tuple(job.notes),
        seconds=seconds,
    )


def write_meta(job: BuildJob, built: BuildResult, hashes: Mapping[str, str], tables: Iterable[str]) -> None:
    """Describe the database in its own table `meta`, sealed with the row counts of its tables."""
    parameters = {
        "source": job.raw.source,
        "preset": job.preset,
        "atc_level": job.atc_level,
        "seed": job.seed,
        "split": job.split,
        "sample": job.sample,
    }
    record = {
        "format": FORMAT,
        "code_version": __version__,
        "built_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": json.dumps(parameters, sort_keys=True),
        "seed": str(job.seed),
        "mapping_rate": f"{built.mapping_rate:.4f}",
        "notes": json.dumps(job.notes, ensure_ascii=False),
        "rows_read": json.dumps(built.rows_read),
        **{key: str(value) for key, value in asdict(built.fingerprint).items()},
        **{f"sha256:{name}": digest for name, digest in hashes.items()},
    }
    record = sealed_meta(record, row_counts(job.connection, list(tables)))
    columns = {"key": list(record), "value": list(record.values())}
    job.register(
        "given_meta", pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    )
    job.connection.execute("CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL)")
    job.connection.execute("INSERT INTO meta SELECT key, value FROM given_meta ORDER BY key")
