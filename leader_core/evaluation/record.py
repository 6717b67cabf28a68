"""The evaluation stored next to a models folder: a served model's metrics and calibration on the test split.

A row of `evaluation.json` is about several seeds; a model gets only the metrics that are its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

from leader_core.evaluation.calibration import Bin, KeptPromise
from leader_core.model_folder import Manifest

NAME: Final = "evaluation.json"
ROUNDED: Final = 5e-6  # metrics are stored with five digits


@dataclass(frozen=True, slots=True)
class StoredEvaluation:
    """One model on one cohort."""

    cohort: str  # its label
    cohort_digest: str
    synthetic: bool
    split: str
    cases: int
    seeds: int  # whose metrics were averaged; 1: this very model alone
    groups: Mapping[str, Mapping[str, Any]]  # group -> metric -> value with interval
    bins: tuple[Bin, ...]  # reliability of this very model; empty where none was stored
    bins_before: tuple[Bin, ...]  # without its calibration
    ece: float | None
    ece_before: float | None
    conformal: tuple[KeptPromise, ...]


class EvaluationRecord:
    """What an `evaluation.json` says, by model."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._record = record

    @classmethod
    def next_to(cls, models: Path) -> Self:
        """The record next to a models folder; an empty one where there is none, or none that can be read."""
        try:
            record = json.loads((Path(models).parent / NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            record = {}
        return cls(record if isinstance(record, dict) else {})

    def of(self, manifest: Manifest) -> tuple[StoredEvaluation, ...]:
        """What is known of this very model, the cohort it was trained on first; empty where it was not judged."""
        try:
            evaluations = list(self._rows(manifest))
        except (KeyError, TypeError, ValueError, AttributeError):
            return ()  # a record of some other layout says nothing
        return tuple(sorted(evaluations, key=lambda each: each.cohort_digest != manifest.cohort.digest))

    def _rows(self, manifest: Manifest) -> Iterator[StoredEvaluation]:
        """Rows of several seeds. A row is this model's where seed, cut-off and cohort agree."""
        cohorts = self._record["cohorts"].values()
        if not any(on["cohort"]["digest"] == manifest.cohort.digest for on in cohorts):
            return
        calibrated = manifest.calibration is not None
        name = f"{manifest.kind}-calibrated" if calibrated else manifest.kind
        for on in cohorts:
            row = on["models"].get(name)
            seed = _seed(row, manifest) if row is not None else None
            if seed is not None:
                plain = on["models"].get(manifest.kind) if calibrated else None
                yield _judgement(on, row, plain, seed)


def _seed(row: Mapping[str, Any], manifest: Manifest) -> int | None:
    """Which of a row's seeds a model is; None where it is none of them."""
    if manifest.settings.get("seed") not in row["seeds"]:
        return None
    index: int = row["seeds"].index(manifest.settings.get("seed"))
    return index if math.isclose(row["thresholds"][index], manifest.threshold, abs_tol=ROUNDED) else None


def _judgement(
    on: Mapping[str, Any], row: Mapping[str, Any], plain: Mapping[str, Any] | None, seed: int
) -> StoredEvaluation:
    groups = {name: group for name, group in row["groups"].items() if "=" not in name}
    return StoredEvaluation(
        cohort=str(on["cohort"]["label"]),
        cohort_digest=str(on["cohort"]["digest"]),
        synthetic=bool(on["cohort"]["synthetic"]),
        split=str(on["split"]),
        cases=int(on["cases"] or groups["overall"]["cases"]),
        seeds=len(row["seeds"]),
        groups=groups,
        bins=_bins(row, seed),
        bins_before=_bins(plain, seed),
        ece=_error(row, seed),
        ece_before=_error(plain, seed),
        conformal=tuple(
            KeptPromise(**{field.name: each[field.name] for field in fields(KeptPromise)})
            for each in row.get("conformal") or ()
        ),
    )


def _bins(row: Mapping[str, Any] | None, seed: int) -> tuple[Bin, ...]:
    """Bins are stored of the first seed alone."""
    reliability = (row or {}).get("reliability")
    return tuple(Bin(**each) for each in reliability["bins"]) if reliability and seed == 0 else ()


def _error(row: Mapping[str, Any] | None, seed: int) -> float | None:
    errors = (row or {}).get("ece")
    return float(errors[seed]) if errors else None
