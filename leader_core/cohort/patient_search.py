"""Searching patients by words and codes: what a search was taken for, who matches it, and by which codes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from leader_core.cohort.patient_codes import PatientCodes
from leader_core.search.index import CodeIndex, CodeTable
from leader_core.search.matching import BestMatches, best_matches, title_matches
from leader_core.search.query import SearchTerm, parse
from leader_core.search.words import MOST_WORDS, SMALL_WORDS, content_words, fold, search_words, spellings
from leader_core.terminology.drug_names import read_drug
from leader_core.terminology.drugs import AtcLevel

_CACHED_TEXTS: Final = 16
MOST_TITLES: Final = 30
"""How many of the codes behind words of a search are listed."""
_PATIENT: Final = re.compile(r"\s*(?:patient|id|#)?\s*#?\s*(\d{1,18})\s*", re.IGNORECASE)
_ARTICLES: Final = frozenset(("a", "an"))
_PERSONS: Final = frozenset(
    "old older aged young younger elderly adult adults child children male males female females".split()
)
"""By themselves these say whom a search asks for, which the filters of sex and age know; in a title they are words of it."""
_WORD: Final = re.compile(r"[A-Za-z0-9]+(?:'s\b)?|[^A-Za-z0-9]+")

_TEXTS: Final = "SELECT drug, count(*) AS orders FROM orders GROUP BY drug ORDER BY drug"
_ORDERS: Final = """
SELECT t.number, o.patient_id FROM orders AS o
INNER JOIN (SELECT unnest($texts) AS drug, CAST(unnest(range(len($texts))) AS INTEGER) AS number) AS t ON t.drug = o.drug
"""
_BLOCK: Final = 1_000_000
_ORDERED: Final = """
SELECT patient_id, list(DISTINCT drug ORDER BY drug) FROM orders
WHERE patient_id IN (SELECT unnest($patients)) AND drug IN (SELECT unnest($drugs)) GROUP BY patient_id
"""


@dataclass(frozen=True, slots=True)
class SearchPart:
    """Words of a search that were looked up together, and what they were taken for."""

    text: str
    concepts: tuple[
        int, ...
    ] = ()  # numbers of the cohort's concepts, best first; empty where no patient has any
    title: str = ""  # of the best match, perhaps a code that no patient here has; empty where nothing matches
    titles: tuple[str, ...] = ()  # of the first few concepts
    hint: str = ""  # why it matches, where its title does not show it
    drug: str = ""  # where the words name a drug: its name; its orders count then, and not the class
    orders: tuple[str, ...] = ()  # the order texts that name the drug
    readable: bool = True  # False for another script


Alternatives = tuple[tuple[SearchPart, ...], ...]
"""Any of them must match, and of each all parts."""


@dataclass(frozen=True, slots=True)
class SearchClause:
    """One condition of a search."""

    alternatives: Alternatives
    excluded: bool
    patients: int  # how many meet it, before an exclusion is turned round


@dataclass(frozen=True, slots=True)
class SearchReading:
    """What a search was taken for. Nobody matches a search of which nothing was understood."""

    clauses: tuple[SearchClause, ...] = ()
    unread: tuple[str, ...] = ()  # symbols, and what follows the longest text that is read
    patient: str = ""  # the beginning of a patient id, where the text is a number
    patients: int = 0  # whose id begins so

    def not_understood(self) -> tuple[str, ...]:
        """Words for which there is no code, and what was not read."""
        parts = [p for c in self.clauses for alternative in c.alternatives for p in alternative]
        unknown = [] if self.patients else [part.text for part in parts if not part.title]
        return (*unknown, *self.unread)


@dataclass(frozen=True, slots=True)
class MatchReason:
    """A code or an order by which a patient matches words of a search."""

    pieces: tuple[tuple[str, bool], ...]  # title or order text, cut where words of the search begin and end
    more: int  # further codes or order texts of the patient that match the same words


class PatientSearch:
    """Searches of one cohort."""

    def __init__(
        self, codes: PatientCodes, own: CodeIndex, library: Callable[[], CodeIndex], drugs: DrugSearch
    ) -> None:
        """By the index of the cohort's codes, that of all codes, and the cohort's orders."""
        self._codes = codes
        self._own = own
        self._library = library
        self._drugs = drugs
        self._titles = dict(zip(own.table.concept_ids.tolist(), own.table.titles, strict=True))
        self.read = lru_cache(_CACHED_TEXTS)(self._read)
        self._meeting = lru_cache(_CACHED_TEXTS)(self._read_meeting)

    def warm_up(self) -> None:
        """Read what the first search of a drug would wait for."""
        self._drugs.warm_up()

    def _read(self, text: str) -> SearchReading:
        """What a search is taken for."""
        patient = _PATIENT.fullmatch(text)
        beginning = patient[1] if patient else ""
        patients = int(self._codes.beginning(beginning).sum())
        pasted = title_matches(self._own, text)
        if pasted.concepts:
            part = SearchPart(" ".join(text.split()), pasted.concepts, pasted.title)
            return SearchReading((self._counted(((part,),), excluded=False),), (), beginning, patients)
        parsed = parse(beginning or text)
        clauses = tuple(
            self._counted(tuple(self._parts(term, text) for term in clause.terms), clause.excluded)
            for clause in parsed.clauses
        )
        return SearchReading(clauses, parsed.unread, beginning, patients)

    def _counted(self, alternatives: Alternatives, excluded: bool) -> SearchClause:
        return SearchClause(alternatives, excluded, int(self._meeting(alternatives).sum()))

    def matches(self, text: str) -> NDArray[np.bool_]:
        """(N,) who matches a search; nobody where nothing of it was understood.

        An exclusion of what no patient has excludes nobody, and is no search by itself.
        """
        reading = self.read(text)
        included = [c for c in reading.clauses if not c.excluded]
        excluded = [c for c in reading.clauses if c.excluded and c.patients]
        matches = np.full(len(self._codes.ids), bool(included or excluded))
        for clause in included:
            matches &= self._meeting(clause.alternatives)
        for clause in excluded:
            matches &= ~self._meeting(clause.alternatives)
        return matches | self._codes.beginning(reading.patient)

    def reasons(self, text: str, patient_ids: Iterable[int]) -> dict[int, tuple[MatchReason, ...]]:
        """For each patient what a search matched, one code or order for each of its parts, the best match first."""
        reasons: dict[int, list[MatchReason]] = {patient: [] for patient in patient_ids}
        included = (clause for clause in self.read(text).clauses if not clause.excluded)
        for part in (part for clause in included for parts in clause.alternatives for part in parts):
            for patient, titles in self._held(list(reasons), part).items():
                reasons[patient].append(MatchReason(highlight(titles[0], part.text), len(titles) - 1))
        return {patient: tuple(each) for patient, each in reasons.items()}

    def _held(self, patient_ids: list[int], part: SearchPart) -> dict[int, list[str]]:
        """The titles or order texts by which each patient matches a part; without patients who do not."""
        if part.drug:
            return self._drugs.ordered(patient_ids, part.orders) if part.orders else {}
        held = self._codes.held(np.array(patient_ids, np.int64), part.concepts)
        return {patient: [self._titles[c] for c in concepts] for patient, concepts in held.items()}

    def _parts(self, term: SearchTerm, typed: str) -> tuple[SearchPart, ...]:
        """A term as one thing where a code has all its words, else as the longest runs of words that are one thing."""
        if not term.readable:
            return (SearchPart(term.text, readable=False),)
        if term.quoted:
            return (self._part(f"“{term.text}”", best_matches(self._own, term.text, quoted=True)),)
        words = term.text.split()
        while len(words) > 1 and words[0].lower() in SMALL_WORDS:  # "with CHF"
            words.pop(0)
        runs = self._runs(words, whole=term.text == typed.strip())
        dropped = SMALL_WORDS | (_ARTICLES if len(runs) > 1 else frozenset())
        parts = [self._part(text, matches) for text, matches in runs if text.lower() not in dropped]
        return tuple(parts) or (SearchPart(term.text),)

    def _runs(self, words: list[str], *, whole: bool) -> list[tuple[str, BestMatches]]:
        """Words in the longest runs that are one thing each, from the left; `whole` where they are all that was typed."""
        runs = []
        alone = whole and len(words) == 1
        while words:
            for length in range(min(len(words), MOST_WORDS), 0, -1):
                matches = self._find(" ".join(words[:length]), alone=alone)
                if matches.concepts or (
                    length > 1 and fold(" ".join(words[:length])) in self._own.aliases.named
                ):
                    break  # the name of what no patient has is not taken apart
            if matches.concepts and not matches.together:
                length, matches = self._first_of_two(words[:length], matches) or (length, matches)
            runs.append((" ".join(words[:length]), matches))
            words = words[length:]
        return runs

    def _first_of_two(self, words: list[str], whole: BestMatches) -> tuple[int, BestMatches] | None:
        """The first of two things, as in "heart failure renal failure", where a title has all words but apart.

        Single words are things of their own ("pneumonia sepsis") only where the words are together but begun or misspelt.
        """
        shortest = 2 if whole.in_words else 1
        for length in range(shortest, len(words) - shortest + 1):
            first = self._find(" ".join(words[:length]))
            if first.together and self._find(" ".join(words[length:])).together:
                return length, first
        return None

    def _find(self, text: str, *, alone: bool = False) -> BestMatches:
        """What a run of words stands for.

        Beside other words, a letter and a number of one or two digits say nothing by themselves, and a word may be a
        beginning ("furo") but not that of a word further inside ("table" in "salt tablets").
        """
        words = fold(text).split()
        if SMALL_WORDS.issuperset(words):
            return BestMatches()
        if len(words) > 1 or alone:
            quoted = not alone and all(len(word) == 1 for word in words)
            return best_matches(self._own, text, quoted=quoted)
        if len(words[0]) == 1 or (len(words[0]) == 2 and words[0].isdigit()):
            return BestMatches()
        matches = best_matches(self._own, text)
        return BestMatches() if matches.inside or (len(words[0]) == 2 and not matches.in_words) else matches

    def _part(self, text: str, matches: BestMatches) -> SearchPart:
        if text.lower() in _PERSONS:
            return SearchPart(text)
        abbreviated = all(len(word) == 1 for word in fold(text).split())
        if matches.kind == "medication":
            drug, orders = self._drugs.find(text.strip("“”"))
            if drug:
                return SearchPart(text, matches.concepts, matches.title, (), matches.hint, drug, orders)
        title = matches.title
        if not title and not abbreviated:
            listed = best_matches(self._library(), text.strip("“”"))
            title = "" if listed.inside else listed.title
        titles = tuple(self._titles[concept] for concept in matches.concepts[:MOST_TITLES])
        return SearchPart(text, matches.concepts, title, titles, matches.hint)

    def _read_meeting(self, alternatives: Alternatives) -> NDArray[np.bool_]:
        """(N,) who has a code for every part of any of the alternatives."""
        met = np.zeros(len(self._codes.ids), np.bool_)
        for parts in alternatives:
            every = np.ones(len(met), np.bool_)
            for part in parts:
                every &= self._having(part)
            met |= every
        return met

    def _having(self, part: SearchPart) -> NDArray[np.bool_]:
        """(N,) who has a code, or for a drug an order, of a part."""
        if part.drug:
            return self._drugs.having(part.orders)
        return self._codes.having(part.concepts)


class DrugSearch:
    """Orders of one cohort by the drug they name: a class says too little of one drug."""

    def __init__(self, connect: Callable[[], duckdb.DuckDBPyConnection], ids: NDArray[np.int64]) -> None:
        """`connect` opens a cursor; `ids` are those of the N patients, in order."""
        self._connect = connect
        self._ids = ids

    def warm_up(self) -> None:
        """Read which drug each order text names, and who has it: a second at 300,000 patients, then 40 ms less a search."""
        _ = self._words, self._places

    @cached_property
    def _words(self) -> dict[str, set[str]]:
        """The words of each ingredient's name."""
        return {name: set(fold(name).split()) for name in self._texts}

    @cached_property
    def _texts(self) -> dict[str, list[str]]:
        """Order texts by the ingredient that they name."""
        texts: dict[str, list[str]] = {}
        for text in self._places:
            for ingredient in read_drug(text).ingredients:
                texts.setdefault(ingredient.name, []).append(text)
        return texts

    @cached_property
    def _places(self) -> dict[str, NDArray[np.int32]]:
        """The positions, among the sorted ids, of the patients with each order text; one may stand there twice."""
        cursor = self._connect()
        counts = dict(cursor.execute(_TEXTS).fetchall())
        places = [np.empty(count, np.int32) for count in counts.values()]
        filled = [0] * len(places)
        small = np.min_scalar_type(len(places))  # numbers of two bytes sort several times faster
        for block in cursor.sql(_ORDERS, params={"texts": list(counts)}).to_arrow_reader(_BLOCK):
            numbers = block["number"].to_numpy().astype(small)
            order = np.argsort(numbers, kind="stable")
            distinct, starts = np.unique(numbers[order], return_index=True)
            block_places = np.searchsorted(self._ids, block["patient_id"].to_numpy())[order]
            for number, part in zip(distinct.tolist(), np.split(block_places, starts[1:]), strict=True):
                places[number][filled[number] : filled[number] + len(part)] = part
                filled[number] += len(part)
        return dict(zip(counts, places, strict=True))

    def find(self, text: str) -> tuple[str, tuple[str, ...]]:
        """The drug that a text names and the order texts that name it too; the first empty where it names none.

        "Insulin" means every insulin, and a single drug also its combinations.
        """
        ingredients = read_drug(text).ingredients
        if len(ingredients) != 1:
            return "", ()
        name, words = ingredients[0].name, set(fold(text).split())
        meant = [each for each, own in self._words.items() if each == name or words <= own]
        texts = sorted({text for each in meant for text in self._texts[each]})
        return (fold(text) if len(meant) > 1 else name), tuple(texts)

    def having(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """(N,) who has one of these order texts."""
        having = np.zeros(len(self._ids), np.bool_)
        for text in texts:
            having[self._places[text]] = True
        return having

    def ordered(self, patient_ids: Sequence[int], texts: Sequence[str]) -> dict[int, list[str]]:
        """Which of the order texts each of these patients has; without patients who have none."""
        values = {"patients": list(patient_ids), "drugs": list(texts)}
        return dict(self._connect().execute(_ORDERED, values).fetchall())


def code_table(cursor: duckdb.DuckDBPyConnection, level: AtcLevel) -> CodeTable:
    """Every code of the cohort with how many patients have it, by its number."""
    query = "SELECT kind, code, system, title, concept_id, patients FROM concepts ORDER BY concept_id"
    rows = cursor.execute(query).fetchall()
    kinds, codes, systems, titles, numbers, patients = ([row[i] for row in rows] for i in range(6))
    return CodeTable(
        kinds, codes, systems, titles, np.array(numbers, np.int32), np.array(patients, np.int32), level
    )


def highlight(title: str, text: str) -> tuple[tuple[str, bool], ...]:
    """A title in pieces, marked where it has words of a search; marked whole where another name matched it.

    >>> highlight("Congestive heart failure, unspecified", "heart fail")
    (('Congestive ', False), ('heart failure', True), (', unspecified', False))
    """
    words = content_words(search_words(text))
    forms = {form for word in words for form in spellings(word)}
    pieces: list[tuple[str, bool]] = []
    for piece in _WORD.findall(title):
        folded = fold(piece)
        marked = folded in forms or any(len(w) > 1 and folded.startswith(w) for w in words)
        pieces.append((piece, marked))
    for at in range(1, len(pieces) - 1):  # a space between two marked words is marked with them
        if pieces[at][0] == " " and pieces[at - 1][1] and pieces[at + 1][1]:
            pieces[at] = (" ", True)
    if not any(marked for _, marked in pieces):
        return ((title, True),)
    return _joined(pieces)


def _joined(pieces: Iterable[tuple[str, bool]]) -> tuple[tuple[str, bool], ...]:
    """Neighbours that are both marked, or both not, as one piece."""
    joined: list[tuple[str, bool]] = []
    for text, marked in pieces:
        if joined and joined[-1][1] == marked:
            joined[-1] = (joined[-1][0] + text, marked)
        else:
            joined.append((text, marked))
    return tuple(joined)
