"""What a search of patients asks for: terms that all must match, alternatives, exclusions, and what cannot be read.

Commas, semicolons and "and" separate terms; "or" gives alternatives of one term; "not", "without" or a minus before a word
exclude a term; quotation marks hold words together. Sex and age ("women over 70") have filters of their own, and like
"patients" or "please" are not looked up among the titles of codes. No word of a text disappears: each is in a term, is one of
these operators, or is listed as unread.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from leader_core.search.words import LONGEST_TEXT, fold

AND: Final = frozenset(("and", "&", "&&", "+", "plus", "but"))
OR: Final = frozenset(("or", "|", "||", "and/or"))
NOT: Final = frozenset(("not", "without", "no", "w/o", "except", "excluding"))
_NO_DENIAL: Final = frozenset(("specified", "stated", "elsewhere", "otherwise", "classified"))
"""After "not" these belong to a title: "site not specified"."""
_GREEK: Final = str.maketrans({"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta"})
_QUOTES: Final = '"“”„«»'
_AGE: Final = (
    r"(?:(?:over|under|above|below|aged?)\s+\d{1,3}|\d{1,3}[\s-]*(?:y/?o|years?|yrs?)(?:[\s-]old)?|\d{2,3}\+)"
)
_PIECE: Final = re.compile(
    rf"[{_QUOTES}]([^{_QUOTES}]*)(?:[{_QUOTES}]|$)|([,;\n]+)"
    rf"|({_AGE}(?![^\s,;{_QUOTES}]))|([^\s,;{_QUOTES}]+)",
    re.IGNORECASE,
)
_MEASURES: Final = frozenset(
    "bmi index percentile iq ef lvef fraction type stage grade level inr score gcs".split()
)
"""After these "over 40" is no age."""
_ASIDE: Final = frozenset(
    "patient patients person people please find show search list give me who whose has have had having "
    "is are was were very woman women man men lady ladies girl girls boy boys".split()
)
"""Words of a request that name nothing to look for."""
_MINUS: Final = "-\N{EN DASH}\N{MINUS SIGN}!"
_BRACKETS: Final = re.compile(r"[()\[\]{}]+")
_AROUND: Final = re.compile(r"^[^\w]+|[^\w]+$")
_INSIDE: Final = re.compile(r"[^\w\s.'’/:&+\-–−]|_")
"""A word with one of these inside is no word: "age>70", "1=1"."""


@dataclass(frozen=True, slots=True)
class SearchTerm:
    """Words that were typed together."""

    text: str
    quoted: bool = False  # the words in just this order
    readable: bool = True  # False for another script


@dataclass(frozen=True, slots=True)
class Clause:
    """Terms of which any one matches; `excluded` where patients who match are left out."""

    terms: tuple[SearchTerm, ...]
    excluded: bool = False


@dataclass(frozen=True, slots=True)
class ParsedSearch:
    """Clauses that all must hold, and the symbols and words that were not read."""

    clauses: tuple[Clause, ...]
    unread: tuple[str, ...]


def parse(text: str) -> ParsedSearch:
    """Read a search.

    >>> [(c.excluded, [t.text for t in c.terms]) for c in parse("CHF and renal failure or AKI, not dialysis").clauses]
    [(False, ['CHF']), (False, ['renal failure', 'AKI']), (True, ['dialysis'])]
    >>> parse("'; *").unread
    ("'", '*')
    """
    shown, rest = _within_limit(text)
    builder = _Builder()
    for match in _PIECE.finditer(shown):
        quoted, separator, age, word = match.groups()
        if quoted is not None:
            builder.quote(quoted)
        elif separator:
            builder.end_clause()
        elif age:
            builder.age(age)
        else:
            builder.word(word)
    builder.end_clause()
    return ParsedSearch(tuple(builder.clauses), (*dict.fromkeys(builder.unread), *rest))


def _within_limit(text: str) -> tuple[str, list[str]]:
    """The text that is read, cut between words, and the words after it."""
    if len(text) <= LONGEST_TEXT:
        return text, []
    cut = LONGEST_TEXT if text[LONGEST_TEXT].isspace() else max(text.rfind(" ", 0, LONGEST_TEXT), 0)
    return text[:cut], text[cut:].split()


class _Builder:
    """Collects clauses word by word."""

    def __init__(self) -> None:
        self.clauses: list[Clause] = []
        self.unread: list[str] = []
        self._terms: list[SearchTerm] = []
        self._words: list[str] = []
        self._excluded = False
        self._last_operator = ""

    def word(self, raw: str) -> None:
        low = raw.lower()
        if self._last_operator in NOT and low in _NO_DENIAL and self._excluded and not self._terms:
            self._take_denial_back()
        operator = next((name for name in (AND, OR, NOT) if low in name), None)
        if operator is not None:
            self._operator(operator, low)
        elif raw[0] in _MINUS and fold(raw[1:].translate(_GREEK)):
            self._operator(NOT, raw[0])
            self._plain(raw[1:])
        elif raw[0] == "+" and fold(raw[1:]):
            self._operator(AND, "+")
            self._plain(raw[1:])
        else:
            self._plain(raw)

    def age(self, raw: str) -> None:
        """An age is listed as unread; after "BMI" a number is none."""
        if self._words and self._words[-1].lower() in _MEASURES:
            for word in raw.split():
                self.word(word)
            return
        self._end_term()
        self.unread.append(raw)

    def quote(self, inner: str) -> None:
        """Words in quotation marks are a term of their own."""
        self._end_term()
        readable = _readable(inner)
        if fold(inner) or not readable:
            self._terms_end_here()
            self._terms.append(SearchTerm(" ".join(inner.split()), quoted=True, readable=readable))
        else:
            self.unread.append(f"“{inner.strip()}”")
        self._last_operator = ""

    def end_clause(self) -> None:
        self._end_term()
        if self._terms:
            self.clauses.append(Clause(tuple(self._terms), self._excluded))
        self._terms, self._excluded, self._last_operator = [], False, ""

    def _operator(self, kind: frozenset[str], text: str) -> None:
        if kind is OR:
            self._end_term()
        elif kind is AND:
            self.end_clause()
        else:
            self.end_clause()
            self._excluded = True
        self._last_operator = text

    def _plain(self, raw: str) -> None:
        """A word of the term that is being typed; symbols around it are listed."""
        self.unread.extend(_BRACKETS.findall(raw))
        bare = _BRACKETS.sub(" ", raw.translate(_GREEK)).strip()
        self.unread.extend(around for around in _AROUND.findall(bare) if around != ".")
        bare = _AROUND.sub("", bare)
        if not bare or bare.lower() in _ASIDE:
            self.unread.extend([bare] if bare else ())
        elif not _readable(bare) or _INSIDE.search(bare):
            self._end_term()
            self._terms_end_here()
            self._terms.append(SearchTerm(bare, readable=False))
        else:
            if not self._words:
                self._terms_end_here()
            self._words.append(bare)
        self._last_operator = ""

    def _terms_end_here(self) -> None:
        """A term that follows another without "or" between them begins a clause of its own."""
        if self._terms and self._last_operator not in OR:
            self.end_clause()

    def _end_term(self) -> None:
        if self._words:
            self._terms.append(SearchTerm(" ".join(self._words)))
            self._words = []

    def _take_denial_back(self) -> None:
        """ "Not" before "specified" is a word of a title: the clause before goes on."""
        denial = self._last_operator
        self._excluded = False
        if self.clauses and not self.clauses[-1].terms[-1].quoted:
            clause = self.clauses.pop()
            self._terms, self._excluded = list(clause.terms[:-1]), clause.excluded
            self._words = [clause.terms[-1].text]
        self._words.append(denial)


def _readable(text: str) -> bool:
    """Whether every letter has a form that titles are written in."""
    return all(fold(character) for character in text.translate(_GREEK) if character.isalnum())
