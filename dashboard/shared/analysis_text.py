"""The error analysis in plain words: its fields, metrics and conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from dashboard.shared import wording
from dashboard.shared.formatting import MISSING, signed, words
from leader_core.error_analysis import Condition, Frame, MetricEstimate
from leader_core.evaluation import metrics
from leader_core.evaluation.calibration import BINS

METRICS: Final[Mapping[str, str]] = {
    **{name: metrics.LABELS[name] for name in metrics.METRICS},
    "medications": "Classes suggested",
    "ddi_rate": "Interaction rate",
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
        title = "any class" if names[1] == "all" else named("class", names[1])
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
