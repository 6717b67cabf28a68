"""Integrated gradients, by Captum: what each code, profile field or token adds to the log-odds of a class.

Steps are doubled until the attributions add up. Baseline of the student: every code stands as the average code of its
kind, every profile field as the unremarkable patient's (the row for values that training never saw, which holds the
training cases' average). The zero vector would not do: the network normalises every vector first, so a code near zero
weighs as much as a whole one, and attributions would not add up. What a student adds past its network (its linear path and
its carry-over) is a sum: it is shared out exactly, against a case without any code. Baseline of the teacher: every token
stands as the average of the base's word vectors, its position and the special tokens unchanged.

Shapes: N vectors of width D, S steps of the path at once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from captum.attr import IntegratedGradients
from numpy.typing import NDArray
from torch import Tensor

from leader_core.domain import KINDS, Case, Kind, Prompt
from leader_core.explain.changes import Item, code_item, profile_item, wording_item
from leader_core.prompt import PromptBuilder
from leader_core.ragged import Ragged
from leader_core.scorer import Progress
from leader_core.student.encode import RESERVED, EncodedCases
from leader_core.student.model import Student
from leader_core.student.packing import Packed, pack
from leader_core.student.scorer import StudentScorer
from leader_core.teacher.model import TeacherModel
from leader_core.teacher.scorer import TeacherScorer, pass_tokens


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


STEPS: Final = 16  # to begin with
MOST_STEPS: Final = 256
SHARE: Final = 0.02  # of the score difference that attributions may miss it by
LEAST: Final = 0.02  # log-odds: what may be missed however small the difference is


@dataclass(frozen=True, slots=True)
class Integrated:
    """What each vector adds to the score on the straight path from its baseline."""

    values: NDArray[np.float64]  # (N,) log-odds
    start: float  # log-odds at the baseline
    end: float  # log-odds of the input
    steps: int

    @property
    def gap(self) -> float:
        """What the values together miss the score difference by: sum minus difference."""
        return float(self.values.sum() - (self.end - self.start))

    @property
    def tolerance(self) -> float:
        return tolerance(self.end - self.start)


def tolerance(difference: float) -> float:
    """What the attributions of a score difference may miss it by, in log-odds.

    >>> tolerance(-3.0), tolerance(0.2)
    (0.06, 0.02)
    """
    return max(LEAST, SHARE * abs(difference))


def integrate(
    score: Callable[[Tensor], Tensor],
    inputs: Tensor,
    baseline: Tensor,
    *,
    at_once: int,
    steps: int = STEPS,
    most: int = MOST_STEPS,
    slow: int = 3,
    on_progress: Progress | None = None,
) -> Integrated:
    """Attribute `score(inputs) - score(baseline)` to the vectors.

    The path is the straight one; it is walked slowly at first (with `slow` 3, after a third of the steps a 27th of
    it lies behind), because close to an average vector, layer normalisation turns the whole vector round within a
    small stretch. Steps of Gauss-Legendre quadrature are doubled until the attributions sum to the difference within
    `tolerance`, or `most` is reached; the result says which.

    Args:
        score: (S, N, D) to (S,) log-odds, each row by itself.
        inputs, baseline: (N, D).
        at_once: rows in one pass, which bounds the memory.
        steps: to begin with.
        slow: after a share b of the steps, b to this power of the path lies behind.
        on_progress: called after every pass with the passes done and those of this number of steps.
    """
    with torch.no_grad():
        start, end = (float(score(x[None])[0]) for x in (baseline, inputs))
    while True:
        values = np.zeros(0)
        if inputs.numel():
            values = _attributions(score, inputs, baseline, steps, at_once, slow, on_progress)
        result = Integrated(values, start, end, steps)
        if abs(result.gap) <= result.tolerance or steps * 2 > most:
            return result
        steps *= 2


def _attributions(
    score: Callable[[Tensor], Tensor],
    inputs: Tensor,
    baseline: Tensor,
    steps: int,
    at_once: int,
    slow: int,
    on_progress: Progress | None,
) -> NDArray[np.float64]:
    """(N,)"""
    passes = -(-steps // at_once)
    done = 0
    way = inputs - baseline
    length = way.square().sum(-1, keepdim=True)  # (N, 1)
    along = way / torch.where(length > 0, length, 1.0)

    def counted(rows: Tensor) -> Tensor:
        """Of rows a share b of the way along, the score b ** slow of the way along: on the path, the same integral."""
        nonlocal done
        gone = rows - baseline
        share = (gone * along).sum(-1, keepdim=True)  # (S, N, 1)
        out = score(baseline + share.pow(slow - 1) * gone)
        done += 1
        if on_progress is not None:
            on_progress(min(done, passes), passes)
        return out

    parts = IntegratedGradients(counted).attribute(
        inputs[None], baseline[None], n_steps=steps, internal_batch_size=at_once
    )
    return parts[0].double().sum(-1).cpu().numpy()  # type: ignore[no-any-return]


STUDENT_BASELINE: Final = (
    "every code replaced by the average code of its kind, "
    "every profile field by the average of the training cases"
)
LINEAR_BASELINE: Final = "; where the student adds up single codes (its linear path), no code at all"
STUDENT_TOKENS: Final = 16_384  # codes in one pass: some 100 MB at the published widths


def student_gradients(
    scorer: StudentScorer, case: Case, column: int, on_progress: Progress | None = None
) -> tuple[tuple[Item, ...], Integrated]:
    """The items that the student reads of a case, and what each adds to the log-odds of class `column`."""
    encoded = scorer.encode([case.observed()])
    read = scorer.encoder.read(case)
    codes = tuple(code_item(index, kind, code) for kind in KINDS for index, code in read[kind])
    fields = scorer.config.profile_fields
    items = (*codes, *map(profile_item, fields))
    model = scorer.model
    table = model.codes.weight if model.added is None else model.added
    sets = _sets_read(encoded)
    tokens = np.concatenate([sets[kind].values for kind in KINDS]).astype(np.int64)
    inputs = torch.cat([table[torch.from_numpy(tokens).to(table.device)], *_fields(model, encoded)])
    means = {kind: _average(model, kind) for kind in KINDS}
    baseline = (
        torch.cat(
            [
                *(means[item.kind][None] for item in codes if item.kind is not None),
                *(field.weight[:1] for field in model.profile),  # type: ignore[index]
            ]
        )
        if items
        else inputs
    )
    score = _StudentPath(model, encoded, len(codes), column)
    result = integrate(
        score, inputs, baseline, at_once=max(1, STUDENT_TOKENS // max(1, len(codes))), on_progress=on_progress
    )
    if encoded.linear is not None:
        start, shares = _linear_shares(model, encoded, codes, tokens, len(case.history), column)
        start, end = result.start + start, result.end + start + float(shares.sum())
        result = replace(result, values=result.values + shares, start=start, end=end)
    return items, result


def student_baseline(scorer: StudentScorer) -> str:
    """What a student's attributions are measured against, in words."""
    added = scorer.config.linear or scorer.config.carry_over
    return STUDENT_BASELINE + (LINEAR_BASELINE if added else "")


def _linear_shares(
    model: Student,
    encoded: EncodedCases,
    codes: Sequence[Item],
    tokens: NDArray[np.int64],
    current: int,
    column: int,
) -> tuple[float, NDArray[np.float64]]:
    """What linear path and carry-over add to a case without codes and with an average profile, and what each code (of token
    `tokens[i]`), then each profile field, adds to that. A code of several earlier visits counts once, shared by them.
    """
    layout, profile = encoded.linear, encoded.profile[0]
    assert layout is not None  # noqa: S101 (the caller looked)
    shares = np.zeros(len(codes) + len(profile))
    start = 0.0
    if (path := model.linear) is not None:
        weight = (
            (path.factor * path.table(model.codes.weight)[:, column]).double().cpu().numpy()
        )  # (columns,)
        earlier = np.array([item.visit != current for item in codes], dtype=bool)
        times = np.bincount(tokens[earlier], minlength=layout.tokens)
        for i, token in enumerate(tokens.tolist()):
            if token < layout.tokens:  # others are read by their title alone
                shares[i] = weight[layout.tokens + token] / times[token] if earlier[i] else weight[token]
        shares[len(codes) :] = weight[layout.profile_starts + profile] - weight[layout.profile_starts]
        start += float(weight[layout.profile_starts].sum() + (1 - path.factor) * path.average[column])
        start += float(weight[layout.first_visit]) * bool(encoded.first_visit[0])
    if (carry := model.carry_over) is not None and not encoded.first_visit[0]:
        since = carry.since(torch.from_numpy(encoded.days)).item()
        start += float(carry.absent[column])
        added = float(carry.taken[column] + carry.by_time[column] * since - carry.absent[column])
        for i, item in enumerate(codes):
            if item.kind == "medication" and item.visit == current - 1 and tokens[i] == RESERVED + column:
                shares[i] += added
    return start, shares


def _sets_read(encoded: EncodedCases) -> dict[Kind, Ragged]:
    """The sets of the visits that are read of one case, oldest first."""
    rows = np.arange(encoded.first[0], encoded.current[0] + 1)
    return {kind: encoded.sets(kind).take(rows) for kind in KINDS}


def _fields(model: Student, encoded: EncodedCases) -> list[Tensor]:
    """(1, D) of each profile field."""
    return [
        table.weight[row : row + 1]  # type: ignore[index, misc]
        for table, row in zip(model.profile, encoded.profile[0].tolist(), strict=True)
    ]


def _average(model: Student, kind: str) -> Tensor:
    """(D,) the mean of a kind's embeddings, every code of the vocabulary weighing the same."""
    layout = model.layout
    first = layout.offset(kind)  # type: ignore[arg-type]
    size = {"medication": layout.medications, "diagnosis": layout.diagnoses, "procedure": layout.procedures}[
        kind
    ]
    return model.codes.weight[first : first + max(size, 1)].mean(0)


class _StudentPath:
    """(S, N, D) vectors of S copies of a case to the (S,) log-odds of a class."""

    def __init__(self, model: Student, encoded: EncodedCases, codes: int, column: int) -> None:
        self._model = model
        self._encoded = encoded
        self._codes = codes
        self._column = column
        self._packed: dict[int, Packed] = {}

    def __call__(self, rows: Tensor) -> Tensor:
        copies, width = len(rows), rows.shape[2]
        packed = self._packed.get(copies)
        if packed is None:
            packed = self._packed[copies] = pack(_copied(self._encoded, copies), np.arange(copies))
        codes, fields = rows[:, : self._codes], rows[:, self._codes :]
        padding = self._model.codes.weight[:1]
        vectors = torch.cat([padding, codes.reshape(-1, width)])  # position 0 is padding
        positions = torch.from_numpy(packed.tokens).to(rows.device)
        out = self._model.read(packed, vectors.index_select(0, positions), fields)
        return out.logits[:, self._column]


def _copied(encoded: EncodedCases, copies: int) -> EncodedCases:
    """`copies` of one case, with positions instead of token ids: 1 + the copy's first + the code's own."""
    sets = _sets_read(encoded)
    every = sum(len(codes.values) for codes in sets.values())
    copied, before = {}, 1
    for kind, codes in sets.items():
        own = np.arange(before, before + len(codes.values))
        values = (own + every * np.arange(copies)[:, None]).ravel().astype(np.int32)
        copied[kind] = Ragged.of_lengths(np.tile(codes.lengths, copies), values)
        before += len(codes.values)
    visits = len(sets["diagnosis"])
    first = visits * np.arange(copies)
    return replace(
        encoded,
        diagnosis=copied["diagnosis"],
        procedure=copied["procedure"],
        medication=copied["medication"],
        first=first,
        current=first + visits - 1,
        profile=np.repeat(encoded.profile, copies, axis=0),
        linear=None,  # of the network alone
    )


TEACHER_BASELINE: Final = (
    "every token of the prompt replaced by the average word vector of the base, "
    "special tokens left as they are"
)
TEACHER_BACKWARD: Final = 4
"""A pass that keeps what gradients need holds this many times the memory of one that does not."""
TEACHER_STEPS: Final = 20
"""With 16 most cases of the demo miss the tolerance and are walked again with twice as many."""
TEACHER_SLOW: Final = 2
"""A base normalises no word alone, but a word in its place: it turns round later than a student's code."""


@dataclass(frozen=True, slots=True)
class PromptRead:
    """A prompt as the teacher reads it: where each token stands, and what it stands for."""

    prompt: Prompt
    phrases: tuple[Phrase, ...]
    spans: tuple[tuple[int, int], ...]  # (N,) of the tokens that stand in the text
    items: tuple[Item, ...]  # (N,) what each of them belongs to


def teacher_gradients(
    scorer: TeacherScorer, case: Case, column: int, on_progress: Progress | None = None
) -> tuple[PromptRead, Integrated]:
    """The prompt's tokens in their order, and what each adds to the log-odds of class `column`."""
    builder = scorer.reader.builder()
    prompt = builder.build(case.observed())
    ids, spans = scorer.reader.tokenizer.located(prompt.text)
    ids, spans = ids[: builder.token_limit], spans[: builder.token_limit]
    phrases = phrases_of(builder, case)
    positions = [i for i, span in enumerate(spans) if span is not None]
    standing = tuple(span for span in spans if span is not None)
    starts = [phrase.start for phrase in phrases]
    items = tuple(phrases[max(0, bisect_right(starts, start) - 1)].item for start, _ in standing)
    model = scorer.model
    device = model.head.weight.device
    with torch.no_grad():
        vectors = model.embed(torch.tensor([ids], device=device))[0].float()  # (T, H)
        average = model.average_word()
    score = _TeacherPath(model, vectors, torch.tensor(positions, device=device), column)
    budget = pass_tokens(model) // TEACHER_BACKWARD
    gradients = integrate(
        score,
        vectors[positions],
        average.expand(len(positions), -1),
        at_once=max(1, budget // max(1, len(ids))),
        steps=TEACHER_STEPS,
        slow=TEACHER_SLOW,
        on_progress=on_progress,
    )
    return PromptRead(prompt, phrases, standing, items), gradients


class _TeacherPath:
    """(S, N, H) vectors of the tokens that stand in the text to the (S,) log-odds of a class."""

    def __init__(self, model: TeacherModel, vectors: Tensor, positions: Tensor, column: int) -> None:
        self._model = model
        self._vectors = vectors
        self._positions = positions
        self._column = column

    def __call__(self, rows: Tensor) -> Tensor:
        whole = self._vectors.expand(len(rows), -1, -1).clone().index_copy(1, self._positions, rows)
        mask = torch.ones(whole.shape[:2], dtype=torch.int64, device=whole.device)
        return self._model.read(whole, mask).logits[:, self._column]
