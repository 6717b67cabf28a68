"""The clinician's view of a case: the banner, alerts first, what differs from the orders with reason and evidence, states."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.case import banner
from dashboard.interactions.sets import KnownDrugs
from dashboard.scores import clinician_cards
from dashboard.scores.clinician_cards import CardCase, evidence
from dashboard.shared import case_text, comparison, wording
from dashboard.shared.session import Subject
from leader_core import Case, Visit
from leader_core.evaluation.class_evidence import Proportion
from leader_core.evaluation.trust import ClassTrust
from tests.dashboard import conftest
from tests.dashboard.conftest import OpenPage, Serve, address, component_data, with_evidence
from tests.fakes import MEDICATIONS, FakeCohort, FakeEngine

FIRST_TIMER, RETURNING = "10003", "10006"
RESEARCH_WORDS = ("Jaccard", "F1", "cut-off", "given", "prescri", "log-odds", "PRAUC")


def text(page: AppTest) -> str:
    """The page's HTML with its quotes and apostrophes as they are read."""
    return html.unescape(conftest.text(page))


def _words(page: AppTest) -> str:
    """What stands on the page without tags and attributes."""
    return re.sub(r"<[^>]+>", " ", text(page))


def test_the_patient_stands_before_what_the_models_say(
    serve: Serve, open_page: OpenPage, tmp_path: Path
) -> None:
    serve(with_evidence(tmp_path))
    shown = text(open_page("case", research=False, patient=RETURNING))
    places = [
        shown.index(words)
        for words in ("ld-banner", "Problems and visits", "Stop and think", "Both models suggest, not ordered",
                      "Ordered, neither model suggests", "that were ordered or suggested")
    ]  # fmt: skip
    assert places == sorted(places)
    age = FakeCohort().patients(_one(RETURNING)).rows[0].age
    assert f"{age} years" in shown and "Allergies" in shown and "Ordered now" in shown
    assert "These are drug classes (ATC level 3): no dose, route or timing." in shown


def test_current_drugs_stand_by_importance() -> None:
    service, case = _Service(FakeEngine()), FakeCohort().case(int(RETURNING))
    _, drugs = banner.current_drugs(service, Subject(case, "cohort", int(RETURNING), 5))  # type: ignore[arg-type]
    names = [name for name, _ in drugs]
    assert names[:6] == ["warfarin", "digoxin", "furosemide", "metoprolol", "lisinopril", "levofloxacin"]
    entered = Subject(case, "draft", drugs=("senna", "warfarin", "verapamil", "metoprolol"))
    _, drugs = banner.current_drugs(service, entered)  # type: ignore[arg-type]
    assert [name for name, _ in drugs] == ["metoprolol", "verapamil", "warfarin", "senna"], (
        "a severe pair first"
    )


def _one(patient: str):  # type: ignore[no-untyped-def]
    from leader_core.cohort import PatientQuery

    return PatientQuery(text=patient)


def test_no_word_of_the_research_view_and_codes_only_on_hover(open_page: OpenPage) -> None:
    page = open_page("case", research=False, patient=RETURNING)
    assert not page.exception
    words = _words(page)
    for word in RESEARCH_WORDS:
        assert word not in words, word
    assert not [code for code in MEDICATIONS if code in words]
    assert 'title="ATC B01A"' in text(page)


def test_reasons_and_evidence_fill_in_and_say_what_they_are(
    serve: Serve, open_page: OpenPage, tmp_path: Path
) -> None:
    serve(with_evidence(tmp_path))
    page = open_page("case", research=False, patient=RETURNING)
    shown = text(page)
    assert "Points to it:" in shown and clinician_cards.REASONS in shown
    assert "instead of" in shown, "the score without each thing stands in the details"
    few = re.findall(
        r"Only (\d+) validation patients had a score like this from the (?:student|teacher)", shown
    )
    assert few and all(int(number) < 20 for number in few), "a tenth of 100 cases is too few for a share"


@pytest.mark.parametrize(
    ("like", "number", "words"),
    [
        (Proportion(84, 100), "84 in 100", "patients whom the student scored like this had it ordered"),
        (Proportion(5, 7), "", "Only 7 validation patients"),
        (Proportion(0, 0), "", "No validation patient had a score like this"),
    ],
)
def test_evidence_is_a_count_of_validation_or_says_that_it_is_none(
    like: Proportion, number: str, words: str
) -> None:
    none = Proportion(0, 0)
    trust = ClassTrust(0.82, True, 0.3, none, none, none, 0.8, 0.9, like, 1.0, None)
    shown = evidence(trust, "student")
    assert shown[0] == number and words in shown[1]
    assert "scored 0.8 to 0.9" in shown[2]
    assert "No validation counts" in evidence(None, "teacher")[1]


@pytest.mark.parametrize(
    ("engine", "sentence"),
    [
        (FakeEngine(absent=["teacher"]), "The teacher is not installed here. Only the student's suggestions are shown."),
        (FakeEngine(loading=["teacher"]), "The teacher is still loading; its suggestions appear when it is ready."),
        (FakeEngine(absent=["student"]), "What moved the scores is read from the student, which has not answered."),
        (FakeEngine(absent=["teacher", "student"]), "The student is not installed here."),
    ],
)  # fmt: skip
def test_a_model_that_does_not_answer_is_said_plainly(
    serve: Serve, open_page: OpenPage, engine: FakeEngine, sentence: str
) -> None:
    serve(engine)
    page = open_page("case", research=False, patient=RETURNING)
    assert not page.exception
    assert sentence in text(page) and "Stop and think" in text(page)


def test_first_visits_and_hidden_orders_are_said(open_page: OpenPage) -> None:
    assert wording.FIRST_VISIT in text(open_page("case", research=False, patient=FIRST_TIMER))
    hidden = text(open_page("case", research=False, patient=RETURNING, show="hide"))
    assert "The orders are hidden" in hidden and "At the last visit" in hidden
    assert "✓ ordered" not in hidden and "Ordered, neither" not in hidden
    undecided = text(open_page("case", research=False, patient=RETURNING, show="decide"))
    assert "Both models suggest" not in undecided
    first = text(open_page("case", research=False, patient=FIRST_TIMER, show="decide"))
    assert "nothing is recorded" not in first and ">hidden<" in first


def test_what_the_viewer_decided_stands_next_to_orders_and_models_once_it_is_revealed(
    open_page: OpenPage,
) -> None:
    key = f"{RETURNING}-5"
    state = {"_decided": {key: {"B01A": ["warfarin"], "M01A": ()}}}
    page = open_page(
        "case", {**state, "_revealed": frozenset([key])}, research=False, patient=RETURNING, show="decide"
    )
    shown = text(page)
    assert re.search(r"<b>warfarin \([^<]+\)</b>: ordered as Warfarin PO[^<]*; (no model|the|both)", shown)
    assert ": not ordered; no model suggests the class" in shown and shown.count("✓ chosen") == 2
    assert "You chose" not in text(open_page("case", research=False, patient=RETURNING))


def test_conditions_hold_back_by_default_and_the_switch_stands_in_the_link(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page("case", research=False, patient=RETURNING)
    assert "hold" not in address(page)
    if page.toggle:
        page.toggle(key="hold_switch").set_value(False).run()
        assert address(page)["hold"] == "0"


def test_a_link_to_a_class_marks_it_in_both_views(open_page: OpenPage) -> None:
    page = open_page("case", research=False, patient=RETURNING, focus="M01A")
    assert 'id="class-M01A"' in text(page) and "ld-focus" in text(page)
    assert address(page)["focus"] == "M01A"
    research = open_page("case", patient=RETURNING, focus="M01A")
    assert component_data(research, "comparison")["focus"] == "M01A"
    assert address(research)["explain"] == "M01A"
    bad = open_page("case", research=False, patient=RETURNING, focus="<script>")
    assert not bad.exception and "focus" not in address(bad)


def test_cards_work_for_a_case_without_orders() -> None:
    engine = FakeEngine()
    case = Case({}, (), Visit(("ICD9:42731", "ICD9:4280")))
    recs = {name: engine.recommend(case, name) for name in ("teacher", "student")}
    rows = tuple(comparison.rows(recs, (), MEDICATIONS))
    about = CardCase(
        _Service(engine), case, recs, KnownDrugs(engine, case), {}, rows, {n: {} for n in recs}, ""
    )  # type: ignore[arg-type]
    cards = clinician_cards.cards(about, {})
    assert cards[0].heading == "Both models suggest" and cards[0].items
    assert [card.key for card in cards if not card.folded] == ["suggested"]
    assert all(item.reason == "" for card in cards for item in card.items)
    one = replace(about, recommendations={"student": recs["student"]}, trusts={"student": {}})
    assert clinician_cards.cards(one, {})[0].heading == "The student suggests"
    assert "No drugs were entered" in clinician_cards.summary(one)


def test_a_drug_that_is_ordered_in_another_class_is_named() -> None:
    """Triamcinolone is an inhaled and a systemic steroid."""
    engine = FakeEngine()
    case = Case({}, (), Visit(("ICD9:496",)))
    recs = {"student": engine.recommend(case, "student")}
    rows = tuple(comparison.rows(recs, ("R03B",), MEDICATIONS))
    named = {}
    for typed in ("triamcinolone inhaler", "tiotropium inhaler"):
        drugs = KnownDrugs.of(engine, case, [typed])  # type: ignore[arg-type]
        about = CardCase(_Service(engine), case, recs, drugs, {}, rows, {"student": {}}, "H02A")  # type: ignore[arg-type]
        items = [i for c in clinician_cards.cards(about, {}) for i in c.items if i.row.code == "H02A"]
        named[typed] = items[0].elsewhere
    assert named["triamcinolone inhaler"].startswith("triamcinolone") and MEDICATIONS["R03B"] in str(named)
    assert named["tiotropium inhaler"] == ""


class _Service:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine


def test_allergies_are_those_coded_at_any_visit() -> None:
    titles = {
        "ICD9:V140": "Personal history of allergy to penicillin",
        "ICD10:Z882": "Allergy status to sulfonamides status",
    }
    case = Case({}, (Visit(("ICD9:V140", "ICD9:4280")),), Visit(("ICD10:Z882", "ICD9:V1400X"[:9])))
    named = case_text.allergies(case, lambda kind, code: titles[code])
    assert named == (("sulfonamides", "ICD10:Z882"), ("penicillin", "ICD9:V140"))
