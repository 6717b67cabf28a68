"""Teacher states: what is written, continued after a kill, verified, and looked up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leader_core.errors import ArtifactError, InputError, NotFoundError
from leader_core.outputs import STATES, UNFINISHED_STATES
from leader_core.teacher.config import TeacherConfig
from leader_core.teacher.scorer import TeacherScorer
from tests.teacher_fakes import TinyCohort, quickly_trained, tiny_bert
from train.config import TeacherTraining
from train.console import ProgressFile
from train.student.data import guide
from train.teacher import states
from train.teacher.states import TeacherStates, write_states

COHORT: Any = TinyCohort()


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("states")
    config = TeacherConfig(base=str(tiny_bert(root / "base")), max_tokens=96, lora_rank=2)
    training = TeacherTraining(steps=3, batch_size=8)
    return quickly_trained(root / "teacher", config, training, COHORT)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "SHARD", 30)


def test_states_are_those_of_the_scorer_for_every_case(teacher: Path, tmp_path: Path) -> None:
    result = write_states(COHORT, teacher, tmp_path / "states")
    results = TeacherStates.open(tmp_path / "states")
    cases = COHORT.cases("all", "all")
    assert result["cases"] == len(cases) == len(results.visit_ids) and result["shards"] > 2
    assert results.hidden.dtype == results.logits.dtype == np.float32
    scorer = TeacherScorer.load(teacher, COHORT.title)
    hidden, logits = scorer.states(cases)
    rows = results.rows(np.array([case.current.visit_id for case in cases]))
    assert np.allclose(results.hidden[rows], hidden, atol=1e-5)
    assert np.allclose(results.logits[rows], logits, atol=1e-5)
    assert results.medications == scorer.vocabularies.medication.codes
    assert results.teacher_digest == scorer.manifest.digest
    assert results.cohort_digest == COHORT.fingerprint.digest
    assert not (tmp_path / "states.states.partial").exists()


def test_a_killed_run_continues_shard_by_shard(
    teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_states(COHORT, teacher, tmp_path / "whole")
    written: list[int] = []
    write = states._write_shard

    def killed(work: Path, number: int, *rest: Any) -> None:
        if number == 2 and len(written) == 2:
            raise KeyboardInterrupt
        written.append(number)
        write(work, number, *rest)

    monkeypatch.setattr(states, "_write_shard", killed)
    with pytest.raises(KeyboardInterrupt):
        write_states(COHORT, teacher, tmp_path / "states")
    assert not (tmp_path / "states").exists()
    work = states.unfinished_path(tmp_path / "states")
    for name in ("run.json", "index.json", "states-00000.json"):  # killed while it wrote one of these
        (work / f".{name}.x.partial").mkdir()
    UNFINISHED_STATES.check(work)  # a run of another teacher may replace it
    monkeypatch.setattr(states, "_write_shard", lambda *a: (written.append(a[1]), write(*a))[1])
    write_states(COHORT, teacher, tmp_path / "states")
    assert written == list(range(len(written)))
    assert (tmp_path / "states" / "index.json").read_text() == (tmp_path / "whole" / "index.json").read_text()
    STATES.check(tmp_path / "states")  # nothing else is in it
    count = len(written)
    write_states(COHORT, teacher, tmp_path / "states")  # complete: nothing is written again
    assert len(written) == count


def test_one_changed_byte_or_a_lost_shard_is_refused_by_name(teacher: Path, tmp_path: Path) -> None:
    write_states(COHORT, teacher, tmp_path / "states")
    shard = tmp_path / "states" / "states-00001.safetensors"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    with pytest.raises(ArtifactError, match="states-00001"):
        TeacherStates.open(tmp_path / "states")
    shard.unlink()
    with pytest.raises(ArtifactError, match=r"states-00001.*missing"):
        TeacherStates.open(tmp_path / "states")
    with pytest.raises(NotFoundError, match="train states"):
        TeacherStates.open(tmp_path)


def test_visits_without_states_are_named(teacher: Path, tmp_path: Path) -> None:
    write_states(COHORT, teacher, tmp_path / "states", targets="last")
    result = TeacherStates.open(tmp_path / "states")
    assert list(result.rows(result.visit_ids[[3, 1]])) == [3, 1]
    with pytest.raises(InputError, match=r"1 of 2 visits.*999999"):
        result.rows(np.array([result.visit_ids[0], 999_999]))


def test_a_sample_is_of_training_cases_and_teaches_even_where_last_visits_alone_do(
    teacher: Path, tmp_path: Path
) -> None:
    follower = ProgressFile(tmp_path / "progress.jsonl", quiet=True)
    write_states(COHORT, teacher, tmp_path / "some", sample=5, report=follower)
    result = TeacherStates.open(tmp_path / "some")
    training = np.array(sorted(case.current.visit_id for case in COHORT.cases("train", "all")))
    assert result.sample and len(result.visit_ids) == 5 and np.isin(result.visit_ids, training).all()
    guidance = guide(result, training, "last", result.medications)
    assert guidance.cases == 5
    assert np.array_equal(training[guidance.rows >= 0], result.visit_ids)
    events = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert (events[-1]["label"], events[-1]["done"], events[-1]["of"]) == ("states", 5, 5)


def test_a_changed_index_is_refused_and_so_is_one_of_another_format(teacher: Path, tmp_path: Path) -> None:
    write_states(COHORT, teacher, tmp_path / "states", targets="last")
    path = tmp_path / "states" / "index.json"
    index = json.loads(path.read_text())
    path.write_text(json.dumps({**index, "teacher_digest": "another"}))
    with pytest.raises(ArtifactError, match="its seal does not match"):
        TeacherStates.open(tmp_path / "states")
    path.write_text(json.dumps({**{k: v for k, v in index.items() if k != "seal"}, "format": 1}))
    with pytest.raises(ArtifactError, match="has format 1, expected 2"):
        TeacherStates.open(tmp_path / "states")
