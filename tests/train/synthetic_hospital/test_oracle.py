"""The oracle: calibrated, better than what needs no case, helped by history, and only for what the generator wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leader_core.cohort import Cohort
from leader_core.errors import InputError
from leader_core.scorer import score_columns
from train.baselines.fitting import fit_baseline
from train.cli import main
from train.evaluation.inputs import Labels
from train.evaluation.predictions import StoredScores
from train.synthetic_hospital.oracle import Oracle
from train.synthetic_hospital.prescription_rows import written_at_least_once

HOSPITAL_SEED = 7  # of the small hospital in conftest.py


@pytest.fixture(scope="module")
def cohort(synthetic_cohort: Path) -> Cohort:
    return Cohort.open(synthetic_cohort)


def test_its_probabilities_are_how_often_classes_are_prescribed_and_rank_best(cohort: Cohort) -> None:
    columns = cohort.columns("all", "all")
    returning = np.flatnonzero(columns.history_lengths > 0)
    prauc = {}
    for history in (False, True):
        oracle = Oracle(cohort, seed=HOSPITAL_SEED, history=history)
        labels = Labels.of(columns, oracle.medications)
        scores = oracle.score(columns)
        assert scores.sum() == pytest.approx(labels.truth.sum(), rel=0.02)
        for low, high in ((0.05, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.0)):
            inside = (scores >= low) & (scores < high)
            error = np.sqrt(0.25 / inside.sum())
            assert scores[inside].mean() == pytest.approx(labels.truth[inside].mean(), abs=4 * error)
        prauc[oracle.name] = Labels.of(columns.take(returning), oracle.medications).mean_prauc(
            scores[returning]
        )
    popularity = score_columns(fit_baseline("popularity", cohort), columns.take(returning))
    popular = Labels.of(columns.take(returning), oracle.medications).mean_prauc(popularity)
    assert popular + 0.1 < prauc["oracle-current"] < prauc["oracle"] - 0.02


def test_first_visits_have_no_history_to_use(cohort: Cohort) -> None:
    columns = cohort.columns("test", "all")
    first = columns.take(np.flatnonzero(columns.history_lengths == 0))
    with_history, without = (
        Oracle(cohort, seed=HOSPITAL_SEED, history=h).score(first) for h in (True, False)
    )
    np.testing.assert_allclose(with_history, without, atol=1e-6)


def test_its_file_is_read_like_any_models(cohort: Cohort, tmp_path: Path) -> None:
    out = tmp_path / "scores.parquet"
    assert (
        main(["synthesize", "--oracle", str(cohort.path), "--seed", str(HOSPITAL_SEED), "--out", str(out)])
        == 0
    )
    stored, oracle = StoredScores(out, cohort), Oracle(cohort, seed=HOSPITAL_SEED)
    assert (stored.name, stored.threshold) == ("oracle", oracle.threshold)
    for targets in ("last", "all"):
        columns = cohort.columns("test", targets)  # type: ignore[arg-type]
        np.testing.assert_allclose(score_columns(stored, columns), oracle.score(columns))


def test_another_seed_or_a_real_cohort_is_refused(cohort: Cohort, real_cohort: Path) -> None:
    with pytest.raises(InputError, match="not written by this generator with seed 41"):
        Oracle(cohort, seed=41)
    with pytest.raises(InputError, match="no synthetic hospital"):
        Oracle(Cohort.open(real_cohort), seed=HOSPITAL_SEED)


def test_a_rare_spelling_is_more_likely_where_a_product_is_ordered_again() -> None:
    once, short, long = (
        written_at_least_once(np.array([0.0, 0.3, 1.0]), np.array([d])) for d in (-5.0, 2.0, 30.0)
    )
    assert (once <= short).all() and once[1] < short[1] < long[1]
    np.testing.assert_allclose(short[[0, 2]], [0, 1])
    assert once[1] == pytest.approx(1 - 0.7 * (1 - 0.2 * 0.3))  # no renewals at all
