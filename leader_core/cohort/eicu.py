"""What eICU's tables need that SQL cannot do: pairs of codes taken apart, and drugs known by their HICL number alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import duckdb
import pyarrow as pa

from leader_core.cohort.statements import run
from leader_core.terminology.drugs import map_drug, set_aside

SOURCE: Final = "eicu"
_ICD9: Final = re.compile(r"[0-9]|E[0-9]{3}")
_CELLS: Final = "SELECT DISTINCT cell FROM eicu_diagnoses WHERE cell IS NOT NULL"


def complete(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Finish the staging tables of a table of eICU that was just read; returns what a person should know."""
    if table == "patient":
        run(connection, "eicu/admissions")
        run(connection, "eicu/patients")
        several, unordered = run(connection, "eicu/unknown_order").fetchall()[0]
        return [
            f"eICU has no dates. Hospital stays stand in order of the year of discharge and the age; for {unordered:,} of "
            f"the {several:,} patients with several stays that leaves an order unknown, and their number decides."
        ]
    if table == "diagnosis":
        cells = [row[0] for row in connection.execute(_CELLS).fetchall()]
        connection.register("eicu_codes", _codes_table(cells))
        run(connection, "eicu/codes")
        run(connection, "eicu/further_codes")
    if table == "medication":
        names = names_by_hicl(run(connection, "eicu/hicl_drugs").fetchall())
        columns = {"hicl": list(names), "name": list(names.values())}
        connection.register("hicl_names", pa.table({k: pa.array(v, pa.string()) for k, v in columns.items()}))
        (rows,) = run(connection, "eicu/nameless").fetchall()
        run(connection, "eicu/named_by_hicl")
        return [f"Orders without a name: {rows[0]:,}; {rows[1]:,} of them are known by their HICL number."]
    return []


def pair_codes(cell: str) -> list[tuple[str, str]]:
    """The (code, ICD version) of a diagnosis that a cell gives in both versions, ICD-9 first: those of ICD-9 if any.

    A code that begins with a digit, or like E980.2, is ICD-9; one like V62.84 where no ICD-10 code stands before it.

    >>> pair_codes("401.9, I10"), pair_codes("276.1, E87.0, E87.1"), pair_codes("C71.9, G91.4")
    ([('401.9', '9')], [('276.1', '9')], [('C71.9', '10'), ('G91.4', '10')])
    >>> pair_codes("V62.84, R45.851")
    [('V62.84', '9')]
    """
    ninth: list[str] = []
    tenth: list[str] = []
    for code in dict.fromkeys(part.strip().upper() for part in cell.split(",")):
        if _ICD9.match(code) or (code.startswith("V") and not tenth):
            ninth.append(code)
        elif code:
            tenth.append(code)
    return [(code, "9") for code in ninth] or [(code, "10") for code in tenth]


def _codes_table(cells: Iterable[str]) -> pa.Table:
    rows = [
        (cell, position, code, version)
        for cell in cells
        for position, (code, version) in enumerate(pair_codes(cell), 1)
    ]
    types = {"cell": pa.string(), "position": pa.int32(), "code": pa.string(), "version": pa.string()}
    return pa.table(
        {name: pa.array([row[i] for row in rows], kind) for i, (name, kind) in enumerate(types.items())}
    )


def names_by_hicl(rows: Iterable[Sequence[Any]]) -> dict[str, str]:
    """HICL number -> the drug it means, from `(hicl, drug, rows)`: only where every name that is read says one and the same.

    A number whose names all say that it is no drug of its own (a diluent) gets the most frequent of them.
    """
    meanings: dict[str, set[tuple[str, ...]]] = {}
    texts: dict[str, str] = {}
    for hicl, drug, _ in rows:
        aside = set_aside(drug)
        drugs = (
            tuple(sorted({match.ingredient for match in map_drug(drug, level=5)})) if aside is None else ()
        )
        if drugs or aside is not None:
            meanings.setdefault(hicl, set()).add(drugs or (f"({aside})",))
            texts.setdefault(hicl, drug)
    return {
        hicl: f"{texts[hicl]}" if name.startswith("(") else f"{name} (HICL {hicl})"
        for hicl, several in meanings.items()
        if len(several) == 1
        for names in several
        if len(names) == 1
        for name in names
    }
