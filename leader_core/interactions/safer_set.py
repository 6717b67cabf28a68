"""The set of drugs that changes least of a plain set under a limit on alerts, solved exactly, and what it changes.

For every medication of the plain set one drug is chosen, or the medication is left out. The alerts limited are those of
the review: pairs of drugs, drugs against a condition, several drugs of one kind. Of all sets within the limit the best is

1. one that keeps what the diagnoses call for (`indications.csv`) and what must stay. Where that cannot be within the
   limit, the fewest alerts go beyond it, and each is listed under `unmet`;
2. then the one that leaves out least: the sum of the probabilities of what is left out, which is the number of
   prescribed medications that the set loses on average, is the smallest. Of several drugs of the same use (two
   heparins, two antipsychotics) only one counts as lost, that which the conditions allow and which is used most;
3. then the one that leaves out the fewest medications that the diagnoses call for: in atrial fibrillation rather aspirin
   than warfarin;
4. then the one that leaves out the fewest medications, and puts in the fewest that a condition speaks against
   (contraindicated or major): no other NSAID for ketorolac in a bleeding;
5. then the one with the fewest changes: a medication is rather kept as it was ordered (or as the most used drug of its
   class) than switched to another drug of the same use, rather switched than substituted by one of another kind; and
   with the fewest contraindicated and major pairs that the changes bring in;
6. then the one that leaves out the fewest drugs of a use that another serves; the most substitutes of the curated table
   (`substitutes.csv`), and the drugs used most.

Each rule decides only where those before it leave a choice: `drug_program` solves them one after the other. Only
medications of the plain set and those that must stay are chosen from: none is added to thin out a DDI rate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from leader_core.domain import Interaction, Order, Severity
from leader_core.errors import InputError
from leader_core.interactions.drug_program import OWN, SUBSTITUTE, SWITCH, Problem, least_excess, solve
from leader_core.interactions.pairs import InteractionTable, is_statistical
from leader_core.interactions.review import Alert, Choice, Review, choices_of, review
from leader_core.interactions.safer_problem import (
    SERIOUS,
    DrugOption,
    Slot,
    SlotBuilder,
    drugs_of,
    program,
    rate_limit,
    required_options,
)
from leader_core.interactions.shares import DrugShares
from leader_core.interactions.substitution import Indication, Substitute

How = Literal["kept", "switched", "substituted", "left out"]
_HOW: Final[Mapping[int, How]] = {OWN: "kept", SWITCH: "switched", SUBSTITUTE: "substituted"}


class ConflictError(InputError):
    """Requests that no set within the limit fulfils; `alerts` or `pairs` are what stands between what must stay."""

    def __init__(
        self,
        message: str,
        keep: Iterable[str],
        alerts: Iterable[Alert] = (),
        pairs: Iterable[Interaction] = (),
    ) -> None:
        super().__init__(message)
        self.keep = tuple(sorted(keep))
        self.alerts = tuple(alerts)
        self.pairs = tuple(pairs)  # statistical, between classes


@dataclass(frozen=True, slots=True)
class Limit:
    """What the set may not exceed; a limit left at None is not applied.

    `ddi_rate` is for research: it counts statistical pairs of classes, which nobody graded, so that a set optimised
    for it alone is no safer for a patient.

    Raises:
        InputError: for a number outside its range.
    """

    contraindicated: int | None = 0  # at most so many contraindicated alerts
    major: int | None = None  # at most so many major alerts
    ddi_rate: float | None = None  # statistical pairs as a share of all pairs of classes in the set, at most

    def __post_init__(self) -> None:
        for name, value in self.by_severity():
            if value is not None and value < 0:
                raise InputError(f"At most {value} {name} alerts: expected 0 or more.")
        if self.ddi_rate is not None and not 0 <= self.ddi_rate <= 1:
            raise InputError(f"A DDI rate of at most {self.ddi_rate}: expected a share from 0 to 1.")

    def by_severity(self) -> tuple[tuple[Severity, int | None], ...]:
        """The graded severities that can be limited, with how many alerts are allowed."""
        return ("contraindicated", self.contraindicated), ("major", self.major)


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one medication of the plain set, or of one that must stay."""

    before: DrugOption  # the drug ordered, or the most used one of the class
    ordered: bool
    probability: float  # of its class
    how: How
    after: DrugOption | None  # None where it is left out
    because: tuple[Alert, ...]  # alerts of `before` that the limit counts; empty where it is kept or avoided
    called_for: tuple[Indication, ...]  # by the diagnoses
    in_set: tuple[DrugOption, ...]  # other medications of the set that serve it and stay
    loss: float  # its probability; 0 where another medication of the set serves the same use

    @property
    def class_code(self) -> str:
        return self.before.choice.class_code

    @property
    def substitute(self) -> Substitute | None:
        """The row with purpose and source, where one stands behind the change."""
        return None if self.after is None else self.after.substitute


@dataclass(frozen=True, slots=True)
class Unmet:
    """An alert beyond the limit that what the diagnoses call for brings along, or an indication left without a drug."""

    alert: Alert | None
    called_for: tuple[Indication, ...]


@dataclass(frozen=True, slots=True)
class SaferSet:
    """The best set of drugs under the limit, compared with the plain set."""

    decisions: tuple[Decision, ...]  # most probable first
    plain: tuple[str, ...]  # classes
    before: Review  # of the drugs ordered, else the most used of each class
    after: Review
    unmet: tuple[Unmet, ...]
    ddi_rate: float
    plain_ddi_rate: float

    @property
    def drugs(self) -> tuple[DrugOption, ...]:
        """The drugs chosen, those of the most probable classes first."""
        return tuple(each.after for each in self.decisions if each.after is not None)

    @property
    def codes(self) -> tuple[str, ...]:
        """The classes of the drugs chosen."""
        return tuple(dict.fromkeys(code for drug in self.drugs for code in drug.choice.class_codes))

    @property
    def cost(self) -> float:
        """The sum of the probabilities of what is left out: the prescribed medications lost on average."""
        return sum(each.loss for each in self.decisions if each.how == "left out")

    def changed(self, how: How) -> tuple[Decision, ...]:
        """The medications that were dealt with in this way."""
        return tuple(each for each in self.decisions if each.how == how)


def safer_set(
    plain: Iterable[str],
    probabilities: Mapping[str, float],
    shares: DrugShares,
    table: InteractionTable,
    limit: Limit,
    *,
    diagnoses: Iterable[str] = (),
    orders: Iterable[Order] = (),
    known: Iterable[Choice] = (),
    keep: Iterable[str] = (),
    avoid: Iterable[str] = (),
) -> SaferSet:
    """The set within the limit that changes least of the plain one; see the module's docstring.

    Args:
        plain: classes, at the level of `shares`.
        probabilities: of every class that the model scored, from 0 to 1.
        shares: the drugs of each class.
        table: of the cohort, for the statistical pairs of classes.
        limit: what may not be exceeded.
        diagnoses: the patient's, with their system.
        orders: the visit's drug strings; a class that has some becomes the drugs that they name.
        known: drugs that were entered instead; a class that has some becomes these.
        keep: classes that must stay, whatever their probability.
        avoid: classes that must not appear.

    Raises:
        InputError: for classes without a probability, or the same class pinned and avoided.
        ConflictError: where no set within the limit holds what must stay; carries the alerts that stand against it.
    """
    pinned, avoided, present = frozenset(keep), frozenset(avoid), tuple(diagnoses)
    _check(probabilities, pinned, avoided)
    classes = tuple(dict.fromkeys(plain))
    choices = _with_known(
        choices_of((*classes, *pinned), tuple(orders), shares, shares.atc_level),
        tuple(drug for drug in known if not {*classes, *pinned}.isdisjoint(drug.class_codes)),
    )
    slots = SlotBuilder(probabilities, shares, present, avoided).slots(choices)
    in_play = [slot for slot in slots if avoided.isdisjoint(slot.class_codes)]
    problem = program(in_play, present, dict(limit.by_severity()), pinned)

    def reviewed(options: Iterable[DrugOption]) -> Review:
        return review(drugs_of(options), table, shares, diagnoses=present)

    if pinned:
        _check_pinned(in_play, problem, pinned, reviewed)
    if limit.ddi_rate is not None:
        problem = replace(problem, rate=rate_limit(in_play, table, limit.ddi_rate))
    solution = solve(problem)
    if solution is None:
        raise _rate_conflict(in_play, problem, table, pinned)
    options = [option for slot in in_play for option in slot.options]
    chosen = {id(in_play[problem.options[i].slot]): options[i] for i in solution.chosen}
    own = reviewed(slot.own for slot in slots)
    in_plain = [slot.own for slot in slots if not set(classes).isdisjoint(slot.class_codes)]
    after = reviewed(chosen.values())
    staying = {option.name for option in chosen.values()}
    alerts = _limited_alerts(own, limit)
    decisions = tuple(_decision(slot, chosen.get(id(slot)), alerts, avoided, staying) for slot in slots)
    return SaferSet(
        decisions=decisions,
        plain=classes,
        before=own if len(in_plain) == len(slots) else reviewed(in_plain),
        after=after,
        unmet=(*_beyond_limit(solution.excess, after, decisions), *_without_drug(decisions)),
        ddi_rate=table.density(code for option in chosen.values() for code in option.choice.class_codes),
        plain_ddi_rate=table.density(classes),
    )


def _with_known(choices: Sequence[Choice], known: Sequence[Choice]) -> tuple[Choice, ...]:
    """Choices in which the classes of known drugs become these."""
    covered = {code for drug in known for code in drug.class_codes}
    return (*known, *(choice for choice in choices if covered.isdisjoint(choice.class_codes)))


def _check(probabilities: Mapping[str, float], pinned: frozenset[str], avoided: frozenset[str]) -> None:
    strange = sorted(c for c, p in probabilities.items() if not 0 <= p <= 1)
    if strange:
        raise InputError(f"The probability of {strange[0]} is {probabilities[strange[0]]}: expected 0 to 1.")
    if unknown := sorted(pinned - set(probabilities)):
        raise InputError(
            f"{', '.join(unknown)} must stay but has no probability: choose among the scored classes."
        )
    if both := sorted(pinned & avoided):
        raise InputError(f"{', '.join(both)} must both stay and not appear: choose one.")


def _check_pinned(
    slots: Sequence[Slot],
    problem: Problem,
    pinned: frozenset[str],
    reviewed: Callable[[Iterable[DrugOption]], Review],
) -> None:
    """Raise `ConflictError` where what must stay goes beyond the limit whichever drugs are chosen."""
    groups = tuple(required_options(slots, pinned, called_for=False))
    excess = least_excess(replace(problem, required=groups))
    if not any(excess):
        return
    own = reviewed(slot.own for slot in slots if not pinned.isdisjoint(slot.class_codes))
    beyond = [name for name, count in zip(SERIOUS, excess, strict=True) if count]
    alerts = [alert for alert in own.carried if alert.severity in beyond]
    raise ConflictError(
        f"What must stay holds {sum(excess)} {' and '.join(beyond)} alerts more than the limit allows, whichever "
        f"drugs are chosen ({'; '.join(alert.title for alert in alerts[:5])}). Release a class, or raise the limit.",
        pinned,
        alerts,
    )


def _rate_conflict(
    slots: Sequence[Slot], problem: Problem, table: InteractionTable, pinned: frozenset[str]
) -> ConflictError:
    called_for = {code for number in problem.required_slots for code in slots[number].class_codes}
    staying = pinned or called_for
    signals = tuple(i for i in table.among(staying) if is_statistical(i))
    return ConflictError(
        f"No set within the DDI rate holds all the classes that must stay: {', '.join(sorted(staying))}. "
        f"{len(signals)} statistical pairs stand between them. Release one, or raise the DDI rate allowed.",
        pinned,
        pairs=signals,
    )


def _limited_alerts(own: Review, limit: Limit) -> Mapping[str, Sequence[Alert]]:
    """By drug, the carried alerts of the severities that are limited."""
    counted = {name for name, most in limit.by_severity() if most is not None}
    alerts: dict[str, list[Alert]] = defaultdict(list)
    for alert in own.carried:
        if alert.severity in counted:
            for name in {drug.name for drug in alert.drugs}:
                alerts[name].append(alert)
    return alerts


def _decision(
    slot: Slot,
    after: DrugOption | None,
    alerts: Mapping[str, Sequence[Alert]],
    avoided: frozenset[str],
    staying: set[str],
) -> Decision:
    how: How = "left out" if after is None else _HOW[after.change]
    asked = how != "kept" and avoided.isdisjoint(slot.class_codes)
    because = tuple(alerts.get(slot.own.name, ())) if asked else ()
    in_set = tuple(option for option in slot.in_set if option.name in staying)
    loss = 0.0 if slot.covered else slot.probability
    return Decision(
        slot.own, slot.ordered, slot.probability, how, after, because, slot.called_for, in_set, loss
    )


def _beyond_limit(excess: Sequence[int], after: Review, decisions: Sequence[Decision]) -> Iterable[Unmet]:
    called_for = {each.after.name: each.called_for for each in decisions if each.after is not None}
    beyond = {name for name, count in zip(SERIOUS, excess, strict=True) if count}
    for alert in after.carried:
        if alert.severity in beyond:
            needed = dict.fromkeys(each for drug in alert.drugs for each in called_for.get(drug.name, ()))
            yield Unmet(alert, tuple(needed))


def _without_drug(decisions: Sequence[Decision]) -> Iterable[Unmet]:
    """What the diagnoses call for, where all that would serve must not appear."""
    served = {each for decision in decisions if decision.after is not None for each in decision.called_for}
    for indication in dict.fromkeys(each for decision in decisions for each in decision.called_for):
        if indication not in served:
            yield Unmet(None, (indication,))
