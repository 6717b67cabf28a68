"""The comparison table: turns rows into what its browser component draws. Figures become text here, not there."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from dashboard.server.service import ModelName, Scores
from dashboard.shared import comparison, theme, wording
from dashboard.shared.browser import component
from dashboard.shared.case_text import ordered_drugs
from dashboard.shared.formatting import probability
from leader_core import Order

EXPLAINED: Final = "explain"
"""What the session and the link keep the class under whose score is explained."""


def show(
    rows: Sequence[comparison.Row],
    scores: Mapping[ModelName, Scores],
    cuts: Mapping[ModelName, float],
    orders: Sequence[Order],
    *,
    subject: str,
    note: str,
    prescribed_known: bool,
    by_area: bool = False,
    own: bool = False,
    more: Mapping[str, Sequence[Mapping[str, str]]] | None = None,
    key: str = "comparison",
) -> None:
    """Draw the table; opened rows and folded groups survive a move of the cut-off.

    `own`: with the viewer's column; `more`: lines for the details of some classes, by code.
    """
    data = table(rows, scores, cuts, orders, prescribed_known=prescribed_known, by_area=by_area, own=own)
    for group in data["groups"]:
        for row in group["rows"]:
            row["details"] += (more or {}).get(row["code"], ())
    component("scores/comparison")(
        key=key,
        data={**data, "subject": subject, "note": note},
        on_explained_change=functools.partial(_explain, key),
    )


def _explain(key: str) -> None:
    """Take over the class whose row asked what moved its score."""
    found = st.session_state.get(key)
    if code := getattr(found, "explained", None):
        st.session_state[EXPLAINED] = str(code)


def table(
    rows: Sequence[comparison.Row],
    scores: Mapping[ModelName, Scores],
    cuts: Mapping[ModelName, float],
    orders: Sequence[Order],
    *,
    prescribed_known: bool,
    by_area: bool = False,
    own: bool = False,
) -> dict[str, Any]:
    """What the component draws, as plain JSON values."""
    unit = wording.unit_of(row.code for row in rows)
    written = ordered_drugs(orders)
    alone = [name for name, found in scores.items() if found.recommendation is not None]
    if by_area:
        groups = [
            {
                "key": label,
                "label": label,
                "hint": "",
                "folded": False,
                "rows": [_row(r, written, prescribed_known) for r in members],
            }
            for label, members in comparison.by_area(rows).items()
        ]
    else:
        groups = _by_agreement(rows, written, alone, prescribed_known)
    return {
        "caption": f"{unit.headings} with the score of each model and whether they were prescribed",
        "heading": unit.heading,
        "find": "Find a drug" if unit.one == "drug" else "Find a class or drug",
        "prescribed": prescribed_known,
        "own": own,
        "groups": groups,
        **{name: _model(name, found, cuts.get(name, 0.5)) for name, found in scores.items()},
    }


def _by_agreement(
    rows: Sequence[comparison.Row],
    written: Mapping[str, str],
    alone: Sequence[ModelName],
    prescribed_known: bool,
) -> list[dict[str, Any]]:
    labels = wording.GROUP_LABELS if len(alone) == 2 else {**wording.GROUP_LABELS, **wording.GROUP_LABELS_ONE}
    groups = []
    for key, members in comparison.grouped(rows).items():
        one_sided = len(alone) < 2 and (
            key == "agreed" or (key in ("teacher", "student") and key not in alone)
        )
        if (
            one_sided
            or (key == "own" and not members)
            or (key == "missed" and not prescribed_known)
            or (key == "neither" and not alone)
        ):
            continue
        label = (
            "Prescribed"
            if not alone
            else labels[key]
            if prescribed_known or key != "neither"
            else "Not suggested"
        )
        hits = sum(row.prescribed for row in members)
        hint = (
            f"{hits} of {len(members)} prescribed"
            if prescribed_known and key in ("agreed", "teacher", "student") and members
            else ""
        )
        groups.append(
            {
                "key": key,
                "label": label,
                "hint": hint,
                "folded": key == "neither",
                "rows": [_row(row, written, prescribed_known) for row in members],
            }
        )
    return groups


def _model(name: str, found: Scores, cut: float) -> dict[str, Any]:
    ready = found.recommendation is not None
    note = (
        f"cut-off {cut:.2f}"
        if ready
        else {"loading": "loading", "running": "scoring"}.get(found.status, "not available")
    )
    return {
        "label": wording.MODEL_NAMES[name],
        "icon": theme.MODEL_ICONS[name],
        "cut": cut,
        "ready": ready,
        "note": note,
    }


def _row(row: comparison.Row, written: Mapping[str, str], prescribed_known: bool) -> dict[str, Any]:
    details = [{"label": "Therapeutic area", "text": comparison.area(row.code)}]
    if prescribed_known:
        if row.code in written:
            details.insert(0, {"label": "Ordered in this visit", "text": written[row.code]})
        elif row.prescribed:
            details.insert(
                0, {"label": "Ordered in this visit", "text": "yes; the source's drug names are not kept"}
            )
        else:
            details.insert(0, {"label": "Ordered in this visit", "text": "no"})
    return {
        "code": row.code,
        "title": row.title,
        "prescribed": row.prescribed and prescribed_known,
        "search": written.get(row.code, "") if prescribed_known else "",
        "details": details,
        "teacher": row.teacher,
        "teacher_text": "" if row.teacher is None else probability(row.teacher),
        "teacher_selected": row.teacher_selected,
        "student": row.student,
        "student_text": "" if row.student is None else probability(row.student),
        "student_selected": row.student_selected,
        "own": row.own,
    }
