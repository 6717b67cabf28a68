"""Synonyms resolved against the codes at hand: each term as a text of its own, with the codes it stands for.

Refuses to know how a search ranks them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from leader_core.domain import KINDS
from leader_core.search.code_tables import CodeTable
from leader_core.search.folding import content_words, fold
from leader_core.search.word_index import WordIndex
from leader_core.terminology.synonyms import Synonym, drug_synonyms, synonyms

_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Term:
    """One thing to type, and the group of rows it stands for."""

    text: str
    meaning: str
    group: int


def all_terms() -> list[Term]:
    """Every term of every synonym; the groups count the synonyms."""
    return [
        Term(term, synonym.meaning, group)
        for group, synonym in enumerate(_all_synonyms())
        for term in synonym.terms
    ]


@dataclass(frozen=True, slots=True)
class Aliases:
    """Term n stands for the rows of group `groups[n]`; `plain` marks the code itself, where a row is not just of its kin."""

    terms: list[Term]
    groups: NDArray[np.int64]
    lengths: NDArray[np.int64]  # words of each term, small words left out
    folded: pa.StringArray  # each term as its words, with a space before and after
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    plain: NDArray[np.bool_]
    named: dict[str, list[int]]  # folded term -> its numbers

    def expand(
        self, numbers: Sequence[int] | NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_], NDArray[np.int64]]:
        """Rows of several terms, whether each is the code itself, and the term each comes from."""
        terms = np.asarray(numbers, np.int64)
        groups = self.groups[terms]
        first, sizes = self.starts[groups], self.starts[groups + 1] - self.starts[groups]
        ends = np.cumsum(sizes)
        at = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(first - (ends - sizes), sizes)
        return self.rows[at], self.plain[at], np.repeat(terms, sizes)


def resolve(table: CodeTable, words: WordIndex) -> Aliases:
    """All terms with the rows they stand for; `words` indexes the table's titles and then `all_terms()`."""
    finder = _Finder(table, words)
    found = [finder.rows(synonym) for synonym in _all_synonyms()]
    terms = all_terms()
    folded = [fold(term.text) for term in terms]
    named: dict[str, list[int]] = {}
    for number, text in enumerate(folded):
        named.setdefault(text, []).append(number)
    return Aliases(
        terms=terms,
        groups=np.array([term.group for term in terms], np.int64),
        lengths=np.array([len(content_words(text.split())) for text in folded], np.int64),
        folded=words.folded.slice(len(table)),
        starts=np.concatenate([[0], np.cumsum([len(rows) for rows, _ in found])]).astype(np.int64),
        rows=np.concatenate([rows for rows, _ in found]),
        plain=np.concatenate([plain for _, plain in found]),
        named=named,
    )


def _all_synonyms() -> tuple[Synonym, ...]:
    return (*synonyms(), *drug_synonyms())


class _Finder:
    """Codes by pattern and by phrase."""

    def __init__(self, table: CodeTable, words: WordIndex) -> None:
        self._order = sorted(range(len(table)), key=table.codes.__getitem__)
        self._codes = [table.codes[row] for row in self._order]
        self._kinds = np.array([KINDS.index(kind) for kind in table.kinds], np.int8)
        self._all = table.codes
        self._patients = table.patients
        self._words = words

    def rows(self, synonym: Synonym) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """The rows a synonym finds, its exact codes first.

        Of these the first of each system is the code itself, and so are those that patients of the cohort have.
        """
        exact: dict[int, bool] = {}
        systems: set[str] = set()
        for pattern in synonym.codes:
            system = pattern.rpartition(":")[0]
            if "*" in pattern:
                continue
            for row in self._matching(pattern, synonym.kind):
                first = system not in systems or synonym.kind == "medication"
                exact[row] = first or bool(self._patients[row])
                systems.add(system)
        for pattern in synonym.codes:
            for row in self._matching(pattern, synonym.kind):
                exact.setdefault(row, False)
        for phrase in synonym.phrases:
            holding = self._words.holding(fold(phrase).split())
            holding = holding[holding < len(self._kinds)]
            for row in holding[self._kinds[holding] == KINDS.index(synonym.kind)].tolist():
                exact.setdefault(row, False)
        return np.array(list(exact), np.int32), np.array(list(exact.values()), np.bool_)

    def _matching(self, pattern: str, kind: str) -> Iterable[int]:
        if kind == "medication":
            return self._classes(pattern)
        start, star, rest = pattern.partition("*")
        if not star:
            return self._exactly(pattern)
        if not rest:
            return self._beginning(start)
        return [row for row in self._beginning(start) if fnmatchcase(self._all[row], pattern)]

    def _classes(self, atc: str) -> Sequence[int]:
        """The class that holds an ATC code, or, where the table is finer than it, all below it."""
        within = [row for n in range(3, len(atc) + 1) for row in self._exactly(atc[:n])]
        return within or self._beginning(atc)

    def _exactly(self, code: str) -> Sequence[int]:
        at = bisect_left(self._codes, code)
        return self._order[at : at + 1] if at < len(self._codes) and self._codes[at] == code else ()

    def _beginning(self, start: str) -> Sequence[int]:
        return self._order[bisect_left(self._codes, start) : bisect_left(self._codes, start + _LAST)]
