"""Titles, notices, lists and tables that several pages draw, as HTML; the templates are in `macros.html`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from markupsafe import Markup

from dashboard.shared.templates import macro
from leader_core.domain import Kind

Titles = Callable[[Kind, str], str]
"""The title of a code, given its kind and the code."""
Title = Callable[[str], str]
"""The title of a medication code."""


def title(text: str, detail: str = "", level: int = 1) -> Markup:
    """A page's heading with one line of detail."""
    return macro("title")(text, detail, level)


def panel_title(text: str, detail: str = "") -> Markup:
    return macro("panel_title")(text, detail)


def note(text: str) -> Markup:
    """A muted sentence; `commands` in it are set as code."""
    return macro("note")(text)


def callout(text: str, kind: str = "") -> Markup:
    """A sentence that must be seen; `kind` is a model's name, "warn" or nothing."""
    return macro("callout")(text, kind)


def plain_list(items: Iterable[str]) -> Markup:
    """A short list of sentences."""
    return macro("plain_list")(items)


def empty(heading: str, text: str) -> Markup:
    """What stands where there is nothing to show, and why."""
    return macro("empty")(heading, text)


def facts(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Labels and values."""
    return macro("facts")(pairs)


def metrics(rows: Iterable[tuple[str, str, str]]) -> Markup:
    """Four or so numbers in a row: (label, value, detail such as what it is out of)."""
    return macro("metrics")(rows)


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numeric: frozenset[int] = frozenset(),
    caption: str = "",
) -> Markup:
    """A plain table of text; columns in `numeric` stand to the right."""
    return macro("table")(headings, rows, numeric, caption)


def severity(level: str) -> Markup:
    """A severity as icon, word and colour."""
    return macro("severity")(level)


def alert_counts(text: str) -> Markup:
    """How many alerts there are, in words."""
    return macro("alert_counts")(text)


def model_head(name: str, detail: str) -> Markup:
    """The teacher's or the student's name, in its colour, with its shape."""
    return macro("model_head")(name, detail)
