"""Which stretch of a prompt's text stands for which code of the case."""

from __future__ import annotations

from dataclasses import dataclass, replace

from leader_core.domain import Case
from leader_core.explain.changes import Item, code_item, wording_item
from leader_core.prompt import PromptBuilder


@dataclass(frozen=True, slots=True)
class Phrase:
    """`text[start:end]` of a prompt stands for `item`."""

    start: int
    end: int
    item: Item


def phrases_of(builder: PromptBuilder, case: Case) -> tuple[Phrase, ...]:
    """The whole text of a case's prompt in phrases, end to end: each code that it names, and the wording between them."""
    phrases: list[Phrase] = []
    end = 0
    for piece in builder.pieces(case):
        for text, code in piece.stretches:
            item = wording_item(piece.kind, piece.visit) if code is None else code_item(*code)
            start, end = end, end + len(text)
            if phrases and phrases[-1].item == item:
                phrases[-1] = replace(phrases[-1], end=end)
            elif text:
                phrases.append(Phrase(start, end, item))
    return tuple(phrases)
