"""GAMENet (Shang et al., 2019): recurrent queries, a memory of drug graphs, and a memory of the patient's own past.

Two recurrent networks read diagnoses and procedures; their states make one query a visit. The memory bank holds one
row a class: graph convolutions over the classes prescribed together in training, minus those over interacting
classes. A first fact reads the bank with the current query; a second reads what the patient was really prescribed at
earlier visits whose queries resemble the current one. Where the predictions of a batch interact more often than the
training prescriptions do, the interaction loss takes the step's place with a probability that grows as training goes
on. The graphs come from the training split alone (the published one counts test patients too), and the target rate is
that of the training prescriptions, not a constant.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from leader_core.student.encode import RESERVED, EncodedCases
from train.baselines.fitting import TrainingData
from train.baselines.neural import NeuralBaseline, Schedule, VisitBatch, start_at_frequencies
from train.console import Report

TEMPERATURE: Final = 0.5
DECAY: Final = 0.85  # of the temperature, an epoch
PREDICTION_WEIGHT: Final = 0.9
MARGIN_WEIGHT: Final = 0.01


class GraphConvolution(nn.Module):
    """Two convolutions over a graph of M classes -> (M, D)."""

    def __init__(self, adjacency: NDArray[np.float32], width: int, dropout: float) -> None:
        super().__init__()
        self.adjacency: Tensor
        looped = adjacency + np.eye(len(adjacency), dtype=np.float32)
        self.register_buffer("adjacency", torch.from_numpy(looped / looped.sum(1, keepdims=True)))
        self.first = nn.Parameter(torch.empty(len(adjacency), width))
        self.second = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.first, std=width**-0.5)

    def forward(self) -> Tensor:
        """(M, D)"""
        return self.adjacency @ self.second(self.dropout(torch.relu(self.adjacency @ self.first)))  # type: ignore[no-any-return]


class Gamenet(nn.Module):
    """`VisitBatch` -> logits (B, M)."""

    def __init__(
        self,
        tokens: int,
        together: NDArray[np.float32],
        interacting: NDArray[np.float32],
        width: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.codes = nn.EmbeddingBag(tokens, width, mode="mean", padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.diagnoses = nn.GRU(width, 2 * width, batch_first=True)
        self.procedures = nn.GRU(width, 2 * width, batch_first=True)
        self.query = nn.Sequential(nn.ReLU(), nn.Linear(4 * width, width))
        self.together = GraphConvolution(together, width, dropout)
        self.interacting = GraphConvolution(interacting, width, dropout)
        self.balance = nn.Parameter(torch.zeros(1).normal_(std=0.1))
        self.hidden = nn.Sequential(nn.ReLU(), nn.Linear(3 * width, 2 * width), nn.ReLU())
        self.out = nn.Linear(2 * width, len(together))
        nn.init.normal_(self.codes.weight, std=0.1)

    def forward(self, batch: VisitBatch) -> Tensor:
        """Logits (B, M)."""
        streams = []
        for kind, network in (("diagnosis", self.diagnoses), ("procedure", self.procedures)):
            visits = batch.lay_out(self.codes(*batch.codes[kind]), batch.position)  # type: ignore[index]
            streams.append(network(self.dropout(visits))[0])
        queries = self.query(torch.cat(streams, 2))  # (B, V, D)
        at = torch.arange(len(queries))
        now = queries[at, batch.lengths - 1]  # (B, D)
        bank = self.together() - self.balance * self.interacting()  # (M, D)
        fact = (now @ bank.T).softmax(1) @ bank
        remembered = self.recall(now, queries, batch) @ bank
        own = torch.where((batch.lengths > 1)[:, None], remembered, fact)
        return self.out(self.hidden(torch.cat([now, fact, own], 1)))  # type: ignore[no-any-return]

    @staticmethod
    def recall(now: Tensor, queries: Tensor, batch: VisitBatch) -> Tensor:
        """(B, M) earlier prescriptions, each visit's weighed by how much its query resembles the current one."""
        earlier = torch.arange(queries.shape[1])[None] < batch.lengths[:, None] - 1
        likeness = torch.einsum("bd,bvd->bv", now, queries).masked_fill(~earlier, -1e9)
        return torch.einsum("bv,bvm->bm", likeness.softmax(1), batch.given)


class GamenetBaseline(NeuralBaseline):
    """GAMENet under the common protocol, with its interaction loss."""

    schedule = Schedule()

    def build(self, data: TrainingData) -> nn.Module:
        together, self._target = _graph_of(data.train, data.medications, data.interactions)
        self._table = torch.from_numpy(data.interactions.astype(np.float32))
        interacting = data.interactions.astype(np.float32)
        network = Gamenet(
            data.encoder.layout.size, together, interacting, self.schedule.width, self.schedule.dropout
        )
        start_at_frequencies(network.out, data.frequencies(), len(data.train))
        return network

    def fit(self, data: TrainingData, *, seed: int, report: Report) -> None:
        """See `NeuralBaseline.fit`."""
        self._temperature = TEMPERATURE
        self._chance = np.random.default_rng((seed, 0))
        super().fit(data, seed=seed, report=report)

    def loss(self, logits: Tensor, truth: Tensor) -> Tensor:
        """Prediction and margin, or the expected number of interacting pairs where there are too many."""
        chosen = (logits.detach() >= 0).float()
        pairs = (chosen.sum(1) * (chosen.sum(1) - 1)).sum()
        rate = float(((chosen @ self._table) * chosen).sum() / pairs.clamp(min=1))
        if rate > self._target and self._chance.random() >= math.exp(
            (self._target - rate) / self._temperature
        ):
            probabilities = logits.sigmoid()
            return ((probabilities @ self._table) * probabilities).mean() / logits.shape[1]
        classes = torch.where(truth > 0, torch.arange(truth.shape[1]), truth.shape[1]).sort(1).values
        margin = nn.functional.multilabel_margin_loss(
            logits.sigmoid(), torch.where(classes < truth.shape[1], classes, -1)
        )
        prediction = nn.functional.binary_cross_entropy_with_logits(logits, truth)
        return PREDICTION_WEIGHT * prediction + MARGIN_WEIGHT * margin

    def end_of_epoch(self) -> None:
        """Interactions weigh more from epoch to epoch."""
        self._temperature *= DECAY

    @property
    def settings(self) -> Mapping[str, Any]:
        return {**super().settings, "target_ddi_rate": self._target, "temperature": TEMPERATURE}


def _graph_of(
    cases: EncodedCases, medications: int, interactions: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], float]:
    """(M, M) classes prescribed together in any visit of the training patients; the interaction rate of them all."""
    from scipy.sparse import csr_matrix

    sets = cases.medication
    ones = np.ones(len(sets.values), np.float32)
    visits = csr_matrix((ones, sets.values - RESERVED, sets.offsets), shape=(len(sets), medications))
    counts = (visits.T @ visits).toarray()
    np.fill_diagonal(counts, 0)
    rate = float(counts[interactions].sum() / max(1.0, counts.sum()))
    return (counts > 0).astype(np.float32), rate
