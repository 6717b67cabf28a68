"""The distinct drug orders of a hospital and what each maps to, without a cohort.

Every row of PRESCRIPTIONS counts, usable in a cohort or not.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import duckdb

from leader_core import sql
from leader_core.cohort import drug_mapping
from leader_core.cohort.accounting import NDC_CHECK
from leader_core.cohort.drug_mapping import AtcLevel
from leader_core.cohort.ndc import NdcCheck, NdcMap, check_of
from leader_core.cohort.raw_reader import RawReader, first_line
from leader_core.cohort.raw_tables import RawFolder, open_raw
from leader_core.cohort.sources import SOURCES
from leader_core.cohort.stages import DRUGS
from leader_core.cohort.statements import run
from leader_core.errors import InputError
from leader_core.files import scratch_folder
from leader_core.terminology.drugs import SET_ASIDE_REASONS

MAPPED: Final = "mapped"
_UNREADABLE: Final = "SELECT CAST(coalesce(sum(rows), 0) AS BIGINT) FROM unreadable_lines"


@dataclass(frozen=True, slots=True)
class DrugOrder:
    """One distinct (drug, route, drug type) as the hospital wrote it, trimmed."""

    drug: str
    route: str
    drug_type: str
    outcome: str  # MAPPED, or the reason why it has no code
    codes: tuple[str, ...]
    orders: int


@dataclass(frozen=True, slots=True)
class DrugOrders:
    """All orders of one or more hospitals, mapped."""

    atc_level: AtcLevel
    orders: tuple[DrugOrder, ...]
    ndc: NdcCheck
    unreadable: int  # lines of the tables that could not be read

    def outcomes(self) -> list[tuple[str, int, int]]:
        """(outcome, distinct strings, orders): mapped first, then by orders."""
        strings, orders = Counter[str](), Counter[str]()
        for order in self.orders:
            strings[order.outcome] += 1
            orders[order.outcome] += order.orders
        names = sorted(orders, key=lambda name: (name != MAPPED, -orders[name], name))
        return [(name, strings[name], orders[name]) for name in names]

    def count(self, *outcomes: str) -> int:
        """Orders with any of these outcomes; all where none is named."""
        return sum(order.orders for order in self.orders if not outcomes or order.outcome in outcomes)

    @property
    def drug_orders(self) -> int:
        """Orders that name a drug: mapped or not, but no diluent, flush, additive, device or study drug."""
        return self.count(MAPPED, drug_mapping.UNMAPPED)

    @property
    def rate(self) -> float:
        """Mapped orders as a share of those that name a drug; 0 where none does."""
        return self.count(MAPPED) / total if (total := self.drug_orders) else 0.0

    def unmapped(self) -> list[tuple[str, str, int]]:
        """(drug, route, orders) of every string without a code, most frequent first."""
        counts = Counter[tuple[str, str]]()
        for order in self.orders:
            if order.outcome == drug_mapping.UNMAPPED:
                counts[order.drug, order.route] += order.orders
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return [(drug, route, orders) for (drug, route), orders in ranked]

    def draw(self, size: int, seed: int) -> list[tuple[str, str]]:
        """Distinct (drug, route) pairs that name a drug, drawn at random without replacement, sorted.

        Raises:
            InputError: more pairs than there are, or none.
        """
        aside = (*SET_ASIDE_REASONS, drug_mapping.NO_NAME)
        pairs = sorted({(o.drug, o.route) for o in self.orders if o.outcome not in aside})
        if not 1 <= size <= len(pairs):
            raise InputError(
                f"A sample of {size:,} (drug, route) pairs: expected 1 to {len(pairs):,}, which is all that these "
                "tables hold. Ask for fewer, or give more folders with --raw."
            )
        return sorted(random.Random(seed).sample(pairs, size))


def read_drug_orders(
    folders: Sequence[Path],
    *,
    source: str = "auto",
    atc_level: AtcLevel = 3,
    ndc_map: NdcMap | None = None,
) -> DrugOrders:
    """Read and map the orders of these folders of raw tables, counted together.

    Args:
        folders: folders of raw tables, as `build_cohort` takes them.
        source: "mimic3", "mimic4", "eicu" or "auto" (detected from the columns).
        atc_level: of the codes, 3 to 5.
        ndc_map: NDC to ATC code, to be compared with the names, which win.

    Raises:
        InputError: a folder or table that cannot be read.
    """
    orders = Counter[tuple[str, str, str, str, tuple[str, ...]]]()
    ndc = Counter[tuple[str, str | None, str | None, str | None, str | None]]()
    unreadable = 0
    for folder in folders:
        read = _read_one(open_raw(Path(folder), source), atc_level, ndc_map)
        for key, rows in read.orders:
            orders[key] += rows
        for row in read.ndc.rows:
            ndc[row.verdict, row.drug, row.route, row.ndc_code, row.name_code] += row.orders
        unreadable += read.unreadable
    ranked = sorted(ndc.items(), key=lambda item: (-item[1], tuple(map(str, item[0]))))
    return DrugOrders(
        atc_level,
        tuple(DrugOrder(*key, rows) for key, rows in sorted(orders.items())),
        check_of((*key, rows) for key, rows in ranked),
        unreadable,
    )


@dataclass(frozen=True, slots=True)
class _Read:
    orders: list[tuple[tuple[str, str, str, str, tuple[str, ...]], int]]
    ndc: NdcCheck
    unreadable: int


def _read_one(raw: RawFolder, level: AtcLevel, ndc_map: NdcMap | None) -> _Read:
    with (
        sql.connect() as connection,
        scratch_folder("tables") as folder,
        ThreadPoolExecutor(1) as pool,
    ):
        prescriptions = SOURCES[raw.source].source_table("prescriptions")
        names = ("patient", prescriptions)  # the first is eICU's unit stays, which its orders are read with
        wanted = {name: raw[name] for name in names if name in raw}
        reader = RawReader(replace(raw, tables=wanted), folder, connection, pool)
        for name in wanted:
            reader.read(name, by_ndc=ndc_map is not None)
        try:
            run(connection, "stage/drugs")
            drugs = connection.execute(DRUGS).fetchall()
            mapped = drug_mapping.map_drugs(drugs, level, ndc_map)
            connection.register("drug_outcomes", mapped.outcomes())
            run(connection, "cohort/ndc_check")
            rows = dict(connection.execute("SELECT drug_id, CAST(rows AS BIGINT) FROM drugs").fetchall())
            lines = connection.execute(_UNREADABLE).fetchall()[0][0]
            check = check_of(connection.execute(NDC_CHECK).fetchall())
        except duckdb.Error as error:
            raise InputError(f"{raw[prescriptions].path} cannot be read: {first_line(error)}.") from error
    codes: dict[int, list[str]] = {}
    for drug_id, code in zip(mapped.code_ids, mapped.codes, strict=True):
        codes.setdefault(drug_id, []).append(code)
    texts = {drug_id: tuple((cell or "").strip() for cell in cells[:3]) for drug_id, *cells in drugs}
    orders = [
        ((*_three(texts[drug_id]), reason or MAPPED, tuple(codes.get(drug_id, ()))), rows[drug_id])
        for drug_id, reason in zip(mapped.ids, mapped.reasons, strict=True)
    ]
    return _Read(orders, check, lines)


def _three(cells: Iterable[str]) -> tuple[str, str, str]:
    drug, route, drug_type = cells
    return drug, route, drug_type
