"""Untrusted JSON: bounded in size, depth and numbers, UTF-8 only, no name twice in an object.

Every refusal is one sentence.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from leader_core.errors import InputError

DEEPEST: Final = 60
LONGEST_NUMBER: Final = 40
"""Characters of a number."""

_BLANKS: Final = re.compile(r"[ \t\n\r]*+")
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_STRING_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
"""A string that never ends runs to the end of the text, so that no text is looked at twice."""


def read_json(data: bytes, what: str, largest: int) -> Any:
    """The value that `data` says.

    Args:
        data: the file as it came.
        what: names it in errors ("The case file").
        largest: bytes at most; checked before anything is parsed.

    Raises:
        InputError: too large, not UTF-8, no JSON, too deep, a name twice, a number beyond reason.
    """
    values = read_json_values(data, what, largest)
    if len(values) > 1:
        raise InputError(f"{what} is not JSON: {len(values):,} values stand one after the other. Give one.")
    return values[0]


def read_json_values(data: bytes, what: str, largest: int) -> list[Any]:
    """The values that `data` says one after the other, parted by blanks or by nothing; at least one.

    Raises:
        InputError: as `read_json`.
    """
    if len(data) > largest:
        raise InputError(
            f"{what} has {len(data) / 1e6:.1f} MB: expected at most {largest / 1e6:.0f} MB. "
            "Export fewer resources, or one patient at a time."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{what} is not UTF-8 text (byte {error.start:,} is invalid). Save it as JSON in UTF-8."
        ) from None
    _check_depth(text, what)
    try:
        values = list(_values(text))
        if _SURROGATE.search(text):  # half a character, written as an escape, can be neither shown nor saved
            json.dumps(values, ensure_ascii=False).encode()
        return values
    except UnicodeEncodeError:
        raise InputError(
            f"{what} holds half a character (a lone surrogate like \\ud83d). Export it again, or remove it."
        ) from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"{what} is not JSON: {error.msg.lower().removesuffix(' at')} at line {error.lineno}, column {error.colno}. "
            "Export it again, or check what was edited."
        ) from None
    except _RefusedError as error:
        raise InputError(f"{what} {error}") from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"{what} cannot be read as JSON ({type(error).__name__}).") from None


def _values(text: str) -> Iterator[Any]:
    """The values of a text; an error where there is none."""
    decoder = json.JSONDecoder(
        object_pairs_hook=_object, parse_int=_whole, parse_float=_real, parse_constant=_constant
    )
    end = _after_blanks(text, 0)
    while True:
        value, end = decoder.raw_decode(text, end)
        yield value
        if (end := _after_blanks(text, end)) == len(text):
            return


def _after_blanks(text: str, start: int) -> int:
    match = _BLANKS.match(text, start)
    return match.end() if match else start


class _RefusedError(ValueError):
    """Well-formed, and still not accepted."""


def _check_depth(text: str, what: str) -> None:
    """Before the parser recurses: how deep brackets stand in each other, strings left out."""
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        sign = match.group()
        if sign in "[{":
            depth += 1
            if depth > DEEPEST:
                raise InputError(
                    f"{what} nests more than {DEEPEST} levels deep: no case or FHIR resource does. "
                    "Check where it comes from."
                )
        elif sign in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        counts = Counter(name for name, _ in pairs)  # once through, for an object may have a million names
        twice = next(name for name, count in counts.items() if count > 1)
        named = repr(twice) if twice.isidentifier() and len(twice) <= 40 else "a name"
        raise _RefusedError(
            f"gives {named} twice in one object, so that it is unclear which is meant. Remove one."
        )
    return record


def _whole(text: str) -> int:
    _check_number(text)
    return int(text)


def _real(text: str) -> float:
    _check_number(text)
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _RefusedError("holds a number that is beyond any measurement. Correct it.")
    return value


def _check_number(text: str) -> None:
    if len(text) > LONGEST_NUMBER:
        raise _RefusedError(
            f"holds a number of {len(text):,} characters: expected at most {LONGEST_NUMBER}. Correct it."
        )


def _constant(text: str) -> float:
    raise _RefusedError(f"holds {text}, which is no JSON. Leave it out.")
