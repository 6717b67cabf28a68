"""The student network: the published function, computed on packed batches.

What is unusual: no padded places reach the wide layers, every distinct visit of a batch is encoded once, one visit
encoder serves three streams, and the profile stands in the medication stream's first place. Refuses to know how a
batch is packed (`packing`), losses and training.

Letters: B cases, S slots (visits of all cases), Q sets of one kind, T tokens, K profile fields, D width, M medications.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from leader_core.domain import KINDS, Kind
from leader_core.student.config import StudentConfig
from leader_core.student.encode import TokenLayout
from leader_core.student.packing import Packed, PackedSets, Rectangle, key_mask

LAYER_NORM_EPS: Final = 1e-12
STREAMS: Final[tuple[Kind, ...]] = ("diagnosis", "procedure", "medication")


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


@dataclass(frozen=True, slots=True)
class Shape:
    """A rectangle on the model's device."""

    rows: int
    length: int
    mask: Tensor | None  # (rows, length) True at real places

    @classmethod
    def of(cls, rectangle: Rectangle, device: torch.device) -> Shape:
        mask = key_mask(rectangle)
        return cls(
            rectangle.rows, rectangle.length, None if mask is None else torch.from_numpy(mask).to(device)
        )

    @property
    def size(self) -> int:
        return self.rows * self.length

    def mean(self, x: Tensor) -> Tensor:
        """(rows * length, D) -> (rows, D): the mean over real places."""
        x = x.view(self.rows, self.length, -1)
        if self.mask is None:
            return x.mean(1)
        weights = self.mask.to(x.dtype)
        return torch.einsum("rld,rl->rd", x, weights / weights.sum(1, keepdim=True))


class Dropout(nn.Module):
    """Dropout whose random numbers are drawn a byte each: the share dropped is `p` to the nearest 1/256.

    On a CPU the library's own draws cost more than the layers around them.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.cut = round(p * 256)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.cut == 0:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.p)
        return _ByteDropout.apply(x, self.cut)  # type: ignore[no-untyped-call, no-any-return]


class _ByteDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, cut: int) -> Tensor:  # type: ignore[no-untyped-def]
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= cut
        ctx.save_for_backward(kept)
        ctx.scale = 256 / (256 - cut)
        return torch.ops.aten.native_dropout_backward(x, kept, ctx.scale)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def]
        (kept,) = ctx.saved_tensors
        return torch.ops.aten.native_dropout_backward(grad, kept, ctx.scale), None


class Block(nn.Module):
    """Pre-norm attention and feed-forward: z = x + drop(attention(norm x)); drop(z + drop(ffn(norm z)))."""

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        width = config.d_model
        self.heads = config.heads
        self.attention_dropout = config.attention_dropout
        self.attention_norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.attention_out = nn.Linear(width, width)
        self.ffn_norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.ffn_in = nn.Linear(width, config.ffn)
        self.ffn_out = nn.Linear(config.ffn, width)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, shapes: Sequence[Shape]) -> Tensor:
        """(T, D) -> (T, D); places attend to the real places of their own row only."""
        attended = self._attend(self.query_key_value(self.attention_norm(x)), shapes)
        z = x + self.dropout(self.attention_out(attended))
        hidden = self.dropout(functional.gelu(self.ffn_in(self.ffn_norm(z)), approximate="tanh"))
        return self.dropout(z + self.dropout(self.ffn_out(hidden)))

    def _attend(self, qkv: Tensor, shapes: Sequence[Shape]) -> Tensor:
        """(T, 3D) -> (T, D)"""
        drop = self.attention_dropout if self.training else 0.0
        out = []
        for shape, part in zip(shapes, qkv.split([s.size for s in shapes]), strict=True):
            q, k, v = part.view(shape.rows, shape.length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            mask = None if shape.mask is None else shape.mask[:, None, None, :]
            mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=drop)
            out.append(mixed.transpose(1, 2).reshape(shape.size, -1))
        return torch.cat(out) if len(out) != 1 else out[0]


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
        self.head_in = nn.Linear(3 * width, config.head_hidden)
        self.head_out = nn.Linear(config.head_hidden, layout.medications)
        if config.recency:
            self.recency = nn.Parameter(
                torch.zeros(config.max_visits + 1, width)
            )  # the last row: the profile's place
        if config.pooling == "recency":
            self.place_weights = nn.Parameter(torch.zeros(config.max_visits))  # equal weights: the plain mean

    def forward(self, packed: Packed) -> StudentOutput:
        """One pass over B packed cases."""
        device = self.codes.weight.device
        profile = self._encode_profile(torch.from_numpy(packed.profile).to(device))  # (B, D)
        held = {kind: self._encode_sets(kind, packed.sets[kind], device) for kind in KINDS}  # (Q + 1, D) each
        slots = {
            kind: held[kind][torch.from_numpy(packed.sets[kind].slots).to(device)] for kind in KINDS
        }  # (S, D)
        starts = torch.from_numpy(packed.profile_slots).to(device)
        slots["medication"] = slots["medication"].index_add(
            0, starts, profile
        )  # those slots hold the zero vector
        pooled = self._encode_visits(
            torch.stack([slots[kind] for kind in STREAMS]), packed, starts
        )  # (B, 3D)
        features = self.head_in(functional.relu(pooled))
        restore = torch.from_numpy(packed.restore).to(device)
        labels = packed.sets["medication"].labels
        prescribed = held["medication"][torch.from_numpy(labels).to(device)][restore] if len(labels) else None
        logits = self.head_out(functional.relu(features))
        return StudentOutput(logits[restore], features[restore], profile[restore], prescribed)

    def _encode_profile(self, rows: Tensor) -> Tensor:
        """(B, K) -> (B, D)"""
        if not self.profile:
            return self.profile_out(self.profile_constant).expand(len(rows), -1)
        parts = [table(rows[:, k]) for k, table in enumerate(self.profile)]
        return self.profile_out(torch.cat(parts, dim=1))  # type: ignore[no-any-return]

    def _encode_sets(self, kind: Kind, sets: PackedSets, device: torch.device) -> Tensor:
        """(Q + 1, D): the mean of each set's encoded codes, and the zero vector of the empty set."""
        nothing = self.codes.weight.new_zeros(1, self.config.d_model)
        if not sets.rectangles:
            return nothing
        shapes = [Shape.of(r, device) for r in sets.rectangles]
        x = self.set_encoders[kind](self.codes(torch.from_numpy(sets.tokens).to(device)), shapes)
        means = [s.mean(part) for s, part in zip(shapes, x.split([s.size for s in shapes]), strict=True)]
        return torch.cat([*means, nothing])

    def _encode_visits(self, x: Tensor, packed: Packed, starts: Tensor) -> Tensor:
        """(3, S, D) -> (B, 3D): the shared visit encoder, then the mean over each case's places."""
        places = torch.from_numpy(packed.places).to(x.device)  # (S,)
        if self.config.recency:
            x = x + self.recency[places]
            profile_place = self.recency[-1] - self.recency[places[starts]]  # (B, D)
            x = torch.stack([x[0], x[1], x[2].index_add(0, starts, profile_place)])
        sizes = [r.size for r in packed.visits]
        shapes = [Shape(len(STREAMS) * r.rows, r.length, None) for r in packed.visits]
        packed_x = torch.cat([part.reshape(-1, self.config.d_model) for part in x.split(sizes, dim=1)])
        encoded = self.visit_encoder(packed_x, shapes).split([s.size for s in shapes])
        pooled = []
        for rectangle, part in zip(packed.visits, encoded, strict=True):
            rows = part.view(len(STREAMS), rectangle.rows, rectangle.length, -1)
            pooled.append(self._pool(rows).transpose(0, 1).reshape(rectangle.rows, -1))
        return torch.cat(pooled)

    def _pool(self, x: Tensor) -> Tensor:
        """(3, rows, length, D) -> (3, rows, D); places run from the oldest visit to the current one."""
        if self.config.pooling == "mean":
            return x.mean(2)
        weights = self.place_weights[: x.shape[2]].flip(0).softmax(0)  # place 0, the current one, comes last
        return torch.einsum("srld,l->srd", x, weights)


def parameter_count(config: StudentConfig, layout: TokenLayout, profile_rows: Sequence[int]) -> int:
    """Weights of the published architecture, in closed form: all that inference needs."""
    d, fields = config.d_model, max(1, len(profile_rows))
    block = 3 * d * d + (d * d + d) + (d * config.ffn + config.ffn) + (config.ffn * d + d) + 4 * d
    head = 3 * d * config.head_hidden + config.head_hidden + (config.head_hidden + 1) * layout.medications
    return layout.size * d + (len(KINDS) + 1) * block + sum(profile_rows) * d + (fields * d + 1) * d + head
