"""The published student's weights, by their published names, as ours and back.

Takes and gives tensors. The function is the same in both forms; what differs is the order of
words (theirs as first met, ours sorted), one table row for a word of two kinds (theirs; ours keeps kinds apart), a row
for profile values that training did not see (ours only), and query, key and value as one matrix (ours).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from leader_core.domain import Kind
from leader_core.errors import InputError
from leader_core.student.encode import RESERVED
from leader_core.vocabulary import Vocabularies

Weights = Mapping[str, Tensor]

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
_QUERY_KEY_VALUE: Final = "attention.linear_layers.{}.weight"
_ALONE: Final[Mapping[str, str]] = {
    "profile_encoder.diag_head.weight": "profile_out.weight",
    "profile_encoder.diag_head.bias": "profile_out.bias",
    "medrec.1.weight": "head_in.weight",
    "medrec.1.bias": "head_in.bias",
}
_TRAINING: Final[Mapping[str, str]] = {
    "projector.weight": "distillation.projector.weight",
    "projector.bias": "distillation.projector.bias",
    "align_loss_fct.x_projector.weight": "alignment.of_medications.weight",
    "align_loss_fct.x_projector.bias": "alignment.of_medications.bias",
    "align_loss_fct.y_projector.weight": "alignment.of_profile.weight",
    "align_loss_fct.y_projector.bias": "alignment.of_profile.bias",
}
_TABLE: Final = "profile_encoder.profile_encoder.{}.weight"
_CONSTANT: Final = "profile_encoder.padding_embedding.weight"
UNUSED: Final[tuple[str, ...]] = (
    "profile_encoder.med_head.",
    "profile_encoder.proc_head.",
    "med_visit_trm.",
    "diag_visit_trm.",
    "proc_visit_trm.",
)
"""Published weights that nothing reads: two spare profile maps, and a visit encoder for each stream."""


@dataclass(frozen=True, slots=True)
class PublishedVocabulary:
    """What the rows of the published tables mean."""

    words: Sequence[str]  # of the embedding table, from row 3: bare codes, each once whatever its kinds
    medications: Sequence[str]  # the columns of the logits
    profile: Mapping[str, Sequence[str]]  # field -> the values of its table's rows, in the tables' order


def from_published(weights: Weights, published: PublishedVocabulary, ours: Vocabularies) -> dict[str, Tensor]:
    """Our state dict of a published one, for `profile_fields` as `published.profile` orders them.

    Args:
        weights: published names -> tensors; unused ones may be there or not.
        ours: the vocabularies of our student, over the same codes and values.

    Returns:
        The weights of `Student`; those that only training needs under `distillation.` and `alignment.`, where given.

    Raises:
        InputError: weights missing or unknown, or a code or value that the published vocabulary lacks.
    """
    _check(weights, published)
    result = {"codes.weight": _codes_of(weights, published, ours)}
    order = torch.tensor(_places(published.medications, ours.medication, "medications"))
    for part in ("weight", "bias"):
        result[f"head_out.{part}"] = weights[f"medrec.3.{part}"][order]
    for theirs, mine in {**_ALONE, **_TRAINING}.items():
        if theirs in weights:
            result[mine] = weights[theirs]
    for theirs, mine in _BLOCKS.items():
        parts = [weights[f"{theirs}.{_QUERY_KEY_VALUE.format(j)}"] for j in range(3)]
        result[f"{mine}.query_key_value.weight"] = torch.cat(parts)
        for inner, name in _IN_BLOCK.items():
            result[f"{mine}.{name}"] = weights[f"{theirs}.{inner}"]
    for k, (name, values) in enumerate(published.profile.items()):
        table = weights[_TABLE.format(k)]
        rows = table[torch.tensor(_places(values, ours.profile[name], name))]
        result[f"profile.{k}.weight"] = torch.cat(
            [rows.mean(0, keepdim=True), rows]
        )  # row 0: a value never seen
    if not published.profile:
        result["profile_constant"] = weights[_CONSTANT][0]
    return {name: value.clone() for name, value in result.items()}


def to_published(weights: Weights, published: PublishedVocabulary, ours: Vocabularies) -> dict[str, Tensor]:
    """Inverse of `from_published`, without the weights that nothing reads.

    Raises:
        InputError: a code or value unknown to the other side, or a word of two kinds whose rows differ: the published
            table has room for one.
    """
    result = {"embeddings.weight": _embeddings_of(weights, published, ours)}
    order = torch.tensor(_places(ours.medication, published.medications, "medications"))
    for part in ("weight", "bias"):
        result[f"medrec.3.{part}"] = weights[f"head_out.{part}"][order]
    for theirs, mine in {**_ALONE, **_TRAINING}.items():
        if mine in weights:
            result[theirs] = weights[mine]
    for theirs, mine in _BLOCKS.items():
        for j, matrix in enumerate(weights[f"{mine}.query_key_value.weight"].chunk(3)):
            result[f"{theirs}.{_QUERY_KEY_VALUE.format(j)}"] = matrix
        for inner, name in _IN_BLOCK.items():
            result[f"{theirs}.{inner}"] = weights[f"{mine}.{name}"]
    for k, (name, values) in enumerate(published.profile.items()):
        rows = torch.tensor(_places(ours.profile[name], values, name))
        result[_TABLE.format(k)] = weights[f"profile.{k}.weight"][1:][rows]
    if not published.profile:
        result[_CONSTANT] = weights["profile_constant"][None]
    return {name: value.clone() for name, value in result.items()}


def bare(code: str) -> str:
    """A code as the published vocabulary writes it: without its system."""
    return code.rpartition(":")[2]


def _check(weights: Weights, published: PublishedVocabulary) -> None:
    """Refuse a state dict that lacks something, holds something else, or does not fit its vocabulary."""
    expected = {"embeddings.weight", "medrec.3.weight", "medrec.3.bias", *_ALONE}
    expected |= {_TABLE.format(k) for k in range(len(published.profile))} or {_CONSTANT}
    for block in _BLOCKS:
        expected |= {f"{block}.{_QUERY_KEY_VALUE.format(j)}" for j in range(3)}
        expected |= {f"{block}.{inner}" for inner in _IN_BLOCK}
    strange = {n for n in weights if n not in expected and n not in _TRAINING and not n.startswith(UNUSED)}
    odd = sorted(expected - set(weights)) + sorted(strange)
    if odd:
        raise InputError(
            f"Weights missing from a published student, or strange to it: {', '.join(odd)}. Expected one layer "
            "in every encoder and the profile fields that the vocabulary names."
        )
    sizes = {
        "embeddings.weight": RESERVED + len(published.words),
        "medrec.3.weight": len(published.medications),
    }
    sizes |= {_TABLE.format(k): len(values) for k, values in enumerate(published.profile.values())}
    for name, rows in sizes.items():
        if len(weights[name]) != rows:
            raise InputError(
                f"{name} has {len(weights[name])} rows: expected {rows}, as the vocabulary has it."
            )


def _codes_of(weights: Weights, published: PublishedVocabulary, ours: Vocabularies) -> Tensor:
    """Our embedding table: the reserved rows, then each kind's codes; a word of two kinds gives both its row."""
    places = _places(published.words, map(bare, _codes(ours)), "words")
    return weights["embeddings.weight"][torch.tensor([*range(RESERVED), *(RESERVED + p for p in places)])]


def _embeddings_of(weights: Weights, published: PublishedVocabulary, ours: Vocabularies) -> Tensor:
    """The published embedding table from ours."""
    table = weights["codes.weight"]
    codes = _codes(ours)
    places = _places(published.words, map(bare, codes), "words")
    rows: dict[int, int] = {}  # of the published table -> of ours
    for row, place in enumerate(places, start=RESERVED):
        if not torch.equal(table[rows.setdefault(place, row)], table[row]):
            raise InputError(
                f"{bare(codes[row - RESERVED])!r} is a code of two kinds with a row each, and the published table has "
                "one row for both. Such a student cannot be written in the published form."
            )
    lacking = [word for place, word in enumerate(published.words) if place not in rows]
    if lacking:
        raise InputError(f"words: {lacking[0]!r} is not among our codes: expected the same codes.")
    return table[torch.tensor([*range(RESERVED), *(rows[place] for place in range(len(published.words)))])]


def _codes(ours: Vocabularies) -> list[str]:
    """Our codes in the order of their rows, from the first that is not reserved."""
    return [code for kind in ROWS for code in ours.of(kind)]


def _places(theirs: Iterable[str], mine: Iterable[str], what: str) -> list[int]:
    """Where each of `mine` stands among `theirs`."""
    places = {word: place for place, word in enumerate(theirs)}
    result = [(word, places.get(word)) for word in mine]
    missing = [word for word, place in result if place is None]
    if missing:
        raise InputError(f"{what}: {missing[0]!r} is not in the other vocabulary: expected the same codes.")
    return [place for _, place in result if place is not None]
