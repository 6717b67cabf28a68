"""URL parameters: read when a page is entered, and kept in step with its widgets.

Widgets own their values while a page is open; the URL follows them in place, without entries in the history. It is
read only on entering (a link, Back, another case), so that quick clicking can never be undone by a late URL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import streamlit as st

from dashboard.shared.navigation import PAGES, shared_query
from dashboard.shared.templates import component

_ENTERED: Final = "_entered"


@dataclass(frozen=True, slots=True)
class Binding:
    """How one session value stands in the URL: `read` gives None for text that means nothing."""

    default: Any
    read: Callable[[str], Any]
    write: Callable[[Any], str] = str

    @classmethod
    def choice(cls, default: str, allowed: Mapping[Any, object]) -> Binding:
        """One of some words."""
        return cls(default, lambda text: text if text in allowed else None)

    @classmethod
    def number(cls, default: int, allowed: tuple[int, ...] = ()) -> Binding:
        """A positive whole number, or one of a few."""

        def read(text: str) -> int | None:
            value = int(text) if text.isdecimal() and len(text) < 10 else 0
            return value if value > 0 and (not allowed or value in allowed) else None

        return cls(default, read)

    @classmethod
    def pattern(cls, pattern: str, default: Any = "") -> Binding:
        """A text that all of a regular expression matches."""
        return cls(default, lambda text: text if re.fullmatch(pattern, text) else None)

    @classmethod
    def within(cls, default: float | None, low: float = 0.0, high: float = 1.0, digits: int = 2) -> Binding:
        """A number between two."""
        return cls(default, lambda text: read_number(text, low, high), lambda value: f"{value:.{digits}f}")

    @classmethod
    def some(cls, default: Sequence[str], allowed: Iterable[str], separator: str) -> Binding:
        """Some of a few words."""
        words = list(allowed)
        return cls(
            list(default),
            lambda text: [w for w in text.split(separator) if w in words] or None,
            separator.join,
        )


def read_number(text: str, low: float = 0.0, high: float = 1.0) -> float | None:
    """A number from `low` to `high`, or None.

    >>> read_number("0.3"), read_number("7"), read_number("nan"), read_number("")
    (0.3, None, None, None)
    """
    try:
        value = float(text)
    except ValueError:
        return None
    return value if low <= value <= high else None


def enter(identity: str, bindings: Mapping[str, Binding], query: Mapping[str, str] | None = None) -> None:
    """Set the session's values from the URL where this page (or case) was just entered; else only what is missing.

    Call before the widgets that bear these keys. `query` stands in for the URL where a page has its own idea of it.
    """
    given = st.query_params if query is None else query
    fresh = st.session_state.get(_ENTERED) != identity
    if fresh:
        # A click may end this run at any of these lines, with half of the values set.
        st.session_state[_ENTERED] = ""
    for key, binding in bindings.items():
        if (
            fresh or key not in st.session_state
        ):  # Streamlit drops a widget's value with the page that showed it
            value = binding.read(given.get(key, "")) if given.get(key) else None
            st.session_state[key] = binding.default if value is None else value
        elif st.session_state[key] is None:
            st.session_state[key] = binding.default
    st.session_state[_ENTERED] = identity


def mirror(key: str, options: Sequence[str] | None = None) -> dict[str, Any]:
    """Arguments for a widget that shows the session's value `key`, for widgets that come, go or change their labels.

    Streamlit takes a widget with other labels for another one and drops its value, and tells the browser of a value
    only in the run that set it; so the value is stored next to the widget and set in every run. With `options` that
    change, each list of them is a widget of its own, and the last of them stands in for a value that is not there.
    """
    shown = f"{key}_shown" if options is None else f"{key}_shown_{'_'.join(options)}"
    value = st.session_state.get(key)
    st.session_state[shown] = value if options is None or value in options else options[-1]

    def take_over() -> None:
        st.session_state[key] = st.session_state[shown]

    return {"key": shown, "on_change": take_over}


def written(bindings: Mapping[str, Binding]) -> dict[str, str]:
    """The URL parameters of the session's values; what has its default is left out."""
    values = {key: st.session_state.get(key, binding.default) for key, binding in bindings.items()}
    return {
        key: binding.write(values[key])
        for key, binding in bindings.items()
        if values[key] is not None and values[key] != binding.default
    }


def publish(page: str, query: Mapping[str, str]) -> None:
    """Let the address bar say `query`, and what every link carries, as long as `page` is still open."""
    with st.container(key="address"):
        component("shared/url_state")(
            key="address-bar",
            data={
                "page": page,
                "home": page == "patients",
                "pages": dict.fromkeys(PAGES, True),
                "query": urlencode({**query, **shared_query()}),
            },
        )
