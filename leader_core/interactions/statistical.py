"""The statistical signal: pairs that TWOSIDES-style data report together unusually often, without any grading.

Every pair read here has severity "unknown".
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final

from leader_core.domain import Interaction
from leader_core.errors import InputError, NotFoundError
from leader_core.interactions.rules import ASSETS, ATC_CODE
from leader_core.terminology.drugs import ATC_LENGTH, atc_length

SHIPPED: Final = ASSETS / "statistical_atc3.csv"

SOURCE: Final = (
    "TWOSIDES (Tatonetti et al. 2012), rarest side effects, via published medication-recommendation research"
)
EVIDENCE: Final = "statistical signal in spontaneous reports; not graded"

RAREST: Final = 40
"""How many of the rarest side effects count, as in the published works."""

_STITCH: Final = re.compile(r"CID[ms]?0*(\d+)", re.IGNORECASE)
_TWOSIDES_COLUMNS: Final = ("stitch 1", "stitch 2", "polypharmacy side effect", "side effect name")
_MAPPING_NAMES: Final = ("drug-atc.csv", "stitch_cid_atc.csv")


@dataclass(frozen=True, slots=True)
class StatisticalSignal:
    """Pairs of codes, and in plain sentences what was read, left out, and why."""

    pairs: tuple[Interaction, ...]
    notes: tuple[str, ...]


def read_statistical(
    level: int, path: Path | str | None = None, mapping: Path | str | None = None, *, rarest: int = RAREST
) -> StatisticalSignal:
    """Pairs of ATC codes at this level with a statistical signal; severity "unknown", always.

    Args:
        level: ATC level of the codes wanted: 3, 4 or 5.
        path: nothing for the shipped pairs (level 3 only: the published pairs are class pairs, so levels 4 and 5
            have none and the notes say so); a CSV with columns `code_a, code_b` (and optionally `effect`) at this
            level or a deeper one; or the TWOSIDES-style `drug-DDI.csv` (columns STITCH 1, STITCH 2,
            Polypharmacy Side Effect, Side Effect Name).
        mapping: for `drug-DDI.csv`, the table from STITCH compound to ATC codes, one compound a line and no header
            (`CID000003015,G03HA01`); a compound on two lines has the codes of both. Left out,
            `drug-atc.csv` or `stitch_cid_atc.csv` in the folder of `path` is taken.
        rarest: for `drug-DDI.csv`, how many of the rarest side effects count.

    Raises:
        InputError: a file of another layout, without rows or not readable, codes that cannot be brought to the level,
            a mapping that knows none of the compounds, or one that is given and not needed.
        NotFoundError: a file that does not exist.
    """
    atc_length(level)
    if path is None:
        if level != 3:
            note = (
                f"No statistical pairs at ATC level {level}: the published pairs are of level-3 classes and cannot be "
                "carried down to single drugs. Give a file of pairs (--ddi) to have them."
            )
            return StatisticalSignal((), (note,))
        pairs = _shipped()
        return StatisticalSignal(pairs, (f"{len(pairs)} pairs of ATC level-3 classes. {SOURCE}.",))
    path = _existing(Path(path), "interaction file")
    _, first = next(_lines(path, "interaction file"), (0, []))
    header = [cell.strip().lower() for cell in first]
    if set(_TWOSIDES_COLUMNS) <= set(header):
        return _read_twosides(level, path, _mapping_path(path, mapping), rarest)
    if {"code_a", "code_b"} <= set(header):
        if mapping is not None:
            raise InputError(
                f"{path} names ATC codes itself, so the table from STITCH to ATC {mapping} has nothing to do. "
                "Leave --ddi-map out, or give --ddi the file that names compounds (drug-DDI.csv)."
            )
        return _read_code_pairs(level, path)
    raise InputError(
        f"The interaction file {path} has the columns {', '.join(header) or '(none)'}: expected code_a and code_b "
        "(pairs of ATC codes), or STITCH 1, STITCH 2, Polypharmacy Side Effect and Side Effect Name "
        "(drug-DDI.csv). Rename the columns or give another file."
    )


@lru_cache(maxsize=1)
def _shipped() -> tuple[Interaction, ...]:
    return _read_code_pairs(3, _existing(SHIPPED, "shipped interaction file")).pairs


def _existing(path: Path, what: str) -> Path:
    if not path.is_file():
        raise NotFoundError(f"The {what} {path} does not exist. Check the path, or leave the option out.")
    return path


def _read_code_pairs(level: int, path: Path) -> StatisticalSignal:
    """Rows of `code_a, code_b[, effect][, source]`; deeper codes are cut to the level."""
    effects: dict[tuple[str, str], dict[str, None]] = {}
    sources: dict[tuple[str, str], str] = {}
    within = 0
    lines = _lines(path, "interaction file")
    _, header = next(lines)
    columns = [name.strip().lower() for name in header]
    for number, cells in lines:
        row = dict(zip(columns, cells, strict=False))
        low, high = sorted(
            _code_at(level, row.get(name) or "", f"{path}, line {number}, column {name}")
            for name in ("code_a", "code_b")
        )
        if low == high:
            within += 1
            continue
        names = effects.setdefault((low, high), {})
        if effect := (row.get("effect") or row.get("side_effect") or "").strip():
            names[effect] = None
        sources.setdefault((low, high), (row.get("source") or "").strip() or f"pairs given in {path.name}")
    if not effects and not within:
        raise InputError(f"The interaction file {path} holds no pair: expected lines like B01A,C10A.")
    notes = [f"{len(effects)} pairs read from {path.name}."]
    if within:
        notes.append(
            f"{within} rows join two codes of one class at ATC level {level} and are no pair of classes."
        )
    pairs = tuple(_signal(low, high, effects[low, high], sources[low, high]) for low, high in sorted(effects))
    return StatisticalSignal(pairs, tuple(notes))


def _code_at(level: int, value: str, where: str) -> str:
    code = value.strip().upper()
    if not ATC_CODE.fullmatch(code):
        raise InputError(
            f"{where}: {value!r} is no ATC code of level 3, 4 or 5 (like B01A, B01AA or B01AA03)."
        )
    if len(code) < ATC_LENGTH[level]:
        raise InputError(
            f"{where}: {code} is less specific than ATC level {level}. "
            "Give pairs at the cohort's level or deeper, or build the cohort at this file's level."
        )
    return code[: ATC_LENGTH[level]]


def _mapping_path(path: Path, mapping: Path | str | None) -> Path:
    if mapping is not None:
        return _existing(Path(mapping), "table from STITCH compound to ATC")
    for name in _MAPPING_NAMES:
        if (neighbour := path.parent / name).is_file():
            return neighbour
    raise InputError(
        f"{path} names compounds by STITCH id, and no table from STITCH to ATC was given: "
        f"expected --ddi-map FILE.csv with lines like CID000003015,G03HA01, or such a file next to it "
        f"({' or '.join(_MAPPING_NAMES)}). Give it, or a file of code_a, code_b instead."
    )


def _read_mapping(path: Path, level: int) -> dict[int, tuple[str, ...]]:
    """STITCH compound number to its ATC codes, cut to the level; codes that are not ATC raise."""
    table: dict[int, set[str]] = {}
    for number, row in _lines(path, "table from STITCH compound to ATC"):
        cells = [cell.strip() for cell in row if cell.strip()]
        if not cells:
            continue
        compound = _STITCH.fullmatch(cells[0])
        if compound is None:
            if number == 1:
                continue  # a header
            raise InputError(
                f"{path}, line {number}: {cells[0]!r} is no STITCH compound (like CID000003015)."
            )
        codes = {_code_at(level, cell, f"{path}, line {number}") for cell in cells[1:]}
        table.setdefault(int(compound[1]), set()).update(codes)
    if not table:
        raise InputError(f"{path} maps no compound: expected lines like CID000003015,G03HA01.")
    return {compound: tuple(sorted(codes)) for compound, codes in table.items()}


def _lines(path: Path, what: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of a CSV; blank lines are left out."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The {what} {path} is not readable as CSV in UTF-8: {error}.") from error


def _read_twosides(level: int, path: Path, mapping: Path, rarest: int) -> StatisticalSignal:
    """Pairs of codes of the compounds that share one of the rarest side effects, with those effects' names."""
    table = _read_mapping(mapping, level)
    rows, chosen_effects, all_effects = _rarest_rows(path, rarest)
    effects: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    unmapped: set[str] = set()
    for first, second, effect in rows:
        sides = []
        for compound in (first, second):
            match = _STITCH.fullmatch(compound.strip())
            if match is None:
                raise InputError(f"{path}: {compound!r} is no STITCH compound (like CID000003015).")
            codes = table.get(int(match[1]), ())
            if not codes:
                unmapped.add(compound)
            sides.append(codes)
        for a in sides[0]:
            for b in sides[1]:
                if a != b:
                    effects[min(a, b), max(a, b)][effect] = None
    if not effects:
        raise InputError(
            f"{path} gives no pair: of the compounds of its {len(rows):,} rows that count, {mapping.name} has codes "
            "for too few. Check that --ddi has rows, and that --ddi-map belongs to it."
        )
    pairs = tuple(_signal(low, high, sorted(effects[low, high]), SOURCE) for low, high in sorted(effects))
    read = (
        f"{len(pairs)} pairs at ATC level {level} from {path.name}: the {chosen_effects} rarest of {all_effects} "
        f"side effects, {len(rows)} rows."
    )
    left_out = f"{len(unmapped)} compounds of these rows have no ATC code in {mapping.name} and give no pair."
    return StatisticalSignal(pairs, (read, left_out))


def _rarest_rows(path: Path, rarest: int) -> tuple[list[tuple[str, str, str]], int, int]:
    """(compound, compound, effect name) of the rarest side effects; ties are broken by the effect's id.

    The published file has 4.6 million rows, so it is read by columns; every cell is text, and a blank one stays blank.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv as arrow_csv

    texts = {name: pa.string() for _, names in islice(_lines(path, "interaction file"), 1) for name in names}
    try:
        data = arrow_csv.read_csv(path, convert_options=arrow_csv.ConvertOptions(column_types=texts))
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"The interaction file {path} is not readable as CSV: {error}.") from error
    data = data.rename_columns([name.strip().lower() for name in data.column_names])
    first, second, effect_id, effect_name = (data[name] for name in _TWOSIDES_COLUMNS)
    counts: Iterable[Mapping[str, object]] = pc.value_counts(effect_id).to_pylist()
    by_size: Sequence[tuple[int, str]] = sorted((int(str(c["counts"])), str(c["values"])) for c in counts)
    chosen = [name for _, name in by_size[:rarest]]
    mask = pc.is_in(effect_id, value_set=pa.array(chosen, pa.string()))
    columns = [column.filter(mask).to_pylist() for column in (first, second, effect_name)]
    return list(zip(*columns, strict=True)), len(chosen), len(by_size)


def _signal(low: str, high: str, effects: Iterable[str], source: str) -> Interaction:
    names = ", ".join(effects)
    effect = f"Reported together with: {names}" if names else ""
    return Interaction(low, high, "unknown", source, effect=effect, evidence=EVIDENCE)
