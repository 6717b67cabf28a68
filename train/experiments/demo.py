"""The demo, from nothing: synthetic hospital, cohort, teacher, states, students, baselines, and what they are worth.

Each stage is one of the project's own commands with fixed arguments (`stages` keeps what is done); what is trained
stands in `demo_plan`, how it is judged in `demo_evaluation`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from leader_core.cohort import Cohort
from leader_core.errors import LeaderError
from leader_core.files import replacing_folder, sha256_file, write_text
from leader_core.model_folder import Manifest, read_manifest, rewrite_manifest
from train.commands.baseline import SCORES
from train.config import Settings, load_settings
from train.console import Report
from train.evaluation.calibrate import without_calibration
from train.experiments.demo_plan import (
    BASELINE_ROWS,
    CALIBRATED,
    CONFIG,
    FOLDS,
    LABELS,
    SEEDS,
    STUDENTS,
    BaselineRow,
    StudentRow,
    differing,
    settings_of,
)
from train.experiments.stages import Runner, Stage, with_what_they_need

ROOT: Final = Path(__file__).resolve().parents[2]
BUILD: Final = ROOT / "build" / "demo"
ASSETS: Final = ROOT / "assets" / "demo"
README: Final = ROOT / "README.md"
PATIENTS: Final = 8_000
SEED: Final = SEEDS[0]
MAKERS: Final = (
    *(ROOT / "leader_core" / room for room in ("cohort", "interactions", "terminology")),
    *(ROOT / "assets" / room for room in ("interactions", "terminology")),
)
"""Where the code and tables stand that decide what a cohort holds."""
SOURCES: Final = (".py", ".sql", ".csv", ".toml")
REAL_LABEL: Final = "MIMIC-III Clinical Database Demo"
REAL: Final = "mimic3-demo"
STUDENT_MINUTES: Final = 3.0


def build_cohort(build: Path, report: Report, *, fresh: bool = False) -> Path:
    """The demo cohort at `build/cohort.duckdb`, made where it is missing or its makers have changed; returns its path."""
    cohort, raw = build / "cohort.duckdb", build / "raw"
    runner = Runner(build, report, jobs=1, fresh=fresh)
    makers = _digest_of(ROOT / "train" / "synthetic_hospital", *MAKERS)
    seed = ("--seed", str(SEED))
    synthesize = ("synthesize", "--layout", "mimic3", "--patients", str(PATIENTS), "--out", str(raw), *seed)
    words = ("cohort", "--source", "mimic3", "--raw", str(raw), "--out", str(cohort), *seed)
    made = Stage("cohort", words, (cohort,), lambda: [makers], after=("synthesize",), minutes=0.3)
    if runner.is_done(made):
        return cohort
    runner.run([Stage("synthesize", synthesize, (raw,), lambda: [makers], minutes=0.5), made])
    shutil.rmtree(raw, ignore_errors=True)  # quickly remade, and most of the disk
    return cohort


@dataclass(frozen=True, slots=True)
class Plan:
    """Where everything of one run lies. Stages are made from it."""

    build: Path
    cohort: Path
    real: Path | None  # raw tables of the open demo
    device: str
    teacher_seeds: tuple[int, ...]
    rows: frozenset[str] = frozenset(LABELS)  # of the table; what the others show stays as it is

    @property
    def whole(self) -> bool:
        """Whether every row is made."""
        return self.rows == frozenset(LABELS)

    def folder(self, name: str, seed: int) -> Path:
        """The model or scores of a row with one seed."""
        return self.build / "models" / name / str(seed)

    @property
    def teacher(self) -> Path:
        """The teacher that students are distilled from."""
        return self.folder("teacher", SEED)

    def states(self, name: str) -> Path:
        """Teacher states, plain or cross-fitted."""
        return self.build / name

    @property
    def real_cohort(self) -> Path | None:
        return self.build / f"{REAL}.duckdb" if self.real else None

    def cohorts(self) -> Mapping[str, tuple[Path, str]]:
        """What models are judged on: name -> file and split."""
        found = {"synthetic": (self.cohort, "test")}
        if self.real_cohort is not None:
            found[REAL] = (self.real_cohort, "all")
        return found

    def scores(self, name: str, seed: int, on: str) -> Path:
        """Stored scores: of a teacher beside its folder, of a baseline inside it."""
        if name.startswith("teacher"):
            return self.build / "scores" / f"{name}-{seed}-{on}.parquet"
        folder = self.folder(name, seed)
        return folder / SCORES if on == "synthetic" else folder / on / SCORES


def build_models(
    build: Path,
    assets: Path,
    report: Report,
    *,
    device: str,
    real: Path | None,
    fresh: bool,
    jobs: int | None = None,
    rows: frozenset[str] | None = None,
) -> dict[str, Any]:
    """Train and evaluate the demo models; installs two of them under `assets/models`, and writes the tables.

    With `rows` just those are trained and judged, beside the row that all are compared with: the table keeps its other
    rows, and no model is installed.

    Args:
        build: folder for what can be rebuilt.
        assets: the models go to `assets/models`, the evaluation to `assets/evaluation.json`.
        report: where progress goes.
        device: "auto", "cpu" or "cuda"; with CUDA the teacher is trained with three seeds.
        real: raw tables of the open MIMIC-III demo, or None; its figures are left out without them.
        fresh: redo stages that are done.
        jobs: stages at once; by default one a core, at most four.
        rows: names of `LABELS`, or None for the whole table.
    """
    from train.experiments.demo_evaluation import evaluate_all, to_text
    from train.experiments.demo_merge import kept_evaluation, merged
    from train.experiments.results import tables, write_results

    table = assets / "evaluation.json"
    kept = None if rows is None else kept_evaluation(table)
    cohort = build_cohort(build, report, fresh=fresh)
    seeds = SEEDS if _has_cuda(device) else SEEDS[:1]
    plan = Plan(build, cohort, real, device, seeds, rows or frozenset(LABELS))
    runner = Runner(build, report, jobs or min(4, os.cpu_count() or 1), fresh)
    if not fresh:
        _accept_teacher(plan, runner, assets / "models" / "teacher", report)
    results = runner.run(stages_of(plan))
    evaluation = evaluate_all(plan, report)
    evaluation["real-data"] = results.get("real data")
    if kept is not None:
        evaluation = merged(kept, evaluation)
    for name in ("teacher", "student") if plan.whole else ():
        with replacing_folder(assets / "models" / name) as temporary:
            shutil.copytree(
                plan.folder(f"{name}-calibrated", SEED),
                temporary,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns(".*"),
            )
    write_text(table, to_text(evaluation))
    write_results(assets, README if assets == ASSETS else None)
    report.line(tables(evaluation))
    return {"evaluation": str(table), "models": str(assets / "models")}


def stages_of(plan: Plan) -> list[Stage]:
    """The stages after the cohort that the plan's rows need, in the order in which they are best started."""
    every = list(_every_stage(plan))
    return every if plan.whole else with_what_they_need(every, _goals(plan))


def _goals(plan: Plan) -> Iterator[str]:
    """The stages that give what a plan's rows are judged by."""
    if plan.real is not None:
        yield f"{REAL} cohort"
    seeds = {**{row.name: SEEDS for row in STUDENTS}, **{row.name: row.seeds for row in BASELINE_ROWS}}
    for name in plan.rows & set(seeds):
        yield from (f"{name} {seed}" for seed in seeds[name])
    for name in ("teacher", "teacher-calibrated"):
        if name in plan.rows:
            yield from (
                f"scores of {name} {seed} on {on}" for seed in plan.teacher_seeds for on in plan.cohorts()
            )
    if "student-calibrated" in plan.rows:
        yield from (f"calibrate student {seed}" for seed in SEEDS)


def _every_stage(plan: Plan) -> Iterator[Stage]:
    data = Cohort.open(plan.cohort).fingerprint.digest
    settings = load_settings(str(CONFIG), seed=SEED)
    if plan.real is not None and plan.real_cohort is not None:
        yield from _real_stages(plan, plan.real, plan.real_cohort, data, settings)
    yield from (_teacher_stage(plan, seed, settings, data) for seed in plan.teacher_seeds)
    yield from _states_stages(plan, data)
    for row in STUDENTS:
        yield from (_student_stage(plan, row, seed, data) for seed in SEEDS)
    for baseline in BASELINE_ROWS:
        yield from (_baseline_stage(plan, baseline, seed, data) for seed in baseline.seeds)
    for name in CALIBRATED:
        yield from _calibrated_stages(plan, name, plan.teacher_seeds if name == "teacher" else SEEDS)
    for seed in plan.teacher_seeds:
        for name, trained in (("teacher", "teacher"), ("teacher-calibrated", "calibrate teacher")):
            yield from _teacher_scores(plan, name, seed, f"{trained} {seed}")


def _real_stages(plan: Plan, raw: Path, cohort: Path, data: str, settings: Settings) -> Iterator[Stage]:
    """The real demo's cohort, and what can be learned from it alone."""
    words: tuple[str, ...] = ("cohort", "--source", "mimic3", "--raw", str(raw), "--out", str(cohort))
    yield Stage(
        f"{REAL} cohort",
        (*words, "--label", REAL_LABEL),
        (cohort,),
        lambda: [_digest_of(*MAKERS)],
    )
    words = ("realdata", "--cohort", str(cohort), "--student", str(plan.folder("student", SEED)))
    yield Stage(
        "real data",
        (*words, "--seed", str(SEED), "--config", str(CONFIG), "--out", str(plan.build / "realdata.json")),
        (plan.build / "realdata.json",),
        lambda: [read_manifest(plan.folder("student", SEED)).digest, differing(settings.student_training)],
        (f"{REAL} cohort", f"student {SEED}"),
        minutes=4,
    )


def _teacher_stage(plan: Plan, seed: int, settings: Settings, data: str) -> Stage:
    out = plan.folder("teacher", seed)
    words = ("teacher", "--cohort", str(plan.cohort), "--base", "minilm", "--out", str(out), "--resume")
    return Stage(
        f"teacher {seed}",
        (*words, "--config", str(CONFIG), "--seed", str(seed), "--device", plan.device),
        (out,),
        lambda: [data, differing(settings.teacher), differing(settings.teacher_training)],
        minutes=60,
        alone=True,
        state=out.with_name(f"{out.name}.training.safetensors"),
    )


def _states_stages(plan: Plan, data: str) -> Iterator[Stage]:
    """The states of the teacher, and those of teachers that did not train on the patient."""
    crossfitted: tuple[str, ...] = ("--folds", str(FOLDS), "--seed", str(SEED))
    for name, more, minutes in (("states", (), 12), ("states-crossfitted", crossfitted, 60)):
        words = ["states", "--cohort", str(plan.cohort), "--teacher", str(plan.teacher)]
        words += ["--out", str(plan.states(name)), "--targets", "all", "--device", plan.device, *more]
        yield Stage(
            name,
            tuple(words),
            (plan.states(name),),
            lambda: [data, read_manifest(plan.teacher).digest],
            (f"teacher {SEED}",),
            minutes=minutes,
            alone=True,
        )


def _baseline_stage(plan: Plan, row: BaselineRow, seed: int, data: str) -> Stage:
    out = plan.folder(row.name, seed)
    words = ["baseline", "--cohort", str(plan.cohort), "--name", row.baseline, "--targets", row.targets]
    words += ["--seed", str(seed), "--split", "test", "--out", str(out)]
    if plan.real_cohort is not None:
        words += ["--score", str(plan.real_cohort)]
    return Stage(
        f"{row.name} {seed}",
        tuple(words),
        tuple(plan.scores(row.name, seed, on) for on in plan.cohorts()),
        lambda: [data],
        () if plan.real_cohort is None else (f"{REAL} cohort",),
        minutes=row.minutes,
    )


def _student_stage(plan: Plan, row: StudentRow, seed: int, data: str) -> Stage:
    out = plan.folder(row.name, seed)
    config, settings = settings_of(row, plan.build)
    words = ["student", "--cohort", str(plan.cohort), "--out", str(out), "--resume", "--config", str(config)]
    words += ["--seed", str(seed), "--device", plan.device, "--titles", str(plan.build / "titles")]
    if row.states:
        words += ["--states", str(plan.states(row.states))]
    return Stage(
        f"{row.name} {seed}",
        tuple(words),
        (out,),
        lambda: [
            data,
            read_manifest(plan.teacher).digest if row.states else "",
            differing(settings.student),
            differing(settings.student_training),
        ],
        (row.states,) if row.states else (),
        minutes=STUDENT_MINUTES * row.times,
        state=out.with_name(f"{out.name}.training.safetensors"),
    )


def _calibrated_stages(plan: Plan, name: str, seeds: tuple[int, ...]) -> Iterator[Stage]:
    """The same model with a calibration, in a folder of its own."""
    for seed in seeds:
        source, out = plan.folder(name, seed), plan.folder(f"{name}-calibrated", seed)
        words = ("calibrate", "--model", str(source), "--cohort", str(plan.cohort), "--out", str(out))
        yield Stage(
            f"calibrate {name} {seed}",
            (*words, "--device", plan.device),
            (out,),
            lambda source=source: [read_manifest(source).digest],  # type: ignore[misc]
            (f"{name} {seed}",),
            minutes=4 if name == "teacher" else 0.3,
        )


def _teacher_scores(plan: Plan, name: str, seed: int, after: str) -> Iterator[Stage]:
    """The teacher is slow enough to keep its scores."""
    for on, (cohort, split) in plan.cohorts().items():
        out, folder = plan.scores(name, seed, on), plan.folder(name, seed)
        words = (
            "predict",
            "--cohort",
            str(cohort),
            "--model",
            str(folder),
            "--split",
            split,
            "--out",
            str(out),
        )
        before = (after,) if on == "synthetic" else (after, f"{REAL} cohort")
        yield Stage(
            f"scores of {name} {seed} on {on}",
            (*words, "--device", plan.device),
            (out,),
            lambda cohort=cohort, folder=folder: [  # type: ignore[misc]
                Cohort.open(cohort).fingerprint.digest,
                _seal(read_manifest(folder)),
            ],
            before,
            minutes=4 if on == "synthetic" else 0.7,
        )


def _accept_teacher(plan: Plan, runner: Runner, folder: Path, report: Report) -> None:
    """Take the installed teacher for the stage's result where it was trained with these settings on this cohort."""
    settings = load_settings(str(CONFIG), seed=SEED)
    data = Cohort.open(plan.cohort).fingerprint.digest
    stage = _teacher_stage(plan, SEED, settings, data)
    if runner.is_done(stage):
        return
    try:
        manifest = read_manifest(folder, kind="teacher")
    except LeaderError:
        return
    if manifest.cohort.digest != data or not _same_training(manifest, settings):
        report.line(f"The teacher in {folder} was trained with other settings or data: it is trained again.")
        return
    with replacing_folder(plan.teacher) as temporary:
        shutil.copytree(folder, temporary, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
        if manifest.calibration is not None:  # a stage of its own
            rewrite_manifest(temporary, without_calibration(manifest), None)
    runner.accept(stage, {"taken_from": str(folder)})
    report.line(f"teacher {SEED}: the one in {folder} has these settings and this cohort, and is taken")


def _same_training(manifest: Manifest, settings: Settings) -> bool:
    """Whether a teacher's manifest tells of these settings; a field it does not name has its default."""
    for key, wanted in (("teacher", settings.teacher), ("training", settings.teacher_training)):
        told = manifest.settings.get(key, {})
        for f in dataclasses.fields(wanted):
            value = told.get(f.name, f.default)
            if (tuple(value) if isinstance(value, list) else value) != getattr(wanted, f.name):
                return False
    return manifest.settings.get("seed") == settings.seed


def _seal(manifest: Manifest) -> str:
    """Identifies weights and calibration."""
    return f"{manifest.digest} {manifest.calibration!r}"


def _digest_of(*folders: Path) -> str:
    """One digest for the content of every source and data file under some folders."""
    files = sorted(p for folder in folders for p in folder.rglob("*") if p.suffix in SOURCES)
    return hashlib.sha256("".join(f"{p.name}{sha256_file(p)}" for p in files).encode()).hexdigest()


def _has_cuda(device: str) -> bool:
    if device == "cpu":
        return False
    import torch

    return torch.cuda.is_available()
