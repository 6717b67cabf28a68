"""The views of one set's pairs that are lists: with cards, cautions, structures, the statistical signal.

Each draws from a `View`, which holds what was reviewed; figures stand in `pair_figures`.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.interactions import cautions as cautions_
from dashboard.interactions import (
    coverage,
    pair_card,
    pair_list,
    pair_parts,
    review_text,
    signal_panel,
    structures_panel,
)
from dashboard.interactions import sets as sets_
from dashboard.interactions.pair_parts import ABOUT, PAIR, View
from dashboard.shared import markup, wording
from dashboard.shared.formatting import count
from dashboard.shared.subject import titles_of
from leader_core import PairReview, Review


def pairs(view: View) -> None:
    """The list on the left, the chosen pair's card on the right."""
    if not view.review.pairs:
        pair_parts.no_pairs(view)
        return
    left, right = st.columns([1.12, 1], gap="large")
    with left:
        levels = pair_parts.severities(view)
        shown = _about(view)
        groups = review_text.grouped(shown, levels)
        _account(view)
        pair_parts.picked(
            pair_list.show(
                pair_list.groups_of(groups, view.titles),
                chosen=_open(view, groups),
                subject=view.subject_key,
                key="pair-list",
                empty="No pair of the chosen severities. Choose more severities above to see the others.",
            )
        )
        _export(view)
        st.html(coverage.note(view.service))
    with right:
        pair_parts.card(view, _open(view, groups))


def cautions(view: View) -> None:
    """Against the patient's conditions, within one class, the same kind of drug twice."""
    review = view.review
    left, right = st.columns([1.12, 1], gap="large")
    with left:
        told = count(sum(c.standing != "not ordered" for c in review.conditions), "warning")
        st.html(markup.panel_title("Against this patient's conditions", told))
        if review.conditions:
            st.html(cautions_.conditions(review.conditions, titles_of(view.service)))
        else:
            diagnoses = len(view.subject.case.current.diagnoses)
            st.html(
                markup.empty(
                    "No warning stands in this table",
                    f"{count(diagnoses, 'diagnosis', 'diagnoses')} of this visit against {view.among}. "
                    "What is not listed is not thereby safe; allergies, laboratory values and weight are not known here.",
                )
            )
    with right:
        st.html(markup.panel_title("The same kind of drug twice"))
        if review.duplications:
            st.html(cautions_.duplicated(review.duplications, review, view.titles))
        elif review.ordered or view.unit.is_drug:
            st.html(markup.note("None among the drugs known here, by this table's list of groups."))
        else:
            st.html(markup.note("Classes cannot show this: it needs the drugs that were ordered."))
        if not view.unit.is_drug:
            st.html(
                markup.panel_title("Two drugs of one class", "pairs that no line between classes can show")
            )
            if review.within:
                st.html(cautions_.within(review.within, view.titles))
            else:
                st.html(markup.note("None of these classes holds such a pair in this table."))


def cautions_count(review: Review) -> int:
    """How many cautions stand."""
    return (
        sum(c.standing != "not ordered" for c in review.conditions)
        + len(review.duplications)
        + sum(p.standing != "not ordered" for p in review.within)
    )


def structures(view: View) -> None:
    """Structures of the two classes of a pair."""
    listed = {"-".join(p.codes): p for p in view.review.pairs}
    asked = st.session_state.get(PAIR)
    options = list(dict.fromkeys([*([asked] if asked else []), *listed]))
    if not options:
        pair_parts.no_pairs(view)
        return

    def label(key: str) -> str:
        one, other = key.split("-")
        told = f"{view.titles(one)} + {view.titles(other)}"
        return f"{wording.SEVERITY_LABELS[listed[key].severity]}: {told}" if key in listed else told

    if st.session_state.get("structures_pair") not in options or (
        asked and st.session_state.get("_structures_asked") != asked
    ):
        st.session_state["structures_pair"] = asked or options[0]
    st.session_state["_structures_asked"] = asked
    key = st.selectbox(
        "Pair",
        options,
        key="structures_pair",
        format_func=label,
        on_change=_take_pair,
        args=("structures_pair",),
    )
    one, other = str(key).split("-")
    preferred = {code: _to_draw(view, listed.get(str(key)), code) for code in (one, other)}
    structures_panel.show((one, other), preferred, view.titles, dark=st.context.theme.type == "dark")


def _take_pair(key: str) -> None:
    st.session_state[PAIR] = st.session_state[key]


def _to_draw(view: View, pair: PairReview | None, code: str) -> tuple[str, ...]:
    """Ingredients to draw first: ordered ones that carry the pair, others that carry it, others ordered."""
    found = view.review.ordered.get(code)
    ordered = [drug.code for drug in found.drugs] if found else []
    carriers: list[str] = []
    if pair is not None and pair.rules and code in pair.codes:
        place = pair.codes.index(code)
        for way in pair.rules[0].between.ways:
            carriers += [own for drug in way[place].carriers_within(code) for own in drug.codes]
    return tuple(dict.fromkeys([*(c for c in ordered if c in carriers), *carriers, *ordered]))


def signal(view: View) -> None:
    """The statistical signal, its rates, and the chosen pair."""
    left, right = st.columns([1.12, 1], gap="large")
    with left:
        signal_panel.rates(view.service, view.sets.codes, view.unit.many)
        signal_panel.heading(view.review.signals, view.among)
        if not view.review.signals:
            st.html(markup.empty(f"No pair of {view.among} carries a signal", coverage.text(view.service)))
            return
        keys = [f"{s.code_a}-{s.code_b}" for s in view.review.signals]
        asked = st.session_state.get(PAIR)
        chosen = asked if asked in keys else keys[0]
        pair_parts.picked(
            pair_list.show(
                pair_list.signals_of(view.review.signals, view.titles),
                chosen=chosen,
                subject=view.subject_key,
                key="signal-list",
                empty="No pair.",
            )
        )
        st.html(coverage.note(view.service))
    with right, st.container(key="pair_card"):
        st.html(pair_card.signal(view.review.signals[keys.index(chosen)], view.titles))


def _about(view: View) -> Sequence[PairReview]:
    """The pairs to show: all, or those of the class that was chosen in the graph."""
    about = st.session_state.get(ABOUT)
    if not about:
        return view.review.pairs
    if st.button(
        f"Only pairs with {view.titles(about)}", icon=":material/close:", key="clear", type="tertiary"
    ):
        st.session_state[ABOUT] = None
        st.rerun(scope="fragment")
    return [p for p in view.review.pairs if about in p.codes]


def _account(view: View) -> None:
    """How many pairs there are, and what the orders say of them."""
    review = view.review
    total = count(len(review.pairs), "pair")
    if not review.ordered:
        st.html(markup.note(f"{total} listed among {view.among}."))
        return
    carried = sum(p.standing == "ordered" for p in review.pairs)
    out = len(review.pairs) - len(review.standing)
    opened = len(review.pairs) - carried - out
    st.html(
        markup.note(
            f"{total} listed among {view.among}. By the drugs ordered in this visit: {carried} carried, {out} not"
            + (f", {opened} open because one side was not ordered." if opened else ".")
        )
    )


def _open(view: View, groups: Sequence[review_text.Group]) -> str:
    """The id of the pair whose card is open: the chosen one, else the first of the list."""
    asked = st.session_state.get(PAIR)
    if asked:
        return str(asked)
    return "-".join(groups[0].pairs[0].codes) if groups else ""


def _export(view: View) -> None:
    st.download_button(
        "Pairs as CSV",
        data=review_text.csv_text(view.review, view.titles).encode(),
        file_name=f"interactions-{sets_.LABELS[view.chosen].lower().replace(' ', '-')}.csv",
        mime="text/csv",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        key="export",
    )
