"""What the commands `cohort` and `mapping` both tell of drugs: shares, and how NDCs compare with names.

Refuses to know how anything was mapped or compared.
"""

from __future__ import annotations

from math import floor
from typing import Any, Final

from leader_core.cohort.ndc import (
    AGREE,
    DISAGREE,
    FILLED_IN,
    NO_MAP,
    NOT_IN_MAP,
    SET_ASIDE,
    TOO_COARSE,
    NdcCheck,
)
from train.console import Report

LISTED: Final = 20  # disagreements printed; all of them stand in the cohort's table `ndc_check`


def percent(share: float) -> str:
    """Two decimals, never rounded up: 100 % means all of them."""
    return f"{floor(round(share * 10_000, 6)) / 100:.2f} %"


def print_ndc(check: NdcCheck, report: Report) -> None:
    """Counts and the most frequent disagreements; nothing where no map was given."""
    if check.orders(NO_MAP) or not check.valid:
        return
    report.table(
        "NDC beside the drug's name (the name wins)",
        ("", "orders", "of those in the map"),
        [(name, orders, share) for name, orders, share in _lines(check) if orders or share],
    )
    shown = check.disagreements[:LISTED]
    if shown:
        report.table(
            "Most frequent disagreements",
            ("drug", "route", "NDC says", "name says", "orders"),
            [(row.drug, row.route, row.ndc_code, row.name_code, row.orders) for row in shown],
        )
    if (more := len(check.disagreements) - LISTED) > 0:
        report.line(f"... and {more:,} more: all stand in a cohort's table 'ndc_check'.")


def _lines(check: NdcCheck) -> list[tuple[str, int, str]]:
    def share(orders: int) -> str:
        return percent(orders / check.in_map) if check.in_map else ""

    judged = (
        ("agreeing", AGREE),
        ("disagreeing on the class", DISAGREE),
        ("no drug of its own by name (diluent, flush, ...), a class by NDC", SET_ASIDE),
        ("name unknown: mapped by NDC alone", FILLED_IN),
        ("name unknown: the NDC's class is coarser than the cohort's level", TOO_COARSE),
    )
    return [
        ("all orders", check.orders(), ""),
        ("with a valid NDC", check.valid, ""),
        ("valid, but not in the map", check.orders(NOT_IN_MAP), ""),
        ("valid and in the map", check.in_map, ""),
        *((name, orders, share(orders)) for name, key in judged if (orders := check.orders(key))),
    ]


def ndc_json(check: NdcCheck) -> dict[str, Any]:
    """The same, for programs."""
    return {
        "orders": check.orders(),
        "valid": check.valid,
        "in_map": check.in_map,
        "agreeing": check.orders(AGREE),
        "disagreeing": check.orders(DISAGREE),
        "no_drug_by_name": check.orders(SET_ASIDE),
        "mapped_by_ndc": check.orders(FILLED_IN),
        "too_coarse": check.orders(TOO_COARSE),
        "disagreements": [
            {
                "drug": row.drug,
                "route": row.route,
                "ndc_code": row.ndc_code,
                "name_code": row.name_code,
                "orders": row.orders,
            }
            for row in check.disagreements
        ],
    }
