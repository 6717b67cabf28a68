"""Weights that are set from the training cases: before the first step, and after the last."""

from __future__ import annotations

import numpy as np
import torch

from leader_core.domain import KINDS
from leader_core.scorer import blocks_of
from leader_core.student.encode import EncodedCases, Encoder
from leader_core.student.model import CarryOver, LinearPath, Student
from leader_core.student.packing import linear_inputs
from leader_core.terminology.chapters import parent
from train.config import StudentTraining


def start_at_frequencies(student: Student, encoded: EncodedCases) -> None:
    """Set the last layer's bias to the log odds of each class among the training cases."""
    counts = np.zeros(student.layout.medications)
    for start in range(0, len(encoded), 4096):
        rows = np.arange(start, min(start + 4096, len(encoded)))
        counts += encoded.labels(rows, student.layout.medications).sum(0)
    odds = (counts + 0.5) / (len(encoded) - counts + 0.5)
    with torch.no_grad():
        student.head_out.bias.copy_(torch.from_numpy(np.log(odds)))


def fill_unseen_rows(student: Student, profile: np.ndarray) -> None:
    """Give every profile field's row of unseen values the training cases' average: an unremarkable patient."""
    with torch.no_grad():
        for k, table in enumerate(student.profile.children()):
            weight = table.get_parameter("weight")
            counts = np.bincount(profile[:, k], minlength=len(weight)).astype(np.float32)
            counts[0] = 0
            if counts.sum():
                weight[0] = torch.from_numpy(counts / counts.sum()).to(weight) @ weight


def linear_rows(
    encoded: EncodedCases, encoder: Encoder, training: StudentTraining
) -> tuple[np.ndarray, np.ndarray | None]:
    """(columns,) the row of the linear path's weights that each column has, and the one of its category; 0 for none.

    Columns of enough cases have a weight, and so has every profile field's unseen value. Categories are those of diagnoses
    and procedures; the current visit and earlier ones have separate weights.
    """
    counts, layout = linear_counts(encoded), encoder.linear
    own = counts >= training.linear_least
    own[layout.profile_starts] = True
    rows = np.where(own, own.cumsum(), 0)
    if not encoder.config.linear_categories:
        return rows, None
    members: dict[tuple[str, int], list[int]] = {}
    for kind in KINDS[:2]:
        for column, code in enumerate(encoder.vocabularies.of(kind), encoder.layout.offset(kind)):
            for block in (0, layout.tokens):
                members.setdefault((category(code), block), []).append(block + column)
    categories, last = np.zeros_like(rows), int(own.sum())
    for columns in members.values():
        if counts[columns].sum() >= training.category_least:
            last += 1
            categories[columns] = last
    return rows, categories


def category(code: str) -> str:
    """The broadest code above one, or itself: the category of a diagnosis, the table of an ICD-10-PCS code.

    >>> category("ICD10:I5023"), category("ICD9:E8859"), category("ICD9PCS:3961"), category("ICD10PCS:5A1D70Z")
    ('ICD10:I50', 'ICD9:E885', 'ICD9PCS:39', 'ICD10PCS:5A1')
    """
    while above := parent(code):
        code = above
    return code


def linear_counts(encoded: EncodedCases) -> np.ndarray:
    """(columns,) how many cases have each column of the linear path."""
    layout = encoded.linear
    assert layout is not None  # noqa: S101 (cases encoded for a student with a linear path)
    counts = np.zeros(layout.size, np.int64)
    for rows in blocks_of(len(encoded)):
        columns = linear_inputs(encoded, rows, layout).columns
        counts += np.bincount(columns.values, minlength=layout.size)
    return counts


def finish_linear(path: LinearPath, encoded: EncodedCases, embeddings: torch.Tensor) -> None:
    """Store what the path says of the average training case, and give a profile value that training did not see the
    average of its field; `embeddings`: (tokens, D) of the codes, as they are stored."""
    layout = encoded.linear
    assert layout is not None  # noqa: S101
    shares = torch.from_numpy(linear_counts(encoded) / len(encoded)).to(path.weight)
    with torch.no_grad():
        for start, rows in zip(layout.profile_starts.tolist(), layout.profile, strict=True):
            field = slice(start, start + rows)
            path.weight[path.row[start]] = shares[field] @ path.weight[path.row[field]]
        path.average.copy_(shares @ path.table(embeddings))


def set_usual_time(carry_over: CarryOver, days: np.ndarray) -> None:
    """Centre and scale the time since the last visit on the training cases."""
    logs = np.log1p(days[~np.isnan(days)])
    if len(logs) > 1:
        carry_over.time_mean.fill_(float(logs.mean()))
        carry_over.time_scale.fill_(max(float(logs.std()), 1e-3))
