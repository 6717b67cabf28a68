"""The Interactions page in every state, over the fake engine: views, chosen pair, safer set, empty states, links."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.interactions import cautions, pairs, review_text, safer_set
from dashboard.shared import wording
from leader_core import Case, InteractionTable, Limit, Order, Recommendation, Visit
from leader_core.domain import GRADED
from leader_core.interactions import counts_text, load_clinical, load_statistical, review_classes
from leader_core.interactions.safer_set import Unmet
from leader_core.interactions.substitution import all_indications
from tests.dashboard.conftest import OpenPage, Serve, address, component_data, text
from tests.fakes import FakeCohort, FakeEngine

RETURNING = "10006"
VIEWS = ("pairs", "cautions", "graph", "safer", "structures", "signal", "matrix")
LEVEL_5 = {
    "B01A": "B01AA03",
    "C01B": "C01BD01",
    "N02A": "N02AA01",
    "N05B": "N05BA06",
    "C03C": "C03CA01",
    "A06A": "A06AB06",
    "N02B": "N02BE01",
}


SETS = "set_shown_teacher_student_prescribed_union"


def groups(page: AppTest) -> dict[str, list[dict[str, Any]]]:
    return {group["key"]: group["rows"] for group in component_data(page, "pairs")["groups"]}


# Views


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_opens_from_its_link_and_keeps_it(open_page: OpenPage, view: str) -> None:
    page = open_page("interactions", patient=RETURNING, view=view)
    assert not page.exception
    assert "could not be shown" not in text(page)
    assert page.segmented_control(key="view_shown").value == view
    assert address(page) == {"patient": RETURNING, "visit": "5"} | ({"view": view} if view != "pairs" else {})


def test_the_list_is_grouped_by_severity_with_the_first_card_open(open_page: OpenPage) -> None:
    page = open_page("interactions", patient=RETURNING)
    shown = groups(page)
    assert [key for key in shown if key != "ruled out"] == [
        level for level in ("contraindicated", "major", "moderate") if level in shown
    ]
    data = component_data(page, "pairs")
    assert data["chosen"] == data["groups"][0]["rows"][0]["id"]
    assert "What to do" in text(page)
    assert "absence is never proof of safety" in text(page)
    assert list(page.segmented_control(key=SETS).options) == [
        "Teacher", "Student", "Prescribed", "All together",
    ]  # fmt: skip


def test_the_statistical_signal_is_never_among_the_alerts(open_page: OpenPage) -> None:
    page = open_page("interactions", patient=RETURNING, severity="contraindicated,major,moderate,minor")
    assert "unknown" not in groups(page)
    signal = open_page("interactions", patient=RETURNING, view="signal")
    assert {row["severity"] for rows in groups(signal).values() for row in rows} == {"unknown"}
    for words in ("DDI rate", "Really prescribed", "density of the table", "nobody has graded its severity"):
        assert words in text(signal), words


def test_severities_filter_the_list_and_the_link(open_page: OpenPage) -> None:
    page = open_page("interactions", patient=RETURNING)
    page.pills(key="severity_shown").set_value(["moderate"]).run()
    assert set(groups(page)) <= {"moderate", "ruled out"}
    assert address(page)["severity"] == "moderate"
    page.pills(key="severity_shown").set_value([]).run()
    assert component_data(page, "pairs")["groups"] == []


def test_orders_settle_pairs_and_can_be_ignored(open_page: OpenPage) -> None:
    page = open_page("interactions", patient=RETURNING, set="prescribed")
    assert "By the drugs ordered in this visit" in text(page)
    rows = [row for rows in groups(page).values() for row in rows]
    assert {row["order_status"] for row in rows} & {"ordered", "not ordered"}
    page.toggle(key="classes_only_shown").set_value(True).run()
    assert "By the drugs ordered" not in text(page)
    assert {row["order_status"] for rows in groups(page).values() for row in rows} == {"open"}
    assert address(page)["classes_only"] == "1"


def test_a_link_names_the_pair_and_opens_its_card(open_page: OpenPage) -> None:
    page = open_page("interactions", patient=RETURNING, pair="C01A-C01B", set="teacher")
    assert component_data(page, "pairs")["chosen"] == "C01A-C01B"
    assert "digoxin" in text(page).lower()
    assert address(page)["pair"] == "C01A-C01B"
    stranger = open_page("interactions", patient=RETURNING, pair="A01A-D01A", view="matrix")
    assert "No table here lists this pair" in text(stranger)
    assert (
        "C01A"
        not in open_page("interactions", patient=RETURNING, pair="C01A<script>", view="matrix").session_state
    )


def test_hiding_the_prescription_hides_its_orders_too(open_page: OpenPage) -> None:
    page = open_page("interactions", session={"_view": "hide"}, patient=RETURNING)
    assert "Ordered here" not in str(component_data(page, "pairs"))
    assert "ordered in this visit" not in text(page)
    assert page.segmented_control(key="set_shown_teacher_student_union")


def test_no_listed_pair_is_never_called_safe(serve: Serve, open_page: OpenPage) -> None:
    serve(FakeEngine(FakeCohort(interactions=InteractionTable(()))))
    for view in ("pairs", "graph"):
        page = open_page("interactions", patient=RETURNING, view=view)
        assert "This table lists no pair of these" in text(page)
        assert "The tables list 0 graded pairs" in text(page)
        assert "absence is never proof of safety" in text(page)
        assert not page.get("plotly_chart")


def test_without_models_the_prescription_is_reviewed(serve: Serve, open_page: OpenPage) -> None:
    serve(FakeEngine(absent=("teacher", "student")))
    page = open_page("interactions", patient=RETURNING)
    assert list(page.segmented_control(key="set_shown_prescribed").options) == ["Prescribed"]
    assert groups(page)
    assert "No safer set without a model" in text(open_page("interactions", patient=RETURNING, view="safer"))


def test_the_chosen_set_comes_back_with_its_model(serve: Serve, open_page: OpenPage) -> None:
    serve(FakeEngine(absent=("teacher",)))
    page = open_page("interactions", patient=RETURNING, set="teacher")
    assert page.segmented_control(key="set_shown_student_prescribed_union").value == "union"
    assert address(page)["set"] == "teacher"


# Safer set


def test_the_safer_set_is_compared_with_the_plain_one(serve: Serve, open_page: OpenPage) -> None:
    engine = serve()
    first = engine.recommend(engine.cohort.case(int(RETURNING)), "teacher").selected[0]
    page = open_page("interactions", patient=RETURNING, view="safer", major="0", avoid=first.code)
    assert "probably needed" in text(page)
    assert "Left out because it must not appear" in text(page)
    assert "Before: " in text(page)
    assert address(page) == {
        "patient": RETURNING, "visit": "5", "view": "safer", "major": "0", "avoid": first.code,
    }  # fmt: skip
    page.number_input(key="major_shown").set_value(None).run()
    assert "major" not in address(page)


def test_conflicting_requests_are_named(open_page: OpenPage) -> None:
    page = open_page("interactions", patient=RETURNING, view="safer", major="0", keep="B01A,M01A")
    assert "No set keeps this limit with everything that must stay" in text(page)
    assert "celecoxib with warfarin" in text(page)
    assert address(page)["keep"] == "B01A,M01A"
    page.multiselect(key="keep_shown").set_value(["B01A"]).run()
    assert "must stay" in text(page)
    assert "No set keeps" not in text(page)


# Structures


def test_structures_name_their_drugs_and_explain_nothing(open_page: OpenPage) -> None:
    page = open_page("interactions", patient=RETURNING, view="structures", pair="C01A-C01B")
    assert text(page).count('<img src="data:image/svg+xml;base64,') == 2
    assert "Structure of digoxin" in text(page)
    assert "explains no interaction" in text(page)
    empty = open_page("interactions", patient=RETURNING, view="structures", pair="A10A-C07A")
    assert "No single small molecule stands for insulins" in text(empty)


def test_the_page_loads_no_heavy_library_before_it_is_needed() -> None:
    script = (
        "import sys, dashboard.interactions.page; "
        "print(sorted({'rdkit', 'scipy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


# Level 5


class Level5Cohort(FakeCohort):
    """A few of the hospital's classes as single drugs."""

    def case(self, patient_id: int, visit_no: int | None = None) -> Case:
        case = super().case(patient_id, visit_no)
        current = case.current
        codes = tuple(sorted(LEVEL_5.values()))
        return replace(
            case, profile=dict(case.profile), history=(),
            current=Visit(current.diagnoses, (), codes, current.visit_id, 1),
        )  # fmt: skip

    def title(self, kind: str, code: str) -> str | None:
        return f"drug {code}" if kind == "medication" else super().title(kind, code)

    def orders(self, visit_id: int) -> tuple[Order, ...]:
        return (
            Order(visit_id, "B01AA03", "Warfarin", "PO", 1),
            Order(visit_id, "C01BD01", "Amiodarone", "PO", 1),
        )


class Level5Engine(FakeEngine):
    def recommend(
        self, case: Case, model: str = "student", *, threshold: float | None = None
    ) -> Recommendation:
        recommendation = super().recommend(case, model, threshold=threshold)
        mine = tuple(
            replace(m, code=LEVEL_5[m.code]) for m in recommendation.medications if m.code in LEVEL_5
        )
        return self.with_threshold(replace(recommendation, medications=mine), recommendation.threshold)


def test_single_drugs_are_reviewed_as_drugs(serve: Serve, open_page: OpenPage) -> None:
    cohort = Level5Cohort(interactions=InteractionTable(load_clinical(5)))
    cohort.fingerprint = replace(cohort.fingerprint, atc_level=5)
    serve(Level5Engine(cohort))
    page = open_page("interactions", patient=RETURNING, set="prescribed", pair="B01AA03-C01BD01")
    rows = {row["id"]: row for rows in groups(page).values() for row in rows}
    assert rows["B01AA03-C01BD01"]["order_status"] == "ordered"
    assert rows["B01AA03-C01BD01"]["severity"] == "major"
    assert rows["B01AA03-C01BD01"]["only"] == ""
    assert "7 drugs" in text(page)
    for view in VIEWS:
        assert "could not be shown" not in text(open_page("interactions", patient=RETURNING, view=view))


# Without Streamlit


@pytest.fixture(scope="module")
def table() -> InteractionTable:
    return InteractionTable((*load_clinical(3), *load_statistical(3)))


def test_a_row_says_what_was_ordered_instead(table: InteractionTable) -> None:
    orders = (Order(1, "N06A", "Sertraline", "PO", 1), Order(1, "J01X", "Vancomycin", "IV", 1))
    (pair,) = review_classes(["J01X", "N06A"], table, 3, orders=orders).pairs
    row = review_text.row(pair, str)
    assert row["ordered"].startswith("vancomycin, not linezolid")
    assert row["order_status"] == "not ordered"
    (group,) = review_text.grouped([pair], GRADED)
    assert group.key == "ruled out"
    assert pairs.group_data([group], str)[0]["folded"] is True


def test_a_row_names_the_drugs_that_carry_the_pair(table: InteractionTable) -> None:
    (pair,) = review_classes(["J01X", "N06A"], table, 3).pairs
    assert review_text.row(pair, str)["only"].startswith("only linezolid with ")
    half = next(
        p for p in review_classes(["A12B", "C09A", "C03D"], table, 3).pairs if p.codes == ("A12B", "C09A")
    )
    assert "ACE" not in review_text.row(half, str)["only"]


def test_a_card_shows_every_rule_with_all_that_a_prescriber_needs(table: InteractionTable) -> None:
    (pair,) = review_classes(["J01X", "N06A"], table, 3).pairs
    html = pairs.card(pair, str)
    assert html.count("ld-rule") == len(pair.rules) > 1
    for words in (
        "Consequence", "Mechanism", "What to do", "Evidence", "Source", "Carried by", "monoamine oxidase",
    ):  # fmt: skip
        assert words in html, words


def test_the_csv_keeps_the_families_apart(table: InteractionTable) -> None:
    reviewed = review_classes(["A02B", "B01A", "N05B", "C01B"], table, 3)
    rows = list(csv.DictReader(io.StringIO(review_text.csv_text(reviewed, str).decode("utf-8-sig"))))
    assert {row["family"] for row in rows} == {"clinical", "within class", "statistical"}
    clinical = [row for row in rows if row["family"] == "clinical"]
    assert len(clinical) == len(reviewed.pairs)
    assert all(row["source"] and row["management"] for row in clinical)
    assert {r["severity"] for r in rows if r["family"] == "statistical"} == {wording.SEVERITY_UNKNOWN}


def test_cautions_name_the_diagnosis_and_the_drug(table: InteractionTable) -> None:
    reviewed = review_classes(
        ["C07A"], table, 3, diagnoses=["ICD9:49390"], orders=[Order(1, "C07A", "Nadolol", "PO", 1)]
    )
    html = cautions.conditions(reviewed.conditions, lambda kind, code: f"title of {code}")
    assert "title of ICD9:49390 (ICD9:49390)" in html
    assert "nadolol" in html


def test_what_changes_has_a_reason_and_a_cost() -> None:
    engine = FakeEngine()
    case = engine.cohort.case(10_006)
    recommendation = engine.recommend(case, "teacher", threshold=0.05)
    safer = engine.safer_set(case, recommendation, Limit(contraindicated=0, major=0), avoid=["A06A"])
    html = safer_set.result(safer, str, pinned=(), avoided=["A06A"])
    assert "Left out because it must not appear" in html
    assert f"{safer.cost:.1f} probably needed" in html
    assert f"Before: {counts_text(safer.before.counts)}." in html
    for decision in (*safer.changed("switched"), *safer.changed("substituted")):
        assert decision.after is not None
        assert f"{decision.after.name} instead of {decision.before.name}" in html
        assert all(alert.title in html for alert in decision.because[:4])
    for decision in safer.changed("left out"):
        assert f"without {decision.before.name}" in html


def test_what_could_not_be_met_is_said_with_its_source() -> None:
    engine = FakeEngine()
    case = Case({}, (), Visit(("ICD9:042", "ICD9:01100"), (), ()))
    recommendation = engine.recommend(case, "teacher")
    indication = all_indications()[0]
    safer = engine.safer_set(case, recommendation, Limit())
    alert = engine.review(case, ["simvastatin", "clarithromycin"]).alerts[0]
    html = safer_set.result(
        replace(safer, unmet=(Unmet(alert, (indication,)), Unmet(None, (indication,)))),
        str,
        pinned=(),
        avoided=(),
    )
    assert "Could not be met" in html
    assert alert.title in html
    assert alert.management.split(".")[0] in html
    assert indication.source in html
    assert "Nothing is left of what the diagnoses call for" in html
