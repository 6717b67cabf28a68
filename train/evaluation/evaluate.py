"""One model on one set of cases: metrics by group, reliability, what its conformal sets cover, and paired differences.

The one evaluator for teacher, student, baselines and stored scores. Every column gives disjoint groups that hold all
cases between them, "overall" aside.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from leader_core.cohort.columns import CohortColumns
from leader_core.domain import KINDS, PROFILE_FIELDS
from leader_core.errors import InputError
from leader_core.evaluation.calibration import bins_to_json, expected_error, reliability
from leader_core.evaluation.comparison import compare
from leader_core.evaluation.metrics import CaseMetrics, case_metrics, summarise
from leader_core.scorer import Scorer, score_columns
from leader_core.terminology.chapters import UNCLASSIFIED
from leader_core.terminology.chapters import chapter as icd_chapter
from train.evaluation.inputs import Labels, Scores, groups_of, prescriptions

if TYPE_CHECKING:
    from leader_core.cohort import Cohort


Groups = dict[str, NDArray[np.bool_]]

COLUMNS: Final = (*PROFILE_FIELDS, "chapter", "visits", "truncated", "codes")
FEWEST: Final = 20
"""Cases below which a group is marked as small: its metrics say little."""
RARE: Final = 10
"""A code is rare where fewer training patients than this have it in any visit, and unseen where none has."""


def groups_by(
    names: Sequence[str],
    columns: CohortColumns,
    model: Scorer | None = None,
    trained_on: Cohort | None = None,
) -> Groups:
    """The groups every table shows, then those of each named column as "column=value".

    Columns: the profile fields; "chapter" of the current visit's first diagnosis; "visits" so far; "truncated": whether
    the model had to leave some of the case out; "codes": see `code_groups`.

    Raises:
        InputError: an unknown column, or one that needs what was not given.
    """
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise InputError(f"--by {','.join(unknown)}: expected any of {', '.join(COLUMNS)}.")
    groups = groups_of(columns)
    for name in dict.fromkeys(names):
        if name == "codes":
            if trained_on is None:
                raise InputError(
                    "--by codes needs the cohort that the model was trained on: name it with --trained-on."
                )
            groups |= {f"codes={key}": mask for key, mask in code_groups(columns, trained_on).items()}
        else:
            values = _values(name, columns, model)
            groups |= {f"{name}={value}": values == value for value in sorted(set(values.tolist()))}
    return groups


def code_groups(columns: CohortColumns, trained_on: Cohort) -> Groups:
    """Cases by the rarest diagnosis or procedure of their current visit, counted in training patients.

    "unseen": at least one that no training patient has; "rare": not unseen, and at least one that fewer than `RARE`
    have; "common": the rest.
    """
    train = trained_on.columns("train", "all")
    lowest = np.full(len(columns), np.iinfo(np.int64).max)
    for kind in KINDS[:2]:
        counts = _patients_with(train, kind)
        column = columns.codes[kind]
        of = np.array([counts.get(code, 0) for code in column.table], dtype=np.int64)
        ids = column.ids.take(columns.current)
        np.minimum.at(lowest, ids.owners, of[ids.values])
    return {"common": lowest >= RARE, "rare": (lowest > 0) & (lowest < RARE), "unseen": lowest == 0}


def icd_groups(columns: CohortColumns) -> Groups:
    """Cases by the ICD version of their current visit's diagnoses; a visit with codes of both is in neither."""
    column = columns.codes["diagnosis"]
    ids = column.ids.take(columns.current)
    has = {}
    for version, prefix in (("9", "ICD9:"), ("10", "ICD10:")):
        of_version = np.array([code.startswith(prefix) for code in column.table], dtype=bool)
        has[version] = np.zeros(len(columns), dtype=bool)
        has[version][ids.owners[of_version[ids.values]]] = True
    return {"icd=9": has["9"] & ~has["10"], "icd=10": has["10"] & ~has["9"]}


def time_groups(columns: CohortColumns, years: Mapping[int, int]) -> tuple[Groups, int]:
    """Cases admitted up to a year of the calendar and after it, and that year: the one that halves the cases best.

    Nobody is in either group where no year is known, or all are of one year; the year is then 0.

    Args:
        years: visit -> year of the calendar, for the visits where a source tells it.
    """
    year = np.array([years.get(visit, 0) for visit in columns.visit_ids.tolist()])
    known = np.unique(year[year > 0])
    if len(known) < 2:
        nobody = np.zeros(len(columns), dtype=bool)
        return {"time=earlier": nobody, "time=later": nobody}, 0
    share = [np.mean(year[year > 0] <= each) for each in known[:-1]]
    cut = int(known[np.argmin(np.abs(np.array(share) - 0.5))])
    return {"time=earlier": (year > 0) & (year <= cut), "time=later": year > cut}, cut


def calendar_years(cohort: Cohort) -> dict[int, int]:
    """Visit -> year of the calendar; empty where the source does not tell."""
    query = "SELECT visit_id, calendar_year FROM visits WHERE calendar_year IS NOT NULL"
    return dict(cohort.reader().execute(query).fetchall())


def _patients_with(train: CohortColumns, kind: str) -> Mapping[str, int]:
    """Code -> training patients who have it in any visit."""
    column = train.codes[kind]  # type: ignore[index]
    ids = column.ids.take(train.current)
    owners = np.unique(train.patient_ids, return_inverse=True)[1][ids.owners]
    pairs = np.unique(owners * max(1, len(column.table)) + ids.values) % max(1, len(column.table))
    counts = np.bincount(pairs, minlength=len(column.table))
    return {code: int(n) for code, n in zip(column.table, counts, strict=True) if n}


def _values(name: str, columns: CohortColumns, model: Scorer | None) -> NDArray[np.object_]:
    """(N,) the value of a column for each case."""
    if name == "chapter":
        return _chapters(columns)
    if name == "visits":
        numbers = np.minimum(columns.visit_no, 5)
        return np.array([str(n) if n < 5 else "5 or more" for n in numbers], dtype=object)
    if name == "truncated":
        truncated = getattr(model, "truncated", None)
        if truncated is None:
            raise InputError(
                "--by truncated: this model does not say what it left out. Name a teacher or a student."
            )
        return np.where(truncated(columns), "yes", "no").astype(object)
    return columns.profile[name].astype(str).astype(object)


def _chapters(columns: CohortColumns) -> NDArray[np.object_]:
    column = columns.codes["diagnosis"]
    chapters = np.array([*(icd_chapter(code) for code in column.table), UNCLASSIFIED], dtype=object)
    ids = column.ids.take(columns.current)
    first = np.full(len(columns), len(chapters) - 1)  # unclassified where there is no diagnosis
    some = ids.lengths > 0
    first[some] = ids.values[ids.offsets[:-1][some]]
    return chapters[first]


@dataclass(frozen=True, slots=True)
class ModelEvaluation:
    """A model's scores on some cases, and the metrics of each."""

    model: Scorer
    columns: CohortColumns
    labels: Labels
    scores: Scores  # (N, M) over the model's classes
    threshold: float
    threshold_rule: str
    cases: CaseMetrics
    density: float | None  # of the interaction table among these classes; None without a table at their level

    @classmethod
    def of(
        cls, model: Scorer, cohort: Cohort, columns: CohortColumns, *, threshold: float | None = None
    ) -> Self:
        """Score and judge."""
        labels = Labels.of(columns, model.medications)
        scores = score_columns(model, columns)
        threshold_used = model.threshold if threshold is None else threshold
        table = bool(cohort.interactions.statistical)
        cases = case_metrics(
            labels.widen(scores),
            labels.wide_truth,
            threshold_used,
            cohort.interactions.statistical_matrix(labels.codes) if table else None,
            known=labels.known,
        )
        rule = model.threshold_rule if threshold is None else "given on the command line"
        density = cohort.interactions.density(labels.codes) if table else None
        return cls(model, columns, labels, scores, threshold_used, rule, cases, density)

    def by_last_visit(self) -> dict[str, CaseMetrics]:
        """Metrics of each case among the classes of the last visit ("continued"), and among all others ("started").

        The part's classes alone are ranked, selected and prescribed. Only later visits say anything by it: at a first
        visit no class can be continued.
        """
        columns, codes = self.columns, self.labels.codes
        last = np.zeros_like(self.labels.wide_truth)
        returning = columns.history_lengths > 0
        last[returning] = prescriptions(columns, columns.current[returning] - 1, codes)
        scores, truth = self.labels.widen(self.scores), self.labels.wide_truth
        return {
            name: case_metrics(  # below every class of the part a score changes neither its ranking nor its selection
                np.where(part, scores, np.float32(-1)),
                truth & part,
                self.threshold,
                None,
                known=self.labels.known,
            )
            for name, part in (("continued", last), ("started", ~last))
        }

    def groups(self, groups: Groups, *, seed: int) -> dict[str, Any]:
        """Each group's metrics, flat; `few` is true for groups of less than `FEWEST` cases."""
        summaries = summarise(self.cases, groups, patients=self.columns.patient_ids, seed=seed)
        return {name: {**group.to_json(), "few": group.cases < FEWEST} for name, group in summaries.items()}

    def unnamed(self) -> dict[str, Any]:
        """What was prescribed and is no class of the model."""
        return {
            "classes": list(self.labels.unnamed),
            "prescriptions": int(self.labels.missed.sum()),
            "share": float(self.labels.missed.sum() / max(1, self.labels.wide_truth.sum())),
        }

    def reliability(self) -> dict[str, Any]:
        """How well the probabilities agree with what was prescribed, over the model's classes."""
        bins = reliability(self.scores, self.labels.truth)
        calibration = self.model.manifest.calibration if self.model.manifest else None
        return {
            "ece": expected_error(bins),
            "bins": bins_to_json(bins),
            "temperature": calibration.temperature if calibration else None,
            "bias": calibration.bias if calibration else None,
        }

    def conformal(self) -> list[dict[str, Any]]:
        """For each level of a calibrated model: the share of cases that its sets cover, and how large the sets are."""
        calibration = self.model.manifest.calibration if self.model.manifest else None
        if calibration is None:
            return []
        promises = calibration.promises_kept(self.scores, self.labels.truth, missed=self.labels.missed)
        return [
            {
                "share": each.share,
                "confidence": each.confidence,
                "cutoff": calibration.cutoff(each.share, each.confidence),
                **dataclasses.asdict(each),
            }
            for each in promises
        ]


def differences_of(
    first: CaseMetrics, second: CaseMetrics, patients: NDArray[np.int64], groups: Groups, seed: int
) -> dict[str, dict[str, Any]]:
    """First minus second, by group and metric."""
    compared = compare(first, second, groups, patients=patients, seed=seed)
    return {
        name: {key: None if each is None else dataclasses.asdict(each) for key, each in row.items()}
        for name, row in compared.items()
    }
