"""Type-ahead over diagnosis, procedure and medication codes, by words or by code; the search runs in the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import streamlit as st

from dashboard import wording
from dashboard.components.browser import component, nothing
from dashboard.service import Service
from leader_core import Concept

LIMIT: Final = 12
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
    memory = f"_found-{key}"
    query, found = st.session_state.get(memory, ("", ()))
    result = component("code_search")(
        key=key,
        data={
            "label": wording.KIND_LABELS[kind],
            "placeholder": _PLACEHOLDERS[kind],
            "chosen": [{"code": code, "title": titles.get(code, code)} for code in chosen],
            "query": query,
            "results": list(shown(found)),
        },
        on_searched_change=nothing,
        on_added_change=nothing,
        on_removed_change=nothing,
    )
    if result.searched is not None:
        text = str(result.searched)[:200]
        st.session_state[memory] = (text, service.engine.cohort.search(text, kinds=(kind,), limit=LIMIT))  # type: ignore[arg-type]
        st.rerun(scope="fragment")
    if result.added is not None:
        concept = next((c for c in found if c.code == result.added), None)
        st.session_state[memory] = ("", ())
        if concept is not None:
            on_add(concept)
        st.rerun(scope="fragment")
    if result.removed is not None:
        on_remove(str(result.removed))
        st.rerun(scope="fragment")


def shown(found: Iterable[Concept]) -> Iterator[dict[str, Any]]:
    """What the list shows; a reason that several results share is given with the first."""
    told: set[str] = set()
    for concept in found:
        term = concept.hint.partition(": ")[0]
        yield {"code": concept.code, "title": concept.title, "hint": "" if term in told else concept.hint}
        told.add(term)
