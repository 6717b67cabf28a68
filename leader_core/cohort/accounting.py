"""What a build came to: fingerprint, figures read back and checked, and the database's own description.

Refuses to know how rows were read or judged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa

from leader_core.cohort.database import FORMAT
from leader_core.cohort.ndc import NdcCheck, check_of
from leader_core.cohort.stages import Job
from leader_core.domain import Fingerprint
from leader_core.errors import LeaderError
from leader_core.interactions import InteractionTable
from leader_core.version import __version__

_ROWS_AT_ONCE: Final = 50_000
_VECTORS_AT_ONCE: Final = 100  # of 2,048 rows each


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What was built, and the figures a person should look at."""

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
    ndc: NdcCheck  # what the NDCs say beside the names
    untitled: Mapping[str, int]  # kind -> codes without any title
    rejects: int  # cells and lines kept in `rejects`
    notes: tuple[str, ...]
    seconds: float

    @property
    def mapping_rate(self) -> float:
        """Orders with a medication, as a share of those that name a drug (diluents and the like left out)."""
        total = self.mapped_orders + self.unmapped_orders
        return self.mapped_orders / total if total else 0.0


def fingerprint(job: Job, interactions: InteractionTable) -> Fingerprint:
    """What the cohort is; the digest covers settings and content, not when or where it was built."""
    patients, visits, single, diagnoses, procedures, medications = job.rows("cohort/counts")[0]
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
        ddi_density=interactions.density(row[0] for row in job.rows("cohort/medications")),
        digest=_digest(job),
    )


def _digest(job: Job) -> str:
    """sha256 of what models learn from and are judged by, each in a set order; read in pieces.

    Settings, visits, codes, titles and statistical pairs; not the clinical table, whose wording no figure depends on.
    """
    digest = hashlib.sha256(f"{job.raw.source}|{job.preset}|{job.atc_level}|{job.synthetic}\n".encode())
    for name in ("concepts", "interactions", "visits"):
        found = job.run(f"digest/{name}")
        while rows := found.fetchmany(_ROWS_AT_ONCE):
            digest.update("".join(f"{text}\n" for (text,) in rows).encode())
    found = job.run("digest/codes")
    while len(chunk := found.fetch_df_chunk(_VECTORS_AT_ONCE)):
        digest.update(chunk["concept_id"].to_numpy("<i4").tobytes())
    return digest.hexdigest()


def result(job: Job, made: Fingerprint, out: Path, seconds: float) -> BuildResult:
    """The figures as they stand in the database.

    Raises:
        LeaderError: rows that the accounting does not tell of; a fault of the builder, never of the data.
    """
    accounting = tuple(job.rows("read/accounting"))
    for table, read in job.rows_read.items():
        if (told := sum(rows for name, _, rows in accounting if name == table)) != read:
            raise LeaderError(
                f"The accounting of {table} tells of {told:,} rows where {read:,} were read. "
                "This is a fault of the builder: please report it with the printed accounting."
            )
    mapped, unmapped = job.rows("stage/mapping_rate")[0]
    ndc = check_of(job.rows("read/ndc_check"))
    job.notes += ndc.notes()
    return BuildResult(
        path=out,
        fingerprint=made,
        accounting=accounting,
        attrition=tuple(job.rows("read/attrition")),
        rows_read=dict(job.rows_read),
        mapped_orders=mapped,
        unmapped_orders=unmapped,
        unmapped=tuple(job.rows("read/unmapped")),
        ndc=ndc,
        untitled=dict(job.rows("cohort/untitled")),
        rejects=len(job.rows("read/rejects")),
        notes=tuple(job.notes),
        seconds=seconds,
    )


def write_meta(job: Job, built: BuildResult, hashes: Mapping[str, str]) -> None:
    """Describe the database in its own table `meta`."""
    parameters = {
        "source": job.raw.source,
        "preset": job.preset,
        "atc_level": job.atc_level,
        "seed": job.seed,
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
    columns = {"key": list(record), "value": list(record.values())}
    job.give(
        "given_meta", pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    )
    job.run("cohort/describe")
