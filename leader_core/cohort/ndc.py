"""National Drug Codes: their notation, a hospital's map of them to ATC, and how they compare with a drug's name.

The name always wins.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leader_core.errors import InputError, NotFoundError
from leader_core.terminology.drugs import ATC_LENGTH, AtcLevel

NOT_VALID: Final = "no valid NDC"
NO_MAP: Final = "valid NDC, no map given"
NOT_IN_MAP: Final = "NDC not in the map"
AGREE: Final = "agree"
DISAGREE: Final = "disagree"
SET_ASIDE: Final = "no drug of its own by name"
FILLED_IN: Final = "mapped by NDC alone"
TOO_COARSE: Final = "name unknown, NDC's class too coarse"
VERDICTS: Final = (NOT_VALID, NO_MAP, NOT_IN_MAP, AGREE, DISAGREE, SET_ASIDE, FILLED_IN, TOO_COARSE)
"""What became of an order's NDC; together they count every order once."""

_ATC: Final = re.compile(r"[A-Z]\d{2}[A-Z](?:[A-Z](?:\d{2})?)?")
_NUMBER: Final = re.compile(r"([0-9]{1,11})(?:\.0)?")
_HYPHENATED: Final = re.compile(r"([0-9]{1,5})-([0-9]{1,4})-([0-9]{1,2})")
_WIDTHS: Final = (5, 4, 2)
_NOTHING: Final = "0" * sum(_WIDTHS)


@dataclass(frozen=True, slots=True)
class NdcRow:
    """Orders with one verdict; where the map knows the NDC, one drug, route and pair of answers."""

    verdict: str  # one of VERDICTS
    drug: str | None
    route: str | None
    ndc_code: str | None  # what the map says
    name_code: str | None  # what the name says: codes, or why it is no drug of its own
    orders: int


@dataclass(frozen=True, slots=True)
class NdcCheck:
    """How the NDCs of a hospital's orders compare with the names of the same orders."""

    rows: tuple[NdcRow, ...]  # most frequent first

    def orders(self, *verdicts: str) -> int:
        """Orders with any of these verdicts; all orders where none is named."""
        return sum(row.orders for row in self.rows if not verdicts or row.verdict in verdicts)

    @property
    def valid(self) -> int:
        """Orders with a valid NDC, in the map or not."""
        return self.orders() - self.orders(NOT_VALID)

    @property
    def in_map(self) -> int:
        """Orders whose NDC the map knows."""
        return self.valid - self.orders(NO_MAP, NOT_IN_MAP)

    @property
    def disagreements(self) -> tuple[NdcRow, ...]:
        """Orders for which name and NDC say different things, most frequent first."""
        return tuple(row for row in self.rows if row.verdict in (DISAGREE, SET_ASIDE))

    def notes(self) -> list[str]:
        """What a person should know of it, in plain sentences."""
        total = self.orders()
        notes = [f"Prescription rows with a valid NDC: {self.valid:,} of {total:,}."]
        if filled := self.orders(FILLED_IN):
            notes.append(f"Prescription rows mapped by their NDC alone, and counted as kept: {filled:,}.")
        if coarse := self.orders(TOO_COARSE):
            notes.append(
                f"Prescription rows with an unknown name and an NDC whose class is coarser than the cohort's ATC "
                f"level, left unmapped: {coarse:,}."
            )
        return notes


def normalise_ndc(raw: str | None) -> str | None:
    """Eleven digits (5 for the labeller, 4 for the product, 2 for the package); None for what is no NDC.

    Understood are the hyphenated forms (4-4-2, 5-3-2, 5-4-1, 5-4-2), lost leading zeros, and numbers that a
    spreadsheet wrote as "54329425.0". Ten digits without hyphens are read as eleven that lost a zero in front, as in
    MIMIC. Zero, words, two parts (no package) and numbers in scientific notation are no NDC.

    >>> normalise_ndc("0006-4943-00"), normalise_ndc("6494300.0"), normalise_ndc("0")
    ('00006494300', '00006494300', None)
    """
    text = (raw or "").strip()
    if number := _NUMBER.fullmatch(text):
        digits = number[1].zfill(sum(_WIDTHS))
    elif parts := _HYPHENATED.fullmatch(text):
        digits = "".join(part.zfill(width) for part, width in zip(parts.groups(), _WIDTHS, strict=True))
    else:
        return None
    return digits if digits != _NOTHING else None


def compare(
    ndc: str | None,
    ndc_map: Mapping[str, str],
    names: Collection[str],
    set_aside: str | None,
    level: AtcLevel,
) -> tuple[str, str | None]:
    """(verdict, the NDC's code) of one order whose name gives these codes, or this reason why it is no drug.

    Codes agree where one is the beginning of the other: a map of level-3 classes is compared at level 3.
    """
    normal = normalise_ndc(ndc)
    if normal is None:
        return NOT_VALID, None
    code = ndc_map.get(normal)
    if code is None:
        return NOT_IN_MAP, None
    if set_aside is not None:
        return SET_ASIDE, code
    if names:
        same = any(name.startswith(code) or code.startswith(name) for name in names)
        return AGREE if same else DISAGREE, code
    return (FILLED_IN if len(code) >= ATC_LENGTH[level] else TOO_COARSE), code


def check_of(rows: Iterable[tuple[str, str | None, str | None, str | None, str | None, int]]) -> NdcCheck:
    """The check from rows of the table `ndc_check`, in their order."""
    return NdcCheck(tuple(NdcRow(*row) for row in rows))


def read_ndc_map(path: Path, level: AtcLevel, *, coarser: bool = False) -> dict[str, str]:
    """NDC (11 digits) to ATC code from a CSV with columns `ndc` and `atc3` (or `atc`); the first row of an NDC counts.

    Args:
        path: the file.
        level: the cohort's ATC level, to which deeper codes are cut.
        coarser: whether codes above that level will do, because they are only compared with.

    Raises:
        NotFoundError: no such file.
        InputError: another layout, a value that is no NDC or no ATC code, or a code above the level needed.
    """
    if not path.is_file():
        raise NotFoundError(f"The NDC map {path} does not exist. Check --ndc-map.")
    shortest = ATC_LENGTH[3 if coarser else level]
    table: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            names = {name.strip().lower(): name for name in reader.fieldnames or ()}
            code_column = next((names[n] for n in ("atc3", "atc", "code") if n in names), None)
            if "ndc" not in names or code_column is None:
                raise InputError(
                    f"The NDC map {path} has the columns {', '.join(names) or '(none)'}: expected ndc and atc3."
                )
            for row in reader:
                ndc, code = normalise_ndc(row[names["ndc"]]), (row[code_column] or "").strip().upper()
                if ndc is None or not _ATC.fullmatch(code) or len(code) < shortest:
                    raise InputError(
                        f"The NDC map {path}, line {reader.line_num}: {row[names['ndc']]!r} and {code!r}: expected an "
                        f"NDC of up to 11 digits and an ATC code of level {3 if coarser else level} or deeper."
                    )
                table.setdefault(ndc, code[: ATC_LENGTH[level]])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The NDC map {path} is not readable as CSV in UTF-8: {error}.") from error
    if not table:
        raise InputError(f"The NDC map {path} holds no row: expected lines like 00006494300,J07A.")
    return table
