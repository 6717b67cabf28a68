"""The baselines learn, read what they say they read, never the truth, and give the same scores for the same seed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from leader_core.cohort import Cohort
from leader_core.cohort.columns import CohortColumns
from leader_core.domain import Case, Visit
from leader_core.student.encode import EncodedCases
from tests.hospital import DIAGNOSES, MEDICATIONS, Hospital
from train.baselines import BASELINES
from train.baselines.fitting import FittedBaseline, TrainingData, fit_baseline, fit_on
from train.baselines.gamenet import Gamenet, GamenetBaseline, _graph_of
from train.baselines.neural import NeuralBaseline, Schedule, batch_of
from train.cli import main
from train.config import DEFAULT_SEED
from train.evaluation.evaluate import ModelEvaluation
from train.evaluation.inputs import groups_of

HOSPITAL = Hospital(240)
QUICK = Schedule(width=16, dropout=0.1, learning_rate=1e-2, epochs=6, patience=6)
LEARNED = ("neighbours", "logistic", "retain", "gamenet")
HISTORY = ("repeat", *LEARNED)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NeuralBaseline, "schedule", QUICK)
    for name in ("neural.RetainBaseline", "gamenet.GamenetBaseline"):
        monkeypatch.setattr(f"train.baselines.{name}.schedule", QUICK)
    torch.set_num_threads(1)


@cache
def data() -> TrainingData:
    return TrainingData.of(HOSPITAL)  # type: ignore[arg-type]


@cache
def fitted(name: str, seed: int = 1) -> FittedBaseline:
    return fit_on(name, data(), HOSPITAL.fingerprint, seed=seed)  # type: ignore[arg-type]


def scored(model: FittedBaseline, *cases: Case) -> np.ndarray:
    return model.score(model.encoder.columns(CohortColumns.from_cases(cases)))


def returning() -> Case:
    case = next(c for c in HOSPITAL.cases("test") if len(c.history) == 1)
    return replace(case, profile=dict(case.profile))


@pytest.mark.parametrize("name", BASELINES)
def test_scores_are_probabilities_of_every_class(name: str) -> None:
    scores = scored(fitted(name), *HOSPITAL.cases("test"))
    assert scores.shape == (len(HOSPITAL.cases("test")), len(fitted(name).medications))
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    assert 0 < fitted(name).threshold < 1


@pytest.mark.parametrize("name", LEARNED)
def test_what_learns_beats_popularity(name: str) -> None:
    assert fitted(name).validation_prauc > fitted("popularity").validation_prauc + 0.01


@pytest.mark.parametrize("name", BASELINES)
def test_the_current_prescription_is_never_read(name: str) -> None:
    case = returning()
    without = case.observed()
    np.testing.assert_array_equal(scored(fitted(name), case), scored(fitted(name), without))


@pytest.mark.parametrize("name", HISTORY)
def test_another_drug_history_gives_other_scores(name: str) -> None:
    """The known fault of a public library's GAMENet: its drug history is all zeros, and nothing changes."""
    case = returning()
    old = case.history[-1]
    drugs = tuple(m for m in MEDICATIONS if m not in old.medications)[:4]
    other = replace(case, profile=dict(case.profile), history=(replace(old, medications=drugs),))
    assert np.abs(scored(fitted(name), case) - scored(fitted(name), other)).max() > 1e-4


@pytest.mark.parametrize("name", LEARNED)
def test_other_diagnoses_give_other_scores(name: str) -> None:
    case = returning()
    current = replace(
        case.current, diagnoses=tuple(d for d in DIAGNOSES if d not in case.current.diagnoses)[:3]
    )
    other = replace(case, profile=dict(case.profile), current=current)
    assert np.abs(scored(fitted(name), case) - scored(fitted(name), other)).max() > 1e-4


@pytest.mark.parametrize("name", ("retain", "gamenet"))
def test_the_order_of_visits_matters_to_recurrent_networks(name: str) -> None:
    case = next(c for c in HOSPITAL.cases("all") if len(c.history) >= 2)
    turned = replace(case, profile=dict(case.profile), history=case.history[::-1])
    assert np.abs(scored(fitted(name), case) - scored(fitted(name), turned)).max() > 1e-5


@pytest.mark.parametrize("name", ("retain", "gamenet"))
def test_a_case_scores_the_same_alone_and_with_longer_ones(name: str) -> None:
    cases = HOSPITAL.cases("all")[:40]
    together = scored(fitted(name), *cases)
    alone = np.concatenate([scored(fitted(name), case) for case in cases])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("name", BASELINES)
def test_codes_never_met_and_empty_visits_are_scored(name: str) -> None:
    strange = Case(
        history=(Visit(diagnoses=("ICD9:99999",), medications=("Z99Z",)),), current=Visit(("ICD9:99998",))
    )
    assert np.isfinite(scored(fitted(name), strange, Case())).all()


def test_popularity_is_the_training_frequency() -> None:
    model = fitted("popularity")
    share = np.mean([MEDICATIONS[0] in c.prescribed for c in HOSPITAL.cases("train")])
    scores = scored(model, *HOSPITAL.cases("test"))
    assert scores[0, model.medications.find(MEDICATIONS[0])] == pytest.approx(share)
    assert (scores == scores[0]).all()


def test_repeat_puts_the_last_prescription_first_and_falls_back() -> None:
    model, cases = fitted("repeat"), HOSPITAL.cases("test")
    scores, plain = scored(model, *cases), scored(fitted("popularity"), *cases)
    for case, mine, other in zip(cases, scores, plain, strict=True):
        if case.is_first_visit:
            np.testing.assert_array_equal(mine, other)
        else:
            repeated = [model.medications.find(code) for code in case.history[-1].medications]
            rest = np.delete(mine, repeated)
            assert mine[repeated].min() > rest.max()
            np.testing.assert_array_equal(np.argsort(rest), np.argsort(np.delete(other, repeated)))


def test_a_training_case_is_its_own_nearest_neighbour() -> None:
    model = fitted("neighbours")
    rows = np.arange(20)
    scores = model.baseline._score(data().train, rows, 1)  # type: ignore[attr-defined]
    truth = data().train.labels(rows, len(model.medications))
    assert (scores[truth].min() > 0.8) and (scores[~truth].max() < 0.2)


@pytest.mark.parametrize("name", [name for name, entry in BASELINES.items() if entry.seeded])
def test_a_seed_decides_what_is_random(name: str) -> None:
    case = returning()
    again = fit_on(name, data(), HOSPITAL.fingerprint, seed=1)  # type: ignore[arg-type]
    np.testing.assert_array_equal(scored(again, case), scored(fitted(name), case))
    assert (scored(fitted(name, 2), case) != scored(again, case)).any()


def test_every_visit_may_teach() -> None:
    more = TrainingData.of(HOSPITAL, "all")  # type: ignore[arg-type]
    assert len(more.train) > len(data().train)
    assert len(more.validation) == len(data().validation)


def test_the_memory_recalls_what_was_prescribed_at_the_visit_most_alike() -> None:
    case = Case(
        history=(Visit(("ICD9:400",), (), (MEDICATIONS[3],)), Visit(("ICD9:410",), (), (MEDICATIONS[7],))),
        current=Visit(("ICD9:410",), (), (MEDICATIONS[9],)),
    )
    encoder = data().encoder
    batch = batch_of(encoder.columns(CohortColumns.from_cases([case])), np.array([0]), data().medications)
    places = [encoder.vocabularies.medication.find(MEDICATIONS[i]) for i in (3, 7, 9)]
    assert batch.given[0, :, places].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    queries = torch.tensor([[[9.0, 0.0], [0.0, 9.0], [0.0, 9.0]]])
    recalled = Gamenet.recall(queries[:, 2], queries, batch)[0, places]
    assert recalled.tolist() == pytest.approx([0, 1, 0], abs=1e-6)


def test_the_graph_holds_what_training_patients_got_together() -> None:
    codes = data().encoder.vocabularies.medication.codes
    cases: EncodedCases = data().encoder.columns(
        CohortColumns.from_cases(
            [Case(current=Visit((), (), codes[:2])), Case(current=Visit((), (), codes[1:4]))]
        )
    )
    table = np.zeros((data().medications,) * 2, bool)
    table[0, 1] = table[1, 0] = True
    graph, rate = _graph_of(cases, data().medications, table)
    pairs = {tuple(sorted(pair)) for pair in np.argwhere(graph).tolist()}
    assert pairs == {(0, 1), (1, 2), (1, 3), (2, 3)}
    assert rate == pytest.approx(1 / 4)


def test_the_interaction_loss_pushes_interacting_pairs_down() -> None:
    model = GamenetBaseline()
    model._target, model._temperature = 0.0, 1e-9
    model._chance = np.random.default_rng(0)
    model._table = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    logits = torch.tensor([[2.0, 1.0, 1.0]], requires_grad=True)
    model.loss(logits, torch.ones(1, 3)).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert (logits.grad[0, :2] > 0).all()
    assert logits.grad[0, 2] == 0
    calm = torch.tensor([[2.0, -1.0, 1.0]], requires_grad=True)  # no interacting pair is chosen: it learns
    model.loss(calm, torch.ones(1, 3)).backward()  # type: ignore[no-untyped-call]
    assert calm.grad is not None
    assert (calm.grad < 0).all()


def test_the_command_writes_scores_that_evaluate_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import json

    other = Hospital(60, seed=5)
    monkeypatch.setattr(
        Cohort, "open", classmethod(lambda cls, path: other if "other" in str(path) else HOSPITAL)
    )
    out = tmp_path / "repeat"
    words = ["baseline", "--cohort", "c.duckdb", "--name", "repeat", "--score", "other.duckdb"]
    assert main([*words, "--out", str(out)]) == 0
    record = json.loads((out / "baseline.json").read_text())

    def overall(*more: str) -> dict:
        capsys.readouterr()
        assert main(["evaluate", "--json", *more]) == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    repeat = fit_baseline("repeat", HOSPITAL)  # type: ignore[arg-type]
    for path, scores, split in (
        ("c.duckdb", out / "scores.parquet", "test"),
        ("other.duckdb", out / "other" / "scores.parquet", "all"),
    ):
        stored = overall("--cohort", path, "--model", str(scores), "--split", split)
        cohort = Cohort.open(path)
        columns = cohort.columns(split, "last")
        fresh = ModelEvaluation.of(repeat, cohort, columns)
        assert stored["groups"] == fresh.groups(groups_of(columns), seed=DEFAULT_SEED)
        assert stored["threshold"] == record["threshold"] == repeat.threshold
        assert stored["trained_on"]["digest"] == HOSPITAL.fingerprint.digest
    assert main(["evaluate", "--cohort", "other.duckdb", "--model", str(out / "scores.parquet")]) == 2
    assert "holds no scores of" in capsys.readouterr().err
