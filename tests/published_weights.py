"""The published student's weights, by their published names, as ours.

The function is the same in both forms; what differs is the order of words (theirs as first met, ours sorted), one table
row for a word of two kinds (theirs; ours keeps kinds apart), a row for profile values that training did not see (ours
only), and query, key and value as one matrix (ours).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from leader_core.domain import Kind
from leader_core.student.encode import RESERVED
from leader_core.vocabulary import Vocabularies

ROWS: Final[tuple[Kind, ...]] = ("medication", "diagnosis", "procedure")
"""Of both embedding tables, in this order."""
_BLOCKS: Final[Mapping[str, str]] = {
    "diag_trm.0": "set_encoders.diagnosis",
    "proc_trm.0": "set_encoders.procedure",
    "med_trm.0": "set_encoders.medication",
    "visit_trm.0": "visit_encoder",
}
_IN_BLOCK: Final[Mapping[str, str]] = {
    "attention.output_linear.weight": "attention_out.weight",
    "attention.output_linear.bias": "attention_out.bias",
    "feed_forward.w_1.weight": "ffn_in.weight",
    "feed_forward.w_1.bias": "ffn_in.bias",
    "feed_forward.w_2.weight": "ffn_out.weight",
    "feed_forward.w_2.bias": "ffn_out.bias",
    "input_sublayer.norm.weight": "attention_norm.weight",
    "input_sublayer.norm.bias": "attention_norm.bias",
    "output_sublayer.norm.weight": "ffn_norm.weight",
    "output_sublayer.norm.bias": "ffn_norm.bias",
}
_ALONE: Final[Mapping[str, str]] = {
    "profile_encoder.diag_head": "profile_out",
    "medrec.1": "head_in",
    "projector": "distillation.projector",
    "align_loss_fct.x_projector": "alignment.of_medications",
    "align_loss_fct.y_projector": "alignment.of_profile",
}


@dataclass(frozen=True, slots=True)
class PublishedVocabulary:
    """What the rows of the published tables mean."""

    words: Sequence[str]  # of the embedding table, from row 3: bare codes, each once whatever its kinds
    medications: Sequence[str]  # the columns of the logits
    profile: Mapping[str, Sequence[str]]  # field -> the values of its table's rows, in the tables' order


def from_published(
    weights: Mapping[str, Tensor], published: PublishedVocabulary, ours: Vocabularies
) -> dict[str, Tensor]:
    """The weights of `Student` of a published state dict, for `profile_fields` as `published.profile` orders them; those
    that only training needs stand under `distillation.` and `alignment.`."""
    codes = [bare(code) for kind in ROWS for code in ours.of(kind)]
    places = [*range(RESERVED), *(RESERVED + place for place in _places(published.words, codes))]
    result = {"codes.weight": weights["embeddings.weight"][places]}
    order = _places(published.medications, ours.medication)
    for part in ("weight", "bias"):
        result[f"head_out.{part}"] = weights[f"medrec.3.{part}"][order]
        for theirs, mine in _ALONE.items():
            result[f"{mine}.{part}"] = weights[f"{theirs}.{part}"]
    for theirs, mine in _BLOCKS.items():
        parts = [weights[f"{theirs}.attention.linear_layers.{j}.weight"] for j in range(3)]
        result[f"{mine}.query_key_value.weight"] = torch.cat(parts)
        for inner, name in _IN_BLOCK.items():
            result[f"{mine}.{name}"] = weights[f"{theirs}.{inner}"]
    for k, (name, values) in enumerate(published.profile.items()):
        rows = weights[f"profile_encoder.profile_encoder.{k}.weight"][_places(values, ours.profile[name])]
        unseen = rows.mean(0, keepdim=True)
        result[f"profile.{k}.weight"] = torch.cat([unseen, rows])
    if not published.profile:
        result["profile_constant"] = weights["profile_encoder.padding_embedding.weight"][0]
    return result


def bare(code: str) -> str:
    """A code as the published vocabulary writes it: without its system."""
    return code.rpartition(":")[2]


def _places(theirs: Sequence[str], mine: Sequence[str]) -> list[int]:
    """Where each of `mine` stands among `theirs`."""
    places = {word: place for place, word in enumerate(theirs)}
    return [places[word] for word in mine]
