"""Drugs instead of classes, end to end: raw tables to a cohort at ATC level 5, both models, the table, the pages.

Everything goes through the commands that users run; the base model is tiny and random, so figures mean nothing here.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.app_test import calc_hash

from dashboard.server import service
from leader_core import Case, Engine, Visit
from leader_core.cohort import Cohort
from tests.teacher_fakes import tiny_bert
from train.cli import call, parse
from train.console import Report

ROOT = Path(__file__).parents[1]
SETTINGS = """
seed = 1
[teacher]
max_tokens = 64
lora_rank = 4
[teacher.training]
steps = 2
batch_size = 8
validation_cases = 10
[student]
code_text = false
[student.training]
epochs = 1
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, synthetic_raw: Path) -> Path:
    """A folder with cohort.duckdb at level 5, models/, states/ and scores.parquet."""
    folder = tmp_path_factory.mktemp("level5")
    (folder / "quick.toml").write_text(SETTINGS, encoding="utf-8")
    base = folder / "base"
    base.mkdir()
    tiny_bert(base)
    cohort, models = folder / "cohort.duckdb", folder / "models"
    run(folder, "cohort", "--raw", synthetic_raw, "--out", cohort, "--atc-level", 5)
    run(folder, "teacher", "--cohort", cohort, "--base", base, "--out", models / "teacher")
    run(folder, "states", "--cohort", cohort, "--teacher", models / "teacher", "--out", folder / "states")
    run(folder, "student", "--cohort", cohort, "--states", folder / "states", "--out", models / "student")
    scored = ["--cohort", cohort, "--model", models / "student"]
    run(folder, "evaluate", *scored, "--split", "test")
    run(folder, "predict", *scored, "--out", folder / "scores.parquet")
    return folder


@pytest.fixture(scope="module")
def engine(place: Path) -> Engine:
    return Engine.open(cohort=place / "cohort.duckdb", models=place / "models", device="cpu")


def run(folder: Path, *words: object) -> None:
    call(
        parse([*map(str, words), "--config", str(folder / "quick.toml"), "--device", "cpu"]),
        Report(quiet=True),
    )


def patient(engine: Engine) -> Case:
    """One with a history, and furosemide in it."""
    result = [case for case in engine.cohort.cases() if case.history]
    return next(c for c in result if "C03CA01" in c.history[-1].medications)


@pytest.mark.parametrize("model", ["teacher", "student"])
def test_each_model_recommends_drugs_by_their_names(engine: Engine, model: str) -> None:
    case = patient(engine)
    recommendation = engine.recommend(case, model=model)  # type: ignore[arg-type]
    assert {m.code for m in recommendation.medications} == set(engine.cohort.vocabulary_codes("medication"))
    titles = {m.code: m.title for m in recommendation.medications}
    assert (titles["C03CA01"], titles["B01AA03"]) == ("Furosemide", "Warfarin")
    assert len(set(titles.values())) == len(titles), "two drugs must not bear one name"
    assert not [code for code, title in titles.items() if title == code]
    assert [m.probability for m in recommendation.medications] == sorted(
        (m.probability for m in recommendation.medications), reverse=True
    )


def test_interactions_are_those_of_drugs(engine: Engine) -> None:
    result = engine.with_threshold(engine.recommend(patient(engine), model="student"), 0.0)
    chosen = {m.code for m in result.selected}
    assert result.interactions and all({i.code_a, i.code_b} <= chosen for i in result.interactions)
    pair = next(i for i in result.interactions if (i.code_a, i.code_b) == ("B01AA03", "B01AC06"))
    assert pair.severity == "major" and pair.management and pair.mechanism
    assert {i.severity for i in result.interactions} <= {"contraindicated", "major", "moderate", "minor"}
    assert not engine.cohort.interactions.pair("C03CA01", "N02BE01"), "furosemide and acetaminophen: no pair"


def test_the_prompt_names_the_drugs_of_earlier_visits(engine: Engine) -> None:
    case = Case(
        profile={},
        history=(Visit(diagnoses=("ICD9:4280",), medications=("B01AA03", "C03CA01", "J01MA12")),),
        current=Visit(diagnoses=("ICD9:42731",)),
    )
    assert "Warfarin; Furosemide; Levofloxacin" in engine.prompt(case).text
    assert "no drug" not in engine.prompt(case).text


def test_a_code_of_a_class_is_unseen_and_said_to_be(engine: Engine) -> None:
    case = Case(profile={}, history=(Visit(medications=("B01A",)),), current=Visit(diagnoses=("ICD9:4280",)))
    assert "B01A" in {other.code for other in engine.recommend(case, model="student").unseen}


def test_predictions_have_a_row_a_drug(place: Path, engine: Engine) -> None:
    rows = pd.read_parquet(place / "scores.parquet")
    assert set(rows["code"]) == set(engine.cohort.vocabulary_codes("medication"))
    assert len(rows) == rows["visit_id"].nunique() * rows["code"].nunique()
    assert rows.loc[rows["prescribed"], "code"].str.len().isin((5, 7)).all()
    deepest = {code for code in rows["code"] if len(code) == 7}
    assert len(deepest) > 0.9 * rows["code"].nunique(), "level 4 only where ATC has no drug"


def test_level_three_is_a_cut_of_level_five(engine: Engine, synthetic_cohort: Path) -> None:
    three = Cohort.open(synthetic_cohort)
    assert (engine.cohort.fingerprint.atc_level, three.fingerprint.atc_level) == (5, 3)
    for one, cut in zip(engine.cohort.cases(), three.cases(), strict=True):
        assert {code[:4] for code in one.prescribed} == set(cut.prescribed)


@pytest.mark.parametrize("path", ["patients", "case", "new", "interactions", "prompt", "models"])
def test_every_page_opens_and_speaks_of_drugs(
    path: str, place: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "open_engine", lambda _: engine)
    service._open.clear()
    page = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=120)
    case = patient(engine)
    page.query_params["view"] = "research"
    if path not in ("patients", "new", "models"):
        page.query_params["patient"] = str(case.patient_id)
    if path != "patients":
        page._page_hash = calc_hash(path)
    page.run()
    until = time.monotonic() + 30
    while not all(card.loaded for card in engine.models.values()) and time.monotonic() < until:
        time.sleep(0.05)
    page.run()
    service._open.clear()
    assert not page.exception
    pieces = [element.value for element in page.html if not element.value.startswith("<style")]
    pieces += [element.proto.json for element in page.get("bidi_component")]
    read = re.sub(r"<[^>]+>", " ", "\n".join(pieces))
    assert "could not be shown" not in read
    if path == "case":
        assert "Furosemide" in read
    if path in ("patients", "case"):
        assert "rug class" not in read and re.search(r"\bDrugs\b", read)
