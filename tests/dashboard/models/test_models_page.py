"""The Models page in every state: both models, one at a time, checks, measurements, training from start to use."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.models.metrics import published, reasons_against
from dashboard.server import training_runs
from dashboard.server.training_runs import TrainingRuns, TrainingSources
from dashboard.server.training_state import TrainingRequest
from leader_core import InputError
from leader_core.evaluation.calibration import Bin, Calibration, Cutoff
from leader_core.evaluation.record import StoredEvaluation
from leader_core.model_folder import Manifest
from tests.dashboard.conftest import OpenPage, Serve, address, text
from tests.fakes import FINGERPRINT, FakeEngine, manifest

FAKE = (sys.executable, str(Path(__file__).parents[1] / "fake_training.py"))
CALIBRATION = Calibration(
    1.2,
    -0.1,
    77,
    0.041,
    0.012,
    (Cutoff(0.8, 0.9, 0.21), Cutoff(1.0, 0.95, None)),
    (Bin(5, 0.3, 0.4),),
    (Bin(5, 0.4, 0.4),),
)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrainingRuns]:
    """TrainingRuns of a fake command; what it makes is a whole manifest."""
    trained = tmp_path / "made"
    trained.mkdir()
    record = asdict(replace(manifest("student"), preset="default+calibrate"))
    (trained / "manifest.json").write_text(json.dumps(record))
    fake = TrainingRuns(tmp_path / "runs", FAKE)
    monkeypatch.setenv("FAKE_MODEL", str(trained))
    monkeypatch.setenv("LEADER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("LEADER_TRAINING", "on")
    monkeypatch.setattr(training_runs, "_open_runs", lambda folder: fake)
    monkeypatch.setattr("dashboard.models.training_panel.read_manifest", lambda folder, kind: manifest(kind))
    monkeypatch.setattr("dashboard.models.training_panel._follow", lambda *_: False)  # as with a click
    yield fake
    if fake.busy:
        fake.cancel(fake.busy.id)
        until(lambda: fake.busy is None)


def until(there: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)


def press(page: AppTest, key: str) -> AppTest:
    return next(b for b in page.button if b.key == key).click().run()


def until_said(page: AppTest, words: str) -> AppTest:
    """Look again as the page's own timer would."""
    end = time.monotonic() + 60
    while words not in text(page):
        assert time.monotonic() < end, text(page)[-3000:]
        time.sleep(0.1)
        page.run()
    return page


# What a model is


def test_both_models_at_a_glance(open_page: OpenPage) -> None:
    page = open_page("models")
    for words in (
        "Files verified",
        "0.71",
        "0.702 to 0.718",
        "0.42, highest mean Jaccard on validation",
        "Not for prescribing",
    ):
        assert words in text(page), words
    page = press(page, "open-teacher")
    assert address(page) == {"model": "teacher"}
    assert "53aa51172d142c89" in text(page)


@pytest.mark.parametrize(
    ("model", "other"), [("teacher", "no teacher: undistilled"), ("student", "Base model")]
)
def test_a_link_opens_one_models_page(open_page: OpenPage, model: str, other: str) -> None:
    page = open_page("models", model=model)
    for words in (
        "First visit only",
        "0.710 (0.702 to 0.718)",
        "not comparable with published metrics",
        "carries no calibration",
    ):
        assert words.lower() in text(page).lower(), words
    assert other not in text(page)
    assert address(page) == {"model": model}
    assert len(page.get("plotly_chart")) == 1
    assert "ef" * 32 in text(page)  # a file's hash


def test_a_link_that_means_nothing_shows_both(open_page: OpenPage) -> None:
    page = open_page("models", model="<b>x</b>")
    assert address(page) == {}
    assert "All about the teacher" in text(page)


def test_a_calibrated_model_shows_its_reliability_and_promises(serve: Serve, open_page: OpenPage) -> None:
    engine = FakeEngine()
    engine.models["student"].manifest = replace(manifest("student"), calibration=CALIBRATION)
    serve(engine)
    page = open_page("models", model="student")
    for words in (
        "0.041 before and 0.012 after calibration",
        "temperature 1.20, bias -0.10",
        "77 validation cases",
        "80 % of what is ordered",
        "no set keeps it",
        "this flatters it",
    ):
        assert words in text(page), words
    assert len(page.get("plotly_chart")) == 2


def test_test_metrics_follow_validation_without_published_ones(
    serve: Serve, open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = {
        "cases": 829,
        "prauc": {"value": 0.7216, "low": 0.7137, "high": 0.7297, "mean": 0.72, "std": 0.002},
    }
    cohort = {"label": FINGERPRINT.label, "digest": FINGERPRINT.digest, "synthetic": True}
    seed = {"seeds": [42], "thresholds": [manifest("student").threshold]}
    of_student = {**seed, "groups": {"overall": group}}
    on_test = {"cohort": cohort, "split": "test", "cases": 829, "models": {"student": of_student}}
    (tmp_path / "evaluation.json").write_text(json.dumps({"cohorts": {"synthetic": on_test}}))
    monkeypatch.setenv("LEADER_MODELS", str(tmp_path / "models"))
    serve()
    shown = text(open_page("models", model="student"))
    assert "0.722 (0.714 to 0.730)" in shown
    assert "829" in shown
    assert "Published" not in shown
    assert "0.779" not in shown


@pytest.mark.parametrize("absent", [("teacher",), ("teacher", "student")])
def test_models_that_are_not_there(serve: Serve, open_page: OpenPage, absent: tuple[str, ...]) -> None:
    serve(FakeEngine(absent=absent))
    shown = text(open_page("models"))
    assert "Train one with `python -m train teacher`" in shown
    assert shown.count("Not installed") >= len(absent)
    assert "Not for prescribing" in text(open_page("models", model="teacher"))


# Published metrics


def real(**changes: Any) -> Manifest:
    cohort = replace(FINGERPRINT, label="MIMIC-III", synthetic=False, preset="paper", patients=6_350)
    return replace(manifest("student"), cohort=replace(cohort, **changes))


def judged(own: Manifest) -> StoredEvaluation:
    return StoredEvaluation("MIMIC-III", own.cohort.digest, False, "test", 600, 1, {}, (), (), None, None, ())


def test_only_the_same_kind_of_data_is_compared_with_published_metrics() -> None:
    assert reasons_against(real(), judged(real())) == ()
    assert published(real()).prauc == 0.7795  # type: ignore[union-attr]
    for changes, word in (
        ({"synthetic": True}, "synthetic"),
        ({"label": "MIMIC-III Clinical Database Demo", "patients": 94}, "100 patients"),
        ({"patients": 900}, "900 patients"),
        ({"source": "other"}, "nothing was published"),
        ({"preset": "clinical"}, "preset"),
        ({"atc_level": 4}, "level 4"),
    ):
        (first, *_) = reasons_against(real(**changes), judged(real(**changes)))
        assert word in first
    assert "no test metrics" in reasons_against(real(), None)[0]
    assert "other patients" in reasons_against(real(), replace(judged(real()), split="all"))[0]


# Checks and measurements


def test_the_self_check_reports_line_by_line(open_page: OpenPage) -> None:
    page = press(open_page("models"), "check_start")
    page = until_said(page, "Same case twice")
    shown = text(page)
    assert "✓ passed" in shown
    assert "✗ failed" in shown  # the fake's hashes are made up
    assert "Changed: sha256" in shown or "is missing" in shown
    assert "failed." in shown


def test_times_appear_when_measured(
    serve: Serve, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leader_core.evaluation.self_check.device_name", lambda device: "a quick device")
    serve()
    page = open_page("models")
    assert "Times appear when measured" in text(page)
    page = until_said(press(page, "measure_start"), "a quick device")
    assert re.search(r"\b[1-9]\d* cases one at a time", text(page))
    assert " ms" in text(page)
    assert "of memory" in text(page)


def test_nothing_is_timed_while_nothing_is_loaded(serve: Serve, open_page: OpenPage) -> None:
    serve(FakeEngine(absent=("teacher", "student")))
    page = open_page("models")
    assert next(b for b in page.button if b.key == "measure_start").disabled
    assert "No model is loaded yet" in text(page)


# Training


def begin(page: AppTest, seed: int) -> AppTest:
    next(n for n in page.number_input if n.key == "train_seed").set_value(seed)
    next(n for n in page.number_input if n.key == "train_epochs").set_value(3)
    return press(page, "train_start")


def test_a_training_is_followed_and_its_student_used_named_and_left(
    runs: TrainingRuns, open_page: OpenPage
) -> None:
    page = begin(open_page("models", model="training"), seed=1)
    page = until_said(page, "✓ Finished")
    shown = text(page)
    assert "default, seed 1" in shown
    assert "The server&#39;s own" in shown
    name = runs.all()[0].id
    page = press(page, f"use-{name}")
    assert address(page) == {"model": "training", "student": name}
    assert "“default, seed 1”, trained here," in text(page)
    case = open_page("case", patient="10001", student=name)
    assert "“default, seed 1”, trained here," in text(case)
    assert address(case)["student"] == name
    assert address(open_page("case", student=name)) == {"student": name}, "with no case open too"
    page = press(page, f"leave-{name}")
    assert "trained here," not in text(page)
    assert "student" not in address(page)


def test_a_running_training_is_seen_in_another_tab_and_cancelled(
    runs: TrainingRuns, open_page: OpenPage
) -> None:
    first = begin(open_page("models", model="training"), seed=3)
    first = until_said(first, "0.65")
    second = until_said(open_page("models", model="training"), "best so far")
    assert "Start training" not in text(second)
    second = press(second, "train_cancel")
    until_said(second, "Canceled")
    until_said(first, "Start training")
    assert runs.all()[0].state == "cancelled"


def test_a_training_that_fails_says_why(runs: TrainingRuns, open_page: OpenPage) -> None:
    page = begin(open_page("models", model="training"), seed=2)
    page = until_said(page, "✗ Failed")
    assert "The loss became nan in epoch 2. Lower learning_rate." in text(page)
    assert "Use this student" not in text(page)
    press(page, f"delete-{runs.all()[0].id}")
    assert runs.all() == ()


def test_only_an_administrator_deletes_and_cancels(
    runs: TrainingRuns, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = begin(open_page("models", model="training"), seed=2)
    page = until_said(page, "✗ Failed")
    monkeypatch.setattr("dashboard.models.training_panel.may_administer", lambda: False)
    page = press(page, f"delete-{runs.all()[0].id}")  # drawn while the role was still there
    assert len(runs.all()) == 1 and "Only an administrator may delete" in text(page)
    assert not any(str(button.key).startswith("delete-") for button in page.button)
    runs.start(TrainingRequest(seed=3), TrainingSources(Path("cohort.duckdb"), "c" * 64))
    page = open_page("models", model="training")
    assert runs.busy and not any(button.key == "train_cancel" for button in page.button)


def test_training_is_off_unless_switched_on(
    runs: TrainingRuns, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEADER_TRAINING")
    page = open_page("models", model="training")
    assert "--allow-training" in text(page)
    assert "Start training" not in text(page)
    monkeypatch.setenv("LEADER_TRAINING", "perhaps")
    from dashboard.server.settings import read_settings

    with pytest.raises(InputError, match="LEADER_TRAINING is 'perhaps'"):
        read_settings()


def test_a_stale_link_to_a_student_is_a_sentence_and_a_way_on(
    runs: TrainingRuns, open_page: OpenPage
) -> None:
    for name in ("a" * 12, "../made", "<script>"):
        page = open_page("models", student=name)
        assert "The student that the link names is not here" in text(page)
        assert "student" not in address(page)
        assert name not in text(page)
