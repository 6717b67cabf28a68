"""Finding codes by what people type: a code, a title's words, a synonym, any of them begun or misspelt; best first.

Everything that does not depend on the search is worked out when the index is built; a search is a few passes over
arrays of one byte a code (`code_match`). Threads may share an index. Refuses to know which cohort the codes come from.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import KINDS, Concept
from leader_core.search.aliases import all_terms, resolve
from leader_core.search.code_tables import CodeTable
from leader_core.search.folding import SMALL_WORDS
from leader_core.search.matching import GRADES, Match
from leader_core.search.word_index import WordIndex
from leader_core.terminology.icd import parent

_LAST: Final = "\U0010ffff"
_NARROWS_NOTHING: Final = (
    *SMALL_WORDS,
    "not",
    "unspecified",
    "nos",
    "nec",
    "elsewhere",
    "classified",
    "organism",
)
_NARROWS_NOTHING_ELSE: Final = ("other", "mention", "complication", "complications", "site", "type")
_EXOTIC: Final = (
    "sequela subsequent delayed nonunion malunion newborn neonatal puerperium trimester poisoning adverse underdosing "
    "history screening assault military late maternal pregnancy pregnant childbirth congenital contact suspected"
)


class CodeIndex:
    """Built once for a table of codes, in about two seconds for all 170,000."""

    def __init__(self, table: CodeTable) -> None:
        self.table = table
        self.words = WordIndex([*table.titles, *(term.text for term in all_terms())])
        self.aliases = resolve(table, self.words)
        self.kinds = np.array([KINDS.index(kind) for kind in table.kinds], np.int8)
        self.systems = np.array(table.systems, dtype=object)
        bare = [code.rpartition(":")[2].lower() for code in table.codes]
        by_code = sorted(range(len(bare)), key=bare.__getitem__)
        self._bare = [bare[row] for row in by_code]
        self._by_code = np.array(by_code, np.int32)
        idle = dict.fromkeys((*_NARROWS_NOTHING, *_NARROWS_NOTHING_ELSE), 0)
        self.content = self.words.weights(idle)[: len(table)]
        used = {system for system, n in zip(table.systems, table.patients.tolist(), strict=True) if n}
        self.foreign = np.array([system not in used for system in table.systems], np.bool_)
        self._standing = self._rank(idle)

    def __len__(self) -> int:
        return len(self.table)

    def search(self, text: str, kinds: Iterable[str], limit: int) -> tuple[Concept, ...]:
        """The best `limit` matches of these kinds, best first; each says why where its title does not."""
        match = Match(self, text, self._of_kinds(kinds), limit)
        rows = np.flatnonzero(match.tiers) if limit > 0 else np.zeros(0, np.int64)
        keys = match.tiers[rows].astype(np.int64) * len(self) - self._standing[rows]
        if len(rows) > limit:
            best = np.argpartition(-keys, limit - 1)[:limit]
            rows, keys = rows[best], keys[best]
        return tuple(self._concept(row, match.hint(row)) for row in rows[np.argsort(-keys)].tolist())

    def matching(self, text: str) -> list[int]:
        """Numbers of all the cohort's concepts that fit as well as the best one does (see `GRADES`)."""
        tiers = Match(self, text, self._of_kinds(KINDS), 1).tiers
        best = int(tiers.max(initial=0))
        grade = next((grade for grade in GRADES if best in grade), ())
        fitting = self.table.concept_ids[np.isin(tiers, grade)]
        found: list[int] = fitting[fitting >= 0].tolist()
        return found

    def code_rows(self, code: str) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Rows whose bare code, in small letters, is this text; and rows whose code begins with it."""
        first, last = bisect_left(self._bare, code), bisect_left(self._bare, code + _LAST)
        exact = first
        while exact < last and self._bare[exact] == code:
            exact += 1
        return self._by_code[first:exact], self._by_code[first:last]

    def _concept(self, row: int, hint: str) -> Concept:
        table = self.table
        code = table.codes[row]
        return Concept(table.kinds[row], code, table.systems[row], table.titles[row], parent(code), hint)

    def _of_kinds(self, kinds: Iterable[str]) -> NDArray[np.bool_]:
        return np.isin(self.kinds, [KINDS.index(kind) for kind in kinds])  # type: ignore[arg-type]

    def _rank(self, idle: dict[str, int]) -> NDArray[np.int64]:
        """Each row's place among rows that match equally well: by patients, then the plainer title, then the code.

        A title is plainer the fewer words it has that narrow it; ties go to systems that the cohort uses.
        """
        weights = {**idle, **dict.fromkeys(_EXOTIC.split(), 4)}
        plainness = 2 * self.words.weights(weights) - self.words.weights({"unspecified": 1}, otherwise=0)
        table = self.table
        by_code = np.empty(len(self), np.int64)
        by_code[self._by_code] = np.arange(len(self))
        order = np.lexsort((by_code, self.kinds, self.foreign, plainness[: len(self)], -table.patients))
        standing = np.empty(len(self), np.int64)
        standing[order] = np.arange(len(self))
        return standing
