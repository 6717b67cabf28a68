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

from leader_core.artifacts import read_manifest
from leader_core.cohort import Cohort
from leader_core.fsio import replacing_folder, sha256_file, write_json
from train.baselines import BASELINES
from train.config import CONFIGS, load_settings
from train.demo_table import markdown, write_into
from train.report import Report

ROOT: Final = Path(__file__).resolve().parent.parent
BUILD: Final = ROOT / "build" / "demo"
ASSETS: Final = ROOT / "assets" / "demo"
PATIENTS: Final = 8_000
SEED: Final = 42
CONFIG: Final = CONFIGS / "demo.toml"
MAKERS: Final = (
    *(ROOT / "leader_core" / room for room in ("cohort", "interactions", "terminology")),
    *(ROOT / "assets" / room for room in ("interactions", "terminology")),
)
"""Where the code and tables stand that decide what a cohort holds."""
SOURCES: Final = (".py", ".sql", ".csv", ".toml")
REAL_LABEL: Final = "MIMIC-III Clinical Database Demo"


@dataclass(frozen=True, slots=True)
class Stages:
    """Runs stages under `build`, and remembers in `stages.json` what each was made from."""

    build: Path
    report: Report
    fresh: bool

    def run(
        self, name: str, words: Sequence[str], outputs: Sequence[Path], *made_from: str
    ) -> dict[str, Any]:
        """Run `python -m train WORDS` unless its outputs stand already; returns the command's result.

        `made_from` identifies what the stage reads (digests): another one makes it run again.
        """
        from train.cli import call, parse

        if self.is_done(name, words, outputs, *made_from):
            self.report.line(f"{name}: already done")
            return dict(self._done()[name]["result"])
        self.report.line(f"{name}: python -m train {' '.join(words)}")
        result = call(parse(list(words)), self.report)
        done = {**self._done(), name: {"key": _key(words, made_from), "result": result}}
        write_json(self.build / "stages.json", done)
        return result

    def is_done(self, name: str, words: Sequence[str], outputs: Sequence[Path], *made_from: str) -> bool:
        """Whether `run` would find nothing to do."""
        same = self._done().get(name, {}).get("key") == _key(words, made_from)
        return same and not self.fresh and all(path.exists() for path in outputs)

    def _done(self) -> dict[str, Any]:
        path = self.build / "stages.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _key(words: Sequence[str], made_from: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps([list(words), list(made_from)]).encode()).hexdigest()


def _digest_of(*folders: Path) -> str:
    """One digest for the content of every source and data file under some folders."""
    files = sorted(p for folder in folders for p in folder.rglob("*") if p.suffix in SOURCES)
    return hashlib.sha256("".join(f"{p.name}{sha256_file(p)}" for p in files).encode()).hexdigest()


def build_cohort(build: Path, report: Report, *, fresh: bool = False) -> Path:
    """The demo cohort at `build/cohort.duckdb`, made where it is missing or its makers have changed; returns its path."""
    cohort, raw = build / "cohort.duckdb", build / "raw"
    stages = Stages(build, report, fresh)
    makers = _digest_of(ROOT / "train" / "synth", *MAKERS)
    seed = ["--seed", str(SEED)]
    synthesize = ["synthesize", "--layout", "mimic3", "--patients", str(PATIENTS), "--out", str(raw), *seed]
    build_it = ["cohort", "--source", "mimic3", "--raw", str(raw), "--out", str(cohort), *seed]
    if stages.is_done("cohort", build_it, [cohort], makers):
        return cohort
    stages.run("synthesize", synthesize, [raw], makers)
    stages.run("cohort", build_it, [cohort], makers)
    shutil.rmtree(raw, ignore_errors=True)  # quickly remade, and most of the disk
    return cohort


def build_models(
    build: Path, assets: Path, report: Report, *, device: str, real: Path | None, fresh: bool
) -> dict[str, Any]:
    """Train and evaluate the demo models; installs them under `assets/models` and their table in the README.

    Args:
        build: folder for what can be rebuilt.
        assets: the models go to `assets/models`, the evaluation to `assets/evaluation.json`.
        report: where progress goes.
        device: "auto", "cpu" or "cuda".
        real: raw tables of the open MIMIC-III demo, or None; its figures are left out without them.
        fresh: redo stages that are done.
    """
    cohort = build_cohort(build, report, fresh=fresh)
    stages = Stages(build, report, fresh)
    folders = _train(stages, cohort, device)
    cohorts = {"synthetic": (cohort, "test")}
    if real is not None:
        cohorts["mimic3-demo"] = (_real_cohort(stages, real), "all")
    evaluations = {
        name: _evaluate(stages, name, where, split, cohort, folders)
        for name, (where, split) in cohorts.items()
    }
    for name in ("teacher", "student"):
        with replacing_folder(assets / "models" / name) as temporary:
            shutil.copytree(folders[name], temporary, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
    write_json(assets / "evaluation.json", evaluations)
    if assets == ASSETS:
        write_into(ROOT / "README.md", markdown(evaluations))
    report.line(markdown(evaluations))
    return {"evaluations": evaluations}


def _train(stages: Stages, cohort: Path, device: str) -> dict[str, Path]:
    """Teacher, states, and the student with and without them; returns each model's folder."""
    build = stages.build
    common = ["--config", str(CONFIG), "--seed", str(SEED), "--device", device]
    teacher, states = build / "teacher", build / "states"
    settings = load_settings(str(CONFIG), seed=SEED)
    data = Cohort.open(cohort).fingerprint.digest
    words = ["teacher", "--cohort", str(cohort), "--base", "minilm", "--out", str(teacher), *common]
    words.append("--resume")
    stages.run("teacher", words, [teacher], data, repr((settings.teacher, settings.teacher_training)))
    taught = read_manifest(teacher).digest
    words = ["states", "--cohort", str(cohort), "--teacher", str(teacher), "--out", str(states)]
    words += ["--targets", settings.student_training.targets, "--device", device]
    stages.run("states", words, [states], data, taught)
    folders = {"teacher": teacher}
    learned_from = (data, taught, repr((settings.student, settings.student_training)))
    for name, extra in {"student": ["--states", str(states)], "student-undistilled": []}.items():
        folders[name] = build / name
        words = ["student", "--cohort", str(cohort), "--out", str(folders[name]), *extra, *common]
        stages.run(name, words, [folders[name]], *learned_from)
    return folders


def _real_cohort(stages: Stages, raw: Path) -> Path:
    cohort = stages.build / "mimic3-demo.duckdb"
    words = ["cohort", "--source", "mimic3", "--raw", str(raw), "--out", str(cohort), "--label", REAL_LABEL]
    stages.run("mimic3-demo cohort", words, [cohort], _digest_of(*MAKERS))
    return cohort


def _evaluate(
    stages: Stages, name: str, cohort: Path, split: str, trained_on: Path, folders: dict[str, Path]
) -> dict[str, Any]:
    """The paper's table for every model and baseline on one cohort; baselines know the training split only."""
    found = {}
    data = [Cohort.open(path).fingerprint.digest for path in (cohort, trained_on)]
    common = ["--cohort", str(cohort), "--split", split, "--seed", str(SEED)]
    for model, folder in folders.items():
        words = ["evaluate", *common, "--model", str(folder)]
        found[model] = stages.run(
            f"evaluate {model} on {name}", words, [], *data, read_manifest(folder).digest
        )
    for baseline in BASELINES:
        words = ["evaluate", *common, "--baseline", baseline, "--fit-on", str(trained_on)]
        found[baseline] = stages.run(f"evaluate {baseline} on {name}", words, [], *data)
    for result in found.values():
        result["model"].pop("folder")  # a path of the machine it was run on
    return found
