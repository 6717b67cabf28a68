"""Training cases read differently in every epoch, with the same truth: fewer codes, no history, less detail.

A student that has seen a case so is less sure of any single code, answers first visits from more examples, and reads a
diagnosis much the same in both ICD versions.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from leader_core.domain import KINDS
from leader_core.ragged import Ints, Ragged
from leader_core.student.encode import EncodedCases, Encoder
from leader_core.terminology.equivalence import through_icd9
from train.config import StudentTraining


class Augmentation:
    """Draws what an epoch reads of the training cases."""

    def __init__(self, cases: EncodedCases, encoder: Encoder, training: StudentTraining) -> None:
        self._cases, self._training = cases, training
        self._less_detail: Ints = np.arange(encoder.layout.size)  # (N,) the token read in the place of each
        if training.less_detail:
            known, first = encoder.vocabularies.diagnosis, encoder.layout.offset("diagnosis")
            for token, code in enumerate(known, first):
                if (other := through_icd9(code)) in known:
                    self._less_detail[token] = first + known.find(other)

    def draw(self, rng: np.random.Generator) -> EncodedCases:
        """The cases as one epoch reads them; their labels are untouched."""
        cases, training = self._cases, self._training
        if training.less_detail:
            tokens = cases.diagnosis.values
            chosen = rng.random(len(tokens)) < training.less_detail
            read = np.where(chosen, self._less_detail[tokens], tokens).astype(np.int32)
            cases = replace(cases, diagnosis=Ragged(cases.diagnosis.offsets, read))
        if training.code_dropout:
            diagnosis, procedure, medication = (self._thinned(cases.sets(kind), rng) for kind in KINDS)
            cases = replace(cases, diagnosis=diagnosis, procedure=procedure, medication=medication)
        if training.history_dropout:
            alone = rng.random(len(cases)) < training.history_dropout
            cases = replace(
                cases,
                first=np.where(alone, cases.current, cases.first),
                first_visit=cases.first_visit | alone,
                days=np.where(alone, np.nan, cases.days).astype(np.float32),
            )
        return cases

    def _thinned(self, sets: Ragged, rng: np.random.Generator) -> Ragged:
        return sets.keep(rng.random(len(sets.values)) >= self._training.code_dropout)
