"""The comparison table: turns rows into what its browser component draws. Numbers become text here, not there."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import streamlit as st

from dashboard.scores.notes import RowTagging, write_tag
from dashboard.server.answers import Scores
from dashboard.shared import comparison, theme, wording
from dashboard.shared.case_text import ordered_drugs
from dashboard.shared.formatting import cut_off, probability
from dashboard.shared.templates import component, nothing
from leader_core import Order
from leader_core.domain import ModelName
from leader_core.interactions import Alert

EXPLAINED: Final = "explain"
"""The session's key and the link's parameter for the class whose score is explained."""
_KEY: Final = "comparison"


def show(
    rows: Sequence[comparison.Row],
    scores: Mapping[ModelName, Scores],
    thresholds: Mapping[ModelName, float],
    orders: Sequence[Order],
    *,
    subject: str,
    note: str,
    prescribed_known: bool,
    grouping: comparison.Grouping = "agreement",
    own: bool = False,
    more: Mapping[str, Sequence[Mapping[str, str]]] | None = None,
    shares: Callable[[str], str] = lambda code: "",
    counted: str = "",
    against: Mapping[str, Alert] | None = None,
    tagging: RowTagging | None = None,
    focus: str = "",
) -> None:
    """Draw the table; opened rows and folded groups survive a change of the cut-off.

    Args:
        own: with the viewer's column.
        more: lines for the details of some classes, by code.
        shares: the drugs that a class means, in words; empty where it is a drug.
        counted: what the shares are counted from.
        focus: the class whose row is opened, scrolled to and given the keyboard's focus, once.
        against: by class, the alert of a condition of this patient that speaks against it.
        tagging: where rows can be tagged.
    """
    data = table(
        rows, scores, thresholds, orders, prescribed_known=prescribed_known, grouping=grouping, own=own
    )
    own_tags = tagging.own() if tagging else {}
    for group in data["groups"]:
        for row in group["rows"]:
            if means := shares(row["code"]):
                row["shares"] = means
                row["details"].append({"label": "Usually means", "text": f"{means}. Counted over {counted}."})
            if alert := (against or {}).get(row["code"]):
                row["against"] = _against(alert)
            row["details"] += (more or {}).get(row["code"], ())
            row["tags"] = own_tags.get(row["code"], ())
    component("scores/comparison", "scores/tag_chooser")(
        key=_KEY,
        data={
            **data,
            "subject": subject,
            "note": note,
            "focus": focus,
            "tagging": tagging and tagging.chooser(),
        },
        on_explained_change=_explain,
        on_tagged_change=functools.partial(write_tag, tagging, _KEY) if tagging else nothing,
    )


def _against(alert: Alert) -> dict[str, str]:
    """The mark of a class that the patient's conditions speak against."""
    but = f"; called for all the same: {', '.join(alert.called_for)}" if alert.called_for else ""
    return {
        "severity": alert.rank,
        "icon": theme.SEVERITY_ICONS[alert.rank],
        "label": wording.SEVERITY_LABELS[alert.rank],
        "text": f"{alert.title}{but}",
    }


def _explain() -> None:
    if code := getattr(st.session_state.get(_KEY), "explained", None):
        st.session_state[EXPLAINED] = str(code)


def table(
    rows: Sequence[comparison.Row],
    scores: Mapping[ModelName, Scores],
    thresholds: Mapping[ModelName, float],
    orders: Sequence[Order],
    *,
    prescribed_known: bool,
    grouping: comparison.Grouping = "agreement",
    own: bool = False,
) -> dict[str, Any]:
    """What the component draws, as plain JSON values."""
    unit = wording.unit_of(row.code for row in rows)
    drugs = ordered_drugs(orders)
    answered = [name for name, answer in scores.items() if answer.recommendation is not None]

    def group(key: str, label: str, members: Sequence[comparison.Row], hint: str = "") -> dict[str, Any]:
        return {
            "key": key,
            "label": label,
            "hint": hint,
            "folded": key == "neither",
            "rows": [_row(row, drugs, prescribed_known) for row in members],
        }

    if grouping == "errors":
        single = wording.ERROR_LABELS_ONE if len(answered) == 1 else {}
        groups = [
            group(key, single.get(key, wording.ERROR_LABELS[key]), members, _which(key, members, answered))
            for key, members in comparison.by_error(rows, answered).items()
            if members or key != "held"
        ]
    elif grouping == "area":
        matters = comparison.by_area(row for row in rows if row.group != "neither")
        groups = [group(area, area, members) for area, members in matters.items()]
    else:
        groups = [
            group(
                key,
                wording.group_label(key, len(answered), prescribed_known),
                members,
                _hint(key, members, prescribed_known),
            )
            for key, members in comparison.grouped(rows).items()
            if _worth_showing(key, members, answered, prescribed_known)
        ]
    return {
        "caption": f"{unit.headings} with the score of each model and whether they were ordered",
        "heading": unit.heading,
        "find": "Find a drug" if unit.one == "drug" else "Find a class or drug",
        "prescribed": prescribed_known,
        "own": own,
        "groups": groups,
        **{name: _model(name, answer, thresholds.get(name, 0.5)) for name, answer in scores.items()},
    }


def _worth_showing(
    key: comparison.Group,
    members: Sequence[comparison.Row],
    answered: Sequence[ModelName],
    prescribed_known: bool,
) -> bool:
    """Whether a group says something: what one model alone answers has no agreement, and so on."""
    if key == "agreed":
        return len(answered) == 2
    if key in ("teacher", "student"):
        return key in answered
    if key == "missed":
        return prescribed_known
    return bool(members) if key in ("own", "held") else bool(answered)


def _hint(key: comparison.Group, members: Sequence[comparison.Row], prescribed_known: bool) -> str:
    if not (members and prescribed_known and key in ("agreed", "teacher", "student")):
        return ""
    return f"{sum(row.prescribed for row in members)} of {len(members)} ordered"


def _which(key: comparison.Error, members: Sequence[comparison.Row], models: Sequence[ModelName]) -> str:
    """Which model erred, of classes that were missed or suggested without an order: "3 by both, 1 by the teacher alone"."""
    if key not in ("missing", "extra") or len(models) < 2:
        return ""
    erred = [tuple(name for name in models if (name in row.suggested) == (key == "extra")) for row in members]
    parts = [(erred.count(tuple(models)), "both"), *((erred.count((n,)), f"the {n} alone") for n in models)]
    return ", ".join(f"{number} by {who}" for number, who in parts if number)


def _model(name: str, answer: Scores, threshold: float) -> dict[str, Any]:
    ready = answer.recommendation is not None
    note = (
        f"cut-off {cut_off(threshold)}"
        if ready
        else {"loading": "loading", "running": "scoring"}.get(answer.status, "not available")
    )
    return {
        "label": wording.MODEL_LABELS[name],
        "icon": theme.MODEL_ICONS[name],
        "cut": threshold,
        "ready": ready,
        "note": note,
    }


def _row(row: comparison.Row, drugs: Mapping[str, str], prescribed_known: bool) -> dict[str, Any]:
    details = [{"label": "Therapeutic area", "text": comparison.area(row.code)}]
    if prescribed_known:
        ordered = "yes; the source's drug names are not available" if row.prescribed else "no"
        details.insert(0, {"label": "Ordered in this visit", "text": drugs.get(row.code, ordered)})
    return {
        "code": row.code,
        "title": row.title,
        "prescribed": row.prescribed and prescribed_known,
        "search": drugs.get(row.code, "") if prescribed_known else "",
        "details": details,
        "own": row.own,
        **_score("teacher", row),
        **_score("student", row),
    }


def _score(name: ModelName, row: comparison.Row) -> dict[str, Any]:
    """One model's score of a class, as a number and as text, and whether it suggests the class."""
    score = row.scores.get(name)
    return {
        name: score,
        f"{name}_text": "" if score is None else probability(score),
        f"{name}_selected": name in row.suggested,
    }
