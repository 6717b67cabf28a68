"""Weights that are set from the training cases: before the first step, and after the last."""

from __future__ import annotations

import numpy as np
import torch

from leader_core.scorer import blocks_of
from leader_core.student.encode import EncodedCases
from leader_core.student.model import CarryOver, LinearPath, Student
from leader_core.student.packing import linear_inputs


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


def linear_columns(encoded: EncodedCases, least: int) -> np.ndarray:
    """(columns,) which of them have a weight: those of enough cases, and every profile field's unseen value."""
    chosen = linear_counts(encoded) >= least
    if encoded.linear is not None:
        chosen[encoded.linear.profile_starts] = True
    return chosen


def linear_counts(encoded: EncodedCases) -> np.ndarray:
    """(columns,) how many cases have each column of the linear path."""
    layout = encoded.linear
    assert layout is not None  # noqa: S101 (cases encoded for a student with a linear path)
    counts = np.zeros(layout.size, np.int64)
    for rows in blocks_of(len(encoded)):
        columns = linear_inputs(encoded, rows, layout).columns
        counts += np.bincount(columns.values, minlength=layout.size)
    return counts


def finish_linear(path: LinearPath, encoded: EncodedCases) -> None:
    """Store what the path says of the average training case, and give a profile value that training did not see the
    average of its field."""
    layout = encoded.linear
    assert layout is not None  # noqa: S101
    shares = torch.from_numpy(linear_counts(encoded) / len(encoded)).to(path.weight)
    with torch.no_grad():
        for start, rows in zip(layout.profile_starts.tolist(), layout.profile, strict=True):
            field = slice(start, start + rows)
            path.weight[path.row[start]] = shares[field] @ path.weight[path.row[field]]
        path.average.copy_(shares @ path.weight[path.row])


def set_usual_time(carry_over: CarryOver, days: np.ndarray) -> None:
    """Centre and scale the time since the last visit on the training cases."""
    logs = np.log1p(days[~np.isnan(days)])
    if len(logs) > 1:
        carry_over.time_mean.fill_(float(logs.mean()))
        carry_over.time_scale.fill_(max(float(logs.std()), 1e-3))
