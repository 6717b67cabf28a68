"""Reviewed pairs as a clinician reads them: which drugs carry a pair, what was ordered, what the tables cover; CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dashboard.shared import wording
from dashboard.shared.csv_table import write_csv
from dashboard.shared.formatting import count, day, listing
from dashboard.shared.markup import Titles
from leader_core import ClassReview, Interaction, InteractionTable, PairReview
from leader_core.domain import GRADED, Severity
from leader_core.interactions import ConditionReview, ConditionWarning, RuleReview, coverage

Title = Callable[[str], str]
"""The title of a medication code."""

ORDER_STATUS: Final[Mapping[str, str]] = {
    "ordered": "The drugs ordered in this visit carry it.",
    "not ordered": "The drugs ordered in this visit do not carry it; other drugs of these classes do.",
    "open": "What was ordered in this visit does not settle it.",
}
_NAMED: Final = 3  # drugs named in a short list
_NAMED_ON_CARD: Final = 12
_CSV_HEADINGS: Final = (
    "family", "severity", "code_a", "class_a", "code_b", "class_b", "carried_by", "drugs_ordered",
    "ordered_drugs_carry_it", "consequence", "mechanism", "management", "evidence", "source",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PairGroup:
    """Pairs that stand together in the list."""

    key: str  # a severity, or "ruled out"
    pairs: tuple[PairReview, ...]


def counts(pairs: Iterable[PairReview]) -> dict[Severity, int]:
    """How many pairs there are of each severity, those ruled out by the orders left out."""
    numbers: dict[Severity, int] = dict.fromkeys(GRADED, 0)
    for pair in pairs:
        if pair.order_status != "not ordered":
            numbers[pair.severity] += 1
    return numbers


def grouped(pairs: Sequence[PairReview], levels: Iterable[str]) -> tuple[PairGroup, ...]:
    """Pairs of the chosen severities, most severe first, and those ruled out by what was ordered at the end."""
    chosen = set(levels)
    groups = [
        PairGroup(level, tuple(p for p in pairs if p.severity == level and p.order_status != "not ordered"))
        for level in GRADED
        if level in chosen
    ]
    ruled_out = tuple(p for p in pairs if p.order_status == "not ordered" and p.severity in chosen)
    return tuple(group for group in (*groups, PairGroup("ruled out", ruled_out)) if group.pairs)


def few(names: Iterable[str], last: str = "or") -> str:
    """
    >>> few(["a", "b"]), few(list("abcdef"))
    ('a or b', 'a, b, c or 3 others')
    """
    return listing(dict.fromkeys(names), last, at_most=_NAMED)


def carriers(rule: RuleReview, codes: tuple[str, str], *, short: bool = True) -> str:
    """The drugs that carry a rule; a class is left out where all of it does.

    "only with linezolid", "only sertraline or citalopram with linezolid"; empty where it holds for both classes.
    """
    texts = []
    name = few if short else (lambda names: listing(list(names), last="or"))
    for side_a, side_b in rule.between.ways:
        whole_a = side_a.holds_for_all_of(codes[0])
        whole_b = side_b.holds_for_all_of(codes[1])
        names_a = name(drug.name for drug in side_a.carriers_within(codes[0]))
        names_b = name(drug.name for drug in side_b.carriers_within(codes[1]))
        if whole_a and whole_b:
            return ""
        if whole_a or whole_b:
            texts.append(f"only with {names_b if whole_a else names_a}")
        else:
            texts.append(f"only {names_a} with {names_b}")
    return "; ".join(dict.fromkeys(texts))


def carried_by(rule: RuleReview, codes: tuple[str, str]) -> str:
    """The drugs of both classes that carry a rule, a line for each way; empty where the heading names them all."""
    lines = []
    for way in rule.between.ways:
        sides = [
            [drug.name for drug in side.carriers_within(code)] for side, code in zip(way, codes, strict=True)
        ]
        if any(len(names) > 1 for names in sides):
            lines.append(" with ".join(listing(names, "or", at_most=_NAMED_ON_CARD) for names in sides))
    return "\n".join(dict.fromkeys(lines))


def not_by(rule: RuleReview, codes: tuple[str, str]) -> str:
    """The related drugs of both classes that do not carry a rule."""
    names = dict.fromkeys(
        drug.name
        for way in rule.between.ways
        for side, code in zip(way, codes, strict=True)
        for drug in side.spared_within(code)
    )
    return listing(names, "or", at_most=_NAMED_ON_CARD)


def subject(rule: RuleReview, codes: tuple[str, str], titles: Title) -> str:
    """What a rule is about, as its heading: drugs where only some carry it, else the classes."""
    texts = []
    for way in rule.between.ways:
        names = []
        for side, code in zip(way, codes, strict=True):
            drugs = [drug.name for drug in side.carriers_within(code)]
            names.append(titles(code) if side.holds_for_all_of(code) and len(drugs) > 1 else few(drugs))
        texts.append(" with ".join(names))
    text = "; or ".join(dict.fromkeys(texts))
    return text[:1].upper() + text[1:]


def rules(pair: PairReview) -> tuple[RuleReview, ...]:
    """The rules to show of a pair: those that the orders do not rule out, or all where they rule out the pair."""
    return tuple(
        r for r in pair.rules if r.order_status != "not ordered" or pair.order_status == "not ordered"
    )


def describe_order_status(pair: PairReview) -> str:
    """What the orders of this visit say about the pair."""
    text = ORDER_STATUS[pair.order_status]
    if pair.order_status == "ordered" and pair.severity != pair.entry.severity:
        graded = wording.SEVERITY_LABELS[pair.entry.severity].lower()
        text += f" Graded for these drugs; the two classes as such are graded {graded}."
    return text


def orders_by_code(pair: PairReview) -> list[tuple[str, str]]:
    """The hospital's drug strings behind each code of the pair, where any are known."""
    sides = dict(zip(pair.codes, (pair.ordered_a, pair.ordered_b), strict=True))
    return [
        (
            code,
            listing(dict.fromkeys((*(t for drug in side.drugs for t in drug.written), *side.unread))),
        )
        for code, side in sides.items()
        if side is not None
    ]


def ordered(pair: PairReview) -> str:
    """What was ordered of a pair, and whether it carries it; empty where that is not known.

    "warfarin with amiodarone", "vancomycin, not linezolid"
    """
    first = pair.rules[0] if pair.rules else None
    if first is None or (pair.ordered_a is None and pair.ordered_b is None):
        return ""
    if pair.order_status == "ordered":
        texts = [f"{a} with {b}" for a, b in first.carried[:2]]
        more = len(first.carried) - 2
        return "; ".join(texts) + (f" and {more} more" if more > 0 else "")
    sides = {pair.codes[0]: pair.ordered_a, pair.codes[1]: pair.ordered_b}
    texts = []
    for position, code in enumerate(dict.fromkeys(pair.codes)):
        side = sides[code]
        if side is None:
            texts.append(f"nothing of {code}")
        elif code in first.lacks:
            names = few(d.name for way in first.between.ways for d in way[position].carriers_within(code))
            texts.append(f"{few(side.names, 'and')}, not {names}")
        else:
            texts.append(few(side.names, "and"))
    return "; ".join(texts)


def ordered_for(condition: ConditionReview) -> str:
    """The drugs ordered of a class that a condition speaks against."""
    if not condition.ordered:
        return ""
    names = listing(condition.ordered)
    return names if condition.order_status == "ordered" else f"{names}: not what this warning is about"


def pairs_ordered(rule: RuleReview) -> str:
    """The pairs of drugs ordered that carry a rule."""
    return few((f"{a} with {b}" for a, b in rule.carried), "and")


def diagnoses(warning: ConditionWarning, titles: Titles) -> str:
    """The patient's diagnoses that a warning is about, the first three with title and code."""
    more = len(warning.diagnoses) - _NAMED
    names = listing(f"{titles('diagnosis', code)} ({code})" for code in warning.diagnoses[:_NAMED])
    return names + (f" and {more} more" if more > 0 else "")


def row(pair: PairReview, titles: Title) -> dict[str, object]:
    """What the list draws of a pair, as plain JSON values."""
    first = pair.rules[0] if pair.rules else None
    more = len(rules(pair)) - 1
    return {
        "id": "-".join(pair.codes),
        "severity": pair.severity,
        "names": [titles(code) for code in pair.codes],
        "codes": list(pair.codes),
        "only": "" if first is None or pair.order_status == "ordered" else carriers(first, pair.codes),
        "effect": first.between.rule.effect if first else pair.entry.effect.split("\n")[0],
        "order_status": pair.order_status,
        "ordered": ordered(pair),
        "more": count(more, "more rule") if more > 0 else "",
        "search": " ".join(_drugs(pair)),
    }


def _drugs(pair: PairReview) -> Iterable[str]:
    """Every drug that a search for this pair may name: those that carry a rule, and those ordered."""
    for rule in pair.rules:
        for way in rule.between.ways:
            for side, code in zip(way, pair.codes, strict=True):
                yield from (drug.name for drug in side.carriers_within(code))
    for side_ordered in (pair.ordered_a, pair.ordered_b):
        yield from side_ordered.names if side_ordered else ()


def signal_row(entry: Interaction, titles: Title) -> dict[str, object]:
    """A statistical pair in the same list: it has no severity, no drugs and no management."""
    codes = [entry.code_a, entry.code_b]
    empty = dict.fromkeys(("only", "ordered", "more", "search"), "")
    return {
        "id": "-".join(codes),
        "severity": "unknown",
        "names": [titles(code) for code in codes],
        "codes": codes,
        "effect": entry.effect,
        "order_status": "open",
        **empty,
    }


def account(review: ClassReview, among: str) -> str:
    """How many pairs there are among "25 classes", and what the orders say of them."""
    total = f"{count(len(review.pairs), 'pair')} listed among {among}."
    if not review.ordered:
        return total
    carried = sum(p.order_status == "ordered" for p in review.pairs)
    ruled_out = len(review.pairs) - len(review.pairs_not_ruled_out)
    unsettled = len(review.pairs) - carried - ruled_out
    rest = f", {unsettled} open because one side was not ordered." if unsettled else "."
    return f"{total} By the drugs ordered in this visit: {carried} carried, {ruled_out} not{rest}"


def table_coverage(table: InteractionTable, unit: wording.Unit, built_at: str) -> str:
    """What the tables cover, and that absence from them proves nothing; `built_at` in ISO 8601, or empty."""
    covered = coverage(table)
    text = (
        f"The tables list {count(covered.graded, 'graded pair')} of {unit.many}, projected from "
        f"{count(covered.rules, 'rule')} that this project compiled in its own words from "
        f"{count(covered.sources, 'source')} (product labels, FDA tables, guidelines, CredibleMeds)"
    )
    if covered.statistical:
        sources = "; ".join(covered.statistical_sources[:2])
        text += f", and {count(covered.statistical, 'statistical pair')} ({sources})"
    try:
        text += f", as built into this cohort on {day(datetime.fromisoformat(built_at))}"
    except ValueError:
        text += ", as built into this cohort"
    return f"{text}. A pair that is not listed is unlisted: absence is never proof of safety."


def csv_text(review: ClassReview, titles: Title) -> bytes:
    """The whole review as CSV: clinical pairs, pairs within a class, then the statistical signal."""
    rows: list[Sequence[str]] = []
    for family, pairs in (("clinical", review.pairs), ("within class", review.within)):
        for pair in pairs:
            entry, first = pair.entry, pair.rules[0] if pair.rules else None
            sides = [side for side in (pair.ordered_a, pair.ordered_b) if side is not None]
            rows.append((
                family, pair.severity, entry.code_a, titles(entry.code_a), entry.code_b, titles(entry.code_b),
                carriers(first, pair.codes, short=False) if first else "",
                " + ".join(listing(side.names) for side in sides),
                {"ordered": "yes", "not ordered": "no", "open": "not known"}[pair.order_status],
                entry.effect, entry.mechanism, entry.management, entry.evidence, entry.source,
            ))  # fmt: skip
    rows += [
        (
            "statistical", wording.SEVERITY_UNKNOWN, signal.code_a, titles(signal.code_a), signal.code_b,
            titles(signal.code_b), "", "", "", signal.effect, "", "", signal.evidence, signal.source,
        )
        for signal in review.signals
    ]  # fmt: skip
    return write_csv(_CSV_HEADINGS, rows)
