"""`verify`: read cohorts, models, teacher states and stored scores whole, and say whether they are as they were written."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from leader_core.audit import SUFFIX
from leader_core.errors import ArtifactError, InputError, LeaderError, NotFoundError
from leader_core.outputs import SCORES
from train.console import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="a cohort database, a model's folder, a folder of teacher states, a database of stored scores, or an audit log",
    )
    parser.add_argument(
        "--head",
        default="",
        metavar="HASH",
        help="an audit log's last hash, noted earlier: it must still be in the log",
    )


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    results, failures = [], []
    for path in arguments.paths:
        try:
            what = _verified(path, arguments)
        except LeaderError as error:
            failures.append(str(error))
            report.line(f"{path}: not sound")
        else:
            results.append({"path": str(path), "what": what})
            report.line(f"{path}: sound; {what}")
    if failures:
        raise ArtifactError(" ".join(failures))
    return {"verified": results}


def _verified(path: Path, arguments: argparse.Namespace) -> str:
    """What is at a path, once all of it has been read."""
    if not path.exists():
        raise NotFoundError(f"There is nothing at {path}. Name a file or folder that a command wrote.")
    for marker, verify in _FOLDERS.items():
        if (path / marker).is_file():
            return verify(path)
    if path.is_dir():
        raise InputError(
            f"{path} holds neither a model nor teacher states: expected {' or '.join(_FOLDERS)}."
        )
    if path.name.endswith(SUFFIX) or _begins_with(path, b"{"):
        return _audit_log(path, arguments.head)
    named = path.name.endswith(".scores.duckdb")
    return _scores(path) if named or not SCORES.problem(path) else _cohort(path)


def _begins_with(path: Path, start: bytes) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(start)) == start


def _model(folder: Path) -> str:
    from leader_core.model_folder import read_manifest

    manifest = read_manifest(folder)
    return f"a {manifest.kind}, {len(manifest.files)} files as listed, its manifest sealed"


def _states(folder: Path) -> str:
    from train.teacher.states import TeacherStates

    states = TeacherStates.open(folder)
    return f"teacher states of {len(states.visit_ids):,} cases, every shard as listed, its index sealed"


def _audit_log(path: Path, head: str) -> str:
    from leader_core.audit import verify

    count, last = verify(path, head)
    return (
        f"an audit log of {count:,} entries, each following from the one before; the last has the hash {last}"
    )


def _cohort(path: Path) -> str:
    from leader_core.cohort import Cohort

    cohort = Cohort.open(path)
    try:
        rows = cohort.verify()
    finally:
        cohort.close()
    return f"a cohort of {cohort.fingerprint.patients:,} patients, {rows:,} rows read; digest, row counts and seal match"


def _scores(path: Path) -> str:
    import duckdb

    from leader_core import sql
    from leader_core.cohort.seal import read_all

    SCORES.check(path)
    try:
        with sql.connect(path, read_only=True) as connection:
            rows = read_all(connection)
    except duckdb.Error as error:
        raise ArtifactError(
            f"{path} is damaged ({str(error).splitlines()[0]}). Write the scores again: python -m train scores."
        ) from error
    return f"stored scores, {rows:,} rows read"


_FOLDERS: Final[dict[str, Callable[[Path], str]]] = {"manifest.json": _model, "index.json": _states}
