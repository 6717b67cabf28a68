"""A plain set as slots with the drugs that could fill them, and the alerts among these as an integer program."""

from __future__ import annotations

from collections import defaultdict
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
from leader_core.interactions.severity_matrix import (
    NUMBER,
    groups_of,
    pair_severities,
    present_conditions,
    severity_matrix,
)
from leader_core.interactions.shares import DrugShares
from leader_core.interactions.substitution import (
    Indication,
    Substitute,
    indications,
    interchangeable,
    substitutes,
    uses_of,
)
from leader_core.terminology.drugs import ATC_LENGTH

SERIOUS: Final[tuple[Severity, ...]] = ("contraindicated", "major")
"""The severities that a limit can count, most severe first."""
_PHARMACOLOGICAL: Final = ATC_LENGTH[3]
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
    in_set: tuple[DrugOption, ...] = ()  # what could stand for it, but is in the set already
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
        self._length = ATC_LENGTH[shares.atc_level]
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
        names = {slot.own.name for slot in slots}
        covering = _covering(slots, [self._rank(slot.own) for slot in slots])
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
            own = Choice((replace(self._likely(choice), share=1.0, known=True),), True, choice.class_code)
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

    def _likely(self, choice: Choice) -> Carrier:
        """The drug that a class stands for: the most used that the diagnoses call for (acetylcysteine of the antidotes in
        acetaminophen poisoning), else the most used."""
        wanted = [each for each in self._indications if each.diagnoses and each.calls_for(choice.class_code)]
        called_for = (drug for drug in choice.drugs if any(each.calls_for(drug.code) for each in wanted))
        return next(called_for, choice.drugs[0])

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


def _covering(slots: Sequence[Slot], ranks: Sequence[_Rank]) -> list[list[DrugOption]]:
    """For each slot the drugs of others that serve the same use and rather stay, or with which its need ends."""
    uses = [[uses_of(code) for code in slot.own.codes] for slot in slots]
    chosen: dict[int, list[int]] = defaultdict(list)  # exchange group -> slots that may stand for others
    for number, own in enumerate(uses):
        for group in frozenset[int]().union(*(each.chosen for each in own)):
            chosen[group].append(number)
    result = []
    for own, rank in zip(uses, ranks, strict=True):
        same = {n for each in own for g in each.replaced for n in chosen[g] if ranks[n] < rank}
        # What ends the need for a drug may be used less, but has no worse alerts.
        ends = {n for each in own for g in each.ended for n in chosen[g] if ranks[n][0] <= rank[0]}
        result.append([slots[n].own for n in sorted(same | ends) if ranks[n][2] != rank[2]])
    return result


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
    against, added = serious.against(), serious.with_own(own)
    return Problem(
        options=tuple(
            ProgramOption(number, OWN, use=option.use)
            if own[i]
            else ProgramOption(number, option.change, int(against[i]), int(added[i]), option.use)
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
        codes_of = [option.codes for option in options]
        columns = [
            (number, matrix.column[code])
            for number, codes in enumerate(codes_of)
            for code in codes
            if code in matrix.column
        ]
        self._count = len(options)
        self._columns = np.array([column for _, column in columns], np.int64)
        self._option = np.array([number for number, _ in columns], np.int64)
        names = np.unique([option.name for option in options], return_inverse=True)[1]
        self._apart = (slot_of[:, None] != slot_of) & (names[:, None] != names)
        pairs = np.zeros((self._count, self._count), np.int8)
        at = np.ix_(self._option, self._option)
        np.maximum.at(pairs, at, pair_severities(diagnoses)[np.ix_(self._columns, self._columns)])
        self._pairs = np.where(self._apart, pairs, 0)
        self._conditions = [
            self._per_option(matrix.condition_severities(condition.rules)[self._columns])
            for condition in present_conditions(diagnoses)
        ]
        self._groups = list(self._duplications(codes_of))

    def _per_option(self, severities: NDArray[np.int8]) -> NDArray[np.int8]:
        most = np.zeros(self._count, np.int8)
        np.maximum.at(most, self._option, severities)
        return most

    def _duplications(self, codes: Sequence[tuple[str, ...]]) -> Iterable[tuple[int, list[tuple[int, int]]]]:
        """Groups of one kind: their severity, and the pairs of options that are several drugs of it."""
        members: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
        for i, own in enumerate(codes):  # rule -> option -> drugs of the rule that it stands for
            for rule, agent in (each for code in own for each in groups_of().get(code, ())):
                members[rule][i].add(agent)
        for rule, agents in sorted(members.items()):
            pairs = [
                (a, b)
                for a, b in combinations(agents, 2)
                if self._apart[a, b] and len(agents[a] | agents[b]) > 1
            ]
            if (severity := duplication_rules()[rule].severity) in SERIOUS:
                yield NUMBER[severity], pairs

    def against(self) -> NDArray[np.int64]:
        """How many serious alerts each option has with the patient's conditions."""
        counts = (severities >= NUMBER[SERIOUS[-1]] for severities in self._conditions)
        return np.sum([np.zeros(self._count, np.int64), *counts], axis=0)

    def with_own(self, own: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many serious alerts each option has with the own drugs of other slots."""
        count: NDArray[np.int64] = (self._pairs[:, own] >= NUMBER[SERIOUS[-1]]).sum(1)
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
    alike: dict[int | str, list[tuple[int, int]]] = {}
    for i, (slot, option) in enumerate(options):
        if option.change != OWN:
            keys: tuple[int | str, ...] = (option.name, *uses_of(option.codes[0]).chosen)
            for key in keys:
                alike.setdefault(key, []).append((i, slot))
    pairs = {
        (i, j) for each in alike.values() for (i, slot), (j, other) in combinations(each, 2) if slot != other
    }
    yield from sorted(pairs)


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
