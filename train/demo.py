"""The demo, from nothing: synthetic hospital, cohort, teacher, states, students, and the table the README quotes.

Each stage is one of the project's own commands with fixed arguments. A stage that finished with the same arguments,
configuration and inputs is not run again, so that an interrupted run continues where it stopped.
Refuses to know how any stage works.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from leader_core.fsio import sha256_file, write_json
from train.config import CONFIGS
from train.report import Report

ROOT: Final = Path(__file__).resolve().parent.parent
BUILD: Final = ROOT / "build" / "demo"
ASSETS: Final = ROOT / "assets" / "demo"
PATIENTS: Final = 8_000
SEED: Final = 42
CONFIG: Final = CONFIGS / "demo.toml"


@dataclass(frozen=True, slots=True)
class Stages:
    """Runs stages under `build`, and remembers in `stages.json` what each was made from."""

    build: Path
    report: Report
    fresh: bool

    def run(self, name: str, words: Sequence[str], outputs: Sequence[Path], inputs: Sequence[Path] = ()) -> dict[str, Any]:
        """Run `python -m train WORDS` unless its outputs stand already; returns the command's result."""
        from train.cli import call, parse

        key = _key(words, inputs)
        done = self._done()
        if not self.fresh and done.get(name, {}).get("key") == key and all(p.exists() for p in outputs):
            self.report.line(f"{name}: already done")
            return dict(done[name]["result"])
        self.report.line(f"{name}: python -m train {' '.join(words)}")
        result = call(parse(list(words)), self.report)
        done = {**self._done(), name: {"key": key, "words": list(words), "result": result}}
        write_json(self.build / "stages.json", done)
        return result

    def _done(self) -> dict[str, Any]:
        path = self.build / "stages.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _key(words: Sequence[str], inputs: Sequence[Path]) -> str:
    """Identifies a stage by its arguments and the content of the files it reads."""
    seen = [sha256_file(p) for p in inputs]
    return hashlib.sha256(json.dumps([list(words), seen]).encode()).hexdigest()


def build_cohort(build: Path, report: Report, *, fresh: bool = False) -> Path:
    """The demo cohort at `build/cohort.duckdb`, made if it is missing; returns its path."""
    cohort, raw = build / "cohort.duckdb", build / "raw"
    if cohort.exists() and not fresh:
        return cohort
    stages = Stages(build, report, fresh)
    stages.run(
        "synthesize",
        ["synthesize", "--layout", "mimic3", "--patients", str(PATIENTS), "--seed", str(SEED), "--out", str(raw)],
        [raw],
    )
    stages.run(
        "cohort",
        ["cohort", "--source", "mimic3", "--raw", str(raw), "--out", str(cohort), "--seed", str(SEED)],
        [cohort],
    )
    shutil.rmtree(raw, ignore_errors=True)  # 2 % of the time to remake, most of the disk
    return cohort


def build_models(
    build: Path, assets: Path, report: Report, *, device: str, real: Path | None, fresh: bool
) -> dict[str, Any]:
    """Train and evaluate the demo models; installs them under `assets/models` and their table beside them."""
    cohort = build_cohort(build, report, fresh=fresh)
    stages = Stages(build, report, fresh)
    teacher, states = build / "teacher", build / "states"
    common = ["--config", str(CONFIG), "--seed", str(SEED), "--device", device]
    stages.run("teacher", ["teacher", "--cohort", str(cohort), "--base", "minilm", "--out", str(teacher), "--resume", *common], [teacher], [CONFIG])
    manifest = teacher / "manifest.json"
    stages.run("states", ["states", "--cohort", str(cohort), "--teacher", str(teacher), "--out", str(states), "--device", device], [states], [manifest])
    students = {"student": ["--states", str(states)], "student-undistilled": []}
    for name, extra in students.items():
        out = build / name
        stages.run(name, ["student", "--cohort", str(cohort), "--out", str(out), *extra, *common], [out], [CONFIG, manifest])
    cohorts = {"synthetic": cohort}
    if real is not None:
        cohorts["mimic3-demo"] = build / "mimic3-demo.duckdb"
        stages.run("real cohort", ["cohort", "--source", "mimic3", "--raw", str(real), "--out", str(cohorts["mimic3-demo"]), "--label", "MIMIC-III Clinical Database Demo"], [cohorts["mimic3-demo"]])
    return {"cohorts": {k: str(v) for k, v in cohorts.items()}}
