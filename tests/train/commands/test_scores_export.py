"""`scores --export` and `--import`: what was exported comes back on another machine, and what does not fit is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from leader_core.cohort import Cohort
from leader_core.error_analysis import Analysis, Selection, boxed
from leader_core.model_folder import read_manifest
from leader_core.stored_scores import ScoreWriter, scores_path
from leader_core.stored_scores.write import project
from tests.conftest import ROOT
from tests.planted import CUT, Planted
from train.cli import main
from train.evaluation.predictions import ABOUT

SHIPPED = ROOT / "assets" / "demo" / "scores.parquet"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, synthetic_cohort: Path) -> Planted:
    """Planted scores with a map of cases, exported."""
    made = Planted(synthetic_cohort, tmp_path_factory.mktemp("export"))
    points = project(made.scores["student"])
    plain = made.cohort
    with ScoreWriter.adding(made.file, plain.fingerprint.digest, plain.interactions) as writer:
        writer.add_map(made.columns.visit_ids, points)
    made.cohort.close()
    assert main(["scores", "--cohort", str(made.path), "--export", str(_file(made))]) == 0
    return made


def _file(planted: Planted) -> Path:
    return planted.path.with_name("scores.parquet")


def test_what_is_exported_comes_back(planted: Planted, synthetic_cohort: Path, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.duckdb"
    shutil.copy(synthetic_cohort, path)
    assert main(["scores", "--cohort", str(path), "--import", str(_file(planted))]) == 0
    before, after = (Analysis.of(Cohort.open(p)) for p in (planted.path, path))
    assert list(before.models.values()) == list(after.models.values()), "cut-offs, digests and dates too"
    for name in CUT:
        assert (before.probabilities(name) == after.probabilities(name)).all()
        for metric in ("jaccard", "prauc", "interacting"):
            one, two = (a.metrics(name).of(metric) for a in (before, after))
            assert np.array_equal(one, two, equal_nan=True), metric
    assert np.array_equal(before.case_map, after.case_map)
    left = after.mask(Selection((boxed(-9, float(np.median(after.case_map[:, 0])), -9, 9),)))
    assert 0.4 < left.mean() < 0.6, "a box on the map holds its cases"


def test_scores_of_more_cases_are_left(planted: Planted, tmp_path: Path) -> None:
    path = tmp_path / "more.duckdb"
    shutil.copy(planted.path, path)
    shutil.copy(planted.file, scores_path(path))
    few = tmp_path / "few.parquet"
    table = pq.read_table(_file(planted))
    some = table["visit_id"].to_numpy() < int(np.median(planted.columns.visit_ids))
    pq.write_table(table.filter(some), few)
    assert main(["scores", "--cohort", str(path), "--import", str(few)]) == 0
    assert Analysis.of(Cohort.open(path)).models["teacher"].cases == len(planted.columns)


def test_scores_of_another_cohort_are_refused(
    planted: Planted, synthetic_cohort_mimic4: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.duckdb"
    shutil.copy(synthetic_cohort_mimic4, path)
    assert main(["scores", "--cohort", str(path), "--import", str(_file(planted))]) == 2
    assert "another cohort" in capsys.readouterr().err and not scores_path(path).exists()


@pytest.mark.parametrize("content", [b"", b"PAR1 not a file", None])
def test_what_is_no_such_file_is_refused(
    planted: Planted, content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.parquet"
    if content is not None:
        file.write_bytes(content)
    assert main(["scores", "--cohort", str(planted.path), "--import", str(file)]) == 2
    error = capsys.readouterr().err
    assert "--export" in error and "Traceback" not in error


def test_the_shipped_scores_are_those_of_the_shipped_models(demo_models: Path) -> None:
    """Where this fails, the models changed: `python -m train demo --scores` scores the test patients anew."""
    about = json.loads(pq.read_schema(SHIPPED).metadata[ABOUT])
    assert set(about["models"]) == {"teacher", "student", "logistic", "popularity", "repeat"}
    for kind in ("teacher", "student"):
        manifest = read_manifest(demo_models / kind)
        model = about["models"][kind]
        assert (model["digest"], model["threshold"]) == (manifest.digest, manifest.threshold)
        assert about["cohort"] == manifest.cohort.digest
    assert SHIPPED.stat().st_size < 3 << 20


def test_the_demo_starts_with_its_scores(demo_cohort: Path) -> None:
    analysis = Analysis.of(Cohort.open(demo_cohort))
    assert [m.cases for m in analysis.models.values()] == [819] * 5
    assert not np.isnan(analysis.case_map).any()
