"""The transformer block of the student, with its gradient written out: the same function, less bookkeeping.

A batch of code sets is thousands of small products; recorded operation by operation they spend more time in being
recorded than in being computed. Refuses to know what the rows mean.

Letters: T places in packed order, R rows of L places in a rectangle, A heads, D width, F inner width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

from leader_core.student.config import StudentConfig
from leader_core.student.packing import Rectangle, key_mask

LAYER_NORM_EPS: Final = 1e-12
LEVELS: Final = 256
"""Dropout draws a byte for each place: the share dropped is `p` to the nearest 1/256. On a CPU the library's own draws
cost more than the layers around them."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A rectangle on the model's device."""

    rows: int
    length: int
    mask: Tensor | None  # (R, L) True at real places; None where all are

    @classmethod
    def of(cls, rectangle: Rectangle, device: torch.device) -> Shape:
        mask = key_mask(rectangle)
        return cls(
            rectangle.rows, rectangle.length, None if mask is None else torch.from_numpy(mask).to(device)
        )

    @property
    def size(self) -> int:
        return self.rows * self.length


def dropout_mask(count: int, p: float, like: Tensor) -> Tensor:
    """(count,) of 0 and 1 / (share kept)."""
    cut = round(p * LEVELS)
    words = torch.empty(-(-count // 8), dtype=torch.int64, device=like.device).random_(-(2**63), None)
    kept = words.view(torch.uint8)[:count] >= cut
    return kept.to(like.dtype).mul_(LEVELS / (LEVELS - cut))


class Block(nn.Module):
    """Pre-norm attention and feed-forward: z = x + drop(attention(norm x)); drop(z + drop(ffn(norm z)))."""

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        width = config.d_model
        self.heads = config.heads
        self.p = config.dropout
        self.attention_p = config.attention_dropout
        self.attention_norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.attention_out = nn.Linear(width, width)
        self.ffn_norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.ffn_in = nn.Linear(width, config.ffn)
        self.ffn_out = nn.Linear(config.ffn, width)

    def forward(self, x: Tensor, shapes: Sequence[Shape]) -> Tensor:
        """(T, D) -> (T, D); places attend to the real places of their own row only."""
        if not torch.is_grad_enabled():
            return self._infer(x, shapes)
        settings = _Settings(
            self.heads,
            self.p if self.training else 0.0,
            self.attention_p if self.training else 0.0,
            tuple(shapes),
        )
        weights = (
            self.attention_norm.weight,
            self.attention_norm.bias,
            self.query_key_value.weight,
            self.attention_out.weight,
            self.attention_out.bias,
            self.ffn_norm.weight,
            self.ffn_norm.bias,
            self.ffn_in.weight,
            self.ffn_in.bias,
            self.ffn_out.weight,
            self.ffn_out.bias,
        )
        return _BlockFunction.apply(settings, x, *weights)  # type: ignore[no-untyped-call, no-any-return]

    def _infer(self, x: Tensor, shapes: Sequence[Shape]) -> Tensor:
        """The same without gradient and dropout."""
        width = x.shape[1]
        qkv = self.query_key_value(self.attention_norm(x))
        mixed = torch.empty_like(x)
        start = 0
        for shape in shapes:
            part, out = qkv[start : start + shape.size], mixed[start : start + shape.size]
            start += shape.size
            if shape.length == 1:  # a place alone attends to itself
                out.copy_(part[:, 2 * width :])
                continue
            q, k, v = part.view(shape.rows, shape.length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            mask = None if shape.mask is None else shape.mask[:, None, None, :]
            attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            out.view(shape.rows, shape.length, self.heads, -1).copy_(attended.transpose(1, 2))
        z = self.attention_out(mixed).add_(x)
        hidden = functional.gelu(self.ffn_in(self.ffn_norm(z)), approximate="tanh")
        return self.ffn_out(hidden).add_(z)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class _Settings:
    heads: int
    p: float
    attention_p: float
    shapes: tuple[Shape, ...]


class _BlockFunction(torch.autograd.Function):
    """`Block.forward` and its derivative."""

    @staticmethod
    def forward(ctx: FunctionCtx, settings: _Settings, x: Tensor, *weights: Tensor) -> Tensor:
        norm_1, shift_1, w_qkv, w_out, b_out, norm_2, shift_2, w_in, b_in, w_ffn, b_ffn = weights
        places, width = x.shape
        inner = len(w_in)
        drops: list[Tensor] = []
        if settings.p:
            drawn = dropout_mask(places * (3 * width + inner), settings.p, x)
            drops = [d.view(places, -1) for d in drawn.split([places * width] * 3 + [places * inner])]
        y, mean_1, scale_1 = torch.native_layer_norm(x, [width], norm_1, shift_1, LAYER_NORM_EPS)
        attention = _Attention(settings, places)
        mixed = attention.forward(y @ w_qkv.T)
        z = torch.addmm(b_out, mixed, w_out.T)
        if drops:
            z *= drops[0]
        z += x
        n, mean_2, scale_2 = torch.native_layer_norm(z, [width], norm_2, shift_2, LAYER_NORM_EPS)
        h = torch.addmm(b_in, n, w_in.T)
        g = functional.gelu(h, approximate="tanh")
        if drops:
            g *= drops[3]
        out = torch.addmm(b_ffn, g, w_ffn.T)
        if drops:
            out *= drops[1]
        out += z
        if drops:
            out *= drops[2]
        ctx.save_for_backward(x, y, mean_1, scale_1, mixed, z, n, mean_2, scale_2, h, g, *weights)
        ctx.kept = (attention, drops)  # type: ignore[attr-defined]
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, y, mean_1, scale_1, mixed, z, n, mean_2, scale_2, h, g, *weights = ctx.saved_tensors
        norm_1, shift_1, w_qkv, w_out, _, norm_2, shift_2, w_in, _, w_ffn, _ = weights
        attention, drops = ctx.kept
        width = [x.shape[1]]
        d_out = grad * drops[2] if drops else grad
        d_f = d_out * drops[1] if drops else d_out
        d_g = d_f @ w_ffn
        if drops:
            d_g *= drops[3]
        d_h = torch.ops.aten.gelu_backward(d_g, h, approximate="tanh")
        d_z, d_norm_2, d_shift_2 = torch.ops.aten.native_layer_norm_backward(
            d_h @ w_in, z, width, mean_2, scale_2, norm_2, shift_2, [True, True, True]
        )
        d_z += d_out
        d_a = d_z * drops[0] if drops else d_z
        d_qkv = attention.backward(d_a @ w_out)
        d_x, d_norm_1, d_shift_1 = torch.ops.aten.native_layer_norm_backward(
            d_qkv @ w_qkv, x, width, mean_1, scale_1, norm_1, shift_1, [True, True, True]
        )
        d_x += d_z
        return (
            None,
            d_x,
            d_norm_1,
            d_shift_1,
            d_qkv.T @ y,
            d_a.T @ mixed,
            d_a.sum(0),
            d_norm_2,
            d_shift_2,
            d_h.T @ n,
            d_h.sum(0),
            d_f.T @ g,
            d_f.sum(0),
        )


class _Attention:
    """Scaled dot-product attention of every rectangle, and its derivative."""

    def __init__(self, settings: _Settings, places: int) -> None:
        self.settings = settings
        self.places = places
        self.parts: list[
            tuple[Tensor, ...]
        ] = []  # of each rectangle: q, k, v, p, and p after dropout with its mask

    def forward(self, qkv: Tensor) -> Tensor:
        """(T, 3D) -> (T, D)"""
        heads, width = self.settings.heads, qkv.shape[1] // 3
        out = qkv.new_empty(self.places, width)
        for part, mixed, shape, drop in zip(
            qkv.split(self._sizes),
            out.split(self._sizes),
            self.settings.shapes,
            self._drops(qkv),
            strict=True,
        ):
            rows, length = shape.rows, shape.length
            if length == 1:  # a place alone attends to itself, or to nothing
                v = part[:, 2 * width :]
                if drop is None:
                    mixed.copy_(v)
                    self.parts.append(())
                else:
                    spread = drop.view(rows, heads, 1).expand(-1, -1, width // heads).reshape(rows, width)
                    torch.mul(v, spread, out=mixed)
                    self.parts.append((spread,))
                continue
            q, k, v = (
                part.view(rows, length, 3, heads, -1)
                .permute(2, 0, 3, 1, 4)
                .reshape(3, rows * heads, length, -1)
            ).unbind()
            scores = torch.baddbmm(q.new_empty(1), q, k.mT, beta=0, alpha=1 / math.sqrt(width // heads))
            if shape.mask is not None:
                scores.view(rows, heads, length, length).masked_fill_(~shape.mask[:, None, None, :], -1e9)
            p = scores.softmax(-1)
            dropped = p if drop is None else p * drop.view_as(p)
            mixed.view(rows, length, heads, -1).copy_(
                (dropped @ v).view(rows, heads, length, -1).transpose(1, 2)
            )
            self.parts.append(
                (q, k, v, p, dropped) if drop is None else (q, k, v, p, dropped, drop.view_as(p))
            )
        return out

    def backward(self, grad: Tensor) -> Tensor:
        """(T, D) -> (T, 3D)"""
        heads, width = self.settings.heads, grad.shape[1]
        out = grad.new_empty(self.places, 3 * width)
        alpha = 1 / math.sqrt(width // heads)
        for d_mixed, d_part, shape, kept in zip(
            grad.split(self._sizes), out.split(self._sizes), self.settings.shapes, self.parts, strict=True
        ):
            rows, length = shape.rows, shape.length
            if length == 1:
                d_part[:, : 2 * width].zero_()
                d_part[:, 2 * width :] = d_mixed * kept[0] if kept else d_mixed
                continue
            q, k, v, p, dropped, *drop = kept
            d = d_mixed.reshape(rows, length, heads, -1).transpose(1, 2).reshape(rows * heads, length, -1)
            d_p = d @ v.mT
            if drop:
                d_p *= drop[0]
            d_scores = torch.ops.aten._softmax_backward_data(d_p, p, -1, p.dtype)
            d_qkv = d.new_empty(3, *q.shape)
            torch.baddbmm(d_qkv[0], d_scores, k, beta=0, alpha=alpha, out=d_qkv[0])
            torch.baddbmm(d_qkv[1], d_scores.mT, q, beta=0, alpha=alpha, out=d_qkv[1])
            torch.bmm(dropped.mT, d, out=d_qkv[2])
            d_part.view(rows, length, 3, heads, -1).copy_(
                d_qkv.view(3, rows, heads, length, -1).permute(1, 3, 0, 2, 4)
            )
        return out

    @property
    def _sizes(self) -> list[int]:
        return [shape.size for shape in self.settings.shapes]

    def _drops(self, like: Tensor) -> Sequence[Tensor | None]:
        """Of each rectangle, the dropout of its attention weights."""
        if not self.settings.attention_p:
            return [None] * len(self.settings.shapes)
        counts = [self.settings.heads * shape.size * shape.length for shape in self.settings.shapes]
        return dropout_mask(sum(counts), self.settings.attention_p, like).split(counts)


class _RowMeans(torch.autograd.Function):
    """(T, D) -> (rows, D): the mean over the real places of every row of every rectangle."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shapes: Sequence[Shape]) -> Tensor:
        ctx.shapes = shapes
        out = x.new_empty(sum(s.rows for s in shapes), x.shape[1])
        start = 0
        for shape, part in zip(shapes, x.split([s.size for s in shapes]), strict=True):
            rows = out[start : start + shape.rows]
            start += shape.rows
            block = part.view(shape.rows, shape.length, -1)
            if shape.mask is None:
                torch.mean(block, 1, out=rows)
            else:
                torch.bmm(_shares(shape.mask, x).unsqueeze(1), block, out=rows.unsqueeze(1))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        shapes = ctx.shapes
        out = grad.new_empty(sum(s.size for s in shapes), grad.shape[1])
        parts = zip(
            shapes, out.split([s.size for s in shapes]), grad.split([s.rows for s in shapes]), strict=True
        )
        for shape, part, rows in parts:
            block = part.view(shape.rows, shape.length, -1)
            if shape.mask is None:
                block.copy_((rows / shape.length).unsqueeze(1))
            else:
                torch.mul(rows.unsqueeze(1), _shares(shape.mask, grad).unsqueeze(2), out=block)
        return out, None


def _shares(mask: Tensor, like: Tensor) -> Tensor:
    """(R, L) what each place weighs in its row's mean."""
    return mask.to(like.dtype) / mask.sum(1, keepdim=True)


def row_means(x: Tensor, shapes: Sequence[Shape]) -> Tensor:
    """(T, D) -> (rows, D)"""
    return _RowMeans.apply(x, shapes)  # type: ignore[no-untyped-call, no-any-return]
