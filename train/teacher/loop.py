"""The teacher's training loop: steps, schedule, evaluations, best weights, and states to continue from."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim import AdamW

from leader_core.errors import InputError, TrainingError
from leader_core.evaluation.metrics import mean_prauc
from leader_core.teacher.model import TeacherModel
from leader_core.teacher.tokens import split_by_length
from train.checkpoint import TeacherPosition, load_checkpoint, save_checkpoint
from train.config import TeacherTraining, rate_factor
from train.console import Report
from train.distributed import Processes, like, run_together, whole
from train.teacher.data import TeacherData, step_rows

PRIOR_CASES: Final = 256
"""Training cases whose mean state carries the head's first class frequencies."""
PULSE_SECONDS: Final = 60.0


@dataclass(slots=True)
class TeacherTrainer:
    """One run: a model, its data, its settings, and the file that its state is saved in."""

    model: TeacherModel
    train: TeacherData
    validation: TeacherData
    settings: TeacherTraining
    seed: int
    run: str  # identifies the run, so that only its own state is continued
    checkpoint: Path
    report: Report
    processes: Processes = field(default_factory=Processes)

    def fit(self, *, resume: bool) -> TeacherPosition:
        """Train to the end and leave the chosen weights in the model.

        Raises:
            TrainingError: at the first loss or gradient that is not finite.
            InputError: where the state to resume from is another run's.
        """
        trained = self.model.trained()
        optimizer = self._optimizer()
        progress, best = self._begin(trained, optimizer, resume)
        total = self.settings.total_steps(len(self.train))
        every = self.settings.steps_between_evaluations(len(self.train))
        validation = self._validation_subset()
        patience = self.settings.patience
        pulse = _Pulse(self.report, total)
        for _ in self.report.progress(
            range(progress.step, total), total=total - progress.step, label="training"
        ):
            if patience and progress.stale >= patience:
                self.report.line(f"stopped early: no improvement in {patience} evaluations")
                break
            pulse.start()
            self._set_rates(optimizer, progress.step, total)
            progress.loss_sum += self._step(optimizer, trained, progress.step)
            progress.loss_steps += 1
            progress.step += 1
            pulse.beat(progress, self.settings.batch_size)
            if progress.step % every == 0 or progress.step == total:
                best = self._evaluate(progress, best, validation, pulse.speed)
            if (
                progress.step % every == 0
                or progress.step % self.settings.save_every == 0
                or progress.step == total
            ):
                save_checkpoint(
                    self.checkpoint, progress, trained, optimizer, best, write=self.processes.main
                )
        if best and self.settings.selection == "best":
            with torch.no_grad():
                for name, weight in trained.items():
                    weight.copy_(like(best[name], weight))
        self.model.eval()
        return progress

    def _begin(
        self, trained: dict[str, torch.nn.Parameter], optimizer: AdamW, resume: bool
    ) -> tuple[TeacherPosition, dict[str, torch.Tensor]]:
        """Where to start: at the state that an earlier run left, or at the first step."""
        progress, best = TeacherPosition(self.run), dict[str, torch.Tensor]()
        continuing = resume and self.checkpoint.is_file()
        if continuing:
            progress, best = load_checkpoint(self.checkpoint, TeacherPosition, self.run, trained, optimizer)
            self.report.line(f"continuing at step {progress.step:,}")
        if not self.processes.agree(progress.step if continuing else -1):
            raise InputError(
                f"Not every process finds the same state in {self.checkpoint}. "
                "Put --out on a file system that all of them see."
            )
        if not continuing:
            if self.processes.main:
                self.checkpoint.unlink(missing_ok=True)
            if self.settings.head_prior:
                set_head_prior(self.model, self.train, self.processes)
        return progress, best

    def _optimizer(self) -> AdamW:
        groups: list[dict[str, Any]] = [
            {
                "params": [p for n, p in self.model.trained().items() if not n.startswith("head.")],
                "rate": "learning_rate",
            },
            {"params": [self.model.head.weight], "rate": "head_learning_rate"},
        ]
        return AdamW(groups, lr=self.settings.learning_rate, weight_decay=self.settings.weight_decay)

    def _set_rates(self, optimizer: AdamW, step: int, total: int) -> None:
        factor = rate_factor(step, total, self.settings.warmup, self.settings.schedule)
        for group in optimizer.param_groups:
            group["lr"] = getattr(self.settings, group["rate"]) * factor

    def _step(self, optimizer: AdamW, trained: dict[str, torch.nn.Parameter], step: int) -> float:
        """One optimiser step over `batch_size` cases, in as many passes as the token budget asks; its mean loss."""
        together = self.processes
        # LoRA's dropout, so that a continued run draws the same; each process its own
        torch.manual_seed(self.seed * 1_000_003 + step + 7_919_000_003 * together.rank)
        self.model.train()
        rows = step_rows(step, self.settings.batch_size, len(self.train), self.seed)
        scale = 1.0 / (
            len(rows) * self.train.truth.shape[1]
        )  # of the whole step, whichever process passes its cases
        own = rows[together.own(self.train.encoded.lengths[rows])]
        groups = split_by_length(self.train.encoded.lengths[own], self.settings.pass_tokens)
        number = together.passes(len(groups))
        loss_sum = torch.zeros((), dtype=torch.float64, device=self.model.head.weight.device)
        for group in groups:
            loss_sum += self._pass(own[group], scale)
        for _ in range(number - len(groups)):
            self._pass(rows[:1], 0.0)
        together.add_gradients(trained.values())
        loss = float(together.total(loss_sum))
        norm = float(whole(torch.nn.utils.clip_grad_norm_(trained.values(), self.settings.clip or math.inf)))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise TrainingError(self._not_finite(step, loss, norm))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss

    def _pass(self, rows: np.ndarray, scale: float) -> torch.Tensor:
        """Forward and backward over some cases; the sum of their losses, scaled."""
        device = self.model.head.weight.device
        ids, mask = self.train.encoded.batch(rows)
        truth = torch.from_numpy(self.train.truth[rows]).to(device, torch.float32)
        logits = self.model(ids.to(device), mask.to(device)).logits
        loss = binary_cross_entropy_with_logits(logits, truth, reduction="sum") * scale
        # spread weights get the mean of the processes' gradients, where their sum is meant
        (loss * self.processes.count if self.processes.sharded else loss).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _not_finite(self, step: int, loss: float, norm: float) -> str:
        """What happened, what to change, and what was saved."""
        what = f"loss {loss}" if not math.isfinite(loss) else f"gradient norm {norm} at loss {loss:.4g}"
        changes = [
            f"Lower teacher.training.learning_rate (now {self.settings.learning_rate:g}) and head_learning_rate "
            f"(now {self.settings.head_learning_rate:g})"
        ]
        if not self.settings.clip:
            changes.append("set teacher.training.clip to 1.0")
        if self.model.precision == "bf16":
            changes.append("set teacher.precision to 'fp32'")
        state = (
            f"The last good state is state in {self.checkpoint}"
            if self.checkpoint.is_file()
            else f"No state was saved yet (save_every = {self.settings.save_every})"
        )
        return f"Step {step + 1:,} is not finite: {what}. {', or '.join(changes)}. {state}."

    def _validation_subset(self) -> TeacherData:
        """What evaluations while training read of validation: all, or a seeded draw."""
        count = self.settings.validation_cases
        if not count or count >= len(self.validation):
            return self.validation
        drawn = np.random.default_rng((self.seed, 7)).permutation(len(self.validation))[:count]
        return self.validation.take(np.sort(drawn))

    def _evaluate(
        self, progress: TeacherPosition, best: dict[str, torch.Tensor], validation: TeacherData, speed: float
    ) -> dict[str, torch.Tensor]:
        """Score validation cases, add a row to the history, and give the best weights so far."""
        _, logits = run_together(self.model, validation.encoded, self.processes)
        score = mean_prauc(logits, validation.truth, validation.missed)
        truth = torch.from_numpy(validation.truth).float()
        loss = float(binary_cross_entropy_with_logits(torch.from_numpy(logits), truth))
        if not math.isfinite(loss):
            raise TrainingError(
                f"The validation loss at step {progress.step:,} is not finite. Lower teacher.training.learning_rate."
            )
        row = {
            "step": float(progress.step),
            "epoch": progress.step * self.settings.batch_size / len(self.train),
            "train_loss": progress.loss_sum / max(progress.loss_steps, 1),
            "validation_loss": loss,
            "validation_prauc": score,
        }
        progress.history.append(row)
        progress.loss_sum, progress.loss_steps = 0.0, 0
        self.report.line(
            f"step {progress.step:,}  epoch {row['epoch']:.2f}  loss {row['train_loss']:.4f}  "
            f"validation loss {loss:.4f}  PRAUC {score:.4f}  {speed:.1f} cases/s"
        )
        if score > progress.best_score:
            progress.best_score, progress.best_step, progress.stale = score, progress.step, 0
            return {
                name: whole(weight.detach()).cpu().clone() for name, weight in self.model.trained().items()
            }
        progress.stale += 1
        return best


class _Pulse:
    """A line per minute where no progress bar is drawn, and the speed of training."""

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._total = report, total
        self._silent = sys.stderr.isatty()  # a bar is drawn there
        self._seconds, self._cases = 0.0, 0
        self._began = self._said = time.perf_counter()

    @property
    def speed(self) -> float:
        """Training cases per second, evaluations and states left out."""
        return self._cases / max(self._seconds, 1e-9)

    def start(self) -> None:
        """A step begins."""
        self._began = time.perf_counter()

    def beat(self, progress: TeacherPosition, cases: int) -> None:
        """A step of so many cases has ended."""
        now = time.perf_counter()
        self._seconds, self._cases = self._seconds + now - self._began, self._cases + cases
        if now - self._said < PULSE_SECONDS or self._silent:
            return
        self._said = now
        left = (self._total - progress.step) * cases / self.speed
        self._report.line(
            f"step {progress.step:,} of {self._total:,}  loss {progress.loss_sum / progress.loss_steps:.4f}  "
            f"{self.speed:.1f} cases/s  about {left / 60:.0f} min left"
        )


@torch.no_grad()
def set_head_prior(model: TeacherModel, data: TeacherData, processes: Processes) -> None:
    """Add to the head what makes the mean state answer with each class's log odds in training.

    The head has no bias; without this it spends its first hundreds of steps learning how common each class is.
    """
    rows = np.linspace(0, len(data) - 1, min(PRIOR_CASES, len(data))).astype(np.int64)
    hidden, _ = run_together(model, data.encoded.take(rows), processes)
    mean = torch.from_numpy(hidden.mean(0))  # (H,)
    share = torch.from_numpy((data.truth.sum(0) + 0.5) / (len(data) + 1.0)).float()  # (M,)
    weight = torch.logit(share)[:, None] * mean[None, :] / mean.square().sum().clamp(min=1e-6)
    model.head.weight += like(weight, model.head.weight)
