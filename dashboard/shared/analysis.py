"""The error analysis as other pages and its own views say it: fields, metrics and conditions in words, and links to its cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import streamlit as st

from dashboard.server import analysis_cache
from dashboard.server.service import Service
from dashboard.server.workspace import get_workspace
from dashboard.shared import markup, session, url_state, wording
from dashboard.shared.formatting import MISSING, signed, words
from leader_core import LeaderError
from leader_core.error_analysis import Condition, Frame, MetricEstimate, Selection
from leader_core.evaluation import metrics
from leader_core.evaluation.calibration import BINS
from leader_core.workspace import NO_ERROR

METRICS: Final[Mapping[str, str]] = {
    **{name: metrics.LABELS[name] for name in metrics.METRICS},
    "medications": "Classes suggested",
}
METRIC_MEANINGS: Final[Mapping[str, str]] = {
    "prauc": "mean over cases of the average precision of the ranking",
    "jaccard": "mean over cases of classes in both sets among classes in either",
    "f1": "mean over cases of the harmonic mean of precision and recall",
    "precision": "mean over cases of the share of the suggested that was ordered",
    "recall": "mean over cases of the share of the ordered that was suggested",
    "medications": "mean number of classes at or above the cut-off",
    "ddi_rate": "share of all suggested pairs that the statistical table lists",
}
FIELDS: Final[Mapping[str, str]] = {
    **wording.FIELD_LABELS,
    "history": "First or later visit",
    "visits": "Number of visits",
    "chapter": "Main diagnosis' chapter",
    "diagnoses": "Number of diagnoses",
    "prescribed": "Classes ordered",
    "truncated": "Prompt cut to fit",
    "split": "Split",
}
NUMBERS: Final[Mapping[str, str]] = {
    "age": "age",
    "visits": "visits",
    "diagnoses": "diagnoses",
    "procedures": "procedures",
    "prescribed": "classes ordered",
}
TARGETS: Final[Mapping[str, str]] = {
    "error": "Disagreement with the orders (1 − Jaccard)",
    "missed": "Share of the ordered that is missed",
    "extra": "Share of the suggested that was not ordered",
    "class": "Being wrong about one class",
}
_DIGITS: Final[Mapping[str, int]] = {"medications": 1, "ddi_rate": 3}
_NAMES: Final = {"prescribed": "Ordered", "logistic": "Logistic regression", "repeat": "Repeat last order"}
LISTS: Final = "lists"
"""The grouping by saved lists."""


def model_name(name: str) -> str:
    """A model's name as a person reads it; a baseline's is the name it was stored under.

    >>> model_name("teacher"), model_name("nearest_neighbour"), model_name("prescribed")
    ('Teacher', 'Nearest neighbour', 'Ordered')
    """
    text = _NAMES.get(name, name).replace("_", " ").replace("-", " ")
    return wording.MODEL_LABELS.get(name, text[:1].upper() + text[1:])


def field_value(field: str, text: str) -> str:
    """A field's value as a person reads it."""
    if field == "gender":
        return wording.GENDER_LABELS.get(text, words(text))
    if field == "split":
        return wording.SPLIT_LABELS.get(text, text)
    if field in ("history", "truncated"):
        return text.capitalize()
    if text == "?":  # so in MIMIC's column of languages
        return "Recorded as “?”"
    return words(text).capitalize() if text == "unknown" else words(text)


def describe_condition(condition: Condition, frame: Frame, named: Callable[[str, str], str]) -> str:
    """One condition in words; `named` gives the name of a class ("class"), saved list ("list") or tag ("tag")."""
    kind, names, number = condition.kind, condition.names, condition.number
    if kind in ("is", "not"):
        column = frame.columns.get(names[0])
        at = int(number)
        known = column is not None and at < len(column.values)
        text = field_value(names[0], column.values[at]) if column is not None and known else "?"
        label = FIELDS.get(names[0], names[0])
        return f"{label}: {text}" if kind == "is" else f"{label}: not {text}"
    if (kind, names, number) == ("ge", ("visits",), 0):
        return "every scored case"
    if kind in ("lt", "ge"):
        label = NUMBERS.get(names[0], names[0])
        sign = "below" if kind == "lt" else "at least"
        return f"{label} {sign} {number:g}"
    if kind in ("has", "lacks"):
        at = int(number)
        chapter = frame.chapters[at] if at < len(frame.chapters) else "?"
        return f"{'a' if kind == 'has' else 'no'} diagnosis in {chapter}"
    return _condition_on_model(condition, named)


def _condition_on_model(condition: Condition, named: Callable[[str, str], str]) -> str:
    kind, names, number = condition.kind, condition.names, condition.number
    if kind == "class":
        states = [
            ("" if yes else "not ")
            + ("ordered" if who == "prescribed" else f"suggested by {model_name(who).lower()}")
            for who, yes in condition.who.items()
        ]
        return f"{named('class', names[0])}: {', '.join(states)}"
    if kind == "bin":
        title = named("class", names[1])
        return (
            f"{model_name(names[0]).lower()} scores {title} {number / BINS:.2f} to {(number + 1) / BINS:.2f}"
        )
    if kind == "score":
        sign = "below" if names[2] == "lt" else "at least"
        return f"{model_name(names[1]).lower()}'s {METRICS.get(names[0], names[0])} {sign} {number:g}"
    if kind == "better":
        return f"{model_name(names[0]).lower()}'s Jaccard more than {number:g} above {model_name(names[1]).lower()}'s"
    if kind == "box":
        return "a part of the map of cases"
    return named(kind, names[0])


def format_metric(name: str, number: float | None) -> str:
    """A metric in the digits that it deserves."""
    if number is None or number != number:
        return MISSING
    return f"{number:.{_DIGITS.get(name, 2)}f}"


def format_estimate(name: str, estimate: MetricEstimate | None, few: bool = False) -> str:
    """A metric with its interval; without, where it stands for few cases."""
    if estimate is None:
        return MISSING
    value, low, high = (format_metric(name, n) for n in (estimate.value, estimate.low, estimate.high))
    return f"{value} (few cases)" if few else f"{value} ({low} to {high})"


def format_gap(name: str, gap: MetricEstimate | None, few: bool = False, star: bool = False) -> str:
    """A difference with its sign and interval; of few cases nothing, since it says nothing."""
    if gap is None or gap.value != gap.value or few:
        return MISSING
    value, low, high = (signed(n, _DIGITS.get(name, 2)) for n in (gap.value, gap.low, gap.high))
    return f"{value} ({low} to {high}){' *' if star else ''}"


# From the error analysis to the worklist

CASES: Final = "cases"
"""The worklist's URL parameter that holds a selection."""
BINDING: Final = url_state.Binding("", analysis_cache.read_selection)


def worklist_filters(service: Service) -> dict[str, Any]:
    """The worklist's filters for the link's selection; empty where there is none, or none that can be followed."""
    text = st.session_state.get(CASES) or ""
    if not text:
        return {}
    try:
        frame = analysis_cache.get_analysis_cache(service).analysis.frame
        ids = analysis_cache.patient_ids(service, text)
        words = [
            describe_condition(condition, frame, lambda kind, name: named(service, kind, name))
            for condition in Selection.of(text).conditions
        ]
    except LeaderError as error:
        st.html(markup.callout(f"The cases that the link names cannot be shown. {error}", "warn"))
        st.session_state[CASES] = ""
        return {}
    return {"cases": text, "case_ids": ids, "cases_text": "; ".join(words)}


def focus_query() -> dict[str, str]:
    """The URL parameter of the class that the link's selection is about, for links to its cases; empty for none or several."""
    conditions = Selection.of(st.session_state.get(CASES) or "").conditions
    codes = {c.names[0] for c in conditions if c.kind == "class"}
    return {session.FOCUS: codes.pop()} if len(codes) == 1 else {}


def named(service: Service, kind: str, name: str) -> str:
    """The name of a class, a saved list or a tag."""
    if kind == "class":
        return service.engine.cohort.title("medication", name) or name
    workspace = get_workspace(service)
    if kind == "list":
        saved = next((c.name for c in workspace.cohorts() if c.cohort_id == name), "one that is gone")
        return f"on the list {saved}"
    kinds = {k.kind_id: k.name for k in workspace.tags.kinds(removed=True)}
    return (
        "a row tagged no error"
        if name == NO_ERROR
        else f"a row tagged {kinds.get(name, 'with a kind that is gone')}"
    )
