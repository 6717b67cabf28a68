"""The case page's similar training patients and how far to trust a score: every state, and numbers that follow the case."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.scores import trust_panel, trust_text
from dashboard.shared import wording
from leader_core import UnseenCode
from leader_core.evaluation.class_evidence import Proportion
from leader_core.evaluation.trust import CaseTrust, ClassTrust
from leader_core.similar import Preparation, SimilarQuery
from tests.dashboard.conftest import OpenPage, Serve, address, component_data, text, with_evidence
from tests.fakes import FakeCohort, FakeEngine, FakeSimilar

TEST_PATIENT = next(p for p, person in FakeCohort()._people.items() if person["split"] == "test")


def test_the_case_shows_its_neighbours_and_how_often_each_class_was_given(open_page: OpenPage) -> None:
    page = open_page("case", patient=str(TEST_PATIENT), tab="similar")
    cohort = FakeCohort()
    case = cohort.case(TEST_PATIENT)
    result = FakeSimilar(cohort).find(case, SimilarQuery())
    shown = text(page)
    assert f"The 20 nearest of {result.training:,} training patients." in shown
    best = max(result.given, key=lambda code: (result.given[code].weighted, code))
    assert f"{result.given[best].count} of 20" in shown
    links = [link.label for link in page.get("page_link")] if page.get("page_link") else []
    first = result.neighbours[0]
    assert any(f"Patient {first.patient_id} · similarity {first.similarity:.2f}" in label for label in links)
    assert f"{len(first.shared)} of {first.diagnoses} diagnos" in shown


def test_what_stands_next_to_the_scores_is_one_tab_away(open_page: OpenPage) -> None:
    """The link says which is open, and only that one is drawn; notes always are, for a form may be half filled in."""
    heads = {
        "pairs": "With the drugs ordered",
        "similar": "Similar training patients",
        "trust": "How far to trust these scores",
        "notes": "stored apart from the cohort",
    }
    labels = ["Alerts", "Similar", "Trust", "Notes"]
    for place, name in enumerate(heads):
        page = open_page("case", patient=str(TEST_PATIENT), tab=name)
        assert [tab.label for tab in page.tabs] == labels
        assert page.session_state["tab_shown_pairs_similar_trust_notes"] == labels[place]
        assert address(page).get("tab") == (None if name == "pairs" else name)
        drawn = ["".join(element.value for element in tab.html) for tab in page.tabs]
        assert [heads[n] in text for n, text in zip(heads, drawn, strict=True)] == [
            n in (name, "notes") for n in heads
        ]
    undecided = open_page("case", patient=str(TEST_PATIENT), show="decide", tab="trust")
    assert [tab.label for tab in undecided.tabs] == ["Alerts", "Notes"]
    assert undecided.session_state["tab_shown_pairs_notes"] == "Alerts"


def test_the_open_tab_stays_open_from_case_to_case(open_page: OpenPage) -> None:
    page = open_page("case", patient=str(TEST_PATIENT), tab="notes")
    page.button(key="step_next").click().run()
    assert page.query_params["patient"] != [str(TEST_PATIENT)]
    assert address(page)["tab"] == "notes"
    assert page.session_state["tab_shown_pairs_similar_trust_notes"] == "Notes"


def test_codes_read_by_their_titles_are_not_called_unread() -> None:
    titled = UnseenCode("diagnosis", "ICD9:4281", "Left heart failure", by_title=True)
    unread = UnseenCode("diagnosis", "ICD9:0479", "ICD9:0479")

    def lines(*unseen: UnseenCode) -> str:
        about = CaseTrust(unseen, False, 0.9, 0.9, None, 30)
        return " ".join(trust_text.trust_lines(about, None, "", wording.unit(3)))

    assert "1 code of this case never seen in training, read by title only." in lines(titled)
    assert "not read" not in lines(titled)
    assert "1 code of this case not known, and not read." in lines(unread)


def test_filters_are_kept_in_the_link_and_narrow_the_search(open_page: OpenPage) -> None:
    page = open_page("case", patient=str(TEST_PATIENT), near="gender", tab="similar")
    cohort = FakeCohort()
    case = cohort.case(TEST_PATIENT)
    same = FakeSimilar(cohort).find(case, SimilarQuery(same_gender=True))
    assert f"of {same.among:,} training patients that pass the filters" in text(page)
    assert address(page)["near"] == "gender"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (Preparation("waiting"), "Reading the training patients, once…"),
        (Preparation("impossible", "It needs python -m train scores."), "It needs python -m train scores."),
    ],
)
def test_while_neighbours_are_not_there_the_page_says_why(
    serve: Serve, open_page: OpenPage, state: Preparation, words: str
) -> None:
    class Engine(FakeEngine):
        @property
        def similar(self) -> FakeSimilar:
            return FakeSimilar(self.cohort, state)

    serve(Engine())
    page = open_page("case", patient=str(TEST_PATIENT), tab="similar")
    assert words in text(page)
    assert "nearest of" not in text(page)


def test_without_a_student_nobody_is_similar(serve: Serve, open_page: OpenPage) -> None:
    serve(FakeEngine(absent=("student",)))
    assert "computed by the student, which is not available" in text(
        open_page("case", patient=str(TEST_PATIENT), tab="similar")
    )


def test_a_class_shows_validation_results_of_similar_scores(
    serve: Serve, open_page: OpenPage, tmp_path: Path
) -> None:
    serve(with_evidence(tmp_path))
    page = open_page("case", patient=str(TEST_PATIENT), tab="trust")
    rows = {r["code"]: r for g in component_data(page, "comparison")["groups"] for r in g["rows"]}
    for row in rows.values():
        lines = {line["label"]: line["text"] for line in row["details"]}
        text_of_class = lines["Teacher on validation"]
        assert "Ordered in 50 of 100 cases (50 %)." in text_of_class
        assert "found 100 % of the orders of it" in text_of_class
        tenth = min(int(row["teacher"] * 10 + 1e-6), 9)
        near = re.search(r"Of (\d+) cases scored (\S+) to (\S+), like this one, (\d+)", text_of_class)
        assert near is not None and near[2] == f"{tenth / 10:.1f}"
        assert int(near[4]) == (int(near[1]) if tenth >= 5 else 0)
        assert "of the 20 most similar training patients" in lines["Similar patients"]
    assert "Each class was counted on 100 validation cases, by its calibrated scores." in text(page)


def test_models_from_before_say_what_would_help(open_page: OpenPage) -> None:
    shown = text(open_page("case", patient=str(TEST_PATIENT), tab="trust"))
    assert "python -m train calibrate" in shown
    assert "not calibrated" in shown


def test_a_sentence_is_made_of_counts() -> None:
    trust = ClassTrust(
        0.62,
        True,
        0.3,
        Proportion(30, 40),
        Proportion(30, 60),
        Proportion(60, 200),
        0.6,
        0.7,
        Proportion(3, 4),
        61.0,
        True,
    )
    assert trust_text.sentence(trust) == (
        "Ordered in 60 of 200 cases (30 %). Suggested in 40 at this cut-off, right in 30 (75 %, interval 60–86 %); "
        "found 50 % of the orders of it. Of 4 cases scored 0.6 to 0.7, like this one, 3 had it ordered (75 %), "
        "too few to rely on. In the 90 % set."
    )
    silent = replace(trust, precision=Proportion(0, 0), like=Proportion(0, 0), promised=None)
    assert "Never suggested at this cut-off. No case was scored 0.6 to 0.7" in trust_text.sentence(silent)


def test_filters_in_a_link_are_known_ones() -> None:
    assert trust_panel.read_filters("shared.gender") == ["gender", "shared"]
    assert trust_panel.read_filters("<script>") is None
