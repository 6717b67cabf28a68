"""A set of cases as conditions that all hold, and its short form for a link: fields and numbers, never clinical text.

A field's value is written as its index in the field's list, so that no link names a religion. Saved lists and
tags stand as their opaque ids.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, Self

from leader_core.errors import InputError

Kind = Literal[
    "is", "not", "lt", "ge", "has", "lacks", "class", "bin", "score", "better", "box", "list", "tag"
]

LONGEST: Final = 600
"""Characters of a selection's text."""
MOST: Final = 12
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_CODE: Final = re.compile(r"[A-Z0-9]{1,10}")
_ID: Final = re.compile(r"[a-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. What `names` and `number` hold depends on the kind:

    * is, not: (field,) and the place of the value;
    * lt, ge: (number's name,) and the limit: below it, or at least it;
    * has, lacks: () and the place of a diagnosis chapter;
    * class: (ATC code, "who-1" or "who-0" ...): who chose it and who did not, "prescribed" for what was given;
    * bin: (model, ATC code) and the place of the part of 0 to 1 that the probability lies in;
    * score: (metric, model, "lt" or "ge") and the limit;
    * better: (model, other) and by how much more than that the first's Jaccard is higher;
    * box: (left, right, bottom, top) on the map of cases, as numbers in text;
    * list, tag: (id,).
    """

    kind: Kind
    names: tuple[str, ...] = ()
    number: float = 0.0

    @property
    def text(self) -> str:
        """The short form."""
        number = f"{self.number:g}"
        if self.kind in ("is", "not", "lt", "ge"):
            return f"{self.names[0]}:{self.kind}:{number}"
        if self.kind in ("has", "lacks"):
            return f"chapter:{self.kind}:{number}"
        if self.kind in ("class", "box", "list", "tag"):
            return ":".join((self.kind, *self.names))
        return ":".join((self.kind, *self.names, number))

    @property
    def who(self) -> dict[str, bool]:
        """Of a condition on a class: who chose it, who did not."""
        return {part[:-2]: part.endswith("1") for part in self.names[1:]}


@dataclass(frozen=True, slots=True)
class Selection:
    """Cases for which every condition holds; without conditions, all of them."""

    conditions: tuple[Condition, ...] = ()

    @property
    def text(self) -> str:
        """The short form for a link; empty for all cases."""
        return ",".join(condition.text for condition in self.conditions)

    def but(self, *more: Condition) -> Self:
        """The same with further conditions, each once."""
        return type(self)(tuple(dict.fromkeys((*self.conditions, *more))))

    @classmethod
    def of(cls, text: str) -> Self:
        """Inverse of `text`.

        Raises:
            InputError: something that is no selection, saying what.
        """
        if len(text) > LONGEST:
            raise InputError(f"The link's selection has {len(text)} characters: expected at most {LONGEST}.")
        parts = [part for part in text.split(",") if part]
        if len(parts) > MOST:
            raise InputError(f"The link's selection has {len(parts)} conditions: expected at most {MOST}.")
        return cls(tuple(map(_condition, parts)))


def tightened(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """The same cases with fewer words: of several limits on one number, the tightest.

    >>> [c.text for c in tightened([Condition("lt", ("age",), 70), Condition("lt", ("age",), 60)])]
    ['age:lt:60']
    """
    tightest: dict[object, Condition] = {}
    for condition in conditions:
        limited = condition.kind in ("lt", "ge")
        key: object = (condition.kind, condition.names) if limited else condition
        before = tightest.get(key)
        if before is None or (condition.number < before.number) == (condition.kind == "lt"):
            tightest[key] = condition
    return tuple(tightest.values())


def classed(code: str, who: Iterable[tuple[str, bool]]) -> Condition:
    """A condition on one class: who chose it and who did not.

    >>> classed("B01A", [("prescribed", True), ("teacher", False)]).text
    'class:B01A:prescribed-1:teacher-0'
    """
    return Condition("class", (code, *(f"{name}-{int(yes)}" for name, yes in who)))


def boxed(left: float, right: float, bottom: float, top: float) -> Condition:
    """A condition on the place on the map of cases.

    >>> boxed(-0.5, 0.25, 0, 1).text
    'box:-0.5:0.25:0:1'
    """
    return Condition("box", tuple(f"{side:.3g}" for side in (left, right, bottom, top)))


def _condition(text: str) -> Condition:
    try:
        match text.split(":"):
            case ["class", code, *who] if _CODE.fullmatch(code) and who and all(map(_is_who, who)):
                return Condition("class", (code, *who))
            case ["list" | "tag" as kind, key] if _ID.fullmatch(key):
                return Condition(kind, (key,))
            case ["bin", model, code, place] if _NAME.fullmatch(model) and _CODE.fullmatch(code):
                return Condition("bin", (model, code), _whole(place))
            case ["score", metric, model, "lt" | "ge" as side, limit] if _named(metric, model):
                return Condition("score", (metric, model, side), _number(limit))
            case ["better", first, second, margin] if _named(first, second):
                return Condition("better", (first, second), _number(margin))
            case ["box", *sides] if len(sides) == 4:
                return boxed(*map(_number, sides))
            case ["chapter", "has" | "lacks" as kind, place]:
                return Condition(kind, (), _whole(place))
            case [field, "is" | "not" as kind, place] if _named(field):
                return Condition(kind, (field,), _whole(place))
            case [number, "lt" | "ge" as kind, limit] if _named(number):
                return Condition(kind, (number,), _number(limit))
    except ValueError:
        pass
    raise InputError(
        f"The link names {text[:60]!r} as a condition on cases, which this version does not know. "
        "Choose the cases again under Error analysis."
    )


def _named(*names: str) -> bool:
    return all(map(_NAME.fullmatch, names))


def _is_who(text: str) -> bool:
    return len(text) > 2 and text[-2:] in ("-0", "-1") and bool(_NAME.fullmatch(text[:-2]))


def _whole(text: str) -> float:
    if not text.isdecimal() or len(text) > 4:
        raise ValueError(text)
    return float(text)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or abs(value) > 1e6:
        raise ValueError(text)
    return value
