"""The clinical rules as they are written in the shipped tables: the drugs on each side, the grade and what to do.

`pairs` projects them to the ATC level of a cohort.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, Literal, TypeVar, cast, get_args

from leader_core.domain import GRADED, SEVERITY_RANK, Severity
from leader_core.errors import InputError
from leader_core.terminology import table_rows
from leader_core.terminology.drug_table import shortest_names
from leader_core.terminology.drugs import ATC_LENGTH

ASSETS: Final = Path(__file__).resolve().parents[2] / "assets" / "interactions"

ATC_CODE: Final = re.compile(r"[A-Z]\d{2}[A-Z](?:[A-Z](?:\d{2})?)?")
"""A code of level 3, 4 or 5."""
Evidence = Literal["established", "probable", "theoretical"]
EVIDENCE: Final = get_args(Evidence)
Mechanism = Literal["pharmacokinetic", "pharmacodynamic", "both"]
Frequency = Literal["uncommon", "rare"]
"""How little of a class's use in hospital a drug makes up: a tenth or less, a hundredth or less."""

RARITY_LIMIT: Final = 2
"""The rarity from which a rule is no warning about the class as such."""
_RARITY: Final[Mapping[Frequency, int]] = {"uncommon": 1, "rare": 2}
_NAMED: Final = 6  # drugs named in a text before "and others"
_AGENT: Final = re.compile(r"(?P<name>.+?)\s+(?P<codes>[A-Z]\d{2}[A-Z]{2}\d{2}(?: [A-Z]\d{2}[A-Z]{2}\d{2})*)")

_PREFIX: Final = re.compile(r"ICD(?:9|10)(?:PCS)?:[A-Z0-9]+")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Agent:
    """An ingredient as hospitals call it, with its ATC level-5 codes (one for each way it is given, alone or combined)."""

    name: str
    codes: tuple[str, ...]

    def representing(self, length: int) -> tuple[str, ...]:
        """The drug's codes that count for codes of so many characters: rare combinations count for no class."""
        if length == ATC_LENGTH[5]:
            return self.codes
        return tuple(own for own in self.codes if own not in rare_combinations())


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One side of a rule; equal to itself alone, so that what falls under a code is cached by it."""

    label: str  # "ACE inhibitors", "warfarin"
    codes: tuple[str, ...]  # ATC codes of level 3 to 5 that the rule was written for
    carriers: tuple[Agent, ...]  # the drugs that carry it; of a class in `codes` all not spared; never empty
    spared: tuple[Agent, ...]  # related drugs that do not

    @lru_cache(maxsize=65_536)  # noqa: B019 - the sides are those of the shipped tables, which stay
    def carriers_within(self, code: str) -> tuple[Agent, ...]:
        """The carriers that fall under an ATC code of any level."""
        return tuple(
            agent for agent in self.carriers if any(c.startswith(code) for c in agent.representing(len(code)))
        )

    def spared_within(self, code: str) -> tuple[Agent, ...]:
        """The spared drugs that fall under an ATC code of any level."""
        return tuple(agent for agent in self.spared if any(c.startswith(code) for c in agent.codes))

    @lru_cache(maxsize=65_536)  # noqa: B019
    def holds_for_all_of(self, code: str) -> bool:
        """True where the rule was written for the whole class `code`, with no drug of it spared but rare ones."""
        spared = (own for drug in self.spared_within(code) for own in drug.codes if own.startswith(code))
        return any(code.startswith(own) for own in self.codes) and all(
            len(code) < ATC_LENGTH[5] and frequencies().get(own) == "rare" for own in spared
        )

    @property
    def carrier_codes(self) -> frozenset[str]:
        """ATC codes of the drugs that carry it."""
        return _codes_of(self.carriers)

    def rarity(self, code: str) -> int:
        """0 where a common drug of the class carries the rule, else how uncommon the commonest of them is (1, 2).

        Always 0 where the code is a single ingredient.
        """
        if len(code) == ATC_LENGTH[5]:
            return 0
        return min(
            _RARITY[frequencies()[own]] if own in frequencies() else 0
            for agent in self.carriers_within(code)
            for own in agent.representing(len(code))
            if own.startswith(code)
        )


@lru_cache(maxsize=4096)
def _codes_of(drugs: tuple[Agent, ...]) -> frozenset[str]:
    return frozenset(code for drug in drugs for code in drug.codes)


@dataclass(frozen=True, slots=True)
class ClinicalRule:
    """One graded interaction, in our own words, with a source that a reader can look up."""

    a: Side
    b: Side
    severity: Severity
    kind: Mechanism
    target: str  # enzyme, transporter, receptor or organ
    mechanism: str
    effect: str
    management: str
    evidence: Evidence
    source: str


@cache
def frequencies() -> Mapping[str, Frequency]:
    """ATC level-5 codes that make up little of their class in hospital use; those left out are common."""
    return {row["code"]: cast(Frequency, row["frequency"]) for row in table_rows("frequency.csv", ASSETS)}


@cache
def usual_order() -> Mapping[str, int]:
    """ATC level-5 code -> its place among the drugs that hospitals order most; those left out are seldom ordered."""
    return {row["code"]: place for place, row in enumerate(table_rows("usual.csv", ASSETS))}


@cache
def combinations() -> Mapping[str, tuple[str, ...]]:
    """Drug to the ATC level-5 codes of the fixed combinations that hold it: they carry what it carries."""
    codes: dict[str, tuple[str, ...]] = {}
    for row in table_rows("combinations.csv", ASSETS):
        for drug in row["drugs"].split("; "):
            codes[drug] = (*codes.get(drug, ()), row["code"])
    return codes


@cache
def rare_combinations() -> frozenset[str]:
    """Fixed combinations that make up next to nothing of their class."""
    combined = {code for codes in combinations().values() for code in codes}
    return frozenset(code for code in combined if frequencies().get(code) == "rare")


def with_combinations(drugs: tuple[Agent, ...]) -> tuple[Agent, ...]:
    """The drugs, each with the codes of the fixed combinations that hold it."""
    more = combinations()
    return tuple(
        Agent(drug.name, tuple(dict.fromkeys((*drug.codes, *more.get(drug.name, ()))))) for drug in drugs
    )


def at_most_moderate(severity: Severity) -> Severity:
    """The severity to show for two classes where the drugs that carry a rule are seldom used."""
    return max(severity, "moderate", key=SEVERITY_RANK.__getitem__)


def in_words(drugs: Sequence[Agent]) -> str:
    """The names of a few drugs, the rest counted."""
    names = [drug.name for drug in drugs]
    if len(names) > _NAMED:
        return f"{', '.join(names[: _NAMED - 1])} or {len(names) - _NAMED + 1} others"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def capital(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """The text with a capital first letter and a full stop.

    >>> sentence("hold; restart after recovery")
    'Hold; restart after recovery.'
    """
    text = capital(text.strip())
    return text if text.endswith((".", "!", "?")) else f"{text}."


@cache
def clinical_rules() -> tuple[ClinicalRule, ...]:
    """Every rule of `assets/interactions/clinical.csv`, in its order.

    Raises:
        InputError: for a value outside its scale, an empty text, or a code that is not ATC; names the line.
    """
    return read_rows(ASSETS / "clinical.csv", read_rule)


@cache
def _ventilated_rows() -> tuple[tuple[tuple[str, str], tuple[str, ...], Mapping[str, str]], ...]:
    def parse(
        row: Mapping[str, str], where: str
    ) -> tuple[tuple[str, str], tuple[str, ...], Mapping[str, str]]:
        check_row(row, where, {"severity": GRADED}, ("diagnoses", "effect", "management", "source"))
        return (row["drug_a"], row["drug_b"]), beginnings(row, where, "diagnoses"), row

    return read_rows(ASSETS / "ventilated.csv", parse)


@cache
def ventilated_rules() -> Mapping[ClinicalRule, ClinicalRule]:
    """The rules that weigh less on a ventilator -> as they hold there (`ventilated.csv`)."""
    rules = {(rule.a.label, rule.b.label): rule for rule in clinical_rules()}
    return {
        rules[pair]: replace(
            rules[pair], severity=cast(Severity, row["severity"]), effect=row["effect"],
            management=row["management"], source=row["source"],
        )
        for pair, _, row in _ventilated_rows()
    }  # fmt: skip


@cache
def ventilation_codes() -> tuple[str, ...]:
    """Beginnings of the diagnosis and procedure codes that tell of mechanical ventilation."""
    return tuple(dict.fromkeys(code for _, codes, _ in _ventilated_rows() for code in codes))


def is_ventilated(codes: Iterable[str]) -> bool:
    """Whether a patient's codes (with their system) tell of mechanical ventilation."""
    return any(code.startswith(ventilation_codes()) for code in codes)


def read_rows(path: Path, parse: Callable[[Mapping[str, str], str], T]) -> tuple[T, ...]:
    """Every row of a CSV table, read by `parse(row, where)`; `where` names file and line for an error."""
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        return tuple(parse(row, f"{path.name}, line {reader.line_num}") for row in reader)


def check_row(
    row: Mapping[str, str], where: str, scales: Mapping[str, Sequence[str]], texts: Sequence[str]
) -> None:
    """Refuse a value outside the scale of its column, and an empty text.

    Raises:
        InputError: names place, column and value.
    """
    for name, allowed in scales.items():
        if row.get(name) not in allowed:
            raise InputError(f"{where}, column {name}: {row.get(name)!r} is none of {', '.join(allowed)}.")
    for name in texts:
        if not (row.get(name) or "").strip():
            raise InputError(f"{where}, column {name}: expected a text, found nothing.")


def beginnings(row: Mapping[str, str], where: str, column: str) -> tuple[str, ...]:
    """Beginnings of diagnosis codes with their system, separated by spaces; the column may be absent."""
    prefixes = tuple((row.get(column) or "").split())
    for prefix in prefixes:
        if not _PREFIX.fullmatch(prefix):
            raise InputError(
                f"{where}, column {column}: {prefix!r} is no beginning of a code like ICD10:I50."
            )
    return prefixes


def read_side(row: Mapping[str, str], where: str, label: str, suffix: str = "") -> Side:
    """A side from the columns `codes`, `carriers` and `spared`, with a suffix, and the column `label`."""

    def column(name: str) -> tuple[str, str]:
        return row[f"{name}{suffix}"], f"{where}, column {name}{suffix}"

    codes = atc_codes(*column("codes"))
    listed = agents(*column("carriers"))
    if not listed:
        raise InputError(f"{column('carriers')[1]}: expected at least one drug that carries the interaction.")
    spared = agents(*column("spared"))
    carriers = with_combinations((*listed, *_rest_of_classes(codes, (*listed, *spared))))
    return Side(row[label], codes, carriers, spared)


def _rest_of_classes(codes: Sequence[str], listed: Sequence[Agent]) -> tuple[Agent, ...]:
    """The drugs that hospitals order of the classes among these codes, without those listed; by name."""
    classes = tuple(code for code in codes if len(code) < ATC_LENGTH[5])
    if not classes:
        return ()
    known = {code for drug in listed for code in drug.codes}
    return tuple(
        drug for drug in _hospital_drugs() if drug.codes[0].startswith(classes) and drug.codes[0] not in known
    )


@cache
def _hospital_drugs() -> tuple[Agent, ...]:
    """The drugs that hospitals order, one for each ATC code of level 5 (4 where there is none), by name.

    `combinations` holds the others.
    """
    combined = {code for own in combinations().values() for code in own}
    single = ((name, code) for code, name in shortest_names().items() if code not in combined)
    return tuple(Agent(name, (code,)) for name, code in sorted(single))


def read_rule(row: Mapping[str, str], where: str) -> ClinicalRule:
    """A rule from its row; InputError where a cell is wrong."""
    scales = {"severity": GRADED, "kind": get_args(Mechanism), "evidence": EVIDENCE}
    check_row(row, where, scales, ("target", "mechanism", "effect", "management", "source"))
    return ClinicalRule(
        read_side(row, where, "drug_a", "_a"),
        read_side(row, where, "drug_b", "_b"),
        severity=cast(Severity, row["severity"]),
        kind=cast(Mechanism, row["kind"]),
        target=row["target"],
        mechanism=row["mechanism"],
        effect=row["effect"],
        management=row["management"],
        evidence=cast(Evidence, row["evidence"]),
        source=row["source"],
    )


def atc_codes(cell: str, where: str) -> tuple[str, ...]:
    """ATC codes of level 3 to 5, separated by spaces."""
    codes = tuple(cell.split())
    for code in codes:
        if not ATC_CODE.fullmatch(code):
            raise InputError(f"{where}: {code!r} is no ATC code of level 3, 4 or 5.")
    return codes


def agents(cell: str, where: str) -> tuple[Agent, ...]:
    """Ingredients with their codes, written `name CODE CODE; name CODE`."""
    drugs = []
    for part in filter(None, (p.strip() for p in cell.split(";"))):
        match = _AGENT.fullmatch(part)
        if match is None:
            raise InputError(
                f"{where}: {part!r} is no drug with its ATC level-5 codes (like 'aspirin B01AC06')."
            )
        drugs.append(Agent(match["name"], tuple(match["codes"].split())))
    return tuple(drugs)
