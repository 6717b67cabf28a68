"""What a training step of the student minimises, over which weights, and what it reads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from leader_core.student.losses import Distillation, ProfileAlignment, prediction_loss
from leader_core.student.model import Student
from leader_core.student.packing import Packed
from train.config import StudentTraining


@dataclass(frozen=True, slots=True)
class Batch:
    """B cases ready for a step."""

    packed: Packed
    truth: Tensor  # float32 (B, M)
    guided: Tensor  # (G,) positions of the batch's cases that have a teacher state
    hidden: Tensor | None  # float32 (G, H)
    probabilities: Tensor | None  # float32 (G, M) the teacher's, where they are targets


class Losses(nn.Module):
    """The student and what only training needs as well: projector and alignment maps, never shipped."""

    def __init__(self, student: Student, training: StudentTraining, teacher_width: int | None) -> None:
        super().__init__()
        self.student = student
        guided = teacher_width is not None
        self.weights = {
            "prediction": training.truth + (0.0 if guided else training.probabilities),
            "probabilities": training.probabilities,
            "distillation": training.alpha,
            "alignment": training.beta,
        }
        distils = teacher_width is not None and training.alpha > 0
        aligns = training.alignment != "off" and training.beta > 0 and bool(student.config.profile_fields)
        self.distillation = Distillation(student.config.head_hidden, teacher_width or 1) if distils else None
        self.alignment = (
            ProfileAlignment(student.config.d_model, form=training.alignment, tau=training.tau)
            if aligns
            else None
        )

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Every loss of a batch, unweighted, and their weighted sum under "loss"."""
        output = self.student(batch.packed)
        parts = {"prediction": prediction_loss(output.logits, batch.truth)}
        share = len(batch.guided) / len(batch.truth)
        if batch.probabilities is not None and share:
            guided = output.logits[batch.guided]
            parts["probabilities"] = prediction_loss(guided, batch.probabilities) * share
        if self.distillation is not None and batch.hidden is not None and share:
            parts["distillation"] = self.distillation(output.features[batch.guided], batch.hidden) * share
        if self.alignment is not None and output.prescribed is not None:
            parts["alignment"] = self.alignment(output.prescribed, output.profile)
        loss = sum(
            (self.weights[name] * part for name, part in parts.items()),
            start=output.logits.new_zeros(()),
        )
        return {"loss": loss, **parts}


def optimizer_of(losses: Losses, training: StudentTraining) -> torch.optim.Adam:
    """Adam. The network's matrices decay by themselves (AdamW); the linear path and the carry-over learn at a rate of their
    own, and the former's weights are penalised."""
    student = losses.student
    linear = [] if student.linear is None else [student.linear.weight]
    carry_over = [] if student.carry_over is None else list(student.carry_over.parameters())
    apart = {id(weight) for weight in (*linear, *carry_over)}
    network = [weight for weight in losses.parameters() if id(weight) not in apart]
    penalty = training.linear_penalty / student.layout.medications
    groups = [
        {
            "params": weights,
            "lr": rate,
            "initial_lr": rate,
            "weight_decay": decay,
            "decoupled_weight_decay": weights
            is not linear,  # Adam's own decay is the gradient of the penalty
        }
        for weights, rate, decay in (
            (
                [weight for weight in network if weight.ndim > 1],
                training.learning_rate,
                training.weight_decay,
            ),
            ([weight for weight in network if weight.ndim < 2], training.learning_rate, 0.0),
            (linear, training.linear_rate, penalty),
            (carry_over, training.linear_rate, 0.0),
        )
        if weights
    ]
    return torch.optim.Adam(groups, fused=True)
