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

from leader_core.cohort.search import fold_lines, spellings

FUZZY, PREFIX, EXACT = 1, 2, 3
"""How well a word fits: one slip away, as a beginning, as itself."""

_SHORTEST_MISSPELT: Final = 4
_SHORTEST_TWO_SLIPS: Final = 7
_MOST_NEAR: Final = 40
_LAST: Final = "\U0010ffff"


class WordIndex:
    """`texts` words of all texts, sorted, and for each the numbers of the texts that hold it."""

    def __init__(self, texts: Sequence[str]) -> None:
        lines = pa.array(fold_lines("\n".join(text.replace("\n", " ") for text in texts)).split("\n"))
        split = pc.split_pattern_regex(pc.utf8_trim(lines, " "), " +")
        self.folded: pa.StringArray = pc.binary_join(split, " ")
        flat = pc.list_flatten(split)
        parents = pc.list_parent_indices(split).to_numpy().astype(np.int32)
        encoded = pc.dictionary_encode(flat)
        words = np.array(encoded.dictionary.to_pylist(), dtype=object)
        order = np.argsort(words, kind="stable")
        place = np.empty(len(words), np.int32)
        place[order] = np.arange(len(words), dtype=np.int32)
        ids = place[encoded.indices.to_numpy()]
        by_word = np.argsort(ids, kind="stable")
        self.words: list[str] = words[order].tolist()
        self._postings: NDArray[np.int32] = parents[by_word]
        self._starts: NDArray[np.int64] = np.searchsorted(ids[by_word], np.arange(len(words) + 1))
        self._known = set(self.words)
        self.near = lru_cache(maxsize=1024)(self._near)

    def __contains__(self, word: str) -> bool:
        return word in self._known

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
        """The words the fewest slips away (a letter more, less, other, or two swapped), or that begin so.

        One slip from 4 letters on, two from 7 on; none for words with digits, and none where the word itself is known.
        """
        if len(word) < _SHORTEST_MISSPELT or not word.isalpha() or self.known(word):
            return ()
        for slips in (1, 2) if len(word) >= _SHORTEST_TWO_SLIPS else (1,):
            found = [w for w in self._within(word, self.words, slips) if len(w) >= _SHORTEST_MISSPELT - 1]
            if len(word) > _SHORTEST_MISSPELT and slips == 1:
                for length in (len(word) - 1, len(word), len(word) + 1):
                    for start in self._within(word, self._beginnings(length), slips):
                        first, last = self._beginning(start)
                        found += self.words[first:last]
            if found:
                return tuple(dict.fromkeys(found))[:_MOST_NEAR]
        return ()

    @staticmethod
    def _within(word: str, choices: Sequence[str], slips: int) -> list[str]:
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        near = process.extract(word, choices, scorer=OSA.distance, score_cutoff=slips, limit=_MOST_NEAR)
        return [choice for choice, _, _ in near]

    @lru_cache(maxsize=32)  # noqa: B019 - an index lives as long as its cohort
    def _beginnings(self, length: int) -> list[str]:
        """The distinct beginnings of that length of longer words."""
        return sorted({word[:length] for word in self.words if len(word) > length})
