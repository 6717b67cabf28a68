"""The codes that can be searched: a cohort's own and those of the installed code lists, with synonyms and word index.

Everything that does not depend on a search is computed when the index is built, in about two seconds for all 170,000
codes; `matching` answers searches from its arrays, which threads may share.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from leader_core.domain import KINDS, Kind
from leader_core.ragged import spans
from leader_core.search.words import SMALL_WORDS, WordIndex, content_words, fold
from leader_core.terminology.atc import all_atc_titles
from leader_core.terminology.drugs import ATC_LENGTH, AtcLevel
from leader_core.terminology.icd import SYSTEMS, listed_titles
from leader_core.terminology.synonyms import Synonym, drug_synonyms, synonyms

_LAST: Final = "\U0010ffff"
_NARROWS_NOTHING: Final = (
    *SMALL_WORDS,
    *"not unspecified nos nec elsewhere classified organism".split(),
    *"other mention complication complications site type".split(),
)
_UNUSUAL: Final = (
    "sequela subsequent delayed nonunion malunion newborn neonatal puerperium trimester poisoning adverse underdosing "
    "history screening assault military late maternal pregnancy pregnant childbirth congenital contact suspected"
)


@dataclass(frozen=True, slots=True)
class CodeTable:
    """Parallel columns; the cohort's codes first, where there are any.

    `concept_ids` are -1 and `patients` 0 for codes that only the lists know.
    """

    kinds: list[Kind]
    codes: list[str]
    systems: list[str]
    titles: list[str]
    concept_ids: NDArray[np.int32]
    patients: NDArray[np.int32]
    atc_level: AtcLevel

    def __len__(self) -> int:
        return len(self.codes)


def with_libraries(own: CodeTable) -> CodeTable:
    """The same, and every code of the installed lists that is not among them."""
    known = set(own.codes)
    rows: list[tuple[Kind, str, str, str]] = []
    for system in SYSTEMS:
        kind: Kind = "procedure" if system.endswith("PCS") else "diagnosis"
        rows += ((kind, f"{system}:{bare}", system, title) for bare, title in listed_titles(system).items())
    length = ATC_LENGTH[own.atc_level]
    rows += (
        ("medication", code, "ATC", title) for code, title in all_atc_titles().items() if len(code) == length
    )
    rows = [row for row in rows if row[1] not in known]
    kinds, codes, systems, titles = (list(column) for column in zip(*rows, strict=True))
    return CodeTable(
        own.kinds + kinds,
        own.codes + codes,
        own.systems + systems,
        own.titles + titles,
        np.concatenate([own.concept_ids, np.full(len(rows), -1, np.int32)]),
        np.concatenate([own.patients, np.zeros(len(rows), np.int32)]),
        own.atc_level,
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
        no_weight = dict.fromkeys(_NARROWS_NOTHING, 0)
        self.content = self.words.weights(no_weight)[: len(table)]
        used = {system for system, n in zip(table.systems, table.patients.tolist(), strict=True) if n}
        self.foreign = np.array([system not in used for system in table.systems], np.bool_)
        self.rank = self._rank(no_weight)  # place among codes that match equally well

    def __len__(self) -> int:
        return len(self.table)

    def code_rows(self, code: str) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Rows whose bare code, in small letters, is this text; and rows whose code begins with it."""
        first, last = bisect_left(self._bare, code), bisect_left(self._bare, code + _LAST)
        exact = bisect_right(self._bare, code)
        return self._by_code[first:exact], self._by_code[first:last]

    def _rank(self, no_weight: dict[str, int]) -> NDArray[np.int64]:
        """Each row's place among rows that match equally well: by patients, then the plainer title, then the code.

        A title is plainer the fewer words it has that narrow it; ties go to systems that the cohort uses.
        """
        weights = {**no_weight, **dict.fromkeys(_UNUSUAL.split(), 4)}
        plainness = 2 * self.words.weights(weights) - self.words.weights({"unspecified": 1}, otherwise=0)
        table = self.table
        by_code = np.empty(len(self), np.int64)
        by_code[self._by_code] = np.arange(len(self))
        order = np.lexsort((by_code, self.kinds, self.foreign, plainness[: len(self)], -table.patients))
        rank = np.empty(len(self), np.int64)
        rank[order] = np.arange(len(self))
        return rank


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
        at = spans(first, sizes)
        return self.rows[at], self.plain[at], np.repeat(terms, sizes)


def resolve(table: CodeTable, words: WordIndex) -> Aliases:
    """All terms with the rows they stand for; `words` indexes the table's titles and then `all_terms()`."""
    finder = _Finder(table, words)
    groups = [finder.rows(synonym) for synonym in _all_synonyms()]
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
        starts=np.concatenate([[0], np.cumsum([len(rows) for rows, _ in groups])]).astype(np.int64),
        rows=np.concatenate([rows for rows, _ in groups]),
        plain=np.concatenate([plain for _, plain in groups]),
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
