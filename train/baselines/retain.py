"""RETAIN (Choi et al., 2016): two recurrent networks read the visits backwards and weigh them.

One gives each visit a weight (alpha), the other each dimension of each visit (beta); their weighted sum of visit
embeddings is mapped linearly to the classes. A visit is the sum of its codes' embeddings. What the paper of 2016 does
not have to say: the current visit enters with its diagnoses and procedures only, so that a first visit has an answer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leader_core.domain import KINDS
from train.baselines.fitting import TrainingData
from train.baselines.network import NeuralBaseline, Schedule, VisitBatch, start_at_frequencies


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
