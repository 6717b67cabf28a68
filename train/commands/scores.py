"""`scores`: both models' and baselines' scores of every case, stored for the worklist and the error analysis."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import MODEL_NAMES
from leader_core.errors import InputError, NotFoundError
from leader_core.interactions.shares import shares_of
from leader_core.interactions.visit_alerts import OrderedVisits, VisitAlerts
from leader_core.outputs import EXPORTED_SCORES, PROGRESS, SCORES, SIMILAR, Outputs
from leader_core.scorer import ModelScorer, Scorer
from leader_core.similar import CaseIndex, index_path
from leader_core.similar.index import unit_vectors
from leader_core.stored_scores import CaseBlock, ScoreWriter, scores_path
from leader_core.stored_scores.store import PRESCRIBED
from leader_core.stored_scores.write import project
from train.console import ProgressFile, Report
from train.evaluation.exported_scores import export_scores, import_scores
from train.evaluation.inputs import SPLITS, open_model, prescriptions

if TYPE_CHECKING:
    from leader_core.cohort import Cohort
    from leader_core.cohort.columns import CohortColumns

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,29}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cohort", type=Path, required=True, metavar="FILE", help="a cohort database")
    parser.add_argument("--models", type=Path, metavar="DIR", help="folder with teacher/ and student/ inside")
    parser.add_argument(
        "--add",
        action="append",
        default=[],
        metavar="NAME=FILE.parquet",
        help="scores of `baseline` or `predict` as a further model, for the error analysis (may be repeated); "
        "without --models they join the scores that are stored",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="default: next to the cohort, where the dashboard looks for it",
    )
    parser.add_argument(
        "--targets",
        choices=("last", "all"),
        default="last",
        help="each patient's last visit, or every visit with its past (default: %(default)s)",
    )
    parser.add_argument(
        "--split", choices=SPLITS, default="all", help="whose cases are scored (default: %(default)s)"
    )
    parser.add_argument("--only", choices=MODEL_NAMES, help="one model only; the other's columns stay empty")
    parser.add_argument(
        "--export",
        type=Path,
        metavar="FILE.parquet",
        help="also write all that is stored into one file, for another machine with the same cohort",
    )
    parser.add_argument(
        "--import",
        dest="imported",
        type=Path,
        metavar="FILE.parquet",
        help="store the scores of such a file instead of running models (--models only says what a class means)",
    )
    parser.add_argument(
        "--progress", type=Path, metavar="FILE", help="JSON lines for another program: how far the scoring is"
    )


def outputs(arguments: argparse.Namespace) -> Outputs:
    out = arguments.out or scores_path(arguments.cohort)
    yield out, SCORES
    if arguments.models is not None and arguments.imported is None:
        yield _similar_path(arguments), SIMILAR
    if arguments.export:
        yield arguments.export, EXPORTED_SCORES
    if arguments.progress:
        yield arguments.progress, PROGRESS


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from leader_core.cohort import Cohort

    began = time.perf_counter()
    added = _added(arguments)
    cohort = Cohort.open(arguments.cohort)
    out = arguments.out or scores_path(arguments.cohort)
    if arguments.progress:
        report = ProgressFile(arguments.progress, quiet=report.quiet)
        report.event("started", models=list(MODEL_NAMES))
    done: dict[str, int] = {}
    if arguments.imported is not None:
        done = import_scores(arguments.imported, cohort, out, alerts_of(cohort, arguments.models))
    elif arguments.models is not None:
        done = _new(arguments, cohort, out, report)
    if added:
        done |= _join(added, cohort, out, arguments.models, report)
    if arguments.export:
        if arguments.out and out != scores_path(arguments.cohort):
            raise InputError("--export reads what is stored next to the cohort: leave --out out.")
        rows = export_scores(Cohort.open(arguments.cohort), arguments.export)
        report.line(f"{rows:,} rows exported to {arguments.export}")
    seconds = time.perf_counter() - began
    for name, count in done.items():
        report.line(f"{name}: {count:,} cases")
    report.line(f"Written to {out} in {seconds:.1f} s.")
    return {"file": str(out), "targets": arguments.targets, "cases": done, "seconds": round(seconds, 3)}


def _similar_path(arguments: argparse.Namespace) -> Path:
    """Next to the scores, under the name of their cohort."""
    if not arguments.out:
        return index_path(arguments.cohort)
    return index_path(arguments.out.with_name(arguments.out.name.replace(".scores.", ".")))


def _added(arguments: argparse.Namespace) -> dict[str, Path]:
    """Name -> file of every `--add`.

    Raises:
        InputError: nothing to do, or a name or file that is not one.
    """
    if arguments.imported is not None and (arguments.add or arguments.only):
        raise InputError("--import stores a file as it is: leave --add and --only out.")
    if not (arguments.models or arguments.add or arguments.imported or arguments.export):
        raise InputError("Nothing to store: name --models DIR, or --add NAME=FILE.parquet, or both.")
    files: dict[str, Path] = {}
    for text in arguments.add:
        name, _, path = text.partition("=")
        if not _NAME.fullmatch(name) or not path or name in (*MODEL_NAMES, PRESCRIBED) or name in files:
            raise InputError(
                f"--add {text}: expected NAME=FILE.parquet with a name of its own of small letters, digits, "
                f"- and _ (not {', '.join((*MODEL_NAMES, PRESCRIBED))})."
            )
        files[name] = Path(path)
    return files


def _new(arguments: argparse.Namespace, cohort: Cohort, out: Path, report: Report) -> dict[str, int]:
    """A new file with the folder's models; how many cases each scored."""
    from leader_core.student.scorer import StudentScorer

    models = _models(arguments, cohort)
    columns = cohort.columns(arguments.split, arguments.targets)
    codes = _codes(columns, models)
    done: dict[str, int] = {}
    digest, table = cohort.fingerprint.digest, cohort.interactions
    alerts = alerts_of(cohort, arguments.models)(codes)
    with ScoreWriter.writing(out, digest, arguments.targets, codes, table, alerts) as writer:
        for model in models:
            blocks = _reported(_blocks(model, columns, codes), len(columns), model.name, report)
            own = model.manifest.digest
            done[model.name] = writer.add(model.name, own, model.threshold, _known(model, codes), blocks)
            if isinstance(model, StudentScorer):
                writer.add_map(columns.visit_ids, project(unit_vectors(model, columns)))
    for model in models:
        if isinstance(
            model, StudentScorer
        ):  # the training patients as it sees them, for `leader_core.similar`
            index, path = CaseIndex.build(model, cohort), _similar_path(arguments)
            index.save(path)
            report.line(f"training patients to find similar ones among: {len(index):,}, in {path}")
    return done


def _join(
    added: Mapping[str, Path], cohort: Cohort, out: Path, models: Path | None, report: Report
) -> dict[str, int]:
    """Further models into the file that is there."""
    from train.evaluation.predictions import StoredScores

    done: dict[str, int] = {}
    alerts = alerts_of(cohort, models)
    with ScoreWriter.adding(out, cohort.fingerprint.digest, cohort.interactions, alerts) as writer:
        columns = cohort.columns("all", "all" if writer.targets == "all" else "last")
        for name, path in added.items():
            model = StoredScores(path, cohort)
            if unknown := sorted(set(model.medications.codes) - set(writer.codes)):
                raise InputError(
                    f"{path} scores {len(unknown)} classes that the stored scores do not know (first: {unknown[0]}). "
                    "It belongs to another cohort: write it again for this one."
                )
            own = columns.take(np.flatnonzero(np.isin(columns.visit_ids, model.visit_ids)))
            if not len(own):
                raise InputError(f"{path} holds no case of {cohort.path.name}: it belongs to another cohort.")
            blocks = _reported(_blocks(model, own, writer.codes), len(own), name, report)
            known = _known(model, writer.codes)
            done[name] = writer.add(name, "", model.threshold, known, blocks)
    return done


def alerts_of(cohort: Cohort, models: Path | None) -> Callable[[Sequence[str]], VisitAlerts]:
    """Counts the alerts of suggestions: a class means the drugs that the models' training orders say."""
    level = cohort.fingerprint.atc_level
    folders = (models / "student", models / "teacher") if models is not None else None
    shares = cohort.drug_shares() if folders is None else shares_of(folders, level)
    visits = OrderedVisits.read(cohort.reader())
    return lambda codes: VisitAlerts(visits, level, codes, shares)


def _known(model: Scorer, codes: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([code in model.medications for code in codes])


def _models(arguments: argparse.Namespace, cohort: Cohort) -> list[ModelScorer]:
    wanted = [arguments.only] if arguments.only else list(MODEL_NAMES)
    there = [name for name in wanted if (arguments.models / name).is_dir()]
    if not there:
        raise NotFoundError(
            f"No model in {arguments.models}: expected a folder {' or '.join(wanted)} inside. Name another with --models."
        )
    return [open_model(arguments.models / name, arguments.device, cohort) for name in there]


def _codes(columns: CohortColumns, models: Sequence[Scorer]) -> tuple[str, ...]:
    """Every class that a model can name or that was prescribed, sorted."""
    prescribed = columns.codes["medication"].table
    return tuple(sorted({*prescribed, *(code for model in models for code in model.medications.codes)}))


def _blocks(model: Scorer, columns: CohortColumns, codes: Sequence[str]) -> Iterator[CaseBlock]:
    """The cases block by block, over all classes."""
    column_of = {code: i for i, code in enumerate(codes)}
    own = np.array([column_of[code] for code in model.medications.codes])
    for rows, scores in model.blocks(columns):
        wide = np.zeros((len(rows), len(codes)), np.float32)
        wide[:, own] = scores.probabilities
        yield CaseBlock(
            visit_ids=columns.visit_ids[rows],
            patient_ids=columns.patient_ids[rows],
            scores=wide,
            truth=prescriptions(columns, columns.current[rows], codes),
            truncated=scores.truncated,
        )


def _reported(blocks: Iterator[CaseBlock], total: int, model: str, report: Report) -> Iterator[CaseBlock]:
    """The blocks, with progress."""
    with report.counting(total, model) as step:
        for block in blocks:
            yield block
            step(len(block.visit_ids))
