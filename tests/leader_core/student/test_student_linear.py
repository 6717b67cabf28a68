"""The linear path and the carry-over: what is written in plain sums, off for another hospital, nothing of the truth."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

from leader_core.domain import KINDS, Case, Visit
from leader_core.student.config import StudentConfig
from leader_core.student.encode import Encoder
from leader_core.student.model import LinearPath, Student
from leader_core.student.packing import pack
from leader_core.student.scorer import StudentScorer, build_student, save_student
from leader_core.vocabulary import Vocabularies, Vocabulary
from tests.fakes import manifest
from tests.hospital import Hospital

HOSPITAL = Hospital(60)
VOCABULARIES = Vocabularies(
    *(Vocabulary.of(HOSPITAL.vocabulary_codes(kind)) for kind in KINDS),
    profile={name: Vocabulary.of(HOSPITAL.profile_values(name)) for name in HOSPITAL.profile_fields},
)
PLAIN = StudentConfig(profile_fields=("insurance", "gender"))
COLUMNS = Encoder(PLAIN, VOCABULARIES).linear.size
CONFIG = replace(
    PLAIN,
    linear=True,
    linear_columns=COLUMNS + 7,
    linear_categories=True,
    linear_embedded=True,
    carry_over=True,
)
CASES = HOSPITAL.cases("all", "all")[:60]


def student() -> Student:
    """Random weights in both paths; every third column of the linear path has none, every fourth no category."""
    torch.manual_seed(0)
    model = build_student(CONFIG, VOCABULARIES).eval().requires_grad_(False)
    assert model.linear is not None and model.carry_over is not None
    with torch.no_grad():
        model.linear.weight[1:].normal_()
        size = len(model.linear.row)
        columns = torch.arange(size)
        model.linear.row.copy_((columns + 1) * (columns % 3 > 0))
        assert model.linear.category is not None
        model.linear.category.copy_((COLUMNS + 1 + columns % 7) * (columns % 4 > 0))
        assert model.linear.embedded is not None
        model.linear.embedded.normal_()
        model.linear.average.normal_()
        for weight in model.carry_over.parameters():
            weight.normal_()
        model.carry_over.time_mean.fill_(3.0)
        model.carry_over.time_scale.fill_(2.0)
    return model


def added(model: Student, cases: list[Case]) -> np.ndarray:
    """(N, M) what both paths add to the network's logits."""
    encoded = Encoder(CONFIG, VOCABULARIES).cases(cases)
    packed = pack(encoded, np.arange(len(cases)))
    tokens = model.codes(torch.from_numpy(packed.tokens))
    fields = [table(torch.from_numpy(packed.profile[:, k])) for k, table in enumerate(model.profile)]
    network = model.read(packed, tokens, torch.stack(fields, 1)).logits
    return (model(packed).logits - network).numpy()


def expected(model: Student, case: Case) -> np.ndarray:
    """(M,) the same of one case, code by code."""
    encoder, path, carry = Encoder(CONFIG, VOCABULARIES), model.linear, model.carry_over
    assert path is not None and path.category is not None and carry is not None
    tokens, profile = encoder.layout.size, encoder.profile_rows
    columns = set()
    for visits, kinds, start in (
        ((case.current,), ("diagnosis", "procedure"), 0),
        (case.history, KINDS, tokens),
    ):
        for visit in visits:
            for kind in kinds:
                for code in visit.codes(kind):  # type: ignore[arg-type]
                    known = VOCABULARIES.of(kind).find(code)  # type: ignore[arg-type]
                    if known >= 0:
                        columns.add(start + encoder.layout.offset(kind) + known)  # type: ignore[arg-type]
    start = 2 * tokens
    for rows, name in zip(profile, CONFIG.profile_fields, strict=True):
        columns.add(start + 1 + VOCABULARIES.profile[name].find(case.profile[name]))
        start += rows
    if not case.history:
        columns.add(start)
    total = sum(path.weight[int(rows[column])] for rows in (path.row, path.category) for column in columns)
    assert path.embedded is not None
    width = CONFIG.d_model
    for column in (column for column in columns if column < 2 * tokens):
        block, token = divmod(column, tokens)
        of_block = path.embedded[block * width : (block + 1) * width]
        total = total + model.codes.weight[token] @ of_block / width**0.5
    if case.history:
        last = case.history[-1]
        since = 0.0
        if case.current.admitted_at and last.discharged_at:
            days = (case.current.admitted_at - last.discharged_at) / timedelta(days=1)
            since = (np.log1p(days) - 3.0) / 2.0
        taken = torch.tensor([code in last.medications for code in VOCABULARIES.medication])
        total = total + torch.where(taken, carry.taken + carry.by_time * since, carry.absent)
    return np.asarray(total)


def dated(case: Case) -> Case:
    """The same case, the last visit over 40 days before."""
    now = datetime(2150, 5, 1)  # noqa: DTZ001 (hospital tables have no zone)
    last = replace(case.history[-1], discharged_at=now - timedelta(days=40))
    current = replace(case.current, admitted_at=now)
    return replace(case, profile=dict(case.profile), history=(*case.history[:-1], last), current=current)


def test_both_paths_add_what_the_sums_say() -> None:
    model = student()
    strange = Visit(diagnoses=("ICD9:0",), medications=("Z00Z",))
    later = next(case for case in CASES if len(case.history) > 1)
    cases = [*CASES, dated(later), Case(current=strange), Case(history=(strange,), current=strange)]
    result = added(model, cases)
    for row, case in zip(result, cases, strict=True):
        np.testing.assert_allclose(row, expected(model, case), atol=2e-5)
    assert np.abs(added(model, [dated(later)]) - added(model, [later])).max() > 0.1, "the time since counts"


def test_what_is_prescribed_now_is_not_read() -> None:
    model = student()
    hidden = [case.observed() for case in CASES]
    np.testing.assert_array_equal(added(model, hidden), added(model, CASES))


def test_a_smaller_factor_takes_the_average_case_in_place_of_this_one() -> None:
    model, first = student(), [case for case in CASES if not case.history]
    assert model.linear is not None
    whole, average = added(model, first), model.linear.average.numpy()
    for factor in (0.0, 0.25):
        model.linear.factor = factor
        np.testing.assert_allclose(added(model, first), factor * whole + (1 - factor) * average, atol=2e-5)


@pytest.mark.parametrize(
    ("served", "factor"), [(None, 1.0), ("own", 1.0), ("other", 0.0), ("fitted", 0.5), ("rebuilt", 1.0)]
)
def test_the_factor_follows_the_cohort_that_is_served(
    tmp_path: Path, served: str | None, factor: float
) -> None:
    sealed = replace(manifest("student"), linear_factors={"fitted": 0.5}, settings={"linear": True})
    sealed = replace(sealed, cohort=replace(sealed.cohort, digest="own"))
    save_student(tmp_path / "s", sealed, CONFIG, VOCABULARIES, student().state_dict())
    cohort = None if served is None else replace(sealed.cohort, digest=served)
    if cohort is not None and served != "rebuilt":  # by the same generator of made-up patients
        cohort = replace(cohort, label="Another hospital")
    scorer = StudentScorer.load(tmp_path / "s", "cpu", served=cohort)
    assert scorer.model.linear is not None
    assert scorer.model.linear.factor == factor
    if cohort is not None:
        text = " ".join(scorer.manifest.notes_on(cohort))
        assert ("are off" in text) == (served == "other")
        assert ("count 50%" in text) == (served == "fitted")


def test_a_step_leaves_columns_out_and_scoring_does_not() -> None:
    model = student()
    path, embed = model.linear, model.codes
    assert isinstance(path, LinearPath)
    inputs = pack(Encoder(CONFIG, VOCABULARIES).cases(CASES), np.arange(len(CASES))).linear
    assert inputs is not None
    path.dropout = 0.5
    torch.testing.assert_close(path(inputs, embed), path(inputs, embed), atol=0, rtol=0)
    path.train()
    assert (path(inputs, embed) - path(inputs, embed)).abs().max() > 0.1


def test_a_student_without_them_is_stored_and_read_as_ever() -> None:
    names = build_student(PLAIN, VOCABULARIES).state_dict()
    assert not [name for name in names if name.startswith(("linear", "carry_over"))]
    record = {k: v for k, v in PLAIN.to_json().items() if not k.startswith(("linear", "carry_over"))}
    assert StudentConfig.from_json(record) == PLAIN
    assert Encoder(PLAIN, VOCABULARIES).cases(CASES[:2]).linear is None
