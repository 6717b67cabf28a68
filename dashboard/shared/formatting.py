"""Numbers, dates, names and codes as people read them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from leader_core import UNKNOWN

MISSING = "–"


def probability(value: float) -> str:
    """Two digits; never "1.00" or "0.00" for something that is not.

    >>> [probability(v) for v in (0.456, 0.999, 1.0, 0.001, 0.0)]
    ['0.46', '>0.99', '1.00', '<0.01', '0.00']
    """
    if 0.995 <= value < 1.0:
        return ">0.99"
    if 0.0 < value < 0.005:
        return "<0.01"
    return f"{value:.2f}"


def cut_off(value: float) -> str:
    """A cut-off in three digits: it is chosen in steps of 0.005.

    >>> [cut_off(value) for value in (0.355, 0.3, 0.005)]
    ['0.355', '0.3', '0.005']
    """
    return f"{value:.3g}"


def score(value: float | None) -> str:
    """A metric in two digits, a dash where there is none."""
    return MISSING if value is None else f"{value:.2f}"


def signed(value: float, digits: int = 2) -> str:
    """A change with its sign; none where it rounds to 0.

    >>> signed(0.123), signed(-2.0), signed(0.001), signed(-0.0004, 3)
    ('+0.12', '−2.00', '0.00', '0.000')
    """
    text = f"{abs(value):.{digits}f}"
    return text if not float(text) else f"{'+' if value > 0 else '−'}{text}"


def percent(share: float, digits: int = 0) -> str:
    """A share in percent; in whole percent never 0 or 100 for something that is not.

    >>> [percent(share) for share in (0.624, 0.004, 0.999, 1.0)], percent(0.0123, 1)
    (['62 %', '<1 %', '>99 %', '100 %'], '1.2 %')
    """
    if not digits and 0.0 < share < 0.005:
        return "<1 %"
    return ">99 %" if not digits and 0.995 <= share < 1.0 else f"{share:.{digits}%}".replace("%", " %")


def shortened(text: str, most: int) -> str:
    """The first characters of a text that is longer than `most`.

    >>> shortened("Heart failure", 13), shortened("Heart failure", 7)
    ('Heart failure', 'Heart…')
    """
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def uncapitalized(text: str) -> str:
    """A label as it stands within a sentence."""
    return text[:1].lower() + text[1:]


_CODE = re.compile(r"((?<!`)`[^`]+`(?!`))")


def plain(text: str, most: int = 0) -> str:
    r"""Text that Streamlit shows as it is written: nothing in it is markup, a directive or a link.

    What stands between `backticks` is set as code, as commands in messages are; that is as plain as text.

    Args:
        most: characters to keep; 0 keeps all.

    >>> print(plain("![x](http://host/a.png) of :red[Ann]: run `a_b` for 5 $"))
    \!\[x\](http\://host/a.png) of \:red\[Ann\]: run `a_b` for 5 \$
    """
    text = " ".join(text.split())
    text = shortened(text, most + 1) if most else text
    parts = _CODE.split(text)
    return "".join(part if i % 2 else _escaped(part, first=not i) for i, part in enumerate(parts))


def _escaped(text: str, *, first: bool) -> str:
    text = re.sub(r"([\\`*_\[\]<>$~!|#&])", r"\\\1", text)
    text = re.sub(r":(?=[\w/-])", r"\\:", text)
    text = re.sub(r"(?i)\b(www)\.", r"\1\\.", text)
    return re.sub(r"^(\d*)([+.)-])", r"\1\\\2", text) if first else text  # no list begins here


def count(number: int, one: str, many: str = "") -> str:
    """
    >>> count(1, "visit"), count(1200, "visit"), count(2, "diagnosis", "diagnoses")
    ('1 visit', '1,200 visits', '2 diagnoses')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def day(moment: datetime | None) -> str:
    """
    >>> day(datetime(2119, 3, 7)), day(None)
    ('7 Mar 2119', '–')
    """
    return MISSING if moment is None else f"{moment.day} {moment:%b %Y}"


def stay(admitted: datetime | None, discharged: datetime | None) -> str:
    """Length of a stay in words; empty where it is not known."""
    if admitted is None or discharged is None or discharged < admitted:
        return ""
    nights = (discharged.date() - admitted.date()).days
    return "same day" if nights == 0 else count(nights, "day")


def gap(earlier: datetime | None, later: datetime | None) -> str:
    """Time between two visits, in the unit a person would use; empty where it is not known.

    >>> gap(datetime(2119, 1, 1), datetime(2119, 3, 20))
    '3 months'
    """
    if earlier is None or later is None or later < earlier:
        return ""
    days = (later - earlier).days
    if days < 14:
        return count(days, "day")
    if days < 60:
        return count(round(days / 7), "week")
    if days < 700:
        return count(round(days / 30.4), "month")
    return count(round(days / 365.25), "year")


def duration(seconds: float) -> str:
    """Time that passed or is to come, in the unit a person would use.

    >>> duration(0.4), duration(42), duration(154), duration(5400)
    ('0 s', '42 s', '2 min 34 s', '1 h 30 min')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(number: int) -> str:
    """Bytes in the unit a person would use.

    >>> size(900), size(11_534_336)
    ('900 B', '11.0 MB')
    """
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1024 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable")


_SMALL = frozenset(("and", "of", "or", "the", "to", "in", "by", "with"))


_EMERGENCY: Final = {
    "EW EMER.": "EMERGENCY",
    "DIRECT EMER.": "DIRECT EMERGENCY",
    "EU OBSERVATION": "EMERGENCY OBSERVATION",
}
"""Kinds of admission that MIMIC-IV abbreviates."""


def words(value: str) -> str:
    """A category as the source wrote it, but not shouted; short abbreviations stay as they are.

    >>> words("BLACK/AFRICAN AMERICAN"), words("HISPANIC OR LATINO"), words("unknown"), words("Medicare"), words("ENGL")
    ('Black/African American', 'Hispanic or Latino', 'not recorded', 'Medicare', 'ENGL')
    >>> words("EW EMER.")
    'Emergency'
    """
    text = " ".join(value.split())
    if not text or text == UNKNOWN:
        return "not recorded"
    text = _EMERGENCY.get(text, text)
    if not text.isupper() or len(text) <= 4:
        return text
    return "".join(
        part
        if not part.isalpha()
        else part.lower()
        if position and part.lower() in _SMALL
        else part.capitalize()
        for position, part in enumerate(re.split(r"([^A-Z]+)", text))
    )


def listing(items: Iterable[str], last: str = "and", at_most: int | None = None) -> str:
    """Items as a sentence names them; where more than one is beyond `at_most`, the rest is counted.

    >>> listing(["a"]), listing(["a", "b", "c"]), listing("abcde", "or", at_most=3)
    ('a', 'a, b and c', 'a, b, c or 2 others')
    """
    parts = list(items)
    if at_most is not None and len(parts) > at_most + 1:
        parts = [*parts[:at_most], f"{len(parts) - at_most} others"]
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"
