"""Every model of the demo judged alike on every cohort: figures over seeds and patients, and paired differences.

A figure is averaged over the seeds case by case; its interval is over patients, its spread over seeds stands apart.
Refuses to know how models were trained and how figures are shown.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from leader_core.cohort import Cohort
from leader_core.cohort.columns import CohortColumns
from leader_core.evaluation.comparison import METHOD
from leader_core.evaluation.metrics import METRICS, mean_cases, summarise
from leader_core.model_folder import read_manifest
from train.console import Report
from train.evaluation.evaluate import Judged, differences_of
from train.evaluation.grouping import FEWEST, RARE, Groups, code_groups
from train.evaluation.predictions import StoredScores
from train.evaluation.scoring import SplitModel, groups_of, open_model
from train.experiments.demo_plan import BASELINE_ROWS, CALIBRATED, LABELS, REFERENCE, SEEDS, STUDENTS

if TYPE_CHECKING:
    from train.experiments.demo import Plan

DIGITS: Final = 5
COMPARED: Final = ("prauc", "jaccard", "f1", "ddi_rate")  # figures whose differences are kept
FORMAT: Final = 2
SEED: Final = SEEDS[0]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: every seed of one model."""

    name: str
    seeds: tuple[int, ...]


def rows_of(teacher_seeds: tuple[int, ...]) -> list[Row]:
    """What is judged, in the order in which tables show it."""
    students = [Row(row.name, SEEDS) for row in STUDENTS]
    baselines = [Row(row.name, row.seeds) for row in BASELINE_ROWS]
    calibrated = [
        Row(f"{name}-calibrated", teacher_seeds if name == "teacher" else SEEDS) for name in CALIBRATED
    ]
    return [Row("teacher", teacher_seeds), *students, *calibrated, *baselines]


def evaluate_all(plan: Plan, report: Report) -> dict[str, Any]:
    """What `assets/demo/evaluation.json` holds, real-data folds aside."""
    trained_on = Cohort.open(plan.cohort)
    return {
        "format": FORMAT,
        "seeds": list(SEEDS),
        "reference": REFERENCE,
        "comparison": METHOD,
        "rare_below": RARE,
        "few_below": FEWEST,
        "cohorts": {
            on: _cohort(plan, on, path, split, trained_on, report)
            for on, (path, split) in plan.cohorts().items()
        },
    }


def _cohort(
    plan: Plan, on: str, path: Path, split: str, trained_on: Cohort, report: Report
) -> dict[str, Any]:
    cohort = Cohort.open(path)
    columns = cohort.columns(split, "last")  # type: ignore[arg-type]
    groups = {
        **groups_of(columns),
        **{f"codes={name}": mask for name, mask in code_groups(columns, trained_on).items()},
    }
    judged = {}
    rows = [row for row in rows_of(plan.teacher_seeds) if row.name in plan.rows]
    for row in rows:
        report.line(f"judging {LABELS[row.name]} on {on}")
        judged[row.name] = [Judged.of(model, cohort, columns) for model in _models(plan, row, on, cohort)]
    reference = mean_cases([run.cases for run in judged[REFERENCE]])
    found: dict[str, Any] = {
        "cohort": dataclasses.asdict(cohort.fingerprint),
        "split": split,
        "cases": len(columns),
        "interaction_density": judged[REFERENCE][0].density,
        "models": {},
    }
    for row in rows:
        runs = judged[row.name]
        entry = _entry(row, runs, columns, groups)
        if row.name != REFERENCE:
            mean = mean_cases([run.cases for run in runs])
            found_differences = differences_of(mean, reference, columns.patient_ids, groups, SEED)
            entry["difference"] = {
                name: {metric: row_of[metric] for metric in COMPARED}
                for name, row_of in found_differences.items()
            }
        found["models"][row.name] = entry
    return _rounded(found)


def _models(plan: Plan, row: Row, on: str, cohort: Cohort) -> Iterator[SplitModel]:
    """A row's models, seed by seed."""
    stored = row.name.startswith("teacher") or row.name in {each.name for each in BASELINE_ROWS}
    for seed in row.seeds:
        if not stored:
            yield open_model(plan.folder(row.name, seed), plan.device, cohort)
            continue
        scores = StoredScores(plan.scores(row.name, seed, on), cohort)
        if row.name.startswith("teacher"):
            scores.manifest = read_manifest(plan.folder(row.name, seed))
        yield scores


def _entry(row: Row, runs: list[Judged], columns: CohortColumns, groups: Groups) -> dict[str, Any]:
    """One row: figures averaged over seeds with intervals over patients, and the spread over seeds."""
    mean = mean_cases([run.cases for run in runs])
    found = summarise(mean, groups, patients=columns.patient_ids, seed=SEED)
    single = [
        summarise(run.cases, groups, patients=columns.patient_ids, seed=SEED, resamples=0) for run in runs
    ]
    table: dict[str, Any] = {}
    for name, group in found.items():
        table[name] = {**group.to_json(), "few": group.cases < FEWEST}
        for metric in METRICS:
            scores = [run[name].scores[metric] for run in single]
            values = [score.value for score in scores if score is not None]
            if table[name][metric] is not None:
                if len(values) > 1 and metric == "prauc":
                    table[name][metric]["seeds"] = values
                table[name][metric]["seed_std"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {
        "label": LABELS[row.name],
        "seeds": list(row.seeds),
        "thresholds": [run.threshold for run in runs],
        "threshold_rule": runs[0].threshold_rule,
        "groups": table,
        "unnamed": runs[0].unnamed(),
        "reliability": runs[0].reliability() if row.name.split("-calibrated")[0] in CALIBRATED else None,
        "ece": [run.reliability()["ece"] for run in runs],
        "conformal": _conformal(runs),
    }


def _conformal(runs: list[Judged]) -> list[dict[str, Any]]:
    """Each promise, averaged over the seeds that keep it."""
    found: dict[tuple[float, float], list[Mapping[str, Any]]] = {}
    for run in runs:
        for each in run.conformal():
            found.setdefault((each["share"], each["confidence"]), []).append(each)
    keys = ("kept", "standard_error", "medications")
    return [
        {
            "share": share,
            "confidence": confidence,
            **{key: float(np.mean([each[key] for each in several])) for key in keys},
        }
        for (share, confidence), several in found.items()
    ]


def _rounded(value: Any) -> Any:
    """The same with numbers a table could ever show."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value


def to_text(evaluation: Mapping[str, Any]) -> str:
    """JSON with one line a model: small enough to keep, and a change shows which model changed."""
    return _lines(evaluation, 4) + "\n"


def _lines(value: Any, depth: int, indent: str = "") -> str:
    if not isinstance(value, Mapping) or depth == 0:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    inner = indent + " "
    rows = [f"{inner}{json.dumps(key)}: {_lines(each, depth - 1, inner)}" for key, each in value.items()]
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}" if rows else "{}"
