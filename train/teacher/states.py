"""Teacher states: the hidden state and logits of every case, computed once, so that distillation needs no teacher.

A folder of safetensors shards with an index that seals them. Written shard by shard in a folder next to the
destination, so that a stopped run continues (with any number of processes, each writing its own shards), and moved into
place only when complete.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from leader_core.errors import ArtifactError, InputError, NotFoundError
from leader_core.files import (
    SEAL,
    move_into_place,
    replacing_file,
    seal_of,
    sha256_file,
    write_json,
    write_sealed,
)
from leader_core.outputs import STATES, UNFINISHED_STATES
from train.console import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from leader_core.cohort import Cohort
    from leader_core.domain import Case, Targets
    from leader_core.teacher.scorer import TeacherScorer
    from train.distributed import Processes

INDEX: Final = "index.json"
_RUN: Final = "run.json"  # in the working folder: which run its shards are of
SHARDS: Final = 1
"""Version of the shards, which a run is known by."""
FORMAT: Final = 2
"""Version of the index."""
SHARD: Final = 4_096  # cases in a shard


@dataclass(frozen=True, slots=True)
class TeacherStates:
    """States of N cases, each known by the visit that is its current one."""

    visit_ids: np.ndarray  # int64 (N,), ascending
    hidden: np.ndarray  # float32 (N, H)
    logits: np.ndarray  # float32 (N, M)
    medications: tuple[str, ...]  # the columns of `logits`
    teacher_digest: str
    cohort_digest: str
    sample: bool = False  # of some training cases only

    @classmethod
    def open(cls, folder: Path | str) -> Self:
        """Read and verify a folder of states.

        Raises:
            NotFoundError: no such folder.
            ArtifactError: a shard missing or changed, or an index of another format.
        """
        folder = Path(folder)
        path = folder / INDEX
        if not path.is_file():
            raise NotFoundError(f"No teacher states in {folder}. Make them with `python -m train states`.")
        try:
            index = read_index(folder)
            shards = [_read_shard(folder, entry) for entry in index["shards"]]
            visit_ids, hidden, logits = (
                np.concatenate([shard[name] for shard in shards])
                for name in ("visit_ids", "hidden", "logits")
            )
            order = np.argsort(visit_ids, kind="stable")
            return cls(
                visit_ids[order],
                hidden[order],
                logits[order],
                tuple(index["medications"]),
                index["teacher_digest"],
                index["cohort_digest"],
                "sample" in index,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(f"{path} cannot be read ({error}). Make the states again.") from error

    def rows(self, visit_ids: np.ndarray) -> np.ndarray:
        """The row of each visit.

        Raises:
            InputError: visits without states, naming the first of them.
        """
        wanted = np.asarray(visit_ids, dtype=np.int64)
        rows = np.minimum(np.searchsorted(self.visit_ids, wanted), max(len(self.visit_ids) - 1, 0))
        present = self.visit_ids[rows] == wanted if len(self.visit_ids) else np.zeros(len(wanted), dtype=bool)
        if not present.all():
            missing = wanted[~present]
            raise InputError(
                f"{len(missing):,} of {len(wanted):,} visits have no teacher states (first: {missing[0]}). "
                "They were computed for another cohort or other targets: run `python -m train states` on this cohort."
            )
        return rows


def write_states(
    cohort: Cohort,
    teacher: Path,
    out: Path,
    *,
    device: str = "auto",
    targets: Targets = "all",
    sample: int | None = None,
    report: Report | None = None,
    processes: Processes | None = None,
) -> dict[str, Any]:
    """Write the states of every case of a cohort; continues where an earlier, stopped run was.

    Args:
        targets: "all" visits as current ones, or each patient's "last".
        sample: of so many cases of the training split only, drawn at random, always the same ones.
        processes: those that share the work; each must call this with the same arguments. Default: this one alone.

    Raises:
        LeaderError: a teacher that cannot be loaded, or one trained on medications of another ATC level.
    """
    from leader_core.model_folder import read_manifest
    from train.distributed import Processes

    report, processes = report or Report(quiet=True), processes or Processes()
    manifest = read_manifest(teacher, kind="teacher")
    _check_level(manifest.cohort.atc_level, cohort.fingerprint.atc_level)
    run = _run_key(manifest.digest, cohort.fingerprint.digest, targets, device, sample)
    work = unfinished_path(out)
    if ready := complete_index(out, run):
        if processes.main and _index(work):  # what these replaced, by a run that was killed in its last step
            shutil.rmtree(work, ignore_errors=True)
        report.line(f"{out} is complete already")
        return result_of(out, ready)
    if ready := complete_index(work, run):  # stopped just before the last step
        if processes.main:
            _finish(work, out)
        processes.wait()
        return result_of(out, ready)
    if processes.main:
        _continue(work, run)
    processes.wait()
    cases = _cases(cohort, targets, sample)
    blocks = range(0, len(cases), SHARD)
    missing = [number for number in range(len(blocks)) if not _entry(work, number).is_file()]
    if not processes.agree(len(missing)):
        raise InputError(f"Not every process sees {work}. Put --out on a file system that all of them see.")
    if len(missing) < len(blocks):
        report.line(f"continuing after {len(blocks) - len(missing)} of {len(blocks)} shards")
    scorer = _load(teacher, cohort, device, processes)
    # a teacher spread over processes needs them all for every pass; whole ones take a shard each
    own = missing if processes.sharded else missing[processes.rank :: processes.count]
    with report.counting(sum(len(cases[blocks[n] : blocks[n] + SHARD]) for n in own), "states") as step:
        for number in own:
            first, end = blocks[number] + 1, min(blocks[number] + SHARD, len(cases))
            _write_shard(work, number, cases[first - 1 : end], scorer, processes, step)
            report.line(f"states of cases {first:,} to {end:,} of {len(cases):,}")
    processes.wait()
    index = {
        **_describe(scorer, run, cohort.fingerprint.digest, targets),
        "cases": len(cases),
        **({} if sample is None else {"sample": sample}),
        "shards": [json.loads(_entry(work, n).read_text(encoding="utf-8")) for n in range(len(blocks))],
    }
    processes.wait()  # every process has read the entries
    if processes.main:
        write_sealed(work / INDEX, index)
        _finish(work, out)
    processes.wait()
    return result_of(out, index)


def _describe(scorer: TeacherScorer, run: str, cohort: str, targets: str) -> dict[str, Any]:
    """What an index says of its states, apart from the shards."""
    return {
        "format": FORMAT,
        "run": run,
        "teacher_digest": scorer.manifest.digest,
        "cohort_digest": cohort,
        "targets": targets,
        "precision": scorer.model.precision,
        "medications": list(scorer.vocabularies.medication),
        "hidden_size": int(scorer.model.head.weight.shape[1]),
    }


def _cases(cohort: Cohort, targets: Targets, sample: int | None) -> list[Case]:
    """By visit."""
    chosen = cohort.cases(split="all" if sample is None else "train", targets=targets)
    cases = sorted(chosen, key=lambda case: case.current.visit_id or 0)
    if sample is None or sample >= len(cases):
        return cases
    return [cases[i] for i in sorted(np.random.default_rng(0).permutation(len(cases))[:sample])]


def unfinished_path(out: Path) -> Path:
    """Where the shards lie until all of them are written."""
    return out.with_name(f"{out.name}.states.partial")


def _check_level(teacher: int, cohort: int) -> None:
    """Refuse a teacher whose medications are of another ATC level than the cohort's."""
    if teacher != cohort:
        raise InputError(
            f"The teacher names medications at ATC level {teacher}, the cohort at level {cohort}. "
            f"Build the cohort with --atc-level {teacher}."
        )


def _load(teacher: Path, cohort: Cohort, device: str, processes: Processes) -> TeacherScorer:
    """The teacher on this process's device, or its part of it."""
    from leader_core.teacher.scorer import TeacherScorer

    scorer = TeacherScorer.load(
        teacher,
        cohort.title,
        processes.device(device),
        precision="trained",
        move_to_device=not processes.sharded,
    )
    processes.spread(scorer.model)
    return scorer


def _run_key(teacher: str, cohort: str, targets: str, device: str, sample: int | None) -> str:
    values = [SHARDS, teacher, cohort, targets, device, SHARD, *([] if sample is None else [sample])]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def read_index(folder: Path) -> dict[str, Any]:
    """The index of a folder of states.

    Raises:
        OSError, ValueError, KeyError, TypeError: there is none that can be read.
        ArtifactError: another format, or one that was changed since it was written.
    """
    path = folder / INDEX
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if (version := record["format"]) != FORMAT:
        raise ArtifactError(f"{path} has format {version}, expected {FORMAT}. Make the states again.")
    if record.get(SEAL) != seal_of(record):
        raise ArtifactError(
            f"{path} was changed since it was written (its seal does not match). Make the states again."
        )
    return record


def complete_index(folder: Path, run: str) -> dict[str, Any] | None:
    """The index of a folder that this very run completed; None where there is none."""
    index = _index(folder)
    return index if index and index.get("run") == run else None


def _index(folder: Path) -> dict[str, Any] | None:
    """A folder's index; None where there is none that can be used."""
    try:
        return read_index(folder)
    except (OSError, ValueError, KeyError, TypeError, ArtifactError):
        return None


def _entry(work: Path, number: int) -> Path:
    """The file that says that a shard is complete: its name, rows and digest."""
    return work / f"states-{number:05d}.json"


def _continue(work: Path, run: str) -> None:
    """Keep the shards that this very run has already written; anything else in the way is removed."""
    try:
        same = json.loads((work / _RUN).read_text(encoding="utf-8")) == run
    except (OSError, ValueError):
        same = False
    if not same:
        UNFINISHED_STATES.check(work)
        shutil.rmtree(work, ignore_errors=True)
        write_json(work / _RUN, run)
    for path in work.glob("states-*.json"):
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            whole = sha256_file(work / str(entry["name"])) == entry["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            path.unlink()


def _write_shard(
    work: Path,
    number: int,
    cases: list[Case],
    scorer: TeacherScorer,
    processes: Processes,
    step: Callable[[int], None],
) -> None:
    """Score some cases and write their states, then the entry that says so."""
    from leader_core.teacher.scorer import run_batches
    from train.distributed import run_together

    encoded = scorer.reader.encode(cases)
    if processes.sharded:
        hidden, logits = run_together(scorer.model, encoded, processes)
        step(len(cases))
        if not processes.main:
            return
    else:
        hidden, logits = run_batches(scorer.model, encoded, on_progress=step)
    ids = np.asarray([case.current.visit_id for case in cases], dtype=np.int64)
    path = work / f"states-{number:05d}.safetensors"
    with replacing_file(path, private=True) as temporary:
        save_file({"visit_ids": ids, "hidden": hidden, "logits": logits}, temporary)
    entry = {"name": path.name, "rows": len(cases), "sha256": sha256_file(path)}
    write_json(_entry(work, number), entry)


def _read_shard(folder: Path, entry: dict[str, Any]) -> dict[str, np.ndarray]:
    name = str(entry["name"])
    file = folder / name
    if Path(name).name != name or not file.is_file():
        raise ArtifactError(f"{file} is missing, but {INDEX} lists it. Make the states again.")
    if sha256_file(file) != entry["sha256"]:
        raise ArtifactError(
            f"{file} was changed since it was written (sha256 differs). Make the states again."
        )
    try:
        return load_file(file)
    except SafetensorError as error:
        raise ArtifactError(f"{file} is not a safetensors file ({error}). Make the states again.") from error


def _finish(work: Path, out: Path) -> None:
    """Move complete states into place, without what only a continued run needs."""
    for path in (work / _RUN, *work.glob("states-*.json")):
        path.unlink(missing_ok=True)
    for left in work.glob(".*.partial"):  # of runs that were killed while they wrote one of the files
        shutil.rmtree(left, ignore_errors=True)
    move_into_place(work, out, STATES)


def result_of(out: Path, index: Mapping[str, Any]) -> dict[str, Any]:
    """What a command says of a folder of states."""
    return {
        "out": str(out),
        "cases": index["cases"],
        "shards": len(index["shards"]),
        "hidden_size": index["hidden_size"],
        "medications": len(index["medications"]),
        "teacher_digest": index["teacher_digest"],
    }
