"""The teacher's network: a frozen base with a LoRA adapter, a pooled state, and a head without bias.

Shapes: B batch, T tokens, H hidden, M medications. Notable: dropout of the base is off (only LoRA's own remains);
adapter and head are fp32 whatever the base's precision, which autocast bridges; the head sees the pooled state only.
Refuses to know cases, prompts and training.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final, Literal, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from leader_core.errors import ArtifactError, InputError
from leader_core.teacher.base import BaseFiles, load_body
from leader_core.teacher.config import Precision, TeacherConfig

HEAD: Final = "head.weight"
_HEAD_STD: Final = 0.02


class TeacherOutput(NamedTuple):
    """What the teacher makes of a batch."""

    hidden: torch.Tensor  # (B, H) float32, the pooled state the head reads
    logits: torch.Tensor  # (B, M) float32


class TeacherModel(nn.Module):
    """Base + LoRA -> pooled state (B, H) -> head (M, H), one logit a medication."""

    def __init__(
        self,
        body: nn.Module,
        hidden_size: int,
        medications: int,
        pooling: Literal["mean", "first", "last"],
        precision: Literal["fp32", "bf16"],
        positions: bool,
    ) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(hidden_size, medications, bias=False, dtype=torch.float32)
        nn.init.normal_(self.head.weight, std=_HEAD_STD)
        self.pooling: Final = pooling
        self.precision: Final = precision
        self.positions: Final = positions  # give position ids, so that the padding's side does not matter

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> TeacherOutput:
        """Pooled states and logits of ids and mask (B, T); mask is 1 on real tokens, padding may be on any side."""
        extra = {"position_ids": (attention_mask.cumsum(1) - 1).clamp(min=0)} if self.positions else {}
        padded = bool((attention_mask == 0).any())
        with self._autocast(input_ids.device.type):
            states = self.body(
                input_ids=input_ids, attention_mask=attention_mask if padded else None, **extra
            ).last_hidden_state  # (B, T, H)
        hidden = pool(states, attention_mask, self.pooling)
        return TeacherOutput(hidden, self.head(hidden))

    def trained(self) -> dict[str, nn.Parameter]:
        """The parameters that are trained, by name: the adapter's and the head's."""
        return {name: weight for name, weight in self.named_parameters() if weight.requires_grad}

    def _autocast(self, device: str) -> AbstractContextManager[object]:
        if self.precision == "bf16":
            return torch.autocast(device, dtype=torch.bfloat16)
        return nullcontext()


def pool(states: torch.Tensor, mask: torch.Tensor, pooling: Literal["mean", "first", "last"]) -> torch.Tensor:
    """(B, T, H) and mask (B, T) to (B, H) float32: the mean over, the first or the last of the real tokens."""
    if pooling == "mean":
        weights = mask.to(torch.float32)
        weights = weights / weights.sum(1, keepdim=True).clamp(min=1)
        return torch.einsum("bth,bt->bh", states.float(), weights)
    steps = torch.arange(mask.shape[1], device=mask.device)
    place = (
        torch.where(mask > 0, steps, mask.shape[1]).amin(1) if pooling == "first" else (mask * steps).amax(1)
    )
    place = place.clamp(max=mask.shape[1] - 1)
    return states[torch.arange(len(states), device=states.device), place].float()


def build_model(
    files: BaseFiles, config: TeacherConfig, medications: int, device: torch.device, precision: Precision
) -> TeacherModel:
    """A teacher with a fresh adapter and head over a base, on a device.

    Raises:
        ArtifactError: the base cannot be loaded.
        InputError: LoRA targets that the base does not have.
    """
    from peft import LoraConfig, get_peft_model

    resolved = resolve_precision(precision, device)
    half = resolved == "bf16"
    attention: Literal["sdpa", "eager"] = (
        "eager" if half and device.type == "cpu" else "sdpa"
    )  # twice as fast there
    body = load_body(files, torch.bfloat16 if half else torch.float32, attention)
    hidden_size = int(body.config.hidden_size)  # type: ignore[union-attr, arg-type]
    model_type = str(body.config.model_type)  # type: ignore[union-attr]
    targets = config.lora_targets
    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,  # type: ignore[arg-type]
        lora_dropout=config.lora_dropout,
        target_modules="all-linear" if targets == ("all-linear",) else list(targets),
        bias="none",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            adapted = get_peft_model(body, lora)  # type: ignore[arg-type]
        except ValueError as error:
            raise InputError(
                f"teacher.lora_targets {list(targets)} do not fit the base {files.id!r}: {error}"
            ) from error
    for weight in adapted.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    pooling = config.pooling
    if pooling == "auto":
        pooling = "mean" if files.architecture == "encoder" else "last"
    positions = files.architecture == "decoder" or model_type == "bert"
    return TeacherModel(adapted, hidden_size, medications, pooling, resolved, positions).to(device)


def resolve_precision(precision: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    """ "auto" is bf16 on a GPU and fp32 on a CPU."""
    if precision == "auto":
        return "bf16" if device.type == "cuda" else "fp32"
    return precision


def resolve_device(device: str) -> torch.device:
    """The torch device of "auto", "cpu" or "cuda".

    Raises:
        InputError: "cuda" where there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("Device 'cuda' was asked for, but no CUDA device is available. Use 'auto' or 'cpu'.")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


def adapter_state(model: TeacherModel) -> dict[str, torch.Tensor]:
    """The adapter as `peft` names it, and the head: all that training changes. Copies on the CPU."""
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(model.body, save_embedding_layers=False)
    state[HEAD] = model.head.weight
    return {name: weight.detach().to("cpu", copy=True).contiguous() for name, weight in state.items()}


def restore_adapter(model: TeacherModel, state: Mapping[str, torch.Tensor], where: str) -> None:
    """Put adapter and head back; every key must be used and every trained weight given, in its shape.

    Raises:
        ArtifactError: keys or shapes that do not fit.
    """
    from peft import set_peft_model_state_dict

    expected = {name: tuple(weight.shape) for name, weight in adapter_state(model).items()}
    found = {name: tuple(weight.shape) for name, weight in state.items()}
    if expected != found:
        odd = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
        first = odd[0]
        raise ArtifactError(
            f"{where} does not fit its configuration: {len(odd)} weights differ, first {first!r} "
            f"(expected {expected.get(first, 'none')}, found {found.get(first, 'none')}). Train the model again."
        )
    set_peft_model_state_dict(model.body, {name: weight for name, weight in state.items() if name != HEAD})
    with torch.no_grad():
        model.head.weight.copy_(state[HEAD])


def save_adapter(model_state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write adapter and head as safetensors."""
    save_file(dict(model_state), path)


def read_adapter(path: Path) -> dict[str, torch.Tensor]:
    """Read what `save_adapter` wrote.

    Raises:
        ArtifactError: not a safetensors file.
    """
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ArtifactError(f"{path} is not a safetensors file ({error}). Train the model again.") from error
