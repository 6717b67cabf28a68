"""`InteractionTable`, the look-up of pairs, and the clinical rules projected to pairs at a cohort's ATC level.

At level 5 a pair is two ingredients. Above it a pair is two classes, and most rules hold for some drugs of a class
only: such a text begins with "Only when", so that a rule about one drug is never shown as one about its whole class.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from leader_core.domain import SEVERITIES, SEVERITY_RANK, Interaction, Severity
from leader_core.errors import InputError
from leader_core.interactions.rules import (
    RARITY_LIMIT,
    ClinicalRule,
    Side,
    at_most_moderate,
    capital,
    clinical_rules,
    in_words,
    sentence,
    ventilated_rules,
)
from leader_core.terminology.drugs import ATC_LENGTH, atc_length

_PARTIAL: Final = "Only when combining "
"""How the management of a pair begins that only some drugs of the two classes carry."""
_CACHED_PAIRS: Final = 8192  # a page needs the rules of the same few hundred repeatedly


def is_statistical(interaction: Interaction) -> bool:
    """True for a statistical signal, which has no grading; False for a graded clinical pair."""
    return interaction.severity == "unknown"


def is_partial(interaction: Interaction) -> bool:
    """True where only some drugs of the two classes carry the rule that grades the pair."""
    return interaction.management.startswith(_PARTIAL)


class InteractionTable:
    """Every known pair at one ATC level; at most one clinical and one statistical entry per pair.

    Absence of a pair means "not in this table", never "safe".

    Raises:
        InputError: for a pair out of order, a severity outside the scale, or a pair listed twice in one family.
    """

    def __init__(self, pairs: Iterable[Interaction]) -> None:
        self._rows: dict[str, dict[str, tuple[Interaction, ...]]] = {}
        self._size = 0
        for item in pairs:
            _check(item)
            row = self._rows.setdefault(item.code_a, {})
            known = row.get(item.code_b, ())
            if any(is_statistical(k) == is_statistical(item) for k in known):
                raise InputError(
                    f"The pair {item.code_a} and {item.code_b} stands twice among the "
                    f"{'statistical' if is_statistical(item) else 'clinical'} pairs: expected once. Merge the two."
                )
            row[item.code_b] = tuple(sorted((*known, item), key=lambda i: SEVERITY_RANK[i.severity]))
            self._size += 1

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Interaction]:
        """Every entry in order of codes, a pair's clinical entry before its statistical one."""
        for a in sorted(self._rows):
            for b in sorted(self._rows[a]):
                yield from self._rows[a][b]

    def pair(self, a: str, b: str) -> tuple[Interaction, ...]:
        """The entries for two codes, in either order: graded entry first; empty where there is none."""
        low, high = (a, b) if a <= b else (b, a)
        return self._rows.get(low, {}).get(high, ())

    def among(self, codes: Iterable[str]) -> tuple[Interaction, ...]:
        """Every entry between two of these codes, most severe first; among equals whole classes, then by code."""
        entries = self._between(set(codes))
        return tuple(
            sorted(entries, key=lambda i: (SEVERITY_RANK[i.severity], is_partial(i), i.code_a, i.code_b))
        )

    def _between(self, codes: Set[str]) -> Iterator[Interaction]:
        rows = (self._rows[a] for a in codes if a in self._rows)
        return (entry for row in rows for b in row.keys() & codes for entry in row[b])

    @property
    def statistical(self) -> tuple[Interaction, ...]:
        """The pairs with a statistical signal and no grading."""
        return tuple(i for i in self if is_statistical(i))

    def statistical_matrix(self, codes: Sequence[str]) -> npt.NDArray[np.bool_]:
        """(M, M) symmetric, False on the diagonal: True where a statistical signal stands. The DDI rate's table."""
        matrix = np.zeros((len(codes), len(codes)), dtype=np.bool_)
        position = {code: i for i, code in enumerate(codes)}
        for a, row in self._rows.items():
            if (i := position.get(a)) is None:
                continue
            for b, entries in row.items():
                if (j := position.get(b)) is not None and any(map(is_statistical, entries)):
                    matrix[i, j] = matrix[j, i] = True
        return matrix

    def density(self, codes: Iterable[str]) -> float:
        """Statistical pairs among these codes, as a share of all pairs of them; 0 where there is no pair."""
        distinct = set(codes)
        pairs = len(distinct) * (len(distinct) - 1) // 2
        return sum(map(is_statistical, self._between(distinct))) / pairs if pairs else 0.0


def _check(item: Interaction) -> None:
    if item.severity not in SEVERITY_RANK:
        raise InputError(
            f"Severity {item.severity!r} of the pair {item.code_a} and {item.code_b}: "
            f"expected one of {', '.join(SEVERITIES)}."
        )
    if not item.code_a < item.code_b:
        raise InputError(
            f"The pair {item.code_a!r} and {item.code_b!r}: expected two different codes, the smaller one first. "
            "Swap them, or leave a pair within one class out."
        )


@dataclass(frozen=True, slots=True)
class _Match:
    """A rule as it concerns one pair of codes."""

    rule: ClinicalRule
    code_a: str  # of the rule's side a; not in order of codes
    code_b: str

    @property
    def partial(self) -> bool:
        """Do only some drugs of the two codes carry it? Never so where a code is one ingredient."""
        if len(self.code_a) == ATC_LENGTH[5]:
            return False
        return not (self.rule.a.holds_for_all_of(self.code_a) and self.rule.b.holds_for_all_of(self.code_b))

    @property
    def seldom(self) -> bool:
        """Does it need drugs that make up little of their classes: a rare one, or an uncommon one on each side?"""
        return self.rule.a.rarity(self.code_a) + self.rule.b.rarity(self.code_b) >= RARITY_LIMIT

    def subject(self) -> str:
        """ "simvastatin or lovastatin with clarithromycin or erythromycin" """
        return f"{_drugs(self.rule.a, self.code_a)} with {_drugs(self.rule.b, self.code_b)}"

    def grade(self, alone: bool) -> str:
        """The rule's own severity, where it is not the pair's or not the only one."""
        if self.seldom:
            return f" ({self.rule.severity}; seldom the drugs in use)"
        return "" if alone else f" ({self.rule.severity})"


@lru_cache(maxsize=3)
def load_clinical(level: int) -> tuple[Interaction, ...]:
    """Graded pairs of ATC codes at this level, one entry per pair, in order of codes.

    Several rules between two classes are merged: a line each in `mechanism`, `effect` and `management`, the one that
    gives the pair its severity first. That is the most severe rule, with one exception above level 5: a rule that
    seldom applies because of the drugs it needs (an MAO inhibitor among the antidepressants, methylene blue among
    the antidotes) comes last with its own severity, and makes the pair of classes at most moderate by itself.
    """
    pairs = _project(level)
    return tuple(_merged(low, high, pairs[low, high]) for low, high in sorted(pairs))


@lru_cache(maxsize=_CACHED_PAIRS)
def drug_pair(code_a: str, code_b: str, ventilated: bool = False) -> Interaction:
    """What the rules say about two drugs (ATC level 5), in either order; of a patient on a ventilator or another.

    Raises:
        KeyError: no rule is about them.
    """
    low, high = sorted((code_a, code_b))
    matches = _project(5)[low, high]
    return _merged(low, high, _on_ventilator(matches) if ventilated else matches)


def drug_pair_severities() -> dict[tuple[str, str], Severity]:
    """The severity of every pair of drugs (ATC level 5) that a rule is about, the smaller code first."""
    return {pair: _class_severity(min(m, key=_grading)) for pair, m in _project(5).items()}


def ventilated_severities() -> dict[tuple[str, str], Severity]:
    """The severity on a ventilator of the pairs of drugs that weigh less there."""
    return {
        pair: _class_severity(min(_on_ventilator(matches), key=_grading))
        for pair, matches in _project(5).items()
        if any(match.rule in ventilated_rules() for match in matches)
    }


def _on_ventilator(matches: Sequence[_Match]) -> list[_Match]:
    return [replace(match, rule=ventilated_rules().get(match.rule, match.rule)) for match in matches]


def _grading(match: _Match) -> tuple[bool, int]:
    return match.seldom, SEVERITY_RANK[match.rule.severity]


def _class_severity(first: _Match) -> Severity:
    return at_most_moderate(first.rule.severity) if first.seldom else first.rule.severity


@lru_cache(maxsize=3)
def _project(level: int) -> dict[tuple[str, str], list[_Match]]:
    """The rules by pair of codes of a level; pairs within one class are left out."""
    length = atc_length(level)
    pairs: dict[tuple[str, str], list[_Match]] = defaultdict(list)
    for rule in clinical_rules():
        seen: set[tuple[str, str]] = set()
        for code_a, code_b in _codes_at(rule, length):
            key = (code_a, code_b) if code_a <= code_b else (code_b, code_a)
            if code_a != code_b and key not in seen:
                seen.add(key)
                pairs[key].append(_Match(rule, code_a, code_b))
    return dict(pairs)


def _codes_at(rule: ClinicalRule, length: int) -> Iterator[tuple[str, str]]:
    """Pairs of codes cut to the length, of two different drugs."""
    for one in rule.a.carriers:
        for other in rule.b.carriers:
            if one.name == other.name:
                continue
            for code_a in one.representing(length):
                for code_b in other.representing(length):
                    if code_a != code_b:
                        yield code_a[:length], code_b[:length]


def _merged(low: str, high: str, matches: Sequence[_Match]) -> Interaction:
    ordered = sorted(matches, key=_grading)
    first = ordered[0]
    alone = len(ordered) == 1
    sources = (part.strip() for m in ordered for part in m.rule.source.split("; "))
    return Interaction(
        low,
        high,
        _class_severity(first),
        source="; ".join(dict.fromkeys(sources)),
        mechanism="\n".join(_headed(m, alone) + _mechanism(m.rule) for m in ordered),
        effect="\n".join(_headed(m, alone) + sentence(m.rule.effect) for m in ordered),
        management="\n".join(_management(m, alone) for m in ordered),
        evidence=first.rule.evidence,
    )


def _headed(match: _Match, alone: bool) -> str:
    """Which drugs a line is about; nothing where there is one line and it holds for both classes."""
    if alone and not match.partial:
        return ""
    return f"{capital(match.subject())}{match.grade(alone)}: "


def _management(match: _Match, alone: bool) -> str:
    text = sentence(match.rule.management)
    if not match.partial:
        return _headed(match, alone) + text
    spared = [*match.rule.a.spared_within(match.code_a), *match.rule.b.spared_within(match.code_b)]
    exempt = f" Not carried by {in_words(spared)}." if spared else ""
    return f"{_PARTIAL}{match.subject()}{match.grade(alone)}: {text}{exempt}"


def _mechanism(rule: ClinicalRule) -> str:
    kind = "pharmacokinetic and pharmacodynamic" if rule.kind == "both" else rule.kind
    return f"{sentence(rule.mechanism)} ({capital(kind)}: {rule.target}.)"


def _drugs(side: Side, code: str) -> str:
    own = side.carriers_within(code)
    covers_side = len(own) == len(side.carriers)
    return side.label if covers_side and len(own) > 2 and side.holds_for_all_of(code) else in_words(own)
