"""The patients of a cohort as arrays: who ever had each code.

Who matches a search is worked out outside the database: every code's patients are held as positions in the sorted list of
ids, four bytes each, so that a text of any number of codes is a few passes over one byte per patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb
import numpy as np
from numpy.typing import NDArray

_BLOCK: Final = 1_000_000


class PatientCodes:
    """Who is who, and which patients ever had each concept.

    N ids in order, and for concept c the positions `starts[c]:starts[c + 1]`.
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        ids = cursor.execute("SELECT patient_id FROM worklist ORDER BY patient_id").fetchnumpy()["patient_id"]
        self.ids: NDArray[np.int64] = ids.astype(np.int64)
        concepts: list[NDArray[np.int32]] = []
        positions: list[NDArray[np.int32]] = []
        for block in cursor.sql("SELECT concept_id, patient_id FROM patient_codes").to_arrow_reader(_BLOCK):
            concepts.append(block["concept_id"].to_numpy().astype(np.int32))
            positions.append(np.searchsorted(self.ids, block["patient_id"].to_numpy()).astype(np.int32))
        every = np.concatenate([np.zeros(0, np.int32), *concepts])
        self._positions = np.concatenate([np.zeros(0, np.int32), *positions])
        if np.any(every[1:] < every[:-1]):  # a file that was not written code by code
            order = np.lexsort((self._positions, every))
            every, self._positions = every[order], self._positions[order]
        last = int(every[-1]) if len(every) else -1
        self._starts = np.searchsorted(every, np.arange(last + 2))

    def having(self, concepts: Sequence[int]) -> NDArray[np.bool_]:
        """(N,) who has any of the concepts."""
        having = np.zeros(len(self.ids), np.bool_)
        for positions in sorted(map(self._of, concepts), key=len, reverse=True):
            having[positions] = True
            if having.all():  # of a letter that thousands of titles have, after a few
                break
        return having

    def held(self, patient_ids: NDArray[np.int64], concepts: Sequence[int]) -> dict[int, list[int]]:
        """Which of the concepts each of these patients has, in the concepts' order; without patients who have none."""
        wanted = np.searchsorted(self.ids, patient_ids).astype(np.int32)  # else all positions are converted
        held: dict[int, list[int]] = {}
        for concept in concepts:
            if len(positions := self._of(concept)):
                place = np.minimum(positions.searchsorted(wanted), len(positions) - 1)
                for patient in patient_ids[positions[place] == wanted].tolist():
                    held.setdefault(patient, []).append(concept)
        return held

    def beginning(self, digits: str) -> NDArray[np.bool_]:
        """(N,) whose id begins with these digits."""
        begins = np.zeros(len(self.ids), np.bool_)
        for low, high in _beginnings(digits, int(self.ids[-1]) if len(self.ids) else 0):
            first, end = np.searchsorted(self.ids, [low, high])
            begins[first:end] = True
        return begins

    def _of(self, concept: int) -> NDArray[np.int32]:
        """The positions of the patients who have a concept, in order."""
        if concept + 1 >= len(self._starts):
            return self._positions[:0]
        return self._positions[self._starts[concept] : self._starts[concept + 1]]


def _beginnings(text: str, largest: int) -> list[tuple[int, int]]:
    """The ranges (from, to) of ids up to `largest` whose digits begin with a text.

    >>> _beginnings("12", 1300), _beginnings("0", 9), _beginnings("1x", 9)
    ([(12, 13), (120, 130), (1200, 1300)], [(0, 1)], [])
    """
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        return []
    if text.startswith("0"):
        return [(0, 1)] if text == "0" else []
    low, high, ranges = int(text), int(text) + 1, []
    while low <= largest:
        ranges.append((low, high))
        low, high = 10 * low, 10 * high
    return ranges
