"""The student network: the published function, computed on packed batches.

What is unusual: no padded places reach the wide layers, every distinct visit of a batch is encoded once, one visit
encoder serves three streams, and the profile stands in the medication stream's first place. Refuses to know how a
batch is packed (`packing`), losses and training.

Letters: B cases, S their visits, Q sets of codes, T tokens, K profile fields, D width, M medications.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from leader_core.domain import KINDS
from leader_core.student.block import Block, Shape, row_means
from leader_core.student.config import StudentConfig
from leader_core.student.encode import TokenLayout
from leader_core.student.packing import Packed

TITLE_ALONE: Final = 0.1
"""Share of codes that a training step reads by their title alone, as it will have to read those it never saw."""


class StudentOutput(NamedTuple):
    """What one pass gives; every tensor in the batch's order."""

    logits: Tensor  # (B, M)
    features: (
        Tensor  # (B, head_hidden) the head's first layer before its activation: what distillation compares
    )
    profile: Tensor  # (B, D)
    prescribed: (
        Tensor | None
    )  # (B, D) the current medications' set, where packed with labels: for alignment only


class Student(nn.Module):
    """Medication logits from code sets of the visits and the patient's profile."""

    def __init__(self, config: StudentConfig, layout: TokenLayout, profile_rows: Sequence[int]) -> None:
        """`profile_rows`: the size of each profile field's table, the row of unseen values included."""
        super().__init__()
        width = config.d_model
        self.config = config
        self.layout = layout
        self.codes = nn.Embedding(layout.size, width)
        self.set_encoders = nn.ModuleDict({kind: Block(config) for kind in KINDS})
        self.visit_encoder = Block(config)
        self.profile = nn.ModuleList(nn.Embedding(rows, width) for rows in profile_rows)
        self.profile_out = nn.Linear(max(1, len(profile_rows)) * width, width)
        if not profile_rows:  # without fields one learned vector stands for everybody
            self.profile_constant = nn.Parameter(torch.randn(width))
        views = 2 if config.current_apart else 1
        self.head_in = nn.Linear(3 * views * width, config.head_hidden)
        self.head_out = nn.Linear(config.head_hidden, layout.medications)
        self.added: Tensor | None = (
            None  # (N + more, D) the code table with rows of codes that have only a title
        )
        self.register_buffer(
            "titles", None, persistent=False
        )  # (N, text_width) in training, until `fold_titles`
        self.titles: Tensor | None
        if config.code_text:
            self.title_out = nn.Linear(config.text_width, width, bias=False)
            self.register_buffer("title_mean", torch.zeros(config.text_width))
            self.title_mean: Tensor
        if config.recency:
            self.recency = nn.Parameter(
                torch.zeros(config.max_visits + 1, width)
            )  # row 0: the profile's place
        if config.pooling == "recency":
            self.place_weights = nn.Parameter(torch.zeros(config.max_visits))  # equal weights: the plain mean

    def forward(self, packed: Packed) -> StudentOutput:
        """One pass over B packed cases."""
        device = self.codes.weight.device
        rows = torch.from_numpy(packed.profile).to(device)
        fields = [table(rows[:, k]) for k, table in enumerate(self.profile)]
        tokens = self._embed(torch.from_numpy(packed.tokens).to(device))
        return self.read(packed, tokens, torch.stack(fields, 1) if fields else None)

    def read(self, packed: Packed, tokens: Tensor, fields: Tensor | None) -> StudentOutput:
        """The same of vectors that stand for the codes (T, D) and the profile fields (B, K, D)."""
        device = tokens.device
        profile = self._encode_profile(fields, len(packed.restore))  # (B, D)
        sets = self._encode_sets(packed, tokens)  # (Q + 1, D)
        x = sets.index_select(0, torch.from_numpy(packed.held).to(device))  # (3S, D)
        x = x.index_add(
            0, torch.from_numpy(packed.profile_places).to(device), profile
        )  # zero vectors until now
        if self.config.recency:
            x = x + self.recency.index_select(0, torch.from_numpy(packed.recency).to(device))
        pooled = self._pool(x, [Shape.of(r, device) for r in packed.visits]).view(len(profile), -1)  # (B, 3D)
        restore = torch.from_numpy(packed.restore).to(device)
        features = self.head_in(functional.relu(pooled.index_select(0, restore)))
        prescribed = None
        if len(packed.prescribed):
            prescribed = sets.index_select(0, torch.from_numpy(packed.prescribed).to(device)).index_select(
                0, restore
            )
        logits = self.head_out(functional.relu(features))
        return StudentOutput(logits, features, profile.index_select(0, restore), prescribed)

    def _encode_profile(self, fields: Tensor | None, cases: int) -> Tensor:
        """(B, K, D) -> (B, D)"""
        if not self.profile or fields is None:
            return self.profile_out(self.profile_constant).expand(cases, -1)  # type: ignore[no-any-return]
        return self.profile_out(fields.flatten(1))  # type: ignore[no-any-return]

    def _encode_sets(self, packed: Packed, tokens: Tensor) -> Tensor:
        """(Q + 1, D): the mean of each set's encoded codes, and the zero vector of the empty set."""
        shapes = {kind: [Shape.of(r, tokens.device) for r in packed.rectangles[kind]] for kind in KINDS}
        parts = tokens.split([sum(s.size for s in shapes[kind]) for kind in KINDS])
        means = [
            row_means(self.set_encoders[kind](part, shapes[kind]), shapes[kind])
            for kind, part in zip(KINDS, parts, strict=True)
            if shapes[kind]
        ]
        return torch.cat([*means, tokens.new_zeros(1, self.config.d_model)])

    def _embed(self, tokens: Tensor) -> Tensor:
        """(T,) -> (T, D)"""
        if self.titles is None:
            return functional.embedding(tokens, self.codes.weight if self.added is None else self.added)
        distinct, places = tokens.unique(return_inverse=True)
        own = self.codes(distinct)
        if self.training:
            own = own * (torch.rand(len(own), 1, device=own.device) >= TITLE_ALONE)
        return (own + self.title_out(self.titles[distinct])).index_select(0, places)

    def start_from_titles(self, vectors: Tensor, titled: Tensor) -> None:
        """Make every titled code's embedding its title's: (N, text_width) vectors, (N,) which codes have a title."""
        with torch.no_grad():
            self.title_mean.copy_(vectors[titled].mean(0))
            self.titles = self._centred(vectors) * titled[:, None]
            self.title_out.weight.normal_()  # of unit vectors: the scale that embeddings by id start with
            self.codes.weight[titled] = 0

    def fold_titles(self) -> None:
        """Write the titles' share into the code table: what is stored, and read without any title."""
        if self.titles is not None:
            with torch.no_grad():
                self.codes.weight += self.title_out(self.titles)
            self.titles = None

    def add_codes(self, vectors: Tensor) -> int:
        """Append rows for codes that have only a title, (n, text_width); the token id of the first."""
        table = self.codes.weight.detach() if self.added is None else self.added
        with torch.no_grad():
            self.added = torch.cat([table, self.title_out(self._centred(vectors.to(table)))])
        return len(table)

    def _centred(self, vectors: Tensor) -> Tensor:
        return functional.normalize(vectors - self.title_mean, dim=1)

    def _pool(self, x: Tensor, shapes: Sequence[Shape]) -> Tensor:
        """(3S, D) -> (3B, D), or (3B, 2D) with the current place apart: the shared visit encoder, then the mean."""
        x = self.visit_encoder(x, shapes)
        pooled = self._mean(x, shapes)
        if not self.config.current_apart:
            return pooled
        ends = [
            part.view(shape.rows, shape.length, -1)[:, -1]
            for shape, part in zip(shapes, x.split([s.size for s in shapes]), strict=True)
        ]
        return torch.cat([pooled, torch.cat(ends)], dim=1)

    def _mean(self, x: Tensor, shapes: Sequence[Shape]) -> Tensor:
        """(3S, D) -> (3B, D): the mean over each stream's places, plain or with the weights learned for them."""
        if self.config.pooling == "mean":
            return row_means(x, shapes)
        pooled = []
        for shape, part in zip(shapes, x.split([s.size for s in shapes]), strict=True):
            weights = (
                self.place_weights[: shape.length].flip(0).softmax(0)
            )  # place 0, the current one, comes last
            pooled.append(torch.einsum("rld,l->rd", part.view(shape.rows, shape.length, -1), weights))
        return torch.cat(pooled)


def parameter_count(config: StudentConfig, layout: TokenLayout, profile_rows: Sequence[int]) -> int:
    """Weights of the published architecture, in closed form: all that inference needs.

    Additions of ours (`recency`, `current_apart`, `code_text`) are not counted.
    """
    d, fields = config.d_model, max(1, len(profile_rows))
    block = 3 * d * d + (d * d + d) + (d * config.ffn + config.ffn) + (config.ffn * d + d) + 4 * d
    head = 3 * d * config.head_hidden + config.head_hidden + (config.head_hidden + 1) * layout.medications
    return layout.size * d + (len(KINDS) + 1) * block + sum(profile_rows) * d + (fields * d + 1) * d + head
