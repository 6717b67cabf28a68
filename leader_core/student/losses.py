"""The three losses of the student, each the mean over the batch.

Letters: B cases, M medications, D width, H the teacher's hidden size.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Alignment = Literal["official", "infonce", "off"]


def prediction_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy of (B, M) logits, mean over cases and medications."""
    return functional.binary_cross_entropy_with_logits(logits, truth)


class Distillation(nn.Module):
    """Mean squared distance between the projected student features and the teacher's hidden state, over H."""

    def __init__(self, student_width: int, teacher_width: int) -> None:
        super().__init__()
        self.projector = nn.Linear(student_width, teacher_width)

    def forward(self, features: Tensor, hidden: Tensor) -> Tensor:
        """(B, head_hidden), (B, H) -> ()"""
        return functional.mse_loss(self.projector(features), hidden.detach())


class ProfileAlignment(nn.Module):
    """Draws a patient's profile towards the medications prescribed to that patient, away from other patients'.

    "official" leaves the pair itself out of the denominator, as published; "infonce" keeps it in.
    """

    def __init__(self, width: int, *, form: Alignment, tau: float) -> None:
        super().__init__()
        self.form = form
        self.tau = tau
        self.of_medications = nn.Linear(width, width)
        self.of_profile = nn.Linear(width, width)

    def forward(self, prescribed: Tensor, profile: Tensor) -> Tensor:
        """(B, D), (B, D) -> (); zero for a batch of one, which has no other patient to compare with."""
        size = len(profile)
        if size < 2:
            return profile.new_zeros(())
        x = functional.normalize(self.of_medications(prescribed), dim=1)
        y = functional.normalize(self.of_profile(profile), dim=1)
        scores = x @ y.T / self.tau  # (B, B)
        own = scores.diagonal()
        if self.form == "official":
            scores = scores.masked_fill(torch.eye(size, dtype=torch.bool, device=scores.device), -torch.inf)
        return (scores.logsumexp(0) - own + scores.logsumexp(1) - own).mean()
