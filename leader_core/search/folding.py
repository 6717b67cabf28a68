"""How searched text and titles are folded into words, and which spellings of a word count as the same.

Refuses to know codes, and which cohort is searched.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

LONGEST_TEXT: Final = 200
MOST_WORDS: Final = 8
MOST_PARTS: Final = 60
"""Characters, words and parts of a search that are read; nobody types more, and a pasted page must not cost seconds.
A query counts the parts found in the bits of a number."""

SMALL_WORDS: Final = frozenset("of the an and or in on to for with by at due from".split())
"""Left out of a search that has other words; "without", "no" and "not" are not among them, and "a" names vitamins."""

_DOT_IN_CODE: Final = re.compile(r"\.(?<=[0-9a-z]\.)(?=[0-9a-z])")
_POSSESSIVE: Final = re.compile(r"'(?<=[a-z]')s(?![0-9a-z])")
_PLAIN: Final = {n: chr(n) if chr(n).isalnum() or chr(n) == "\n" else " " for n in range(128)}
_AMERICAN: Final = (("ae", "e"), ("oe", "e"), ("our", "or"), ("sulph", "sulf"))
_SHORTHAND: Final = (
    (re.compile(r"\b[hH]/[oO]\b"), "history of"),
    (re.compile(r"\b[sS]/[pP]\b"), "status post"),
    (re.compile(r"\b[wW]/[oO]\b"), "without"),
    (re.compile(r"\b[wW]/"), "with "),
    (re.compile(r"\b[dD]/[tT]\b"), "due to"),
    (re.compile(r"\b[bB]/[lL]\b"), "bilateral"),
)
_SHORT: Final = {
    "abd": "abdominal",
    "bilat": "bilateral",
    "cath": "catheterization",
    "dx": "diagnosis",
    "dz": "disease",
    "fx": "fracture",
    "gi": "gastrointestinal",
    "hx": "history",
    "lt": "left",
    "pulm": "pulmonary",
    "resp": "respiratory",
    "rt": "right",
}
"""What is written for one word, inside a longer search too."""


def fold(text: str) -> str:
    """Lower-case words without accents; the dot of a code and a possessive s are dropped.

    >>> fold("Ménière's  disease"), fold("428.0")
    ('meniere disease', '4280')
    """
    return " ".join(fold_lines([text]).split())


def fold_lines(texts: Iterable[str]) -> str:
    """The same for many titles at once, one a line; words may stand several spaces apart."""
    lines = "\n".join(" ".join((text if text.isascii() else _ascii(text)).splitlines()) for text in texts)
    return _DOT_IN_CODE.sub("", _POSSESSIVE.sub("", lines.lower())).translate(_PLAIN)


def _ascii(text: str) -> str:
    """Without accents; what has no ASCII form separates words."""
    decomposed = unicodedata.normalize("NFKD", text.replace("\u2019", "'").lower())
    return "".join(c if c.isascii() else "" if unicodedata.combining(c) else " " for c in decomposed)


def search_words(text: str) -> list[str]:
    """The words of a search that are looked for, in order."""
    text = text[:LONGEST_TEXT]
    for short, full in _SHORTHAND:
        text = short.sub(full, text)
    return fold(text).split()[:MOST_WORDS]


def content_words(words: Sequence[str]) -> list[str]:
    """Those that must be found: all but the small ones, unless there are no others."""
    return [word for word in words if word not in SMALL_WORDS] or list(words)


def split_parts(text: str) -> list[str]:
    """The parts of a worklist search that must all be found: 'heart failure, warfarin' has two."""
    return [part for part in re.split(r"[,;]", text[:LONGEST_TEXT]) if fold(part)][:MOST_PARTS]


def spellings(word: str) -> list[str]:
    """The word, its other number, its American form and what it is short for: what counts as the very same word.

    >>> spellings("fractures"), spellings("anaemia")
    (['fractures', 'fracture', 'fractur'], ['anaemia', 'anaemias', 'anemia', 'anemias'])
    """
    forms = [word]
    american = word
    for british, ours in _AMERICAN:
        american = american.replace(british, ours)
    for form in dict.fromkeys((word, american, _SHORT.get(word, word))):
        forms.append(form)
        if len(form) < 3 or not form.isalpha():
            continue
        if form.endswith("s") and not form.endswith(("ss", "us", "is")):
            forms.append(form[:-1])
            if form.endswith("es"):
                forms.append(form[:-2])
            if form.endswith("ies"):
                forms.append(f"{form[:-3]}y")
        elif form.endswith("y"):
            forms.append(f"{form[:-1]}ies")
        elif not form.endswith("s"):
            forms.append(f"{form}s")
    return list(dict.fromkeys(forms))
