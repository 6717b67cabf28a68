"""Published weights in our student: the logits and losses of a naive padded implementation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from leader_core.domain import Case, Visit
from leader_core.student.config import PAPER_PROFILE, StudentConfig
from leader_core.student.encode import Encoder, TokenLayout
from leader_core.student.losses import Distillation, ProfileAlignment, prediction_loss
from leader_core.student.model import Student, StudentOutput
from leader_core.student.packing import pack
from leader_core.student.scorer import build_student
from leader_core.vocabulary import Vocabularies, Vocabulary
from tests.naive_student import NaiveCase, NaiveStudent, NaiveVocabulary, random_weights
from tests.published_weights import PublishedVocabulary, bare, from_published
from train.config import load_settings

MEDICATIONS = [f"{letter}{n:02d}A" for letter in "ABCDGHJLMNPRSV" for n in range(8)]  # 112
DIAGNOSES = [f"ICD9:{4000 + 7 * i}" for i in range(150)] + ["ICD9:2252"]
PROCEDURES = [f"ICD9PCS:{30 + i}" for i in range(140)] + ["ICD9PCS:2252"]  # a diagnosis has the same digits
SIZES = dict(zip(PAPER_PROFILE, (5, 7, 4, 3, 6), strict=True))


def published(seed: int, *, fields: tuple[str, ...] = PAPER_PROFILE) -> NaiveVocabulary:
    """Words in an order of no meaning, as first met in a cohort."""
    random = np.random.default_rng(seed)
    words = [random.permutation(codes).tolist() for codes in (MEDICATIONS, DIAGNOSES, PROCEDURES)]
    return NaiveVocabulary(
        words=list(dict.fromkeys(bare(code) for codes in words for code in codes)),
        medications=words[0],
        profile=[random.permutation([f"{name} {i}" for i in range(SIZES[name])]).tolist() for name in fields],
    )


OURS = Vocabularies(
    diagnosis=Vocabulary.of(DIAGNOSES),
    procedure=Vocabulary.of(PROCEDURES),
    medication=Vocabulary.of(MEDICATIONS),
    profile={name: Vocabulary.of(f"{name} {i}" for i in range(size)) for name, size in SIZES.items()},
)


def random_cases(seed: int) -> list[Case]:
    """1 to 10 visits, sets of 0 to 12 codes, and one of 100 diagnoses."""
    random = np.random.default_rng(seed)

    def some(codes: list[str], most: int) -> tuple[str, ...]:
        return tuple(random.choice(codes, int(random.integers(0, most + 1)), replace=False).tolist())

    def visit(most: int = 12) -> Visit:
        return Visit(some(DIAGNOSES, most), some(PROCEDURES, most // 3), some(MEDICATIONS, most) or ("A00A",))

    cases = [
        Case(
            profile={name: f"{name} {random.integers(size)}" for name, size in SIZES.items()},
            history=tuple(visit() for _ in range(count - 1)),
            current=replace(visit(), diagnoses=some(DIAGNOSES, 12) or DIAGNOSES[:1]),
        )
        for count in (1, 1, 2, 3, 10)
    ]
    full = replace(cases[2].current, diagnoses=tuple(random.permutation(DIAGNOSES)[:100].tolist()))
    shared = Visit(("ICD9:2252",), ("ICD9PCS:2252",), ("A00A", "V07A"))
    return [
        *cases,
        replace(cases[2], profile=dict(cases[2].profile), current=full),
        Case(profile=dict(cases[0].profile), history=(shared,), current=shared),
    ]


def naive_cases(cases: list[Case], fields: tuple[str, ...] = PAPER_PROFILE) -> list[NaiveCase]:
    return [
        NaiveCase(
            *(
                [[bare(code) for code in visit.codes(kind)] for visit in (*case.history, case.current)]
                for kind in ("diagnosis", "procedure", "medication")
            ),
            profile=[case.profile[name] for name in fields],
        )
        for case in cases
    ]


def names(vocabulary: NaiveVocabulary, fields: tuple[str, ...] = PAPER_PROFILE) -> PublishedVocabulary:
    return PublishedVocabulary(
        vocabulary.words, vocabulary.medications, dict(zip(fields, vocabulary.profile, strict=True))
    )


def mapped(seed: int) -> tuple[Student, NaiveStudent, dict[str, torch.Tensor]]:
    """Ours and the naive one with the same random published weights, and what those became."""
    vocabulary = published(seed)
    weights = random_weights(vocabulary, torch.Generator().manual_seed(seed))
    result = from_published(weights, names(vocabulary), OURS)
    config = replace(load_settings("paper").student, profile_fields=PAPER_PROFILE)
    model = build_student(config, OURS).eval()
    model.load_state_dict(
        {n: v for n, v in result.items() if not n.startswith(("distillation", "alignment"))}
    )
    return model, NaiveStudent(weights, vocabulary), result


def run(model: Student, cases: list[Case]) -> tuple[StudentOutput, torch.Tensor]:
    encoded = Encoder(model.config, OURS).cases(cases)
    rows = np.arange(len(cases))
    with torch.no_grad():
        output = model(pack(encoded, rows, with_labels=True))
    return output, torch.from_numpy(encoded.labels(rows, len(MEDICATIONS))).float()


@pytest.mark.parametrize("seed", [0, 1])
def test_published_weights_give_the_published_logits(seed: int) -> None:
    model, naive, _ = mapped(seed)
    cases = random_cases(seed)
    columns = [naive.vocabulary.medications.index(code) for code in OURS.medication]
    features = torch.stack([naive.features(case) for case in naive_cases(cases)])
    expected = naive.head(features)[:, columns]
    output, _ = run(model, cases)
    assert expected.std() > 0.05 and (expected[0] - expected[1]).abs().max() > 0.05
    torch.testing.assert_close(output.logits.double(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(output.features.double(), features, atol=1e-5, rtol=0)


@pytest.mark.parametrize("tau", [1.0, 0.5])
def test_published_weights_give_the_published_losses(tau: float) -> None:
    model, naive, result = mapped(3)
    cases = random_cases(3)
    plain = naive_cases(cases)
    output, truth = run(model, cases)
    hidden = torch.randn(len(cases), 4096, generator=torch.Generator().manual_seed(9))
    distillation = Distillation(128, 4096)
    distillation.load_state_dict(_under(result, "distillation."))
    alignment = ProfileAlignment(64, form="official", tau=tau)
    alignment.load_state_dict(_under(result, "alignment."))
    assert output.prescribed is not None
    with torch.no_grad():
        mine = (
            prediction_loss(output.logits, truth),
            distillation(output.features, hidden),
            alignment(output.prescribed, output.profile),
        )
    theirs = (
        naive.prediction_loss(plain),
        naive.distillation_loss(plain, hidden),
        naive.alignment_loss(plain, tau),
    )
    for one, other in zip(mine, theirs, strict=True):
        assert float(one) == pytest.approx(other, abs=1e-5)


def test_without_profile_one_learned_vector_is_everybodys() -> None:
    vocabulary = published(6, fields=())
    weights = random_weights(vocabulary, torch.Generator().manual_seed(6))
    weights["profile_encoder.padding_embedding.weight"] = torch.randn(1, 64)
    weights["profile_encoder.diag_head.weight"] = torch.randn(64, 64) / 8
    result = from_published(weights, names(vocabulary, ()), OURS)
    model = build_student(StudentConfig(profile_fields=()), OURS).eval()
    model.load_state_dict(
        {n: v for n, v in result.items() if not n.startswith(("distillation", "alignment"))}
    )

    class Padding(NaiveStudent):
        def prompt(self, case: NaiveCase) -> torch.Tensor:
            constant = self.weights["profile_encoder.padding_embedding.weight"][0]
            head = self.weights["profile_encoder.diag_head.weight"]
            return head @ constant + self.weights["profile_encoder.diag_head.bias"]

    naive = Padding(weights, vocabulary)
    columns = [vocabulary.medications.index(code) for code in OURS.medication]
    for case in random_cases(6)[:3]:
        expected = naive.logits(naive_cases([case], ())[0])[columns]
        torch.testing.assert_close(run(model, [case])[0].logits[0].double(), expected, atol=1e-5, rtol=0)


def test_the_published_count_for_inference_and_for_training() -> None:
    """514,208 of inference; in training a projector, two alignment maps, and the parts that never get a gradient."""
    block, profile_map = 55_468, 5 * 64 * 64 + 64
    profile_values = 132  # of the five fields together: what the published total leaves for their tables
    words = 3_503 - 3
    vocabulary = NaiveVocabulary(
        [str(i) for i in range(words)],
        [str(i) for i in range(112)],
        [[str(i) for i in range(size)] for size in (26, 27, 26, 26, 27)],
    )
    assert sum(map(len, vocabulary.profile)) == profile_values
    weights = random_weights(vocabulary, torch.Generator())
    training = ("projector", "align_loss_fct")
    inference = sum(v.numel() for n, v in weights.items() if not n.startswith(training))
    projector = sum(v.numel() for n, v in weights.items() if n.startswith("projector"))
    alignment = sum(v.numel() for n, v in weights.items() if n.startswith("align_loss_fct"))
    dead = 3 * block + 2 * profile_map  # a visit encoder for each stream, two spare profile maps
    assert (inference, projector, alignment, dead) == (514_208, 528_384, 8_320, 207_492)
    assert inference + projector + alignment + dead == 1_258_404
    # Ours holds a row for values that training did not see in each field's table, and nothing that never learns.
    layout = TokenLayout(medications=112, diagnoses=1_958, procedures=1_430)
    config = StudentConfig(profile_fields=PAPER_PROFILE)
    mine = Student(config, layout, [size + 1 for size in (26, 27, 26, 26, 27)])
    assert sum(p.numel() for p in mine.parameters()) == 514_208 + 5 * 64
    same = Student(config, layout, (26, 27, 26, 26, 27))  # as many rows, that row among them
    assert sum(p.numel() for p in same.parameters()) == 514_208
    of_losses = [Distillation(128, 4096), ProfileAlignment(64, form="official", tau=1.0)]
    assert [sum(p.numel() for p in m.parameters()) for m in of_losses] == [projector, alignment]


def _under(weights: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
