"""The interaction and condition tables against lists of what they once had wrong, and against their own classes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from leader_core.domain import SEVERITY_RANK
from leader_core.interactions import Alert, clinical_rules, held_back
from leader_core.interactions.conditions import condition_rules
from leader_core.interactions.rules import ClinicalRule, Side, combinations
from leader_core.interactions.shares import read_shares
from leader_core.terminology.drug_table import drug_table
from leader_core.terminology.drugs import DrugMapper
from tests.reviews import review_drugs

ROOT = Path(__file__).resolve().parents[3]
CASES = ROOT.parent / "shared" / "cases" / "clinical"


def _rows(name: str) -> list[dict[str, str]]:
    path = CASES / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"needs the folder of cases next to the checkout: {path} does not exist")
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _rules(code_a: str, code_b: str) -> list[ClinicalRule]:
    """The rules about two drugs, in either order."""
    return [
        rule
        for rule in clinical_rules()
        for a, b in [(rule.a.carrier_codes, rule.b.carrier_codes)]
        if (code_a in a and code_b in b) or (code_b in a and code_a in b)
    ]


def _severity(code_a: str, code_b: str) -> str | None:
    return min((r.severity for r in _rules(code_a, code_b)), key=SEVERITY_RANK.__getitem__, default=None)


def _warnings(code: str, *diagnoses: str) -> tuple[Alert, ...]:
    return review_drugs(code, diagnoses=diagnoses).alerts


def _warned(code: str, diagnosis: str, *others: str) -> str | None:
    warnings = [w for w in _warnings(code, diagnosis, *others) if diagnosis in w.diagnoses]
    return min((w.severity for w in warnings), key=SEVERITY_RANK.__getitem__, default=None)


def _at_least(severity: str | None, expected: str) -> bool:
    return severity is not None and SEVERITY_RANK[severity] <= SEVERITY_RANK[expected]  # type: ignore[index]


# --- pairs that were absent or graded too low


def test_every_pair_of_the_list_is_in_the_table() -> None:
    mapper = DrugMapper.load()
    wrong = []
    for row in _rows("ddi_missing"):
        expected = row["expected_severity"].split(" or ")[-1]
        codes = [
            {match.code for match in mapper.map(*_name_and_route(row[side]), 5)}
            for side in ("drug_a", "drug_b")
        ]
        assert all(codes), row
        best = min(
            (s for a in codes[0] for b in codes[1] if (s := _severity(a, b))),
            key=SEVERITY_RANK.__getitem__,
            default=None,
        )
        if not _at_least(best, expected):
            wrong.append((row["drug_a"], row["drug_b"], best, expected))
    assert not wrong


def _name_and_route(text: str) -> tuple[str, str]:
    """ "midazolam po": a name, and a route where one is written after it."""
    name, _, last = text.rpartition(" ")
    return (name, last.upper()) if last in ("po", "im") else (text, "")


# The class pairs of the ONC list of high-priority interactions (Phansalkar et al., JAMIA 2012), by one drug each; the
# list's QT pairs and protease inhibitors are given by two.
ONC = [
    ("N06BA02", "N06AF03"),  # amphetamines with MAO inhibitors
    ("J05AE08", "A02BC01"),  # atazanavir with proton pump inhibitors
    ("N02CA01", "J01FA09"),  # ergot alkaloids with CYP3A4 inhibitors
    ("M04AA03", "L01BB02"),  # febuxostat with azathioprine or mercaptopurine
    ("L01CE02", "J02AB02"),  # irinotecan with strong CYP3A4 inhibitors
    ("N06AF03", "N02AB02"),  # MAO inhibitors with opioids
    ("N06AF03", "N06AB03"),  # with SSRIs
    ("N06AF03", "N06AA09"),  # with tricyclic antidepressants
    ("N06AF03", "N02CC01"),  # with triptans
    ("J05AE01", "J04AB02"),  # protease inhibitors with rifampin
    ("J05AE03", "J04AB02"),
    ("C01BD01", "N05AC02"),  # two drugs that lengthen QT
    ("N07BC02", "N05AD01"),
    ("N05CH02", "N06AB08"),  # ramelteon with CYP1A2 inhibitors
    ("C10AA01", "J01FA09"),  # statins with CYP3A4 inhibitors
    ("C10AA01", "J05AE03"),  # and with protease inhibitors
    ("N05AC02", "N06AB05"),  # thioridazine with CYP2D6 inhibitors
    ("M03BX02", "J01MA02"),  # tizanidine with CYP1A2 inhibitors
]


@pytest.mark.parametrize(("code_a", "code_b"), ONC)
def test_high_priority_pair_is_major_or_contraindicated(code_a: str, code_b: str) -> None:
    assert _at_least(_severity(code_a, code_b), "major")


# --- facts of pairs that were wrong


@pytest.mark.parametrize(
    ("code_a", "code_b", "severity"),
    [
        ("J01DH02", "J05AB06", None),  # meropenem and ganciclovir
        ("J01DH03", "J05AB14", None),
        ("J01DH51", "J05AB06", "major"),  # imipenem
        ("C08CA16", "J02AC02", None),  # clevidipine is no substrate of CYP3A4
        ("B01AE07", "J02AC03", None),  # dabigatran and voriconazole
        ("B01AF03", "J02AC03", None),
        ("B01AF02", "J02AC03", "major"),
        ("B01AE07", "J02AC02", "major"),
        ("B01AE07", "C01BD01", "moderate"),  # dabigatran and amiodarone
        ("B01AF03", "C01BD01", "moderate"),
        ("B01AE07", "C01BD07", "major"),
        ("B01AE07", "C08DA01", "moderate"),  # dabigatran and verapamil: no other dose
        ("B01AF03", "C08DA01", "major"),
        ("C01BD07", "C08DA01", "major"),  # dronedarone and verapamil
        ("C01AA05", "J01FA10", "moderate"),  # digoxin and azithromycin
        ("C01AA05", "J01FA09", "major"),
        ("J04AB02", "J05AE01", "contraindicated"),  # rifampin and saquinavir
        ("J04AB02", "J05AE10", "contraindicated"),
        ("J04AB02", "J05AE07", "contraindicated"),
        ("M03AC09", "H02AB02", "moderate"),  # rocuronium and dexamethasone
        ("M03AB01", "N01AB08", "moderate"),  # succinylcholine and sevoflurane
        ("N06DA02", "G04BD04", "moderate"),  # donepezil and oxybutynin
        ("N02AX02", "N06AB06", "major"),  # tramadol and sertraline
        ("N02AB02", "N06AX21", "major"),
        ("N02AB03", "N06AB06", "moderate"),  # fentanyl and sertraline
    ],
)
def test_pair_has_its_right_grade(code_a: str, code_b: str, severity: str | None) -> None:
    assert _severity(code_a, code_b) == severity


def test_texts_say_what_the_labels_say() -> None:
    (quinolone,) = [r for r in _rules("J01MA14", "B03AA07") if r.target == "chelation"]
    assert "moxifloxacin 4 hours before or 8 hours after" in quinolone.management
    assert "delafloxacin 2 hours before or 6 hours after" in quinolone.management
    (estrogen,) = _rules("G03CA03", "H02AB07")
    assert "Premarin" not in estrogen.source
    assert "Medrol label" in estrogen.source


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
    ],
)
def test_condition_has_its_right_grade(code: str, diagnosis: str, severity: str | None) -> None:
    assert _warned(code, diagnosis) == severity


def test_adenosine_in_asthma_cites_both_labels() -> None:
    (warning,) = _warnings("C01EB10", "ICD10:J4520")
    assert warning.source == "Adenocard label, section 5; Adenoscan label, section 4"


def test_biological_valve_is_named() -> None:
    (warning,) = _warnings("B01AE07", "ICD9:V433")
    assert "biological" in warning.effect.lower()


@pytest.mark.parametrize("code", ["C07AB02", "C01AA05", "C08DA01"])
@pytest.mark.parametrize(("block", "pacemaker"), [("ICD9:4260", "ICD9:V4501"), ("ICD10:I442", "ICD10:Z950")])
def test_pacemaker_lifts_the_warning_of_heart_block(code: str, block: str, pacemaker: str) -> None:
    conditions = {w.condition for w in _warnings(code, block)}
    lifted = {w.condition for w in _warnings(code, block, pacemaker)}
    assert conditions - lifted == {"heart block or sick sinus"}


def test_one_patients_pacemaker_lifts_no_other_warning() -> None:
    with_both = _warnings("C07AA05", "ICD9:4260", "ICD9:V4501", "ICD9:49392")
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
    (warning,) = _warnings(code, diagnosis)
    assert words in warning.management


def test_a_drug_with_a_rule_of_its_own_is_not_warned_of_twice() -> None:
    assert [w.severity for w in _warnings("M01AB15", "ICD10:N179")] == ["contraindicated"]  # ketorolac


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
            assert _warned(code, diagnosis), (rank, code, diagnosis)


def test_every_group_of_the_list_of_missing_conditions_has_its_samples() -> None:
    assert {int(row["rank"]) for row in _rows("missing_conditions")} == set(MISSING)


HARMS: dict[tuple[str, str], tuple[str, str, str]] = {
    ("hyperkalaemia", "ACEi"): ("C09AA03", "2767", "E875"),
    ("thyrotoxicosis", "levothyroxine"): ("H03AA01", "24290", "E0590"),
    ("thyroid storm", "levothyroxine"): ("H03AA01", "24291", "E0591"),
    ("hypoglycaemia coma", "insulin"): ("A10AE04", "2510", "E15"),
    ("sulfonylurea poisoning", "glucose lowering"): ("A10BB07", "9623", "T383X1A"),
    ("intracerebral haemorrhage", "antithrombotic"): ("B01AA03", "431", "I619"),
    ("GI bleed", "antithrombotic"): ("B01AF02", "5789", "K922"),
    ("duodenal ulcer bleed", "antithrombotic"): ("B01AB01", "53240", "K264"),
    ("NSAID ulcer", "NSAID"): ("M01AE01", "53390", "K279"),
    ("hypotension", "beta-blocker"): ("C07AB02", "4589", "I959"),
    ("cardiogenic shock", "beta-blocker"): ("C07AB02", "78551", "R570"),
    ("complete heart block", "beta-blocker"): ("C07AB02", "4260", "I442"),
    ("C. difficile", "laxative"): ("A06AB06", "00845", "A0472"),
    ("bowel obstruction", "laxative"): ("A06AB06", "5609", "K56609"),
    ("diarrhoea", "laxative"): ("A06AD15", "78791", "R197"),
    ("ESRD", "potassium"): ("A12BA01", "5856", "N186"),
    ("hypercalcaemia", "calcium"): ("A12AA03", "27542", "E8352"),
    ("hepatic encephalopathy", "benzodiazepine"): ("N05BA06", "5722", "K7682"),
    ("respiratory failure hypercapnic", "benzodiazepine"): ("N05BA06", "51881", "J9602"),
    ("Parkinson", "antipsychotic"): ("N05AD01", "3320", "G20"),
    ("QT prolongation", "antipsychotic"): ("N05AD01", "42682", "I4581"),
    ("HIT", "antithrombotic"): ("B01AB01", "28984", "D7582"),
    ("pregnancy", "ACEi"): ("C09AA03", "V222", "Z3480"),
    ("pregnancy", "statin"): ("C10AA05", "V222", "Z3480"),
    ("neutropenia", "antimetabolite"): ("L01BC01", "28800", "D709"),
    ("rhabdomyolysis", "statin"): ("C10AA05", "72888", "M6282"),
    ("acute liver failure", "statin"): ("C10AA05", "570", "K7200"),
    ("APAP overdose", "acetaminophen"): ("N02BE01", "9654", "T391X1A"),
    ("myasthenia", "quinolone"): ("J01MA12", "35800", "G7000"),
    ("bradycardia", "beta-blocker"): ("C07AB02", "42789", "R001"),
    ("hyponatraemia", "thiazide"): ("C03AA03", "2761", "E871"),
    ("dehydration", "loop diuretic"): ("C03CA01", "27651", "E860"),
}


@pytest.mark.parametrize("case", HARMS)
def test_harm_is_warned_of_as_major_and_its_class_held_back(case: tuple[str, str]) -> None:
    code, *icd = HARMS[case]
    shares = read_shares(ROOT / "assets" / "demo" / "models" / "student")
    assert shares is not None
    for diagnosis in (f"ICD9:{icd[0]}", f"ICD10:{icd[1]}"):
        assert _at_least(_warned(code, diagnosis), "major"), diagnosis
        alert = held_back([code[:4], "A11A"], shares, [diagnosis]).get(code[:4])
        assert alert is not None and diagnosis in alert.diagnoses, f"{code[:4]} {diagnosis}"
        assert _at_least(alert.severity, "major")


def test_every_harm_of_the_list_has_its_codes() -> None:
    rows = {(row["condition"], row["class"]): row["atc3"] for row in _rows("harm_tests")}
    assert {case: codes[0][:4] for case, codes in HARMS.items()} == rows


# --- a carrier is every drug of a class that is not spared


def _hospital_codes() -> set[str]:
    of_all = {code for drug in drug_table().ingredients.values() for code in drug.codes.values()}
    return {code for code in of_all if len(code) == 7}


def test_every_drug_of_a_class_carries_its_rules_or_is_spared() -> None:
    """Combinations that `combinations.csv` lists carry what their drugs carry, in whichever class they are filed."""
    combined = {code for codes in combinations().values() for code in codes}
    ordered = _hospital_codes() - combined
    sides: list[Side] = [side for rule in clinical_rules() for side in (rule.a, rule.b)]
    sides += [rule.side for rule in condition_rules()]
    for side in sides:
        named = {code for drug in (*side.carriers, *side.spared) for code in drug.codes}
        for own in side.codes:
            left = {code for code in ordered if code.startswith(own)} - named
            assert not left, f"{side.label}: {sorted(left)} of {own}"


@pytest.mark.parametrize(
    ("code", "diagnosis"),
    [
        ("J01CF06", "ICD10:Z880"),
        ("C07AB05", "ICD9:49390"),
        ("N05BA09", "ICD10:J9602"),
        ("M01AE12", "ICD9:5849"),
    ],
)
def test_drug_that_no_list_names_is_a_carrier_of_its_class(code: str, diagnosis: str) -> None:
    assert _warned(code, diagnosis)
