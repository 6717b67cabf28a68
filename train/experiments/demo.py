"""The demo from nothing: synthetic hospital, cohort, teacher, states, students, baselines, and their evaluation.

Each task is one of the project's own commands with fixed arguments; `demo_plan` says what is trained, `demo_evaluation`
how it is evaluated.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

from leader_core.errors import LeaderError
from leader_core.files import sha256_file, write_text
from leader_core.outputs import DEMO_EVALUATION
from leader_core.stored_scores import scores_path
from train.baselines import BASELINES
from train.console import Report
from train.experiments.demo_plan import (
    CALIBRATED,
    MAIN_ROWS,
    REAL_DEMOS,
    SEED,
    SEEDS,
    DemoPlan,
    real_demos,
)
from train.experiments.demo_tasks import MANIFEST, goals_of, tasks_of
from train.experiments.tasks import ROOT, CommandTask, run_tasks, seconds_of

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
FAITHFUL_CASES: Final = {"student": 40, "teacher": 8}


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
    if raw.is_dir():  # quickly written again, and most of the disk
        removed = build / f".{raw.name}.removed.partial"  # the next run removes what a kill leaves of it
        shutil.rmtree(removed, ignore_errors=True)
        raw.rename(removed)
        shutil.rmtree(removed, ignore_errors=True)
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
    models = tuple(path for kind in CALIBRATED if (path := assets / "models" / kind / MANIFEST).is_file())
    run_tasks(build, [CommandTask("shipped-scores", tuple(commands), (out,), models, alone=True)], report)
    return out


def build_real_cohorts(build: Path, folder: Path, report: Report) -> tuple[str, ...]:
    """The cohorts of the open demos in a folder, under the same rule; the sources of those that are there.

    Raises:
        InputError: no demo there.
    """
    raws = real_demos(folder)
    settings = {"sources": _digest_of(*COHORT_SOURCES)}
    for source, raw in raws.items():
        demo = REAL_DEMOS[source]
        cohort = build / f"{demo.name}.duckdb"
        words = ("cohort", "--source", source, "--raw", str(raw), "--out", str(cohort), "--label", demo.label)
        run_tasks(build, [CommandTask(f"{demo.name}-cohort", (words,), (cohort,), settings=settings)], report)
    return tuple(raws)


def build_models(
    build: Path,
    assets: Path,
    report: Report,
    *,
    device: str,
    real: Path | None,
    fresh: bool,
    jobs: int | None,
    rows: frozenset[str] | None,
    teacher_seeds: int | None,
) -> dict[str, Any]:
    """Train and evaluate the demo models on the cohort that is built; install two of them and write the tables.

    With `rows` just those are trained and evaluated, and the row that all are compared with: the table keeps its other rows,
    and no model is installed.

    Args:
        build: folder for what can be rebuilt.
        assets: the models go to `assets/models`, the evaluation to `assets/evaluation.json`.
        report: where progress goes.
        device: "auto", "cpu" or "cuda".
        real: a folder with open demos of real patients (`real_demos`), or None: nothing is evaluated on them then.
        fresh: train the teacher even where the installed one has these settings.
        jobs: tasks at once; by default one a core, at most four.
        rows: names of `LABELS`, or None for the rows that are made by default.
        teacher_seeds: how many teachers are trained; by default three with CUDA and one without.
    """
    from leader_core.model_folder import copy_model
    from train.experiments.demo_evaluation import evaluate_all, join_rows, rounded, to_text
    from train.experiments.results import read_evaluation, tables, write_results

    table = assets / "evaluation.json"
    earlier = None if rows is None else read_evaluation(table)
    sources = () if real is None else build_real_cohorts(build, real, report)
    seeds = SEEDS[: teacher_seeds or (len(SEEDS) if _has_cuda(device) else 1)]
    plan = DemoPlan(build, sources, device, seeds, rows or MAIN_ROWS)
    steps = list(tasks_of(plan, None if fresh else assets / "models" / "teacher", report))
    goals = goals_of(plan, further=rows is None)
    run_tasks(build, steps, report, goals=goals, jobs=jobs or min(4, os.cpu_count() or 1))
    evaluation = evaluate_all(plan, report)
    if earlier is not None:
        evaluation = join_rows(earlier, evaluation)
    else:
        for name in CALIBRATED:
            copy_model(plan.folder(f"{name}-calibrated", SEED), assets / "models" / name)
        build_scores(build, assets, report, device)
        evaluation |= rounded(build_explained(plan, assets, report))
        evaluation["seconds"] = {name: round(each, 1) for name, each in seconds_of(build).items()}
    write_text(table, to_text(evaluation), DEMO_EVALUATION)
    write_results(assets, README if assets == ASSETS else None)
    report.line(tables(evaluation))
    return {"evaluation": str(table), "models": str(assets / "models")}


def build_explained(plan: DemoPlan, assets: Path, report: Report) -> dict[str, Any]:
    """What is measured in addition to the rows: folds over real patients, parts of a case, faithful explanations."""
    tasks, files = [], {}
    for name, cases in FAITHFUL_CASES.items():
        files[name] = out = plan.build / f"faithfulness-{name}.json"
        model = assets / "models" / name
        words = ("faithfulness", "--cohort", str(plan.cohort), "--model", str(model), "--cases", str(cases))
        command = (*words, "--out", str(out), "--device", plan.device)
        tasks.append(CommandTask(f"faithfulness:{name}", (command,), (out,), (model / MANIFEST,)))
    run_tasks(plan.build, tasks, report)
    return {
        "faithfulness": {name: _read(path) for name, path in files.items()},
        "sections": {name: _read(plan.sections(name))["sections"] for name in CALIBRATED},
        "real-data": _read(plan.real_result) if "mimic3" in plan.real else None,
    }


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _digest_of(*folders: Path) -> str:
    """One digest for the content of every source and data file under some folders."""
    files = sorted(p for folder in folders for p in folder.rglob("*") if p.suffix in SOURCE_SUFFIXES)
    return hashlib.sha256("".join(f"{p.name}{sha256_file(p)}" for p in files).encode()).hexdigest()


def _has_cuda(device: str) -> bool:
    if device == "cpu":
        return False
    import torch

    return torch.cuda.is_available()
