"""Rows of different lengths in flat arrays."""

from __future__ import annotations

import numpy as np

from leader_core.ragged import Ragged, spans

ROWS = Ragged.of([[1, 2], [], [3, 4, 5]])


def test_rows_come_back_as_they_were_given() -> None:
    assert (len(ROWS), ROWS.lengths.tolist(), ROWS.owners.tolist()) == (3, [2, 0, 3], [0, 0, 2, 2, 2])
    assert [ROWS.row(i).tolist() for i in range(3)] == [[1, 2], [], [3, 4, 5]]
    assert len(Ragged.of([])) == 0
    same = Ragged.of_lengths([2, 0, 3], ROWS.values)
    assert same.offsets.tolist() == ROWS.offsets.tolist()


def test_rows_are_taken_joined_and_thinned() -> None:
    taken = ROWS.take(np.array([2, 0, 2]))
    assert [taken.row(i).tolist() for i in range(3)] == [[3, 4, 5], [1, 2], [3, 4, 5]]
    joined = ROWS.merge(np.array([0, 1]), np.array([3, 1]))
    assert [joined.row(i).tolist() for i in range(2)] == [[1, 2, 3, 4, 5], []]
    odd = ROWS.keep(ROWS.values % 2 == 1)
    assert [odd.row(i).tolist() for i in range(3)] == [[1], [], [3, 5]]
    assert ROWS.take(np.zeros(0, np.int64)).lengths.tolist() == []


def test_spans_lay_runs_end_to_end() -> None:
    assert spans(np.array([5, 0, 2]), np.array([2, 0, 3])).tolist() == [5, 6, 2, 3, 4]
