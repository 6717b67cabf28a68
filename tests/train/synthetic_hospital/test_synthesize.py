"""The synthetic hospital: reproducible, readable by the cohort builder, and clinical rather than noise."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import duckdb
import numpy as np
import pytest

from leader_core.cohort import Cohort
from leader_core.errors import InputError
from leader_core.terminology.drugs import map_drug
from leader_core.terminology.icd import code_title
from train.synthetic_hospital import hospital, knowledge
from train.synthetic_hospital.clinic import Clinic, simulate_visits
from train.synthetic_hospital.codes import CodeChoices, icd9_titles
from train.synthetic_hospital.hospital import MARKER, icd_version, synthesize
from train.synthetic_hospital.knowledge import Knowledge
from train.synthetic_hospital.layouts import FILES, LAYOUTS
from train.synthetic_hospital.patients import Patients, draw_patients
from train.synthetic_hospital.realism import compare

PATIENTS = 200

Drawn = tuple[Knowledge, Patients, Clinic]


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    """A few thousand visits, before they become tables."""
    know = knowledge.load()
    rng = np.random.default_rng(3)
    patients = draw_patients(rng, np.arange(3_000), know.population)
    return know, patients, simulate_visits(rng, know, patients, icd_version(patients, "mimic3"))


@pytest.fixture(scope="module", params=LAYOUTS)
def raw(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    out = tmp_path_factory.mktemp("hospital") / "raw"
    synthesize(out, layout=request.param, patients=PATIENTS, seed=5)
    return request.param, out


def _given(drawn: Drawn, group: str) -> np.ndarray:
    """(V,) whether a product of the group was ordered."""
    know, patients, clinic = drawn
    number = know.formulary.groups.index(group)
    first, last = know.formulary.products.start[number : number + 2]
    rows = clinic.product_visit[(clinic.product >= first) & (clinic.product < last)]
    return np.bincount(rows, minlength=patients.owner.size) > 0


def _with(drawn: Drawn, condition: str) -> np.ndarray:
    return drawn[2].present[:, drawn[0].index[condition]]


def _titled(drawn: Drawn, words: str) -> np.ndarray:
    """(V,) whether a diagnosis title of the visit holds the words."""
    know, patients, clinic = drawn
    titles = icd9_titles("diagnosis")
    hit = np.asarray([words in titles[code].lower() for code in know.diagnosis[9].code])
    return np.bincount(clinic.diagnosis_visit[hit[clinic.diagnosis]], minlength=patients.owner.size) > 0


def test_every_code_has_a_title_and_every_chapter_is_there() -> None:
    know = knowledge.load((9, 10))
    for version in (9, 10):
        system = f"ICD{version}"
        for table, kind, prefix in (
            (know.diagnosis[version], "diagnosis", system),
            (know.procedure[version], "procedure", f"{system}PCS"),
        ):
            assert all(code_title(kind, f"{prefix}:{code}") for code in set(table.code))
    assert sum(c.stage != "state" for c in know.conditions) >= 120
    first = {code[0] if code[0] in "VE" else int(code[:3]) // 10 for code in know.diagnosis[9].code}
    assert {"V", "E", 0, 15, 25, 28, 29, 34, 42, 48, 57, 58, 64, 69, 71, 78, 82, 96} <= first


def test_codes_of_a_condition_are_many_and_unequal() -> None:
    know = knowledge.load()
    table = know.diagnosis[9]
    sizes = np.diff(table.choices.start)
    assert np.median(sizes[sizes > 0]) >= 8
    number = know.index["septicemia"]
    weights = np.diff(
        table.choices.cumulative[slice(*table.choices.start[number : number + 2])], prepend=number
    )
    assert weights.max() > 20 * weights.min()


def test_choices_follow_their_weights() -> None:
    choices = CodeChoices.build([[1.0], [], [3.0, 1.0]])
    owner = np.repeat([0, 2], [4, 4_000])
    result = choices.draw(owner, np.random.default_rng(0).random(owner.size))
    assert set(result[:4]) == {0}
    assert np.mean(result[4:] == 1) == pytest.approx(0.75, abs=0.03)
    assert choices.draw(np.array([2]), np.array([1 - 1e-16]))[0] == 2


def test_every_drug_is_known_to_the_drug_table() -> None:
    drugs = knowledge.load().formulary
    unknown = [
        (name, drugs.route[i])
        for i in range(len(drugs.route))
        for name in drugs.name[drugs.names.start[i] : drugs.names.start[i + 1]]
        if not map_drug(name, drugs.route[i])
    ]
    assert len(unknown) <= 3, unknown


@pytest.mark.parametrize(
    ("condition", "group", "least"),
    [
        ("hypothyroidism", "levothyroxine", 0.7),
        ("diabetes1", "insulin_basal", 0.7),
        ("hepatic_encephalopathy", "lactulose", 0.8),
        ("cabg", "aspirin", 0.8),
        ("copd_exacerbation", "steroid_systemic", 0.8),
        ("esrd", "phosphate_binder", 0.6),
        ("alcohol_dependence", "thiamine", 0.4),
        ("transplant_kidney", "calcineurin", 0.7),
    ],
)
def test_a_condition_brings_its_therapy(drawn: Drawn, condition: str, group: str, least: float) -> None:
    given, ill = _given(drawn, group), _with(drawn, condition)
    assert given[ill].mean() > least
    assert given[ill].mean() > 1.5 * given[~ill].mean()


@pytest.mark.parametrize(
    ("words", "group", "least"),
    [
        ("methicillin resistant staph", "vancomycin_iv", 0.85),
        ("pseudomonas", "cefepime", 0.4),
        ("use of anticoagulants", "warfarin", 0.6),
        ("candidiasis of mouth", "oral_nystatin", 0.5),
        ("hypothyroidism", "levothyroxine", 0.7),
        ("cerebral edema", "mannitol", 0.3),
    ],
)
def test_the_words_of_a_title_bring_their_therapy(drawn: Drawn, words: str, group: str, least: float) -> None:
    given, message = _given(drawn, group), _titled(drawn, words)
    assert given[message].mean() > least
    assert given[message].mean() > 1.8 * given[~message].mean()


def test_what_a_title_denies_brings_nothing() -> None:
    know = knowledge.load()
    table = know.diagnosis[9]
    message = {
        code: {know.cues[i] for i in table.cue_list[table.cues[n] : table.cues[n + 1]]}
        for n, code in enumerate(table.code)
    }
    assert "bleeding_title" in message["56212"]  # diverticulosis of colon with hemorrhage
    assert "bleeding_title" not in message["56210"]  # ... (without mention of hemorrhage)


@pytest.mark.parametrize(
    ("condition", "drug", "needed_for", "at_most"),
    [
        ("esrd", "metformin", "diabetes2", 0.35),
        ("ckd", "nsaid", "osteoarthritis", 0.5),
        ("asthma", "beta_blocker", "hypertension", 0.75),
        ("gi_bleed", "heparin_iv", "atrial_fibrillation", 0.6),
        ("gi_bleed", "warfarin", "atrial_fibrillation", 0.6),
    ],
)
def test_a_contraindication_changes_the_therapy(
    drawn: Drawn, condition: str, drug: str, needed_for: str, at_most: float
) -> None:
    given, barred, due = _given(drawn, drug), _with(drawn, condition), _with(drawn, needed_for)
    assert given[due & barred].mean() < at_most * given[due & ~barred].mean()


def test_age_and_sex_matter(drawn: Drawn) -> None:
    _, patients, _ = drawn
    age, female = patients.visit_age, patients.female[patients.owner]
    assert age[_with(drawn, "dementia")].mean() > age.mean() + 8
    assert age[_with(drawn, "drug_overdose")].mean() < age.mean() - 5
    assert not (_with(drawn, "cancer_prostate") & female).any()
    assert not (_with(drawn, "delivery") & (~female | (age > 46))).any()


def test_chronic_conditions_and_home_medications_persist(drawn: Drawn) -> None:
    _, patients, _ = drawn
    later = np.flatnonzero(patients.visit_no > 0)
    for condition in ("diabetes2", "copd", "atrial_fibrillation"):
        before, after = _with(drawn, condition)[later - 1], _with(drawn, condition)[later]
        assert after[before].all()
    for group in ("statin", "levothyroxine", "ssri"):
        before, after = _given(drawn, group)[later - 1], _given(drawn, group)[later]
        assert after[before].mean() > 0.7 > 2 * after[~before].mean()


def test_the_rhythm_of_visits(drawn: Drawn) -> None:
    _, patients, clinic = drawn
    assert 0.55 < (patients.visits == 1).mean() < 0.65
    assert 1.6 < patients.visits.mean() < 2.1
    assert (patients.visits.min(), patients.visits.max()) == (1, 12)
    last = patients.visit_no == patients.visits[patients.owner] - 1
    assert not (clinic.dead & ~last).any()


def test_tables_have_the_layouts_columns(raw: tuple[str, Path]) -> None:
    layout, out = raw
    for name, file in FILES[layout].items():
        with gzip.open(out / file, "rt", encoding="utf-8") as stream:
            header = stream.readline().strip().split(",")
        assert all(column == (column.upper() if layout == "mimic3" else column.lower()) for column in header)
        expected = {"patients": "gender", "admissions": "insurance", "prescriptions": "ndc"}.get(name)
        assert expected is None or expected in [column.lower() for column in header]
    marker = json.loads((out / MARKER).read_text(encoding="utf-8"))
    assert (marker["synthetic"], marker["patients"], marker["seed"]) == (True, PATIENTS, 5)


def test_visits_of_a_patient_do_not_overlap_and_orders_stay_within_them(raw: tuple[str, Path]) -> None:
    layout, out = raw
    admissions, prescriptions = (str(out / FILES[layout][n]) for n in ("admissions", "prescriptions"))
    start = "startdate" if layout == "mimic3" else "starttime"
    overlap = """
        select count(*) from (select admittime < lag(dischtime) over (partition by subject_id order by admittime)
        as clash from read_csv(?)) where clash"""
    assert duckdb.execute(overlap, [admissions]).fetchall() == [(0,)]
    outside = f"""
        select count(*) from read_csv(?, all_varchar=true) p join read_csv(?, all_varchar=true) a using (hadm_id)
        where cast(p.{start} as timestamp) < cast(a.admittime as timestamp) - interval 1 day
        or cast(p.{start} as timestamp) > cast(a.dischtime as timestamp)"""
    assert duckdb.execute(outside, [prescriptions, admissions]).fetchall() == [(0,)]


def test_dirt_is_there_but_rare(raw: tuple[str, Path]) -> None:
    layout, out = raw
    query = """
        select avg((ndc = '0')::int), avg((drug_type = 'BASE')::int), avg((drug_type = 'ADDITIVE')::int),
        count(*) - count(distinct columns(['drug', 'hadm_id'])) from read_csv(?, all_varchar=true)"""
    zero, base, additive, *_ = duckdb.execute(query, [str(out / FILES[layout]["prescriptions"])]).fetchall()[
        0
    ]
    assert 0.02 < zero < 0.25
    assert 0.05 < base < 0.35
    assert 0 < additive < 0.05


def test_mimic4_has_both_icd_versions_but_one_an_admission(synthetic_raw_mimic4: Path) -> None:
    file = str(synthetic_raw_mimic4 / FILES["mimic4"]["diagnoses"])
    versions = "select distinct icd_version from read_csv(?, all_varchar=true) order by 1"
    assert duckdb.execute(versions, [file]).fetchall() == [("10",), ("9",)]
    mixed = """select count(*) from (select hadm_id from read_csv(?, all_varchar=true)
        group by hadm_id having count(distinct icd_version) > 1)"""
    assert duckdb.execute(mixed, [file]).fetchall() == [(0,)]


def test_a_hospital_is_fixed_by_its_seed_and_a_smaller_one_is_its_beginning(tmp_path: Path) -> None:
    for name, seed, count in (("first", 1, 30), ("again", 1, 30), ("other", 2, 10), ("small", 1, 10)):
        synthesize(tmp_path / name, layout="mimic3", patients=count, seed=seed)
    for file in FILES["mimic3"].values():
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
    for table in ("admissions", "prescriptions"):
        file = FILES["mimic3"][table]
        first, other, small = (
            gzip.decompress((tmp_path / name / file).read_bytes()) for name in ("first", "other", "small")
        )
        assert first != other
        assert len(small) < len(first)
        assert first.startswith(small)


def test_a_second_chunk_continues_the_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hospital, "CHUNK", 30)
    summary = synthesize(tmp_path / "raw", layout="mimic3", patients=40, seed=4)
    file = str(tmp_path / "raw" / FILES["mimic3"]["admissions"])
    query = """select count(*), count(distinct row_id), count(distinct hadm_id), count(distinct subject_id)
        from read_csv(?)"""
    rows, numbers, visits, patients = duckdb.execute(query, [file]).fetchall()[0]
    assert rows == numbers == visits == summary.visits
    assert patients == summary.patients == 40


def test_bad_input_is_refused_and_nothing_is_replaced(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mimic5"):
        synthesize(tmp_path / "x", layout="mimic5", patients=10, seed=1)
    with pytest.raises(InputError, match="0"):
        synthesize(tmp_path / "x", layout="mimic3", patients=0, seed=1)
    with pytest.raises(InputError, match="-1"):
        synthesize(tmp_path / "x", layout="mimic3", patients=10, seed=-1)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        synthesize(tmp_path / "file" / "below", layout="mimic3", patients=10, seed=1)
    own = tmp_path / "own"
    own.mkdir()
    (own / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="is not replaced"):
        synthesize(own, layout="mimic3", patients=10, seed=1)
    assert (own / "thesis.txt").read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "x").exists()


def test_the_cohort_builder_reads_it_and_says_it_is_synthetic(synthetic_cohort: Path) -> None:
    cohort = Cohort.open(synthetic_cohort)
    try:
        assert cohort.fingerprint.synthetic
        columns = cohort.columns("all", "all")
        classes = columns.codes["medication"].ids.lengths
    finally:
        cohort.close()
    assert 15 < classes.mean() < 24


def test_it_resembles_the_real_demo(real_cohort: Path, synthetic_cohort: Path) -> None:
    result = compare(real_cohort, synthetic_cohort)
    assert result.prevalence_spearman > 0.8
    assert result.pairs_pearson > 0.85
    assert abs(result.real["classes_mean"] - result.synthetic["classes_mean"]) < 4
    assert abs(result.real["repeated_classes"] - result.synthetic["repeated_classes"]) < 0.12
