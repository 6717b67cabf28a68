"""Attribution: how much each thing that a model read adds to the log-odds of one class, adding up to its score.

Both models' attributions land on the same items.
"""

from __future__ import annotations

import math
import time
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leader_core.domain import Case, ModelName, Prompt
from leader_core.errors import InputError
from leader_core.explain.changes import Item, code_item, code_items, visits_of
from leader_core.scorer import Progress

if TYPE_CHECKING:
    from leader_core.engine import Engine
    from leader_core.scorer import ModelScorer


@dataclass(frozen=True, slots=True)
class Share:
    """What an item adds to the log-odds of a class, against the baseline."""

    item: Item
    value: float


@dataclass(frozen=True, slots=True)
class Token:
    """The same for one token of the prompt, `text[start:end]`."""

    start: int
    end: int
    value: float
    item: Item


@dataclass(frozen=True, slots=True)
class Attribution:
    """Integrated gradients of one class of one model on one case.

    Log-odds are those of the shown probability. `shares` sum to `log_odds - baseline_log_odds` but for `gap`.
    """

    model: ModelName
    code: str
    log_odds: float
    baseline_log_odds: float
    shares: tuple[Share, ...]  # in the case's order, each item once; of codes read as one the first bears all
    unread: tuple[Item, ...]  # codes of the case that the model does not read: unknown to it, or cut to fit
    baseline: str  # in words
    steps: int
    gap: float  # sum of the shares minus the difference
    tolerance: float  # what the gap may be
    seconds: float
    prompt: Prompt | None = None  # the teacher's
    tokens: tuple[Token, ...] = ()  # of the prompt, in reading order

    @property
    def complete(self) -> bool:
        """Whether the shares add up within the tolerance."""
        return abs(self.gap) <= self.tolerance

    @property
    def probability(self) -> float:
        return _sigmoid(self.log_odds)

    @property
    def baseline_probability(self) -> float:
        return _sigmoid(self.baseline_log_odds)

    def values(self) -> dict[Item, float]:
        """Log-odds by item."""
        return {share.item: share.value for share in self.shares}

    def by_section(self) -> tuple[float, ...]:
        """Log-odds of each section of the prompt, in its order; nothing for the student."""
        if self.prompt is None:
            return ()
        return tuple(
            sum(token.value for token in self.tokens if section.start <= token.start < section.end)
            for section in self.prompt.sections
        )


def attribute(
    engine: Engine, case: Case, model: ModelName, code: str, *, on_progress: Progress | None = None
) -> Attribution:
    """Integrated gradients of a class's log-odds, over what the model reads of a case.

    Args:
        code: a class of the model's vocabulary.
        on_progress: called between passes with what is done and the whole of this round; rounds double their steps.

    Raises:
        NotFoundError: the model is not there.
        InputError: a class that the model does not score.
    """
    began = time.perf_counter()
    scorer = engine.scorer(model)
    column = scorer.medications.find(code)
    if column < 0:
        raise InputError(f"The {model} does not score {code!r}: expected one of its classes.")
    prompt: Prompt | None = None
    spans: tuple[tuple[int, int], ...] = ()
    if model == "teacher":
        from leader_core.explain.gradients import TEACHER_BASELINE, teacher_gradients

        baseline = TEACHER_BASELINE
        read, gradients = teacher_gradients(engine.teacher_scorer(), case, column, on_progress)
        items: Sequence[Item] = read.items
        prompt, spans = read.prompt, read.spans
    else:
        from leader_core.explain.gradients import student_baseline, student_gradients

        items, gradients = student_gradients(engine.student_scorer(), case, column, on_progress)
        baseline = student_baseline(engine.student_scorer())
    scale, shift = _shown(scorer)
    values = [float(value) * scale for value in gradients.values]
    tokens = tuple(
        Token(start, end, value, item)
        for (start, end), value, item in zip(spans, values, items, strict=False)
    )
    sums: dict[Item, float] = {}
    for item, value in zip(items, values, strict=True):
        sums[item] = sums.get(item, 0.0) + value
    known = code_items(case)
    sums |= {item: 0.0 for item in known if item not in sums and _said_by_others(scorer, case, item, sums)}
    return Attribution(
        model=model,
        code=code,
        log_odds=gradients.end * scale + shift,
        baseline_log_odds=gradients.start * scale + shift,
        shares=tuple(Share(item, sums[item]) for item in _ordered(sums, case)),
        unread=tuple(item for item in known if item not in sums),
        baseline=baseline,
        steps=gradients.steps,
        gap=gradients.gap * scale,
        tolerance=gradients.tolerance * scale,
        seconds=time.perf_counter() - began,
        prompt=prompt,
        tokens=tokens,
    )


def _shown(scorer: ModelScorer) -> tuple[float, float]:
    """How the network's log-odds become those of the shown probability: a factor and a shift."""
    fitted = scorer.manifest.calibration
    return (1.0, 0.0) if fitted is None else (1.0 / fitted.temperature, fitted.bias)


def _said_by_others(scorer: ModelScorer, case: Case, item: Item, read: Container[Item]) -> bool:
    """Whether other codes of its visit stand for all that the model reads of a code."""
    assert item.visit is not None and item.kind is not None  # noqa: S101 (a code's item)
    first: dict[str, str] = {}
    for code, as_read in scorer.reading.pairs(item.kind, visits_of(case)[item.visit].codes(item.kind)):
        first.setdefault(as_read, code)
    bearers = [first.get(as_read, item.name) for as_read in scorer.reading.of(item.kind, item.name)]
    return all(code_item(item.visit, item.kind, code) in read for code in bearers)


def _ordered(sums: dict[Item, float], case: Case) -> list[Item]:
    """Codes in the case's order, then what stands for no code."""
    known = [item for item in code_items(case) if item in sums]
    return known + [item for item in sums if item.part != "code"]


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))
