"""What the neural baselines share (padded batches of visits, a training loop that stops on validation PRAUC), and RETAIN.

Letters: B cases, V visits, D width, M medications, R visits of a batch end to end.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from leader_core.domain import KINDS, Kind
from leader_core.errors import TrainingError
from leader_core.ragged import spans
from leader_core.student.encode import RESERVED, EncodedCases
from train.baselines.fitting import TrainingData
from train.console import Report
from train.evaluation.inputs import Scores

PASS: Final = 256  # cases scored at once


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a neural baseline is trained."""

    width: int = 64
    dropout: float = 0.5
    batch_size: int = 32
    learning_rate: float = 2e-3
    epochs: int = 60
    patience: int = 6  # epochs without a better validation PRAUC


@dataclass(frozen=True, slots=True)
class VisitBatch:
    """B cases of at most V visits. The current visit's medications are not in it."""

    codes: Mapping[Kind, tuple[Tensor, Tensor]]  # token ids end to end, and (R,) where each visit's begin
    owner: Tensor  # (R,) case of each visit
    position: Tensor  # (R,) 0 for the oldest visit
    back: Tensor  # (R,) 0 for the current visit, 1 for the one before it, ...
    lengths: Tensor  # (B,) visits of each case
    given: Tensor  # (B, V, M) 0 or 1: prescriptions of earlier visits

    def lay_out(self, visits: Tensor, positions: Tensor) -> Tensor:
        """(R, D) -> (B, V, D), zero where there is no visit."""
        size, longest = len(self.lengths), self.given.shape[1]
        return visits.new_zeros(size, longest, visits.shape[1]).index_put((self.owner, positions), visits)

    @property
    def real(self) -> Tensor:
        """(B, V) bool, true at the first `lengths` positions of each case"""
        return torch.arange(self.given.shape[1])[None] < self.lengths[:, None]


def batch_of(cases: EncodedCases, rows: NDArray[np.int64], medications: int) -> VisitBatch:
    """Gather the visits of some cases."""
    first, current = cases.first[rows], cases.current[rows]
    lengths = current - first + 1
    visits = spans(first, lengths)
    owner = np.repeat(np.arange(len(rows)), lengths)
    is_current = visits == current[owner]
    codes: dict[Kind, tuple[Tensor, Tensor]] = {}
    given = np.zeros((len(rows), int(lengths.max(initial=1)), medications), np.float32)
    for kind in KINDS:
        sets = cases.sets(kind)
        sizes = sets.lengths[visits]
        if kind == "medication":
            sizes = np.where(is_current, 0, sizes)  # the truth is no input
        tokens = sets.values[spans(sets.offsets[visits], sizes)]
        begins = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        codes[kind] = torch.from_numpy(tokens.astype(np.int64)), torch.from_numpy(begins)
        if kind == "medication":
            of = np.repeat(np.arange(len(visits)), sizes)
            given[owner[of], (visits - first[owner])[of], tokens - RESERVED] = 1
    return VisitBatch(
        codes,
        torch.from_numpy(owner),
        torch.from_numpy(visits - first[owner]),
        torch.from_numpy(current[owner] - visits),
        torch.from_numpy(lengths),
        torch.from_numpy(given),
    )


class NeuralBaseline(ABC):
    """Trains a network that takes a `VisitBatch` to logits (B, M)."""

    schedule = Schedule()

    @abstractmethod
    def build(self, data: TrainingData) -> nn.Module:
        """A network with fresh weights."""

    def loss(self, logits: Tensor, truth: Tensor) -> Tensor:
        """Of one batch: (B, M) logits against (B, M) of 0 and 1."""
        return nn.functional.binary_cross_entropy_with_logits(logits, truth)

    def end_of_epoch(self) -> None:  # noqa: B027 (a hook that most leave empty)
        """Called after every pass over the training cases."""

    def fit(self, data: TrainingData, *, seed: int, report: Report) -> None:
        """Adam until validation PRAUC stops rising; the weights of the best epoch are used.

        Raises:
            TrainingError: the loss is not finite any more.
        """
        torch.manual_seed(seed)
        self.medications = data.medications
        self.network = self.build(data)
        optimizer = torch.optim.Adam(self.network.parameters(), lr=self.schedule.learning_rate)
        self.epochs, self.best_epoch, best, best_weights = (
            0,
            0,
            -1.0,
            copy.deepcopy(self.network.state_dict()),
        )
        rows = np.arange(len(data.validation))
        while self.epochs < self.schedule.epochs and self.epochs - self.best_epoch < self.schedule.patience:
            self.epochs += 1
            spent = self._epoch(data, optimizer, np.random.default_rng((seed, self.epochs)))
            self.end_of_epoch()
            prauc = data.labels.mean_prauc(self.score(data.validation, rows))
            if prauc > best:
                best, self.best_epoch = prauc, self.epochs
                best_weights = copy.deepcopy(self.network.state_dict())
            report.line(f"epoch {self.epochs}: loss {spent:.4f}, validation PRAUC {prauc:.4f}")
        self.network.load_state_dict(best_weights)

    def _epoch(
        self, data: TrainingData, optimizer: torch.optim.Optimizer, random: np.random.Generator
    ) -> float:
        self.network.train()
        order = random.permutation(len(data.train))
        total = 0.0
        for start in range(0, len(order), self.schedule.batch_size):
            rows = order[start : start + self.schedule.batch_size]
            truth = torch.from_numpy(data.train.labels(rows, self.medications).astype(np.float32))
            loss = self.loss(self.network(batch_of(data.train, rows, self.medications)), truth)
            if not torch.isfinite(loss):
                raise TrainingError(
                    f"The loss of {type(self).__name__} became {loss.item()} in epoch {self.epochs}. "
                    "Lower its learning rate."
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.item() * len(rows)
        return total / len(order)

    def score(self, cases: EncodedCases, rows: NDArray[np.int64]) -> Scores:
        """(B, M)"""
        self.network.eval()
        out = np.empty((len(rows), self.medications), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(rows), PASS):
                batch = batch_of(cases, rows[start : start + PASS], self.medications)
                out[start : start + PASS] = self.network(batch).sigmoid().numpy()
        return out

    @property
    def settings(self) -> Mapping[str, Any]:
        return {**asdict(self.schedule), "epochs_run": self.epochs, "best_epoch": self.best_epoch}


def start_at_frequencies(head: nn.Linear, frequencies: NDArray[np.float64], count: int) -> None:
    """Begin the last layer's bias at the classes' smoothed log odds, so that training need not find them."""
    positives = frequencies * count
    odds = np.log((positives + 0.5) / (count - positives + 0.5))
    with torch.no_grad():
        head.bias.copy_(torch.from_numpy(odds))


class Retain(nn.Module):
    """`VisitBatch` -> logits (B, M)."""

    def __init__(self, tokens: int, medications: int, width: int, dropout: float) -> None:
        super().__init__()
        self.codes = nn.EmbeddingBag(tokens, width, mode="sum", padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.alpha_rnn = nn.GRU(width, width, batch_first=True)
        self.beta_rnn = nn.GRU(width, width, batch_first=True)
        self.alpha = nn.Linear(width, 1)
        self.beta = nn.Linear(width, width)
        self.out = nn.Linear(width, medications)
        nn.init.normal_(self.codes.weight, std=width**-0.5)

    def forward(self, batch: VisitBatch) -> Tensor:
        """Logits (B, M)."""
        visits = torch.stack([self.codes(*batch.codes[kind]) for kind in KINDS]).sum(0)
        backwards = self.dropout(batch.lay_out(visits, batch.back))  # (B, V, D), the current visit first
        alpha = self.alpha(self.alpha_rnn(backwards)[0]).squeeze(2).masked_fill(~batch.real, -torch.inf)
        beta = torch.tanh(self.beta(self.beta_rnn(backwards)[0]))
        context = (alpha.softmax(1).unsqueeze(2) * beta * backwards).sum(1)
        return self.out(self.dropout(context))  # type: ignore[no-any-return]


class RetainBaseline(NeuralBaseline):
    """RETAIN under the common protocol."""

    schedule = Schedule()

    def build(self, data: TrainingData) -> nn.Module:
        network = Retain(
            data.encoder.layout.size, data.medications, self.schedule.width, self.schedule.dropout
        )
        start_at_frequencies(network.out, data.frequencies(), len(data.train))
        return network
