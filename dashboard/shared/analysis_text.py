"""What the error analysis calls its fields, figures and conditions: plain words, in one place.

Refuses to know about Streamlit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from dashboard.shared import wording
from dashboard.shared.formatting import MISSING, escape, tag, words
from leader_core.error_analysis import Condition, Estimate, Frame

VIEWS: Final[Mapping[str, str]] = {
    "groups": "Groups",
    "tree": "Error tree",
    "heat": "Two fields",
    "classes": "Classes",
    "pair": "Two models",
    "cut": "Cut-off",
    "calibration": "Calibration",
    "drift": "Drift",
    "notes": "Tags and notes",
}
METRICS: Final[Mapping[str, str]] = {
    "prauc": "PRAUC",
    "jaccard": "Jaccard",
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall",
    "medications": "Classes suggested",
    "ddi_rate": "Interaction rate",
}
METRICS_TOLD: Final[Mapping[str, str]] = {
    "prauc": "mean over cases of the average precision of the ranking",
    "jaccard": "mean over cases of classes in both sets among classes in either",
    "f1": "mean over cases of the harmonic mean of precision and recall",
    "precision": "mean over cases of the share of the suggested that was prescribed",
    "recall": "mean over cases of the share of the prescribed that was suggested",
    "medications": "mean number of classes at or above the cut-off",
    "ddi_rate": "share of all suggested pairs that the statistical table lists",
}
BETTER: Final[Mapping[str, str]] = dict.fromkeys(
    ("prauc", "jaccard", "f1", "precision", "recall"), "higher is better"
)
FIELDS: Final[Mapping[str, str]] = {
    **wording.FIELD_LABELS,
    "history": "First or later visit",
    "visits": "Number of visits",
    "chapter": "Main diagnosis' chapter",
    "diagnoses": "Number of diagnoses",
    "prescribed": "Classes prescribed",
    "truncated": "Prompt cut to fit",
    "split": "Split",
}
NUMBERS: Final[Mapping[str, str]] = {
    "age": "age",
    "visits": "visits",
    "diagnoses": "diagnoses",
    "procedures": "procedures",
    "prescribed": "classes prescribed",
}
TARGETS: Final[Mapping[str, str]] = {
    "error": "Disagreement with the prescription (1 − Jaccard)",
    "missed": "Share of the prescribed that is missed",
    "extra": "Share of the suggested that was not prescribed",
    "class": "Being wrong about one class",
}
LISTS: Final = "lists"
"""The grouping by saved lists."""


def model(name: str) -> str:
    """A model's name as a person reads it; a baseline's is what it was stored under.

    >>> model("teacher"), model("nearest_neighbour"), model("prescribed")
    ('Teacher', 'Nearest neighbour', 'Prescribed')
    """
    text = name.replace("_", " ").replace("-", " ")
    return wording.MODEL_NAMES.get(name, text[:1].upper() + text[1:])


def value(field: str, text: str) -> str:
    """A field's value as a person reads it."""
    if field == "gender":
        return wording.GENDER_LABELS.get(text, words(text))
    if field == "split":
        return wording.SPLIT_LABELS.get(text, text)
    if field in ("history", "truncated"):
        return text.capitalize()
    return words(text).capitalize() if text == "unknown" else words(text)


def condition(found: Condition, frame: Frame, named: Callable[[str, str], str]) -> str:
    """One condition in words; `named` gives the name of a class ("class"), saved list ("list") or tag ("tag")."""
    kind, names, number = found.kind, found.names, found.number
    if kind in ("is", "not"):
        column = frame.columns.get(names[0])
        at = int(number)
        told = value(names[0], column.values[at]) if column is not None and at < len(column.values) else "?"
        label = FIELDS.get(names[0], names[0])
        return f"{label}: {told}" if kind == "is" else f"{label}: not {told}"
    if (kind, names, number) == ("ge", ("visits",), 0):
        return "every scored case"
    if kind in ("lt", "ge"):
        label = NUMBERS.get(names[0], names[0])
        sign = "below" if kind == "lt" else "at least"
        return f"{label} {sign} {number:g}"
    if kind in ("has", "lacks"):
        at = int(number)
        told = frame.chapters[at] if at < len(frame.chapters) else "?"
        return f"{'a' if kind == 'has' else 'no'} diagnosis in {told}"
    return _of_model(found, named)


def _of_model(found: Condition, named: Callable[[str, str], str]) -> str:
    kind, names, number = found.kind, found.names, found.number
    if kind == "class":
        states = [
            ("" if yes else "not ")
            + ("prescribed" if who == "prescribed" else f"suggested by {model(who).lower()}")
            for who, yes in found.who.items()
        ]
        return f"{named('class', names[0])}: {', '.join(states)}"
    if kind == "bin":
        told = "any class" if names[1] == "all" else named("class", names[1])
        return f"{model(names[0]).lower()} gives {told} {number / 15:.2f} to {(number + 1) / 15:.2f}"
    if kind == "score":
        sign = "below" if names[2] == "lt" else "at least"
        return f"{model(names[1]).lower()}'s {METRICS.get(names[0], names[0])} {sign} {number:g}"
    if kind == "better":
        return f"{model(names[0]).lower()}'s Jaccard more than {number:g} above {model(names[1]).lower()}'s"
    return named(kind, names[0])


def figure(name: str, number: float | None) -> str:
    """A metric in the digits that it deserves."""
    if number is None or number != number:
        return MISSING
    return (
        f"{number:.1f}"
        if name == "medications"
        else f"{number:.3f}"
        if name == "ddi_rate"
        else f"{number:.2f}"
    )


def estimate(name: str, found: Estimate | None) -> str:
    """A figure with its interval."""
    if found is None:
        return MISSING
    return f"{figure(name, found.value)} ({figure(name, found.low)} to {figure(name, found.high)})"


def gap(name: str, found: Estimate | None) -> str:
    """A difference with its sign and interval; a star where the interval leaves out 0."""
    if found is None:
        return MISSING
    star = " *" if found.low > 0 or found.high < 0 else ""
    return f"{_signed(name, found.value)} ({_signed(name, found.low)} to {_signed(name, found.high)}){star}"


def _signed(name: str, number: float) -> str:
    text = figure(name, abs(number))
    return ("+" if number > 0 else "−" if number < 0 else "") + text


def chips(told: Iterable[str]) -> str:
    """Conditions as short labels in a row."""
    return tag("p", *(tag("span", escape(text), css="ld-tag") + " " for text in told), css="ld-chips")
