"""The student's architecture as typed values: what `config.json` in its folder holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from leader_core.config_checks import from_record, problems_of
from leader_core.domain import PROFILE_FIELDS
from leader_core.errors import InputError

Pooling = Literal["mean", "recency"]

PAPER_PROFILE: Final[tuple[str, ...]] = ("insurance", "language", "religion", "marital_status", "ethnicity")
"""The five profile fields of the published work (MIMIC-IV has `admission_type` in the place of `religion`)."""

_BEFORE: Final[Mapping[str, Any]] = {
    "current_apart": False,
    "linear": False,
    "linear_columns": 0,
    "linear_categories": False,
    "linear_embedded": False,
    "carry_over": False,
    "equivalence": False,
}
"""Fields that came later, as folders written before them mean it."""


@dataclass(frozen=True, slots=True)
class StudentConfig:
    """Widths and switches. The widths are the published ones, the profile fields those of `default.toml`.

    `recency` adds an embedding of "visits counted back from the current one" to every visit, so that the
    student knows which visit is current; `pooling = "recency"` lets each of those places have its own learned
    weight in the mean over visits. With both off the output does not change when visits change places.
    `current_apart` gives the head each stream's current place next to the mean over all of them.
    `code_text` makes a code's embedding the sum of a map of its title's vector and a part of its own, so that a code
    that training never saw is read by its title.
    `linear` adds a linear model of the codes and profile values to the log-odds: a weight for every class and every
    column that enough training cases have; with `linear_categories` also one for the category of diagnoses and procedures
    (three characters of an ICD-10 code), which rare codes share with common ones, and with `linear_embedded` a map of
    embeddings to log-odds, through which every code has a say. `carry_over` adds what a class taken at
    the last visit, and one not taken then, say of that class now.
    `equivalence` reads diagnoses of both ICD versions as ICD-10-CM (`leader_core.terminology.equivalence`).
    """

    d_model: int = 64
    heads: int = 4
    ffn: int = 300
    head_hidden: int = 128
    dropout: float = 0.4
    attention_dropout: float = 0.1
    max_visits: int = 10  # the most recent ones, the current visit always among them
    max_codes: int = 100  # of one kind in one visit; the first ones recorded
    profile_fields: tuple[str, ...] = PROFILE_FIELDS  # those that the cohort records are read
    recency: bool = False
    pooling: Pooling = "mean"
    current_apart: bool = False
    code_text: bool = False
    text_width: int = 0  # of the title vectors; set when a student with `code_text` is built
    linear: bool = False
    linear_columns: int = 0  # rows of weights; set when a student with `linear` is built
    linear_categories: bool = False
    linear_embedded: bool = False
    carry_over: bool = False
    equivalence: bool = False

    def __post_init__(self) -> None:
        widths = ("d_model", "heads", "ffn", "head_hidden", "max_visits", "max_codes")
        problems = problems_of(
            self, at_least=dict.fromkeys(widths, 1), below_one=("dropout", "attention_dropout")
        )
        if self.heads and self.d_model % self.heads:
            problems.append(f"d_model = {self.d_model}: expected a multiple of heads = {self.heads}")
        unknown = [name for name in self.profile_fields if name not in PROFILE_FIELDS]
        if unknown:
            problems.append(
                f"profile_fields: unknown {', '.join(unknown)}; expected any of {', '.join(PROFILE_FIELDS)}"
            )
        if len(set(self.profile_fields)) != len(self.profile_fields):
            problems.append("profile_fields: a field is named twice")
        if problems:
            raise InputError("; ".join(problems))

    def to_json(self) -> dict[str, Any]:
        """What `config.json` holds."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> StudentConfig:
        """Inverse of `to_json`.

        Raises:
            ArtifactError: for fields missing, unknown or out of range.
        """
        return from_record(cls, record, later=_BEFORE, of="a student")
