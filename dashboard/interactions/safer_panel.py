"""The safer set: which model, which limit, what must stay and what must not appear; the answer beside the plain set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from dashboard.interactions import safer_result
from dashboard.interactions.review_text import Title
from dashboard.server.service import ModelName, Service
from dashboard.shared import markup, url_state, wording
from dashboard.shared.formatting import probability
from dashboard.shared.wording import Unit
from leader_core import ConflictError, Limit, Recommendation

_CODES: Final = re.compile(r"[A-Z]\d{2}[A-Z0-9]{1,4}")


def read_codes(text: str) -> list[str] | None:
    """ATC codes separated by commas, as the URL has them; None for anything else."""
    codes = text.split(",")
    return codes if len(codes) < 60 and all(_CODES.fullmatch(code) for code in codes) else None


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 4 else None


def _rate(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0.0 <= value <= 1.0 else None


BINDINGS: Final[Mapping[str, url_state.Binding]] = {
    "model": url_state.Binding.choice("teacher", dict.fromkeys(("teacher", "student"))),
    "contraindicated": url_state.Binding.choice("none", dict.fromkeys(("none", "any"))),
    "major": url_state.Binding(None, _whole),
    "rate": url_state.Binding(None, _rate, lambda value: f"{value:.3f}"),
    "keep": url_state.Binding([], read_codes, ",".join),
    "avoid": url_state.Binding([], read_codes, ",".join),
}


def show(
    service: Service, recommendations: Mapping[ModelName, Recommendation], titles: Title, unit: Unit
) -> None:
    """The wishes on the left, the answer on the right."""
    if not recommendations:
        st.html(
            markup.empty(
                "No model, no safer set", "It is made from a model's scores, and neither model has any here."
            )
        )
        return
    left, right = st.columns([1, 2.1], gap="large")
    with left, st.container(key="safer_wishes"):
        model = _model(recommendations)
        recommendation = recommendations[model]
        limit, keep, avoid = _wishes(recommendation, titles)
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
        _answer(service, recommendation, limit, keep, avoid, titles, unit)


def _model(recommendations: Mapping[ModelName, Recommendation]) -> ModelName:
    names = list(recommendations)
    chosen: Any = st.segmented_control(
        "Safer set for",
        names,
        required=True,
        format_func=wording.MODEL_NAMES.__getitem__,
        **url_state.mirror("model", names),
    )
    return chosen if chosen in names else names[0]


def _wishes(recommendation: Recommendation, titles: Title) -> tuple[Limit, list[str], list[str]]:
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
    limit = Limit(
        contraindicated=0 if contraindicated != "any" else None,
        major=None if major is None else int(major),
        ddi_rate=None if rate is None else float(rate),
    )
    return limit, list(keep), list(avoid)


def _answer(
    service: Service,
    recommendation: Recommendation,
    limit: Limit,
    keep: list[str],
    avoid: list[str],
    titles: Title,
    unit: Unit,
) -> None:
    st.html(
        markup.model_head(
            recommendation.model, f"safer set beside the plain one, cut-off {recommendation.threshold:.2f}"
        )
    )
    try:
        found = service.engine.safer_set(recommendation, limit, keep=keep, avoid=avoid)
    except ConflictError as error:
        st.html(safer_result.conflict(error, titles))
        return
    scores = {m.code: m.probability for m in recommendation.medications}
    st.html(
        safer_result.result(
            found, recommendation.interactions, scores, titles, pinned=keep, avoided=avoid, unit=unit
        )
    )
