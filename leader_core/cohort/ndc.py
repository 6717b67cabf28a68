"""National Drug Codes: their notation, a hospital's map of them to ATC, and how they compare with a drug's name.

The name always wins.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leader_core.cohort.sources import is_missing
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
_TWO_PARTS: Final = re.compile(r"([0-9]{1,5})-([0-9]{1,4})")
_WIDTHS: Final = (5, 4, 2)
PRODUCT: Final = sum(_WIDTHS[:2])
"""Digits of an NDC that name the product, in whatever package."""
_NDC_COLUMNS: Final = (
    "ndc",
    "ndc11",
    "ndc_code",
    "ndc_11",
    "package_ndc",
    "productndc",
    "product_ndc",
    "source",
)
_CODE_COLUMNS: Final = ("code", "target")
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
    ndc_map: NdcMap,
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
    code = ndc_map.code(normal)
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


@dataclass(frozen=True, slots=True)
class NdcMap:
    """A hospital's or a paper's map of NDCs to ATC codes."""

    codes: Mapping[str, str]  # NDC of 11 digits, or labeller and product of 9 -> ATC code
    note: str  # what was read, as a sentence

    def code(self, ndc: str) -> str | None:
        """The code of an NDC of 11 digits: its own, or that of its product in any package."""
        return self.codes.get(ndc) or self.codes.get(ndc[:PRODUCT])


def read_ndc_map(path: Path, level: AtcLevel, *, coarser: bool = False) -> NdcMap:
    """A map from a CSV in any layout that papers publish: `ndc, atc3`; `NDC, RXCUI, ATC4`; `source, target`; ...

    Of several columns of codes the row's deepest is taken and cut to the level; the first row of an NDC counts. NDCs may
    have hyphens, 10 or 11 digits, or two parts, which name a product in every package. Rows without a code are counted.

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
    try:
        rows = _rows(path.read_bytes())
        return _read_map(path.name, str(path), rows, level, 3 if coarser else level)
    except (UnicodeDecodeError, csv.Error) as error:
        raise _not_csv(str(path), error) from error


def parse_ndc_map(data: bytes, name: str, level: AtcLevel) -> NdcMap:
    """The same from the content of a file.

    Raises:
        InputError: as `read_ndc_map`.
    """
    try:
        return _read_map(name, name, _rows(data), level, level)
    except (UnicodeDecodeError, csv.Error) as error:
        raise _not_csv(name, error) from error


def _rows(data: bytes) -> Iterator[list[str]]:
    """Cells by line, of UTF-8 or of UTF-16 with a byte order mark; the first line's comma, semicolon or tab parts them."""
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    stream = io.StringIO(data.decode("utf-16" if utf16 else "utf-8-sig"), newline="")
    header = stream.readline()
    stream.seek(0)
    return csv.reader(stream, delimiter=max(",;\t|", key=header.count), strict=True)


def _not_csv(name: str, error: Exception) -> InputError:
    reason = f"byte {error.start:,} is no UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
    return InputError(
        f"The NDC map {name} is not readable as CSV in UTF-8: {reason}. Save it as CSV in UTF-8."
    )


def _read_map(name: str, path: str, rows: Iterator[list[str]], level: AtcLevel, needed: AtcLevel) -> NdcMap:
    header = ["_".join(column.lower().split()) for column in next(rows, [])]
    at_ndc = next((header.index(column) for column in _NDC_COLUMNS if column in header), None)
    at_codes = [i for i, column in enumerate(header) if column.startswith("atc") or column in _CODE_COLUMNS]
    if at_ndc is None or not at_codes:
        raise InputError(
            f"The NDC map {path} has the columns {', '.join(header) or '(none)'}: expected ndc and atc3, or another "
            "published layout (NDC, RXCUI, ATC4; source, target)."
        )
    table: dict[str, str] = {}
    empty = several = 0
    used: set[int] = set()
    for number, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        cells = {i: row[i].strip().upper() for i in at_codes if i < len(row)}
        given = {i: code for i, code in cells.items() if code and not is_missing(code)}
        if not given:
            empty += 1
            continue
        at, code = max(given.items(), key=lambda item: (_ATC.fullmatch(item[1]) is not None, len(item[1])))
        written = row[at_ndc].strip(' ="') if at_ndc < len(row) else ""  # ="0006" is a spreadsheet's text
        ndc = normalise_ndc(written) or _product(written)
        if ndc is None or not _ATC.fullmatch(code) or len(code) < ATC_LENGTH[needed]:
            raise InputError(
                f"The NDC map {path}, line {number}: {written!r} and {code!r}: expected an "
                f"NDC of up to 11 digits and an ATC code of level {needed} or deeper."
            )
        used.add(at)
        several += table.setdefault(ndc, code[: ATC_LENGTH[level]]) != code[: ATC_LENGTH[level]]
    if not table:
        raise InputError(f"The NDC map {path} holds no row: expected lines like 00006494300,J07A.")
    products = sum(len(ndc) == PRODUCT for ndc in table)
    extras = [
        f"{count:,} {what}"
        for count, what in (
            (products, "of them products in every package"),
            (empty, "rows without a code were left out"),
            (several, "rows gave an NDC another code than its first row, which counts"),
        )
        if count
    ]
    columns = " and ".join(header[i] for i in sorted(used))
    read = f"{len(table):,} NDCs from the columns {header[at_ndc]} and {columns}"
    return NdcMap(table, f"NDC map {name}: {'; '.join([read, *extras])}.")


def _product(text: str) -> str | None:
    """Labeller and product as nine digits, from two parts: FDA's product code, which names no package."""
    parts = _TWO_PARTS.fullmatch(text.strip())
    return (
        "".join(part.zfill(width) for part, width in zip(parts.groups(), _WIDTHS, strict=False))
        if parts
        else None
    )
