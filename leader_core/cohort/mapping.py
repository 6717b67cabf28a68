"""What is decided in words and not in SQL: notation and titles of codes, and which medication a drug string is.

Works on distinct values only, a few thousand of each; the builder joins the answers back to millions of rows.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import pyarrow as pa

from leader_core.domain import Kind
from leader_core.errors import InputError, NotFoundError
from leader_core.terminology.codes import chapter, code_title, normalise_icd, parent
from leader_core.terminology.drug_table import drug_table
from leader_core.terminology.drugs import ATC_LENGTH, AtcLevel, DrugMapper

UNMAPPED: Final = "unmapped drug"
NO_NAME: Final = "missing drug name"
NO_NDC: Final = "missing NDC"
NDC_UNKNOWN: Final = "NDC not in the map"

_ATC: Final = re.compile(r"[A-Z]\d{2}[A-Z](?:[A-Z](?:\d{2})?)?")
_NDC_PARTS: Final = (5, 4, 2)


@dataclass(slots=True)
class DrugMapping:
    """For each distinct drug its medication codes, or the reason why it has none."""

    ids: list[int] = field(default_factory=list)
    reasons: list[str | None] = field(default_factory=list)
    code_ids: list[int] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)

    def add(self, drug_id: int, codes: Iterable[str] = (), reason: str | None = None) -> None:
        """Note one drug: a reason, or its codes (no code and no reason is an unmapped drug)."""
        found = sorted(set(codes)) if reason is None else []
        self.ids.append(drug_id)
        self.reasons.append(reason if reason is not None or found else UNMAPPED)
        self.code_ids += [drug_id] * len(found)
        self.codes += found

    def outcomes(self) -> pa.Table:
        """`drug_id, reason` of every drug."""
        return pa.table(
            {"drug_id": pa.array(self.ids, pa.int64()), "reason": pa.array(self.reasons, pa.string())}
        )

    def code_table(self) -> pa.Table:
        """`drug_id, code`: several rows for a drug of several ingredients."""
        return pa.table(
            {"drug_id": pa.array(self.code_ids, pa.int64()), "code": pa.array(self.codes, pa.string())}
        )


def map_drugs(drugs: Iterable[Sequence[Any]], level: AtcLevel) -> DrugMapping:
    """Map `(drug_id, drug, route, drug_type, ndc)` by name and route."""
    rows = list(drugs)
    mapping = DrugMapping()
    for (drug_id, drug, *_), mapped in zip(
        rows, DrugMapper.load().map_many((row[1:4] for row in rows), level), strict=True
    ):
        if not (drug or "").strip():
            mapping.add(drug_id, reason=NO_NAME)
        else:
            mapping.add(drug_id, (match.code for match in mapped.matches), mapped.set_aside)
    return mapping


def map_ndc(drugs: Iterable[Sequence[Any]], ndc_map: Mapping[str, str]) -> DrugMapping:
    """Map `(drug_id, drug, route, drug_type, ndc)` by NDC alone, as published; a missing NDC is never filled in."""
    mapping = DrugMapping()
    for drug_id, _, _, _, ndc in drugs:
        normal = normalise_ndc(ndc)
        if normal is None:
            mapping.add(drug_id, reason=NO_NDC)
        elif normal in ndc_map:
            mapping.add(drug_id, (ndc_map[normal],))
        else:
            mapping.add(drug_id, reason=NDC_UNKNOWN)
    return mapping


def normalise_ndc(raw: str | None) -> str | None:
    """Eleven digits, or None for nothing, zero, or what is no NDC.

    >>> normalise_ndc("0006-4943-00"), normalise_ndc("6494300"), normalise_ndc("0")
    ('00006494300', '00006494300', None)
    """
    text = (raw or "").strip().removesuffix(".0")
    parts = text.split("-")
    if len(parts) == len(_NDC_PARTS):
        digits = "".join(part.zfill(length) for part, length in zip(parts, _NDC_PARTS, strict=True))
    else:
        digits = text.replace("-", "").zfill(11)
    return digits if re.fullmatch(r"[0-9]{11}", digits) and digits.strip("0") else None


def read_ndc_map(path: Path, level: AtcLevel) -> dict[str, str]:
    """NDC (11 digits) to ATC code from a CSV with columns `ndc` and `atc3` (or `atc`); the first row of an NDC counts.

    Raises:
        NotFoundError: no such file.
        InputError: another layout, a value that is no NDC or no ATC code, or a code above the level asked for.
    """
    if not path.is_file():
        raise NotFoundError(f"The NDC map {path} does not exist. Check --ndc-map.")
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
                if ndc is None or not _ATC.fullmatch(code) or len(code) < ATC_LENGTH[level]:
                    raise InputError(
                        f"The NDC map {path}, line {reader.line_num}: {row[names['ndc']]!r} and {code!r}: expected an "
                        f"NDC of up to 11 digits and an ATC code of level {level} or deeper."
                    )
                table.setdefault(ndc, code[: ATC_LENGTH[level]])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The NDC map {path} is not readable as CSV in UTF-8: {error}.") from error
    if not table:
        raise InputError(f"The NDC map {path} holds no row: expected lines like 00006494300,J07A.")
    return table


def map_icd(distinct: Iterable[Sequence[Any]]) -> pa.Table:
    """`kind, icd_code, icd_version, code, reason` for distinct `(kind, icd_code, icd_version, ...)`."""
    rows: list[tuple[str, str, str | None, str | None, str | None]] = []
    for kind, raw, version, *_ in distinct:
        number = {"9": 9, "9.0": 9, "10": 10, "10.0": 10}.get((version or "").strip())
        code = normalise_icd(raw, number, cast(Kind, kind)) if number is not None else None
        reason = "unknown ICD version" if number is None else "not an ICD code" if code is None else None
        rows.append((kind, raw, version, code, reason))
    return _table(("kind", "icd_code", "icd_version", "code", "reason"), rows)


def describe(codes: Iterable[Sequence[Any]], level: AtcLevel) -> pa.Table:
    """`kind, code, system, title, parent, chapter, also` for `(kind, code, hospital's title)`; None where unknown.

    `also` holds other words by which a code is found: of a medication class, the names of its drugs.
    """
    drugs = drug_names(level)
    rows: list[tuple[str | None, ...]] = []
    for kind, code, given in codes:
        system = "ATC" if kind == "medication" else code.partition(":")[0]
        also = drugs.get(code, "") if kind == "medication" else ""
        rows.append((kind, code, system, given or code_title(kind, code), parent(code), chapter(code), also))
    return _table(("kind", "code", "system", "title", "parent", "chapter", "also"), rows)


def drug_names(level: AtcLevel) -> dict[str, str]:
    """Medication code -> names and synonyms of all drugs that map to it, as one text."""
    found: dict[str, set[str]] = {}
    for ingredient in drug_table().ingredients.values():
        for code in ingredient.codes.values():
            found.setdefault(code[: ATC_LENGTH[level]], set()).update((ingredient.name, *ingredient.synonyms))
    return {code: "; ".join(sorted(names)) for code, names in found.items()}


def _table(names: Sequence[str], rows: Sequence[Sequence[str | None]]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return pa.table(
        {name: pa.array(list(column), pa.string()) for name, column in zip(names, columns, strict=True)}
    )
