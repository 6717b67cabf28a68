"""The state a student's training continues from: one file beside the model folder, replaced whole after an epoch.

Order of cases and dropout are functions of seed and epoch, so that continuing gives what an uninterrupted run would
have given. Refuses to know how an epoch is made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from leader_core.errors import InputError
from leader_core.files import replacing_file


@dataclass(slots=True)
class Progress:
    """Where training stands."""

    run: str  # identifies settings, seed and data
    epoch: int = 0  # epochs done
    best_epoch: int = 0
    best_score: float = float("-inf")
    history: list[dict[str, float]] = field(default_factory=list)


def checkpoint_path(out: Path) -> Path:
    """Where the state of training towards `out` lies."""
    return out.with_name(f"{out.name}.training.safetensors")


def save_checkpoint(
    path: Path, progress: Progress, module: nn.Module, optimizer: torch.optim.Adam, best: Mapping[str, Tensor]
) -> None:
    """Write the state beside `path`, then move it into place."""
    tensors = {f"best/{name}": value for name, value in best.items()}
    for name, weight in module.named_parameters():
        tensors[f"weight/{name}"] = weight.detach()
        for moment, value in optimizer.state.get(weight, {}).items():
            tensors[f"{moment}/{name}"] = torch.as_tensor(value)
    tensors = {name: value.cpu().contiguous() for name, value in tensors.items()}
    with replacing_file(path) as temporary:
        save_file(tensors, temporary, metadata={"progress": json.dumps(asdict(progress))})


def load_checkpoint(
    path: Path, run: str, module: nn.Module, optimizer: torch.optim.Adam
) -> tuple[Progress, dict[str, Tensor]]:
    """Put weights and moments back; the position and the best weights so far.

    Raises:
        InputError: the state is unreadable, or of a run with other settings or data.
    """
    try:
        with safe_open(path, framework="pt") as file:
            progress = Progress(**json.loads((file.metadata() or {})["progress"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read ({error}). Delete it, or train without --resume.") from error
    if progress.run != run:
        raise InputError(
            f"{path} belongs to a run with other settings, seed, cohort or teacher states. "
            "Use the same ones to continue it, or train without --resume to start again."
        )
    with torch.no_grad():
        for name, weight in module.named_parameters():
            weight.copy_(tensors[f"weight/{name}"])
            for moment in ("step", "exp_avg", "exp_avg_sq"):
                if (value := tensors.get(f"{moment}/{name}")) is not None:
                    optimizer.state[weight][moment] = value.to(weight.device)
    best = {name.removeprefix("best/"): value for name, value in tensors.items() if name.startswith("best/")}
    return progress, best
