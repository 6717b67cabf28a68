"""A case from a file of any kind that we read: ours, a report of ours, or a FHIR bundle. Told apart by what they say.

Refuses to know how either is read.
"""

from __future__ import annotations

from leader_core.exchange.case_json import read_case_file
from leader_core.exchange.fhir import Imported, read_fhir
from leader_core.exchange.fhir_bundle import LARGEST
from leader_core.exchange.fhir_patient import ProfileBook
from leader_core.exchange.strict_json import read_json


def read_file(data: bytes, cohort: ProfileBook, *, current: str | None = None) -> Imported:
    """A case from the bytes of a file; `current` chooses the encounter of a bundle.

    Raises:
        InputError: one sentence on why there is no case in it.
    """
    record = read_json(data, "The file", LARGEST)
    if isinstance(record, dict) and "resourceType" in record:
        return read_fhir(data, cohort, current=current)
    case = read_case_file(data, "The file")
    titles = {code: cohort.title(kind, code) or code for kind, code in case.codes()}
    notes: tuple[str, ...] = ()
    if given := len(case.prescribed):
        notes = (
            f"{given} medication classes of the current visit are what was prescribed: the models do not see them.",
        )
    return Imported(case, titles, (), notes, (), "")
