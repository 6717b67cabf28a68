"""Training a teacher: what it learns, stopping and resuming, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from leader_core.errors import InputError, TrainingError
from leader_core.model_folder import read_manifest
from leader_core.teacher.config import TeacherConfig
from tests.teacher_fakes import TinyCohort, tiny_bert, tiny_llama
from tests.train.reports import LineReport
from train import checkpoint
from train.checkpoint import checkpoint_path
from train.config import TeacherTraining, load_settings, rate_factor
from train.console import Report
from train.teacher import loop
from train.teacher.data import step_rows
from train.teacher.run import train_teacher

COHORT = TinyCohort()


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("bert"))


def fit(
    base: Path,
    out: Path,
    *,
    resume: bool = False,
    seed: int = 1,
    cohort: Any = COHORT,
    report: Report | None = None,
    **options: Any,
) -> dict[str, Any]:
    config = TeacherConfig(base=str(base), max_tokens=96, lora_rank=4, lora_dropout=0.1)
    settings = {
        "steps": 12,
        "batch_size": 8,
        "learning_rate": 1e-2,
        "head_learning_rate": 1e-2,
        "save_every": 5,
    }
    training = TeacherTraining(**{**settings, **options})
    return train_teacher(
        cohort,
        out,
        config,
        training,
        preset="default",
        seed=seed,
        device="cpu",
        report=report or Report(quiet=True),
        resume=resume,
    )


@pytest.mark.parametrize("make", [tiny_bert, tiny_llama])
def test_it_learns_what_each_diagnosis_calls_for(tmp_path: Path, make: Any) -> None:
    result = fit(
        make(tmp_path / "base"),
        tmp_path / "out",
        cohort=TinyCohort(300),
        steps=120,
        batch_size=16,
        learning_rate=6e-3,
    )
    assert result["validation"]["prauc"] > 0.75
    manifest = read_manifest(tmp_path / "out", kind="teacher")
    assert manifest.history[-1]["validation_loss"] < manifest.history[0]["validation_loss"]
    assert manifest.base_model is not None and manifest.cohort.digest == "tiny-300-0"
    assert 0 < manifest.threshold < 1 and "Jaccard" in manifest.threshold_rule
    assert not checkpoint_path(tmp_path / "out").exists()


def test_a_killed_run_resumes_to_the_same_teacher(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(bert, tmp_path / "whole")
    for stop in (3, 11):
        out = tmp_path / f"stopped-{stop}"
        step = loop.TeacherTrainer._step

        def killed(
            self: Any, optimizer: Any, trained: Any, number: int, stop: int = stop, step: Any = step
        ) -> float:
            if number == stop:
                raise KeyboardInterrupt
            return step(self, optimizer, trained, number)

        monkeypatch.setattr(loop.TeacherTrainer, "_step", killed)
        with pytest.raises(KeyboardInterrupt):
            fit(bert, out)
        assert not out.exists()
        monkeypatch.setattr(loop.TeacherTrainer, "_step", step)
        resumed = fit(bert, out, resume=True)
        assert resumed["digest"] == whole["digest"]
        assert resumed["validation"] == whole["validation"]
        assert read_manifest(out).history == read_manifest(tmp_path / "whole").history


IN_PASSES: dict[str, Any] = {
    "steps": 17, "pass_tokens": 150, "gradient_checkpointing": True, "save_every": 3
}  # fmt: skip


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A base, and the digest of the teacher that an undisturbed run in several passes a step makes of it."""
    folder = tmp_path_factory.mktemp("llama")
    base = tiny_llama(folder / "base")
    return base, fit(base, folder / "whole", **IN_PASSES)["digest"]


@pytest.mark.parametrize("where", ["in a pass", "in a save"])
def test_a_run_killed_within_a_step_or_a_save_resumes_to_the_same_teacher(
    llama: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """In the second epoch, with gradients half accumulated or a state half written."""
    base, digest = llama
    if where == "in a pass":
        owner, name, left = loop.TeacherTrainer, "_pass", 50
    else:
        owner, name, left = checkpoint, "save_file", 5
    real = getattr(owner, name)

    def killed(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            if where == "in a save":
                Path(arguments[1]).write_bytes(b"half")
            raise KeyboardInterrupt
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, killed)
    with pytest.raises(KeyboardInterrupt):
        fit(base, tmp_path / "out", **IN_PASSES)
    monkeypatch.setattr(owner, name, real)
    message = LineReport()
    resumed = fit(base, tmp_path / "out", resume=True, report=message, **IN_PASSES)
    (step,) = [int(line.split()[-1]) for line in message.lines if line.startswith("continuing at step")]
    assert 11 < step < 17  # 11 and a half are an epoch
    assert resumed["digest"] == digest
    assert not list(tmp_path.glob("*partial*"))


def test_a_killed_run_leaves_the_earlier_teacher(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fit(bert, tmp_path / "out")

    def killed(*_: Any) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(loop.TeacherTrainer, "_step", killed)
    with pytest.raises(KeyboardInterrupt):
        fit(bert, tmp_path / "out", seed=2)
    assert read_manifest(tmp_path / "out", kind="teacher").digest == before["digest"]


def test_resuming_a_finished_run_keeps_it_and_another_one_is_refused(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = fit(bert, tmp_path / "out")
    created = read_manifest(tmp_path / "out").created_at
    state = checkpoint.checkpoint_path(tmp_path / "out")
    state.write_bytes(b"of a run that was killed in its last step")
    assert fit(bert, tmp_path / "out", resume=True) == done
    assert read_manifest(tmp_path / "out").created_at == created
    assert not state.exists()
    step = loop.TeacherTrainer._step

    def killed(self: Any, optimizer: Any, trained: Any, number: int) -> float:
        if number == 8:
            raise KeyboardInterrupt
        return step(self, optimizer, trained, number)

    monkeypatch.setattr(loop.TeacherTrainer, "_step", killed)
    with pytest.raises(KeyboardInterrupt):
        fit(bert, tmp_path / "other")
    monkeypatch.setattr(loop.TeacherTrainer, "_step", step)
    with pytest.raises(InputError, match="other settings"):
        fit(bert, tmp_path / "other", resume=True, seed=9)
    checkpoint_path(tmp_path / "other").write_bytes(b"broken")
    with pytest.raises(InputError, match="cannot be read"):
        fit(bert, tmp_path / "other", resume=True)
    assert fit(bert, tmp_path / "other")["digest"] == done["digest"]  # without --resume it starts again


def test_gradient_checkpointing_changes_memory_not_results(tmp_path: Path) -> None:
    llama = tiny_llama(tmp_path / "base")
    plain, saving = (
        fit(llama, tmp_path / str(on), steps=2, gradient_checkpointing=on)["validation"]["loss"]
        for on in (False, True)
    )
    assert saving == pytest.approx(plain, abs=1e-4)


def test_the_seed_decides(bert: Path, tmp_path: Path) -> None:
    first, again, other = (fit(bert, tmp_path / str(i), seed=s)["digest"] for i, s in enumerate((1, 1, 2)))
    assert first == again != other


def test_it_stops_at_the_first_loss_that_is_not_finite(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"Step \d+ is not finite.*learning_rate"):
        fit(bert, tmp_path / "out", learning_rate=1e20, head_learning_rate=1e30, clip=0.0)
    assert not (tmp_path / "out").exists()


def test_best_weights_are_kept_not_the_last(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter((0.5, 0.9, 0.4, 0.3))
    monkeypatch.setattr(loop, "mean_prauc", lambda *_: next(scores))
    rate = len(COHORT.cases("train", "all")) / 8 / 3  # evaluations at steps 3, 6, 9, 12
    best = fit(bert, tmp_path / "best", evaluations=rate)
    assert best["best_step"] == 6
    scores = iter((0.5, 0.9, 0.4, 0.3))
    last = fit(bert, tmp_path / "last", evaluations=rate, selection="last")
    assert last["digest"] != best["digest"]
    scores = iter((0.5, 0.9, 0.4, 0.3))
    fit(bert, tmp_path / "early", evaluations=rate, patience=1)
    assert len(read_manifest(tmp_path / "early").history) == 3


def test_head_prior_starts_at_the_class_frequencies(bert: Path, tmp_path: Path) -> None:
    fit(bert, tmp_path / "with", steps=1, learning_rate=1e-6, head_learning_rate=1e-6)
    fit(bert, tmp_path / "without", steps=1, learning_rate=1e-6, head_learning_rate=1e-6, head_prior=False)
    losses = [read_manifest(tmp_path / name).validation["loss"] for name in ("with", "without")]
    assert losses[0] < losses[1] - 0.01
    assert float(load_file(tmp_path / "without" / "model.safetensors")["head.weight"].std()) == pytest.approx(
        0.02, rel=0.3
    )


def test_batches_of_any_split_give_the_same_gradient(bert: Path, tmp_path: Path) -> None:
    digests = [fit(bert, tmp_path / str(n), pass_tokens=n, steps=3) for n in (100_000, 200)]
    first, second = (load_file(tmp_path / str(n) / "model.safetensors") for n in (100_000, 200))
    assert digests[0]["validation"]["prauc"] == pytest.approx(digests[1]["validation"]["prauc"], abs=0.05)
    assert torch.allclose(first["head.weight"], second["head.weight"], atol=2e-2)


def test_steps_go_through_every_case_once_an_epoch() -> None:
    rows = np.concatenate([step_rows(step, 8, 20, 3) for step in range(5)])
    assert sorted(rows[:20]) == sorted(rows[20:]) == list(range(20))
    assert list(rows[:20]) != list(rows[20:])
    assert len(step_rows(0, 50, 20, 3)) == 50


def test_rates_rise_then_fall() -> None:
    rates = [rate_factor(step, 100, 0.1, "linear") for step in range(100)]
    assert max(rates) == rates[10] == 1.0 and rates[:10] == sorted(rates[:10]) and 0 < rates[-1] < 0.02
    assert rate_factor(55, 100, 0.1, "cosine") == pytest.approx(0.5)
    assert rate_factor(99, 100, 0.0, "constant") == 1.0


def test_an_empty_split_is_named(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="validation"):
        fit(bert, tmp_path / "out", cohort=TinyCohort(5))


def test_settings_list_every_problem() -> None:
    with pytest.raises(InputError, match=r"batch_size.*learning_rate.*schedule"):
        TeacherTraining(batch_size=0, learning_rate=-1.0, schedule="sometimes")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"lora_rank.*prompt_version"):
        TeacherConfig(lora_rank=0, prompt_version="other")


def test_presets_load() -> None:
    default, paper = load_settings("default"), load_settings("paper")
    assert default.teacher.prompt_version == "leader-2" and paper.teacher.prompt_version == "paper-1"
    assert (paper.teacher.lora_rank, paper.teacher.lora_alpha, paper.teacher_training.learning_rate) == (
        8,
        32.0,
        2e-4,
    )
    assert paper.teacher_training.steps * paper.teacher_training.batch_size == 96_000
    assert json.dumps(paper.teacher.to_json())
