"""Which texts hold a word: an inverted index over distinct words, with prefixes and slips of the keyboard.

Texts are numbered as given. Refuses to know what they name, and how matches are ranked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leader_core.search.folding import fold_lines, spellings

FUZZY, PREFIX, EXACT = 1, 2, 3
"""How well a word fits: one slip away, as a beginning, as itself."""

_SHORTEST_MISSPELT: Final = 4
_SHORTEST_TWO_SLIPS: Final = 7
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
        place = np.empty(len(words), np.int32)
        place[order] = np.arange(len(words), dtype=np.int32)
        ids = place[encoded.indices.to_numpy()]
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

    def fit(self, word: str, *, slips: bool) -> NDArray[np.uint8]:
        """For every text how well it holds the word: `EXACT`, `PREFIX`, `FUZZY` or 0."""
        fits = np.zeros(len(self), np.uint8)
        if slips:
            for near in self.near(word):
                fits[self._of(bisect_left(self.words, near))] = FUZZY
        forms = spellings(word)
        for form in (word, *(f for f in forms if f != word and len(f) > len(word) - 1)):
            first, last = self._beginning(form)
            fits[self._postings[self._starts[first] : self._starts[last]]] = PREFIX
        for form in forms:
            if form in self._known:
                fits[self._of(bisect_left(self.words, form))] = EXACT
        return fits

    def holding(self, words: Sequence[str]) -> NDArray[np.int64]:
        """The texts that hold all the words (in one of their spellings)."""
        found: NDArray[np.bool_] | None = None
        for word in words:
            here = self.fit(word, slips=False) == EXACT
            found = here if found is None else found & here
        return np.flatnonzero(found) if found is not None else np.zeros(0, np.int64)

    def _of(self, word_id: int) -> NDArray[np.int32]:
        return self._postings[self._starts[word_id] : self._starts[word_id + 1]]

    def _beginning(self, prefix: str) -> tuple[int, int]:
        return bisect_left(self.words, prefix), bisect_left(self.words, prefix + _LAST)

    def _near(self, word: str) -> tuple[str, ...]:
        """The words the fewest slips away: a letter more, less, other, or two swapped.

        One slip from 4 letters on; where no word is so near, words that begin one slip away, being still typed, from
        5 on; else two slips, from 7 on. None for a word with digits, and none where the word itself is known.
        """
        if len(word) < _SHORTEST_MISSPELT or not word.isalpha() or self.known(word):
            return ()
        found = self._within(word, self._of_length(len(word), 1), 1)
        if not found and len(word) > _SHORTEST_MISSPELT:
            first, last = self._beginning(word[0])  # few get the first letter wrong
            alike = self.words[first:last]
            for length in (len(word) - 1, len(word), len(word) + 1):
                starts = {w[:length] for w in alike if len(w) > length}
                for start in self._within(word, sorted(starts), 1):
                    first, last = self._beginning(start)
                    found += self.words[first:last]
        if not found and len(word) >= _SHORTEST_TWO_SLIPS:
            found = self._within(word, self._of_length(len(word), 2), 2)
        return tuple(dict.fromkeys(w for w in found if len(w) >= _SHORTEST_MISSPELT - 1))[:_MOST_NEAR]

    def _of_length(self, length: int, slips: int) -> list[str]:
        """The words that can be so few slips away from one of this length."""
        lengths = range(length - slips, length + slips + 1)
        return [word for n in lengths for word in self._by_length.get(n, ())]

    @staticmethod
    def _within(word: str, choices: Sequence[str], slips: int) -> list[str]:
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        near = process.extract(word, choices, scorer=OSA.distance, score_cutoff=slips, limit=_MOST_NEAR)
        return [choice for choice, _, _ in near]
