"""FHIR files of one patient as a case: stays become visits, their conditions, procedures and medications its codes.

What the last (or chosen) stay was given is the truth to compare with, never input. Problems that last join the current
visit, medicines taken at home the history. Whatever is not in the case is listed with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leader_core.domain import Case, Visit
from leader_core.errors import InputError
from leader_core.exchange.fhir_conditions import OfferedCondition, offered
from leader_core.exchange.fhir_file import EXPECTED, WHAT, FhirFile, Listed, read_files
from leader_core.exchange.fhir_patient import PatientChoice, choose_patient
from leader_core.exchange.fhir_placing import Placing
from leader_core.exchange.fhir_stays import Stay

if TYPE_CHECKING:
    from leader_core.cohort import Cohort


@dataclass(frozen=True, slots=True)
class EncounterChoice:
    """A visit that the file offers as the current one."""

    label: str  # "Encounter/e3"
    began: str  # as written; empty where it is not
    diagnoses: int
    procedures: int
    medications: int


@dataclass(frozen=True, slots=True)
class Imported:
    """A case from a file, and everything of the file that it does not hold."""

    case: Case
    titles: Mapping[str, str]  # code -> title
    listed: tuple[Listed, ...]
    notes: tuple[str, ...]  # decisions taken while reading
    encounters: tuple[EncounterChoice, ...]  # in time order
    current: str  # label of the current one
    problems: tuple[str, ...] = ()  # codes of the current visit that are there as problems that last
    home: int | None = None  # the place in the history of the medicines taken before admission
    offered: tuple[OfferedCondition, ...] = ()
    patients: tuple[PatientChoice, ...] = ()  # of a file with several
    patient: str = ""  # label of the one whose case this is


def read_fhir(
    data: bytes | Sequence[bytes],
    cohort: Cohort,
    *,
    current: str | None = None,
    patient: str | None = None,
    ndc_map: Mapping[str, str] | None = None,
) -> Imported:
    """A case from FHIR in JSON, NDJSON or XML: of one patient, also where the file holds several.

    Args:
        data: the file, or several. Nothing that they refer to is opened or fetched.
        cohort: whose codes, ATC level and profile values count.
        current: label of the encounter to recommend for; by default the last.
        patient: label of the patient, where the file holds several; by default the first with any visit.
        ndc_map: NDC of 11 digits, or of 9 for a product in any package -> ATC code, for medications that have no name.

    Raises:
        InputError: one sentence on why there is no case in it.
    """
    file = read_files([data] if isinstance(data, bytes) else data)
    chosen = choose_patient(file, patient)
    placed = Placing(file, chosen.resource, cohort, ndc_map or {})
    placed.place_all()
    visits = placed.ordered_visits()
    today = _chosen(visits, current)
    history = placed.history_of(today, visits)
    problems = placed.add_problems(today)
    home = placed.home_medicines(today)
    conditions = offered([*enumerate(history), (len(history) + bool(home), today)], cohort)
    past = [stay.visit(number) for number, stay in enumerate(history, 1)]
    if home:
        past.append(Visit(medications=home, visit_no=len(past) + 1))
    case = Case(placed.profile(today, cohort), tuple(past), today.visit(len(past) + 1))
    for each in conditions:
        if not each.concepts:
            file.leave_out("Condition", each.text, each.reason)
    open_conditions = tuple(each for each in conditions if each.concepts)
    if not (case.current.diagnoses or case.current.procedures or case.history or open_conditions):
        raise _nothing_in(file)
    return Imported(
        case,
        placed.titles,
        tuple(file.listed),
        (*filter(None, [chosen.note]), *placed.all_notes(today, problems, home)),
        tuple(_choice(stay) for stay in visits),
        today.label,
        problems,
        len(history) if home else None,
        open_conditions,
        chosen.choices,
        chosen.label,
    )


def _nothing_in(file: FhirFile) -> InputError:
    """Why a file gives no case, with the first reason of what it lists."""
    reasons = [
        each.reason for each in file.listed if not each.resource.startswith(("Patient", "Coverage"))
    ] or [f"{kind} is not read" for kind in file.ignored]
    first = f" (for one: {reasons[0][:100]})" if reasons else ""
    return InputError(f"{WHAT} holds no diagnosis and no procedure that can be read{first}: {EXPECTED}.")


def _choice(stay: Stay) -> EncounterChoice:
    diagnoses, procedures, medications = (len(codes) for codes in stay.codes.values())
    began = stay.span.start.text if stay.span.start else ""
    return EncounterChoice(stay.label, began, diagnoses + len(stay.pending), procedures, medications)


def _chosen(visits: Sequence[Stay], current: str | None) -> Stay:
    stay = visits[-1] if current is None else next((stay for stay in visits if stay.label == current), None)
    if stay is None:
        labels = ", ".join(stay.label for stay in visits)
        raise InputError(f"{WHAT} has no such encounter with codes: choose one of {labels}."[:300])
    return stay
