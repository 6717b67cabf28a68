"""Encounters as stays: parts belong to the outermost stay, and encounters that overlap are one stay.

The rule for kinds of encounters, which `RULE` states for the reader:
a hospital or emergency encounter is a visit; an outpatient one is not, unless it records an admission, lies within a
stay, or the file has no stay at all.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate
from operator import itemgetter
from typing import Any, Final, Literal

from leader_core.domain import KINDS, Kind, Visit
from leader_core.exchange.fhir_file import FhirFile, Resource, items, word
from leader_core.exchange.fhir_terms import Span, When, span_of

RULE: Final = (
    "Hospital and emergency encounters are visits. An outpatient encounter is one only if it records an admission or "
    "discharge, lies within a stay, or the file has no stay at all."
)

Setting = Literal["hospital", "emergency", "outpatient"]
_SETTINGS: Final[Mapping[str, Setting]] = {
    "imp": "hospital", "acute": "hospital", "nonac": "hospital", "obsenc": "hospital", "ss": "hospital",
    "inpatient": "hospital", "emer": "emergency", "emergency": "emergency", "amb": "outpatient", "vr": "outpatient",
    "hh": "outpatient", "fld": "outpatient", "prenc": "outpatient", "outpatient": "outpatient",
    "ambulatory": "outpatient", "home": "outpatient", "field": "outpatient", "daytime": "outpatient",
    "virtual": "outpatient",
}  # fmt: skip
"""Codes of v3-ActEncounterCode, and those of DSTU2."""
_SETTING_WORDS: Final[tuple[tuple[str, Setting], ...]] = (
    ("emerg", "emergency"),
    ("outpatient", "outpatient"),
    ("ambulat", "outpatient"),
    ("office", "outpatient"),
    ("appointment", "outpatient"),
    ("telephone", "outpatient"),
    ("virtual", "outpatient"),
    ("home", "outpatient"),
)
_RANK: Final[Mapping[Setting, int]] = {"hospital": 0, "emergency": 1, "outpatient": 2}
_BEFORE_ADMISSION: Final = 6 * 3600
"""Seconds that an emergency encounter may end before the stay that it leads to."""
_EMERGENCY_VISIT: Final = 48 * 3600
"""Seconds that such an emergency encounter lasts at most; a longer one is a stay. Also where its end is not said."""
_DEEPEST: Final = 20
"""Encounters that `partOf` is followed through."""
_FOREVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class PendingCondition:
    """A condition of a visit that has words, or a code that is not used here, in place of a code that is."""

    resource: Resource
    text: str
    code: str  # of WHO's ICD-10 or a national edition, else empty
    reason: str


@dataclass(slots=True, eq=False)
class Stay:
    """One visit on its way: the encounters that form it, and the codes that they bring."""

    label: str
    setting: Setting
    span: Span  # of the encounter that it is named after
    reach: Span  # of all its encounters
    main: Resource | None  # None where the file has no encounter
    parts: list[Resource] = field(default_factory=list)  # other encounters of the stay
    codes: dict[Kind, dict[str, int]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    """Code -> rank, in the order they came."""
    pending: list[PendingCondition] = field(default_factory=list)
    reported: list[Resource] = field(default_factory=list)  # statements of what the patient takes

    def visit(self, number: int) -> Visit:
        codes = {kind: tuple(sorted(own, key=own.__getitem__)) for kind, own in self.codes.items()}
        start, end = self.span.start, self.span.end
        return Visit.of(codes, None, number, start.local if start else None, end.local if end else None)

    @property
    def empty(self) -> bool:
        return not any(self.codes.values()) and not self.pending and not self.reported

    @property
    def began(self) -> float:
        """Seconds since 1970; far in the past where it is not said."""
        return self.reach.start.instant if self.reach.start else -_FOREVER

    @property
    def ended(self) -> float:
        """The same for the end; of one that has no end, its beginning, unless it lasts."""
        if self.reach.lasting:
            return _FOREVER
        return max(self.reach.end.instant, self.began) if self.reach.end else self.began

    def overlaps(self, other: Stay) -> bool:
        """Whether both lasted at the same moment; one that ends as the other begins does not overlap it."""
        if self.reach.start is None or other.reach.start is None:
            return False
        first, second = sorted((self, other), key=lambda stay: (stay.began, stay.ended))
        return second.began < first.ended or first.began == second.began


@dataclass(slots=True)
class SortedStays:
    """A file's encounters, sorted into visits and outpatient encounters that are none."""

    visits: list[Stay]
    outside: list[Stay]
    by_encounter: dict[int, Stay]  # id() of an encounter's Resource -> its stay
    notes: list[str]


def find_stays(file: FhirFile, encounters: Iterable[Resource]) -> SortedStays:
    """The visits of a file's true encounters, not ordered."""
    groups = _groups(file, list(encounters))
    notes: list[str] = []
    inside = [stay for stay in groups if stay.setting != "outpatient"]
    outside = [stay for stay in groups if stay.setting == "outpatient"]
    inside = _merge_overlapping(inside, notes)
    if not inside and outside:
        notes.append("The file has no hospital stay: its outpatient encounters are taken as visits.")
        inside, outside = outside, []
    else:
        dated = [stay for stay in inside if stay.reach.start is not None]
        ends = [stay.ended for stay in dated]
        hosts = [(stay, _within(stay, dated, ends)) for stay in outside]
        for stay, host in hosts:
            if host is not None and stay.main is not None:
                host.parts += [stay.main, *stay.parts]
        outside = [stay for stay, host in hosts if host is None]
    parts = sum(len(stay.parts) for stay in inside)
    if parts:
        notes.append(
            f"{parts} encounters inside a stay, or overlapping it, belong to that stay."
            if parts > 1
            else "One encounter inside a stay, or overlapping it, belongs to that stay."
        )
    by_encounter = {
        id(resource): stay
        for stay in (*inside, *outside)
        for resource in (stay.main, *stay.parts)
        if resource is not None
    }
    return SortedStays(inside, outside, by_encounter, notes)


def setting_of(data: Mapping[str, Any]) -> Setting:
    """What kind of place an encounter was at; a hospital where it does not say.

    >>> setting_of({"class": {"code": "AMB"}}), setting_of({}), setting_of({"class": [{"coding": [{"code": "EMER"}]}]})
    ('outpatient', 'hospital', 'emergency')
    """
    stated: Setting = "hospital"
    for each in items(data.get("class")):
        for coding in (each, *items(each.get("coding"))):
            code, words = word(coding.get("code")).lower(), word(coding.get("display")).lower()
            known = _SETTINGS.get(code) or next((s for part, s in _SETTING_WORDS if part in words), None)
            if known is not None:
                stated = known
    admitted = any(items(data.get("hospitalization")))
    return "hospital" if stated == "outpatient" and admitted else stated


def _groups(file: FhirFile, encounters: list[Resource]) -> list[Stay]:
    """Encounters that are part of each other, as one stay each."""
    true = {id(resource) for resource in encounters}
    grouped: dict[object, list[tuple[int, Resource]]] = {}
    for resource in encounters:
        chain, top = _chain(file, resource, true)
        inner = [n for n, each in enumerate(chain) if setting_of(each.data) != "outpatient"]
        depth = inner[-1] if inner else len(chain) - 1
        key = id(chain[depth]) if top is None or depth < len(chain) - 1 else top
        grouped.setdefault(key, []).append((depth, resource))
    return [
        _stay([resource for _, resource in sorted(group, key=itemgetter(0))]) for group in grouped.values()
    ]


def _chain(file: FhirFile, resource: Resource, true: set[int]) -> tuple[list[Resource], object]:
    """An encounter and those that it is part of, outwards.

    Also what the outermost is known by, where that is not itself: a reference to an encounter that is not in the file,
    which several may name, or one encounter of a circle.
    """
    chain = [resource]
    while len(chain) < _DEEPEST:
        reference = next(iter(items(chain[-1].data.get("partOf"))), None)
        parent = file.find(reference)
        if parent is None or id(parent) not in true:
            return chain, (word(reference.get("reference")) or None) if reference is not None else None
        if any(parent is each for each in chain):
            circle = chain[next(n for n, each in enumerate(chain) if each is parent) :]
            first = min(circle, key=lambda each: (setting_of(each.data) == "outpatient", each.label))
            return chain, id(first)
        chain.append(parent)
    return chain, None


def _stay(members: list[Resource]) -> Stay:
    """One stay of encounters, the outermost first, which gives it name, kind and time."""
    spans = [_span(each) for each in members]
    reach = _union(spans)
    span = spans[0] if spans[0].start is not None else reach
    return Stay(members[0].label, setting_of(members[0].data), span, reach, members[0], members[1:])


def _span(resource: Resource) -> Span:
    span = span_of(resource.data)
    return Span(
        span.start, span.end, lasting=span.end is None and resource.data.get("status") == "in-progress"
    )


def _union(spans: list[Span]) -> Span:
    starts = [span.start for span in spans if span.start is not None]
    ends = [span.end for span in spans if span.end is not None]
    lasting = any(span.lasting for span in spans)
    return Span(
        min(starts, key=lambda when: when.instant) if starts else None,
        max(ends, key=lambda when: when.instant) if ends and not lasting else None,
        lasting,
    )


def _merge_overlapping(stays: list[Stay], notes: list[str]) -> list[Stay]:
    """Stays, those that lasted at the same time as one; an emergency encounter joins the stay that it led to."""
    result: list[Stay] = []
    for stay in sorted(stays, key=lambda s: (s.began, s.ended)):
        joined = stay
        if result and _one_stay(result[-1], stay):  # what lies before the last ended before the last began
            first, second = sorted((result.pop(), stay), key=lambda s: (s.began - s.ended, _RANK[s.setting]))
            notes.append(f"{second.label} overlaps {first.label} or led to it: they are one stay.")
            inner = [each for each in (second.main, *second.parts) if each is not None]
            reach = _union([first.reach, second.reach])
            joined = Stay(first.label, first.setting, first.span, reach, first.main, [*first.parts, *inner])
        result.append(joined)
    return result


def _one_stay(earlier: Stay, later: Stay) -> bool:
    if earlier.overlaps(later):
        return True
    if earlier.setting != "emergency" or earlier.parts or earlier.reach.start is None:
        return False
    end = earlier.reach.end
    if end is None:
        return 0 <= later.began - earlier.began <= _EMERGENCY_VISIT
    last = end.instant + (end.until - end.local).total_seconds()  # of the day, where only that is known
    return earlier.ended - earlier.began <= _EMERGENCY_VISIT and later.began - last <= _BEFORE_ADMISSION


def _within(stay: Stay, hosts: Sequence[Stay], ends: Sequence[float]) -> Stay | None:
    """The stay that an outpatient encounter lies within; `hosts` are in time order, none overlaps another."""
    place = bisect_left(ends, stay.ended)
    if stay.reach.start is None or place == len(hosts) or hosts[place].began > stay.began:
        return None
    return hosts[place]


class StayCalendar:
    """Stays by calendar day, so that a date is compared with few of thousands."""

    def __init__(self, stays: Iterable[Stay]) -> None:
        dated = [(stay.reach.start.local.date(), stay) for stay in stays if stay.reach.start is not None]
        self._stays = [stay for _, stay in sorted(dated, key=itemgetter(0))]
        self._first = sorted(day for day, _ in dated)
        self._last = list(accumulate(map(_last_day, self._stays), max))  # of the stays up to each

    def holding(self, when: When) -> list[Stay]:
        """The stays that a moment falls into."""
        begin = bisect_left(self._last, when.local.date())
        end = bisect_right(self._first, when.until.date())
        return [stay for stay in self._stays[begin:end] if stay.reach.holds(when)]


def _last_day(stay: Stay) -> date:
    last = stay.reach.end or stay.reach.start
    return date.max if stay.reach.lasting or last is None else last.until.date()
