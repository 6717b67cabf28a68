"""Runs commands as stages whose results are kept: several at once, each in its own process, continued after a stop.

A stage that finished with the same words, settings and inputs is not run again. Refuses to know what any stage does.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from leader_core.errors import TrainingError
from leader_core.files import write_json
from train.console import Report

ROOT: Final = Path(__file__).resolve().parents[2]
STATE: Final = "stages.json"
THREADS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
POLL: Final = 0.2  # seconds between looks at what is running
PATIENCE: Final = 20.0  # seconds for an interrupted process to tidy up


@dataclass(frozen=True, slots=True)
class Stage:
    """One command of `python -m train` and what it depends on."""

    name: str
    words: tuple[str, ...]
    outputs: tuple[Path, ...]
    made_from: Callable[[], Sequence[Any]] = (
        tuple  # digests and settings; asked for when all of `after` are done
    )
    after: tuple[str, ...] = ()
    minutes: float = 0.1  # expected, on one core of a common machine; only for the estimate
    alone: bool = False  # takes all cores for itself
    state: Path | None = None  # what an interrupted run continues from, where the command takes --resume


def with_what_they_need(stages: Iterable[Stage], names: Iterable[str]) -> list[Stage]:
    """The stages of these names and all that they come after, in the order given."""
    by_name = {stage.name: stage for stage in stages}
    needed: set[str] = set()
    ahead = list(names)
    while ahead:
        if (name := ahead.pop()) not in needed:
            needed.add(name)
            ahead += by_name[name].after
    return [stage for name, stage in by_name.items() if name in needed]


@dataclass(slots=True)
class _Running:
    stage: Stage
    key: str
    process: subprocess.Popen[bytes]
    began: float
    retried: bool = False


@dataclass(slots=True)
class Runner:
    """Runs stages under `build`, and remembers in `stages.json` what each was made from and what it gave."""

    build: Path
    report: Report
    jobs: int = 2
    fresh: bool = False
    command: tuple[str, ...] = (sys.executable, "-m", "train")
    _failed: list[str] = field(default_factory=list)
    _keys: dict[str, str] = field(default_factory=dict)  # of stages whose `after` are done

    def run(self, stages: Iterable[Stage]) -> dict[str, dict[str, Any]]:
        """Run what is not done yet; returns each stage's result by name.

        Raises:
            TrainingError: stages that failed, naming their logs; what finished is kept.
        """
        stages = tuple(stages)
        self._keys.clear()
        waiting = {stage.name: stage for stage in stages}
        results: dict[str, dict[str, Any]] = {}
        running: list[_Running] = []
        clock = _Clock(stages, self.jobs)
        try:
            self._start_ready(waiting, running, results, clock)
            while running:
                time.sleep(POLL)
                ended = [job for job in running if job.process.poll() is not None]
                for job in ended:
                    running.remove(job)
                    self._finish(job, running, results, clock)
                if ended:  # nothing else can make a stage ready
                    self._start_ready(waiting, running, results, clock)
        except BaseException:
            _stop([job.process for job in running])
            raise
        if self._failed or waiting:
            raise TrainingError(
                f"{len(self._failed)} stage(s) failed: {'; '.join(self._failed)}. "
                + (f"Not run because of that: {', '.join(waiting)}. " if waiting else "")
                + "What finished is kept: run the same command again to continue."
            )
        return results

    def is_done(self, stage: Stage) -> bool:
        """Whether `run` would find nothing to do. Asks for what the stage is made from."""
        return not self.fresh and self._stands(stage, _key(stage))

    def accept(self, stage: Stage, result: Mapping[str, Any]) -> None:
        """Record a stage as done whose outputs came from elsewhere."""
        self._remember(stage.name, {"key": _key(stage), "result": dict(result)})

    def log(self, stage: Stage) -> Path:
        """Where a stage's messages go."""
        return self.build / "logs" / f"{stage.name.replace(' ', '-').replace('/', '-')}.log"

    def _stands(self, stage: Stage, key: str) -> bool:
        record = self._records().get(stage.name, {})
        return "result" in record and record.get("key") == key and all(p.exists() for p in stage.outputs)

    def _start_ready(
        self,
        waiting: dict[str, Stage],
        running: list[_Running],
        results: dict[str, dict[str, Any]],
        clock: _Clock,
    ) -> None:
        """Start what can be started; stages that stand already count as done at once."""
        moved = True
        while moved:
            moved = False
            for stage in list(waiting.values()):
                if any(name not in results for name in stage.after) or self._failed:
                    continue
                if stage.name not in self._keys:  # asks for digests of what it is made from
                    self._keys[stage.name] = _key(stage)
                key = self._keys[stage.name]
                if not self.fresh and self._stands(stage, key):
                    results[stage.name] = dict(self._records()[stage.name]["result"])
                    clock.done(stage, None)
                    self.report.line(f"{clock} {stage.name}: already done")
                    del waiting[stage.name]
                    moved = True
                elif stage.alone and running:
                    break  # what comes later must not keep it waiting for ever
                elif len(running) < (1 if any(job.stage.alone for job in running) else self.jobs):
                    running.append(self._start(stage, key))
                    self.report.line(f"{clock} {stage.name}: python -m train {' '.join(stage.words)}")
                    del waiting[stage.name]

    def _start(self, stage: Stage, key: str, *, retried: bool = False) -> _Running:
        earlier = self._records().get(stage.name, {})
        if stage.state is not None and (retried or earlier.get("key") != key or "result" in earlier):
            stage.state.unlink(missing_ok=True)  # of another run
        self._remember(stage.name, {"key": key})
        log = self.log(stage)
        log.parent.mkdir(parents=True, exist_ok=True)
        threads = str((os.cpu_count() or 1) if stage.alone else max(1, (os.cpu_count() or 1) // self.jobs))
        with log.open("wb") as messages, log.with_suffix(".json").open("wb") as result:
            process = subprocess.Popen(  # noqa: S603 (our own command line)
                [*self.command, *stage.words, "--json"],
                cwd=ROOT,
                stdout=result,
                stderr=messages,
                env={**os.environ, **dict.fromkeys(THREADS, threads)},
            )
        return _Running(stage, key, process, time.monotonic(), retried)

    def _finish(
        self,
        job: _Running,
        running: list[_Running],
        results: dict[str, dict[str, Any]],
        clock: _Clock,
    ) -> None:
        stage, log = job.stage, self.log(job.stage)
        if job.process.returncode == 0:
            lines = log.with_suffix(".json").read_text(encoding="utf-8").splitlines()
            results[stage.name] = json.loads(lines[-1]) if lines else {}
            self._remember(stage.name, {"key": job.key, "result": results[stage.name]})
            spent = time.monotonic() - job.began
            clock.done(stage, spent)
            self.report.line(f"{clock} {stage.name}: done in {_minutes(spent)}")
        elif job.process.returncode == 130:
            raise KeyboardInterrupt
        elif stage.state is not None and stage.state.exists() and not job.retried:
            self.report.line(f"{clock} {stage.name}: cannot be continued, starting again (see {log})")
            running.append(self._start(stage, job.key, retried=True))
        else:
            words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            self._failed.append(f"{stage.name} ({words[-1] if words else 'no message'}; see {log})")
            self.report.line(f"{clock} {stage.name}: failed, see {log}")

    def _records(self) -> dict[str, Any]:
        path = self.build / STATE
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    def _remember(self, name: str, record: Mapping[str, Any]) -> None:
        write_json(self.build / STATE, {**self._records(), name: record})


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Interrupt processes, so that they tidy up; end those that do not listen."""
    for process in processes:
        process.send_signal(signal.SIGINT)
    for process in processes:
        try:
            process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()


class _Clock:
    """How many stages are done, what that took, and about how long the rest will."""

    def __init__(self, stages: Sequence[Stage], jobs: int) -> None:
        self.total, self.finished, self.jobs = len(stages), 0, jobs
        self.left = sum(_cost(stage, jobs) for stage in stages)
        self.began = time.monotonic()
        self.expected = self.spent = 0.0  # minutes of the stages that really ran

    def done(self, stage: Stage, seconds: float | None) -> None:
        self.finished += 1
        self.left -= _cost(stage, self.jobs)
        if seconds is not None:
            self.expected += stage.minutes
            self.spent += seconds / 60

    def __str__(self) -> str:
        pace = self.spent / self.expected if self.expected > 1 else 1.0
        ahead = f", about {_minutes(60 * self.left * pace)} to go" if self.left > 0.05 else ""
        return f"[{self.finished}/{self.total}, {_minutes(time.monotonic() - self.began)}{ahead}]"


def _cost(stage: Stage, jobs: int) -> float:
    """Minutes on the clock."""
    return stage.minutes if stage.alone else stage.minutes / jobs


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _key(stage: Stage) -> str:
    record = [
        list(stage.words),
        [each if isinstance(each, str) else repr(each) for each in stage.made_from()],
    ]
    return hashlib.sha256(json.dumps(record).encode()).hexdigest()
