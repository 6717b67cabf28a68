"""Faults of the published code that concern prompts, the student and preprocessing: for each, what fails where it is.

Numbers are those of the method's list of faults; `FAULTS` says which tests stand for each, wherever they are. Faults 1
to 8 keep the published code from running and have nothing of ours to fail; 29 to 34 are the teacher's.
"""

from __future__ import annotations

import ast
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import torch

from leader_core.cohort import Cohort
from leader_core.cohort.build import BuildResult
from leader_core.cohort.ndc import normalise_ndc
from leader_core.cohort.statements import run
from leader_core.domain import KINDS, Case, Visit
from leader_core.prompt import PromptBuilder
from leader_core.prompt_templates import LEADER_2, PROMPTS
from leader_core.student.config import StudentConfig
from leader_core.student.encode import RESERVED, Encoder
from leader_core.student.packing import pack
from leader_core.student.scorer import build_student
from leader_core.vocabulary import Vocabularies, Vocabulary
from tests import raw_tables
from tests.hospital import Hospital
from train.config import StudentTraining, load_settings
from train.console import Report
from train.student.data import Guidance, StudentData
from train.student.loop import StudentTrainer

ROOT = Path(__file__).parents[2]

FAULTS: dict[int, tuple[str, ...]] = {
    9: ("test_each_visit_shows_its_own_diagnoses", "test_repeating_the_current_diagnoses_is_for_reproduction_only"),
    10: (
        "test_any_limit_holds_and_the_current_visit_outlives_history",
        "test_cuts_oldest_visit_then_its_lists_then_the_current_ones",
        "test_unseen_and_truncated_are_reported",
    ),
    11: (
        "test_codes_keep_their_system_and_leading_zeros",
        "test_codes_keep_their_zeros_their_system_and_the_source_order",
        "test_a_procedure_with_leading_zeros_has_its_title",
    ),
    12: ("test_a_code_without_a_title_stands_for_itself_and_is_reported",),
    13: ("test_our_wording_is_neutral_and_the_base_puts_its_own_first_token",),
    14: (
        "test_the_system_decides_where_two_systems_share_a_string",
        "test_the_hospital_s_own_titles_win_and_are_separate_by_version",
    ),
    15: (
        "test_the_most_recent_visits_are_kept_and_the_current_one_always",
        "test_the_eleventh_visit_is_read_and_the_first_is_not",
    ),
    16: (
        "test_only_with_recency_does_the_order_of_visits_matter",
        "test_the_separate_current_visit_reaches_the_head_by_itself",
    ),
    17: ("test_alignment_reads_each_medication_at_its_own_row",),
    18: ("test_every_kind_has_its_own_ids",),
    19: ("test_more_codes_than_fit_are_cut_and_said", "test_more_than_a_hundred_codes_are_read_and_counted"),
    20: ("test_rectangles_hold_every_row_and_little_padding", "test_a_batch_holds_hardly_more_than_its_codes"),
    21: (
        "test_an_unseen_profile_value_has_a_row_of_its_own",
        "test_values_unseen_in_training_get_the_average_row",
        "test_the_order_of_a_profile_means_nothing",
    ),
    22: ("test_the_profile_takes_one_place_and_pushes_no_history_out",),
    23: ("test_every_weight_learns", "test_the_published_count_for_inference_and_for_training"),
    24: ("test_every_weight_learns", "test_the_published_count_for_inference_and_for_training"),
    25: ("test_a_batch_of_one_left_over_trains", "test_alignment_of_one_case_is_nothing"),
    26: ("test_alignment_is_the_formula", "test_published_weights_give_the_published_losses"),
    27: ("test_the_projector_is_as_wide_as_the_teachers_states",),
    28: ("test_losses_are_single_precision",),
    35: (
        "test_an_order_without_a_code_inherits_none",
        "test_paper_preset_maps_by_ndc_and_keeps_patients_with_two_prescribed_admissions",
    ),
    36: ("test_visits_are_in_order_of_admission_and_not_of_their_ids", "test_the_open_demo_adds_up"),
    37: ("test_a_class_of_a_single_drug_keeps_its_prescriptions",),
    38: ("test_patients_of_one_visit_are_kept_and_counted_after_every_filter", "test_attrition_counts_each_filter"),
    39: ("test_a_combination_has_its_own_class_in_any_order", "test_parts_without_a_class_of_their_own_stay_apart"),
    40: ("test_ndc_of_any_form_are_eleven_digits",),
    41: ("test_twosides_file_keeps_the_rarest_effects_with_their_names", "test_families_never_mix"),
    42: ("test_the_split_is_the_documented_hash", "test_vocabularies_come_from_the_requested_split_alone"),
    43: ("test_how_many_codes_are_kept_is_explicit",),
    44: ("test_nothing_unpickles_evaluates_or_runs_remote_code",),
    45: ("test_nothing_fills_forward",),
    46: (
        "test_empty_and_disjoint_sets_are_defined",
        "test_average_precision_without_positives_is_zero_and_left_out_of_the_mean",
        "test_an_empty_group_has_no_metrics",
    ),
    47: ("test_the_bootstrap_draws_patients_not_cases",),
    48: ("test_states_hold_numbers_and_no_text",),
}  # fmt: skip
"""Fault -> the tests that fail where it is."""


def _tests_of(*files: Path) -> set[str]:
    """Names of the test functions that these files define."""
    return {
        node.name
        for file in files
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_fault_has_tests_and_they_are_there() -> None:
    assert sorted(FAULTS) == [*range(9, 29), *range(35, 49)]
    named = {name for names in FAULTS.values() for name in names}
    assert named - _tests_of(*(ROOT / "tests").rglob("test_*.py")) == set()
    here = _tests_of(Path(__file__))
    assert here - named == {"test_every_fault_has_tests_and_they_are_there"}


# -- prompt and text -------------------------------------------------------------------------------------------------


class Letters:
    """One token a character."""

    specials = 0

    def spans(self, text: str) -> list[tuple[int, int]]:
        return [(i, i + 1) for i in range(len(text))]


def prompt(version: str, case: Case, titles: dict[str, str]) -> Any:
    return PromptBuilder(version, lambda kind, code: titles.get(code), Letters(), 5_000).build(case)


PAST = Case(
    history=(Visit(("ICD9:4280",), (), ("C03C",)), Visit(("ICD9:486",), (), ("J01C",))),
    current=Visit(diagnoses=("ICD9:5849",)),
)
NAMES = {"ICD9:4280": "heart failure", "ICD9:486": "pneumonia", "ICD9:5849": "kidney failure"}


def test_repeating_the_current_diagnoses_is_for_reproduction_only() -> None:
    """9: as run, the published prompt tells the current diagnoses of every earlier visit too."""
    for preset in ("default", "paper"):
        assert not PROMPTS[load_settings(preset).teacher.prompt_version].repeats_current
    own, repeated = (prompt(version, PAST, NAMES).text for version in ("paper-1", "paper-1-as-run"))
    for text, counts in ((own, (1, 1, 1)), (repeated, (0, 0, 3))):
        assert tuple(text.count(name) for name in NAMES.values()) == counts
    assert own.count("C03C") == repeated.count("C03C") == 1


def test_a_code_without_a_title_stands_for_itself_and_is_reported() -> None:
    """12: the published prompt leaves such codes out, down to `diagnosis: ;`."""
    case = replace(PAST, profile={}, current=Visit(diagnoses=("ICD9:99999",)))
    for version in PROMPTS:
        result = prompt(version, case, NAMES)
        assert "ICD9:99999" in result.text
        assert "ICD9:99999" in result.untitled


def test_our_wording_is_neutral_and_the_base_puts_its_own_first_token() -> None:
    """13: no `he`, no intensive care, and the special tokens that the base was pre-trained with."""
    words = " ".join((*LEADER_2.openings, LEADER_2.current, LEADER_2.history, LEADER_2.question)).lower()
    assert not re.search(r"\b(he|she|icu)\b", words)
    teacher = load_settings("default").teacher
    assert (teacher.prompt_version, teacher.special_tokens) == (LEADER_2.version, "base")


# -- the student's data path -----------------------------------------------------------------------------------------

DEFAULT = load_settings("default").student
HOSPITAL = Hospital(60)
MANY = [f"ICD9:{1000 + i}" for i in range(150)]
VOCABULARIES = Vocabularies(
    diagnosis=Vocabulary.of([*HOSPITAL.vocabulary_codes("diagnosis"), *MANY]),
    procedure=Vocabulary.of(HOSPITAL.vocabulary_codes("procedure")),
    medication=Vocabulary.of(HOSPITAL.vocabulary_codes("medication")),
    profile={name: Vocabulary.of(HOSPITAL.profile_values(name)) for name in HOSPITAL.profile_fields},
)
CONFIG = replace(DEFAULT, profile_fields=HOSPITAL.profile_fields, code_text=False)


def scores(cases: list[Case], config: StudentConfig = CONFIG) -> np.ndarray:
    torch.manual_seed(0)
    model = build_student(config, VOCABULARIES).eval()
    with torch.no_grad():
        return model(pack(Encoder(config, VOCABULARIES).cases(cases), np.arange(len(cases)))).logits.numpy()


def numbered(count: int) -> list[Visit]:
    """Visits that each have a diagnosis and a medication of their own."""
    return [
        Visit((MANY[i],), (), (VOCABULARIES.medication.codes[i % len(VOCABULARIES.medication)],))
        for i in range(count)
    ]


def test_the_eleventh_visit_is_read_and_the_first_is_not() -> None:
    """15: the published code keeps the first ten visits, and so loses the current one."""
    visits = numbered(12)
    case = Case(history=tuple(visits[:-1]), current=visits[-1])
    other = Visit(diagnoses=(MANY[140],), medications=visits[0].medications)
    before = scores([case])
    now = replace(case, profile={}, current=other)
    first = replace(case, profile={}, history=(other, *visits[1:-1]))
    assert np.abs(scores([now]) - before).max() > 1e-4
    np.testing.assert_array_equal(scores([first]), before)
    encoded = Encoder(CONFIG, VOCABULARIES).cases([case])
    assert (encoded.visits_cut.tolist(), encoded.codes_cut.tolist()) == ([True], [False])


def test_alignment_reads_each_medication_at_its_own_row() -> None:
    """17: the published code looks medication i up as token i: another medication's row, or padding."""
    codes = VOCABULARIES.medication.codes
    cases = [Case(current=Visit(medications=(code,))) for code in codes]
    encoder = Encoder(CONFIG, VOCABULARIES)
    for place, case in enumerate(cases):
        packed = pack(encoder.cases([case]), np.array([0]), with_labels=True)
        assert packed.tokens.tolist() == [RESERVED + place]
        assert packed.prescribed.tolist() == [0]  # the one set of the batch, not the empty one
    model = build_student(CONFIG, VOCABULARIES).eval()
    with torch.no_grad():
        result = model(pack(encoder.cases(cases), np.arange(len(cases)), with_labels=True)).prescribed
    assert result is not None
    assert len(torch.unique(result, dim=0)) == len(codes)


def test_more_than_a_hundred_codes_are_read_and_counted() -> None:
    """19: the published code fails on a visit of more than a hundred codes."""
    case = Case(current=Visit(diagnoses=tuple(MANY)))
    encoder = Encoder(CONFIG, VOCABULARIES)
    encoded = encoder.cases([case])
    assert len(encoded.diagnosis.row(0)) == DEFAULT.max_codes == 100
    assert (encoded.codes_cut.tolist(), encoded.visits_cut.tolist()) == ([True], [False])
    assert np.isfinite(scores([case])).all()


def test_a_batch_holds_hardly_more_than_its_codes() -> None:
    """20: the published code pads every case to ten visits of a hundred codes."""
    columns = HOSPITAL.columns("all", "last")
    encoded = Encoder(CONFIG, VOCABULARIES).columns(columns)
    packed = pack(encoded, np.arange(len(columns)))
    codes = sum(len(encoded.sets(kind).values) for kind in KINDS)
    assert len(packed.tokens) < 1.25 * codes < len(columns) * 3 * 10 * 100 / 50


def test_the_order_of_a_profile_means_nothing() -> None:
    """21: the published code reads a profile in the order in which its file lists it."""
    one = {"insurance": "Private", "gender": "F"}
    other = dict(reversed(one.items()))
    case = HOSPITAL.cases()[0]
    result = scores([replace(case, profile=one), replace(case, profile=other)])
    np.testing.assert_allclose(result[0], result[1], atol=1e-6)
    assert np.isfinite(scores([replace(case, profile={"insurance": "never seen"})])).all()


@pytest.mark.parametrize("count", [1, 2, DEFAULT.max_visits])
def test_the_profile_takes_one_place_and_pushes_no_history_out(count: int) -> None:
    """22: more places for the profile would push earlier medications out of the published mask."""
    visits = numbered(count)
    case = Case(history=tuple(visits[:-1]), current=visits[-1])
    packed = pack(Encoder(CONFIG, VOCABULARIES).cases([case]), np.array([0]))
    assert [(r.rows, r.length) for r in packed.visits] == [(3, count)]
    stream = packed.set_at_position[2 * count :].tolist()  # the medications'
    empty = max(packed.set_at_position.max(), stream[0])
    assert packed.profile_positions.tolist() == [2 * count]
    assert stream[0] == empty and empty not in stream[1:]
    assert not [f.name for f in fields(StudentConfig) if "prompt" in f.name]


# -- the student's losses --------------------------------------------------------------------------------------------


def trainer(guidance: Guidance | None = None) -> StudentTrainer:
    data = replace(StudentData.of(HOSPITAL, "last"), guidance=guidance)  # type: ignore[arg-type]
    training = replace(load_settings("default").student_training, batch_size=8, targets="last")
    return StudentTrainer(data, CONFIG, training, seed=1, device="cpu", report=Report(quiet=True))


@pytest.mark.parametrize("width", [24, 4096])
def test_the_projector_is_as_wide_as_the_teachers_states(width: int) -> None:
    """27: the published projector gives 4,096 values, whatever the teacher."""
    count = len(HOSPITAL.cases("train"))
    hidden = np.random.default_rng(0).normal(size=(count, width)).astype(np.float32)
    logits = np.zeros((count, len(VOCABULARIES.medication)), np.float32)
    student_trainer = trainer(Guidance(hidden, logits, np.arange(count), "t" * 64))
    assert student_trainer.losses.distillation is not None
    assert student_trainer.losses.distillation.projector.out_features == width
    assert np.isfinite(student_trainer.losses(student_trainer.batch(np.arange(8)))["distillation"].item())


def test_losses_are_single_precision() -> None:
    """28: the published labels are float64, and so is all that is computed from them."""
    student_trainer = trainer()
    batch = student_trainer.batch(np.arange(8))
    assert batch.truth.dtype == torch.float32
    assert {part.dtype for part in student_trainer.losses(batch).values()} == {torch.float32}
    assert {weight.dtype for weight in student_trainer.losses.parameters()} == {torch.float32}
    assert StudentTraining().alignment == "official"


# -- preprocessing ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The hospital of four, with an order that has neither NDC nor a name that maps, after one that has both."""
    tables = raw_tables.mimic3()
    orders = tables["PRESCRIPTIONS"]
    place = next(i for i, row in enumerate(orders) if row["DRUG"] == "Warfarin")
    orders.insert(place + 1, {**orders[place], "DRUG": "Zzyzx Elixir", "NDC": ""})
    orders.insert(place + 1, {**orders[0], "HADM_ID": 10, "DRUG": "Zzyzx Elixir", "NDC": ""})
    return raw_tables.build(tmp_path_factory.mktemp("faults"), tables)


def test_a_procedure_with_leading_zeros_has_its_title(built: BuildResult) -> None:
    """11: a dictionary read as numbers has no title for code 0066."""
    cohort = Cohort.open(built.path)
    assert cohort.case(1).current.procedures == ("ICD9PCS:0066",)
    assert cohort.title("procedure", "ICD9PCS:0066") not in (None, "", "ICD9PCS:0066")


def test_an_order_without_a_code_inherits_none(built: BuildResult) -> None:
    """35: filled forward, patient 1's order after patient 2's warfarin would be warfarin."""
    cohort = Cohort.open(built.path)
    assert "B01A" in cohort.case(2).current.medications
    assert cohort.case(1).current.medications == ("A07A",)
    counts = {(table, reason): rows for table, reason, rows in built.accounting}
    assert counts["prescriptions", "unmapped drug"] == 3  # one of the hospital's own, and the two added


def test_a_class_of_a_single_drug_keeps_its_prescriptions(built: BuildResult) -> None:
    """37: the published code loses the first drug name of each class, and with it classes of one name."""
    assert Cohort.open(built.path).case(2).current.medications == ("B01A",)  # warfarin, and nothing else
    assert {"A07A", "B01A", "C03C", "J01X"} <= set(
        Cohort.open(built.path).vocabulary_codes("medication", "all")
    )


def test_patients_of_one_visit_are_kept_and_counted_after_every_filter(built: BuildResult) -> None:
    """38: the published filter stands before others that make single-visit patients out of more."""
    cohort = Cohort.open(built.path)
    single = {case.patient_id for case in cohort.cases("all", "last") if case.is_first_visit}
    assert built.fingerprint.single_visit_patients == len(single) == 1
    assert built.fingerprint.patients == 2


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("00054329425", "00054329425"),
        ("0054-3294-25", "00054329425"),  # 4-4-2
        ("00054-329-25", "00054032925"),  # 5-3-2
        ("00054-3294-2", "00054329402"),  # 5-4-1
        ("54329425", "00054329425"),  # a number that lost its zeros
        ("54329425.0", "00054329425"),
        ("0", None),
        ("", None),
        (None, None),
        ("not an NDC", None),
    ],
)
def test_ndc_of_any_form_are_eleven_digits(raw: str | None, expected: str | None) -> None:
    """40: as raw text, a code of another form maps to nothing."""
    assert normalise_ndc(raw) == expected


@pytest.mark.parametrize(
    ("preset", "source", "expected"),
    [
        ("paper", "mimic4", {"medication": 300, "diagnosis": 2_000, "procedure": 1_001}),
        ("paper", "mimic3", {"medication": 300, "diagnosis": 2_000, "procedure": 1_100}),
        ("clinical", "mimic4", {"medication": 310, "diagnosis": 2_100, "procedure": 1_100}),
    ],
)
def test_how_many_codes_are_kept_is_explicit(preset: str, source: str, expected: dict[str, int]) -> None:
    """43: the published slice keeps 1,001 procedures of MIMIC-IV where it says 1,000."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE code_ids (code_id INTEGER, kind VARCHAR, code VARCHAR)")
        for kind, count in (("medication", 310), ("diagnosis", 2_100), ("procedure", 1_100)):
            connection.execute(
                "INSERT INTO code_ids SELECT range + $n, $kind, $kind || range FROM range($count)",
                {"n": 10_000 * len(kind), "kind": kind, "count": count},
            )
        connection.execute("CREATE TABLE usable_codes AS SELECT code_id FROM code_ids")
        run(connection, f"preset_{preset}/kept_codes", {"source": source})
        result = connection.execute("SELECT kind, count(*) FROM kept_codes GROUP BY kind").fetchall()
    assert dict(result) == expected


def test_nothing_fills_forward() -> None:
    """45: pandas 3 has no `fillna(method=...)`; and nothing of ours may fill a cell from the row before."""
    pattern = re.compile(
        r"\.ffill\(|\.bfill\(|fillna\(\s*method|last_value\([^)]*IGNORE NULLS", re.IGNORECASE
    )
    rooms = ("leader_core", "train", "dashboard")
    sources = [p for room in rooms for p in (ROOT / room).rglob("*") if p.suffix in (".py", ".sql")]
    assert len(sources) > 100
    assert [str(p.relative_to(ROOT)) for p in sources if pattern.search(p.read_text(encoding="utf-8"))] == []
