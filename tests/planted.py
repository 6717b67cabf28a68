"""Hand-made stored scores next to a copy of a cohort, and the arrays that they come from: for tests without models."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from leader_core.cohort import Cohort
from leader_core.cohort.columns import CohortColumns
from leader_core.interactions.visit_alerts import OrderedVisits, VisitAlerts
from leader_core.stored_scores import CaseBlock, ScoreWriter, scores_path

CUT = {"teacher": 0.5, "student": 0.3, "popularity": 0.4}
UNNAMED = 3  # classes the student cannot name


class Planted:
    """A cohort with up to three models' scores: `popularity` covers the test split alone."""

    def __init__(self, cohort: Path, folder: Path, models: Sequence[str] = tuple(CUT)) -> None:
        self.path = folder / "planted.duckdb"
        shutil.copy(cohort, self.path)
        plain = Cohort.open(self.path)
        self.columns: CohortColumns = plain.columns("all", "last")
        self.codes = tuple(sorted(self.columns.codes["medication"].table))
        self.truth = truth_of(self.columns, self.codes)
        random = np.random.default_rng(5)
        shape = self.truth.shape
        self.scores = {
            name: np.clip(0.25 * self.truth + random.random(shape) * 0.6, 0, 1).astype(np.float32)
            for name in models
        }
        self.known = {name: np.ones(shape[1], bool) for name in models}
        self.known["student"][:UNNAMED] = False
        self.scores["student"][:, :UNNAMED] = 0.0
        self.truncated = random.random(shape[0]) < 0.3
        test = np.isin(self.columns.patient_ids, plain.columns("test", "last").patient_ids)
        self.there = {name: np.ones(shape[0], bool) for name in models}
        if "popularity" in models:
            self.there["popularity"] = test
        digest, table = plain.fingerprint.digest, plain.interactions
        self.file = scores_path(self.path)
        visits = OrderedVisits.read(plain.reader())
        alerts = VisitAlerts(visits, plain.fingerprint.atc_level, self.codes, plain.drug_shares())
        with ScoreWriter.writing(self.file, digest, "last", self.codes, table, alerts) as writer:
            for name in models:
                cases = writer.add(name, f"{name}-digest", CUT[name], self.known[name], self.blocks(name))
                assert cases == self.there[name].sum()
        plain.close()
        self.cohort = Cohort.open(self.path)

    def blocks(self, name: str) -> Iterator[CaseBlock]:
        for rows in np.array_split(np.flatnonzero(self.there[name]), 3):
            yield CaseBlock(
                self.columns.visit_ids[rows],
                self.columns.patient_ids[rows],
                self.scores[name][rows],
                self.truth[rows],
                self.truncated[rows],
            )


def truth_of(columns: CohortColumns, codes: tuple[str, ...]) -> np.ndarray:
    """(N, A) what was prescribed."""
    place = {code: i for i, code in enumerate(codes)}
    truth = np.zeros((len(columns), len(codes)), bool)
    for n, row in enumerate(columns.current):
        truth[n, [place[code] for code in columns.codes["medication"].of(int(row))]] = True
    return truth
