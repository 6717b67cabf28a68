"""One patient's case and whole splits, read from an open cohort database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import duckdb
import numpy as np

from leader_core.cohort.columns import CodeColumn, CohortColumns
from leader_core.cohort.statements import run
from leader_core.cohort.worklist import SPLITS
from leader_core.domain import KINDS, PLURALS, PROFILE_FIELDS, UNKNOWN, Case, Kind, Order, Visit, age_band
from leader_core.errors import ArtifactError, InputError, NotFoundError
from leader_core.ragged import Ragged

PROFILE_TEXTS: Final = PROFILE_FIELDS[:-2]
"""Profile fields that stand in the table of visits as text, in the order in which they are read: all but age band and gender."""


def check_split(split: str) -> None:
    """Raises InputError for anything but a split or "all"."""
    if split not in ("all", *SPLITS):
        raise InputError(f"Unknown split {split!r}: expected one of {', '.join(SPLITS)} or all.")


def read_cases(cursor: duckdb.DuckDBPyConnection, patient_id: int) -> tuple[Case, ...]:
    """One patient at each of their visits, with the visits before it as history.

    Raises:
        NotFoundError: no such patient.
    """
    rows = run(cursor, "read/case_visits", {"patient_id": patient_id}).fetchall()
    if not rows:
        raise NotFoundError(f"No patient {patient_id} in this cohort. Look the id up in the worklist.")
    codes: dict[tuple[int, Kind], list[str]] = {}
    for visit_id, kind, code in run(cursor, "read/case_codes", {"patient_id": patient_id}).fetchall():
        codes.setdefault((visit_id, kind), []).append(code)
    visits = [
        Visit.of({kind: tuple(codes.get((row[0], kind), ())) for kind in KINDS}, *row[:4]) for row in rows
    ]
    cases = []
    for number, (age, gender, *texts) in enumerate(row[4:] for row in rows):
        profile = {name: value or UNKNOWN for name, value in zip(PROFILE_TEXTS, texts, strict=True)}
        profile |= {"age_band": age_band(age), "gender": gender or UNKNOWN}
        cases.append(Case(profile, tuple(visits[:number]), visits[number], patient_id))
    return tuple(cases)


def read_unordered(cursor: duckdb.DuckDBPyConnection, patient_id: int) -> tuple[int, ...]:
    """Numbers of a patient's visits without a date that share year and age, by which they stand in order, with another."""
    query = (
        "SELECT visit_no FROM visits WHERE patient_id = $patient_id AND admitted_at IS NULL "
        "QUALIFY count(*) OVER (PARTITION BY coalesce(calendar_year, 0), coalesce(age, 0)) > 1 ORDER BY visit_no"
    )
    return tuple(row[0] for row in cursor.execute(query, {"patient_id": patient_id}).fetchall())


def read_age(cursor: duckdb.DuckDBPyConnection, visit_id: int) -> int | None:
    """Age in years at a visit; None where it is not recorded, or there is no such visit."""
    sql = "SELECT age FROM visits WHERE visit_id = $visit_id"
    row = cursor.execute(sql, {"visit_id": visit_id}).fetchone()
    return None if row is None or row[0] is None or row[0] < 0 else int(row[0])


def read_orders(cursor: duckdb.DuckDBPyConnection, visit_id: int, where: str) -> tuple[Order, ...]:
    """The drug strings of a visit; `where` names the cohort in an error.

    Raises:
        NotFoundError: no such visit.
    """
    rows = run(cursor, "read/orders", {"visit_id": visit_id}).fetchall()
    exists = "SELECT 1 FROM visits WHERE visit_id = $visit_id"
    if not rows and cursor.execute(exists, {"visit_id": visit_id}).fetchone() is None:
        raise NotFoundError(f"No visit {visit_id} in {where}. Look it up under its patient.")
    return tuple(Order(*row) for row in rows)


def read_columns(cursor: duckdb.DuckDBPyConnection, split: str, targets: str) -> CohortColumns:
    """The cases of a split as contiguous arrays, by patient id and visit.

    Raises:
        InputError: an unknown split or choice of targets.
    """
    check_split(split)
    if targets not in ("last", "all"):
        raise InputError(f"Unknown targets {targets!r}: expected 'last' or 'all'.")
    rows = run(cursor, "read/column_visits", {"split": split}).fetchnumpy()
    numbers = rows["visit_no"].astype(np.int32)
    every = np.arange(len(numbers), dtype=np.int64)
    chosen = every[rows["is_last"].astype(bool)] if targets == "last" else every
    return CohortColumns(
        row_visit_ids=rows["visit_id"],
        row_visit_no=numbers,
        admitted_at=np.ma.filled(rows["admitted_at"], np.datetime64("NaT")),
        discharged_at=np.ma.filled(rows["discharged_at"], np.datetime64("NaT")),
        patient_ids=rows["patient_id"][chosen],
        first=(every - numbers + 1)[chosen],
        current=chosen,
        profile=_profile(rows, chosen),
        codes={kind: _code_column(cursor, kind, split, rows[PLURALS[kind]]) for kind in KINDS},
    )


def _code_column(cursor: duckdb.DuckDBPyConnection, kind: Kind, split: str, counts: np.ndarray) -> CodeColumn:
    """The codes of one kind; `counts` says how many each visit row has."""
    concepts = run(cursor, "read/concepts", {"kind": kind}).fetchall()
    ids = run(cursor, "read/column_codes", {"split": split, "kind": kind}).fetchnumpy()["concept_id"]
    if len(ids) != counts.sum():
        raise ArtifactError("The cohort's visits and codes do not agree. Build the cohort again.")
    lowest = concepts[0][2] if concepts else 0  # concepts are numbered through, kind after kind
    positions = np.asarray(ids, np.int32) - np.int32(lowest)
    return CodeColumn(tuple(row[0] for row in concepts), Ragged.of_lengths(counts, positions))


def _profile(rows: Mapping[str, Any], chosen: np.ndarray) -> dict[str, np.ndarray]:
    """Profile field -> (N,) text for the chosen visit rows."""
    profile = {name: np.asarray(rows[name], dtype=object)[chosen] for name in (*PROFILE_TEXTS, "gender")}
    for values in profile.values():
        values[values == ""] = UNKNOWN
    bands = np.array([age_band(age) for age in range(-1, 151)], dtype=object)
    profile["age_band"] = bands[np.clip(rows["age"][chosen], -1, 150) + 1]
    return profile
