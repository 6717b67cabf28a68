"""HTML templates (Jinja2 with autoescape) and small browser components, each from files in the pages' own folders."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jinja2
import streamlit as st
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
    """A template of `dashboard/`, such as "interactions/alerts.html", filled with values, which it escapes.

    Raises:
        jinja2.UndefinedError: the template names a value that is not given.
    """
    return Markup(_environment().get_template(template).render(values))  # noqa: S704 - the template escaped it


def macro(name: str, template: str = "shared/macros.html") -> Callable[..., Markup]:
    """A macro of a template as a function; what it is given is escaped."""
    return getattr(_environment().get_template(template).module, name)


def component_script(name: str, *parts: str) -> str:
    """A component's script, with `shared/mount.js` and its parts before it: a module, for components import nothing."""
    return "".join(
        (_DASHBOARD / f"{part}.js").read_text(encoding="utf-8") for part in ("shared/mount", *parts, name)
    )


@functools.cache
def component(name: str, *parts: str) -> Callable[..., Any]:
    """The mount function of a component stored as NAME.js and NAME.css in `dashboard/`, such as "scores/comparison".

    Parts of it that stand in files of their own are read in front of it.
    Its data travels as the one item of a list: Streamlit looks through an object for data frames, and imports pandas
    for that before the first page stands. Its script can call what `shared/mount.js` defines.
    """
    styles = "".join((_DASHBOARD / f"{part}.css").read_text(encoding="utf-8") for part in (*parts, name))
    mount = st.components.v2.component(
        f"leader.{Path(name).name}", js=component_script(name, *parts), css=theme.component_style(styles)
    )

    def mounted(*, data: dict[str, Any], **arguments: Any) -> Any:
        return mount(data=[data], **arguments)

    return mounted


def nothing() -> None:
    """The callback of an event that the page reads from the component's result."""
