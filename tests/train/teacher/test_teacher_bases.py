"""Every kind of base trains alike: encoders and decoders, padding on either side or without a token for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from leader_core.errors import ArtifactError, InputError, TrainingError
from leader_core.teacher.base import find_base
from leader_core.teacher.config import TeacherConfig
from leader_core.teacher.model import (
    TeacherModel,
    adapter_state,
    build_model,
    quantised,
    read_adapter,
    resolve_precision,
    restore_adapter,
    save_adapter,
)
from leader_core.teacher.scorer import TeacherReader, run_batches
from leader_core.vocabulary import Vocabularies
from tests.teacher_fakes import TINY, TinyCohort, title
from train.checkpoint import checkpoint_path
from train.config import TeacherTraining
from train.console import Silent
from train.teacher.data import TeacherData, truth_matrix
from train.teacher.loop import TeacherTrainer
from train.teacher.run import save_activations, train_teacher

CPU = torch.device("cpu")
COHORT: Any = TinyCohort()
CASES = COHORT.cases("train", "all")[:13]


@pytest.fixture(scope="module", params=sorted(TINY))
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TINY[request.param](tmp_path_factory.mktemp(request.param))


def network(base: Path, **options: Any) -> TeacherModel:
    """A teacher whose adapter already does something."""
    config = TeacherConfig(base=str(base), lora_rank=2, **options)
    model = build_model(find_base(str(base)), config, 5, CPU, "fp32")
    torch.manual_seed(5)
    for weight in model.trained().values():
        torch.nn.init.normal_(weight, std=0.2)
    return model


def data(base: Path) -> TeacherData:
    reader = TeacherReader(find_base(str(base)), TeacherConfig(base=str(base), max_tokens=90), title)
    medications = Vocabularies.of_training(COHORT, equivalence=False).medication
    return TeacherData(
        reader.encode(CASES), truth_matrix(CASES, medications), np.zeros(len(CASES), dtype=np.int64)
    )


def gradients(
    model: TeacherModel, given: TeacherData, **options: Any
) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of one real optimiser step over all cases, before they are clipped away."""
    settings = TeacherTraining(steps=1, batch_size=len(given), clip=0.0, **options)
    trainer = TeacherTrainer(model, given, given, settings, 0, "test", Path("none"), Silent())
    results: dict[str, torch.Tensor] = {}

    class Reads(torch.optim.AdamW):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            results.update({n: w.grad.clone() for n, w in model.trained().items() if w.grad is not None})

    trained = model.trained()
    loss = trainer._step(Reads(trained.values()), trained, 0)
    assert results.keys() == trained.keys()
    return loss, results


def test_one_step_saved_and_loaded_gives_equal_logits(base: Path, tmp_path: Path) -> None:
    model, given = network(base), data(base)
    before = run_batches(model, given.encoded)[1]
    settings = TeacherTraining(steps=1, batch_size=len(given), learning_rate=1e-3, head_prior=False)
    TeacherTrainer(model, given, given, settings, 0, "test", tmp_path / "state", Silent()).fit(resume=False)
    after = run_batches(model, given.encoded)[1]
    truth = torch.from_numpy(given.truth).float()
    losses = [float(binary_cross_entropy_with_logits(torch.from_numpy(x), truth)) for x in (before, after)]
    assert losses[1] < losses[0]
    save_adapter(adapter_state(model), tmp_path / "model.safetensors")
    other = network(base)
    restore_adapter(other, read_adapter(tmp_path / "model.safetensors"), "there")
    assert np.array_equal(run_batches(other, given.encoded)[1], after)


def test_a_batch_of_mixed_lengths_scores_as_one_by_one_on_either_side(base: Path) -> None:
    model, encoded = network(base).eval(), data(base).encoded
    assert len(set(encoded.lengths)) > 4
    rows = np.arange(len(encoded))
    together = run_batches(model, encoded, batches=[rows])[1]
    alone = run_batches(model, encoded, batches=[rows[i : i + 1] for i in rows])[1]
    assert np.allclose(together, alone, atol=1e-5)
    bare, left = np.zeros_like(alone), np.zeros_like(alone)
    with torch.no_grad():
        for row in rows:  # no padding at all, then all of it on the left
            ids = torch.from_numpy(encoded.tokens.row(row)).long()[None]
            bare[row] = model(ids, torch.ones_like(ids)).logits
            ids, mask = encoded.batch(np.array([row, int(encoded.lengths.argmax())]))
            shift = int((1 - mask[0]).sum())
            left[row] = model(ids[:1].roll(shift, 1), mask[:1].roll(shift, 1)).logits
    assert np.allclose(bare, alone, atol=1e-5)
    assert np.allclose(left, alone, atol=1e-5)
    assert alone.std(0).min() > 1e-3


def test_checkpointing_and_accumulation_change_no_gradient(base: Path) -> None:
    given = data(base)
    loss, whole = gradients(network(base), given, pass_tokens=100_000)
    saving = network(base)
    save_activations(saving)
    longest = int(given.encoded.lengths.max())
    for other, other_gradients in (
        gradients(saving, given, pass_tokens=100_000),
        gradients(network(base), given, pass_tokens=3 * longest),
        gradients(network(base), given, pass_tokens=1),
    ):
        assert other == pytest.approx(loss, abs=1e-6)
        for name, gradient in whole.items():
            assert torch.allclose(other_gradients[name], gradient, atol=1e-6, rtol=1e-4), name
    assert max(float(gradient.abs().max()) for gradient in whole.values()) > 1e-3


def test_dropout_draws_the_same_again_under_checkpointing(base: Path) -> None:
    given = data(base)
    plain, saving = network(base, lora_dropout=0.3), network(base, lora_dropout=0.3)
    save_activations(saving)
    (loss, first), (again, second) = gradients(plain, given), gradients(saving, given)
    assert again == pytest.approx(loss, abs=1e-6)
    assert all(torch.allclose(first[name], second[name], atol=1e-6, rtol=1e-4) for name in first)


def test_a_loss_that_is_not_finite_stops_and_leaves_the_last_good_state(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = TeacherTrainer._pass

    def broken(self: TeacherTrainer, rows: np.ndarray, scale: float) -> torch.Tensor:
        loss = real(self, rows, scale)
        steps.append(0)
        return loss * float("nan") if len(steps) > 3 else loss

    steps: list[int] = []
    monkeypatch.setattr(TeacherTrainer, "_pass", broken)
    config = TeacherConfig(base=str(base), max_tokens=90, lora_rank=2, precision="bf16")
    training = TeacherTraining(steps=9, batch_size=4, pass_tokens=10**6, save_every=1, evaluations=0.01)
    with pytest.raises(TrainingError) as stopped:
        train_teacher(
            COHORT,
            tmp_path / "out",
            config,
            training,
            preset="default",
            seed=1,
            device="cpu",
            report=Silent(),
        )
    message, state = str(stopped.value), checkpoint_path(tmp_path / "out")
    for words in ("Step ", "loss nan", "learning_rate (now 0.001)", "precision to 'fp32'", str(state)):
        assert words in message
    adapter = read_adapter(state)
    assert all(bool(torch.isfinite(weight).all()) for weight in adapter.values())
    assert not (tmp_path / "out").exists()


def test_quantisation_needs_a_gpu_and_says_so(base: Path) -> None:
    with pytest.raises(InputError, match=r"quantisation = '4bit' needs a CUDA device.*'none'"):
        network(base, quantisation="4bit")
    assert quantised("none", CPU) == {}
    with pytest.raises(InputError, match=r"8bit.*precision"):
        TeacherConfig(quantisation="8bit", precision="fp32")


def test_fp16_is_not_offered() -> None:
    with pytest.raises(InputError, match="precision = 'fp16'"):
        TeacherConfig(precision="fp16")  # type: ignore[arg-type]
    assert resolve_precision("auto", CPU) == "fp32"


def test_an_older_teacher_lacks_the_newer_fields_and_loads() -> None:
    record = TeacherConfig(lora_rank=4).to_json()
    older = {
        name: value
        for name, value in record.items()
        if name not in ("quantisation", "attention", "equivalence")
    }
    assert TeacherConfig.from_json(older) == TeacherConfig(lora_rank=4)
    assert TeacherConfig(lora_rank=4).identity() == older  # so that earlier runs are continued
    assert TeacherConfig(quantisation="4bit").identity()["quantisation"] == "4bit"
    for broken in ({**record, "colour": 1}, {k: v for k, v in older.items() if k != "lora_rank"}):
        with pytest.raises(ArtifactError, match="missing or unknown"):
            TeacherConfig.from_json(broken)
