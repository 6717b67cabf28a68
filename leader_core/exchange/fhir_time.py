"""FHIR's dates and periods: as written, as wall-clock time, and as an instant to order by.

Refuses to know which resource they stand in.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(T.+)?)?)?")
_MOMENTS: Final = (
    "performedDateTime",
    "authoredOn",
    "effectiveDateTime",
    "recordedDate",
    "onsetDateTime",
    "dateAsserted",
)
_PERIODS: Final = ("period", "performedPeriod", "effectivePeriod", "onsetPeriod")


@dataclass(frozen=True, slots=True)
class When:
    """A moment, or a day, month or year where no more is known."""

    text: str
    local: datetime  # wall-clock time where it was written, without a zone; the start of a day, month or year
    until: datetime  # the same; the last moment of the day, month or year
    instant: float  # seconds since 1970, to order by


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when; None where it is not said."""

    start: When | None
    end: When | None
    lasting: bool = False  # it has begun and not ended

    def holds(self, when: When) -> bool:
        """Whether a moment falls into it, by calendar days: a stay is open on its first and last day."""
        if self.start is None:
            return False
        end = self.end or self.start
        if self.lasting:
            return self.start.local.date() <= when.until.date()
        return self.start.local.date() <= when.until.date() and when.local.date() <= end.until.date()


def span_of(data: Mapping[str, Any]) -> Span:
    """When a resource took place: its period, else its moment."""
    for name in _PERIODS:
        period = data.get(name)
        if isinstance(period, Mapping) and (period.get("start") or period.get("end")):
            return Span(read_when(period.get("start")), read_when(period.get("end")))
    for name in _MOMENTS:
        if (when := read_when(data.get(name))) is not None:
            return Span(when, None)
    return Span(None, None)


def read_when(value: object) -> When | None:
    """A FHIR date or dateTime; None for anything else.

    >>> read_when("2119-03").local, read_when("2119-03-07T23:30:00-05:00").local
    (datetime.datetime(2119, 3, 1, 0, 0), datetime.datetime(2119, 3, 7, 23, 30))
    >>> read_when("soon") is None
    True
    """
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not isinstance(value, str):
        return None
    year, month, day, time = match.groups()
    try:
        if time:
            moment = datetime.fromisoformat(value)
            local = moment.replace(tzinfo=None)
            instant = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
            return When(value, local, local, instant)
        first = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
        days = 1 if day else calendar.monthrange(first.year, first.month)[1] if month else 365
        until = first + timedelta(days=days, seconds=-1)
    except (ValueError, OverflowError):
        return None
    return When(value, first.replace(tzinfo=None), until.replace(tzinfo=None), first.timestamp())
