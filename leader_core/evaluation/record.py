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
        """Rows of several seeds. A row is this model's if its weights are named, or else seed, cut-off and cohort agree."""
        for on in self._record["cohorts"].values():
            row, seed = self._row(on["models"], manifest)
            if row is None:
                continue
            plain = on["models"].get(manifest.kind) if manifest.calibration is not None else None
            yield _judgement(on, row, plain, seed)

    def _row(self, models: Mapping[str, Any], manifest: Manifest) -> tuple[Mapping[str, Any] | None, int]:
        name = f"{manifest.kind}-calibrated" if manifest.calibration is not None else manifest.kind
        row = models.get(name)
        seed = manifest.settings.get("seed")
        if row is None or seed not in row["seeds"] or not self._trained_on(manifest):
            return None, 0
        index = row["seeds"].index(seed)
        digests = row.get("digests")
        same = (
            digests[index] == manifest.digest
            if digests
            else math.isclose(row["thresholds"][index], manifest.threshold, abs_tol=ROUNDED)
        )
        return (row, index) if same else (None, 0)

    def _trained_on(self, manifest: Manifest) -> bool:
        """Whether the record is about models of this model's cohort at all."""
        return any(
            on["cohort"]["digest"] == manifest.cohort.digest for on in self._record["cohorts"].values()
        )


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
        conformal=tuple(_promise(each) for each in row.get("conformal") or ()),
    )


def _promise(record: Mapping[str, Any]) -> KeptPromise:
    """Other entries of the record, such as the cut-off, are left out."""
    return KeptPromise(**{field.name: record[field.name] for field in fields(KeptPromise)})


def _bins(row: Mapping[str, Any] | None, seed: int) -> tuple[Bin, ...]:
    """Bins are stored of the first seed alone."""
    reliability = (row or {}).get("reliability")
    return tuple(Bin(**each) for each in reliability["bins"]) if reliability and seed == 0 else ()


def _error(row: Mapping[str, Any] | None, seed: int) -> float | None:
    errors = (row or {}).get("ece")
    return float(errors[seed]) if errors else None
