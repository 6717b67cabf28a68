"""(drug, route) pairs that a person judged, and how often the mapper is right on them, with an interval.

Refuses to know how pairs were drawn: a draw at random is the caller's business.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leader_core.errors import InputError, NotFoundError
from leader_core.evaluation.class_evidence import wilson
from leader_core.terminology.drugs import ATC_LENGTH, DrugMapper

CORRECT: Final = "correct"
UNMAPPED: Final = "unmapped"
VERDICTS: Final = (CORRECT, "doubtful", "wrong", UNMAPPED)
COLUMNS: Final = ("drug", "route", "expected", "verdict", "remark")


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """One pair as it was judged: `expected` holds the level-5 codes that the mapper gave, parted by blanks."""

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
    mapper = DrugMapper.load()
    wrong, unmapped = [], 0
    for pair in judged:
        given = _codes((match.code for match in mapper.map(pair.drug, pair.route, level)), level)
        if pair.verdict == UNMAPPED and not given:
            unmapped += 1
        elif pair.verdict != CORRECT or given != _codes(pair.expected.split(), level):
            wrong.append((pair, " ".join(given)))
    coded = len(judged) - unmapped
    if not coded:
        raise InputError("No judged pair has a code: there is no precision to speak of.")
    correct = coded - len(wrong)
    return Precision(coded, unmapped, correct, *wilson(correct, coded), tuple(wrong))


def _codes(codes: Iterable[str], level: int) -> list[str]:
    return sorted({code[: ATC_LENGTH[level]] for code in codes})
