"""The teacher's network: a frozen base with a LoRA adapter, a pooled state, and a head without bias.

Shapes: B batch, T tokens, H hidden, M medications. Notable: dropout of the base is off (only LoRA's own remains);
adapter and head are fp32 whatever the base's precision, which autocast bridges; the head sees the pooled state only;
a causal base gets no mask where padding is on the right, because no real token can see it.
"""

from __future__ import annotations

import importlib.util
import inspect
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from leader_core.errors import ArtifactError, InputError
from leader_core.teacher.base import IMPORT_LOCK, Architecture, BaseFiles, load_body, position_offset
from leader_core.teacher.config import Attention, Precision, Quantisation, TeacherConfig

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
        first_position: int | None,
        causal: bool,
    ) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(hidden_size, medications, bias=False, dtype=torch.float32)
        nn.init.normal_(self.head.weight, std=_HEAD_STD)
        self.pooling: Final = pooling
        self.precision: Final = precision
        self.first_position: Final = first_position  # None: the base takes no position ids
        self.causal: Final = causal  # no token sees a later one

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> TeacherOutput:
        """Pooled states and logits of ids and mask (B, T); mask is 1 on real tokens, padding may be on any side."""
        return self._run({"input_ids": input_ids}, attention_mask)

    def read(self, embeddings: torch.Tensor, attention_mask: torch.Tensor) -> TeacherOutput:
        """The same of word vectors (B, T, H) in the tokens' places."""
        return self._run({"inputs_embeds": embeddings}, attention_mask)

    def embed(self, input_ids: torch.Tensor) -> torch.Tensor:
        """(B, T) -> (B, T, H) the base's word vectors."""
        return self._words()(input_ids)  # type: ignore[no-any-return]

    def average_word(self) -> torch.Tensor:
        """(H,) float32 the mean of the base's word vectors."""
        return self._words().weight.float().mean(0)  # type: ignore[no-any-return]

    def _words(self) -> Any:
        base: Any = self.body
        return base.get_base_model().get_input_embeddings()

    def _run(self, tokens: Mapping[str, torch.Tensor], attention_mask: torch.Tensor) -> TeacherOutput:
        padded = bool((attention_mask == 0).any())
        if padded and self.causal:  # without a mask the quickest kernels can be used
            padded = bool((attention_mask[:, 1:] > attention_mask[:, :-1]).any())
        extra: dict[str, torch.Tensor] = {}
        if padded:
            extra["attention_mask"] = attention_mask
        if self.first_position or (padded and self.first_position is not None):
            # so that neither the padding's side nor a padding token within the text matters
            extra["position_ids"] = (attention_mask.cumsum(1) - 1).clamp(min=0) + self.first_position
        with self._autocast(attention_mask.device.type):
            states = self.body(**tokens, **extra).last_hidden_state  # (B, T, H)
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
    last = (
        torch.where(mask > 0, steps, mask.shape[1]).amin(1) if pooling == "first" else (mask * steps).amax(1)
    )
    last = last.clamp(max=mask.shape[1] - 1)
    return states[torch.arange(len(states), device=states.device), last].float()


def build_model(
    files: BaseFiles,
    config: TeacherConfig,
    medications: int,
    device: torch.device,
    precision: Precision,
    *,
    move_to_device: bool = True,
) -> TeacherModel:
    """A teacher with a fresh adapter and head over a base, on a device.

    Args:
        move_to_device: False leaves the weights in main memory, in the form meant for `device`: to shard them later.

    Raises:
        ArtifactError: the base cannot be loaded.
        InputError: LoRA targets that the base does not have, or a quantisation that this machine cannot do.
    """
    resolved = resolve_precision(precision, device)
    check_precision(files, resolved)
    options = quantised(config.quantisation, device)
    if options and not move_to_device:
        raise InputError(
            f"teacher.quantisation = {config.quantisation!r} cannot be spread over processes (FSDP). "
            "Use the DDP configuration, or quantisation 'none'."
        )
    dtype = torch.bfloat16 if resolved == "bf16" else torch.float32
    body = load_body(files, dtype, resolve_attention(config.attention, resolved, device), options)
    model = adapt(body, files.architecture, config, medications, resolved, name=files.id)
    if options:  # the quantised base lies on the device already, and cannot be moved
        model.head.to(device)
        return model
    return model.to(device) if move_to_device else model


def adapt(
    body: nn.Module,
    architecture: Architecture,
    config: TeacherConfig,
    medications: int,
    precision: Literal["fp32", "bf16"],
    *,
    name: str,
) -> TeacherModel:
    """A fresh adapter and head over a loaded base; `name` is what errors call it.

    Raises:
        InputError: LoRA targets that the base does not have.
    """
    with IMPORT_LOCK:
        from peft import LoraConfig, get_peft_model

    base: Any = body.config
    targets = config.lora_targets
    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,  # type: ignore[arg-type]
        lora_dropout=config.lora_dropout,
        target_modules="all-linear" if targets == ("all-linear",) else list(targets),
        bias="none",
    )
    _check_targets(body, targets, name)
    takes_positions = "position_ids" in inspect.signature(body.forward).parameters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            adapted = get_peft_model(body, lora)  # type: ignore[arg-type]
        except ValueError as error:
            raise InputError(
                f"teacher.lora_targets {list(targets)} do not fit the base {name!r}: {error}"
            ) from error
    for weight in adapted.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    layers: Iterator[Any] = adapted.modules()
    for module in layers:
        if precision == "bf16" and hasattr(module, "cast_input_dtype_enabled"):
            module.cast_input_dtype_enabled = False  # autocast would only turn it back, after a copy in fp32
    pooling = config.pooling
    if pooling == "auto":
        pooling = "mean" if architecture == "encoder" else "last"
    return TeacherModel(
        adapted,
        int(base.hidden_size),
        medications,
        pooling,
        precision,
        position_offset(base) if takes_positions else None,
        architecture == "decoder" and not getattr(base, "use_bidirectional_attention", False),
    )


def _check_targets(body: nn.Module, targets: tuple[str, ...], name: str) -> None:
    """Refuse names of which the base has no linear layer; the adapter's library accepts them if any other fits."""
    if targets == ("all-linear",):
        return
    layers = [
        layer
        for layer, module in body.named_modules()
        if isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"
    ]
    unknown = [t for t in targets if not any(layer == t or layer.endswith(f".{t}") for layer in layers)]
    if unknown:
        raise InputError(
            f"teacher.lora_targets: the base {name!r} has no linear layer named {', '.join(map(repr, unknown))}. "
            f"It has {', '.join(sorted({layer.rpartition('.')[2] for layer in layers}))}; or write 'all-linear'."
        )


def quantised(quantisation: Quantisation, device: torch.device) -> dict[str, Any]:
    """What the library needs to hold a base in 8 or 4 bits (NF4, computing in bf16); nothing for "none".

    Raises:
        InputError: no GPU, or no bitsandbytes.
    """
    if quantisation == "none":
        return {}
    lacking = []
    if device.type != "cuda":
        lacking.append("a CUDA device")
    if importlib.util.find_spec("bitsandbytes") is None:
        lacking.append("the package bitsandbytes (`pip install bitsandbytes`)")
    if lacking:
        raise InputError(
            f"teacher.quantisation = {quantisation!r} needs {' and '.join(lacking)}, which this machine lacks. "
            "Set it to 'none', or train where they are."
        )
    with IMPORT_LOCK:
        from transformers import BitsAndBytesConfig

    wanted = BitsAndBytesConfig(
        load_in_8bit=quantisation == "8bit",
        load_in_4bit=quantisation == "4bit",
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"quantization_config": wanted, "device_map": {"": device}}


def can_quantise(device: torch.device) -> bool:
    """Whether a base can be quantised here."""
    return device.type == "cuda" and importlib.util.find_spec("bitsandbytes") is not None


def resolve_attention(
    attention: Attention, precision: Literal["fp32", "bf16"], device: torch.device
) -> Literal["sdpa", "eager"] | None:
    """ "auto" is eager for bf16 on a CPU, where it is twice as fast, and else the library's own choice (None): sdpa
    where the network has it."""
    if attention == "auto":
        return "eager" if precision == "bf16" and device.type == "cpu" else None
    return attention


def resolve_precision(precision: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    """ "auto" is bf16 on a GPU that computes in it, and fp32 on an older one or a CPU."""
    if precision == "auto":
        able = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16" if able else "fp32"
    return precision


def check_precision(files: BaseFiles, precision: Literal["fp32", "bf16"]) -> None:
    """Refuse the one network whose masks overflow in bf16 under autocast (DeBERTa v1)."""
    if precision == "bf16" and files.model_type == "deberta":
        raise InputError(
            f"The base {files.id!r} (deberta) cannot be computed in bf16. Set teacher.precision to 'fp32'."
        )


def adapter_state(model: TeacherModel) -> dict[str, torch.Tensor]:
    """The adapter as `peft` names it, and the head: all that training changes. Copies on the CPU."""
    with IMPORT_LOCK:
        from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(model.body, save_embedding_layers=False)
    state[HEAD] = model.head.weight
    # weights that are spread over processes are put together: every process must ask
    state = {name: getattr(weight, "full_tensor", lambda w=weight: w)() for name, weight in state.items()}
    return {name: weight.detach().to("cpu", copy=True).contiguous() for name, weight in state.items()}


def restore_adapter(model: TeacherModel, state: Mapping[str, torch.Tensor], where: str) -> None:
    """Put adapter and head back; every key must be used and every trained weight given, in its shape.

    Raises:
        ArtifactError: keys or shapes that do not fit.
    """
    with IMPORT_LOCK:
        from peft import set_peft_model_state_dict

    expected = {name: tuple(weight.shape) for name, weight in adapter_state(model).items()}
    given = {name: tuple(weight.shape) for name, weight in state.items()}
    if expected != given:
        different = sorted(name for name in {*expected, *given} if expected.get(name) != given.get(name))
        first = different[0]
        raise ArtifactError(
            f"{where} does not fit its configuration: {len(different)} weights differ, first {first!r} "
            f"(expected {expected.get(first, 'none')}, given {given.get(first, 'none')}). Train the model again."
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
