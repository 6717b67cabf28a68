"""Prompts as token ids: one tokenizer, many cases encoded once into flat arrays, and batches with little padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import torch

from leader_core.domain import Case
from leader_core.errors import ArtifactError
from leader_core.prompt import PromptBuilder
from leader_core.ragged import Ragged
from leader_core.teacher.base import IMPORT_LOCK, BaseFiles, first_line
from leader_core.teacher.base_check import check_tokens
from leader_core.teacher.config import SpecialTokens

_CHUNK: Final = 512  # cases rendered and tokenised together
_WIDTH: Final = 32  # T in steps: a CPU compiles its kernels again for every shape, so few shapes are used


class BaseTokenizer:
    """The base's own tokenizer, with its truncation and padding switched off. Gives spans, counts and ids."""

    def __init__(self, files: BaseFiles, special_tokens: SpecialTokens) -> None:
        with IMPORT_LOCK:
            from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(
                files.folder, local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise ArtifactError(
                f"{files.folder} holds no tokenizer that can be read ({first_line(error)}). Give a base with tokenizer.json."
            ) from error
        backend: Any = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise ArtifactError(
                f"The tokenizer in {files.folder} is not a fast one. Give a base with tokenizer.json."
            )
        backend.no_truncation()
        backend.no_padding()
        self.padding: Final[str | None] = tokenizer.pad_token  # never read: padding is masked
        self._backend = backend
        self._by_base = special_tokens == "base"
        end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
        self._end = [] if self._by_base or end is None else [end]
        check_tokens(self._words(), files.rows, files.folder)

    def _words(self) -> dict[str, int]:
        """What a text may be cut into: every token but the special ones that are never added."""
        added = self._backend.get_added_tokens_decoder()
        unused = {number for number, token in added.items() if token.special}
        unused -= {*self._backend.encode("", add_special_tokens=self._by_base).ids, *self._end}
        return {word: number for word, number in self._backend.get_vocab().items() if number not in unused}

    @property
    def specials(self) -> int:
        """Special tokens added to every text."""
        return self._backend.num_special_tokens_to_add(False) if self._by_base else len(self._end)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """(start, end) in `text` of each token, special tokens left out."""
        return self._backend.encode(text, add_special_tokens=False).offsets  # type: ignore[no-any-return]

    def located(self, text: str) -> tuple[list[int], list[tuple[int, int] | None]]:
        """Token ids of a text with its special tokens, and where each stands in it; None for a special token."""
        encoded = self._backend.encode(text, add_special_tokens=self._by_base)
        special = encoded.special_tokens_mask
        spans = [None if special[i] else span for i, span in enumerate(encoded.offsets)]
        return encoded.ids + self._end, spans + [None] * len(self._end)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text with its special tokens."""
        encoded = self._backend.encode_batch_fast(list(texts), add_special_tokens=self._by_base)
        return [each.ids + self._end for each in encoded]


@dataclass(frozen=True, slots=True)
class EncodedPrompts:
    """N prompts as token ids."""

    tokens: Ragged  # N rows
    truncated: np.ndarray  # bool (N,): something was cut to fit

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def lengths(self) -> np.ndarray:
        """int64 (N,) tokens of each prompt."""
        return self.tokens.lengths

    def take(self, rows: np.ndarray) -> EncodedPrompts:
        """Some of the prompts, in the order of `rows`."""
        return EncodedPrompts(self.tokens.take(rows), self.truncated[rows])

    def batch(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """ids and mask (B, T), int64, padded on the right to the longest of these rows, in steps of `_WIDTH`."""
        chosen = self.tokens.take(rows)
        width = -(-int(chosen.lengths.max()) // _WIDTH) * _WIDTH
        real = np.arange(width) < chosen.lengths[:, None]  # (B, T)
        ids = np.zeros(real.shape, dtype=np.int64)
        ids[real] = chosen.values
        return torch.from_numpy(ids), torch.from_numpy(real.astype(np.int64))


def encode_cases(cases: Sequence[Case], builder: PromptBuilder, tokenizer: BaseTokenizer) -> EncodedPrompts:
    """Render and tokenise cases once; every prompt is within the builder's token limit."""
    rows: list[list[int]] = []
    truncated: list[bool] = []
    for first in range(0, len(cases), _CHUNK):
        chunk = cases[first : first + _CHUNK]
        texts, flags = zip(*(builder.text(case) for case in chunk), strict=True)
        for case, ids, flag in zip(chunk, tokenizer.ids(texts), flags, strict=True):
            margin = 0
            while (excess := len(ids) - builder.token_limit) > 0 and margin <= builder.token_limit:
                margin += excess
                text, flag = builder.text(case, margin=margin)
                ids = tokenizer.ids([text])[0]
            rows.append(ids[: builder.token_limit])
            truncated.append(flag)
    return EncodedPrompts(Ragged.of(rows), np.asarray(truncated, dtype=bool))


def split_by_length(lengths: np.ndarray, budget: int, overhead: int = 128) -> list[np.ndarray]:
    """Split rows into groups of similar length that together cost least.

    A group costs its rows times its longest (what the model computes) plus `overhead` tokens (what a pass costs by
    itself); none costs more than `budget` tokens unless it is a single row. Returns row numbers, longest group first.
    """
    order = np.argsort(-lengths, kind="stable")
    ordered = lengths[order]
    count = len(order)
    best = np.full(count + 1, np.inf)
    best[0] = 0.0
    came = np.zeros(count + 1, dtype=np.int64)
    for start in range(count):
        width = int(ordered[start])
        most = max(1, budget // max(width, 1))
        ends = np.arange(start + 1, min(count, start + most) + 1)
        costs = best[start] + (ends - start) * width + overhead
        better = costs < best[ends]
        best[ends[better]] = costs[better]
        came[ends[better]] = start
    bounds = [count]
    while bounds[-1] > 0:
        bounds.append(int(came[bounds[-1]]))
    bounds.reverse()
    return [order[a:b] for a, b in pairwise(bounds)]
