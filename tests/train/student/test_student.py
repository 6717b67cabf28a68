"""Training the student: it learns, resumes to the same weights, leaves an earlier model alone, says what is wrong."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from leader_core.errors import ArtifactError, InputError, TrainingError
from leader_core.scorer import score_columns
from leader_core.student.config import StudentConfig
from leader_core.student.scorer import StudentScorer
from tests.hospital import Hospital
from train.checkpoint import checkpoint_path
from train.config import StudentTraining
from train.console import ProgressFile, Report
from train.student import loop
from train.student.data import StudentData
from train.teacher.states import TeacherStates

HOSPITAL = Hospital(120)
CONFIG = StudentConfig(profile_fields=("insurance", "gender"), dropout=0.1)
QUICK = StudentTraining(batch_size=16, epochs=3, learning_rate=2e-3, threshold_rule="validation")


def train(out: Path, training: StudentTraining = QUICK, data: StudentData | None = None, **rest: Any) -> Any:
    data = data or StudentData.of(HOSPITAL, training.targets)  # type: ignore[arg-type]
    return loop.train_student(data, CONFIG, training, out, preset="test", seed=5, device="cpu", **rest)


def states(visits: list[int] | None = None, *, digest: str = "", width: int = 9) -> TeacherStates:
    """A state for each of some visits, or for all."""
    cases = [c for c in HOSPITAL.cases("all", "all") if visits is None or c.current.visit_id in visits]
    ids = np.array([c.current.visit_id for c in cases], np.int64)
    random = np.random.default_rng(0)
    hidden = random.normal(size=(len(ids), width)).astype(np.float32)
    order = np.argsort(ids)
    logits = np.zeros((len(ids), 2), np.float32)
    return TeacherStates(
        ids[order], hidden[order], logits, ("A", "B"), "t" * 64, digest or HOSPITAL.fingerprint.digest
    )


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the quick settings, to compare others with."""
    folder = tmp_path_factory.mktemp("plain") / "model"
    train(folder)
    return folder


def test_it_learns_and_its_folder_records_how(tmp_path: Path) -> None:
    manifest = train(tmp_path / "model", dataclasses.replace(QUICK, epochs=6))
    scores = [row["prauc"] for row in manifest.history]
    assert max(scores) > scores[0] + 0.02
    assert manifest.settings["best_epoch"] == 1 + int(np.argmax(scores))
    assert manifest.teacher_digest == ""
    assert manifest.threshold_rule.startswith("chosen on validation")
    assert manifest.cohort == HOSPITAL.fingerprint
    scorer = StudentScorer.load(tmp_path / "model", "cpu")
    result = score_columns(scorer, HOSPITAL.columns("validation"))
    np.testing.assert_allclose(result, scorer.score(HOSPITAL.cases("validation")).probabilities, atol=1e-5)
    assert scorer.profile_read == ("insurance", "gender")
    assert manifest.validation["overall"]["prauc"]["value"] == pytest.approx(max(scores), abs=0.01)
    assert not checkpoint_path(tmp_path / "model").exists()
    assert not [name for name in weights(tmp_path / "model") if "projector" in name or "of_profile" in name]


def test_the_same_seed_gives_the_same_model(plain: Path, tmp_path: Path) -> None:
    train(tmp_path / "again")
    one, other = weights(plain), weights(tmp_path / "again")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_killed_run_leaves_the_earlier_model_and_resumes_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = dataclasses.replace(QUICK, schedule="cosine", warmup=0.1)  # the rate depends on the step
    out, straight = tmp_path / "model", tmp_path / "straight"
    data = dataclasses.replace(StudentData.of(HOSPITAL, "last", states()))  # type: ignore[arg-type]
    train(out, dataclasses.replace(QUICK, epochs=1))
    earlier = weights(out)
    saved = loop.save_checkpoint
    count = 0

    def stop_after_two(*args: Any) -> None:
        nonlocal count
        saved(*args)
        count += 1
        if count == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_checkpoint", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        train(out, training, data)
    assert all(torch.equal(earlier[k], v) for k, v in weights(out).items())
    monkeypatch.setattr(loop, "save_checkpoint", saved)
    resumed = train(out, training, data, resume=True)
    whole = train(straight, training, data)
    assert [r["epoch"] for r in resumed.history] == [1, 2, 3]
    assert [r["loss"] for r in resumed.history] == [r["loss"] for r in whole.history]
    one, other = weights(out), weights(straight)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert resumed.threshold == whole.threshold


def test_the_schedule_changes_what_is_learned(plain: Path, tmp_path: Path) -> None:
    train(tmp_path / "cosine", dataclasses.replace(QUICK, schedule="cosine"))
    one, other = weights(plain), weights(tmp_path / "cosine")
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_the_state_of_another_run_is_not_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*args: Any) -> None:
        saved(*args)
        raise KeyboardInterrupt

    saved = loop.save_checkpoint
    monkeypatch.setattr(loop, "save_checkpoint", stop)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "model")
    with pytest.raises(InputError, match="other settings"):
        train(tmp_path / "model", dataclasses.replace(QUICK, learning_rate=1e-4), resume=True)


def test_distillation_reaches_the_student_and_names_its_teacher(plain: Path, tmp_path: Path) -> None:
    data = StudentData.of(HOSPITAL, "last", states())  # type: ignore[arg-type]
    manifest = train(tmp_path / "distilled", data=data)
    assert manifest.teacher_digest == "t" * 64
    assert manifest.settings["distilled"]
    losses = [row["distillation"] for row in manifest.history]
    assert losses[-1] < losses[0]
    assert not torch.equal(
        weights(tmp_path / "distilled")["head_in.weight"], weights(plain)["head_in.weight"]
    )


def test_states_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="another cohort"):
        StudentData.of(HOSPITAL, "last", states(digest="x" * 64))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no teacher states"):
        StudentData.of(HOSPITAL, "last", states(visits=[101]))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="No training case"):
        StudentData.of(HOSPITAL, "all", states(visits=[]))  # type: ignore[arg-type]


def test_where_every_visit_teaches_those_without_a_state_learn_without_one(tmp_path: Path) -> None:
    last = [c.current.visit_id for c in HOSPITAL.cases("all", "last")]
    data = StudentData.of(HOSPITAL, "all", states(visits=last))  # type: ignore[arg-type]
    assert data.guidance is not None
    assert 0 < (data.guidance.rows < 0).sum() < len(data.train)
    manifest = train(tmp_path / "model", dataclasses.replace(QUICK, targets="all", epochs=1), data=data)
    assert manifest.settings["training_cases"] == len(HOSPITAL.cases("train", "all"))


def test_a_loss_that_is_not_finite_stops_with_words(tmp_path: Path) -> None:
    broken = states()
    broken.hidden[:] = np.nan
    data = StudentData.of(HOSPITAL, "last", broken)  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match="loss became nan in epoch 1"):
        train(tmp_path / "model", data=data)
    assert not (tmp_path / "model").exists()


def test_patience_ends_training_and_the_best_epoch_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.5, 0.6, 0.6, 0.55, 0.9])  # a tie is no improvement
    monkeypatch.setattr(loop.StudentTrainer, "prauc", lambda self: next(scores))
    manifest = train(tmp_path / "model", dataclasses.replace(QUICK, epochs=50, patience=2))
    assert len(manifest.history) == 4
    assert manifest.settings["best_epoch"] == 2


def test_a_batch_of_one_left_over_trains(tmp_path: Path) -> None:
    data = StudentData.of(HOSPITAL, "last")  # type: ignore[arg-type]
    size = len(data.train) - 1
    assert train(tmp_path / "model", dataclasses.replace(QUICK, batch_size=size, epochs=1)).history


def test_values_unseen_in_training_get_the_average_row(plain: Path) -> None:
    data = StudentData.of(HOSPITAL, "last")  # type: ignore[arg-type]
    table = weights(plain)["profile.1.weight"]
    values, counts = np.unique(data.train.profile["gender"].astype(str), return_counts=True)
    assert values.tolist() == ["F", "M"]
    expected = (table[1] * counts[0] + table[2] * counts[1]) / counts.sum()
    torch.testing.assert_close(table[0], expected)


def test_a_damaged_or_foreign_folder_is_refused(plain: Path, tmp_path: Path) -> None:
    shutil.copytree(plain, tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"model\.safetensors was changed"):
        StudentScorer.load(tmp_path / "model")


def test_importing_the_configuration_loads_no_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys, leader_core.student.config, leader_core.student.encode, train.config, train.commands.student;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("tau", 0.0),
        ("alpha", -1.0),
        ("threshold", 2.0),
        ("alignment", "x"),
    ],
)
def test_wrong_training_settings_are_named(field: str, value: Any) -> None:
    with pytest.raises(InputError, match=field):
        StudentTraining(**{field: value})


def test_training_can_start_at_the_class_frequencies() -> None:
    data = StudentData.of(HOSPITAL, "last")  # type: ignore[arg-type]
    settings = dataclasses.replace(QUICK, head_prior=True)
    trainer = loop.StudentTrainer(data, CONFIG, settings, seed=1, device="cpu", report=Report(quiet=True))
    with torch.no_grad():
        trainer.student.head_out.weight.zero_()
    shares = trainer.encoded.labels(np.arange(len(data.train)), len(data.vocabularies.medication)).mean(0)
    np.testing.assert_allclose(trainer.validation_scores()[0], shares, atol=0.01)


def test_states_can_be_standardised_over_the_training_cases() -> None:
    result = states()
    result.hidden[:] = result.hidden * 50 + 7
    data = StudentData.of(HOSPITAL, "last", result)  # type: ignore[arg-type]
    assert data.guidance is not None
    there, hidden = data.guidance.standardised().of(np.arange(len(data.train)))
    assert len(there) == len(data.train)
    np.testing.assert_allclose(hidden.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(hidden.std(0), 1, atol=1e-4)
    _, raw = data.guidance.of(np.arange(3))
    np.testing.assert_array_equal(raw, result.hidden[result.rows(data.train.visit_ids[:3])])


def test_another_program_can_follow_a_training(tmp_path: Path) -> None:
    """Every epoch appears as it ends, with its metrics and a time left that falls to nothing."""
    report = ProgressFile(tmp_path / "progress.jsonl", quiet=True)
    manifest = train(tmp_path / "model", report=report)
    rows = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    epochs = [row for row in rows if row["event"] == "epoch"]
    assert [row["epoch"] for row in epochs] == [1, 2, 3]
    assert {row["of"] for row in epochs} == {3}
    assert [row["prauc"] for row in epochs] == [row["prauc"] for row in manifest.history]
    assert epochs[0]["seconds_left"] > epochs[1]["seconds_left"] > epochs[2]["seconds_left"] == 0


def test_a_pass_reports_its_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.console.EVERY", 0.0)
    report = ProgressFile(tmp_path / "deep" / "progress.jsonl", quiet=True)
    assert list(report.progress(range(3), label="epoch 1")) == [0, 1, 2]
    rows = [json.loads(line) for line in (tmp_path / "deep" / "progress.jsonl").read_text().splitlines()]
    assert [(row["label"], row["done"], row["of"]) for row in rows] == [("epoch 1", n, 3) for n in (1, 2, 3)]


def test_progress_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        ProgressFile(tmp_path / "file" / "progress.jsonl")
