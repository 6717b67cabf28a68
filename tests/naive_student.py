"""The published student once more, as plainly as its formulas read: the yardstick that ours must equal.

Written from the description of the published network and its losses, not from `leader_core.student`: every case is
padded to 10 visits of 100 codes, heads and visits are plain loops, every number is a float64. Weights carry the names
of the published state dict. Knows cases only as lists of strings.

Letters: B cases, V visits, S codes of one kind, d width, M medications.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SPECIAL = 3  # PAD 0, CLS 1, MASK 2
VISITS, CODES, HEADS = 10, 100, 4


@dataclass(frozen=True)
class NaiveCase:
    """A patient: each visit's sets, the current visit last, with what it was prescribed."""

    diagnoses: Sequence[Sequence[str]]
    procedures: Sequence[Sequence[str]]
    medications: Sequence[Sequence[str]]  # the last one is the truth
    profile: Sequence[str]  # a value of every field, in the order of the tables


@dataclass(frozen=True)
class NaiveVocabulary:
    """One table of words for all kinds, medications first; the profile's values field by field."""

    words: Sequence[str]  # of ids 3, 4, ...
    medications: Sequence[str]  # the columns of the logits
    profile: Sequence[Sequence[str]]


def random_weights(vocabulary: NaiveVocabulary, generator: torch.Generator) -> dict[str, Tensor]:
    """A state dict with the published names and shapes, those parts left out that nothing reads."""
    d, inner, fields = 64, 300, len(vocabulary.profile)
    shapes: dict[str, tuple[int, ...]] = {"embeddings.weight": (SPECIAL + len(vocabulary.words), d)}
    for k, values in enumerate(vocabulary.profile):
        shapes[f"profile_encoder.profile_encoder.{k}.weight"] = (len(values), d)
    shapes["profile_encoder.diag_head.weight"] = (d, fields * d)
    shapes["profile_encoder.diag_head.bias"] = (d,)
    for block in ("diag_trm.0", "proc_trm.0", "med_trm.0", "visit_trm.0"):
        for j in range(3):
            shapes[f"{block}.attention.linear_layers.{j}.weight"] = (d, d)
        shapes[f"{block}.attention.output_linear.weight"] = (d, d)
        shapes[f"{block}.attention.output_linear.bias"] = (d,)
        shapes[f"{block}.feed_forward.w_1.weight"] = (inner, d)
        shapes[f"{block}.feed_forward.w_1.bias"] = (inner,)
        shapes[f"{block}.feed_forward.w_2.weight"] = (d, inner)
        shapes[f"{block}.feed_forward.w_2.bias"] = (d,)
        for norm in ("input_sublayer", "output_sublayer"):
            shapes[f"{block}.{norm}.norm.weight"] = (d,)
            shapes[f"{block}.{norm}.norm.bias"] = (d,)
    shapes["medrec.1.weight"], shapes["medrec.1.bias"] = (128, 192), (128,)
    shapes["medrec.3.weight"] = (len(vocabulary.medications), 128)
    shapes["medrec.3.bias"] = (len(vocabulary.medications),)
    shapes["projector.weight"], shapes["projector.bias"] = (4096, 128), (4096,)
    for side in ("x_projector", "y_projector"):
        shapes[f"align_loss_fct.{side}.weight"], shapes[f"align_loss_fct.{side}.bias"] = (d, d), (d,)
    result = {}
    for name, shape in shapes.items():
        table = "embeddings" in name or "profile_encoder.profile" in name
        scale = 1.0 if table else 1 / math.sqrt(max(shape[-1], 1))
        value = torch.randn(shape, generator=generator) * scale
        result[name] = value + 1 if name.endswith("norm.weight") else value
    return result


def linear(weights: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    y = x @ weights[f"{name}.weight"].T
    return y + weights[f"{name}.bias"] if f"{name}.bias" in weights else y


def layer_norm(weights: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred * centred).mean(-1, keepdim=True)
    return weights[f"{name}.weight"] * centred / torch.sqrt(variance + 1e-12) + weights[f"{name}.bias"]


def gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def block(weights: Mapping[str, Tensor], name: str, x: Tensor, mask: Tensor) -> Tensor:
    """(L, d), (L,) of 0 and 1 over keys -> (L, d); no dropout."""
    y = layer_norm(weights, f"{name}.input_sublayer.norm", x)
    q, k, v = (linear(weights, f"{name}.attention.linear_layers.{j}", y) for j in range(3))
    d_k = x.shape[1] // HEADS
    heads = []
    for h in range(HEADS):
        part = slice(h * d_k, (h + 1) * d_k)
        scores = q[:, part] @ k[:, part].T / math.sqrt(d_k)
        scores = torch.where(mask[None, :] == 0, torch.tensor(-1e9, dtype=scores.dtype), scores)
        heads.append(torch.softmax(scores, -1) @ v[:, part])
    z = x + linear(weights, f"{name}.attention.output_linear", torch.cat(heads, 1))
    inner = gelu(
        linear(weights, f"{name}.feed_forward.w_1", layer_norm(weights, f"{name}.output_sublayer.norm", z))
    )
    return z + linear(weights, f"{name}.feed_forward.w_2", inner)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """(L, d), (L,) -> (d,); zero where nothing is real."""
    total = torch.zeros(x.shape[1], dtype=x.dtype)
    for place in range(len(mask)):
        if mask[place]:
            total = total + x[place]
    return total / max(int(mask.sum()), 1)


class NaiveStudent:
    """Logits and losses of cases, one case after another."""

    def __init__(self, weights: Mapping[str, Tensor], vocabulary: NaiveVocabulary) -> None:
        self.weights = {name: value.double() for name, value in weights.items()}
        self.vocabulary = vocabulary
        self.ids = {word: SPECIAL + i for i, word in enumerate(vocabulary.words)}

    def pad(self, sets: Sequence[Sequence[str]]) -> Tensor:
        """(V, S) ids"""
        ids = torch.zeros(VISITS, CODES, dtype=torch.long)
        for v, codes in enumerate(sets):
            for s, code in enumerate(codes):
                ids[v, s] = self.ids[code]
        return ids

    def encode_set(self, name: str, ids: Tensor) -> Tensor:
        """(S,) ids -> (d,)"""
        mask = (ids > 0).long()
        return masked_mean(block(self.weights, name, self.weights["embeddings.weight"][ids], mask), mask)

    def prompt(self, case: NaiveCase) -> Tensor:
        """(d,) the profile as the first medication slot"""
        parts = [
            self.weights[f"profile_encoder.profile_encoder.{k}.weight"][list(values).index(case.profile[k])]
            for k, values in enumerate(self.vocabulary.profile)
        ]
        return linear(self.weights, "profile_encoder.diag_head", torch.cat(parts))

    def streams(self, case: NaiveCase) -> Tensor:
        """(192,) the mean visit of each stream, side by side"""
        count = len(case.diagnoses)
        mask = torch.tensor([1] * count + [0] * (VISITS - count))
        history = [*case.medications[:-1]]
        diagnoses = [self.encode_set("diag_trm.0", ids) for ids in self.pad(case.diagnoses)]
        procedures = [self.encode_set("proc_trm.0", ids) for ids in self.pad(case.procedures)]
        medications = [self.encode_set("med_trm.0", ids) for ids in self.pad(history)]
        medications = [self.prompt(case), *medications][:VISITS]
        return torch.cat(
            [
                masked_mean(block(self.weights, "visit_trm.0", torch.stack(stream), mask), mask)
                for stream in (diagnoses, procedures, medications)
            ]
        )

    def features(self, case: NaiveCase) -> Tensor:
        """(128,) before the second ReLU: what distillation compares"""
        return linear(self.weights, "medrec.1", torch.relu(self.streams(case)))

    def head(self, features: Tensor) -> Tensor:
        """(128,) -> (M,)"""
        return linear(self.weights, "medrec.3", torch.relu(features))

    def logits(self, case: NaiveCase) -> Tensor:
        """(M,)"""
        return self.head(self.features(case))

    def prediction_loss(self, cases: Sequence[NaiveCase]) -> float:
        losses = []
        for case in cases:
            logits = self.logits(case)
            terms = [
                -torch.log(torch.sigmoid(logit if code in case.medications[-1] else -logit))
                for logit, code in zip(logits, self.vocabulary.medications, strict=True)
            ]
            losses.append(sum(terms) / len(terms))
        return float(sum(losses) / len(losses))

    def distillation_loss(self, cases: Sequence[NaiveCase], hidden: Tensor) -> float:
        losses = []
        for case, target in zip(cases, hidden.double(), strict=True):
            difference = linear(self.weights, "projector", self.features(case)) - target
            losses.append((difference @ difference) / len(target))
        return float(sum(losses) / len(losses))

    def alignment_loss(self, cases: Sequence[NaiveCase], tau: float = 1.0) -> float:
        """Both directions, the positive left out of the denominator."""
        xs = [
            linear(
                self.weights,
                "align_loss_fct.x_projector",
                self.encode_set("med_trm.0", self.pad([case.medications[-1]])[0]),
            )
            for case in cases
        ]
        ys = [linear(self.weights, "align_loss_fct.y_projector", self.prompt(case)) for case in cases]

        def one_way(a: list[Tensor], b: list[Tensor], i: int) -> Tensor:
            def cosine(k: int) -> Tensor:
                return (a[k] @ b[i]) / (a[k].norm() * b[i].norm())

            others = sum(torch.exp(cosine(k) / tau) for k in range(len(a)) if k != i)
            return -torch.log(torch.exp(cosine(i) / tau) / others)

        losses = [one_way(xs, ys, i) + one_way(ys, xs, i) for i in range(len(cases))]
        return float(sum(losses) / len(losses))
