"""`faithfulness`: its areas and intervals by hand, and the command from a trained student to its last line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from leader_core.cohort import Cohort
from leader_core.explain.faithfulness import METHODS, Curves
from leader_core.student.config import StudentConfig
from train.cli import main
from train.commands.faithfulness import summary
from train.config import StudentTraining
from train.console import Report
from train.student.data import StudentData
from train.student.loop import train_student


def curve(*heights: float) -> np.ndarray:
    return np.array(heights)


def test_areas_and_what_they_are_better_by() -> None:
    """Lower is better while things leave, higher while they come back."""
    one = Curves(
        "A02B",
        2,
        {"gradients": curve(1, 0, 0), "removal": curve(1, 1, 0), "random": curve(1, 0.5, 0)},
        {"gradients": curve(0, 1, 1), "removal": curve(0, 0, 1), "random": curve(0, 0.5, 1)},
    )
    flat = {method: curve(0.5, 0.5) for method in METHODS}
    two = Curves("B01A", 1, flat, flat)
    result = summary([one, two], seed=0)
    for which, areas in (("deletion", (0.25, 0.75, 0.5)), ("insertion", (0.75, 0.25, 0.5))):
        for method, of_one, better in zip(METHODS, areas, (0.25, -0.25, 0.0), strict=True):
            metrics = result[which][method]
            assert metrics["area"]["mean"] == pytest.approx((of_one + 0.5) / 2)
            assert metrics["better_than_random"]["mean"] == pytest.approx(better / 2)
            low, high = sorted((of_one, 0.5))  # two cases: a draw is one of them twice, or both
            assert (metrics["area"]["low"], metrics["area"]["high"]) == pytest.approx((low, high))
    alone = summary([one], seed=0)["deletion"]["gradients"]["area"]
    assert alone["low"] == alone["mean"] == alone["high"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, synthetic_cohort: Path) -> Path:
    """A student that has learned for a moment."""
    out = tmp_path_factory.mktemp("models") / "student"
    cohort = Cohort.open(synthetic_cohort)
    training = StudentTraining(batch_size=32, epochs=1, learning_rate=2e-3)
    config = StudentConfig(profile_fields=("gender",))
    data = StudentData.of(cohort, training.targets)
    train_student(data, config, training, out, preset="test", seed=5, device="cpu", report=Report(quiet=True))
    cohort.close()
    return out


def test_the_command_from_a_student_to_its_last_line(
    model: Path, synthetic_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "faithful.json"
    words = ["faithfulness", "--cohort", str(synthetic_cohort), "--model", str(model)]
    words += ["--cases", "3", "--split", "all", "--seed", "4"]
    assert main([*words, "--json", "--out", str(out)]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert json.loads(out.read_text(encoding="utf-8")) == result
    assert (result["cases"], result["split"], result["model"]["name"]) == (3, "all", "student")
    for which in ("deletion", "insertion"):
        assert set(result[which]) == set(METHODS)
        for metrics in result[which].values():
            assert 0 <= metrics["area"]["low"] <= metrics["area"]["mean"] <= metrics["area"]["high"] <= 1
        assert result[which]["random"]["better_than_random"]["mean"] == 0
        assert result[which]["removal"]["better_than_random"]["mean"] > 0, "exact on one step, so better here"
    assert main(words) == 0
    printed = capsys.readouterr().err
    assert f"{result['deletion']['removal']['area']['mean']:.3f}" in printed, (
        "the same seed, the same figures"
    )
    assert "better than random by" in printed


@pytest.mark.parametrize(
    ("more", "message"), [(["--cases", "0"], "expected at least 1"), (["--model", "elsewhere"], "elsewhere")]
)
def test_wrong_usage_is_a_sentence(
    more: list[str],
    message: str,
    model: Path,
    synthetic_cohort: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["faithfulness", "--cohort", str(synthetic_cohort), "--model", str(model), *more]
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_a_folder_under_another_name_is_refused(
    model: Path, synthetic_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(model, tmp_path / "mine")
    assert main(["faithfulness", "--cohort", str(synthetic_cohort), "--model", str(tmp_path / "mine")]) == 2
    assert "expected a folder called 'student'" in capsys.readouterr().err
