"""How well shares of drugs within a class foretell which drug was ordered: log-loss on the validation patients.

Plain frequency in training against two conditional forms: by the drug of the class that the patient had in the visit
before, and by the category of the main diagnosis. What is foretold is the drug, given that its class was ordered.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from leader_core import sql
from leader_core.interactions.orders import drugs_of_text

if TYPE_CHECKING:
    from leader_core.cohort import Cohort

_WEIGHTS: Final = tuple(i / 20 for i in range(20))
"""Weights of what is known of a patient against plain frequency; the best one on training orders is taken."""
_CATEGORY: Final = 3
"""Characters of an ICD code, without its system, that are its category."""

Drug = tuple[str, str]
Share = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OrderedOnce:
    """A drug that was ordered of a class in a visit."""

    patient_id: int
    class_code: str
    drug: Drug  # name and ATC code
    main: str  # category of the main diagnosis
    before: frozenset[Drug]  # drugs of the class in the visit before; empty where it had none of it


@dataclass(frozen=True, slots=True)
class ShareLosses:
    """Mean log-loss (nats) over the validation orders; lower is better."""

    orders: int
    repeated: int  # of classes that the visit before had too
    plain: float
    by_visit_before: float
    by_main_diagnosis: float
    plain_repeated: float | None  # over the repeated orders only
    by_visit_before_repeated: float | None
    weight_before: float  # of the drug of the visit before, chosen on training
    weight_main: float


def share_losses(cohort: Cohort) -> ShareLosses | None:
    """The losses on a cohort's validation patients; None where no validation order names a drug."""
    train, validation = ordered(cohort, "train"), ordered(cohort, "validation")
    if not train or not validation:
        return None
    plain = _Frequencies(train, lambda each: each.class_code)
    by_main = _Frequencies(train, lambda each: (each.class_code, each.main))
    base_train = plain.shares(train, out=True)
    weight_before = _best(base_train, _before(train, base_train))
    weight_main = _best(base_train, by_main.shares(train, out=True, unseen=0.0))
    base = plain.shares(validation)
    before, main = _before(validation, base), by_main.shares(validation, unseen=0.0)
    repeated = np.array([bool(each.before) for each in validation])
    again = bool(repeated.any())
    return ShareLosses(
        orders=len(validation),
        repeated=int(repeated.sum()),
        plain=_loss(base, before, 0.0),
        by_visit_before=_loss(base, before, weight_before),
        by_main_diagnosis=_loss(base, main, weight_main),
        plain_repeated=_loss(base[repeated], before[repeated], 0.0) if again else None,
        by_visit_before_repeated=_loss(base[repeated], before[repeated], weight_before) if again else None,
        weight_before=weight_before,
        weight_main=weight_main,
    )


def _before(orders: Sequence[OrderedOnce], base: Share) -> Share:
    """1 (shared by all of them) for a drug of the visit before, 0 for others; the base where that had none of the class."""
    known = np.array([(each.drug in each.before) / max(1, len(each.before)) for each in orders])
    return np.where([bool(each.before) for each in orders], known, base)


def ordered(cohort: Cohort, split: str) -> list[OrderedOnce]:
    """Every drug of every class of every visit of a split, once."""
    visits: dict[tuple[int, int, str], set[Drug]] = defaultdict(set)
    mains: dict[tuple[int, int], str] = {}
    for patient, visit, code, drug, route, main in sql.run(
        "train.evaluation", cohort.reader(), "drug_orders", {"split": split}
    ).fetchall():
        mains[patient, visit] = (main or "").partition(":")[2][:_CATEGORY]
        for match in drugs_of_text(code, drug, route):
            visits[patient, visit, code].add((match.ingredient, match.code))
    return [
        OrderedOnce(
            patient, code, drug, mains[patient, visit], frozenset(visits.get((patient, visit - 1, code), ()))
        )
        for (patient, visit, code), drugs in sorted(visits.items())
        for drug in sorted(drugs)
    ]


class _Frequencies:
    """How often each drug was ordered in training, under a key; one order is added to each drug seen of the class."""

    def __init__(self, train: Sequence[OrderedOnce], key: Callable[[OrderedOnce], object]) -> None:
        self._key = key
        self._counts: Mapping[object, Counter[Drug]] = defaultdict(Counter)
        self._drugs: Mapping[str, set[Drug]] = defaultdict(set)
        for each in train:
            self._counts[key(each)][each.drug] += 1
            self._drugs[each.class_code].add(each.drug)

    def shares(self, orders: Sequence[OrderedOnce], *, out: bool = False, unseen: float = 1.0) -> Share:
        """(N,) the share of each drug; `out` leaves the order itself out of the counts, `unseen` is added to each drug."""
        totals = {key: counts.total() for key, counts in self._counts.items()}
        result = np.zeros(len(orders))
        for i, each in enumerate(orders):
            key = self._key(each)
            drugs = len(self._drugs.get(each.class_code, ())) + 1  # one more for a drug never seen
            whole = totals.get(key, 0) - out + unseen * drugs
            if whole > 0:
                count = self._counts[key][each.drug] if key in totals else 0
                result[i] = (count - out + unseen) / whole
        return result


def _loss(base: Share, known: Share, weight: float) -> float:
    return float(-np.log(np.maximum(weight * known + (1 - weight) * base, 1e-9)).mean())


def _best(base: Share, known: Share) -> float:
    return min(_WEIGHTS, key=lambda weight: _loss(base, known, weight))
