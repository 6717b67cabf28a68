"""Tasks run once, again only when their settings or inputs change, several at once, and continue after a failure."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from leader_core.errors import InputError, TrainingError
from tests.train.reports import LineReport
from train.experiments.tasks import STATE, CommandTask, run_tasks, seconds_of

COMMAND = """
import os, sys, time
from pathlib import Path
out, nap, words = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
log = out.with_name("runs.txt")
began = time.time()
out.with_name(out.name + ".started").touch()
time.sleep(nap)
if "fail" in words and not out.with_name("fixed").exists():
    sys.exit("a task that fails, as it should")
if "resume" in words and out.with_name(out.name + ".state").exists():
    print("reading")
    print(f"error: {out}.state belongs to another run", file=sys.stderr)
    sys.exit(2)
if "refuse" in words:
    print("error: no cohort", file=sys.stderr)
    sys.exit(2)
out.touch()
with log.open("a") as file:
    file.write(f"{out.name} {began} {time.time()} {os.environ['OMP_NUM_THREADS']}\\n")
"""


def task(folder: Path, name: str, *words: str, needs: str = "", nap: float = 0, **more: Any) -> CommandTask:
    out = folder / name
    inputs = tuple(folder / each for each in needs.split())
    return CommandTask(name, ((str(out), str(nap), *words),), (out,), inputs, **more)


def run(folder: Path, *tasks: CommandTask, **more: Any) -> list[str]:
    report = LineReport()
    run_tasks(folder, tasks, report, command=(sys.executable, "-c", COMMAND), **more)
    return report.lines


def runs(folder: Path) -> list[list[str]]:
    path = folder / "runs.txt"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def test_a_finished_task_is_not_run_again(tmp_path: Path) -> None:
    assert len(run(tmp_path, task(tmp_path, "one"))) == 2
    assert run(tmp_path, task(tmp_path, "one")) == []
    assert len(runs(tmp_path)) == 1


def test_the_time_of_a_finished_task_is_stored_until_it_runs_again(tmp_path: Path) -> None:
    assert seconds_of(tmp_path) == {}
    run(
        tmp_path,
        task(tmp_path, "one", nap=0.3),
        task(tmp_path, "given", instead=lambda: (tmp_path / "given").touch() is None),
    )
    taken = seconds_of(tmp_path)
    assert list(taken) == ["one"] and taken["one"] >= 0.3
    run(tmp_path, task(tmp_path, "one", nap=0.3))
    assert seconds_of(tmp_path) == taken


def test_a_task_runs_again_for_other_settings_words_or_inputs_or_lost_targets(tmp_path: Path) -> None:
    (tmp_path / "input").write_text("a")
    run(tmp_path, task(tmp_path, "one", needs="input"))
    (tmp_path / "input").write_text("another")
    run(tmp_path, task(tmp_path, "one", needs="input"))
    run(tmp_path, task(tmp_path, "one", needs="input", settings={"epochs": 3}))
    run(tmp_path, task(tmp_path, "one", "word", needs="input", settings={"epochs": 3}))
    (tmp_path / "one").unlink()
    run(tmp_path, task(tmp_path, "one", "word", needs="input", settings={"epochs": 3}))
    (tmp_path / STATE).unlink()  # as --fresh does
    run(tmp_path, task(tmp_path, "one", "word", needs="input", settings={"epochs": 3}))
    assert len(runs(tmp_path)) == 6


def test_tasks_wait_for_what_they_need_and_otherwise_run_together(tmp_path: Path) -> None:
    first, second = (task(tmp_path, name, nap=0.6) for name in ("first", "second"))
    run(tmp_path, task(tmp_path, "last", needs="first second"), first, second, jobs=2)
    times = {name: (float(started_at), float(ended)) for name, started_at, ended, _ in runs(tmp_path)}
    assert times["first"][0] < times["second"][1] and times["second"][0] < times["first"][1]
    assert times["last"][0] >= max(times["first"][1], times["second"][1])


def test_a_task_that_takes_all_cores_runs_by_itself(tmp_path: Path) -> None:
    others = [task(tmp_path, name, nap=0.2) for name in ("one", "two")]
    run(tmp_path, others[0], task(tmp_path, "big", nap=0.3, alone=True), others[1], jobs=2)
    times = {name: (float(started_at), float(ended)) for name, started_at, ended, _ in runs(tmp_path)}
    for name in ("one", "two"):
        assert times[name][1] <= times["big"][0] or times[name][0] >= times["big"][1]


def test_goals_run_with_what_they_need_and_nothing_else(tmp_path: Path) -> None:
    group = [task(tmp_path, f"row:{seed}", needs="base") for seed in (1, 2)]
    run(tmp_path, task(tmp_path, "base", alone=True), *group, task(tmp_path, "other"), goals=["row"])
    assert [row[0] for row in runs(tmp_path)] == ["base", "row:1", "row:2"]


def test_a_failure_is_named_and_what_finished_is_kept(tmp_path: Path) -> None:
    tasks = [
        task(tmp_path, "good"),
        task(tmp_path, "bad", "fail", needs="good"),
        task(tmp_path, "later", needs="bad"),
    ]
    with pytest.raises(TrainingError, match=r"bad \(a task that fails, as it should.*Not done: bad, later"):
        run(tmp_path, *tasks)
    (tmp_path / "fixed").touch()
    run(tmp_path, *tasks)
    assert [row[0] for row in runs(tmp_path)] == ["good", "bad", "later"]


def test_a_state_that_cannot_be_continued_is_dropped_once(tmp_path: Path) -> None:
    state = tmp_path / "one.state"
    state.touch()
    run(tmp_path, task(tmp_path, "one", "resume", resume_from=state))
    assert not state.exists() and len(runs(tmp_path)) == 1
    assert "belongs to another run" in (tmp_path / "logs" / "one.log").read_text()


def test_a_state_stays_where_the_command_refuses_for_another_reason(tmp_path: Path) -> None:
    state = tmp_path / "one.state"
    state.touch()
    with pytest.raises(TrainingError, match="error: no cohort"):
        run(tmp_path, task(tmp_path, "one", "refuse", resume_from=state))
    assert state.exists()


def test_a_circle_of_tasks_and_an_unknown_goal_are_refused(tmp_path: Path) -> None:
    circle = [task(tmp_path, "one", needs="two"), task(tmp_path, "two", needs="one")]
    with pytest.raises(TrainingError, match="doit ended with code 3"):
        run(tmp_path, *circle, goals=["one"])
    with pytest.raises(InputError, match=r"no task three\. Expected any of one, two"):
        run(tmp_path, *circle, goals=["one", "three"])
    assert runs(tmp_path) == []


@pytest.mark.parametrize("provided", [True, False])
def test_targets_from_elsewhere_replace_the_commands(tmp_path: Path, provided: bool) -> None:
    def instead() -> bool:
        (tmp_path / "one").touch()
        return provided

    run(tmp_path, task(tmp_path, "one", instead=instead))
    run(tmp_path, task(tmp_path, "one", instead=instead))
    assert len(runs(tmp_path)) == (0 if provided else 1)


def test_an_interrupt_ends_what_runs_and_keeps_what_finished(tmp_path: Path) -> None:
    tasks = [task(tmp_path, "quick"), task(tmp_path, "slow", nap=300, needs="quick")]

    ended = threading.Event()

    def interrupt() -> None:
        while not (tmp_path / "slow.started").exists():
            time.sleep(0.05)
        while not ended.is_set():  # a signal that comes just before a wait begins does not end that wait
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            ended.wait(5)

    # A shell that runs tests in its background hands on an ignored SIGINT, which Python then never sees.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, *tasks)
    finally:
        ended.set()
        signal.signal(signal.SIGINT, before)
    assert not (tmp_path / "slow").exists()
    assert run(tmp_path, tasks[0]) == []


def test_a_killed_run_has_saved_every_task_that_finished(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    def instead() -> bool:
        seen.append(json.loads((tmp_path / STATE).read_text()))
        return False

    run(tmp_path, task(tmp_path, "one"), task(tmp_path, "two", needs="one", instead=instead))
    assert "one" in seen[0]


def test_every_start_and_end_has_a_line(tmp_path: Path) -> None:
    lines = run(tmp_path, task(tmp_path, "one"), task(tmp_path, "two"))
    assert lines[0].startswith(f"[0/2, 0:00:00] one: python -m train {tmp_path / 'one'} 0")
    assert lines[-1].startswith("[2/2, 0:00:") and lines[-1].endswith("] two: done")
