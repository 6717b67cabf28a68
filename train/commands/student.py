"""`student`: train the student, distilled where teacher states are given."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from leader_core.errors import InputError
from leader_core.outputs import CHECKPOINT, MODELS, PROGRESS, STATES, UNFINISHED_STATES, Outputs
from train.config import load_settings
from train.console import ProgressFile, Report
from train.evaluation.metrics_text import show_table, worth_quoting


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cohort", type=Path, required=True, metavar="FILE", help="a cohort database")
    parser.add_argument(
        "--states", type=Path, metavar="DIR", help="teacher states; without them nothing is distilled"
    )
    parser.add_argument(
        "--teacher",
        type=Path,
        metavar="DIR",
        help="make the states first, where --states does not hold them yet",
    )
    parser.add_argument(
        "--teacher-visits",
        type=int,
        metavar="N",
        help="of N training visits only, drawn at random; the others learn from the orders alone",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the model folder to write")
    parser.add_argument("--alpha", type=float, help="weight of distillation, instead of the configuration's")
    parser.add_argument("--beta", type=float, help="weight of alignment, instead of the configuration's")
    parser.add_argument("--epochs", type=int, help="at most so many, instead of the configuration's")
    parser.add_argument(
        "--targets", choices=("last", "all"), help="which visits teach, instead of the configuration's"
    )
    parser.add_argument(
        "--titles",
        type=Path,
        metavar="DIR",
        help="keep the vectors of the codes' titles there, and reuse them",
    )
    parser.add_argument("--resume", action="store_true", help="continue a stopped run of the same settings")
    parser.add_argument(
        "--progress", type=Path, metavar="FILE", help="JSON lines for another program: every epoch as it ends"
    )


def outputs(arguments: argparse.Namespace) -> Outputs:
    yield arguments.out, MODELS["student"]
    yield arguments.out.with_name(f"{arguments.out.name}.training.safetensors"), CHECKPOINT
    if arguments.progress:
        yield arguments.progress, PROGRESS
    if arguments.teacher and arguments.states:
        yield arguments.states, STATES
        yield arguments.states.with_name(f"{arguments.states.name}.states.partial"), UNFINISHED_STATES


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    if arguments.teacher and not arguments.states:
        raise InputError("--teacher makes states: name the folder for them with --states DIR.")
    if arguments.teacher_visits is not None and (arguments.teacher_visits < 1 or not arguments.teacher):
        raise InputError(
            f"--teacher-visits {arguments.teacher_visits}: expected at least 1, and a teacher with --teacher DIR."
        )
    settings = load_settings(arguments.config, seed=arguments.seed)
    given = {name: getattr(arguments, name) for name in ("alpha", "beta", "epochs", "targets")}
    training = dataclasses.replace(
        settings.student_training, **{k: v for k, v in given.items() if v is not None}
    )
    from leader_core.cohort import Cohort
    from train.student.data import StudentData
    from train.student.loop import train_student
    from train.student.stored_titles import kept_titles
    from train.teacher.states import TeacherStates, write_states

    follower = ProgressFile(arguments.progress, quiet=report.quiet) if arguments.progress else None
    report = follower or report
    cohort = Cohort.open(arguments.cohort)
    if arguments.teacher:
        write_states(
            cohort,
            arguments.teacher,
            arguments.states,
            device=arguments.device,
            sample=arguments.teacher_visits,
            report=report,
        )
    states = TeacherStates.open(arguments.states) if arguments.states else None
    data = StudentData.of(cohort, training.targets, states, equivalence=settings.student.equivalence)
    report.line(
        f"{len(data.train):,} training cases, {len(data.validation):,} validation cases, "
        f"{'distilled from teacher states' if states else 'undistilled'}"
    )
    if follower:
        cases = {"training_cases": len(data.train), "validation_cases": len(data.validation)}
        follower.event("started", epochs=training.epochs, distilled=states is not None, **cases)
    manifest = train_student(
        data,
        settings.student,
        training,
        arguments.out,
        preset=settings.preset,
        seed=settings.seed,
        device=arguments.device,
        resume=arguments.resume,
        interactions=cohort.interactions.statistical_matrix(data.vocabularies.medication.codes),
        report=report,
        vectors=kept_titles(arguments.titles) if settings.student.code_text else None,
    )
    if follower:
        follower.event("finished", threshold=manifest.threshold, best_epoch=manifest.settings["best_epoch"])
    show_table(report, "Validation (last visits)", manifest.validation)
    notes = worth_quoting(manifest.cohort, len(data.validation))
    for note in notes:
        report.line(note)
    report.line(f"written to {arguments.out}; threshold {manifest.threshold:.3f}, {manifest.threshold_rule}")
    return {
        "model": str(arguments.out),
        "threshold": manifest.threshold,
        "threshold_rule": manifest.threshold_rule,
        "settings": dict(manifest.settings),
        "validation": dict(manifest.validation),
        "cohort": dataclasses.asdict(manifest.cohort),
        "notes": notes,
    }
