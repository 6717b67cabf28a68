"""Prescription rows of a chunk: repeated orders, spellings, diluents, fluids and flushes.

Adds the dirt that real tables have: missing drug codes, repeated rows, unknown drugs, orders that stop before they
begin.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from train.synthetic_hospital.arrays import FloatArray, IntArray
from train.synthetic_hospital.clinic import Stays, Times
from train.synthetic_hospital.knowledge import Formulary
from train.synthetic_hospital.patients import Text

_LABELERS: Final = (
    "00338",
    "00904",
    "63323",
    "00409",
    "51079",
    "00517",
    "10019",
    "00074",
    "68084",
    "00781",
    "55390",
)


@dataclass(frozen=True, slots=True)
class Orders:
    """Prescription rows before they take a layout's columns; all arrays of one length R."""

    visit: IntArray
    start: Times
    stop: Times
    kind: Text  # MAIN, BASE or ADDITIVE
    drug: Text
    route: Text
    strength: Text
    form: Text
    ndc: Text
    code: Text  # formulary code
    gsn: Text
    dose: Text
    unit: Text


_RENEWED: Final = 0.55  # share of products that are ordered again in a longer stay
_CHANGED: Final = 0.2  # share with one more order at once


def _renewals(length: FloatArray) -> FloatArray:
    """Expected further orders of a product in a stay of so many days."""
    return 0.25 + 0.05 * np.minimum(length, 30)


def written_at_least_once(share: FloatArray, length: FloatArray) -> FloatArray:
    """Probability that names of this share are on some order of a product, over stays of these lengths.

    Args:
        share: (products,) of each order's names, drawn anew for every order.
        length: (V,) days.
    """
    without = (1 - share) * (1 - _CHANGED * share)
    renewed = np.exp(-np.outer(share, _renewals(length))).mean(
        axis=1
    )  # no such name on a Poisson number of orders
    return 1 - without * (1 - _RENEWED + _RENEWED * renewed)


def draw_orders(rng: np.random.Generator, stays: Stays) -> Orders:
    """All prescription rows of a chunk: drugs with repeated orders, what they are dissolved in, fluids and flushes."""
    clinic, drugs, extras = stays.clinic, stays.knowledge.formulary, stays.knowledge.extras
    visits = clinic.length.size
    repeats = np.minimum(rng.poisson(_renewals(clinic.length))[clinic.product_visit], 14)
    repeats = 1 + (rng.random(repeats.size) < _RENEWED) * repeats + (rng.random(repeats.size) < _CHANGED)
    visit, product = np.repeat(clinic.product_visit, repeats), np.repeat(clinic.product, repeats)
    main = _rows(rng, drugs, visit, product, "MAIN")
    dissolved = np.flatnonzero(drugs.diluted[product])
    base = _rows(rng, extras, visit[dissolved], _extra(rng, extras, "base", dissolved.size), "BASE")
    lists = [
        ("fluid", "BASE", rng.poisson(1.0, visits)),
        ("flush", "MAIN", (rng.random(visits) < 0.82).astype(np.int64) * (1 + rng.poisson(0.5, visits))),
        ("line_flush", "MAIN", (rng.random(visits) < 0.22).astype(np.int64)),
        ("additive", "ADDITIVE", rng.poisson(0.25, visits)),
        ("unknown", "MAIN", rng.poisson(0.12, visits)),
    ]
    pieces = [main, base]
    for name, kind, counts in lists:
        rows = np.repeat(np.arange(visits), counts)
        pieces.append(_rows(rng, extras, rows, _extra(rng, extras, name, rows.size), kind))
    columns = {key: np.concatenate([piece[key] for piece in pieces]) for key in main}
    _span(rng, columns, stays, main["visit"].size, dissolved)
    again = np.flatnonzero(rng.random(columns["visit"].size) < 0.004)  # the same order entered twice
    columns = {key: np.concatenate([value, value[again]]) for key, value in columns.items()}
    order = np.lexsort((rng.random(columns["visit"].size), columns["visit"]))
    return Orders(**{key: value[order] for key, value in columns.items()})


def _extra(rng: np.random.Generator, extras: Formulary, group: str, size: int) -> IntArray:
    return extras.products.draw(np.full(size, extras.groups.index(group)), rng.random(size))


def _rows(
    rng: np.random.Generator, drugs: Formulary, visit: IntArray, product: IntArray, kind: str
) -> dict[str, Any]:
    """Columns that depend on the product alone; the spelling varies from order to order."""
    spelled = drugs.names.draw(product, rng.random(product.size))
    name, route = np.asarray(drugs.name, dtype=object), np.asarray(drugs.route, dtype=object)
    form, strength = np.asarray(drugs.form, dtype=object), np.asarray(drugs.strength, dtype=object)
    digests = np.asarray([zlib.crc32(n.encode()) for n in drugs.name])
    ndc = np.asarray(
        [f"{_LABELERS[m % len(_LABELERS)]}{m // 7 % 1000000:06d}" for m in digests], dtype=object
    )
    gsn = np.asarray([f"{m // 13 % 70000:06d}" for m in digests], dtype=object)
    code = np.asarray(
        [
            f"{''.join(c for c in n.upper() if c.isalpha())[:4]}{m % 90 + 10}"
            for n, m in zip(drugs.name, digests, strict=True)
        ],
        dtype=object,
    )
    unit = np.asarray([_unit(s) for s in drugs.strength], dtype=object)
    dose = np.asarray([_dose(s) for s in drugs.strength], dtype=object)
    packages = ndc[spelled]
    sliding = strength[product] == "Dummy Package for Sliding Scale"
    without = sliding | (rng.random(product.size) < (0.35 if kind == "BASE" else 0.05))
    return {
        "visit": visit,
        "kind": np.full(visit.size, kind, dtype=object),
        "drug": name[spelled],
        "route": np.where(rng.random(visit.size) < 0.0004, "", route[product]),
        "strength": strength[product],
        "form": form[product],
        "ndc": np.where(without, np.where(rng.random(visit.size) < 0.01, "", "0"), packages),
        "code": code[spelled],
        "gsn": np.where(rng.random(visit.size) < 0.08, "", gsn[spelled]),
        "dose": dose[product],
        "unit": unit[product],
    }


def _unit(strength: str) -> str:
    text = strength.lower()
    return (
        next((u for u in ("mcg", "mg", "meq", "unit", "gm", "ml") if u in text), "dose")
        .replace("meq", "mEq")
        .replace("unit", "UNIT")
    )


def _dose(strength: str) -> str:
    digits = ""
    for character in strength:
        if character.isdigit() or (character == "." and digits):
            digits += character
        elif digits:
            break
    return digits.rstrip(".") or "1"


def _span(
    rng: np.random.Generator,
    columns: dict[str, Any],
    stays: Stays,
    main: int,
    dissolved: IntArray,
) -> None:
    """Start and stop of each order; what a drug is dissolved in shares the drug's dates."""
    visit = columns["visit"]
    length = (stays.discharged - stays.admitted).astype(np.int64)[visit]
    begin = (rng.random(visit.size) ** 1.8 * length * 0.9).astype(np.int64)
    last = (rng.random(visit.size) * (length - begin)).astype(np.int64)
    wrong = rng.random(visit.size) < 0.006  # stopped before it began: orders cancelled or mistyped
    begin[main : main + dissolved.size] = begin[dissolved]
    last[main : main + dissolved.size] = last[dissolved]
    start = stays.admitted[visit] + begin.astype("timedelta64[s]")
    hour = np.timedelta64(3600, "s")
    columns["start"] = start.astype("datetime64[h]").astype("datetime64[s]")
    stop = np.where(wrong, start - 26 * hour, start + last.astype("timedelta64[s]"))
    columns["stop"] = stop.astype("datetime64[h]").astype("datetime64[s]")
