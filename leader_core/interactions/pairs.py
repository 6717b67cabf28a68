"""Our graded pairs at the cohort's ATC level: rules projected to classes, the drugs that carry them named first.

Refuses to know of the statistical signal. At level 5 a pair is two ingredients. Above it a pair is two classes, and
most rules hold for some drugs of a class only: such a text begins with "Only when", so that a class is never
accused of what one of its drugs does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from leader_core.domain import SEVERITIES, Interaction, Severity
from leader_core.errors import InputError
from leader_core.interactions.rules import Agent, ClinicalRule, Side, clinical_rules, frequencies
from leader_core.interactions.statistical import LEVEL_LENGTH
from leader_core.interactions.table import PARTIAL

_RANK: Final = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_RARITY: Final = {"uncommon": 1, "rare": 2}
_SELDOM: Final = 2
_SELDOM_CAP: Final[Severity] = "moderate"
_KEPT_PAIRS: Final = 8192  # whose rules are remembered: a page asks for the same few hundred again and again
_NAMED: Final = 6  # drugs named in a text before "and others"


@dataclass(frozen=True, slots=True)
class WithinClass:
    """Drugs of one class that interact with each other; at class level no pair of codes can show it."""

    code: str
    severity: Severity
    mechanism: str
    effect: str
    management: str
    evidence: str
    source: str


@dataclass(frozen=True, slots=True)
class PairRule:
    """One rule as it stands between two classes, the smaller code first."""

    rule: ClinicalRule
    ways: tuple[tuple[Side, Side], ...]  # (side of the smaller code, side of the larger), one or two
    partial: bool  # only some drugs of the two classes carry it
    seldom: bool  # and those are seldom the drugs in use


@dataclass(frozen=True, slots=True)
class _Match:
    """A rule as it concerns one pair of codes."""

    rule: ClinicalRule
    a: Side
    b: Side
    code_a: str  # of side a; not yet in order
    code_b: str

    @property
    def partial(self) -> bool:
        """Do only some drugs of the two codes carry it? Never so where a code is one ingredient."""
        if len(self.code_a) == LEVEL_LENGTH[5]:
            return False
        return not (self.a.holds_for_all_of(self.code_a) and self.b.holds_for_all_of(self.code_b))

    @property
    def seldom(self) -> bool:
        """Does it need drugs that make up little of their classes: a rare one, or an uncommon one on each side?"""
        return rarity(self.a, self.code_a) + rarity(self.b, self.code_b) >= _SELDOM

    def ways(self) -> tuple[tuple[Side, Side], ...]:
        """The sides as they fall on the two codes; a rule among drugs of one kind may fall on them either way."""
        found = []
        for one, other in ((self.a, self.b), (self.b, self.a)):
            named = {drug.name for drug in one.carriers_within(self.code_a)}
            others = {drug.name for drug in other.carriers_within(self.code_b)}
            if any(name != second for name in named for second in others):
                found.append((one, other))
        return tuple(found[:1] if self.code_a == self.code_b else found)

    def subject(self) -> str:
        """ "simvastatin or lovastatin with clarithromycin or erythromycin" """
        return f"{_drugs(self.a, self.code_a)} with {_drugs(self.b, self.code_b)}"


@lru_cache(maxsize=3)
def load_clinical(level: int) -> tuple[Interaction, ...]:
    """Graded pairs of ATC codes at this level, one entry a pair, in order of codes.

    Several rules between two classes are merged: a line each in `mechanism`, `effect` and `management`, the one that
    gives the pair its severity first. That is the most severe rule, with one exception above level 5: a rule that
    seldom applies because of the drugs it needs (an MAO inhibitor among the antidepressants, methylene blue among
    the antidotes) is told last with its own severity, and makes the pair of classes at most moderate by itself.
    `rules_between` gives the single rules.
    """
    pairs, _ = _project(level)
    return tuple(_merged(low, high, pairs[low, high]) for low, high in sorted(pairs))


@lru_cache(maxsize=3)
def load_within_class(level: int) -> tuple[WithinClass, ...]:
    """Classes whose own drugs interact (warfarin with aspirin inside B01A), in order of codes."""
    _, within = _project(level)
    entries = []
    for code in sorted(within):
        entry = _merged(code, code, within[code])
        entries.append(
            WithinClass(
                code,
                entry.severity,
                entry.mechanism,
                entry.effect,
                entry.management,
                entry.evidence,
                entry.source,
            )
        )
    return tuple(entries)


def rules_between(code_a: str, code_b: str) -> tuple[ClinicalRule, ...]:
    """The rules behind a pair of codes of one level (3, 4 or 5), most severe first, in either order.

    Twice the same code gives the rules among the drugs of that class.
    """
    matches = _matches(*sorted((code_a, code_b)))
    return tuple(sorted((match.rule for match in matches), key=lambda rule: _RANK[rule.severity]))


def _matches(low: str, high: str) -> list[_Match]:
    level = next((level for level, length in LEVEL_LENGTH.items() if len(low) == len(high) == length), None)
    if level is None:
        raise InputError(f"Codes {low!r} and {high!r}: expected two ATC codes of one level, 3, 4 or 5.")
    pairs, within = _project(level)
    return within.get(low, []) if low == high else pairs.get((low, high), [])


@lru_cache(maxsize=_KEPT_PAIRS)
def pair_rules(code_a: str, code_b: str) -> tuple[PairRule, ...]:
    """The rules of `rules_between` with what each says of the two codes, the one that gives the pair its grade first."""
    low, high = sorted((code_a, code_b))
    return tuple(
        PairRule(
            match.rule,
            match.ways() if match.code_a == low else tuple((b, a) for a, b in match.ways()),
            match.partial,
            match.seldom,
        )
        for match in sorted(_matches(low, high), key=_grading)
    )


def grade(rules: Iterable[PairRule]) -> Severity | None:
    """The severity that these rules give a pair of classes, as `load_clinical` grades it; None where there is none."""
    first = min(rules, key=_grading, default=None)
    return None if first is None else tempered(first.rule.severity, _SELDOM if first.seldom else 0)


def _grading(match: _Match | PairRule) -> tuple[bool, int]:
    return match.seldom, _RANK[match.rule.severity]


@lru_cache(maxsize=3)
def _project(level: int) -> tuple[dict[tuple[str, str], list[_Match]], dict[str, list[_Match]]]:
    if level not in LEVEL_LENGTH:
        raise InputError(f"ATC level {level!r}: expected 3, 4 or 5.")
    length = LEVEL_LENGTH[level]
    pairs: dict[tuple[str, str], list[_Match]] = defaultdict(list)
    within: dict[str, list[_Match]] = defaultdict(list)
    for rule in clinical_rules():
        seen: set[tuple[str, str]] = set()
        for code_a, code_b in _codes_at(rule, length):
            key = (code_a, code_b) if code_a <= code_b else (code_b, code_a)
            if key in seen:
                continue
            seen.add(key)
            match = _Match(rule, rule.a, rule.b, code_a, code_b)
            if code_a == code_b:
                within[code_a].append(match)
            else:
                pairs[key].append(match)
    return pairs, within


def _codes_at(rule: ClinicalRule, length: int) -> Iterator[tuple[str, str]]:
    """Pairs of codes cut to the length, of two different drugs."""
    for one in rule.a.carriers:
        for other in rule.b.carriers:
            if one.name == other.name:
                continue
            for code_a in one.speaking(length):
                for code_b in other.speaking(length):
                    if code_a != code_b:
                        yield code_a[:length], code_b[:length]


def rarity(side: Side, code: str) -> int:
    """0 where a common drug of the class carries the rule, else how uncommon the commonest of them is (1, 2).

    One ingredient is what it is: 0.
    """
    if len(code) == LEVEL_LENGTH[5]:
        return 0
    return min(
        _RARITY.get(frequencies().get(own, ""), 0)
        for agent in side.carriers_within(code)
        for own in agent.speaking(len(code))
        if own.startswith(code)
    )


def tempered(severity: Severity, rarity_of_carriers: int) -> Severity:
    """The severity to show for a class: at most moderate where the drugs that carry the rule are seldom used."""
    if rarity_of_carriers < _SELDOM or _RANK[severity] >= _RANK[_SELDOM_CAP]:
        return severity
    return _SELDOM_CAP


def _merged(low: str, high: str, matches: Sequence[_Match]) -> Interaction:
    ordered = sorted(matches, key=_grading)
    first = ordered[0]
    severity = tempered(first.rule.severity, _SELDOM if first.seldom else 0)
    alone = len(ordered) == 1
    return Interaction(
        low,
        high,
        severity,
        source="; ".join(_distinct(part for m in ordered for part in m.rule.source.split("; "))),
        mechanism="\n".join(_headed(m, alone) + _mechanism(m.rule) for m in ordered),
        effect="\n".join(_headed(m, alone) + _sentence(m.rule.effect) for m in ordered),
        management="\n".join(_management(m, alone) for m in ordered),
        evidence=first.rule.evidence,
    )


def _headed(match: _Match, alone: bool) -> str:
    """Which drugs a line is about; nothing where there is one line and it holds for both classes."""
    if alone and not match.partial:
        return ""
    return f"{_capital(match.subject())}{_grade(match, alone)}: "


def _management(match: _Match, alone: bool) -> str:
    text = _sentence(match.rule.management)
    if not match.partial:
        return _headed(match, alone) + text
    spared = [*match.a.spared_within(match.code_a), *match.b.spared_within(match.code_b)]
    exempt = f" Not carried by {in_words(spared)}." if spared else ""
    return f"{PARTIAL}{match.subject()}{_grade(match, alone)}: {text}{exempt}"


def _mechanism(rule: ClinicalRule) -> str:
    kind = "pharmacokinetic and pharmacodynamic" if rule.kind == "both" else rule.kind
    return f"{_sentence(rule.mechanism)} ({_capital(kind)}: {rule.target}.)"


def _grade(match: _Match, alone: bool) -> str:
    """The rule's own severity, where it is not the pair's or not the only one."""
    if match.seldom:
        return f" ({match.rule.severity}; seldom the drugs in use)"
    return "" if alone else f" ({match.rule.severity})"


def _drugs(side: Side, code: str) -> str:
    own = side.carriers_within(code)
    covers_side = len(own) == len(side.carriers)
    return side.label if covers_side and len(own) > 2 and side.holds_for_all_of(code) else in_words(own)


def in_words(drugs: Sequence[Agent]) -> str:
    """The names of a few drugs, the rest counted."""
    names = [drug.name for drug in drugs]
    if len(names) > _NAMED:
        return f"{', '.join(names[: _NAMED - 1])} or {len(names) - _NAMED + 1} others"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _sentence(text: str) -> str:
    text = _capital(text.strip())
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _distinct(texts: Iterable[str]) -> Iterator[str]:
    yield from dict.fromkeys(text.strip() for text in texts)
