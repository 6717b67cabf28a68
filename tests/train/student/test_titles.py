"""Stored title vectors: read once, the same afterwards, computed again where a file is damaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.leader_core.student.test_student_titles import WordVectors
from train.student.stored_titles import KeptTitles, SharedTitles

TITLES = ("heart failure", "broken leg", "heart failure")


class Counting(WordVectors):
    """Remembers the titles it read."""

    def __init__(self) -> None:
        self.requests: list[str] = []

    def encode(self, titles: Sequence[str]) -> np.ndarray:
        self.requests += titles
        return super().encode(titles)


def test_a_title_is_read_once(tmp_path: Path) -> None:
    expected = WordVectors().encode(TITLES)
    reader = Counting()
    shared = SharedTitles(reader)
    np.testing.assert_array_equal(shared.encode(TITLES), expected)
    np.testing.assert_array_equal(shared.encode(TITLES[:1]), expected[:1])
    assert reader.requests == ["heart failure", "broken leg"]
    reader = Counting()
    for _ in range(2):
        np.testing.assert_array_equal(KeptTitles(reader, tmp_path / "kept").encode(TITLES), expected)
    assert len(reader.requests) == len(TITLES)


def test_other_titles_and_damaged_files_are_read_anew(tmp_path: Path) -> None:
    reader = Counting()
    stored = KeptTitles(reader, tmp_path)
    stored.encode(TITLES)
    np.testing.assert_array_equal(stored.encode(TITLES[::-1][:2]), WordVectors().encode(TITLES[::-1][:2]))
    (first,) = (path for path in tmp_path.iterdir() if path.stat().st_size > 200)
    for damage in (b"not tensors", b""):
        first.write_bytes(damage)
        np.testing.assert_array_equal(stored.encode(TITLES), WordVectors().encode(TITLES))
    assert reader.requests.count("broken leg") == 4
