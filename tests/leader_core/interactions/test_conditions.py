"""Warnings of drugs against conditions, and of duplicated drugs: the commonest cases, and the tables' soundness."""

from __future__ import annotations

import csv
from bisect import bisect_left

import pytest

from leader_core.domain import SEVERITY_RANK
from leader_core.interactions import InteractionTable, class_choice, review, typical_shares
from leader_core.interactions.conditions import (
    condition_rules,
    duplication_rules,
    lasting_diagnoses,
)
from leader_core.interactions.orders import OrderedDrug
from leader_core.interactions.review import drug_choices
from leader_core.interactions.rules import ASSETS, combinations
from leader_core.interactions.shares import DrugShare, DrugShares
from leader_core.terminology.drug_table import drug_table
from leader_core.terminology.icd import code_title
from tests.reviews import review_drugs

NO_PAIRS = InteractionTable(())


@pytest.mark.parametrize(
    ("medication", "diagnosis", "severity", "management"),
    [
        ("M01AE01", "ICD9:5849", "major", "Acetaminophen"),  # NSAID and kidney injury
        ("M01AE02", "ICD10:N184", "major", "Acetaminophen"),
        ("N02AA01", "ICD9:40391", "major", "Hydromorphone"),  # the stage stands in the code of hypertension
        ("B05XA05", "ICD10:I120", "major", "measured low level"),
        ("C07AA05", "ICD9:49392", "contraindicated", "cardioselective"),  # propranolol and asthma
        ("C07AB02", "ICD10:J4520", "moderate", "peak flow"),  # metoprolol and asthma
        ("A10BA02", "ICD9:2762", "contraindicated", "insulin"),  # metformin and acidosis
        ("N05AD01", "ICD10:I4581", "major", "without QT effect"),  # haloperidol and long QT
        ("B01AA03", "ICD9:431", "contraindicated", "reverse"),  # warfarin and intracerebral bleeding
        ("B01AB01", "ICD9:28984", "contraindicated", "Argatroban"),  # heparin and HIT
        (
            "B01AB01",
            "ICD9:431",
            "major",
            "no full dose",
        ),  # a prophylactic dose follows when the bleeding is stable
        ("B01AF02", "ICD10:J942", "major", "Hold while it bleeds"),  # apixaban and hemothorax
        ("C09AA03", "ICD10:E875", "major", "Hold"),  # lisinopril and hyperkalaemia
        ("A03FA01", "ICD9:3320", "major", "ondansetron"),  # metoclopramide and Parkinson's disease
        ("G04BD04", "ICD10:R338", "contraindicated", "drain"),  # oxybutynin and retention
    ],
)
def test_common_warning_is_found(medication: str, diagnosis: str, severity: str, management: str) -> None:
    alerts = review_drugs(medication, "A06AB06", diagnoses=[diagnosis, "ICD9:25000"]).alerts
    (alert,) = [a for a in alerts if a.drugs[0].code == medication and diagnosis in a.diagnoses]
    assert (alert.severity, alert.rank, alert.carried) == (severity, severity, True)
    assert management.lower() in alert.management.lower()
    assert alert.source


def test_class_is_warned_of_by_the_drugs_that_carry_it_and_ranked_by_their_share() -> None:
    """Cilostazol in heart failure is contraindicated, and what a hundredth of the class carries is not shown so."""
    shares = typical_shares(3)
    for drug, of_class, condition in (
        ("cilostazol", "B01A", "heart failure"),
        ("propafenone", "C01B", "heart failure"),
    ):
        reviewed = review([class_choice(of_class, shares)], NO_PAIRS, shares, diagnoses=["ICD9:4280"])
        (alert,) = [a for a in reviewed.alerts if a.condition == condition]
        assert (alert.drugs[0].name, alert.severity) == (drug, "contraindicated")
        assert SEVERITY_RANK[alert.rank] >= SEVERITY_RANK["major"] and not alert.carried
        assert alert.share < 0.5
    (nsaids,) = review([class_choice("M01A", shares)], NO_PAIRS, shares, diagnoses=["ICD9:4280"]).alerts
    assert nsaids.rank == nsaids.severity == "major"
    assert nsaids.share > 0.9


def test_drugs_that_share_a_code_count_together() -> None:
    """Levalbuterol has albuterol's code: its small share does not take the place of albuterol's."""
    drugs = tuple(
        DrugShare(name, "R03AC02", share, {}) for name, share in (("albuterol", 0.6), ("levalbuterol", 0.1))
    )
    shares = DrugShares(3, {"R03A": drugs}, "test")
    beta_blocker = drug_choices([OrderedDrug("propranolol", "C07AA05", ("Propranolol",))], 3)
    (alert,) = review([class_choice("R03A", shares), *beta_blocker], NO_PAIRS, shares).alerts
    assert {drug.code for drug in alert.drugs} == {"R03AC02", "C07AA05"}
    assert alert.share == pytest.approx(0.7)


@pytest.mark.parametrize("pacemaker", ["ICD10:Z950", "ICD9PCS:3783", "ICD10PCS:0JH606Z"])
def test_a_pacemaker_lifts_heart_block(pacemaker: str) -> None:
    """One that was there, or one that is implanted in this visit."""
    assert "contraindicated" in review_drugs("C07AB02", diagnoses=["ICD10:I442"]).counts
    assert review_drugs("C07AB02", diagnoses=["ICD10:I442", pacemaker]).counts == {}


@pytest.mark.parametrize("ventilator", ["ICD9PCS:9672", "ICD10PCS:5A1945Z", "ICD10:Z9911"])
def test_an_opioid_with_a_benzodiazepine_weighs_less_on_a_ventilator_and_says_so(ventilator: str) -> None:
    (alert,) = review_drugs("N02AB03", "N05CD08").alerts
    (eased,) = review_drugs("N02AB03", "N05CD08", diagnoses=[ventilator]).alerts
    assert (alert.rank, eased.rank, eased.severity) == ("major", "moderate", "moderate")
    assert "ventilation is coded" in eased.effect and "PADIS" in eased.source
    (hypnotic,) = review_drugs("N02AB03", "N05CF02", diagnoses=[ventilator]).alerts
    assert hypnotic.rank == "major", "a Z-drug is no sedation of a ventilated patient"


@pytest.mark.parametrize(
    ("drug", "poisoning", "antidote"),
    [
        ("B01AC06", "T39012", "V03AB23"),  # aspirin
        ("N02AA01", "T402X4", "V03AB15"),  # morphine, naloxone
        ("N05BA01", "T424X2", "V03AB25"),  # diazepam, flumazenil
        ("C01AA05", "T460X1", "V03AB24"),  # digoxin, its antibody
        ("C07AB02", "T447X2", "H04AA01"),  # metoprolol, glucagon
        ("C08CA01", "T461X2", "A10AB01"),  # amlodipine, insulin
        ("N06AA09", "T43012", "B05XA02"),  # amitriptyline, bicarbonate
        ("B01AA03", "T45511", "B02BA01"),  # warfarin, phytonadione
        ("B03AA07", "T454X1", "V03AC01"),  # iron, deferoxamine
    ],
)
def test_a_drug_in_its_own_poisoning(drug: str, poisoning: str, antidote: str) -> None:
    """Not in a sequela and not in underdosing, and never its antidote."""

    def conditions(code: str, of: str) -> list[str]:
        alerts = review_drugs(of, diagnoses=[code]).alerts
        return [alert.condition for alert in alerts if alert.kind == "condition"]

    assert conditions(f"ICD10:{poisoning}A", drug)
    assert not conditions(f"ICD10:{poisoning}S", drug)
    assert not conditions(f"ICD10:{poisoning[:-1]}6A", drug)
    assert not conditions(f"ICD10:{poisoning}A", antidote)


def test_no_warning_without_the_condition_and_sorted_with_it() -> None:
    assert review_drugs("M01AE01", diagnoses=["ICD9:4019"]).alerts == ()
    assert review_drugs(diagnoses=["ICD9:5849"]).alerts == ()
    alerts = review_drugs("M01AE01", "A10BA02", "J01GB03", diagnoses=["ICD9:5849", "ICD9:4280"]).alerts
    ranks = [SEVERITY_RANK[alert.rank] for alert in alerts]
    assert ranks == sorted(ranks)
    conditions = [alert for alert in alerts if alert.kind == "condition"]
    assert {alert.drugs[0].code for alert in conditions} == {"M01AE01", "A10BA02", "J01GB03"}


def test_an_icd9_code_is_never_taken_for_an_icd10_code() -> None:
    """V22 is pregnancy in ICD-9 and a motorcyclist's accident in ICD-10."""
    assert review_drugs("C09AA03", diagnoses=["ICD9:V222"]).alerts
    assert not review_drugs("C09AA03", diagnoses=["ICD10:V222XXA"]).alerts


def test_duplicated_drugs_are_found_among_ingredients() -> None:
    duplicated = [a for a in review_drugs("M01AE01", "M01AE02", "A06AB06").alerts if a.kind == "duplication"]
    (alert,) = duplicated
    assert (alert.condition, alert.severity) == ("NSAIDs", "major")
    assert alert.title == "two NSAIDs: ibuprofen, naproxen"
    assert [a.condition for a in review_drugs("N02BE01", "N02AJ17").alerts] == ["acetaminophen products"]
    assert review_drugs("A10AB01", "A10AC01").alerts == ()


@pytest.mark.parametrize(
    ("codes", "severity"),
    [
        (("M05BA04", "M05BA07"), "moderate"),  # alendronate and risedronate
        (("J05AR03", "J05AR20"), "major"),  # both hold emtricitabine
        (("C01BC03", "C01BC04"), "major"),  # propafenone and flecainide
    ],
)
def test_two_of_one_kind_are_a_duplication(codes: tuple[str, str], severity: str) -> None:
    assert [(a.kind, a.severity) for a in review_drugs(*codes).alerts] == [("duplication", severity)]


def test_one_drug_by_two_routes_is_no_duplication() -> None:
    assert review_drugs("B05XA01", "A12BA01").alerts == ()


def test_tables_are_sound(index: dict[str, str]) -> None:
    with (ASSETS / "names.csv").open(encoding="utf-8", newline="") as stream:
        synonyms = {(row["drug"], row["code"]) for row in csv.DictReader(stream)}
    synonyms |= {(drug, code) for drug, codes in combinations().items() for code in codes}
    synonyms |= {(i.name, code) for i in drug_table().ingredients.values() for code in i.codes.values()}
    assert len(condition_rules()) >= 50
    assert len(duplication_rules()) >= 20
    sides = [(*rule.side.carriers, *rule.side.spared) for rule in condition_rules()]
    for drugs in (*sides, *(rule.drugs for rule in duplication_rules())):
        assert drugs
        for agent in drugs:
            for code in agent.codes:
                assert (agent.name, code) in synonyms or agent.name.lower() in index[code].lower(), agent
    keys = [(rule.side.label, rule.condition) for rule in condition_rules()]
    assert len(keys) == len(set(keys))


def test_every_condition_speaks_of_codes_that_exist() -> None:
    """Each beginning is a code, a category or the start of a chapter's block in its own system."""
    from leader_core.terminology.icd import published_titles

    for system in ("ICD9", "ICD10"):
        codes = sorted(f"{system}:{bare}" for bare in published_titles(system))
        prefixes = {prefix for rule in condition_rules() for prefix in (*rule.diagnoses, *rule.unless)}
        for prefix in sorted(prefixes | set(lasting_diagnoses())):
            if prefix.startswith(f"{system}:"):
                at = bisect_left(codes, prefix)
                listed = at < len(codes) and codes[at].startswith(prefix)
                assert listed or code_title("diagnosis", prefix), prefix
    assert code_title("diagnosis", "ICD9:4280")
