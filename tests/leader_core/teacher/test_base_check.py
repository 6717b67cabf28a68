"""Bases that cannot be trained over are refused before their weights are read: one sentence, the fault and the remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from leader_core.errors import LeaderError
from leader_core.teacher.base import NO_LIMIT, find_base
from leader_core.teacher.config import TeacherConfig
from leader_core.teacher.model import build_model
from leader_core.teacher.scorer import TeacherReader, fit_to_base, run_batches
from tests.teacher_fakes import TinyCohort, save_tokenizer, tiny_bert, tiny_llama, tiny_roberta, title
from train.cli import main
from train.config import TeacherTraining
from train.console import Silent
from train.teacher.plan import plan_teacher

COHORT: Any = TinyCohort()
CASES = COHORT.cases("train", "all")[:5]
CPU = torch.device("cpu")
_SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
_GEMMA = {**_SMALL, "num_key_value_heads": 1, "head_dim": 8, "query_pre_attn_scalar": 8}
_VISION = {**_SMALL, "image_size": 16, "patch_size": 8}


def plan(folder: Path, *, checkpointing: bool = False, **options: Any) -> dict[str, Any]:
    config = TeacherConfig(base=str(folder), max_tokens=90, lora_rank=2, **options)
    training = TeacherTraining(steps=1, batch_size=4, gradient_checkpointing=checkpointing)
    return plan_teacher(COHORT, config, training, device="cpu", rate=1.0, report=Silent())


def settings(folder: Path, name: str = "config.json", **changes: Any) -> None:
    path = folder / name
    record = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**record, **changes}))


def adapter(folder: Path) -> None:
    settings(folder, "adapter_config.json", peft_type="LORA", base_model_name_or_path="org/model-7b")


def sharded(folder: Path) -> None:
    whole = folder / "model.safetensors"
    (first, weight), *_ = load_file(whole).items()
    save_file({first: weight}, folder / "model-00001-of-00003.safetensors")
    names = {first: "model-00001-of-00003.safetensors", "b": "model-00002-of-00003.safetensors",
             "c": "model-00003-of-00003.safetensors"}  # fmt: skip
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    whole.unlink()


def without_index(folder: Path) -> None:
    sharded(folder)
    (folder / "model.safetensors.index.json").unlink()


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut_short(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])


def pointer(folder: Path) -> None:
    (folder / "model.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    )


def remote_code(folder: Path) -> None:
    (folder / "configuration_own.py").write_text("raise SystemExit")
    settings(folder, model_type="own_llm", auto_map={"AutoConfig": "configuration_own.OwnConfig"})


def quantised(method: str, **more: Any) -> Callable[[Path], None]:
    return lambda folder: settings(folder, quantization_config={"quant_method": method, **more})


def small_embedding(folder: Path) -> None:
    tiny_llama(folder)
    save_tokenizer(folder, bos=True, pad=False)
    record = json.loads((folder / "tokenizer.json").read_text())
    words = record["model"]["vocab"]
    words["zoster"] = len(words) + 40
    (folder / "tokenizer.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (adapter, r"holds an adapter over 'org/model-7b', not a whole model"),
        (lambda f: settings(f, "manifest.json", kind="teacher"), "was trained here, not a base"),
        (quantised("gptq", bits=4), r"quantised checkpoint \(GPTQ; .*package gptqmodel, which is not installed"),
        (quantised("awq"), r"AWQ; .*gptqmodel"),
        (quantised("", load_in_4bit=True), r"bitsandbytes; .*package bitsandbytes"),
        (quantised("compressed-tensors"), r"compressed-tensors; .*quantisation = '4bit'"),
        (quantised("fp8"), r"quantised checkpoint \(fp8\)"),
        (sharded, r"lacks 2 of 3 weight files .*model-00002-of-00003.*model-00003-of-00003"),
        (without_index, r"model-00001-of-00003.safetensors, but not model.safetensors.index.json"),
        (pickled, r"pytorch_model\.bin, which are never loaded.*save_pretrained"),
        (cut_short, r"is cut short or no safetensors file"),
        (pointer, r"Git LFS pointer.*git lfs pull"),
        (remote_code, r"needs code of its own \(model type 'own_llm', configuration_own.py\), which is never run"),
        (lambda f: settings(f, model_type="newest_llm"), "no model configuration that can be read"),
        (lambda f: (f / "config.json").unlink(), "no model configuration that can be read"),
        (lambda f: settings(f, num_hidden_layers="two"), "no model configuration .*num_hidden_layers"),
        (lambda f: settings(f, dtype="float7"), "no model configuration .*float7"),
        (lambda f: settings(f, rope_scaling={"type": "odd"}), "cannot be loaded: 'odd' is not known"),
        (lambda f: settings(f, pad_token_id=9_999), r"pad_token_id 9999, beyond the \d+ rows"),
        (small_embedding, r"tokens that the base's embedding of \d+ rows lacks \(first: 'zoster', id \d+\)"),
        (lambda f: (f / "tokenizer.json").unlink(), "tokenizer"),
    ],
)  # fmt: skip
def test_a_dry_run_names_what_is_wrong_with_a_base(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    folder = tiny_llama(tmp_path / "base")
    spoil(folder)
    with pytest.raises(LeaderError, match=message) as refused:
        plan(folder)
    assert "\n" not in str(refused.value) and "github.com" not in str(refused.value)


def test_the_command_says_it_in_one_line_and_ends_with_2(
    tmp_path: Path, synthetic_cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_llama(tmp_path / "base")
    adapter(folder)
    words = ["teacher", "--dry-run", "--cohort", str(synthetic_cohort), "--base", str(folder)]
    assert main([*words, "--rate", "1", "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err.strip()
    assert "adapter over 'org/model-7b'" in message and "Traceback" not in message


def test_padding_tokens_are_named_or_known_not_to_matter(tmp_path: Path) -> None:
    assert plan(tiny_llama(tmp_path / "llama"))["base"]["padding_token"] is None
    roberta = tiny_roberta(tmp_path / "roberta")
    assert plan(roberta)["base"]["padding_token"] == "[PAD]"
    settings(roberta, pad_token_id=None)
    with pytest.raises(LeaderError, match="no pad_token_id, from which a roberta counts its positions"):
        plan(roberta)


def test_code_beside_a_known_type_is_not_needed(tmp_path: Path) -> None:
    folder = tiny_llama(tmp_path / "base")
    settings(folder, auto_map={"AutoModel": "modeling_own.OwnModel"})
    assert plan(folder)["base"]["architecture"] == "decoder"


def test_wrong_lora_targets_list_the_right_names(tmp_path: Path) -> None:
    folder = tiny_bert(tmp_path / "base")
    with pytest.raises(LeaderError, match=r"no linear layer named 'q_proj'. It has dense, key, query, value"):
        plan(folder, lora_targets=("query", "q_proj"))
    assert plan(folder, lora_targets=("query",))["trained_weights"] > 0


def other_base(folder: Path, name: str) -> Path:
    """A tiny random model of a kind that earlier versions refused."""
    size = save_tokenizer(folder, bos=False, pad=True)
    text = {"vocab_size": size, "max_position_embeddings": 128}
    torch.manual_seed(0)
    if name == "gemma3":
        config = transformers.Gemma3Config(
            text_config={**_GEMMA, **text}, vision_config=_VISION, mm_tokens_per_image=1
        )
        transformers.Gemma3ForConditionalGeneration(config).save_pretrained(folder)
        return folder
    config = {
        "gemma2": lambda: transformers.Gemma2Config(**_GEMMA, **text),
        "deberta": lambda: transformers.DebertaConfig(**_SMALL, **text),
        "deberta-v2": lambda: transformers.DebertaV2Config(**_SMALL, **text),
        "mpnet": lambda: transformers.MPNetConfig(**_SMALL, **text, pad_token_id=3),
        "bloom": lambda: transformers.BloomConfig(hidden_size=16, n_layer=2, n_head=2, vocab_size=size),
        "xlnet": lambda: transformers.XLNetConfig(d_model=16, n_layer=2, n_head=2, d_inner=32, vocab_size=size),
        "albert": lambda: transformers.AlbertConfig(**_SMALL, **text, embedding_size=16),
    }[name]()  # fmt: skip
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("name", "architecture"),
    [("gemma2", "decoder"), ("gemma3", "decoder"), ("bloom", "decoder"), ("deberta-v2", "encoder"),
     ("mpnet", "encoder"), ("xlnet", "encoder")],
)  # fmt: skip
def test_networks_without_sdpa_or_with_more_than_text_are_read(
    tmp_path: Path, name: str, architecture: str
) -> None:
    folder = other_base(tmp_path / name, name)
    assert plan(folder)["base"]["architecture"] == architecture
    files = find_base(str(folder))
    assert files.max_positions == {"bloom": NO_LIMIT, "xlnet": NO_LIMIT, "mpnet": 124}.get(name, 128)
    config = fit_to_base(TeacherConfig(base=str(folder), lora_rank=2, max_tokens=90), files)
    encoded = TeacherReader(files, config, title).encode(CASES)
    for precision in ("bf16", "fp32"):  # trained in one on a CPU, and read in the other afterwards
        model = build_model(files, config, 5, CPU, precision)  # type: ignore[arg-type]
        logits = run_batches(model, encoded)[1]
        assert logits.shape == (5, 5) and logits.std(0).max() > 0
    if name != "gemma3":
        with pytest.raises(LeaderError, match=r"cannot be loaded: .*teacher.attention to 'auto' or 'eager'"):
            plan(folder, attention="sdpa")


def test_what_a_network_cannot_do_is_said_with_the_setting(tmp_path: Path) -> None:
    with pytest.raises(LeaderError, match=r"gradient_checkpointing = true: .*albert.*false"):
        plan(other_base(tmp_path / "albert", "albert"), checkpointing=True)
    with pytest.raises(LeaderError, match=r"deberta\) cannot be computed in bf16.*'fp32'"):
        plan(other_base(tmp_path / "deberta", "deberta"), precision="bf16")
