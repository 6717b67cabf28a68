"""Widgets that several pages draw in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st


def switch(label: str, names: Mapping[Any, str], *, labelled: bool = False, **arguments: Any) -> Any:
    """A row of buttons of which one is always pressed; gives its key in `names`.

    Args:
        label: what is chosen; with `labelled` it stands above, else it is there for screen readers alone.
        names: what stands on each button.
        arguments: as `st.segmented_control` has them.
    """
    return st.segmented_control(
        label,
        list(names),
        required=True,
        format_func=lambda key: names.get(key, str(key)),
        label_visibility="visible" if labelled else "collapsed",
        **arguments,
    )
