"""A manifest with a calibration fitted on the validation patients, the threshold chosen again, and evidence by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from leader_core.errors import InputError
from leader_core.evaluation.calibration import fit_calibration
from leader_core.evaluation.class_evidence import Evidence
from leader_core.evaluation.metrics import choose_threshold
from leader_core.model_folder import Manifest
from leader_core.scorer import ModelScorer, score_columns
from train.evaluation.inputs import Labels, Scores

if TYPE_CHECKING:
    from leader_core.cohort import Cohort

CHOSEN: Final = "Jaccard"
"""A rule that names it was chosen on validation, and is chosen again; any other threshold was fixed and stays."""
FACTORS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of a linear path that are tried on another hospital's patients."""
BEFORE: Final = "threshold_before_calibration"
"""Under which setting a calibrated manifest keeps the threshold of the network's own probabilities."""


def with_calibration(manifest: Manifest, scores: Scores, labels: Labels) -> Manifest:
    """The manifest of a model with raw `scores` (N, M) of its validation cases, calibrated."""
    calibration = fit_calibration(scores, labels.truth, missed=labels.missed)
    threshold = manifest.threshold
    if CHOSEN in manifest.threshold_rule:
        threshold = choose_threshold(calibration.apply(scores), labels.truth, missed=labels.missed)
    settings = {**manifest.settings, BEFORE: manifest.threshold}
    return replace(manifest, calibration=calibration, threshold=threshold, settings=settings)


def without_calibration(manifest: Manifest) -> Manifest:
    """The manifest as it was before `with_calibration`; one that carries none is returned as it is."""
    if manifest.calibration is None:
        return manifest
    settings = {key: value for key, value in manifest.settings.items() if key != BEFORE}
    threshold = float(manifest.settings.get(BEFORE, manifest.threshold))
    return replace(manifest, calibration=None, threshold=threshold, settings=settings)


def calibrated(model: ModelScorer, cohort: Cohort) -> tuple[Manifest, Evidence]:
    """The manifest of an opened model with a calibration, an earlier one fitted again, and its evidence by class."""
    columns = cohort.columns("validation", "last")
    if not len(columns):
        raise InputError(f"{cohort.path} has no validation patients: calibration needs at least one.")
    plain = without_calibration(model.manifest)
    model.manifest = plain  # from here on it gives what the network gives
    scores, labels = score_columns(model, columns), Labels.of(columns, model.medications)
    new = with_calibration(plain, scores, labels)
    return new, evidence_of(model.medications.codes, new, scores, labels)


def with_linear_factor(model: ModelScorer, manifest: Manifest, cohort: Cohort) -> Manifest:
    """The manifest of a student with the share of its linear path that ranks best on another hospital's patients, those
    of the test split aside; of equal ones the smallest.

    Raises:
        InputError: a model without a linear path, its own cohort, or one without such patients.
    """
    from leader_core.student.scorer import StudentScorer

    path = model.model.linear if isinstance(model, StudentScorer) else None
    if path is None:
        raise InputError(
            "--elsewhere: the model has no linear path. Name a student trained with linear = true."
        )
    digest = cohort.fingerprint.digest
    parts = [cohort.columns(split, "all") for split in ("train", "validation")]
    if digest == manifest.cohort.digest or not sum(map(len, parts)):
        raise InputError(
            f"--elsewhere {cohort.path}: expected another cohort than the model's own, with patients outside the test split."
        )
    before, praucs = path.factor, {}
    for factor in FACTORS:
        path.factor = factor
        praucs[factor] = sum(
            len(part) * Labels.of(part, model.medications).mean_prauc(score_columns(model, part))
            for part in parts
        )
    path.factor = before
    best = max(FACTORS, key=lambda factor: praucs[factor])
    return replace(manifest, linear_factors={**manifest.linear_factors, digest: best})


def evidence_of(codes: Sequence[str], manifest: Manifest, scores: Scores, labels: Labels) -> Evidence:
    """What the validation cases say of each class, by their raw `scores` (N, M) as the manifest gives them."""
    calibration = manifest.calibration
    probabilities = scores if calibration is None else calibration.apply(scores)
    return Evidence.of(codes, probabilities, labels.truth, calibrated=calibration is not None)
