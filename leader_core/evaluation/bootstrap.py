"""Uncertainty over patients: bootstrap intervals of ratios of sums, and paired tests of their differences.

A metric is a sum over patients divided by another (a mean, or a rate pooled over pairs). A patient with several cases
is drawn, or swapped, with all of them. Only sums are drawn again: no case is scored twice.

`intervals` draws patient by patient. The error analysis needs some thousand intervals while a person waits: there
`patient_pools` cuts a group of more than `POOLS` patients into `POOLS` random pools of (nearly) equal size, and whole
pools are drawn. The spread is the same in expectation, estimated with a relative error of some 2 %, and its cost does
not grow with the cohort: eight groups of 37,500 patients take 0.07 s a model instead of 2.7 s.

Letters: P patients, M metrics, D draws; N cases, G groups, S sums.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

TOGETHER: Final = 4_000_000  # patients times draws held at once
POOLS: Final = 1000
POOL_DRAWS: Final = 1000


def share(top: Any, bottom: Any) -> NDArray[np.float64]:
    """top / bottom, 0 where there is nothing below the line."""
    top, bottom = np.asarray(top, np.float64), np.asarray(bottom, np.float64)
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def per_person(sums: Floats, owner: NDArray[np.int64]) -> Floats:
    """(M, n) -> (P, M): the sums of each patient's cases."""
    return np.stack([np.bincount(owner, row) for row in sums], axis=1)


def bounds(drawn: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """2.5 % and 97.5 % over the draws, which are the first axis."""
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    return low, high


def intervals(
    tops: Floats, bottoms: Floats, resamples: int, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """(M,) twice: 2.5 % and 97.5 % of each metric over resampled patients; the metric itself without resamples.

    Args:
        tops: (P, M) above the line.
        bottoms: (P, M) below it.
    """
    drawn = _drawn(np.concatenate([tops, bottoms], axis=1), resamples, random)
    metrics = tops.shape[1]
    return bounds(share(drawn[:, :metrics], drawn[:, metrics:]))


def paired_intervals(
    first: tuple[Floats, Floats], second: tuple[Floats, Floats], resamples: int, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """(M,) twice: the same for the difference first - second, both on the same resampled patients."""
    metrics = first[0].shape[1]
    drawn = _drawn(np.concatenate([*first, *second], axis=1), resamples, random)
    parts = [drawn[:, i * metrics : (i + 1) * metrics] for i in range(4)]
    return bounds(share(parts[0], parts[1]) - share(parts[2], parts[3]))


def swap_test(
    first: tuple[Floats, Floats], second: tuple[Floats, Floats], swaps: int, random: np.random.Generator
) -> Floats:
    """(M,) two-sided p of a paired permutation test: as if which model is which were a coin toss for each patient.

    The observed assignment counts as one of the permutations, so that p is never 0. `scipy.stats.permutation_test`
    gives the same p (a test holds it), but asks for every patient's sums in Python: only sums are swapped here.
    """
    metrics = first[0].shape[1]
    sums = np.concatenate([a + b for a, b in zip(first, second, strict=True)], axis=1).sum(0) / 2
    halves = np.concatenate([a - b for a, b in zip(first, second, strict=True)], axis=1) / 2

    def difference(swapped: Floats) -> Floats:
        ours, theirs = sums + swapped, sums - swapped
        return share(ours[..., :metrics], ours[..., metrics:]) - share(
            theirs[..., :metrics], theirs[..., metrics:]
        )

    observed = np.abs(difference(halves.sum(0)))
    beyond = np.ones(metrics)
    for size in _blocks(swaps, len(halves)):
        signs = random.integers(0, 2, (size, len(halves)), dtype=np.int8) * np.float64(2) - 1
        beyond += (np.abs(difference(signs @ halves)) >= observed - 1e-12).sum(0)
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


def patient_pools(
    groups: NDArray[Any], count: int, patients: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Cut each group's patients into pools.

    Args:
        groups: (N,) group of each case, -1 for none.
        count: G.
        patients: (N,) number of each case's patient, from 0, in random order.

    Returns:
        rows: the cases that have a group; pools: of each of them, `group * POOLS + pool`; sizes: (G,) patients.
    """
    rows = np.flatnonzero(groups >= 0)
    own = groups[rows].astype(np.int64)
    width = int(patients.max()) + 1 if len(patients) else 1
    distinct, inverse = np.unique(own * width + patients[rows], return_inverse=True)
    group_of = distinct // width
    sizes = np.bincount(group_of, minlength=count)
    first = np.concatenate([[0], np.cumsum(sizes)])
    rank = np.arange(len(distinct)) - first[group_of]
    return rows, own * POOLS + (rank % POOLS)[inverse], sizes


def pool_sums(pools: NDArray[np.int64], count: int, values: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """(G, POOLS, S): each value summed over the cases of each pool."""
    size = count * POOLS
    return np.stack(
        [np.bincount(pools, value, minlength=size).reshape(count, POOLS) for value in values], axis=-1
    )


def drawn_pools(sums: NDArray[np.float64], people: int, seed: int) -> NDArray[np.float64]:
    """(D, S): one group's sums over resampled pools; `sums` is (POOLS, S), empty pools last."""
    size = min(POOLS, people)
    # In 32 bits: an interval is not known to seven digits, and the product is half the work.
    drawn: NDArray[np.float64] = (_pool_weights(size, seed) @ sums[:size].astype(np.float32)).astype(
        np.float64
    )
    return drawn


@lru_cache(maxsize=48)
def _pool_weights(size: int, seed: int) -> NDArray[np.float32]:
    """(D, size) how often each of `size` is drawn in `size` draws with replacement."""
    random = np.random.default_rng((seed, size))
    positions = random.integers(0, size, (POOL_DRAWS, size)) + np.arange(POOL_DRAWS)[:, None] * size
    counts = np.bincount(positions.ravel(), minlength=POOL_DRAWS * size)
    return counts.reshape(POOL_DRAWS, size).astype(np.float32)
