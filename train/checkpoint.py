"""The state that a training continues from: one file next to the model folder, replaced whole.

It holds the trained weights, the optimiser's moments, the best weights so far and the position. Order of cases and
dropout are functions of seed and step or epoch, so that continuing gives what an uninterrupted run would have given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from leader_core.errors import InputError
from leader_core.files import replacing_file
from leader_core.outputs import CHECKPOINT
from train.distributed import like, whole


@dataclass(slots=True)
class TrainingPosition:
    """Where a training stands."""

    run: str  # identifies settings, seed, data, and base or teacher states
    best_score: float = float("-inf")
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(slots=True)
class StudentPosition(TrainingPosition):
    """Where a student's training stands."""

    epoch: int = 0  # epochs done
    best_epoch: int = 0


@dataclass(slots=True)
class TeacherPosition(TrainingPosition):
    """Where a teacher's training stands."""

    step: int = 0
    best_step: int = 0
    stale: int = 0  # evaluations since the best
    loss_sum: float = 0.0  # of the steps since the last evaluation
    loss_steps: int = 0


P = TypeVar("P", bound=TrainingPosition)


def checkpoint_path(out: Path) -> Path:
    """Where the state of training towards `out` lies."""
    return out.with_name(f"{out.name}.training.safetensors")


def save_checkpoint(
    path: Path,
    position: TrainingPosition,
    trained: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    best: Mapping[str, Tensor],
    *,
    write: bool = True,
) -> None:
    """Write the state next to `path`, then move it into place.

    Weights are written whole, however they are spread, so that any number of processes can continue. Every process must
    call this; those with `write` False only give their parts.
    """
    tensors = {f"best/{name}": weight for name, weight in best.items()}
    for name, weight in trained.items():
        tensors[f"weight/{name}"] = whole(weight.detach())
        for moment, value in optimizer.state.get(weight, {}).items():
            tensors[f"{moment}/{name}"] = whole(torch.as_tensor(value))
    if not write:
        return
    tensors = {name: value.cpu().contiguous() for name, value in tensors.items()}
    with replacing_file(path, CHECKPOINT) as temporary:
        save_file(tensors, temporary, metadata={"progress": json.dumps(asdict(position))})


def load_checkpoint(
    path: Path,
    kind: type[P],
    run: str,
    trained: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
) -> tuple[P, dict[str, Tensor]]:
    """Put weights and moments back; the position and the best weights so far.

    Raises:
        InputError: the state is unreadable, or of a run with other settings or data.
    """
    try:
        with safe_open(path, framework="pt") as file:
            position = kind(**json.loads((file.metadata() or {})["progress"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read ({error}). Delete it, or train without --resume.") from error
    if position.run != run:
        raise InputError(
            f"{path} belongs to a run with other settings, seed, cohort, base or teacher states. "
            "Use the same ones to continue it, or train without --resume to start again."
        )
    on_device = bool(optimizer.defaults.get("fused"))  # where a fused optimiser wants its count of steps
    with torch.no_grad():
        for name, weight in trained.items():
            weight.copy_(like(tensors[f"weight/{name}"], weight))
            for moment in ("step", "exp_avg", "exp_avg_sq"):
                if (value := tensors.get(f"{moment}/{name}")) is not None:
                    if moment != "step":
                        value = like(value, weight)
                    elif on_device:
                        value = value.to(weight.device)
                    optimizer.state[weight][moment] = value
    best = {name.removeprefix("best/"): value for name, value in tensors.items() if name.startswith("best/")}
    return position, best
