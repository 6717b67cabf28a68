"""Writes a synthetic hospital chunk by chunk, in bounded memory, to a folder that appears only when complete.

Each chunk of patients draws from its own stream, fixed by the seed and the chunk's number, so a patient is the same
whatever the size of the hospital.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from leader_core.domain import Kind
from leader_core.errors import InputError
from leader_core.files import check_output, replacing_folder, write_json
from leader_core.outputs import RAW_TABLES
from train.console import Report
from train.synthetic_hospital.clinic import Stays, draw_stays, simulate_visits
from train.synthetic_hospital.codes import icd9_short_titles, icd9_titles, icd10_titles
from train.synthetic_hospital.knowledge import Codes, Knowledge
from train.synthetic_hospital.knowledge import load as load_knowledge
from train.synthetic_hospital.layouts import FILES, LAYOUTS, chunk_tables
from train.synthetic_hospital.patients import ICD10_FROM, Patients, draw_patients

GENERATOR: Final = "leader-synthetic-hospital 1"
CHUNK: Final = 2_000
MARKER: Final = "SYNTHETIC.json"
_MOST: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Summary:
    """What was written."""

    layout: str
    patients: int
    visits: int
    diagnoses: int
    procedures: int
    prescriptions: int
    single_visit_patients: int
    seed: int


def synthesize(out: Path, *, layout: str, patients: int, seed: int, report: Report | None = None) -> Summary:
    """Write the raw tables of a synthetic hospital.

    Raises:
        InputError: for an unknown layout, a number of patients out of range, a folder that holds something else or
            cannot be written.
    """
    _check(out, layout, patients, seed)
    try:
        with replacing_folder(out, RAW_TABLES) as folder:
            summary = _fill(folder, layout, patients, seed, report or Report(quiet=True))
            files = sorted(FILES[layout].values())
            record = {"synthetic": True, "generator": GENERATOR, "files": files, **asdict(summary)}
            write_json(folder / MARKER, record)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"Cannot write to {out}: {reason}. Choose a folder that can be written.") from error
    return summary


def _fill(folder: Path, layout: str, patients: int, seed: int, report: Report) -> Summary:
    """Write all tables to an empty folder."""
    knowledge = knowledge_of(layout)
    counts = dict.fromkeys(("patients", "admissions", "diagnoses", "procedures", "prescriptions"), 0)
    single = 0
    chunks = range(0, patients, CHUNK)
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(_writer(folder / FILES[layout][name], layout == "mimic3"))
            for name in counts
        }
        for first in report.progress(chunks, total=len(chunks), label="patients"):
            tables, single_visit = draw_chunk(
                knowledge, first // CHUNK, min(CHUNK, patients - first), layout, seed
            )
            single += single_visit
            for name, table in tables.items():
                counts[name] += table.num_rows
                writers[name].write(table)
    _dictionaries(folder, knowledge, layout)
    return Summary(
        layout=layout,
        patients=counts["patients"],
        visits=counts["admissions"],
        diagnoses=counts["diagnoses"],
        procedures=counts["procedures"],
        prescriptions=counts["prescriptions"],
        single_visit_patients=single,
        seed=seed,
    )


def knowledge_of(layout: str) -> Knowledge:
    """The tables with the ICD versions that a layout uses."""
    return load_knowledge((9,) if layout == "mimic3" else (9, 10))


def draw_chunk(
    knowledge: Knowledge, number: int, keep: int, layout: str, seed: int
) -> tuple[dict[str, pa.Table], int]:
    """The tables of the chunk's first `keep` patients, and how many of them came once.

    The whole chunk is drawn and then cut, so that a smaller hospital is the beginning of a larger one.
    """
    rng, stays = draw_chunk_stays(knowledge, number, layout, seed)
    tables = chunk_tables(rng, stays, layout)
    if keep < CHUNK:
        key = "SUBJECT_ID" if layout == "mimic3" else "subject_id"
        limit = tables["patients"][key][keep - 1].as_py()
        tables = {
            name: table.filter(pa.compute.less_equal(table[key], limit)) for name, table in tables.items()
        }
    return tables, int((stays.patients.visits[:keep] == 1).sum())


def draw_chunk_stays(
    knowledge: Knowledge, number: int, layout: str, seed: int
) -> tuple[np.random.Generator, Stays]:
    """All that happens to the patients of a whole chunk, and the stream that its tables are drawn from next."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
    patients = draw_patients(rng, np.arange(number * CHUNK, (number + 1) * CHUNK), knowledge.population)
    clinic = simulate_visits(rng, knowledge, patients, icd_version(patients, layout))
    return rng, draw_stays(rng, knowledge, patients, clinic, layout)


def icd_version(patients: Patients, layout: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """9 or 10 for each visit: American hospitals changed on 1 October 2015."""
    if layout == "mimic3":
        return np.full(patients.owner.size, 9, dtype=np.int64)
    day = patients.first[patients.owner] + patients.gap_days.astype(np.int64)
    return np.where(day >= ICD10_FROM, 10, 9)


def _check(out: Path, layout: str, patients: int, seed: int) -> None:
    if layout not in LAYOUTS:
        raise InputError(f"Unknown layout {layout!r}: expected {' or '.join(LAYOUTS)}.")
    if not 1 <= patients <= _MOST:
        raise InputError(f"--patients {patients}: expected a number from 1 to {_MOST:,}.")
    if seed < 0:
        raise InputError(f"--seed {seed}: expected a whole number of zero or more.")
    check_output(out, RAW_TABLES)


class _Writer:
    """Appends tables to one compressed CSV; MIMIC-III's tables get a running ROW_ID."""

    def __init__(self, stream: gzip.GzipFile, numbered: bool) -> None:
        self._stream = stream
        self._numbered = numbered
        self._rows = 0
        self._options = arrow_csv.WriteOptions(include_header=False, quoting_style="needed")

    def write(self, table: pa.Table) -> None:
        if self._numbered:
            numbers = pa.array(np.arange(self._rows + 1, self._rows + 1 + table.num_rows))
            table = table.add_column(0, "ROW_ID", numbers)
        if self._rows == 0:
            self._stream.write((",".join(table.column_names) + "\n").encode())
        arrow_csv.write_csv(table, self._stream, self._options)
        self._rows += table.num_rows


@contextmanager
def _writer(path: Path, numbered: bool) -> Iterator[_Writer]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=2, fileobj=raw, mtime=0) as stream,
    ):
        yield _Writer(stream, numbered)


def _dictionaries(folder: Path, knowledge: Knowledge, layout: str) -> None:
    """D_ICD_DIAGNOSES and D_ICD_PROCEDURES with the codes that the hospital can use."""
    kinds: tuple[tuple[str, Kind, dict[int, Codes]], ...] = (
        ("d_diagnoses", "diagnosis", knowledge.diagnosis),
        ("d_procedures", "procedure", knowledge.procedure),
    )
    for name, kind, codes in kinds:
        with _writer(folder / FILES[layout][name], layout == "mimic3") as writer:
            for version, table in codes.items():
                used = sorted(set(table.code))
                titles = icd9_titles(kind) if version == 9 else icd10_titles(kind)
                long = [titles[code] for code in used]
                if layout == "mimic3":
                    short = icd9_short_titles(kind)
                    columns: dict[str, list[Any]] = {
                        "ICD9_CODE": used,
                        "SHORT_TITLE": [short[c] for c in used],
                        "LONG_TITLE": long,
                    }
                else:
                    columns = {"icd_code": used, "icd_version": [version] * len(used), "long_title": long}
                writer.write(pa.table(columns))
