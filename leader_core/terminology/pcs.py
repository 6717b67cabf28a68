"""Names for ICD-10-PCS codes and tables that no published list titles, composed from what their characters mean.

A code's first three characters are its section, body system and root operation; `assets/terminology/icd10pcs_names.csv`
holds the names of each (CMS, ICD-10-PCS, public domain). Refuses to know the lists of codes, which `codes` owns.
"""

from __future__ import annotations

import re
from functools import cache

from leader_core.terminology.drug_table import table_rows

_SHAPE = re.compile(r"[0-9A-HJ-NP-Z]{3,7}")


def composed_title(bare: str) -> str | None:
    """Section, body system and operation of a code of 3 to 7 characters in words; None where one is unknown.

    The colon marks it as composed: no published title has this form.

    >>> composed_title("0210ZZZ"), composed_title("GZ2")
    ('Medical and surgical, heart and great vessels: bypass', 'Mental health: crisis intervention')
    """
    if not _SHAPE.fullmatch(bare):
        return None
    section, system, operation = bare[0], bare[1], bare[2]
    names = _names()
    wanted = (("section", section), ("body system", system), ("operation", operation))
    found = [names.get((axis, section, value)) for axis, value in wanted]
    if None in found:
        return None
    where = ", ".join(part for part in found[:2] if part)
    return f"{where}: {found[2]}"


@cache
def _names() -> dict[tuple[str, str, str], str]:
    """(axis, section, character) -> name; a body system without a name is "none" in its section."""
    return {
        (row["axis"], row["section"], row["value"]): row["name"] for row in table_rows("icd10pcs_names.csv")
    }
