"""Reviews: a class pair is judged by the drugs that were really ordered; the Engine's safer set and its conflicts."""

from __future__ import annotations

import pytest

from leader_core import ConflictError, Engine, InputError, InteractionTable, Limit, Order
from leader_core.interactions import (
    ClassReview,
    coverage,
    load_clinical,
    load_statistical,
    pair_rules,
    review_classes,
)
from tests.fakes import FakeCohort, FakeEngine


@pytest.fixture(scope="module")
def table() -> InteractionTable:
    return InteractionTable((*load_clinical(3), *load_statistical(3)))


def orders(*drugs: tuple[str, str, str]) -> tuple[Order, ...]:
    return tuple(Order(1, code, drug, route, 1) for code, drug, route in drugs)


SERTRALINE = ("N06A", "Sertraline", "PO")
VANCOMYCIN = ("J01X", "Vancomycin", "IV")
LINEZOLID = ("J01X", "Linezolid", "PO")


def of(table: InteractionTable, *drugs: tuple[str, str, str], codes: tuple[str, ...] = ()) -> ClassReview:
    return review_classes(codes or [d[0] for d in drugs], table, 3, orders=orders(*drugs))


def test_without_orders_a_pair_keeps_its_classes_grade_and_stays_open(table: InteractionTable) -> None:
    reviewed = review_classes(["J01X", "N06A"], table, 3)
    (pair,) = reviewed.pairs
    assert (pair.order_status, pair.severity) == ("open", "contraindicated")
    assert reviewed.ordered == {}
    assert not pair.whole


def test_another_drug_of_the_class_rules_the_pair_out(table: InteractionTable) -> None:
    (pair,) = of(table, SERTRALINE, VANCOMYCIN).pairs
    assert pair.order_status == "not ordered"
    assert pair.rules[0].lacks == ("J01X",)
    assert pair.ordered_a is not None
    assert pair.ordered_a.names == ("vancomycin",)
    assert pair.ordered_a.drugs[0].written == ("Vancomycin IV",)
    assert of(table, SERTRALINE, VANCOMYCIN).pairs_not_ruled_out == ()


def test_the_drug_that_carries_it_is_found_among_several(table: InteractionTable) -> None:
    (pair,) = of(table, SERTRALINE, VANCOMYCIN, LINEZOLID).pairs
    assert (pair.order_status, pair.severity) == ("ordered", "contraindicated")
    assert pair.rules[0].carried == (("linezolid", "sertraline"),)
    assert "monoamine oxidase" in pair.rules[0].between.rule.mechanism


def test_one_side_ordered_leaves_it_open_unless_that_side_cannot_carry_it(table: InteractionTable) -> None:
    (pair,) = of(table, SERTRALINE, codes=("J01X", "N06A")).pairs
    assert (pair.order_status, pair.severity) == ("open", "contraindicated")
    (pair,) = of(table, VANCOMYCIN, codes=("J01X", "N06A")).pairs
    assert pair.order_status == "not ordered"


def test_a_string_that_names_no_drug_may_be_any_drug_of_its_class(table: InteractionTable) -> None:
    (pair,) = of(table, SERTRALINE, VANCOMYCIN, ("J01X", "Study drug QZX-17", "PO")).pairs
    assert pair.order_status == "open"
    assert pair.ordered_a is not None
    assert pair.ordered_a.unread == ("Study drug QZX-17 PO",)


def test_severity_is_that_of_the_drugs_ordered(table: InteractionTable) -> None:
    """Class grades are of usual drugs: linezolid is contraindicated, azithromycin far milder than clarithromycin."""
    strong = of(table, ("C10A", "Simvastatin", "PO"), ("J01F", "Clarithromycin", "PO"))
    mild = of(table, ("C10A", "Simvastatin", "PO"), ("J01F", "Azithromycin", "PO"))
    ((one,), (other,)) = strong.pairs, mild.pairs
    assert (one.severity, one.order_status) == ("contraindicated", "ordered")
    assert one.entry == other.entry
    assert (other.order_status, other.severity) != ("ordered", "contraindicated")


def test_a_rare_drug_that_was_ordered_is_graded_in_full(table: InteractionTable) -> None:
    """An MAO inhibitor seldom stands behind "antidepressants", so the classes are graded lower; ordered, it counts."""
    reviewed = of(table, ("N06A", "Tranylcypromine", "PO"), ("N02A", "Meperidine", "IV"))
    (pair,) = reviewed.pairs
    assert pair.order_status == "ordered"
    assert pair.severity == "contraindicated"
    assert pair.rules[0].between.seldom


def test_order_is_by_severity_and_what_is_ruled_out_stands_last(table: InteractionTable) -> None:
    reviewed = of(
        table, SERTRALINE, VANCOMYCIN, ("B01A", "Warfarin", "PO"), ("C01B", "Amiodarone", "PO"),
        ("C09A", "Lisinopril", "PO"), ("A12B", "Potassium Chloride", "PO"),
    )  # fmt: skip
    statuses = [p.order_status for p in reviewed.pairs]
    assert statuses == sorted(statuses, key=lambda s: s == "not ordered")
    assert reviewed.pairs[0].codes == ("B01A", "C01B")
    assert reviewed.pairs[-1].order_status == "not ordered"
    rank = {"contraindicated": 0, "major": 1, "moderate": 2, "minor": 3}
    ranks = [rank[p.severity] for p in reviewed.pairs_not_ruled_out]
    assert ranks == sorted(ranks)
    assert reviewed.signals
    assert not {"unknown"} & {p.severity for p in reviewed.pairs}


def test_two_drugs_of_one_class_and_of_one_kind(table: InteractionTable) -> None:
    both = of(table, ("B01A", "Warfarin", "PO"), ("B01A", "Aspirin", "PO"), ("B01A", "Heparin", "SC"))
    (pair,) = both.within
    assert pair.order_status == "ordered"
    assert ("warfarin", "aspirin") in pair.rules[0].carried
    assert "anticoagulants" in {d.group for d in both.duplications}
    alone = of(table, ("B01A", "Warfarin", "PO"))
    assert [p.order_status for p in alone.within] == ["not ordered"]
    assert alone.duplications == ()


def test_a_condition_speaks_against_the_drug_ordered_not_its_class(table: InteractionTable) -> None:
    asthma = ["ICD9:49390"]
    nadolol = review_classes(["C07A"], table, 3, diagnoses=asthma, orders=orders(("C07A", "Nadolol", "PO")))
    first = nadolol.conditions[0]
    assert (first.order_status, first.ordered, first.warning.code) == ("ordered", ("nadolol",), "C07A")
    assert not first.warning.management.startswith("Only when")
    metoprolol = review_classes(
        ["C07A"], table, 3, diagnoses=asthma, orders=orders(("C07A", "Metoprolol", "PO"))
    )
    assert [(c.order_status, c.warning.severity) for c in metoprolol.conditions] == [
        ("ordered", "moderate"),
        ("not ordered", "contraindicated"),
    ]
    unknown = review_classes(["C07A"], table, 3, diagnoses=asthma)
    assert {c.order_status for c in unknown.conditions} == {"open"}
    assert unknown.conditions[0].warning.management.startswith("Only when it is")
    heparin = review_classes(
        ["B01A"], table, 3, diagnoses=["ICD9:4280"], orders=orders(("B01A", "Heparin", "SC"))
    )
    assert {c.order_status for c in heparin.conditions} == {"not ordered"}


def test_at_level_5_a_pair_is_two_drugs() -> None:
    table = InteractionTable(load_clinical(5))
    (pair,) = review_classes(["B01AA03", "C01BD01"], table, 5).pairs
    assert pair.whole
    assert pair.severity == "major"
    (pair,) = review_classes(
        ["B01AA03", "C01BD01"], table, 5,
        orders=orders(("B01AA03", "Warfarin", "PO"), ("C01BD01", "Amiodarone HCl", "PO")),
    ).pairs  # fmt: skip
    assert pair.order_status == "ordered"


@pytest.mark.parametrize("level", [3, 4])
def test_every_rule_of_a_pair_falls_on_its_codes_one_way_or_the_other(level: int) -> None:
    for entry in load_clinical(level)[::7]:
        rules = pair_rules(entry.code_b, entry.code_a)
        assert rules == pair_rules(entry.code_a, entry.code_b)
        for rule in rules:
            assert 1 <= len(rule.ways) <= 2
            for low, high in rule.ways:
                assert low.carriers_within(entry.code_a)
                assert high.carriers_within(entry.code_b)


def test_coverage_counts_what_was_looked_through(table: InteractionTable) -> None:
    covered = coverage(table)
    assert (covered.graded, covered.statistical) == (len(load_clinical(3)), 337)
    assert covered.rules >= 250
    assert covered.sources > 100
    assert "TWOSIDES" in covered.statistical_sources[0]
    assert coverage(InteractionTable(load_clinical(3)[:4])).graded == 4


# --- the Engine's face


@pytest.fixture
def engine() -> Engine:
    return Engine(FakeCohort(), {}, "cpu")  # type: ignore[arg-type]


def test_the_engine_reviews_at_its_cohorts_level(engine: Engine) -> None:
    reviewed = engine.review_classes(
        ["J01X", "N06A", "C07A"], diagnoses=["ICD9:49390"], orders=orders(SERTRALINE)
    )
    assert reviewed.conditions
    assert set(reviewed.ordered) == {"N06A"}


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
