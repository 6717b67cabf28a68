"""Structures of two drugs that stand for a pair's classes, side by side, with what they share marked.

RDKit is loaded when this panel is first drawn. Refuses to explain an interaction by a structure.
"""

from __future__ import annotations

import base64
from typing import Final

import streamlit as st

from dashboard.interactions.review_text import Title
from dashboard.shared import markup
from dashboard.shared.formatting import count, escape, tag
from leader_core.interactions import structures
from leader_core.interactions.structures import Structure

NOTHING_EXPLAINED: Final = (
    "A shared substructure explains no interaction and predicts none: "
    "what the pair does, and why, stands on its card."
)
_WIDTH: Final = 420
_HEIGHT: Final = 300


def show(pair: tuple[str, str], preferred: dict[str, tuple[str, ...]], titles: Title, *, dark: bool) -> None:
    """Both drugs; `preferred` names the ingredients (ATC level 5) to show first, by class."""
    columns = st.columns(2, gap="large")
    chosen: list[Structure | None] = []
    for code, column, side in zip(pair, columns, ("a", "b"), strict=True):
        with column:
            st.html(markup.panel_title(titles(code), code))
            chosen.append(_choice(code, side, preferred.get(code, ()), titles))
    first, second = chosen
    alone = [structure for structure in chosen if structure is not None]
    if not alone:
        return
    with st.spinner("Drawing the structures", show_time=False):
        drawn = _drawn(alone[0], alone[1] if len(alone) == 2 else None, dark)
    pictures = iter(drawn[0])
    for structure, column in zip((first, second), columns, strict=True):
        if structure is not None:
            with column:
                st.html(_picture(structure, next(pictures)))
    if len(alone) == 2:
        st.html(markup.note(_shared(drawn[1], drawn[2])))
    st.html(markup.note(NOTHING_EXPLAINED))


def _choice(code: str, side: str, preferred: tuple[str, ...], titles: Title) -> Structure | None:
    rank = {ingredient: i for i, ingredient in enumerate(preferred)}
    options = sorted(
        structures.representatives(code), key=lambda s: (rank.get(s.ingredient, len(rank)), s.drug)
    )
    if not options:
        name = titles(code)
        told = f"No single small molecule stands for {name[:1].lower() + name[1:] if name[1:2].islower() else name}"
        st.html(markup.empty(told, "Salts, mixtures, insulins, antibodies and vaccines have none to draw."))
        return None
    names = [s.drug for s in options]
    picked = st.selectbox(
        "Drug",
        names,
        key=f"drug-{side}-{code}",
        label_visibility="collapsed",
        disabled=len(names) == 1,
        help="Which drug stands here",
    )
    return next((s for s in options if s.drug == picked), options[0])


@st.cache_data(max_entries=256, show_spinner=False)
def _drawn(first: Structure, second: Structure | None, dark: bool) -> tuple[tuple[str, ...], int, bool]:
    """SVG of one or two drugs, how many atoms they share, and whether the search ran out of time."""
    if second is None:
        return (structures.draw(first, width=_WIDTH, height=_HEIGHT, dark=dark),), 0, False
    one, other, common = structures.draw_shared(
        first, second, timeout_s=1, width=_WIDTH, height=_HEIGHT, dark=dark
    )
    return (one, other), common.atoms, common.timed_out


def _picture(structure: Structure, svg: str) -> str:
    source = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    name = f"Structure of {structure.drug}, {structure.formula}"
    caption = (
        tag("strong", escape(structure.drug))
        + " "
        + tag("span", escape(f"{structure.formula} · {structure.ingredient}"), css="ld-code")
    )
    image = f'<img src="{source}" alt="{escape(name)}" width="{_WIDTH}" height="{_HEIGHT}">'
    return tag("figure", image, tag("figcaption", caption), css="ld-structure")


def _shared(atoms: int, timed_out: bool) -> str:
    if not atoms:
        return "They share no substructure of four atoms or more (rings kept whole)."
    told = f"Marked: their largest common substructure, {count(atoms, 'atom')} without hydrogen, rings kept whole."
    return told + (" The search was stopped after a second: a larger one may exist." if timed_out else "")
