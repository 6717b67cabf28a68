"""`student`, `evaluate` and `predict` over a made-up cohort, and the baselines that go with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score

from leader_core import Case, Visit
from leader_core.cohort import Cohort
from leader_core.cohort.columns import CohortColumns
from leader_core.evaluation.metrics import case_metrics
from leader_core.model_folder import read_manifest
from leader_core.scorer import CaseScores, blocks_of, score_columns
from leader_core.vocabulary import Vocabulary
from tests.hospital import MEDICATIONS, Hospital
from train.cli import main
from train.evaluation.ablation import without_parts
from train.evaluation.evaluate import ModelEvaluation, icd_groups, time_groups
from train.evaluation.inputs import Labels, open_model, prescriptions
from train.evaluation.predictions import StoredScores

HOSPITAL = Hospital(120)
OTHER = Hospital(120, seed=9)
CONFIG = """
[student]
profile_fields = ["insurance", "gender"]
code_text = false
[student.training]
batch_size = 16
epochs = 2
learning_rate = 2e-3
threshold_rule = "validation"
"""


@pytest.fixture(autouse=True)
def made_up_cohorts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cohort files stand for made-up hospitals."""
    monkeypatch.setattr(
        Cohort, "open", classmethod(lambda cls, path: OTHER if "other" in str(path) else HOSPITAL)
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def model(folder: Path) -> Path:
    """A quickly trained student."""
    out = folder / "student"
    if not out.exists():
        (folder / "quick.toml").write_text(CONFIG)
        words = ["student", "--cohort", "c.duckdb", "--out", str(out), "--config", str(folder / "quick.toml")]
        assert main([*words, "--device", "cpu"]) == 0
    return out


@pytest.fixture
def popularity(folder: Path) -> str:
    """Scores of a baseline."""
    out = folder / "popularity"
    if not out.exists():
        words = ["baseline", "--cohort", "c.duckdb", "--name", "popularity", "--out", str(out)]
        assert main(words) == 0
    return str(out / "scores.parquet")


def evaluated(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    capsys.readouterr()
    assert main(["evaluate", "--cohort", "c.duckdb", "--device", "cpu", "--json", *words]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_the_table_has_everything_a_reader_needs(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = evaluated(capsys, "--model", str(model), "--split", "all", "--out", str(tmp_path / "t.json"))
    assert result == json.loads((tmp_path / "t.json").read_text())
    assert set(result["groups"]) == {"overall", "single-visit", "multi-visit"}
    overall = result["groups"]["overall"]
    assert (
        overall["cases"]
        == 120
        == result["groups"]["single-visit"]["cases"] + result["groups"]["multi-visit"]["cases"]
    )
    for name in ("prauc", "jaccard", "f1", "ddi_rate", "medications"):
        assert set(overall[name]) == {"value", "mean", "std", "low", "high"}
    assert result["cohort"]["digest"] == result["trained_on"]["digest"] == HOSPITAL.fingerprint.digest
    assert result["threshold_rule"] == "chosen on validation to maximise mean Jaccard"
    assert any("nothing worth quoting" in note for note in result["notes"])
    assert main(["evaluate", "--cohort", "c.duckdb", "--model", str(model), "--split", "all"]) == 0
    captured = capsys.readouterr()
    shown = captured.out + captured.err
    for words in (
        "PRAUC", "±", "real DDI", "Made-up hospital", "Threshold", "nothing worth quoting", "single-visit",
    ):  # fmt: skip
        assert words in shown


def test_prediction_file_and_evaluation_agree_with_scikit_learn(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p.parquet"
    assert (
        main(["predict", "--cohort", "c.duckdb", "--model", str(model), "--out", str(out), "--split", "test"])
        == 0
    )
    rows = pd.read_parquet(out)
    assert list(rows.columns) == ["patient_id", "visit_id", "code", "probability", "selected", "prescribed"]
    assert rows.groupby("visit_id").size().nunique() == 1
    by_hand = [average_precision_score(g.prescribed, g.probability) for _, g in rows.groupby("visit_id")]
    result = evaluated(capsys, "--model", str(model), "--split", "test")
    assert result["unnamed"]["classes"] == []
    assert result["groups"]["overall"]["prauc"]["value"] == pytest.approx(np.mean(by_hand), abs=1e-6)
    assert (rows.selected == (rows.probability >= np.float32(result["threshold"]))).all()
    real = {(c.current.visit_id, m) for c in HOSPITAL.cases("test") for m in c.prescribed}
    assert {(v, m) for v, m in zip(rows.visit_id, rows.code, strict=True) if (v, m) in real} == {
        (v, m) for v, m, p in zip(rows.visit_id, rows.code, rows.prescribed, strict=True) if p
    }


def test_predictions_are_written_in_blocks_and_whole_or_not_at_all(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks_of, "__defaults__", (50,))
    out = tmp_path / "p.parquet"
    words = ["predict", "--cohort", "c.duckdb", "--model", str(model), "--out", str(out)]
    assert main(words) == 0
    assert pq.ParquetFile(out).num_row_groups == 3
    before = out.read_bytes()

    def fail(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("train.evaluation.predictions._table", fail)
    assert main(words) == 130
    assert out.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["p.parquet"]


def test_stored_scores_take_the_calibration_that_a_model_was_given_later(model: Path, tmp_path: Path) -> None:
    scores, copy = tmp_path / "p.parquet", tmp_path / "calibrated"
    common = ["--cohort", "c.duckdb", "--model", str(model), "--out"]
    assert main(["predict", *common, str(scores), "--split", "test"]) == 0
    assert main(["calibrate", *common, str(copy)]) == 0
    columns = HOSPITAL.columns("test", "last")
    stored, calibrated = StoredScores(scores, HOSPITAL), open_model(copy, "cpu", HOSPITAL)  # type: ignore[arg-type]
    before = score_columns(stored, columns)
    stored.describe(read_manifest(copy))
    assert stored.threshold == calibrated.threshold
    assert not np.allclose(score_columns(stored, columns), before, atol=1e-4)
    np.testing.assert_allclose(score_columns(stored, columns), score_columns(calibrated, columns), atol=1e-6)


def test_classes_outside_the_vocabulary_count_as_missed(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = evaluated(capsys, "--model", str(model))
    original = Hospital.cases

    def with_strangers(self: Hospital, split: str = "all", targets: str = "last") -> list:
        from dataclasses import replace

        return [
            replace(
                c, profile=dict(c.profile), current=replace(c.current, medications=(*c.prescribed, "Z99Z"))
            )
            for c in original(self, split, targets)
        ]

    monkeypatch.setattr(Hospital, "cases", with_strangers)
    after = evaluated(capsys, "--model", str(model))
    assert after["unnamed"]["classes"] == ["Z99Z"]
    assert after["unnamed"]["prescriptions"] == after["groups"]["overall"]["cases"]
    for name in ("prauc", "jaccard", "recall", "f1"):
        assert after["groups"]["overall"][name]["value"] < before["groups"]["overall"][name]["value"]
    assert after["groups"]["overall"]["medications"] == before["groups"]["overall"]["medications"]


def test_models_beat_popularity_on_what_they_learned(
    model: Path, popularity: str, capsys: pytest.CaptureFixture[str]
) -> None:
    student = evaluated(capsys, "--model", str(model), "--split", "train")
    popular = evaluated(capsys, "--model", popularity, "--split", "train")
    pair = [result["groups"]["overall"]["prauc"]["value"] for result in (student, popular)]
    assert pair[0] > pair[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--model", "nowhere.parquet"), "No scores at nowhere.parquet"),
        (("--by", "shoe_size"), "shoe_size"),
        (("--by", "truncated"), "Name a teacher or a student"),
        (("--threshold", "2"), "expected 0 to 1"),
        (("--model", "nowhere"), "No model in nowhere"),
    ],
)
def test_wrong_words_end_in_one_sentence(
    words: tuple[str, ...], says: str, popularity: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--cohort", "c.duckdb", "--model", popularity, *words]) == 2
    message = capsys.readouterr().err
    assert says in message
    assert "Traceback" not in message


class Scores:
    """Scores by visit as a model."""

    name, manifest, threshold, threshold_rule = "scores", None, 0.5, "given"

    def __init__(self, codes: str, rows: list[list[float]]) -> None:
        self.medications, self._rows = Vocabulary.of(codes), np.array(rows, np.float32)

    def blocks(self, columns: CohortColumns) -> Iterator[tuple[np.ndarray, CaseScores]]:
        yield np.arange(len(columns)), CaseScores(self._rows, np.zeros(len(columns), bool), len(columns))


def _visits(*medications: str, diagnosis: str = "ICD9:4019") -> Case:
    *before, current = (Visit(diagnoses=(diagnosis,), medications=tuple(codes)) for codes in medications)
    return Case(history=tuple(before), current=current)


def test_continued_and_started_classes_by_hand() -> None:
    columns = CohortColumns.from_cases([_visits("D", "AB", "AC"), _visits("AB", "AB"), _visits("A")])
    model = Scores("ABCD", [[0.9, 0.8, 0.3, 0.4]] * 3)  # A and B are selected
    parts = ModelEvaluation.of(model, HOSPITAL, columns).by_last_visit()  # type: ignore[arg-type]
    continued, started = parts["continued"], parts["started"]
    # Case 1: of A and B, which it had, it gets A again; of C and D it gets C, which is ranked below D.
    assert (continued.recall[0], continued.precision[0], continued.prauc[0]) == (1, 0.5, 1)
    assert continued.f1[0] == pytest.approx(2 / 3)
    assert (started.recall[0], started.f1[0], started.prauc[0]) == (0, 0, 0.5)
    # Case 2: all is continued, nothing started and nothing of the rest selected.
    assert (continued.f1[1], started.f1[1]) == (1, 1) and np.isnan(started.prauc[1])
    # Case 3, a first visit: nothing can be continued.
    assert np.isnan(continued.prauc[2]) and started.recall[2] == 1


def test_cases_are_grouped_by_the_icd_version_of_their_visit_and_by_year() -> None:
    nine, ten = _visits("A", "A"), _visits("A", diagnosis="ICD10:I10")
    both = Case(current=Visit(diagnoses=("ICD9:4019", "ICD10:I10")))
    columns = CohortColumns.from_cases([replace(c, current=replace(c.current, visit_id=n)) for n, c in
                                        enumerate((nine, ten, both, Case()))])  # fmt: skip
    groups = icd_groups(columns)
    assert groups["icd=9"].tolist() == [True, False, False, False]
    assert groups["icd=10"].tolist() == [False, True, False, False]
    times, year = time_groups(columns, {0: 2009, 1: 2013, 2: 2014, 3: 2015})
    assert year == 2013
    assert times["time=earlier"].tolist() == [True, True, False, False]
    assert times["time=later"].tolist() == [False, False, True, True]
    alike, none = time_groups(columns, {0: 2012, 1: 2012})
    assert none == 0 and not alike["time=earlier"].any() and not alike["time=later"].any()


def test_a_case_without_a_part_keeps_its_truth_and_the_rest() -> None:
    admitted = datetime(2150, 1, 1)  # noqa: DTZ001 (as cohorts have them)
    cases = [
        replace(c, patient_id=n // 2, profile={"gender": "F"}, history=tuple(replace(v, admitted_at=admitted) for v in c.history))
        for n, c in enumerate((_visits("A", "B"), _visits("C", "B"), _visits("D", "B")))
    ]  # fmt: skip
    changed = without_parts(cases)
    assert all([c.current for c in each] == [c.current for c in cases] for each in changed.values())
    assert all(not c.history for c in changed["no history"])
    others = changed["another patient's history"]
    assert [[v.medications for v in c.history] for c in others] == [[("D",)], [("D",)], [("A",)]]
    assert all(v.admitted_at is None for c in others for v in c.history)
    alone, without = (
        changed["medications alone in the history"][0],
        changed["no medications in the history"][0],
    )
    assert (alone.history[0].diagnoses, alone.history[0].medications) == ((), ("A",))
    assert (without.history[0].diagnoses, without.history[0].medications) == (("ICD9:4019",), ())
    assert changed["no profile"][0].profile["gender"] == "unknown"


def test_sections_are_measured_on_later_visits_of_the_split(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = evaluated(capsys, "--model", str(model), "--split", "validation", "--sections", "9")
    later = HOSPITAL.columns("validation", "all").history_lengths > 0
    assert result["sections"]["cases"] == result["groups"]["multi-visit"]["cases"] == min(9, later.sum())
    parts = result["sections"]["parts"]
    assert parts["as it is"]["prauc"] == result["groups"]["overall"]["prauc"]
    assert {"no history", "carry-over off", "linear path off"} <= set(parts)
    assert any(parts[name]["difference"]["prauc"]["value"] != 0 for name in parts if name != "as it is")


def test_labels_and_cases_read_the_same_truth() -> None:
    columns, cases = HOSPITAL.columns("test", "all"), HOSPITAL.cases("test", "all")
    medications = Vocabulary.of(MEDICATIONS[::2])
    labels = Labels.of(columns, medications)
    for row, case in enumerate(cases):
        assert {labels.codes[i] for i in np.flatnonzero(labels.wide_truth[row])} == set(case.prescribed)
    assert labels.missed.sum() == sum(len(medications.unseen(c.prescribed)) for c in cases)
    values = case_metrics(
        labels.widen(labels.truth.astype(np.float32)), labels.wide_truth, 0.5, None, known=labels.known
    )
    assert labels.mean_prauc(labels.truth.astype(np.float32)) == pytest.approx(np.nanmean(values.prauc))
    some = prescriptions(columns, columns.current, MEDICATIONS)
    assert some.sum() == sum(len(c.prescribed) for c in cases)
