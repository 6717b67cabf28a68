"""Searching codes by what people type: a code, a title's words, a synonym, also incomplete or misspelt; best first.

A search is a few passes over arrays of one byte per code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leader_core.domain import KINDS, Concept, Kind
from leader_core.search.index import CodeIndex
from leader_core.search.words import EXACT, FUZZY, PREFIX, content_words, fold, search_words, spellings
from leader_core.terminology.chapters import parent

CODE, CODE_BEGINS, NAMED, SYNONYM, PHRASE, WORDS = range(13, 7, -1)
BEGUN_TERM, BEGUN, BEGUN_RELATED, MISSPELT_TERM, MISSPELT, MISSPELT_RELATED, PARTLY = range(7, 0, -1)
"""How a code matches, best first: the code; its beginning; its very name, or a synonym's plain code; a synonym's
other codes; all words as they stand; all words; a synonym's beginning; words begun; other codes of a synonym begun;
the same with typing errors; not all words, where nothing has them all."""

GRADES: Final = (
    (CODE, CODE_BEGINS),
    (NAMED, SYNONYM, PHRASE, WORDS),
    (BEGUN_TERM, BEGUN, BEGUN_RELATED),
    (MISSPELT_TERM, MISSPELT, MISSPELT_RELATED),
)
"""Matches of like worth, where all are wanted and not the best few."""

_DENIED: Final = re.compile(
    r"\bwithout\b(?:(?:(?!\bwith\b).)*?, (?:and|or)\b[^,]*?|[^,]*?)(?=\bwith\b|[,)]|$)", re.IGNORECASE
)
"""From "without" to the next comma, or to the end of a list that has an "and" or "or" after a comma, or to "with"."""
_CANDIDATES: Final = 4
"""So many times the matches wanted are looked at for titles that deny the text."""
_LONGEST_TERM: Final = 5
_SHORTEST_CODE: Final = 2
_LONGEST_ABBREVIATION: Final = 4  # letters
_PLAIN_ENGLISH: Final = frozenset(
    "all as ad ar ed he se cut fat dry fit cold us circ iron pain fall ten hit dress pres".split()
)
"""Terms that inside a longer search are more likely the word than the abbreviation."""


def search_codes(
    index: CodeIndex, text: str, kinds: Iterable[str], limit: int, system: str = ""
) -> tuple[Concept, ...]:
    """The best `limit` matches of these kinds (and of one code system), best first; each says why where its title does not.

    A title that only denies the text comes last: "diverticulosis with hemorrhage" is not the code without it.
    """
    wanted = _of_kinds(index, kinds)
    match = Match(index, text, wanted & (index.systems == system) if system else wanted, limit)
    rows = np.flatnonzero(match.tiers) if limit > 0 else np.zeros(0, np.int64)
    keys = match.tiers[rows].astype(np.int64) * len(index) - index.rank[rows]
    if len(rows) > (most := _CANDIDATES * limit):
        best = np.argpartition(-keys, most - 1)[:most]
        rows, keys = rows[best], keys[best]
    words, titles = content_words(search_words(text)), index.table.titles
    ordered = sorted(rows[np.argsort(-keys)].tolist(), key=lambda row: denies(titles[row], words))
    return tuple(_concept(index, row, match.hint(row)) for row in ordered[:limit])


@dataclass(frozen=True, slots=True)
class BestMatches:
    """What matches a text as well as the best match does (see `GRADES`); empty where nothing does."""

    concepts: tuple[int, ...] = ()  # numbers of the cohort's concepts, best first
    title: str = ""  # of the best match, which may be a code that the cohort does not have
    hint: str = ""  # why it matches, where its title does not show it
    kind: Kind | None = None  # of the best match
    together: bool = False  # as one thing: a code, a name or synonym, or words that a title has side by side
    in_words: bool = False  # whole words, not begun or misspelt
    inside: bool = False  # only as the beginning of a word further inside a title or synonym


def best_matches(index: CodeIndex, text: str, *, quoted: bool = False) -> BestMatches:
    """What patients must have for a searched text; `quoted` wants its words in just this order.

    A title that only denies the text ("without heart failure") does not match it.
    """
    match = Match(index, text, _of_kinds(index, KINDS), 1, partly=False)
    if quoted:
        rows = _holding_in_order(index, text)
    else:
        best = int(match.tiers.max(initial=0))
        grade = next((grade for grade in GRADES if best in grade), ())
        rows = np.flatnonzero(np.isin(match.tiers, grade))
    keys = match.tiers[rows].astype(np.int64) * len(index) - index.rank[rows]
    words = content_words(search_words(text))
    ordered = [row for row in rows[np.argsort(-keys)].tolist() if not denies(index.table.titles[row], words)]
    if not ordered:
        return BestMatches()
    concepts = index.table.concept_ids[ordered]
    tier = int(match.tiers[ordered[0]])
    title = fold(index.table.titles[ordered[0]])
    together = quoted or tier >= PHRASE or len(_holding_in_order(index, text)) > 0
    return BestMatches(
        tuple(concepts[concepts >= 0].tolist()),
        index.table.titles[ordered[0]],
        match.hint(ordered[0]),
        index.table.kinds[ordered[0]],
        together=together,
        in_words=together or tier >= WORDS,
        inside=tier in (BEGUN, BEGUN_RELATED) and not title.startswith(words[0]),
    )


def title_matches(index: CodeIndex, text: str) -> BestMatches:
    """The codes whose whole title is this text, as it is when a title was pasted."""
    same = pc.equal(index.words.folded.slice(0, len(index)), f" {fold(text)} ").to_numpy(zero_copy_only=False)
    concepts = index.table.concept_ids[same]
    titles = [index.table.titles[row] for row in np.flatnonzero(same)[:1]]
    return BestMatches(tuple(concepts[concepts >= 0].tolist()), titles[0]) if titles else BestMatches()


def _holding_in_order(index: CodeIndex, text: str) -> NDArray[np.int64]:
    """The rows whose title, or whose code, holds the words just as they stand."""
    words = " ".join(search_words(text))
    titles = index.words.folded.slice(0, len(index))
    held = pc.match_substring(titles, f" {words} ").to_numpy(zero_copy_only=False)
    return np.union1d(np.flatnonzero(held), index.code_rows(words)[0]) if words else np.zeros(0, np.int64)


def denies(title: str, words: Sequence[str]) -> bool:
    """Whether a title has one of the words only where it says "without".

    >>> denies("Hypertensive heart disease without heart failure", ["heart", "failure"])
    True
    >>> denies("Duodenal ulcer with hemorrhage, without mention of obstruction", ["hemorrhage"])
    False
    >>> diabetes = "Diabetes mellitus without mention of complication, type II or unspecified type"
    >>> denies(diabetes, ["complication"]), denies(diabetes, ["type", "ii"])
    (True, False)
    >>> denies("Unspecified dementia without psychotic disturbance, mood disturbance, and anxiety", ["anxiety"])
    True
    """
    if "without" not in title.lower() or "without" in words:
        return False
    folded, affirmed = fold(title), fold(_DENIED.sub(" ", title)).split()
    return any(_holds(folded.split(), word) and not _holds(affirmed, word) for word in words)


def _holds(title: Iterable[str], word: str) -> bool:
    """Whether a title has a word, or one that begins with it."""
    forms = tuple(spellings(word))
    return any(each.startswith(forms) for each in title)


def _concept(index: CodeIndex, row: int, hint: str) -> Concept:
    table, code = index.table, index.table.codes[row]
    return Concept(table.kinds[row], code, table.systems[row], table.titles[row], parent(code), hint)


def _of_kinds(index: CodeIndex, kinds: Iterable[str]) -> NDArray[np.bool_]:
    return np.isin(index.kinds, [i for i, kind in enumerate(KINDS) if kind in set(kinds)])


class Match:
    """`tiers` says for every row how it matches, 0 where it does not or is of no wanted kind."""

    def __init__(
        self, index: CodeIndex, text: str, wanted: NDArray[np.bool_], limit: int, *, partly: bool = True
    ) -> None:
        self._index = index
        self._wanted = wanted
        self._words = search_words(text)
        self._content = content_words(self._words)
        self._misread: list[str] = []
        self._why = np.full(len(index), -1, np.int32)  # the term that matched a row
        self.tiers = np.zeros(len(index), np.int8)
        if not self._words:
            return
        self._parts = self._terms_inside()
        self._look(typos=False)
        if self._is_abbreviation() and self.tiers.max() >= SYNONYM:
            self.tiers[self.tiers == BEGUN] = 0  # UTI is not the beginning of "utility gas"
        self._codes()
        if self.tiers.max(initial=0) >= WORDS or np.count_nonzero(self.tiers) >= limit:
            return
        self._misread = [word for word in self._content if index.words.near(word)]
        if self._misread:
            self._look(typos=True)
        if partly and len(self._content) > 1 and not self.tiers.any():
            self._partly()

    def _is_abbreviation(self) -> bool:
        """Whether the whole text is a short term with a meaning of its own."""
        text = " ".join(self._words)
        return len(text) <= _LONGEST_ABBREVIATION and text in self._index.aliases.named

    def hint(self, row: int) -> str:
        """Why a row matches, where its title does not show it; empty where it does."""
        title = set(fold(self._index.table.titles[row]).split())
        if (number := int(self._why[row])) >= 0:
            term = self._index.aliases.terms[number]
            if title.issuperset(fold(term.text).split()):
                return ""
            if term.text == term.meaning or title.issuperset(fold(term.meaning).split()):
                return term.text
            return f"{term.text}: {term.meaning}"
        if self.tiers[row] in (MISSPELT, PARTLY):
            near = [w for typed in self._misread for w in self._index.words.near(typed) if w in title]
            if near:
                return f"read as \u201c{' '.join(dict.fromkeys(near))}\u201d"
        if self.tiers[row] == PARTLY:
            missing = [w for w in self._content if not any(t.startswith(tuple(spellings(w))) for t in title)]
            return f"without \u201c{' '.join(missing)}\u201d" if missing else ""
        return ""

    def _codes(self) -> None:
        """The text as a code, with or without its system before it."""
        words = self._words[1:] if self._system(self._words[0]) else self._words
        code = "".join(words)
        if len(code) < _SHORTEST_CODE or not any(c.isdigit() for c in code):
            return
        exact, begins = self._index.code_rows(code)
        for rows, tier in ((begins, CODE_BEGINS), (exact, CODE)):
            if len(words) < len(self._words):
                rows = rows[self._index.systems[rows] == self._system(self._words[0])]
            self._put(rows, tier, why=-1)

    def _look(self, *, typos: bool) -> None:
        """Titles and terms that hold all the words."""
        levels = self._levels(self._content[0], typos=typos)
        if len(self._content) == len(self._content[0]) == 1:
            np.minimum(levels, PREFIX, out=levels)  # one letter is the beginning of something
        for word in self._content[1:]:
            np.minimum(levels, self._levels(word, typos=typos), out=levels)
        titles, terms = levels[: len(self.tiers)], levels[len(self.tiers) :]
        if typos:
            self._misspelt(titles, terms)
        else:
            self._titles(titles)
            self._terms(terms)

    def _levels(self, word: str, *, typos: bool) -> NDArray[np.uint8]:
        """For every title and term how well it has one word."""
        levels = self._index.words.match(word, typos=typos)
        if len(self._content) > 1:
            self._match_codes(word, levels)
        for covered, rows, _ in self._parts:
            if word in covered:
                levels[rows] = EXACT
        return levels

    def _partly(self) -> None:
        """The titles that have most of the words, and at least half of them: not numbers alone."""
        size = len(self.tiers)
        held, named = np.zeros(size, np.int8), np.zeros(size, np.bool_)
        for word in self._content:
            having = self._levels(word, typos=True)[:size] > 0
            held += having
            named |= having & (not word.isdigit())
        held[~(self._wanted & named)] = 0
        most = int(held.max(initial=0))
        if 2 * most >= len(self._content):
            self._put(np.flatnonzero(held == most), PARTLY, why=-1)

    def _match_codes(self, word: str, levels: NDArray[np.uint8]) -> None:
        """A word may also be a system, or the beginning of a code."""
        if system := self._system(word):
            levels[: len(self._index)][self._index.systems == system] = EXACT
        elif len(word) > _SHORTEST_CODE and any(c.isdigit() for c in word):
            levels[self._index.code_rows(word)[1]] = EXACT

    def _titles(self, levels: NDArray[np.uint8]) -> None:
        index = self._index
        self._put(np.flatnonzero(levels == PREFIX), BEGUN, why=-1)
        exact = np.flatnonzero(levels == EXACT)
        self._put(exact, WORDS, why=-1)
        for _, rows, number in self._parts:
            self._why[rows[self.tiers[rows] == WORDS]] = number
        if len(self._words) > 1 and len(exact):
            together = pc.match_substring(
                index.words.folded.take(pa.array(exact)), f" {' '.join(self._words)} "
            )
            self._put(exact[together.to_numpy(zero_copy_only=False)], PHRASE, why=-1)
        # A title that says no more is the code's very name; in a system that the cohort does not use it comes later.
        named = index.content[exact] == len(self._content)
        if self._parts:  # these rows may have another name of the part
            typed = f" {' '.join(self._words)} "
            named &= pc.equal(index.words.folded.take(pa.array(exact)), typed).to_numpy(zero_copy_only=False)
        self._put(exact[named & ~index.foreign[exact]], NAMED, why=-1)

    def _terms(self, levels: NDArray[np.uint8]) -> None:
        aliases = self._index.aliases
        full = (levels == EXACT) & (aliases.lengths == len(self._content))
        begun = (levels >= PREFIX) & ~full
        starts = begun & pc.starts_with(aliases.folded, f" {' '.join(self._words)}").to_numpy(
            zero_copy_only=False
        )
        self._expand(begun & ~starts, BEGUN, BEGUN_RELATED)
        self._expand(starts, BEGUN_TERM, BEGUN_RELATED)
        self._expand(full, NAMED, SYNONYM)

    def _misspelt(self, titles: NDArray[np.uint8], terms: NDArray[np.uint8]) -> None:
        near = terms >= FUZZY
        whole = self._index.aliases.lengths == len(self._content)
        self._put(np.flatnonzero(titles >= FUZZY), MISSPELT, why=-1)
        self._expand(near & whole, MISSPELT_TERM, MISSPELT_RELATED)
        if len(self._content) > 1:
            self._expand(near & ~whole, MISSPELT_RELATED, MISSPELT_RELATED)

    def _expand(self, chosen: NDArray[np.bool_], plain_tier: int, other_tier: int) -> None:
        """Raise the rows that the chosen terms stand for; the first term that names a row is the reason."""
        rows, plain, numbers = self._index.aliases.expand(np.flatnonzero(chosen)[::-1])
        self._put(rows[~plain], other_tier, why=numbers[~plain])
        self._put(rows[plain], plain_tier, why=numbers[plain])

    def _put(self, rows: NDArray[np.integer], tier: int, why: int | NDArray[np.integer]) -> None:
        """Raise rows of wanted kinds to a tier, with the term that matched them."""
        better = self._wanted[rows] & (self.tiers[rows] < tier)
        self.tiers[rows[better]] = tier
        self._why[rows[better]] = why if isinstance(why, int) else why[better]

    def _terms_inside(self) -> list[tuple[frozenset[str], NDArray[np.int32], int]]:
        """Synonyms among the words, as 'CHF' in 'acute CHF': the words each covers, its rows, its number."""
        terms = []
        aliases = self._index.aliases
        for first in range(len(self._words)):
            for last in range(first + 1, min(len(self._words), first + _LONGEST_TERM) + 1):
                inner = " ".join(self._words[first:last])
                if last - first == len(self._words) or inner in _PLAIN_ENGLISH:
                    continue
                for number in aliases.named.get(inner, ()):
                    rows = aliases.expand([number])[0]
                    terms.append((frozenset(self._words[first:last]), rows, number))
        return terms

    def _system(self, word: str) -> str:
        return word.upper() if word.upper() in ("ICD9", "ICD10", "ICD9PCS", "ICD10PCS", "ATC") else ""
