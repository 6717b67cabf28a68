"""The device that a model runs on."""

from __future__ import annotations

import torch

from leader_core.errors import InputError


def resolve_device(device: str) -> torch.device:
    """The torch device of "auto" (CUDA where there is one), "cpu" or "cuda".

    Raises:
        InputError: "cuda" where there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("No CUDA device is here: expected one for --device cuda. Use --device cpu or auto.")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
