"""Sex and age in a search: "women", "68F", "over 70", "between 60 and 70", "elderly man", "children".

Words that also stand in titles of codes ("male", "elderly", "child") mean a person where no title has them with the words
after them: `person_of_word` reads those, `PHRASE` what is never part of a title.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

OLDEST: Final = 120
"""In years; a larger number is no age."""

_FEMALE: Final = r"females?|wom[ae]n|lad(?:y|ies)|girls?"
_MALE: Final = r"males?|m[ae]n|gentlem[ae]n|boys?"
_ELDERLY: Final = (65, OLDEST)
"""As in the AGS Beers Criteria: adults of 65 years and older."""
_CHILD: Final = (0, 17)
"""Below 18 years, as in the UN Convention on the Rights of the Child."""
_AGE_WORDS: Final[Mapping[str, tuple[int, int]]] = {
    **dict.fromkeys(("elderly", "geriatric", "senior", "seniors"), _ELDERLY),
    **dict.fromkeys(("adult", "adults"), (18, OLDEST)),
    **dict.fromkeys(("child", "children", "pediatric", "paediatric", "girl", "girls", "boy", "boys"), _CHILD),
}
OLD: Final = ("old", "older", "aged")
VAGUE: Final = (*OLD, "young", "younger")
"""No age by themselves: "old stroke" is an earlier one. `OLD` means elderly before people, or where nothing else is asked."""

_SEX: Final = rf"(?:{_FEMALE}|{_MALE}|m|f)"
_YEARS: Final = r"(?:-?\s*(?:years?|yrs?)(?:[\s-]+old)?|-?\s*(?:yo|y/o))"
_UNDER: Final = r"(?:under|below|(?:less|younger)\s+than)"
_OVER: Final = r"(?:over|above|(?:more|older)\s+than)"
_SIGN: Final = r"(?:[<>]=?|[≤≥])"
_AND_OVER: Final = r"\s*(?:\+|(?:and|or)\s+(?:over|older|above))"
_AGE: Final = (
    rf"(?:between\s+\d{{1,3}}\s+and\s+\d{{1,3}}{_YEARS}?|\d{{1,3}}\s*(?:-|to)\s*\d{{1,3}}{_YEARS}"
    rf"|(?:aged?\s+)?\d{{1,3}}{_YEARS}?{_AND_OVER}|(?:aged?\s+)?(?:{_OVER}|{_UNDER})\s+\d{{1,3}}{_YEARS}?|aged?\s*{_SIGN}?\s*\d{{1,3}}{_YEARS}?|\d{{1,3}}{_YEARS}"
    rf"|{_SEX}\s+\d{{2,3}}|\d{{2,3}}[\s-]*{_SEX})"
)
_KIND: Final = rf"(?:{'|'.join((*_AGE_WORDS, *OLD))})[\s-]+"
PHRASE: Final = (
    rf"(?:{_SEX}[\s-]+)?{_AGE}(?:[\s-]*{_SEX})?|{_KIND}(?:patients?|persons?|people|{_FEMALE}|{_MALE})"
    r"|(?:wom[ae]n|lad(?:y|ies)|girls?|m[ae]n|gentlem[ae]n|boys?|females|males)"
)
"""What is read as a person whatever stands around it, without case."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a search asks for."""

    sex: str = ""  # "F", "M", or empty for either
    ages: tuple[int, int] = (0, OLDEST)  # years at the last visit, both included

    def __str__(self) -> str:
        """In words.

        >>> str(Person("F", (65, OLDEST))), str(Person(ages=(0, 17))), str(Person(ages=(70, 70)))
        ('female, 65 years or older', 'under 18 years', '70 years')
        """
        low, high = self.ages
        sex = {"F": "female", "M": "male"}.get(self.sex, "")
        if high == OLDEST:
            age = f"{low} years or older" if low else ""
        elif not low:
            age = f"under {high + 1} years"
        else:
            age = f"{low} years" if low == high else f"{low} to {high} years"
        return ", ".join(filter(None, (sex, age)))


def read_person(text: str) -> Person | None:
    """The person of a phrase; None where a number is no age.

    >>> read_person("women over 70"), read_person("68-year-old F")
    (Person(sex='F', ages=(71, 120)), Person(sex='F', ages=(68, 68)))
    """
    low = text.lower()
    female, male = (
        re.search(rf"(?<![a-z])(?:{sex})(?![a-z])", low) for sex in (_FEMALE + "|f", _MALE + "|m")
    )
    ages = _ages(low)
    return Person("F" if female else "M" if male else "", ages) if ages else None


def person_of_word(word: str) -> Person | None:
    """The person that a single word means, where it is no part of a title.

    >>> person_of_word("Elderly"), person_of_word("male"), person_of_word("old")
    (Person(sex='', ages=(65, 120)), Person(sex='M', ages=(0, 120)), None)
    """
    low = word.lower()
    return read_person(low) if low in _AGE_WORDS or low in ("female", "male") else None


def _ages(text: str) -> tuple[int, int] | None:
    """The ages of a phrase in lower case; None where there is a number that is none."""
    numbers = sorted(int(number) for number in re.findall(r"\d+", text))
    if not numbers:
        words = re.split(r"[\s-]+", text)
        return next((_AGE_WORDS.get(w, _ELDERLY) for w in words if w in _AGE_WORDS or w in OLD), (0, OLDEST))
    first, last = numbers[0], numbers[-1]
    if last > OLDEST:
        return None
    if len(numbers) == 1:
        if re.search(rf"{_AND_OVER}|>=|≥", text):
            return first, OLDEST
        if re.search(rf"{_OVER}|>", text):
            return first + 1, OLDEST
        if re.search("<=|≤", text):
            return 0, first
        if re.search(rf"{_UNDER}|<", text):
            return 0, first - 1
    return first, last
