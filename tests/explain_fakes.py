"""A linear scorer: what each input adds to the log-odds is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from leader_core.domain import Case
from leader_core.explain.changes import visits_of
from leader_core.interactions import InteractionTable
from leader_core.model_folder import Manifest
from leader_core.scorer import CaseScores, Progress
from leader_core.vocabulary import Vocabularies, Vocabulary
from tests.fakes import manifest

CLASSES = ("A02B", "B01A", "C03C")


@dataclass
class LinearScorer:
    """Log-odds of class m: `start[m]` plus `weights[code][m]` for every visit that holds the code, plus the profile's."""

    weights: Mapping[str, tuple[float, float, float]]
    start: tuple[float, float, float] = (-1.0, -1.0, -1.0)
    profile: Mapping[tuple[str, str], tuple[float, float, float]] = field(default_factory=dict)
    profile_read: tuple[str, ...] = ("insurance", "gender")
    read: list[Case] = field(default_factory=list)

    @property
    def manifest(self) -> Manifest:
        return replace(manifest("student"), threshold=0.5)

    @property
    def vocabularies(self) -> Vocabularies:
        values: dict[str, list[str]] = {name: [] for name in self.profile_read}
        for name, value in self.profile:
            values[name].append(value)
        profile = {name: Vocabulary.of(result) for name, result in values.items()}
        return Vocabularies(Vocabulary(()), Vocabulary(()), Vocabulary(CLASSES), profile)

    def logits(self, case: Case) -> np.ndarray:
        """(M,)"""
        total = np.array(self.start)
        for visit in visits_of(case):
            for kind in ("diagnosis", "procedure", "medication"):
                for code in set(visit.codes(kind)):
                    total = total + self.weights.get(code, (0.0, 0.0, 0.0))
        for each in case.profile.items():
            total = total + self.profile.get(each, (0.0, 0.0, 0.0))
        return np.asarray(total)

    @property
    def medications(self) -> Vocabulary:
        return self.vocabularies.medication

    @property
    def threshold(self) -> float:
        return self.manifest.threshold

    def score(self, cases: Sequence[Case], progress: Progress | None = None) -> CaseScores:
        self.read += cases
        logits = np.stack([self.logits(case) for case in cases])
        if progress is not None:
            progress(len(cases), len(cases))
        return CaseScores(
            (1 / (1 + np.exp(-logits))).astype(np.float32), np.zeros(len(cases), dtype=bool), len(cases)
        )


class OneModel:
    """The part of the engine that explanations use."""

    def __init__(self, scorer: object, table: InteractionTable | None = None) -> None:
        self._scorer = scorer
        self.cohort = type("Cohort", (), {"interactions": table or InteractionTable([])})()

    def scorer(self, model: str) -> object:
        return self._scorer

    def student_scorer(self) -> object:
        return self._scorer

    def teacher_scorer(self) -> object:
        return self._scorer
