"""The small browser components (worklist, comparison table, code search): registered once, each from its files."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.shared import theme

_DASHBOARD = Path(__file__).resolve().parents[1]


@functools.cache
def component(name: str) -> Callable[..., Any]:
    """The mount function of a component stored as NAME.js and NAME.css in `dashboard/`, such as "scores/comparison".

    Its data travels as the one item of a list: Streamlit looks through an object for data frames, and imports pandas
    for that before the first page stands.
    """
    mount = st.components.v2.component(
        f"leader.{Path(name).name}",
        js=(_DASHBOARD / f"{name}.js").read_text(encoding="utf-8"),
        css=theme.component_style((_DASHBOARD / f"{name}.css").read_text(encoding="utf-8")),
    )

    def mounted(*, data: dict[str, Any], **arguments: Any) -> Any:
        return mount(data=[data], **arguments)

    return mounted


def nothing() -> None:
    """The callback of an event that the page reads from the component's result."""
