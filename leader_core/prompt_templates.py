"""The wordings of the teacher's prompt: named, versioned templates, filled by structure."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

from leader_core.domain import Kind
from leader_core.errors import InputError

SectionKind = Literal["instruction", "history", "current", "question"]


@dataclass(frozen=True, slots=True)
class Template:
    """A wording. Names in braces are placeholders; every part must fill all of its own."""

    version: str
    openings: tuple[str, str, str]  # for no, one and more earlier visits; {earlier}
    history: str  # {number} {diagnoses} {procedures} {medications}
    current: str  # {diagnoses} {procedures}
    question: str
    separator: str  # between the titles of a list
    empty: str  # stands for a list without codes
    truncated: str  # stands for a list whose codes were all left out: not the same as having none
    order: tuple[SectionKind, ...]
    newest_first: bool  # order of history visits
    lower: tuple[Kind, ...] = ()  # kinds whose titles are written in lower case
    history_kinds: tuple[Kind, ...] = ("diagnosis", "procedure", "medication")  # of earlier visits
    medications_first: bool = False  # earlier diagnoses give way to what was taken at visits before that
    repeats_current: bool = False  # shows the current diagnoses at every earlier visit, instead of its own


PAPER: Final = Template(
    version="paper-1",
    openings=("The patient has {earlier} times ICU visits. \n ",) * 3,
    history=(
        "In {number} visit, the patient had diagnosis: {diagnoses}; procedures: {procedures}. "
        "The patient was prescribed drugs: {medications}. \n"
    ),
    current=" In this visit, he has diagnosis: {diagnoses}; procedures: {procedures}. ",
    question="Then, the patient should be prescribed: ",
    separator=", ",
    empty="",
    truncated="",
    order=("instruction", "history", "current", "question"),
    newest_first=False,
    lower=("medication",),
)
"""The published wording to the letter, each visit with its own diagnoses."""

PAPER_AS_RUN: Final = replace(PAPER, version="paper-1-as-run", repeats_current=True)
"""What the published code really sends, its history filled with the current diagnoses: only to reproduce its results."""

LEADER: Final = Template(
    version="leader-1",
    openings=(
        "The patient has no earlier hospital admission.\n",
        "The patient has {earlier} earlier hospital admission.\n",
        "The patient has {earlier} earlier hospital admissions.\n",
    ),
    current="This admission. Diagnoses: {diagnoses}. Procedures: {procedures}.\n",
    history="Admission {number}. Medications: {medications}. Diagnoses: {diagnoses}. Procedures: {procedures}.\n",
    question="Medications for this admission:",
    separator="; ",  # titles hold commas
    empty="none",
    truncated="not shown",
    order=("instruction", "current", "history", "question"),
    newest_first=True,
)
"""Ours: neutral and short, the current visit first, then history from the newest back."""

LEADER_2: Final = replace(
    LEADER,
    version="leader-2",
    history="Admission {number}. Medications: {medications}. Diagnoses: {diagnoses}.\n",
    history_kinds=("diagnosis", "medication"),
    medications_first=True,
)
"""The same with what was taken at every earlier visit, and diagnoses of earlier visits where room is left."""

PROMPTS: Final[Mapping[str, Template]] = {
    template.version: template for template in (LEADER, LEADER_2, PAPER, PAPER_AS_RUN)
}


def fill(template: str, values: Mapping[str, str]) -> str:
    """Fill a template's placeholders by structure: text inside the values is never expanded.

    Raises:
        InputError: where a placeholder gets no value, or a value has no placeholder.
    """
    parts = parse(template)
    wanted = {name for _, name in parts if name is not None}
    if wanted != set(values):
        unfilled, unused = sorted(wanted - set(values)), sorted(set(values) - wanted)
        raise InputError(
            f"The prompt part {template!r} does not fit its values: placeholders without a value {unfilled}, "
            f"values without a placeholder {unused}. Fix the template."
        )
    return "".join(literal + (values[name] if name is not None else "") for literal, name in parts)


@lru_cache(maxsize=256)
def parse(template: str) -> tuple[tuple[str, str | None], ...]:
    return tuple((literal, name) for literal, name, _, _ in string.Formatter().parse(template))
