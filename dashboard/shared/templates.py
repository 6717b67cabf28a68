"""HTML templates: Jinja2 with autoescape over the `.html` files that lie in the pages' own folders."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup, escape

from dashboard.shared import formatting, theme, wording

_DASHBOARD: Final = Path(__file__).resolve().parents[1]


def commands(text: str) -> Markup:
    """Text with its `commands` set as code.

    >>> commands("Run `make <x>`.")
    Markup('Run <code class="ld-command">make &lt;x&gt;</code>.')
    """
    code = r'<code class="ld-command">\1</code>'
    return Markup(re.sub(r"`([^`]+)`", code, str(escape(text))))  # noqa: S704 - escaped


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
        commands,
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


def render(template: str, /, **values: Any) -> Markup:
    """A template of `dashboard/`, such as "interactions/pair_card.html", filled with values, which it escapes.

    Raises:
        jinja2.UndefinedError: the template names a value that is not given.
    """
    return Markup(_environment().get_template(template).render(values))  # noqa: S704 - the template escaped it


def macro(name: str, template: str = "shared/macros.html") -> Callable[..., Markup]:
    """A macro of a template as a function; what it is given is escaped."""
    return getattr(_environment().get_template(template).module, name)
