"""Several processes give what one gives: the same teacher and the same states, under DDP and FSDP, on the CPU."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file

from leader_core.errors import InputError
from leader_core.model_folder import read_manifest
from tests.teacher_fakes import tiny_llama
from tests.train.together import SHARD
from train.checkpoint import checkpoint_path
from train.cli import main
from train.config import CONFIGS
from train.distributed import Processes, join_processes
from train.teacher import states
from train.teacher.states import TeacherStates

ROOT = Path(__file__).parents[2]
SECONDS = 300  # only a hang takes so long
CONFIG = """
[teacher]
base = "{base}"
max_tokens = 96
lora_rank = 4
[teacher.training]
targets = "last"
steps = 5
batch_size = 7  # not to be halved
pass_tokens = 200  # so that the processes make different numbers of passes
learning_rate = 1e-2
head_learning_rate = 1e-2
evaluations = 20.0
save_every = 2
selection = "last"
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, synthetic_cohort: Path) -> Path:
    """A folder with what one process wrote (`alone`) and what two wrote together (`ddp`, `fsdp`)."""
    root = tmp_path_factory.mktemp("processes")
    config = root / "tiny.toml"
    config.write_text(CONFIG.format(base=tiny_llama(root / "base")), encoding="utf-8")
    common = ["--cohort", str(synthetic_cohort), "--config", str(config), "--device", "cpu"]
    alone = root / "alone"
    assert main(["teacher", *common, "--out", str(alone / "teacher")]) == 0
    words = ["states", *common, "--teacher", str(alone / "teacher"), "--out"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(states, "SHARD", SHARD)
        assert main([*words, str(alone / "states")]) == 0
        patch.setattr(states, "_write_shard", _killed_at_shard(2))
        assert main([*words, str(root / "ddp" / "states")]) == 130  # the two continue it
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "2"]
    launch += ["--config_file", str(CONFIGS / "accelerate" / "ddp.yaml")]
    launch += ["--main_process_port", str(_free_port()), "-m", "tests.train.together"]
    done = subprocess.run(
        [*launch, str(root), str(synthetic_cohort), str(config)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-12000:]
    (root / "said.txt").write_text(done.stdout, encoding="utf-8")
    return root


def _killed_at_shard(stop: int) -> Any:
    write = states._write_shard

    def killed(work: Path, number: int, *rest: Any) -> None:
        if number == stop:
            raise KeyboardInterrupt
        write(work, number, *rest)

    return killed


def _free_port() -> int:
    with socket.socket() as result:
        result.bind(("127.0.0.1", 0))
        return int(result.getsockname()[1])


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_two_processes_train_the_teacher_of_one(runs: Path, kind: str) -> None:
    one, two = (read_manifest(runs / name / "teacher", kind="teacher") for name in ("alone", kind))
    assert len(one.history) == len(two.history) == 5
    for row, other in zip(one.history, two.history, strict=True):
        for figure in ("train_loss", "validation_loss"):
            assert other[figure] == pytest.approx(row[figure], abs=1e-5)
    weights, others = (load_file(runs / name / "teacher" / "model.safetensors") for name in ("alone", kind))
    assert weights.keys() == others.keys()
    assert max(float((weights[name] - others[name]).abs().max()) for name in weights) < 1e-3
    moved = [float(weights[name].abs().max()) for name in weights if "lora_B" in name]  # from nothing
    assert min(moved) > 1e-2
    assert one.settings["run"] == two.settings["run"]


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_two_processes_write_the_states_of_one(runs: Path, kind: str) -> None:
    one, two = (TeacherStates.open(runs / name / "states") for name in ("alone", kind))
    assert np.array_equal(one.visit_ids, two.visit_ids) and len(one.visit_ids) > 100
    assert np.allclose(one.hidden, two.hidden, atol=1e-5)
    assert np.allclose(one.logits, two.logits, atol=1e-5)
    assert one.teacher_digest == two.teacher_digest
    assert sorted(path.name for path in (runs / kind / "states").iterdir()) == sorted(
        path.name for path in (runs / "alone" / "states").iterdir()
    )


def test_one_process_continues_what_two_left(runs: Path, synthetic_cohort: Path) -> None:
    out = runs / "killed" / "teacher"
    assert checkpoint_path(out).is_file() and not out.exists()
    words = ["teacher", "--cohort", str(synthetic_cohort), "--config", str(runs / "tiny.toml")]
    assert main([*words, "--device", "cpu", "--out", str(out), "--resume"]) == 0
    one, other = (read_manifest(runs / name / "teacher") for name in ("alone", "killed"))
    for row, resumed in zip(one.history, other.history, strict=True):
        assert resumed["train_loss"] == pytest.approx(row["train_loss"], abs=1e-5)
    assert other.validation["loss"] == pytest.approx(one.validation["loss"], abs=1e-5)


def test_shares_are_even_and_complete() -> None:
    lengths = np.random.default_rng(0).integers(20, 500, 33)
    shares = []
    for rank in range(4):
        process = Processes()
        process.rank, process.count = rank, 4
        shares.append(process.own(lengths))
    assert sorted(np.concatenate(shares)) == list(range(33))
    tokens = [int(lengths[share].sum()) for share in shares]
    assert max(tokens) - min(tokens) <= lengths.max()
    assert list(Processes().own(lengths)) == list(range(33))


def test_a_process_alone_never_imports_accelerate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)  # importing it fails
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert type(join_processes("cpu")) is Processes
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ImportError):
        join_processes("cpu")


def test_several_requested_and_one_started_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `accelerate launch --cpu --num_processes 2` leaves in the environment of the one process it starts."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    for name, value in (("ACCELERATE_MIXED_PRECISION", "no"), ("MASTER_ADDR", "127.0.0.1")):
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=r"started this one alone.*ddp.yaml.*--num_processes 1"):
        join_processes("cpu")
    monkeypatch.delenv("MASTER_ADDR")
    assert type(join_processes("cpu")) is Processes


def test_only_the_first_process_answers(runs: Path) -> None:
    lines = [line for line in (runs / "said.txt").read_text().splitlines() if line.startswith("{")]
    answers = [json.loads(line)["out"] for line in lines]
    assert answers == [str(runs / kind / what) for kind in ("ddp", "fsdp") for what in ("teacher", "states")]
