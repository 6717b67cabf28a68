"""Experiments on a few real patients: cross-validation over patients, each fold evaluated by models that saw none of it.

Students from scratch and from the synthetic hospital's student (its weights taken over where codes and profile values
match by name), that student as it is, and two baselines, all on the same folds under the one evaluator.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.cohort.columns import CohortColumns
from leader_core.domain import KINDS
from leader_core.errors import InputError
from leader_core.evaluation.metrics import CaseMetrics, case_metrics, choose_threshold, summarise
from leader_core.files import scratch_folder
from leader_core.scorer import score_columns
from leader_core.vocabulary import Vocabularies, Vocabulary, diagnoses_read
from train.baselines.fitting import TrainingData, fit_on
from train.config import StudentTraining
from train.console import Report, Silent
from train.evaluation.evaluate import FEWEST, differences_of
from train.evaluation.inputs import Labels, Scores, groups_of

if TYPE_CHECKING:
    from leader_core.cohort import Cohort
    from leader_core.student.encode import Encoder
    from leader_core.student.model import Student
    from leader_core.student.scorer import StudentScorer
    from leader_core.student.titles import TitleVectors

VALIDATION_SHARE: Final = 0.2  # of the patients that are not judged
LABELS: Final[Mapping[str, str]] = {
    "started": "Student, started from the synthetic one",
    "scratch": "Student, from scratch",
    "synthetic": "Student of the synthetic hospital, as it is",
    "logistic": "Logistic regression",
    "popularity": "Popularity",
}
REFERENCE: Final = "scratch"


@dataclass(frozen=True, slots=True)
class Fold:
    """Patients who teach, patients who choose, patients who are evaluated. Training cases are every visit of the first."""

    train: CohortColumns
    validation: CohortColumns
    test: CohortColumns
    vocabularies: Vocabularies  # of the training patients alone


def folds_of(cohort: Cohort, folds: int, seed: int, *, equivalence: bool = False) -> Iterator[Fold]:
    """Split the patients of a whole cohort, whatever its own split says, for models with or without `equivalence`.

    Raises:
        InputError: fewer patients than three a fold.
    """
    every, last = cohort.columns("all", "all"), cohort.columns("all", "last")
    patients = np.unique(last.patient_ids)
    if len(patients) < 3 * folds:
        raise InputError(
            f"{cohort.path} has {len(patients)} patients: expected at least {3 * folds} for {folds} folds. "
            "Ask for fewer --folds."
        )
    random = np.random.default_rng(seed)
    order = random.permutation(patients)
    for tested in np.array_split(order, folds):
        rest = order[~np.isin(order, tested)]
        rest = random.permutation(rest)
        chosen = max(1, round(VALIDATION_SHARE * len(rest)))
        train = every.take(np.flatnonzero(np.isin(every.patient_ids, rest[chosen:])))
        yield Fold(
            train,
            last.take(np.flatnonzero(np.isin(last.patient_ids, rest[:chosen]))),
            last.take(np.flatnonzero(np.isin(last.patient_ids, tested))),
            _vocabularies(train, cohort.profile_fields, equivalence),
        )


def _vocabularies(train: CohortColumns, fields: tuple[str, ...], equivalence: bool) -> Vocabularies:
    """Codes and profile values of the training visits."""
    vocabularies: dict[str, Vocabulary] = {}
    for kind in KINDS:
        column = train.codes[kind]
        used = np.unique(column.ids.take(train.current).values)
        vocabularies[kind] = Vocabulary.of(column.table[i] for i in used)
    vocabularies["diagnosis"] = diagnoses_read(vocabularies["diagnosis"], equivalence)
    profile = {name: Vocabulary.of(set(train.profile[name].tolist())) for name in fields}
    diagnosis, procedure, medication = (vocabularies[kind] for kind in KINDS)
    return Vocabularies(diagnosis, procedure, medication, profile)


CARRIED: Final = ("carry_over.taken", "carry_over.by_time", "carry_over.absent")


def start_from(student: Student, encoder: Encoder, source: StudentScorer) -> dict[str, int]:
    """Take over another student's weights: all that do not belong to a code or a value, and those that match by name.

    Returns how many codes of each kind matched. Both must have the same widths.
    """
    import torch

    own, theirs = student.state_dict(), source.model.state_dict()
    matched: dict[str, int] = {}
    pairs: list[tuple[str, list[tuple[int, int]]]] = []
    tokens: list[tuple[int, int]] = []
    for kind in KINDS:
        mine, other = encoder.vocabularies.of(kind), source.vocabularies.of(kind)
        common = [code for code in mine if code in other]
        here, there = encoder.layout.offset(kind), source.encoder.layout.offset(kind)
        tokens += [(here + mine.find(code), there + other.find(code)) for code in common]
        matched[kind] = len(common)
        if kind == "medication":
            classes = [(mine.find(code), other.find(code)) for code in common]
            of_class = ("head_out.weight", "head_out.bias", *(n for n in own if n in CARRIED))
            pairs += [(name, classes) for name in of_class if name in theirs]
    pairs.append(("codes.weight", tokens))
    fields = source.config.profile_fields
    for k, name in enumerate(encoder.config.profile_fields):
        values, known = encoder.vocabularies.profile[name], source.vocabularies.profile.get(name)
        if name in fields and known is not None and fields.index(name) == k:
            rows = [(0, 0), *((values.find(v) + 1, known.find(v) + 1) for v in values if v in known)]
            pairs.append((f"profile.{k}.weight", rows))
    by_row = {name for name, _ in pairs} | {name for name in own if name.startswith("profile.")}
    by_row.add("title_mean")  # of these codes' titles, as they were centred
    by_row |= {name for name in own if name.startswith("linear.")}  # which belongs to its hospital
    with torch.no_grad():
        for name, rows in pairs:
            for mine_row, their_row in rows:
                own[name][mine_row] = theirs[name][their_row]
        for name, value in own.items():
            if name not in by_row and name in theirs and theirs[name].shape == value.shape:
                value.copy_(theirs[name])
        if (
            student.titles is not None
        ):  # what is stored holds the titles' share; a matched code shall read the same
            matching = [mine_row for mine_row, _ in tokens]
            own["codes.weight"][matching] -= student.titles[matching] @ own["title_out.weight"].T
    student.load_state_dict(own)
    return matched


def evaluate_folds(
    cohort: Cohort,
    student: Path,
    training: StudentTraining,
    *,
    seed: int,
    folds: int,
    device: str,
    report: Report,
) -> dict[str, Any]:
    """Train and judge every model on every fold.

    Args:
        cohort: of real patients; its own split is not used.
        student: a student folder to start from, and to judge as it is.
        training: as `[student.training]`; every visit of the training patients teaches.
    """
    import torch

    from leader_core.student.scorer import StudentScorer
    from leader_core.student.titles import TitleEncoder
    from leader_core.teacher.config import DEFAULT_BASE
    from train.student.stored_titles import SharedTitles

    source = StudentScorer.load(student, device, titles=cohort.title, served=cohort.fingerprint)
    if source.manifest.cohort.atc_level != cohort.fingerprint.atc_level:
        raise InputError(
            f"The student in {student} names medications at ATC level {source.manifest.cohort.atc_level}, the cohort "
            f"is at level {cohort.fingerprint.atc_level}: expected the same. Name another student."
        )
    torch.set_num_threads(1)  # so few cases make steps too small for threads
    training = dataclasses.replace(training, targets="all", alpha=0.0)
    parts: dict[str, list[CaseMetrics]] = {name: [] for name in LABELS}
    tests, training_cases, matched = [], [], []
    titles = SharedTitles(TitleEncoder(DEFAULT_BASE)) if source.config.code_text else None
    for number, fold in enumerate(folds_of(cohort, folds, seed, equivalence=source.config.equivalence), 1):
        report.line(
            f"fold {number} of {folds}: {len(fold.train)} training visits, {len(fold.validation)} patients choose, "
            f"{len(fold.test)} are evaluated"
        )
        run = _FoldRun(cohort, fold, source, training, seed, device, titles)
        for name in LABELS:
            parts[name].append(run.judge(name))
        tests.append(fold.test)
        training_cases.append(len(fold.train))
        matched.append(run.matched)
    models = over_folds(parts, tests, {name: REFERENCE for name in LABELS if name != REFERENCE}, seed)
    return {
        "cohort": dataclasses.asdict(cohort.fingerprint),
        "student": {
            "digest": source.manifest.digest,
            "trained_on": dataclasses.asdict(source.manifest.cohort),
        },
        "folds": folds,
        "seed": seed,
        "cases": sum(map(len, tests)),
        "training_visits": training_cases,
        "matched_codes": matched,
        "reference": REFERENCE,
        "order": list(LABELS),
        "models": {name: {"label": LABELS[name], **model} for name, model in models.items()},
    }


def over_folds(
    parts: Mapping[str, list[CaseMetrics]], tests: list[CohortColumns], against: Mapping[str, str], seed: int
) -> dict[str, dict[str, Any]]:
    """Every model's metrics over all folds, and how it differs from the one that it is compared with.

    Args:
        parts: model -> its cases' metrics, fold by fold.
        tests: the cases of each fold.
        against: model -> the one it is compared with.
    """
    patients = np.concatenate([test.patient_ids for test in tests])
    masks = [groups_of(test) for test in tests]
    groups = {name: np.concatenate([mask[name] for mask in masks]) for name in masks[0]}
    cases = {name: _join(of_model) for name, of_model in parts.items()}
    models: dict[str, dict[str, Any]] = {}
    for name, own in cases.items():
        table = summarise(own, groups, patients=patients, seed=seed)
        few = {key: {**group.to_json(), "few": group.cases < FEWEST} for key, group in table.items()}
        models[name] = {"groups": few}
        if name in against:
            base = cases[against[name]]
            models[name]["difference"] = differences_of(own, base, patients, groups, seed)
    return models


@dataclass(slots=True)
class _FoldRun:
    """One fold: every model trained on it once, and judged."""

    cohort: Cohort
    fold: Fold
    source: StudentScorer
    training: StudentTraining
    seed: int
    device: str
    titles: TitleVectors | None
    matched: dict[str, int] = field(default_factory=dict)  # codes that the started student took over, by kind

    def judge(self, name: str) -> CaseMetrics:
        """Metrics of the fold's judged patients."""
        if name == "synthetic":
            test = score_columns(self.source, self.fold.test)
            return self._metrics(self.source.medications, test, self.source.threshold)
        medications = self.fold.vocabularies.medication
        validation, test = (
            self._student(start=name == "started") if name in ("started", "scratch") else self._baseline(name)
        )
        labels = Labels.of(self.fold.validation, medications)
        threshold = choose_threshold(validation, labels.truth, missed=labels.missed)
        return self._metrics(medications, test, threshold)

    def _student(self, *, start: bool) -> tuple[Scores, Scores]:
        """Scores of the validation and the judged patients."""
        from leader_core.student.scorer import predict
        from train.student.data import StudentData
        from train.student.loop import StudentTrainer

        fold, cohort = self.fold, self.cohort
        data = StudentData(
            fold.train, fold.validation, fold.vocabularies, cohort.fingerprint, None, cohort.title
        )
        trainer = StudentTrainer(
            data,
            self.source.config,
            self.training,
            seed=self.seed,
            device=self.device,
            report=Silent(),
            vectors=self.titles,
        )
        if start:
            self.matched = start_from(trainer.student, trainer.encoder, self.source)
        with scratch_folder("fold") as folder:
            trainer.fit(folder / "state.safetensors", resume=False)
        validation = trainer.validation_scores()
        test = trainer.encoder.columns(fold.test)
        return validation, predict(trainer.student, test, np.arange(len(test)))

    def _baseline(self, name: str) -> tuple[Scores, Scores]:
        fold = self.fold
        table = self.cohort.interactions.statistical_matrix(fold.vocabularies.medication.codes)
        data = TrainingData.from_columns(fold.train, fold.validation, fold.vocabularies, table)
        model = fit_on(name, data, self.cohort.fingerprint, seed=self.seed)  # type: ignore[arg-type]
        return model.score(data.validation), model.score(data.encoder.columns(fold.test))

    def _metrics(self, medications: Vocabulary, scores: Scores, threshold: float) -> CaseMetrics:
        labels = Labels.of(self.fold.test, medications)
        table: NDArray[np.bool_] = self.cohort.interactions.statistical_matrix(labels.codes)
        return case_metrics(labels.widen(scores), labels.wide_truth, threshold, table, known=labels.known)


def _join(parts: list[CaseMetrics]) -> CaseMetrics:
    """The cases of all folds, one fold after the other."""
    return CaseMetrics(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in CaseMetrics.__slots__}
    )
