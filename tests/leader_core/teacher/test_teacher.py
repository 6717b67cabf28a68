"""The teacher's network and its loading, on tiny random bases."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from leader_core.domain import Case, Visit
from leader_core.errors import ArtifactError, InputError, NotFoundError
from leader_core.teacher.base import MINILM_SHA256, find_base, load_body
from leader_core.teacher.config import TeacherConfig
from leader_core.teacher.model import TeacherModel, adapter_state, build_model, pool, restore_adapter
from leader_core.teacher.scorer import TeacherReader, TeacherScorer, fit_to_base, run_batches
from leader_core.teacher.tokens import encode_cases, split_by_length
from tests.teacher_fakes import TinyCohort, quickly_trained, tiny_bert, tiny_llama, title, without_medications
from train.config import TeacherTraining

CPU = torch.device("cpu")
COHORT = TinyCohort()


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("bases")
    return {"bert": tiny_bert(root / "bert"), "llama": tiny_llama(root / "llama")}


@pytest.fixture(scope="module", params=["bert", "llama"])
def teacher(
    request: pytest.FixtureRequest, bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A teacher trained for a few steps on each tiny base."""
    out = tmp_path_factory.mktemp("teachers") / request.param
    config = TeacherConfig(base=str(bases[request.param]), max_tokens=80, lora_rank=2, lora_dropout=0.1)
    training = TeacherTraining(steps=6, batch_size=8, learning_rate=1e-2)
    return quickly_trained(out, config, training, COHORT)


def network(base: Path, **options: object) -> TeacherModel:
    torch.manual_seed(3)
    config = TeacherConfig(base=str(base), lora_rank=2, **options)  # type: ignore[arg-type]
    return build_model(find_base(str(base)), config, 5, CPU, "fp32")


@pytest.mark.parametrize("name", ["bert", "llama"])
@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
def test_padding_on_either_side_gives_equal_logits(bases: dict[str, Path], name: str, pooling: str) -> None:
    model = network(bases[name], pooling=pooling).eval()
    ids = torch.tensor([[4, 9, 11, 8, 10], [4, 12, 7, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    left = torch.tensor([[4, 9, 11, 8, 10], [3, 3, 4, 12, 7]])
    with torch.no_grad():
        right = model(ids, mask)
        other = model(left, mask.flip(1))
        alone = model(ids[1:, :3], mask[1:, :3])
    assert torch.allclose(right.logits, other.logits, atol=1e-5)
    assert torch.allclose(right.logits[1:], alone.logits, atol=1e-5)
    if (name, pooling) != ("llama", "first"):  # there the first token sees itself alone
        assert not torch.allclose(right.logits[0], right.logits[1], atol=1e-3)


def test_pooling_by_hand() -> None:
    states = torch.arange(12.0).reshape(1, 4, 3)
    mask = torch.tensor([[0, 1, 1, 0]])
    assert pool(states, mask, "mean").tolist() == [[4.5, 5.5, 6.5]]
    assert pool(states, mask, "first").tolist() == [[3, 4, 5]]
    assert pool(states, mask, "last").tolist() == [[6, 7, 8]]


@pytest.mark.parametrize(
    ("name", "pooling", "architecture"), [("bert", "mean", "encoder"), ("llama", "last", "decoder")]
)
def test_architecture_and_pooling_follow_the_base(
    bases: dict[str, Path], name: str, pooling: str, architecture: str
) -> None:
    assert find_base(str(bases[name])).architecture == architecture
    model = network(bases[name])
    assert model.pooling == pooling
    assert model.head.bias is None
    assert {w.dtype for w in model.trained().values()} == {torch.float32}
    assert all("lora_" in n or n == "head.weight" for n in model.trained())


@pytest.mark.parametrize("name", ["bert", "llama"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_one_step_lowers_the_loss(bases: dict[str, Path], name: str, precision: str) -> None:
    torch.manual_seed(0)
    files = find_base(str(bases[name]))
    model = build_model(files, TeacherConfig(base=str(bases[name]), lora_rank=2), 5, CPU, precision)  # type: ignore[arg-type]
    ids, mask = torch.tensor([[4, 9, 11, 8], [4, 12, 7, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    truth = torch.tensor([[1.0, 0, 0, 1, 0], [0, 1, 0, 0, 0]])
    frozen = {n: p.clone() for n, p in model.named_parameters() if not p.requires_grad}
    optimizer = torch.optim.AdamW(model.trained().values(), lr=0.05)
    losses = []
    for _ in range(2):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(ids, mask).logits, truth)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[1] < losses[0]
    assert all(torch.equal(p, frozen[n]) for n, p in model.named_parameters() if n in frozen)


def test_adapter_round_trip_and_strictness(bases: dict[str, Path]) -> None:
    model = network(bases["bert"]).eval()
    for weight in model.trained().values():
        torch.nn.init.normal_(weight)
    state = adapter_state(model)
    other = network(bases["bert"]).eval()
    ids, mask = torch.tensor([[1, 9, 11, 2]]), torch.ones(1, 4, dtype=torch.long)
    assert not torch.allclose(model(ids, mask).logits, other(ids, mask).logits)
    restore_adapter(other, state, "here")
    assert torch.equal(model(ids, mask).logits, other(ids, mask).logits)
    for broken in (
        {k: v for k, v in state.items() if k != next(iter(state))},
        {**state, "extra": torch.zeros(1)},
        {**state, "head.weight": torch.zeros(4, 16)},
    ):
        with pytest.raises(ArtifactError, match="does not fit"):
            restore_adapter(other, broken, "here")


def test_loaded_teacher_scores_as_when_saved(teacher: Path) -> None:
    scorer = TeacherScorer.load(teacher, title)
    again = TeacherScorer.load(teacher, title)
    cases = COHORT.cases("test", "all")
    scores = scorer.score(cases).probabilities
    assert scores.shape == (len(cases), 5) and scores.dtype == np.float32
    assert np.array_equal(scores, again.score(cases).probabilities)
    hidden, logits = scorer.states(cases)
    assert hidden.shape == (len(cases), 16)
    assert np.allclose(1 / (1 + np.exp(-logits)), scores, atol=1e-6)
    assert scorer.profile_read == ()
    assert scorer.manifest.prompt_version == "leader-1"


def test_result_keeps_the_order_of_the_cases(teacher: Path) -> None:
    scorer = TeacherScorer.load(teacher, title)
    cases = COHORT.cases("test", "all")
    together = scorer.score(cases).probabilities
    alone = np.concatenate([scorer.score([case]).probabilities for case in cases])
    assert np.allclose(together, alone, atol=1e-5)
    assert np.allclose(scorer.score(cases[::-1]).probabilities, together[::-1], atol=1e-5)
    assert scorer.score([]).probabilities.shape == (0, 5)


def test_diagnoses_and_history_matter_and_current_medications_do_not(teacher: Path) -> None:
    scorer = TeacherScorer.load(teacher, title)
    case = Case(current=Visit(diagnoses=("ICD9:4280",), medications=("C03C",)))
    other = Case(current=Visit(diagnoses=("ICD9:486",)))
    past = Case(history=(Visit(medications=("A10A",)),), current=Visit(diagnoses=("ICD9:4280",)))
    assert not np.allclose(scorer.score([case]).probabilities, scorer.score([other]).probabilities, atol=1e-5)
    assert not np.allclose(scorer.score([case]).probabilities, scorer.score([past]).probabilities, atol=1e-5)
    assert np.array_equal(
        scorer.score([case]).probabilities, scorer.score([without_medications(case)]).probabilities
    )
    assert scorer.prompt(case) == scorer.prompt(without_medications(case))


def test_unseen_and_truncated_are_reported(teacher: Path) -> None:
    scorer = TeacherScorer.load(teacher, title)
    case = Case(current=Visit(diagnoses=("ICD9:4280", "ICD9:Q00")))
    assert scorer.unseen(case) == [("diagnosis", "ICD9:Q00")]
    assert not scorer.score([case]).truncated[0]
    long = Case(current=Visit(diagnoses=("ICD9:4280",) * 90))
    assert scorer.score([long]).truncated[0] and scorer.prompt(long).token_count <= 80
    assert scorer.prompt(case, version="paper-1").version == "paper-1"


@pytest.mark.parametrize("version", ["leader-1", "paper-1"])
@pytest.mark.parametrize("special_tokens", ["base", "eos"])
@pytest.mark.parametrize("name", ["bert", "llama"])
def test_ids_are_the_prompt_counted_exactly(
    bases: dict[str, Path], name: str, version: str, special_tokens: str
) -> None:
    config = TeacherConfig(
        base=str(bases[name]), prompt_version=version, special_tokens=special_tokens, max_tokens=60
    )  # type: ignore[arg-type]
    reader = TeacherReader(find_base(str(bases[name])), config, title)
    cases = COHORT.cases("train", "all")
    encoded = reader.encode(cases)
    for row, case in enumerate(cases):
        prompt = reader.builder().build(case)
        assert encoded.lengths[row] == prompt.token_count <= 60
        assert encoded.truncated[row] == prompt.truncated
    first, last = encoded.tokens.row(0)[[0, -1]]
    if special_tokens == "eos":
        assert (first, last) == (encoded.tokens.values[0], 5) and first not in (1, 4)
    else:
        assert first == (1 if name == "bert" else 4)  # CLS or BOS, as the base wants it


def test_batches_hold_every_row_once_within_the_budget() -> None:
    lengths = np.random.default_rng(0).integers(20, 300, 100)
    groups = split_by_length(lengths, 1024)
    assert sorted(np.concatenate(groups)) == list(range(100))
    assert all(len(g) * lengths[g].max() <= 1024 for g in groups)
    assert len(split_by_length(np.full(8, 600), 512)) == 8
    padded = sum(len(g) * lengths[g].max() for g in split_by_length(lengths, 4096))
    assert padded < 1.1 * lengths.sum()


def test_taken_prompts_are_the_requested_ones(bases: dict[str, Path]) -> None:
    config = TeacherConfig(base=str(bases["bert"]), max_tokens=80)
    reader = TeacherReader(find_base(str(bases["bert"])), config, title)
    cases = COHORT.cases("train", "all")[:7]
    some = reader.encode(cases).take(np.array([5, 0, 3]))
    direct = encode_cases([cases[5], cases[0], cases[3]], reader.builder(), reader.tokenizer)
    assert np.array_equal(some.tokens.values, direct.tokens.values) and np.array_equal(
        some.lengths, direct.lengths
    )
    ids, mask = some.batch(np.array([0, 1, 2]))
    assert mask.sum(1).tolist() == some.lengths.tolist() and int((ids * (1 - mask)).sum()) == 0


def test_token_limit_follows_the_base(bases: dict[str, Path]) -> None:
    files = find_base(str(bases["bert"]))
    assert fit_to_base(TeacherConfig(max_tokens=2048), files).max_tokens == 96


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "vocabulary.json"])
def test_one_changed_byte_is_refused_by_name(teacher: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "teacher"
    shutil.copytree(teacher, copy)
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(ArtifactError, match=name):
        TeacherScorer.load(copy, title)


def test_another_vocabulary_or_base_is_refused(teacher: Path, tmp_path: Path) -> None:
    from leader_core.files import sha256_file, write_sealed

    copy = tmp_path / "teacher"
    shutil.copytree(teacher, copy)
    vocabulary = json.loads((copy / "vocabulary.json").read_text())
    vocabulary["medication"].append("V03A")
    (copy / "vocabulary.json").write_text(json.dumps(vocabulary))
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"]["vocabulary.json"] = sha256_file(copy / "vocabulary.json")
    write_sealed(copy / "manifest.json", manifest)
    with pytest.raises(ArtifactError, match="5 medications, but the vocabulary names 6"):
        TeacherScorer.load(copy, title)
    other = tiny_bert(tmp_path / "other")
    weights = load_body(find_base(str(other)), torch.float32)
    weights.get_parameter("embeddings.word_embeddings.weight").data += 1
    weights.save_pretrained(other)  # type: ignore[operator]
    with pytest.raises(ArtifactError, match="trained on a base with sha256"):
        TeacherScorer.load(teacher, title, base=str(other))


def test_bases_that_cannot_be_used_are_named(tmp_path: Path, bases: dict[str, Path]) -> None:
    with pytest.raises(NotFoundError, match="nowhere"):
        find_base(str(tmp_path / "nowhere"))
    with pytest.raises(NotFoundError, match="--allow-download"):
        find_base("someone/no-such-model-here")
    copy = tmp_path / "bin"
    shutil.copytree(bases["bert"], copy)
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ArtifactError, match=r"pytorch_model\.bin, which are never loaded"):
        find_base(str(copy))
    half = tmp_path / "half"
    shutil.copytree(bases["bert"], half)
    from safetensors.torch import load_file, save_file

    weights = load_file(half / "model.safetensors")
    weights.pop(sorted(weights)[0])
    save_file(weights, half / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ArtifactError, match="lacks 1 of its weights"):
        load_body(find_base(str(half)), torch.float32)
    with pytest.raises(InputError, match="lora_targets"):
        network(bases["bert"], lora_targets=("no_such_layer",))


def test_default_base_is_the_published_file_and_carries_no_dropout() -> None:
    files = find_base("minilm")
    assert (files.sha256, files.architecture, files.max_positions) == (MINILM_SHA256, "encoder", 512)
    body = load_body(files, torch.float32)
    assert {m.p for m in body.modules() if isinstance(m, torch.nn.Dropout)} == {0.0}


def test_bf16_and_fp32_scores_agree() -> None:
    files = find_base("minilm")
    cases = COHORT.cases("test", "all")[:6]
    results = []
    for precision in ("fp32", "bf16"):
        torch.manual_seed(0)
        config = TeacherConfig(lora_rank=2)
        model = build_model(files, config, 5, CPU, precision)  # type: ignore[arg-type]
        hidden, _ = run_batches(model, TeacherReader(files, config, title).encode(cases))
        results.append(hidden)
    distance = np.linalg.norm(results[0] - results[1], axis=1) / np.linalg.norm(results[0], axis=1)
    assert distance.max() < 0.02
