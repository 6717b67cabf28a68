"""Exported reports: the whole case, nothing hidden that should not be, nothing in them that runs."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import networkx as nx
import pytest

from dashboard import wording
from dashboard.components.exports import file_name
from dashboard.exports.data import write_json
from dashboard.exports.graph import graphml
from dashboard.exports.html import write_html
from dashboard.exports.pdf import write_pdf
from dashboard.exports.report import Report, compose
from dashboard.exports.tables import comparison_csv, safe_cell
from dashboard.state import Subject
from leader_core import Case, Visit
from leader_core.exchange.case_json import read_case_file
from tests.fakes import PAIRS, FakeEngine

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
EVIL = "<script>alert(1)</script>\"'&"


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    made = FakeEngine()
    made.finish_loading()
    return made


def _report(engine: FakeEngine, *, hide: bool = False, case: Case | None = None, **cuts: float) -> Report:
    subject = Subject(case, "draft") if case else Subject(engine.cohort.case(10006), "cohort", 10006, 2)
    found: dict[Any, Any] = {name: engine.recommend(subject.case, name) for name in ("teacher", "student")}
    found |= {name: engine.with_threshold(found[name], cut) for name, cut in cuts.items()}
    return compose(engine, subject, found, hide=hide, made_at=NOW)  # type: ignore[arg-type]


def _words(data: bytes) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", data.decode(), flags=re.DOTALL))


def test_the_html_says_everything_and_needs_nothing(engine: FakeEngine) -> None:
    report = _report(engine, student=0.42)
    text, source = _words(write_html(report)), write_html(report).decode()
    case = engine.cohort.case(10006)
    for part in (
        wording.NOT_A_DEVICE, "Drug classes only (ATC level 3)", "Patient 10006", "made 22 Nov 2026, 09:05 UTC",
        "Synthetic hospital (MIMIC-III layout)", report.fingerprint.digest[:16], "0.42, moved by the viewer from",
        "Jaccard", wording.INTENDED_USE, "What to do", "unlisted, not safe",
    ):  # fmt: skip
        assert part in text, part
    for visit in (*case.history, case.current):
        for code in (*visit.diagnoses, *visit.procedures, *visit.medications):
            assert code in text
    assert all(row.code in text for _, rows in report.groups for row in rows)
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
    assert not any("prescribed" in row for row in record["medications"])
    assert "prescribed" not in {name for pair in record["interactions"] for name in pair["among"]}
    assert "left out of this report" in _words(write_html(hidden))
    assert json.loads(write_json(shown))["case"]["current"]["medications"] == list(case.prescribed)


def test_two_hidden_reports_of_different_truths_are_the_same(engine: FakeEngine) -> None:
    """The strongest sign that nothing leaks: the truth changes and the files do not."""
    case = engine.cohort.case(10006)
    other = replace(
        case, profile=dict(case.profile), current=replace(case.current, medications=("N05A", "M01A"))
    )
    found: dict[Any, Any] = {"student": engine.recommend(case, "student")}
    made = [
        compose(engine, Subject(c, "cohort", 10006, 2), found, hide=True, made_at=NOW)  # type: ignore[arg-type]
        for c in (case, other)
    ]
    for write in (write_html, write_json, write_pdf, comparison_csv):
        assert write(made[0]) == write(made[1]), write.__name__


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
    assert len(re.findall(rb"/Type /Page\b", data)) >= 5
    assert b"/FontFile2" in data, "fonts are inside"
    assert data != write_pdf(_report(engine, case=replace(case, profile={"insurance": "Other"})))


def test_a_model_without_scores_is_said_to_be_absent(engine: FakeEngine) -> None:
    subject = Subject(engine.cohort.case(10003), "cohort", 10003, 1)
    report = compose(engine, subject, {}, hide=False, made_at=NOW)  # type: ignore[arg-type]
    text = _words(write_html(report))
    assert "teacher's scores were not available" in text.replace("&#x27;", "'")
    assert [label for label, _ in report.groups] == ["Prescribed"]
    assert write_pdf(report).startswith(b"%PDF-")
    assert wording.FIRST_VISIT in text


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "  =", "\uff1d"])
def test_no_cell_is_a_formula(start: str) -> None:
    assert str(safe_cell(f"{start}cmd|' /C calc'!A0")).startswith("'")


def test_the_csv_keeps_numbers_and_marks_formulas(engine: FakeEngine) -> None:
    report = _report(engine)
    label, rows = report.groups[0]
    bad = replace(rows[0], title="=HYPERLINK(1)")
    report = replace(report, groups=((label, (bad, *rows[1:])), *report.groups[1:]))
    found = list(csv.DictReader(io.StringIO(comparison_csv(report).decode("utf-8-sig"))))
    assert found[0]["title"] == "'=HYPERLINK(1)"
    assert float(found[0]["teacher"]) == pytest.approx(bad.teacher, abs=1e-6)
    assert {row["prescribed"] for row in found} == {"yes", "no"}


def test_file_names_hold_nothing_of_the_case(engine: FakeEngine) -> None:
    assert (
        file_name(Subject(engine.cohort.case(10006), "cohort", 10006, 2), NOW)
        == "leader-patient-10006-visit-2-2026-11-22"
    )
    assert file_name(Subject(Case(current=Visit((EVIL,))), "draft"), NOW) == "leader-entered-case-2026-11-22"


def test_the_graph_opens_elsewhere_with_scores_and_pairs() -> None:
    pair = PAIRS[0]
    codes = (pair.code_a, pair.code_b, "Z99Z")
    written = graphml(codes, [pair], lambda code: f"<{code}> & more", {"student": {pair.code_a: 0.25}})
    found = nx.read_graphml(io.BytesIO(written))
    assert set(found) == set(codes)
    assert found.nodes[pair.code_a]["title"] == f"<{pair.code_a}> & more"
    assert found.nodes[pair.code_a]["student"] == 0.25 and "student" not in found.nodes[pair.code_b]
    assert found.edges[pair.code_a, pair.code_b]["severity"] == pair.severity
    assert len(found.edges) == 1
