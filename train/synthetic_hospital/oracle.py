"""The oracle: each medication class of a visit with the probability by which the generator prescribes it.

Ranking by it is the best that can be done, so its metrics say how much of what a model misses is chance. It knows what no
record tells: all conditions that are present, also those that nobody coded and the states of care that have no code; the
tables that turn them into orders; and of earlier visits the products, not only their classes. The best model lies somewhat
below it.

With `history`, what persists in a patient is inferred from the earlier visits. Whether a group of products is ordered is a
probit model with one standard normal leaning for each patient and group, integrated on a grid. Which product of the group it
is follows the patient's usual one, whose posterior is exact.

Letters: N cases, M classes; V visits of P patients, K products of one group.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri, softmax

from leader_core.cohort.columns import CohortColumns
from leader_core.errors import InputError
from leader_core.evaluation.metrics import CHOSEN_ON_VALIDATION, choose_threshold
from leader_core.model_folder import Manifest
from leader_core.ragged import Ints
from leader_core.scorer import CaseScores, blocks_of
from leader_core.terminology.drugs import map_order
from leader_core.vocabulary import Vocabulary
from train.evaluation.inputs import Labels, Scores
from train.synthetic_hospital.arrays import BoolArray, FloatArray
from train.synthetic_hospital.clinic import Stays
from train.synthetic_hospital.hospital import CHUNK, draw_chunk_stays, knowledge_of
from train.synthetic_hospital.knowledge import Formulary
from train.synthetic_hospital.layouts import LAYOUTS
from train.synthetic_hospital.prescribing import persistence
from train.synthetic_hospital.prescription_rows import written_at_least_once

if TYPE_CHECKING:
    from leader_core.cohort import Cohort

LEANINGS: Final = np.linspace(-5, 5, 61)
"""The grid; one visit's likelihood is at least 0.29 wide."""
FOREIGN: Final = 0.01
"""Share of the prescriptions that may not follow from the products drawn: an order without a route means another class."""


class Oracle:
    """Scores the visits of a cohort that the generator wrote (`leader_core.scorer.Scorer`)."""

    manifest: Manifest | None = None
    threshold_rule = CHOSEN_ON_VALIDATION

    def __init__(self, cohort: Cohort, *, seed: int, history: bool = True) -> None:
        """Choose the cut-off on the validation patients' last visits.

        Args:
            cohort: of the synthetic hospital.
            seed: that the hospital was written with.
            history: whether earlier visits are used; without them the current visit's conditions alone decide.

        Raises:
            InputError: a cohort that this generator did not write with this seed.
        """
        if not cohort.fingerprint.synthetic or cohort.fingerprint.source not in LAYOUTS:
            raise InputError(
                f"{cohort.path} is of no synthetic hospital: only its generator knows probabilities."
            )
        self.name = "oracle" if history else "oracle-current"
        self.medications = Vocabulary.of(cohort.vocabulary_codes("medication"))
        self.trained_on = cohort.fingerprint
        self._seed, self._history = seed, history
        validation = cohort.columns("validation", "last")
        labels = Labels.of(validation, self.medications)
        self.threshold = choose_threshold(self.score(validation), labels.truth, missed=labels.missed)

    def blocks(self, columns: CohortColumns) -> Iterator[tuple[NDArray[np.int64], CaseScores]]:
        scores = self.score(columns)
        for rows in blocks_of(len(columns)):
            yield rows, CaseScores(scores[rows], np.zeros(len(rows), dtype=bool), len(rows))

    def score(self, columns: CohortColumns) -> Scores:
        """(N, M) of the current visits.

        Raises:
            InputError: visits that the generator did not draw, or with other prescriptions.
        """
        source, wanted = self.trained_on.source, columns.visit_ids
        scores = np.full((len(wanted), len(self.medications)), np.nan, dtype=np.float32)
        possible = np.zeros(scores.shape, dtype=bool)
        for number in range(-(-self.trained_on.patients // CHUNK) + 1):
            if not np.isnan(scores).any():
                break
            stays = _stays(source, number, self._seed)
            here = np.flatnonzero(np.isin(wanted, stays.hadm))
            order = np.argsort(stays.hadm)
            rows = order[np.searchsorted(stays.hadm, wanted[here], sorter=order)]
            if len(rows):
                scores[here], possible[here] = _class_probabilities(
                    stays, rows, self.medications, self.trained_on.atc_level, self._history
                )
        truth = Labels.of(columns, self.medications).truth
        if np.isnan(scores).any() or truth[~possible].sum() > FOREIGN * truth.sum():
            raise InputError(
                f"The cohort {self.trained_on.label} was not written by this generator with seed {self._seed}: its visits or "
                "prescriptions are others. Name the --seed that it was written with, or write it again."
            )
        return scores


@lru_cache(maxsize=8)
def _stays(layout: str, chunk: int, seed: int) -> Stays:
    return draw_chunk_stays(knowledge_of(layout), chunk, layout, seed)[1]


def _class_probabilities(
    stays: Stays, rows: Ints, medications: Vocabulary, atc_level: int, history: bool
) -> tuple[FloatArray, BoolArray]:
    """(N, M) twice, of some visit rows: the probability of each class, and which ones the products drawn can stand for."""
    clinic, drugs = stays.clinic, stays.knowledge.formulary
    patients = np.unique(stays.patients.owner[rows])
    visits = np.flatnonzero(np.isin(stays.patients.owner, patients))  # (V,) all visits of those patients
    owner = np.searchsorted(patients, stays.patients.owner[visits])
    visit_no = stays.patients.visit_no[visits]
    given = np.zeros((clinic.length.size, len(drugs.route)), dtype=bool)
    given[clinic.product_visit, clinic.product] = True
    given = given[visits]
    written = _classes(drugs, medications, atc_level, clinic.length)  # (products, M)
    rho, same = persistence(drugs)
    none = np.zeros((len(visits), len(medications)))  # log probability that no group brings the class
    for group in range(len(drugs.groups)):
        of_group = slice(*drugs.products.start[group : group + 2])
        columns = np.flatnonzero(written[of_group].any(axis=0))
        chance, share = clinic.chance[visits, group], drugs.products.shares(group)
        products = np.broadcast_to(share, (len(visits), share.size))
        if history:
            chance = _ordered(chance, given[:, of_group], owner, visit_no, rho[group])
            products = _chosen(share, given[:, of_group], owner, visit_no, same[group])
        classes = written[of_group, columns]
        first, second = products @ classes, drugs.second[group] * (share @ classes)
        brought = chance[:, None] * (1 - (1 - first) * (1 - second))
        none[:, columns] += np.log1p(-np.minimum(brought, 1 - 1e-9))
    at = np.searchsorted(visits, rows)
    return -np.expm1(none[at]), (given[at] @ (written > 0)) > 0


def _classes(drugs: Formulary, medications: Vocabulary, atc_level: int, length: FloatArray) -> FloatArray:
    """(products, M) probability that an admission's orders of a product have a name of the class, over stays' lengths."""
    shares = np.zeros((len(drugs.route), len(medications)))
    for product, route in enumerate(drugs.route):
        names = drugs.name[slice(*drugs.names.start[product : product + 2])]
        orders = (map_order(name, route, "MAIN", atc_level) for name in names)
        for (_, matches), share in zip(orders, drugs.names.shares(product), strict=True):
            for match in matches:
                shares[product, medications.ids([match.code])] += share
    named = shares > 0
    shares[named] = written_at_least_once(np.minimum(shares[named], 1), length)
    return shares


def _ordered(chance: FloatArray, given: BoolArray, owner: Ints, visit_no: Ints, rho: float) -> FloatArray:
    """(V,) probability that a group is ordered, given (V, K) which of its products were at the patient's earlier visits."""
    result = chance.copy()
    weights = np.tile(-(LEANINGS**2) / 2, (int(owner.max()) + 1, 1))  # (P, grid) log posterior
    for number in range(int(visit_no.max()) + 1):
        rows = np.flatnonzero(visit_no == number)
        who = owner[rows]
        reach = (ndtri(chance[rows])[:, None] - np.sqrt(rho) * LEANINGS) / np.sqrt(1 - rho)
        if number:
            result[rows] = (softmax(weights[who], axis=1) * ndtr(reach)).sum(axis=1)
        weights[who] += log_ndtr(np.where(given[rows].any(axis=1, keepdims=True), reach, -reach))
    return result


def _chosen(share: FloatArray, given: BoolArray, owner: Ints, visit_no: Ints, same: float) -> FloatArray:
    """(V, K) probability of each product where the group is ordered, given the products of the patient's earlier visits.

    Of the one or two products of a visit, each is the first with its share, unless it is the usual one.
    """
    result = np.tile(share, (len(owner), 1))
    weights = np.tile(np.log(share), (int(owner.max()) + 1, 1))  # (P, K) log posterior of the usual product
    count = given.sum(axis=1, keepdims=True)
    for number in range(int(visit_no.max()) + 1):
        rows = np.flatnonzero(visit_no == number)
        who = owner[rows]
        if number:
            result[rows] = same * softmax(weights[who], axis=1) + (1 - same) * share
        weights[who] += np.where(
            given[rows], np.log1p(same / ((1 - same) * np.maximum(count[rows], 1) * share)), 0
        )
    return result
