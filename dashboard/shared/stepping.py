"""From case to case in the order of the worklist as it was last shown: where a patient stands in it, and the neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import streamlit as st

from dashboard.server.service import Service
from leader_core.cohort import PatientPage, PatientQuery, PatientRow
from leader_core.cohort.worklist import LARGEST_PAGE

Patients = Callable[[PatientQuery], PatientPage]

MOST_SEARCHED: Final = 5 * LARGEST_PAGE
"""How far into a long list a patient is looked for when the position is not known."""
_LISTED: Final = "_listed"
_POSITION: Final = "_place"


@dataclass(frozen=True, slots=True)
class ListPosition:
    """Where a patient stands in a worklist: `number` of `total`, from 1, and the neighbours there are."""

    number: int
    total: int
    previous: PatientRow | None
    next: PatientRow | None


def remember_list(query: PatientQuery) -> None:
    """Make this the worklist whose order the steps follow."""
    st.session_state[_LISTED] = query


def session_position(service: Service, patient_id: int) -> ListPosition | None:
    """Where the patient stands in the worklist as it was last shown; looked up once for each."""
    listed = st.session_state.get(_LISTED) or PatientQuery()
    key = (service.serial, listed)  # the cohort may be opened anew
    last: tuple[tuple[int, PatientQuery], int, ListPosition | None] | None = st.session_state.get(_POSITION)
    if last is None or last[:2] != (key, patient_id):
        near = last[2].number if last is not None and last[0] == key and last[2] is not None else None
        last = (key, patient_id, find_position(service.engine.cohort.patients, listed, patient_id, near))
        st.session_state[_POSITION] = last
    return last[2]


def find_position(
    patients: Patients, listed: PatientQuery, patient_id: int, near: int | None = None
) -> ListPosition | None:
    """Where the patient stands in the list; None where it does not hold them, or not within `MOST_SEARCHED` rows.

    Args:
        patients: answers one page of the worklist.
        listed: the list, as it was last shown.
        near: about where to look first (a number from 1), as when stepping from the neighbour.
    """
    for page in _pages(patients, listed, near):
        for position, row in enumerate(page.rows):
            if row.patient_id == patient_id:
                return _list_position(patients, listed, page, position)
    return None


def _pages(patients: Patients, listed: PatientQuery, near: int | None) -> Iterator[PatientPage]:
    """Pages to look through: the likely one and the one that was shown, then the list from its start."""
    likely = [] if near is None else [max(1, -(-near // listed.page_size))]
    for number in dict.fromkeys([*likely, listed.page]):
        yield patients(replace(listed, page=number))
    for number in range(1, MOST_SEARCHED // LARGEST_PAGE + 1):
        page = patients(replace(listed, page=number, page_size=LARGEST_PAGE))
        yield page
        if number >= page.pages:
            return


def _list_position(
    patients: Patients, listed: PatientQuery, page: PatientPage, position: int
) -> ListPosition:
    first = (page.page - 1) * page.page_size + 1
    number = first + position

    def neighbour(wanted: int) -> PatientRow | None:
        if not 1 <= wanted <= page.total:
            return None
        if 0 <= wanted - first < len(page.rows):
            return page.rows[wanted - first]
        beyond = patients(replace(listed, page=wanted, page_size=1)).rows
        return beyond[0] if beyond else None

    return ListPosition(number, page.total, neighbour(number - 1), neighbour(number + 1))
