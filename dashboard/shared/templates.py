"""HTML templates: Jinja2 with autoescape over the `.html` files that lie in the pages' own folders."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup

from dashboard.shared import formatting, theme, wording

_DASHBOARD: Final = Path(__file__).resolve().parents[1]


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_DASHBOARD),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (
        formatting.probability,
        formatting.score,
        formatting.count,
        formatting.day,
        formatting.words,
        formatting.listing,
    ):
        environment.filters[function.__name__] = function
    environment.globals.update(wording=wording, theme=theme)
    return environment


def render(name: str, **values: Any) -> Markup:
    """A template of `dashboard/`, such as "interactions/pair_card.html", filled with values, which it escapes.

    Raises:
        jinja2.UndefinedError: the template names a value that is not given.
    """
    return Markup(_environment().get_template(name).render(values))  # noqa: S704 - the template escaped it


def macro(name: str) -> Callable[..., Markup]:
    """A macro of `shared/macros.html` as a function; what it is given is escaped."""
    return getattr(_environment().get_template("shared/macros.html").module, name)
