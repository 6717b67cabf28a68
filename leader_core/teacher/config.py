"""What a teacher is, as typed values: its base, wording, pooling and adapter; what `config.json` in its folder holds.

Refuses to know how it is trained (`train.teacher.settings`), and never imports torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from leader_core.errors import ArtifactError, InputError
from leader_core.prompt import PROMPTS

Pooling = Literal["auto", "mean", "first", "last"]
Precision = Literal["auto", "fp32", "bf16"]
SpecialTokens = Literal["base", "eos"]

DEFAULT_BASE: Final = "minilm"


@dataclass(frozen=True, slots=True)
class TeacherConfig:
    """The base model, how a case is put to it, how its answer is pooled, and the adapter's shape.

    `pooling`: "mean" over real tokens or the "first" token (encoders), the "last" real token (decoders);
    "auto" is mean for an encoder and last for a decoder. `special_tokens`: "base" adds what the base's tokenizer adds
    (BOS included), "eos" only ends the text with EOS, as published. `precision` is that of the frozen base while
    training and writing states: "auto" is bf16 on a GPU and fp32 on a CPU; adapter and head are always fp32.
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

    def __post_init__(self) -> None:
        problems = [
            f"{name} = {getattr(self, name)}: expected at least {least}"
            for name, least in (("max_tokens", 16), ("max_history", 0), ("lora_rank", 1))
            if getattr(self, name) < least
        ]
        if self.prompt_version not in PROMPTS:
            problems.append(f"prompt_version = {self.prompt_version!r}: expected one of {', '.join(PROMPTS)}")
        if not self.base.strip():
            problems.append("base is empty: expected 'minilm', a local folder or a hub id")
        if self.lora_alpha <= 0:
            problems.append(f"lora_alpha = {self.lora_alpha}: expected more than 0")
        if not 0 <= self.lora_dropout < 1:
            problems.append(f"lora_dropout = {self.lora_dropout}: expected 0 or more and less than 1")
        if not self.lora_targets:
            problems.append("lora_targets is empty: expected 'all-linear' or names of linear layers")
        for name, values in (
            ("pooling", ("auto", "mean", "first", "last")),
            ("precision", ("auto", "fp32", "bf16")),
            ("special_tokens", ("base", "eos")),
        ):
            if getattr(self, name) not in values:
                problems.append(f"{name} = {getattr(self, name)!r}: expected one of {', '.join(values)}")
        if problems:
            raise InputError("; ".join(problems))

    def to_json(self) -> dict[str, Any]:
        """What `config.json` holds."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> TeacherConfig:
        """Inverse of `to_json`.

        Raises:
            ArtifactError: for fields missing, unknown or out of range.
        """
        names = {f.name for f in dataclasses.fields(cls)}
        if set(record) != names:
            odd = ", ".join(sorted(set(record) ^ names))
            raise ArtifactError(
                f"config.json of a teacher: fields missing or unknown: {odd}. Train the model again."
            )
        try:
            return cls(**{**record, "lora_targets": tuple(record["lora_targets"])})
        except (InputError, TypeError) as error:
            raise ArtifactError(
                f"config.json of a teacher is not usable: {error}. Train the model again."
            ) from error
