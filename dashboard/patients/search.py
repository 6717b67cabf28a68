"""The worklist's search: opaque ids that stand for it in links, what it was taken for, and how to search for the rest."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Final

import streamlit as st
from markupsafe import Markup

from dashboard.server.service import RecentResults, Service
from dashboard.shared.formatting import count, listing, plain, shortened
from dashboard.shared.templates import render
from dashboard.shared.url_state import Binding
from leader_core.cohort import MatchReason, SearchPart, SearchReading
from leader_core.search.words import LONGEST_TEXT

KEY: Final = "search"
"""Session key of the text, and URL parameter of its id: clinical text never stands in a link."""
LOST: Final = (
    "The search of this link is no longer known here: links hold a search until the server is started again. "
    "Type it again, or open a saved list, which stays."
)
_MOST_TEXTS: Final = 10_000
_MOST_LISTED: Final = 8
_LONGEST: Final = 61  # characters that are shown of a text


@st.cache_resource(show_spinner=False)
def _texts() -> tuple[bytes, RecentResults[str]]:
    """A secret of this server, and the texts searched last by their id, in its memory alone."""
    return secrets.token_bytes(32), RecentResults(_MOST_TEXTS)


def _read(identity: str) -> str | None:
    return _texts()[1].get(identity)


def _write(text: str) -> str:
    """The text's id, the same each time: keyed by the secret, it says nothing about the text."""
    secret, texts = _texts()
    text = text[: 2 * LONGEST_TEXT]
    identity = hmac.digest(secret, text.encode(), "sha256")[:8].hex()
    texts.put(identity, text)
    return identity


BINDING: Final = Binding("", _read, _write)


def lost() -> bool:
    """Whether the link names a search that is not known any more, and nothing else was typed since."""
    identity = st.query_params.get(KEY, "")
    return bool(identity) and not st.session_state[KEY] and _read(identity) is None


def understood(service: Service, text: str) -> Markup:
    """What the search was taken for, a box for each of its parts, and what was not understood."""
    reading = service.engine.cohort.read_search(text)
    clauses = [
        {
            "joined": "not" if clause.excluded else "and",
            "patients": clause.patients,
            "alternatives": [[_box(part) for part in parts] for parts in clause.alternatives],
        }
        for clause in reading.clauses
        if not (reading.patients and not clause.patients)
    ]
    unread = reading.not_understood()
    more = [f"{len(unread) - _MOST_LISTED:,} more"] if len(unread) > _MOST_LISTED else []
    return render(
        "patients/search.html",
        clauses=clauses,
        patient=reading.patient if reading.patients else "",
        patients=reading.patients,
        unread=[*(f"“{shortened(each, _LONGEST)}”" for each in unread[:_MOST_LISTED]), *more],
        nothing=not reading.patients and not any(clause.patients for clause in reading.clauses),
    )


def _box(part: SearchPart) -> dict[str, Any]:
    """A part's words, what they were taken for, and the codes or orders behind it."""
    if part.drug:
        listed, what = (
            part.orders,
            f"ordered {part.drug}" if part.orders else f"nobody was ordered {part.drug}",
        )
    elif part.concepts:
        listed, what = part.titles, part.title if len(part.concepts) == 1 else ""
    else:
        listed, what = (), f"{part.title}: nobody here has this code" if part.title else "not understood"
    total = len(part.orders) if part.drug else len(part.concepts)
    noun = "order text" if part.drug else "code"
    return {
        "text": shortened(part.text, _LONGEST),
        "what": what,
        "listed": listed,
        "count": count(total, noun) if total > 1 else "",
        "more": total - len(listed),
        "unknown": not part.title and not part.drug,
    }


def without_unknown(reading: SearchReading) -> str:
    """The search without the words that nobody matches; empty where nothing is left, or nothing was left out."""
    clauses, left_out = [], bool(reading.unread)
    for clause in reading.clauses:
        alternatives = []
        for parts in clause.alternatives:
            known = [part.text for part in parts if part.concepts or part.orders]
            left_out = left_out or len(known) < len(parts)
            if known:
                alternatives.append(" and ".join(known) if len(clause.alternatives) == 1 else " ".join(known))
        if alternatives:
            clauses.append(("not " if clause.excluded else "") + " or ".join(alternatives))
    return ", ".join(clauses) if left_out else ""


def reasons(service: Service, text: str, patient_ids: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    """For each row why it matches, as the table draws it."""
    if not text.strip():
        return {}
    matches: Mapping[int, tuple[MatchReason, ...]] = service.engine.cohort.match_reasons(text, patient_ids)
    return {
        patient: [{"pieces": reason.pieces, "more": reason.more} for reason in each]
        for patient, each in matches.items()
    }


def label(text: str) -> str:
    """The search in the list of active filters."""
    return f"search “{shortened(' '.join(text.split()), _LONGEST)}”"


def removal_label(rest: str, patients: int, unread: Iterable[str]) -> str:
    """What the button says that searches for the rest."""
    left = listing([shortened(each, 21) for each in list(unread)[:3]], "and")
    return plain(f"Leave out {left}: {label(rest)} ({count(patients, 'patient')})")
