"""`scores --add`: a baseline's file joins the stored scores, partly or wholly, and what does not fit is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from leader_core.cohort import Cohort
from leader_core.error_analysis import Analysis
from leader_core.files import replacing_file
from leader_core.stored_scores import scores_path
from tests.planted import Planted
from train.cli import main


@pytest.fixture
def planted(tmp_path: Path, synthetic_cohort: Path) -> Planted:
    result = Planted(synthetic_cohort, tmp_path)
    result.cohort.close()
    return result


def test_a_baseline_joins_what_is_stored(planted: Planted, tmp_path: Path) -> None:
    out = tmp_path / "popularity"
    command = [
        "baseline",
        "--cohort",
        str(planted.path),
        "--name",
        "popularity",
        "--out",
        str(out),
        "--split",
        "test",
    ]
    assert main(command) == 0
    file = out / "scores.parquet"
    assert main(["scores", "--cohort", str(planted.path), "--add", f"popular={file}"]) == 0
    cohort = Cohort.open(planted.path)
    analysis = Analysis.of(cohort)
    assert list(analysis.models) == ["teacher", "student", "popular", "popularity"]
    test = cohort.columns("test", "last").visit_ids
    assert set(analysis.frame.visit_ids[analysis.metrics("popular").scored]) == set(test)
    assert analysis.models["popular"].cases == len(test)
    assert len(analysis.frame) == len(planted.columns), "what was prescribed is written once"
    assert cohort.patients().rows[0].teacher_jaccard is not None, "the worklist's overview is still there"
    teacher = analysis.probabilities("teacher")
    rows = np.argsort(planted.columns.visit_ids)
    assert np.allclose(teacher, planted.scores["teacher"][rows])
    cohort.close()
    assert main(["scores", "--cohort", str(planted.path), "--add", f"popular={file}"]) == 2, "each model once"
    stored = scores_path(planted.path)
    other = stored.rename(tmp_path / "mine.duckdb")
    assert main(["verify", str(other)]) == 0, "whatever it is called"
    other.rename(stored)
    with replacing_file(stored) as running:  # of two at once, one's models would be lost
        assert main(["scores", "--cohort", str(planted.path), "--add", f"more={file}"]) == 2
        shutil.copy(stored, running)


def test_what_is_no_further_model_is_refused(planted: Planted, capsys: pytest.CaptureFixture[str]) -> None:
    for added in ("nonsense", "teacher=x.parquet", "Bad Name=x.parquet", "gone=nothing.parquet", ""):
        extra = ["--add", added] if added else []
        assert main(["scores", "--cohort", str(planted.path), *extra]) == 2
        assert "Traceback" not in capsys.readouterr().err


def test_without_stored_scores_there_is_nothing_to_add_to(
    tmp_path: Path, synthetic_cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.duckdb"
    shutil.copy(synthetic_cohort, path)
    assert main(["scores", "--cohort", str(path), "--add", "a=b.parquet"]) == 2
    assert "--models" in capsys.readouterr().err
