"""The engine's promises on models trained on the spot: inputs matter, the truth never leaks, errors say what to do.

The last tests ask the same of the models that ship.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from leader_core import (
    ArtifactError,
    Case,
    CaseError,
    Engine,
    InputError,
    NotFoundError,
    Recommendation,
    Visit,
)
from leader_core.cohort import PatientQuery
from leader_core.domain import ModelName
from leader_core.files import sha256_file, write_sealed
from tests.teacher_fakes import tiny_bert
from train.cli import call, parse
from train.console import Report

BOTH: tuple[ModelName, ...] = ("teacher", "student")
CONFIG = """
[teacher]
max_tokens = 256
lora_rank = 2
[teacher.training]
steps = 3
batch_size = 8
validation_cases = 8
[student]
code_text = false
[student.training]
epochs = 2
patience = 2
"""


def _train(*words: str) -> None:
    call(parse([*words, "--device", "cpu"]), Report(quiet=True))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, synthetic_cohort: Path) -> Path:
    root = tmp_path_factory.mktemp("engine")
    config = root / "tiny.toml"
    config.write_text(CONFIG)
    common = ["--cohort", str(synthetic_cohort), "--config", str(config)]
    _train("teacher", *common, "--base", str(tiny_bert(root / "base")), "--out", str(root / "teacher"))
    _train("student", *common, "--out", str(root / "student"))
    return root


@pytest.fixture(scope="module")
def engine(models: Path, synthetic_cohort: Path) -> Engine:
    return Engine.open(cohort=synthetic_cohort, models=models, device="cpu")


@pytest.fixture(scope="module")
def returning(engine: Engine) -> Case:
    """A patient with earlier visits."""
    row = engine.cohort.patients(PatientQuery(visits=(3, 12))).rows[0]
    return engine.cohort.case(row.patient_id)


def _scores(recommendation: Recommendation) -> dict[str, float]:
    return {m.code: m.probability for m in recommendation.medications}


@pytest.mark.parametrize("model", BOTH)
def test_a_recommendation_is_the_whole_vocabulary_best_first(
    engine: Engine, returning: Case, model: ModelName
) -> None:
    recommendation = engine.recommend(returning, model)
    probabilities = [m.probability for m in recommendation.medications]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sorted(_scores(recommendation)) == engine.cohort.vocabulary_codes("medication")
    assert all(m.selected == (m.probability >= recommendation.threshold) for m in recommendation.medications)
    assert all(m.title != m.code for m in recommendation.medications)


@pytest.mark.parametrize("model", BOTH)
def test_changing_a_diagnosis_changes_the_scores(engine: Engine, returning: Case, model: ModelName) -> None:
    seen = engine.cohort.vocabulary_codes("diagnosis")
    other = next(code for code in seen if code not in returning.current.diagnoses)
    changed = replace(
        returning,
        profile=dict(returning.profile),
        current=replace(returning.current, diagnoses=(other, *returning.current.diagnoses[1:])),
    )
    assert _scores(engine.recommend(changed, model)) != _scores(engine.recommend(returning, model))


@pytest.mark.parametrize("model", BOTH)
def test_the_history_is_read(engine: Engine, returning: Case, model: ModelName) -> None:
    forgetful = replace(returning, profile=dict(returning.profile), history=())
    assert _scores(engine.recommend(forgetful, model)) != _scores(engine.recommend(returning, model))


@pytest.mark.parametrize("model", BOTH)
def test_the_current_prescription_never_leaks(engine: Engine, returning: Case, model: ModelName) -> None:
    assert returning.prescribed
    assert engine.recommend(returning, model) == engine.recommend(returning.observed(), model)
    lied = replace(
        returning, profile=dict(returning.profile), current=replace(returning.current, medications=("A02B",))
    )
    assert _scores(engine.recommend(lied, model)) == _scores(engine.recommend(returning, model))


def test_only_the_student_reads_the_profile(engine: Engine, returning: Case) -> None:
    flipped = replace(
        returning, profile={**returning.profile, "gender": "F" if returning.profile["gender"] == "M" else "M"}
    )
    assert _scores(engine.recommend(flipped, "student")) != _scores(engine.recommend(returning, "student"))
    assert _scores(engine.recommend(flipped, "teacher")) == _scores(engine.recommend(returning, "teacher"))
    assert "gender" in engine.recommend(returning, "student").profile_read
    assert engine.recommend(returning, "teacher").profile_read == ()


@pytest.mark.parametrize("model", BOTH)
def test_a_first_visit_works(engine: Engine, model: ModelName) -> None:
    recommendation = engine.recommend(Case(current=Visit(diagnoses=("ICD9:4280", "ICD9:42731"))), model)
    assert recommendation.medications and not recommendation.unseen


@pytest.mark.parametrize("model", BOTH)
def test_a_code_that_no_model_knows_is_reported(engine: Engine, model: ModelName) -> None:
    recommendation = engine.recommend(Case(current=Visit(diagnoses=("ICD9:4280", "ICD9:0000X"))), model)
    assert [(u.kind, u.code) for u in recommendation.unseen] == [("diagnosis", "ICD9:0000X")]


def test_the_teacher_reads_a_titled_code_that_the_student_never_saw(engine: Engine) -> None:
    known = set(engine.cohort.vocabulary_codes("diagnosis"))
    rare = next(code for code in ("ICD9:0208", "ICD9:0212", "ICD9:0223", "ICD9:0239") if code not in known)
    case = Case(current=Visit(diagnoses=("ICD9:4280", rare)))
    assert [u.code for u in engine.recommend(case, "student").unseen] == [rare]
    assert not engine.recommend(case, "teacher").unseen


@pytest.mark.parametrize("model", BOTH)
def test_many_cases_give_the_same_as_one_by_one_in_order(engine: Engine, model: ModelName) -> None:
    cases = engine.cohort.cases(split="test")[:9]
    together = engine.recommend_many(cases, model)
    for case, result in zip(cases, together, strict=True):
        alone = engine.recommend(case, model)
        assert _scores(result) == pytest.approx(_scores(alone), abs=1e-5)
        assert result.unseen == alone.unseen
    assert engine.recommend_many((), model) == ()


def test_a_cut_off_moves_the_selection_without_scoring_again(engine: Engine, returning: Case) -> None:
    recommendation = engine.recommend(returning, "student", threshold=0.3)
    moved = engine.with_threshold(recommendation, 0.6)
    assert moved == engine.recommend(returning, "student", threshold=0.6)
    assert len(moved.selected) < len(recommendation.selected)
    nothing = engine.with_threshold(recommendation, 1.0)
    assert nothing.selected == () and nothing.interactions == ()


def test_interactions_are_those_of_the_selected_most_severe_first(engine: Engine, returning: Case) -> None:
    recommendation = engine.recommend(returning, "student", threshold=0.2)
    chosen = {m.code for m in recommendation.selected}
    assert recommendation.interactions
    assert all({pair.code_a, pair.code_b} <= chosen for pair in recommendation.interactions)
    order = ["contraindicated", "major", "moderate", "minor", "unknown"]
    ranks = [order.index(pair.severity) for pair in recommendation.interactions]
    assert ranks == sorted(ranks)


def test_the_prompt_is_what_the_teacher_reads(engine: Engine, returning: Case) -> None:
    prompt = engine.prompt(returning)
    first = returning.current.diagnoses[0]
    titles = {each.code: each.titles for each in prompt.read_as}.get(
        first, (engine.cohort.title("diagnosis", first),)
    )
    assert titles and all(title and title in prompt.text for title in titles)
    assert prompt.token_count <= prompt.token_limit
    assert "".join(prompt.text[s.start : s.end] for s in prompt.sections) == prompt.text
    assert engine.prompt(returning, version="paper-1").text.startswith("The patient has")


def test_a_text_is_scored_as_it_is_written(engine: Engine, returning: Case) -> None:
    prompt = engine.prompt(returning)
    read = engine.score_prompt(prompt.text)
    assert _scores(read) == pytest.approx(_scores(engine.recommend(returning, "teacher")), abs=1e-6)
    assert read.interactions == engine.recommend(returning, "teacher").interactions
    assert engine.prompt_tokens(prompt.text) == prompt.token_count
    assert _scores(engine.score_prompt("Diagnoses: none.")) != _scores(read)
    with pytest.raises(InputError, match=rf"reads at most {prompt.token_limit}: shorten it by \d+"):
        engine.score_prompt("fever " * 400)
    with pytest.raises(InputError, match="The text is empty"):
        engine.score_prompt(" \n")


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ({"model": "oracle"}, InputError, "'teacher' or 'student'"),
        ({"threshold": 1.5}, InputError, "between 0 and 1"),
        ({"case": Case()}, CaseError, "at least one diagnosis or procedure"),
        ({"case": "patient 7"}, CaseError, "Expected a Case, found str"),
    ],
)
def test_bad_input_says_what_was_expected(
    engine: Engine, returning: Case, words: dict[str, object], error: type[Exception], message: str
) -> None:
    given = {"case": returning, "model": "student", **words}
    with pytest.raises(error, match=message):
        engine.recommend(given.pop("case"), given.pop("model"), **given)  # type: ignore[arg-type]


def test_one_model_works_without_the_other(
    models: Path, synthetic_cohort: Path, tmp_path: Path, returning: Case
) -> None:
    for present, absent in (BOTH, BOTH[::-1]):
        folder = tmp_path / present
        shutil.copytree(models / present, folder / present)
        lonely = Engine.open(cohort=synthetic_cohort, models=folder, device="cpu")
        assert lonely.recommend(returning, present).medications
        with pytest.raises(NotFoundError, match="python -m train"):
            lonely.recommend(returning, absent)
        assert not lonely.models[absent].available


def test_a_changed_model_is_refused_by_name(
    models: Path, synthetic_cohort: Path, tmp_path: Path, returning: Case
) -> None:
    shutil.copytree(models / "student", tmp_path / "student")
    vocabulary = tmp_path / "student" / "vocabulary.json"
    vocabulary.write_text(vocabulary.read_text().replace("A02B", "A02C"))
    broken = Engine.open(cohort=synthetic_cohort, models=tmp_path, device="cpu")
    assert "vocabulary.json" in broken.models["student"].error
    with pytest.raises(NotFoundError, match=r"vocabulary\.json"):
        broken.recommend(returning, "student")


def test_a_model_with_weights_that_are_no_numbers_fails_alone(
    models: Path, synthetic_cohort: Path, tmp_path: Path
) -> None:
    for name in ("student", "teacher"):
        shutil.copytree(models / name, tmp_path / name)
    weights = load_file(tmp_path / "student" / "model.safetensors")
    weights["head_out.bias"][3] = float("nan")
    save_file(weights, tmp_path / "student" / "model.safetensors")
    record = json.loads((tmp_path / "student" / "manifest.json").read_text())
    record["files"]["model.safetensors"] = sha256_file(tmp_path / "student" / "model.safetensors")
    write_sealed(tmp_path / "student" / "manifest.json", record)
    broken = Engine.open(cohort=synthetic_cohort, models=tmp_path, device="cpu")
    with pytest.raises(ArtifactError, match=r"head_out\.bias are not finite"):
        broken.warm_up("student")
    assert "not finite" in broken.models["student"].error and broken.models["teacher"].available


def test_models_of_another_level_are_refused(models: Path, synthetic_cohort: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "student", tmp_path / "student")
    path = tmp_path / "student" / "manifest.json"
    record = json.loads(path.read_text())
    record["cohort"]["atc_level"] = 5
    write_sealed(path, record)
    card = Engine.open(cohort=synthetic_cohort, models=tmp_path, device="cpu").models["student"]
    assert "--atc-level 5" in card.error


def test_unknown_patients_files_and_devices_are_named(
    engine: Engine, models: Path, synthetic_cohort: Path, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="999999999"):
        engine.cohort.case(999_999_999)
    with pytest.raises(NotFoundError, match=r"none\.duckdb"):
        Engine.open(cohort=tmp_path / "none.duckdb", models=models)
    with pytest.raises(InputError, match="'tpu'"):
        Engine.open(cohort=synthetic_cohort, models=models, device="tpu")  # type: ignore[arg-type]
    text = tmp_path / "text.duckdb"
    text.write_text("not a database")
    with pytest.raises(ArtifactError, match=r"text\.duckdb"):
        Engine.open(cohort=text, models=models)


def test_opening_an_engine_does_not_load_torch(models: Path, synthetic_cohort: Path) -> None:
    program = (
        "import sys; from leader_core import Engine; "
        f"e = Engine.open({str(synthetic_cohort)!r}, {str(models)!r}); e.cohort.fingerprint; "
        "assert e.models['student'].available; assert 'torch' not in sys.modules; assert 'transformers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("model", BOTH)
def test_shipped_models_load_read_and_differ_by_case(
    demo_models: Path, real_cohort: Path, model: ModelName
) -> None:
    shipped = Engine.open(cohort=real_cohort, models=demo_models, device="cpu")
    failing = Case(current=Visit(diagnoses=("ICD9:4280",)))
    infected = Case(
        current=Visit(diagnoses=("ICD9:48241",))
    )  # pneumonia by methicillin-susceptible Staph. aureus
    heart, lung = (_scores(shipped.recommend(case, model)) for case in (failing, infected))
    assert heart["C03C"] > lung["C03C"], "loop diuretics belong to heart failure"
    assert lung["J01X"] > heart["J01X"], "antibacterials belong to pneumonia"
