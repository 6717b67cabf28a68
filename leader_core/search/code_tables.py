"""The codes that can be searched, as one table: the cohort's own, and those that the installed code lists add.

Refuses to know how they are searched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb
import numpy as np
from numpy.typing import NDArray

from leader_core.cohort.statements import run
from leader_core.domain import Kind
from leader_core.terminology.atc import all_atc_titles
from leader_core.terminology.drugs import ATC_LENGTH, AtcLevel
from leader_core.terminology.icd import SYSTEMS, listed_titles


@dataclass(frozen=True, slots=True)
class CodeTable:
    """Parallel columns; the cohort's codes first, where there are any.

    `concept_ids` are -1 and `patients` 0 for codes that only the lists know.
    """

    kinds: list[Kind]
    codes: list[str]
    systems: list[str]
    titles: list[str]
    concept_ids: NDArray[np.int32]
    patients: NDArray[np.int32]
    atc_level: AtcLevel

    def __len__(self) -> int:
        return len(self.codes)


def own_codes(cursor: duckdb.DuckDBPyConnection, level: AtcLevel) -> CodeTable:
    """The codes of a cohort's visits, by their number."""
    rows = run(cursor, "read/searched_concepts").fetchall()
    kinds, codes, systems, titles, concept_ids, patients = zip(*rows, strict=True) if rows else ((),) * 6
    return CodeTable(
        list(kinds),
        list(codes),
        list(systems),
        list(titles),
        np.array(concept_ids, np.int32),
        np.array(patients, np.int32),
        level,
    )


def with_libraries(own: CodeTable) -> CodeTable:
    """The same, and every code of the installed lists that is not among them."""
    known = set(own.codes)
    kinds, codes, systems, titles = list(own.kinds), list(own.codes), list(own.systems), list(own.titles)

    def add(kind: Kind, system: str, listed: Iterable[tuple[str, str]]) -> None:
        new = [(code, title) for code, title in listed if code not in known]
        kinds.extend([kind] * len(new))
        systems.extend([system] * len(new))
        codes.extend(code for code, _ in new)
        titles.extend(title for _, title in new)

    for system in SYSTEMS:
        kind: Kind = "procedure" if system.endswith("PCS") else "diagnosis"
        add(kind, system, ((f"{system}:{bare}", title) for bare, title in listed_titles(system).items()))
    length = ATC_LENGTH[own.atc_level]
    add("medication", "ATC", ((code, t) for code, t in all_atc_titles().items() if len(code) == length))
    more = len(codes) - len(own)
    return CodeTable(
        kinds,
        codes,
        systems,
        titles,
        np.concatenate([own.concept_ids, np.full(more, -1, np.int32)]),
        np.concatenate([own.patients, np.zeros(more, np.int32)]),
        own.atc_level,
    )
