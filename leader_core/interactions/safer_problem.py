"""A plain set as slots with the drugs that could fill them, and the alerts among these as an integer program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import Severity
from leader_core.interactions.conditions import duplication_rules
from leader_core.interactions.drug_program import (
    OWN,
    SUBSTITUTE,
    SWITCH,
    Problem,
    ProgramAlert,
    ProgramOption,
    RateLimit,
)
from leader_core.interactions.pairs import InteractionTable, is_statistical
from leader_core.interactions.review import Carrier, Choice
from leader_core.interactions.rules import LEVEL_LENGTH
from leader_core.interactions.severity_matrix import NUMBER, present_conditions, severity_matrix
from leader_core.interactions.shares import DrugShares
from leader_core.interactions.substitution import (
    Indication,
    Substitute,
    indications,
    interchangeable,
    made_superfluous,
    substitutes,
)

SERIOUS: Final[tuple[Severity, ...]] = ("contraindicated", "major")
"""The severities that a limit can count, most severe first."""
_PHARMACOLOGICAL: Final = LEVEL_LENGTH[3]
"""Characters of the class within which a drug may be switched, whatever the level of the cohort."""


@dataclass(frozen=True, slots=True)
class DrugOption:
    """A drug that could fill a slot."""

    choice: Choice
    change: int  # as in `drug_program`
    use: float  # the share of its class's orders times the probability of the class, and 1 more if curated
    substitute: Substitute | None = None  # the row that says so

    @property
    def name(self) -> str:
        """The drug's; the class's code where an order names no drug of it."""
        return self.choice.drugs[0].name if self.codes else self.choice.class_code

    @property
    def codes(self) -> tuple[str, ...]:
        """ATC codes of the drug; none where it is not known."""
        return tuple(drug.code for drug in self.choice.drugs) if self.choice.known else ()


@dataclass(frozen=True, slots=True)
class Slot:
    """One medication of a set, with what could fill it: first its own drug, as ordered or the most used of the class."""

    options: tuple[DrugOption, ...]
    ordered: bool
    probability: float
    called_for: tuple[Indication, ...]
    in_set: tuple[
        DrugOption, ...
    ] = ()  # what could stand for it, but is another medication of the set already
    covered: bool = False  # another medication of the set serves the same use, and rather stays
    contraindicated: bool = False  # one of the patient's conditions forbids its own drug

    @property
    def own(self) -> DrugOption:
        return self.options[0]

    @property
    def class_codes(self) -> tuple[str, ...]:
        return self.own.choice.class_codes


class SlotBuilder:
    """Slots of one case."""

    def __init__(
        self,
        probabilities: Mapping[str, float],
        shares: DrugShares,
        diagnoses: Sequence[str],
        avoided: frozenset[str],
    ) -> None:
        self._probabilities = probabilities
        self._shares = shares
        self._diagnoses = diagnoses
        self._avoided = avoided
        self._length = LEVEL_LENGTH[shares.atc_level]
        self._indications = indications(diagnoses)
        rules = [rule for condition in present_conditions(diagnoses) for rule in condition.rules]
        matrix = severity_matrix()
        self._against = matrix.condition_severities(rules) if rules else np.zeros(len(matrix.codes), np.int8)
        self._related: dict[str, list[str]] = {}  # scored classes by pharmacological group
        for code in probabilities:
            if code not in avoided:
                self._related.setdefault(code[:_PHARMACOLOGICAL], []).append(code)

    def slots(self, choices: Iterable[Choice]) -> list[Slot]:
        """The medications, most probable first, a drug given in two ways once for each of its classes.

        What is one of them already stands for no other. Of several of the same use one may be exchanged, the others
        are covered by it: they stay or are left out.
        """
        slots = [self._slot(part) for choice in choices for part in _by_class(choice)]
        slots.sort(key=lambda s: (-s.probability, s.own.choice.class_code, s.own.name))
        ranked = [(slot.own, slot.own.codes, self._rank(slot.own)) for slot in slots]
        covering = [
            tuple(option for option, codes, rank in ranked if _covers((codes, rank), (own_codes, own_rank)))
            for _, own_codes, own_rank in ranked
        ]
        names = {option.name for option, _, _ in ranked}
        return [_among(slot, names, others) for slot, others in zip(slots, covering, strict=True)]

    def _rank(self, option: DrugOption) -> _Rank:
        return max(self._severity(option), NUMBER["moderate"]), -option.use, option.name

    def _severity(self, option: DrugOption) -> int:
        """The most severe that the patient's conditions say of a drug."""
        columns = [severity_matrix().column.get(code) for code in option.codes]
        return max((int(self._against[column]) for column in columns if column is not None), default=0)

    def _slot(self, choice: Choice) -> Slot:
        """A medication with the drugs that could be given for it, each once."""
        own = choice
        if not choice.known and choice.drugs and not choice.written:
            own = Choice((replace(choice.drugs[0], share=1.0, known=True),), True, choice.class_code)
        probability = max((self._probabilities.get(code, 0.0) for code in own.class_codes), default=0.0)
        use = max((self._use(drug) for drug in own.drugs), default=0.0)
        first = DrugOption(own, OWN, use)
        options = {first.name: first}
        for option in (*self._substitutes(first.codes), *self._switches(first.codes)):
            if option.change < options.get(option.name, option).change or option.name not in options:
                options[option.name] = option
        codes = first.codes if choice.known else (*first.codes, choice.class_code)
        called_for = tuple(each for each in self._indications if any(each.calls_for(code) for code in codes))
        forbidden = self._severity(first) == NUMBER["contraindicated"]
        return Slot(tuple(options.values()), choice.known, probability, called_for, contraindicated=forbidden)

    def _switches(self, codes: Sequence[str]) -> Iterable[DrugOption]:
        for code in codes:
            for class_code in self._related.get(code[:_PHARMACOLOGICAL], ()):
                for drug in self._shares.of(class_code):
                    if interchangeable(code, drug.code):
                        carrier = Carrier(drug.name, drug.code, class_code)
                        yield DrugOption(Choice((carrier,), True, class_code), SWITCH, self._use(carrier))

    def _substitutes(self, codes: Sequence[str]) -> Iterable[DrugOption]:
        for code in codes:
            for row in substitutes(code, self._diagnoses):
                drug = row.drug.codes[0]
                class_code = drug[: self._length]
                if class_code in self._avoided:
                    continue
                change = SWITCH if drug[:_PHARMACOLOGICAL] == code[:_PHARMACOLOGICAL] else SUBSTITUTE
                carrier = Carrier(row.drug.name, drug, class_code)
                use = 1.0 + self._use(carrier)
                yield DrugOption(Choice((carrier,), True, class_code), change, use, row)

    def _use(self, drug: Carrier) -> float:
        """How probable it is that this drug is the one prescribed: its share of the class times the class's probability."""
        share = next((d.share for d in self._shares.of(drug.class_code) if d.code == drug.code), 0.0)
        return share * self._probabilities.get(drug.class_code, 0.0)


_Rank = tuple[int, float, str]
"""What decides which of several drugs of one use rather stays: free of condition alerts, then used more, then the name."""


def _covers(one: tuple[Sequence[str], _Rank], other: tuple[Sequence[str], _Rank]) -> bool:
    """Do two drugs (codes and rank) serve the same use, and is `one` rather to stay? Or does it follow on `other`,
    which then ends?"""
    (codes, rank), (other_codes, other_rank) = one, other
    if rank[2] == other_rank[2]:
        return False
    if rank < other_rank and any(interchangeable(b, a) for b in other_codes for a in codes):
        return True
    return rank[0] <= other_rank[0] and any(made_superfluous(b, a) for b in other_codes for a in codes)


def _among(slot: Slot, names: Set[str], covering: Sequence[DrugOption]) -> Slot:
    """A slot without what is another medication of the set already, and what covers it."""
    in_set = [*(o for o in slot.options if o.change != OWN and o.name in names), *covering]
    return replace(
        slot,
        options=tuple(o for o in slot.options if o.change == OWN or (o.name not in names and not covering)),
        in_set=tuple({o.name: o for o in in_set}.values()),
        covered=bool(covering),
    )


def _by_class(choice: Choice) -> Iterable[Choice]:
    """A known drug once for each of its classes: vancomycin by mouth and by vein serve different uses."""
    if not choice.known or len(choice.class_codes) < 2:
        return (choice,)
    return (
        Choice(tuple(drug for drug in choice.drugs if drug.class_code == code), True, code)
        for code in choice.class_codes
    )


def drugs_of(options: Iterable[DrugOption]) -> list[Choice]:
    """What is given, each drug once, however many ways it is given in."""
    by_name: dict[str, Choice] = {}
    for option in options:
        other = by_name.get(option.name)
        drugs = (*(other.drugs if other else ()), *option.choice.drugs)
        by_name[option.name] = replace(option.choice, drugs=drugs)
    return list(by_name.values())


# --- slots as a program


def program(
    slots: Sequence[Slot],
    diagnoses: Sequence[str],
    limits: Mapping[Severity, int | None],
    keep: frozenset[str],
) -> Problem:
    """The integer program of a set: its alerts of limited severities, and what has to stay."""
    options = [(number, option) for number, slot in enumerate(slots) for option in slot.options]
    slot_of = np.array([number for number, _ in options], np.int64)
    serious = _SeriousAlerts([option for _, option in options], slot_of, diagnoses)
    own = np.array([option.change == OWN for _, option in options], np.bool_)
    added = serious.with_own(own)
    return Problem(
        options=tuple(
            ProgramOption(number, option.change, 0 if own[i] else int(added[i]), option.use)
            for i, (number, option) in enumerate(options)
        ),
        loss=tuple(0.0 if slot.covered else slot.probability for slot in slots),
        alerts=tuple(
            alert
            for severity, name in enumerate(SERIOUS)
            if limits[name] is not None
            for alert in serious.alerts(severity)
        ),
        limits=tuple(limits[name] for name in SERIOUS),
        exclusive=tuple(_same_use(options)),
        required=tuple(required_options(slots, keep)),
        called_for=frozenset(i for i, slot in enumerate(slots) if slot.called_for and not slot.covered),
    )


class _SeriousAlerts:
    """Alerts of the severities in `SERIOUS` among options, defined as the review counts them."""

    def __init__(
        self, options: Sequence[DrugOption], slot_of: NDArray[np.int64], diagnoses: Sequence[str]
    ) -> None:
        matrix = severity_matrix()
        columns = [
            (number, matrix.column[code])
            for number, option in enumerate(options)
            for code in option.codes
            if code in matrix.column
        ]
        self._count = len(options)
        self._columns = np.array([column for _, column in columns], np.int64)
        self._option = np.array([number for number, _ in columns], np.int64)
        names = np.unique([option.name for option in options], return_inverse=True)[1]
        self._apart = (slot_of[:, None] != slot_of) & (names[:, None] != names)
        pairs = np.zeros((self._count, self._count), np.int8)
        at = np.ix_(self._option, self._option)
        np.maximum.at(pairs, at, matrix.pairs[np.ix_(self._columns, self._columns)])
        self._pairs = np.where(self._apart, pairs, 0)
        self._conditions = [
            self._per_option(matrix.condition_severities(condition.rules)[self._columns])
            for condition in present_conditions(diagnoses)
        ]
        self._groups = list(self._duplications([option.codes for option in options]))

    def _per_option(self, severities: NDArray[np.int8]) -> NDArray[np.int8]:
        most = np.zeros(self._count, np.int8)
        np.maximum.at(most, self._option, severities)
        return most

    def _duplications(self, codes: Sequence[tuple[str, ...]]) -> Iterable[tuple[int, list[tuple[int, int]]]]:
        """Groups of one kind: their severity, and the pairs of options that are several drugs of it."""
        for rule in duplication_rules():
            if rule.severity in SERIOUS:
                agents = {
                    i: {
                        number
                        for number, agent in enumerate(rule.drugs)
                        if not set(agent.codes).isdisjoint(own)
                    }
                    for i, own in enumerate(codes)
                }
                members = [i for i, own in agents.items() if own]
                pairs = [
                    (a, b)
                    for a, b in combinations(members, 2)
                    if self._apart[a, b] and len(agents[a] | agents[b]) > 1
                ]
                yield NUMBER[rule.severity], pairs

    def with_own(self, own: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many serious alerts each option has with the own drugs of other slots and with the conditions."""
        least = NUMBER[SERIOUS[-1]]
        count: NDArray[np.int64] = (self._pairs[:, own] >= least).sum(1)
        for severities in self._conditions:
            count += severities >= least
        for _, pairs in self._groups:
            for index in {i for pair in pairs for i in pair if own[pair[0]] or own[pair[1]]}:
                count[index] += any(index in pair and own[sum(pair) - index] for pair in pairs)
        return count

    def alerts(self, severity: int) -> Iterable[ProgramAlert]:
        """The alerts of a severity (a position in `SERIOUS`)."""
        number = NUMBER[SERIOUS[severity]]
        for a, b in np.argwhere(np.triu(self._pairs == number)).tolist():
            yield ProgramAlert(severity, ((a, b),))
        for severities in self._conditions:
            for a in np.flatnonzero(severities == number).tolist():
                yield ProgramAlert(severity, ((a, a),))
        for group_number, pairs in self._groups:
            if pairs and group_number == number:
                yield ProgramAlert(severity, tuple(pairs))


def _same_use(options: Sequence[tuple[int, DrugOption]]) -> Iterable[tuple[int, int]]:
    """Options of different slots that would bring in one drug twice, or two that serve the same use."""
    changed = [(i, slot, option) for i, (slot, option) in enumerate(options) if option.change != OWN]
    for (i, slot, one), (j, other_slot, other) in combinations(changed, 2):
        if slot != other_slot and (one.name == other.name or interchangeable(one.codes[0], other.codes[0])):
            yield i, j


def required_options(
    slots: Sequence[Slot], keep: frozenset[str], *, called_for: bool = True
) -> Iterable[frozenset[int]]:
    """Groups of options of which one must be chosen: for each class that must stay, and for what the diagnoses call for."""
    first = np.cumsum([0, *(len(slot.options) for slot in slots)]).tolist()
    by_class: dict[str, set[int]] = {code: set() for code in keep}
    one_of: dict[Indication, set[int]] = {}
    for number, slot in enumerate(slots):
        own = range(first[number], first[number + 1])
        for code in keep.intersection(slot.class_codes):
            by_class[code].update(
                i
                for i, option in zip(own, slot.options, strict=True)
                if option.choice.class_code == code or option.change == OWN
            )
        for indication in slot.called_for if called_for else ():
            if indication.keep == "same" and not slot.contraindicated:
                yield frozenset(own[:1])
            elif indication.keep != "one":
                yield frozenset(own)
            else:
                one_of.setdefault(indication, set()).update(own)
    yield from (frozenset(group) for group in (*by_class.values(), *one_of.values()) if group)


def rate_limit(slots: Sequence[Slot], table: InteractionTable, most: float) -> RateLimit:
    """A limit on statistical pairs of classes over the options of these slots."""
    classes = [option.choice.class_code for slot in slots for option in slot.options]
    number = {code: i for i, code in enumerate(dict.fromkeys(classes))}
    pairs = ((i.code_a, i.code_b) for i in table.among(number) if is_statistical(i))
    return RateLimit(
        tuple(number[code] for code in classes), tuple((number[a], number[b]) for a, b in pairs), most
    )
