"""Training the linear path and the carry-over, with the teacher's probabilities as targets."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from leader_core.errors import InputError
from leader_core.scorer import score_columns
from leader_core.student.config import StudentConfig
from leader_core.student.packing import pack
from leader_core.student.scorer import StudentScorer
from tests.hospital import Hospital
from train.config import StudentTraining
from train.console import Report
from train.evaluation.calibrated_manifest import FACTORS, with_linear_factor
from train.evaluation.inputs import Labels
from train.student import loop
from train.student.data import StudentData
from train.student.weights import category, set_usual_time
from train.teacher.states import TeacherStates

HOSPITAL = Hospital(120)
CONFIG = StudentConfig(
    profile_fields=("insurance", "gender"),
    dropout=0.1,
    linear=True,
    linear_categories=True,
    linear_embedded=True,
    carry_over=True,
)
QUICK = StudentTraining(
    batch_size=16, epochs=2, learning_rate=2e-3, targets="all", truth=0.5, probabilities=1.0, linear_least=20
)


def states(medications: list[str], sure: float = 3.0) -> TeacherStates:
    """A teacher that is sure of the first class and against all others."""
    ids = np.sort([c.current.visit_id or 0 for c in HOSPITAL.cases("all", "all")]).astype(np.int64)
    logits = np.full((len(ids), len(medications)), -sure, np.float32)
    logits[:, 0] = sure
    hidden = np.random.default_rng(0).normal(size=(len(ids), 9)).astype(np.float32)
    digest = HOSPITAL.fingerprint.digest
    return TeacherStates(ids, hidden, logits, tuple(medications), "t" * 64, digest)


def trainer(training: StudentTraining, guided: TeacherStates | None = None) -> loop.StudentTrainer:
    data = StudentData.of(HOSPITAL, training.targets, guided)  # type: ignore[arg-type]
    return loop.StudentTrainer(data, CONFIG, training, seed=1, device="cpu", report=Report(quiet=True))


def test_columns_of_enough_cases_have_a_weight_and_the_folder_holds_them(tmp_path: Path) -> None:
    data = StudentData.of(HOSPITAL, "all")  # type: ignore[arg-type]
    arguments: dict[str, Any] = {"preset": "test", "seed": 5, "device": "cpu"}
    manifest = loop.train_student(data, CONFIG, QUICK, tmp_path / "model", **arguments)
    scorer = StudentScorer.load(tmp_path / "model", "cpu")
    path, layout = scorer.model.linear, scorer.encoder.linear
    assert path is not None
    cases = HOSPITAL.cases("train", "all")
    for code in scorer.vocabularies.diagnosis:
        token = layout_token = scorer.encoder.layout.offset("diagnosis") + scorer.vocabularies.diagnosis.find(
            code
        )
        now = sum(code in case.current.diagnoses for case in cases)
        earlier = sum(any(code in visit.diagnoses for visit in case.history) for case in cases)
        assert bool(path.row[token]) == (now >= QUICK.linear_least)
        assert bool(path.row[layout.tokens + layout_token]) == (earlier >= QUICK.linear_least)
    assert path.category is not None
    by_category = {}
    for block, visits in ((0, "current"), (layout.tokens, "earlier")):
        for code in scorer.vocabularies.diagnosis:
            token = scorer.encoder.layout.offset("diagnosis") + scorer.vocabularies.diagnosis.find(code)
            by_category.setdefault((visits, category(code)), set()).add(int(path.category[block + token]))
    assert all(len(rows) == 1 for rows in by_category.values()), "one weight for the codes of a category"
    assert {len(rows - {0}) for rows in by_category.values()} == {0, 1}, "where enough cases have them"
    given = torch.cat([path.row, path.category]).unique()
    assert manifest.settings["linear_columns"] == int((given > 0).sum()) == len(path.weight) - 1
    assert not path.weight[0].any(), "columns without a weight add nothing"
    assert path.embedded is not None
    assert path.weight[1:].abs().max() > 0.01 and path.embedded.abs().max() > 0.01
    encoded = scorer.encoder.cases(cases)
    said = path(pack(encoded, np.arange(len(cases))).linear, scorer.model.codes)
    torch.testing.assert_close(path.average, said.mean(0), atol=1e-5, rtol=0)
    gender = path.row[layout.profile_starts[1] : layout.profile_starts[1] + 3].tolist()
    shares = [np.mean([case.profile["gender"] == value for case in cases]) for value in ("F", "M")]
    average = sum(share * path.weight[row] for share, row in zip(shares, gender[1:], strict=True))
    torch.testing.assert_close(path.weight[gender[0]], average, atol=1e-5, rtol=0)


def test_what_was_taken_last_time_is_learned_as_carried_over() -> None:
    run = trainer(dataclasses.replace(QUICK, linear_rate=0.05))
    for _epoch in (1, 2):
        run._epoch()
    carry = run.student.carry_over
    assert carry is not None
    assert (carry.taken > carry.absent).float().mean() > 0.7


def test_the_teacher_s_probabilities_are_targets() -> None:
    """Where the teacher alone teaches, the student says what it says, whatever was prescribed."""
    codes = list(StudentData.of(HOSPITAL, "all").vocabularies.medication)  # type: ignore[arg-type]
    training = dataclasses.replace(QUICK, truth=1e-6, alpha=0.0, beta=0.0, learning_rate=1e-2)
    run = trainer(training, states(codes[::-1]))
    for _epoch in (1, 2):
        run._epoch()
    scores = run.validation_scores()
    assert scores[:, -1].min() > 0.8, (
        "of the class that the teacher names, in the student's own order of classes"
    )
    assert scores[:, :-1].max() < 0.2
    with pytest.raises(InputError, match="does not score every class"):
        trainer(training, states(codes[1:]))._epoch()


def test_without_states_the_prescriptions_take_the_weight_of_the_probabilities() -> None:
    assert trainer(QUICK).losses.weights["prediction"] == 1.5
    codes = list(StudentData.of(HOSPITAL, "all").vocabularies.medication)  # type: ignore[arg-type]
    assert trainer(QUICK, states(codes)).losses.weights["prediction"] == 0.5


def test_rates_and_the_penalty_are_those_of_the_settings() -> None:
    run = trainer(dataclasses.replace(QUICK, linear_rate=0.01, linear_penalty=0.5))
    by_rate = {group["lr"]: group for group in run.optimizer.param_groups if group["weight_decay"]}
    width = len(run.data.vocabularies.medication)
    assert by_rate[0.01]["weight_decay"] == pytest.approx(0.5 / width)
    assert by_rate[0.01]["params"] == [run.student.linear.weight]  # type: ignore[union-attr]
    every = [weight for group in run.optimizer.param_groups for weight in group["params"]]
    assert len(every) == len(list(run.losses.parameters()))


def test_matrices_of_the_network_decay_and_nothing_else_does() -> None:
    run = trainer(dataclasses.replace(QUICK, weight_decay=0.5))
    before = {name: weight.detach().clone() for name, weight in run.losses.named_parameters()}
    for weight in run.losses.parameters():
        weight.grad = torch.zeros_like(weight)
    run.optimizer.step()
    for name, weight in run.losses.named_parameters():
        apart = name.startswith(("student.linear.weight", "student.carry_over."))
        left = 1 - 0.5 * QUICK.learning_rate if weight.ndim > 1 and not apart else 1.0
        torch.testing.assert_close(weight, left * before[name], msg=name)


def test_the_usual_time_since_the_last_visit_is_that_of_the_training_cases() -> None:
    run = trainer(QUICK)
    carry = run.student.carry_over
    assert carry is not None
    set_usual_time(carry, np.array([np.nan, 0.0, np.e**2 - 1], np.float32))
    since = carry.since(torch.tensor([np.nan, 0.0, np.e**2 - 1]))
    torch.testing.assert_close(since, torch.tensor([0.0, -1.0, 1.0]), atol=1e-4, rtol=0)


def test_days_are_counted_from_the_last_discharge() -> None:
    case = next(c for c in HOSPITAL.cases() if c.history)
    now = datetime(2150, 5, 1)  # noqa: DTZ001 (hospital tables have no zone)
    current = dataclasses.replace(case.current, admitted_at=now)
    last = dataclasses.replace(case.history[-1], admitted_at=now - timedelta(days=9))
    left = dataclasses.replace(last, discharged_at=now - timedelta(days=3))
    cases = [
        dataclasses.replace(
            case, profile=dict(case.profile), history=(*case.history[:-1], visit), current=current
        )
        for visit in (left, last, case.history[-1])
    ]
    days = trainer(QUICK).encoder.cases([*cases, dataclasses.replace(cases[0], history=())]).days
    np.testing.assert_array_equal(days, np.array([3, 9, np.nan, np.nan], np.float32))


def test_how_much_of_the_path_counts_elsewhere_is_chosen_on_that_hospital_s_patients(tmp_path: Path) -> None:
    data = StudentData.of(HOSPITAL, "all")  # type: ignore[arg-type]
    arguments: dict[str, Any] = {"preset": "test", "seed": 5, "device": "cpu"}
    loop.train_student(data, CONFIG, QUICK, tmp_path / "model", **arguments)
    other = Hospital(60, seed=9)
    model = StudentScorer.load(tmp_path / "model", "cpu")
    assert model.model.linear is not None
    manifest = with_linear_factor(model, model.manifest, other)  # type: ignore[arg-type]
    chosen = manifest.linear_factors[other.fingerprint.digest]
    praucs = {}
    for factor in FACTORS:
        model.model.linear.factor = factor
        parts = [other.columns(split, "all") for split in ("train", "validation")]
        praucs[factor] = sum(
            len(part) * Labels.of(part, model.medications).mean_prauc(score_columns(model, part))
            for part in parts
        )
    assert praucs[chosen] == max(praucs.values()) > min(praucs.values())
    with pytest.raises(InputError, match="another cohort"):
        with_linear_factor(model, manifest, HOSPITAL)  # type: ignore[arg-type]
