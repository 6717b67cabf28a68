"""A made-up cohort that a student can learn from: diagnoses call for medications, and medications persist.

The part of `leader_core.cohort.Cohort` that training and evaluation need.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np

from leader_core import sql
from leader_core.cohort.columns import CohortColumns
from leader_core.domain import Case, Fingerprint, Visit
from leader_core.interactions import DrugShares, InteractionTable, typical_shares

DIAGNOSES = tuple(f"ICD9:{400 + i}" for i in range(40))
PROCEDURES = tuple(f"ICD9PCS:{400 + i}" for i in range(10))
MEDICATIONS = tuple(f"{letter}{number:02d}A" for letter in "ABCJNR" for number in range(1, 5))
PROFILE = {"insurance": ("Medicare", "Private", "unknown"), "gender": ("F", "M")}


@dataclass
class Hospital:
    """`patients` made-up patients: 80 % training, 10 % validation, 10 % test."""

    patients: int = 200
    seed: int = 0
    path: Path = Path("made-up.duckdb")
    profile_fields: tuple[str, ...] = ("insurance", "gender")
    by_patient: list[list[Case]] = field(default_factory=list)

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        self.by_patient = [_patient(random, i + 1) for i in range(self.patients)]

    @property
    def fingerprint(self) -> Fingerprint:
        visits = sum(map(len, self.by_patient))
        single = sum(len(v) == 1 for v in self.by_patient)
        return Fingerprint(
            "Made-up hospital", "mimic3", True, "clinical", 3, self.patients, visits, single,
            len(DIAGNOSES), len(PROCEDURES), len(MEDICATIONS), 0.0, f"{self.patients}-{self.seed}".ljust(64, "0"),
        )  # fmt: skip

    @property
    def interactions(self) -> InteractionTable:
        return InteractionTable([])

    def cases(self, split: str = "all", targets: str = "last") -> list[Case]:
        result = []
        for cases in self.by_patient:
            assert cases[0].patient_id is not None
            place = cases[0].patient_id % 10
            if split in ("all", {8: "validation", 9: "test"}.get(place, "train")):
                result += cases if targets == "all" else cases[-1:]
        return result

    def columns(self, split: str = "all", targets: str = "last") -> CohortColumns:
        return CohortColumns.from_cases(self.cases(split, targets))

    def drug_shares(self) -> DrugShares:
        return typical_shares(3)

    def vocabulary_codes(self, kind: str, split: str = "train") -> list[str]:
        result = set()
        for case in self.cases(split, "all"):
            result |= set(case.current.codes(kind))
        return sorted(result)

    def profile_values(self, field: str) -> list[str]:
        return sorted({case.profile[field] for case in self.cases("train", "all")})

    def reader(self) -> duckdb.DuckDBPyConnection:
        """The visits in a database, without orders."""
        connection = sql.connect()
        connection.execute("CREATE TABLE visits (visit_id BIGINT, patient_id BIGINT, visit_no INTEGER)")
        rows = [
            (case.current.visit_id, case.patient_id, case.current.visit_no)
            for case in self.cases("all", "all")
        ]
        connection.executemany("INSERT INTO visits VALUES (?, ?, ?)", rows)
        connection.execute("CREATE TABLE orders (visit_id BIGINT, code VARCHAR, drug VARCHAR, route VARCHAR)")
        connection.execute("CREATE TABLE concepts (concept_id INTEGER, kind VARCHAR, code VARCHAR)")
        connection.execute(
            "CREATE TABLE visit_codes (visit_id BIGINT, patient_id BIGINT, visit_no INTEGER, kind VARCHAR, "
            "concept_id INTEGER)"
        )
        return connection

    def title(self, kind: str, code: str) -> str | None:
        return f"{kind} {code}"


def _patient(random: np.random.Generator, patient_id: int) -> list[Case]:
    """A patient's cases, one a visit, each with the visits before it as history."""
    profile = {name: str(random.choice(values)) for name, values in PROFILE.items()}
    chronic = random.choice(len(DIAGNOSES), 2, replace=False)
    visits: list[Visit] = []
    cases = []
    for number in range(1, int(min(random.geometric(0.45), 6)) + 1):
        acute = random.choice(len(DIAGNOSES), int(random.integers(1, 5)), replace=False)
        diagnoses = list(dict.fromkeys([*chronic, *acute]))
        medications = {MEDICATIONS[(3 * d + k) % len(MEDICATIONS)] for d in diagnoses for k in (0, 1)}
        medications |= {MEDICATIONS[0]} | ({MEDICATIONS[1]} if profile["gender"] == "F" else set())
        if visits and random.random() < 0.8:
            medications |= set(visits[-1].medications[:2])
        visit = Visit(
            diagnoses=tuple(DIAGNOSES[d] for d in diagnoses),
            procedures=tuple(random.choice(PROCEDURES, int(random.integers(0, 3)), replace=False).tolist()),
            medications=tuple(sorted(medications)),
            visit_id=patient_id * 100 + number,
            visit_no=number,
        )
        cases.append(Case(profile=profile, history=tuple(visits), current=visit, patient_id=patient_id))
        visits.append(visit)
    return cases
