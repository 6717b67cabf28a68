"""A pasted list: codes, words or drugs in any usual writing, to codes; what could not be read is listed with its reason.

`resolve` decides what one piece of the list means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from leader_core.domain import Concept, Kind
from leader_core.errors import InputError
from leader_core.exchange.resolve import Answer, CodeBook, ResolvedCode, Resolver, Unresolved
from leader_core.terminology.atc import level_of
from leader_core.terminology.routes import known_routes

LARGEST: Final = 100_000
"""Characters of a list."""
MOST_ITEMS: Final = 1_000
_LONGEST_ITEM: Final = 300

_PREFIX: Final = re.compile(
    r"(?P<system>ICD-?10-?PCS|ICD-?9-?PCS|ICD-?10(?:-?CM)?|ICD-?9(?:-?CM)?|ATC)\s*[:#]?\s+?(?=\S)"
    r"|(?P<tight>ICD-?10-?PCS|ICD-?9-?PCS|ICD-?10(?:-?CM)?|ICD-?9(?:-?CM)?|ATC)\s*[:#]\s*",
    re.IGNORECASE,
)
_CODE_THEN_WORDS: Final = re.compile(
    r"(?P<code>[0-9A-Za-z]{2,7}(?:\.[0-9A-Za-z]{1,4})?)(?:\s*[-–—:|(]\s*|\s+)(?P<rest>\S.*)"
)
_BULLET: Final = re.compile(r"^(?:[-*•·]\s+|\d{1,3}[.)]\s+)")
_DIRECTION: Final = re.compile(
    r"(?:once |twice )?(?:daily|weekly|nightly|bid|tid|qid|qd|qhs|qod|prn|stat|once|q\d+h(?:r|rs)?)(?: prn)?",
    re.IGNORECASE,
)
_QUOTES: Final = "\"'“”‘’`"


@dataclass(frozen=True, slots=True)
class Resolved:
    """One piece of the list and the code it means."""

    text: str
    code: ResolvedCode


@dataclass(frozen=True, slots=True)
class Unmapped:
    """One piece of the list that means no code, why, and what may have been meant."""

    text: str
    reason: str
    candidates: tuple[Concept, ...] = ()


@dataclass(frozen=True, slots=True)
class PastedList:
    """Every piece of a pasted list: each is resolved, unmapped or repeated."""

    resolved: tuple[Resolved, ...]
    unmapped: tuple[Unmapped, ...]
    repeated: tuple[str, ...]  # pieces whose codes stood in the list before


def read_list(text: str, kind: Kind, cohort: CodeBook) -> PastedList:
    """Codes, words or drugs, separated by new lines, semicolons, tabs or commas.

    Args:
        text: as pasted. `ICD9:428.0`, `I50.9`, `428.0 - CHF`, `B01AA03` and `warfarin 5 mg PO` are all understood.
        kind: what the list is of; a piece that names its system may be of another kind.
        cohort: whose codes and ATC level count.

    Raises:
        InputError: a list that is too long.
    """
    if len(text) > LARGEST:
        raise InputError(
            f"The list has {len(text):,} characters: expected at most {LARGEST:,}. Paste it in parts."
        )
    resolver = Resolver(cohort)
    pieces = [clean for line in re.split(r"[\n\r;\t]+", text) if (clean := _clean(line))]
    resolved: list[Resolved] = []
    unmapped: list[Unmapped] = []
    repeated: list[str] = []
    seen: set[tuple[Kind, str]] = set()
    count = 0
    for line in pieces:
        for piece, answer in _read_line(line, kind, resolver):
            count += 1
            if count > MOST_ITEMS:
                raise InputError(f"The list has more than {MOST_ITEMS:,} entries. Paste it in parts.")
            if isinstance(answer, Unresolved):
                unmapped.append(Unmapped(piece, answer.reason, answer.candidates))
                continue
            new = [match for match in answer if (match.kind, match.code) not in seen]
            seen |= {(match.kind, match.code) for match in new}
            resolved += [Resolved(piece, match) for match in new]
            if not new:
                repeated.append(piece)
    return PastedList(tuple(resolved), tuple(unmapped), tuple(repeated))


def _read_line(line: str, kind: Kind, resolver: Resolver) -> list[tuple[str, Answer]]:
    """A line as one piece where it means something as a whole, else its parts between commas."""
    parts = [clean for part in line.split(",") if (clean := _clean(part))]
    if kind == "medication":
        parts = _with_their_directions(parts)
    if len(parts) < 2:
        return [(line, _read_piece(line, kind, resolver))]
    if kind != "medication" and not _looks_coded(parts[0], kind, resolver):
        whole = resolver.words(line, kind)  # a title may hold commas: "Heart failure, unspecified"
        if not isinstance(whole, Unresolved):
            return [(line, whole)]
    elif kind != "medication" and len(parts) == 2 and not _looks_coded(parts[1], kind, resolver):
        code, words = parts
        if isinstance(_read_piece(words, kind, resolver), Unresolved) and not _is_code(words, kind):
            answer = _read_piece(code, kind, resolver)
            if isinstance(answer, Unresolved):
                return [(line, answer)]
            return [
                (
                    line,
                    tuple(replace(f, note=f.note or f"{words!r} taken as its description") for f in answer),
                )
            ]
    return [(part, _read_piece(part, kind, resolver)) for part in parts]


def _with_their_directions(parts: list[str]) -> list[str]:
    """Drugs between commas, with what belongs to the drug before: 'warfarin, 5 mg, PO, daily' is one."""
    joined: list[str] = []
    for part in parts:
        follows = part[0].isdigit() or part.upper() in known_routes() or _DIRECTION.fullmatch(part)
        if joined and follows:
            joined[-1] += f", {part}"
        else:
            joined.append(part)
    return joined


def _read_piece(piece: str, kind: Kind, resolver: Resolver) -> Answer:
    if len(piece) > _LONGEST_ITEM:
        return Unresolved(f"is longer than {_LONGEST_ITEM} characters")
    if match := _PREFIX.match(piece):
        return _of_system(match, piece[match.end() :], kind, resolver)
    coded = _coded(piece, kind, resolver)
    if not isinstance(coded, Unresolved):
        return coded
    if (split := _CODE_THEN_WORDS.fullmatch(piece)) and any(c.isdigit() for c in split["code"]):
        first = _coded(split["code"], kind, resolver)
        if not isinstance(first, Unresolved):
            return first
    if _is_code(piece, kind):
        return coded
    if kind == "medication":
        drug = resolver.drug(piece)
        if not isinstance(drug, Unresolved) or not drug.unknown:
            return drug
        named = resolver.words(piece, kind)  # a class by its title
        return drug if isinstance(named, Unresolved) and not named.candidates else named
    return resolver.words(piece, kind)


def _coded(text: str, kind: Kind, resolver: Resolver) -> Answer:
    if kind == "medication":
        return resolver.atc(text)
    return resolver.icd(text, kind)


def _of_system(match: re.Match[str], rest: str, kind: Kind, resolver: Resolver) -> Answer:
    """A piece that names its system; the system decides the kind where it can."""
    system = (match["system"] or match["tight"]).upper().replace("-", "")
    split = _CODE_THEN_WORDS.fullmatch(rest)
    codes = [rest, split["code"]] if split else [rest]
    answers: list[Answer] = []
    for code in codes:
        if system == "ATC":
            answers.append(resolver.atc(code))
            continue
        version = 9 if system.startswith("ICD9") else 10
        meant: Kind = "procedure" if system.endswith("PCS") else "diagnosis"
        if kind == "procedure" and not system.endswith(("PCS", "CM")):
            meant = "procedure"  # "ICD9: 39.61" in a list of procedures
        answers.append(resolver.icd(code, meant, version))
    return next((a for a in answers if not isinstance(a, Unresolved)), answers[0])


def _looks_coded(text: str, kind: Kind, resolver: Resolver) -> bool:
    """Whether a piece begins with a code."""
    if _PREFIX.match(text):
        return True
    first = re.split(r"[\s(:|]", text, maxsplit=1)[0]
    return not isinstance(_coded(first, kind, resolver), Unresolved)


def _is_code(text: str, kind: Kind) -> bool:
    """A single word with a digit in it: meant as a code, even where there is no such code."""
    if kind == "medication":
        return level_of(text.upper()) is not None and len(text) > 1
    return " " not in text and any(c.isdigit() for c in text) and len(text) <= 8


def _clean(text: str) -> str:
    text = " ".join(text.split()).strip(_QUOTES).strip()
    return _BULLET.sub("", text).strip(_QUOTES + " ,") if text else ""
