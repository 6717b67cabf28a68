"""Integrated gradients: exact for a linear model, complete for real ones, and blind to nothing that is read."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from leader_core.domain import Case, Visit
from leader_core.errors import InputError
from leader_core.evaluation.calibration import Calibration
from leader_core.explain import Attribution, apply, attribute, code_item, leave_one_out, smallest_flip
from leader_core.explain.changes import code_items, drop, profile_item, wording_item
from leader_core.explain.gradients import integrate, phrases_of
from leader_core.prompt import PromptBuilder
from leader_core.prompt_templates import PROMPTS
from leader_core.student.config import StudentConfig
from leader_core.student.packing import pack
from leader_core.student.scorer import StudentScorer, build_student
from leader_core.teacher.base import find_base
from leader_core.teacher.config import TeacherConfig
from leader_core.teacher.model import TeacherModel, build_model
from leader_core.teacher.scorer import TeacherReader, TeacherScorer
from leader_core.vocabulary import Vocabularies, Vocabulary
from tests.explain_fakes import OneModel
from tests.fakes import manifest
from tests.hospital import Hospital
from tests.teacher_fakes import TinyCohort, tiny_bert, tiny_llama, title

HOSPITAL = Hospital(40)
VOCABULARIES = Vocabularies(
    *(Vocabulary.of(HOSPITAL.vocabulary_codes(kind)) for kind in ("diagnosis", "procedure", "medication")),
    profile={name: Vocabulary.of(HOSPITAL.profile_values(name)) for name in HOSPITAL.profile_fields},
)
LONGEST = max(HOSPITAL.cases("all", "all"), key=lambda case: len(case.history))
CLASS = VOCABULARIES.medication.codes[3]
ADDED = {
    "linear": True,
    "linear_columns": 50,
    "linear_categories": True,
    "linear_embedded": True,
    "carry_over": True,
}


def student(seed: int = 0, **config: object) -> StudentScorer:
    torch.manual_seed(seed)
    result = StudentConfig(profile_fields=("insurance", "gender"), **config)  # type: ignore[arg-type]
    model = build_student(result, VOCABULARIES)
    with torch.no_grad():
        if model.linear is not None:
            model.linear.weight[1:].normal_(std=0.5)  # in float32 a sure probability has no exact log-odds
            model.linear.row.copy_(torch.arange(len(model.linear.row)) % (result.linear_columns + 1))
            if model.linear.category is not None:
                model.linear.category.copy_(torch.arange(len(model.linear.row)) % 7)
            if model.linear.embedded is not None:
                model.linear.embedded.normal_(std=0.1)
            model.linear.average.normal_()
            model.linear.factor = 0.75
        for weight in model.carry_over.parameters() if model.carry_over is not None else ():
            weight.normal_()
    return StudentScorer(manifest("student"), result, VOCABULARIES, model)


def explain(scorer: object, case: Case, model: str = "student", code: str = CLASS) -> Attribution:
    return attribute(OneModel(scorer), case, model, code)  # type: ignore[arg-type]


def test_a_linear_model_is_attributed_exactly() -> None:
    weights = torch.tensor([[1.0, 2.0], [0.0, -3.0], [0.5, 0.0]])
    inputs = torch.tensor([[1.0, 1.0], [2.0, 1.0], [4.0, 9.0]])
    baseline = torch.tensor([[0.0, 1.0], [0.0, 0.0], [2.0, 0.0]])
    result = integrate(lambda rows: (rows * weights).sum((1, 2)) - 7, inputs, baseline, at_once=3)
    assert result.values == pytest.approx([1.0, -3.0, 1.0], abs=1e-6)
    assert (result.start, result.end) == pytest.approx((-4.0, -5.0))
    assert (result.steps, result.gap) == (16, pytest.approx(0, abs=1e-6))


def test_steps_are_doubled_until_the_parts_add_up_and_no_further_than_allowed() -> None:
    def steep(rows: torch.Tensor) -> torch.Tensor:
        return torch.tanh(400 * (rows.sum((1, 2)) - 0.3))

    x, zero = torch.ones(1, 1), torch.zeros(1, 1)
    result = integrate(steep, x, zero, at_once=64, most=4096)
    assert result.steps > 64
    assert abs(result.gap) <= result.tolerance
    bounded = integrate(steep, x, zero, at_once=64, most=32)
    assert bounded.steps == 32
    assert abs(bounded.gap) > bounded.tolerance, "and it says so"


@pytest.mark.parametrize("slow", [1, 2, 3])
def test_a_slower_start_of_the_path_changes_no_share(slow: int) -> None:
    """Of x * y from (0, 0) to (2, 3) each vector adds half of 6; of x squared, all of 4 is its own."""
    inputs, zero = torch.tensor([[2.0], [3.0], [2.0]]), torch.zeros(3, 1)
    result = integrate(
        lambda rows: rows[:, 0, 0] * rows[:, 1, 0] + rows[:, 2, 0].square(),
        inputs,
        zero,
        at_once=8,
        slow=slow,
    )
    assert result.values == pytest.approx([3.0, 3.0, 4.0], abs=1e-4)


def test_no_pass_is_larger_than_allowed_and_work_can_be_stopped() -> None:
    sizes = []

    def score(rows: torch.Tensor) -> torch.Tensor:
        sizes.append(len(rows))
        return rows.sum((1, 2))

    progress: list[tuple[int, int]] = []
    integrate(
        score, torch.ones(4, 2), torch.zeros(4, 2), at_once=5, on_progress=lambda *now: progress.append(now)
    )
    assert max(sizes) == 5
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]

    def stop(done: int, whole: int) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        integrate(score, torch.ones(4, 2), torch.zeros(4, 2), at_once=5, on_progress=stop)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"recency": True, "pooling": "recency", "current_apart": True},
        {"max_visits": 2, "max_codes": 2},
        ADDED,
        {**ADDED, "max_visits": 3, "max_codes": 4},
    ],
)
def test_the_student_s_attributions_add_up_to_its_score(config: dict[str, object]) -> None:
    scorer = student(**config)
    result = explain(scorer, LONGEST)
    probability = float(
        scorer.score([LONGEST.observed()]).probabilities[0, VOCABULARIES.medication.find(CLASS)]
    )
    assert result.probability == pytest.approx(probability, abs=1e-5)
    total = sum(share.value for share in result.shares)
    assert total == pytest.approx(result.log_odds - result.baseline_log_odds, abs=result.tolerance)
    assert result.complete
    assert {profile_item("insurance"), profile_item("gender")} <= set(result.values())
    if "max_codes" in config:
        assert result.unread, "what was cut to fit is listed and not given a share"
    else:
        assert result.unread == ()


def test_what_is_added_past_the_network_is_attributed_exactly() -> None:
    """With a network that says nothing, every code's share is what leaving it out takes away."""
    scorer = student(**ADDED)
    with torch.no_grad():
        scorer.model.head_out.weight.zero_()
    last = LONGEST.history[-1].medications
    for code in (last[0], next(c for c in VOCABULARIES.medication if c not in last)):
        result = explain(scorer, LONGEST, code=code)
        assert abs(result.gap) < 1e-5
        column = VOCABULARIES.medication.find(code)
        for item, value in result.values().items():
            earlier = [
                i for i, v in enumerate(LONGEST.history) if item.name in v.codes(item.kind or "diagnosis")
            ]
            if item.part == "code" and (item.visit == len(LONGEST.history) or len(earlier) == 1):
                without = scorer.score([apply(LONGEST.observed(), drop(item))]).probabilities[0, column]
                log_odds = np.log(without / (1 - without))
                assert value == pytest.approx(result.log_odds - log_odds, abs=1e-3), item
            elif item.part == "code" and item.kind != "medication":
                same = [result.values()[code_item(i, item.kind, item.name)] for i in earlier]  # type: ignore[arg-type]
                assert same == pytest.approx([value] * len(same)), "a code of several visits counts once"


def test_a_code_with_the_average_vector_says_nothing_and_every_other_code_something() -> None:
    scorer = student()
    case = Case({"gender": "F"}, LONGEST.history[-2:], LONGEST.current)
    code = case.current.diagnoses[-1]
    before = explain(scorer, case).values()
    assert all(abs(value) > 1e-6 for item, value in before.items() if item.kind is not None)
    first = scorer.encoder.layout.offset("diagnosis")
    vectors = scorer.model.codes.weight[first : first + len(VOCABULARIES.diagnosis)]
    place = VOCABULARIES.diagnosis.find(code)
    with torch.no_grad():
        vectors[place] = (vectors.sum(0) - vectors[place]) / (len(vectors) - 1)  # the mean, itself included
    after = explain(scorer, case).values()
    for item, value in after.items():
        assert (abs(value) < 1e-6) == (item.name == code), item


def test_a_changed_input_changes_the_shares_and_the_truth_does_not() -> None:
    scorer = student()
    result = explain(scorer, LONGEST)
    assert explain(scorer, LONGEST.observed()).shares == result.shares
    other = replace(
        LONGEST, profile={**LONGEST.profile, "gender": "M" if LONGEST.profile["gender"] == "F" else "F"}
    )
    assert explain(scorer, other).values()[profile_item("gender")] != result.values()[profile_item("gender")]
    with pytest.raises(InputError, match="does not score 'Z99Z'"):
        explain(scorer, LONGEST, code="Z99Z")


def test_calibrated_scores_are_attributed_as_they_are_shown() -> None:
    plain = student()
    fitted = Calibration(2.0, -0.5, 10, 0.1, 0.05, ())
    shown = student()
    object.__setattr__(shown, "manifest", replace(shown.manifest, calibration=fitted))
    one, two = explain(plain, LONGEST), explain(shown, LONGEST)
    assert two.log_odds == pytest.approx(one.log_odds / 2 - 0.5, abs=1e-5)
    score = shown.score([LONGEST.observed()]).probabilities[0, VOCABULARIES.medication.find(CLASS)]
    assert two.probability == pytest.approx(float(score), abs=1e-5)
    assert [s.value for s in two.shares] == pytest.approx([s.value / 2 for s in one.shares], abs=1e-6)


def test_a_student_ranks_a_planted_diagnosis_first() -> None:
    """CLASS is given where one diagnosis stands, in whatever visit, and nowhere else."""
    scorer = student(max_visits=4)
    planted, column = VOCABULARIES.diagnosis.codes[5], VOCABULARIES.medication.find(CLASS)
    cases = HOSPITAL.cases("all", "all")
    random = np.random.default_rng(0)
    cases = [
        replace(
            c, profile=dict(c.profile), current=replace(c.current, diagnoses=(*c.current.diagnoses, planted))
        )
        if random.random() < 0.5
        else c
        for c in cases
    ]
    truth = torch.tensor(
        [float(any(planted in v.diagnoses for v in (*c.history[-3:], c.current))) for c in cases]
    )
    train(scorer, cases, truth, column)
    case = next(c for c in cases if planted in c.current.diagnoses and len(c.current.diagnoses) > 3)
    case = replace(case, profile=dict(case.profile), history=())
    before = explain(student(max_visits=4), case).values()
    assert max(before, key=lambda item: before[item]) != code_item(0, "diagnosis", planted), (
        "untrained: not first"
    )
    result = explain(scorer, case)
    assert result.probability > 0.8
    best = max(result.shares, key=lambda share: share.value)
    assert best.item == code_item(0, "diagnosis", planted)
    removed = leave_one_out(OneModel(scorer), case, "student").effects(CLASS)  # type: ignore[arg-type]
    codes = {item: effect for item, effect in removed.items() if item.part != "visit"}
    assert max(codes, key=lambda item: codes[item]) == code_item(0, "diagnosis", planted)
    flip = smallest_flip(OneModel(scorer), case, "student", CLASS, threshold=0.5)  # type: ignore[arg-type]
    assert flip.removed == (code_item(0, "diagnosis", planted),)
    assert flip.exact


def train(scorer: StudentScorer, cases: list[Case], truth: torch.Tensor, column: int) -> None:
    """Teach a student one class."""
    encoded, rows = scorer.encode(cases), np.arange(len(cases))
    model = scorer.model.train().requires_grad_(True)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(40):
        optimiser.zero_grad()
        logits = model(pack(encoded, rows)).logits[:, column]
        torch.nn.functional.binary_cross_entropy_with_logits(logits, truth).backward()
        optimiser.step()
    model.eval().requires_grad_(False)


# -- the teacher -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["bert", "llama"])
def teacher(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TeacherScorer:
    """A tiny teacher that scores each medication by one word of the diagnosis that calls for it.

    Its weights are set, not trained: what a training ends with differs in the last digits between processors.
    """
    torch.set_num_threads(1)  # such small products are slower on two
    base = {"bert": tiny_bert, "llama": tiny_llama}[request.param](tmp_path_factory.mktemp("base"))
    files = find_base(str(base))
    config = TeacherConfig(base=str(base), max_tokens=80, lora_rank=4, pooling="mean")
    cohort = TinyCohort(80)
    vocabularies = Vocabularies(
        *(Vocabulary.of(cohort.vocabulary_codes(kind)) for kind in ("diagnosis", "procedure", "medication")),
        profile={},
    )
    model = build_model(files, config, len(vocabularies.medication), torch.device("cpu"), "fp32")
    reader = TeacherReader(files, config, title)
    plant(model, reader, vocabularies)
    return TeacherScorer(manifest("teacher"), config, vocabularies, reader, model)


CUES = {"A10A": "diabetes", "B05X": "kidney", "C03C": "heart", "C09A": "hypertension", "J01C": "pneumonia"}


def plant(model: TeacherModel, reader: TeacherReader, vocabularies: Vocabularies) -> None:
    """Give each cue word and the medication that it calls for a dimension of their own; layers change little."""
    weights = dict(model.named_parameters())
    words = next(w for name, w in weights.items() if "word_embeddings" in name or "embed_tokens" in name)
    with torch.no_grad():
        for name, weight in weights.items():
            if ".layer" in name and weight.dim() == 2:
                weight.mul_(0.1)
            if "position_embeddings" in name or "token_type" in name:
                weight.mul_(0.1)
        words[:, : len(CUES)] = 0.0
        model.head.weight.zero_()
        for dimension, (code, word) in enumerate(CUES.items()):
            ids = [set(text) for text in reader.tokenizer.ids([word, f"{word} {word}", "visit"])]
            (token,) = (ids[0] & ids[1]) - ids[2]  # without the base's special tokens
            words[token] = 0.0
            words[token, dimension] = 4.0
            model.head.weight[vocabularies.medication.find(code), dimension] = 5.0
    model.eval().requires_grad_(False)


CASE = Case(
    {"insurance": "Private"},
    (Visit(("ICD9:4019",), (), ("C09A",), 1, 1),),
    Visit(("ICD9:486", "ICD9:25000"), ("ICD9PCS:3961",), (), 2, 2),
)


def test_the_teacher_s_attributions_add_up_over_tokens_phrases_and_sections(teacher: TeacherScorer) -> None:
    for code in ("A10A", "J01C"):
        result = explain(teacher, CASE, "teacher", code)
        column = teacher.vocabularies.medication.find(code)
        assert result.probability == pytest.approx(
            float(teacher.score([CASE]).probabilities[0, column]), abs=1e-4
        )
        difference = result.log_odds - result.baseline_log_odds
        for parts in (
            [share.value for share in result.shares],
            [token.value for token in result.tokens],
            result.by_section(),
        ):
            assert sum(parts) == pytest.approx(difference, abs=result.tolerance + 1e-6)
        assert result.complete
        assert result.prompt is not None
        words = {result.prompt.text[t.start : t.end] for t in result.tokens if t.item.name == "ICD9:25000"}
        assert words == {"diabetes"}
        assert wording_item("question") in result.values()


@pytest.mark.parametrize(("code", "diagnosis"), [("A10A", "ICD9:25000"), ("J01C", "ICD9:486")])
def test_a_teacher_ranks_a_planted_diagnosis_first(teacher: TeacherScorer, code: str, diagnosis: str) -> None:
    """Of the same five codes each class has its own first, so that no fixed order can pass."""
    planted = code_item(1, "diagnosis", diagnosis)
    result = explain(teacher, CASE, "teacher", code).values()
    codes = {item: value for item, value in result.items() if item.part == "code"}
    assert len(codes) == 5 and max(codes, key=lambda item: codes[item]) == planted
    outcomes = leave_one_out(OneModel(teacher), CASE, "teacher")  # type: ignore[arg-type]
    effects = {item: effect for item, effect in outcomes.effects(code).items() if item.part == "code"}
    assert max(effects, key=lambda item: effects[item]) == planted
    by_hand = teacher.score([apply(CASE, drop(planted))]).probabilities[0]
    place = [c.item for c in outcomes.changes].index(planted)
    np.testing.assert_allclose(outcomes.after[place], by_hand, atol=1e-5)


def test_the_teacher_never_reads_the_same_prompt_twice(teacher: TeacherScorer) -> None:
    visits = tuple(Visit(("ICD9:4019",), (), ("C09A",), n, n) for n in range(1, 6))
    case = Case({}, visits, Visit(("ICD9:486",), (), (), 9, 6))
    result = leave_one_out(OneModel(teacher), case, "teacher")  # type: ignore[arg-type]
    assert result.scored < len(result.changes), "only three earlier visits are in the prompt"
    place = [c.item for c in result.changes].index(code_item(0, "diagnosis", "ICD9:4019"))
    np.testing.assert_array_equal(result.after[place], result.before)
    unread = explain(teacher, case, "teacher", "J01C").unread
    assert code_item(0, "diagnosis", "ICD9:4019") in unread
    assert code_item(4, "diagnosis", "ICD9:4019") not in unread


@pytest.mark.parametrize("version", sorted(PROMPTS))
@pytest.mark.parametrize("limit", [400, 130, 100, 80])
def test_every_phrase_of_the_prompt_is_the_title_of_its_code(version: str, limit: int) -> None:
    """Word for word, for every wording, and where lists and visits were cut to fit."""
    tokens = SimpleNamespace(
        specials=2, spans=lambda text: [(m.start(), m.end()) for m in re.finditer(r"\w+|\W", text)]
    )
    builder = PromptBuilder(version, odd_title, tokens, limit)  # type: ignore[arg-type]
    for case in (CASE, replace(CASE, profile={}, history=CASE.history * 4), Case(current=CASE.current)):
        prompt = builder.build(case)
        phrases = phrases_of(builder, case)
        assert "".join(prompt.text[p.start : p.end] for p in phrases) == prompt.text
        assert [p.start for p in phrases[1:]] == [p.end for p in phrases[:-1]], "end to end"
        named = [p for p in phrases if p.item.part == "code"]
        for phrase in named:
            assert prompt.text[phrase.start : phrase.end] == builder.written(
                phrase.item.kind,
                phrase.item.name,  # type: ignore[arg-type]
            )
        if not prompt.dropped and version != "paper-1-as-run":
            assert {p.item for p in named} == set(code_items(case))
        if limit == 400:
            assert not prompt.dropped or len(case.history) > 3


def odd_title(kind: str, code: str) -> str | None:
    """Titles that hold the wording's own separators and ends."""
    return {"ICD9:486": "pneumonia; none. Procedures: {x}", "ICD9:25000": "diabetes, none"}.get(
        code, title(kind, code)
    )  # type: ignore[arg-type]


def test_the_tokens_explained_are_the_tokens_read(teacher: TeacherScorer) -> None:
    encoded = teacher.reader.encode([CASE])
    ids, spans = teacher.reader.tokenizer.located(teacher.prompt(CASE).text)
    assert ids == encoded.tokens.values.tolist()
    assert sum(span is None for span in spans) == teacher.reader.tokenizer.specials


def test_codes_of_the_case_bear_what_is_read_of_them() -> None:
    """25072 is read as two codes, 4019 and 4011 as one and the same: the first of them bears it, the other nothing."""
    codes = ("ICD9:4019", "ICD9:25072", "ICD9:4011", "ICD9:NONE")
    known = Vocabulary.of(["ICD10:E1151", "ICD10:E1165", "ICD10:I10"])
    vocabularies = replace(VOCABULARIES, diagnosis=known)
    torch.manual_seed(0)
    config = StudentConfig(profile_fields=("gender",), equivalence=True, linear=True, linear_columns=30)
    model = build_student(config, vocabularies)
    assert model.linear is not None
    with torch.no_grad():
        model.linear.weight[1:].normal_()
        model.linear.row.copy_(torch.arange(len(model.linear.row)) % 31)
    scorer = StudentScorer(manifest("student"), config, vocabularies, model)
    result = explain(scorer, Case(history=(Visit(codes[:2]),), current=Visit(codes)))
    now = {share.item.name: share.value for share in result.shares if share.item.visit == 1}
    assert list(now) == list(codes[:3]) and now["ICD9:4011"] == 0 and now["ICD9:4019"] and now["ICD9:25072"]
    assert result.complete and [item.name for item in result.unread] == ["ICD9:NONE"]
    alone = explain(scorer, Case(history=(Visit(codes[:2]),), current=Visit(("ICD9:4019", "ICD9:25072"))))
    assert alone.log_odds == pytest.approx(result.log_odds), "leaving the second of them out changes nothing"


def test_the_teacher_s_phrases_bear_the_codes_of_the_case(teacher: TeacherScorer) -> None:
    titles = {"ICD10:E119": "diabetes", "ICD10:I10": "hypertension", "ICD9PCS:3961": "bypass"}
    config = replace(teacher.config, equivalence=True)
    known = Vocabulary.of(["ICD10:E119", "ICD10:I10"])
    reader = TeacherReader(teacher.reader.files, config, lambda kind, code: titles.get(code), known)
    vocabularies = replace(teacher.vocabularies, diagnosis=known)
    scorer = TeacherScorer(teacher.manifest, config, vocabularies, reader, teacher.model)
    case = Case(current=Visit(("ICD9:25000", "ICD9:4019", "ICD9:4011"), ("ICD9PCS:3961",)))
    result = explain(scorer, case, "teacher", "A10A")
    assert result.prompt is not None and result.prompt.text.count("hypertension") == 1
    words = {result.prompt.text[t.start : t.end]: t.item.name for t in result.tokens if t.item.part == "code"}
    assert words == {"diabetes": "ICD9:25000", "hypertension": "ICD9:4019", "bypass": "ICD9PCS:3961"}
    assert result.values()[code_item(0, "diagnosis", "ICD9:4011")] == 0 and not result.unread
    assert scorer.reading.changed(case)[0] == ("ICD9:25000", ("ICD10:E119",)) and not scorer.unseen(case)
    ten = Case(current=Visit(("ICD10:E119", "ICD10:I10"), ("ICD9PCS:3961",)))
    assert (scorer.score([ten]).probabilities == scorer.score([case]).probabilities).all()
