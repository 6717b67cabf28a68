"""What the interaction tables cover, in words: how many pairs, from where, of when, by whom."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import streamlit as st

from dashboard.server.service import Service
from dashboard.shared import markup, wording
from dashboard.shared.formatting import count, day
from leader_core.interactions import TableCoverage
from leader_core.interactions import coverage as coverage_of

_NEVER: Final = "A pair that is not listed is unlisted: absence is never proof of safety."


def text(service: Service) -> str:
    """What was looked through, and that absence proves nothing."""
    found = _counted(id(service), service)
    of = wording.unit(service.engine.cohort.fingerprint.atc_level).many
    told = (
        f"The tables list {count(found.graded, 'graded pair')} of {of}, projected from {count(found.rules, 'rule')} that "
        f"this project compiled in its own words from {count(found.sources, 'source')} (product labels, FDA tables, "
        "guidelines, CredibleMeds)"
    )
    if found.statistical:
        told += f", and {count(found.statistical, 'statistical pair')} ({'; '.join(found.statistical_sources[:2])})"
    return f"{told}, as built into this cohort{_date(service)}. {_NEVER}"


def note(service: Service) -> str:
    """The same as a note."""
    return markup.note(text(service))


def _date(service: Service) -> str:
    try:
        return f" on {day(datetime.fromisoformat(service.engine.cohort.meta['built_at']))}"
    except (KeyError, ValueError):
        return ""


@st.cache_resource(max_entries=4, show_spinner=False)
def _counted(identity: int, _service: Service) -> TableCoverage:
    return coverage_of(_service.engine.cohort.interactions)
