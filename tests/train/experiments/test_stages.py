"""Stages run once, again only when what they are made from changes, several at once, and continue after a failure."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from leader_core.errors import TrainingError
from train.console import Report
from train.experiments.stages import Runner, Stage

COMMAND = """
import json, os, sys, time
from pathlib import Path
out, nap, words = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
log = out.with_name("runs.txt")
began = time.time()
time.sleep(nap)
if "fail" in words and not out.with_name("mended").exists():
    sys.exit("a stage that fails, as it should")
if "resume" in words and (state := out.with_name(out.name + ".state")).exists():
    print("cannot continue", file=sys.stderr)
    sys.exit(2)
out.touch()
with log.open("a") as file:
    file.write(f"{out.name} {began} {time.time()} {os.environ['OMP_NUM_THREADS']}\\n")
print("a line before the result")
print(json.dumps({"made": out.name}))
"""


class Quiet(Report):
    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


def runner(folder: Path, **more: object) -> Runner:
    return Runner(folder, Quiet(), command=(sys.executable, "-c", COMMAND), **more)  # type: ignore[arg-type]


def stage(folder: Path, name: str, *words: str, made_from: str = "", nap: float = 0, **more: object) -> Stage:
    out = folder / name
    return Stage(name, (str(out), str(nap), *words), (out,), lambda: [made_from], **more)  # type: ignore[arg-type]


def runs(folder: Path) -> list[list[str]]:
    path = folder / "runs.txt"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def test_a_finished_stage_is_not_run_again_and_keeps_its_result(tmp_path: Path) -> None:
    one = stage(tmp_path, "one", made_from="a")
    assert runner(tmp_path).run([one]) == runner(tmp_path).run([one]) == {"one": {"made": "one"}}
    assert len(runs(tmp_path)) == 1
    assert runner(tmp_path).is_done(one)


def test_a_stage_runs_again_for_other_inputs_lost_outputs_or_on_request(tmp_path: Path) -> None:
    runner(tmp_path).run([stage(tmp_path, "one", made_from="a")])
    other = stage(tmp_path, "one", made_from="b")
    assert not runner(tmp_path).is_done(other)
    runner(tmp_path).run([other])
    (tmp_path / "one").unlink()
    runner(tmp_path).run([other])
    runner(tmp_path, fresh=True).run([other])
    assert len(runs(tmp_path)) == 4


def test_stages_wait_for_what_they_need_and_otherwise_run_together(tmp_path: Path) -> None:
    first, second = (stage(tmp_path, name, nap=0.6) for name in ("first", "second"))
    last = stage(tmp_path, "last", after=("first", "second"))
    runner(tmp_path, jobs=2).run([last, first, second])
    times = {name: (float(began), float(ended)) for name, began, ended, _ in runs(tmp_path)}
    assert times["first"][0] < times["second"][1] and times["second"][0] < times["first"][1]
    assert times["last"][0] >= max(times["first"][1], times["second"][1])


def test_a_stage_that_takes_all_cores_runs_by_itself(tmp_path: Path) -> None:
    before, after = stage(tmp_path, "before", nap=0.3), stage(tmp_path, "after", nap=0.3)
    runner(tmp_path, jobs=2).run([before, stage(tmp_path, "big", nap=0.3, alone=True), after])
    times = {name: (float(began), float(ended)) for name, began, ended, _ in runs(tmp_path)}
    for name in ("before", "after"):
        assert times[name][1] <= times["big"][0] or times[name][0] >= times["big"][1]


def test_a_failure_is_named_and_what_finished_is_kept(tmp_path: Path) -> None:
    stages = [
        stage(tmp_path, "good"),
        stage(tmp_path, "bad", "fail", after=("good",)),
        stage(tmp_path, "later", after=("bad",)),
    ]
    with pytest.raises(TrainingError, match=r"bad \(a stage that fails, as it should.*Not run.*later"):
        runner(tmp_path).run(stages)
    (tmp_path / "mended").touch()
    assert set(runner(tmp_path).run(stages)) == {"good", "bad", "later"}
    assert [row[0] for row in runs(tmp_path)] == ["good", "bad", "later"]


def test_a_state_that_cannot_be_continued_is_dropped_once(tmp_path: Path) -> None:
    state = tmp_path / "one.state"
    one = stage(tmp_path, "one", "resume", state=state)
    (tmp_path / "stages.json").write_text(json.dumps({"one": {"key": "another"}}))
    state.touch()
    assert runner(tmp_path).run([one]) == {"one": {"made": "one"}}  # of another run: removed beforehand
    (tmp_path / "one").unlink()
    record = json.loads((tmp_path / "stages.json").read_text())
    (tmp_path / "stages.json").write_text(json.dumps({"one": {"key": record["one"]["key"]}}))
    state.touch()
    again = runner(tmp_path)
    assert again.run([one]) == {"one": {"made": "one"}}
    assert any("cannot be continued" in line for line in again.report.lines)  # type: ignore[attr-defined]
    assert not state.exists()


def test_an_accepted_stage_counts_as_done(tmp_path: Path) -> None:
    one = stage(tmp_path, "one", made_from="a")
    (tmp_path / "one").touch()
    runner(tmp_path).accept(one, {"taken": True})
    assert runner(tmp_path).run([one]) == {"one": {"taken": True}}
    assert runs(tmp_path) == []


def test_an_interrupt_stops_what_runs_and_keeps_what_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick, slow = stage(tmp_path, "quick"), stage(tmp_path, "slow", nap=30, after=("quick",))
    naps = iter(range(10_000))

    def sleep(seconds: float) -> None:
        if next(naps) and (tmp_path / "logs" / "slow.log").exists():
            raise KeyboardInterrupt
        real(seconds)

    real = time.sleep
    monkeypatch.setattr("train.experiments.stages.time.sleep", sleep)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        runner(tmp_path).run([quick, slow])
    assert time.monotonic() - began < 20
    assert not (tmp_path / "slow").exists()
    assert runner(tmp_path).is_done(quick)


def test_progress_says_how_much_is_done_and_left(tmp_path: Path) -> None:
    run = runner(tmp_path)
    run.run([stage(tmp_path, "one", minutes=2), stage(tmp_path, "two", minutes=4)])
    lines = run.report.lines  # type: ignore[attr-defined]
    assert lines[0].startswith("[0/2, 0:00:00, about 0:03:00 to go] one")
    assert lines[-1].startswith("[2/2, ")
