"""The review of a patient's drugs: what the tables list about each pair, each condition, and several of one kind.

The unit is the drug. A review is over *choices*: a drug that is known (ordered or given), or a class of which one drug
would be chosen and only the proportions of its drugs are known. What a class alone carries stands under "if you choose",
ranked by its severity and by the part of the class that carries it. What is not listed is unlisted, never safe.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import GRADED, SEVERITY_RANK, Interaction, Order, Severity
from leader_core.interactions.conditions import condition_rules, duplication_rules
from leader_core.interactions.orders import OrderedDrug, ordered_drugs
from leader_core.interactions.pairs import InteractionTable, drug_pair, is_statistical
from leader_core.interactions.rules import is_ventilated
from leader_core.interactions.severity_matrix import (
    NUMBER,
    SEVERITY,
    PresentCondition,
    groups_of,
    pair_severities,
    present_conditions,
    ranks,
    severity_matrix,
)
from leader_core.interactions.shares import DrugShares
from leader_core.interactions.substitution import indications
from leader_core.terminology.drugs import ATC_LENGTH

AlertKind = Literal["interaction", "condition", "duplication"]

MOST_OTHERS: Final = 8
"""Further drugs (or pairs of drugs) that an alert names."""
HELD_BACK_SHARE: Final = 0.5
_CALLED_FOR: Final = 4
_FEW_CLASSES: Final = 2  # of ATC level 3, that an indication names
_NUMBERS: Final = ("", "", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

Rank = NDArray[np.int8]
Share = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Carrier:
    """A drug in an alert."""

    name: str
    code: str  # ATC level 5; level 4 where ATC has no level 5
    class_code: str  # at the cohort's level
    written: tuple[str, ...] = ()  # the strings that were ordered or typed
    share: float = 1.0  # of the orders of its class; 1 for a drug that is known
    known: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """A drug that is known, or a class of which one drug would be chosen."""

    drugs: tuple[Carrier, ...]  # of a known drug one for each code; of a class the most used first
    known: bool
    class_code: str
    written: tuple[str, ...] = ()  # of a class: strings that were ordered and name no drug of it

    @property
    def class_codes(self) -> tuple[str, ...]:
        """Its classes: a drug that is given in two ways may have two."""
        return tuple(dict.fromkeys((self.class_code, *(drug.class_code for drug in self.drugs))))


@dataclass(frozen=True, slots=True)
class Alert:
    """Two drugs, a drug and a condition, or several drugs of one kind that the tables speak against."""

    kind: AlertKind
    drugs: tuple[Carrier, ...]  # the headline: the most likely that carry it
    condition: str  # or the group of a duplication; empty for an interaction
    diagnoses: tuple[str, ...]  # the patient's own codes; of a condition only
    severity: Severity  # what the rule says of the drugs in the headline
    rank: Severity  # what it is shown, sorted and counted as
    share: float  # part of the class's orders (of pairs, the product) that carries it at that rank; 1 where all are known
    others: tuple[tuple[Carrier, ...], ...]  # further drugs, or pairs, that carry it, most likely first
    effect: str
    mechanism: str
    management: str
    evidence: str
    source: str
    called_for: tuple[str, ...] = ()  # of a class held back: its drugs that the diagnoses call for

    @property
    def carried(self) -> bool:
        """Are all its drugs ordered or given? Otherwise it stands under "if you choose"."""
        return all(drug.known for drug in self.drugs)

    @property
    def title(self) -> str:
        """ "amiodarone with dofetilide", "cilostazol in heart failure", "three opioids: morphine, fentanyl, oxycodone" """
        names = [drug.name for drug in self.drugs]
        if self.kind == "interaction":
            return " with ".join(names)
        if self.kind == "condition":
            return f"{names[0]} in {self.condition}"
        count = _NUMBERS[len(names)] if len(names) < len(_NUMBERS) else str(len(names))
        group = self.condition if " with " in self.condition else f"{count} {self.condition}"
        return f"{group}: {', '.join(names)}"


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A piece of what was typed that means no code, so that nothing was looked up for it."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Review:
    """Everything the tables say about a set of medications. What they do not list is unlisted, never safe."""

    alerts: tuple[Alert, ...]  # by rank, then carried before not, then share
    signals: tuple[Interaction, ...] = ()  # statistical pairs of classes, without severity
    choices: tuple[Choice, ...] = ()
    unknown: tuple[NotUnderstood, ...] = ()

    @property
    def carried(self) -> tuple[Alert, ...]:
        """The alerts of drugs that are ordered or given."""
        return tuple(alert for alert in self.alerts if alert.carried)

    @property
    def if_chosen(self) -> tuple[Alert, ...]:
        """The alerts that depend on which drug of a class is chosen."""
        return tuple(alert for alert in self.alerts if not alert.carried)

    @property
    def counts(self) -> dict[Severity, int]:
        """Carried alerts by rank, most severe first, without those of which there is none."""
        return _counted(self.carried)

    @property
    def counts_if_chosen(self) -> dict[Severity, int]:
        """The same of the alerts that depend on a choice."""
        return _counted(self.if_chosen)

    @property
    def counts_text(self) -> str:
        """ "1 contraindicated, 6 major; if you choose: 2 major", the one wording of the count for every place."""
        parts = [counts_text(self.counts)] if self.counts or not self.counts_if_chosen else []
        if self.counts_if_chosen:
            parts.append(f"if you choose: {counts_text(self.counts_if_chosen)}")
        return "; ".join(parts)


def counts_text(counts: Mapping[Severity, int]) -> str:
    """ "1 contraindicated, 6 major, 15 moderate", or that there are none.

    >>> counts_text({"major": 6, "contraindicated": 1}), counts_text({})
    ('1 contraindicated, 6 major', 'no alerts in these tables')
    """
    parts = [f"{counts[severity]:,} {severity}" for severity in GRADED if counts.get(severity)]
    return ", ".join(parts) or "no alerts in these tables"


def drug_choices(drugs: Iterable[OrderedDrug], level: int) -> tuple[Choice, ...]:
    """Known drugs, each named once however many codes it has, by name."""
    length = ATC_LENGTH[level]
    by_name: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for drug in drugs:
        by_name[drug.name][drug.code] += drug.written
    return tuple(
        Choice(
            tuple(
                Carrier(name, code, code[:length], tuple(dict.fromkeys(codes[code])))
                for code in sorted(codes)
            ),
            True,
            min(codes)[:length],
        )
        for name, codes in sorted(by_name.items())
    )


def class_choice(code: str, shares: DrugShares, written: tuple[str, ...] = ()) -> Choice:
    """A class of which one drug would be chosen; `written` are strings that were ordered and name no drug of it."""
    drugs = tuple(Carrier(d.name, d.code, code, written, d.share, known=False) for d in shares.of(code))
    return Choice(drugs, False, code, written)


def choices_of(
    codes: Iterable[str], orders: Iterable[Order], shares: DrugShares, level: int
) -> tuple[Choice, ...]:
    """A set of classes as choices: a class with known orders becomes these drugs; orders of other classes are left out."""
    known = ordered_drugs(orders)
    chosen = sorted(set(codes))
    drugs = [drug for code in chosen if code in known for drug in known[code].drugs]
    unread = [class_choice(c, shares, known[c].unread) for c in chosen if c in known and known[c].unread]
    open_classes = [class_choice(code, shares) for code in chosen if code not in known]
    return (*drug_choices(drugs, level), *unread, *open_classes)


def review(
    choices: Sequence[Choice],
    table: InteractionTable,
    shares: DrugShares,
    *,
    diagnoses: Iterable[str] = (),
    unknown: Iterable[NotUnderstood] = (),
) -> Review:
    """What the tables say about these choices.

    Args:
        choices: see `drug_choices`, `class_choice` and `choices_of`.
        table: of the cohort, for the statistical signals between classes.
        shares: of the drugs within the suggested classes.
        diagnoses: the patient's, with their system (`ICD9:4280`).
        unknown: what was typed and not understood, handed on.
    """
    codes = tuple(diagnoses)
    matching = Matching(choices)
    present = present_conditions(codes)
    alerts = [*_interactions(matching, codes), *_condition_alerts(matching, present), *_duplications(choices)]
    classes = dict.fromkeys(code for choice in choices for code in choice.class_codes)
    return Review(
        alerts=tuple(sorted(alerts, key=_order)),
        signals=tuple(entry for entry in table.among(classes) if is_statistical(entry)),
        choices=tuple(choices),
        unknown=tuple(unknown),
    )


def held_back(codes: Iterable[str], shares: DrugShares, diagnoses: Iterable[str]) -> dict[str, Alert]:
    """The classes that the diagnoses speak against, each with its most severe alert.

    A class is held back where more than half of its orders are drugs with a contraindicated or major condition rule, or
    where its most used drug is contraindicated (heparin among the antithrombotics in heparin-induced thrombocytopenia).
    It is not where no label forbids the drug of its alert and the diagnoses call for it too, not for one of many kinds
    like an antibacterial: a loop diuretic in acute heart failure, though a volume depletion is coded.
    """
    present = present_conditions(diagnoses)
    choices = [class_choice(code, shares) for code in dict.fromkeys(codes)]
    if not present or not choices:
        return {}
    matching = Matching(choices)
    rules = dict.fromkeys(rule for condition in present for rule in condition.rules)
    severities = severity_matrix().condition_severities(rules)
    against = matching.condition_shares(severities)[NUMBER["major"] - 1] > HELD_BACK_SHARE
    first = [len(own) > 0 and severities[own[0]] == NUMBER["contraindicated"] for own in matching.columns]
    held = {choices[i].class_code: i for i in np.flatnonzero(against | np.array(first))}
    called_for = [i for i in indications(diagnoses) if i.diagnoses and len(i.classes) <= _FEW_CLASSES]
    result: dict[str, Alert] = {}
    for alert in sorted(_condition_alerts(matching, present), key=_order):
        code = alert.drugs[0].class_code
        if alert.severity == "major" and any(each.calls_for(alert.drugs[0].code) for each in called_for):
            held.pop(code, None)
        if code in held and code not in result:
            own, columns = matching.own[held[code]], matching.columns[held[code]]
            spared = [drug for drug, s in zip(own, severities[columns], strict=True) if s < NUMBER["major"]]
            result[code] = _with_what_is_called_for(alert, spared, diagnoses)
    return result


def _with_what_is_called_for(alert: Alert, spared: Sequence[Carrier], diagnoses: Iterable[str]) -> Alert:
    """An alert that holds a class back, with the drugs of the class that the diagnoses call for all the same:
    argatroban in heparin-induced thrombocytopenia."""
    for indication in indications(diagnoses):
        names = [drug.name for drug in spared if drug.share and indication.calls_for(drug.code)]
        if names and alert.condition == indication.condition:
            return replace(alert, called_for=tuple(dict.fromkeys(names))[:_CALLED_FOR])
    return alert


class Matching:
    """Choices as rows over their drugs: one row for each code of a known drug, one for a class."""

    def __init__(self, choices: Sequence[Choice]) -> None:
        self.choices = choices
        column = severity_matrix().column
        self.own = [[d for d in choice.drugs if d.code in column] for choice in choices]
        self.columns = [np.array([column[d.code] for d in own], np.int64) for own in self.own]
        self.shares = [np.array([d.share for d in own]) for own in self.own]
        self._starts: list[int] = []  # of each choice, its first row
        self._rows: list[int] = []  # of each row, its first drug
        drugs: list[tuple[int, float]] = []  # (column, share)
        for choice, own in zip(choices, self.own, strict=True):
            self._starts.append(len(self._rows))
            share: dict[int, float] = {} if own else {0: 0.0}
            for drug in own:  # drugs of one code, like albuterol and levalbuterol, count together
                number = column[drug.code]
                share[number] = 1.0 if choice.known else share.get(number, 0.0) + drug.share
            self._rows += range(len(drugs), len(drugs) + len(share)) if choice.known else [len(drugs)]
            drugs += share.items()
        self._columns = np.array([drug for drug, _ in drugs], np.int64)
        self._shares = np.array([share for _, share in drugs])

    def pair_shares(self, pairs: Rank) -> Share:
        """(4, N, N): the part of each pair of choices with at least a severity, minor first, by `pairs` (D, D)."""
        severities = pairs[self._columns[:, None], self._columns]
        likely = self._shares[:, None] * self._shares
        shares = []
        for number in range(1, len(SEVERITY)):
            rows = np.add.reduceat(np.where(severities >= number, likely, 0.0), self._rows, axis=0)
            rows = np.maximum.reduceat(np.add.reduceat(rows, self._rows, axis=1), self._starts, axis=0)
            shares.append(np.maximum.reduceat(rows, self._starts, axis=1))
        return np.stack(shares)

    def condition_shares(self, severities: Rank) -> Share:
        """(4, N): the part of each choice whose drugs have at least a severity (D,), minor first."""
        least = np.arange(1, len(SEVERITY))[:, None]
        likely = np.where(severities[self._columns] >= least, self._shares, 0.0)
        return np.maximum.reduceat(np.add.reduceat(likely, self._rows, axis=1), self._starts, axis=1)


def _interactions(matching: Matching, diagnoses: Sequence[str]) -> list[Alert]:
    if len(matching.choices) < 2:
        return []
    pairs = pair_severities(diagnoses)
    shares = matching.pair_shares(pairs)
    rank = ranks(shares)
    alerts = []
    for i, j in zip(*np.nonzero(np.triu(rank, 1)), strict=True):
        number = int(rank[i, j])
        severities = pairs[matching.columns[i][:, None], matching.columns[j]]
        likely = matching.shares[i][:, None] * matching.shares[j]
        drugs = [
            _by_name(matching.own[i][a], matching.own[j][b]) for a, b in _leading(severities, likely, number)
        ]
        entry = drug_pair(drugs[0][0].code, drugs[0][1].code, is_ventilated(diagnoses))
        alerts.append(
            Alert(
                "interaction", drugs[0], "", (), entry.severity, SEVERITY[number],
                min(float(shares[number - 1, i, j]), 1.0), _others(drugs),
                entry.effect, entry.mechanism, entry.management, entry.evidence, entry.source,
            )
        )  # fmt: skip
    return alerts


def _condition_alerts(matching: Matching, present: Sequence[PresentCondition]) -> list[Alert]:
    matrix = severity_matrix()
    alerts = []
    for condition in present if matching.choices else ():
        severities = matrix.condition_severities(condition.rules)
        shares = matching.condition_shares(severities)
        rank = ranks(shares)
        for i in np.flatnonzero(rank):
            number = int(rank[i])
            leading = _leading(severities[matching.columns[i]], matching.shares[i], number)
            drugs = [(matching.own[i][a],) for (a,) in leading]
            column = matrix.column[drugs[0][0].code]
            most_severe = int(matrix.conditions[list(condition.rules), column].argmax())
            rule = condition_rules()[condition.rules[most_severe]]
            diagnoses = tuple(code for code in condition.diagnoses if code.startswith(rule.diagnoses))
            alerts.append(
                Alert(
                    "condition", drugs[0], rule.condition, diagnoses, rule.severity, SEVERITY[number],
                    min(float(shares[number - 1, i]), 1.0), _others(drugs),
                    rule.effect, "", rule.management, rule.evidence, rule.source,
                )
            )  # fmt: skip
    return alerts


def _by_name(one: Carrier, other: Carrier) -> tuple[Carrier, Carrier]:
    return (one, other) if one.name <= other.name else (other, one)


def _leading(severities: Rank, shares: Share, number: int) -> list[tuple[int, ...]]:
    """The places of a few drugs, or pairs of drugs, that carry at least a severity: the most likely first, and among
    equally likely ones the more severe."""
    likely = np.where(severities >= number, shares, 0.0)
    order = np.argsort(-(likely + 1e-9 * severities), axis=None, kind="stable")[: MOST_OTHERS + 1]
    places = zip(*np.unravel_index(order, likely.shape), strict=True)
    return [place for place in places if likely[place] > 0]


def _others(drugs: Sequence[tuple[Carrier, ...]]) -> tuple[tuple[Carrier, ...], ...]:
    """All but the first, each set of names once."""
    by_names: dict[tuple[str, ...], tuple[Carrier, ...]] = {}
    for each in drugs:
        by_names.setdefault(tuple(drug.name for drug in each), each)
    return tuple(by_names.values())[1:]


def _duplications(choices: Sequence[Choice]) -> list[Alert]:
    """Groups of which several known drugs are different ones; a fixed combination counts as one drug of each part."""
    groups: dict[int, tuple[set[int], dict[int, Carrier]]] = {}
    for number, choice in enumerate(choices):
        for drug in choice.drugs if choice.known else ():
            for group, agent in groups_of().get(drug.code, ()):
                agents, drugs = groups.setdefault(group, (set(), {}))
                agents.add(agent)
                drugs.setdefault(number, drug)
    alerts = []
    for group in sorted(groups):
        agents, drugs = groups[group]
        if len(agents) > 1 and len(drugs) > 1:
            rule = duplication_rules()[group]
            alerts.append(
                Alert(
                    "duplication", tuple(drugs.values()), rule.group, (), rule.severity, rule.severity, 1.0, (),
                    rule.effect, "", rule.management, "", rule.source,
                )
            )  # fmt: skip
    return alerts


def _counted(alerts: Iterable[Alert]) -> dict[Severity, int]:
    counted = Counter(alert.rank for alert in alerts)
    return {severity: counted[severity] for severity in GRADED if counted[severity]}


def _order(alert: Alert) -> tuple[Any, ...]:
    names = tuple(drug.name for drug in alert.drugs)
    return SEVERITY_RANK[alert.rank], not alert.carried, -alert.share, names, alert.condition
