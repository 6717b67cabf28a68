"""A prompt read back: which stretch of its text stands for which code of the case.

Works from the wording's own template: lists lose codes from their end only, so what remains is the longest beginning
of the list that stands there.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass

from leader_core.domain import PLURALS, Case, Kind, Prompt, PromptSection
from leader_core.explain.changes import Item, code_item, visits_of, wording_item
from leader_core.prompt import PromptBuilder

_KINDS: dict[str, Kind] = {plural: kind for kind, plural in PLURALS.items()}


@dataclass(frozen=True, slots=True)
class Phrase:
    """`text[start:end]` of a prompt stands for `item`."""

    start: int
    end: int
    item: Item


def phrases_of(builder: PromptBuilder, prompt: Prompt, case: Case) -> tuple[Phrase, ...]:
    """The whole text in phrases, end to end: each code that it names, and the wording between them.

    Args:
        builder: the one that built `prompt` from `case`.
    """
    case = case.observed()
    phrases: list[Phrase] = []
    for section, index in _visit_indices(builder, prompt, case):
        wording = wording_item(section.kind, index)
        position = section.start
        for phrase in _named(builder, prompt.text, section, case, index) if index is not None else ():
            if position < phrase.start:
                phrases.append(Phrase(position, phrase.start, wording))
            phrases.append(phrase)
            position = phrase.end
        if position < section.end:
            phrases.append(Phrase(position, section.end, wording))
    return tuple(phrases)


def _visit_indices(
    builder: PromptBuilder, prompt: Prompt, case: Case
) -> Iterator[tuple[PromptSection, int | None]]:
    """Sections with the visit that each tells of: the earlier ones are the last of the case's history."""
    earlier = sum(section.kind == "history" for section in prompt.sections)
    indices = list(range(len(case.history) - earlier, len(case.history)))
    if builder.template.newest_first:
        indices.reverse()
    for section in prompt.sections:
        if section.kind == "history":
            yield section, indices.pop(0)
        else:
            yield section, len(case.history) if section.kind == "current" else None


def _named(
    builder: PromptBuilder, text: str, section: PromptSection, case: Case, index: int
) -> Iterator[Phrase]:
    """The codes that a visit's section names."""
    template = builder.template
    parts = list(
        string.Formatter().parse(template.current if section.kind == "current" else template.history)
    )
    position = section.start
    for i, (literal, name, _, _) in enumerate(parts):
        position += len(literal)
        after = parts[i + 1][0] if i + 1 < len(parts) else ""
        kind = _KINDS.get(name or "")
        if kind is None:
            if name is not None:  # the visit's number
                position = text.index(after, position)
            continue
        source = len(case.history) if kind == "diagnosis" and template.repeats_current else index
        pairs = builder.reading.pairs(kind, visits_of(case)[source].codes(kind))
        titles = [builder.written(kind, read) for _, read in pairs]
        count = _kept(text, position, titles, template.separator, after)
        for (code, _), title in zip(pairs[:count], titles[:count], strict=True):
            yield Phrase(position, position + len(title), code_item(source, kind, code))
            position += len(title) + len(template.separator)
        if count:
            position -= len(template.separator)
        else:
            position = text.index(after, position)


def _kept(text: str, position: int, titles: list[str], separator: str, after: str) -> int:
    """How many of a list's titles stand at `position`."""
    for count in range(len(titles), 0, -1):
        if text.startswith(separator.join(titles[:count]) + after, position):
            return count
    return 0
