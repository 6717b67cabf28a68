"""The demo's tasks after its cohorts: each is one of the project's own commands, with what it needs and what it writes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from leader_core.errors import LeaderError
from train.baselines import BASELINES
from train.config import Settings, load_settings
from train.console import Report
from train.experiments.demo_plan import (
    CALIBRATED,
    CONFIG,
    EVERYWHERE,
    FOLDS,
    REAL_DEMOS,
    SEED,
    STUDENTS,
    DemoPlan,
    StudentRow,
    changed_fields,
    settings_of,
)
from train.experiments.tasks import CommandTask

SECTION_CASES: Final = 200
MANIFEST: Final = "manifest.json"
INDEX: Final = "index.json"  # of a folder of states

Digests = Mapping[str, str]  # of each cohort's content, by name


def goals_of(plan: DemoPlan, *, further: bool) -> list[str]:
    """The groups of tasks that the plan's rows need; with `further` also what is measured in addition to the rows."""
    made = plan.rows - {EVERYWHERE}
    goals = [
        f"{row.removesuffix('-calibrated')}-scores" if row.startswith("teacher") else row for row in made
    ]
    goals += [row for row in made if row == "teacher-calibrated"]
    if further:
        goals += ["sections", *(["realdata"] if "mimic3" in plan.real else [])]
    return sorted({*goals})


def tasks_of(plan: DemoPlan, installed: Path | None, report: Report) -> Iterator[CommandTask]:
    """Everything after the cohorts, in the order in which it is best started.

    Args:
        installed: a teacher that is taken where it was trained with the same settings on the same cohort.
    """
    from leader_core.cohort import Cohort

    digests = {name: Cohort.open(path).fingerprint.digest for name, path in plan.cohorts().items()}
    yield from (_teacher_task(plan, seed, digests, installed, report) for seed in plan.teacher_seeds)
    yield from _states_tasks(plan, digests)
    for row in STUDENTS:
        yield from (_student_task(plan, row, seed, digests) for seed in plan.seeds(row.name))
    if "mimic3" in plan.real:
        yield _real_task(plan, digests)
    yield from _oracle_tasks(plan, digests)
    for baseline in reversed(list(BASELINES)):
        yield from (_baseline_task(plan, baseline, seed, digests) for seed in plan.seeds(baseline))
    for name in CALIBRATED:
        yield from (_calibrated_task(plan, name, seed) for seed in plan.seeds(name))
    for seed in plan.teacher_seeds:
        yield from _score_tasks(plan, seed, digests)
    for name in CALIBRATED:
        yield _sections_task(plan, name, digests)


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
    words = ("realdata", "--cohort", str(plan.real_cohort("mimic3")), "--student", str(student))
    return CommandTask(
        "realdata",
        ((*words, "--seed", str(SEED), "--config", str(CONFIG), "--out", str(plan.real_result)),),
        (plan.real_result,),
        (student / MANIFEST,),
        {
            "cohort": digests[REAL_DEMOS["mimic3"].name],
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
    for source in plan.real:
        words += ["--score", str(plan.real_cohort(source))]
    targets = tuple(plan.stored_scores(name, seed, on) for on in plan.cohorts())
    return CommandTask(f"{name}:{seed}", (tuple(words),), targets, settings={"cohorts": digests})


def _calibrated_task(plan: DemoPlan, name: str, seed: int) -> CommandTask:
    """The same model with a calibration, in a folder of its own."""
    source, out = plan.folder(name, seed), plan.folder(f"{name}-calibrated", seed)
    words = ("calibrate", "--model", str(source), "--cohort", str(plan.cohort), "--out", str(out))
    command = (*words, "--device", plan.device)
    return CommandTask(f"{name}-calibrated:{seed}", (command,), (out / MANIFEST,), (source / MANIFEST,))


def _score_tasks(plan: DemoPlan, seed: int, digests: Digests) -> Iterator[CommandTask]:
    """A teacher is slow enough to store its scores; calibrated ones are computed from them."""
    folder = plan.folder("teacher", seed)
    for on, cohort in plan.cohorts().items():
        out = plan.stored_scores("teacher", seed, on)
        cases = ("--split", "test") if on == "synthetic" else ("--split", "all", "--targets", "all")
        words = ("predict", "--cohort", str(cohort), "--model", str(folder), *cases)
        yield CommandTask(
            f"teacher-scores:{seed}-{on}",
            ((*words, "--out", str(out), "--device", plan.device),),
            (out,),
            (folder / MANIFEST,),
            {"cohort": digests[on]},
            alone=True,
        )


def _sections_task(plan: DemoPlan, name: str, digests: Digests) -> CommandTask:
    """What the parts of a case are worth to a model, on validation patients."""
    folder, out = plan.folder(name, SEED), plan.sections(name)
    words = ("evaluate", "--cohort", str(plan.cohort), "--model", str(folder), "--split", "validation")
    command = (*words, "--sections", str(SECTION_CASES), "--out", str(out), "--device", plan.device)
    settings = {"cohort": digests["synthetic"]}
    return CommandTask(
        f"sections:{name}", (command,), (out,), (folder / MANIFEST,), settings, name == "teacher"
    )


def take_teacher(installed: Path, out: Path, settings: Settings, data: str, report: Report) -> bool:
    """Copy an installed teacher to `out` where it was trained with these settings on this cohort; whether it was."""
    from leader_core.model_folder import copy_model, read_manifest, rewrite_manifest
    from train.evaluation.calibrated_manifest import without_calibration

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
