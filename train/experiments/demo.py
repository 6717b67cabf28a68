"""The demo from nothing: synthetic hospital, cohort, teacher, states, students, baselines, and their evaluation.

Each task is one of the project's own commands with fixed arguments; `demo_plan` says what is trained, `demo_evaluation`
how it is evaluated.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from leader_core.errors import LeaderError
from leader_core.files import sha256_file, write_text
from leader_core.outputs import DEMO_EVALUATION
from leader_core.scores import scores_path
from train.baselines import BASELINES
from train.config import Settings, load_settings
from train.console import Report
from train.experiments.demo_plan import (
    CALIBRATED,
    CONFIG,
    FOLDS,
    LABELS,
    REAL,
    SEED,
    SEEDS,
    STUDENTS,
    DemoPlan,
    StudentRow,
    changed_fields,
    settings_of,
)
from train.experiments.tasks import ROOT, CommandTask, run_tasks

BUILD: Final = ROOT / "build" / "demo"
ASSETS: Final = ROOT / "assets" / "demo"
README: Final = ROOT / "README.md"
SHIPPED_SCORES: Final = "scores.parquet"
SHIPPED_BASELINES: Final = ("popularity", "repeat", "logistic")
PATIENTS: Final = 8_000
COHORT_SOURCES: Final = (
    *(ROOT / "leader_core" / folder for folder in ("cohort", "interactions", "terminology")),
    *(ROOT / "assets" / folder for folder in ("interactions", "terminology")),
)
"""The code and tables that decide what a cohort holds."""
SOURCE_SUFFIXES: Final = (".py", ".sql", ".csv", ".toml")
REAL_LABEL: Final = "MIMIC-III Clinical Database Demo"
MANIFEST: Final = "manifest.json"
INDEX: Final = "index.json"  # of a folder of states

Digests = Mapping[str, str]  # of each cohort's content, by name


def build_cohort(build: Path, report: Report) -> Path:
    """The demo cohort at `build/cohort.duckdb`, built where it is missing or its sources have changed; returns its path."""
    cohort, raw = build / "cohort.duckdb", build / "raw"
    layout, seed = "mimic4", ("--seed", str(SEED))
    commands = (
        ("synthesize", "--layout", layout, "--patients", str(PATIENTS), "--out", str(raw), *seed),
        ("cohort", "--source", layout, "--raw", str(raw), "--out", str(cohort), *seed),
    )
    sources = _digest_of(ROOT / "train" / "synthetic_hospital", *COHORT_SOURCES)
    run_tasks(build, [CommandTask("cohort", commands, (cohort,), settings={"sources": sources})], report)
    shutil.rmtree(raw, ignore_errors=True)  # quickly written again, and most of the disk
    return cohort


def store_shipped_scores(cohort: Path, assets: Path, report: Report) -> bool:
    """Store the scores that ship next to the demo cohort, unless those there are newer; whether they are its own.

    The demo also starts without them: the error analysis then offers to score.
    """
    from leader_core.cohort import Cohort
    from train.commands.scores import alerts_of
    from train.evaluation.exported_scores import import_scores

    shipped, out = assets / SHIPPED_SCORES, scores_path(cohort)
    newest = max((path.stat().st_mtime for path in (cohort, shipped) if path.is_file()), default=0.0)
    if not shipped.is_file() or (out.is_file() and out.stat().st_mtime >= newest):
        return out.is_file()
    opened = Cohort.open(cohort)
    try:
        import_scores(shipped, opened, out, alerts_of(opened, assets / "models"))
    except LeaderError as error:
        report.line(f"The scores that ship with the demo are not stored. {error}")
        return False
    finally:
        opened.close()
    return True


def build_scores(build: Path, assets: Path, report: Report, device: str) -> Path:
    """Score the demo's test patients with the shipped models and three baselines, into the file that ships; returns it."""
    cohort, out = build / "cohort.duckdb", assets / SHIPPED_SCORES
    own = ("--cohort", str(cohort))
    commands: list[tuple[str, ...]] = [
        ("scores", *own, "--models", str(assets / "models"), "--split", "test", "--device", device)
    ]
    added: list[str] = []
    for name in SHIPPED_BASELINES:
        folder = build / f"{name}-shipped"
        split = ("--targets", BASELINES[name].targets, "--split", "test", "--seed", str(SEED))
        commands.append(("baseline", *own, "--name", name, "--out", str(folder), *split))
        added += ["--add", f"{name}={folder / 'scores.parquet'}"]
    commands.append(("scores", *own, *added, "--export", str(out)))
    run_tasks(build, [CommandTask("shipped-scores", tuple(commands), (out,), alone=True)], report)
    return out


def build_real_cohort(build: Path, raw: Path, report: Report) -> None:
    """The cohort of the open MIMIC-III demo at `build/mimic3-demo.duckdb`, under the same rule."""
    cohort = build / f"{REAL}.duckdb"
    words = ("cohort", "--source", "mimic3", "--raw", str(raw), "--out", str(cohort), "--label", REAL_LABEL)
    settings = {"sources": _digest_of(*COHORT_SOURCES)}
    run_tasks(build, [CommandTask(f"{REAL}-cohort", (words,), (cohort,), settings=settings)], report)


def build_models(
    build: Path,
    assets: Path,
    report: Report,
    *,
    device: str,
    real: Path | None,
    fresh: bool = False,
    jobs: int | None = None,
    rows: frozenset[str] | None = None,
) -> dict[str, Any]:
    """Train and evaluate the demo models on the cohort that is built; install two of them and write the tables.

    With `rows` just those are trained and evaluated, and the row that all are compared with: the table keeps its other rows,
    and no model is installed.

    Args:
        build: folder for what can be rebuilt.
        assets: the models go to `assets/models`, the evaluation to `assets/evaluation.json`.
        report: where progress goes.
        device: "auto", "cpu" or "cuda"; with CUDA the teacher is trained with three seeds.
        real: raw tables of the open MIMIC-III demo, or None: nothing is evaluated on it then.
        fresh: train the teacher even where the installed one has these settings.
        jobs: tasks at once; by default one a core, at most four.
        rows: names of `LABELS`, or None for the whole table.
    """
    from leader_core.model_folder import copy_model
    from train.experiments.demo_evaluation import evaluate_all, join_rows, to_text
    from train.experiments.results import read_evaluation, tables, write_results

    table = assets / "evaluation.json"
    earlier = None if rows is None else read_evaluation(table)
    if real is not None:
        build_real_cohort(build, real, report)
    seeds = SEEDS if _has_cuda(device) else SEEDS[:1]
    plan = DemoPlan(build, real is not None, device, seeds, rows or frozenset(LABELS))
    tasks = tasks_of(plan, None if fresh else assets / "models" / "teacher", report)
    goals = None if rows is None else [f"{r}-scores" if r.startswith("teacher") else r for r in rows]
    run_tasks(build, tasks, report, goals=goals, jobs=jobs or min(4, os.cpu_count() or 1))
    evaluation = evaluate_all(plan, report)
    if earlier is not None:
        evaluation = join_rows(earlier, evaluation)
    else:
        result = plan.real_result
        evaluation["real-data"] = json.loads(result.read_text(encoding="utf-8")) if plan.real else None
        for name in CALIBRATED:
            copy_model(plan.folder(f"{name}-calibrated", SEED), assets / "models" / name)
        build_scores(build, assets, report, device)
    write_text(table, to_text(evaluation), DEMO_EVALUATION)
    write_results(assets, README if assets == ASSETS else None)
    report.line(tables(evaluation))
    return {"evaluation": str(table), "models": str(assets / "models")}


def tasks_of(plan: DemoPlan, installed: Path | None, report: Report) -> Iterator[CommandTask]:
    """Everything after the cohorts, in the order in which it is best started.

    Args:
        installed: a teacher that is taken where it was trained with the same settings on the same cohort.
    """
    from leader_core.cohort import Cohort

    digests = {on: Cohort.open(path).fingerprint.digest for on, (path, _) in plan.cohorts().items()}
    yield from (_teacher_task(plan, seed, digests, installed, report) for seed in plan.teacher_seeds)
    yield from _states_tasks(plan, digests)
    for row in STUDENTS:
        yield from (_student_task(plan, row, seed, digests) for seed in SEEDS)
    if plan.real:
        yield _real_task(plan, digests)
    yield from _oracle_tasks(plan, digests)
    for baseline in reversed(list(BASELINES)):
        yield from (_baseline_task(plan, baseline, seed, digests) for seed in plan.seeds(baseline))
    for name in CALIBRATED:
        yield from (_calibrated_task(plan, name, seed) for seed in plan.seeds(name))
    for name in ("teacher", "teacher-calibrated"):
        for seed in plan.teacher_seeds:
            yield from _score_tasks(plan, name, seed, digests)


def _teacher_task(
    plan: DemoPlan, seed: int, digests: Digests, installed: Path | None, report: Report
) -> CommandTask:
    settings, out = load_settings(str(CONFIG), seed=seed), plan.folder("teacher", seed)
    words = ("teacher", "--cohort", str(plan.cohort), "--base", "minilm", "--out", str(out), "--resume")
    return CommandTask(
        f"teacher:{seed}",
        ((*words, "--config", str(CONFIG), "--seed", str(seed), "--device", plan.device),),
        (out / MANIFEST,),
        settings={
            "cohort": digests["synthetic"],
            "teacher": changed_fields(settings.teacher),
            "training": changed_fields(settings.teacher_training),
        },
        alone=True,
        resume_from=out.with_name(f"{out.name}.training.safetensors"),
        instead=lambda: (
            installed is not None and take_teacher(installed, out, settings, digests["synthetic"], report)
        ),
    )


def _states_tasks(plan: DemoPlan, digests: Digests) -> Iterator[CommandTask]:
    """The states of the teacher, and those of teachers that did not train on the patient."""
    teacher = plan.folder("teacher", SEED)
    words = ("states", "--cohort", str(plan.cohort), "--teacher", str(teacher), "--targets", "all")
    for name, folds in (("states", ()), ("states-crossfitted", ("--folds", str(FOLDS), "--seed", str(SEED)))):
        yield CommandTask(
            name,
            ((*words, "--out", str(plan.build / name), "--device", plan.device, *folds),),
            (plan.build / name / INDEX,),
            (teacher / MANIFEST,),
            {"cohort": digests["synthetic"]},
            alone=True,
        )


def _real_task(plan: DemoPlan, digests: Digests) -> CommandTask:
    """What can be learned from the real patients alone."""
    student = plan.folder("student", SEED)
    words = ("realdata", "--cohort", str(plan.cohorts()[REAL][0]), "--student", str(student))
    return CommandTask(
        "realdata",
        ((*words, "--seed", str(SEED), "--config", str(CONFIG), "--out", str(plan.real_result)),),
        (plan.real_result,),
        (student / MANIFEST,),
        {
            "cohort": digests[REAL],
            "training": changed_fields(load_settings(str(CONFIG)).student_training),
        },
    )


def _oracle_tasks(plan: DemoPlan, digests: Digests) -> Iterator[CommandTask]:
    """The generator's own probabilities: how good any model can be."""
    for name, options in (("oracle", ()), ("oracle-current", ("--without-history",))):
        out = plan.stored_scores(name, SEED, "synthetic")
        words = ("synthesize", "--oracle", str(plan.cohort), "--seed", str(SEED), "--out", str(out), *options)
        yield CommandTask(name, (words,), (out,), settings={"cohort": digests["synthetic"]})


def _student_task(plan: DemoPlan, row: StudentRow, seed: int, digests: Digests) -> CommandTask:
    out = plan.folder(row.name, seed)
    config, settings = settings_of(row, plan.build)
    words = ["student", "--cohort", str(plan.cohort), "--out", str(out), "--resume", "--config", str(config)]
    words += ["--seed", str(seed), "--device", plan.device, "--titles", str(plan.build / "titles")]
    if row.states:
        words += ["--states", str(plan.build / row.states)]
    return CommandTask(
        f"{row.name}:{seed}",
        (tuple(words),),
        (out / MANIFEST,),
        (plan.build / row.states / INDEX,) if row.states else (),
        {
            "cohort": digests["synthetic"],
            "student": changed_fields(settings.student),
            "training": changed_fields(settings.student_training),
        },
        resume_from=out.with_name(f"{out.name}.training.safetensors"),
    )


def _baseline_task(plan: DemoPlan, name: str, seed: int, digests: Digests) -> CommandTask:
    words = ["baseline", "--cohort", str(plan.cohort), "--name", name, "--targets", BASELINES[name].targets]
    words += ["--seed", str(seed), "--split", "test", "--out", str(plan.folder(name, seed))]
    if plan.real:
        words += ["--score", str(plan.cohorts()[REAL][0])]
    targets = tuple(plan.stored_scores(name, seed, on) for on in plan.cohorts())
    return CommandTask(f"{name}:{seed}", (tuple(words),), targets, settings={"cohorts": digests})


def _calibrated_task(plan: DemoPlan, name: str, seed: int) -> CommandTask:
    """The same model with a calibration, in a folder of its own."""
    source, out = plan.folder(name, seed), plan.folder(f"{name}-calibrated", seed)
    words = ("calibrate", "--model", str(source), "--cohort", str(plan.cohort), "--out", str(out))
    command = (*words, "--device", plan.device)
    return CommandTask(f"{name}-calibrated:{seed}", (command,), (out / MANIFEST,), (source / MANIFEST,))


def _score_tasks(plan: DemoPlan, name: str, seed: int, digests: Digests) -> Iterator[CommandTask]:
    """A teacher is slow enough to store its scores."""
    folder = plan.folder(name, seed)
    for on, (cohort, split) in plan.cohorts().items():
        out = plan.stored_scores(name, seed, on)
        words = ("predict", "--cohort", str(cohort), "--model", str(folder), "--split", split)
        yield CommandTask(
            f"{name}-scores:{seed}-{on}",
            ((*words, "--out", str(out), "--device", plan.device),),
            (out,),
            (folder / MANIFEST,),
            {"cohort": digests[on]},
        )


def take_teacher(installed: Path, out: Path, settings: Settings, data: str, report: Report) -> bool:
    """Copy an installed teacher to `out` where it was trained with these settings on this cohort; whether it was."""
    from leader_core.model_folder import copy_model, read_manifest, rewrite_manifest
    from train.evaluation.calibrate import without_calibration

    try:
        manifest = read_manifest(installed, kind="teacher")
    except LeaderError:
        return False
    same = manifest.cohort.digest == data and manifest.settings.get("seed") == settings.seed
    for key, part in (("teacher", settings.teacher), ("training", settings.teacher_training)):
        stored = manifest.settings.get(key, {})
        now, default = (json.loads(json.dumps(dataclasses.asdict(each))) for each in (part, type(part)()))
        same &= now == default | {name: stored[name] for name in now if name in stored}
    if not same:
        report.line(
            f"The teacher in {installed} was trained with other settings or data: it is trained again."
        )
        return False
    copy_model(installed, out)
    if manifest.calibration is not None:  # a task of its own
        rewrite_manifest(out, without_calibration(manifest), None)
    report.line(f"The teacher in {installed} has these settings and this cohort, and is taken.")
    return True


def _digest_of(*folders: Path) -> str:
    """One digest for the content of every source and data file under some folders."""
    files = sorted(p for folder in folders for p in folder.rglob("*") if p.suffix in SOURCE_SUFFIXES)
    return hashlib.sha256("".join(f"{p.name}{sha256_file(p)}" for p in files).encode()).hexdigest()


def _has_cuda(device: str) -> bool:
    if device == "cpu":
        return False
    import torch

    return torch.cuda.is_available()
