"""The pairs of a set as a list that can be searched, and the card of the chosen pair.

The chosen pair and class are the session's, so that every view of the page shows the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import streamlit as st
from markupsafe import Markup

from dashboard.interactions import review_text
from dashboard.interactions.review_text import PairGroup, Title
from dashboard.interactions.sets import ReviewedSet
from dashboard.shared import markup, theme, url_state, wording
from dashboard.shared.browser import component, nothing
from dashboard.shared.templates import macro
from leader_core import Interaction, PairReview
from leader_core.domain import GRADED
from leader_core.interactions import is_statistical, ordered_drugs, pair_review

PAIR: Final = "pair"
ABOUT: Final = "about"
_RULED_OUT: Final = "Not carried by the drugs ordered"
_ALWAYS_OPEN: Final = 30  # pairs of lesser severity; a longer group starts folded


def show(reviewed: ReviewedSet) -> None:
    """The list on the left, the chosen pair's card on the right."""
    if not reviewed.review.pairs:
        no_pairs(reviewed)
        return
    left, right = st.columns([1.12, 1], gap="large")
    with left:
        levels = severities(reviewed)
        groups = review_text.grouped(_about_chosen(reviewed), levels)
        chosen = st.session_state.get(PAIR) or ("-".join(groups[0].pairs[0].codes) if groups else "")
        st.html(markup.note(review_text.account(reviewed.review, reviewed.size)))
        pair_list(
            group_data(groups, reviewed.titles),
            chosen=str(chosen),
            subject=reviewed.key,
            key="pair-list",
            empty="No pair of the chosen severities. Choose more severities above to see the others.",
        )
        st.download_button(
            "Pairs as CSV",
            data=review_text.csv_text(reviewed.review, reviewed.titles),
            file_name=reviewed.file_name("csv"),
            mime="text/csv",
            icon=":material/download:",
            type="tertiary",
            on_click="ignore",
            key="export",
        )
        st.html(markup.note(coverage(reviewed)))
    with right:
        chosen_card(reviewed, str(chosen))


def severities(reviewed: ReviewedSet) -> list[str]:
    """The severities to show, as the viewer chose them."""
    counts = review_text.counts(reviewed.review.pairs)
    chosen = st.pills(
        "Severity",
        list(GRADED),
        selection_mode="multi",
        **url_state.mirror("severity"),
        label_visibility="collapsed",
        format_func=lambda level: f"{wording.SEVERITY_LABELS[level]} {counts[level]}",
    )
    return list(chosen)


def _about_chosen(reviewed: ReviewedSet) -> Sequence[PairReview]:
    """The pairs to show: all, or those of the class that was chosen in the graph."""
    about = st.session_state.get(ABOUT)
    if not about:
        return reviewed.review.pairs
    if st.button(
        f"Only pairs with {reviewed.titles(about)}", icon=":material/close:", key="clear", type="tertiary"
    ):
        st.session_state[ABOUT] = None
        st.rerun()
    return [p for p in reviewed.review.pairs if about in p.codes]


def coverage(reviewed: ReviewedSet) -> str:
    """What the interaction tables of this cohort cover, in words."""
    cohort = reviewed.service.engine.cohort
    return review_text.table_coverage(cohort.interactions, reviewed.unit, cohort.meta.get("built_at", ""))


def no_pairs(reviewed: ReviewedSet) -> None:
    st.html(markup.empty("This table lists no pair of these", coverage(reviewed)))


# The list


def pair_list(groups: Sequence[dict[str, Any]], *, chosen: str, subject: str, key: str, empty: str) -> None:
    """The groups as a browser component; a row that is opened becomes the chosen pair."""
    result = component("interactions/pairs")(
        key=key,
        data={
            "groups": list(groups),
            "chosen": chosen,
            "subject": subject,
            "nothing": empty,
            "search": sum(len(group["rows"]) for group in groups) > 5,
        },
        on_opened_change=nothing,
    )
    if result.opened is not None and result.opened != st.session_state.get(PAIR):
        st.session_state[PAIR] = str(result.opened)
        st.rerun()


def group_data(groups: Iterable[PairGroup], titles: Title) -> list[dict[str, Any]]:
    """What the component draws of graded pairs; long groups of lesser severity start folded."""
    data = []
    for group in groups:
        rows = [review_text.row(pair, titles) for pair in group.pairs]
        if group.key == "ruled out":
            data.append(
                _group(group.key, "unknown", rows, "○", _RULED_OUT, "listed for other drugs of these classes")
                | {"folded": True}
            )
            continue
        carried = sum(pair.order_status == "ordered" for pair in group.pairs)
        hint = f"{carried} with the drugs ordered" if carried else ""
        long = group.key in ("moderate", "minor") and len(rows) > _ALWAYS_OPEN
        data.append(_group(group.key, group.key, rows, hint=hint) | {"folded": long})
    return data


def signal_data(signals: Sequence[Interaction], titles: Title) -> list[dict[str, Any]]:
    """What the component draws of the statistical signal: one group, without severity."""
    rows = [review_text.signal_row(entry, titles) for entry in signals]
    return [_group("unknown", "unknown", rows)] if rows else []


def _group(
    key: str, severity: str, rows: list[dict[str, object]], icon: str = "", label: str = "", hint: str = ""
) -> dict[str, Any]:
    return {
        "key": key,
        "severity": severity,
        "icon": icon or theme.SEVERITY_ICONS[severity],
        "label": label or wording.SEVERITY_LABELS[severity],
        "hint": hint,
        "folded": False,
        "rows": rows,
    }


# The card


def chosen_card(reviewed: ReviewedSet, key: str) -> None:
    """The card of a pair ("A02B-B01A"), whether or not it is of this set; nothing for an empty key."""
    with st.container(key="pair_card"):
        if not key:
            return
        one, other = sorted(key.split("-"))
        entries = reviewed.service.engine.cohort.interactions.pair(one, other)
        graded = [e for e in entries if not is_statistical(e)]
        known = ordered_drugs(reviewed.orders)
        for entry in graded:
            st.html(card(pair_review(entry, known), reviewed.titles))
        for entry in entries:
            if is_statistical(entry):
                st.html(signal_card(entry, reviewed.titles))
        if not entries:
            st.html(unlisted_card(one, other, reviewed.titles, coverage(reviewed)))
        elif not {one, other} <= set(reviewed.codes):
            st.html(markup.note(f"Not both of these {reviewed.unit.many} are in this set."))
        if graded and st.session_state.get("view") != "structures":
            st.button(
                "Structures of these two",
                icon=":material/hexagon:",
                type="tertiary",
                key="to-structures",
                on_click=_open_structures,
                args=(key,),
            )


def _open_structures(key: str) -> None:
    st.session_state[PAIR] = key
    st.session_state["view"] = "structures"


def card(pair: PairReview, titles: Title) -> Markup:
    """A graded pair in full: each rule with consequence, mechanism, what to do, evidence and source."""
    return macro("card", "interactions/pair_card.html")(pair, titles, review_text)


def signal_card(entry: Interaction, titles: Title) -> Markup:
    """A statistical pair: what was reported, and that nobody graded it."""
    return macro("signal_card", "interactions/pair_card.html")(entry, titles)


def unlisted_card(one: str, other: str, titles: Title, coverage: str) -> Markup:
    """A pair that no table lists."""
    return macro("unlisted_card", "interactions/pair_card.html")((one, other), titles, coverage)


def choose_point(chart: str) -> None:
    """Make what was chosen in a chart the session's: a class, a pair, or nothing; a widget's callback."""
    event = st.session_state.get(chart)
    points = event["selection"]["points"] if event else []
    data = points[0].get("customdata") if points else None
    data = data[0] if isinstance(data, list) else data
    if not data:
        return
    if "|" in data:
        st.session_state[PAIR] = data.replace("|", "-")
        if st.session_state.get(ABOUT) not in data.split("|"):
            st.session_state[ABOUT] = None
    else:
        st.session_state[ABOUT], st.session_state[PAIR] = data, None
