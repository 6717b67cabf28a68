"""The student network: the published function, computed on packed batches.

What is unusual: no padded positions reach the wide layers, every distinct visit of a batch is encoded once, one visit
encoder serves three streams, and the profile stands in the medication stream's first position. Past the network, a linear
path and a carry-over may add to the log-odds (`LinearPath`, `CarryOver`).

Letters: B cases, S their visits, Q sets of codes, T tokens (positions in packed order), K profile fields, D width,
M medications.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from leader_core.domain import KINDS
from leader_core.ragged import Ragged
from leader_core.student.config import StudentConfig
from leader_core.student.encode import LinearLayout, TokenLayout
from leader_core.student.packing import LinearInputs, Packed, Rectangle

LAYER_NORM_EPS: Final = 1e-12
TITLE_ALONE: Final = 0.1
"""Share of codes that a training step reads by their title alone, as it will have to read those it never saw."""


class StudentOutput(NamedTuple):
    """What one pass gives; every tensor in the batch's order."""

    logits: Tensor  # (B, M)
    features: Tensor  # (B, head_hidden) the head's first layer before its activation, for distillation
    profile: Tensor  # (B, D)
    prescribed: Tensor | None  # (B, D) the current medications' set, where packed with labels, for alignment


class Block(nn.Module):
    """Pre-norm attention and feed-forward over rows of like length."""

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        width = config.d_model
        self.heads = config.heads
        self.dropout, self.attention_dropout = config.dropout, config.attention_dropout
        self.attention_norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.attention_out = nn.Linear(width, width)
        self.ffn_norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.ffn_in = nn.Linear(width, config.ffn)
        self.ffn_out = nn.Linear(config.ffn, width)

    def forward(self, x: Tensor, rectangles: Sequence[Rectangle]) -> Tensor:
        """(T, D) -> (T, D); positions attend to the real positions of their own row only."""
        qkv = self.query_key_value(self.attention_norm(x))
        mixed = [self._attend(r, part) for r, part in zip(rectangles, split(qkv, rectangles), strict=True)]
        z = x + self._drop(self.attention_out(torch.cat(mixed)))
        hidden = functional.gelu(self.ffn_in(self.ffn_norm(z)), approximate="tanh")
        return self._drop(z + self._drop(self.ffn_out(self._drop(hidden))))

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout) if self.training else x

    def _attend(self, rectangle: Rectangle, qkv: Tensor) -> Tensor:
        """(rows * length, 3D) -> (rows * length, D)"""
        q, k, v = qkv.view(rectangle.rows, rectangle.length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mask = None if rectangle.mask is None else to_tensor(rectangle.mask, qkv.device)[:, None, None, :]
        dropout = self.attention_dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        return mixed.transpose(1, 2).reshape(rectangle.size, -1)


def to_tensor(array: NDArray[np.generic], device: torch.device) -> Tensor:
    """An array of a packed batch on the model's device."""
    return torch.from_numpy(array).to(device)


def split(x: Tensor, rectangles: Sequence[Rectangle]) -> tuple[Tensor, ...]:
    """(T, ...) into the positions of each rectangle."""
    return x.split_with_sizes([rectangle.size for rectangle in rectangles])


def row_means(x: Tensor, rectangles: Sequence[Rectangle]) -> Tensor:
    """(T, D) -> (rows, D): the mean over the real positions of every row."""
    means = []
    for rectangle, part in zip(rectangles, split(x, rectangles), strict=True):
        positions = part.view(rectangle.rows, rectangle.length, -1)
        if rectangle.mask is None:
            means.append(positions.mean(1))
        else:
            mask = to_tensor(rectangle.mask, x.device)
            weights = mask.to(x.dtype) / mask.sum(1, keepdim=True)  # (rows, length)
            means.append((weights.unsqueeze(1) @ positions).squeeze(1))
    return torch.cat(means)


class LinearPath(nn.Module):
    """A weight for every class and every column that enough training cases have, one for the category that a column
    belongs to, and of every code's column what a map makes of its embedding; columns with none of these add nothing.

    The weights belong to the hospital that they were learned on. With a `factor` below 1, that much of what they say of
    a case is replaced by what they say of the average training case, so that classes stay as frequent as they were.
    The columns are those of `encode.LinearLayout`; `train/student/loop.py` learns the weights.
    """

    def __init__(self, layout: LinearLayout, rows: int, *, categories: bool, width: int | None) -> None:
        """`width`: of the embeddings, where they are read."""
        super().__init__()
        self.tokens = layout.tokens
        self.weight = nn.Parameter(torch.zeros(rows + 1, layout.medications))  # row 0 stays 0
        self.register_buffer("row", torch.zeros(layout.size, dtype=torch.int32))
        self.row: Tensor  # of each column; 0 where it has no weight
        self.category: Tensor | None  # the row of each column's category; 0 where it has none
        self.register_buffer("category", torch.zeros_like(self.row) if categories else None)
        # (2D, M) the map of the current visit's codes, above that of earlier ones
        embedded = None if width is None else nn.Parameter(torch.zeros(2 * width, layout.medications))
        self.register_parameter("embedded", embedded)
        self.embedded: nn.Parameter | None
        self.scale = 1.0 if width is None else width**-0.5  # an embedding of random numbers then has length 1
        self.register_buffer("average", torch.zeros(layout.medications))
        self.average: Tensor  # (M,) log-odds added to the average training case
        self.folded: Tensor | None = None  # (columns, M) all of it, see `fold`
        self.factor = 1.0
        self.dropout = 0.0  # share of a case's columns that a training step leaves out

    def forward(self, inputs: LinearInputs, embed: Callable[[Tensor], Tensor]) -> Tensor:
        """B cases -> (B, M) log-odds; `embed`: (T,) tokens -> (T, D)"""
        device = self.weight.device
        columns = to_tensor(inputs.columns.values.astype(np.int64), device)
        offsets = to_tensor(inputs.columns.offsets.astype(np.int32), device)
        if self.folded is not None:
            added = functional.embedding_bag(
                columns, self.folded, offsets, mode="sum", include_last_offset=True
            )
        else:
            added = self._by_part(inputs.columns, columns, offsets, embed)
        return added if self.factor == 1 else self.factor * added + (1 - self.factor) * self.average

    def _by_part(
        self, cases: Ragged, columns: Tensor, offsets: Tensor, embed: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """The same while the weights are learned."""
        rows = self.row[columns]
        present = None
        if self.training:
            present = functional.dropout(self.weight.new_ones(len(rows)), self.dropout)
        if self.category is not None:  # both rows of a column, side by side
            rows = torch.stack([rows, self.category[columns]], 1).flatten()
            present, offsets = None if present is None else present.repeat_interleave(2), 2 * offsets
        added = functional.embedding_bag(
            rows,
            self.weight,
            offsets,
            mode="sum",
            per_sample_weights=present,
            include_last_offset=True,
            padding_idx=0 if self.training else None,  # row 0 adds nothing; without it the pass is quicker
        )
        if self.embedded is not None:
            added = added + self._of_embeddings(cases, columns, embed) @ self.embedded
        return added

    def _of_embeddings(self, cases: Ragged, columns: Tensor, embed: Callable[[Tensor], Tensor]) -> Tensor:
        """(B, 2D) sums of the embeddings of each case's codes, of the current visit and of earlier ones."""
        codes = columns < 2 * self.tokens
        vectors = self.scale * embed(columns[codes] % self.tokens)
        half = 2 * to_tensor(cases.owners, columns.device) + columns // self.tokens
        sums = vectors.new_zeros(2 * len(cases), vectors.shape[1])
        return sums.index_add(0, half[codes], vectors).view(len(cases), -1)

    def table(self, embeddings: Tensor) -> Tensor:
        """(columns, M) what each column adds to the log-odds, before the factor; `embeddings`: (tokens, D) of the codes."""
        if self.folded is not None:
            return self.folded
        table = self.weight[self.row]
        if self.category is not None:
            table = table + self.weight[self.category]
        if self.embedded is not None:
            maps = self.embedded.view(2, -1, table.shape[1])
            table[: 2 * self.tokens] += self.scale * (embeddings @ maps).flatten(0, 1)
        return table

    def fold(self, embeddings: Tensor) -> None:
        """Score from now on by one row for every column: half the time, for weights that do not change any more."""
        with torch.no_grad():
            self.folded = self.table(embeddings)


class CarryOver(nn.Module):
    """For patients who come again: log-odds of a class taken at the last visit, by the time since, and of one not taken."""

    def __init__(self, medications: int) -> None:
        super().__init__()
        self.taken = nn.Parameter(torch.zeros(medications))
        self.by_time = nn.Parameter(torch.zeros(medications))  # for every unit of `since`
        self.absent = nn.Parameter(torch.zeros(medications))
        self.register_buffer("time_mean", torch.zeros(()))
        self.time_mean: Tensor  # of log(1 + days) over the training cases
        self.register_buffer("time_scale", torch.ones(()))
        self.time_scale: Tensor

    def since(self, days: Tensor) -> Tensor:
        """(B,) the time since as the weights read it: 0 for the usual time, and where it is not known."""
        return ((days.log1p() - self.time_mean) / self.time_scale).nan_to_num(0.0)

    def forward(self, inputs: LinearInputs) -> Tensor:
        """B cases -> (B, M) log-odds; nothing for a first visit"""
        device = self.taken.device
        taken, returning = to_tensor(inputs.taken, device), to_tensor(inputs.returning, device)
        since = self.since(to_tensor(inputs.days, device))[:, None]
        added = torch.where(taken, self.taken + self.by_time * since, self.absent)
        return added * returning[:, None]


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
        starts = torch.tensor([0, *profile_rows]).cumsum(0)[:-1]
        self.register_buffer("profile_starts", starts, persistent=False)
        self.profile_starts: Tensor  # (K,) the first row of each field's table, all of them end to end
        self.profile_out = nn.Linear(max(1, len(profile_rows)) * width, width)
        if not profile_rows:  # without fields one learned vector stands for everybody
            self.profile_constant = nn.Parameter(torch.randn(width))
        views = 2 if config.current_apart else 1
        self.head_in = nn.Linear(3 * views * width, config.head_hidden)
        self.head_out = nn.Linear(config.head_hidden, layout.medications)
        # (N + more, D) the code table with rows of codes that have only a title
        self.added: Tensor | None = None
        self.titles: Tensor | None  # (N, text_width) in training, until `fold_titles`
        self.register_buffer("titles", None, persistent=False)
        if config.code_text:
            self.title_out = nn.Linear(config.text_width, width, bias=False)
            self.register_buffer("title_mean", torch.zeros(config.text_width))
            self.title_mean: Tensor
        if config.recency:
            # row 0: the profile's position
            self.recency = nn.Parameter(torch.zeros(config.max_visits + 1, width))
        if config.pooling == "recency":
            self.place_weights = nn.Parameter(torch.zeros(config.max_visits))  # equal weights: the plain mean
        self.linear: LinearPath | None = None
        if config.linear:
            columns = LinearLayout(layout.size, layout.medications, tuple(profile_rows))
            self.linear = LinearPath(
                columns,
                config.linear_columns,
                categories=config.linear_categories,
                width=width if config.linear_embedded else None,
            )
        self.carry_over = CarryOver(layout.medications) if config.carry_over else None

    def forward(self, packed: Packed) -> StudentOutput:
        """One pass over B packed cases."""
        device = self.codes.weight.device
        fields = None
        if self.profile:  # one look-up for all fields
            rows = to_tensor(packed.profile, device) + self.profile_starts
            fields = functional.embedding(rows, torch.cat([table.weight for table in self.profile]))  # type: ignore[misc]
        output = self.read(packed, self._embed(to_tensor(packed.tokens, device)), fields)
        logits = output.logits
        if self.linear is not None:
            logits = logits + self.linear(packed.linear, self._embed)
        if self.carry_over is not None:
            logits = logits + self.carry_over(packed.linear)
        return output._replace(logits=logits)

    def read(self, packed: Packed, tokens: Tensor, fields: Tensor | None) -> StudentOutput:
        """The network alone, of vectors that stand for the codes (T, D) and the profile fields (B, K, D)."""
        device = tokens.device
        restore = to_tensor(packed.restore, device)
        profile = self._encode_profile(fields, len(restore))  # (B, D)
        sets = self._encode_sets(packed, tokens)  # (Q + 1, D)
        # (3S, D), zero vectors at the profile's positions
        x = sets[to_tensor(packed.set_at_position, device)]
        x = x.index_add(0, to_tensor(packed.profile_positions, device), profile)
        if self.config.recency:
            x = x + self.recency[to_tensor(packed.recency, device)]
        pooled = self._pool(x, packed.visits).view(len(profile), -1)  # (B, 3D)
        features = self.head_in(functional.relu(pooled[restore]))
        logits = self.head_out(functional.relu(features))
        prescribed = None
        if len(packed.prescribed):
            prescribed = sets[to_tensor(packed.prescribed, device)][restore]
        return StudentOutput(logits, features, profile[restore], prescribed)

    def _encode_profile(self, fields: Tensor | None, cases: int) -> Tensor:
        """(B, K, D) -> (B, D)"""
        if fields is None:
            return self.profile_out(self.profile_constant).expand(cases, -1)  # type: ignore[no-any-return]
        return self.profile_out(fields.flatten(1))  # type: ignore[no-any-return]

    def _encode_sets(self, packed: Packed, tokens: Tensor) -> Tensor:
        """(Q + 1, D): the mean of each set's encoded codes, and the zero vector of the empty set."""
        parts = tokens.split_with_sizes([sum(r.size for r in packed.rectangles[kind]) for kind in KINDS])
        means = [
            row_means(self.set_encoders[kind](part, rectangles), rectangles)
            for kind, part in zip(KINDS, parts, strict=True)
            if (rectangles := packed.rectangles[kind])
        ]
        return torch.cat([*means, tokens.new_zeros(1, self.config.d_model)])

    def _embed(self, tokens: Tensor) -> Tensor:
        """(T,) -> (T, D)"""
        if self.titles is None:
            return functional.embedding(tokens, self.codes.weight if self.added is None else self.added)
        distinct, positions = tokens.unique(return_inverse=True)
        own = self.codes(distinct)
        if self.training:
            own = own * (torch.rand(len(own), 1, device=own.device) >= TITLE_ALONE)
        return (own + self.title_out(self.titles[distinct])).index_select(0, positions)

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

    def _pool(self, x: Tensor, streams: Sequence[Rectangle]) -> Tensor:
        """(3S, D) -> (3B, D), or (3B, 2D) with the current position apart: the shared visit encoder, then the mean."""
        x = self.visit_encoder(x, streams)
        parts = [part.view(r.rows, r.length, -1) for r, part in zip(streams, split(x, streams), strict=True)]
        if self.config.pooling == "mean":
            pooled = row_means(x, streams)
        else:  # position 0, the current one, comes last
            weights = [self.place_weights[: part.shape[1]].flip(0).softmax(0) for part in parts]
            pooled = torch.cat(
                [torch.einsum("rld,l->rd", part, weight) for part, weight in zip(parts, weights, strict=True)]
            )
        if not self.config.current_apart:
            return pooled
        return torch.cat([pooled, torch.cat([part[:, -1] for part in parts])], dim=1)
