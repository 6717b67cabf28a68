"""Which visit each clinical resource of a FHIR file belongs to, what lasts beyond visits, and what is left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Final

from leader_core.domain import Kind
from leader_core.errors import InputError
from leader_core.exchange.fhir_conditions import (
    is_active,
    on_problem_list,
    read_codes,
    refuted,
    words_for_list,
)
from leader_core.exchange.fhir_file import WHAT, FhirFile, Resource, items, untrue, word
from leader_core.exchange.fhir_medications import MedicationReader, given_elsewhere, not_given, reported
from leader_core.exchange.fhir_patient import read_profile
from leader_core.exchange.fhir_stays import (
    RULE,
    PendingCondition,
    SortedStays,
    Stay,
    StayCalendar,
    find_stays,
)
from leader_core.exchange.fhir_terms import Span, span_of
from leader_core.exchange.resolve import Resolver, Unresolved

if TYPE_CHECKING:
    from leader_core.cohort import Cohort

_MEDICATIONS: Final = ("MedicationRequest", "MedicationStatement", "MedicationAdministration")
_UNRANKED: Final = 10**6
"""The rank of a code that no encounter ranks."""
_FURTHER_PAGES: Final = (
    "The file is one page of several: it links a next page, which is not here. Give all pages at once."
)
_NOWHERE: Final = Span(None, None)


class Placing:
    """Which visit each clinical resource of a file belongs to, or why to none."""

    def __init__(
        self, file: FhirFile, patient: Resource | None, cohort: Cohort, ndc_map: Mapping[str, str]
    ) -> None:
        self.file = file
        self.titles: dict[str, str] = {}
        self._patient = patient
        self._resolver = Resolver(cohort)
        self._medications = MedicationReader(file, self._resolver, ndc_map)
        self._notes: list[str] = []
        self._not_done: Counter[str] = Counter()  # kind of what was meant and not done -> how many
        self._on_hold = 0
        self._problems: list[Resource] = []
        self._home: list[Resource] = []
        self._stays = self._find_stays()
        self._visits = frozenset(self._stays.visits)
        self._calendar = StayCalendar(self._stays.visits)
        self._ranks = self._find_ranks()

    def place_all(self) -> None:
        """Every condition, procedure and medication to its visit, to what lasts, or on the list."""
        for resource in self.file.resources["Condition"]:
            if not self._refused(resource, refuted(resource)):
                self._place_condition(resource)
        for resource in self.file.resources["Procedure"]:
            if not self._refused(resource, untrue(resource)):
                stay, why = self._stay_of(resource)
                if stay is not None and stay in self._visits:
                    self._add(resource, "procedure", stay)
                else:
                    self._list(resource, why or "was done at an outpatient encounter")
        for kind in _MEDICATIONS:
            for resource in self.file.resources[kind]:
                noun, reason = not_given(resource)
                if not self._refused(resource, reason):
                    self._place_medication(resource)
                else:
                    self._not_done[noun] += bool(noun)

    # Encounters

    def _find_stays(self) -> SortedStays:
        encounters = self.file.resources["Encounter"]
        true = [each for each in encounters if not self._refused(each, untrue(each))]
        if encounters and not true:
            reason = next(i.reason for i in self.file.listed if i.resource == encounters[0].label)
            many = (
                "the only encounter" if len(encounters) == 1 else f"each of the {len(encounters)} encounters"
            )
            raise InputError(
                f"{WHAT} has no visit: {many} is no visit of its patient ({reason}). Export encounters that took place."
            )
        if not true:
            self._notes.append(
                "There is no encounter in the file: all that is in it is taken as one visit, today's."
            )
            whole = Stay("the whole file", "hospital", _NOWHERE, _NOWHERE, None)
            return SortedStays([whole], [], {}, [])
        stays = find_stays(self.file, true)
        self._notes += stays.notes
        for stay in stays.outside:
            self.file.leave_out(stay.label, "", "is an outpatient encounter, and no visit")
        return stays

    def _find_ranks(self) -> dict[str, tuple[Stay, int]]:
        """Condition or procedure -> the stay that lists it as a diagnosis, and at which rank."""
        ranks: dict[str, tuple[Stay, int]] = {}
        for stay in (*self._stays.visits, *self._stays.outside):
            listed = [
                d for e in (stay.main, *stay.parts) if e is not None for d in items(e.data.get("diagnosis"))
            ]
            for position, item in enumerate(listed, 1):
                rank = item.get("rank")
                for reference in items(item.get("condition")):
                    named = self.file.find(reference) or self.file.find(reference.get("reference"))
                    if named is not None:
                        usable = isinstance(rank, int) and 0 < rank < _UNRANKED
                        ranks.setdefault(named.label, (stay, rank if usable else position))  # type: ignore[arg-type]
        return ranks

    def ordered_visits(self) -> list[Stay]:
        """Visits with at least one code or condition, in time order; the others are listed.

        The last counts without any where problems that last will join it: a patient who has just been admitted.
        """
        every = sorted(
            self._stays.visits, key=lambda stay: stay.span.start.instant if stay.span.start else -inf
        )
        filled = [stay for stay in every if not stay.empty]
        if not filled or (self._problems and every[-1].empty):
            filled.append(every[-1])
        for stay in every:
            if stay not in filled:
                self.file.leave_out(
                    stay.label, "", "has no diagnosis, procedure or medication that can be read"
                )
        undated = [stay.label for stay in filled if stay.span.start is None and stay.main is not None]
        if undated and len(filled) > 1:
            self._notes.append(
                f"Without a date that can be read, and therefore taken as the earliest: {', '.join(undated)}."
            )
        return filled

    def history_of(self, today: Stay, visits: Sequence[Stay]) -> list[Stay]:
        """The visits before the chosen one, with what was reported there; those that overlap it are left out."""
        history: list[Stay] = []
        later = False
        for stay in visits:
            later = later or stay is today
            if stay is today:
                continue
            if stay.overlaps(today):
                self.file.leave_out(
                    stay.label, "", "overlaps the chosen encounter, and is therefore no history"
                )
            elif later:
                self.file.leave_out(
                    stay.label, "", "is later than the chosen encounter, which cannot know it"
                )
            else:
                for resource in stay.reported:
                    self._add(resource, "medication", stay)
                history.append(stay)
        return history

    def _refused(self, resource: Resource, reason: str) -> bool:
        """Lists what did not happen, or is about somebody else."""
        subject = next(iter(items(resource.data.get("subject"))), {})
        reference = word(subject.get("reference"))
        if reason:
            self._list(resource, reason)
        elif self._patient is None or not reference or reference.startswith("#"):
            return False
        elif self.file.find(subject) is not self._patient:
            self._list(resource, f"is about {reference[:60]}, who is not the patient of the file")
        else:
            return False
        return True

    def _list(self, resource: Resource, reason: str) -> None:
        medication = resource.kind in _MEDICATIONS
        self.file.leave_out(
            resource.label,
            self._medications.words(resource) if medication else words_for_list(resource),
            reason,
        )

    def _stay_of(self, resource: Resource, *, dated: bool = True) -> tuple[Stay | None, str]:
        """The stay of the encounter that a resource names, or else the one in whose time it falls; or why none."""
        if not self._stays.by_encounter:
            return self._stays.visits[0], ""
        reference = next(iter(items(resource.data.get("encounter"))), None)
        named = self.file.find(reference)
        if named is not None and id(named) in self._stays.by_encounter:
            return self._stays.by_encounter[id(named)], ""
        if resource.label in self._ranks:
            return self._ranks[resource.label][0], ""
        why = "names an encounter that is not in the file, and" if reference else "names no encounter, and"
        when = span_of(resource.data).start if dated else None
        if when is None:
            return None, f"{why} has no date to say which visit it belongs to"
        holding = self._calendar.holding(when)
        if len(holding) > 1:
            holding = [stay for stay in holding if stay.began <= when.instant <= stay.ended]
        if len(holding) != 1:
            return None, f"{why} its date falls into {'several encounters' if holding else 'no encounter'}"
        return holding[0], ""

    # Conditions

    def _place_condition(self, resource: Resource) -> None:
        stay, why = self._stay_of(resource, dated=not on_problem_list(resource))
        active = is_active(resource)
        if stay is not None and stay.main is None and active is False:
            self._list(resource, "is no longer active")
        elif stay in self._visits:
            self._add(resource, "diagnosis", stay)
        elif active or (active is None and stay is None and on_problem_list(resource)):
            self._problems.append(resource)
        elif active is False:
            self._list(resource, "belongs to no visit, and is no longer active")
        else:
            self._list(resource, why or "was noted at an outpatient encounter, and is not said to be active")

    def add_problems(self, today: Stay) -> tuple[str, ...]:
        """Add the problems that last to the chosen visit; the codes that were not among its diagnoses before."""
        before = set(today.codes["diagnosis"])
        for resource in self._problems:
            start, end = span_of(resource.data).start, today.reach.end or today.reach.start
            if start is not None and end is not None and not today.reach.lasting and start.local > end.until:
                self._list(resource, "was noted after the chosen encounter")
            else:
                self._add(resource, "diagnosis", today)
        return tuple(code for code in today.codes["diagnosis"] if code not in before)

    # Medications

    def _place_medication(self, resource: Resource) -> None:
        statement = resource.kind == "MedicationStatement"
        active = resource.data.get("status") in ("active", None)
        stay, why = self._stay_of(resource, dated=not (statement and active))
        if reported(resource):
            if stay in self._visits and not (stay is not None and stay.main is None):
                stay.reported.append(resource)
            elif active:
                self._home.append(resource)
            else:
                self._list(resource, "is no longer taken, and belongs to no visit")
            return
        elsewhere = given_elsewhere(resource)
        outside = stay is None or stay not in self._visits
        if outside and active and resource.kind == "MedicationRequest" and (elsewhere or stay is not None):
            self._home.append(resource)  # prescribed outside the hospital, and still in use
        elif stay is None:
            self._list(resource, why)
        elif outside or (elsewhere and stay.setting != "outpatient"):
            kind = elsewhere or "outpatient"
            self._not_done[f"{kind} prescriptions"] += 1
            self._list(
                resource, f"is {'an' if kind[0] == 'o' else 'a'} {kind} prescription, not ordered in the stay"
            )
        else:
            self._on_hold += resource.data.get("status") == "on-hold"
            self._add(resource, "medication", stay)

    def home_medicines(self, today: Stay) -> tuple[str, ...]:
        """The classes of what the patient took when the chosen visit began."""
        home = Stay("home", "outpatient", _NOWHERE, _NOWHERE, None)
        admitted = today.reach.start
        for resource in (*self._home, *today.reported):
            span = span_of(resource.data)
            if resource.data.get("status") not in ("active", None):
                self._list(resource, "is no longer taken")
            elif admitted and span.end and span.end.until.date() < admitted.local.date():
                self._list(resource, "ended before the chosen encounter")
            elif admitted and span.start and span.start.local.date() > admitted.until.date():
                self._list(resource, "was begun or noted after admission, and may be of the stay itself")
            else:
                self._add(resource, "medication", home)
        return home.visit(1).medications

    # Codes, profile, notes

    def _add(self, resource: Resource, kind: Kind, stay: Stay) -> None:
        """Add a resource's code to a visit, or list why it has none."""
        answer = (
            self._medications.read(resource)
            if kind == "medication"
            else read_codes(resource, kind, self._resolver)
        )
        if isinstance(answer, Unresolved):
            self._list(resource, answer.reason)
        elif isinstance(answer, PendingCondition):
            stay.pending.append(answer)
        else:
            rank = self._ranks.get(resource.label, (None, _UNRANKED))[1]
            for match in answer:
                stay.codes[kind].setdefault(match.code, rank)
                self.titles[match.code] = match.title

    def profile(self, today: Stay, cohort: Cohort) -> dict[str, str]:
        admitted = today.span.start.local if today.span.start else None
        coverages = self.file.resources["Coverage"]
        profile, missed = read_profile(self._patient, coverages, today.main, admitted, cohort)
        self.file.listed += missed
        return profile

    def all_notes(self, today: Stay, problems: Sequence[str], home: Sequence[str]) -> list[str]:
        """Every decision that was taken, for the reader."""
        file, stays = self.file, self._stays
        not_done = ", ".join(f"{noun} {number}" for noun, number in sorted(self._not_done.items()))
        ignored = ", ".join(f"{number} {kind}" for kind, number in sorted(file.ignored.items()))
        classes = f"{len(home)} class{'es' if len(home) > 1 else ''}"
        notes = (
            (file.further_pages, _FURTHER_PAGES),
            (
                file.versions,
                f"Written as FHIR {' and '.join(sorted(file.versions))}, and read as R4 means it.",
            ),
            *((True, note) for note in self._notes),
            (stays.outside or any(stay.setting != "hospital" for stay in stays.visits), RULE),
            (not_done, f"Left out as not given or ordered in the stay: {not_done}."),
            (self._on_hold, f"Orders on hold, taken as ordered: {self._on_hold}."),
            (problems, f"Active problems that belong to no stay join the current visit: {len(problems)}."),
            (home, f"Medicines taken at home, before admission, are the last earlier visit: {classes}."),
            (ignored, f"Not read, because no case holds such things: {ignored}."),
        )
        return [note for applies, note in notes if applies]
