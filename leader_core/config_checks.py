"""What dataclasses of settings share: ranges by field, the choices of fields typed `Literal`, reading them from JSON."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from leader_core.errors import ArtifactError, InputError

T = TypeVar("T")


def problems_of(
    settings: Any,
    *,
    at_least: Mapping[str, float] | None = None,
    above_zero: Iterable[str] = (),
    below_one: Iterable[str] = (),
) -> list[str]:
    """What is wrong with the fields of a dataclass, one clause a field.

    Args:
        settings: an instance.
        at_least: field -> its lowest value.
        above_zero: fields that must be more than 0.
        below_one: fields that must be 0 or more and less than 1.
    """
    values = {name: getattr(settings, name) for name in typing.get_type_hints(type(settings))}
    rules = [
        *((name, values[name] >= least, f"{least:g} or more") for name, least in (at_least or {}).items()),
        *((name, values[name] > 0, "more than 0") for name in above_zero),
        *((name, 0 <= values[name] < 1, "0 or more and less than 1") for name in below_one),
    ]
    for name, hint in typing.get_type_hints(type(settings)).items():
        if typing.get_origin(hint) is typing.Literal:
            choices = typing.get_args(hint)
            rules.append((name, values[name] in choices, f"one of {', '.join(choices)}"))
    return [f"{name} = {values[name]!r}: expected {rule}" for name, good, rule in rules if not good]


def from_record(kind: type[T], record: Mapping[str, Any], *, later: Mapping[str, Any], of: str) -> T:
    """The settings that `config.json` in a model's folder holds.

    Args:
        kind: their dataclass.
        record: what the file holds.
        later: fields that came later -> what folders written before them mean.
        of: whose folder it is: "a student".

    Raises:
        ArtifactError: for fields missing, unknown or out of range.
    """
    record = {**later, **record}
    names = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if differing := ", ".join(sorted(set(record) ^ names)):
        raise ArtifactError(
            f"config.json of {of}: fields missing or unknown: {differing}. Train the model again."
        )
    try:
        return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in record.items()})
    except (InputError, TypeError) as error:
        raise ArtifactError(f"config.json of {of} is not usable: {error}. Train the model again.") from error
