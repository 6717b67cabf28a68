"""Reviewed pairs as a clinician reads them: who carries a pair, what was ordered, in which group it stands, as CSV.

Plain values in, plain values out; refuses to know how they are drawn.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from dashboard.shared import wording
from dashboard.shared.formatting import count, listing
from leader_core import SEVERITIES, Interaction, PairReview, Review
from leader_core.domain import Severity
from leader_core.interactions import Ordered, RuleReview

Title = Callable[[str], str]
GRADED: Final[tuple[Severity, ...]] = SEVERITIES[:-1]
_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Group:
    """Pairs that stand together in the list."""

    key: str  # a severity, or "ruled out"
    pairs: tuple[PairReview, ...]


def counts(pairs: Iterable[PairReview]) -> dict[Severity, int]:
    """How many pairs stand at each severity, those ruled out by the orders left out."""
    found: dict[Severity, int] = dict.fromkeys(GRADED, 0)
    for pair in pairs:
        if pair.standing != "not ordered":
            found[pair.severity] += 1
    return found


def grouped(pairs: Sequence[PairReview], levels: Iterable[str]) -> tuple[Group, ...]:
    """Pairs of the chosen severities, most severe first, and those ruled out by what was ordered at the end."""
    chosen = set(levels)
    made = [
        Group(level, tuple(p for p in pairs if p.severity == level and p.standing != "not ordered"))
        for level in GRADED
        if level in chosen
    ]
    made.append(
        Group("ruled out", tuple(p for p in pairs if p.standing == "not ordered" and p.severity in chosen))
    )
    return tuple(group for group in made if group.pairs)


def few(names: Iterable[str], last: str = "or") -> str:
    """
    >>> few(["a", "b"]), few(list("abcdef"))
    ('a or b', 'a, b, c or 3 others')
    """
    listed = list(dict.fromkeys(names))
    if len(listed) > _NAMED + 1:
        return f"{', '.join(listed[:_NAMED])} {last} {len(listed) - _NAMED} others"
    return listing(listed, last=last)


def carriers(rule: RuleReview, codes: tuple[str, str], *, short: bool = True) -> str:
    """The drugs that carry a rule; a class is left out where all of it does.

    "only with linezolid", "only sertraline or citalopram with linezolid"; empty where it holds for both classes.
    """
    told = []
    name = few if short else (lambda names: listing(list(names), last="or"))
    for side_a, side_b in rule.between.ways:
        whole_a = side_a.holds_for_all_of(codes[0])
        whole_b = side_b.holds_for_all_of(codes[1])
        names_a = name(drug.name for drug in side_a.carriers_within(codes[0]))
        names_b = name(drug.name for drug in side_b.carriers_within(codes[1]))
        if whole_a and whole_b:
            return ""
        if whole_a or whole_b:
            told.append(f"only with {names_b if whole_a else names_a}")
        else:
            told.append(f"only {names_a} with {names_b}")
    return "; ".join(dict.fromkeys(told))


def subject(rule: RuleReview, codes: tuple[str, str], titles: Title) -> str:
    """What a rule is about, as its heading: drugs where only some carry it, else the classes."""
    told = []
    for side_a, side_b in rule.between.ways:
        names = []
        for side, code in ((side_a, codes[0]), (side_b, codes[1])):
            drugs = [drug.name for drug in side.carriers_within(code)]
            names.append(titles(code) if side.holds_for_all_of(code) and len(drugs) > 1 else few(drugs))
        told.append(" with ".join(names))
    text = "; or ".join(dict.fromkeys(told))
    return text[:1].upper() + text[1:]


def ordered(pair: PairReview) -> str:
    """What was ordered of a pair, and whether it carries it; empty where nobody knows.

    "warfarin with amiodarone", "vancomycin, not linezolid"
    """
    first = pair.rules[0] if pair.rules else None
    if first is None or (pair.ordered_a is None and pair.ordered_b is None):
        return ""
    if pair.standing == "ordered":
        told = [f"{a} with {b}" for a, b in first.carried[:2]]
        more = len(first.carried) - 2
        return "; ".join(told) + (f" and {more} more" if more > 0 else "")
    sides = {pair.codes[0]: pair.ordered_a, pair.codes[1]: pair.ordered_b}
    told = []
    for position, code in enumerate(dict.fromkeys(pair.codes)):
        found = sides[code]
        if found is None:
            told.append(f"nothing of {code}")
            continue
        if code in first.lacks:
            names = few(d.name for way in first.between.ways for d in way[position].carriers_within(code))
            told.append(f"{few(found.names, 'and')}, not {names}")
        else:
            told.append(few(found.names, "and"))
    return "; ".join(told)


def effect(pair: PairReview) -> str:
    """The consequence that counts first, in one line."""
    return pair.rules[0].between.rule.effect if pair.rules else pair.entry.effect.split("\n")[0]


def row(pair: PairReview, titles: Title) -> dict[str, object]:
    """What the list draws of a pair, as plain JSON values."""
    rules = [r for r in pair.rules if r.standing != "not ordered" or pair.standing == "not ordered"]
    first = pair.rules[0] if pair.rules else None
    return {
        "id": "-".join(pair.codes),
        "severity": pair.severity,
        "names": [titles(code) for code in pair.codes],
        "codes": list(pair.codes),
        "only": "" if first is None or pair.standing == "ordered" else carriers(first, pair.codes),
        "effect": effect(pair),
        "standing": pair.standing,
        "ordered": ordered(pair),
        "more": count(len(rules) - 1, "more rule") if len(rules) > 1 else "",
        "search": " ".join(_drugs(pair)),
    }


def _drugs(pair: PairReview) -> Iterable[str]:
    """Every drug that a search for this pair may name: those that carry a rule, and those ordered."""
    for rule in pair.rules:
        for way in rule.between.ways:
            for side, code in zip(way, pair.codes, strict=True):
                yield from (drug.name for drug in side.carriers_within(code))
    for found in (pair.ordered_a, pair.ordered_b):
        yield from found.names if found else ()


def signal_row(entry: Interaction, titles: Title) -> dict[str, object]:
    """A statistical pair in the same list: it has no severity, no drugs and no management."""
    return {
        "id": f"{entry.code_a}-{entry.code_b}",
        "severity": "unknown",
        "names": [titles(entry.code_a), titles(entry.code_b)],
        "codes": [entry.code_a, entry.code_b],
        "only": "",
        "effect": entry.effect,
        "standing": "open",
        "ordered": "",
        "more": "",
        "search": "",
    }


def csv_text(review: Review, titles: Title) -> str:
    """The whole review as CSV: clinical pairs, pairs within a class, then the statistical signal."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(
        "family,severity,code_a,class_a,code_b,class_b,carried_by,drugs_ordered,ordered_drugs_carry_it,"
        "consequence,mechanism,management,evidence,source".split(",")
    )
    for family, pairs in (("clinical", review.pairs), ("within class", review.within)):
        for pair in pairs:
            entry, first = pair.entry, pair.rules[0] if pair.rules else None
            known = [o for o in (pair.ordered_a, pair.ordered_b) if o is not None]
            writer.writerow([
                family, pair.severity, entry.code_a, titles(entry.code_a), entry.code_b, titles(entry.code_b),
                carriers(first, pair.codes, short=False) if first else "",
                " + ".join(ordered_names(o) for o in known),
                {"ordered": "yes", "not ordered": "no", "open": "not known"}[pair.standing],
                entry.effect, entry.mechanism, entry.management, entry.evidence, entry.source,
            ])  # fmt: skip
    for signal in review.signals:
        writer.writerow([
            "statistical", wording.SEVERITY_UNKNOWN, signal.code_a, titles(signal.code_a), signal.code_b,
            titles(signal.code_b), "", "", "", signal.effect, "", "", signal.evidence, signal.source,
        ])  # fmt: skip
    return stream.getvalue()


def ordered_names(found: Ordered) -> str:
    """The drugs ordered of a class."""
    return listing(list(found.names))
