"""What an epoch reads of the training cases: less than they hold, and never another truth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from leader_core.domain import KINDS
from leader_core.errors import InputError
from leader_core.student.config import StudentConfig
from leader_core.student.encode import EncodedCases, Encoder
from leader_core.student.packing import pack
from tests.hospital import Hospital
from train.config import StudentTraining
from train.student.augmentation import Augmentation
from train.student.data import StudentData

CONFIG = StudentConfig(profile_fields=("gender",), linear=True, carry_over=True, equivalence=True)
DATA = StudentData.of(Hospital(120), "all", equivalence=True)  # type: ignore[arg-type]
ENCODER = Encoder(CONFIG, DATA.vocabularies)
CASES = ENCODER.columns(DATA.train)


def drawn(seed: int = 1, **settings: float) -> EncodedCases:
    values: dict[str, Any] = settings
    return Augmentation(CASES, ENCODER, StudentTraining(**values)).draw(np.random.default_rng(seed))


def test_without_settings_the_cases_are_read_as_they_are() -> None:
    assert drawn() is CASES


def test_dropped_codes_leave_a_part_of_each_set_and_the_truth_whole() -> None:
    read = drawn(code_dropout=0.3)
    for kind in KINDS:
        before, after = CASES.sets(kind), read.sets(kind)
        assert 0.6 < len(after.values) / len(before.values) < 0.8
        assert all(set(after.row(i)) <= set(before.row(i)) for i in range(len(before)))
    rows, classes = np.arange(len(CASES)), ENCODER.layout.medications
    np.testing.assert_array_equal(read.labels(rows, classes), CASES.labels(rows, classes))
    assert not np.array_equal(read.diagnosis.values, drawn(2, code_dropout=0.3).diagnosis.values)


def test_a_case_without_its_history_is_packed_like_the_same_case_as_a_first_visit() -> None:
    read = drawn(history_dropout=0.5)
    returning = np.flatnonzero(~CASES.first_visit)
    alone = returning[read.first_visit[returning]]
    assert 0.3 < len(alone) / len(returning) < 0.7
    case = alone[:1]
    expected = replace(CASES, first=CASES.current, first_visit=np.ones_like(CASES.first_visit))
    one, other = pack(read, case), pack(expected, case)
    np.testing.assert_array_equal(one.tokens, other.tokens)
    assert one.linear is not None and not one.linear.returning.any() and np.isnan(one.linear.days).all()
    untouched = returning[~read.first_visit[returning]]
    np.testing.assert_array_equal(read.days[untouched], CASES.days[untouched])


def test_less_detail_reads_diagnoses_with_the_detail_of_icd9() -> None:
    visits = replace(DATA.train.codes["diagnosis"], table=("ICD10:I480", "ICD10:I4891"))
    known = replace(
        DATA.vocabularies, diagnosis=type(DATA.vocabularies.diagnosis).of(("ICD10:I480", "ICD10:I4891"))
    )
    encoder = Encoder(CONFIG, known)
    paroxysmal, unspecified = (
        known.diagnosis.find(code) + encoder.layout.offset("diagnosis") for code in visits.table
    )
    cases = replace(
        CASES,
        diagnosis=replace(CASES.diagnosis, values=np.full_like(CASES.diagnosis.values, paroxysmal)),
    )
    read = Augmentation(cases, encoder, StudentTraining(less_detail=0.4)).draw(np.random.default_rng(0))
    share = (read.diagnosis.values == unspecified).mean()
    assert 0.35 < share < 0.45 and set(read.diagnosis.values.tolist()) == {paroxysmal, unspecified}


def test_a_share_of_everything_is_refused() -> None:
    with pytest.raises(InputError, match="code_dropout = 1"):
        StudentTraining(code_dropout=1.0)
