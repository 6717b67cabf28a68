"""`InteractionTable`: look-up of pairs, symmetric and indexed; the statistical pairs as a matrix.

Refuses to know where pairs come from or how they were graded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from leader_core.domain import SEVERITIES, Interaction
from leader_core.errors import InputError

PARTIAL: Final = "Only when combining "
"""How the management of a pair begins that only some drugs of the two classes carry."""

_RANK: Final = {severity: rank for rank, severity in enumerate(SEVERITIES)}


def is_statistical(interaction: Interaction) -> bool:
    """True for a statistical signal, which has no grading; False for a graded clinical pair."""
    return interaction.severity == "unknown"


def is_partial(interaction: Interaction) -> bool:
    """True where only some drugs of the two classes carry the rule that grades the pair."""
    return interaction.management.startswith(PARTIAL)


class InteractionTable:
    """Every known pair at one ATC level; at most one clinical and one statistical entry a pair.

    Absence of a pair means "not in this table", never "safe".

    Raises:
        InputError: for a pair out of order, a severity outside the scale, or a pair listed twice in one family.
    """

    def __init__(self, pairs: Iterable[Interaction]) -> None:
        self._rows: dict[str, dict[str, tuple[Interaction, ...]]] = {}
        self._size = 0
        for item in pairs:
            _check(item)
            row = self._rows.setdefault(item.code_a, {})
            known = row.get(item.code_b, ())
            if any(is_statistical(k) == is_statistical(item) for k in known):
                raise InputError(
                    f"The pair {item.code_a} and {item.code_b} stands twice among the "
                    f"{'statistical' if is_statistical(item) else 'clinical'} pairs: expected once. Merge the two."
                )
            row[item.code_b] = tuple(sorted((*known, item), key=lambda i: _RANK[i.severity]))
            self._size += 1

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Interaction]:
        """Every entry in order of codes, a pair's clinical entry before its statistical one."""
        for a in sorted(self._rows):
            for b in sorted(self._rows[a]):
                yield from self._rows[a][b]

    def pair(self, a: str, b: str) -> tuple[Interaction, ...]:
        """What stands about two codes, in either order: graded entry first; empty where nothing does."""
        low, high = (a, b) if a <= b else (b, a)
        return self._rows.get(low, {}).get(high, ())

    def among(self, codes: Iterable[str]) -> tuple[Interaction, ...]:
        """Every entry between two of these codes, most severe first; among equals whole classes, then by code."""
        chosen = sorted(set(codes))
        found: list[Interaction] = []
        for position, a in enumerate(chosen):
            if row := self._rows.get(a):
                for b in chosen[position + 1 :]:
                    found.extend(row.get(b, ()))
        found.sort(key=lambda i: (_RANK[i.severity], is_partial(i), i.code_a, i.code_b))
        return tuple(found)

    @property
    def clinical(self) -> tuple[Interaction, ...]:
        """The graded pairs."""
        return tuple(i for i in self if not is_statistical(i))

    @property
    def statistical(self) -> tuple[Interaction, ...]:
        """The pairs with a statistical signal and no grading."""
        return tuple(i for i in self if is_statistical(i))

    def statistical_matrix(self, codes: Sequence[str]) -> npt.NDArray[np.bool_]:
        """(M, M) symmetric, False on the diagonal: True where a statistical signal stands. The DDI rate's table."""
        matrix = np.zeros((len(codes), len(codes)), dtype=np.bool_)
        position = {code: i for i, code in enumerate(codes)}
        for a, row in self._rows.items():
            if (i := position.get(a)) is None:
                continue
            for b, entries in row.items():
                if (j := position.get(b)) is not None and any(map(is_statistical, entries)):
                    matrix[i, j] = matrix[j, i] = True
        return matrix

    def density(self, codes: Iterable[str]) -> float:
        """Statistical pairs among these codes, as a share of all pairs of them; 0 where there is no pair."""
        distinct = sorted(set(codes))
        pairs = len(distinct) * (len(distinct) - 1) // 2
        return float(self.statistical_matrix(distinct).sum() // 2) / pairs if pairs else 0.0


def _check(item: Interaction) -> None:
    if item.severity not in _RANK:
        raise InputError(
            f"Severity {item.severity!r} of the pair {item.code_a} and {item.code_b}: "
            f"expected one of {', '.join(SEVERITIES)}."
        )
    if not item.code_a < item.code_b:
        raise InputError(
            f"The pair {item.code_a!r} and {item.code_b!r}: expected two different codes, the smaller one first. "
            "Swap them, or leave a pair within one class out."
        )
