"""The safer set of the set chosen above: which limit, what must stay and what must not appear; what changes drug by drug."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import streamlit as st
from markupsafe import Markup

from dashboard.interactions import sets
from dashboard.interactions.sets import ReviewedSet
from dashboard.shared import markup, url_state, view_switch, wording
from dashboard.shared.formatting import listing, probability
from dashboard.shared.markup import Title
from dashboard.shared.templates import macro
from dashboard.shared.widgets import switch
from leader_core import Recommendation
from leader_core.domain import SEVERITY_RANK
from leader_core.interactions import counts_text
from leader_core.interactions.safer_set import ConflictError, Decision, Limit, SaferSet

_TEMPLATE: Final = "interactions/safer_set.html"
_REASONS: Final = 4


_HOW: Final = (
    "Solved exactly, drug by drug. As little as possible is left out, by the sum of the models' probabilities; then as "
    "little as possible is changed: keeping a drug comes before switching to another of the same use, and that before a "
    "substitute of another kind. A class without a known order stands for its most used drug. What the diagnoses call "
    "for is kept, and one of several opioids; the alerts that then exceed the limit are listed. Doses, routes and the "
    "reasons for an order are not known to the program: a pharmacist decides."
)

_RATE: Final = "For research: statistical pairs as a share of all pairs of the set. Nobody graded them: a low rate is not safety."

_CODES: Final = url_state.Binding(
    [],
    lambda text: text.split(",") if re.fullmatch(f"{sets.CODE}(,{sets.CODE}){{0,58}}", text) else None,
    ",".join,
)
BINDINGS: Final[Mapping[str, url_state.Binding]] = {
    "contraindicated": url_state.Binding.choice("none", dict.fromkeys(("none", "any"))),
    "major": url_state.Binding(None, lambda text: int(text) if re.fullmatch(r"\d{1,3}", text) else None),
    "rate": url_state.Binding.within(None, digits=3),
    "keep": _CODES,
    "avoid": _CODES,
}


def show(reviewed: ReviewedSet) -> None:
    """The request on the left, the answer on the right."""
    recommendations = reviewed.sets.recommendations
    if not recommendations:
        st.html(
            markup.empty(
                "No safer set without a model",
                "It is computed from a model's scores, and neither model has any here.",
            )
        )
        return
    left, right = st.columns([1, 2.1], gap="large")
    with left, st.container(key="safer_wishes"):
        recommendation = _scored_by(reviewed)
        limit = _limit()
        keep, avoid = _pinned_and_avoided(recommendation, reviewed.titles)
        st.html(macro("how", _TEMPLATE)(_HOW))
    with right:
        st.html(markup.panel_title(f"Safer set: {sets.LABELS[reviewed.name].lower()}", reviewed.size))
        try:
            safer = reviewed.service.engine.safer_set(
                reviewed.subject.case, recommendation, limit, codes=reviewed.codes, orders=reviewed.known.orders,
                known=reviewed.known.choices, keep=keep, avoid=avoid,
            )  # fmt: skip
        except ConflictError as error:
            st.html(conflict(error, reviewed.titles))
            return
        page = reviewed.known.review(safer.plain).counts_text
        limited = limit.major is not None
        st.html(result(safer, reviewed.titles, page, pinned=keep, avoided=avoid, limited=limited))


def _scored_by(reviewed: ReviewedSet) -> Recommendation:
    """The scores that say what is probably needed: of the set's model, else the mean of the models'."""
    recommendations = list(reviewed.sets.recommendations.values())
    for each in recommendations:
        if each.model == reviewed.name or len(recommendations) == 1:
            return each
    first, second = recommendations
    of_second = {m.code: m.probability for m in second.medications}
    mean = [
        replace(m, probability=(m.probability + of_second.get(m.code, m.probability)) / 2)
        for m in first.medications
    ]
    return replace(first, medications=tuple(sorted(mean, key=lambda m: -m.probability)))


def _limit() -> Limit:
    limits = {"none": "None allowed", "any": "Not limited"}
    contraindicated = switch(
        "Contraindicated alerts", limits, labelled=True, **url_state.mirror("contraindicated")
    )
    one, other = st.columns(2)
    with one:
        major = st.number_input(
            "Major alerts, at most", min_value=0, max_value=999, step=1, value=None, placeholder="not limited",
            **url_state.mirror("major"),
        )  # fmt: skip
    rate: float | None = st.session_state.get("rate")
    if view_switch.is_research() or rate is not None:
        with other:
            rate = st.number_input(
                "DDI rate, at most", min_value=0.0, max_value=1.0, step=0.01, **url_state.mirror("rate"),
                placeholder="not limited", value=None, format="%.2f", help=_RATE,
            )  # fmt: skip
    return Limit(
        contraindicated=0 if contraindicated != "any" else None,
        major=None if major is None else int(major),
        ddi_rate=None if rate is None else float(rate),
    )


def _pinned_and_avoided(recommendation: Recommendation, titles: Title) -> tuple[list[str], list[str]]:
    scores = {m.code: m.probability for m in recommendation.medications}
    pinned = [code for code in st.session_state.get("keep") or [] if code in scores]
    excluded = [c for c in st.session_state.get("avoid") or [] if c in scores and c not in pinned]
    st.session_state.update(keep=pinned, avoid=excluded)

    def label(code: str) -> str:
        return f"{titles(code)} ({code}) {probability(scores[code])}"

    keep = st.multiselect(
        "Must stay", [c for c in scores if c not in excluded], **url_state.mirror("keep"), format_func=label,
        placeholder="Pin a class or drug",
    )  # fmt: skip
    avoid = st.multiselect(
        "Must not appear", [c for c in scores if c not in keep], **url_state.mirror("avoid"), format_func=label,
        placeholder="Exclude a class or drug",
    )  # fmt: skip
    return list(keep), list(avoid)


def conflict(error: ConflictError, titles: Title) -> Markup:
    """Requests that cannot all be met, by name."""
    return macro("conflict", _TEMPLATE)(error.alerts, error.pairs, titles)


def result(
    safer: SaferSet,
    titles: Title,
    page: str,
    *,
    pinned: Sequence[str],
    avoided: Sequence[str],
    limited: bool = False,
) -> Markup:
    """What changes, why, and what it costs; what stays; what could not be met.

    Args:
        safer: the answer.
        titles: of classes.
        page: the count of the plain set as every page shows it.
        pinned: classes that must stay.
        avoided: classes that must not appear.
        limited: whether major alerts are limited.
    """
    changed = [*safer.changed("switched"), *safer.changed("substituted"), *safer.changed("left out")]
    return macro("result", _TEMPLATE)(
        _metrics(safer),
        _counts(safer, page),
        safer,
        [_change(decision, titles, avoided) for decision in changed],
        [_staying(decision, titles, pinned) for decision in safer.changed("kept")],
        "" if changed else _unchanged(safer, limited),
    )


def _unchanged(safer: SaferSet, limited: bool) -> str:
    """Why nothing changes, and what would make it."""
    if safer.unmet:
        return "Nothing can be changed for the better."
    major = safer.after.counts.get("major", 0)
    if major and not limited:
        alerts = "1 major alert is" if major == 1 else f"{major} major alerts are"
        return f"Nothing has to change for this limit. {alerts} left: limit major alerts too, to see how to avoid them."
    return "Nothing has to change: the set keeps this limit already."


def _counts(safer: SaferSet, page: str) -> str:
    """The count that the other views show of this set, and before and after with one drug for each class."""
    before = counts_text(safer.before.counts)
    by_drug = f" (with the drug called for or most used of each class: {before})" if page != before else ""
    return f"Before: {page}{by_drug}. After: {counts_text(safer.after.counts)}."


def _metrics(safer: SaferSet) -> list[tuple[str, str, str]]:
    before, after = safer.before.counts, safer.after.counts
    left_out = len(safer.changed("left out"))
    return [
        ("Drugs", f"{len(safer.drugs)}", f"of {len(safer.decisions)}"),
        *(
            (wording.SEVERITY_LABELS[level], f"{after.get(level, 0)}", f"was {before.get(level, 0)}")
            for level in ("contraindicated", "major", "moderate")
        ),
        ("Left out", f"{left_out}", f"{safer.cost:.1f} expected to be ordered" if left_out else ""),
        *(
            [("DDI rate", f"{safer.ddi_rate:.3f}", f"was {safer.plain_ddi_rate:.3f}")]
            if view_switch.is_research()
            else []
        ),
    ]


def _change(decision: Decision, titles: Title, avoided: Sequence[str]) -> dict[str, object]:
    """What the template draws of a medication that is ordered as another drug, or left out."""
    own, after, row = decision.before.name, decision.after, decision.substitute
    alerts = sorted(decision.because, key=lambda alert: SEVERITY_RANK[alert.severity])
    title = f"without {own}" if after is None else f"{after.name} instead of {own}"
    return {
        "title": title,
        "how": {"switched": "same class", "substituted": "another class", "left out": "left out"}[
            decision.how
        ],
        **_class(decision, titles),
        "ordered": decision.ordered,
        "reasons": alerts[:_REASONS],
        "more": max(0, len(alerts) - _REASONS),
        "why": "it must not appear"
        if decision.class_code in avoided
        else "it stands in the way of another change, or of the DDI rate",
        "purpose": row.purpose if row else "",
        "source": row.source if row else "",
        "in_set": listing([drug.name for drug in decision.in_set]) if after is None else "",
        **_called_for(decision),
    }


def _staying(decision: Decision, titles: Title, pinned: Sequence[str]) -> dict[str, object]:
    own = decision.before
    return {
        "name": own.name if own.codes else titles(own.choice.class_code),
        **_class(decision, titles),
        "detail": "must stay" if decision.class_code in pinned else "ordered" if decision.ordered else "",
        **_called_for(decision),
    }


def _class(decision: Decision, titles: Title) -> dict[str, object]:
    """The medication's class and score; its code stands in the text in the research view alone."""
    code = decision.class_code
    return {
        "class": titles(code),
        "atc": code,
        "code": code if view_switch.is_research() else "",
        "probability": decision.probability,
    }


def _called_for(decision: Decision) -> dict[str, object]:
    """ "sepsis, pneumonia", and what rests on no diagnosis: "opioids in the set: one is kept"."""
    by_diagnoses = dict.fromkeys(each.condition for each in decision.called_for if each.diagnoses)
    return {
        "called_for": ", ".join(by_diagnoses),
        "kept_anyway": [each.statement for each in decision.called_for if not each.diagnoses],
    }
