"""What clinicians type for a code and no title says: abbreviations, plain words and brands, with the codes they mean.

Diagnoses, procedures and classes stand in `assets/terminology/synonyms.csv`; names and brands of drugs are taken from
the drug table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from leader_core.domain import KINDS, Kind
from leader_core.errors import ArtifactError
from leader_core.terminology import table_rows
from leader_core.terminology.drug_table import drug_table

_SYSTEMS: Final = {
    "diagnosis": {"icd9": "ICD9", "icd10": "ICD10"},
    "procedure": {"icd9": "ICD9PCS", "icd10": "ICD10PCS"},
    "medication": {},
}


@dataclass(frozen=True, slots=True)
class Synonym:
    """Terms for one meaning, and what they find.

    `codes` are exact (`ICD9:4280`: the code itself is meant) or, with a star, all that match (`ICD9:428*`, `ICD9:250*0`);
    medication patterns are ATC codes without a star, which find their class at any level. `phrases` find every title
    of the kind that holds all their words.
    """

    kind: Kind
    meaning: str
    terms: tuple[str, ...]
    codes: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()


@cache
def synonyms() -> tuple[Synonym, ...]:
    """The table, in its order.

    Raises:
        ArtifactError: a row of an unknown kind, without terms, or that finds nothing.
    """
    rows = []
    for number, row in enumerate(table_rows("synonyms.csv"), 2):
        kind = row["kind"]
        terms = _parts(row["terms"])
        codes = tuple(
            f"{system}:{code}"
            for column, system in _SYSTEMS.get(kind, {}).items()
            for code in row[column].split()
        ) + tuple(row["atc"].split())
        phrases = _parts(row["phrases"])
        if kind not in KINDS or not terms or not row["meaning"] or not (codes or phrases):
            raise ArtifactError(
                f"synonyms.csv, line {number}: {row}: expected a kind of {', '.join(KINDS)}, a meaning, terms, and "
                "codes or phrases."
            )
        rows.append(Synonym(kind, row["meaning"], terms, codes, phrases))
    return tuple(rows)


@cache
def drug_synonyms() -> tuple[Synonym, ...]:
    """Every drug's name, synonyms and brands, each for the drug's codes."""
    return tuple(
        Synonym(
            "medication",
            drug.name,
            (drug.name, *drug.synonyms),
            tuple(dict.fromkeys(drug.codes.values())),
        )
        for drug in drug_table().ingredients.values()
        if drug.codes
    )


def _parts(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split("|") if part.strip())
