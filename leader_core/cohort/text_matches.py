"""Who fits a searched text: patients by the codes they ever had, or by the beginning of their id.

Every code's patients are held as places in the sorted list of ids, four bytes each; a text of any number of codes is a
few passes over one byte a patient. Refuses to know how a text finds codes, and the other filters.
"""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import numpy as np
from numpy.typing import NDArray

from leader_core.cohort.statements import run, statement
from leader_core.search.folding import content_words, search_words, split_parts

Matching = Callable[[str], list[int]]
"""Numbers of the concepts that fit a text."""

_BLOCK = 1_000_000


class PatientCodes:
    """Which patients ever had each concept: N ids in order, and for concept c the places `starts[c]:starts[c + 1]`."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self.ids: NDArray[np.int64] = (
            run(cursor, "read/listed_ids").fetchnumpy()["patient_id"].astype(np.int64)
        )
        concepts: list[NDArray[np.int32]] = []
        places: list[NDArray[np.int32]] = []
        for block in cursor.sql(statement("read/searched_patients")).to_arrow_reader(_BLOCK):
            concepts.append(block["concept_id"].to_numpy().astype(np.int32))
            places.append(np.searchsorted(self.ids, block["patient_id"].to_numpy()).astype(np.int32))
        every = np.concatenate([np.zeros(0, np.int32), *concepts])
        self._places = np.concatenate([np.zeros(0, np.int32), *places])
        if np.any(every[1:] < every[:-1]):  # a file that was not written code by code
            order = np.argsort(every, kind="stable")
            every, self._places = every[order], self._places[order]
        last = int(every[-1]) if len(every) else -1
        self._starts = np.searchsorted(every, np.arange(last + 2))

    def fits(self, text: str, matching: Matching) -> NDArray[np.bool_]:
        """(N,) who has a code for every part of a text, or an id that begins with it."""
        found = np.zeros(len(self.ids), np.bool_)
        parts = parts_of(text, matching)
        if parts and all(parts):
            found[:] = True
            for concepts in parts:
                found &= self._having(concepts)
        for low, high in _beginnings(text.strip(), int(self.ids[-1]) if len(self.ids) else 0):
            first, end = np.searchsorted(self.ids, [low, high])
            found[first:end] = True
        return found

    def _having(self, concepts: list[int]) -> NDArray[np.bool_]:
        """(N,) who has any of the concepts."""
        held = np.zeros(len(self.ids), np.bool_)
        for concept in concepts:
            if concept + 1 < len(self._starts):
                held[self._places[self._starts[concept] : self._starts[concept + 1]]] = True
        return held


def parts_of(text: str, matching: Matching) -> list[list[int]]:
    """Lists of concepts, of each of which a patient must have one."""
    return [concepts for part in split_parts(text) for concepts in _concepts(matching, part)]


def _concepts(matching: Matching, part: str) -> list[list[int]]:
    """The concepts that fit all words of a part; where none does, those of each word by itself."""
    together = matching(part)
    words = search_words(part)
    if together or len(words) == 1:
        return [together]
    return [matching(word) for word in content_words(words)]


def _beginnings(text: str, largest: int) -> list[tuple[int, int]]:
    """The ranges (from, to) of ids up to `largest` whose digits begin with a text.

    >>> _beginnings("12", 1300), _beginnings("0", 9), _beginnings("1x", 9)
    ([(12, 13), (120, 130), (1200, 1300)], [(0, 1)], [])
    """
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        return []
    if text.startswith("0"):
        return [(0, 1)] if text == "0" else []
    low, high, found = int(text), int(text) + 1, []
    while low <= largest:
        found.append((low, high))
        low, high = 10 * low, 10 * high
    return found
