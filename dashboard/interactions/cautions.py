"""Warnings as short lists: pairs, the patient's conditions, drugs of one class, one kind of drug twice."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from markupsafe import Markup

from dashboard.interactions import review_text
from dashboard.interactions.review_text import Title
from dashboard.interactions.sets import ReviewedSet
from dashboard.shared import markup
from dashboard.shared.formatting import count, listing
from dashboard.shared.markup import Titles
from dashboard.shared.subject import titles_of
from dashboard.shared.templates import macro
from leader_core import ClassReview, PairReview
from leader_core.interactions import ConditionReview, Duplication

_TEMPLATE = "interactions/cautions.html"


def number(review: ClassReview) -> int:
    """How many cautions the drugs ordered do not rule out."""
    return (
        sum(c.order_status != "not ordered" for c in review.conditions)
        + len(review.duplications)
        + sum(p.order_status != "not ordered" for p in review.within)
    )


def show(reviewed: ReviewedSet) -> None:
    """Against the patient's conditions on the left; the same kind of drug twice and drugs of one class on the right."""
    left, right = st.columns([1.12, 1], gap="large")
    with left:
        _conditions(reviewed)
    with right:
        _same_kind(reviewed)


def _conditions(reviewed: ReviewedSet) -> None:
    reviews = reviewed.review.conditions
    warnings = count(sum(c.order_status != "not ordered" for c in reviews), "warning")
    st.html(markup.panel_title("Against this patient's conditions", warnings))
    if reviews:
        st.html(conditions(reviews, titles_of(reviewed.service)))
        return
    diagnoses = len(reviewed.subject.case.current.diagnoses)
    st.html(
        markup.empty(
            "This table lists no warning for these",
            f"{count(diagnoses, 'diagnosis', 'diagnoses')} of this visit against {reviewed.size}. "
            "What is not listed is not thereby safe; allergies, laboratory values and weight are not known here.",
        )
    )


def _same_kind(reviewed: ReviewedSet) -> None:
    review, unit = reviewed.review, reviewed.unit
    st.html(markup.panel_title("The same kind of drug twice"))
    if review.duplications:
        st.html(duplications(review.duplications, review, reviewed.titles))
    elif review.ordered or unit.is_drug:
        st.html(markup.note("None among the drugs known here, by this table's list of groups."))
    else:
        st.html(markup.note("Classes cannot show this: it needs the drugs that were ordered."))
    if unit.is_drug:
        return
    st.html(markup.panel_title("Two drugs of one class", "pairs that no line between classes can show"))
    if review.within:
        st.html(within(review.within, reviewed.titles))
    else:
        st.html(markup.note("None of these classes holds such a pair in this table."))


def pairs(reviews: Sequence[PairReview], titles: Titles) -> Markup:
    """A short list of pairs, each with what it does and what to do folded below."""
    return macro("pair_lines", _TEMPLATE)(reviews, titles, review_text)


def conditions(reviews: Sequence[ConditionReview], titles: Titles, *, most: int | None = None) -> Markup:
    """Warnings against conditions; those beyond `most` and those ruled out by the drugs ordered are folded below."""
    possible = [c for c in reviews if c.order_status != "not ordered"]
    ruled_out = [c for c in reviews if c.order_status == "not ordered"]
    shown = len(possible) if most is None else most
    return macro("condition_lines", _TEMPLATE)(
        possible[:shown], possible[shown:], ruled_out, titles, review_text
    )


def within(reviews: Sequence[PairReview], titles: Title) -> Markup:
    """Drugs of one class that interact, each class with its rules folded below."""
    possible = [p for p in reviews if p.order_status != "not ordered"]
    ruled_out = [p for p in reviews if p.order_status == "not ordered"]
    return macro("within_lines", _TEMPLATE)(possible, ruled_out, titles, review_text)


def duplications(groups: Sequence[Duplication], review: ClassReview, titles: Title) -> Markup:
    """Two drugs of one kind, named as they were ordered."""
    names = {drug.code: drug.name for ordered in review.ordered.values() for drug in ordered.drugs}
    lines = [
        (each, listing(dict.fromkeys(names.get(code) or titles(code) for code in each.codes)))
        for each in groups
    ]
    return macro("duplication_lines", _TEMPLATE)(lines)
