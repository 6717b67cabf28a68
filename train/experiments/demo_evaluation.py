"""Every model of the demo evaluated in the same way on every cohort: metrics over seeds and patients, and paired differences.

A metric is averaged over the seeds case by case; its interval is over patients, its spread over seeds is given apart. A
student of fewer seeds is compared with the reference's runs of the same seeds.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from leader_core.cohort import Cohort
from leader_core.cohort.columns import CohortColumns
from leader_core.errors import InputError
from leader_core.evaluation.comparison import METHOD
from leader_core.evaluation.metrics import METRICS, CaseMetrics, mean_cases, summarise
from leader_core.model_folder import read_manifest
from leader_core.scorer import Scorer
from leader_core.student.scorer import StudentScorer
from leader_core.student.titles import TitleEncoder, TitleVectors
from leader_core.teacher.config import DEFAULT_BASE
from train.console import Report
from train.evaluation.evaluate import (
    FEWEST,
    RARE,
    Groups,
    ModelEvaluation,
    calendar_years,
    code_groups,
    differences_of,
    icd_groups,
    time_groups,
)
from train.evaluation.inputs import groups_of
from train.evaluation.predictions import StoredScores
from train.experiments.demo_plan import (
    CALIBRATED,
    EVERYWHERE,
    LABELS,
    ORACLES,
    REFERENCE,
    SEED,
    SEEDS,
    DemoPlan,
    Evaluated,
)
from train.student.stored_titles import SharedTitles

DIGITS: Final = 5
COMPARED: Final = ("prauc", "jaccard", "f1", "ddi_rate")  # metrics whose differences are stored
PART_METRICS: Final = ("prauc", "f1", "recall")  # among classes continued, and among classes started
FORMAT: Final = 3
SAME: Final = ("seeds", "reference", "comparison", "rare_below", "few_below", "format")
AGREE: Final = 0.002
"""How far the references' PRAUC of two runs may lie apart for any one seed: two machines round differently, and training
amplifies that, about as much as another seed changes."""
REMEDY: Final = "Rebuild the whole table: run the command without --rows."


def evaluate_all(plan: DemoPlan, report: Report) -> dict[str, Any]:
    """What `assets/demo/evaluation.json` holds of the rows."""
    trained_on = Cohort.open(plan.cohort)
    titles = SharedTitles(TitleEncoder(DEFAULT_BASE))
    return {
        "format": FORMAT,
        "seeds": list(SEEDS),
        "reference": REFERENCE,
        "comparison": METHOD,
        "rare_below": RARE,
        "few_below": FEWEST,
        "cohorts": {
            on: _evaluate_on(plan, about, trained_on, titles, report)
            for on, about in plan.evaluations().items()
        },
    }


def _evaluate_on(
    plan: DemoPlan, about: Evaluated, trained_on: Cohort, titles: TitleVectors, report: Report
) -> dict[str, Any]:
    cohort = Cohort.open(plan.cohorts()[about.cohort])
    columns = cohort.columns(about.split, about.targets)
    codes = {f"codes={name}": mask for name, mask in code_groups(columns, trained_on).items()}
    times, year = time_groups(columns, calendar_years(cohort))
    groups = {**groups_of(columns), **codes, **icd_groups(columns), **times}
    runs: dict[str, list[ModelEvaluation]] = {}
    for row in LABELS:
        if row in plan.rows and (about.cohort == "synthetic" or row not in ORACLES):
            if row == EVERYWHERE and about.cohort == "synthetic":
                continue
            report.line(f"evaluating {LABELS[row]} on {about.title}")
            models = _models(plan, row, about.cohort, cohort, titles)
            runs[row] = [ModelEvaluation.of(model, cohort, columns) for model in models]
    entries = {row: _entry(row, plan.seeds(row), of_row, columns, groups) for row, of_row in runs.items()}
    parts = {row: [run.by_last_visit() for run in of_row] for row, of_row in runs.items()}
    for row, entry in entries.items():
        seeds = plan.seeds(row) if row.startswith(REFERENCE) else plan.seeds(REFERENCE)
        against = [k for k, seed in enumerate(plan.seeds(REFERENCE)) if seed in seeds]
        entry["parts"] = _parts(parts[row], [parts[REFERENCE][k] for k in against], columns, row != REFERENCE)
        if row != REFERENCE:
            reference = mean_cases([runs[REFERENCE][k].cases for k in against])
            mean = mean_cases([run.cases for run in runs[row]])
            differences = differences_of(mean, reference, columns.patient_ids, groups, SEED)
            entry["difference"] = {
                name: {metric: by_metric[metric] for metric in COMPARED}
                for name, by_metric in differences.items()
            }
    fingerprint = dataclasses.asdict(cohort.fingerprint)
    if about.targets == "all":
        fingerprint["label"] += ", all visits"
    result = {
        "cohort": fingerprint,
        "title": about.title,
        "note": about.note,
        "split": about.split,
        "targets": about.targets,
        "cases": len(columns),
        "last_early_year": year,
        "interaction_density": runs[REFERENCE][0].density,
        "models": entries,
    }
    return dict(rounded(result))


def _parts(
    runs: Sequence[Mapping[str, CaseMetrics]],
    reference: Sequence[Mapping[str, CaseMetrics]],
    columns: CohortColumns,
    compared: bool,
) -> dict[str, Any]:
    """Metrics of the later visits among the classes of the last visit, and among all others; and against the reference."""
    groups, patients = {"later": columns.history_lengths > 0}, columns.patient_ids
    table: dict[str, Any] = {}
    for part in runs[0]:
        mean = mean_cases([run[part] for run in runs])
        scores = summarise(mean, groups, patients=patients, with_rates=False, seed=SEED)["later"].scores
        table[part] = {
            metric: dataclasses.asdict(score) if (score := scores[metric]) else None
            for metric in PART_METRICS
        }
        if compared:
            other = mean_cases([run[part] for run in reference])
            difference = differences_of(mean, other, patients, groups, SEED)["later"]
            table[part]["difference"] = {metric: difference[metric] for metric in PART_METRICS}
    return table


def _models(plan: DemoPlan, row: str, on: str, cohort: Cohort, titles: TitleVectors) -> Iterator[Scorer]:
    """A row's models, seed by seed."""
    for seed in plan.seeds(row):
        folder = plan.folder(row, seed)
        if row.startswith(REFERENCE):
            student = StudentScorer.load(
                folder, plan.device, titles=cohort.title, vectors=titles, served=cohort.fingerprint
            )
            if row == EVERYWHERE and student.model.linear is not None:
                student.model.linear.factor = 1.0
            yield student
        else:
            scores = StoredScores(plan.stored_scores(row, seed, on), cohort)
            if row.startswith("teacher"):
                scores.describe(read_manifest(folder))
            yield scores


def _entry(
    row: str, seeds: Sequence[int], runs: list[ModelEvaluation], columns: CohortColumns, groups: Groups
) -> dict[str, Any]:
    """One row: metrics averaged over seeds with intervals over patients, and the spread over seeds."""
    patients = columns.patient_ids
    mean = summarise(mean_cases([run.cases for run in runs]), groups, patients=patients, seed=SEED)
    single = [summarise(run.cases, groups, patients=patients, seed=SEED, resamples=0) for run in runs]
    table: dict[str, Any] = {}
    for name, group in mean.items():
        table[name] = {**group.to_json(), "few": group.cases < FEWEST}
        for metric in METRICS:
            scores = [run[name].scores[metric] for run in single]
            values = [score.value for score in scores if score is not None]
            if table[name][metric] is not None:
                if len(values) > 1 and metric == "prauc":
                    table[name][metric]["seeds"] = values
                table[name][metric]["seed_std"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {
        "label": LABELS[row],
        "seeds": list(seeds),
        "thresholds": [run.threshold for run in runs],
        "threshold_rule": runs[0].threshold_rule,
        "groups": table,
        "unnamed": runs[0].unnamed(),
        "reliability": runs[0].reliability() if row.removesuffix("-calibrated") in CALIBRATED else None,
        "ece": [run.reliability()["ece"] for run in runs],
        "conformal": _conformal(runs),
    }


def _conformal(runs: list[ModelEvaluation]) -> list[dict[str, Any]]:
    """Each level, averaged over the seeds that reach it."""
    levels: dict[tuple[float, float], list[Mapping[str, Any]]] = {}
    for run in runs:
        for each in run.conformal():
            levels.setdefault((each["share"], each["confidence"]), []).append(each)
    keys = ("kept", "standard_error", "medications")
    return [
        {
            "share": share,
            "confidence": confidence,
            **{key: float(np.mean([each[key] for each in several])) for key in keys},
        }
        for (share, confidence), several in levels.items()
    ]


def join_rows(earlier: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """`earlier` with the rows of `new` added or replacing the same rows, except for the reference's.

    Every row is compared with a reference of its own run. Rows of two runs may stand in one table where both judged the
    same patients and their references agree.

    Raises:
        InputError: other patients, other seeds, another reference, or a cohort that only one of them was evaluated on.
    """
    for name in SAME:
        if earlier.get(name) != new[name]:
            raise InputError(
                f"The earlier table has {name} {earlier.get(name)!r}, this run {new[name]!r}. {REMEDY}"
            )
    if set(earlier["cohorts"]) != set(new["cohorts"]):
        raise InputError(
            f"The earlier table was evaluated on {', '.join(earlier['cohorts'])}, this run on "
            f"{', '.join(new['cohorts'])}. Give --real as the earlier run did, or rebuild the whole table without --rows."
        )
    reference = earlier["reference"]
    return {
        **earlier,
        "cohorts": {
            name: _join_cohort(name, rows, new["cohorts"][name], reference)
            for name, rows in earlier["cohorts"].items()
        },
    }


def _join_cohort(
    on: str, earlier: Mapping[str, Any], new: Mapping[str, Any], reference: str
) -> dict[str, Any]:
    """One cohort's rows, in the order of the plan."""
    for name, before, now in (
        ("cohort", earlier["cohort"]["digest"][:12], new["cohort"]["digest"][:12]),
        ("split", earlier["split"], new["split"]),
        ("number of cases", earlier["cases"], new["cases"]),
    ):
        if before != now:
            raise InputError(f"On {on} the earlier table has the {name} {before}, this run {now}. {REMEDY}")
    before, now = (_prauc_by_seed(result["models"][reference]) for result in (earlier, new))
    if len(before) != len(now) or any(abs(a - b) > AGREE for a, b in zip(before, now, strict=True)):
        raise InputError(
            f"On {on} the row that all are compared with has PRAUC {before} in the earlier table and {now} in this run: "
            f"more than {AGREE} apart. {REMEDY}"
        )
    added = {name: entry for name, entry in new["models"].items() if name != reference}
    rows = {**earlier["models"], **added}
    return {**earlier, "models": {name: rows[name] for name in LABELS if name in rows}}


def _prauc_by_seed(entry: Mapping[str, Any]) -> list[float]:
    prauc = entry["groups"]["overall"]["prauc"]
    return list(prauc.get("seeds", [prauc["value"]]))


def rounded(value: Any) -> Any:
    """The same with numbers of as many digits as a table could ever show."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list | tuple) else value


def to_text(evaluation: Mapping[str, Any]) -> str:
    """JSON with one line per model: small, and a change shows which model changed."""
    return _lines(evaluation, 4) + "\n"


def _lines(value: Any, depth: int, indent: str = "") -> str:
    if not isinstance(value, Mapping) or depth == 0:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    inner = indent + " "
    rows = [f"{inner}{json.dumps(key)}: {_lines(each, depth - 1, inner)}" for key, each in value.items()]
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}" if rows else "{}"
