"""Type-ahead over diagnosis, procedure and medication codes, by words or by code; the search runs in the engine."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import streamlit as st

from dashboard.server.service import Service
from dashboard.shared import wording
from dashboard.shared.browser import component
from leader_core import Concept

LIMIT: Final = 12
_LONGEST: Final = 200  # characters; nobody types more
_PLACEHOLDERS: Final[Mapping[str, str]] = {
    "diagnosis": "Words, abbreviation or ICD code: CHF, I50",
    "procedure": "Words, abbreviation or ICD code: CABG, 9671",
    "medication": "Drug, brand, class or ATC code: Lasix, B01A",
}


def pick(
    service: Service,
    kind: str,
    chosen: tuple[str, ...],
    titles: Mapping[str, str],
    *,
    key: str,
    on_add: Callable[[Concept], None],
    on_remove: Callable[[str], None],
) -> None:
    """Draw the codes chosen so far and a search for more; `on_add` and `on_remove` get what the person did."""
    query, found = _found(key)
    component("new_case/code_search")(
        key=key,
        data={
            "label": wording.KIND_LABELS[kind],
            "placeholder": _PLACEHOLDERS[kind],
            "chosen": [{"code": code, "title": titles.get(code, code)} for code in chosen],
            "query": query,
            "results": list(shown(found)),
        },
        on_searched_change=functools.partial(_search, service, kind, key),
        on_added_change=functools.partial(_add, key, on_add),
        on_removed_change=functools.partial(_remove, key, on_remove),
    )


def _found(key: str) -> tuple[str, tuple[Concept, ...]]:
    """The last search of this field, and what it found."""
    found: tuple[str, tuple[Concept, ...]] = st.session_state.get(f"_found-{key}", ("", ()))
    return found


def _search(service: Service, kind: str, key: str) -> None:
    if (typed := getattr(st.session_state.get(key), "searched", None)) is not None:
        text = str(typed)[:_LONGEST]
        found = service.engine.cohort.search(text, kinds=(kind,), limit=LIMIT)  # type: ignore[arg-type]
        st.session_state[f"_found-{key}"] = (text, found)


def _add(key: str, on_add: Callable[[Concept], None]) -> None:
    code = getattr(st.session_state.get(key), "added", None)
    concept = next((c for c in _found(key)[1] if c.code == code), None)
    st.session_state[f"_found-{key}"] = ("", ())
    if concept is not None:
        on_add(concept)


def _remove(key: str, on_remove: Callable[[str], None]) -> None:
    if (code := getattr(st.session_state.get(key), "removed", None)) is not None:
        on_remove(str(code))


def shown(found: Iterable[Concept]) -> Iterator[dict[str, Any]]:
    """What the list shows; a reason that several results share is given with the first."""
    told: set[str] = set()
    for concept in found:
        term = concept.hint.partition(": ")[0]
        yield {"code": concept.code, "title": concept.title, "hint": "" if term in told else concept.hint}
        told.add(term)
