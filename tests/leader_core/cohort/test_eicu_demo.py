"""The open eICU demo as it is published: accounts that add up, orders known, stays whose order is said to be unknown."""

from __future__ import annotations

import csv
import gzip
import re
from pathlib import Path

import pytest

from leader_core.cohort import Cohort
from leader_core.cohort.build import BuildResult, build_cohort
from tests.conftest import SHARED_DATA
from tests.leader_core.cohort.test_cohort_build import accounts

DEMO = SHARED_DATA / "eicu_demo"
EVERY = 10  # unit stays are taken by whole patients, one patient in ten


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    if not (DEMO / "patient.csv.gz").is_file():
        pytest.skip(f"the open eICU demo is not next to the project: {DEMO}")
    folder = tmp_path_factory.mktemp("eicu_demo")
    stays = _stays()
    for name in ("patient", "diagnosis", "medication", "treatment"):
        _cut(DEMO / f"{name}.csv.gz", folder / f"{name}.csv", stays)
    return build_cohort(folder, folder / "c.duckdb")


def _stays() -> set[str]:
    with gzip.open(DEMO / "patient.csv.gz", "rt", newline="") as stream:
        return {
            row["patientunitstayid"]
            for row in csv.DictReader(stream)
            if sum(map(ord, row["uniquepid"])) % EVERY == 0
        }


def _cut(source: Path, target: Path, stays: set[str]) -> None:
    with gzip.open(source, "rt", newline="") as stream, target.open("w", newline="") as out:
        rows, writer = csv.reader(stream), csv.writer(out)
        header = next(rows)
        writer.writerow(header)
        at = header.index("patientunitstayid")
        writer.writerows(row for row in rows if row[at] in stays)


def test_every_row_of_the_demo_is_accounted_for(built: BuildResult) -> None:
    """Also of diagnoses, of which one row may hold several codes and still counts once."""
    counted = {table: sum(reasons.values()) for table, reasons in accounts(built).items()}
    in_files = {path.stem: path.read_text().count("\n") - 1 for path in built.path.parent.glob("*.csv")}
    assert counted == built.rows_read == in_files and in_files["diagnosis"] > 2_000
    assert built.fingerprint.patients > 80


def test_nearly_every_order_that_names_a_drug_has_a_class(built: BuildResult) -> None:
    orders = accounts(built)["medication"]
    named = orders["kept"] + orders.get("unmapped drug", 0)
    assert named > 2_000 and orders["kept"] / named >= 0.98


def test_an_order_of_stays_that_is_not_known_is_said(built: BuildResult) -> None:
    (note,) = [note for note in built.notes if note.startswith("eICU has no dates")]
    unordered, several = map(int, re.findall(r"for (\d+) of the (\d+) patients", note)[0])
    assert 0 < unordered <= several
    cohort = Cohort.open(built.path)
    cases = cohort.cases("all", "last")
    tied = [case for case in cases if cohort.unordered_visits(case.patient_id or 0)]
    assert 0 < len(tied) <= unordered < len(cases) and all(case.history for case in tied)
    assert "85+" in {case.profile["age_band"] for case in cases}
    assert all(case.current.admitted_at is None for case in cases)
