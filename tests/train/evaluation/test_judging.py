"""`evaluate --by` and `--against`, `calibrate`, stored scores and the folds over real patients, on a made-up hospital."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.metrics import log_loss

from leader_core.cohort import Cohort
from leader_core.cohort.columns import CohortColumns
from leader_core.domain import Case, Visit
from leader_core.errors import ArtifactError, InputError
from leader_core.evaluation.class_evidence import EVIDENCE, read_evidence
from leader_core.files import write_sealed
from leader_core.model_folder import MANIFEST, Manifest, read_manifest
from leader_core.scorer import score_columns
from leader_core.similar import CaseIndex
from leader_core.student.config import StudentConfig
from leader_core.student.scorer import StudentScorer
from tests.hospital import Hospital
from tests.leader_core.student.test_student_titles import WordVectors, title
from train.cli import main
from train.config import StudentTraining
from train.evaluation.calibrated_manifest import without_calibration
from train.evaluation.evaluate import RARE, code_groups, groups_by
from train.evaluation.inputs import Labels, open_model
from train.evaluation.predictions import ABOUT, StoredScores
from train.experiments.realdata import folds_of, start_from
from train.experiments.results import fold_sentences
from train.student.data import StudentData
from train.student.loop import StudentTrainer, train_student

HOSPITAL = Hospital(160)
OTHER = Hospital(60, seed=9)
CONFIG = """
[student]
profile_fields = ["insurance", "gender"]
code_text = false
linear = false
carry_over = false
dropout = 0.2
[student.training]
batch_size = 16
epochs = 3
learning_rate = 4e-3
truth = 1.0
probabilities = 0.0
"""


@pytest.fixture(autouse=True)
def made_up_cohorts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Cohort, "open", classmethod(lambda cls, path: OTHER if "other" in str(path) else HOSPITAL)
    )
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def model(folder: Path) -> Path:
    out = folder / "student"
    if not out.exists():
        (folder / "quick.toml").write_text(CONFIG)
        words = ["student", "--cohort", "c.duckdb", "--out", str(out), "--config", str(folder / "quick.toml")]
        assert main([*words, "--device", "cpu"]) == 0
    return out


def run(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    capsys.readouterr()
    assert main([*words, "--cohort", "c.duckdb", "--device", "cpu", "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_groups_of_a_column_hold_every_case_once(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by = ("gender", "age_band", "chapter", "visits", "truncated", "codes")
    result = run(capsys, "evaluate", "--model", str(model), "--split", "all", "--by", ",".join(by))["groups"]
    for name in by:
        groups = {key: group for key, group in result.items() if key.startswith(f"{name}=")}
        assert sum(group["cases"] for group in groups.values()) == 160
        assert all(group["few"] == (group["cases"] < 20) for group in groups.values())
    women = [c for c in HOSPITAL.cases("all") if c.profile["gender"] == "F"]
    assert result["gender=F"]["cases"] == len(women)
    assert result["gender=F"]["real_medications"] == pytest.approx(
        np.mean([len(c.prescribed) for c in women])
    )
    assert result["truncated=no"]["cases"] == 160


def test_codes_are_counted_in_training_patients_once_each() -> None:
    train = [
        Case(patient_id=i, history=(Visit(("ICD9:1",)),), current=Visit(("ICD9:1", *more)))
        for i, more in enumerate([("ICD9:2",)] * (RARE - 1) + [()] * 3)
    ]
    known = Hospital(1)
    known.cases = lambda split="all", targets="last": train  # type: ignore[method-assign]
    cases = [
        Case(current=Visit(("ICD9:1",))),
        Case(current=Visit(("ICD9:1", "ICD9:2"))),
        Case(current=Visit(("ICD9:2", "ICD9:3"))),
        Case(history=(Visit(("ICD9:3",)),), current=Visit(())),
    ]
    result = code_groups(CohortColumns.from_cases(cases), known)  # type: ignore[arg-type]
    assert {name: mask.tolist() for name, mask in result.items()} == {
        "common": [True, False, False, True],
        "rare": [False, True, False, False],
        "unseen": [False, False, True, False],
    }


def test_chapter_is_that_of_the_first_diagnosis() -> None:
    cases = [
        Case(current=Visit(("ICD9:4280", "ICD9:25000"))),
        Case(history=(Visit(("ICD9:4280",)),), current=Visit(("ICD9:25000",))),
        Case(current=Visit(())),
    ]
    result = groups_by(["chapter"], CohortColumns.from_cases(cases))
    members = {name.split("=")[1]: mask.tolist() for name, mask in result.items() if "=" in name}
    assert members == {
        "Circulatory system": [True, False, False],
        "Endocrine, nutritional and metabolic": [False, True, False],
        "Not classified": [False, False, True],
    }


def test_a_model_is_compared_with_another_on_the_same_cases(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["baseline", "--cohort", "c.duckdb", "--name", "popularity", "--out", str(tmp_path / "p")]) == 0
    )
    scores = tmp_path / "p" / "scores.parquet"
    result = run(capsys, "evaluate", "--model", str(model), "--split", "train", "--against", str(scores))
    other = run(capsys, "evaluate", "--model", str(scores), "--split", "train")
    assert result["against"]["name"] == "popularity"
    for name, row in result["against"]["groups"].items():
        value = result["groups"][name]["f1"]["value"] - other["groups"][name]["f1"]["value"]
        assert row["f1"]["value"] == pytest.approx(value)
    assert result["against"]["groups"]["overall"]["prauc"]["low"] > 0
    assert "permutation" in result["against"]["method"]


def test_calibration_keeps_the_ranking_and_can_be_fitted_again(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, copy = read_manifest(model), tmp_path / "copy"
    run(capsys, "calibrate", "--model", str(model), "--out", str(copy))
    assert read_manifest(model) == before
    after = read_manifest(copy)
    assert after.calibration is not None
    assert _but_evidence(after.files) == _but_evidence(before.files)
    plain, calibrated = (open_model(each, "cpu", HOSPITAL) for each in (model, copy))  # type: ignore[arg-type]
    fitted_on = HOSPITAL.columns("validation")
    truth = Labels.of(fitted_on, plain.medications).truth
    losses = [log_loss(truth.ravel(), score_columns(each, fitted_on).ravel()) for each in (plain, calibrated)]
    assert losses[1] < losses[0], "what is fitted is the log-loss, whatever the error by parts"
    columns = HOSPITAL.columns("test")
    first, second = (score_columns(each, columns) for each in (plain, calibrated))
    np.testing.assert_array_equal(second, after.calibration.apply(first))
    assert (second != first).any()
    tables = [run(capsys, "evaluate", "--model", str(each)) for each in (model, copy)]
    values = [table["groups"]["overall"]["prauc"]["value"] for table in tables]
    assert values[0] == pytest.approx(values[1], abs=1e-6)
    assert tables[0]["conformal"] == [] and tables[1]["conformal"]
    assert tables[1]["reliability"]["temperature"] == after.calibration.temperature
    run(capsys, "calibrate", "--model", str(copy))  # again: fitted on what the network gives, not on itself
    assert read_manifest(copy) == after
    assert without_calibration(read_manifest(copy)).threshold == before.threshold
    assert without_calibration(before) is before


def test_a_case_that_was_not_scored_is_no_score_of_zero(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, columns = open_model(model, "cpu", HOSPITAL), HOSPITAL.columns("test")  # type: ignore[arg-type]
    *most, (rows, last) = opened.blocks(columns)
    part = dataclasses.replace(last, probabilities=last.probabilities[:-1])
    monkeypatch.setattr(opened, "blocks", lambda _: [*most, (rows[:-1], part)])
    with pytest.raises(InputError, match=f"no score for some classes of 1 of {len(columns)} cases"):
        score_columns(opened, columns)


def _but_evidence(files: Mapping[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in files.items() if name != EVIDENCE}


def test_validation_results_of_each_class_are_stored_with_the_model(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    run(capsys, "calibrate", "--model", str(model), "--out", str(copy))
    opened = open_model(copy, "cpu", HOSPITAL)  # type: ignore[arg-type]
    columns = HOSPITAL.columns("validation")
    scores = score_columns(opened, columns)
    truth = Labels.of(columns, opened.medications).truth
    evidence, before = read_evidence(copy), read_evidence(model)
    assert evidence is not None and before is not None
    assert evidence.calibrated and not before.calibrated and evidence.cases == len(columns)
    for column, code in enumerate(opened.medications.codes):
        chosen, given = scores[:, column] >= opened.threshold, truth[:, column]
        precision, recall = evidence.classes[code].at(opened.threshold)
        assert (precision.part, precision.whole) == ((chosen & given).sum(), chosen.sum())
        assert (recall.part, recall.whole) == ((chosen & given).sum(), given.sum())
        assert evidence.classes[code].expected == pytest.approx(scores[:, column].sum(), abs=1e-3)
    (copy / EVIDENCE).write_text("{}")
    with pytest.raises(ArtifactError, match="changed since"):
        read_manifest(copy)


def test_scores_are_stored_with_the_training_patients(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "c.scores.duckdb"
    result = run(capsys, "scores", "--models", str(model.parent), "--out", str(out))
    assert result["cases"] == {"student": 160} and out.is_file()
    digest = read_manifest(model).digest
    index = CaseIndex.open(
        tmp_path / "c.similar.safetensors", student=digest, cohort=HOSPITAL.fingerprint.digest
    )
    assert index.patient_ids.tolist() == [c.patient_id for c in HOSPITAL.cases("train")]


def test_the_engine_gives_calibrated_probabilities_and_sets(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from leader_core.engine import Engine
    from leader_core.model_card import ModelCard

    copy = tmp_path / "copy"
    run(capsys, "calibrate", "--model", str(model), "--out", str(copy))

    def engine(folder: Path) -> Engine:
        return Engine(HOSPITAL, {"student": ModelCard("student", folder, read_manifest(folder))}, "cpu")  # type: ignore[arg-type]

    case = HOSPITAL.cases("test")[0]
    plain, calibrated = engine(model).recommend(case), engine(copy).recommend(case)
    calibration = read_manifest(copy).calibration
    assert calibration is not None
    for old, new in zip(plain.medications, calibrated.medications, strict=True):
        assert new.code == old.code
        assert new.probability == calibration.apply(np.array([old.probability], np.float32))[0]
        assert new.selected == (new.probability >= np.float32(calibrated.threshold))
    promise = next(each for each in calibration.cutoffs if each.cutoff is not None)
    result = calibration.conformal_set(calibrated, promise.share, promise.confidence)
    assert result == tuple(m for m in calibrated.medications if m.probability >= promise.cutoff)  # type: ignore[operator]


def test_a_manifest_from_before_calibration_is_read_as_none(model: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(model, old)
    record = json.loads((old / MANIFEST).read_text())
    del record["calibration"]
    write_sealed(old / MANIFEST, record)
    manifest = read_manifest(old)
    assert manifest.calibration is None
    record["calibration"] = {"temperature": -1}
    write_sealed(old / MANIFEST, record)
    with pytest.raises(ArtifactError, match="not a manifest"):
        read_manifest(old)


def test_calibration_needs_the_cohort_of_the_training(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", "--model", str(model), "--cohort", "other.duckdb"]) == 2
    assert "trained on another cohort" in capsys.readouterr().err


def test_a_student_may_be_calibrated_as_it_is_trained(folder: Path, model: Path, tmp_path: Path) -> None:
    config = tmp_path / "calibrated.toml"
    config.write_text(CONFIG + "calibrate = true\n")
    out = tmp_path / "student"
    words = ["student", "--cohort", "c.duckdb", "--out", str(out), "--config", str(config), "--device", "cpu"]
    assert main(words) == 0
    later = tmp_path / "later"
    shutil.copytree(model, later)
    assert main(["calibrate", "--model", str(later), "--cohort", "c.duckdb", "--device", "cpu"]) == 0
    result: list[Manifest] = [read_manifest(each) for each in (out, later)]
    assert result[0].calibration == result[1].calibration
    assert result[0].threshold == result[1].threshold
    assert result[0].digest == result[1].digest


def test_stored_scores_are_refused_when_cases_differ_in_classes(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    words = ["predict", "--cohort", "c.duckdb", "--model", str(model), "--out", str(path), "--device", "cpu"]
    assert main(words) == 0
    table = pq.read_table(path)
    stored = StoredScores(path, HOSPITAL)  # type: ignore[arg-type]
    fresh = open_model(model, "cpu", HOSPITAL)  # type: ignore[arg-type]
    columns = HOSPITAL.columns("validation")
    np.testing.assert_allclose(score_columns(stored, columns), score_columns(fresh, columns), atol=1e-6)
    bare = table.replace_schema_metadata(None)  # from elsewhere: the cut-off is what was selected
    pq.write_table(bare, path)
    assert StoredScores(path, HOSPITAL).threshold >= stored.threshold  # type: ignore[arg-type]
    pq.write_table(table.slice(1), path)
    with pytest.raises(ArtifactError, match="same classes"):
        StoredScores(path, HOSPITAL)  # type: ignore[arg-type]
    about = json.loads(table.schema.metadata[ABOUT])
    column = table.schema.get_field_index("probability")
    nan = table.set_column(column, "probability", pa.array([float("nan")] * len(table), pa.float32()))
    for wrong, message in (
        (pa.table({"visit_id": [1]}), "not a file of scores"),
        (nan.replace_schema_metadata(table.schema.metadata), "no number"),
        *(
            (table.replace_schema_metadata({ABOUT: json.dumps(about | {"threshold": value})}), message)
            for value, message in (
                (1.5, "cut-off 1.5"),
                (float("nan"), "cut-off nan"),
                ("half", "not a file of scores"),
            )
        ),
    ):
        pq.write_table(wrong, path)
        with pytest.raises(ArtifactError, match=message):
            StoredScores(path, HOSPITAL)  # type: ignore[arg-type]


def test_folds_judge_every_patient_once_by_models_that_saw_none_of_them() -> None:
    folds = list(folds_of(OTHER, 5, 1))  # type: ignore[arg-type]
    judged = np.concatenate([fold.test.patient_ids for fold in folds])
    assert sorted(judged) == sorted({c.patient_id for c in OTHER.cases("all")})
    for fold in folds:
        parts = [set(part.patient_ids.tolist()) for part in (fold.train, fold.validation, fold.test)]
        assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
        taught = {
            code
            for c in OTHER.cases("all", "all")
            if c.patient_id in parts[0]
            for code in c.current.diagnoses
        }
        assert set(fold.vocabularies.diagnosis) == taught
    with pytest.raises(InputError, match="at least 90 for 30 folds"):
        list(folds_of(OTHER, 30, 1))  # type: ignore[arg-type]


def test_a_student_starts_from_another_where_names_match(model: Path) -> None:
    from train.console import Silent

    source = StudentScorer.load(model, "cpu")
    data = StudentData.of(OTHER, "last")  # type: ignore[arg-type]
    trainer = StudentTrainer(data, source.config, StudentTraining(), seed=5, device="cpu", report=Silent())
    matched = start_from(trainer.student, trainer.encoder, source)
    assert all(0 < matched[kind] <= len(data.vocabularies.of(kind)) for kind in matched)
    own, theirs = trainer.student.state_dict(), source.model.state_dict()
    torch.testing.assert_close(own["head_in.weight"], theirs["head_in.weight"])
    for kind in ("diagnosis", "medication"):
        code = next(c for c in data.vocabularies.of(kind) if c in source.vocabularies.of(kind))
        here = trainer.encoder.layout.offset(kind) + data.vocabularies.of(kind).find(code)
        there = source.encoder.layout.offset(kind) + source.vocabularies.of(kind).find(code)
        torch.testing.assert_close(own["codes.weight"][here], theirs["codes.weight"][there])
    columns = OTHER.columns("test")
    trainer.student.eval()
    from leader_core.student.scorer import predict

    mine = predict(trainer.student, trainer.encoder.columns(columns), np.arange(len(columns)))
    common = [c for c in data.vocabularies.medication if c in source.vocabularies.medication]
    places = [[v.medication.find(c) for c in common] for v in (data.vocabularies, source.vocabularies)]
    np.testing.assert_allclose(mine[:, places[0]], score_columns(source, columns)[:, places[1]], atol=0.2)


def test_a_started_student_that_reads_titles_reads_matching_codes_as_the_other_does(tmp_path: Path) -> None:
    from train.console import Silent

    config = StudentConfig(profile_fields=("gender",), code_text=True)
    quick = StudentTraining(batch_size=16, epochs=1)

    def trainer(hospital: Hospital) -> StudentTrainer:
        data = dataclasses.replace(StudentData.of(hospital, "last"), titles=title)  # type: ignore[arg-type]
        return StudentTrainer(
            data, config, quick, seed=1, device="cpu", report=Silent(), vectors=WordVectors()
        )

    data = dataclasses.replace(StudentData.of(HOSPITAL, "last"), titles=title)  # type: ignore[arg-type]
    train_student(
        data, config, quick, tmp_path / "s", preset="test", seed=1, device="cpu", vectors=WordVectors()
    )
    source = StudentScorer.load(tmp_path / "s", "cpu")
    started = trainer(OTHER)
    start_from(started.student, started.encoder, source)
    started.student.fold_titles()
    own, theirs = started.student.state_dict(), source.model.state_dict()
    here, there = started.data.vocabularies.diagnosis, source.vocabularies.diagnosis
    for code in [code for code in here if code in there][:20]:
        mine = own["codes.weight"][started.encoder.layout.offset("diagnosis") + here.find(code)]
        other = theirs["codes.weight"][source.encoder.layout.offset("diagnosis") + there.find(code)]
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=0)


def test_folds_over_a_few_patients_end_in_metrics_and_sentences(
    model: Path, tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "folds.json"
    line = ["realdata", "--cohort", "other.duckdb", "--student", str(model), "--folds", "2", "--json"]
    assert main([*line, "--config", str(folder / "quick.toml"), "--out", str(out), "--device", "cpu"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result == json.loads(out.read_text())
    assert set(result["models"]) == {"started", "scratch", "synthetic", "logistic", "popularity"}
    for entry in result["models"].values():
        assert entry["groups"]["overall"]["cases"] == 60
        assert entry["groups"]["overall"]["prauc"]["low"] < entry["groups"]["overall"]["prauc"]["high"]
    text = " ".join(fold_sentences(result))
    assert "60 patients give intervals" in text
    assert "Popularity: " in text and "*Student, from scratch*" in text
