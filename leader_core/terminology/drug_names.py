"""Which drugs a hospital's order text names: longest names first, combinations joined, typing errors last.

Works on the names of `drug_table`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from operator import itemgetter
from typing import Final, Literal

from leader_core.terminology.drug_table import DrugTable, Ingredient, NotADrug, drug_table, is_lone, tokens
from leader_core.terminology.routes import is_form_word

Method = Literal["name", "truncated", "misspelt"]
"""How a name was recognised: as it stands in the table, cut short, or with one or two letters wrong."""

_NOISE: Final = frozenset(
    """a acetate acid active adult and bd bedside beef besylate bitartrate bolus bovine brand bromide bulk
    cap caps capsule capsules carbonate care cd chemo chewable chewtab chloride citrate cla compound
    conc concentrate concentrated continuous controlled cr critical crrt crushed daily delayed
    desensitization diluted diphosphate dipropionate disintegrating disodium dose dr drip drops drug ds
    ec elixir emulsion enteric er ethylsuccinate extended extra fast fe fill films flavored foam for
    free fumarate g gel generic gluconate gm gtt gum half hbr hcl home hp hr hrs human hyclate
    hydrobromide hydrochloride icu immediate in infant infusion inhaler inj injectable injection
    intermittent ir iv kit la lactate liq liquefied liquid load loading long low maintenance maleate max
    mcg med meds meq mesylate mg micronized mini minutes mix ml mmol monohydrate na name nap napsylate
    neb nebs neo nf nitrate non ns of oil oint ointment once oncology opht ophth or oral orally order
    otc own p pack packet patch ped pediatric pen per pf phosphate pill pkt plus po porcine pot
    potassium powder prefilled premix preparation preparations preserv preservative prn prophylaxis
    protocol pump push pwd rapid rate rectal regular release replacement respules room saline sc self
    single skin sl slow sod sodium sol soln solution spray sprinkle sprinkles sr std sterile strength
    sublingual succ succinate sugar sulf sulfate supp supply suppository susp suspension sustained
    syringe syrup tab tablet tablets tabs tartrate tbsp test therapy tid tincture titrate titrated to
    topical tosylate treatment troche tromethamine u unit units usp vac vaccine vag vaginal via vial
    virus w ward wash weekly with xl xr year years
    adv bq excel flex cont hicl ij gram grams lvp mbp pb solp solr sso svp flushsyrg syrg""".split()
)
_MIN_TRUNCATED: Final = 5
_MIN_MISSPELT: Final = 7
_MIN_SUGGESTED: Final = 4
_LONG: Final = 12  # from this length on, two letters may be wrong


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text names, before any route: ingredients (combinations joined), and things that are no drug."""

    ingredients: tuple[Ingredient, ...]
    others: tuple[NotADrug, ...]
    words: tuple[str, ...]
    method: Method = "name"
    unread: tuple[str, ...] = ()  # words that are neither names nor known trimmings


def read_drug(text: str) -> Reading:
    """Read one order text; never raises, and case, spacing and punctuation do not matter.

    >>> [i.name for i in read_drug("OxyCODONE-Acetaminophen Elixir").ingredients]
    ['oxycodone + acetaminophen']
    >>> read_drug("propra").method
    'truncated'
    """
    words = tokens(text)
    table = drug_table()
    strong, lone, others, unread = _scan(words, table)
    method: Method = "name"
    if unread:
        lone = []  # 'calcium' says nothing in 'calcium pantothenate'
    if not strong and not lone and not others:
        guess, method = _guess(unread, words)
        strong = [guess] if guess is not None else []
    elif strong and unread:
        strong += [i for word in unread if (i := _misspelt(word)) is not None and i not in strong]
    return Reading(
        ingredients=_join(strong or lone, table),
        others=tuple(dict.fromkeys(others)),
        words=words,
        method=method,
        unread=tuple(unread),
    )


def _scan(
    words: Sequence[str], table: DrugTable
) -> tuple[list[Ingredient], list[Ingredient], list[NotADrug], list[str]]:
    """Walk the words, taking the longest name at each position."""
    strong: list[Ingredient] = []
    lone: list[Ingredient] = []
    others: list[NotADrug] = []
    unread: list[str] = []
    at = 0
    while at < len(words):
        length, entry = _longest(words, at, table)
        if isinstance(entry, NotADrug):
            others.append(entry)
        elif entry is not None:
            (lone if is_lone(tuple(words[at : at + length])) else strong).append(entry)
        elif (
            words[at].isalpha()
            and len(words[at]) > 1
            and words[at] not in _NOISE
            and not is_form_word(words[at])
        ):
            unread.append(words[at])
        at += length
    return strong, lone, others, unread


def _longest(words: Sequence[str], at: int, table: DrugTable) -> tuple[int, Ingredient | NotADrug | None]:
    for length in table.starts.get(words[at], ()):
        entry = table.phrases.get(tuple(words[at : at + length]))
        if entry is not None:
            return length, entry
    return 1, None


def _join(ingredients: Iterable[Ingredient], table: DrugTable) -> tuple[Ingredient, ...]:
    """One entry for parts that ATC classifies together; a part of a named combination adds nothing."""
    distinct = list(dict.fromkeys(i.name for i in ingredients))
    entries = [table.ingredients[name] for name in distinct]
    parts = frozenset[str]().union(*(entry.parts for entry in entries))
    whole = table.combinations.get(parts)
    if whole is not None:
        return (whole,)
    joined: list[Ingredient] = [entry for entry in entries if len(entry.parts) > 1]
    left = parts - frozenset[str]().union(*(entry.parts for entry in joined))
    if len(left) > 1:
        inside = [c for c in table.combinations.values() if c.parts <= left]
        if inside:
            best = max(inside, key=lambda c: (len(c.parts), c.name))
            joined.append(best)
            left -= best.parts
    joined += [entry for entry in entries if len(entry.parts) == 1 and entry.name in left]
    return tuple(entry for entry in joined if entry.default is not None)


def _guess(unread: Sequence[str], words: Sequence[str]) -> tuple[Ingredient | None, Method]:
    """A drug whose name was cut short or misspelt, where only one can be meant."""
    if not unread:
        return None, "name"
    letters = [word for word in words if word.isalpha()]
    whole = " ".join(letters)
    if (entry := _truncated(whole)) is not None:
        return entry, "truncated"
    pairs = [" ".join(pair) for pair in pairwise(letters) if not _NOISE.issuperset(pair)]
    for text in dict.fromkeys((whole, *pairs, *unread)):
        if (entry := _misspelt(text)) is not None:
            return entry, "misspelt"
    return None, "name"


def _truncated(text: str) -> Ingredient | None:
    """The only drug whose name begins with `text`."""
    if len(text) < _MIN_TRUNCATED:
        return None
    names = _spelled()
    entries: dict[str, Ingredient] = {}
    for name, entry in names[bisect_left(names, text, key=itemgetter(0)) :]:
        if not name.startswith(text):
            break
        if entry.codes:
            entries[entry.name] = entry
    return next(iter(entries.values())) if len(entries) == 1 else None


@cache
def _spelled() -> list[tuple[str, Ingredient]]:
    """Every name with letters only as one string, sorted, with its drug; combinations by their brands alone."""
    table = drug_table()
    names = [
        (" ".join(phrase), entry)
        for phrase, entry in table.phrases.items()
        if isinstance(entry, Ingredient)
        and all(word.isalpha() for word in phrase)
        and not (len(entry.parts) > 1 and phrase == tokens(entry.name))
    ]
    return sorted(names, key=itemgetter(0))


@cache
def _spellings() -> tuple[tuple[str, ...], dict[str, Ingredient]]:
    names = {
        name: entry
        for name, entry in _spelled()
        if len(name) >= _MIN_MISSPELT - 1 and all(len(word) > 2 for word in name.split())
    }
    return tuple(names), names


def nearest_names(text: str) -> tuple[str, ...]:
    """Two names of drugs that a text which names none may mean, at most two letters away (one in short words), nearest first.

    >>> nearest_names("digoxn"), nearest_names("Plavx")
    (('digoxin',), ('Plavix (clopidogrel)',))
    """
    words = " ".join(word for word in tokens(text) if word.isalpha())
    if len(words) < _MIN_SUGGESTED:
        return ()
    names = dict(_spelled())
    near = _near(words, tuple(names), 1 + (len(words) > 6))
    meant: dict[str, str] = {}
    for name, _ in sorted(near, key=lambda each: (each[1], each[0][0] != words[0])):
        drug = names[name].name
        meant.setdefault(drug, drug if drug.startswith(name) else f"{name.capitalize()} ({drug})")
    return tuple(meant.values())[:2]


def _misspelt(text: str) -> Ingredient | None:
    """The drug one letter (two, in long names) away, where every name that near belongs to it."""
    if len(text) < _MIN_MISSPELT:
        return None
    allowed = 2 if len(text) >= _LONG else 1
    choices, names = _spellings()
    near = _near(text, choices, allowed)
    drugs = {names[choice].name: names[choice] for choice, _ in near}
    if len(drugs) != 1 or not any(choice[0] == text[0] for choice, _ in near):
        return None
    return next(iter(drugs.values()))


def _near(text: str, names: Sequence[str], letters: int) -> list[tuple[str, int]]:
    """Up to twenty names at most so many letters away, each with how many."""
    from rapidfuzz import process  # slow to import, and most orders are spelt right
    from rapidfuzz.distance import OSA

    near = process.extract(text, list(names), scorer=OSA.distance, score_cutoff=letters, limit=20)
    return [(name, distance) for name, distance, _ in near]
