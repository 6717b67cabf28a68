"""Whom the synthetic hospital's codes befall, what excludes what, and whether opposite conditions are treated unlike."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from train.synthetic_hospital import knowledge
from train.synthetic_hospital.clinic import Clinic, simulate_visits
from train.synthetic_hospital.codes import icd9_titles, icd10_titles
from train.synthetic_hospital.hospital import icd_version
from train.synthetic_hospital.knowledge import Knowledge
from train.synthetic_hospital.patients import Patients, draw_patients
from train.synthetic_hospital.prescribing import order_chance

Drawn = tuple[Knowledge, Patients, Clinic]

# Written apart from limits.csv: words that only one sex's diseases have, and titles that have them by chance.
WOMEN = re.compile(
    r"female|vagin|vulv|\buter[ui]|ovar(y|ian)|cervix|menstr|menopaus|pregnan|obstet|abortion|puerper|partum|"
    r"leiomyoma of|placent|labia|gestation|oophor"
)
MEN = re.compile(r"prostat|penis|testi[sc]|testes|scrot|epididym|sperm|\bmale\b|balanit|prepuce|erectile")
BY_CHANCE = re.compile(
    r"family history|tunica vaginalis|(extra|intra)vaginal torsion|cavovarus|equinovarus|biovar|friend of|partner of|"
    r"(?=.*female).*\bmale\b"
)


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    """One draw with both ICD versions."""
    know = knowledge.load((9, 10))
    rng = np.random.default_rng(11)
    patients = draw_patients(rng, np.arange(4_000), know.population)
    return know, patients, simulate_visits(rng, know, patients, icd_version(patients, "mimic4"))


def _coded(drawn: Drawn, nine: str, ten: str) -> np.ndarray:
    """(V,) whether a visit has a code that matches its ICD version's pattern."""
    know, patients, clinic = drawn
    rows = np.zeros(clinic.diagnosis.size, dtype=bool)
    for number, pattern in ((9, nine), (10, ten)):
        hit = np.asarray([re.match(pattern, code) is not None for code in know.diagnosis[number].code])
        at = clinic.version[clinic.diagnosis_visit] == number
        rows[at] = hit[clinic.diagnosis[at]]
    return np.bincount(clinic.diagnosis_visit[rows], minlength=patients.owner.size) > 0


def _given(drawn: Drawn, *groups: str) -> np.ndarray:
    """(V,) whether a product of one of the groups was ordered."""
    know, patients, clinic = drawn
    found = np.zeros(patients.owner.size, dtype=bool)
    for group in groups:
        number = know.formulary.groups.index(group)
        first, last = know.formulary.products.start[number : number + 2]
        found[clinic.product_visit[(clinic.product >= first) & (clinic.product < last)]] = True
    return found


@pytest.mark.parametrize("version", [9, 10])
def test_every_code_with_a_word_of_one_sex_is_kept_to_it(drawn: Drawn, version: int) -> None:
    table = drawn[0].diagnosis[version]
    titles = icd9_titles("diagnosis") if version == 9 else icd10_titles("diagnosis")
    wrong = []
    for n, code in enumerate(table.code):
        title = titles[code].lower()
        if BY_CHANCE.search(title):
            continue
        if (WOMEN.search(title) and table.limits.men[n]) or (MEN.search(title) and table.limits.women[n]):
            wrong.append((code, title))
    assert not wrong
    limits = table.limits
    assert limits.men.sum() < limits.men.size > limits.women.sum()
    assert (limits.men | limits.women).all()  # no code is barred by contradiction


def test_no_visit_has_a_code_that_its_limits_forbid(drawn: Drawn) -> None:
    know, patients, clinic = drawn
    for number, table in know.diagnosis.items():
        rows = np.flatnonzero(clinic.version[clinic.diagnosis_visit] == number)
        visit = clinic.diagnosis_visit[rows]
        assert table.limits.fit(
            clinic.diagnosis[rows],
            patients.female[patients.owner[visit]],
            patients.visit_age[visit],
            clinic.present[visit],
        ).all()


@pytest.mark.parametrize(
    ("nine", "ten", "least", "most"),
    [
        (r"41[0-4]", r"I2[0-5]", 30, 200),
        (r"3310", r"G30", 45, 200),
        (r"600|185", r"N40|C61", 40, 200),
        (r"6[345]\d", r"O", 12, 55),
        (r"7330", r"M8[01]", 40, 200),
    ],
)
def test_a_disease_has_its_age(drawn: Drawn, nine: str, ten: str, least: int, most: int) -> None:
    age = drawn[1].visit_age[_coded(drawn, nine, ten)]
    assert age.size > 20
    assert least <= age.min()
    assert age.max() < most + 1


def test_coronary_disease_is_rare_before_forty_and_common_later(drawn: Drawn) -> None:
    coronary, age = _coded(drawn, r"41[0-4]", r"I2[0-5]"), drawn[1].visit_age
    assert coronary[age < 40].mean() < 0.08 < 0.35 < coronary[age >= 65].mean()


def test_nobody_has_both_types_of_diabetes_or_loses_aids_or_kidney_failure(drawn: Drawn) -> None:
    _, patients, _ = drawn
    owner = patients.owner

    def ever(visits: np.ndarray) -> np.ndarray:
        return np.bincount(owner[visits], minlength=patients.number.size) > 0

    type1, type2 = _coded(drawn, r"250.[13]", r"E10"), _coded(drawn, r"250.[02]", r"E11")
    assert ever(type1).sum() > 20 < ever(type2).sum()
    assert not (ever(type1) & ever(type2)).any()
    kidney, earlier = _coded(drawn, r"5856", r"N186"), _coded(drawn, r"585[1-59]", r"N18[1-59]")
    assert kidney.sum() > 50
    assert not (kidney & earlier).any()
    aids, symptomless = _coded(drawn, r"042", r"B20"), _coded(drawn, r"V08", r"Z21")
    later = np.flatnonzero(patients.visit_no > 0)
    assert aids[later - 1].sum() > 20
    assert not symptomless[later][aids[later - 1]].any()
    assert aids[later][aids[later - 1]].mean() > 0.93
    assert _given(drawn, "antiretroviral")[later][aids[later - 1]].mean() > 0.75


# what one calls for and the other forbids: titles' codes in both ICD versions
PAIRS = {
    "potassium": (("2768", "E876"), ("2767", "E875"), ("potassium",), 2.0),
    "kayexalate": (("2767", "E875"), ("2768", "E876"), ("kayexalate",), 4.0),
    "hypertonic": (("2761", "E871"), ("2760", "E870"), ("hypertonic_saline", "salt_tablets"), 3.0),
    "dextrose": (
        ("251[012]", "E16[012]|E1[01]64"),
        ("25002|25003|79029", "E1[01]65|R739"),
        ("dextrose_50",),
        2.0,
    ),
    "insulin": (("25002|25003|79029", "E1[01]65|R739"), ("251[012]", "E16[012]"), ("insulin_basal",), 2.0),
    "levothyroxine": (("244", "E03"), ("242", "E05"), ("levothyroxine",), 4.0),
    "antithyroid": (("242", "E05"), ("244", "E03"), ("antithyroid",), 4.0),
    "pressure": (("4010|4372", "I16"), ("458", "I95"), ("dhp_ccb", "hydralazine", "nicardipine"), 2.0),
    "midodrine": (("458", "I95"), ("4010|4372", "I16"), ("midodrine",), 2.0),
    "calcium": (("27541", "E8351"), ("27542", "E8352"), ("calcium",), 2.0),
    "bisphosphonate": (("27542", "E8352"), ("27541", "E8351"), ("bisphosphonate_iv", "calcitonin"), 3.0),
    "anticoagulant": (
        ("4151|453", "I26|I82"),
        ("578|53[1-4]", "K92[012]|K2[5-8]"),
        ("heparin_iv", "warfarin"),
        2.0,
    ),
    "acid": (("578|53[1-4]", "K92[012]|K2[5-8]"), ("4151|453", "I26|I82"), ("ppi_iv",), 1.5),
    "rate": (("42731", "I48"), ("4260|42781", "I442|I495"), ("beta_blocker", "rate_ccb"), 1.5),
    "naloxone": (("9650", "T40"), ("9654", "T391"), ("naloxone",), 3.0),
    "acetylcysteine": (("9654", "T391"), ("9650", "T40"), ("acetylcysteine_iv",), 3.0),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_opposites_are_treated_unlike_in_both_icd_versions(drawn: Drawn, pair: str) -> None:
    one, other, groups, factor = PAIRS[pair]
    needs, forbids, given = _coded(drawn, *one), _coded(drawn, *other), _given(drawn, *groups)
    needs, forbids = needs & ~forbids, forbids & ~needs
    for version in (9, 10):
        at = drawn[2].version == version
        assert min((needs & at).sum(), (forbids & at).sum()) >= 12
        assert given[needs & at].mean() > factor * given[forbids & at].mean()


def test_prescribers_err_as_real_ones_do(drawn: Drawn) -> None:
    """Neither never nor always: what is held back is given now and then, what is called for is not given to all."""
    bleeding = _coded(drawn, r"578|53[1-4]|562[01][23]", r"K92[012]|K2[5-8]")
    against_clots = _given(
        drawn, "heparin_sc", "heparin_iv", "enoxaparin", "warfarin", "doac", "aspirin", "antiplatelet"
    )
    assert 0.4 < against_clots[bleeding].mean() < 0.85 < against_clots[~bleeding].mean() + 0.1
    assert 0.1 < _given(drawn, "ace_inhibitor", "arb")[_coded(drawn, "584", "N17")].mean() < 0.3
    shock = _coded(drawn, "78552", "R6521")
    assert 0.8 < _given(drawn, "vasopressor", "vasopressin")[shock].mean() < 0.97


def test_rare_infections_do_not_come_in_crowds(drawn: Drawn) -> None:
    know, _, clinic = drawn
    rare = [i for i, c in enumerate(know.conditions) if c.rare_infection]
    at_once = clinic.present[:, rare].sum(axis=1)
    assert (at_once >= 1).mean() > 0.03
    assert (at_once >= 3).mean() < 0.001


def test_age_and_sex_sway_orders_as_the_table_says(drawn: Drawn) -> None:
    know, patients, clinic = drawn
    female = patients.female[patients.owner]
    assert not (_given(drawn, "finasteride", "hormone_prostate") & female).any()
    drivers = np.zeros((patients.owner.size, len(know.conditions) + len(know.cues)), dtype=bool)
    drivers[:, : len(know.conditions)] = clinic.present
    older = replace(patients, age=patients.age + 10)
    now, then = order_chance(know, patients, drivers), order_chance(know, older, drivers)
    of = know.formulary.groups.index
    possible = (patients.age[patients.owner] < 70) & (now[:, of("benzodiazepine")] > 1e-6)
    assert (then < now)[possible, of("benzodiazepine")].all()
    assert (then > now)[possible, of("heparin_sc")].all()
    assert np.array_equal(then[:, of("vancomycin_iv")], now[:, of("vancomycin_iv")])


def test_a_group_has_no_route_that_its_form_denies() -> None:
    """Tablets and capsules are swallowed, vials and ampoules injected, suppositories given rectally."""
    drugs = knowledge.load().formulary
    fits = {
        "SUPP": {"PR"},
        "PTCH": {"TD", "TP"},
        "AMP": {"IV", "IV DRIP", "IM", "SC", "IH"},
        "BAG": {"IV", "IV DRIP", "EPIDURAL"},
        "CAP": {"PO", "PO/NG", "IH"},
        "TAB": {"PO", "PO/NG", "SL", "PR"},
    }
    wrong = [
        (drugs.groups[g], drugs.name[drugs.names.start[i]], drugs.route[i], drugs.form[i])
        for g in range(len(drugs.groups))
        for i in range(drugs.products.start[g], drugs.products.start[g + 1])
        if drugs.route[i] not in fits.get(drugs.form[i], {drugs.route[i]})
    ]
    assert not wrong
