"""A case's neighbours in the training split, what they share with it and what they were given.

The training cases are read from the file next to the cohort, or computed once.
Similarity is by what the student reads of both cases; it does not say that a neighbour's treatment was right.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import Case, check_case
from leader_core.errors import ArtifactError, LeaderError, NotFoundError
from leader_core.similar.index import NEAREST, CaseIndex, index_path, unit
from leader_core.terminology.equivalence import DiagnosisReading

if TYPE_CHECKING:
    from leader_core.cohort import Cohort
    from leader_core.student.scorer import StudentScorer

log = logging.getLogger("leader.similar")

MAX_AUTO_PATIENTS: Final = 20_000
"""Patients of a cohort whose vectors are computed on first use; a larger one needs the command."""
COMMAND: Final = "python -m train scores"

Visits = Literal["any", "first", "later"]


@dataclass(frozen=True, slots=True)
class SimilarQuery:
    """How many neighbours, and which training patients may be one. The case's own patient never is."""

    count: int = 20
    visits: Visits = "any"  # "first": patients at their only visit; "later": with earlier visits
    same_gender: bool = False
    same_age_band: bool = False
    shares_diagnosis: bool = False  # at least one code of the current visit


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A training patient at their last visit."""

    patient_id: int
    visit_id: int
    visit_no: int
    similarity: float  # cosine, -1 to 1
    gender: str
    age_band: str
    shared: tuple[str, ...]  # diagnoses of the case that both current visits have, as the student reads them
    diagnoses: int  # of the neighbour's visit
    given: tuple[str, ...]  # medication classes of the neighbour's visit, sorted


@dataclass(frozen=True, slots=True)
class NeighbourCount:
    """How many of the neighbours were given a class."""

    count: int
    total: int  # neighbours
    weighted: float  # share of their similarity (taken as 0 where negative) that lies with those who were


@dataclass(frozen=True, slots=True)
class Similar:
    """A case's neighbours, best first."""

    neighbours: tuple[Neighbour, ...]
    given: Mapping[str, NeighbourCount]  # every class that a neighbour was given
    among: int  # training patients that the filters leave
    training: int  # all training patients but the case's own
    mean_similarity: float  # mean cosine to the nearest few of all training patients, whatever the filters
    nearer_than: float | None  # share of validation patients that are no nearer; None where none was measured

    def count_of(self, code: str) -> NeighbourCount:
        """A class that nobody was given counts 0."""
        return self.given.get(code, NeighbourCount(0, len(self.neighbours), 0.0))


@dataclass(frozen=True, slots=True)
class Preparation:
    """Whether neighbours can be computed; `reason` says in a sentence why not."""

    status: Literal["ready", "waiting", "impossible"]
    reason: str = ""


class SimilarCases:
    """The training cases of one cohort by one student. Safe to share between threads."""

    def __init__(self, cohort: Cohort, digest: str, scorer: Callable[[], StudentScorer]) -> None:
        """`digest`: of the student's weights, "" where there is no student; `scorer`: loads it, or raises."""
        self._cohort = cohort
        self._digest = digest
        self._scorer = scorer
        self._index: CaseIndex | None = None
        self._state = self._begin()

    def _begin(self) -> Preparation:
        """The state before anything is computed; opens the stored file where it belongs to this student and cohort."""
        if not self._digest:
            return Preparation("impossible", "Similar patients need the student, and there is none here.")
        path, note = index_path(Path(self._cohort.path)), ""
        if path.is_file():
            try:
                self._index = CaseIndex.open(
                    path, student=self._digest, cohort=self._cohort.fingerprint.digest
                )
                return Preparation("ready")
            except ArtifactError as error:
                note = f"{error} "
        patients = self._cohort.fingerprint.patients
        if patients > MAX_AUTO_PATIENTS:
            return Preparation(
                "impossible",
                f"{note}Finding similar patients among {patients:,} needs them prepared once: {COMMAND}.",
            )
        return Preparation("waiting", note.strip())

    @property
    def state(self) -> Preparation:
        return self._state

    def prepare(self) -> None:
        """Compute the vectors where they are not there and may be."""
        if self._state.status != "waiting":
            return
        try:
            self._index = CaseIndex.build(self._scorer(), self._cohort)
            self._state = Preparation("ready")
        except LeaderError as error:
            self._state = Preparation("impossible", str(error))
        except Exception:
            log.exception("computing the training cases failed")
            self._state = Preparation(
                "impossible", "The training patients could not be read. The server's log says why."
            )

    def find(self, case: Case, query: SimilarQuery = SimilarQuery()) -> Similar:
        """The nearest training patients of a case; its current medications are not read.

        Raises:
            NotFoundError: the training cases are not there (yet); the text says why.
            CaseError: a case with nothing to read.
        """
        index = self._index
        if index is None:
            raise NotFoundError(self._state.reason or "The training patients are still being read.")
        vector, reading = self._vector(case), self._scorer().reading
        others = np.ones(len(index), dtype=bool)
        if case.patient_id is not None:
            others &= index.patient_ids != case.patient_id
        among = others & _filtered(index, case, query, reading)
        cosines = index.cosines(vector)
        nearest = index.best(cosines, max(NEAREST, query.count), others)
        mean_similarity = float(cosines[nearest[:NEAREST]].mean()) if len(nearest) else 0.0
        whole = len(nearest) and bool(among[others].all())  # no filter: the same rows
        rows = nearest[: query.count] if whole else index.best(cosines, query.count, among)
        neighbours = tuple(_neighbour(index, int(row), float(cosines[row]), case, reading) for row in rows)
        measured = index.nearness
        return Similar(
            neighbours,
            _given(neighbours),
            int(among.sum()),
            int(others.sum()),
            mean_similarity,
            float(np.searchsorted(measured, mean_similarity, side="right") / len(measured))
            if len(measured)
            else None,
        )

    def _vector(self, case: Case) -> NDArray[np.float32]:
        """(H,) of length one."""
        from leader_core.student.scorer import represent

        check_case(case)
        scorer = self._scorer()
        encoded = scorer.encode([case.observed()])
        vector: NDArray[np.float32] = unit(represent(scorer.model, encoded, np.arange(1)))[0]
        return vector


def _filtered(
    index: CaseIndex, case: Case, query: SimilarQuery, reading: DiagnosisReading
) -> NDArray[np.bool_]:
    """(N,) which training patients the filters leave."""
    keep = np.ones(len(index), dtype=bool)
    if query.visits != "any":
        keep &= (index.visit_no == 1) == (query.visits == "first")
    for field, wanted in (("gender", query.same_gender), ("age_band", query.same_age_band)):
        if wanted:
            values = index.gender if field == "gender" else index.age_band
            value = case.profile[field]
            labels = index.labels[field]
            keep &= values == (labels.index(value) if value in labels else -1)
    if query.shares_diagnosis:
        keep &= index.with_any(case.current.diagnoses, reading)
    return keep


def _neighbour(index: CaseIndex, row: int, cosine: float, case: Case, reading: DiagnosisReading) -> Neighbour:
    diagnoses = index.codes["diagnosis"].of(row)
    theirs = {read for code in diagnoses for read in reading.of("diagnosis", code)}
    return Neighbour(
        patient_id=int(index.patient_ids[row]),
        visit_id=int(index.visit_ids[row]),
        visit_no=int(index.visit_no[row]),
        similarity=cosine,
        gender=index.labelled("gender", row),
        age_band=index.labelled("age_band", row),
        shared=tuple(
            code
            for code in dict.fromkeys(case.current.diagnoses)
            if not theirs.isdisjoint(reading.of("diagnosis", code))
        ),
        diagnoses=len(diagnoses),
        given=tuple(sorted(index.codes["medication"].of(row))),
    )


def _given(neighbours: tuple[Neighbour, ...]) -> dict[str, NeighbourCount]:
    """Every class that a neighbour was given, by code."""
    weights = {n.patient_id: max(0.0, n.similarity) for n in neighbours}
    whole = sum(weights.values())
    given: dict[str, list[float]] = {}
    for neighbour in neighbours:
        for code in neighbour.given:
            given.setdefault(code, []).append(weights[neighbour.patient_id])
    return {
        code: NeighbourCount(len(own), len(neighbours), sum(own) / whole if whole else 0.0)
        for code, own in sorted(given.items())
    }
