"""Training runs as processes: started, followed, cancelled, failed, left behind by a server that stopped, one at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.server import training_runs
from dashboard.server.training_runs import TrainingRuns, TrainingSources, find_states
from dashboard.server.training_state import (
    ADDITIONS,
    PRESETS,
    USUAL,
    Run,
    TrainingRequest,
    began,
    is_alive,
    last_words,
    read_progress,
)
from leader_core import InputError
from train.config import Settings, load_settings

FAKE = (sys.executable, str(Path(__file__).parents[1] / "fake_training.py"))
FINISHES, FAILS, STAYS, KILLED, SILENT = range(1, 6)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingRuns:
    model = tmp_path / "made"
    model.mkdir()
    (model / "manifest.json").write_text("{}")
    monkeypatch.setenv("FAKE_MODEL", str(model))
    return TrainingRuns(tmp_path / "runs", FAKE)


def start(runs: TrainingRuns, seed: int, **values: int) -> str:
    return runs.start(TrainingRequest(seed=seed, **values), TrainingSources(Path("cohort.duckdb"), "c" * 64))  # type: ignore[arg-type]


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def ended(runs: TrainingRuns, name: str) -> Run:
    until(lambda: (run := runs.get(name)) and run.over, "the run did not end")
    run = runs.get(name)
    assert run is not None
    return run


def test_a_run_is_followed_from_its_start_to_its_model(runs: TrainingRuns) -> None:
    name = start(runs, FINISHES, epochs=4)
    run = ended(runs, name)
    assert (run.state, run.name, run.cohort) == ("done", "default, seed 1", "c" * 64)
    assert (run.model / "manifest.json").is_file()
    progress = read_progress(run.folder, time.time())
    assert [row["prauc"] for row in progress.epochs] == pytest.approx([0.55, 0.6, 0.65, 0.7])
    assert (progress.of, progress.cases, progress.fraction) == (4, 64, 1.0)
    assert list(run.folder.glob("*.training.*")) == []
    assert [each.id for each in runs.all()] == [name]


def test_one_run_at_a_time_whichever_server_asks(runs: TrainingRuns) -> None:
    name = start(runs, STAYS)
    for other in (runs, TrainingRuns(runs.folder, FAKE)):
        with pytest.raises(InputError, match="one run at a time"):
            start(other, FINISHES)
    assert len(runs.all()) == 1
    runs.cancel(name)
    ended(runs, name)
    assert ended(runs, start(runs, FINISHES)).state == "done"


def test_a_cancelled_run_ends_and_leaves_nothing_half_done(runs: TrainingRuns) -> None:
    name = start(runs, STAYS)
    until(lambda: (runs.folder / name / "model.training.safetensors").exists(), "it never began")
    runs.cancel(name)
    run = ended(runs, name)
    assert (run.state, run.model.exists(), run.reason) == ("cancelled", False, "")
    assert list(run.folder.glob("*.training.*")) == []


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        (FAILS, "The loss became nan in epoch 2. Lower learning_rate."),
        (KILLED, "The system ended it (signal 9)"),
        (SILENT, "The command ended with code 3, without a word."),
    ],
)
def test_a_run_that_fails_says_why(runs: TrainingRuns, seed: int, message: str) -> None:
    run = ended(runs, start(runs, seed))
    assert run.state == "failed"
    assert run.reason.startswith(message)


def test_a_new_server_still_follows_and_cancels_what_an_old_one_started(runs: TrainingRuns) -> None:
    name = start(runs, STAYS)
    newer = TrainingRuns(runs.folder, FAKE)
    assert newer.busy is not None
    assert newer.busy.id == name
    newer.cancel(name)
    assert ended(newer, name).state == "cancelled"


def test_a_run_that_ended_while_no_server_watched_is_closed(runs: TrainingRuns) -> None:
    """Its process id may belong to somebody else by now: pid and start must both fit."""
    folder = runs.folder / ("a" * 12)
    folder.mkdir(parents=True)
    record = {
        "request": TrainingRequest().to_json(),
        "pid": os.getpid(),
        "start": "long ago",
        "began": 1.0,
        "cohort": "",
    }
    (folder / "run.json").write_text(json.dumps(record))
    (folder / ".model.x.partial").mkdir()
    (folder / "model.training.safetensors").write_text("half")
    result = TrainingRuns(runs.folder, FAKE).get("a" * 12)
    assert result is not None
    assert (result.state, result.ended is not None) == ("interrupted", True)
    assert sorted(path.name for path in folder.iterdir()) == ["ended.json", "run.json"]
    assert ended(runs, start(runs, FINISHES)).state == "done"


def test_a_run_is_deleted_only_when_it_has_ended(runs: TrainingRuns) -> None:
    name = start(runs, STAYS)
    with pytest.raises(InputError, match="has not ended"):
        runs.delete(name)
    runs.cancel(name)
    ended(runs, name)
    runs.delete(name)
    assert runs.all() == ()


@pytest.mark.parametrize("name", ["", "..", "../made", "A" * 12, "a" * 11, "a" * 12])
def test_an_id_from_a_link_opens_nothing_else(runs: TrainingRuns, name: str) -> None:
    assert runs.get(name) is None


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="LEADER_RUNS"):
        start(TrainingRuns(tmp_path / "file" / "runs", FAKE), FINISHES)


def test_distilling_needs_states_of_this_teacher_and_cohort(runs: TrainingRuns, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are none"):
        runs.start(TrainingRequest(distilled=True), TrainingSources(Path("c"), "c"))
    index = {"teacher_digest": "t", "cohort_digest": "c", "targets": "all"}
    (tmp_path / "index.json").write_text(json.dumps(index))
    places = (tmp_path / "absent", tmp_path)
    assert find_states(places, "t", "c") == tmp_path
    assert find_states(places, "other", "c") is find_states(places, "t", "other") is None
    assert find_states((tmp_path / "absent",), "t", "c") is None
    (tmp_path / "index.json").write_text(json.dumps({**index, "sample": 2_000}))
    assert find_states(places, "t", "c") is None and find_states(places, "t", "c", sample=True) == tmp_path


def read_back(request: TrainingRequest, folder: Path) -> Settings:
    path = folder / request.file_name
    path.write_text(request.toml(), encoding="utf-8")
    return load_settings(str(path))


@pytest.mark.parametrize("preset", PRESETS)
def test_the_usual_request_is_the_preset(preset: str, tmp_path: Path) -> None:
    """With what is switched on at first, the command trains what the preset says, calibrated."""
    plain = load_settings(preset)
    request = TrainingRequest(
        preset, plain.student_training.epochs, plain.student_training.patience, additions=USUAL[preset]
    )
    read = read_back(request, tmp_path)
    assert read.student == plain.student
    assert read.student_training == replace(plain.student_training, calibrate=True)
    assert request.name == f"{preset}, seed 42"


def test_every_switch_reaches_the_command(tmp_path: Path) -> None:
    none = read_back(TrainingRequest("default", 7, 3, 11, additions=()), tmp_path)
    assert (none.seed, none.student_training.epochs, none.student_training.patience) == (11, 7, 3)
    for key in ADDITIONS:
        one = read_back(TrainingRequest("default", 7, 3, 11, additions=(key,)), tmp_path)
        changed = (one.student != none.student) + (one.student_training != none.student_training)
        assert changed == 1, key
    assert read_back(TrainingRequest(additions=("no-profile",)), tmp_path).student.profile_fields == ()
    assert TrainingRequest(additions=("titles", "no-profile")).name == (
        "default + no profile - recency - current visit apart - every visit - calibrated, seed 42"
    )


def test_a_request_names_all_that_is_wrong() -> None:
    with pytest.raises(InputError, match=r"preset .*epochs 0.*seed -1.*unknown additions"):
        TrainingRequest("mine", epochs=0, seed=-1, additions=("magic",))
    with pytest.raises(InputError, match="visits 5: expected 0"):
        TrainingRequest(visits=5)
    quick = TrainingRequest(distilled=True, visits=2_000, epochs=1)
    assert quick.name == "default, distilled on 2,000 visits, seed 42"
    assert "distilled on 2,000 training visits" in quick.sentence and "at most 1 epoch," in quick.sentence
    assert TrainingRequest.from_json(TrainingRequest(seed=5).to_json()) == TrainingRequest(seed=5)


def test_a_line_that_is_still_being_written_is_not_read(tmp_path: Path) -> None:
    lines = [
        {"event": "started", "epochs": 4, "training_cases": 9, "time": 100.0},
        {"event": "part", "label": "epoch 1", "done": 1, "of": 2, "time": 110.0},
    ]
    (tmp_path / "progress.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in lines) + '{"event": "ep'
    )
    progress = read_progress(tmp_path, 110.0)
    assert (progress.of, progress.share, progress.fraction) == (4, 0.5, 0.125)
    assert progress.seconds_left == pytest.approx(
        70.0
    )  # 10 s for half an epoch: 80 s for four, 10 of them gone


def test_how_far_the_teacher_has_read_comes_before_the_epochs(tmp_path: Path) -> None:
    rows = [
        {"event": "part", "label": "states", "done": done, "of": 200, "time": at}
        for done, at in ((20, 100.0), (60, 120.0))
    ]
    (tmp_path / "progress.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    progress = read_progress(tmp_path, 120.0)
    assert (progress.reading, progress.read, progress.to_read, progress.fraction) == (True, 60, 200, 0.3)
    assert progress.seconds_left == pytest.approx(70.0), "40 visits took 20 s, 140 are left"
    with (tmp_path / "progress.jsonl").open("a") as file:
        file.write(json.dumps({"event": "started", "epochs": 4, "training_cases": 9, "time": 200.0}) + "\n")
    progress = read_progress(tmp_path, 200.0)
    assert (progress.reading, progress.fraction, progress.seconds_left) == (False, 0.0, None)


def test_time_left_runs_down_between_epochs(tmp_path: Path) -> None:
    row = {
        "event": "epoch",
        "epoch": 1,
        "of": 3,
        "loss": 1.0,
        "prauc": 0.5,
        "seconds_left": 60.0,
        "time": 100.0,
    }
    (tmp_path / "progress.jsonl").write_text(
        json.dumps({"event": "started", "epochs": 3, "training_cases": 9, "time": 70.0})
        + "\n"
        + json.dumps(row)
        + "\n"
    )
    assert read_progress(tmp_path, 115.0).seconds_left == pytest.approx(45.0)
    assert read_progress(tmp_path, 999.0).seconds_left == 0.0


def test_last_words_are_the_commands_own(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("reading\nerror: First.\nerror: Second.\nafter\n")
    assert last_words(log, 2) == "Second."
    log.write_text("Traceback\n  in x\nValueError: odd\n\n")
    assert last_words(log, 1) == "The command ended with code 1: ValueError: odd"


def test_a_process_is_identified_by_its_start_time(monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    begun = began(process.pid)
    assert begun
    assert is_alive(process.pid, begun)
    assert not is_alive(process.pid, "another")
    training_runs.stop(process.pid, begun)
    process.wait(30)
    assert not is_alive(process.pid, begun)
    assert began(2**22 + 1) == ""


def test_a_process_that_will_not_listen_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = "import signal, time; signal.signal(2, 1); signal.signal(15, 1); print('deaf', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", deaf], start_new_session=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    steps = tuple((sign, 0.3) for sign, _ in training_runs.STEPS)
    training_runs.stop(process.pid, began(process.pid), steps)
    assert process.wait(30) == -9
    process.stdout.close()
    assert training_runs.COMMAND[1:] == ("-m", "train", "student")
