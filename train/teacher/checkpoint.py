"""The state a teacher's training continues from: one file beside the model folder, replaced whole.

It holds the trained weights, the optimiser's moments, the best weights so far and the position. Order of cases and
dropout are functions of seed and step, so that continuing gives what an uninterrupted run would have given.
Refuses to know how a step is made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.optim import AdamW

from leader_core.errors import InputError
from leader_core.files import replacing_file
from train.distributed import like, whole


@dataclass(slots=True)
class Progress:
    """Where training stands."""

    run: str  # identifies settings, seed, data and base
    step: int = 0
    best_step: int = 0
    best_score: float = float("-inf")
    stale: int = 0  # evaluations since the best
    loss_sum: float = 0.0  # of the steps since the last evaluation
    loss_steps: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def checkpoint_path(out: Path) -> Path:
    """Where the state of training towards `out` lies."""
    return out.with_name(f"{out.name}.training.safetensors")


def save_checkpoint(
    path: Path,
    progress: Progress,
    trained: Mapping[str, torch.nn.Parameter],
    optimizer: AdamW,
    best: Mapping[str, torch.Tensor],
    *,
    write: bool = True,
) -> None:
    """Write the state beside `path`, then move it into place.

    Weights are written whole, however they are spread, so that any number of processes can continue. Every process must
    call this; those with `write` False only give their parts.
    """
    tensors: dict[str, torch.Tensor] = {f"best/{name}": weight for name, weight in best.items()}
    for name, weight in trained.items():
        tensors[f"weight/{name}"] = whole(weight.detach())
        for moment, value in optimizer.state.get(weight, {}).items():
            tensors[f"{moment}/{name}"] = whole(torch.as_tensor(value))
    if not write:
        return
    tensors = {name: value.cpu().contiguous() for name, value in tensors.items()}
    with replacing_file(path) as temporary:
        save_file(tensors, temporary, metadata={"progress": json.dumps(asdict(progress))})


def load_checkpoint(
    path: Path, run: str, trained: Mapping[str, torch.nn.Parameter], optimizer: AdamW
) -> tuple[Progress, dict[str, torch.Tensor]]:
    """Put weights and moments back; the position and the best weights so far.

    Raises:
        InputError: the state is unreadable, or of a run with other settings, data or base.
    """
    try:
        with safe_open(path, framework="pt") as file:
            progress = Progress(**json.loads((file.metadata() or {})["progress"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read ({error}). Delete it, or train without --resume.") from error
    if progress.run != run:
        raise InputError(
            f"{path} belongs to a run with other settings, seed, cohort or base. "
            "Use the same ones to continue it, or train without --resume to start again."
        )
    with torch.no_grad():
        for name, weight in trained.items():
            weight.copy_(like(tensors[f"weight/{name}"], weight))
            moments = {
                moment: tensors[f"{moment}/{name}"]
                for moment in ("step", "exp_avg", "exp_avg_sq")
                if f"{moment}/{name}" in tensors
            }
            if moments:
                optimizer.state[weight] = {
                    moment: value if moment == "step" else like(value, weight)
                    for moment, value in moments.items()
                }
    best = {name.removeprefix("best/"): value for name, value in tensors.items() if name.startswith("best/")}
    return progress, best
