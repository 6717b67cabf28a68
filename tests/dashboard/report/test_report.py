"""Exported reports: the whole case, nothing hidden that should not be, nothing in them that runs."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard.report.content import CaseReport, compose
from dashboard.report.download import file_name
from dashboard.report.first_page import first_page
from dashboard.report.html import write_html
from dashboard.report.json_csv import comparison_csv, write_json
from dashboard.report.pdf import write_pdf
from dashboard.scores.trust_text import SimilarResult
from dashboard.shared import wording
from dashboard.shared.csv_table import safe_cell
from dashboard.shared.session import Subject
from leader_core import Case, Visit
from leader_core.cohort import PatientQuery
from leader_core.exchange.case_json import read_case_file
from leader_core.explain import Outcomes, code_item
from leader_core.explain.changes import drop
from leader_core.interactions.review import counts_text
from leader_core.similar import SimilarQuery
from leader_core.workspace import Note
from tests.browser.pdf_text import pages, words
from tests.dashboard.conftest import with_evidence
from tests.fakes import FakeEngine, FakeSimilar

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
EVIL = "<script>alert(1)</script>\"'&"


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    result = FakeEngine()
    result.finish_loading()
    return result


def _report(engine: FakeEngine, *, hide: bool = False, case: Case | None = None, **cuts: float) -> CaseReport:
    patient_id = None if case else 10006
    case = case or engine.cohort.case(10006)
    scored: dict[Any, Any] = {name: engine.recommend(case, name) for name in ("teacher", "student")}
    scored |= {name: engine.with_threshold(scored[name], cut) for name, cut in cuts.items()}
    return compose(engine, case, scored, patient_id=patient_id, hide=hide, made_at=NOW)  # type: ignore[arg-type]


def _words(data: bytes) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", data.decode(), flags=re.DOTALL))


def test_notes_and_the_students_name_stand_in_every_report_but_not_where_the_orders_are_hidden(
    engine: FakeEngine,
) -> None:
    case = engine.cohort.case(10006)
    note = Note("n", 1, f"Why heparin? {EVIL}", "AB", NOW, NOW, 10006, case.current.visit_id, 1, 0)
    earlier = replace(note, note_id="m", text="seen before", visit_id=-1)
    scored = {"student": engine.recommend(case, "student")}
    common = {"patient_id": 10006, "made_at": NOW, "notes": (note, earlier), "student_name": "mine, seed 7"}
    report, hidden = (compose(engine, case, scored, hide=hide, **common) for hide in (False, True))  # type: ignore[arg-type]
    html = write_html(report)
    assert EVIL.encode() not in html
    for written in (_words(html), words(write_pdf(report))):
        assert "“mine, seed 7”, trained here" in written
        assert "Why heparin?" in written and "seen before" in written and "about another visit" in written
    assert [each["text"] for each in json.loads(write_json(report))["written_notes"]] == [
        note.text,
        "seen before",
    ]
    assert (
        "heparin?" not in _words(write_html(hidden)) and json.loads(write_json(hidden))["written_notes"] == []
    )


def test_the_html_says_everything_and_needs_nothing(engine: FakeEngine) -> None:
    report = _report(engine, student=0.42)
    text, source = _words(write_html(report)), write_html(report).decode()
    case = engine.cohort.case(10006)
    for part in (
        wording.NOT_A_DEVICE, "Drug classes only (ATC level 3)", "Patient 10006", "made 22 Nov 2026, 09:05 UTC",
        "Synthetic hospital (MIMIC-III layout)", report.fingerprint.digest[:16], "0.42, moved by the viewer from",
        "Jaccard", wording.INTENDED_USE, "What to do", "unlisted, not safe", "Alerts with the drugs ordered",
    ):  # fmt: skip
        assert part in text, part
    for visit in (*case.history, case.current):
        for code in (*visit.diagnoses, *visit.procedures, *visit.medications):
            assert code in text
    assert all(row.code in text for group in report.groups for row in group.rows)
    assert not re.search(r"<script|https?://|<link|<img|<iframe|\son\w+=", source)
    assert "default-src" in source and "@media print" in source and "@font-face" in source


def test_hiding_the_prescription_leaves_no_trace_of_it(engine: FakeEngine) -> None:
    case = engine.cohort.case(10006)
    shown, hidden = _report(engine), _report(engine, hide=True)
    assert shown.prescribed_known and not hidden.prescribed_known
    orders = set(shown.orders.values())
    assert orders
    for data in (write_html(hidden), write_json(hidden), comparison_csv(hidden)):
        text = data.decode()
        assert not any(order in text for order in orders)
        assert "<dt>Jaccard" not in text and '"Jaccard"' not in text
    record = json.loads(write_json(hidden))
    assert "medications" not in record["case"]["current"]
    assert not any("ordered" in row for row in record["medications"])
    assert "ordered" not in {name for alert in record["alerts"] for name in alert["among"]}
    assert not any(alert["carried"] for alert in record["alerts"])
    assert "left out of this report" in _words(write_html(hidden))
    assert json.loads(write_json(shown))["case"]["current"]["medications"] == list(case.prescribed)


def test_two_hidden_reports_of_different_truths_are_the_same(engine: FakeEngine) -> None:
    """The strongest sign that nothing leaks: the truth changes and the files do not."""
    case = engine.cohort.case(10006)
    other = replace(
        case, profile=dict(case.profile), current=replace(case.current, medications=("N05A", "M01A"))
    )
    scored: dict[Any, Any] = {"student": engine.recommend(case, "student")}
    reports = [
        compose(engine, c, scored, patient_id=10006, hide=True, made_at=NOW)  # type: ignore[arg-type]
        for c in (case, other)
    ]
    for write in (write_html, write_json, write_pdf, comparison_csv):
        assert write(reports[0]) == write(reports[1]), write.__name__


def test_everything_given_is_escaped(engine: FakeEngine) -> None:
    case = Case({"insurance": EVIL}, (), Visit((f"ICD9:{EVIL}",)))
    report = replace(_report(engine, case=case), title=EVIL, notices=(EVIL,), orders={"B01A": EVIL})
    source = write_html(report).decode()
    assert "<script" not in source and "&lt;script&gt;alert(1)" in source


def test_the_json_holds_a_case_that_can_be_read_back(engine: FakeEngine) -> None:
    report = _report(engine)
    data = write_json(report)
    back = read_case_file(data)
    assert back == engine.cohort.case(10006)
    record = json.loads(data)
    rows = {row["code"]: row for row in record["medications"]}
    for name in ("teacher", "student"):
        scores = {m.code: m.probability for m in engine.recommend(back, name).medications}
        assert {code: rows[code][name] for code in scores} == scores, "not rounded"
    assert record["models"]["student"]["cut_off"] == record["models"]["student"]["own_cut_off"]
    assert record["cohort"]["digest"] == report.fingerprint.digest
    assert read_case_file(write_json(_report(engine, case=back))).patient_id is None, (
        "an entered case has no id"
    )


def test_the_pdf_turns_pages_and_holds_any_letters(engine: FakeEngine) -> None:
    visits = tuple(Visit(tuple(f"ICD9:{n:03d}" for n in range(90))) for _ in range(3))
    case = Case({"insurance": "Ménière Ωmega Привет 漢字"}, visits, Visit(("ICD9:4280",)))
    data = write_pdf(_report(engine, case=case))
    assert data.startswith(b"%PDF-") and data.rstrip().endswith(b"%%EOF")
    assert len(pages(data)) >= 3
    assert b"/FontFile2" in data, "fonts are inside"
    assert "Ménière Ωmega Привет ??" in words(data), "a question mark for what the fonts do not have"
    assert data != write_pdf(_report(engine, case=replace(case, profile={"insurance": "Other"})))


@pytest.mark.parametrize("problems", [3, 34])
def test_the_first_page_holds_the_case_and_counts_what_it_leaves_out(
    engine: FakeEngine, problems: int
) -> None:
    """One A4 page: problems, the screen's own counts of alerts, what was ordered; what has no room is counted."""
    case = engine.cohort.case(10006)
    long = tuple(f"ICD9:{n:03d}{' disease of some kind' * 6}" for n in range(problems))
    case = replace(case, profile=dict(case.profile), current=replace(case.current, diagnoses=long))
    report = compose(
        engine, case, {n: engine.recommend(case, n) for n in ("teacher", "student")}, patient_id=10006, hide=False,
        made_at=NOW,
    )  # type: ignore[arg-type]  # fmt: skip
    first, second, *_ = pages(write_pdf(report))
    assert second.startswith("Appendix")
    counts = engine.review_set(case, case.prescribed, engine.cohort.orders(case.current.visit_id or 0)).counts
    assert f"Alerts with the drugs ordered: {counts_text(counts)}" in " ".join(first.split())
    summary, appendix = write_html(report).decode().split('<h1 class="appendix">')
    for code in long:
        assert code in appendix
    shown = sum(code in summary for code in long)
    assert shown == problems or f"and {problems - shown} more, see the appendix" in summary
    assert (shown < problems) is (problems > 30)
    for group in first_page(report).classes:
        assert group.label in first
        assert {w for line in group.lines for text in line for w in text.split()} <= {*first.split(), "✓"}, (
            "whole"
        )
    assert "page" not in re.sub(r"<[^>]+>", " ", summary.split("</style>")[1]).lower(), "no page of the app"


def test_reasons_stand_with_each_class_and_in_the_json(engine: FakeEngine) -> None:
    case = engine.cohort.case(10006)
    rec: Any = {"student": engine.recommend(case, "student")}
    codes = tuple(m.code for m in rec["student"].medications)
    item = drop(code_item(len(case.history), "diagnosis", case.current.diagnoses[0]))
    before = np.full(len(codes), 0.8, np.float32)
    outcomes = Outcomes("student", codes, 0.4, before, (item,), before[None] - np.float32(0.5), 2, 0.0)
    report = compose(engine, case, rec, patient_id=10006, hide=False, made_at=NOW, outcomes=outcomes)  # type: ignore[arg-type]
    title = engine.cohort.title("diagnosis", case.current.diagnoses[0])
    page = first_page(report)
    assert [column.heading for column in page.columns][-2:] == [
        "Student", "Points to it most"
    ]  # fmt: skip
    assert {line[-1] for group in page.classes for line in group.lines if line[-2] == "✓"} == {title}
    rows = json.loads(write_json(report))["medications"]
    assert rows[0]["reasons"] == [
        {"text": title, "before": pytest.approx(0.8), "without": pytest.approx(0.3)}
    ]
    assert f"{title} 0.30" in _words(write_html(report))


def test_drugs_that_were_typed_count_as_ordered(engine: FakeEngine) -> None:
    case = Case({}, (), Visit(("ICD9:42731",)))
    typed = {"patient_id": None, "hide": False, "made_at": NOW, "drugs": ("warfarin", "ibuprofen")}
    report = compose(engine, case, {"student": engine.recommend(case, "student")}, **typed)  # type: ignore[arg-type]
    ordered = {row["code"] for row in json.loads(write_json(report))["medications"] if row["ordered"]}
    assert ordered == {"B01A", "M01A"} and report.orders["B01A"] == "warfarin"
    assert "<dt>Jaccard" not in write_html(report).decode(), (
        "a list that was typed is no record to measure against"
    )


def test_a_model_without_scores_is_said_to_be_absent(engine: FakeEngine) -> None:
    report = compose(engine, engine.cohort.case(10003), {}, patient_id=10003, hide=False, made_at=NOW)  # type: ignore[arg-type]
    text = _words(write_html(report))
    assert "teacher's scores were not available" in text.replace("&#39;", "'")
    assert [group.label for group in report.groups] == ["Ordered"]
    assert write_pdf(report).startswith(b"%PDF-")
    assert wording.FIRST_VISIT in text.replace("&#39;", "'")


def _with_similar(
    engine: FakeEngine, *, hide: bool = False, case: Case | None = None, **query: Any
) -> CaseReport:
    case = case or engine.cohort.case(10006)
    scored: dict[Any, Any] = {name: engine.recommend(case, name) for name in ("teacher", "student")}
    similar = FakeSimilar(engine.cohort).find(case, SimilarQuery(**query))
    near = SimilarResult(similar, ("Same gender",), "")
    return compose(engine, case, scored, patient_id=10006, hide=hide, made_at=NOW, near=near)  # type: ignore[arg-type]


def test_similar_patients_go_with_the_case_and_are_of_the_training_split(engine: FakeEngine) -> None:
    report = _with_similar(engine, same_gender=True)
    near = FakeSimilar(engine.cohort).find(engine.cohort.case(10006), SimilarQuery(same_gender=True))
    values = json.loads(write_json(report))["similar_patients"]
    assert (values["split"], values["among"], values["training"]) == ("train", near.among, near.training)
    assert values["filters"] == ["Same gender"]
    assert {g["code"]: (g["count"], g["of"]) for g in values["given"]} == {
        code: (given.count, given.total) for code, given in near.given.items()
    }
    assert [n["patient_id"] for n in values["neighbours"]] == [n.patient_id for n in near.neighbours]
    splits = {row.patient_id: row.split for row in engine.cohort.patients(PatientQuery(page_size=1000)).rows}
    assert {splits[n["patient_id"]] for n in values["neighbours"]} == {"train"}
    text = _words(write_html(report))
    assert "Similar patients of the training split" in text and "Filters: Same gender." in text
    best = values["given"][0]
    assert f"{best['count']} of {best['of']}" in text
    for neighbour in near.neighbours:
        assert f"Patient {neighbour.patient_id}, similarity {neighbour.similarity:.2f}" in text
    fewer = replace(report, similar=replace(report.similar, neighbours=report.similar.neighbours[3:]))
    assert write_pdf(fewer) != write_pdf(report), "on paper, too"


def test_neighbours_that_are_not_there_are_a_sentence(engine: FakeEngine) -> None:
    near = SimilarResult(None, (), "They appear when the student is ready.")
    report = compose(
        engine, engine.cohort.case(10006), {}, patient_id=10006, hide=False, made_at=NOW, near=near
    )  # type: ignore[arg-type]
    assert "They appear when the student is ready." in _words(write_html(report))
    assert json.loads(write_json(report))["similar_patients"]["neighbours"] == []
    assert write_pdf(report) != write_pdf(_report(engine))


def test_how_far_to_trust_the_scores_goes_with_them(tmp_path: Path) -> None:
    """Both models with evidence: every class in 100 cases, prescribed in those scored above a half."""
    engine = with_evidence(tmp_path)
    engine.finish_loading()
    report = _with_similar(engine)
    values = json.loads(write_json(report))["trust"]
    scores = {m.code: m for m in engine.recommend(engine.cohort.case(10006), "teacher").medications}
    assert set(values["models"]) == {"teacher", "student"}
    for code, trust in values["models"]["teacher"]["classes"].items():
        assert trust["probability"] == scores[code].probability
        assert trust["prevalence"] == {"part": 50, "whole": 100}
        assert trust["low"] <= scores[code].probability <= trust["high"]
    assert "nearer than 42 % of validation patients" in values["about"]["To training data"]
    text = _words(write_html(report))
    assert "How far to trust these scores" in text and "nearer than 42 % of validation patients" in text
    assert "Ordered in 50 of 100 cases (50 %)." in text
    assert text.count("Each class was counted on 100 validation cases") == 2
    silent = replace(report, trust=())
    assert write_pdf(silent) != write_pdf(report) and "counted on" not in _words(write_html(silent))


def test_neighbours_and_trust_know_nothing_of_a_hidden_prescription(engine: FakeEngine) -> None:
    case = engine.cohort.case(10006)
    other = replace(case, profile=dict(case.profile), current=replace(case.current, medications=("N05A",)))
    for write in (write_html, write_json, write_pdf):
        assert write(_with_similar(engine, hide=True)) == write(_with_similar(engine, hide=True, case=other))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "  =", "\uff1d"])
def test_no_cell_is_a_formula(start: str) -> None:
    assert str(safe_cell(f"{start}cmd|' /C calc'!A0")).startswith("'")


def test_the_csv_keeps_numbers_and_marks_formulas(engine: FakeEngine) -> None:
    report = _report(engine)
    first, *others = report.groups
    bad = replace(first.rows[0], title="=HYPERLINK(1)")
    report = replace(report, groups=(replace(first, rows=(bad, *first.rows[1:])), *others))
    table = list(csv.DictReader(io.StringIO(comparison_csv(report).decode("utf-8-sig"))))
    assert table[0]["title"] == "'=HYPERLINK(1)"
    assert float(table[0]["teacher"]) == pytest.approx(bad.scores["teacher"], abs=1e-6)
    assert {row["ordered"] for row in table} == {"yes", "no"}


def test_file_names_hold_nothing_of_the_case(engine: FakeEngine) -> None:
    assert (
        file_name(Subject(engine.cohort.case(10006), "cohort", 10006, 2), NOW)
        == "leader-patient-10006-visit-2-2026-11-22"
    )
    assert file_name(Subject(Case(current=Visit((EVIL,))), "draft"), NOW) == "leader-entered-case-2026-11-22"
