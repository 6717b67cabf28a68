"""The drugs behind a visit's orders: the hospital's strings of each class, read as ingredients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from leader_core.domain import Order
from leader_core.interactions.conditions import condition_rules, duplication_rules
from leader_core.interactions.rules import clinical_rules
from leader_core.terminology.drug_table import shortest_names
from leader_core.terminology.drugs import DrugMatch, map_drug

_CACHED_TEXTS: Final = 4096  # every set of a case reads the same orders


@dataclass(frozen=True, slots=True)
class OrderedDrug:
    """An ingredient that was ordered in a class."""

    name: str
    code: str  # ATC level 5; level 4 where ATC has no level 5
    written: tuple[str, ...]  # the hospital's own strings: "Vancomycin IV"


@dataclass(frozen=True, slots=True)
class ClassOrders:
    """What was ordered of one class."""

    drugs: tuple[OrderedDrug, ...]
    unread: tuple[str, ...] = ()  # strings that name no known ingredient: they may be any drug of the class


def ordered_drugs(orders: Iterable[Order]) -> dict[str, ClassOrders]:
    """By class, the ingredients that the hospital's drug strings name."""
    drugs: dict[str, dict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))
    unread: dict[str, dict[str, None]] = defaultdict(dict)
    for order in orders:
        written = f"{order.drug} {order.route}".strip() if order.route.lower() != "unknown" else order.drug
        matches = drugs_of_text(order.code, order.drug, order.route)
        for match in matches:  # albuterol and levalbuterol share a code
            drugs[order.code][match.ingredient, match.code].append(written)
        if not matches:
            unread[order.code][written] = None
    return {
        code: ClassOrders(
            tuple(OrderedDrug(name, atc, tuple(texts)) for (name, atc), texts in drugs[code].items()),
            tuple(unread[code]),
        )
        for code in sorted({*drugs, *unread})
    }


@lru_cache(maxsize=_CACHED_TEXTS)
def drugs_of_text(class_code: str, drug: str, route: str) -> tuple[DrugMatch, ...]:
    """The drugs (ATC level 5, or 4 where there is none) of a class that an order's text and route name."""
    return tuple(m for m in map_drug(drug, route, 5) if m.code.startswith(class_code))


@cache
def usual_names() -> Mapping[str, str]:
    """ATC code of level 5 (4 where there is none) -> usual name of every drug of the drug table or of a rule."""
    return {**drug_names(), **shortest_names()}


@cache
def drug_names() -> Mapping[str, str]:
    """ATC level-5 code -> name of every drug that a rule names."""
    sides = [side for rule in clinical_rules() for side in (rule.a, rule.b)]
    sides += [rule.side for rule in condition_rules()]
    agents = [agent for side in sides for agent in (*side.carriers, *side.spared)]
    agents += [agent for rule in duplication_rules() for agent in rule.drugs]
    # Of the codes of one drug the first are its own, those of combinations follow.
    names: dict[str, str] = {}
    for agent in agents:
        for code in agent.codes:
            names.setdefault(code, agent.name)
    return names
