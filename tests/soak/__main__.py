"""The driver of the long checks; each part writes its outcome into `results.json` next to this file.

python -m tests.soak [kills] [damage] [fuzz] [load] [servers]     # all without a name
python -m tests.soak --small     # the same, less of each, in some minutes; like all that is less than usual, it records nothing
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leader_core.files import write_json
from tests.conftest import ROOT

RESULTS = Path(__file__).with_name("results.json")
PARSERS = ("fhir_json", "fhir_xml", "case_json", "pasted_lists", "ndc_map", "search", "drug_names")
PARTS = ("kills", "damage", "fuzz", "load", "servers")


def kill(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Every command killed; see `kills`."""
    from tests.soak import kills

    outcome = {}
    for name, each in kills.run(folder, arguments.kills, only=tuple(arguments.only)):
        outcome[name] = each
        print(f"kills: {name}: {each}", flush=True)
    return outcome


def damage(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Every kind of damage; see `damage`."""
    from tests.soak.damage import run

    return run(folder, arguments.every)


def fuzz(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Every parser for some minutes; see `fuzz`."""
    outcome = {}
    for parser in arguments.only or PARSERS:
        command = [
            sys.executable,
            "-m",
            "tests.soak.fuzz",
            parser,
            str(arguments.seconds),
            str(folder / parser),
        ]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False
        )
        failures, counts = folder / parser / "failures.jsonl", folder / parser / "done.json"
        found = [json.loads(line) for line in failures.read_text().splitlines()] if failures.exists() else []
        covered = re.findall(r" cov: (\d+)", done.stderr)
        outcome[parser] = {
            "executions": 0,
            **(json.loads(counts.read_text()) if counts.exists() else {"ended": done.stderr[-500:]}),
            "places_covered": int(covered[-1]) if covered else 0,
            "failures": [each["where"] for each in found],
        }
        print(f"fuzz: {parser}: {outcome[parser]}", flush=True)
        for each in found:
            print(each["what"], each["input"][:2000], sep="\n", flush=True)
    return outcome


def load(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Fifty people at once; see `load`."""
    from tests.soak.load import run

    return run(folder, arguments.sessions, arguments.seconds, arguments.servers)


def servers(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Two servers behind nginx; see `servers`."""
    from tests.soak.servers import run

    return run(folder)


def main() -> int:
    """Run some parts; 1 where one found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("parts", nargs="*", metavar="/".join(PARTS))
    parser.add_argument("--kills", type=int, default=20, help="of each command")
    parser.add_argument("--every", type=int, default=1, help="of how many damaged tables one is built")
    parser.add_argument("--only", nargs="*", default=[], help="these commands or parsers")
    parser.add_argument("--seconds", type=int, default=600, help="of load, and of fuzzing each parser")
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--small", action="store_true", help="--kills 2 --every 20 --seconds 20 --sessions 5")
    parser.add_argument("--servers", type=int, default=2, help="server processes over one workspace, of load")
    arguments = parser.parse_args()
    if arguments.small:
        arguments.kills, arguments.every, arguments.seconds, arguments.sessions = 2, 20, 20, 5
    full = (
        arguments.kills >= 20
        and arguments.every == 1
        and arguments.seconds >= 600
        and arguments.sessions >= 50
    )
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    bad = False
    for part, check in zip(PARTS, (kill, damage, fuzz, load, servers), strict=True):
        if part not in (arguments.parts or PARTS):
            continue
        with tempfile.TemporaryDirectory(prefix=f"soak-{part}-") as place:
            outcome = check(arguments, Path(place))
        if full:
            results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            earlier = results.get(part, {}).get("results", {}) if arguments.only else {}
            results[part] = {"on": datetime.now(UTC).date().isoformat(), "results": {**earlier, **outcome}}
            write_json(RESULTS, results)
        text = json.dumps(outcome)
        print(f"{part}: {text}", flush=True)
        bad |= bool(
            re.search(r'"(problems|failures|first_errors)": \[[^\]]|"notes_lost": [1-9]|"ended"', text)
        )
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
