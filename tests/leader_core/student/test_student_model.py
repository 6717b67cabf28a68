"""The network: equal to the published padded form, counted to the last weight, and answering to every input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from leader_core.domain import KINDS, Case, Visit
from leader_core.student.config import PAPER_PROFILE, StudentConfig
from leader_core.student.encode import Encoder, TokenLayout
from leader_core.student.model import Student
from leader_core.student.packing import pack
from leader_core.vocabulary import Vocabularies, Vocabulary
from tests.hospital import Hospital
from train.student.published_form import PaddedBatch, PaddedStudent

HOSPITAL = Hospital(80)
VOCABULARIES = Vocabularies(
    *(Vocabulary.of(HOSPITAL.vocabulary_codes(kind)) for kind in KINDS),
    profile={name: Vocabulary.of(HOSPITAL.profile_values(name)) for name in HOSPITAL.profile_fields},
)
CONFIG = StudentConfig(profile_fields=("insurance", "gender"))
ROWS = tuple(len(VOCABULARIES.profile[name]) + 1 for name in CONFIG.profile_fields)


def student(config: StudentConfig = CONFIG, seed: int = 0) -> Student:
    torch.manual_seed(seed)
    return Student(config, TokenLayout.of(VOCABULARIES), ROWS).eval()


def logits(model: Student, cases: list[Case], config: StudentConfig = CONFIG) -> np.ndarray:
    encoded = Encoder(config, VOCABULARIES).cases(cases)
    with torch.no_grad():
        return model(pack(encoded, np.arange(len(cases)))).logits.numpy()


def test_packed_is_the_published_padded_form() -> None:
    cases = HOSPITAL.cases("all", "all")
    cases += [
        Case(current=Visit()),
        Case(history=(Visit(), Visit()), current=Visit(diagnoses=(cases[0].current.diagnoses[0],))),
    ]
    encoded = Encoder(CONFIG, VOCABULARIES).cases(cases)
    model = student()
    padded = PaddedStudent(CONFIG, model.layout, ROWS).eval()
    padded.copy_weights(model)
    rows = np.random.default_rng(1).permutation(len(cases))
    with torch.no_grad():
        expected, features = padded(PaddedBatch(encoded, rows, codes=30))
        for spare in (0, 16, 100_000):
            output = model(pack(encoded, rows, with_labels=True, spare=spare))
            torch.testing.assert_close(output.logits, expected, atol=1e-5, rtol=0)
            torch.testing.assert_close(output.features, features, atol=1e-5, rtol=0)


def test_gradients_are_those_of_the_padded_form() -> None:
    config = replace(CONFIG, dropout=0.0, attention_dropout=0.0)
    encoded = Encoder(config, VOCABULARIES).cases(HOSPITAL.cases("all", "all")[:40])
    rows = np.arange(40)
    model = student(config).train()
    padded = PaddedStudent(config, model.layout, ROWS).train()
    padded.copy_weights(model)
    model(pack(encoded, rows)).logits.square().sum().backward()
    padded(PaddedBatch(encoded, rows, codes=30))[0].square().sum().backward()
    pairs = [
        (model.codes.weight.grad[1:], padded.embedding.weight.grad[1:]),
        (model.profile[0].weight.grad, padded.profile[0].weight.grad),
        (model.visit_encoder.ffn_in.weight.grad, padded.visits.ffn_1.weight.grad),
        (model.visit_encoder.attention_norm.weight.grad, padded.visits.norm_1.weight.grad),
        *(
            (model.set_encoders[kind].query_key_value.weight.grad[:64], padded.encoders[kind].q.weight.grad)
            for kind in KINDS
        ),
        *(
            (model.set_encoders[kind].ffn_out.bias.grad, padded.encoders[kind].ffn_2.bias.grad)
            for kind in KINDS
        ),
    ]
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, theirs, atol=2e-4, rtol=2e-4)


def parameter_count(config: StudentConfig, layout: TokenLayout, profile_rows: Sequence[int]) -> int:
    """Weights of the published architecture, in closed form: all that inference needs.

    Additions of ours (`recency`, `current_apart`, `code_text`) are not counted.
    """
    d, fields = config.d_model, max(1, len(profile_rows))
    block = 3 * d * d + (d * d + d) + (d * config.ffn + config.ffn) + (config.ffn * d + d) + 4 * d
    head = 3 * d * config.head_hidden + config.head_hidden + (config.head_hidden + 1) * layout.medications
    return layout.size * d + (len(KINDS) + 1) * block + sum(profile_rows) * d + (fields * d + 1) * d + head


def test_the_published_size_to_the_last_weight() -> None:
    layout = TokenLayout(medications=112, diagnoses=1958, procedures=1430)
    assert layout.size == 3503
    rows = (26, 27, 26, 26, 27)  # the published five profile tables have 132 rows together
    config = StudentConfig(profile_fields=PAPER_PROFILE)
    model = Student(config, layout, rows)
    assert sum(p.numel() for p in model.parameters()) == 514_208
    assert parameter_count(config, layout, rows) == 514_208
    assert sum(p.numel() for p in model.visit_encoder.parameters()) == 55_468


def test_every_weight_learns() -> None:
    additions = {"recency": True, "pooling": "recency", "current_apart": True, "carry_over": True}
    for config in (CONFIG, replace(CONFIG, **additions, linear=True, linear_columns=40)):
        model = student(config).train()
        if model.linear is not None:
            model.linear.row.copy_(torch.arange(len(model.linear.row)).clamp(max=40))
        encoded = Encoder(config, VOCABULARIES).columns(HOSPITAL.columns("all", "all"))
        encoded = replace(encoded, days=np.arange(len(encoded), dtype=np.float32))
        model(pack(encoded, np.arange(len(encoded)))).logits.square().mean().backward()
        without = [
            name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()
        ]
        assert without == []


def test_batches_of_any_size_and_order_give_the_same() -> None:
    cases = HOSPITAL.cases("all", "all")[:30]
    model = student()
    together = logits(model, cases)
    apart = np.concatenate([logits(model, [case]) for case in cases])
    np.testing.assert_allclose(together, apart, atol=1e-5)
    np.testing.assert_allclose(together[::-1], logits(model, cases[::-1]), atol=1e-5)


def test_every_input_matters_and_the_prescription_is_none() -> None:
    case = next(
        c
        for c in HOSPITAL.cases()
        if len(c.history) > 1 and c.current.procedures and c.history[-1].procedures
    )
    model = student()
    before = logits(model, [case])
    other = next(c for c in VOCABULARIES.diagnosis if c not in case.current.diagnoses)
    other_med = next(c for c in VOCABULARIES.medication if c not in case.history[-1].medications)
    last = case.history[-1]
    past = case.history[:-1]
    profile = dict(case.profile)
    changed = {
        "diagnosis": replace(case, profile=profile, current=replace(case.current, diagnoses=(other,))),
        "procedure": replace(case, profile=profile, current=replace(case.current, procedures=())),
        "past diagnosis": replace(case, profile=profile, history=(*past, replace(last, diagnoses=(other,)))),
        "past procedure": replace(case, profile=profile, history=(*past, replace(last, procedures=()))),
        "past medication": replace(
            case, profile=profile, history=(*past, replace(last, medications=(other_med,)))
        ),
        "profile": replace(case, profile={**profile, "gender": "F" if profile["gender"] == "M" else "M"}),
        "history": replace(case, profile=profile, history=past),
    }
    for name, changed_case in changed.items():
        assert np.abs(logits(model, [changed_case]) - before).max() > 1e-4, name
    hidden = replace(case, profile=profile, current=replace(case.current, medications=()))
    np.testing.assert_array_equal(logits(model, [hidden]), before)


def test_only_with_recency_does_the_order_of_visits_matter() -> None:
    case = next(c for c in HOSPITAL.cases() if len(c.history) >= 2)
    bare = [replace(v, medications=()) for v in case.history]  # medications are shifted: leave them out
    one = replace(case, profile=dict(case.profile), history=tuple(bare))
    other = replace(one, profile=dict(case.profile), history=tuple(bare[::-1]))
    np.testing.assert_allclose(logits(student(), [one]), logits(student(), [other]), atol=1e-5)
    for config in (replace(CONFIG, recency=True), replace(CONFIG, pooling="recency")):
        model = student(config)
        assert np.allclose(
            logits(model, [one], config), logits(student(), [one]), atol=1e-5
        )  # starts as published
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if name in ("recency", "place_weights"):
                    weight.normal_()
        assert np.abs(logits(model, [one], config) - logits(model, [other], config)).max() > 1e-4


def test_the_separate_current_visit_reaches_the_head_by_itself() -> None:
    """With the part of the head that reads the mean at zero, only the current place is left."""
    config = replace(CONFIG, current_apart=True)
    model = student(config)
    width = config.d_model
    with torch.no_grad():
        model.head_in.weight.view(-1, 3, 2, width)[:, :, 0] = 0
        model.visit_encoder.query_key_value.weight.zero_()  # places keep to themselves
    case = next(c for c in HOSPITAL.cases() if len(c.history) >= 2)
    profile = dict(case.profile)
    oldest, *rest = case.history
    past = replace(
        case, profile=profile, history=(replace(oldest, diagnoses=(), procedures=(), medications=()), *rest)
    )
    np.testing.assert_allclose(logits(model, [past], config), logits(model, [case], config), atol=1e-6)
    now = replace(case, profile=profile, current=replace(case.current, diagnoses=()))
    last = replace(
        case, profile=profile, history=(*case.history[:-1], replace(case.history[-1], medications=()))
    )
    for changed in (now, last):
        assert np.abs(logits(model, [changed], config) - logits(model, [case], config)).max() > 1e-4
    several = HOSPITAL.cases("all", "all")[:20]
    apart = np.concatenate([logits(model, [c], config) for c in several])
    np.testing.assert_allclose(logits(model, several, config), apart, atol=1e-5)


def test_nothing_known_gives_numbers_all_the_same() -> None:
    strange = Visit(diagnoses=("ICD9:0",), procedures=("ICD9PCS:0",), medications=("Z00Z",))
    for config in (CONFIG, replace(CONFIG, recency=True, pooling="recency")):
        scores = logits(
            student(config), [Case(current=strange), Case(history=(strange,) * 3, current=Visit())], config
        )
        assert np.isfinite(scores).all()


def test_without_profile_fields_everybody_has_the_same_prompt() -> None:
    config = replace(CONFIG, profile_fields=())
    torch.manual_seed(0)
    model = Student(config, TokenLayout.of(VOCABULARIES), ()).eval()
    case = HOSPITAL.cases()[0]
    other = replace(case, profile={"gender": "M"} if case.profile["gender"] == "F" else {"gender": "F"})
    np.testing.assert_array_equal(logits(model, [case], config), logits(model, [other], config))


def test_dropout_acts_in_training_only() -> None:
    model = student()
    encoded = Encoder(CONFIG, VOCABULARIES).cases(HOSPITAL.cases()[:5])
    packed = pack(encoded, np.arange(5))
    torch.testing.assert_close(model(packed).logits, model(packed).logits, atol=0, rtol=0)
    with torch.no_grad():
        torch.testing.assert_close(model(packed).logits, student()(packed).logits, atol=1e-5, rtol=0)
    model.train()
    assert (model(packed).logits - model(packed).logits).abs().max() > 0.01
