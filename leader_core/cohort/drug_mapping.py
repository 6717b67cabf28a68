"""The part of a cohort build that SQL cannot do: codes in our notation with titles, and drug strings mapped to ATC.

Works on distinct values only, a few thousand of each; the builder joins the results to millions of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import pyarrow as pa

from leader_core.cohort import ndc
from leader_core.cohort.ndc import NdcMap
from leader_core.cohort.sources import is_missing
from leader_core.domain import Kind
from leader_core.terminology import eicu_treatments
from leader_core.terminology.chapters import chapter, parent
from leader_core.terminology.drug_table import drug_table
from leader_core.terminology.drugs import ATC_LENGTH, AtcLevel, map_order
from leader_core.terminology.icd import code_title, normalise_icd

UNMAPPED: Final = "unmapped drug"
NO_NAME: Final = "missing drug name"
NO_NDC: Final = "missing NDC"
BY_DRUG: Final = "treatment by a drug"
"""Of a procedure that says which drugs were given: what a model is to find, and must not read."""
NDC_UNKNOWN: Final = "NDC not in the map"


@dataclass(slots=True)
class DrugMapping:
    """For each distinct drug its medication codes, or the reason why it has none, and what became of its NDC."""

    ids: list[int] = field(default_factory=list)
    reasons: list[str | None] = field(default_factory=list)
    code_ids: list[int] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    ndc_codes: list[str | None] = field(default_factory=list)
    name_codes: list[str | None] = field(default_factory=list)

    def add(
        self,
        drug_id: int,
        codes: Iterable[str] = (),
        reason: str | None = None,
        ndc: tuple[str, str | None, str | None] = (ndc.NO_MAP, None, None),
    ) -> None:
        """Add one drug: a reason, or its codes (no code and no reason is an unmapped drug).

        `ndc` is the verdict on its NDC, the NDC's code, and what the name says where the two are compared.
        """
        distinct = sorted(set(codes)) if reason is None else []
        self.ids.append(drug_id)
        self.reasons.append(reason if reason is not None or distinct else UNMAPPED)
        self.code_ids += [drug_id] * len(distinct)
        self.codes += distinct
        self.verdicts.append(ndc[0])
        self.ndc_codes.append(ndc[1])
        self.name_codes.append(ndc[2])

    def outcomes(self) -> pa.Table:
        """`drug_id, reason, verdict, ndc_code, name_code` of every drug."""
        texts = {
            "reason": self.reasons,
            "verdict": self.verdicts,
            "ndc_code": self.ndc_codes,
            "name_code": self.name_codes,
        }
        return pa.table(
            {
                "drug_id": pa.array(self.ids, pa.int64()),
                **{name: pa.array(column, pa.string()) for name, column in texts.items()},
            }
        )

    def code_table(self) -> pa.Table:
        """`drug_id, code`: several rows for a drug of several ingredients."""
        return pa.table(
            {"drug_id": pa.array(self.code_ids, pa.int64()), "code": pa.array(self.codes, pa.string())}
        )


def map_drugs(drugs: Iterable[Sequence[Any]], level: AtcLevel, ndc_map: NdcMap | None = None) -> DrugMapping:
    """Map `(drug_id, drug, route, drug_type, ndc)` by name and route; with a map, its NDC is compared with the name.

    The name wins. An order whose name nobody knows, and which is not set aside, gets its NDC's code.
    """
    mapping = DrugMapping()
    for drug_id, *cells in drugs:
        drug, route, drug_type, code = (None if is_missing(cell) else cell for cell in cells)
        set_aside, matches = map_order(drug, route, drug_type, level)
        codes = {match.code for match in matches}
        named = bool((drug or "").strip())
        set_aside = set_aside if named else None
        reason = set_aside if named else NO_NAME
        if ndc_map is None:
            mapping.add(drug_id, codes, reason)
            continue
        verdict, by_ndc = ndc.compare(code, ndc_map, codes, set_aside, level)
        by_name = set_aside or "; ".join(sorted(codes)) or None
        if verdict == ndc.FILLED_IN and by_ndc is not None:
            codes, reason = {by_ndc}, None
        mapping.add(drug_id, codes, reason, (verdict, by_ndc, by_name))
    return mapping


def map_ndc(drugs: Iterable[Sequence[Any]], ndc_map: NdcMap) -> DrugMapping:
    """Map `(drug_id, drug, route, drug_type, ndc)` by NDC alone, as published; a missing NDC is never filled in."""
    mapping = DrugMapping()
    for drug_id, _, _, _, code in drugs:
        normal = ndc.normalise_ndc(code)
        if normal is None:
            mapping.add(drug_id, reason=NO_NDC, ndc=(ndc.NOT_VALID, None, None))
        elif (mapped := ndc_map.code(normal)) is not None:
            mapping.add(drug_id, (mapped,), ndc=(ndc.FILLED_IN, mapped, None))
        else:
            mapping.add(drug_id, reason=NDC_UNKNOWN, ndc=(ndc.NOT_IN_MAP, None, None))
    return mapping


def map_icd(
    distinct: Iterable[Sequence[Any]], restored: Mapping[tuple[str, str, str | None], str] | None = None
) -> pa.Table:
    """`kind, icd_code, icd_version, code, reason` for distinct `(kind, icd_code, icd_version, ...)`.

    `restored` are codes that a program read as numbers, as they were before.
    """
    rows: list[tuple[str, str, str | None, str | None, str | None]] = []
    for kind, raw, version, *_ in distinct:
        number = {"9": 9, "9.0": 9, "10": 10, "10.0": 10}.get((version or "").strip())
        whole = (restored or {}).get((kind, raw, version), raw)
        code = normalise_icd(whole, number, cast(Kind, kind)) if number is not None else None
        reason = "unknown ICD version" if number is None else "not an ICD code" if code is None else None
        if version == eicu_treatments.SYSTEM and kind == "procedure":
            code, reason = (
                (None, BY_DRUG)
                if eicu_treatments.names_drugs(raw)
                else (eicu_treatments.treatment_code(raw), None)
            )
        if is_missing(raw):
            code, reason = None, "missing code"
        rows.append((kind, raw, version, code, reason))
    return _table(("kind", "icd_code", "icd_version", "code", "reason"), rows)


def describe(codes: Iterable[Sequence[Any]], level: AtcLevel) -> pa.Table:
    """`kind, code, system, title, parent, chapter, also` for `(kind, code, hospital's title)`; None where unknown.

    `also` holds further words for the search: of a medication class, the names of its drugs.
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
    names: dict[str, set[str]] = {}
    for ingredient in drug_table().ingredients.values():
        for code in ingredient.codes.values():
            names.setdefault(code[: ATC_LENGTH[level]], set()).update((ingredient.name, *ingredient.synonyms))
    return {code: "; ".join(sorted(words)) for code, words in names.items()}


def _table(names: Sequence[str], rows: Sequence[Sequence[str | None]]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return pa.table(
        {name: pa.array(list(column), pa.string()) for name, column in zip(names, columns, strict=True)}
    )
