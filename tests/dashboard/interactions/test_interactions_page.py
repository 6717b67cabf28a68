"""The Interactions page in every state, over the fake engine: views, chosen pair, safer set, empty states, links."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import networkx as nx
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.interactions import alerts, graph, safer_set
from dashboard.interactions.graphml import graphml
from dashboard.shared import wording
from leader_core import Case, Interaction, Order, Recommendation, Visit
from leader_core.domain import GRADED
from leader_core.interactions import InteractionTable, Review, load_clinical
from leader_core.interactions.review import counts_text
from leader_core.interactions.safer_set import Limit, Unmet
from leader_core.interactions.shares import DrugShare, DrugShares
from leader_core.interactions.substitution import all_indications
from tests.dashboard.conftest import OpenPage, Serve, address, text
from tests.fakes import PAIRS, FakeCohort, FakeEngine

RETURNING = "10006"
VIEWS = ("alerts", "graph", "safer", "structures", "signal", "matrix")
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
PARTS = "part_shown_alerts_graph_safer_signal_matrix_structures"


def sections(page: AppTest) -> dict[str, str]:
    """What stands under each heading of the list of alerts."""
    drawn = [e.value for e in page.html if '<section class="ld-alert-section' in e.value]
    return {re.search(r"<h3>(.*?)</h3>", html)[1]: html for html in drawn}  # type: ignore[index]


def ranks(html: str) -> list[str]:
    """What each alert is shown as; those that say the same of different drugs share a place."""
    shown = []
    for rank, item in re.findall(r'(?s)<li class="ld-alert (\w+)">(.*?)</li>', html):
        shown += [rank] * item.count('class="ld-alert-head"')
    return shown


# Views


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_opens_from_its_link_and_keeps_it(open_page: OpenPage, view: str) -> None:
    page = open_page("interactions", patient=RETURNING, part=view)
    assert not page.exception
    assert "could not be shown" not in text(page)
    assert page.segmented_control(key=PARTS).value == view
    assert address(page) == {"patient": RETURNING, "visit": "5"} | (
        {"part": view} if view != "alerts" else {}
    )


def test_what_the_orders_carry_stands_apart_from_what_could_be_chosen(open_page: OpenPage) -> None:
    page = open_page("interactions", patient=RETURNING)
    ordered, chosen = sections(page).values()
    assert list(sections(page)) == ["With the drugs ordered", "If you choose what the models suggest"]
    for html in (ordered, chosen):
        shown = ranks(html)
        assert shown == sorted(shown, key=GRADED.index), "most severe first"
        assert "What to do" in html
    assert "ld-alert-share" not in ordered
    assert re.search(r"\d+ % of the orders of [A-Z]", chosen)
    assert "What is not in them is unlisted, not safe" in text(page)
    assert list(page.segmented_control(key=SETS).options) == [
        "Teacher", "Student", "Ordered", "All together",
    ]  # fmt: skip


def test_the_counts_are_those_of_the_one_review(serve: Serve, open_page: OpenPage) -> None:
    engine = serve()
    review = engine.review(engine.cohort.case(int(RETURNING)))
    page = open_page("interactions", patient=RETURNING, set="prescribed", severity=",".join(GRADED))
    html = sections(page)["With the drugs ordered"]
    assert {level: ranks(html).count(level) for level in ranks(html)} == review.counts
    assert counts_text(review.counts).capitalize() in html
    everything = open_page("interactions", patient=RETURNING)
    assert counts_text(review.counts).capitalize() in sections(everything)["With the drugs ordered"]


def test_the_statistical_signal_is_never_among_the_alerts(open_page: OpenPage) -> None:
    page = open_page("interactions", patient=RETURNING, severity="contraindicated,major,moderate,minor")
    assert "unknown" not in ranks("".join(sections(page).values()))
    signal = open_page("interactions", patient=RETURNING, part="signal")
    for words in ("DDI rate", "Really ordered", "density of the table", "nobody has graded its severity"):
        assert words in text(signal), words


def test_severities_filter_the_list_and_the_link(open_page: OpenPage) -> None:
    page = open_page("interactions", patient=RETURNING)
    page.pills(key="severity_shown").set_value(["moderate"]).run()
    assert set(ranks("".join(sections(page).values()))) == {"moderate"}
    assert address(page)["severity"] == "moderate"
    page.pills(key="severity_shown").set_value([]).run()
    assert not ranks("".join(sections(page).values()))


def test_a_link_names_the_pair_of_the_graph(open_page: OpenPage) -> None:
    first = open_page("interactions", patient=RETURNING, part="graph", set="teacher")
    codes = graph.pairs_of(_review_of(first))
    pair = f"{codes[0].code_a}-{codes[0].code_b}"
    page = open_page("interactions", patient=RETURNING, part="graph", set="teacher", pair=pair)
    assert "1 alert" in text(page)
    assert address(page)["pair"] == pair
    bad = open_page("interactions", patient=RETURNING, pair="C01A<script>", part="graph")
    assert bad.session_state["pair"] is None
    stranger = open_page("interactions", patient=RETURNING, pair="A01A-D01A", part="matrix")
    assert wording.NOTHING_LISTED in text(stranger)


def _review_of(page: AppTest) -> Review:
    """The review of the teacher's set, as the page has it."""
    engine = FakeEngine()
    case = engine.cohort.case(int(RETURNING))
    codes = [m.code for m in engine.recommend(case, "teacher").selected]
    assert case.current.visit_id is not None
    return engine.review_set(case, codes, engine.cohort.orders(case.current.visit_id))


def test_hiding_the_prescription_hides_its_orders_too(open_page: OpenPage) -> None:
    page = open_page("interactions", session={"_view": "hide"}, patient=RETURNING)
    assert list(sections(page)) == ["If you choose what the models suggest"]
    assert page.segmented_control(key="set_shown_teacher_student_union")


def test_nothing_listed_is_never_called_safe(serve: Serve, open_page: OpenPage) -> None:
    class Unlisted(FakeEngine):
        def review_set(self, case: Case, codes: Sequence[str], orders: Sequence[Order] = ()) -> Review:
            return replace(super().review_set(case, codes, orders), alerts=(), signals=())

    serve(Unlisted())
    for view in ("alerts", "graph"):
        page = open_page("interactions", patient=RETURNING, part=view)
        assert "not proof that they are safe together" in text(page)
        assert not page.get("plotly_chart")


def test_without_models_the_prescription_is_reviewed(serve: Serve, open_page: OpenPage) -> None:
    serve(FakeEngine(absent=("teacher", "student")))
    page = open_page("interactions", patient=RETURNING)
    assert list(page.segmented_control(key="set_shown_prescribed").options) == ["Ordered"]
    assert ranks(sections(page)["With the drugs ordered"])
    assert "No safer set without a model" in text(open_page("interactions", patient=RETURNING, part="safer"))


def test_the_chosen_set_comes_back_with_its_model(serve: Serve, open_page: OpenPage) -> None:
    serve(FakeEngine(absent=("teacher",)))
    page = open_page("interactions", patient=RETURNING, set="teacher")
    assert page.segmented_control(key="set_shown_student_prescribed_union").value == "union"
    assert address(page)["set"] == "teacher"


# The checker


def test_any_drugs_and_conditions_are_checked_without_a_case(open_page: OpenPage) -> None:
    page = open_page("interactions")
    drugs, conditions = page.text_area
    drugs.set_value("Coumadin 5 mg PO daily; flurbinoxamide\nfluconazole IV")
    conditions.set_value("ICD10:K922")
    page.button[0].click().run()
    drawn = sections(page)["With these drugs"]
    assert "warfarin with fluconazole" in drawn or "fluconazole with warfarin" in drawn
    assert "warfarin in gastrointestinal bleeding" in drawn
    assert "“flurbinoxamide”" in text(page)
    assert address(page) == {}
    again = open_page("interactions", patient=RETURNING)
    again.button(key="to-checker").click().run()
    assert "Nothing checked yet" in text(again)
    assert address(again) == {"check": "1"}


# Safer set


def test_the_safer_set_is_compared_with_the_plain_one(serve: Serve, open_page: OpenPage) -> None:
    engine = serve()
    first = engine.recommend(engine.cohort.case(int(RETURNING)), "teacher").selected[0]
    page = open_page(
        "interactions", patient=RETURNING, part="safer", set="teacher", major="0", avoid=first.code
    )
    assert "expected to be ordered" in text(page)
    assert "Left out because it must not appear" in text(page)
    assert "Before: " in text(page)
    assert address(page) == {
        "patient": RETURNING, "visit": "5", "part": "safer", "set": "teacher", "major": "0", "avoid": first.code,
    }  # fmt: skip
    page.number_input(key="major_shown").set_value(None).run()
    assert "major" not in address(page)


def test_the_safer_set_is_of_the_set_chosen_above(open_page: OpenPage) -> None:
    page = open_page("interactions", patient=RETURNING, part="safer", set="prescribed")
    assert page.segmented_control(key=SETS).value == "prescribed"
    assert "Safer set: ordered" in text(page)
    page.segmented_control(key=SETS).set_value("union").run()
    assert "Safer set: all together" in text(page)
    assert not page.exception


def test_a_clinician_chooses_between_three_parts_and_links_open_any(open_page: OpenPage) -> None:
    page = open_page("interactions", research=False, patient=RETURNING)
    assert page.segmented_control(key="part_shown_alerts_graph_safer").value == "alerts"
    linked = open_page("interactions", research=False, patient=RETURNING, part="structures")
    assert "Structure of " in text(linked)


def test_conflicting_requests_are_named(open_page: OpenPage) -> None:
    page = open_page(
        "interactions", patient=RETURNING, part="safer", set="teacher", major="0", keep="B01A,M01A"
    )
    assert "No set keeps this limit with everything that must stay" in text(page)
    assert "ketorolac with warfarin" in text(page)
    assert address(page)["keep"] == "B01A,M01A"
    page.multiselect(key="keep_shown").set_value(["B01A"]).run()
    assert "must stay" in text(page)
    assert "No set keeps" not in text(page)


# Structures


def test_structures_name_their_drugs_and_explain_nothing(open_page: OpenPage) -> None:
    page = open_page("interactions", patient=RETURNING, part="structures")
    assert "Structure of " in text(page)
    assert "explains no interaction" in text(page) or "nothing is highlighted" in text(page)


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
    page = open_page("interactions", patient=RETURNING, set="prescribed")
    assert re.search(r"(?s)major.*<strong>amiodarone with warfarin", sections(page)["With the drugs ordered"])
    for view in VIEWS:
        assert "could not be shown" not in text(open_page("interactions", patient=RETURNING, part=view))


# Without Streamlit


@pytest.fixture(scope="module")
def reviewed() -> Review:
    """Two drugs that are known, and a class of which one would be chosen, for a patient with heart failure."""
    engine = FakeEngine()
    case = Case(current=Visit(("ICD9:4280",)))
    orders = (Order(1, "C01B", "Amiodarone", "PO", 1), Order(1, "C03C", "Furosemide", "IV", 2))
    return engine.review_set(case, ["C01B", "C03C", "B01A"], orders)


def _title(kind: str, code: str) -> str:
    return f"title of {code}"


def test_an_alert_says_what_its_reader_needs(reviewed: Review) -> None:
    ordered, chosen = alerts.sections(reviewed, _title, "this")
    for words in (
        "amiodarone with furosemide",
        "What to do",
        "Source",
        "Ordered as",
        "amiodarone: Amiodarone PO",
    ):
        assert words in ordered, words
    for words in ("warfarin", "% of the orders of title of B01A", "title of ICD9:4280 (ICD9:4280)"):
        assert words in chosen, words


def test_alerts_that_say_the_same_are_read_once_and_counted_each(reviewed: Review) -> None:
    alert = reviewed.carried[0]
    twin = replace(alert, drugs=(replace(alert.drugs[0], name="sotalol"), alert.drugs[1]))
    both = replace(reviewed, alerts=(alert, twin))
    ordered = alerts.sections(both, _title, "this")[0]
    assert ordered.count("<li ") == 1 and len(ranks(ordered)) == 2
    assert alert.title in ordered and "sotalol with furosemide" in ordered
    assert f"2 {alert.rank}" in ordered


def test_nothing_is_red_that_holds_for_a_small_part_of_a_class(reviewed: Review) -> None:
    _, chosen = alerts.sections(reviewed, _title, "this")
    assert "cilostazol (contraindicated)" in chosen
    assert "contraindicated" not in ranks(chosen)


def test_the_csv_keeps_the_families_apart(reviewed: Review) -> None:
    signal = Interaction("B01A", "C01B", "unknown", "TWOSIDES")
    reviewed = replace(reviewed, signals=(signal,))
    rows = list(csv.DictReader(io.StringIO(alerts.alerts_csv(reviewed, str).decode("utf-8-sig"))))
    assert [row["alert"] for row in rows if row["family"] != "statistical"] == [
        a.title for a in reviewed.alerts
    ]
    assert {row["family"] for row in rows} == {"interaction", "condition", "statistical"}
    assert all(row["source"] for row in rows)
    assert {r["severity"] for r in rows if r["family"] == "statistical"} == {wording.SEVERITY_UNKNOWN}


def test_the_drugs_of_a_class_are_named_most_used_first() -> None:
    shares = DrugShares(
        3,
        {"B01A": (DrugShare("heparin", "B01AB01", 0.62, {}), DrugShare("warfarin", "B01AA03", 0.09, {}))},
        "x",
    )
    assert alerts.class_drugs(shares, "B01A") == "heparin 62 % and warfarin 9 %"
    assert alerts.class_drugs(shares, "B01AA03") == ""


def test_what_changes_has_a_reason_and_a_cost() -> None:
    engine = FakeEngine()
    case = engine.cohort.case(10_006)
    recommendation = engine.recommend(case, "teacher", threshold=0.05)
    safer = engine.safer_set(case, recommendation, Limit(contraindicated=0, major=0), avoid=["A06A"])
    html = safer_set.result(safer, str, "2 major", pinned=(), avoided=["A06A"])
    assert "Left out because it must not appear" in html
    assert f"{safer.cost:.1f} expected to be ordered" in html
    assert "Before: 2 major (with the drug called for or most used of each class: " in html
    assert f": {counts_text(safer.before.counts)}). After: " in html
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
    opioid = next(each for each in all_indications() if not each.diagnoses)
    safer = engine.safer_set(case, recommendation, Limit())
    alert = engine.review(case, ["simvastatin", "clarithromycin"]).alerts[0]
    html = safer_set.result(
        replace(safer, unmet=(Unmet(alert, (indication,)), Unmet(None, (opioid,)))),
        str,
        safer.before.counts_text,
        pinned=(),
        avoided=(),
    )
    assert "Could not be met" in html
    assert alert.title in html
    assert alert.management.split(".")[0] in html
    assert indication.source in html
    assert f"calls for {indication.medication} (" in html
    assert f"Opioids in the set: one is kept ({opioid.source})" in html  # no diagnosis of pain is known
    assert "pain" not in html


def test_the_graph_opens_elsewhere_with_scores_and_pairs() -> None:
    pair = PAIRS[0]
    codes = (pair.code_a, pair.code_b, "Z99Z")
    written = graphml(codes, [pair], lambda code: f"<{code}> & more", {"student": {pair.code_a: 0.25}})
    result = nx.read_graphml(io.BytesIO(written))
    assert set(result) == set(codes)
    assert result.nodes[pair.code_a]["title"] == f"<{pair.code_a}> & more"
    assert result.nodes[pair.code_a]["student"] == 0.25 and "student" not in result.nodes[pair.code_b]
    assert result.edges[pair.code_a, pair.code_b]["severity"] == pair.severity
    assert len(result.edges) == 1
