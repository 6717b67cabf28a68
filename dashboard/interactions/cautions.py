"""Reviewed warnings as short lists in HTML: pairs, the patient's conditions, within one class, one kind twice.

Plain functions from values to markup; refuses to know about Streamlit.
"""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.interactions import review_text
from dashboard.interactions.review_text import Title
from dashboard.shared.formatting import count, escape, listing, tag
from dashboard.shared.markup import Titles, severity
from leader_core import PairReview, Review
from leader_core.interactions import ConditionReview, Duplication


def pairs(found: Sequence[PairReview], titles: Titles) -> str:
    """A short list of pairs, each with what it does and what to do folded below."""

    def line(pair: PairReview) -> str:
        names = f"{titles('medication', pair.codes[0])} + {titles('medication', pair.codes[1])}"
        head = f"{severity(pair.severity)} {tag('span', escape(names), css='ld-between')}"
        first = pair.rules[0] if pair.rules else None
        if first is None:
            return head
        carried = pair.standing == "ordered"
        only = (
            f"Ordered here: {review_text.ordered(pair)}"
            if carried
            else review_text.carriers(first, pair.codes)
        )
        told = first.between.rule
        facts = [("Consequence", told.effect), ("Mechanism", told.mechanism), ("What to do", told.management)]
        more = tag("span", escape(only), " ", tag("span", "details", css="ld-more"), css="ld-only")
        return tag("details", tag("summary", f"{head} {more}"), _facts([*facts, ("Source", told.source)]))

    return _listed([line(pair) for pair in found])


def conditions(found: Sequence[ConditionReview], titles: Titles, *, most: int | None = None) -> str:
    """Warnings against conditions; those that the drugs ordered do not carry are folded below."""
    standing = [c for c in found if c.standing != "not ordered"]
    aside = [c for c in found if c.standing == "not ordered"]
    shown, more = (standing, []) if most is None else (standing[:most], standing[most:])
    body = _listed([_condition(c, titles) for c in shown])
    if more:
        body += _folded(f"{len(more)} more", [_condition(c, titles) for c in more])
    if aside:
        told = f"{count(len(aside), 'warning')} not carried by the drugs ordered"
        body += _folded(told, [_condition(c, titles) for c in aside])
    return body


def within(found: Sequence[PairReview], titles: Title) -> str:
    """Drugs of one class that interact, each class with its rules folded below."""
    standing = [p for p in found if p.standing != "not ordered"]
    aside = [p for p in found if p.standing == "not ordered"]
    body = _listed([_within(p, titles) for p in standing])
    if aside:
        told = f"{count(len(aside), 'class', 'classes')} whose drugs ordered do not interact by this table"
        body += _folded(told, [_within(p, titles) for p in aside])
    return body


def duplicated(found: Sequence[Duplication], review: Review, titles: Title) -> str:
    """Two drugs of one kind, named as they were ordered."""
    names = {drug.code: drug.name for o in review.ordered.values() for drug in o.drugs}

    def line(d: Duplication) -> str:
        drugs = listing(dict.fromkeys(names.get(code) or titles(code) for code in d.codes))
        head = f"{severity(d.severity)} " + tag("span", escape(f"{d.group}: {drugs}"), css="ld-between")
        return head + _facts([("Consequence", d.effect), ("What to do", d.management), ("Source", d.source)])

    return _listed([line(d) for d in found])


def _condition(found: ConditionReview, titles: Titles) -> str:
    warning = found.warning
    head = tag(
        "span",
        escape(titles("medication", warning.code)),
        tag("span", " in ", css="ld-muted"),
        escape(warning.condition),
        css="ld-between",
    )
    diagnoses = listing(f"{titles('diagnosis', code)} ({code})" for code in warning.diagnoses[:3])
    more = len(warning.diagnoses) - 3
    facts = [
        ("Diagnosis", diagnoses + (f" and {more} more" if more > 0 else "")),
        ("Ordered here", _ordered(found)),
        ("Consequence", warning.effect),
        ("What to do", warning.management),
        ("Evidence", f"{warning.evidence}. {warning.source}"),
    ]
    code = tag("span", escape(warning.code), css="ld-code")
    return f"{severity(warning.severity)} {head} {code}" + _facts(facts)


def _ordered(found: ConditionReview) -> str:
    if not found.ordered:
        return ""
    names = listing(found.ordered)
    return names if found.standing == "ordered" else f"{names}: not what this warning is about"


def _within(pair: PairReview, titles: Title) -> str:
    rules = [r for r in pair.rules if r.standing != "not ordered" or pair.standing == "not ordered"]
    head = tag("span", escape(titles(pair.codes[0])), css="ld-between")
    code = tag("span", escape(pair.codes[0]), css="ld-code")
    body = f"{severity(pair.severity)} {head} {code}"
    lines = []
    for rule in rules:
        told = rule.between.rule
        carried = review_text.few((f"{a} with {b}" for a, b in rule.carried), "and")
        lines.append(
            tag("h4", escape(review_text.subject(rule, pair.codes, titles)))
            + _facts(
                [
                    ("Ordered here", carried),
                    ("Consequence", told.effect),
                    ("What to do", told.management),
                    ("Evidence", f"{told.evidence}. {told.source}"),
                ]
            )
        )
    if len(lines) > 1 and pair.standing != "ordered":
        return body + lines[0] + _folded(f"{count(len(lines) - 1, 'more rule')}", lines[1:])
    return body + "".join(lines)


def _facts(pairs: list[tuple[str, str]]) -> str:
    return tag("dl", *(tag("dt", escape(k)) + tag("dd", escape(v)) for k, v in pairs if v))


def _listed(lines: list[str]) -> str:
    return tag("ul", *(tag("li", line) for line in lines), css="ld-pairs") if lines else ""


def _folded(summary: str, lines: list[str]) -> str:
    return tag("details", tag("summary", escape(summary)), _listed(lines), css="ld-aside")
