"""A student that reads titles: what training never saw is read by its title, and stored weights need no titles."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from leader_core.domain import Case, Visit
from leader_core.errors import TrainingError
from leader_core.scorer import score_columns
from leader_core.student.config import StudentConfig
from leader_core.student.packing import pack
from leader_core.student.scorer import StudentScorer
from leader_core.student.titles import TitleEncoder
from tests.hospital import Hospital
from train.config import StudentTraining
from train.console import Report
from train.student import loop
from train.student.data import StudentData

HOSPITAL = Hospital(80)
CONFIG = StudentConfig(profile_fields=("gender",), code_text=True)
QUICK = StudentTraining(batch_size=16, epochs=2, learning_rate=2e-3)
TITLES = {"ICD9:400": "heart failure", "ICD9:NEW": "failure of the heart", "ICD9:ODD": "broken leg"}


class WordVectors:
    """The sum of a fixed random vector for each word."""

    id, sha256, width = "words", "w" * 64, 12

    def encode(self, titles: Sequence[str]) -> np.ndarray:
        return np.array(
            [
                sum(np.random.default_rng(list(word.encode())).normal(size=12) for word in t.split())
                for t in titles
            ],
            dtype=np.float32,
        )


def title(kind: str, code: str) -> str | None:
    return None if code == "ICD9:UNTITLED" else TITLES.get(code, f"{kind} {code}")


def trainer() -> loop.StudentTrainer:
    data = dataclasses.replace(StudentData.of(HOSPITAL, "last"), titles=title)  # type: ignore[arg-type]
    return loop.StudentTrainer(
        data, CONFIG, QUICK, seed=1, device="cpu", report=Report(quiet=True), vectors=WordVectors()
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("text") / "model"
    data = dataclasses.replace(StudentData.of(HOSPITAL, "last"), titles=title)  # type: ignore[arg-type]
    manifest = loop.train_student(
        data, CONFIG, QUICK, out, preset="test", seed=1, device="cpu", vectors=WordVectors()
    )
    assert manifest.base_model is not None
    assert manifest.base_model.sha256 == "w" * 64
    return out


def with_code(code: str) -> Case:
    case = HOSPITAL.cases("test")[0]
    return dataclasses.replace(
        case, profile=dict(case.profile), current=dataclasses.replace(case.current, diagnoses=(code,))
    )


def test_folding_the_titles_in_changes_no_score() -> None:
    student_trainer = trainer()
    student, encoded = student_trainer.student.eval(), student_trainer.encoded
    rows = np.arange(20)
    with torch.no_grad():
        torch.nn.init.normal_(student.codes.weight)
        before = student(pack(encoded, rows)).logits
        student.fold_titles()
        after = student(pack(encoded, rows)).logits
    torch.testing.assert_close(before, after, atol=1e-5, rtol=0)


def test_title_and_own_part_both_learn() -> None:
    student_trainer = trainer()
    parts = student_trainer.losses(student_trainer.batch(np.arange(30)))
    parts["loss"].backward()
    assert student_trainer.student.title_out.weight.grad is not None
    assert student_trainer.student.title_out.weight.grad.any()
    assert student_trainer.student.codes.weight.grad is not None
    assert student_trainer.student.codes.weight.grad.any()


def test_a_code_that_training_never_saw_is_read_by_its_title(folder: Path) -> None:
    scorer = StudentScorer.load(folder, "cpu", titles=title, vectors=WordVectors())
    blind = StudentScorer.load(folder, "cpu")
    new, odd, none = (
        scorer.score([with_code(c)]).probabilities[0] for c in ("ICD9:NEW", "ICD9:ODD", "ICD9:UNTITLED")
    )
    assert np.abs(new - none).max() > 1e-3
    assert np.abs(new - odd).max() > 1e-3
    np.testing.assert_allclose(none, blind.score([with_code("ICD9:NEW")]).probabilities[0], atol=1e-6)
    for reader in (scorer, blind):
        assert reader.unseen(with_code("ICD9:NEW")) == [("diagnosis", "ICD9:NEW")]
    assert scorer.by_title("diagnosis", "ICD9:NEW") and not blind.by_title("diagnosis", "ICD9:NEW")
    assert not scorer.by_title("diagnosis", "ICD9:UNTITLED")


def test_an_earlier_medication_that_training_never_saw_is_read_by_its_title_and_is_no_label(
    folder: Path,
) -> None:
    scorer = StudentScorer.load(folder, "cpu", titles=title, vectors=WordVectors())
    case = HOSPITAL.cases("test")[0]
    scores = []
    for code in ("Z01Z", "Z02Z", None):
        visit = Visit(medications=() if code is None else (code,))
        past = dataclasses.replace(case, profile=dict(case.profile), history=(visit,))
        scores.append(scorer.score([past]).probabilities[0])
        assert scorer.unseen(past) == ([] if code is None else [("medication", code)])
    assert np.abs(scores[0] - scores[1]).max() > 1e-3
    assert np.abs(scores[0] - scores[2]).max() > 1e-3
    given = dataclasses.replace(
        case, profile=dict(case.profile), current=dataclasses.replace(case.current, medications=("Z01Z",))
    )
    assert not scorer.encode([given]).labels(np.arange(1), len(scorer.vocabularies.medication)).any()


def test_what_is_shipped_to_read_titles_is_small(folder: Path) -> None:
    """One map of title vectors to embeddings and their mean: not the title vectors, and no titles."""
    blind = StudentScorer.load(folder, "cpu").model
    rows = len(blind.codes.weight)
    assert rows == blind.layout.size
    shipped = load_file(folder / "model.safetensors")
    extra = {n: tuple(v.shape) for n, v in shipped.items() if n.startswith("title")}
    assert extra == {"title_out.weight": (64, 12), "title_mean": (12,)}
    assert {p.name for p in folder.iterdir()} == {
        "config.json",
        "drug_shares.json",
        "manifest.json",
        "model.safetensors",
        "validation.json",
        "vocabulary.json",
    }


def test_cases_and_columns_read_the_same(folder: Path) -> None:
    other = Hospital(30, seed=3)
    cases = [with_code("ICD9:NEW"), with_code("ICD9:ODD"), *other.cases("all", "all")]
    scorer = StudentScorer.load(folder, "cpu", titles=title, vectors=WordVectors())
    fresh = StudentScorer.load(folder, "cpu", titles=title, vectors=WordVectors())
    columns = other.columns().from_cases(cases)
    np.testing.assert_allclose(scorer.score(cases).probabilities, score_columns(fresh, columns), atol=1e-5)
    rows = np.arange(len(cases))
    width = len(scorer.vocabularies.medication)
    np.testing.assert_array_equal(
        scorer.encode(cases).labels(rows, width), fresh.encode_columns(columns).labels(rows, width)
    )


def test_without_any_title_there_is_nothing_to_read() -> None:
    data = dataclasses.replace(StudentData.of(HOSPITAL, "last"), titles=None)  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match="code_text"):
        loop.StudentTrainer(
            data, CONFIG, QUICK, seed=1, device="cpu", report=Report(quiet=True), vectors=WordVectors()
        )


def test_minilm_puts_like_titles_near_each_other() -> None:
    encoder = TitleEncoder("minilm")
    x = encoder.encode(["Congestive heart failure", "Systolic heart failure", "Fracture of the femur"])
    assert x.shape == (3, encoder.width) == (3, 384)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    assert x[0] @ x[1] > x[0] @ x[2] + 0.2
