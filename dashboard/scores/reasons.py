"""What in a case raised a score: each thing left out in turn, for every class at once, named in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from dashboard.shared import wording
from dashboard.shared.case_text import profile_value
from dashboard.shared.markup import Titles
from leader_core import Case
from leader_core.explain import Item, Outcomes

EARLIER: Final = ", at an earlier visit"
BEFORE: Final = "ordered at an earlier visit"
"""Of the class itself."""
LEAST: Final = 0.2
"""Log-odds by which a score must fall without a thing for that to be worth saying."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A thing of the case, and the score without it."""

    text: str  # "Atrial flutter", "Sex: Female", of the class itself "ordered at an earlier visit"
    before: float
    without: float


def reasons(outcomes: Outcomes, case: Case, titles: Titles, most: int = 3) -> dict[str, tuple[Reason, ...]]:
    """Of each class the things without which its score would fall furthest, in log-odds; none where nothing does much.

    Args:
        outcomes: of `leave_one_out`; a whole visit that was left out is not counted as a thing.
    """
    single = [i for i, change in enumerate(outcomes.changes) if change.item.part != "visit"]
    after = outcomes.after[single]  # (C, M)
    falls = _log_odds(outcomes.before) - _log_odds(after)
    items = [outcomes.changes[i].item for i in single]
    texts = [_text(item, case, titles) for item in items]
    result: dict[str, tuple[Reason, ...]] = {}
    for column, code in enumerate(outcomes.codes):
        largest: dict[str, Reason] = {}
        for row in np.argsort(-falls[:, column], kind="stable"):
            if falls[row, column] < LEAST or len(largest) == most:
                break
            same = items[row].kind == "medication" and items[row].name == code
            text = BEFORE if same else texts[row]
            reason = Reason(text, float(outcomes.before[column]), float(after[row, column]))
            largest.setdefault(text, reason)
        result[code] = tuple(largest.values())
    return result


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    clipped = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


def _text(item: Item, case: Case, titles: Titles) -> str:
    if item.kind is None:
        value = profile_value(item.name, case.profile[item.name])
        return f"{wording.FIELD_LABELS.get(item.name, item.name)}: {value}"
    title = titles(item.kind, item.name)
    if item.kind == "medication":
        return f"{title} ordered at an earlier visit"
    return title if item.visit == len(case.history) else f"{title}{EARLIER}"
