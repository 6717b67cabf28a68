"""`workspace`: copy a workspace with its notes, put a copy back, check that all of it can be read, or encrypt it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leader_core.errors import InputError
from leader_core.outputs import Outputs
from leader_core.workspace import default_path
from leader_core.workspace.backup import BACKUP, back_up, encrypt, restore, verify
from leader_core.workspace.encryption import KEY, KEY_FILE, given_cipher
from train.console import Report

ACTIONS = ("backup", "restore", "verify", "encrypt")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=ACTIONS, help="what to do")
    parser.add_argument("--workspace", type=Path, metavar="FILE", help="the workspace with the notes")
    parser.add_argument(
        "--cohort", type=Path, metavar="FILE", help="instead: the workspace next to this cohort"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="with backup: where the copy goes")
    parser.add_argument("--backup", type=Path, metavar="FILE", help="with restore: the copy to put back")


def outputs(arguments: argparse.Namespace) -> Outputs:
    if arguments.action == "backup" and arguments.out is not None:
        yield arguments.out, BACKUP


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    path, action = _workspace(arguments), arguments.action
    for option in ("out", "backup"):
        needed = {"out": "backup", "backup": "restore"}[option] == action
        if (getattr(arguments, option) is not None) != needed:
            raise InputError(
                f"--{option} goes with {'backup' if option == 'out' else 'restore'}, and only with it."
            )
    earlier = None
    if action == "backup":
        counts = back_up(path, arguments.out)
        report.line(f"{path} copied to {arguments.out}: {_listing(counts)}")
    elif action == "restore":
        counts, earlier = restore(arguments.backup, path)
        report.line(f"{path} is as {arguments.backup} was: {_listing(counts)}")
        if earlier is not None:
            report.line(f"what it held before is in {earlier}")
    elif action == "encrypt":
        cipher = given_cipher()
        if cipher is None:
            raise InputError(f"Give a key with {KEY_FILE}=FILE or {KEY}. Make one: openssl rand -base64 32.")
        counts = encrypt(path, cipher)
        report.line(f"{path} is encrypted: {_listing(counts)}. Without its key nobody can read it again.")
        if plain := sorted(each.name for each in path.parent.glob(f"{path.stem}*") if each != path):
            report.line(f"not encrypted, remove what copies its notes: {', '.join(plain)}")
    else:
        cipher = given_cipher()
        counts = verify(path, cipher)
        report.line(f"{path} is sound: {_listing(counts)}")
        if "encrypted" in counts:
            read = "read with the key" if cipher else "not read: no key is given"
            report.line(f"it is encrypted; what its entries say was {read}")
    return {
        "workspace": str(path),
        "action": action,
        "entries": dict(counts),
        "before": str(earlier or "") or None,
    }


def _workspace(arguments: argparse.Namespace) -> Path:
    if (arguments.workspace is None) == (arguments.cohort is None):
        raise InputError("Name the workspace with --workspace FILE, or its cohort with --cohort FILE.")
    path: Path = arguments.workspace or default_path(arguments.cohort)
    return path


def _listing(counts: Mapping[str, int]) -> str:
    kinds = [
        f"{number:,} {kind.replace('_', ' ')}(s)"
        for kind, number in sorted(counts.items())
        if kind not in ("about", "encrypted")
    ]
    return ", ".join(kinds) or "nothing in it yet"
