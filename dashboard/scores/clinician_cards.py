"""What the models say about a case for a clinician: alerts, then what differs from the orders, then every class by area.

Each item says which drugs a class means, what in the case moved the score, and how often such a score was right on
validation. No cut-offs and no metrics: those are the research view's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import streamlit as st

from dashboard.interactions import alerts, sets
from dashboard.interactions.sets import KnownDrugs
from dashboard.scores import explanations, trust_panel
from dashboard.scores.reasons import BEFORE, EARLIER, Reason, reasons
from dashboard.server.service import Service
from dashboard.shared import comparison, navigation, wording
from dashboard.shared.case_text import ordered_drugs, short_titles
from dashboard.shared.comparison import Row
from dashboard.shared.formatting import count, listing
from dashboard.shared.markup import Titles
from dashboard.shared.templates import component, render
from leader_core import Case, Recommendation
from leader_core.domain import MODEL_NAMES, ModelName
from leader_core.evaluation.trust import FEW, ClassTrust
from leader_core.interactions import Alert, Review

_OPEN_ALERTS: Final = 3
_OPEN_ITEMS: Final = 5
"""Items of a card that stand open; the rest is folded under its number."""
REASONS: Final = (
    "“Points to it” names what raises the student's score most: without it, the score falls furthest."
)
_SEVERE: Final = ("contraindicated", "major")

Trusts = Mapping[ModelName, Mapping[str, ClassTrust]]


@dataclass(frozen=True, slots=True)
class CardItem:
    """One class as a card shows it."""

    row: Row
    drugs: str  # what was ordered of it, or what it usually means
    reason: str  # what moved its score, in a sentence; empty while that is not known
    number: str  # "84 in 100"; empty where validation has too few cases to say
    evidence: str  # the sentence of the number, or why there is none
    exact: str  # the counts behind it
    facts: tuple[tuple[str, str], ...]  # folded
    elsewhere: str = ""  # drugs of it that were ordered in another class


@dataclass(frozen=True, slots=True)
class ClassCard:
    """A group of classes under one heading."""

    key: str
    heading: str
    items: tuple[CardItem, ...]
    empty: str  # what is said where there is none
    folded: bool = False


_NOT_SCORED: Final = "Neither model scores it, and it was not ordered."


@dataclass(frozen=True, slots=True)
class CardCase:
    """Everything the cards are drawn from."""

    service: Service
    case: Case
    recommendations: Mapping[ModelName, Recommendation]
    drugs: KnownDrugs
    held: Mapping[str, Alert]
    rows: tuple[Row, ...]
    trusts: Trusts
    focus: str
    own: Mapping[str, Sequence[str]] | None = None

    @property
    def ordered_known(self) -> bool:
        """Whether it is known what was ordered."""
        return bool(self.drugs.classes)

    @property
    def no_orders(self) -> str:
        """Why nothing is known to be ordered."""
        if self.case.current.visit_id is None:
            return "No drugs were entered"
        return "The orders are hidden" if self.case.prescribed else "No orders are recorded"

    @property
    def titles(self) -> Titles:
        title = self.service.engine.cohort.title
        return lambda kind, code: title(kind, code) or code


def show(
    service: Service,
    case: Case,
    recommendations: Mapping[ModelName, Recommendation],
    drugs: KnownDrugs,
    held: Mapping[str, Alert] | None = None,
    *,
    focus: str = "",
    own: Mapping[str, Sequence[str]] | None = None,
    link: Mapping[str, str] | None = None,
) -> None:
    """Draw the cards and the list; what moved the scores is filled in when the page stands.

    Args:
        service: the engine behind the page.
        case: as it was scored.
        recommendations: of the models that answered, without the classes that are held back.
        drugs: what is known to be ordered; nothing where it is hidden or was not entered.
        held: the classes held back, each with the alert that speaks against it.
        focus: the class to mark, open and scroll to.
        own: the classes that the viewer chose before seeing any of it, each with its drugs; None where nobody decided.
        link: to the case, for the page of all alerts; None where nothing leads on.
    """
    held = held or {}
    titles = service.engine.cohort.titles("medication")
    rows = comparison.rows(
        recommendations,
        drugs.classes,
        titles,
        tuple(own or ()),
        held,
    )
    trusts = {name: trust_panel.class_trusts(service, each) for name, each in recommendations.items()}
    about = CardCase(service, case, recommendations, drugs, held, tuple(rows), trusts, focus, own)
    with st.container(key="cards_alerts"):
        st.html(alerts_card(about))
        if link is not None:
            navigation.link("interactions", "All alerts and safer set", link)
    if not recommendations:
        return
    with st.container(key="cards_classes"):
        place = st.empty()
        _reasons(about, lambda known, note: place.html(classes_html(about, known, note)))
        component("scores/cards")(key="cards", data={"code": focus, "case": _name(case)})


def _name(case: Case) -> str:
    return f"{case.patient_id}-{case.current.visit_no}"


def _reasons(about: CardCase, draw: Callable[[Mapping[str, Sequence[Reason]], str], object]) -> None:
    """Draw with the reasons where they are known, else without them and once more when they are."""
    if "student" not in about.recommendations:
        draw({}, "What moved the scores is read from the student, which has not answered.")
        return

    def filled() -> None:
        result = explanations.known_removals(about.service, about.case, "student")
        if result.value is not None:
            draw(reasons(result.value, about.case, short_titles(about.titles)), REASONS)
        else:
            draw({}, result.reason or "What moved the scores is being read…")

    filled()
    explanations.remove_later(about.service, about.case, "student", filled)


# Stop and think


def alerts_card(about: CardCase) -> str:
    """The severe alerts: first those of drugs ordered, then folded what would hold if a suggested class is chosen."""
    codes = sets.named_sets(about.drugs, about.recommendations)
    review = about.drugs.review(next(reversed(codes.values()), ()))
    carried = [alert for alert in review.carried if alert.rank in _SEVERE]
    chosen = [alert for alert in review.if_chosen if alert.rank in _SEVERE]
    groups = alerts.grouped(carried, about.titles)
    first, rest = groups[:_OPEN_ALERTS], groups[_OPEN_ALERTS:]
    return render(
        "scores/clinician_alerts.html",
        known=about.ordered_known,
        no_orders=about.no_orders,
        reviewed=bool(codes),
        first=alerts.alerts_html(first),
        rest=alerts.alerts_html(rest),
        rest_heading=_severe_counts([alert for group in rest for alert in group.alerts], more=bool(first)),
        chosen=alerts.alerts_html(alerts.grouped(chosen, about.titles)),
        chosen_heading=f"If you choose {_what(about)}: {_severe_counts(chosen)}",
        lesser=_lesser(review),
        held=[(about.titles("medication", code), code, alert.title) for code, alert in about.held.items()],
        shares=wording.SHARES_NOTE,
    )


def _severe_counts(members: Sequence[Alert], *, more: bool = False) -> str:
    """ "2 more contraindicated and 17 more major" """
    word = " more" if more else ""
    ranks = [alert.rank for alert in members]
    return listing(f"{ranks.count(level)}{word} {level}" for level in _SEVERE if level in ranks)


def _lesser(review: Review) -> str:
    lesser = sum(alert.rank not in _SEVERE for alert in review.alerts)
    return f"{count(lesser, 'lesser alert')} not shown here." if lesser else ""


def _what(about: CardCase) -> str:
    return "what the models suggest" if len(about.recommendations) == 2 else "what the model suggests"


# Classes


def classes_html(about: CardCase, known: Mapping[str, Sequence[Reason]], note: str) -> str:
    """The cards of classes and the full list.

    Args:
        about: the case.
        known: by class, what moved its score.
        note: why there are no reasons (yet); empty where they are known.
    """
    level = about.service.engine.cohort.fingerprint.atc_level
    matters = [row for row in about.rows if row.group != "neither" or row.held or row.code == about.focus]
    drugs = {row.code: _drugs(about, row)[1] for row in matters}
    return render(
        "scores/clinician_cards.html",
        cards=cards(about, known),
        summary=summary(about),
        own=own_lines(about),
        note=note,
        open_items=_OPEN_ITEMS,
        areas=comparison.by_area(matters),
        drugs=drugs,
        others=[row for row in about.rows if row.code not in drugs],
        held_by={
            row.code: [n for n, r in about.recommendations.items() if row.scores.get(n, 0.0) >= r.threshold]
            for row in matters
            if row.held
        },
        names=list(about.recommendations),
        ordered_known=about.ordered_known,
        focus=about.focus,
        case=_name(about.case),
        scope=wording.scope(level),
        unit=wording.unit(level),
    )


def summary(about: CardCase) -> str:
    """How the suggestions and the orders meet, in a sentence."""
    unit = wording.unit(about.service.engine.cohort.fingerprint.atc_level)
    who = "Both models suggest" if len(about.recommendations) == 2 else f"The {_only(about)} suggests"
    agreed = [row for row in about.rows if row.suggested >= set(about.recommendations)]
    if not about.ordered_known:
        return f"{who} {count(len(agreed), unit.one, unit.many)}. {about.no_orders}."
    both = sum(row.prescribed for row in agreed)
    ordered = count(len(about.drugs.classes), unit.one, unit.many)
    new = len(agreed) - both
    return f"{who} {both} of the {ordered} ordered, and {new} that {'was' if new == 1 else 'were'} not."


def own_lines(about: CardCase) -> list[tuple[str, str]] | None:
    """What the viewer chose, each with whether it was ordered and who suggests it; None where nobody decided."""
    if about.own is None:
        return None
    lines = []
    for row in (row for row in about.rows if row.own):
        names = [name for name in about.recommendations if name in row.suggested]
        both = len(names) == 2
        who = "both models suggest" if both else f"the {names[0]} suggests" if names else "no model suggests"
        ordered = _drugs(about, row)[1] if row.prescribed else ""
        orders = f"ordered as {ordered}" if ordered else "ordered" if row.prescribed else "not ordered"
        drugs = listing(about.own[row.code])
        lines.append((f"{drugs} ({row.title})" if drugs else row.title, f"{orders}; {who} the class"))
    return lines


def _only(about: CardCase) -> ModelName:
    return next(iter(about.recommendations))


def cards(about: CardCase, known: Mapping[str, Sequence[Reason]]) -> list[ClassCard]:
    """The groups in the order of importance; what one model alone suggests is folded."""
    two, orders = len(about.recommendations) == 2, about.ordered_known
    who = "Both models suggest" if two else f"The {_only(about)} suggests"
    new = [r for r in about.rows if not r.prescribed and r.suggested >= set(about.recommendations)]
    left = [r for r in about.rows if r.prescribed and not r.held and not r.suggested]

    def card(key: str, heading: str, members: Sequence[Row], empty: str, folded: bool = False) -> ClassCard:
        items = tuple(_item(about, row, known.get(row.code)) for row in members)
        return ClassCard(key, heading, items, empty, folded)

    result = [
        card(
            "suggested",
            f"{who}, not ordered" if orders else who,
            new,
            "Nothing: what is suggested was ordered." if orders else "Nothing.",
        )
    ]
    if orders:
        neither = (
            "Ordered, neither model suggests" if two else f"Ordered, the {_only(about)} does not suggest"
        )
        result.append(card("ordered", neither, left, "Nothing: every class ordered is suggested."))
    if two:
        for name in about.recommendations:
            own = [
                r for r in about.rows if r.group == name and (not r.prescribed or not orders) and not r.held
            ]
            heading = f"The {name} alone suggests{', not ordered' if orders else ''}"
            if own:
                result.append(card(name, heading, own, "", folded=True))
    if about.focus and not any(item.row.code == about.focus for each in result for item in each.items):
        named = [row for row in about.rows if row.code == about.focus]
        result.insert(0, card("named", "The class that the link is about", named, _NOT_SCORED))
    return result


def _item(about: CardCase, row: Row, moved: Sequence[Reason] | None) -> CardItem:
    names = [name for name in reversed(MODEL_NAMES) if name in about.recommendations]
    main = next((name for name in names if name in row.suggested), names[0])
    number, text, exact = evidence(about.trusts[main].get(row.code), main)
    label, drugs = _drugs(about, row)
    facts = [("Therapeutic area", comparison.area(row.code))]
    for name in names:
        trust = about.trusts[name].get(row.code)
        facts.append((f"{wording.MODEL_LABELS[name]}, validation", evidence(trust, name)[2]))
    facts += [
        (
            f"Without {'its order at an earlier visit' if each.text == BEFORE else each.text}",
            f"score {each.without:.2f} instead of {each.before:.2f}",
        )
        for each in moved or ()
    ]
    return CardItem(
        row, f"{label} {drugs}" if drugs else "", _reason(row, moved), number, text, exact, tuple(facts),
        _elsewhere(about, row),
    )  # fmt: skip


def _elsewhere(about: CardCase, row: Row) -> str:
    """Drugs of a class that was not ordered, where they were ordered in another: potassium chloride by vein."""
    if row.prescribed or not about.ordered_known:
        return ""
    names = {drug.name for drug in about.service.engine.shares.of(row.code)}
    title = about.service.engine.cohort.titles("medication")
    ordered = about.drugs.choices or about.drugs.review(about.drugs.classes).choices
    return listing(
        f"{(choice.drugs[0].written or (choice.drugs[0].name,))[0]} ({title.get(choice.class_code, choice.class_code)})"
        for choice in ordered
        if choice.known and choice.drugs[0].name in names
    )


def _reason(row: Row, moved: Sequence[Reason] | None) -> str:
    """What moved the student's score, in a sentence; empty where no model suggests the class or that is not known yet."""
    if moved is None or not row.suggested:
        return ""
    if not moved:
        return "No single thing in the case points to it."
    texts = [f"it was {BEFORE}" if each.text == BEFORE else each.text for each in moved]
    kept = [
        text
        for text in texts
        if text.removesuffix(EARLIER) == text or text.removesuffix(EARLIER) not in texts
    ]
    return f"Points to it: {'; '.join(kept)}."


def evidence(trust: ClassTrust | None, name: ModelName) -> tuple[str, str, str]:
    """How often a score like this was right on validation: the number, its sentence, and the counts behind it."""
    if trust is None:
        return "", f"No validation counts are stored with the {name}.", "not stored with this model"
    like = trust.like
    between = f"scored {trust.low:.1f} to {trust.high:.1f} for this class"
    exact = f"ordered in {like.part:,} of {count(like.whole, 'case')} {between}"
    if not like.whole:
        return "", f"No validation patient had a score like this from the {name}.", f"no case {between}"
    if like.whole < FEW:
        few = count(like.whole, "validation patient")
        return "", f"Only {few} had a score like this from the {name}; {like.part} had it ordered.", exact
    low, high = like.interval
    exact += f"; 95 % interval {low * 100:.0f}–{high * 100:.0f} %"
    return (
        f"{round(100 * like.part / like.whole)} in 100",
        f"patients whom the {name} scored like this had it ordered",
        exact,
    )


def _drugs(about: CardCase, row: Row) -> tuple[str, str]:
    """The drugs of a class: what was ordered, else what it usually means; with the word before them."""
    if row.prescribed:
        written = ordered_drugs(about.drugs.orders).get(row.code, "")
        if not written and about.drugs.entered is not None:
            names = [c.drugs[0].name for c in about.drugs.entered.choices if row.code in c.class_codes]
            written = listing(dict.fromkeys(names))
        return "Ordered:", written
    return "Usually", alerts.class_drugs(about.service.engine.shares, row.code).removesuffix(" 100 %")
