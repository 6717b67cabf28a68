"""The safer set: which model, which limit, what must stay and what must not appear; the answer next to the plain set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st
from markupsafe import Markup

from dashboard.interactions.review_text import Title
from dashboard.interactions.sets import ReviewedSet
from dashboard.shared import markup, url_state, wording
from dashboard.shared.formatting import probability
from dashboard.shared.templates import macro
from dashboard.shared.wording import Unit
from leader_core import ConflictError, Interaction, Limit, Recommendation, SaferSet
from leader_core.domain import ModelName
from leader_core.interactions.safer_set import LeftOut

_CODES: Final = re.compile(r"[A-Z]\d{2}[A-Z0-9]{1,4}")
_TEMPLATE: Final = "interactions/safer_set.html"
_REASONS: Final = 4
_LIKELY: Final = 0.05
"""Below it a class is no alternative that anybody would think of."""


def _read_codes(text: str) -> list[str] | None:
    """ATC codes separated by commas, as the URL has them; None for anything else."""
    codes = text.split(",")
    return codes if len(codes) < 60 and all(_CODES.fullmatch(code) for code in codes) else None


def _read_whole(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 4 else None


def _read_rate(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0.0 <= value <= 1.0 else None


BINDINGS: Final[Mapping[str, url_state.Binding]] = {
    "model": url_state.Binding.choice("teacher", dict.fromkeys(("teacher", "student"))),
    "contraindicated": url_state.Binding.choice("none", dict.fromkeys(("none", "any"))),
    "major": url_state.Binding(None, _read_whole),
    "rate": url_state.Binding(None, _read_rate, lambda value: f"{value:.3f}"),
    "keep": url_state.Binding([], _read_codes, ",".join),
    "avoid": url_state.Binding([], _read_codes, ",".join),
}


def show(reviewed: ReviewedSet) -> None:
    """The request on the left, the answer on the right."""
    recommendations, unit = reviewed.sets.recommendations, reviewed.unit
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
        recommendation = recommendations[_model(recommendations)]
        limit = _limit()
        keep, avoid = _pinned_and_avoided(recommendation, reviewed.titles)
        st.html(
            markup.note(
                f"Solved exactly: of all sets within the limit, the one whose {unit.many} score most above the cut-off. "
                f"Only {unit.many} at or above the cut-off are chosen from, and those that must stay."
            )
        )
        if not unit.is_drug:
            st.html(
                markup.note(
                    "A pair of classes counts even where only some of their drugs carry it: choosing another drug of "
                    "the class is often enough. Its card says which."
                )
            )
    with right:
        name, threshold = recommendation.model, recommendation.threshold
        st.html(markup.model_head(name, f"safer set next to the plain one, cut-off {threshold:.2f}"))
        try:
            safer = reviewed.service.engine.safer_set(recommendation, limit, keep=keep, avoid=avoid)
        except ConflictError as error:
            st.html(conflict(error, reviewed.titles))
            return
        st.html(result(safer, recommendation, reviewed.titles, pinned=keep, avoided=avoid, unit=unit))


def _model(recommendations: Mapping[ModelName, Recommendation]) -> ModelName:
    names = list(recommendations)
    chosen: Any = st.segmented_control(
        "Safer set for",
        names,
        required=True,
        format_func=wording.MODEL_LABELS.__getitem__,
        **url_state.mirror("model", names),
    )
    return chosen if chosen in names else names[0]


def _limit() -> Limit:
    contraindicated = st.segmented_control(
        "Contraindicated pairs",
        ["none", "any"],
        required=True,
        **url_state.mirror("contraindicated"),
        format_func={"none": "None allowed", "any": "Not limited"}.__getitem__,
    )
    one, other = st.columns(2)
    with one:
        major = st.number_input(
            "Major pairs, at most", min_value=0, max_value=999, step=1, value=None, placeholder="not limited",
            **url_state.mirror("major"),
        )  # fmt: skip
    with other:
        rate = st.number_input(
            "DDI rate, at most", min_value=0.0, max_value=1.0, step=0.01, **url_state.mirror("rate"), placeholder="not limited",
            value=None, format="%.2f", help="Statistical pairs as a share of all pairs of the set.",
        )  # fmt: skip
    return Limit(
        contraindicated=0 if contraindicated != "any" else None,
        major=None if major is None else int(major),
        ddi_rate=None if rate is None else float(rate),
    )


def _pinned_and_avoided(recommendation: Recommendation, titles: Title) -> tuple[list[str], list[str]]:
    scores = _scores(recommendation)
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


def _scores(recommendation: Recommendation) -> dict[str, float]:
    return {m.code: m.probability for m in recommendation.medications}


def conflict(error: ConflictError, titles: Title) -> Markup:
    """Requests that cannot all be met, by name."""
    return macro("conflict", _TEMPLATE)(error.pairs, titles)


def result(
    safer: SaferSet,
    recommendation: Recommendation,
    titles: Title,
    *,
    pinned: Sequence[str],
    avoided: Sequence[str],
    unit: Unit,
) -> Markup:
    """The set next to the plain one: what is left out and why, what it costs, what could replace it."""
    left_out = [_left_out(item, titles, avoided, unit) for item in safer.left_out]
    scores = _scores(recommendation)
    rows = _metrics(safer, recommendation.interactions, unit)
    return macro("result", _TEMPLATE)(rows, safer, left_out, titles, scores, pinned, unit)


def _metrics(safer: SaferSet, plain_pairs: Sequence[Interaction], unit: Unit) -> list[tuple[str, str, str]]:
    """Before and after, and what it costs."""

    def of(level: str, pairs: Sequence[Interaction]) -> int:
        return sum(pair.severity == level for pair in pairs)

    return [
        (unit.many.capitalize(), f"{len(safer.codes)}", f"was {len(safer.plain)}"),
        *(
            (wording.SEVERITY_LABELS[level], f"{of(level, safer.remaining)}", f"was {of(level, plain_pairs)}")
            for level in ("contraindicated", "major", "moderate")
        ),
        ("DDI rate", f"{safer.ddi_rate:.3f}", f"was {safer.plain_ddi_rate:.3f}"),
        ("Score given up", f"{safer.cost:.2f}", f"of {safer.plain_score:.2f}"),
    ]


def _left_out(item: LeftOut, titles: Title, avoided: Sequence[str], unit: Unit) -> dict[str, object]:
    """What the template draws of a class that was left out."""
    likely = [a for a in item.alternatives if a.probability >= _LIKELY]
    return {
        "code": item.code,
        "probability": item.probability,
        "cost": f"costs {item.cost:.2f}",
        "reasons": [
            (pair.severity, pair.code_b if pair.code_a == item.code else pair.code_a)
            for pair in item.because[:_REASONS]
        ],
        "more": max(0, len(item.because) - _REASONS),
        "why": "it must not appear" if item.code in avoided else "together with what else was left out",
        "alternatives": "; ".join(
            f"{titles(a.code)} ({a.code}) {probability(a.probability)}, "
            + (f"{a.cost:.2f} less" if a.cost >= 0 else f"{-a.cost:.2f} more")
            for a in likely
        ),
        "without": f"No {unit.one} of its therapeutic group that scores {_LIKELY:.2f} or more fits within the limit.",
    }
