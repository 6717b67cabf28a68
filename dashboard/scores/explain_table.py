"""What changed a score, as rows that both models share and as a table of bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dashboard.shared import wording
from dashboard.shared.case_text import profile_value
from dashboard.shared.formatting import signed
from dashboard.shared.markup import Titles
from dashboard.shared.templates import render
from leader_core import Case
from leader_core.domain import MODEL_NAMES, ModelName
from leader_core.explain import Item

_SECTIONS: Final = {
    "instruction": "The prompt's instruction",
    "history": "Words around the lists",
    "current": "Words around the lists",
    "question": "The prompt's question",
}

Pair = tuple[float | None, float | None]
"""Teacher and student; None: that model does not read the item, or was not explained."""


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One item with what it adds in each model."""

    item: Item
    label: str
    detail: str
    values: Pair

    @property
    def size(self) -> float:
        return max(abs(value or 0.0) for value in self.values)


@dataclass(frozen=True, slots=True)
class ItemGroup:
    """A visit, the profile, or the prompt's own words, with each model's value for all of it together."""

    label: str
    values: Pair
    rows: tuple[ItemRow, ...]


def item_groups(
    case: Case, effects: tuple[Mapping[Item, float] | None, Mapping[Item, float] | None], titles: Titles
) -> list[ItemGroup]:
    """The items by visit, newest first, then the profile and the prompt's words; in each, the largest first."""
    members: dict[tuple[int, int], list[ItemRow]] = {}
    measured: dict[int, Pair] = {}  # by visit, where a whole visit was left out at once
    for item in dict.fromkeys(item for values in effects if values for item in values):
        teacher, student = (None if values is None else values.get(item) for values in effects)
        if item.part == "visit":
            measured[item.visit or 0] = (teacher, student)
        else:
            row = ItemRow(item, *_label(item, case, titles), (teacher, student))
            members.setdefault(_place(item), []).append(row)
    listed = []
    for place in sorted(members):
        rows = sorted(members[place], key=lambda row: (-row.size, row.label))
        item = rows[0].item
        total = measured.get(item.visit) if item.visit is not None else None
        listed.append(ItemGroup(_heading(item, case), total or (_sum(rows, 0), _sum(rows, 1)), tuple(rows)))
    return listed


def _place(item: Item) -> tuple[int, int]:
    if item.visit is not None:
        return (0, -item.visit)
    return (1, 0) if item.part == "profile" else (2, 0)


def _heading(item: Item, case: Case) -> str:
    if item.part == "profile":
        return "Profile"
    if item.visit is None:
        return "The prompt's own words"
    if item.visit == len(case.history):
        return "This visit"
    return f"Visit {case.history[item.visit].visit_no or item.visit + 1}"


def _label(item: Item, case: Case, titles: Titles) -> tuple[str, str]:
    if item.part == "profile":
        return wording.FIELD_LABELS.get(item.name, item.name), profile_value(
            item.name, case.profile[item.name]
        )
    if item.part == "wording":
        return _SECTIONS.get(item.name, item.name), "wording"
    return titles(item.kind, item.name) if item.kind else item.name, item.name


def _sum(rows: Sequence[ItemRow], side: int) -> float | None:
    values = [value for row in rows if (value := row.values[side]) is not None]
    return sum(values) if values else None


def table(
    groups: Sequence[ItemGroup],
    *,
    caption: str,
    most: int,
    summed: bool = True,
    missing: tuple[str, str] = ("not read", "not read"),
    heading: str = "What was read",
    models: Sequence[ModelName] = MODEL_NAMES,
) -> str:
    """The models' bars on one scale, left of the middle what lowers the score and right of it what raises it.

    Args:
        most: rows shown in all; a group says how many more it has.
        summed: whether a group's value is the sum of its rows; else it was measured by itself.
        heading: of the first column.
        missing: the text in place of a value that is not there, for teacher and student.
        models: those that have a column.
    """
    rows = sorted((row for group in groups for row in group.rows), key=lambda row: -row.size)
    shown = {id(row) for row in rows[:most]}
    sizes = [row.size for row in rows[:1]] + [abs(value or 0.0) for group in groups for value in group.values]
    return render(
        "scores/explain_table.html",
        groups=[(group, [row for row in group.rows if id(row) in shown]) for group in groups],
        scale=max(sizes, default=0.0) or 1.0,
        signed=signed,
        caption=caption,
        summed=summed,
        missing=missing,
        heading=heading,
        models=models,
    )
