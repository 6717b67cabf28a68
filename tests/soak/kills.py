"""Every command that writes, killed at random moments: the earlier artefact stays, and a rerun gives what no kill gives.

The commands run in children of one process that has the libraries loaded, as `python -m train` would run them. Half of the
kills strike after a random time; half before a random change of the disk that Python makes, which finds the short swap. A
disk that is full in the middle of it ends in a sentence. Of two runs with one target at once, one or both succeed.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHANGES = {
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.remove",
    "os.chmod",
    "os.truncate",
    "shutil.rmtree",
    "sqlite3.connect",
}
NOTES = "notes"  # not a command: the writes that the dashboard makes
FULL_DISKS, LONGEST_LOG = 4, 8192  # tries of each command, and bytes that its messages take
TOGETHER = 3  # pairs of runs with one target
CONFIG = """
[teacher]
base = "{base}"
max_tokens = 96
lora_rank = 2
[teacher.training]
steps = 8
batch_size = 8
save_every = 3
[student]
code_text = false
[student.training]
epochs = 3
"""


@dataclass(frozen=True)
class Command:
    """A command line, what it is to replace, and how to tell one result from another."""

    words: str  # the run that is killed; "{seed}" is 2, and 1 in the run that makes the earlier artefact
    target: str
    content: Callable[[Path], Any]
    resumes: bool = False  # every other rerun continues
    first: str = ""  # makes the earlier artefact, where the same words would not


def _bytes(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _cohort(path: Path) -> Any:
    from leader_core.cohort import Cohort

    with closing(Cohort.open(path)) as cohort:
        return cohort.verify(), cohort.fingerprint.digest, cohort.fingerprint.label


def _model(folder: Path) -> Any:
    from leader_core.model_folder import read_manifest

    manifest = read_manifest(folder)
    return manifest.digest, manifest.threshold, repr(manifest.calibration)


def _states(folder: Path) -> Any:
    from train.teacher.states import TeacherStates

    TeacherStates.open(folder)
    return _bytes(folder / "index.json")


def _database(path: Path) -> Any:
    from leader_core import sql

    with sql.connect(path, read_only=True) as connection:
        names = sorted(
            name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        )
        content = "SELECT COLUMNS(lambda name: name <> 'scored_at') FROM {}"  # the same but for the time
        rows = {
            name: sorted(map(repr, connection.execute(content.format(name)).fetchall())) for name in names
        }
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _baseline(folder: Path) -> Any:
    record = json.loads((folder / "baseline.json").read_text())
    return record | {"seconds": 0}, _bytes(folder / "scores.parquet")


def _notes(path: Path) -> Any:
    from leader_core.workspace import Workspace
    from leader_core.workspace.backup import verify
    from tests.fakes import FINGERPRINT

    verify(path)
    with closing(Workspace.open(path, FINGERPRINT)) as workspace:
        return sorted(note.text for note in workspace.notes())


COMMANDS = {
    "cohort": Command("cohort --raw raw --out out.duckdb --label L{seed} --seed {seed}", "out.duckdb", _cohort),
    "teacher": Command("teacher --cohort cohort.duckdb --config tiny.toml --out out --seed {seed}", "out", _model, True),
    "states": Command("states --cohort cohort.duckdb --teacher teacher{seed} --out out", "out", _states),
    "student": Command("student --cohort cohort.duckdb --config tiny.toml --out out --seed {seed}", "out", _model, True),
    "baseline": Command("baseline --cohort cohort{seed}.duckdb --name repeat --out out", "out", _baseline),
    "scores": Command("scores --cohort cohort.duckdb --models models{seed} --out out.scores.duckdb", "out.scores.duckdb",
                      _database),
    "predict": Command("predict --cohort cohort.duckdb --model student{seed} --out out.parquet", "out.parquet", _bytes),
    "evaluate": Command("evaluate --cohort cohort.duckdb --model student{seed} --split all --out out.json", "out.json",
                        _bytes),
    "calibrate": Command("calibrate --cohort cohort.duckdb --model student{seed} --out out", "out", _model),
    "workspace backup": Command("workspace backup --workspace notes{seed}.sqlite --out out.sqlite", "out.sqlite", _notes),
    "workspace restore": Command("workspace restore --workspace out.sqlite --backup notes{seed}.sqlite", "out.sqlite",
                                 _notes),
    "demo": Command("demo --build out --assets none --fresh", "out/cohort.duckdb", _cohort,
                    first="cohort --raw raw --out out/cohort.duckdb --label earlier"),
}  # fmt: skip


def _child(work: Callable[[], Any], folder: Path, strike: int = -1, largest: int = 0) -> tuple[int, int]:
    """Begin some work in a process group of its own, killed before its `strike`-th change of the disk.

    Where `largest` is given, writing a file beyond so many bytes fails. Returns the process's id and a pipe, which carries a
    letter for every change.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    os.setpgid(0, 0)
    os.chdir(folder)
    if largest:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1), os.dup2(log, 2)
    changes = 0

    def watch(event: str, values: tuple[Any, ...]) -> None:
        nonlocal changes
        if event in CHANGES or (
            event == "open" and isinstance(values[2], int) and values[2] & (os.O_WRONLY | os.O_RDWR)
        ):
            changes += 1
            if changes == strike:
                os.killpg(0, signal.SIGKILL)
            if strike < 0:
                os.write(writing, b".")

    code = 1
    try:
        sys.addaudithook(watch)
        code = work() or 0
    except BaseException:  # noqa: BLE001 - the parent must see nothing but an exit code
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _run(words: str, folder: Path) -> tuple[int, float]:
    """A run to its end: how many changes of the disk it made, and its seconds. Raises RuntimeError where it fails."""
    from train.cli import main

    begun = time.monotonic()
    child, pipe = _child(lambda: main(words.split()), folder)
    with os.fdopen(pipe, "rb") as stream:
        changes = len(stream.read())
    if os.waitpid(child, 0)[1]:
        raise RuntimeError(f"{words}: {(folder / 'log').read_text()[-2000:]}")
    return changes, time.monotonic() - begun


def _content(command: Command, folder: Path) -> Any:
    """What is at the targets, read in a child, so that this process never holds a database."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            answer = json.dumps(command.content(folder / command.target))
        except Exception as error:  # noqa: BLE001 - a damaged artefact is an answer too
            answer = json.dumps(f"unreadable: {error}".replace(f"{folder}/", ""))
        os.write(writing, hashlib.sha256(answer.encode()).digest() + answer[:300].encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    return answer


def survive(name: str, base: Path, kills: int, dice: random.Random) -> dict[str, Any]:
    """Kill one command so many times; what went wrong, in words, stands in `problems`."""
    command, saved = COMMANDS[name], base / "saved"
    first, second = (command.first or command.words).format(seed=1), command.words.format(seed=2)
    _run(first, base)
    saved.mkdir()
    _copy_outputs(base, saved)
    earlier = _content(command, base)
    changes, seconds = _run(second, base)
    later = _content(command, base)
    problems = [each[32:].decode() for each in (earlier, later) if each[32:].startswith(b'"unreadable')]
    problems += [] if earlier != later else ["both runs give the same: a swap could not be seen"]
    done = tries = kept = 0
    while done < kills and tries < 5 * kills:
        tries += 1
        _copy_outputs(saved, base)
        by_change = tries % 2
        child, pipe = _child(_main(second), base, dice.randint(1, changes) if by_change else 0)
        if not by_change:
            time.sleep(dice.uniform(0, 1.05 * seconds))
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
        os.close(pipe)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -signal.SIGKILL:
            continue
        done += 1
        if (after := _content(command, base)) not in (earlier, later):
            problems.append(f"kill {done}: neither the earlier nor the later artefact: {after[32:]!r}")
        kept += after == earlier
        _run(second + (" --resume" if command.resumes and done % 2 else ""), base)
        if (again := _content(command, base)) != later:
            problems.append(f"kill {done}: a rerun gives something else: {again[32:]!r}")
        problems += [
            f"kill {done}: {path.name} is left"
            for word in ("partial", ".training.")
            for path in base.rglob(f"*{word}*")
        ]
    if done < kills:
        problems.append(f"only {done} of {kills} kills struck in time")
    refused = 0
    files = (path for output in base.glob("*out*") for path in (output, *output.rglob("*")) if path.is_file())
    largest = max(path.stat().st_size for path in files)
    for _ in range(FULL_DISKS):
        _copy_outputs(saved, base)
        child, pipe = _child(
            _main(second), base, largest=dice.randint(LONGEST_LOG, max(2 * LONGEST_LOG, largest))
        )
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(pipe)
        refused += code == 2
        log = (base / "log").read_text(errors="replace")
        if (
            code not in (0, 2)
            or "Traceback" in log
            or _content(command, base) != (later if code == 0 else earlier)
        ):
            problems.append(f"where the disk is full: exit code {code}: {log[-500:]}")
    for number in range(TOGETHER):
        _copy_outputs(saved, base)
        children = [_child(_main(words), base)[0] for words in (first, second)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        left = [path.name for path in base.rglob("*partial*")]
        if sorted(codes) not in ([0, 0], [0, 2]) or _content(command, base) not in (earlier, later) or left:
            problems.append(
                f"two at once, {number}: exit codes {codes}, left {left}: {(base / 'log').read_text()[-500:]}"
            )
    shutil.rmtree(saved)
    return {"kills": done, "earlier_kept": kept, "full_disks_refused": refused, "problems": problems}


def _copy_outputs(source: Path, target: Path) -> None:
    """Let the outputs of one folder stand in place of those of another."""
    for path in target.glob("*out*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in source.glob("*out*"):
        (shutil.copytree if path.is_dir() else shutil.copy2)(path, target / path.name)


def _main(words: str) -> Callable[[], Any]:
    from train.cli import main

    return lambda: main(words.split())


def survive_notes(base: Path, kills: int, dice: random.Random) -> dict[str, Any]:
    """Kill a writer of notes again and again: every note that it acknowledged is in the one file."""
    from leader_core.workspace import Workspace
    from tests.fakes import FINGERPRINT

    path, problems, acknowledged = base / "written.sqlite", list[str](), 0
    for number in range(kills):
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            workspace = Workspace.open(path, FINGERPRINT)
            for each in range(10**6):
                workspace.add_note(f"{number}-{each}" + "x" * 500, patient_id=each)
                os.write(writing, b".")
        os.close(writing)
        time.sleep(dice.uniform(0.02, 0.5))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reading, "rb") as stream:
            written = len(stream.read())
        acknowledged += written
        copied = base / "copied.sqlite"
        with closing(Workspace.open(path, FINGERPRINT)) as workspace:
            workspace.add_note("after", patient_id=1)
        shutil.copy(path, copied)  # the one file holds everything
        with closing(Workspace.open(copied, FINGERPRINT)) as workspace:
            texts = {note.text.rstrip("x") for note in workspace.notes()}
        if lost := {f"{number}-{each}" for each in range(written)} - texts:
            problems.append(f"kill {number}: {len(lost)} of {written} acknowledged notes are lost")
    return {"kills": kills, "acknowledged": acknowledged, "problems": problems}


def prepare(base: Path) -> None:
    """Tiny inputs of every command: a cohort of 60 patients, models of a few steps, two workspaces."""
    from leader_core.workspace import Workspace
    from tests.fakes import FINGERPRINT
    from tests.teacher_fakes import tiny_bert
    from train.experiments import demo

    demo.PATIENTS = 40  # type: ignore[misc]
    (base / "tiny.toml").write_text(CONFIG.format(base=tiny_bert(base / "base")))
    _run("synthesize --layout mimic3 --patients 60 --out raw --seed 3", base)
    for seed in (1, 2):
        _run(f"cohort --raw raw --out cohort{seed}.duckdb --seed {seed}", base)
        shutil.copy(base / "cohort1.duckdb", base / "cohort.duckdb")
        _run(f"teacher --cohort cohort.duckdb --config tiny.toml --out teacher{seed} --seed {seed}", base)
        _run(f"student --cohort cohort.duckdb --config tiny.toml --out student{seed} --seed {seed}", base)
        for kind in ("teacher", "student"):
            shutil.copytree(base / f"{kind}{seed}", base / f"models{seed}" / kind)
        with closing(Workspace.open(base / f"notes{seed}.sqlite", FINGERPRINT)) as workspace:
            for number in range(200 * seed):
                workspace.add_note(f"note {number} of {seed}", patient_id=number)


def run(
    base: Path, kills: int = 20, seed: int = 0, only: tuple[str, ...] = ()
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Kill every command, or some; name and outcome of each as it is done."""
    import torch

    from train import cli

    torch.set_num_threads(1)
    for name in cli.COMMANDS:  # so that children need not
        __import__(f"train.commands.{name}")
    dice = random.Random(seed)
    prepare(base)
    for name in only or (*COMMANDS, NOTES):
        yield name, survive_notes(base, kills, dice) if name == NOTES else survive(name, base, kills, dice)
        _copy_outputs(base / "nothing", base)
