"""The earlier review of classes, judged by the drugs really ordered; `review` replaces it drug by drug.

A pair of classes often holds for one rare drug of them only. Where the drugs behind the classes are known, this says
whether they carry it and how severe it then is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, Literal

from leader_core.domain import SEVERITY_RANK, Interaction, Order, Severity
from leader_core.interactions.conditions import (
    ConditionWarning,
    Duplication,
    condition_warnings,
    duplications,
)
from leader_core.interactions.orders import ClassOrders, OrderedDrug, ordered_drugs
from leader_core.interactions.pairs import (
    InteractionTable,
    PairRule,
    grade,
    is_statistical,
    load_within_class,
    pair_rules,
)
from leader_core.interactions.rules import Side, clinical_rules

OrderStatus = Literal["ordered", "open", "not ordered"]
"""Whether the drugs ordered have the interaction: yes; it depends on a drug that is not known; no."""

_STATUS_RANK: Final[Mapping[OrderStatus, int]] = {"ordered": 0, "open": 1, "not ordered": 2}


@dataclass(frozen=True, slots=True)
class RuleReview:
    """One rule between two classes, and whether the drugs ordered carry it."""

    between: PairRule
    order_status: OrderStatus
    carried: tuple[tuple[str, str], ...] = ()  # drugs ordered, of the smaller code and the larger
    lacks: tuple[str, ...] = ()  # codes of which only drugs were ordered that do not carry it


@dataclass(frozen=True, slots=True)
class PairReview:
    """A graded pair of classes (or two drugs of one class, where the codes are equal)."""

    entry: Interaction  # as the table has it; its severity is the classes'
    severity: Severity  # of the drugs ordered if they carry it, else the classes' without what was ruled out
    order_status: OrderStatus
    rules: tuple[RuleReview, ...]  # those that count first; empty for a pair that our rules do not explain
    ordered_a: ClassOrders | None = None  # None where nothing of the class was ordered, or nobody knows what
    ordered_b: ClassOrders | None = None

    @property
    def codes(self) -> tuple[str, str]:
        return self.entry.code_a, self.entry.code_b

    @property
    def whole(self) -> bool:
        """Does it hold whichever drugs of the two classes are given?"""
        return bool(self.rules) and not self.rules[0].between.partial


@dataclass(frozen=True, slots=True)
class ConditionReview:
    """A warning against one of the patient's conditions, and whether the drugs ordered carry it."""

    warning: ConditionWarning
    order_status: OrderStatus
    ordered: tuple[str, ...] = ()  # drugs ordered: those that carry it, or where none does, all of the class


@dataclass(frozen=True, slots=True)
class ClassReview:
    """Everything the tables say about a set of medications. What they do not list is unlisted, never safe."""

    pairs: tuple[PairReview, ...]  # graded; those carried or open by severity, then those ruled out
    signals: tuple[Interaction, ...]  # statistical pairs, without severity
    within: tuple[PairReview, ...]
    conditions: tuple[ConditionReview, ...]
    duplications: tuple[Duplication, ...]
    ordered: Mapping[str, ClassOrders] = field(default_factory=dict)

    @property
    def pairs_not_ruled_out(self) -> tuple[PairReview, ...]:
        return tuple(pair for pair in self.pairs if pair.order_status != "not ordered")


def review_classes(
    codes: Iterable[str],
    table: InteractionTable,
    level: int,
    *,
    diagnoses: Iterable[str] = (),
    orders: Iterable[Order] = (),
) -> ClassReview:
    """What the tables say about these medications.

    Args:
        codes: ATC codes of the level.
        table: the pairs at that level.
        level: 3, 4 or 5.
        diagnoses: the patient's, with their system (`ICD9:4280`).
        orders: the drug strings behind the classes, where a visit's are known; they may name other classes too.
    """
    chosen = sorted(set(codes))
    known = {code: ordered for code, ordered in ordered_drugs(orders).items() if code in set(chosen)}
    among = table.among(chosen)
    inside = (entry for entry in load_within_class(level) if entry.code_a in set(chosen))
    return ClassReview(
        pairs=_sorted(pair_review(entry, known) for entry in among if not is_statistical(entry)),
        signals=tuple(entry for entry in among if is_statistical(entry)),
        within=_sorted(pair_review(entry, known) for entry in inside),
        conditions=_conditions(chosen, tuple(diagnoses), known),
        duplications=duplications(
            {drug.code for ordered in known.values() for drug in ordered.drugs} if known else chosen
        ),
        ordered=known,
    )


def pair_review(entry: Interaction, known: Mapping[str, ClassOrders]) -> PairReview:
    """One graded pair, judged by what was ordered."""
    ordered_a, ordered_b = known.get(entry.code_a), known.get(entry.code_b)
    rules = tuple(
        _rule_review(rule, entry, ordered_a, ordered_b) for rule in pair_rules(entry.code_a, entry.code_b)
    )
    if not rules:
        return PairReview(entry, entry.severity, "open", (), ordered_a, ordered_b)
    order_status: OrderStatus = min((r.order_status for r in rules), key=_STATUS_RANK.__getitem__)
    if order_status == "ordered":
        severity = min(
            (r.between.rule.severity for r in rules if r.order_status == "ordered"),
            key=SEVERITY_RANK.__getitem__,
        )
    elif order_status == "open" and any(r.order_status == "not ordered" for r in rules):
        severity = grade(r.between for r in rules if r.order_status == "open") or entry.severity
    else:
        severity = entry.severity
    return PairReview(entry, severity, order_status, _by_weight(rules, order_status), ordered_a, ordered_b)


def _by_weight(rules: Sequence[RuleReview], order_status: OrderStatus) -> tuple[RuleReview, ...]:
    """What is carried first and by its own severity; otherwise the order in which rules grade a pair of classes."""
    if order_status == "ordered":
        return tuple(
            sorted(
                rules, key=lambda r: (_STATUS_RANK[r.order_status], SEVERITY_RANK[r.between.rule.severity])
            )
        )
    return tuple(sorted(rules, key=lambda r: _STATUS_RANK[r.order_status]))


def _rule_review(
    rule: PairRule, entry: Interaction, ordered_a: ClassOrders | None, ordered_b: ClassOrders | None
) -> RuleReview:
    carried: dict[tuple[str, str], None] = {}
    excluded = True
    lacking: set[str] | None = None
    for side_a, side_b in rule.ways:
        by_a = _carriers(side_a, entry.code_a, ordered_a)
        by_b = _carriers(side_b, entry.code_b, ordered_b)
        for one in by_a.sure:
            for other in by_b.sure:
                if one.code != other.code and one.name != other.name:
                    carried[one.name, other.name] = None
        lacks = {code for code, by in ((entry.code_a, by_a), (entry.code_b, by_b)) if by.none}
        lacking = lacks if lacking is None else lacking & lacks
        excluded = excluded and (by_a.none or by_b.none or _one_drug_only(by_a, by_b))
    if carried:
        return RuleReview(rule, "ordered", tuple(carried))
    return RuleReview(rule, "not ordered" if excluded else "open", (), tuple(sorted(lacking or ())))


@dataclass(frozen=True, slots=True)
class _Carriers:
    """The drugs ordered of one class that carry one side of a rule, and whether another might."""

    sure: tuple[OrderedDrug, ...]
    perhaps: bool

    @property
    def none(self) -> bool:
        return not self.sure and not self.perhaps


def _carriers(side: Side, code: str, ordered: ClassOrders | None) -> _Carriers:
    if ordered is None:
        return _Carriers((), True)
    listed, spared = side.carrier_codes, side.spared_codes
    everyone = side.holds_for_all_of(code)
    sure = tuple(
        drug for drug in ordered.drugs if drug.code in listed or (everyone and drug.code not in spared)
    )
    unclear = any(
        drug.code.startswith(side.codes) and drug.code not in spared
        for drug in ordered.drugs
        if drug not in sure
    )
    return _Carriers(sure, unclear or bool(ordered.unread))


def _one_drug_only(by_a: _Carriers, by_b: _Carriers) -> bool:
    """Is the same one drug, counted in both classes or twice in one, all there is?"""
    if by_a.perhaps or by_b.perhaps:
        return False
    return len({drug.name for drug in (*by_a.sure, *by_b.sure)}) < 2


def _conditions(
    codes: Sequence[str], diagnoses: Sequence[str], known: Mapping[str, ClassOrders]
) -> tuple[ConditionReview, ...]:
    given = {drug.code: drug.name for ordered in known.values() for drug in ordered.drugs}
    of_drugs = condition_warnings(given, diagnoses)
    reviews = []
    for warning in condition_warnings(codes, diagnoses):
        ordered = known.get(warning.code)
        own = [w for w in of_drugs if w.code.startswith(warning.code) and _same_rule(w, warning)]
        if own:
            names = tuple(dict.fromkeys(given[w.code] for w in own))
            of_class = replace(own[0], code=warning.code)  # severity and texts are the drug's own
            reviews.append(ConditionReview(of_class, "ordered", names))
        elif ordered is not None and not ordered.unread:
            reviews.append(ConditionReview(warning, "not ordered", ordered.names))
        else:
            reviews.append(ConditionReview(warning, "open"))
    return tuple(
        sorted(
            reviews,
            key=lambda c: (
                c.order_status == "not ordered",
                SEVERITY_RANK[c.warning.severity],
                _STATUS_RANK[c.order_status],
                c.warning.code,
                c.warning.condition,
            ),
        )
    )


def _same_rule(one: ConditionWarning, other: ConditionWarning) -> bool:
    """Do both come from one rule? A class may have two for a condition: beta-blockers that are selective, or not."""
    return (one.condition, one.effect, one.source) == (other.condition, other.effect, other.source)


def _sorted(pairs: Iterable[PairReview]) -> tuple[PairReview, ...]:
    """Most severe first, what was ruled out last; among equals carried before open, whole classes before single drugs."""
    return tuple(
        sorted(
            pairs,
            key=lambda p: (
                p.order_status == "not ordered",
                SEVERITY_RANK[p.severity],
                _STATUS_RANK[p.order_status],
                not p.whole,
                p.codes,
            ),
        )
    )


@dataclass(frozen=True, slots=True)
class TableCoverage:
    """What a table covers, so that an empty answer can say what was looked through."""

    graded: int  # pairs
    statistical: int  # pairs
    rules: int  # that the graded pairs were projected from
    sources: int  # distinct works that the rules cite
    statistical_sources: tuple[str, ...]


@lru_cache(maxsize=4)
def coverage(table: InteractionTable) -> TableCoverage:
    """The entries of a table and the rules behind them, counted."""
    statistical = table.statistical
    cited = {part.strip() for rule in clinical_rules() for part in rule.source.split(";")}
    return TableCoverage(
        len(table) - len(statistical),
        len(statistical),
        len(clinical_rules()),
        len(cited),
        tuple(dict.fromkeys(entry.source for entry in statistical)),
    )
