"""The processes that train or score together: who this one is, which rows are its own, how results are added up.

One process alone is the rule, and pays nothing for this: Accelerate is imported only under `accelerate launch`. Under
DDP every process holds the whole model and the gradients of the few trained weights are added once a step, so that
processes may make different numbers of passes. Under FSDP each layer's weights are spread over the processes, which
then must pass together: who has nothing left passes a single token that counts for nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from leader_core.errors import InputError
from leader_core.scorer import resolve_device
from leader_core.teacher.model import TeacherModel
from leader_core.teacher.scorer import pass_tokens, run_batches
from leader_core.teacher.tokens import EncodedPrompts, split_by_length


class Processes:
    """This process alone: the base of `Launched`, and what every call does where there is nobody else."""

    rank: int = 0
    count: int = 1
    sharded: bool = False  # the model's weights are spread over the processes

    @property
    def main(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def device(self, requested: str) -> torch.device:
        """The device of "auto", "cpu" or "cuda" for this process."""
        return resolve_device(requested)

    def own(self, lengths: np.ndarray) -> np.ndarray:
        """This process's share of some rows: of nearly equal tokens, in the rows' order. All rows where it is alone."""
        if self.count == 1:
            return np.arange(len(lengths))
        order = np.argsort(-lengths, kind="stable")
        turns = np.arange(len(order)) // self.count
        positions = np.arange(len(order)) % self.count
        dealt = np.where(
            turns % 2 == 0, positions, self.count - 1 - positions
        )  # there and back, so that sums stay even
        return np.sort(order[dealt == self.rank])

    def own_batches(self, batches: Sequence[np.ndarray]) -> list[np.ndarray]:
        """This process's share of batches that come longest first."""
        return list(batches[self.rank :: self.count])

    def passes(self, number: int) -> int:
        """How many passes to make for `number` of one's own: as many as any process, where weights are spread."""
        return number

    def spread(self, model: TeacherModel) -> TeacherModel:
        """Spread the model's weights over the processes, where that was requested."""
        return model

    def total(self, value: torch.Tensor) -> torch.Tensor:
        """The sum of every process's tensor, equal in all."""
        return value

    def add_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """Put in place of each gradient the sum of every process's."""

    def agree(self, value: int) -> bool:
        """Whether every process has this value."""
        return True

    def wait(self) -> None:
        """Wait for the others."""


class Launched(Processes):
    """One of several processes under `accelerate launch`."""

    def __init__(self, device: str) -> None:
        from accelerate import Accelerator, FullyShardedDataParallelPlugin

        spread = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
        plugin = FullyShardedDataParallelPlugin() if spread else None
        if plugin is not None and plugin.fsdp_version != 2:
            raise InputError(
                f"fsdp_version = {plugin.fsdp_version}: expected 2. Launch with train/configs/accelerate/fsdp.yaml."
            )
        self._accelerator = Accelerator(cpu=device == "cpu", fsdp_plugin=plugin)
        kind = str(self._accelerator.distributed_type.value)
        if kind != "FSDP" and not kind.startswith("MULTI_"):
            raise InputError(
                f"Processes of the kind {kind} are not supported: expected DDP or FSDP. Launch with "
                "train/configs/accelerate/ddp.yaml or fsdp.yaml."
            )
        self.rank = self._accelerator.process_index
        self.count = self._accelerator.num_processes
        self.sharded = spread
        self._plugin: Any = plugin

    def device(self, requested: str) -> torch.device:
        if requested == "cuda":
            resolve_device(requested)  # says so where there is none
        return torch.device(self._accelerator.device)

    def passes(self, number: int) -> int:
        if not self.sharded:
            return number
        return int(self._most(torch.tensor(number)))

    def spread(self, model: TeacherModel) -> TeacherModel:
        if not self.sharded:
            return model
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(self._accelerator.device.type, (self.count,))
        options = {"mesh": mesh, "reshard_after_forward": self._plugin.reshard_after_forward}
        if self._plugin.cpu_offload:
            options["offload_policy"] = self._plugin.cpu_offload
        base: Any = model.body.get_base_model()  # type: ignore[operator, union-attr]
        layers = set(
            self._plugin.transformer_cls_names_to_wrap or getattr(base, "_no_split_modules", None) or ()
        )
        for module in list(model.body.modules()):
            if type(module).__name__ in layers:
                fully_shard(module, **options)
        fully_shard(model, **options)
        return model

    def total(self, value: torch.Tensor) -> torch.Tensor:
        return self._accelerator.reduce(value.to(self._accelerator.device), reduction="sum")  # type: ignore[no-any-return]

    def add_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        if self.sharded:
            return  # added in the backward passes
        trained = list(weights)
        for weight in trained:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        grads = [weight.grad for weight in trained if weight.grad is not None]
        flat = self.total(torch.cat([grad.reshape(-1) for grad in grads]))  # one message instead of hundreds
        for grad, part in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
            grad.copy_(part.view_as(grad))

    def agree(self, value: int) -> bool:
        highest, lowest = self._most(torch.tensor([value, -value])).tolist()
        return bool(highest == -lowest)

    def wait(self) -> None:
        self._accelerator.wait_for_everyone()

    def _most(self, value: torch.Tensor) -> torch.Tensor:
        return self._accelerator.reduce(value.to(self._accelerator.device), reduction="max")  # type: ignore[no-any-return]


@torch.no_grad()
def run_together(
    model: TeacherModel, encoded: EncodedPrompts, processes: Processes
) -> tuple[np.ndarray, np.ndarray]:
    """Hidden (N, H) and logits (N, M) float32 of encoded prompts, in their order and equal in every process.

    Every process must call this with the same prompts.
    """
    if processes.count == 1:
        return run_batches(model, encoded)
    batches = split_by_length(encoded.lengths, pass_tokens(model))
    own = processes.own_batches(batches)
    for _ in range(processes.passes(len(own)) - len(own)):  # the others cannot pass without this one
        run_batches(model, encoded, batches=[batches[0][:1]])
    parts = run_batches(model, encoded, batches=own)
    hidden, logits = (processes.total(torch.from_numpy(part)).cpu().numpy() for part in parts)
    return hidden, logits


def join_processes(device: str) -> Processes:
    """This process among those it was launched with: alone unless `accelerate launch` started several.

    Raises:
        InputError: processes of a kind that is not supported, or several requested of which only this one was started.
    """
    environment = os.environ
    launched = "ACCELERATE_MIXED_PRECISION" in environment
    if launched and "MASTER_ADDR" in environment and "WORLD_SIZE" not in environment:
        raise InputError(
            "accelerate launch was given several processes, but started this one alone, as it does with --cpu. Launch with "
            "--config_file train/configs/accelerate/ddp.yaml, which starts them on a CPU too, or with --num_processes 1."
        )
    return Launched(device) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else Processes()


def whole(weight: torch.Tensor) -> torch.Tensor:
    """All of a weight that may be spread over processes; every process must ask at once."""
    full = getattr(weight, "full_tensor", None)
    return weight if full is None else full()


def like(value: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """A value where `weight` lies, spread as it is spread."""
    value = value.to(weight.device)
    if getattr(weight, "full_tensor", None) is None:
        return value
    from torch.distributed.tensor import distribute_tensor

    spread: Any = weight
    return distribute_tensor(value, spread.device_mesh, spread.placements, src_data_rank=None)
