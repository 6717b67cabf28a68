"""Vectors of code titles from a base language model: how a student reads a code that training never saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from leader_core.domain import Kind
from leader_core.ragged import Ragged
from leader_core.teacher.base import find_base, load_body, read_config
from leader_core.teacher.model import pool
from leader_core.teacher.tokens import BaseTokenizer, EncodedPrompts, split_by_length

Titles = Callable[[Kind, str], str | None]

LONGEST: Final = 64  # tokens of a title; longer ones are cut
PASS_TOKENS: Final = 4096


class TitleVectors(Protocol):
    """Anything that turns titles into vectors of one width, always the same for the same title."""

    id: str
    sha256: str

    @property
    def width(self) -> int:
        """How many numbers a vector has."""

    def encode(self, titles: Sequence[str]) -> NDArray[np.float32]:
        """(n, width)"""


class TitleEncoder:
    """A base language model's mean state over a title's tokens."""

    def __init__(self, base: str) -> None:
        """Find and verify a base; its weights are read at the first title."""
        self._files = find_base(base)
        self.id = self._files.id
        self.sha256 = self._files.sha256

    @cached_property
    def _tokenizer(self) -> BaseTokenizer:
        return BaseTokenizer(self._files, "base")

    @cached_property
    def _body(self) -> torch.nn.Module:
        return load_body(self._files, torch.float32)

    @cached_property
    def width(self) -> int:
        return int(read_config(self._files.folder).hidden_size)

    @torch.no_grad()
    def encode(self, titles: Sequence[str]) -> NDArray[np.float32]:
        """(n, width)"""
        rows = [ids[:LONGEST] for ids in self._tokenizer.ids(titles)]
        encoded = EncodedPrompts(Ragged.of(rows), np.zeros(len(rows), dtype=bool))
        out = np.zeros((len(titles), self.width), dtype=np.float32)
        for chosen in split_by_length(encoded.lengths, PASS_TOKENS):
            ids, mask = encoded.batch(chosen)
            states = self._body(input_ids=ids, attention_mask=mask).last_hidden_state
            out[chosen] = pool(states, mask, "mean").numpy()
        return out
