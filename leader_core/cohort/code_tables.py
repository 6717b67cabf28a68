"""The codes that can be searched, as one table: the cohort's own, and those that the installed code lists add.

Refuses to know how they are searched.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from leader_core.cohort.statements import run
from leader_core.domain import Kind
from leader_core.terminology.atc import all_atc_titles
from leader_core.terminology.codes import SYSTEMS, all_titles
from leader_core.terminology.drugs import ATC_LENGTH, AtcLevel

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
    text = pa.string()
    tables = []
    for system in SYSTEMS:
        titles = all_titles(system)
        kind = "procedure" if system.endswith("PCS") else "diagnosis"
        constant = {"kind": kind, "system": system}
        tables.append(
            pa.table(
                {
                    **{name: pa.array([value] * len(titles), text) for name, value in constant.items()},
                    "code": titles["code"].cast(text),
                    "title": titles["title"].cast(text),
                }
            )
        )
    length = ATC_LENGTH[own.atc_level]
    classes = {code: title for code, title in all_atc_titles().items() if len(code) == length}
    columns = {
        "kind": ["medication"] * len(classes),
        "system": ["ATC"] * len(classes),
        "code": list(classes),
        "title": list(classes.values()),
    }
    tables.append(pa.table({name: pa.array(values, text) for name, values in columns.items()}))
    library = pa.concat_tables(tables)
    known = set(own.codes)
    new = pa.array([code not in known for code in library["code"].to_pylist()])
    library = library.filter(new)
    more = len(library)
    return CodeTable(
        own.kinds + library["kind"].to_pylist(),
        own.codes + library["code"].to_pylist(),
        own.systems + library["system"].to_pylist(),
        own.titles + library["title"].to_pylist(),
        np.concatenate([own.concept_ids, np.full(more, -1, np.int32)]),
        np.concatenate([own.patients, np.zeros(more, np.int32)]),
        own.atc_level,
    )

