"""Which drugs a medication class means, and in what proportions: counted over the training patients' orders.

A model suggests classes; what would be given is one drug of each. `DrugShares` says how often it was which. Stored in
the model's folder, so that what a suggestion means does not depend on the cohort that is open.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from leader_core.files import read_by_class, write_by_class
from leader_core.interactions.orders import drugs_of_text, usual_names
from leader_core.interactions.rules import frequencies, usual_order
from leader_core.terminology.drug_table import drug_table
from leader_core.terminology.drugs import ATC_LENGTH, atc_length

if TYPE_CHECKING:
    import duckdb

SHARES: Final = "drug_shares.json"
"""The file in a model's folder; models from before it have none."""
FORMAT: Final = 1
PRIOR: Final = "typical hospital use, by our own judgment (no orders counted)"
UNKNOWN_ROUTE: Final = "unknown"

_WEIGHTS: Final[Mapping[str | None, float]] = {None: 1.0, "uncommon": 0.1, "rare": 0.01}
"""Of a drug in `frequency.csv`; those left out there are common."""
_DIGITS: Final = 5
_TEXTS: Final = """
SELECT o.code, o.drug, o.route, list(o.visit_id ORDER BY o.visit_id) AS visits
FROM orders AS o
INNER JOIN patients AS p ON p.patient_id = o.patient_id
WHERE p.split = 'train'
GROUP BY o.code, o.drug, o.route
"""


@dataclass(frozen=True, slots=True)
class DrugShare:
    """One drug of a class."""

    name: str
    code: str  # ATC level 5; level 4 where ATC has no level 5
    share: float  # of the class's orders, 0 to 1
    routes: Mapping[str, float]  # route -> part of this drug's orders; empty where they were not counted


@dataclass(frozen=True, slots=True)
class DrugShares:
    """The drugs of every class at one ATC level, most used first."""

    atc_level: int
    classes: Mapping[str, tuple[DrugShare, ...]]
    label: str  # where they come from

    def of(self, class_code: str) -> tuple[DrugShare, ...]:
        """The drugs of a class, most used first; their shares sum to at most 1 (the rest named no drug).

        A class that was never counted gets the shares of typical use; an ingredient (level 5) is its own only drug.
        """
        if len(class_code) == ATC_LENGTH[5]:
            return (DrugShare(usual_names().get(class_code, class_code), class_code, 1.0, {}),)
        return self.classes.get(class_code) or _typical(class_code)

    def to_json(self) -> dict[str, Any]:
        """A record for `SHARES`."""
        return {
            "format": FORMAT,
            "atc_level": self.atc_level,
            "label": self.label,
            "classes": {
                code: [[each.name, each.code, each.share, dict(each.routes)] for each in drugs]
                for code, drugs in sorted(self.classes.items())
            },
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> DrugShares:
        """Inverse of `to_json`; another shape or format raises TypeError, KeyError, ValueError or AttributeError."""
        if record["format"] != FORMAT:
            raise ValueError(f"format {record['format']!r}, expected {FORMAT}")
        classes = {
            str(code): tuple(
                DrugShare(str(name), str(own), float(share), {str(r): float(s) for r, s in routes.items()})
                for name, own, share, routes in drugs
            )
            for code, drugs in record["classes"].items()
        }
        if any(sum(each.share for each in drugs) > 1.001 for drugs in classes.values()):
            raise ValueError("the shares of a class sum to more than 1")
        return cls(int(record["atc_level"]), classes, str(record["label"]))


def count_shares(reader: duckdb.DuckDBPyConnection, atc_level: int, label: str) -> DrugShares:
    """The shares over the training patients' visits: a drug counts once for each visit and class, however often it was ordered.

    Args:
        reader: of a cohort's database (`Cohort.reader`).
        atc_level: of the cohort.
        label: of the cohort.
    """
    visits: dict[str, dict[tuple[str, str] | None, set[int]]] = defaultdict(lambda: defaultdict(set))
    routes: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for code, drug, route, ids in reader.execute(_TEXTS).fetchall():
        matches = drugs_of_text(code, drug, route)
        for match in matches:
            own = (match.ingredient, match.code)
            visits[code][own].update(ids)
            routes[code, *own][match.group or UNKNOWN_ROUTE] += len(ids)
        if not matches:
            visits[code][None].update(ids)
    classes = {}
    for code, counted in visits.items():
        total = sum(map(len, counted.values()))
        drugs = [
            DrugShare(
                name, own, round(len(counted[name, own]) / total, _DIGITS), _parts(routes[code, name, own])
            )
            for name, own in filter(None, counted)
        ]
        classes[code] = tuple(sorted(drugs, key=lambda each: (-each.share, each.name, each.code)))
    ordered = sum(len(set[int]().union(*counted.values())) for counted in visits.values())
    source = f"{ordered:,} times that a class was ordered in the training visits of {label}"
    return DrugShares(atc_level, classes, source)


def typical_shares(atc_level: int) -> DrugShares:
    """Shares without any counted order, from `assets/interactions/frequency.csv`; see `DrugShares.of`.

    Drugs of equal share stand in the order of `usual.csv`: how often two open hospital databases order them.

    Raises:
        InputError: a level other than 3, 4 and 5.
    """
    atc_length(atc_level)
    return DrugShares(atc_level, {}, PRIOR)


def write_shares(folder: Path, shares: DrugShares) -> None:
    """Write `SHARES` into a model's folder before it is sealed."""
    write_by_class(folder / SHARES, shares.to_json())


def read_shares(folder: Path) -> DrugShares | None:
    """The shares of a model's folder; None in early folders without the file.

    Raises:
        ArtifactError: the file is damaged.
    """
    return read_by_class(folder / SHARES, DrugShares.from_json)


def shares_of(folders: Iterable[Path], atc_level: int) -> DrugShares:
    """The shares of the first model folder that has any at this level; typical use where none has."""
    for folder in folders:
        if (shares := read_shares(folder)) is not None and shares.atc_level == atc_level:
            return shares
    return typical_shares(atc_level)


def _parts(counts: Counter[str]) -> dict[str, float]:
    total = counts.total()
    return {name: round(count / total, 3) for name, count in counts.most_common()}


@cache
def _typical(class_code: str) -> tuple[DrugShare, ...]:
    weights = {
        (name, code): _WEIGHTS[frequencies().get(code)]
        for name, code in _hospital_drugs()
        if code.startswith(class_code)
    }
    total = sum(weights.values())
    drugs = [DrugShare(name, code, weight / total, {}) for (name, code), weight in weights.items()]
    order = usual_order()
    return tuple(
        sorted(drugs, key=lambda each: (-each.share, order.get(each.code, len(order)), each.name, each.code))
    )


@cache
def _hospital_drugs() -> tuple[tuple[str, str], ...]:
    """(name, ATC code) of everything that hospitals order."""
    ingredients = drug_table().ingredients.values()
    return tuple((each.name, code) for each in ingredients for code in sorted(set(each.codes.values())))
