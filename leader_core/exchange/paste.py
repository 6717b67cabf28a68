"""A pasted list: codes, words or drugs in any usual writing, to codes; what could not be read is listed with its reason.

`resolve` decides what one piece of the list means.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from leader_core.domain import Concept, Kind
from leader_core.errors import InputError
from leader_core.exchange.paste_shapes import lines_of
from leader_core.exchange.resolve import EITHER_SYSTEM, Answer, CodeBook, ResolvedCode, Resolver, Unresolved
from leader_core.terminology.atc import level_of
from leader_core.terminology.routes import known_routes

LARGEST: Final = 100_000
"""Characters of a list."""
MOST_ITEMS: Final = 1_000
_LONGEST_ITEM: Final = 300
_LONGEST_LINE: Final = 10_000
"""Characters between commas or semicolons."""

_SYSTEM: Final = r"ICD-?10-?PCS|ICD-?9-?PCS|ICD-?10(?:-?CM)?|ICD-?9(?:-?CM)?|ATC"
_PREFIX: Final = re.compile(rf"({_SYSTEM})\s*(?:[:#]?\s+?(?=\S)|[:#]\s*)", re.IGNORECASE)
_CODE_THEN_WORDS: Final = re.compile(
    r"(?P<code>[0-9A-Za-z]{2,7}(?:\.[0-9A-Za-z]{1,4})?)(?:\s*[-–—:|(]\s*|\s+)(?P<rest>\S.*)"
)
_PREFIXED: Final = re.compile(rf"\b(?:{_SYSTEM})\s*[:#]?\s+(?=\S*\d)", re.IGNORECASE)
"""A system before a blank and what may be its code."""
_TOKEN: Final = re.compile(r"[()\[\]{}|/&+]|[^\s()\[\]{}|/&+]+")
_CONNECTORS: Final = frozenset(("and", "&", "+", "/", "|"))
_CLOSING: Final = frozenset(")]}")
_CODE_SHAPE: Final = re.compile(r"[A-Za-z]{0,2}\d[\w.]{1,7}")
_BRACKETED_LAST: Final = re.compile(r"[(\[][\w.:]+[)\]]\s*$")
_BULLET: Final = re.compile(r"^(?:[-*•·]\s+|\d{1,3}[.)]\s+)")
_DIRECTION: Final = re.compile(
    r"(?:once |twice )?(?:daily|weekly|nightly|bid|tid|qid|qd|qhs|qod|prn|stat|once|q\d+h(?:r|rs)?)(?: prn)?",
    re.IGNORECASE,
)
_DENIED: Final = re.compile(r"(?:no|not|never|denies|r/o|rule out|negative for)\s+\S.*", re.IGNORECASE)
_NOT_TAKEN: Final = re.compile(
    r"(?:hold|stop|avoid|d/c|allerg(?:y|ic) to)\s.*|.*\b(?:held|on hold|stopped|discontinued|d/c'?e?d)\b.*",
    re.IGNORECASE,
)
_FORMULA: Final = re.compile(r"""(?:^|(?<=[\s,;|]))="([^"\n]*)\"""", re.MULTILINE)
"""A spreadsheet's formula for a text: ="0389"."""
_QUOTES: Final = "\"'“”‘’`"
_UNSEEN: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
"""Characters that show nothing, as web pages and Word put them into what is copied."""
_DATE: Final = re.compile(
    r"(?<![\w.])(?:(?:19|2[0-2])\d\d-\d\d?-\d\d?(?:[T ]\d\d:\d\d(?::\d\d)?)?|\d\d?[/.]\d\d?[/.](?:19|2[0-2])\d\d)(?![\w.])"
)
_LOOSE_DOT: Final = re.compile(r"(?<=\d)\s+(?=\.\d)|(?<=[A-Z]\d\d\.)\s+(?=\d)")
"""The blank of "I50 .9" and of "I50. 9"."""


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


def read_list(text: str, kind: Kind, cohort: CodeBook, system: str = "") -> PastedList:
    """The pieces of a list by what became of them; arguments and errors as in `read_pieces`."""
    resolved: list[Resolved] = []
    unmapped: list[Unmapped] = []
    repeated: list[str] = []
    seen: set[tuple[Kind, str]] = set()
    for piece, answer in read_pieces(text, kind, cohort, system):
        if isinstance(answer, Unresolved):
            unmapped.append(Unmapped(piece, answer.reason, answer.candidates))
            continue
        new = [match for match in answer if (match.kind, match.code) not in seen]
        seen |= {(match.kind, match.code) for match in new}
        resolved += [Resolved(piece, match) for match in new]
        if not new:
            repeated.append(piece)
    return PastedList(tuple(resolved), tuple(unmapped), tuple(repeated))


def read_pieces(text: str, kind: Kind, cohort: CodeBook, system: str = "") -> list[tuple[str, Answer]]:
    """Codes, words or drugs, separated by new lines, semicolons, tabs or commas: each piece with what it means.

    Args:
        text: as pasted. `ICD9:428.0`, `I50.9`, `428.0 - CHF`, `B01AA03` and `warfarin 5 mg PO` are all understood.
        kind: what the list is of; a piece that names its system may be of another kind.
        cohort: whose codes and ATC level count.
        system: of the case that the list is for ("ICD10"). What words may mean is offered in the system of the list's own
            codes, where they are of one, else in this; in any where there is neither.

    Raises:
        InputError: a list that is too long.
    """
    if len(text) > LARGEST:
        raise InputError(
            f"The list has {len(text):,} characters: expected at most {LARGEST:,}. Paste it in parts."
        )
    text = _FORMULA.sub(r"\1", _UNSEEN.sub("", text))
    resolver = Resolver(cohort)
    lines = [line for line in lines_of(text) if any(c.isalnum() for c in line)]
    entries = _entries(lines, kind, resolver)
    systems = _written_systems(entries, kind) or ({system} if system else set())
    if resolver.searched and len(systems) == 1:
        resolver.system = systems.pop()
        entries = _entries(lines, kind, resolver)
    return entries


def _entries(lines: Sequence[str], kind: Kind, resolver: Resolver) -> list[tuple[str, Answer]]:
    entries: list[tuple[str, Answer]] = []
    for line in lines:
        entries += _read_line(line, kind, resolver)
        if len(entries) > MOST_ITEMS:
            raise InputError(f"The list has more than {MOST_ITEMS:,} entries. Paste it in parts.")
    return entries


def _written_systems(entries: Sequence[tuple[str, Answer]], kind: Kind) -> set[str]:
    """The systems of the codes of a kind that stand in the list as codes, and are of one system only."""
    systems = set()
    for piece, answer in entries:
        written = re.sub(r"\W", "", piece.upper())
        for match in () if isinstance(answer, Unresolved) else answer:
            system, _, bare = match.code.partition(":")
            if match.kind == kind and bare and bare in written and not match.note.startswith(EITHER_SYSTEM):
                systems.add(system)
    return systems


def _read_line(line: str, kind: Kind, resolver: Resolver) -> list[tuple[str, Answer]]:
    """A line as one piece where it means something as a whole, else its parts."""
    if kind != "medication":
        line = _LOOSE_DOT.sub("", line)
        if dates := _DATE.findall(line):
            rest = _DATE.sub("\t", line)
            entries = _read_line(rest, kind, resolver) if any(c.isalnum() for c in rest) else []
            return [*entries, *((date, Unresolved("is a date")) for date in dates)]
    segments = [clean for part in re.split(r"[;\t]+", line) if (clean := _clean(part))]
    line = segments[0] if len(segments) == 1 else _clean(line)
    if len(segments) > 1:
        return _described(segments, line, kind, resolver) or [
            each for segment in segments for each in _read_line(segment, kind, resolver)
        ]
    parts = [clean for part in line.split(",") if (clean := _clean(part))]
    if kind == "medication":
        parts = _with_their_directions(parts)
    if len(parts) < 2:
        return _read_codes(line, kind, resolver)
    if kind != "medication":
        if not _looks_coded(parts[0], kind, resolver):
            whole = resolver.words(line, kind)  # a title may hold commas: "Heart failure, unspecified"
            if not isinstance(whole, Unresolved):
                return [(line, whole)]
            if _BRACKETED_LAST.search(line) and sum(_has_code(part, kind, resolver) for part in parts) == 1:
                return _read_codes(line, kind, resolver)  # "Gout, unspecified [M10.9]"
        elif described := _described(parts, line, kind, resolver):
            return described
    return [each for part in parts for each in _read_codes(part, kind, resolver)]


def _described(parts: list[str], line: str, kind: Kind, resolver: Resolver) -> list[tuple[str, Answer]]:
    """A code and the words that describe it, or its version, in cells; empty where the parts are something else."""
    if kind == "medication" or len(parts) != 2:
        return []
    code, words = parts
    if words in ("9", "10") and not _PREFIX.match(code):
        return [(line, _read_piece(f"ICD{words}:{code}", kind, resolver))]
    if not _looks_coded(code, kind, resolver) or _is_code(words, kind):
        return []
    several = len(_groups(code, kind, resolver) or ()) > 1
    if several or any(_has_code(part, kind, resolver) for part in re.split(r"[,;\t]", words)):
        return []
    if not isinstance(_read_piece(words, kind, resolver), Unresolved):
        return []
    answer = _read_piece(code, kind, resolver)
    if isinstance(answer, Unresolved):
        return [(line, answer)]
    note = f"{words!r} taken as its description"
    return [(line, tuple(replace(match, note=match.note or note) for match in answer))]


# Several codes in one piece


def _read_codes(piece: str, kind: Kind, resolver: Resolver) -> list[tuple[str, Answer]]:
    """The codes of a piece, each with the words that stand with it; the piece as a whole where it has at most one."""
    if _DENIED.fullmatch(piece) or (kind == "medication" and _NOT_TAKEN.fullmatch(piece)):
        return [(piece, Unresolved("seems to say that it is absent or not taken: write what applies"))]
    if kind == "medication" and (sides := _ordered_together(piece)):
        return [each for side in sides for each in _read_codes(side, kind, resolver)]
    groups = _groups(piece, kind, resolver) if len(piece) <= _LONGEST_LINE else None
    if groups is None:
        return [(piece, _read_piece(piece, kind, resolver))]
    result: list[tuple[str, Answer]] = []
    for text, code in groups:
        answer = _read_piece(code or text, kind, resolver)
        words = _clean(text.replace(code, " ", 1)).strip("-–—:|()[]{}/ ") if code else ""
        if words and not isinstance(answer, Unresolved) and len(groups) > 1:
            answer = tuple(replace(m, note=m.note or f"{words!r} taken as its description") for m in answer)
        result.append((text, answer))
    return result


def _groups(piece: str, kind: Kind, resolver: Resolver) -> list[tuple[str, str]] | None:
    """(text, the code in it or nothing) of each entry of a piece; None where the piece is one entry as it stands."""
    whole = _PREFIXED.sub(lambda match: f"{match[0].rstrip(' :#')}:", piece)
    tokens = _TOKEN.findall(whole)
    codes = [_token_code(tokens, n, kind, resolver) for n in range(len(tokens))]
    first = next((n for n, code in enumerate(codes) if code), None)
    if first is None:
        return None
    groups: list[tuple[list[str], str]] = [([], "")]
    closed = False  # a code in brackets behind its title has ended an entry
    for n, token in enumerate(tokens):
        words, code = groups[-1]
        plain = [word for word in words if word.isalnum() or len(word) > 1]
        adjacent = [bool(codes[m]) for m in (n - 1, n + 1) if 0 <= m < len(codes)]
        if codes[n] and (not _alone(tokens, n) and plain and not code and not _certain(codes[n])):
            groups += [
                ([token], codes[n]),
                ([], ""),
            ]  # among words: listed, or taken where it can be nothing else
        elif codes[n]:
            if code or (plain and not _alone(tokens, n) and n == first and not _certain(codes[n])):
                groups.append(([], ""))
            opened = groups[-1][0] or _taken_bracket(groups)
            groups[-1] = ([*opened, token], codes[n])
            closed = bool(plain) and _alone(tokens, n)
        elif token.lower() in _CONNECTORS and any(adjacent):
            groups.append(([], ""))
        elif closed and token not in _CLOSING:
            groups.append(([token], ""))
            closed = False
        else:
            groups[-1] = ([*words, token], code)
    entries = [(_joined(words), code) for words, code in groups]
    return [(text, code) for text, code in entries if any(c.isalnum() for c in text)]


def _taken_bracket(groups: list[tuple[list[str], str]]) -> list[str]:
    """The opening bracket that stands at the end of the entry before belongs to the code in it."""
    if len(groups) > 1 and groups[-2][0] and groups[-2][0][-1] in "([{":
        return [groups[-2][0].pop()]
    return []


def _joined(words: list[str]) -> str:
    text = re.sub(r"(?<=[(\[{]) | (?=[)\]}])", "", " ".join(words))
    return text.strip(" -–—:|/,") if any(c.isalnum() for c in text) else ""


def _token_code(tokens: list[str], n: int, kind: Kind, resolver: Resolver) -> str:
    """The code that a word of a piece is, or is meant as: known, or right behind a code with a code's form."""
    text = tokens[n].strip(_QUOTES + ".,:")
    if not any(c.isdigit() for c in text):
        return ""
    if _PREFIX.match(text) or not isinstance(_coded(text, kind, resolver), Unresolved):
        return text if len(text) > 2 or kind == "procedure" else ""
    before = next((t for t in reversed(tokens[:n]) if t.lower() not in _CONNECTORS and t not in "()[]{}"), "")
    follows = not before or _CODE_SHAPE.fullmatch(before.strip(_QUOTES + ".,:"))
    more = n + 1 < len(tokens) or n > 0
    return text if kind != "medication" and more and follows and _CODE_SHAPE.fullmatch(text) else ""


def _alone(tokens: list[str], n: int) -> bool:
    """Whether a word stands in brackets of its own."""
    return 0 < n < len(tokens) - 1 and tokens[n - 1] in "([{" and tokens[n + 1] in ")]}"


def _certain(code: str) -> bool:
    """Whether a code can be nothing else, wherever it stands: with its system, a dot, or letters and length."""
    return bool(_PREFIX.match(code)) or "." in code or (len(code) > 4 and not code.isdigit())


def _ordered_together(piece: str) -> list[str]:
    """Two or more drugs with doses of their own, joined by "and"."""
    sides = [clean for side in re.split(r"\s+(?:and|&|\+)\s+", piece) if (clean := _clean(side))]
    return sides if len(sides) > 1 and all(any(c.isdigit() for c in side) for side in sides) else []


def _has_code(part: str, kind: Kind, resolver: Resolver) -> bool:
    return _groups(part, kind, resolver) is not None


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
            if kind != "medication" and _CODE_SHAPE.fullmatch(split["rest"]):
                return Unresolved("may be two codes or all between them: write each that is meant")
            return first
    if _is_code(piece, kind):
        named = coded if kind == "medication" else resolver.words(piece, kind)  # "T2DM" has a digit too
        return named if isinstance(named, Unresolved) and named.candidates else coded
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
    system = match[1].upper().replace("-", "")
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
