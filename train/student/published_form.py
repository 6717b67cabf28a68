"""The published student in its published form: every batch padded to 10 visits of 100 codes, three encoders per kind.

A reference: its logits prove the packed network right, its speed is what ours is measured against.
Written from the formulas and deliberately plain; shares nothing with `leader_core.student.model` but the weights.

Letters: B cases, V visits, C codes of one kind, D width, K profile fields, M medications.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn

from leader_core.domain import KINDS
from leader_core.student.config import StudentConfig
from leader_core.student.encode import EncodedCases, TokenLayout

if TYPE_CHECKING:
    from leader_core.student.model import Block, Student


class PaddedBlock(nn.Module):
    """One transformer block over padded sequences."""

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        d = config.d_model
        self.heads, self.d_k = config.heads, d // config.heads
        self.norm_1, self.norm_2 = nn.LayerNorm(d, eps=1e-12), nn.LayerNorm(d, eps=1e-12)
        self.q, self.k, self.v = (nn.Linear(d, d, bias=False) for _ in range(3))
        self.out = nn.Linear(d, d)
        self.ffn_1, self.ffn_2 = nn.Linear(d, config.ffn), nn.Linear(config.ffn, d)
        self.drop, self.attention_drop = nn.Dropout(config.dropout), nn.Dropout(config.attention_dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(R, L, D), (R, L) of 0 and 1 -> (R, L, D)"""
        rows, length, width = x.shape
        y = self.norm_1(x)
        q, k, v = (
            f(y).view(rows, length, self.heads, self.d_k).transpose(1, 2) for f in (self.q, self.k, self.v)
        )
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.d_k)
        scores = scores.masked_fill(mask[:, None, None, :] == 0, -1e9)
        mixed = self.attention_drop(scores.softmax(-1)) @ v
        z = x + self.drop(self.out(mixed.transpose(1, 2).reshape(rows, length, width)))
        h = self.ffn_1(self.norm_2(z))
        h = 0.5 * h * (1 + torch.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)))
        return self.drop(z + self.drop(self.ffn_2(self.drop(h))))  # type: ignore[no-any-return]


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """(R, L, D), (R, L) -> (R, D); zero where nothing is real."""
    weights = mask.to(x.dtype).unsqueeze(-1)
    return (x * weights).sum(1) / weights.sum(1).clamp(min=1)


class PaddedStudent(nn.Module):
    """The published network without its unused parts."""

    def __init__(self, config: StudentConfig, layout: TokenLayout, profile_rows: tuple[int, ...]) -> None:
        super().__init__()
        d = config.d_model
        self.embedding = nn.Embedding(layout.size, d)
        self.encoders = nn.ModuleDict({kind: PaddedBlock(config) for kind in KINDS})
        self.visits = PaddedBlock(config)
        self.profile = nn.ModuleList(nn.Embedding(rows, d) for rows in profile_rows)
        self.profile_out = nn.Linear(len(profile_rows) * d, d)
        self.head_1, self.head_2 = (
            nn.Linear(3 * d, config.head_hidden),
            nn.Linear(config.head_hidden, layout.medications),
        )

    def encode_set(self, kind: str, ids: Tensor) -> Tensor:
        """(B, V, C) token ids, 0 for padding -> (B, V, D)"""
        size, visits, codes = ids.shape
        flat = ids.reshape(size * visits, codes)
        mask = (flat > 0).long()
        return masked_mean(self.encoders[kind](self.embedding(flat), mask), mask).view(size, visits, -1)

    def forward(self, batch: PaddedBatch) -> tuple[Tensor, Tensor]:
        """Logits (B, M) and the features that distillation compares (B, head_hidden)."""
        parts = [table(batch.profile[:, k]) for k, table in enumerate(self.profile)]
        prompt = self.profile_out(torch.cat(parts, 1)).unsqueeze(1)
        diagnoses = self.encode_set("diagnosis", batch.diagnosis)
        procedures = self.encode_set("procedure", batch.procedure)
        medications = torch.cat([prompt, self.encode_set("medication", batch.medication)[:, :-1]], 1)
        streams = [
            masked_mean(self.visits(x, batch.mask), batch.mask) for x in (diagnoses, procedures, medications)
        ]
        features = self.head_1(torch.relu(torch.cat(streams, 1)))
        return self.head_2(torch.relu(features)), features

    def copy_weights(self, student: Student) -> None:
        """Take the weights of a packed student, by name."""
        pairs: list[tuple[nn.Module, nn.Module]] = [
            (self.embedding, student.codes),
            (self.profile_out, student.profile_out),
            (self.head_1, student.head_in),
            (self.head_2, student.head_out),
            *zip(self.profile, student.profile, strict=True),
        ]
        for mine, theirs in pairs:
            mine.load_state_dict(theirs.state_dict())
        for kind in KINDS:
            _copy_block(self.encoders[kind], student.set_encoders[kind])  # type: ignore[arg-type]
        _copy_block(self.visits, student.visit_encoder)


def _copy_block(mine: PaddedBlock, theirs: Block) -> None:
    parts = theirs.query_key_value.weight.chunk(3)
    with torch.no_grad():
        for layer, weight in zip((mine.q, mine.k, mine.v), parts, strict=True):
            layer.weight.copy_(weight)
    for name, other in (
        ("norm_1", "attention_norm"),
        ("norm_2", "ffn_norm"),
        ("out", "attention_out"),
        ("ffn_1", "ffn_in"),
        ("ffn_2", "ffn_out"),
    ):
        getattr(mine, name).load_state_dict(getattr(theirs, other).state_dict())


VISITS: Final = 10


class PaddedBatch:
    """Cases padded to `VISITS` visits of C codes, whatever they hold."""

    def __init__(self, encoded: EncodedCases, rows: np.ndarray, *, codes: int = 100) -> None:
        shape = (len(rows), VISITS, codes)
        arrays = {kind: np.zeros(shape, np.int64) for kind in KINDS}
        mask = np.zeros(shape[:2], np.int64)
        for b, n in enumerate(rows):
            first, current = int(encoded.first[n]), int(encoded.current[n])
            mask[b, : current - first + 1] = 1
            for v, row in enumerate(range(first, current + 1)):
                for kind in KINDS:
                    if kind == "medication" and row == current:
                        continue
                    tokens = encoded.sets(kind).row(row)
                    arrays[kind][b, v, : len(tokens)] = tokens
        self.diagnosis, self.procedure, self.medication = (torch.from_numpy(arrays[k]) for k in KINDS)
        self.mask = torch.from_numpy(mask)
        self.profile = torch.from_numpy(encoded.profile[rows])
