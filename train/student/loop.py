"""The student's training: Adam until validation PRAUC stops rising, the best epoch's weights, resumable after any epoch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from leader_core.domain import KINDS
from leader_core.errors import TrainingError
from leader_core.evaluation.calibration import Calibration, fit_calibration
from leader_core.evaluation.class_evidence import Evidence
from leader_core.evaluation.metrics import CHOSEN_ON_VALIDATION, choose_threshold, evaluate
from leader_core.model_folder import BaseModel, Manifest
from leader_core.scorer import resolve_device
from leader_core.student.config import StudentConfig
from leader_core.student.encode import EncodedCases, Encoder
from leader_core.student.model import Student
from leader_core.student.packing import pack
from leader_core.student.scorer import build_student, predict, save_student
from leader_core.student.titles import TitleEncoder, TitleVectors
from leader_core.teacher.config import DEFAULT_BASE
from train.checkpoint import StudentPosition, checkpoint_path, load_checkpoint, save_checkpoint
from train.config import StudentTraining, rate_factor
from train.console import Report
from train.evaluation.inputs import Labels, groups_of
from train.student.augmentation import Augmentation
from train.student.data import StudentData, fields_read
from train.student.objective import Batch, Losses, optimizer_of
from train.student.weights import (
    fill_unseen_rows,
    finish_linear,
    linear_rows,
    set_usual_time,
    start_at_frequencies,
)

RULES: Final = {
    "validation": CHOSEN_ON_VALIDATION,
    "fixed": "fixed beforehand, not tuned",
}


class StudentTrainer:
    """One run: data encoded once, the modules, the optimiser and the position."""

    def __init__(
        self,
        data: StudentData,
        config: StudentConfig,
        training: StudentTraining,
        *,
        seed: int,
        device: str,
        report: Report,
        vectors: TitleVectors | None = None,
    ) -> None:
        self.data, self.training, self.seed, self.report = data, training, seed, report
        self.device = resolve_device(device)
        self.config, absent = fields_read(config, data.vocabularies)
        if absent:
            report.line(f"Profile fields that this cohort does not record are left out: {', '.join(absent)}")
        self.vectors = None
        if self.config.code_text:
            self.vectors = vectors or TitleEncoder(DEFAULT_BASE)
            self.config = dataclasses.replace(self.config, text_width=self.vectors.width)
        self.encoder = Encoder(self.config, data.vocabularies)
        self.encoded: EncodedCases = self.encoder.columns(data.train)
        self.validation: EncodedCases = self.encoder.columns(data.validation)
        self.labels = Labels.of(data.validation, data.vocabularies.medication)
        self.augmentation = Augmentation(self.encoded, self.encoder, training)
        self.read = self.encoded  # what the present epoch reads of the training cases
        linear = None
        if self.config.linear:
            linear = linear_rows(self.encoded, self.encoder, training)
            last = max(int(rows.max()) for rows in linear if rows is not None)
            self.config = dataclasses.replace(self.config, linear_columns=last)
        self._report_truncation()
        torch.manual_seed(seed)
        student = build_student(self.config, data.vocabularies)
        if self.vectors is not None:
            self._start_from_titles(student, self.vectors)
        if training.head_prior:
            start_at_frequencies(student, self.encoded)
        if student.linear is not None and linear is not None:
            for buffer, rows in zip((student.linear.row, student.linear.category), linear, strict=True):
                if buffer is not None:
                    buffer.copy_(torch.from_numpy(rows))
            student.linear.dropout = training.linear_dropout
        if student.carry_over is not None:
            set_usual_time(student.carry_over, self.encoded.days)
        self.guidance = data.guidance
        if self.guidance is not None and training.standardise_states:
            self.guidance = self.guidance.standardised()
        self.losses = Losses(student, training, data.guidance.width if data.guidance else None).to(
            self.device
        )
        self.optimizer = optimizer_of(self.losses, training)
        self.progress = StudentPosition(run=self._identity())
        self.best: dict[str, Tensor] = {}

    @property
    def student(self) -> Student:
        return self.losses.student

    @property
    def distilled(self) -> bool:
        """Whether a teacher's states or probabilities are targets."""
        probabilities = self.guidance is not None and self.training.probabilities > 0
        return self.losses.distillation is not None or probabilities

    def fit(self, path: Path, *, resume: bool) -> None:
        """Train from the beginning, or from the state at `path`, until patience or epochs run out."""
        if resume and path.is_file():
            self.progress, self.best = load_checkpoint(
                path, StudentPosition, self.progress.run, self._trained(), self.optimizer
            )
            self.report.line(
                f"continuing after epoch {self.progress.epoch} of at most {self.training.epochs}"
            )
        elif resume:
            self.report.line("nothing to continue: training from the beginning")
        while self.progress.epoch < self.training.epochs and not self._patience_over():
            self._epoch()
            save_checkpoint(path, self.progress, self._trained(), self.optimizer, self.best)
        self.student.load_state_dict(self.best)
        fill_unseen_rows(self.student, self.encoded.profile)
        if self.vectors is not None:
            self._fold_titles(self.vectors)
        if self.student.linear is not None:
            finish_linear(self.student.linear, self.encoded, self.student.codes.weight)

    def _trained(self) -> dict[str, nn.Parameter]:
        return dict(self.losses.named_parameters())

    def _report_truncation(self) -> None:
        for name, encoded in (("training", self.encoded), ("validation", self.validation)):
            truncation = cut_record(encoded)
            self.report.line(
                f"{truncation['truncated_cases']:,} of {len(encoded):,} {name} cases are not read whole: "
                f"{truncation['truncated_visits']:,} have more than {self.config.max_visits} visits, "
                f"{truncation['truncated_codes']:,} a visit of more than {self.config.max_codes} codes of a kind"
            )

    def _start_from_titles(self, student: Student, vectors: TitleVectors) -> None:
        """Begin with the embeddings of the vocabulary's titles."""
        titles = self.data.titles or (lambda kind, code: None)
        titled_codes = {
            self.encoder.layout.offset(kind) + i: title
            for kind in KINDS
            for i, code in enumerate(self.data.vocabularies.of(kind))
            if (title := titles(kind, code))
        }
        if not titled_codes:
            raise TrainingError(
                "code_text needs titles, and no code of this cohort has one. Set code_text = false."
            )
        self.report.line(f"reading the titles of {len(titled_codes):,} codes")
        table = torch.zeros(self.encoder.layout.size, vectors.width)
        tokens = torch.tensor(list(titled_codes))
        table[tokens] = torch.from_numpy(vectors.encode(list(titled_codes.values())))
        titled = torch.zeros(len(table), dtype=torch.bool)
        titled[tokens] = True
        student.start_from_titles(table, titled)

    def _fold_titles(self, vectors: TitleVectors) -> None:
        """Store the embeddings as they are read, and read the validation cases' unseen codes by their titles."""
        self.student.fold_titles()
        titles = self.data.titles or (lambda kind, code: None)
        unseen = {
            (kind, code): title
            for kind in KINDS
            for own in self.data.validation.codes[kind].table
            for code in self.data.vocabularies.of(kind).unseen(self.encoder.reading.of(kind, own))
            if (title := titles(kind, code))
        }
        if unseen:
            first = self.student.add_codes(torch.from_numpy(vectors.encode(list(unseen.values()))))
            self.encoder.added.update({key: first + i for i, key in enumerate(unseen)})
            self.validation = self.encoder.columns(self.data.validation)

    def _patience_over(self) -> bool:
        return self.progress.epoch - self.progress.best_epoch >= self.training.patience

    def _epoch(self) -> None:
        """One pass over the training cases, then validation."""
        began = time.perf_counter()
        epoch = self.progress.epoch + 1
        torch.manual_seed(self.seed * 100_003 + epoch)
        rng = np.random.default_rng((self.seed, epoch))
        order = rng.permutation(len(self.encoded))
        self.read = self.augmentation.draw(rng)
        self.losses.train()
        totals: dict[str, float] = {}
        size = self.training.batch_size
        starts = range(0, len(order), size)
        done, total = self.progress.epoch * len(starts), self.training.epochs * len(starts)
        for step, start in enumerate(self.report.progress(starts, label=f"epoch {epoch}"), done):
            factor = rate_factor(step, total, self.training.warmup, self.training.schedule)
            for group in self.optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor
            rows = order[start : start + size]
            for name, value in self._step(rows, epoch).items():
                totals[name] = totals.get(name, 0.0) + value * len(rows)
        spent = time.perf_counter() - began
        score = self.prauc()
        row = {name: value / len(order) for name, value in totals.items()}
        self.progress.history.append(
            {"epoch": float(epoch), **row, "prauc": score, "seconds": round(spent, 3)}
        )
        self.progress.epoch = epoch
        better = score > self.progress.best_score
        if better:
            self.progress.best_score, self.progress.best_epoch = score, epoch
            self.best = {name: value.detach().clone() for name, value in self.student.state_dict().items()}
        self.report.line(
            f"epoch {epoch}: loss {row['loss']:.4f}, validation PRAUC {score:.4f}{' (best)' if better else ''}, "
            f"{1000 * spent / len(order):.2f} ms a case"
        )
        self.report.epoch(self.progress.history[-1], self.training.epochs)

    def _step(self, rows: np.ndarray, epoch: int) -> dict[str, float]:
        """One optimiser step; the losses as numbers."""
        parts = self.losses(self.batch(rows))
        values = {name: part.item() for name, part in parts.items()}
        if not math.isfinite(values["loss"]):
            detail = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
            raise TrainingError(
                f"The loss became {values['loss']} in epoch {epoch} ({detail}). Lower learning_rate (now "
                f"{self.training.learning_rate}) or, where distillation is not finite, make the teacher states again."
            )
        self.optimizer.zero_grad(set_to_none=True)
        parts["loss"].backward()
        self.optimizer.step()
        return values

    def batch(self, rows: np.ndarray) -> Batch:
        """Pack some training cases."""
        truth = self.encoded.labels(rows, len(self.data.vocabularies.medication)).astype(np.float32)
        guided, hidden, probabilities = np.zeros(0, np.int64), None, None
        if self.guidance is not None:
            guided, states = self.guidance.of(rows)
            if self.losses.distillation is not None:
                hidden = torch.from_numpy(states).to(self.device)
            if self.training.probabilities > 0:
                probabilities = torch.from_numpy(self.guidance.probabilities(rows)).to(self.device)
        return Batch(
            pack(self.read, rows, with_labels=self.losses.alignment is not None),
            torch.from_numpy(truth).to(self.device),
            torch.from_numpy(guided).to(self.device),
            hidden,
            probabilities,
        )

    def validation_scores(self) -> np.ndarray:
        """(N, M) probabilities of the validation cases."""
        self.student.eval()
        return predict(self.student, self.validation, np.arange(len(self.validation)))

    def prauc(self) -> float:
        """Validation PRAUC of the weights as they stand."""
        return self.labels.mean_prauc(self.validation_scores())

    def _identity(self) -> str:
        """What must be equal for a run to be continued."""
        record = {
            "config": self.config.to_json(),
            "training": dataclasses.asdict(self.training),
            "seed": self.seed,
            "cohort": self.data.fingerprint.digest,
            "teacher": self.data.guidance.teacher_digest if self.data.guidance else "",
            "device": self.device.type,
        }
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def cut_record(encoded: EncodedCases) -> dict[str, int]:
    """How many training cases are not read whole, and why."""
    return {
        "truncated_cases": int(encoded.truncated.sum()),
        "truncated_visits": int(encoded.visits_cut.sum()),
        "truncated_codes": int(encoded.codes_cut.sum()),
    }


def train_student(
    data: StudentData,
    config: StudentConfig,
    training: StudentTraining,
    out: Path,
    *,
    preset: str,
    seed: int,
    device: str = "auto",
    resume: bool = False,
    interactions: np.ndarray | None = None,
    report: Report | None = None,
    vectors: TitleVectors | None = None,
) -> Manifest:
    """Train, choose the threshold, and write the model folder; an earlier model stays until then.

    Args:
        interactions: (M, M) statistical interactions of the medication vocabulary, for the validation table.
        vectors: what titles are read with, where the configuration asks for it; by default the MiniLM encoder.

    Raises:
        TrainingError: the loss is not finite any more.
        InputError: `resume` finds the state of another run.
    """
    trainer = StudentTrainer(
        data,
        config,
        training,
        seed=seed,
        device=device,
        report=report or Report(quiet=True),
        vectors=vectors,
    )
    state = checkpoint_path(out)
    trainer.fit(state, resume=resume)
    scores, calibration, threshold = judge(trainer, training)
    labels = trainer.labels
    manifest = Manifest(
        kind="student",
        preset=preset,
        threshold=threshold,
        threshold_rule=RULES[training.threshold_rule],
        cohort=data.fingerprint,
        settings={
            **dataclasses.asdict(training),
            **trainer.config.to_json(),
            "seed": seed,
            "distilled": trainer.distilled,
            **({"distilled_cases": data.guidance.cases} if data.guidance and trainer.distilled else {}),
            "best_epoch": trainer.progress.best_epoch,
            "training_cases": len(trainer.encoded),
            **cut_record(trainer.encoded),
        },
        validation=validation_table(scores, labels, threshold, data, interactions, seed),
        teacher_digest=data.guidance.teacher_digest if data.guidance and trainer.distilled else "",
        base_model=BaseModel(trainer.vectors.id, trainer.vectors.sha256) if trainer.vectors else None,
        history=tuple(trainer.progress.history),
        calibration=calibration,
    )
    vocabularies, weights = data.vocabularies, trainer.student.state_dict()
    counted = Evidence.of(vocabularies.medication.codes, scores, labels.truth, calibrated=bool(calibration))
    save_student(out, manifest, trainer.config, vocabularies, weights, counted, data.shares)
    state.unlink(missing_ok=True)
    return manifest


def judge(trainer: StudentTrainer, training: StudentTraining) -> tuple[np.ndarray, Calibration | None, float]:
    """(N, M) scores of the validation cases as the student is to give them, its calibration if any, and its cut-off."""
    scores, labels, calibration = trainer.validation_scores(), trainer.labels, None
    if training.calibrate:
        calibration = fit_calibration(scores, labels.truth, missed=labels.missed)
        scores = calibration.apply(scores)
    fixed = training.threshold_rule == "fixed"
    threshold = training.threshold if fixed else choose_threshold(scores, labels.truth, missed=labels.missed)
    return scores, calibration, threshold


def validation_table(
    scores: np.ndarray,
    labels: Labels,
    threshold: float,
    data: StudentData,
    interactions: np.ndarray | None,
    seed: int,
) -> Mapping[str, Any]:
    """The metrics of the validation split, group by group."""
    groups = evaluate(
        labels.widen(scores),
        labels.wide_truth,
        threshold,
        labels.widen_table(interactions),
        groups_of(data.validation),
        known=labels.known,
        patients=data.validation.patient_ids,
        seed=seed,
    )
    return {name: group.to_json() for name, group in groups.items()}
