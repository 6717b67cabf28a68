"""A safer set as HTML text, beside the plain one: what is left out and why, what it costs, what could stand for it.

Plain functions from values to markup; refuses to know about Streamlit and how the set was found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dashboard.interactions.review_text import GRADED, Title
from dashboard.shared import wording
from dashboard.shared.formatting import count, escape, probability, tag
from dashboard.shared.markup import metrics, panel_title, severity
from leader_core import ConflictError, Interaction, SaferSet
from leader_core.interactions.safer_set import LeftOut

_REASONS = 4
_LIKELY = 0.05
"""Below it a class is no alternative that anybody would think of."""


def result(
    found: SaferSet,
    plain_pairs: Sequence[Interaction],
    probabilities: Mapping[str, float],
    titles: Title,
    *,
    pinned: Sequence[str],
    avoided: Sequence[str],
    unit: wording.Unit,
) -> str:
    """The whole answer."""
    body = _figures(found, plain_pairs, unit)
    if not found.left_out and not found.added:
        body += tag(
            "p",
            escape("The plain set keeps this limit already: nothing has to change."),
            css="ld-callout",
            role="note",
        )
    if found.left_out:
        body += panel_title("Left out", "what it costs, why, and what could stand for it")
        body += tag(
            "ul", *(tag("li", _left_out(x, titles, avoided, unit)) for x in found.left_out), css="ld-swaps"
        )
    if found.added:
        body += panel_title("Added", "below the cut-off, because it must stay")
        lines = (tag("li", _named(code, titles, probabilities[code])) for code in found.added)
        body += tag("ul", *lines, css="ld-swaps")
    kept = [code for code in found.codes if code not in found.added]
    body += panel_title("The set that stays", count(len(kept), unit.one, unit.many))
    body += tag(
        "ul",
        *(
            tag("li", _named(code, titles, probabilities[code], "must stay" if code in pinned else ""))
            for code in kept
        ),
        css="ld-kept",
    )
    return body


def conflict(error: ConflictError, titles: Title) -> str:
    """Wishes that cannot all be met, by name."""
    between = "".join(
        tag(
            "li",
            severity(pair.severity),
            " ",
            escape(f"{titles(pair.code_a)} + {titles(pair.code_b)}"),
            " ",
            tag("span", escape(f"{pair.code_a} · {pair.code_b}"), css="ld-code"),
        )
        for pair in error.pairs
    )
    return tag(
        "div",
        tag("strong", escape("No set keeps this limit with everything that must stay")),
        tag("p", escape("These must stay, and stand in each other's way:")) if between else "",
        tag("ul", between, css="ld-swaps") if between else "",
        tag("p", escape("Release one of them under “Must stay”, or raise the limit.")),
        css="ld-empty",
    )


def _figures(found: SaferSet, plain_pairs: Sequence[Interaction], unit: wording.Unit) -> str:
    """Before and after, and what it costs."""
    before = {level: sum(p.severity == level for p in plain_pairs) for level in GRADED}
    after = {level: sum(p.severity == level for p in found.remaining) for level in GRADED}
    rows = [(unit.many.capitalize(), f"{len(found.codes)}", f"was {len(found.plain)}")]
    rows += [
        (wording.SEVERITY_LABELS[level], f"{after[level]}", f"was {before[level]}")
        for level in ("contraindicated", "major", "moderate")
    ]
    rows += [
        ("DDI rate", f"{found.ddi_rate:.3f}", f"was {found.plain_ddi_rate:.3f}"),
        ("Score given up", f"{found.cost:.2f}", f"of {found.plain_score:.2f}"),
    ]
    return tag("div", metrics(rows), css="ld-safer-figures")


def _left_out(item: LeftOut, titles: Title, avoided: Sequence[str], unit: wording.Unit) -> str:
    body = _named(item.code, titles, item.probability, f"costs {item.cost:.2f}")
    if item.because:
        shown = item.because[:_REASONS]
        more = len(item.because) - len(shown)
        reasons = "".join(
            tag("li", severity(p.severity), " ", escape(f"with {titles(_other(p, item.code))}"))
            for p in shown
        )
        reasons += tag("li", escape(f"and {more} more")) if more else ""
        body += tag("ul", reasons, css="ld-reasons")
    else:
        why = "it must not appear" if item.code in avoided else "together with what else was left out"
        body += tag("p", escape(f"Left out because {why}."), css="ld-note")
    likely = [a for a in item.alternatives if a.probability >= _LIKELY]
    if likely:
        told = "; ".join(
            f"{titles(a.code)} ({a.code}) {probability(a.probability)}, "
            + (f"{a.cost:.2f} less" if a.cost >= 0 else f"{-a.cost:.2f} more")
            for a in likely
        )
        body += tag("p", tag("span", "In its place, same therapeutic group: ", css="ld-muted"), escape(told))
    else:
        told = (
            f"No {unit.one} of its therapeutic group that scores {_LIKELY:.2f} or more fits within the limit."
        )
        body += tag("p", escape(told), css="ld-note")
    return body


def _other(pair: Interaction, code: str) -> str:
    return pair.code_b if pair.code_a == code else pair.code_a


def _named(code: str, titles: Title, value: float, extra: str = "") -> str:
    return tag(
        "div",
        tag("span", escape(titles(code)), " ", tag("span", escape(code), css="ld-code"), css="ld-between"),
        tag("span", escape(extra), css="ld-muted") if extra else "",
        tag("span", escape(probability(value)), css="ld-value"),
        css="ld-line",
    )
