"""The views of one set's pairs: the list with its card, cautions, graph, structures, statistical signal, matrix.

Each draws from a `View`, which holds what was reviewed; the chosen pair is the session's and the URL's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from dashboard import address, alerts, wording
from dashboard import sets as sets_
from dashboard.alerts import Title
from dashboard.components import (
    cautions as cautions_,
)
from dashboard.components import (
    coverage,
    markup,
    matrix_panel,
    pair_card,
    pair_list,
    signal_panel,
    structures_panel,
)
from dashboard.components.subject import titles_of
from dashboard.formatting import count
from dashboard.service import Service
from dashboard.sets import Sets
from dashboard.state import Subject
from leader_core import Interaction, Order, PairReview, Review
from leader_core.interactions import is_statistical, pair_review
from leader_core.interactions.reviews import ordered_drugs

PAIR = "pair"
ABOUT = "about"


@dataclass(frozen=True, slots=True)
class View:
    """One set of a case, reviewed."""

    service: Service
    subject: Subject
    sets: Sets
    chosen: str  # the set's name
    codes: tuple[str, ...]
    review: Review
    orders: tuple[Order, ...]  # that the review went by; empty where they are unknown or ignored
    titles: Title
    noun: str  # "classes", or "drugs" at ATC level 5

    @property
    def among(self) -> str:
        """ "25 classes" """
        return count(
            len(self.codes), self.noun.removesuffix("es") if self.noun == "classes" else "drug", self.noun
        )

    @property
    def subject_key(self) -> str:
        return f"{sorted(self.subject.query.items())} {self.chosen}"


def pairs(view: View) -> None:
    """The list on the left, the chosen pair's card on the right."""
    if not view.review.pairs:
        _no_pairs(view)
        return
    left, right = st.columns([1.12, 1], gap="large")
    with left:
        levels = _severities(view)
        shown = _about(view)
        groups = alerts.grouped(shown, levels)
        _account(view)
        _picked(
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
        _card(view, _open(view, groups))


def graph(view: View) -> None:
    """The graph on the left; on the right the card of a chosen pair, or the pairs of a chosen class."""
    if not view.review.pairs:
        _no_pairs(view)
        return
    left, right = st.columns([1.25, 1], gap="large")
    about, pair = st.session_state.get(ABOUT), st.session_state.get(PAIR)
    with left:
        levels = _severities(view)
        drawn = [replace(p.entry, severity=p.severity) for p in view.review.standing if p.severity in levels]
        _figure(view, drawn, pair.split("-") if pair else [about] if about else [])
    with right:
        if not pair and not about:
            st.html(
                markup.empty(
                    "Nothing chosen",
                    "Choose a class to see its pairs, or the mark on a line to see what the pair does.",
                )
            )
            return
        if st.button("Clear the choice", icon=":material/close:", type="tertiary", key="clear"):
            st.session_state[PAIR] = st.session_state[ABOUT] = None
            st.rerun(scope="fragment")
        if about:
            shown = [p for p in view.review.pairs if about in p.codes]
            st.html(markup.panel_title(view.titles(about), count(len(shown), "pair")))
            _picked(
                pair_list.show(
                    pair_list.groups_of(alerts.grouped(shown, levels), view.titles),
                    chosen=pair or "",
                    subject=f"{view.subject_key} {about}",
                    key="class-list",
                    empty="This class is in no pair of the chosen severities.",
                )
            )
        if pair:
            _card(view, pair)


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
        elif review.ordered or view.noun == "drugs":
            st.html(markup.note("None among the drugs known here, by this table's list of groups."))
        else:
            st.html(markup.note("Classes cannot show this: it needs the drugs that were ordered."))
        if view.noun == "classes":
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
        _no_pairs(view)
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
        signal_panel.rates(view.service, view.sets.codes, view.noun)
        signal_panel.heading(view.review.signals, view.among)
        if not view.review.signals:
            st.html(markup.empty(f"No pair of {view.among} carries a signal", coverage.text(view.service)))
            return
        keys = [f"{s.code_a}-{s.code_b}" for s in view.review.signals]
        asked = st.session_state.get(PAIR)
        chosen = asked if asked in keys else keys[0]
        _picked(
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


def matrix(view: View) -> None:
    """The whole vocabulary, and the card of the chosen cell."""
    left, right = st.columns([3.2, 1], gap="medium")
    pair = st.session_state.get(PAIR)
    chosen = tuple(pair.split("-")) if pair else None
    with left:
        matrix_panel.show(view.service, view.codes, chosen, _cell)  # type: ignore[arg-type]
    with right:
        if pair:
            _card(view, pair)
        else:
            st.html(markup.empty("No cell chosen", "Choose a cell to see what the two classes do together."))
        st.html(coverage.note(view.service))


def _severities(view: View) -> list[str]:
    counts = alerts.counts(view.review.pairs)
    chosen = st.pills(
        "Severity",
        list(alerts.GRADED),
        selection_mode="multi",
        **address.mirror("severity"),
        label_visibility="collapsed",
        format_func=lambda level: f"{wording.SEVERITY_LABELS[level]} {counts[level]}",
    )
    return list(chosen)


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


def _open(view: View, groups: Sequence[alerts.Group]) -> str:
    """The id of the pair whose card is open: the chosen one, else the first of the list."""
    asked = st.session_state.get(PAIR)
    if asked:
        return str(asked)
    return "-".join(groups[0].pairs[0].codes) if groups else ""


def _picked(opened: str | None) -> None:
    if opened is not None and opened != st.session_state.get(PAIR):
        st.session_state[PAIR] = opened
        st.rerun(scope="fragment")


def _card(view: View, key: str) -> None:
    """The card of a pair, whether or not it is of this set."""
    with st.container(key="pair_card"):
        if not key:
            return
        one, other = sorted(key.split("-"))
        entries = view.service.engine.cohort.interactions.pair(one, other)
        graded = [e for e in entries if not is_statistical(e)]
        known = ordered_drugs(view.orders)
        for entry in graded:
            st.html(pair_card.card(pair_review(entry, known), view.titles))
        for entry in entries:
            if is_statistical(entry):
                st.html(pair_card.signal(entry, view.titles))
        if not entries:
            st.html(pair_card.unlisted(one, other, view.titles, coverage.text(view.service)))
        elif not {one, other} <= set(view.codes):
            st.html(markup.note(f"Not both of these {view.noun} stand in this set."))
        if graded and st.session_state.get("view") != "structures":
            st.button(
                "Structures of these two",
                icon=":material/hexagon:",
                type="tertiary",
                key="to-structures",
                on_click=_to_structures,
                args=(key,),
            )


def _to_structures(key: str) -> None:
    st.session_state[PAIR] = key
    st.session_state["view"] = "structures"


def _figure(view: View, drawn: Sequence[Interaction], chosen: Sequence[str]) -> None:
    from dashboard.figures.interaction_graph import figure

    everything = view.sets.everything
    table = view.service.engine.cohort.interactions
    paired = {c for p in table.among(everything) if not is_statistical(p) for c in (p.code_a, p.code_b)}
    inside = [code for code in view.codes if code in paired]
    made = figure(
        inside,
        drawn,
        everything=[code for code in everything if code in paired],
        titles={c: view.titles(c) for c in everything},
        chosen=chosen,
        mode="dark" if st.context.theme.type == "dark" else "light",
    )
    st.html(markup.severity_key() + markup.area_key(inside))
    with st.container(key="graph_box"):
        st.plotly_chart(
            made,
            key=f"graph-{view.chosen}",
            theme=None,
            on_select=lambda: _cell(f"graph-{view.chosen}"),
            selection_mode="points",
            config={"displayModeBar": False},
            alt=f"{count(len(drawn), 'pair')} among {view.among}",
        )
    if left := [view.titles(code) for code in view.codes if code not in paired]:
        st.html(markup.note(f"In no pair of this table: {'; '.join(left)}."))


def _cell(key: str) -> None:
    """Take over what was chosen in a figure: a class, a pair, or nothing."""
    event = st.session_state.get(key)
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


def _no_pairs(view: View) -> None:
    st.html(markup.empty("No pair of these stands in this table", coverage.text(view.service)))


def _export(view: View) -> None:
    st.download_button(
        "Pairs as CSV",
        data=alerts.csv_text(view.review, view.titles).encode(),
        file_name=f"interactions-{sets_.LABELS[view.chosen].lower().replace(' ', '-')}.csv",
        mime="text/csv",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        key="export",
    )
