"""Whole builds of every kind of damage, in every table that it can be in: a sentence, or accounting that adds up."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from leader_core.cohort.build import build_cohort
from leader_core.errors import InputError
from tests import raw_tables
from tests.damages import TABLES, Damage, damages, of_table


def run(folder: Path, every: int = 1) -> dict[str, Any]:
    """Build from everything that the generator can damage, or from one of so many."""
    whole = build_cohort(raw_tables.write(folder / "whole", raw_tables.mimic3()), folder / "whole.duckdb")
    kinds, outcomes, problems = set[str](), Counter[str](), list[str]()
    for damage in islice(_everywhere(), 0, None, every):
        kinds.add(damage.kind.split(": ")[0])
        out = folder / "out" / "cohort.duckdb"
        shutil.rmtree(folder / "raw", ignore_errors=True)
        shutil.rmtree(out.parent, ignore_errors=True)
        out.parent.mkdir()
        raw = damage.write(folder / "raw")
        try:
            result = build_cohort(raw, out, max_rejects=1)
        except InputError as error:
            outcomes["refused in a sentence"] += 1
            if damage.outcome == "same" or "\n" in str(error) or list(out.parent.iterdir()):
                problems.append(f"{damage.kind}: refused: {error}")
            continue
        except Exception as error:  # noqa: BLE001 - whatever else it is, is what is looked for
            problems.append(f"{damage.kind}: {type(error).__name__}: {error}")
            continue
        outcomes["as if sound" if damage.outcome == "same" else "counted"] += 1
        sums = Counter[str]()
        for table, _, count in result.accounting:
            sums[table] += count
        if sums != Counter(dict(result.rows_read)):
            problems.append(f"{damage.kind}: {dict(sums)} accounted for of {dict(result.rows_read)}")
        if damage.outcome == "same" and result.fingerprint.digest != whole.fingerprint.digest:
            problems.append(f"{damage.kind}: another cohort than from sound tables")
        if damage.outcome == "refused" and damage.table:
            problems.append(f"{damage.kind}: not refused: {dict(result.rows_read)} rows read")
    return {"kinds": len(kinds), "builds": sum(outcomes.values()), **outcomes, "problems": problems}


def _everywhere() -> Iterator[Damage]:
    for damage in damages():
        if damage.table:
            kind = damage.kind.removesuffix(f": {damage.table}")
            yield from (of_table(kind, damage.outcome, table) for table in TABLES)
        else:
            yield damage
