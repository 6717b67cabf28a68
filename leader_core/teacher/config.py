"""What a teacher is, as typed values: its base, wording, pooling and adapter; what `config.json` in its folder holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from leader_core.config_checks import from_record, problems_of
from leader_core.errors import InputError
from leader_core.prompt_templates import PROMPTS

Pooling = Literal["auto", "mean", "first", "last"]
Precision = Literal["auto", "fp32", "bf16"]
SpecialTokens = Literal["base", "eos"]
Quantisation = Literal["none", "8bit", "4bit"]
Attention = Literal["auto", "sdpa", "eager"]

DEFAULT_BASE: Final = "minilm"
_ADDED: Final[Mapping[str, Any]] = {"quantisation": "none", "attention": "auto", "equivalence": False}
"""Fields that older teachers' `config.json` lacks, as those teachers mean them: the defaults."""


@dataclass(frozen=True, slots=True)
class TeacherConfig:
    """The base model, how a case is put to it, how its answer is pooled, and the adapter's shape.

    `pooling`: "mean" over real tokens or the "first" token (encoders), the "last" real token (decoders);
    "auto" is mean for an encoder and last for a decoder. `special_tokens`: "base" adds what the base's tokenizer adds
    (BOS included), "eos" only ends the text with EOS, as published. `precision` is that of the frozen base while
    training and writing states: "auto" is bf16 on a GPU that has it and fp32 elsewhere; adapter and head are always
    fp32. fp16 is not offered: newer bases overflow in it. `quantisation` keeps the frozen base in 8 or 4 bits, which
    needs a GPU and bitsandbytes. `attention` is the library's kernel: "auto" is what is quickest on the device.
    `equivalence` reads diagnoses of both ICD versions as ICD-10-CM (`leader_core.terminology.equivalence`).
    """

    base: str = DEFAULT_BASE  # "minilm", a local folder, or a hub id
    prompt_version: str = "leader-1"
    max_tokens: int = 512  # special tokens included; never more than the base's positions
    max_history: int = 3  # most recent earlier visits in the prompt
    special_tokens: SpecialTokens = "base"
    pooling: Pooling = "auto"
    lora_rank: int = 16
    lora_alpha: float = 32.0
    lora_dropout: float = 0.0
    lora_targets: tuple[str, ...] = ("all-linear",)  # or names of the base's linear layers
    precision: Precision = "auto"
    quantisation: Quantisation = "none"
    attention: Attention = "auto"
    equivalence: bool = False

    def __post_init__(self) -> None:
        problems = problems_of(
            self,
            at_least={"max_tokens": 16, "max_history": 0, "lora_rank": 1},
            above_zero=("lora_alpha",),
            below_one=("lora_dropout",),
        )
        if self.prompt_version not in PROMPTS:
            problems.append(f"prompt_version = {self.prompt_version!r}: expected one of {', '.join(PROMPTS)}")
        if not self.base.strip():
            problems.append("base is empty: expected 'minilm', a local folder or a hub id")
        if not self.lora_targets:
            problems.append("lora_targets is empty: expected 'all-linear' or names of linear layers")
        if self.quantisation != "none" and self.precision == "fp32":
            problems.append(
                f"quantisation = {self.quantisation!r} with precision = 'fp32': expected precision 'auto' or 'bf16'"
            )
        if problems:
            raise InputError("; ".join(problems))

    def to_json(self) -> dict[str, Any]:
        """What `config.json` holds."""
        return dataclasses.asdict(self)

    def identity(self) -> dict[str, Any]:
        """What tells this teacher from another: `to_json` without newer fields that are left at what they always were."""
        return {k: v for k, v in self.to_json().items() if k not in _ADDED or v != _ADDED[k]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> TeacherConfig:
        """Inverse of `to_json`.

        Raises:
            ArtifactError: for fields missing, unknown or out of range.
        """
        return from_record(cls, record, later=_ADDED, of="a teacher")
