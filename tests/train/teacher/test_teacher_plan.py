"""A planned training: shapes without weights, sums that can be followed, and the settings that ship for real data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, LlamaConfig

from leader_core.errors import InputError
from leader_core.teacher.config import TeacherConfig
from leader_core.teacher.model import adapt
from leader_core.vocabulary import Vocabularies
from tests.teacher_fakes import TinyCohort, tiny_bert
from train.benchmark import teacher_shape
from train.cli import call, main, parse
from train.commands import benchmark
from train.config import CONFIGS, TeacherTraining, load_settings
from train.console import Silent
from train.teacher.data import prepare
from train.teacher.plan import estimate, matrix_rate, pass_bytes, plan_teacher, shape_of, token_flops

COHORT: Any = TinyCohort()


def test_a_llama_of_seven_billion_has_the_published_count() -> None:
    shape = shape_of(LlamaConfig(), "decoder", load_settings("paper").teacher, 112)
    assert shape.trained == 19_988_480 + 4096 * 112  # LoRA and head, as published
    assert shape.parameters == 6_738_415_616 - 32_000 * 4096  # LLaMA-7B without its language head
    assert shape.matrix == 32 * (4 * 4096**2 + 3 * 4096 * 11008)


def test_the_sum_of_the_readme_can_be_followed() -> None:
    settings = load_settings(str(CONFIGS / "mimic3-7b.toml"))
    shape = shape_of(LlamaConfig(), "decoder", settings.teacher, 112)
    prompts = np.full(5_080, 600)
    result = estimate(
        shape, settings.teacher, settings.teacher_training, "bf16", 790e12, prompts, np.full(635, 600)
    )
    assert result.steps == 3_000 and result.tokens == 96_000 * 600
    assert result.flops == pytest.approx(result.tokens * 3 * token_flops(shape, 600))
    assert result.flops == pytest.approx(result.tokens * 6 * shape.matrix, rel=0.02)  # attention is the rest
    assert result.training_hours == pytest.approx(result.flops / (0.45 * 790e12) / 3600)
    assert 1.7 < result.training_hours < 1.9 and 17 < result.memory_gib < 20  # what the README says
    quantised = TeacherConfig(quantisation="4bit", lora_rank=8)
    small = estimate(shape, quantised, settings.teacher_training, "bf16", 790e12, prompts, prompts[:9])
    assert small.weights_gib < result.weights_gib / 3


@pytest.mark.parametrize("checkpointing", [False, True])
def test_stored_activations_are_those_that_the_network_stores(checkpointing: bool) -> None:
    """Bytes a token that a third and fourth layer add, counted where autograd saves them."""
    counted = [_kept(layers, checkpointing) for layers in (2, 4)]
    shape = [_small(layers) for layers in (2, 4)]
    expected = [pass_bytes(each, 64, "bf16", 0.0, checkpointing) for each in shape]
    assert counted[1] - counted[0] == pytest.approx(expected[1] - expected[0], rel=0.15)


def _config(layers: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=50, hidden_size=128, intermediate_size=344, num_hidden_layers=layers, num_attention_heads=4,
        use_cache=False,
    )  # fmt: skip


def _small(layers: int) -> Any:
    return shape_of(_config(layers), "decoder", TeacherConfig(lora_rank=2), 5)


def _kept(layers: int, checkpointing: bool) -> int:
    body = AutoModel.from_config(_config(layers), dtype=torch.bfloat16)
    model = adapt(body, "decoder", TeacherConfig(lora_rank=2), 5, "bf16", name="small").train()
    if checkpointing:
        teacher_shape.save_activations(model)
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    saved: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            saved[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        ids = torch.ones(1, 64, dtype=torch.long)
        loss = model(ids, ids).logits.sum()
    assert loss.requires_grad
    return sum(tensor.untyped_storage().nbytes() for tensor in saved.values())


def test_a_plan_says_what_would_be_done_and_writes_nothing(tmp_path: Path) -> None:
    config = TeacherConfig(base=str(tiny_bert(tmp_path / "base")), max_tokens=60, lora_rank=2)
    training = TeacherTraining(steps=7, batch_size=4)
    before = sorted(tmp_path.rglob("*"))
    plan = plan_teacher(COHORT, config, training, device="cpu", rate=None, report=Silent())
    twice = [
        plan_teacher(COHORT, config, training, device="cpu", rate=r, report=Silent())["estimate"]
        for r in (1.0, 2.0)
    ]
    assert sorted(tmp_path.rglob("*")) == before
    reader = teacher_reader(config)
    encoded = prepare(
        COHORT, "train", "all", reader, Vocabularies.of_training(COHORT, equivalence=False).medication
    ).encoded
    assert (
        plan["tokens"]["truncated_share"] == pytest.approx(encoded.truncated.mean())
        and encoded.truncated.any()
    )
    assert plan["tokens"]["longest"] == encoded.lengths.max() <= plan["tokens"]["limit"] == 60
    assert (plan["steps"], plan["training_cases"], plan["precision"]) == (7, len(encoded), "fp32")
    assert plan["matrix_rate_tflops"] > 0
    assert twice[0]["training_hours"] == pytest.approx(2 * twice[1]["training_hours"])
    with pytest.raises(InputError, match="--rate -1"):
        plan_teacher(COHORT, config, training, device="cpu", rate=-1.0, report=Silent())


def teacher_reader(config: TeacherConfig) -> Any:
    from leader_core.teacher.base import find_base
    from leader_core.teacher.scorer import TeacherReader

    return TeacherReader(find_base(config.base), config, COHORT.title)


def test_the_settings_for_real_data_are_the_published_ones() -> None:
    three, four = (load_settings(str(CONFIGS / f"mimic{n}-7b.toml")) for n in (3, 4))
    for each, steps in ((three, 3_000), (four, 4_000)):
        training, teacher = each.teacher_training, each.teacher
        assert (training.steps, training.batch_size, training.learning_rate) == (steps, 32, 2e-4)
        assert (training.schedule, training.selection, training.warmup) == ("linear", "last", 0.0)
        assert (teacher.lora_rank, teacher.lora_alpha, teacher.lora_dropout) == (8, 32.0, 0.1)
        assert (teacher.max_tokens, teacher.prompt_version, teacher.special_tokens) == (
            2_048,
            "paper-1",
            "eos",
        )
    students = [
        (s.student_training.batch_size, s.student_training.alpha, s.student_training.beta)
        for s in (three, four)
    ]
    assert students == [(4, 0.4, 0.005), (16, 0.8, 0.01)]
    for name in ("mimic-8b", "mimic-8b-24gb"):
        ours = load_settings(str(CONFIGS / f"{name}.toml"))
        assert (ours.teacher.prompt_version, ours.teacher_training.selection) == ("leader-2", "best")
        assert (ours.teacher.special_tokens, ours.teacher.precision) == ("base", "bf16")


def test_a_tiny_shape_is_measured_and_a_large_one_needs_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = teacher_shape.run("tiny", "cpu", 0.01)
    assert result["frozen_weights"] > result["trained_weights"] > 0
    for part in ("states", "training", "training_with_checkpointing"):
        assert result[part]["tokens_per_second"] > 0 and 0 < result[part]["share_of_matrix_rate"] < 1
    mixed = result["mixed_lengths"]
    assert mixed["mean_tokens"] < result["shape"]["tokens"] / 2
    assert mixed["times_faster"] == pytest.approx(
        mixed["published_way"]["seconds_per_case"] / mixed["ours"]["seconds_per_case"], rel=0.01
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["benchmark", "teacher", "--shape", "llama-7b"]) == 2
    assert "needs a GPU" not in capsys.readouterr().out
    assert main(["benchmark", "student", "--shape", "tiny"]) == 2
    assert "teacher alone" in capsys.readouterr().err
    monkeypatch.setattr(benchmark, "isolated", lambda module, *rest: {"module": module, "rest": rest})
    words = ["benchmark", "teacher", "--shape", "tiny", "--device", "cpu", "--seconds", "1"]
    assert call(parse(words), Silent())["teacher"]["rest"] == ("tiny", "cpu", 1.0)


def test_the_matrix_rate_is_that_of_the_device() -> None:
    assert 1e8 < matrix_rate(torch.device("cpu"), "fp32", 0.05) < 1e14
