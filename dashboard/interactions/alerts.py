"""Alerts of a review as a clinician reads them: by drugs, how likely, what happens, what to do; as a list and as CSV."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from dashboard.shared import wording
from dashboard.shared.csv_table import write_csv
from dashboard.shared.formatting import listing, percent
from dashboard.shared.markup import Title, Titles
from dashboard.shared.templates import macro
from leader_core.domain import GRADED, Severity
from leader_core.interactions import Alert, Review
from leader_core.interactions.review import Carrier, counts_text
from leader_core.interactions.safer_set import SERIOUS
from leader_core.interactions.shares import DrugShares

_TEMPLATE: Final = "interactions/alerts.html"
_FEW: Final = 3
"""Alerts of lesser severity that a short list leaves open; more of them are folded under their number."""
_NAMED: Final = 4
_EVERY: Final = 0.995
"""The share from which a class as a whole carries an alert."""
_RULE: Final = re.compile(rf"^[^\n:]+ \((?:{'|'.join(GRADED)})\): ")
"""The drugs of a rule and its severity, which lead each line where several rules are about the same two drugs."""
_CSV_HEADINGS: Final = (
    "family", "shown_as", "severity", "carried_by_known_drugs", "share", "alert", "codes", "written", "diagnoses",
    "consequence", "mechanism", "management", "evidence", "source",
)  # fmt: skip


def likelihood(alert: Alert, title: Title) -> str:
    """Which part of a class carries the alert, where a class is still to be chosen from; empty for known drugs.

    "cilostazol (contraindicated): 1 % of the orders of Antithrombotics"
    """
    return "; ".join(_part(drug, alert, title) for drug in alert.drugs if not drug.known)


def _part(drug: Carrier, alert: Alert, title: Title) -> str:
    if drug.written:
        return f"ordered as {listing(drug.written)}, which names no drug that is known here"
    title_of_class = title(drug.class_code)
    one_class = sum(not each.known for each in alert.drugs) == 1
    if one_class and alert.share >= _EVERY:
        return f"any drug of {title_of_class}"
    severity = f" ({alert.severity})" if alert.severity != alert.rank else ""
    text = f"{drug.name}{severity}: {percent(drug.share)} of the orders of {title_of_class}"
    if one_class and alert.share > drug.share + 0.005:
        text += f", {percent(alert.share)} with the other drugs of this alert"
    return text


def facts(alert: Alert, titles: Titles) -> list[tuple[str, str]]:
    """What is folded below an alert."""
    diagnoses = listing((f"{titles('diagnosis', code)} ({code})" for code in alert.diagnoses), at_most=3)
    own = [
        (drug.name, [text for text in drug.written if text != drug.code])
        for drug in alert.drugs
        if drug.known
    ]
    written = [f"{name}: {listing(texts)}" for name, texts in own if texts]
    rows = [
        ("Diagnosis", diagnoses),
        ("Ordered as", "\n".join(written)),
        ("Also", _others(alert)),
        ("Mechanism", own_words(alert.mechanism)),
        ("Severity", wording.SEVERITY_LABELS[alert.severity] if alert.severity != alert.rank else ""),
        ("Evidence", own_words(alert.evidence)),
        ("Source", alert.source),
    ]
    return [(label, text) for label, text in rows if text]


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """Alerts that say the same of different drugs side by side; often only one.

    Three opioids with two sedatives are six alerts, and one thing to read.
    """

    alerts: tuple[Alert, ...]
    heads: tuple[tuple[str, str], ...]  # of each its title, and which part of a class carries it in words
    effect: str
    management: str
    facts: tuple[tuple[str, str], ...]  # what is folded; what differs between the alerts is listed for each

    @property
    def rank(self) -> Severity:
        """What they are shown and counted as."""
        return self.alerts[0].rank

    @property
    def severe(self) -> bool:
        """Whether they are shown as contraindicated or major."""
        return self.rank in SERIOUS


def grouped(alerts: Iterable[Alert], titles: Titles) -> list[AlertGroup]:
    """Alerts by what they say, each group where its first stands."""
    groups: dict[object, list[Alert]] = {}
    for alert in alerts:
        key = (
            alert.kind,
            alert.condition,
            alert.rank,
            alert.severity,
            alert.effect,
            alert.management,
            alert.source,
        )
        groups.setdefault(key, []).append(alert)
    return [
        AlertGroup(
            tuple(group),
            tuple(
                (alert.title, likelihood(alert, lambda code: titles("medication", code))) for alert in group
            ),
            own_words(group[0].effect),
            own_words(group[0].management),
            tuple(_group_facts(group, titles)),
        )
        for group in groups.values()
    ]


def _group_facts(group: Sequence[Alert], titles: Titles) -> list[tuple[str, str]]:
    merged: dict[str, dict[str, None]] = {}
    for alert in group:
        for label, text in facts(alert, titles):
            text = f"{alert.title}: {text}" if label == "Also" and len(group) > 1 else text
            merged.setdefault(label, {}).update(dict.fromkeys(text.split("\n")))
    return [(label, "\n".join(lines)) for label, lines in merged.items()]


def _others(alert: Alert) -> str:
    """Further drugs that carry it, each with its share where that is one of a class."""
    return listing((" with ".join(map(_named, drugs)) for drugs in alert.others), at_most=_NAMED)


def _named(drug: Carrier) -> str:
    return drug.name if drug.known else f"{drug.name} ({percent(drug.share)})"


def class_drugs(shares: DrugShares, code: str) -> str:
    """ "heparin 62 %, enoxaparin 21 %, warfarin 9 % and 4 others"; empty where the code is a drug or nothing is known."""
    drugs = [drug for drug in shares.of(code) if drug.share > 0]
    if not drugs or drugs[0].code == code:
        return ""
    by_name: dict[str, float] = {}
    for drug in drugs:
        by_name[drug.name] = by_name.get(drug.name, 0.0) + drug.share
    ranked = sorted(by_name, key=lambda name: -by_name[name])
    return listing((f"{name} {percent(by_name[name])}" for name in ranked), at_most=_NAMED)


# As a list


_ORDERED: Final = "With the drugs ordered"


def review_html(review: Review, titles: Titles, what: str, heading: str = _ORDERED) -> Markup:
    """A review in a narrow column: lesser alerts are folded under their number; see `sections`."""
    return Markup().join(sections(review, titles, what, heading=heading, short=True))


def sections(
    review: Review,
    titles: Titles,
    what: str,
    *,
    heading: str = _ORDERED,
    shown: Callable[[Alert], bool] = lambda alert: True,
    short: bool = False,
) -> list[Markup]:
    """What the drugs ordered carry, and what holds if a class is chosen; a part that has no choices is left out.

    Args:
        review: the alerts.
        titles: of diagnoses and classes.
        what: would be chosen: "what the teacher suggests".
        heading: of the first part.
        shown: which alerts to list; the counts are of all.
        short: in a narrow column; lesser alerts are folded.
    """
    parts = []
    if any(choice.known for choice in review.choices):
        parts.append(_section(heading, review.counts, review.carried, titles, shown, short))
    if any(not choice.known for choice in review.choices):
        parts.append(
            _section(
                f"If you choose {what}", review.counts_if_chosen, review.if_chosen, titles, shown, short,
                note=wording.SHARES_NOTE, css="choose",
            )
        )  # fmt: skip
    return parts or [macro("note")(wording.NOTHING_LISTED)]


def _section(
    heading: str,
    counts: Mapping[Severity, int],
    members: Sequence[Alert],
    titles: Titles,
    shown: Callable[[Alert], bool],
    short: bool,
    *,
    note: str = "",
    css: str = "",
) -> Markup:
    groups = []
    for level in GRADED:
        own = [alert for alert in members if alert.rank == level and shown(alert)]
        folded = short and (level == "minor" or (level == "moderate" and len(own) > _FEW))
        if own:
            groups.append((level, len(own), grouped(own, titles), folded))
    note = note if members else wording.NOTHING_LISTED
    brief = short and css == "choose"
    return macro("section", _TEMPLATE)(heading, counts_text(counts), note, groups, css, brief)


def own_words(text: str) -> str:
    """The text of several rules about the same drugs without their names: the alert's title has them.

    >>> own_words("Amiodarone with sotalol (major): Heart block.")
    'Heart block.'
    """
    return "\n".join(dict.fromkeys(_RULE.sub("", line) for line in text.split("\n")))


def alerts_html(groups: Sequence[AlertGroup]) -> Markup:
    """Some alerts, all open; nothing for none."""
    return macro("plain", _TEMPLATE)(groups) if groups else Markup()


# As a file


def alerts_csv(review: Review, title: Title) -> bytes:
    """The whole review as CSV: alerts as they are sorted, then the statistical signal."""
    rows: list[Sequence[str]] = [
        (
            alert.kind, alert.rank, alert.severity, "yes" if alert.carried else "no", f"{alert.share:.3f}",
            alert.title, " + ".join(drug.code for drug in alert.drugs),
            " + ".join(listing(drug.written) for drug in alert.drugs if drug.known and drug.written),
            " ".join(alert.diagnoses), alert.effect, alert.mechanism, alert.management, alert.evidence, alert.source,
        )
        for alert in review.alerts
    ]  # fmt: skip
    rows += [
        (
            "statistical", wording.SEVERITY_UNKNOWN, wording.SEVERITY_UNKNOWN, "", "",
            f"{title(signal.code_a)} with {title(signal.code_b)}", f"{signal.code_a} + {signal.code_b}", "", "",
            signal.effect, "", "", signal.evidence, signal.source,
        )
        for signal in review.signals
    ]  # fmt: skip
    return write_csv(_CSV_HEADINGS, rows)
