"""Neighbours are the training patients with the highest cosine, filtered as requested, and never the patient themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from leader_core.domain import KINDS, Case, Visit
from leader_core.errors import ArtifactError, CaseError, NotFoundError
from leader_core.model_folder import Manifest
from leader_core.similar import CaseIndex, SimilarCases, SimilarQuery, index_path
from leader_core.similar.index import NEAREST, unit
from leader_core.student.config import StudentConfig
from leader_core.student.packing import pack
from leader_core.student.scorer import StudentScorer, build_student
from leader_core.vocabulary import Vocabularies, Vocabulary
from tests.hospital import Hospital

HOSPITAL = Hospital(200)
TRAINING = HOSPITAL.cases("train")
CASE = HOSPITAL.cases("test")[0]


def _scorer(seed: int = 0, digest: str = "student") -> StudentScorer:
    torch.manual_seed(seed)
    vocabularies = Vocabularies(
        *(Vocabulary.of(HOSPITAL.vocabulary_codes(kind)) for kind in KINDS),
        profile={name: Vocabulary.of(HOSPITAL.profile_values(name)) for name in HOSPITAL.profile_fields},
    )
    config = StudentConfig(profile_fields=HOSPITAL.profile_fields)
    files = {"model.safetensors": digest}
    manifest = Manifest("student", "default", 0.5, "", HOSPITAL.fingerprint, {}, {}, files=files)
    return StudentScorer(manifest, config, vocabularies, build_student(config, vocabularies))


SCORER = _scorer()
INDEX = CaseIndex.build(SCORER, HOSPITAL)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def cases() -> SimilarCases:
    similar = SimilarCases(HOSPITAL, "student", lambda: SCORER)  # type: ignore[arg-type]
    assert similar.state.status == "waiting"
    with pytest.raises(NotFoundError, match="still being read"):
        similar.find(CASE)
    similar.prepare()
    assert similar.state.status == "ready"
    return similar


def _cosines(case: Case) -> dict[int, float]:
    """Of every training patient with a case, one by one."""

    def vector(each: Case) -> np.ndarray:
        with torch.no_grad():
            result = SCORER.model(pack(SCORER.encode([each]), np.arange(1))).features[0].numpy()
        return result / np.linalg.norm(result)

    own = vector(case)
    return {t.patient_id or 0: float(vector(t) @ own) for t in TRAINING}


def test_they_are_those_of_the_highest_cosine_best_first(cases: SimilarCases) -> None:
    expected = _cosines(CASE)
    result = cases.find(CASE, SimilarQuery(count=15))
    order = sorted(expected, key=lambda p: -expected[p])
    assert [n.patient_id for n in result.neighbours] == order[:15]
    assert [n.similarity for n in result.neighbours] == pytest.approx(
        [expected[p] for p in order[:15]], abs=1e-5
    )
    assert result.mean_similarity == pytest.approx(np.mean([expected[p] for p in order[:NEAREST]]), abs=1e-5)
    assert result.training == result.among == len(TRAINING)


def test_a_neighbour_s_fields_are_those_of_its_case(cases: SimilarCases) -> None:
    by_patient = {t.patient_id: t for t in TRAINING}
    result = cases.find(CASE)
    for neighbour in result.neighbours:
        case = by_patient[neighbour.patient_id]
        assert neighbour.given == tuple(sorted(case.prescribed))
        assert neighbour.shared == tuple(c for c in CASE.current.diagnoses if c in case.current.diagnoses)
        assert (neighbour.visit_id, neighbour.visit_no) == (case.current.visit_id, len(case.history) + 1)
        assert (neighbour.gender, neighbour.diagnoses) == (
            case.profile["gender"],
            len(case.current.diagnoses),
        )


def test_how_often_each_class_was_given_and_its_weighted_share(cases: SimilarCases) -> None:
    result = cases.find(CASE, SimilarQuery(count=10))
    weights = [max(0.0, n.similarity) for n in result.neighbours]
    for code in HOSPITAL.vocabulary_codes("medication"):
        with_it = [code in n.given for n in result.neighbours]
        given = result.count_of(code)
        assert (given.count, given.total) == (sum(with_it), 10)
        assert given.weighted == pytest.approx(np.dot(weights, with_it) / sum(weights))


def test_each_filter_leaves_only_the_patients_it_names(cases: SimilarCases) -> None:
    everyone = SimilarQuery(count=len(TRAINING))
    queries = {
        "first": (replace(everyone, visits="first"), lambda t: not t.history),
        "later": (replace(everyone, visits="later"), lambda t: bool(t.history)),
        "gender": (
            replace(everyone, same_gender=True),
            lambda t: t.profile["gender"] == CASE.profile["gender"],
        ),
        "diagnosis": (
            replace(everyone, shares_diagnosis=True),
            lambda t: bool(set(t.current.diagnoses) & set(CASE.current.diagnoses)),
        ),
        "two": (
            replace(everyone, visits="first", shares_diagnosis=True),
            lambda t: not t.history and bool(set(t.current.diagnoses) & set(CASE.current.diagnoses)),
        ),
    }
    for query, belongs in queries.values():
        result = cases.find(CASE, query)
        expected = {t.patient_id for t in TRAINING if belongs(t)}
        assert {n.patient_id for n in result.neighbours} == expected and result.among == len(expected)
        assert result.mean_similarity == cases.find(CASE).mean_similarity  # whatever the filters
    nobody = replace(
        CASE, current=Visit(diagnoses=("ICD9:none",), procedures=CASE.current.procedures), profile={}
    )
    assert cases.find(nobody, replace(everyone, shares_diagnosis=True)).neighbours == ()


def test_a_training_patient_is_no_neighbour_of_their_own(cases: SimilarCases) -> None:
    case = TRAINING[3]
    result = cases.find(case, SimilarQuery(count=len(TRAINING)))
    assert len(result.neighbours) == result.training == len(TRAINING) - 1
    assert case.patient_id not in {n.patient_id for n in result.neighbours}
    stranger = cases.find(replace(case, profile=dict(case.profile), patient_id=None))
    assert stranger.neighbours[0].patient_id == case.patient_id
    assert stranger.neighbours[0].similarity == pytest.approx(1.0, abs=1e-5)


def test_what_was_prescribed_is_not_read_and_what_was_diagnosed_is(cases: SimilarCases) -> None:
    bare = CASE.observed()
    assert cases.find(bare) == cases.find(CASE)
    changed = replace(
        CASE,
        profile=dict(CASE.profile),
        current=replace(CASE.current, diagnoses=TRAINING[0].current.diagnoses),
    )
    assert cases.find(changed).neighbours != cases.find(CASE).neighbours
    with pytest.raises(CaseError, match="empty"):
        cases.find(Case())


def test_nearness_is_placed_among_that_of_validation_patients(cases: SimilarCases) -> None:
    own = sorted(cases.find(c).mean_similarity for c in HOSPITAL.cases("validation"))
    assert INDEX.nearness.tolist() == pytest.approx(own, abs=1e-5)
    result = cases.find(CASE)
    assert result.nearer_than == pytest.approx(
        sum(v <= result.mean_similarity for v in own) / len(own), abs=0.06
    )


def test_it_is_stored_and_opened_for_the_same_student_and_cohort_only(tmp_path: Path) -> None:
    path = tmp_path / "c.similar.safetensors"
    INDEX.save(path)
    opened = CaseIndex.open(path, student="student", cohort=HOSPITAL.fingerprint.digest)
    for name in ("vectors", "patient_ids", "visit_no", "gender", "age_band", "nearness"):
        np.testing.assert_array_equal(getattr(opened, name), getattr(INDEX, name))
    assert opened.labels == INDEX.labels
    rows = range(len(INDEX))
    assert [opened.codes["diagnosis"].of(r) for r in rows] == [INDEX.codes["diagnosis"].of(r) for r in rows]
    for student, cohort in (("another", HOSPITAL.fingerprint.digest), ("student", "another")):
        with pytest.raises(ArtifactError, match="python -m train scores"):
            CaseIndex.open(path, student=student, cohort=cohort)
    path.write_bytes(b"nothing")
    with pytest.raises(ArtifactError, match="holds no training cases"):
        CaseIndex.open(path, student="student", cohort=HOSPITAL.fingerprint.digest)


def test_a_file_next_to_the_cohort_is_used_and_one_of_another_student_is_not(tmp_path: Path) -> None:
    hospital = Hospital(200, path=tmp_path / "c.duckdb")
    INDEX.save(index_path(hospital.path))
    ready = SimilarCases(hospital, "student", lambda: SCORER)  # type: ignore[arg-type]
    assert ready.state.status == "ready" and ready.find(CASE).neighbours
    other = SimilarCases(hospital, "another", lambda: SCORER)  # type: ignore[arg-type]
    assert other.state.status == "waiting" and "another student" in other.state.reason


def test_without_a_student_or_with_too_many_patients_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    none = SimilarCases(HOSPITAL, "", lambda: SCORER)  # type: ignore[arg-type]
    none.prepare()
    assert none.state.status == "impossible" and "student" in none.state.reason
    monkeypatch.setattr("leader_core.similar.find.MAX_AUTO_PATIENTS", 100)
    many = SimilarCases(HOSPITAL, "student", lambda: SCORER)  # type: ignore[arg-type]
    many.prepare()
    assert many.state.status == "impossible" and "python -m train scores" in many.state.reason

    def fails() -> StudentScorer:
        raise NotFoundError("No student.")

    monkeypatch.undo()
    broken = SimilarCases(HOSPITAL, "student", fails)  # type: ignore[arg-type]
    broken.prepare()
    assert (broken.state.status, broken.state.reason) == ("impossible", "No student.")


def test_unit_vectors_have_length_one_and_nothing_stays_nothing() -> None:
    result = unit(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32))
    np.testing.assert_allclose(result, [[0.6, 0.8], [0.0, 0.0]])


def test_diagnoses_are_shared_as_the_student_reads_them(
    cases: SimilarCases, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = replace(
        CASE, profile=dict(CASE.profile), current=replace(CASE.current, diagnoses=("ICD9:NONE",))
    )
    query = SimilarQuery(shares_diagnosis=True)
    assert cases.find(strange, query).among == 0
    monkeypatch.setattr(SCORER.encoder.reading, "of", lambda kind, code: ("ICD10:A",))
    result = cases.find(strange, query)
    assert result.among == len(TRAINING)
    assert all(neighbour.shared == ("ICD9:NONE",) for neighbour in result.neighbours)
