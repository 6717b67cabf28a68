"""Stored scores: what is written comes back, the worklist filters and sorts by it, and a file that does not fit is refused."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import duckdb
import numpy as np
import pytest

from leader_core import Engine
from leader_core.cohort import Cohort, PatientQuery
from leader_core.errors import InputError
from leader_core.evaluation.metrics import case_metrics
from leader_core.interactions import choices_of, is_statistical, review
from leader_core.interactions.conditions import findings
from leader_core.stored_scores import ScoreWriter, scores_path
from tests.planted import CUT, UNNAMED, Planted

MODELS = ("teacher", "student")


CASES_REVIEWED = 40


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory, synthetic_cohort: Path) -> Planted:
    return Planted(synthetic_cohort, tmp_path_factory.mktemp("scores"), MODELS)


def jaccard(hospital: Planted, name: str) -> dict[int, float]:
    """Jaccard of every patient, computed here."""
    chosen = (hospital.scores[name] >= CUT[name]) & hospital.known[name]
    both, either = (chosen & hospital.truth).sum(1), (chosen | hospital.truth).sum(1)
    return dict(zip(hospital.columns.patient_ids.tolist(), (both / either).tolist(), strict=True))


def test_what_was_written_comes_back(hospital: Planted) -> None:
    store = hospital.cohort.scores
    assert store is not None and hospital.cohort.scores_note == ""
    assert set(store.models) == {"teacher", "student", "prescribed"}
    assert store.models["student"].threshold == CUT["student"]
    assert store.models["teacher"].cases == len(hospital.columns)
    for n in (0, 7, len(hospital.columns) - 1):
        result = store.case(int(hospital.columns.visit_ids[n]), "teacher")
        assert result is not None
        scores, truncated = result
        assert list(scores) == list(hospital.codes) and truncated == hospital.truncated[n]
        assert np.allclose(list(scores.values()), hospital.scores["teacher"][n])
    student = store.case(int(hospital.columns.visit_ids[0]), "student")
    assert student is not None and set(hospital.codes[:UNNAMED]).isdisjoint(student[0])
    assert store.case(-5, "teacher") is None


def test_the_worklist_shows_the_metrics_of_the_evaluator(hospital: Planted) -> None:
    page = hospital.cohort.patients(PatientQuery(page_size=1000))
    teacher, student = jaccard(hospital, "teacher"), jaccard(hospital, "student")
    assert len(page.rows) == len(hospital.columns)
    for row in page.rows:
        assert row.teacher_jaccard == pytest.approx(teacher[row.patient_id], abs=1e-6)
        assert row.student_jaccard == pytest.approx(student[row.patient_id], abs=1e-6)
    n = 4
    patient = int(hospital.columns.patient_ids[n])
    row = next(r for r in page.rows if r.patient_id == patient)
    sets = {m: set(np.flatnonzero((hospital.scores[m][n] >= CUT[m]) & hospital.known[m])) for m in MODELS}
    union = sets["teacher"] | sets["student"]
    assert row.gap == pytest.approx(1 - len(sets["teacher"] & sets["student"]) / len(union), abs=1e-6)
    for name, chosen in {**sets, "prescribed": set(np.flatnonzero(hospital.truth[n]))}.items():
        counts = counted(hospital, patient, chosen)
        assert getattr(row, f"{name}_severe") == counts["contraindicated"] + counts["major"]
        assert getattr(row, f"{name}_contraindicated") == counts["contraindicated"]


def counted(hospital: Planted, patient: int, chosen: set[int]) -> Counter[str]:
    """The alerts of a set of classes as a case page shows them."""
    cohort = hospital.cohort
    case = cohort.case(patient)
    orders = cohort.orders(case.current.visit_id or 0)
    shares = cohort.drug_shares()
    choices = choices_of((hospital.codes[i] for i in chosen), orders, shares, cohort.fingerprint.atc_level)
    reviewed = review(choices, cohort.interactions, shares, diagnoses=findings(case))
    return Counter(alert.rank for alert in reviewed.alerts)


def test_statistical_and_graded_pairs_are_counted_apart(hospital: Planted) -> None:
    with duckdb.connect(str(hospital.file), read_only=True) as connection:
        result = connection.execute(
            "SELECT visit_id, moderate, minor, statistical, prauc FROM case_scores WHERE model = 'teacher' ORDER BY visit_id"
        ).fetchall()
    order = np.argsort(hospital.columns.visit_ids)
    expected = case_metrics(hospital.scores["teacher"], hospital.truth, CUT["teacher"], None).prauc[order]
    for (visit_id, moderate, minor, statistical, prauc), n, value in zip(
        result, order, expected, strict=True
    ):
        assert visit_id == hospital.columns.visit_ids[n]
        chosen = [
            c
            for c, p in zip(hospital.codes, hospital.scores["teacher"][n], strict=True)
            if p >= CUT["teacher"]
        ]
        pairs = hospital.cohort.interactions.among(chosen)
        assert statistical == sum(map(is_statistical, pairs))
        if n < CASES_REVIEWED:
            patient, numbers = int(hospital.columns.patient_ids[n]), {hospital.codes.index(c) for c in chosen}
            counts = counted(hospital, patient, numbers)
            assert (moderate, minor) == (counts["moderate"], counts["minor"])
        assert prauc == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("sort", ["teacher_jaccard", "student_jaccard", "gap", "prescribed_severe"])
@pytest.mark.parametrize("descending", [False, True])
def test_sorting_by_a_score(hospital: Planted, sort: str, descending: bool) -> None:
    page = hospital.cohort.patients(PatientQuery(sort=sort, descending=descending, page_size=1000))  # type: ignore[arg-type]
    values = [getattr(row, sort) for row in page.rows]
    assert values == sorted(values, reverse=descending) and len(set(values)) > 3


def test_filters_keep_exactly_the_rows_within_their_limits(hospital: Planted) -> None:
    everyone = hospital.cohort.patients(PatientQuery(page_size=1000)).rows
    for name in ("teacher_jaccard", "student_jaccard", "gap", "prescribed_severe"):
        low, high = np.quantile([getattr(r, name) for r in everyone], (0.25, 0.75)).tolist()
        expected = {r.patient_id for r in everyone if low <= getattr(r, name) <= high}
        query = PatientQuery(page_size=1000, **{name: (low, high)})  # type: ignore[arg-type]
        assert {r.patient_id for r in hospital.cohort.patients(query).rows} == expected
        assert 0 < len(expected) < len(everyone), name
        assert set(hospital.cohort.patient_ids(query)) == expected
    worst = {r.patient_id: max(r.teacher_severe or 0, r.student_severe or 0) for r in everyone}
    result = hospital.cohort.patients(PatientQuery(page_size=1000, suggested_severe=(2, 10_000))).rows
    assert {r.patient_id for r in result} == {p for p, count in worst.items() if count >= 2}
    cut = hospital.cohort.patients(PatientQuery(page_size=1000, truncated=True)).rows
    assert {r.patient_id for r in cut} == set(hospital.columns.patient_ids[hospital.truncated].tolist())


def test_chapters_and_chosen_patients(hospital: Planted) -> None:
    first = hospital.cohort.chapters()[0]
    page = hospital.cohort.patients(PatientQuery(page_size=1000, chapters=(first,)))
    from leader_core.terminology.chapters import chapter

    expected = {
        case.patient_id
        for case in hospital.cohort.cases()
        if any(chapter(code) == first for code in case.current.diagnoses)
    }
    assert {r.patient_id for r in page.rows} == expected and 0 < len(expected) < len(hospital.columns)
    some = tuple(sorted(expected))[:3]
    assert [r.patient_id for r in hospital.cohort.patients(PatientQuery(patient_ids=some)).rows] == list(some)
    assert hospital.cohort.patients(PatientQuery(patient_ids=())).total == 0


@pytest.mark.parametrize("column", ["age", "visits", "medications", "gap", "teacher_jaccard"])
def test_a_distribution_counts_every_patient_once(hospital: Planted, column: str) -> None:
    query = PatientQuery(genders=("F",), page_size=1000)
    spread = hospital.cohort.spread(query, column)  # type: ignore[arg-type]
    rows = hospital.cohort.patients(query).rows
    assert sum(spread.counts) + spread.missing == len(rows)
    assert len(spread.edges) == len(spread.counts) + 1
    low, high = spread.edges[2], spread.edges[3]
    assert spread.counts[2] == sum(low <= getattr(r, column) < high for r in rows)


def test_a_distribution_of_something_else_is_refused(hospital: Planted) -> None:
    with pytest.raises(InputError, match="admitted_at"):
        hospital.cohort.spread(PatientQuery(), "admitted_at")


def test_the_engine_gives_a_stored_case_without_any_model(hospital: Planted, tmp_path: Path) -> None:
    engine = Engine.open(cohort=hospital.cohort.path, models=tmp_path / "none")
    patient = int(hospital.columns.patient_ids[2])
    case = engine.cohort.case(patient)
    recommendation = engine.stored(case, "student")
    assert recommendation is not None
    chosen = (hospital.scores["student"][2] >= CUT["student"]) & hospital.known["student"]
    assert {m.code for m in recommendation.selected} == {hospital.codes[i] for i in np.flatnonzero(chosen)}
    assert recommendation.threshold == CUT["student"]
    assert recommendation.truncated == hospital.truncated[2]
    probabilities = [m.probability for m in recommendation.medications]
    assert probabilities == sorted(probabilities, reverse=True)
    edited = engine.cohort.case(patient).observed()
    assert engine.stored(edited, "student") == recommendation  # what was prescribed plays no part
    from dataclasses import replace

    changed = replace(case, profile=dict(case.profile), current=replace(case.current, visit_id=None))
    assert engine.stored(changed, "student") is None


def test_a_cohort_without_scores_works_and_says_nothing(synthetic_cohort: Path) -> None:
    cohort = Cohort.open(synthetic_cohort)
    assert cohort.scores is None and cohort.scores_note == ""
    row = cohort.patients(PatientQuery(sort="gap")).rows[0]
    assert row.gap is None and row.teacher_jaccard is None
    assert cohort.patients(PatientQuery(gap=(0.0, 1.0))).total == 0
    assert cohort.spread(PatientQuery(), "gap").counts == ()
    cohort.close()


@pytest.mark.parametrize("damage", ["other cohort", "no database", "no tables", "other format"])
def test_scores_that_do_not_fit_are_named_and_left_alone(
    hospital: Planted, synthetic_cohort: Path, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "d.duckdb"
    shutil.copy(synthetic_cohort, path)
    file = scores_path(path)
    if damage == "no database":
        file.write_bytes(b"not a database" * 400)
    elif damage == "no tables":
        duckdb.connect(str(file)).close()
    else:
        shutil.copy(hospital.file, file)
        key = "cohort" if damage == "other cohort" else "format"
        with duckdb.connect(str(file)) as connection:
            connection.execute("UPDATE meta SET value = 'another' WHERE key = ?", [key])
    cohort = Cohort.open(path)
    assert cohort.scores is None
    assert file.name in cohort.scores_note and "python -m train scores" in cohort.scores_note
    assert cohort.patients(PatientQuery()).total > 0
    cohort.close()


def test_a_failed_run_leaves_the_earlier_file(hospital: Planted) -> None:
    before = hospital.file.read_bytes()
    with (
        pytest.raises(RuntimeError, match="stopped"),
        ScoreWriter.writing(
            hospital.file, "x", "last", hospital.codes, hospital.cohort.interactions
        ) as writer,
    ):
        writer.add("teacher", "d", 0.5, hospital.known["teacher"], hospital.blocks("teacher"))
        with pytest.raises(InputError, match="written already"):
            writer.add("teacher", "d", 0.5, hospital.known["teacher"], hospital.blocks("teacher"))
        raise RuntimeError("stopped")
    assert hospital.file.read_bytes() == before
    assert [p.name for p in hospital.file.parent.iterdir() if "partial" in p.name] == []
