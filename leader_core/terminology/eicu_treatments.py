"""eICU's treatments: paths of words, kept as a code system of their own, with titles, chapters and the paths above."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from leader_core.terminology.drug_names import read_drug

SYSTEM: Final = "EICU"

_DRUGS: Final = re.compile(
    r"medication|administration|analges|sedati|narcotic|\banti(?!bod|gen)|bronchodilat|vasopress|vasodilat|inotrop"
    r"|diuretic|blocker|inhibitor|agonist|\bagent|steroid|corticoid|ferrous|\biron\b|cathartic|chemical|laxative"
    r"|stress ulcer|prokinetic|hypoglycemic|chemotherap|thromboly|saline|intravenous fluid|electrolyte|bicarbonate"
    r"|alkalini|hormone|vitamin|immunosuppress|\bnmbs?\b|insulin|cephalosporin|penicillin|macrolide|quinolone"
    r"|carbapenem|aminoglycoside|glycopeptide|benzodiazepine|barbiturate|opioid|statin|nitrate|immunoglobulin"
    r"|immune globulin|vaccin|theophylline|chelat|intravenous calcium|glucose|dextrose",
    re.IGNORECASE,
)
_TREATS: Final = frozenset(("oxygen", "water"))
"""Ingredients that are no drug order here: 'oxygen therapy' is how a patient breathes."""
_DEVICES: Final = frozenset(("peg",))  # a tube, not polyethylene glycol
_PROCEDURES: Final = re.compile(r"blood product|transfusion|feed|nutrition", re.IGNORECASE)


@lru_cache(maxsize=65_536)
def treatment_code(path: str) -> str:
    """A treatment's code: its path, with blanks and case evened out.

    >>> treatment_code("pulmonary|ventilation and oxygenation|Mechanical  ventilation")
    'EICU:pulmonary|ventilation and oxygenation|mechanical ventilation'
    """
    parts = [" ".join(part.split()).lower() for part in path.replace(":", " ").split("|")]
    return f"{SYSTEM}:{'|'.join(filter(None, parts))}"


@lru_cache(maxsize=65_536)
def names_drugs(path: str) -> bool:
    """Whether a treatment says which drugs are given, which a model is to find and must not read.

    >>> names_drugs("cardiovascular|shock|vasopressors"), names_drugs("pulmonary|consultations|Pulmonary consultation")
    (True, False)
    """
    parts = path.split("|")[1:]
    if _PROCEDURES.search(parts[-1] if parts else ""):
        return False
    if any(_DRUGS.search(part) for part in parts):
        return True
    readings = [
        reading
        for part in parts
        if part.lower() not in _DEVICES and (reading := read_drug(part)).method == "name"
    ]
    return any(drug.name not in _TREATS for reading in readings for drug in reading.ingredients)


def treatment_title(bare: str) -> str:
    """The path in words, the treatment first.

    >>> treatment_title("pulmonary|ventilation and oxygenation|mechanical ventilation")
    'Mechanical ventilation (pulmonary: ventilation and oxygenation)'
    """
    *above, last = bare.split("|")
    title = last[:1].upper() + last[1:]
    return f"{title} ({': '.join(above)})" if above else title
