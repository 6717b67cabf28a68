"""Case files ("leader-case/1"): a `Case` to JSON and back, strictly; every problem of a file is reported at once.

Files of other formats that hold a case are recognised by their content (`read_file`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from leader_core.cohort.ndc import NdcMap
from leader_core.domain import KINDS, PLURALS, PROFILE_FIELDS, UNKNOWN, Case, Kind, Visit
from leader_core.errors import InputError
from leader_core.exchange.fhir import Imported, read_fhir
from leader_core.exchange.fhir_file import LARGEST as LARGEST_FHIR
from leader_core.exchange.fhir_file import Listed, all_unpacked, is_fhir, shape
from leader_core.exchange.strict_json import read_json
from leader_core.terminology.atc import level_of
from leader_core.terminology.icd import VERSIONS, normalise_icd, system_of

if TYPE_CHECKING:
    from leader_core.cohort import Cohort

SCHEMA: Final = "leader-case/1"
REPORT_SCHEMA: Final = "leader-report/1"
"""An exported report, which holds a case under "case"."""
LARGEST: Final = 2_000_000
"""Bytes."""
MOST_VISITS: Final = 200
MOST_CODES: Final = 1_000
"""Codes of one kind in one visit."""
LONGEST_VALUE: Final = 200
"""Characters of a profile value."""
MOST_LISTED: Final = 20
"""Problems that are listed one by one."""
SHIFTED: Final = range(2100, 2300)
"""Years of de-identified dates: MIMIC shifts each patient's, all by the same span, to begin between 2100 and 2200.

Source: Johnson et al., MIMIC-III, a freely accessible critical care database, Sci Data 2016;3:160035 (Deidentification).
"""

_KEYS: Final = ("schema", "profile", "history", "current", "patient_id")
_VISIT_KEYS: Final = (*PLURALS.values(), "admitted_at", "discharged_at", "visit_id", "visit_no")


def read_case_file(data: bytes) -> Case:
    """A case from the bytes of a file: a case file, or an exported report, whose case is taken.

    Raises:
        InputError: no JSON, or no case of this format; the text lists every problem.
    """
    record = read_json(data, "The file", LARGEST)
    if isinstance(record, dict) and record.get("schema") == REPORT_SCHEMA:
        record = record.get("case")
    return case_from_record(record, what="The file")


def read_file(
    data: bytes | Sequence[bytes],
    cohort: Cohort,
    *,
    current: str | None = None,
    patient: str | None = None,
    ndc_map: NdcMap | None = None,
) -> Imported:
    """A case from a file of any kind that can be read: a case file, an exported report, or FHIR of one patient.

    Args:
        data: the file; FHIR may come in several.
        cohort: whose codes and profile values count.
        current: chooses the encounter of FHIR.
        patient: chooses the patient of FHIR.
        ndc_map: for medications of FHIR that have no name.

    Raises:
        InputError: one sentence on why there is no case in it.
    """
    files = all_unpacked([data] if isinstance(data, bytes) else data)
    if not all(each.strip() for each in files):
        raise InputError("The file is empty. Export it again.")
    if len(files) == 1 and not is_fhir(files[0]):
        result = _read_single(files[0], cohort)
    else:
        codes = ndc_map.codes if ndc_map else None
        result = read_fhir(files, cohort, current=current, patient=patient, ndc_map=codes)
    given = len(result.case.prescribed)
    ordered = (
        f"{given} medication class{'es' if given > 1 else ''} of the current visit: what was ordered, which the models "
        "do not see."
    )
    notes = (
        *date_notes(result.case),
        *([ndc_map.note] if ndc_map and result.encounters else []),
        *result.notes,
        *([ordered] if given else []),
    )
    return replace(result, notes=notes)


def date_notes(case: Case) -> tuple[str, ...]:
    """What cannot be right about the dates of a case, a sentence each: visits after today, out of order, or that end before
    they begin.

    Dates of the years `SHIFTED` are no dates after today where all of the case are. A day is allowed for time zones.

    >>> date_notes(Case({}, (), Visit(admitted_at=datetime(2151, 1, 2))))
    ()
    """
    visits = [*enumerate((*case.history, case.current), 1)]
    begun = [(number, at.replace(tzinfo=None)) for number, visit in visits if (at := visit.admitted_at)]
    latest = datetime.now(UTC).date() + timedelta(days=1)
    late = [f"{number} on {at.date()}" for number, at in begun if at.date() > latest]
    if all(at.year in SHIFTED for _, at in begun):
        late = []
    before = [str(number) for (_, earlier), (number, at) in pairwise(begun) if at < earlier]
    ended = [
        str(n) for n, v in visits if v.admitted_at and v.discharged_at and v.discharged_at < v.admitted_at
    ]
    problems = (
        (late, "would begin after today. The order of the visits and the age rest on them."),
        (before, "would begin before the visit that stands before it. Earlier visits come first."),
        (ended, "would end before it begins."),
    )
    return tuple(
        f"Check the dates: visit{'s' if len(numbers) > 1 else ''} {', '.join(numbers[:5])}"
        f"{f' and {len(numbers) - 5} more' if len(numbers) > 5 else ''} {what}"
        for numbers, what in problems
        if numbers
    )


def _read_single(data: bytes, cohort: Cohort) -> Imported:
    """A case file or an exported report."""
    if len(data) > LARGEST:  # says what is wrong with a file that is too large to be a case
        read_json(data, "The file", LARGEST_FHIR)
    case = read_case_file(data)
    titles = {code: cohort.title(kind, code) or code for kind, code in case.codes()}
    listed = tuple(
        Listed("profile", f"{name} {value}"[:120], "is none of this cohort's values, and counts as unknown")
        for name, value in case.profile.items()
        if value not in (UNKNOWN, *cohort.profile_values(name))
    )
    return Imported(case, titles, listed, (), (), "")


def case_to_record(case: Case, *, identified: bool = False) -> dict[str, Any]:
    """A case as plain JSON values; unknown profile fields, absent dates and empty lists are left out.

    Args:
        case: any case.
        identified: also the patient's and the visits' ids and numbers.
    """
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "profile": {name: value for name, value in case.profile.items() if value != UNKNOWN},
        "history": [_visit_record(visit, identified) for visit in case.history],
        "current": _visit_record(case.current, identified),
    }
    if identified and case.patient_id is not None:
        record["patient_id"] = case.patient_id
    return record


def case_from_record(record: object, *, what: str = "The case") -> Case:
    """The inverse of `case_to_record`.

    Raises:
        InputError: listing every problem with where it stands.
    """
    reader = _CaseReader()
    case = reader.case(record)
    if reader.problems:
        more = len(reader.problems) - MOST_LISTED
        listed = "; ".join(reader.problems[:MOST_LISTED]) + (f"; and {more} more" if more > 0 else "")
        raise InputError(f"{what} cannot be read: {listed}.")
    return case


def check_code(kind: Kind, code: str) -> str:
    """What is wrong with a code as cohorts write it; empty where nothing is.

    >>> check_code("diagnosis", "ICD9:428.0"), check_code("medication", "B01A")
    ("expected 'ICD9:4280', without a dot and in capitals", '')
    """
    if kind == "medication":
        level = level_of(code)
        return "" if level in (3, 4, 5) else "expected an ATC code like B01A"
    system, _, bare = code.partition(":")
    versions = {system_of(kind, version): version for version in VERSIONS}
    if system not in versions:
        return f"expected a code that begins with {' or '.join(f'{s}:' for s in versions)}"
    proper = normalise_icd(bare, versions[system], kind)
    if proper is None:
        return f"{bare[:20]!r} has not the form of {'an' if system.startswith('I') else 'a'} {system} code"
    return "" if proper == code else f"expected {proper!r}, without a dot and in capitals"


def _visit_record(visit: Visit, identified: bool) -> dict[str, Any]:
    record: dict[str, Any] = {PLURALS[kind]: list(codes) for kind in KINDS if (codes := visit.codes(kind))}
    for name in ("admitted_at", "discharged_at"):
        if (moment := getattr(visit, name)) is not None:
            record[name] = moment.isoformat()
    if identified:
        record |= {
            name: value for name in ("visit_id", "visit_no") if (value := getattr(visit, name)) is not None
        }
    return record


class _CaseReader:
    """One pass over a record that collects what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def case(self, record: object) -> Case:
        if not isinstance(record, dict):
            self.problems.append(f"expected an object, found {shape(record)}")
            return Case()
        if record.get("schema") != SCHEMA:
            self.problems.append(f"schema {_short(record.get('schema'))}: expected {SCHEMA!r}")
            return Case()
        self._unknown(record, _KEYS, "")
        history = record.get("history", [])
        if not isinstance(history, list):
            self.problems.append(f"history: expected a list of visits, found {shape(history)}")
            history = []
        if len(history) >= MOST_VISITS:
            self.problems.append(f"history: {len(history):,} visits, expected fewer than {MOST_VISITS}")
            history = []
        if "current" not in record:
            self.problems.append("current: missing; it is the visit to recommend for")
        return Case(
            profile=self._profile(record.get("profile", {})),
            history=tuple(self._visit(visit, f"history[{i}]") for i, visit in enumerate(history)),
            current=self._visit(record.get("current", {}), "current"),
            patient_id=self._number(record, "patient_id", ""),
        )

    def _profile(self, record: object) -> dict[str, str]:
        if not isinstance(record, dict):
            self.problems.append(f"profile: expected an object, found {shape(record)}")
            return {}
        self._unknown(record, PROFILE_FIELDS, "profile.")
        profile: dict[str, str] = {}
        for name in (name for name in record if name in PROFILE_FIELDS):
            value = record[name]
            if not isinstance(value, str) or len(value) > LONGEST_VALUE or not value.isprintable():
                self.problems.append(
                    f"profile.{name} {_short(value)}: expected text of at most {LONGEST_VALUE} characters"
                )
            else:
                profile[name] = value
        return profile

    def _visit(self, record: object, where: str) -> Visit:
        if not isinstance(record, dict):
            self.problems.append(f"{where}: expected an object, found {shape(record)}")
            return Visit()
        self._unknown(record, _VISIT_KEYS, f"{where}.")
        codes = {kind: self._codes(record.get(PLURALS[kind], []), kind, where) for kind in KINDS}
        admitted, discharged = (
            self._moment(record, name, where) for name in ("admitted_at", "discharged_at")
        )
        if admitted and discharged and (admitted.tzinfo is None) != (discharged.tzinfo is None):
            self.problems.append(f"{where}: one date names a time zone and the other does not")
        return Visit.of(
            codes,
            self._number(record, "visit_id", f"{where}."),
            self._number(record, "visit_no", f"{where}."),
            admitted,
            discharged,
        )

    def _codes(self, given: object, kind: Kind, where: str) -> tuple[str, ...]:
        name = f"{where}.{PLURALS[kind]}"
        if not isinstance(given, list):
            self.problems.append(f"{name}: expected a list of codes, found {shape(given)}")
            return ()
        if len(given) > MOST_CODES:
            self.problems.append(f"{name}: {len(given):,} codes, expected at most {MOST_CODES:,}")
            return ()
        for position, code in enumerate(given):
            if not isinstance(code, str):
                self.problems.append(f"{name}[{position}]: expected a code as text, found {shape(code)}")
            elif problem := check_code(kind, code):
                self.problems.append(f"{name}[{position}] {_short(code)}: {problem}")
        return tuple(code for code in given if isinstance(code, str))

    def _moment(self, record: dict[str, Any], name: str, where: str) -> datetime | None:
        value = record.get(name)
        if value is None:
            return None
        try:
            return datetime.fromisoformat(value)
        except (TypeError, ValueError):
            self.problems.append(
                f"{where}.{name} {_short(value)}: expected a date and time like 2119-03-07T14:30:00"
            )
            return None

    def _number(self, record: dict[str, Any], name: str, where: str) -> int | None:
        value = record.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            self.problems.append(f"{where}{name} {_short(value)}: expected a whole number from 0")
            return None
        return value

    def _unknown(self, record: dict[str, Any], known: tuple[str, ...], where: str) -> None:
        for name in sorted(set(record) - set(known)):
            self.problems.append(f"{where}{name[:40]} is not known: expected any of {', '.join(known)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 42 else f"{text[:40]}…"
