"""The card of one pair as HTML text: each rule with consequence, mechanism, what to do, evidence and source.

Plain functions from values to markup; refuses to know about Streamlit.
"""

from __future__ import annotations

from dashboard.interactions import review_text
from dashboard.interactions.review_text import Title
from dashboard.shared import wording
from dashboard.shared.formatting import count, escape, listing, tag
from dashboard.shared.markup import severity
from leader_core import Interaction, PairReview
from leader_core.interactions import Ordered, RuleReview

_KINDS = {"both": "pharmacokinetic and pharmacodynamic"}
_MANY = 12


def card(pair: PairReview, titles: Title) -> str:
    """A graded pair in full."""
    one, other = pair.codes
    body = [_head(pair.severity, one, other, titles), _standing(pair)]
    if not pair.rules:
        body.append(_plain(pair.entry))
    standing = [r for r in pair.rules if r.standing != "not ordered" or pair.standing == "not ordered"]
    aside = [r for r in pair.rules if r not in standing]
    body += [_rule(r, pair, titles) for r in standing]
    if aside:
        told = count(len(aside), "rule") + " for drugs of these classes that were not ordered"
        body.append(
            tag(
                "details",
                tag("summary", escape(told)),
                *(_rule(r, pair, titles) for r in aside),
                css="ld-aside",
            )
        )
    return tag("article", *body, css=f"ld-card {pair.severity}")


def signal(entry: Interaction, titles: Title) -> str:
    """A statistical pair: what was reported, and that nobody graded it."""
    return tag(
        "article",
        _head("unknown", entry.code_a, entry.code_b, titles),
        tag("p", escape(wording.STATISTICAL), css="ld-note"),
        _plain(entry),
        css="ld-card unknown",
    )


def unlisted(one: str, other: str, titles: Title, covers: str) -> str:
    """A pair that no table lists."""
    return tag(
        "article",
        _between(one, other, titles),
        tag("p", escape("No table here lists this pair. That is not proof that the two are safe together.")),
        tag("p", escape(covers), css="ld-note"),
        css="ld-card",
    )


def _head(level: str, one: str, other: str, titles: Title) -> str:
    return tag("div", severity(level), css="ld-card-severity") + _between(one, other, titles)


def _between(one: str, other: str, titles: Title) -> str:
    def name(code: str) -> str:
        return escape(titles(code)) + " " + tag("span", escape(code), css="ld-code")

    if one == other:
        return tag("h3", name(one), " ", tag("span", escape("two drugs of this class"), css="ld-muted"))
    return tag("h3", name(one), tag("span", " + ", css="ld-muted"), name(other))


def _standing(pair: PairReview) -> str:
    """What the orders of this visit say about the pair."""
    known = [
        _orders(code, found)
        for code, found in dict(zip(pair.codes, (pair.ordered_a, pair.ordered_b), strict=True)).items()
        if found is not None
    ]
    if not known:
        return ""
    told = {
        "ordered": "The drugs ordered in this visit carry it.",
        "not ordered": "The drugs ordered in this visit do not carry it; other drugs of these classes do.",
        "open": "What was ordered in this visit does not settle it.",
    }[pair.standing]
    if pair.standing == "ordered" and pair.severity != pair.entry.severity:
        graded = wording.SEVERITY_LABELS[pair.entry.severity].lower()
        told += f" Graded for these drugs; the two classes as such are graded {graded}."
    return tag(
        "div",
        tag("strong", escape(told)),
        *(tag("div", line) for line in known),
        css=f"ld-standing {pair.standing.replace(' ', '-')}",
    )


def _orders(code: str, found: Ordered) -> str:
    written = [text for drug in found.drugs for text in dict.fromkeys(drug.written)]
    strings = listing(dict.fromkeys((*written, *found.unread)))
    return tag("span", escape(code), css="ld-code") + " " + escape(strings)


def _rule(rule: RuleReview, pair: PairReview, titles: Title) -> str:
    told = rule.between.rule
    kind = _KINDS.get(told.kind, told.kind)
    heading = tag("h4", escape(review_text.subject(rule, pair.codes, titles)), " ", severity(told.severity))
    if rule.between.seldom and rule.standing != "ordered":
        heading += tag("p", escape("Seldom the drugs in use."), css="ld-note")
    facts = [
        ("Consequence", told.effect),
        ("Mechanism", told.mechanism),
        ("Acts by", f"{kind}: {told.target}"),
        ("What to do", told.management),
        ("Carried by", _carried_by(rule, pair)),
        ("Not by", _spared(rule, pair)),
        ("Evidence", told.evidence),
        ("Source", told.source),
    ]
    return tag("section", heading, _facts(facts), css=f"ld-rule {told.severity}")


def _carried_by(rule: RuleReview, pair: PairReview) -> str:
    """The drugs of both classes that carry the rule, one line a way; nothing where the heading names them all."""
    lines = []
    for way in rule.between.ways:
        sides = [
            [drug.name for drug in side.carriers_within(code)]
            for side, code in zip(way, pair.codes, strict=True)
        ]
        if any(len(names) > 1 for names in sides):
            lines.append(" with ".join(_many(names) for names in sides))
    return "\n".join(dict.fromkeys(lines))


def _many(names: list[str]) -> str:
    more = len(names) - _MANY
    return listing(names, last="or") if more <= 1 else f"{', '.join(names[:_MANY])} or {more} others"


def _spared(rule: RuleReview, pair: PairReview) -> str:
    return _many(
        list(
            dict.fromkeys(
                drug.name
                for way in rule.between.ways
                for side, code in zip(way, pair.codes, strict=True)
                for drug in side.spared_within(code)
            )
        )
    )


def _plain(entry: Interaction) -> str:
    return _facts(
        [
            ("Consequence", entry.effect),
            ("Mechanism", entry.mechanism),
            ("What to do", entry.management),
            ("Evidence", entry.evidence),
            ("Source", entry.source),
        ]
    )


def _facts(pairs: list[tuple[str, str]]) -> str:
    return tag("dl", *(tag("dt", escape(k)) + tag("dd", escape(v)) for k, v in pairs if v))
