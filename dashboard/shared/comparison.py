"""Teacher, student and what was ordered, side by side: rows, groups and the metrics under each cut-off."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from leader_core import Recommendation
from leader_core.domain import ModelName
from leader_core.evaluation import metrics

Group = Literal["agreed", "teacher", "student", "held", "missed", "own", "neither"]
Error = Literal["missing", "extra", "right", "held", "neither"]
Grouping = Literal["errors", "agreement", "area"]
GROUPS: Final[tuple[Group, ...]] = ("agreed", "teacher", "student", "held", "missed", "own", "neither")

AREAS: Final[Mapping[str, str]] = {
    "A": "Digestion and metabolism",
    "B": "Blood and clotting",
    "C": "Heart and circulation",
    "D": "Skin",
    "G": "Urology and sex hormones",
    "H": "Systemic hormones",
    "J": "Infection",
    "L": "Cancer and immune system",
    "M": "Muscles and bones",
    "N": "Nervous system",
    "P": "Parasites",
    "R": "Breathing",
    "S": "Eyes and ears",
    "V": "Various",
}
"""The therapeutic areas of ATC's first letter, in plain words."""


def area(code: str) -> str:
    """The therapeutic area of an ATC code; "Various" where the letter is none of ATC's."""
    return AREAS.get(code[:1], AREAS["V"])


@dataclass(frozen=True, slots=True)
class Row:
    """One medication class: what the models say of it, and whether it was ordered."""

    code: str
    title: str
    prescribed: bool
    scores: Mapping[ModelName, float]  # of the models that score it
    suggested: frozenset[ModelName]  # by which models
    own: bool = False  # chosen by the viewer, who decided first
    held: bool = False  # scored high enough, but held back for the patient's conditions

    @property
    def group(self) -> Group:
        if self.held:
            return "held"
        if self.suggested:
            return "agreed" if len(self.suggested) == 2 else next(iter(self.suggested))
        if self.prescribed:
            return "missed"
        return "own" if self.own else "neither"

    @property
    def rank(self) -> float:
        """Mean of the scores there are; sorts a group, best first."""
        return sum(self.scores.values()) / len(self.scores) if self.scores else -1.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """How one set of classes compares with what was ordered."""

    selected: int
    hits: int
    jaccard: float | None  # None where both sets are empty
    f1: float | None


def rows(
    recommendations: Mapping[ModelName, Recommendation],
    prescribed: Sequence[str],
    titles: Mapping[str, str],
    own: Collection[str] = (),
    held: Collection[str] = (),
) -> list[Row]:
    """One row for each class that a model scores, that was ordered or that the viewer chose; best first.

    `held` names the classes that were taken out of the suggestions for the patient's conditions.
    """
    known_titles = dict(titles)
    scores: dict[str, dict[ModelName, float]] = {code: {} for code in (*prescribed, *own)}
    suggested: dict[str, set[ModelName]] = {}
    for name, recommendation in recommendations.items():
        for medication in recommendation.medications:
            scores.setdefault(medication.code, {})[name] = medication.probability
            known_titles[medication.code] = medication.title
            if medication.selected:
                suggested.setdefault(medication.code, set()).add(name)
    compared = [
        Row(
            code=code,
            title=known_titles.get(code, code),
            prescribed=code in prescribed,
            scores=by_model,
            suggested=frozenset(suggested.get(code, ())),
            own=code in own,
            held=code in held,
        )
        for code, by_model in scores.items()
    ]
    return sorted(compared, key=lambda row: (-row.rank, row.code))


def grouped(compared: Iterable[Row]) -> dict[Group, list[Row]]:
    """Rows by agreement; every group is there, empty or not."""
    groups: dict[Group, list[Row]] = {name: [] for name in GROUPS}
    for row in compared:
        groups[row.group].append(row)
    return groups


def by_error(compared: Iterable[Row], models: Collection[ModelName]) -> dict[Error, list[Row]]:
    """Rows by what these models did with what was ordered: missed by one or all, suggested without an order, right."""
    groups: dict[Error, list[Row]] = {"missing": [], "extra": [], "right": [], "held": [], "neither": []}
    for row in compared:
        selected = [model in row.suggested for model in models]
        if row.held:
            groups["held"].append(row)
        elif row.prescribed:
            groups["right" if all(selected) else "missing"].append(row)
        else:
            groups["extra" if any(selected) else "neither"].append(row)
    return groups


def by_area(compared: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by therapeutic area, in ATC's order."""
    groups: dict[str, list[Row]] = {}
    for row in sorted(compared, key=lambda r: (r.code[:1], -r.rank, r.code)):
        groups.setdefault(area(row.code), []).append(row)
    return groups


def agreement(selected: Iterable[str], prescribed: Iterable[str]) -> Agreement:
    """Jaccard and F1 of one set against another, as the evaluation defines them; not shown where both sets are empty.

    >>> agreement({"A", "B", "C"}, {"B", "C", "D", "E"})
    Agreement(selected=3, hits=2, jaccard=0.4, f1=0.5714285714285714)
    >>> agreement((), ()).jaccard is None
    True
    """
    ours, theirs = set(selected), set(prescribed)
    both, predicted, actual = (np.array(len(codes)) for codes in (ours & theirs, ours, theirs))
    defined = bool(ours or theirs)
    return Agreement(
        selected=len(ours),
        hits=len(ours & theirs),
        jaccard=float(metrics.jaccard(both, predicted, actual)) if defined else None,
        f1=float(metrics.f1(both, predicted, actual)) if defined else None,
    )


def changes(earlier: Iterable[str], now: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Codes that are new, and codes that were stopped, in their order.

    >>> changes(["A", "B"], ["B", "C"])
    (('C',), ('A',))
    """
    before, after = list(dict.fromkeys(earlier)), list(dict.fromkeys(now))
    return tuple(c for c in after if c not in set(before)), tuple(c for c in before if c not in set(after))
