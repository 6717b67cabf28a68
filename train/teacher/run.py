"""One teacher, from cohort to model folder: base, prompts, training, threshold, sealed artefact."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from leader_core.errors import InputError, LeaderError
from leader_core.evaluation.metrics import case_metrics, choose_threshold, mean_prauc
from leader_core.files import write_json
from leader_core.interactions.shares import write_shares
from leader_core.model_folder import BaseModel, Manifest, read_manifest, writing_model
from leader_core.teacher.base import find_base
from leader_core.teacher.config import TeacherConfig
from leader_core.teacher.model import TeacherModel, adapter_state, build_model, save_adapter
from leader_core.teacher.scorer import TeacherReader, fit_to_base
from leader_core.vocabulary import Vocabularies
from train.checkpoint import TeacherPosition, checkpoint_path
from train.config import TeacherTraining
from train.console import Report
from train.distributed import Processes, run_together
from train.teacher.data import TeacherData, prepare
from train.teacher.loop import TeacherTrainer

if TYPE_CHECKING:
    from leader_core.cohort import Cohort


def train_teacher(
    cohort: Cohort,
    out: Path,
    config: TeacherConfig,
    training: TeacherTraining,
    *,
    preset: str,
    seed: int,
    device: str,
    report: Report,
    resume: bool = False,
    allow_download: bool = False,
    processes: Processes | None = None,
) -> dict[str, Any]:
    """Train a teacher and write its folder; what was written, as plain values.

    With `resume`, a run that was stopped continues where its last state lies, and a finished one is left as it is.
    `processes` are those that train it together; each calls this with the same arguments, and one of them writes.

    Raises:
        LeaderError: bad settings, base or cohort, or training that cannot go on.
    """
    processes = processes or Processes()
    target = processes.device(device)
    files = find_base(config.base, allow_download=allow_download)
    requested, config = config, fit_to_base(config, files)
    if config != requested:
        report.line(f"prompt limit {config.max_tokens} tokens: the base {files.id} reads no more")
    run = _run_key(config, training, seed, cohort.fingerprint.digest, files.sha256)
    if resume and (finished := _finished(out, run)):
        report.line(f"{out} is complete already: nothing to resume")
        checkpoint_path(out).unlink(missing_ok=True)  # of a run that was killed in its last step
        return _result(out, finished)
    vocabularies = Vocabularies.of_training(cohort, equivalence=config.equivalence)
    reader = TeacherReader(files, config, cohort.title, vocabularies.diagnosis)
    train = prepare(cohort, "train", training.targets, reader, vocabularies.medication)
    validation = prepare(cohort, "validation", "last", reader, vocabularies.medication)
    torch.manual_seed(seed)
    size, whole = len(vocabularies.medication), not processes.sharded
    model = build_model(files, config, size, target, config.precision, move_to_device=whole)
    if training.gradient_checkpointing:
        save_activations(model)
    _describe(report, train, validation, model, training)
    model = processes.spread(model)
    checkpoint = checkpoint_path(out)
    trainer = TeacherTrainer(model, train, validation, training, seed, run, checkpoint, report, processes)
    progress = trainer.fit(resume=resume)
    threshold, rule, metrics = _validate(model, validation, training, processes)
    manifest = Manifest(
        kind="teacher",
        preset=preset,
        threshold=threshold,
        threshold_rule=rule,
        cohort=cohort.fingerprint,
        settings=_record(config, training, seed, run, progress, train),
        validation=metrics,
        prompt_version=config.prompt_version,
        base_model=BaseModel(str(files.folder) if Path(files.id).is_dir() else files.id, files.sha256),
        history=tuple(progress.history),
    )
    weights = adapter_state(model)
    if processes.main:
        with writing_model(out, manifest) as folder:
            save_adapter(weights, folder / "model.safetensors")
            write_json(folder / "config.json", config.to_json())
            write_json(folder / "vocabulary.json", vocabularies.to_json())
            write_shares(folder, cohort.drug_shares())
        checkpoint.unlink(missing_ok=True)
    processes.wait()
    return _result(out, read_manifest(out, kind="teacher"))


def save_activations(model: TeacherModel) -> None:
    """Gradient checkpointing: keep each layer's input only, and compute the rest again on the way back.

    Raises:
        InputError: a base whose network cannot do that.
    """
    body: Any = model.body
    try:
        body.activation_checkpointing_enable()
    except ValueError as error:
        raise InputError(
            f"teacher.training.gradient_checkpointing = true: the base's network ({body.config.model_type}) cannot do "
            "that. Set it to false."
        ) from error
    body.enable_input_require_grads()


def _record(
    config: TeacherConfig,
    training: TeacherTraining,
    seed: int,
    run: str,
    progress: TeacherPosition,
    train: TeacherData,
) -> dict[str, Any]:
    """The settings as run, and what became of them."""
    return {
        "teacher": dataclasses.asdict(config),
        "training": dataclasses.asdict(training),
        "seed": seed,
        "run": run,
        "steps": progress.step,
        "best_step": progress.best_step if training.selection == "best" else progress.step,
        "training_cases": len(train),
        "truncated_training_prompts": int(train.encoded.truncated.sum()),
    }


def _run_key(config: TeacherConfig, training: TeacherTraining, seed: int, cohort: str, base: str) -> str:
    """Identifies a run: two runs with equal keys give the same teacher."""
    schedule = {k: v for k, v in dataclasses.asdict(training).items() if k != "save_every"}
    record = [config.identity(), schedule, seed, cohort, base]
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _finished(out: Path, run: str) -> Manifest | None:
    """The manifest of a complete folder that this very run would write."""
    try:
        manifest = read_manifest(out, kind="teacher")
    except LeaderError:
        return None
    return manifest if manifest.settings.get("run") == run else None


def _describe(
    report: Report,
    train: TeacherData,
    validation: TeacherData,
    model: TeacherModel,
    training: TeacherTraining,
) -> None:
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    lengths, truncated = train.encoded.lengths, int(train.encoded.truncated.sum())
    report.line(
        f"{len(train):,} training cases ({training.targets} visits), {len(validation):,} validation cases, "
        f"{train.truth.shape[1]} medication classes; {trained:,} trained weights; "
        f"{training.total_steps(len(train)):,} steps of {training.batch_size}"
    )
    report.line(
        f"prompts: {lengths.mean():.0f} tokens on average, {int(np.percentile(lengths, 95))} at the 95th percentile, "
        f"{lengths.max()} at most; {truncated:,} ({truncated / len(train):.1%}) cut to fit"
    )


def _validate(
    model: TeacherModel, validation: TeacherData, training: TeacherTraining, processes: Processes
) -> tuple[float, str, dict[str, Any]]:
    """Threshold, the rule it came from, and metrics on the whole of validation."""
    _, logits = run_together(model, validation.encoded, processes)
    probabilities = torch.sigmoid(torch.from_numpy(logits)).numpy()
    if training.threshold:
        threshold, rule = training.threshold, "fixed by the configuration"
    else:
        threshold = choose_threshold(probabilities, validation.truth, missed=validation.missed)
        rule = "highest mean Jaccard on validation"
    per_case = case_metrics(probabilities, validation.truth, threshold, None)
    metrics = {
        "cases": len(validation),
        "prauc": mean_prauc(logits, validation.truth, validation.missed),
        "jaccard": float(per_case.jaccard.mean()),
        "f1": float(per_case.f1.mean()),
        "medications": float(per_case.medications.mean()),
        "loss": float(
            torch.nn.functional.binary_cross_entropy_with_logits(
                torch.from_numpy(logits), torch.from_numpy(validation.truth).float()
            )
        ),
    }
    return threshold, rule, metrics


def _result(out: Path, manifest: Manifest) -> dict[str, Any]:
    return {
        "out": str(out),
        "validation": dict(manifest.validation),
        "threshold": manifest.threshold,
        "best_step": manifest.settings["best_step"],
        "digest": manifest.digest,
    }
