"""Structures of two drugs that represent a pair's classes, side by side, with what they share highlighted.

RDKit is loaded when this view is first drawn.
"""

from __future__ import annotations

import base64
from typing import Final

import streamlit as st
from markupsafe import Markup

from dashboard.interactions import pairs
from dashboard.interactions.pairs import PAIR
from dashboard.interactions.review_text import Title
from dashboard.interactions.sets import ReviewedSet
from dashboard.shared import markup, wording
from dashboard.shared.formatting import count
from dashboard.shared.templates import macro
from leader_core import PairReview
from leader_core.interactions import structures
from leader_core.interactions.structures import Structure

_NOTHING_EXPLAINED: Final = (
    "A shared substructure explains no interaction and predicts none: "
    "what the pair does, and why, is on its card."
)
_WIDTH: Final = 420
_HEIGHT: Final = 300


def show(reviewed: ReviewedSet) -> None:
    """Structures of the two classes of a pair."""
    listed = {"-".join(p.codes): p for p in reviewed.review.pairs}
    chosen = st.session_state.get(PAIR)
    options = list(dict.fromkeys([*([chosen] if chosen else []), *listed]))
    if not options:
        pairs.no_pairs(reviewed)
        return

    def label(key: str) -> str:
        one, other = key.split("-")
        names = f"{reviewed.titles(one)} + {reviewed.titles(other)}"
        return f"{wording.SEVERITY_LABELS[listed[key].severity]}: {names}" if key in listed else names

    if st.session_state.get("structures_pair") not in options or (
        chosen and st.session_state.get("_structures_chosen") != chosen
    ):
        st.session_state["structures_pair"] = chosen or options[0]
    st.session_state["_structures_chosen"] = chosen
    key = str(st.selectbox("Pair", options, key="structures_pair", format_func=label, on_change=_choose_pair))
    one, other = key.split("-")
    preferred = {code: _preferred(reviewed, listed.get(key), code) for code in (one, other)}
    _draw((one, other), preferred, reviewed.titles, dark=st.context.theme.type == "dark")


def _choose_pair() -> None:
    st.session_state[PAIR] = st.session_state["structures_pair"]


def _preferred(reviewed: ReviewedSet, pair: PairReview | None, code: str) -> tuple[str, ...]:
    """Ingredients to draw first: ordered ones that carry the pair, others that carry it, others ordered."""
    of_class = reviewed.review.ordered.get(code)
    ordered = [drug.code for drug in of_class.drugs] if of_class else []
    carriers: list[str] = []
    if pair is not None and pair.rules and code in pair.codes:
        side = pair.codes.index(code)
        for way in pair.rules[0].between.ways:
            carriers += [own for drug in way[side].carriers_within(code) for own in drug.codes]
    return tuple(dict.fromkeys([*(c for c in ordered if c in carriers), *carriers, *ordered]))


def _draw(pair: tuple[str, str], preferred: dict[str, tuple[str, ...]], titles: Title, *, dark: bool) -> None:
    """Both drugs; `preferred` names the ingredients (ATC level 5) to offer first, by class."""
    columns = st.columns(2, gap="large")
    chosen: list[Structure | None] = []
    for code, column, side in zip(pair, columns, ("a", "b"), strict=True):
        with column:
            st.html(markup.panel_title(titles(code), code))
            chosen.append(_choice(code, side, preferred.get(code, ()), titles))
    present = [structure for structure in chosen if structure is not None]
    if not present:
        return
    with st.spinner("Drawing the structures", show_time=False):
        drawings, atoms, timed_out = _drawn(present[0], present[1] if len(present) == 2 else None, dark)
    remaining = iter(drawings)
    for structure, column in zip(chosen, columns, strict=True):
        if structure is not None:
            with column:
                st.html(_picture(structure, next(remaining)))
    if len(present) == 2:
        st.html(markup.note(_shared(atoms, timed_out)))
    st.html(markup.note(_NOTHING_EXPLAINED))


def _choice(code: str, side: str, preferred: tuple[str, ...], titles: Title) -> Structure | None:
    rank = {ingredient: i for i, ingredient in enumerate(preferred)}
    options = sorted(
        structures.representatives(code), key=lambda s: (rank.get(s.ingredient, len(rank)), s.drug)
    )
    if not options:
        name = titles(code)
        name = name[:1].lower() + name[1:] if name[1:2].islower() else name
        st.html(
            markup.empty(
                f"No single small molecule stands for {name}",
                "Salts, mixtures, insulins, antibodies and vaccines have none to draw.",
            )
        )
        return None
    names = [s.drug for s in options]
    drug = st.selectbox(
        "Drug",
        names,
        key=f"drug-{side}-{code}",
        label_visibility="collapsed",
        disabled=len(names) == 1,
        help="Which drug represents the class",
    )
    return next((s for s in options if s.drug == drug), options[0])


@st.cache_data(max_entries=256, show_spinner=False)
def _drawn(first: Structure, second: Structure | None, dark: bool) -> tuple[tuple[str, ...], int, bool]:
    """SVG of one or two drugs, how many atoms they share, and whether the search ran out of time."""
    if second is None:
        return (structures.draw(first, width=_WIDTH, height=_HEIGHT, dark=dark),), 0, False
    one, other, common = structures.draw_shared(
        first, second, timeout_s=1, width=_WIDTH, height=_HEIGHT, dark=dark
    )
    return (one, other), common.atoms, common.timed_out


def _picture(structure: Structure, svg: str) -> Markup:
    source = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    return macro("structure", "interactions/charts.html")(source, structure, _WIDTH, _HEIGHT)


def _shared(atoms: int, timed_out: bool) -> str:
    if not atoms:
        return "They share no substructure of four atoms or more (no ring is split)."
    text = (
        f"Highlighted: their largest common substructure, {count(atoms, 'atom')} without hydrogen, "
        "no ring is split."
    )
    return text + (" The search was stopped after a second: a larger one may exist." if timed_out else "")
