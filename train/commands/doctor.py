"""`doctor`: machine, packages, cohort, models, workspace and port, each with what to do where something is wrong."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal

from leader_core.errors import LeaderError
from train.console import Report

log = logging.getLogger("leader.train")

ROOT: Final = Path(__file__).resolve().parents[2]
GIB: Final = 1 << 30
LEAST_MEMORY: Final = 2.0  # GiB free, for the dashboard with the demo's models
LEAST_DISK: Final = 2.0

Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; a warning does not stop anything from working."""

    what: str
    status: Status
    detail: str
    remedy: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    demo = ROOT / "build" / "demo" / "cohort.duckdb"
    parser.add_argument("--cohort", type=Path, default=demo, metavar="FILE", help="(default: the demo's)")
    parser.add_argument(
        "--models",
        type=Path,
        default=ROOT / "assets" / "demo" / "models",
        metavar="DIR",
        help="(default: the demo's)",
    )
    parser.add_argument("--workspace", type=Path, metavar="FILE", help="(default: next to the cohort)")
    parser.add_argument(
        "--port", type=int, default=8501, metavar="N", help="to serve on (default: %(default)s)"
    )


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    """Exit code 2 where something failed, 0 with warnings or without."""
    findings: list[Finding] = []
    for look in (_machine, _packages, _cohort, _models, _workspace, _port, _encryption, _optional):
        try:
            findings += look(arguments)
        except Exception as error:  # a doctor says what it meets and goes on
            name = look.__name__.strip("_")
            log.debug("looking at %s failed", name, exc_info=True)
            findings.append(
                Finding(name, "failed", f"{type(error).__name__}: {str(error)[:200]}", "See the detail.")
            )
    for each in findings:
        report.line(f"{each.status.upper():8}{each.what}: {each.detail}")
        if each.remedy:
            report.line(f"        {each.remedy}")
    failed = sum(each.status == "failed" for each in findings)
    warnings = sum(each.status == "warning" for each in findings)
    report.line(f"{failed} failed, {warnings} warning(s), {len(findings) - failed - warnings} fine")
    return {
        "findings": [asdict(each) for each in findings],
        "failed": failed,
        "exit_code": 2 if failed else 0,
    }


def _checked(what: str, check: Callable[[], str], remedy: str = "") -> Finding:
    """What a check says where it succeeds, or its error, which carries its own remedy."""
    try:
        return Finding(what, "ok", check())
    except (LeaderError, OSError) as error:
        return Finding(what, "failed", str(error), remedy)


def _machine(arguments: argparse.Namespace) -> Iterator[Finding]:
    import psutil

    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", "ok" if sys.version_info >= (3, 11) else "failed", version, "")
    free, total = (each / GIB for each in (psutil.virtual_memory().available, psutil.virtual_memory().total))
    low = free < LEAST_MEMORY
    yield Finding(
        "memory",
        "warning" if low else "ok",
        f"{free:.1f} of {total:.1f} GiB free, {os.cpu_count()} cores",
        f"Close other programs: the dashboard wants {LEAST_MEMORY:.0f} GiB." if low else "",
    )
    for name, place in (
        ("disk of the cohort", arguments.cohort.parent),
        ("temporary files", Path(tempfile.gettempdir())),
    ):
        while not place.exists():
            place = place.parent
        space, writable = shutil.disk_usage(place).free / GIB, os.access(place, os.W_OK)
        low = space < LEAST_DISK or not writable
        detail = f"{space:.1f} GiB free in {place}{'' if writable else ', which cannot be written'}"
        remedy = "Free some space, or choose another place." if low else ""
        yield Finding(name, "warning" if low else "ok", detail, remedy)
    yield _gpu()


def _gpu() -> Finding:
    try:
        import torch
    except ImportError as error:
        return Finding("PyTorch", "failed", str(error), "Install the packages: make run.")
    if not torch.cuda.is_available():
        return Finding(
            "GPU", "ok", f"none that PyTorch {torch.__version__} sees: models run on the processor"
        )
    free, total = (each / GIB for each in torch.cuda.mem_get_info())
    return Finding("GPU", "ok", f"{torch.cuda.get_device_name()}, {free:.0f} of {total:.0f} GiB free")


def _packages(_: argparse.Namespace) -> Iterator[Finding]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    wrong = []
    for name, version in pinned.items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed = "not installed"
        if installed.partition("+")[0] != version:
            wrong.append(f"{name} {version} (here: {installed})")
    remedy = "Install them: python -m pip install -r requirements.txt." if wrong else ""
    detail = f"other than pinned: {', '.join(wrong)}" if wrong else f"{len(pinned)} as pinned"
    missing = any("not installed" in each for each in wrong)
    yield Finding("packages", "failed" if missing else "warning" if wrong else "ok", detail, remedy)


def _cohort(arguments: argparse.Namespace) -> Iterator[Finding]:
    from leader_core.cohort import Cohort

    def opened() -> str:
        cohort = Cohort.open(arguments.cohort)
        cohort.close()
        return f"{arguments.cohort}: {cohort.fingerprint.label}, {cohort.fingerprint.patients:,} patients, sealed"

    yield _checked("cohort", opened)
    if arguments.cohort.is_file() and stat.S_IMODE(arguments.cohort.stat().st_mode) & 0o077:
        yield Finding(
            "permissions",
            "warning",
            f"others on this machine may read {arguments.cohort}",
            f"Run: chmod 600 {arguments.cohort}.",
        )
    left = (
        sorted(p.name for p in arguments.cohort.parent.glob(".*.partial"))
        if arguments.cohort.parent.is_dir()
        else []
    )
    if left:
        yield Finding(
            "leftovers", "warning", f"of killed or running commands: {', '.join(left[:5])}",
            "The next run of the same command puts them in order.",
        )  # fmt: skip


def _models(arguments: argparse.Namespace) -> Iterator[Finding]:
    from leader_core.domain import MODEL_NAMES
    from leader_core.model_folder import read_manifest

    for name in MODEL_NAMES:
        folder = arguments.models / name
        if not folder.exists():
            yield Finding(
                name, "warning", f"none in {arguments.models}", f"Train one: python -m train {name} --help."
            )
            continue

        def sound(folder: Path = folder, name: str = name) -> str:
            manifest = read_manifest(folder, kind=name)
            calibrated = "calibrated" if manifest.calibration else "not calibrated"
            return f"{folder}: {calibrated}, cut-off {manifest.threshold:.3f}, sealed"

        yield _checked(name, sound)
    from leader_core.teacher.base import find_base

    yield _checked("sentence encoder", lambda: f"{find_base('minilm').folder.name}, the published weights")


def _workspace(arguments: argparse.Namespace) -> Iterator[Finding]:
    from leader_core.workspace import default_path
    from leader_core.workspace.backup import verify
    from leader_core.workspace.encryption import given_cipher

    path = arguments.workspace or default_path(arguments.cohort)
    if not path.exists():
        yield Finding("workspace", "ok", f"none yet: {path} is made with the first note")
        return

    def sound() -> str:
        cipher = given_cipher()
        counts = verify(path, cipher)
        state = "encrypted, its key not given" if "encrypted" in counts and cipher is None else "all readable"
        return f"{path}: {counts.get('revisions', 0):,} entries written, {state}"

    yield _checked("workspace", sound)


def _port(arguments: argparse.Namespace) -> Iterator[Finding]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", arguments.port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            yield Finding(
                "port",
                "warning",
                f"{arguments.port}: {reason}",
                "Stop what uses it, or name another: PORT=8600.",
            )
            return
    yield Finding("port", "ok", f"{arguments.port} is free")


def _encryption(_: argparse.Namespace) -> Iterator[Finding]:
    from leader_core import InputError, sql
    from leader_core.keys import given_key

    try:
        if given_key(sql.KEY) is not None:
            with sql.connect() as connection:
                sql.load_cipher(connection)
            yield Finding("cohort key", "ok", "cohorts are read and made encrypted")
    except InputError as error:
        yield Finding("cohort key", "warning", str(error))


def _optional(arguments: argparse.Namespace) -> Iterator[Finding]:
    from leader_core.similar import index_path
    from leader_core.stored_scores import scores_path

    make = f"python -m train scores --cohort {arguments.cohort} --models {arguments.models}"
    for what, path in (
        ("stored scores", scores_path(arguments.cohort)),
        ("similar patients", index_path(arguments.cohort)),
    ):
        there = path.is_file()
        yield Finding(what, "ok", str(path) if there else "none", "" if there else f"Optional: {make}.")
