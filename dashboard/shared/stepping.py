"""From case to case in the order of the worklist: where a patient stands in it, and who comes before and after.

Asks the cohort for pages of the worklist, as the Patients page does. Refuses to know about pages and links.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from leader_core.cohort import PatientPage, PatientQuery, PatientRow
from leader_core.cohort.query import LARGEST_PAGE

Patients = Callable[[PatientQuery], PatientPage]

MOST_SEARCHED: Final = 5 * LARGEST_PAGE
"""How far into a long list a patient is looked for when nobody knows the place."""


@dataclass(frozen=True, slots=True)
class Step:
    """A patient beside the one that is open, at their last visit."""

    patient_id: int
    visit_no: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a patient stands in a worklist: `number` of `total`, from 1, and the neighbours there are."""

    number: int
    total: int
    previous: Step | None
    next: Step | None


def place(patients: Patients, listed: PatientQuery, patient_id: int, near: int | None = None) -> Place | None:
    """Where the patient stands in the list; None where it does not hold them, or not within `MOST_SEARCHED` rows.

    Args:
        patients: answers one page of the worklist.
        listed: the list, as it was last shown.
        near: about where to look first (a number from 1), as when stepping from the neighbour.
    """
    for page in _pages(patients, listed, near):
        for position, row in enumerate(page.rows):
            if row.patient_id == patient_id:
                return _place(patients, listed, page, position)
    return None


def _pages(patients: Patients, listed: PatientQuery, near: int | None) -> Iterator[PatientPage]:
    """Pages to look through: the likely one and the one that was shown, then the list from its start."""
    size = listed.page_size
    likely = [] if near is None else [max(1, -(-near // size))]
    likely.append(listed.page)
    for number in dict.fromkeys(likely):
        yield patients(replace(listed, page=number))
    for number in range(1, MOST_SEARCHED // LARGEST_PAGE + 1):
        found = patients(replace(listed, page=number, page_size=LARGEST_PAGE))
        yield found
        if number >= found.pages:
            return


def _place(patients: Patients, listed: PatientQuery, page: PatientPage, position: int) -> Place:
    number = (page.page - 1) * page.page_size + position + 1

    def at(wanted: int) -> Step | None:
        if not 1 <= wanted <= page.total:
            return None
        offset = wanted - 1 - (page.page - 1) * page.page_size
        if 0 <= offset < len(page.rows):
            return _step(page.rows[offset])
        beyond = patients(replace(listed, page=wanted, page_size=1)).rows
        return _step(beyond[0]) if beyond else None

    return Place(number, page.total, at(number - 1), at(number + 1))


def _step(row: PatientRow) -> Step:
    return Step(row.patient_id, row.visits)
