"""The review drug by drug: known drugs, classes by what they mean, one count; the Engine's face and its safer set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from leader_core import Case, Engine, InputError, NotFoundError, Order, Visit
from leader_core.interactions import (
    DrugShare,
    DrugShares,
    InteractionTable,
    Review,
    choices_of,
    held_back,
    read_statistical,
    review,
)
from leader_core.interactions.safer_set import ConflictError, Limit
from tests.fakes import FakeCohort, FakeEngine
from tests.reviews import review_drugs

SHARES = DrugShares(
    3,
    {
        "J01X": (DrugShare("vancomycin", "J01XA01", 0.9, {}), DrugShare("linezolid", "J01XX08", 0.1, {})),
        "N06A": (DrugShare("sertraline", "N06AB06", 0.6, {}), DrugShare("trazodone", "N06AX05", 0.4, {})),
        "B01A": (
            DrugShare("heparin", "B01AB01", 0.7, {}),
            DrugShare("warfarin", "B01AA03", 0.295, {}),
            DrugShare("cilostazol", "B01AC23", 0.005, {}),
        ),
        "C09A": (DrugShare("lisinopril", "C09AA03", 1.0, {}),),
        "A12B": (DrugShare("potassium chloride", "A12BA01", 1.0, {}),),
    },
    "hand-made",
)


def orders(*drugs: tuple[str, str, str]) -> tuple[Order, ...]:
    return tuple(Order(1, code, drug, route, 1) for code, drug, route in drugs)


SERTRALINE = ("N06A", "Sertraline", "PO")
VANCOMYCIN = ("J01X", "Vancomycin", "IV")
LINEZOLID = ("J01X", "Linezolid", "PO")


def of(
    *drugs: tuple[str, str, str], codes: Sequence[str] = (), diagnoses: Sequence[str] = (), level: int = 3
) -> Review:
    choices = choices_of(codes or [d[0] for d in drugs], orders(*drugs), SHARES, level)
    return review(choices, InteractionTable(read_statistical(3).pairs), SHARES, diagnoses=diagnoses)


def titles(reviewed: Review) -> list[str]:
    return [alert.title for alert in reviewed.alerts]


def test_a_suggested_pair_is_headlined_by_its_drugs_and_ranked_by_their_share() -> None:
    """Linezolid with sertraline is contraindicated, but 6 % of what the two classes mean: moderate, under "if you choose"."""
    (alert,) = [a for a in of(codes=["J01X", "N06A"]).alerts if "linezolid" in a.title]
    assert (alert.title, alert.severity, alert.carried) == (
        "linezolid with sertraline",
        "contraindicated",
        False,
    )
    assert alert.share == pytest.approx(0.1)  # trazodone carries it too
    assert alert.rank == "major"
    assert [[d.name for d in other] for other in alert.others] == [["linezolid", "trazodone"]]
    assert alert.effect and alert.management and alert.source


def test_another_drug_of_the_class_that_was_ordered_leaves_no_alert() -> None:
    assert "linezolid" not in " ".join(titles(of(SERTRALINE, VANCOMYCIN)))
    both = of(SERTRALINE, VANCOMYCIN, LINEZOLID)
    (alert,) = [a for a in both.carried if a.title == "linezolid with sertraline"]
    assert (alert.rank, alert.share, alert.drugs[0].written) == ("contraindicated", 1.0, ("Linezolid PO",))


def test_one_side_ordered_leaves_the_other_to_its_shares() -> None:
    (alert,) = of(SERTRALINE, codes=("J01X", "N06A")).if_chosen
    assert (alert.title, alert.rank) == ("linezolid with sertraline", "major")
    assert alert.share == pytest.approx(0.1)
    assert [drug.known for drug in alert.drugs] == [False, True]


def test_a_string_that_names_no_drug_may_be_any_drug_of_its_class() -> None:
    reviewed = of(SERTRALINE, VANCOMYCIN, ("J01X", "Study drug QZX-17", "PO"))
    (alert,) = [a for a in reviewed.if_chosen if "linezolid" in a.title]
    (unread,) = [d for d in alert.drugs if not d.known]
    assert unread.written == ("Study drug QZX-17 PO",)


def test_what_holds_for_a_hundredth_of_a_class_is_never_red() -> None:
    """Atrial fibrillation, heart failure and kidney injury: no false contraindication of antithrombotics."""
    reviewed = of(codes=["B01A", "C09A"], diagnoses=["ICD10:I4891", "ICD10:I509", "ICD10:N179"])
    (alert,) = [a for a in reviewed.alerts if a.condition == "heart failure"]
    assert (alert.title, alert.severity, alert.rank) == (
        "cilostazol in heart failure",
        "contraindicated",
        "minor",
    )
    assert "contraindicated" not in {a.rank for a in reviewed.alerts}
    ordered = of(("B01A", "Cilostazol", "PO"), diagnoses=["ICD10:I509"])
    assert ordered.counts["contraindicated"] == 1


def test_pairs_within_a_class_and_duplications_are_alerts_of_known_drugs() -> None:
    reviewed = review_drugs("C07AB02", "C07AA07", "B01AA03", "B01AC06", "B01AB01")
    assert "two beta-blockers: metoprolol, sotalol" in titles(reviewed)
    assert {"aspirin with warfarin", "heparin with warfarin"} <= set(titles(reviewed))
    assert not [t for t in titles(reviewed) if "anticoagulants" in t]  # heparin until the INR is in range
    assert "two parenteral anticoagulants: enoxaparin, heparin" in titles(review_drugs("B01AB01", "B01AB05"))
    assert sum(reviewed.counts.values()) == len(reviewed.alerts)
    assert of(codes=["B01A"]).alerts == ()


def test_penicillin_allergy_with_nafcillin_and_amiodarone_with_dofetilide() -> None:
    (alert,) = review_drugs("J01CF01", diagnoses=["ICD10:Z880"]).alerts
    assert (alert.rank, alert.carried) == ("contraindicated", True)
    assert "amiodarone with dofetilide" in titles(review_drugs("C01BD01", "C01BD04"))


def test_a_drug_with_two_codes_is_named_once() -> None:
    reviewed = review_drugs("B01AA03", "B01AC06", "N02BA01", diagnoses=["ICD10:D696"])
    assert [t for t in titles(reviewed) if " with " in t] == ["aspirin with warfarin"]
    assert sorted(a.drugs[0].name for a in reviewed.alerts if a.kind == "condition") == [
        "aspirin",
        "warfarin",
    ]
    assert len(reviewed.choices) == 2


def test_counts_have_one_wording_and_alerts_are_sorted() -> None:
    reviewed = review_drugs("B01AA03", "J02AC01", "M01AB15", "M01AE01", "A06AB06")
    assert reviewed.counts_text.startswith("1 contraindicated, ")
    rank = {"contraindicated": 0, "major": 1, "moderate": 2, "minor": 3}
    numbers = [rank[a.rank] for a in reviewed.alerts]
    assert numbers == sorted(numbers)
    assert review_drugs("A11GA01").counts_text == "no alerts in these tables"
    suggested = of(SERTRALINE, codes=("J01X", "N06A"))
    assert suggested.counts_text == "if you choose: 1 major"


def test_statistical_signals_stay_apart() -> None:
    reviewed = of(codes=["A02B", "B01A", "J01D", "N06A"])
    assert reviewed.signals
    assert {entry.severity for entry in reviewed.signals} == {"unknown"}
    assert "unknown" not in {alert.rank for alert in reviewed.alerts}


def test_classes_that_the_conditions_forbid_are_held_back_with_the_reason() -> None:
    held = held_back(["A12B", "B01A", "C09A"], SHARES, ["ICD10:E875", "ICD10:D7582"])
    assert {code: alert.drugs[0].name for code, alert in held.items()} == {
        "A12B": "potassium chloride",
        "C09A": "lisinopril",
        "B01A": "heparin",
    }


def test_a_cohort_of_drugs_is_reviewed_as_drugs() -> None:
    choices = choices_of(["B01AA03", "C01BD01"], (), replace(SHARES, atc_level=5), 5)
    (alert,) = review(choices, InteractionTable(()), SHARES).alerts
    assert (alert.title, alert.rank, alert.share) == ("amiodarone with warfarin", "major", 1.0)


# --- the Engine's face


@pytest.fixture
def engine() -> Engine:
    return Engine(FakeCohort(), {}, "cpu")  # type: ignore[arg-type]


def test_the_engine_reviews_what_is_typed_and_says_what_it_did_not_read(engine: Engine) -> None:
    case = Case(current=Visit(diagnoses=("ICD9:49390",)))
    reviewed = engine.review(case, ["Zyvox 600 mg", "N06A", "sertraline", "C07AA05", "foobarium"])
    assert {c.drugs[0].name for c in reviewed.choices if c.known} == {
        "linezolid",
        "sertraline",
        "propranolol",
    }
    assert [c.class_code for c in reviewed.choices if not c.known] == ["N06A"]
    assert {"linezolid with sertraline", "propranolol in asthma"} <= {a.title for a in reviewed.carried}
    assert [each.text for each in reviewed.unknown] == ["foobarium"]


def test_the_engine_reviews_the_orders_of_a_visit_or_else_a_suggestion(engine: Engine) -> None:
    case = engine.cohort.case(10_006)
    reviewed = engine.review(case)
    assert reviewed.choices and {c for choice in reviewed.choices for c in choice.class_codes} >= set(
        case.prescribed[:1]
    )
    with pytest.raises(NotFoundError):
        engine.review(Case(current=Visit(diagnoses=("ICD9:49390",))))


def test_the_engines_safer_set_keeps_the_limit_and_what_must_stay(engine: Engine) -> None:
    case = engine.cohort.case(10_006)
    recommendation = FakeEngine().recommend(case, "teacher", threshold=0.05)
    safer = engine.safer_set(case, recommendation, Limit(major=0))
    called_for = {
        name for unmet in safer.unmet if unmet.alert for name in (d.name for d in unmet.alert.drugs)
    }
    serious = [a for a in safer.after.alerts if a.rank in ("contraindicated", "major")]
    assert all({drug.name for drug in alert.drugs} <= called_for for alert in serious)
    pinned = engine.safer_set(case, recommendation, Limit(major=0), keep=["N06A"], avoid=["A06A"])
    assert "N06A" in pinned.codes
    assert "A06A" not in pinned.codes
    (avoided,) = [d for d in pinned.decisions if d.class_code == "A06A"]
    assert (avoided.how, avoided.because) == ("left out", ())
    assert engine.safer_set(case, recommendation, Limit(major=0), codes=["B01A"]).plain == ("B01A",)


def test_a_conflict_names_the_alerts_in_the_way(engine: Engine) -> None:
    case = engine.cohort.case(10_006)
    recommendation = FakeEngine().recommend(case, "teacher")
    with pytest.raises(ConflictError, match="A02B, J01D") as raised:
        engine.safer_set(case, recommendation, Limit(ddi_rate=0.0), keep=["A02B", "J01D"])
    assert [p.severity for p in raised.value.pairs] == ["unknown"]
    assert raised.value.keep == ("A02B", "J01D")
    with pytest.raises(InputError, match="both stay and not appear"):
        engine.safer_set(case, recommendation, Limit(), keep=["A02B"], avoid=["A02B"])
