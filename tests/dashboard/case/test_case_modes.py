"""The ways to look at a case: hidden, decided first, stepped through, compared with another, and on the tour."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from dashboard.case.patient import undated
from dashboard.scores import case_diff, cut_offs, decide_first
from dashboard.server.answers import Scores
from dashboard.server.service import Service
from dashboard.shared import comparison, session, stepping, wording
from dashboard.shell import frame
from dashboard.tour import tour
from leader_core import Case, Recommendation, ScoredMedication, Visit
from leader_core.cohort import PatientQuery
from leader_core.domain import MODEL_NAMES
from leader_core.interactions import typical_shares
from tests.dashboard.conftest import OpenPage, Serve, address, component_data, text
from tests.fakes import MEDICATIONS, FakeCohort, FakeEngine

RETURNING = "10006"
KEY = f"{RETURNING}-5"


def test_visits_without_dates_say_what_their_order_rests_on() -> None:
    dated = Visit(("ICD9:4280",), admitted_at=datetime.fromisoformat("2150-01-01"))
    without = Visit(("ICD9:4280",))
    case = Case({}, (without,), without, 7)
    assert "for visits 7 and 8: their order is unknown" in undated(
        case, lambda patient: (patient, patient + 1)
    )
    assert "tells all stays of this patient apart" in undated(case, lambda _: ())
    for case in (Case({}, (dated,), without, 7), Case({}, (), without, 7), Case({}, (without,), without)):
        assert undated(case, lambda _: (1, 2)) == ""


def _has(page: Any, name: str) -> bool:
    return any(e.proto.component_name == f"leader.{name}" for e in page.get("bidi_component"))


def _asked(page: Any, name: str) -> str:
    """A parameter of the URL, however the tester keeps it."""
    value = page.query_params[name]
    return str(value if isinstance(value, str) else value[0])


# Hide and decide first


def test_how_a_case_is_shown_stands_in_the_link_and_stays_for_the_next_case(open_page: OpenPage) -> None:
    page = open_page("case", patient=RETURNING)
    page.segmented_control(key="show_shown").set_value("hide").run()
    assert address(page)["show"] == "hide"
    page.button(key="step_next").click().run()
    assert _asked(page, "patient") == "10007"
    assert address(page)["show"] == "hide"
    assert component_data(page, "comparison")["prescribed"] is False


def test_a_link_to_decide_first_shows_no_score_and_no_prescription(open_page: OpenPage) -> None:
    page = open_page("case", patient=RETURNING, show="decide")
    assert not _has(page, "comparison")
    assert not page.slider
    assert "<dt>Jaccard</dt>" not in text(page)
    assert text(page).count("Ordered (") == 4  # the earlier visits' only
    listed = [c["code"] for a in component_data(page, "decide_first")["areas"] for c in a["classes"]]
    assert sorted(listed) == sorted(MEDICATIONS)
    assert address(page) == {"patient": RETURNING, "visit": "5", "show": "decide"}


def test_before_revealing_only_the_viewers_own_alerts_are_shown(open_page: OpenPage) -> None:
    page = open_page("case", {"_decided": {KEY: {"B01A": (), "M01A": ()}}}, patient=RETURNING, show="decide")
    shown = text(page)
    assert "If you choose a drug of these classes" in shown and "With the drugs ordered" not in shown
    assert 'class="ld-alert ' in shown
    assert "2 classes chosen" in text(page)


def test_revealing_compares_the_viewers_set_with_the_models(serve: Serve, open_page: OpenPage) -> None:
    engine = serve()
    given = engine.cohort.case(int(RETURNING)).prescribed
    alone = next(c for c in MEDICATIONS if c not in given)
    own = (*given[:3], alone)
    page = open_page("case", {"_decided": {KEY: dict.fromkeys(own, ())}}, patient=RETURNING, show="decide")
    page.button(key="reveal").click().run()
    data = component_data(page, "comparison")
    assert data["own"] is True
    marked = {row["code"] for group in data["groups"] for row in group["rows"] if row["own"]}
    assert marked == set(own)
    result = comparison.agreement(own, given)
    line = next(row for row in _board(page) if row[0] == "You")
    assert line[1:5] == ["4", "3", f"{result.jaccard:.2f}", f"{result.f1:.2f}"]
    assert {row[0] for row in _board(page)} == {
        "You",
        "◆ Teacher",
        "● Student",
        "Both models agree",
        "Either model",
    }
    page.button(key="decide_again").click().run()
    assert not _has(page, "comparison")
    assert component_data(page, "decide_first")["chosen"] == []


def _board(page: Any) -> list[list[str]]:
    drawn = next(e.value for e in page.html if "ld-board" in e.value)
    rows = re.findall(r"<tr>(.*?)</tr>", drawn.split("<tbody>")[1], re.DOTALL)
    return [[re.sub(r"<[^>]+>", "", c) for c in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in rows]


def test_each_case_has_a_set_that_is_frozen_once_revealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session.st, "session_state", {})
    session.decide("1-1", {"B01A": ()})
    session.decide("2-1", {"C03C": ["spironolactone"]})
    session.reveal("1-1")
    session.decide("1-1", {"A02B": ()})
    assert (session.decided("1-1"), session.decided("2-1")) == ({"B01A": ()}, {"C03C": ["spironolactone"]})
    assert session.revealed("1-1")
    assert not session.revealed("2-1")


def test_the_combined_sets_are_what_both_and_what_either_suggest() -> None:
    lines = cut_offs.combined_sets({"teacher": ["A", "B", "C"], "student": ["B", "C", "D"]}, None)
    assert [(line.name, line.codes) for line in lines] == [
        ("Both models agree", ("B", "C")),
        ("Either model", ("A", "B", "C", "D")),
    ]
    assert cut_offs.combined_sets({"student": ["A"]}, None) == []
    drawn = cut_offs.combined_table(
        lines,
        ["B"],
        lambda codes: "3 major",
        known=True,
        unit=wording.unit(3),
    )
    assert ">0.50<" in drawn  # both models: 1 of 2
    assert drawn.count(">3 major<") == 2
    assert "Jaccard" not in cut_offs.combined_table(
        lines,
        ["B"],
        lambda codes: "3 major",
        known=False,
        unit=wording.unit(5),
    )


def test_a_class_that_only_the_viewer_chose_has_a_group_of_its_own() -> None:
    rows = comparison.rows({}, ("B01A",), MEDICATIONS, ("A02B", "B01A"))
    assert {r.code: (r.group, r.own) for r in rows} == {"A02B": ("own", True), "B01A": ("missed", True)}


def test_classes_to_tick_stand_by_area() -> None:
    result = decide_first.areas(
        {"C07A": "Beta blockers", "A02B": "Ulcer drugs", "C01A": "Cardiac glycosides"}, typical_shares(3)
    )
    assert [a["label"] for a in result] == ["Digestion and metabolism", "Heart and circulation"]
    assert [c["code"] for c in result[1]["classes"]] == ["C07A", "C01A"]
    names = {name.lower() for each in result[1]["classes"][0]["drugs"] for name in each}
    assert {"metoprolol", "lopressor"} <= names, "a class is found by its drugs and their brands"


def test_a_drug_chosen_by_name_is_shown_and_reviewed_as_this_drug(open_page: OpenPage) -> None:
    chosen = {
        "_decided": {KEY: {"C07A": ["metoprolol"], "C08D": ["verapamil"]}},
    }
    page = open_page("case", chosen, patient=RETURNING, show="decide")
    assert component_data(page, "decide_first")["drugs"] == {"C07A": ["metoprolol"], "C08D": ["verapamil"]}
    shown = text(page)
    assert "With the drugs that you chose" in shown and "If you choose" not in shown
    assert "metoprolol with verapamil" in shown


# Alerts


def test_the_numbers_under_the_models_are_those_of_the_list(open_page: OpenPage) -> None:
    page = open_page("case", patient=RETURNING)
    under = re.findall(r"Alerts: </span>(.*?)</p>", text(page))
    for name, words in zip(MODEL_NAMES, under, strict=True):
        page.segmented_control(key="alerts_of_teacher_student_prescribed_union").set_value(name).run()
        drawn = next(e.value for e in page.html if '<section class="ld-alert-section' in e.value)
        listed = [words[:1].lower() + words[1:] for words in re.findall(r'ld-alert-counts">(.*?)</p>', drawn)]
        assert words == "; if you choose: ".join(listed)


def test_what_the_conditions_forbid_is_marked_and_held_back_on_request(
    serve: Serve, open_page: OpenPage
) -> None:
    engine = serve()
    rows = engine.cohort.patients(PatientQuery(page_size=100)).rows
    patient = next(row.patient_id for row in rows if _against(engine, row.patient_id))
    page = open_page("case", patient=str(patient))
    held = _against(engine, patient)
    marked = {row["code"]: row["against"]["text"] for row in _rows(page) if "against" in row}
    assert marked == {code: alert.title for code, alert in held.items()}
    before = {g["key"]: len(g["rows"]) for g in component_data(page, "comparison")["groups"]}
    page.toggle(key="hold_switch").set_value(True).run()
    groups = {g["key"]: [r["code"] for r in g["rows"]] for g in component_data(page, "comparison")["groups"]}
    assert set(groups["held"]) == set(held)
    assert sum(map(len, groups.values())) == sum(before.values())
    assert address(page)["hold"] == "1"
    again = open_page("case", patient=str(patient), hold="1")
    assert {r["code"] for r in _rows(again, "held")} == set(held)


def _against(engine: FakeEngine, patient: int) -> dict[str, Any]:
    """The suggested classes that the patient's conditions speak against."""
    case = engine.cohort.case(patient)
    suggested = {m.code for name in MODEL_NAMES for m in engine.recommend(case, name).selected}
    return engine.held_back(case, sorted(suggested))


def _rows(page: Any, group: str = "") -> list[dict[str, Any]]:
    groups = component_data(page, "comparison")["groups"]
    return [row for g in groups for row in g["rows"] if group in ("", g["key"])]


# Previous and next


@pytest.mark.parametrize("descending", [False, True])
def test_steps_follow_the_worklist_over_its_pages(descending: bool) -> None:
    cohort = FakeCohort()
    listed = PatientQuery(sort="age", descending=descending, page_size=7)
    order = [r.patient_id for r in cohort.patients(replace(listed, page_size=1000)).rows]
    for index, patient in enumerate(order):
        result = stepping.find_position(cohort.patients, listed, patient, near=index)
        assert result is not None
        assert (result.number, result.total) == (index + 1, len(order))
        assert (result.previous.patient_id if result.previous else None) == (
            order[index - 1] if index else None
        )
        assert (result.next.patient_id if result.next else None) == ([*order, None][index + 1])


def test_a_patient_outside_the_list_has_no_place() -> None:
    cohort = FakeCohort()
    men = PatientQuery(genders=("M",))
    woman = next(r.patient_id for r in cohort.patients(PatientQuery(genders=("F",))).rows)
    assert stepping.find_position(cohort.patients, men, woman) is None


def test_the_case_steps_in_the_order_of_the_worklist_that_was_open(open_page: OpenPage) -> None:
    listed = PatientQuery(sort="age", descending=True)
    order = [r.patient_id for r in FakeCohort().patients(listed).rows]
    page = open_page("case", {"_listed": listed}, patient=str(order[3]))
    assert "4 of 80" in text(page)
    page.button(key="step_next").click().run()
    assert _asked(page, "patient") == str(order[4])
    page.button(key="step_previous").click().run()
    page.button(key="step_previous").click().run()
    assert _asked(page, "patient") == str(order[2])
    assert open_page("case", {"_listed": listed}, patient=str(order[0])).button(key="step_previous").disabled


# Compared with a pinned case


def test_two_cases_stand_side_by_side_and_the_link_brings_them_back(open_page: OpenPage) -> None:
    page = open_page("case", patient="10004")
    page.button(key="pin").click().run()
    page.button(key="step_next").click().run()
    page.button(key="compare").click().run()
    assert "What differs" in text(page)
    link = address(page)
    assert link["patient"] == "10005"
    assert link["beside"].startswith("10004-")
    again = open_page("case", **link)
    for message in ("Patient 10004, visit", "Patient 10005, visit", "suggested for one case alone"):
        assert message in text(again), message
    again.segmented_control(key="beside_model").set_value("teacher").run()
    assert address(again)["beside_model"] == "teacher"
    next(b for b in again.button if b.label == "Leave the comparison").click().run()
    assert "beside" not in address(again)
    assert _has(again, "comparison")


@pytest.mark.parametrize("name", ["99-1", "x", "10004-77"])
def test_a_comparison_with_a_case_that_is_gone_is_a_sentence(open_page: OpenPage, name: str) -> None:
    page = open_page("case", patient=RETURNING, beside=name)
    assert not page.exception
    gone = "expected 1 to" in text(page) or "No patient 99" in text(page)
    assert gone is (name != "x")  # what is no case's name is read as no comparison
    assert _has(page, "comparison") is not gone


def test_deciding_first_holds_in_the_comparison_too(open_page: OpenPage) -> None:
    page = open_page("case", patient=RETURNING, beside="10004-1", show="decide")
    assert "appear once you have revealed it" in text(page)
    assert "ld-changes" not in text(page)


def _recommendation(**scores: float) -> Recommendation:
    result = tuple(ScoredMedication(c, c, p, p >= 0.5) for c, p in scores.items())
    return Recommendation("student", result, 0.5, (), ())


def test_score_changes_put_what_one_side_alone_suggests_first() -> None:
    first, second = _recommendation(A=0.9, B=0.45, C=0.2), _recommendation(A=0.6, B=0.55, C=0.25)
    result = case_diff.compare_scores(first, second)
    assert [(m.code, m.one_sided, round(m.change, 2)) for m in result] == [
        ("B", True, 0.1),
        ("A", False, -0.3),
        ("C", False, 0.05),
    ]
    assert [m.signed for m in result] == ["+0.10", "−0.30", "+0.05"]


# The tour


def test_the_tour_opens_the_prepared_case_and_its_card(serve: Serve, open_page: OpenPage) -> None:
    serve()
    page = open_page("case", tour="2")
    assert _asked(page, "tour") == "2"
    data = component_data(page, "tour")
    panels = ["banner", "person", "cards_alerts", "cards_classes", "view_choice"]
    assert [s["panel"] for s in data["stops"]] == panels
    assert not _has(page, "comparison"), "the tour is in the clinician's view, whatever was looked at before"
    assert page.segmented_control(key="_product_view_switch").value == "clinician", "and the switch says so"
    again = open_page("case", tour="2", patient=_asked(page, "patient"))
    assert _has(again, "tour")
    assert not _has(open_page("case", patient=RETURNING), "tour")
    assert not _has(open_page("case", patient=RETURNING, tour="9"), "tour")


def test_the_tour_shows_the_case_whole_even_where_cases_are_hidden(open_page: OpenPage) -> None:
    page = open_page("case", {"_view": "decide"}, tour="1")
    assert not _has(page, "decide_first") and "Stop and think" in text(page)


def _ask(engine: FakeEngine) -> Any:
    def ask(case: Any, name: Any) -> Scores:
        if engine.models[name].manifest is None:
            return Scores(name, "absent")
        return Scores(name, "ready", engine.recommend(case, name))

    return ask


def test_the_tours_case_is_chosen_by_its_rule() -> None:
    engine = FakeEngine(FakeCohort(size=300, seed=1))
    result = tour.prepared(Service(engine), _ask(engine))  # type: ignore[arg-type]
    candidates = engine.cohort.patients(PatientQuery(splits=("test",), visits=(2, 6), page_size=60)).rows
    whole = [(r.patient_id, r.visits) for r in candidates if _shows_everything(engine, r.patient_id)]
    assert result == whole[0]
    assert result is not None and not engine.prompt(engine.cohort.case(result[0])).dropped, "read whole"
    assert result[0] != candidates[0].patient_id  # the rule decides, not the order alone


def _shows_everything(engine: FakeEngine, patient_id: int) -> bool:
    case = engine.cohort.case(patient_id)
    answers = [engine.recommend(case, name) for name in MODEL_NAMES]
    chosen = [{m.code for m in answer.selected} for answer in answers]
    return (
        bool(engine.review(case).carried)
        and bool(case.history)
        and not engine.prompt(case).dropped
        and bool(set.intersection(*chosen) - {*case.prescribed})
        and bool({*case.prescribed} - set.union(*chosen))
    )


def test_the_tour_makes_do_with_what_is_served() -> None:
    for engine in (FakeEngine(absent=("teacher", "student")), FakeEngine(FakeCohort(size=1))):
        assert tour.prepared(Service(engine), _ask(engine)) is not None  # type: ignore[arg-type]
    empty = FakeEngine(FakeCohort(size=0))
    assert tour.prepared(Service(empty), _ask(empty)) is None  # type: ignore[arg-type]


def test_the_tour_of_an_empty_cohort_is_an_empty_state(serve: Serve, open_page: OpenPage) -> None:
    serve(FakeEngine(FakeCohort(size=0)))
    assert wording.NO_CASE_TITLE in text(open_page("case", tour="1"))


def test_every_page_listens_for_keys_and_helps(open_page: OpenPage) -> None:
    data = component_data(open_page("models"), "keyboard")
    assert data == frame.help_text()
    assert {key for keys, _ in data["shortcuts"] for key in keys} == {"/", "j", "k", "t", "Enter", "?", "Esc"}
    assert data["tour"]["steps"] == 5
