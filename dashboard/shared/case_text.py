"""A case in words: its profile, its visits with what is new and what was stopped, and codes that a model does not know."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from dashboard.shared import comparison, wording
from dashboard.shared.formatting import count, day, gap, listing, stay, words
from leader_core import UNKNOWN, Case, Order, UnseenCode, Visit
from leader_core.domain import EquivalentCode, Kind
from leader_core.interactions import clinical_rules
from leader_core.interactions.conditions import condition_rules, duplication_rules
from leader_core.terminology.chapters import conditions_first

Coded = tuple[str, str]
"""A code's title and the code; both are the same where no table knows a title."""


@dataclass(frozen=True, slots=True)
class VisitText:
    """One visit, in words."""

    number: int  # of the patient's visits, from 1
    dated: bool
    heading: str  # the day, or the visit's number
    stay: str  # how long; empty where it is not known
    gap: str  # time since the visit before; empty where it is not known
    current: bool  # the visit that the case is about
    diagnoses: tuple[Coded, ...]
    procedures: tuple[Coded, ...]
    medications: tuple[Coded, ...]
    new: frozenset[str]  # medication codes that the visit before had not
    stopped: tuple[Coded, ...]  # medications that only the visit before had

    @property
    def detail(self) -> str:
        """What stands behind the heading."""
        parts = (
            f"visit {self.number}" if self.dated else "",
            self.stay,
            f"{self.gap} after the visit before" if self.gap else "",
            "this case" if self.current else "",
        )
        return " · ".join(part for part in parts if part)


def visit_texts(case: Case, titles: Callable[[Kind, str], str]) -> list[VisitText]:
    """The visits of a case, newest first."""
    visits = [*case.history, case.current]
    return [
        _visit(visit, visits[i - 1] if i else None, titles, i + 1, current=i == len(visits) - 1)
        for i, visit in reversed(list(enumerate(visits)))
    ]


def _visit(
    visit: Visit, before: Visit | None, titles: Callable[[Kind, str], str], number: int, *, current: bool
) -> VisitText:
    def coded(kind: Kind, codes: Sequence[str]) -> tuple[Coded, ...]:
        return tuple((titles(kind, code), code) for code in codes)

    new: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    if before is not None and visit.medications:
        new, stopped = comparison.changes(before.medications, visit.medications)
    return VisitText(
        number=visit.visit_no or number,
        dated=visit.admitted_at is not None,
        heading=day(visit.admitted_at) if visit.admitted_at else f"Visit {number}",
        stay=stay(visit.admitted_at, visit.discharged_at),
        gap=gap(before.discharged_at or before.admitted_at, visit.admitted_at) if before else "",
        current=current,
        diagnoses=coded("diagnosis", conditions_first(visit.diagnoses)),
        procedures=coded("procedure", visit.procedures),
        medications=coded("medication", visit.medications),
        new=frozenset(new),
        stopped=coded("medication", stopped),
    )


def profile_facts(case: Case, fields: Sequence[str]) -> list[tuple[str, str]]:
    """The profile's fields in words; a field that was not recorded says so."""
    names = [name for name in fields if name in wording.FIELD_LABELS]
    return [(wording.FIELD_LABELS[name], profile_value(name, case.profile[name])) for name in names]


def profile_value(name: str, value: str, missing: str = "not recorded") -> str:
    """A profile field's value as a person reads it.

    >>> profile_value("gender", "F"), profile_value("insurance", "MEDICARE"), profile_value("gender", UNKNOWN)
    ('Female', 'Medicare', 'not recorded')
    """
    if value in ("", UNKNOWN):
        return missing
    return wording.GENDER_LABELS.get(value, words(value)) if name == "gender" else words(value)


def profile_read(fields: Sequence[str]) -> str:
    """Which profile fields the student reads, in a sentence."""
    if not fields:
        return wording.STUDENT_PROFILE_NONE
    return wording.STUDENT_PROFILE.format(fields=listing(wording.FIELD_LABELS[f].lower() for f in fields))


_ALLERGY: Final = re.compile(r"ICD9:(V14|V150)|ICD10:(Z88|Z910)")
"""ICD-9 V14 and V15.0, ICD-10 Z88 and Z91.0: allergy to drugs, and to other things."""
_ALLERGY_WORDS: Final = re.compile(r"(?i)^(personal history of )?allergy (status )?to | status$")
_UNSPECIFIC: Final = re.compile(
    r"(?i)(,( organism| site| type)?| of)? (unspecified( organism| site| type)?|not elsewhere classified"
    r"|not stated as uncontrolled|NOS|NEC)$"
)


def allergies(case: Case, titles: Callable[[Kind, str], str]) -> tuple[Coded, ...]:
    """What the patient is allergic to, as coded at this visit or an earlier one: (to what, code)."""
    codes = dict.fromkeys(c for visit in (case.current, *case.history) for c in visit.diagnoses)
    return tuple(
        (_ALLERGY_WORDS.sub("", titles("diagnosis", code)), code) for code in codes if _ALLERGY.match(code)
    )


def short_title(title: str) -> str:
    """A diagnosis without the words that say only how it was coded.

    >>> short_title("Congestive heart failure, unspecified"), short_title("Pneumonia, organism unspecified")
    ('Congestive heart failure', 'Pneumonia')
    >>> short_title("ST elevation (STEMI) myocardial infarction of unspecified site")
    'ST elevation (STEMI) myocardial infarction'
    """
    return _UNSPECIFIC.sub("", title)


def short_titles(titles: Callable[[Kind, str], str]) -> Callable[[Kind, str], str]:
    """The same titles without such words."""
    return lambda kind, code: short_title(titles(kind, code))


def person(case: Case, age: int | None = None) -> str:
    """Age and sex in words: in years where `age` is given, else the band."""
    gender = wording.GENDER_LABELS.get(case.profile["gender"], "")
    if age is not None:
        return f"{gender or 'Sex not given'}, {count(age, 'year')}"
    age_band = case.profile["age_band"]
    if age_band == UNKNOWN:
        return f"{gender}, age not given" if gender else "age and sex not given"
    return f"{gender or 'Sex not given'}, {age_band} years"


def case_summary(case: Case, *, recorded: bool, admission: bool = False, age: int | None = None) -> str:
    """Person and visit in one line.

    Args:
        case: the case.
        recorded: it is a visit of the cohort; else somebody entered it.
        admission: with the kind of admission of a recorded visit.
        age: in years, where it is known.
    """
    if not recorded:
        visits = count(len(case.history), "earlier visit") if case.history else "first visit"
        return f"{person(case)} · {visits} · not in the cohort"
    current, kind = case.current, case.profile["admission_type"]
    parts = (
        person(case, age),
        f"visit {current.visit_no or len(case.history) + 1}",
        f"admitted {day(current.admitted_at)}" if current.admitted_at else "",
        stay(current.admitted_at, current.discharged_at),
        words(kind).lower() if admission and kind != UNKNOWN else "",
    )
    return " · ".join(part for part in parts if part)


def unseen_sentence(name: str, unseen: Sequence[UnseenCode]) -> str:
    """Which codes a model does not know, and whether it read their titles instead."""
    return " ".join(f"{claim}: {codes}." for claim, codes in unseen_claims(name, unseen))


def unseen_claims(name: str, unseen: Sequence[UnseenCode], *, coded: bool = True) -> list[tuple[str, str]]:
    """What to say of the codes that were not read, and of those read by title: the claim, and the titles, `coded` or not."""
    claims: list[tuple[str, str]] = []
    for by_title, text in (
        (False, "The {name} does not know {codes} of this case and did not read {them}"),
        (True, "The {name} never saw {codes} of this case in training and read only the {titles}"),
    ):
        members = [each for each in unseen if each.by_title is by_title]
        if not members:
            continue
        one = len(members) == 1
        claim = text.format(
            name=name,
            codes=count(len(members), "code"),
            them="it" if one else "them",
            titles="title" if one else "titles",
        )
        codes = listing(
            f"{u.title} ({u.code})" if coded and u.title != u.code else u.title for u in members[:5]
        )
        claims.append((claim, codes + (f" and {len(members) - 5} more" if len(members) > 5 else "")))
    return claims


def read_as_lines(codes: Sequence[EquivalentCode]) -> list[str]:
    """Codes that a model reads through their equivalents in ICD-10-CM, a line each."""
    return [
        f"{each.title} ({each.code}): read as "
        f"{listing(f'{t} ({c})' for t, c in zip(each.titles, each.read_as, strict=True))}"
        for each in codes
    ]


def tables_cover() -> str:
    """What the interaction tables hold, and that absence from them proves nothing."""
    rules = len(clinical_rules()) + len(condition_rules()) + len(duplication_rules())
    works = {part.strip() for rule in clinical_rules() for part in rule.source.split(";")}
    return wording.TABLES_COVER.format(rules=f"{rules:,}", works=f"{len(works):,}")


def ordered_drugs(orders: Sequence[Order]) -> dict[str, str]:
    """The hospital's own drug strings by class: "Warfarin PO (3 orders), Heparin SC"."""
    by_class: dict[str, list[str]] = {}
    for order in sorted(orders, key=lambda o: (o.code, -o.orders, o.drug)):
        route = f" {order.route}" if order.route and order.route.lower() != "unknown" else ""
        times = f" ({count(order.orders, 'order')})" if order.orders > 1 else ""
        by_class.setdefault(order.code, []).append(f"{order.drug}{route}{times}")
    return {code: listing(names) for code, names in by_class.items()}
