"""Integrated gradients of the teacher: what each token of the prompt adds to the log-odds of a class, and each phrase.

Baseline: every token stands as the average of the base's word vectors, its place and the special tokens kept. Refuses
to know how they are shown.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from leader_core.domain import Case, Prompt
from leader_core.explain.integrated import Integrated, integrate
from leader_core.explain.items import Item
from leader_core.explain.phrases import Phrase, phrases_of
from leader_core.scorer import Progress
from leader_core.teacher.model import TeacherModel
from leader_core.teacher.scorer import TeacherScorer, pass_tokens

BASELINE: Final = "every token of the prompt replaced by the average word vector of the base, special tokens left as they are"
_BACKWARD: Final = (
    4  # a pass that keeps what gradients need holds this many times the memory of one that does not
)
_STEPS: Final = (
    20  # with 16 most cases of the demo miss the tolerance and are walked again with twice as many
)
_SLOW: Final = (
    2  # a base normalises no word alone, but a word in its place: it turns round later than a student's code
)


@dataclass(frozen=True, slots=True)
class Read:
    """A prompt as the teacher reads it: where each token stands, and what it stands for."""

    prompt: Prompt
    phrases: tuple[Phrase, ...]
    spans: tuple[tuple[int, int], ...]  # (N,) of the tokens that stand in the text
    items: tuple[Item, ...]  # (N,) what each of them belongs to


def teacher_gradients(
    scorer: TeacherScorer, case: Case, column: int, each: Progress | None = None
) -> tuple[Read, Integrated]:
    """The prompt's tokens in their order, and what each adds to the log-odds of class `column`."""
    builder = scorer.reader.builder()
    prompt = builder.build(case.observed())
    ids, spans = scorer.reader.tokenizer.located(prompt.text)
    ids, spans = ids[: builder.token_limit], spans[: builder.token_limit]
    phrases = phrases_of(builder, prompt, case)
    places = [i for i, span in enumerate(spans) if span is not None]
    standing = tuple(span for span in spans if span is not None)
    starts = [phrase.start for phrase in phrases]
    items = tuple(phrases[max(0, bisect_right(starts, start) - 1)].item for start, _ in standing)
    model = scorer.model
    device = model.head.weight.device
    with torch.no_grad():
        vectors = model.embed(torch.tensor([ids], device=device))[0].float()  # (T, H)
        average = model.average_word()
    score = _Path(model, vectors, torch.tensor(places, device=device), column)
    budget = pass_tokens(model) // _BACKWARD
    found = integrate(
        score,
        vectors[places],
        average.expand(len(places), -1),
        at_once=max(1, budget // max(1, len(ids))),
        steps=_STEPS,
        slow=_SLOW,
        each=each,
    )
    return Read(prompt, phrases, standing, items), found


class _Path:
    """(S, N, H) vectors of the tokens that stand in the text to the (S,) log-odds of a class."""

    def __init__(self, model: TeacherModel, vectors: Tensor, places: Tensor, column: int) -> None:
        self._model = model
        self._vectors = vectors
        self._places = places
        self._column = column

    def __call__(self, rows: Tensor) -> Tensor:
        whole = self._vectors.expand(len(rows), -1, -1).clone().index_copy(1, self._places, rows)
        mask = torch.ones(whole.shape[:2], dtype=torch.int64, device=whole.device)
        return self._model.read(whole, mask).logits[:, self._column]
