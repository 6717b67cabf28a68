"""Words of titles and of searches: how text becomes words, which spellings count as the same, and an inverted index.

The index finds texts by whole words, by beginnings, and with up to two typing errors.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

LONGEST_TEXT: Final = 200
MOST_WORDS: Final = 8
"""Characters of a search that are read, and words that are looked up together; a pasted page must not cost seconds."""

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
    """Those that must match: all but the small ones, unless there are no others."""
    return [word for word in words if word not in SMALL_WORDS] or list(words)


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


FUZZY, PREFIX, EXACT = 1, 2, 3
"""How a text holds a word: with a typing error, as a beginning, as itself."""

_SHORTEST_MISSPELT: Final = 4
_SHORTEST_TWO_TYPOS: Final = 7
_MOST_NEAR: Final = 40
_LAST: Final = "\U0010ffff"


class WordIndex:
    """`texts` words of all texts, sorted, and for each the numbers of the texts that hold it."""

    def __init__(self, texts: Sequence[str]) -> None:
        lines = pc.list_flatten(pc.split_pattern(pa.array([fold_lines(texts)]), "\n"))
        split = pc.split_pattern_regex(pc.utf8_trim(lines, " "), " +")
        self.folded: pa.StringArray = pc.binary_join_element_wise("", pc.binary_join(split, " "), "", " ")
        """Each text as its words, with a space before and after."""
        encoded = pc.dictionary_encode(pc.list_flatten(split))
        words = encoded.dictionary.to_pylist()
        order = sorted(range(len(words)), key=words.__getitem__)
        rank = np.empty(len(words), np.int32)
        rank[order] = np.arange(len(words), dtype=np.int32)
        ids = rank[encoded.indices.to_numpy()]
        by_word = np.argsort(ids, kind="stable")
        self.words: list[str] = [words[n] for n in order]
        self._postings: NDArray[np.int32] = pc.list_parent_indices(split).to_numpy().astype(np.int32)[by_word]
        self._starts: NDArray[np.int64] = np.concatenate(
            [[0], np.cumsum(np.bincount(ids, minlength=len(words)))]
        )
        pa.default_memory_pool().release_unused()
        self._known = set(self.words)
        self._by_length: dict[int, list[str]] = {}
        for word in self.words:
            self._by_length.setdefault(len(word), []).append(word)
        self.near = lru_cache(maxsize=1024)(self._near)

    def __len__(self) -> int:
        return len(self.folded)

    def weights(self, weight_of: dict[str, int], otherwise: int = 1) -> NDArray[np.int32]:
        """The sum of its words' weights for every text."""
        each = np.array([weight_of.get(word, otherwise) for word in self.words], np.int32)
        repeated = np.repeat(each, np.diff(self._starts))
        return np.bincount(self._postings, repeated, len(self)).astype(np.int32)

    def known(self, word: str) -> bool:
        """Whether some text holds the word in one of its spellings."""
        return any(form in self._known for form in spellings(word))

    def match(self, word: str, *, typos: bool) -> NDArray[np.uint8]:
        """For every text how well it holds the word: `EXACT`, `PREFIX`, `FUZZY` or 0."""
        levels = np.zeros(len(self), np.uint8)
        if typos:
            for near in self.near(word):
                levels[self._of(bisect_left(self.words, near))] = FUZZY
        forms = spellings(word)
        for form in (word, *(f for f in forms if f != word and len(f) > len(word) - 1)):
            first, last = self._beginning(form)
            levels[self._postings[self._starts[first] : self._starts[last]]] = PREFIX
        for form in forms:
            if form in self._known:
                levels[self._of(bisect_left(self.words, form))] = EXACT
        return levels

    def holding(self, words: Sequence[str]) -> NDArray[np.int64]:
        """The texts that hold all the words (in one of their spellings)."""
        texts: NDArray[np.bool_] | None = None
        for word in words:
            here = self.match(word, typos=False) == EXACT
            texts = here if texts is None else texts & here
        return np.flatnonzero(texts) if texts is not None else np.zeros(0, np.int64)

    def _of(self, word_id: int) -> NDArray[np.int32]:
        return self._postings[self._starts[word_id] : self._starts[word_id + 1]]

    def _beginning(self, prefix: str) -> tuple[int, int]:
        return bisect_left(self.words, prefix), bisect_left(self.words, prefix + _LAST)

    def _near(self, word: str) -> tuple[str, ...]:
        """The words the fewest typos away: a letter more, less, other, or two swapped.

        One typo from 4 letters on (of four letters none may be another: "very" is not "vera"); where no word is so near,
        words that begin one typo away, being still typed, from 5 on; else two typos, from 7 on. None for a word with
        digits, and none where the word itself is known.
        """
        if len(word) < _SHORTEST_MISSPELT or not word.isalpha() or self.known(word):
            return ()
        nearest = self._within(word, self._of_length(len(word), 1), 1)
        if len(word) == _SHORTEST_MISSPELT:
            nearest = [w for w in nearest if len(w) != len(word) or sorted(w) == sorted(word)]
        if not nearest and len(word) > _SHORTEST_MISSPELT:
            first, last = self._beginning(word[0])  # few get the first letter wrong
            alike = self.words[first:last]
            for length in (len(word) - 1, len(word), len(word) + 1):
                starts = {w[:length] for w in alike if len(w) > length}
                for start in self._within(word, sorted(starts), 1):
                    first, last = self._beginning(start)
                    nearest += self.words[first:last]
        if not nearest and len(word) >= _SHORTEST_TWO_TYPOS:
            nearest = self._within(word, self._of_length(len(word), 2), 2)
        return tuple(dict.fromkeys(w for w in nearest if len(w) >= _SHORTEST_MISSPELT - 1))[:_MOST_NEAR]

    def _of_length(self, length: int, typos: int) -> list[str]:
        """The words that can be so few typos away from one of this length."""
        lengths = range(length - typos, length + typos + 1)
        return [word for n in lengths for word in self._by_length.get(n, ())]

    @staticmethod
    def _within(word: str, choices: Sequence[str], typos: int) -> list[str]:
        near = process.extract(word, choices, scorer=OSA.distance, score_cutoff=typos, limit=_MOST_NEAR)
        return [choice for choice, _, _ in near]
