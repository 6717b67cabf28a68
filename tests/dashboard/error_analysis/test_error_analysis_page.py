"""The error-analysis page over planted scores: every view draws, its counts open their cases, its state stands in the link."""

from __future__ import annotations

import csv
import html
import importlib
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.error_analysis import classes, scoring, tags
from dashboard.error_analysis.context import AnalysisContext
from dashboard.error_analysis.page import VIEWS
from dashboard.error_analysis.report import write_report
from dashboard.scores.notes import RowTagging, write_tag
from dashboard.server import analysis_cache
from dashboard.server.scoring_run import ScoringRun
from dashboard.server.service import get_service
from dashboard.server.workspace import get_workspace
from dashboard.shared.analysis import format_estimate
from leader_core.error_analysis import Selection
from leader_core.workspace import NO_ERROR
from tests.dashboard.conftest import OpenPage, Serve, address, component_data, text
from tests.fakes import FakeEngine
from tests.planted import Planted


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, synthetic_cohort: Path) -> Planted:
    importlib.import_module("sklearn.tree")  # slow to import: not within the patience of a page's test
    return Planted(synthetic_cohort, tmp_path_factory.mktemp("errors"))


@pytest.fixture
def page(serve: Serve, open_page: OpenPage, planted: Planted) -> OpenPage:
    """Open the page (or another, by name) over the planted scores."""
    analysis_cache._open.clear()
    serve(FakeEngine(cohort=planted.cohort))  # type: ignore[arg-type]

    def opened(path: str = "errors", **query: str) -> AppTest:
        return open_page(path, **query)

    return opened


def _links(test: AppTest) -> list[tuple[str, str]]:
    """(text, selection) of every count that opens cases."""
    return [
        (shown, selection.replace("%3A", ":").replace("%2C", ","))
        for selection, shown in re.findall(r'href="\./\?cases=([^"&]*)[^"]*"[^>]*>([^<]*)<', text(test))
    ]


@pytest.mark.parametrize("path", ["errors", "patients"])
def test_stored_scores_are_said_to_be_of_another_student_than_the_one_in_use(
    page: OpenPage, path: str
) -> None:
    assert "the server&#39;s own student" not in text(page(path))
    get_service().student_name = "mine, seed 7"
    shown = text(page(path))
    get_service().student_name = ""
    assert "those of the server&#39;s own student, not of “mine, seed 7”" in shown


def test_without_scores_a_button_makes_them_and_a_command_does(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ScoringRun((sys.executable, "-c", "import time; time.sleep(60)"))
    monkeypatch.setattr(scoring, "get_scoring_run", lambda: run)
    monkeypatch.setattr(scoring, "defer", lambda key, work: None)
    monkeypatch.setattr(scoring, "may_score", lambda: True)
    app = open_page("errors")
    assert not app.exception
    assert "No scores are stored" in text(app)
    assert any(sys.executable in c.value and "train scores --cohort" in c.value for c in app.code)
    app.button(key="score_now").click().run()
    assert not app.exception and run.state == "running"
    app.button(key="score_cancel").click().run()
    assert run.cancelling and not app.exception


def test_scores_of_another_model_are_named_and_can_be_made_again(
    page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "may_score", lambda: True)
    monkeypatch.setattr(scoring, "without_stored_scores", lambda service: ["teacher"])
    app = page()
    assert not app.exception
    assert "not those of the teacher served now" in text(app) and app.button(key="score_now")
    monkeypatch.setattr(scoring, "without_stored_scores", lambda service: [])
    app.run()
    assert "served now" not in text(app) and "score_now" not in {b.key for b in app.button}


@pytest.mark.parametrize(
    ("view", "cases"), [*((view, "all") for view in VIEWS), ("findings", "test"), ("pair", "test")]
)
def test_every_view_draws(page: OpenPage, view: str, cases: str) -> None:
    app = page(part=view, of=cases)
    assert not app.exception and not app.error
    assert app.segmented_control(key="part_shown").value == view
    expected = {} if view == "findings" else {"part": view}
    assert expected.items() <= address(app).items()


def test_every_count_opens_exactly_that_many_cases(page: OpenPage, planted: Planted) -> None:
    for view in ("groups", "tree", "classes", "pair", "calibration"):
        extra = {"of_class": planted.codes[7]} if view == "calibration" else {}
        app = page(part=view, of="all", by="gender", **extra)
        cache = analysis_cache.get_analysis_cache(get_service())
        links = _links(app)
        assert len(links) >= 2, view
        for shown, selection in links[:40]:
            mask = cache.analysis.mask(Selection.of(selection), analysis_cache.lookup(get_service()))
            assert f"{int(mask.sum()):,}" == shown, (view, selection)


def test_a_selection_opens_its_patients_in_the_worklist(page: OpenPage) -> None:
    app = page(part="groups", of="all", by="gender")
    shown, selection = _links(app)[0]
    cache = analysis_cache.get_analysis_cache(get_service())
    expected = cache.analysis.patients(Selection.of(selection))
    listed = page("patients", cases=selection, rows="100")
    assert not listed.exception
    assert f"{int(shown.replace(',', '')):,} patients" in text(listed)
    assert "cases chosen under Error analysis" in text(listed)
    rows = {int(row["id"]) for row in component_data(listed, "worklist")["rows"]}
    assert rows <= set(expected) and len(rows) == min(100, len(expected))
    assert address(listed)["cases"] == selection
    next(b for b in listed.button if b.label == "Clear filters").click().run()
    assert "cases" not in address(listed)


@pytest.mark.parametrize("broken", ["nonsense", "gender:is:99", "list:gone"])
def test_a_stale_selection_is_a_sentence_and_no_filter(page: OpenPage, broken: str) -> None:
    listed = page("patients", cases=broken)
    assert not listed.exception and not listed.error
    assert len(component_data(listed, "worklist")["rows"]) == 25


def test_conditions_narrow_every_view_and_can_be_taken_away(page: OpenPage) -> None:
    app = page(of="all", where="gender:is:0,age:ge:60")
    assert "age at least 60" in text(app)
    before = _cases(app)
    next(b for b in app.button if b.label == "age at least 60").click().run()
    assert address(app)["where"] == "gender:is:0"
    assert _cases(app) > before


def test_a_choice_in_one_view_selects_for_every_other_and_is_cleared(page: OpenPage) -> None:
    everybody = _cases(page(of="all"))
    chosen = {"of": "all", "by": "gender", "pick": "gender:is:0", "from": "groups"}
    for view in ("heat", "findings", "groups"):
        app = page(part=view, **chosen)
        assert not app.exception and _cases(app) < everybody
        assert "Sex: Female" in app.button(key="pick-clear").label
        assert address(app)["pick"] == "gender:is:0"
        if view == "groups":
            assert "Sex: Female" in text(app) and "Male" in text(app), "its own view draws all cases still"
    app.button(key="pick-narrow").click().run()
    assert address(app)["where"] == "gender:is:0" and "pick" not in address(app)
    app = page(part="heat", **chosen)
    app.button(key="pick-clear").click().run()
    assert _cases(app) == everybody and "pick" not in address(app)


def test_a_finding_selects_its_cases_and_they_are_compared_and_saved(page: OpenPage) -> None:
    app = page(of="all")
    button = next(b for b in app.button if str(b.key).startswith("pick-never-"))
    number = int(re.sub(r"\D", "", button.label))
    button.click().run()
    assert not app.exception and _cases(app) == number
    assert address(app)["from"] == "findings" and address(app)["pick"].startswith("class:")
    app.text_input(key="_slice_name").set_value("Missed")
    app.button(key="slice-save").click().run()
    (saved,) = [c for c in get_workspace(get_service()).cohorts() if c.name == "Missed"]
    assert len(saved.patient_ids) == number
    query = {key: address(app)[key] for key in ("pick", "from")}
    compared = page(part="compare", of="all", second=f"list-{saved.cohort_id}", **query)
    assert not compared.exception
    assert f"The chosen cases ({number:,})" in text(compared) and f"List: Missed ({number:,})" in text(
        compared
    )
    assert f"share {number:,} cases" in text(compared)
    assert "corrected for all differences of this table" in text(compared)


def test_a_count_in_the_table_of_classes_selects_its_cases(page: OpenPage) -> None:
    app = page(part="classes", of="all", model="student")
    frame = app.dataframe[0].value
    row = next(i for i in range(len(frame)) if frame["Missed"].iloc[i] > 0)
    codes = [title.rsplit("(", 1)[-1].rstrip(")") for title in frame.iloc[:, 0]]
    context: Any = SimpleNamespace(model="student", analysis=SimpleNamespace(codes=codes))
    indices = range(len(codes))
    for column in ("Ordered", "Missed", "Extra"):
        (condition,) = classes.cell_conditions(context, indices, (row, column))
        link = {"of": "all", "model": "student", "pick": condition.text, "from": "classes"}
        assert _cases(page(part="groups", **link)) == frame[column].iloc[row], column
    assert f"({codes[row]})" in text(page(part="classes", **link)), "the class of the link is the one shown"
    assert classes.cell_conditions(context, indices, (row, "Recall")) == ()


def test_a_point_of_all_classes_shows_its_classes_each_with_its_cases(page: OpenPage) -> None:
    plain = page(part="calibration", of="all", model="student")
    points = [option for option in plain.selectbox(key="point_shown").options if option.startswith("Student")]
    assert not plain.dataframe and len(points) > 2
    app = page(part="calibration", of="all", model="student", point="student:1")
    frame = app.dataframe[0].value
    assert not app.exception and address(app)["point"] == "student:1"
    code = frame["Class"].iloc[0].rsplit("(", 1)[-1].rstrip(")")
    link = {"pick": f"bin:student:{code}:1", "from": "calibration"}
    assert _cases(page(part="groups", of="all", model="student", **link)) == frame["Cases"].iloc[0]
    assert frame["Beyond predicted"].abs().is_monotonic_decreasing
    np.testing.assert_allclose(
        frame["Orders"] - frame["Predicted"] * frame["Cases"], frame["Beyond predicted"], atol=1e-6
    )


def test_a_map_that_is_not_stored_says_how_to_store_it(page: OpenPage) -> None:
    assert "No map of these cases is stored" in text(page(part="map", of="all"))


def test_a_box_on_the_map_is_a_selection(page: OpenPage, planted: Planted) -> None:
    page(of="all")
    analysis = analysis_cache.get_analysis_cache(get_service()).analysis
    points = np.linspace(-1, 1, 2 * len(analysis.frame), dtype=np.float32).reshape(-1, 2)
    analysis.__dict__["case_map"] = points  # a cached property
    app = page(part="map", of="all", colour="gender", pick="box:-1:0:-1:1", **{"from": "map"})
    assert not app.exception and _cases(app) == int((points[:, 0] <= 0).sum())
    assert "a part of the map of cases" in app.button(key="pick-clear").label
    assert len(app.get("plotly_chart")) == 1


def _cases(test: AppTest) -> int:
    match = re.search(r"([\d,]+) cases? of", text(test))
    assert match
    return int(match[1].replace(",", ""))


def test_no_case_left_is_said(page: OpenPage) -> None:
    app = page(where="age:ge:200")
    assert not app.exception and "No case is left" in text(app)


def test_the_state_of_the_page_stands_in_its_link(page: OpenPage) -> None:
    query = {
        "part": "heat",
        "of": "all",
        "model": "teacher",
        "down": "gender",
        "across": "history",
        "metric": "recall",
    }
    app = page(**query)
    assert query.items() <= address(app).items()
    assert "Teacher: Recall by sex and first or later visit" in text(app)


def test_a_saved_list_is_a_set_of_cases_and_a_group(page: OpenPage) -> None:
    workspace, cohort = get_workspace(get_service()), get_service().engine.cohort
    ids = [row.patient_id for row in cohort.patients().rows][:12]
    saved = workspace.save_cohort("Some <b>", ids)
    app = page(part="groups", of=f"list-{saved.cohort_id}", by="lists")
    assert not app.exception and _cases(app) == 12
    assert (
        "Some &lt;b&gt;" in text(app) and "<b>" not in text(app).replace("<b>", "", 0).split("Some ")[1][:3]
    )
    gone = page(of="list-gone")
    assert not gone.exception


def test_classes_stand_worst_first(page: OpenPage) -> None:
    app = page(part="classes", of="all", model="student")
    (bars,) = app.dataframe
    often = bars.value[bars.value["Ordered"] >= 20]
    assert often["F1"].is_monotonic_increasing and len(bars.value) > len(often) > 3


def test_a_split_is_compared_with_another_and_not_with_itself(page: OpenPage) -> None:
    app = page(part="compare", of="train", second="train")
    assert "Both are the same cases" in text(app) and "Fields that differ" not in text(app)
    next(s for s in app.selectbox if s.label == "Second set").set_value("test").run()
    shown = text(app)
    assert "Fields that differ" in shown and "Numbers and classes ordered that differ" in shown
    assert "<td>Age band</td>" in shown and address(app)["second"] == "test"


def test_the_tree_says_what_it_found_and_splits_no_outcome(page: OpenPage) -> None:
    app = page(part="tree", of="all", model="student", depth="4")
    assert re.search(
        r"highest, 0\.\d\d against 0\.\d\d in all other visits, in [\d,]+ visits with", text(app)
    )
    assert "classes ordered" not in text(app)
    (fields,) = app.multiselect
    fields.set_value(["age"]).run()
    assert address(app)["fields"] == "age" and "procedures" not in text(app)


def test_tags_are_counted_compared_and_open_their_rows(page: OpenPage, planted: Planted) -> None:
    page(part="notes", of="all")
    workspace = get_workspace(get_service())
    patients, visits = planted.columns.patient_ids.tolist(), planted.columns.visit_ids.tolist()
    code = planted.codes[3]
    answers = {"AB": "chronic chronic none chronic", "CD": "chronic none none record"}
    for who, own in answers.items():
        for patient, visit, kind in zip(patients, visits, own.split(), strict=False):
            workspace.tags.tag(patient, (visit, code, "student"), kind, note="<b>why</b>", author=who)
        # The same tag for both models at once: one judgement.
        workspace.tags.tag(patients[0], (visits[0], code, "teacher"), "chronic", author=who)
    shown = text(page(part="notes", of="all"))
    assert "5 answers in 4 cases, by 2 annotators" in shown and "&lt;b&gt;why" in shown
    # The same in 2 of 4; by chance 3/4 · 1/4 + 1/4 · 2/4 = 5/16: kappa (8/16 - 5/16) / (11/16) = 3/11.
    assert re.search(
        r"AB and CD</td><td>All kinds</td><td class=\"num\">4<.*?0\.50</td><td class=\"num\">0\.27<", shown
    )
    assert "tagged differently" in str([e.label for e in page(part="notes", of="all").expander])
    assert re.search(rf'href="case\?patient={patients[0]}&amp;visit=\d+&amp;focus={code}', shown)
    links = {selection: number for number, selection in _links(page(part="notes", of="all"))}
    assert (links["tag:chronic"], links["tag:none"], links["tag:record"]) == ("3", "2", "1")
    listed = page("patients", cases="tag:record")
    assert {int(r["id"]) for r in component_data(listed, "worklist")["rows"]} == {patients[3]}
    assert "a row tagged Record at fault" in text(listed)


def test_the_tags_of_a_paper_are_one_table(page: OpenPage, planted: Planted) -> None:
    page(part="notes", of="all")
    service = get_service()
    workspace, cache = get_workspace(service), analysis_cache.get_analysis_cache(service)
    patient, visit = int(planted.columns.patient_ids[0]), int(planted.columns.visit_ids[0])
    workspace.tags.tag(patient, (visit, planted.codes[3], "teacher"), "none", note="x, y", author="AB")
    everybody = cache.analysis.mask(Selection())
    context = AnalysisContext(service, cache, Selection(), everybody, "student", "teacher", "jaccard")
    names, own = tags.kind_names(workspace), tags.tags_of(context, workspace)
    (line,) = csv.DictReader(tags.row_table(context, names, own).csv().decode("utf-8-sig").splitlines())
    assert list(line) == "patient_id visit_id class class_title model tag note annotator tagged_at".split()
    assert (line["visit_id"], line["class"], line["model"]) == (str(visit), planted.codes[3], "teacher")
    assert (line["tag"], line["note"], line["annotator"]) == ("No error", "x, y", "AB")


def test_kinds_are_renamed_added_and_taken_off(page: OpenPage) -> None:
    app = page(part="notes")
    workspace = get_workspace(get_service())
    app.text_input(key="kind-name-chronic-0").set_value("Forgot <b>home</b> drug").run()
    app.button(key="kind-save-chronic-0").click().run()
    app.text_input(key="kind-name-new-0").set_value("Odd dose").run()
    app.button(key="kind-add").click().run()
    names = [kind.name for kind in workspace.tags.kinds()]
    assert names[0] == "Forgot <b>home</b> drug" and names[-1] == "Odd dose" and len(names) == 8
    kind = workspace.tags.kinds()[-1]
    app.button(key=f"kind-remove-{kind.kind_id}-{kind.version}").click().run()
    assert [k.name for k in workspace.tags.kinds()] == names[:-1]
    app.text_input(key="kind-name-new-1").set_value("duplication").run()
    app.button(key="kind-add").click().run()
    assert "already" in text(app) and not app.exception


def test_a_row_is_tagged_on_the_case_page(
    page: OpenPage, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient, visit, code = (
        int(planted.columns.patient_ids[0]),
        int(planted.columns.visit_ids[0]),
        planted.codes[3],
    )
    app = page("case", patient=str(patient), view="research")
    workspace = get_workspace(get_service())
    where = RowTagging(workspace, patient, visit)
    offered = component_data(app, "comparison")["tagging"]
    assert [(k["key"], k["id"]) for k in offered["kinds"]][:2] == [("1", "chronic"), ("2", "acute")]
    assert offered["kinds"][-1]["id"] == NO_ERROR and offered["kinds"][-1]["key"] == "0" and offered["asks"]

    def choose(**chosen: object) -> str:
        answer = {"code": code, "models": ["teacher", "student"], "kind": "chronic", "note": "n", **chosen}
        monkeypatch.setattr(st, "session_state", state := {"comparison": SimpleNamespace(tagged=answer)})
        write_tag(where, "comparison")
        return str(state.get("_tags_message", ""))

    assert "name or initials" in choose(author=" ") and workspace.tags.all() == ()
    assert choose(author="AB") == "" and choose(author="CD", kind=NO_ERROR, models=["student"]) == ""
    assert {(t.model, t.author, t.kind, t.note) for t in workspace.tags.all(visit)} == {
        ("teacher", "AB", "chronic", "n"), ("student", "AB", "chronic", "n"), ("student", "CD", "none", "n"),
    }  # fmt: skip
    assert [tag["kind"] for tag in where.own()[code]] == ["none"], "the tags of another annotator do not show"
    choose(author="AB", kind="acute", note="")
    notes = {(tag.kind, tag.note) for tag in workspace.tags.all(visit) if tag.author == "AB"}
    assert notes == {("acute", "n")}, "who gives their initials anew has not seen their note, and keeps it"
    choose(author="AB", kind="")
    assert [tag.author for tag in workspace.tags.all()] == ["CD"]


def test_the_report_is_one_file_of_what_matters_that_loads_and_runs_nothing(
    page: OpenPage, planted: Planted
) -> None:
    app = page(of="all", by="gender")
    assert any(b.proto.label == "Report" for b in app.get("download_button"))
    service = get_service()
    cache, workspace = analysis_cache.get_analysis_cache(service), get_workspace(service)
    patient, visit = int(cache.analysis.frame.patient_ids[0]), int(cache.analysis.frame.visit_ids[0])
    kind = workspace.tags.save_kind("<script>alert(1)</script>")
    for who in ("AB", "CD"):
        row = (visit, planted.codes[3], "student")
        workspace.tags.tag(patient, row, kind.kind_id, note="<script>", author=who)
    everybody = cache.analysis.mask(Selection())
    context = AnalysisContext(service, cache, Selection(), everybody, "student", "teacher", "jaccard")
    written = write_report(context).decode()
    assert "<script" not in written and "&lt;script&gt;" in written
    assert "default-src 'none'" in html.unescape(written)
    assert not re.search(r"(?:src|href)=\"(?!data:)", written)
    for heading in (
        "What was analyzed",
        "How good",
        "What stands out",
        "Three cases",
        "Tags",
        "How to read it",
    ):
        assert f"<h2>{heading}</h2>" in written, heading
    overall = cache.analysis.by_masks("overall", ["student"], {"overall": everybody}).rows[0]
    assert format_estimate("jaccard", overall.scores["jaccard"]) in written.replace("<wbr>", "")
    examples = [int(number) for number in re.findall(r"<h3>Patient (\d+)", written)]
    assert len(set(examples)) == 3 and set(examples) <= set(cache.analysis.frame.patient_ids.tolist())
    assert "Missed by both" in written and "Cohen&#39;s kappa of AB and CD over 1 row" in written
    assert len(re.sub(r"<style>.*?</style>|<[^>]+>", "", written, flags=re.DOTALL)) < 9000, "two pages"
