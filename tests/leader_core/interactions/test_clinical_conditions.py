"""The condition table against lists of what it once had wrong or lacked, and against our own list of harms."""

from __future__ import annotations

from pathlib import Path

import pytest

from leader_core.domain import Case, Visit
from leader_core.interactions import held_back
from leader_core.interactions.conditions import findings
from leader_core.interactions.shares import DrugShares, read_shares
from tests.reviews import HARMS, at_least, clinical_rows, warned, warnings_of


@pytest.fixture(scope="module")
def shares(demo_models: Path) -> DrugShares:
    """What a class means by the shipped student."""
    result = read_shares(demo_models / "student")
    assert result is not None
    return result


# --- facts of conditions that were wrong


@pytest.mark.parametrize(
    ("code", "diagnosis", "severity"),
    [
        *((code, "ICD10:Z880", "contraindicated") for code in ("J01CF06", "J01CF04", "J01CF01", "J01CE02")),
        *((code, "ICD9:V140", "contraindicated") for code in ("J01CE08", "J01CE09", "J01CR03", "J01CA12")),
        ("J01CG30", "ICD10:Z880", "contraindicated"),
        *(
            ("B01AC22", d, "contraindicated")
            for d in ("ICD9:V1254", "ICD9:4380", "ICD10:Z8673", "ICD10:I69354")
        ),
        *(("B01AA03", d, "contraindicated") for d in ("ICD9:85220", "ICD9:85300", "ICD10:S065X0A")),
        *(("B01AD02", d, "contraindicated") for d in ("ICD9:85221", "ICD10:S066X1A")),
        *(
            ("B01AF02", f"ICD10:{d}", "contraindicated")
            for d in ("K250", "K262", "K274", "K280", "I8501", "I8511", "K2971", "K5731", "K920")
        ),
        *(
            ("B01AF02", f"ICD9:{d}", "contraindicated")
            for d in ("53120", "53160", "53340", "53551", "4560", "45620", "56213", "5693", "56985", "5789")
        ),
        ("B01AF02", "ICD10:K5730", None),  # diverticulosis without bleeding
        ("B01AF02", "ICD10:K5732", None),
        ("B01AF02", "ICD9:56211", None),
        ("B01AF02", "ICD9:53550", None),
        ("B01AF02", "ICD10:K2970", None),
        ("C01AA05", "ICD9:4260", "major"),  # digoxin in complete block
        ("A12BA01", "ICD10:E875", "contraindicated"),  # potassium in hyperkalaemia
        ("C07AB02", "ICD10:I4430", "major"),  # beta-blocker in a block of unknown degree
        ("C01BD04", "ICD10:I4581", "contraindicated"),  # dofetilide in long QT
        ("J01MA12", "ICD10:I4581", "major"),  # of levofloxacin the label only warns
        ("M01AB15", "ICD10:K279", "contraindicated"),  # ketorolac in an ulcer that does not bleed
        ("J02AB02", "ICD10:K7460", "contraindicated"),  # ketoconazole in cirrhosis
        ("J01DB04", "ICD10:Z880", "minor"),  # cefazolin in penicillin allergy
        ("V03AF07", "ICD10:D75A", "contraindicated"),  # rasburicase in G6PD deficiency without anaemia
        ("C01BD07", "ICD10:I4821", "contraindicated"),  # dronedarone in permanent atrial fibrillation
        ("N05AD01", "ICD10:G210", "contraindicated"),  # haloperidol in neuroleptic malignant syndrome
        ("C01EB10", "ICD10:I442", "contraindicated"),  # adenosine
        ("J01EE01", "ICD10:D550", "minor"),
        ("J01XE01", "ICD10:D550", "moderate"),
        ("M04AX02", "ICD9:2822", "contraindicated"),  # pegloticase
        ("P01BA07", "ICD9:2822", "contraindicated"),  # tafenoquine
        ("C07AA05", "ICD9:49392", "contraindicated"),
        ("N06AX12", "ICD9:34590", "contraindicated"),
        ("B01AX05", "ICD10:N185", "contraindicated"),  # fondaparinux
        ("B01AB05", "ICD10:N185", "major"),
        ("B01AF02", "ICD9:V433", "major"),
        ("C08DB01", "ICD9:42843", "major"),
        ("A10BK03", "ICD9:25013", "major"),
        ("N03AG01", "ICD9:5718", None),  # fatty liver
        ("N03AG01", "ICD10:K760", None),
        ("N03AG01", "ICD9:5715", "contraindicated"),
        ("N03AG01", "ICD10:K7460", "contraindicated"),
        ("M05BA04", "ICD9:53010", "major"),
        ("M05BA04", "ICD9:5303", "contraindicated"),
        ("M01AE01", "ICD10:O210", None),  # NSAID in early pregnancy: no week given
        ("M01AE01", "ICD10:Z3A28", "major"),
        ("M01AE01", "ICD10:I2111", "major"),  # NSAID after an infarction
        ("N02AA01", "ICD10:K567", "contraindicated"),  # morphine in ileus
        ("N01AH01", "ICD9:5601", "major"),  # of fentanyl by vein the label does not name it
        ("N07BC01", "ICD10:K560", "major"),
        ("A06AG01", "ICD10:N186", "major"),  # sodium phosphate as an enema
        ("J01DE01", "ICD9:5849", "moderate"),
        ("A02BX02", "ICD10:N185", "moderate"),
    ],
)
def test_condition_has_its_right_grade(code: str, diagnosis: str, severity: str | None) -> None:
    assert warned(code, diagnosis) == severity


def test_adenosine_in_asthma_cites_both_labels() -> None:
    (warning,) = warnings_of("C01EB10", "ICD10:J4520")
    assert warning.source == "Adenocard label, section 5; Adenoscan label, section 4"


def test_biological_valve_is_named() -> None:
    (warning,) = warnings_of("B01AE07", "ICD9:V433")
    assert "biological" in warning.effect.lower()


@pytest.mark.parametrize("code", ["C07AB02", "C01AA05", "C08DA01"])
@pytest.mark.parametrize(("block", "pacemaker"), [("ICD9:4260", "ICD9:V4501"), ("ICD10:I442", "ICD10:Z950")])
def test_pacemaker_lifts_the_warning_of_heart_block(code: str, block: str, pacemaker: str) -> None:
    conditions = {w.condition for w in warnings_of(code, block)}
    lifted = {w.condition for w in warnings_of(code, block, pacemaker)}
    assert conditions - lifted == {"heart block or sick sinus"}


@pytest.mark.parametrize(
    ("code", "diagnosis", "lifting"),
    [
        ("B01AA03", "ICD10:O09891", "ICD10:Z952"),  # warfarin in pregnancy, with a mechanical valve
        ("A12BA01", "ICD10:N179", "ICD10:E876"),  # potassium in kidney injury, measured low
        ("A12BA01", "ICD9:5856", "ICD9:2768"),
    ],
)
def test_a_finding_that_the_label_excepts_lifts_the_warning(code: str, diagnosis: str, lifting: str) -> None:
    assert warned(code, diagnosis)
    assert warned(code, diagnosis, lifting) is None


def test_one_patients_pacemaker_lifts_no_other_warning() -> None:
    with_both = warnings_of("C07AA05", "ICD9:4260", "ICD9:V4501", "ICD9:49392")
    assert [w.condition for w in with_both] == ["asthma"]


@pytest.mark.parametrize(
    ("code", "diagnosis", "words"),
    [
        ("C01AA05", "ICD10:N179", "by level"),  # digoxin: nothing about methotrexate
        ("D10BA01", "ICD10:Z3490", "Stop"),  # isotretinoin: nothing about anticoagulants
        ("M03AC09", "ICD10:G7000", "train-of-four"),  # rocuronium: nothing about antibiotics
        ("N02AX02", "ICD10:G40909", "Another opioid"),
        ("A03FA01", "ICD10:G20C", "Ondansetron"),  # metoclopramide: nothing about antipsychotics
        ("V03AF07", "ICD10:D550", "Allopurinol"),  # rasburicase: nothing about malaria
        ("B01AC06", "ICD10:K922", "after infarct"),  # aspirin
    ],
)
def test_advice_is_about_the_drug_itself(code: str, diagnosis: str, words: str) -> None:
    (warning,) = warnings_of(code, diagnosis)
    assert words in warning.management


def test_a_drug_with_a_rule_of_its_own_is_not_warned_of_twice() -> None:
    assert [w.severity for w in warnings_of("M01AB15", "ICD10:N179")] == ["contraindicated"]  # ketorolac


# --- conditions that had no rule: rank in the list to (drug, ICD-9-CM code, ICD-10-CM code)

MISSING: dict[int, list[tuple[str, str, str]]] = {
    1: [("N02BE01", "9654", "T391X2A"), ("N02AJ17", "9654", "T391X1A")],
    2: [("N02AA01", "96501", "T401X1A"), ("N02AB03", "96509", "T40411A"), ("N07BC02", "96502", "T403X1A")],
    3: [("B01AA03", "9642", "T45511A"), ("B01AF02", "9642", "D6832")],
    4: [("B01AB01", "85221", "S065X1A"), ("B01AD02", "85300", "S066X0A"), ("B01AF02", "85200", "S064X0A")],
    5: [(code, "42789", "R001") for code in ("C07AB02", "C08DB01", "C08DA01", "C02AC01")],
    6: [("C07AB02", "78551", "R570"), ("C08DB01", "78551", "R570"), ("C07AG02", "42823", "I5023")],
    7: [("C09AA03", "4589", "I959"), ("C08CA01", "78559", "R579"), ("C07AB02", "4589", "I959")],
    8: [(code, "5609", "K56609") for code in ("A06AB06", "A06AB02", "A06AC01", "A06AD15", "A06AD11")],
    9: [
        ("J01DB04", "V140", "Z880"),
        ("J01DH02", "V140", "Z880"),
        ("M01AE01", "V146", "Z886"),
        ("N02AA01", "V145", "Z885"),
        ("V08AB02", "V1508", "Z91041"),
    ],
    10: [
        ("A12BA01", "5856", "N186"),
        ("B05XA01", "5849", "N179"),
        ("C03DA04", "5855", "N185"),
        ("J01EE01", "5855", "N185"),
    ],
    11: [("C09AA03", "4401", "I701"), ("C09CA01", "4401", "I701")],
    12: [("M01AE01", "5712", "K7031"), ("M01AB15", "V4581", "Z951"), ("M01AE02", "4010", "I161")],
    13: [("B01AF01", "5715", "K7460"), ("B01AE07", "5855", "N185"), ("B01AF03", "5855", "N185")],
    14: [
        ("G03CA57", "1749", "C50911"),
        ("G03CA03", "43491", "I639"),
        ("G03CA03", "41071", "I214"),
        ("G03AA07", "34600", "G43109"),
        ("G03BA03", "185", "C61"),
        ("L02BA01", "V1251", "Z86718"),
        ("G03XC01", "V1251", "Z86718"),
    ],
    15: [
        (c, "5856", "N186")
        for c in ("M05BA08", "M05BA04", "C07AA07", "C01BD04", "J05AB01", "N03AX14", "B01AB05")
    ],
    16: [
        ("J07BD52", "042", "B20"),
        ("L04AB02", "4280", "I509"),
        ("L04AB04", "01190", "A150"),
        ("L01FA01", "07032", "B181"),
    ],
    17: [(c, "2556", "E275") for c in ("J01XX08", "C07AB02", "A03FA01", "H04AA01")]
    + [("J01XX08", "2592", "E340")],
    18: [
        ("M03AB01", "94855", "T3150"),
        ("M03AB01", "80600", "G8220"),
        ("M03AB01", "3591", "G7101"),
        ("M03AB01", "99586", "T883XXA"),
        ("N01AB08", "99586", "T883XXA"),
    ],
    19: [
        ("N05CD08", "51881", "J9602"),
        ("N05CD05", "496", "J449"),
        ("N07XX04", "496", "J449"),
        ("N02BF01", "496", "J449"),
    ],
    20: [
        ("N06AB06", "29644", "F312"),
        ("N06AA09", "41071", "I214"),
        ("N06AA09", "4260", "I442"),
        ("N06BA04", "29530", "F200"),
        ("R05DA04", "V3000", "Z3800"),
        ("N02AX02", "V202", "Z00129"),
    ],
}


@pytest.mark.parametrize("rank", MISSING)
def test_condition_of_the_list_warns(rank: int) -> None:
    for code, icd9, icd10 in MISSING[rank]:
        for diagnosis in (f"ICD9:{icd9}", f"ICD10:{icd10}"):
            assert warned(code, diagnosis), (rank, code, diagnosis)


def test_every_group_of_the_list_of_missing_conditions_has_its_samples() -> None:
    assert {int(row["rank"]) for row in clinical_rows("missing_conditions")} == set(MISSING)


@pytest.mark.parametrize("case", HARMS)
def test_harm_is_warned_of_as_major_and_its_class_held_back(
    shares: DrugShares, case: tuple[str, str]
) -> None:
    code, *icd = HARMS[case]
    for diagnosis in (f"ICD9:{icd[0]}", f"ICD10:{icd[1]}"):
        assert at_least(warned(code, diagnosis), "major"), diagnosis
        alert = held_back([code[:4], "A11A"], shares, [diagnosis]).get(code[:4])
        assert alert is not None and diagnosis in alert.diagnoses, f"{code[:4]} {diagnosis}"
        assert at_least(alert.severity, "major")


@pytest.mark.parametrize(
    ("of_class", "against", "called_for", "held"),
    [
        ("C03C", "ICD10:E860", "ICD10:I5023", False),  # loop diuretic in acute heart failure, depletion coded
        ("C03C", "ICD10:E860", "ICD10:I5022", True),
        ("A10A", "ICD10:E15", "ICD10:E1010", False),  # insulin in ketoacidosis after a low glucose
        ("A12B", "ICD9:5856", "ICD9:2768", False),  # potassium that was measured low, in kidney failure
        ("J01M", "ICD10:G7000", "ICD10:A419", True),  # sepsis calls for an antibacterial, not for a quinolone
        ("B01A", "ICD10:I619", "ICD10:I214", True),  # an infarct lifts no label's contraindication
    ],
)
def test_what_the_diagnoses_call_for_is_held_back_only_where_a_label_forbids_it(
    shares: DrugShares, of_class: str, against: str, called_for: str, held: bool
) -> None:
    assert of_class in held_back([of_class], shares, [against])
    assert (of_class in held_back([of_class], shares, [against, called_for])) == held


def test_every_harm_of_the_list_has_its_codes() -> None:
    rows = {(row["condition"], row["class"]): row["atc3"] for row in clinical_rows("harm_tests")}
    assert {case: codes[0][:4] for case, codes in HARMS.items()} == rows


# --- what lasts, and what a procedure lifts


def test_of_earlier_visits_what_lasts_counts_and_what_passes_does_not() -> None:
    earlier = Visit(
        ("ICD9:V140", "ICD10:D7582", "ICD9:5849", "ICD9:V222", "ICD9:42823", "ICD9:2767"), ("ICD9PCS:9672",)
    )
    case = Case(history=(earlier, Visit(("ICD9:4280",))), current=Visit(("ICD9:486",), ("ICD9PCS:3893",)))
    assert findings(case) == ("ICD9:486", "ICD9PCS:3893", "ICD9:V140", "ICD10:D7582", "ICD9:4280")


@pytest.mark.parametrize("code", ["N02AA01", "N05BA06"])
@pytest.mark.parametrize(
    ("failure", "ventilation"),
    [("ICD9:51881", "ICD9PCS:9672"), ("ICD10:J9601", "ICD10PCS:5A1955Z"), ("ICD10:J9601", "ICD10:Z9911")],
)
def test_ventilation_lifts_the_warning_of_respiratory_failure(
    code: str, failure: str, ventilation: str
) -> None:
    assert warned(code, failure) == "major"
    assert warned(code, failure, ventilation) is None


def test_a_class_held_back_names_its_drugs_that_are_called_for(shares: DrugShares) -> None:
    held = held_back(["B01A"], shares, ["ICD10:D7582"])["B01A"]
    assert held.title == "heparin in heparin-induced thrombocytopenia"
    assert {"argatroban", "bivalirudin"} & set(held.called_for)
    assert not held_back(["B01A"], shares, ["ICD10:K922"])["B01A"].called_for
