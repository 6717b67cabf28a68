"""Quality of the drug mapping: precision on manually judged pairs, and how NDCs compare with names."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import floor
from pathlib import Path
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
from leader_core.errors import InputError, NotFoundError
from leader_core.evaluation.class_evidence import wilson
from leader_core.outputs import DRAW_COLUMNS
from leader_core.terminology.drugs import ATC_LENGTH, map_drug
from train.console import Report

CORRECT: Final = "correct"
UNMAPPED: Final = "unmapped"
VERDICTS: Final = (CORRECT, "doubtful", "wrong", UNMAPPED)
COLUMNS: Final = DRAW_COLUMNS
LISTED: Final = 20  # disagreements printed; all of them are in the cohort's table `ndc_check`


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """One pair as it was judged: `expected` holds the level-5 codes that the mapper gave, separated by blanks."""

    drug: str
    route: str
    expected: str
    verdict: str
    remark: str


@dataclass(frozen=True, slots=True)
class Precision:
    """How many of the pairs that got a code are right, with Wilson's 95 % interval, and those that are not."""

    pairs: int  # with a code
    unmapped: int  # without one, and judged so: they lower the mapping rate, not the precision
    correct: int
    low: float
    high: float
    not_correct: tuple[tuple[JudgedPair, str], ...]  # with what the mapper gives now

    @property
    def value(self) -> float:
        """The share of pairs that is right."""
        return self.correct / self.pairs


def read_judged(path: Path) -> tuple[JudgedPair, ...]:
    """The pairs of a CSV with columns `drug, route, expected, verdict, remark`.

    Raises:
        NotFoundError: no such file.
        InputError: other columns, a pair twice, a verdict that is none (as in a draw not yet judged), or no row.
    """
    if not path.is_file():
        raise NotFoundError(
            f"The judged file {path} does not exist. Check --judged, or draw one with --sample."
        )
    pairs: dict[tuple[str, str], JudgedPair] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
                raise InputError(
                    f"The judged file {path} has no column {', '.join(missing)}: expected {', '.join(COLUMNS)}."
                )
            for row in reader:
                pair = JudgedPair(*((row[name] or "").strip() for name in COLUMNS))
                where = f"The judged file {path}, line {reader.line_num}"
                if pair.verdict not in VERDICTS:
                    raise InputError(
                        f"{where}: {pair.drug!r} has the verdict {pair.verdict!r}: expected {', '.join(VERDICTS)}."
                    )
                if (pair.drug, pair.route) in pairs:
                    raise InputError(f"{where}: {pair.drug!r} by {pair.route!r} was judged before. Keep one.")
                pairs[pair.drug, pair.route] = pair
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The judged file {path} is not readable as CSV in UTF-8: {error}.") from error
    if not pairs:
        raise InputError(f"The judged file {path} holds no row. Draw pairs with --sample and judge them.")
    return tuple(pairs.values())


def precision(judged: Sequence[JudgedPair], level: int = 5) -> Precision:
    """How often the mapper is right: a pair counts where it was judged correct and the mapper still gives its codes.

    Raises:
        InputError: a level other than 3, 4 or 5, or no pair with a code.
    """
    if level not in ATC_LENGTH:
        raise InputError(f"ATC level {level!r}: expected 3, 4 or 5.")
    wrong, unmapped = [], 0
    for pair in judged:
        given = _codes((match.code for match in map_drug(pair.drug, pair.route, level)), level)
        if pair.verdict == UNMAPPED and not given:
            unmapped += 1
        elif pair.verdict != CORRECT or given != _codes(pair.expected.split(), level):
            wrong.append((pair, " ".join(given)))
    coded = len(judged) - unmapped
    if not coded:
        raise InputError("No judged pair has a code: expected at least one, to compute a precision.")
    correct = coded - len(wrong)
    return Precision(coded, unmapped, correct, *wilson(correct, coded), tuple(wrong))


def _codes(codes: Iterable[str], level: int) -> list[str]:
    return sorted({code[: ATC_LENGTH[level]] for code in codes})


def percent(share: float) -> str:
    """Two decimals, never rounded up: 100 % means all of them."""
    return f"{floor(round(share * 10_000, 6)) / 100:.2f} %"


def print_ndc(check: NdcCheck, report: Report) -> None:
    """Counts and the most frequent disagreements; nothing where no map was given."""
    if check.orders(NO_MAP) or not check.valid:
        return
    report.table(
        "NDC compared with the drug's name (the name wins)",
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
        report.line(f"... and {more:,} more: all are in a cohort's table 'ndc_check'.")


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
        "disagreements": [asdict(row) for row in check.disagreements],
    }
