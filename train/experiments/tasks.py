"""Commands of `python -m train` as tasks of doit: several at once, each in its own process, continued after a stop.

doit runs a task again where a target is missing, or its commands, inputs or settings are not those of its last success.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
from doit.cmd_base import ModuleTaskLoader
from doit.dependency import JsonDB
from doit.doit_cmd import DoitMain
from doit.exceptions import TaskFailed
from doit.reporter import ZeroReporter
from doit.tools import config_changed

from leader_core.errors import InputError, TrainingError
from leader_core.files import replacing_file
from train.console import Report

ROOT: Final = Path(__file__).resolve().parents[2]
STATE: Final = "doit.json"
THREADS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
GRACE: Final = 20.0  # seconds that an interrupted process has to clean up
BAD_INPUT: Final = 2  # exit code
COMMAND: Final = (sys.executable, "-m", "train")


@dataclass(frozen=True, slots=True)
class CommandTask:
    """One or more commands of `python -m train`, run one after the other."""

    name: str  # "NAME", or "GROUP:NAME"
    commands: tuple[tuple[str, ...], ...]
    targets: tuple[Path, ...]
    inputs: tuple[Path, ...] = ()  # files; the tasks that write them come first
    settings: Mapping[str, Any] = field(default_factory=dict)  # what else decides the result
    alone: bool = False  # takes all cores for itself
    resume_from: Path | None = None  # the checkpoint that `--resume` continues from
    instead: Callable[[], bool] | None = (
        None  # provides the targets without the commands, where it returns true
    )


class DurableState(JsonDB):
    """doit's JSON file, replaced whole after every change: doit's own is written at the end, and a kill loses all."""

    name: str | Path

    def set(self, task_id: str, dependency: str, value: Any) -> None:
        super().set(task_id, dependency, value)
        self.dump()

    def dump(self) -> None:
        path = Path(self.name)
        with replacing_file(path) as self.name:
            super().dump()
        self.name = path


def run_tasks(
    build: Path,
    tasks: Iterable[CommandTask],
    report: Report,
    *,
    goals: Iterable[str] | None = None,
    jobs: int = 1,
    command: tuple[str, ...] = COMMAND,
) -> None:
    """Run what is not up to date, first the tasks that take all cores; the state is stored in `build/doit.json`.

    Args:
        goals: names or groups; only they and what comes before them are run. By default everything.
        jobs: tasks at once.
        command: what a task's words are added to.

    Raises:
        TrainingError: tasks that failed, naming their logs; what finished stays finished.
    """
    tasks = list(tasks) if goals is None else with_requirements(list(tasks), goals)
    done: set[str] = set()
    failures: list[str] = []
    reporter = _reporter({task.name for task in tasks}, done, failures, report)
    (build / "logs").mkdir(parents=True, exist_ok=True)
    for names, at_once in (([t.name for t in tasks if t.alone], 1), ([t.name for t in tasks], jobs)):
        if names and not failures:
            threads = max(1, (os.cpu_count() or 1) // at_once)
            definitions = [_definition(task, build / "logs", threads, command) for task in tasks]
            code = _run_doit(build / STATE, definitions, names, reporter, at_once)
            if code and not failures:
                failures.append(f"doit ended with code {code}: its message is above")
    if failures:
        waiting = ", ".join(task.name for task in tasks if task.name not in done)
        raise TrainingError(
            f"{len(failures)} task(s) failed: {'; '.join(failures)}. Not done: {waiting}. "
            "Finished tasks stay: run the same command again to continue."
        )


def with_requirements(tasks: Sequence[CommandTask], goals: Iterable[str]) -> list[CommandTask]:
    """The tasks of these names or groups and all whose targets they need, in the order given.

    Raises:
        InputError: a name that no task or group has.
    """
    by_target = {path: task for task in tasks for path in task.targets}
    goals = set(goals)
    names = {task.name: {task.name, task.name.split(":")[0]} for task in tasks}
    if unknown := sorted(goals.difference(*names.values())):
        raise InputError(f"There is no task {', '.join(unknown)}. Expected any of {', '.join(names)}.")
    missing = [task for task in tasks if goals & names[task.name]]
    needed: set[str] = set()
    while missing:
        task = missing.pop()
        if task.name not in needed:
            needed.add(task.name)
            missing += [by_target[path] for path in task.inputs if path in by_target]
    return [task for task in tasks if task.name in needed]


def _definition(task: CommandTask, logs: Path, threads: int, command: tuple[str, ...]) -> dict[str, Any]:
    """A task as doit wants it."""
    group, _, name = task.name.partition(":")
    return {
        "basename": group,
        **({"name": name} if name else {}),
        "actions": [(_run_commands, [task, logs / f"{task.name.replace(':', '-')}.log", threads, command])],
        "title": lambda _: f"python -m train {'; '.join(map(' '.join, task.commands))}",
        "targets": list(map(str, task.targets)),
        "file_dep": list(map(str, task.inputs)),
        "uptodate": [config_changed({"commands": task.commands, **task.settings})],
        "io": {"capture": False},
    }


def seconds_of(build: Path) -> dict[str, float]:
    """Task -> seconds that its commands took when they last succeeded, in the order of the tasks' names."""
    try:
        state = json.loads((build / STATE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    values = {name: entry.get("_values_:", {}) for name, entry in sorted(state.items())}
    return {name: float(each["seconds"]) for name, each in values.items() if "seconds" in each}


def _run_commands(
    task: CommandTask, log: Path, threads: int, command: tuple[str, ...]
) -> TaskFailed | dict[str, float] | None:
    """The action of a task: its commands, with their messages in a log. What it returns is stored with its success."""
    began = time.monotonic()
    environment = {**os.environ, **dict.fromkeys(THREADS, str(threads))}

    def call(words: tuple[str, ...]) -> tuple[int, str]:
        """The exit code and the last line of the messages."""
        with log.open("ab") as messages:
            code = subprocess.run(  # noqa: S603 (our own command line)
                [*command, *words], cwd=ROOT, stdout=messages, stderr=messages, env=environment, check=False
            ).returncode
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return code, lines[-1] if lines else "no message"

    if task.instead is not None and task.instead():
        return None
    log.write_bytes(b"")  # of an earlier run
    for words in task.commands:
        code, message = call(words)
        checkpoint = task.resume_from
        if code == BAD_INPUT and checkpoint is not None and message.startswith(f"error: {checkpoint} "):
            checkpoint.unlink()  # of other settings, or unreadable: start from the beginning, once
            code, message = call(words)
        if code:
            return TaskFailed(f"{task.name} ({message}; see {log})")
    return {"seconds": time.monotonic() - began}


def _run_doit(
    state: Path, definitions: list[dict[str, Any]], names: list[str], reporter: type, jobs: int
) -> int:
    def task_commands() -> Iterable[dict[str, Any]]:
        yield from definitions

    config = {
        "dep_file": str(state),
        "backend": "durable",
        "reporter": reporter,
        "num_process": jobs,
        "par_type": "thread",
        "verbosity": 2,
    }
    loader = ModuleTaskLoader({"DOIT_CONFIG": config, "task_commands": task_commands})
    plugins = {"BACKEND": {"durable": f"{__name__}:{DurableState.__name__}"}}
    others = psutil.Process().children()
    try:
        return int(DoitMain(loader, config_filenames=(), extra_config=plugins).run(["run", *names]))
    except BaseException:
        _stop([process for process in psutil.Process().children() if process not in others])
        raise


def _stop(processes: list[psutil.Process]) -> None:
    """Interrupt processes, so that they clean up; end those that do not listen."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT)
    for process in psutil.wait_procs(processes, timeout=GRACE)[1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _reporter(names: set[str], done: set[str], failures: list[str], report: Report) -> type:
    """A reporter of doit with one line for every start and end, which also collects what is done and what failed."""
    began = time.monotonic()

    def line(name: str, text: str) -> None:
        whole = round(time.monotonic() - began)
        clock = f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
        report.line(f"[{len(done)}/{len(names)}, {clock}] {name}: {text}")

    class LineReporter(ZeroReporter):
        def execute_task(self, task: Any) -> None:
            if task.name in names:
                line(task.name, task.title())

        def skip_uptodate(self, task: Any) -> None:
            done.update({task.name} & names)

        def add_success(self, task: Any) -> None:
            if task.name in names:
                done.add(task.name)
                line(task.name, "done")

        def add_failure(self, task: Any, fail: Any) -> None:
            failures.append(fail.message)
            line(task.name, "failed")

        def runtime_error(self, msg: str) -> None:
            failures.append(msg)

    return LineReporter
