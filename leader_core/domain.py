"""The frozen values that all packages exchange: cases, visits, scores, interactions, orders, prompts and fingerprints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal

from leader_core.errors import CaseError

Kind = Literal["diagnosis", "procedure", "medication"]
KINDS: Final[tuple[Kind, ...]] = ("diagnosis", "procedure", "medication")
PLURALS: Final[Mapping[Kind, str]] = {
    "diagnosis": "diagnoses",
    "procedure": "procedures",
    "medication": "medications",
}

Targets = Literal["last", "all"]
"""Whose visits are cases: the last of each patient, or every one with its past as history."""

ModelName = Literal["teacher", "student"]
MODEL_NAMES: Final[tuple[ModelName, ...]] = ("teacher", "student")

Severity = Literal["contraindicated", "major", "moderate", "minor", "unknown"]
SEVERITIES: Final[tuple[Severity, ...]] = ("contraindicated", "major", "moderate", "minor", "unknown")
"""Most severe first; "unknown" is a statistical signal without clinical grading."""
GRADED: Final[tuple[Severity, ...]] = SEVERITIES[:-1]
SEVERITY_RANK: Final[Mapping[Severity, int]] = {severity: rank for rank, severity in enumerate(SEVERITIES)}

UNKNOWN: Final = "unknown"
"""The value of a profile field that was not recorded."""

PROFILE_FIELDS: Final[tuple[str, ...]] = (
    "insurance",
    "language",
    "religion",
    "marital_status",
    "ethnicity",
    "admission_type",
    "age_band",
    "gender",
)
"""Every profile field a case may carry; a model's configuration says which of them it reads."""

AGE_BANDS: Final[tuple[tuple[int, str], ...]] = (
    (18, "0-17"),
    (30, "18-29"),
    (45, "30-44"),
    (55, "45-54"),
    (65, "55-64"),
    (75, "65-74"),
    (85, "75-84"),
    (10_000, "85+"),
)
"""(exclusive upper age in years, label)."""


def age_band(age: int | None) -> str:
    """The band of an age in years; `UNKNOWN` where the age is missing or negative."""
    if age is None or age < 0:
        return UNKNOWN
    return next(label for upper, label in AGE_BANDS if age < upper)


@dataclass(frozen=True, slots=True)
class Visit:
    """One hospital admission: the codes given, in the order the source recorded them.

    Diagnosis and procedure codes carry their system (`ICD9:4280`, `ICD10PCS:5A1D70Z`);
    medications are bare ATC codes.
    """

    diagnoses: tuple[str, ...] = ()
    procedures: tuple[str, ...] = ()
    medications: tuple[str, ...] = ()
    visit_id: int | None = None
    visit_no: int | None = None  # 1-based in order of admission, where the visit comes from a cohort
    admitted_at: datetime | None = None
    discharged_at: datetime | None = None

    @classmethod
    def of(cls, codes: Mapping[Kind, tuple[str, ...]], *others: Any) -> Visit:
        """A visit from its codes by kind, and its other fields in their order."""
        values: list[Any] = [*(codes[kind] for kind in KINDS), *others]
        return cls(*values)

    def codes(self, kind: Kind) -> tuple[str, ...]:
        """The visit's codes of one kind."""
        if kind == "diagnosis":
            return self.diagnoses
        return self.procedures if kind == "procedure" else self.medications


@dataclass(frozen=True, slots=True)
class Case:
    """A patient at the moment of prescribing: a profile, earlier visits (oldest first) and the current one.

    `current.medications`, where known, is the truth to compare with; models only ever see `observed()`.
    Profile fields left out are `UNKNOWN`.

    Raises:
        CaseError: for a profile field that is not in `PROFILE_FIELDS`.
    """

    profile: Mapping[str, str] = field(default_factory=dict)
    history: tuple[Visit, ...] = ()
    current: Visit = field(default_factory=Visit)
    patient_id: int | None = None

    def __post_init__(self) -> None:
        unknown = sorted(set(self.profile) - set(PROFILE_FIELDS))
        if unknown:
            raise CaseError(
                f"Unknown profile field {', '.join(map(repr, unknown))}: "
                f"expected any of {', '.join(PROFILE_FIELDS)}. Remove or rename it."
            )
        full = {name: (str(self.profile.get(name) or "").strip() or UNKNOWN) for name in PROFILE_FIELDS}
        object.__setattr__(self, "profile", MappingProxyType(full))
        object.__setattr__(self, "history", tuple(self.history))

    @property
    def is_first_visit(self) -> bool:
        """True where there is no history: the case the profile prompt exists for."""
        return not self.history

    @property
    def prescribed(self) -> tuple[str, ...]:
        """What the current visit really got, where known; never a model input."""
        return self.current.medications

    def observed(self) -> Case:
        """The case without the current medications: all that a model may see (no leak by construction)."""
        if not self.current.medications:
            return self
        return replace(self, profile=dict(self.profile), current=replace(self.current, medications=()))

    def codes(self) -> Iterable[tuple[Kind, str]]:
        """Every code a model may read, with its kind; history first. Current medications are left out."""
        for visit in self.history:
            for kind in KINDS:
                for code in visit.codes(kind):
                    yield kind, code
        for code in self.current.diagnoses:
            yield "diagnosis", code
        for code in self.current.procedures:
            yield "procedure", code


def check_case(case: object) -> None:
    """Refuse what cannot be scored.

    Raises:
        CaseError: not a `Case`, or a case without any diagnosis or procedure in its current visit and no history.
    """
    if not isinstance(case, Case):
        raise CaseError(
            f"Expected a Case, found {type(case).__name__}. Build one with leader_core.Case(...)."
        )
    if not (case.current.diagnoses or case.current.procedures or case.history):
        raise CaseError("The case is empty: give the current visit at least one diagnosis or procedure.")


@dataclass(frozen=True, slots=True)
class ScoredMedication:
    """One class of the medication vocabulary with a model's probability in [0, 1]."""

    code: str
    title: str
    probability: float
    selected: bool  # probability at or above the cut-off


@dataclass(frozen=True, slots=True)
class Interaction:
    """A pair of medication classes (`code_a < code_b`) that some table lists.

    Severity "unknown" marks a statistical signal; absence of a pair is never proof of safety.
    """

    code_a: str
    code_b: str
    severity: Severity
    source: str
    mechanism: str = ""
    effect: str = ""
    management: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class UnseenCode:
    """A code of a case that the model's vocabulary does not hold; stays in the case, but is not read as a code."""

    kind: Kind
    code: str
    title: str
    by_title: bool = False  # the model read its title in the code's place


@dataclass(frozen=True, slots=True)
class EquivalentCode:
    """A diagnosis that a model reads as its equivalent in ICD-10-CM, or as the several codes that together are it."""

    code: str
    title: str
    read_as: tuple[str, ...]
    titles: tuple[str, ...]  # of `read_as`


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A model's scores for one case: the whole vocabulary, best first."""

    model: ModelName
    medications: tuple[ScoredMedication, ...]
    threshold: float
    interactions: tuple[Interaction, ...]  # among the selected, most severe first
    unseen: tuple[UnseenCode, ...]
    profile_read: tuple[str, ...] = ()  # profile fields this model reads; empty for the teacher
    truncated: bool = False  # input was cut to fit (prompt tokens or visits)
    read_as: tuple[EquivalentCode, ...] = ()  # diagnoses read through their equivalents

    @property
    def selected(self) -> tuple[ScoredMedication, ...]:
        return tuple(m for m in self.medications if m.selected)


@dataclass(frozen=True, slots=True)
class PromptSection:
    """A stretch of the prompt: `text[start:end]`, and how many tokens it takes."""

    kind: Literal["instruction", "history", "current", "question"]
    label: str  # for display: "Visit 2 of 4"
    start: int
    end: int
    token_count: int
    visit_no: int | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """The exact text the teacher reads, and what had to be left out of it to fit."""

    text: str
    version: str
    token_count: int  # with the special tokens the tokenizer adds
    token_limit: int
    sections: tuple[PromptSection, ...]
    dropped: tuple[str, ...] = ()  # one plain sentence for each thing cut; empty when nothing was
    untitled: tuple[str, ...] = ()  # codes without a title, rendered as themselves
    left_out: int = 0  # codes of the case that are not in the text
    read_as: tuple[EquivalentCode, ...] = ()  # codes of the case that are written as their equivalents

    @property
    def truncated(self) -> bool:
        return bool(self.dropped)


@dataclass(frozen=True, slots=True)
class Concept:
    """A code with its readable title."""

    kind: Kind
    code: str
    system: str
    title: str
    parent: str = ""
    hint: str = ""  # why it matches a search, where the title does not show it: "CHF", "Lasix: furosemide"


@dataclass(frozen=True, slots=True)
class Order:
    """A drug string behind a medication class in one visit, as the hospital wrote it."""

    visit_id: int
    code: str
    drug: str
    route: str
    orders: int  # how often it was ordered in the visit


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a cohort is: printed on every report, compared before metrics are."""

    label: str  # "Synthetic hospital (MIMIC-III layout)", "MIMIC-III Clinical Database Demo"
    source: str  # mimic3 | mimic4
    synthetic: bool
    preset: str
    atc_level: int
    patients: int
    visits: int
    single_visit_patients: int
    diagnoses: int  # distinct codes in the cohort
    procedures: int
    medications: int
    ddi_density: float  # statistical pairs / all pairs of the cohort's medication classes
    digest: str  # sha256 of the cohort's content; two equal digests are the same cohort
