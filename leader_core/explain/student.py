"""Integrated gradients of the student: what each code and each profile field adds to the log-odds of a class.

Baseline: every code stands as the average code of its kind, every profile field as the unremarkable patient's (the
row for values that training never saw, which holds the training cases' average). The zero vector would not do: the
network normalises every vector first, so a code near zero weighs as much as a whole one, and attributions would not
add up. Refuses to know how they are shown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from leader_core.domain import KINDS, Case, Kind
from leader_core.explain.integrated import Integrated, integrate
from leader_core.explain.items import Item, code_item, profile_item
from leader_core.ragged import Ragged
from leader_core.scorer import Progress
from leader_core.student.encode import EncodedCases
from leader_core.student.model import Student
from leader_core.student.packing import Packed, pack
from leader_core.student.scorer import StudentScorer

BASELINE: Final = "every code replaced by the average code of its kind, every profile field by the average of the training cases"
_TOKENS: Final = 16_384  # codes in one pass: some 100 MB at the published widths


def student_gradients(
    scorer: StudentScorer, case: Case, column: int, each: Progress | None = None
) -> tuple[tuple[Item, ...], Integrated]:
    """The items that the student reads of a case, and what each adds to the log-odds of class `column`."""
    encoded = scorer.encode([case.observed()])
    read = scorer.encoder.read(case)
    codes = tuple(code_item(place, kind, code) for kind in KINDS for place, code in read[kind])
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
    score = _Path(model, encoded, len(codes), column)
    return items, integrate(score, inputs, baseline, at_once=max(1, _TOKENS // max(1, len(codes))), each=each)


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


class _Path:
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
        vectors = torch.cat([padding, codes.reshape(-1, width)])  # place 0 is padding
        places = torch.from_numpy(packed.tokens).to(rows.device)
        out = self._model.read(packed, vectors.index_select(0, places), fields)
        return out.logits[:, self._column]


def _copied(encoded: EncodedCases, copies: int) -> EncodedCases:
    """`copies` of one case; in place of token ids stand places: 1 + the copy's first + the code's own."""
    sets = _sets_read(encoded)
    every = sum(len(each.values) for each in sets.values())
    copied, before = {}, 1
    for kind, each in sets.items():
        own = np.arange(before, before + len(each.values))
        values = (own + every * np.arange(copies)[:, None]).ravel().astype(np.int32)
        copied[kind] = Ragged.of_lengths(np.tile(each.lengths, copies), values)
        before += len(each.values)
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
    )
