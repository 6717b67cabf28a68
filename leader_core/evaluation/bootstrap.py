"""Uncertainty over patients: bootstrap intervals of ratios of sums, and paired tests of their differences.

A figure is a sum over patients divided by another (a mean, or a rate pooled over pairs). Whoever has several cases is
drawn, or swapped, with all of them. Only sums are drawn again: no case is scored twice.
Refuses to know what the figures mean.

Letters: P patients, F figures, D draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

TOGETHER: Final = 4_000_000  # patients times draws held at once


def share(top: Any, bottom: Any) -> NDArray[np.float64]:
    """top / bottom, 0 where there is nothing below the line."""
    top, bottom = np.asarray(top, np.float64), np.asarray(bottom, np.float64)
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def per_person(sums: Floats, owner: NDArray[np.int64]) -> Floats:
    """(F, n) -> (P, F): the sums of each patient's cases."""
    return np.stack([np.bincount(owner, row) for row in sums], axis=1)


def intervals(
    tops: Floats, bottoms: Floats, resamples: int, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """(F,) twice: 2.5 % and 97.5 % of each figure over resampled patients; the figure itself without resamples.

    Args:
        tops: (P, F) above the line.
        bottoms: (P, F) below it.
    """
    drawn = _drawn(np.concatenate([tops, bottoms], axis=1), resamples, random)
    figures = tops.shape[1]
    low, high = np.quantile(share(drawn[:, :figures], drawn[:, figures:]), (0.025, 0.975), axis=0)
    return low, high


def paired_intervals(
    first: tuple[Floats, Floats], second: tuple[Floats, Floats], resamples: int, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """(F,) twice: the same for the difference first - second, both on the same resampled patients."""
    figures = first[0].shape[1]
    drawn = _drawn(np.concatenate([*first, *second], axis=1), resamples, random)
    parts = [drawn[:, i * figures : (i + 1) * figures] for i in range(4)]
    low, high = np.quantile(share(parts[0], parts[1]) - share(parts[2], parts[3]), (0.025, 0.975), axis=0)
    return low, high


def swap_test(
    first: tuple[Floats, Floats], second: tuple[Floats, Floats], swaps: int, random: np.random.Generator
) -> Floats:
    """(F,) two-sided p of a paired permutation test: as if which model is which were a coin toss for each patient.

    The observed assignment counts as one of the permutations, so that p is never 0.
    """
    figures = first[0].shape[1]
    sums = np.concatenate([a + b for a, b in zip(first, second, strict=True)], axis=1).sum(0) / 2
    halves = np.concatenate([a - b for a, b in zip(first, second, strict=True)], axis=1) / 2

    def difference(moved: Floats) -> Floats:
        ours, theirs = sums + moved, sums - moved
        return share(ours[..., :figures], ours[..., figures:]) - share(
            theirs[..., :figures], theirs[..., figures:]
        )

    seen = np.abs(difference(halves.sum(0)))
    beyond = np.ones(figures)
    for size in _blocks(swaps, len(halves)):
        signs = random.integers(0, 2, (size, len(halves)), dtype=np.int8) * np.float64(2) - 1
        beyond += (np.abs(difference(signs @ halves)) >= seen - 1e-12).sum(0)
    return beyond / (swaps + 1)


def _drawn(columns: Floats, resamples: int, random: np.random.Generator) -> Floats:
    """(D, columns) sums over patients drawn with replacement; one row of plain sums where none are drawn."""
    people = len(columns)
    if not resamples:
        return columns.sum(0, keepdims=True)
    drawn = []
    for size in _blocks(resamples, people):
        counts = np.stack(
            [np.bincount(random.integers(0, people, people), minlength=people) for _ in range(size)]
        )
        drawn.append(counts.astype(np.float64) @ columns)
    return np.concatenate(drawn)


def _blocks(draws: int, people: int) -> Iterator[int]:
    """Numbers of draws that add up to `draws`, each few enough to be held at once."""
    size = max(1, TOGETHER // max(1, people))
    for start in range(0, draws, size):
        yield min(size, draws - start)
