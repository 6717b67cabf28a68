"""The pair tables: facts checked against their sources, classical prescribing cases, and look-up."""

from __future__ import annotations

import csv
import re
import time
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leader_core.domain import GRADED, SEVERITY_RANK, Interaction
from leader_core.errors import InputError
from leader_core.interactions import (
    InteractionTable,
    clinical_rules,
    is_statistical,
    load_clinical,
    read_statistical,
)
from leader_core.interactions.conditions import condition_rules, read_condition_rule
from leader_core.interactions.pairs import drug_pair, is_partial
from leader_core.interactions.rules import ASSETS, frequencies, read_rows, read_rule
from leader_core.interactions.rules import combinations as combinations_by_drug
from leader_core.terminology import table_rows
from leader_core.terminology.drug_table import drug_table

LEVELS = (3, 4, 5)


@pytest.fixture(scope="module")
def table() -> InteractionTable:
    return InteractionTable((*load_clinical(3), *read_statistical(3).pairs))


# --- the ten classical cases: (drugs, ingredient codes, severity, level-3 classes, a word of mechanism, of management)

CLASSICAL = [
    ("warfarin, trimethoprim-sulfamethoxazole", "B01AA03", "J01EE01", "major", "CYP2C9", "INR"),
    ("simvastatin, clarithromycin", "C10AA01", "J01FA09", "contraindicated", "CYP3A4", "Hold the statin"),
    ("lisinopril, spironolactone", "C09AA03", "C03DA01", "moderate", "aldosterone", "potassium"),
    ("amiodarone, haloperidol: two QT drugs", "C01BD01", "N05AD01", "major", "hERG", "ECG"),
    ("haloperidol, ondansetron: two QT drugs", "N05AD01", "A04AA01", "major", "hERG", "ECG"),
    ("morphine, lorazepam", "N02AA01", "N05BA06", "major", "GABA-A", "naloxone"),
    ("methotrexate, ibuprofen", "L01BA01", "M01AE01", "major", "renal", "acetaminophen"),
    ("digoxin, amiodarone", "C01AA05", "C01BD01", "major", "P-gp", "Halve digoxin"),
    (
        "sertraline, linezolid",
        "N06AB06",
        "J01XX08",
        "contraindicated",
        "monoamine oxidase",
        "stop the antidepressant",
    ),
    ("lithium, hydrochlorothiazide", "N05AN01", "C03AA03", "major", "lithium", "level"),
]


@pytest.mark.parametrize(("drugs", "a", "b", "severity", "mechanism", "management"), CLASSICAL)
@pytest.mark.parametrize("level", LEVELS)
def test_classical_case_is_found_at_every_level(
    drugs: str, a: str, b: str, severity: str, mechanism: str, management: str, level: int
) -> None:
    length = {3: 4, 4: 5, 5: 7}[level]
    pairs = InteractionTable(load_clinical(level))
    (entry,) = pairs.pair(a[:length], b[:length])
    assert entry.severity == severity, drugs
    assert mechanism in entry.mechanism
    assert management in entry.management
    assert entry.source
    assert entry.evidence == "established"
    assert pairs.pair(b[:length], a[:length]) == (entry,)


@pytest.mark.parametrize("level", [4, 5])
def test_clopidogrel_with_omeprazole_is_found_where_the_level_can_tell_them_apart(level: int) -> None:
    """The tenth case, which level 3 shows too: clopidogrel is B01AC04 and omeprazole A02BC01."""
    length = {4: 5, 5: 7}[level]
    (entry,) = InteractionTable(load_clinical(level)).pair("B01AC04"[:length], "A02BC01"[:length])
    assert entry.severity == "major"
    assert "CYP2C19" in entry.mechanism
    assert "pantoprazole" in entry.management


def test_clopidogrel_with_omeprazole_names_its_drugs_at_level_3(table: InteractionTable) -> None:
    entry = table.pair("A02B", "B01A")[0]
    assert entry.severity == "major"
    assert "clopidogrel with omeprazole or esomeprazole" in entry.management


# --- the clinical table against the index


def test_clinical_table_is_large_enough_and_graded() -> None:
    rules = clinical_rules()
    assert len(rules) >= 250
    grades = Counter(rule.severity for rule in rules)
    assert set(grades) == {"contraindicated", "major", "moderate", "minor"}


def test_every_code_of_the_clinical_table_exists(index: dict[str, str]) -> None:
    for rule in clinical_rules():
        for side in (rule.a, rule.b):
            for code in (*side.codes, *(c for agent in (*side.carriers, *side.spared) for c in agent.codes)):
                assert code in index, f"{code} of {side.label}"


def test_every_drug_name_is_its_codes_ingredient(index: dict[str, str]) -> None:
    with (ASSETS / "names.csv").open(encoding="utf-8", newline="") as stream:
        synonyms = {(row["drug"], row["code"]): row["who_name"] for row in csv.DictReader(stream)}
    combined = {(drug, code) for drug, codes in combinations_by_drug().items() for code in codes}
    ordered = {(i.name, code) for i in drug_table().ingredients.values() for code in i.codes.values()}
    named = set(synonyms) | combined | ordered
    for (drug, code), name in synonyms.items():
        assert index[code] == name, f"{drug} {code}"
    for rule in clinical_rules():
        for agent in (*rule.a.carriers, *rule.b.carriers, *rule.a.spared, *rule.b.spared):
            for code in agent.codes:
                known = (agent.name, code) in named
                assert known or agent.name.lower() in index[code].lower(), (
                    f"{agent.name} {code} {index[code]}"
                )


def test_combinations_are_what_they_are_called(index: dict[str, str]) -> None:
    with (ASSETS / "combinations.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["code"] for row in rows}) == len(rows)
    for row in rows:
        assert index[row["code"]] == row["who_name"]


def test_fixed_combination_carries_what_its_drugs_carry() -> None:
    """Lisinopril with hydrochlorothiazide in one tablet, beside spironolactone and beside lithium."""
    pairs = InteractionTable(load_clinical(5))
    assert pairs.pair("C09BA03", "C03DA01")[0].severity == "moderate"
    assert pairs.pair("C09BA03", "N05AN01")[0].severity == "major"
    assert pairs.pair("A02BD07", "C10AA01")[0].severity == "contraindicated"  # clarithromycin in it


def test_rare_combination_does_not_speak_for_its_class() -> None:
    """Few acid suppressants hold clarithromycin: the class does not interact with statins."""
    assert InteractionTable(load_clinical(3)).pair("A02B", "C10A") == ()


def test_carriers_belong_to_their_side_and_the_spared_do_not() -> None:
    for rule in clinical_rules():
        for side in (rule.a, rule.b):
            names = {agent.name for agent in side.carriers}
            assert not names & {agent.name for agent in side.spared}, side.label
            for code in side.codes:
                assert side.carriers_within(code), f"no carrier of {side.label} under {code}"


def test_no_rule_repeats_another() -> None:
    """One rule for two drugs and one way in which they interact."""
    seen: dict[tuple[frozenset[str], str, str], str] = {}
    for rule in clinical_rules():
        own = f"{rule.a.label} | {rule.b.label}"
        for a in rule.a.carriers:
            for b in rule.b.carriers:
                if a.name != b.name:
                    key = (frozenset((a.name, b.name)), rule.kind, rule.target)
                    assert seen.setdefault(key, own) == own, f"{key} in {own}"


def test_frequencies_are_of_known_codes(index: dict[str, str]) -> None:
    sides = [side for rule in clinical_rules() for side in (rule.a, rule.b)]
    sides += [rule.side for rule in condition_rules()]
    named = {code for side in sides for drug in (*side.carriers, *side.spared) for code in drug.codes}
    for code, frequency in frequencies().items():
        assert code in index
        assert code in named
        assert frequency in ("uncommon", "rare")


@pytest.mark.parametrize("level", LEVELS)
def test_projected_pairs_are_whole_and_unique(level: int) -> None:
    length = {3: 4, 4: 5, 5: 7}[level]
    pairs = load_clinical(level)
    assert len(InteractionTable(pairs)) == len(pairs)  # raises where a pair stands twice or out of order
    for pair in pairs:
        lengths = {len(pair.code_a), len(pair.code_b)}
        assert lengths <= ({length, 5} if level == 5 else {length})  # ATC has no level 5 for some drugs
        assert pair.severity in GRADED
        assert all((pair.mechanism, pair.effect, pair.management, pair.source, pair.evidence))


def test_source_can_be_looked_up() -> None:
    known = (
        "label",
        "guideline",
        "FDA",
        "CredibleMeds",
        "criteria",
        "statement",
        "report",
        "Standards",
        "CDC",
        "Manual",
        "Bulletin",
        "20",
    )
    for rule in clinical_rules():
        for source in rule.source.split("; "):
            assert any(word in source for word in known), source


# --- how classes are spoken of


def test_class_pair_names_the_drugs_that_carry_it() -> None:
    pairs = InteractionTable(load_clinical(3))
    (entry,) = pairs.pair("C10A", "J01F")
    lines = entry.management.split("\n")
    assert lines[0].startswith(
        "Only when combining simvastatin or lovastatin with clarithromycin, erythromycin or telithromycin"
    )
    assert "Not carried by azithromycin" in lines[0]
    assert any(
        line.startswith("Only when combining atorvastatin with clarithromycin (major)") for line in lines
    )
    assert is_partial(entry)


def test_pair_that_whole_classes_carry_is_said_of_the_classes() -> None:
    (entry,) = InteractionTable(load_clinical(3)).pair("C09A", "C09C")
    assert not is_partial(entry)
    assert not entry.management.startswith("Only when")


def test_rule_of_seldom_used_drugs_does_not_grade_two_common_classes() -> None:
    """Sevelamer and methylene blue share a class: citalopram with sevelamer is no contraindication."""
    (by_class,) = InteractionTable(load_clinical(3)).pair("N06A", "V03A")
    assert by_class.severity == "moderate"
    assert "contraindicated; seldom the drugs in use" in by_class.management
    (by_drug,) = InteractionTable(load_clinical(5)).pair("N06AB04", "V03AB17")
    assert by_drug.severity == "contraindicated"
    assert not is_partial(by_drug)


def test_most_severe_usual_rule_grades_the_pair_and_comes_first() -> None:
    grade = re.compile(rf"\(({'|'.join(GRADED)})(; seldom the drugs in use)?\): ")
    several = 0
    for pair in load_clinical(3):
        lines = pair.effect.split("\n")
        assert len(pair.management.split("\n")) == len(lines)
        if len(lines) == 1:
            continue
        several += 1
        grades = [match for line in lines if (match := grade.search(line))]
        assert len(grades) == len(lines)
        order = [(bool(match[2]), SEVERITY_RANK[match[1]]) for match in grades]  # type: ignore[index]
        assert order == sorted(order)
        usual = [rank for seldom, rank in order if not seldom]
        assert not usual or SEVERITY_RANK[pair.severity] == usual[0]
        assert SEVERITY_RANK[pair.severity] >= min(rank for _, rank in order)
    assert several > 100


def test_drug_pairs_are_symmetric_and_leave_spared_drugs_out() -> None:
    assert drug_pair("B01AA03", "J01EE01") == drug_pair("J01EE01", "B01AA03")
    assert drug_pair("C10AA01", "J01FA09").severity == "contraindicated"
    with pytest.raises(KeyError):
        drug_pair("C10AA03", "J01FA09")  # pravastatin is spared


def test_levels_other_than_3_to_5_are_refused() -> None:
    with pytest.raises(InputError, match="expected 3, 4 or 5"):
        load_clinical(2)
    with pytest.raises(InputError, match="expected 3, 4 or 5"):
        read_statistical(1)


CLINICAL = ("clinical.csv", read_rule)
ON_CONDITIONS = ("conditions.csv", read_condition_rule)


@pytest.mark.parametrize(
    ("table", "column", "value", "message"),
    [
        (CLINICAL, "severity", "severe", "column severity: 'severe' is none of contraindicated"),
        (CLINICAL, "kind", "magic", "column kind"),
        (CLINICAL, "source", " ", "column source: expected a text"),
        (CLINICAL, "codes_a", "B01A!", "'B01A!' is no ATC code"),
        (CLINICAL, "carriers_b", "", "at least one drug"),
        (CLINICAL, "carriers_b", "aspirin", "is no drug with its ATC level-5 codes"),
        (ON_CONDITIONS, "severity", "unknown", "column severity: 'unknown' is none of"),
        (ON_CONDITIONS, "evidence", "hearsay", "column evidence"),
        (ON_CONDITIONS, "diagnoses", "428", "'428' is no beginning of a code"),
        (ON_CONDITIONS, "unless", "Z950", "column unless: 'Z950' is no beginning of a code"),
        (ON_CONDITIONS, "effect", "", "column effect: expected a text"),
    ],
)
def test_bad_row_of_a_table_is_named(
    tmp_path: Path, table: tuple[str, Callable[..., object]], column: str, value: str, message: str
) -> None:
    name, read = table
    row = next(table_rows(name, ASSETS))
    path = tmp_path / name
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(row))
        writer.writeheader()
        writer.writerow({**row, column: value})
    with pytest.raises(InputError, match="line 2") as caught:
        read_rows(path, read)
    assert message in str(caught.value)


# --- look-up


def test_families_never_mix(table: InteractionTable) -> None:
    both = table.pair("C01B", "C01A")
    assert [is_statistical(entry) for entry in both] == [False, True]
    graded = [entry for entry in table if not is_statistical(entry)]
    assert len(table) == len(graded) + len(table.statistical) == len(tuple(table))
    assert all(entry.severity == "unknown" for entry in table.statistical)
    assert all(entry.severity != "unknown" for entry in graded)
    matrix = table.statistical_matrix(["C09A", "C03D"])
    assert not matrix.any()  # a major clinical pair, and no statistical one


def test_among_sorts_most_severe_first_and_ignores_repeats(table: InteractionTable) -> None:
    codes = ["J01F", "C10A", "B01A", "J01E", "C09A", "C03D", "C03D"]
    entries = table.among(codes)
    ranks = [SEVERITY_RANK[entry.severity] for entry in entries]
    assert ranks == sorted(ranks)
    assert entries[0].severity == "contraindicated"
    assert {(entry.code_a, entry.code_b) for entry in entries} >= {
        ("C10A", "J01F"),
        ("B01A", "J01E"),
        ("C03D", "C09A"),
    }
    assert table.among(["B01A"]) == table.among([]) == ()
    assert table.pair("B01A", "B01A") == ()


_CODES = st.sampled_from(
    ["A02B", "B01A", "C01B", "C09A", "C10A", "J01F", "J01M", "M01A", "N02A", "N05A", "Z99Z"]
)


@given(st.lists(_CODES, max_size=9))
@settings(max_examples=60, deadline=None)
def test_look_ups_agree_with_each_other(codes: list[str]) -> None:
    table = InteractionTable((*load_clinical(3), *read_statistical(3).pairs))
    chosen = sorted(set(codes))
    by_pair = [entry for a, b in combinations(chosen, 2) for entry in table.pair(b, a)]
    assert sorted(map(str, table.among(codes))) == sorted(map(str, by_pair))
    matrix = table.statistical_matrix(chosen)
    assert (matrix == matrix.T).all()
    assert matrix.sum() // 2 == sum(map(is_statistical, by_pair))
    pairs = len(chosen) * (len(chosen) - 1) // 2
    assert table.density(codes) == (matrix.sum() / 2 / pairs if pairs else 0.0)


def test_matrix_of_unknown_codes_is_empty(table: InteractionTable) -> None:
    assert table.statistical_matrix([]).shape == (0, 0)
    assert not table.statistical_matrix(["Z99Z", "C10A"]).any()
    assert table.statistical_matrix(["A01A", "B03B"]).tolist() == [[False, True], [True, False]]
    assert table.statistical_matrix(["A01A"]).dtype == np.bool_


def test_looking_up_forty_codes_takes_about_a_millisecond(table: InteractionTable) -> None:
    codes = sorted({code for pair in load_clinical(3) for code in (pair.code_a, pair.code_b)})[::2][:40]
    times = []
    for _ in range(20):
        begun = time.process_time()  # what a busy machine does not change
        table.among(codes)
        times.append(time.process_time() - begun)
    assert min(times) < 0.002


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([Interaction("B", "A", "major", "s")], "the smaller one first"),
        ([Interaction("A", "A", "major", "s")], "two different codes"),
        ([Interaction("A", "B", "grave", "s")], "expected one of contraindicated"),  # type: ignore[arg-type]
        (
            [Interaction("A", "B", "major", "s"), Interaction("A", "B", "minor", "t")],
            "twice among the clinical",
        ),
        ([Interaction("A", "B", "unknown", "s")] * 2, "twice among the statistical"),
    ],
)
def test_table_refuses_pairs_that_cannot_stand(pairs: list[Interaction], message: str) -> None:
    with pytest.raises(InputError, match=message):
        InteractionTable(pairs)
