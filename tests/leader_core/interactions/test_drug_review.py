"""Drugs reviewed one by one: hand-worked findings, pairs within a class, and nothing about classes."""

from __future__ import annotations

import pytest

from leader_core.interactions import OrderedDrug, drug_names, review_drugs

CODES = {
    "warfarin": "B01AA03",
    "fluconazole": "J02AC01",
    "aspirin": "B01AC06",
    "aspirin for pain": "N02BA01",
    "amiodarone": "C01BD01",
    "dofetilide": "C01BD04",
    "metoprolol": "C07AB02",
    "sotalol": "C07AA07",
    "nafcillin": "J01CF06",
    "spironolactone": "C03DA01",
    "potassium chloride": "A12BA01",
    "ibuprofen": "M01AE01",
    "naproxen": "M01AE02",
    "ketorolac": "M01AB15",
    "multivitamin": "A11BA",
}


def _drugs(*names: str) -> list[OrderedDrug]:
    return [OrderedDrug(name.removesuffix(" for pain"), CODES[name], (name,)) for name in names]


@pytest.mark.parametrize(
    ("drugs", "severity"),
    [
        (("warfarin", "fluconazole"), "major"),
        (("potassium chloride", "spironolactone"), "major"),
        (("warfarin", "aspirin"), "major"),  # within one class, B01A
        (("ketorolac", "ibuprofen"), "contraindicated"),  # M01A
    ],
)
def test_a_pair_of_drugs(drugs: tuple[str, str], severity: str) -> None:
    (pair,) = review_drugs(_drugs(*drugs)).pairs
    assert ({pair.a.name, pair.b.name}, pair.entry.severity) == (set(drugs), severity)
    assert pair.entry.effect and pair.entry.management and pair.entry.source


def test_two_drugs_of_one_class_that_do_the_same() -> None:
    """Metoprolol with sotalol, both C07A; two NSAIDs."""
    (beta_blockers,) = review_drugs(_drugs("metoprolol", "sotalol")).duplications
    assert [drug.name for drug in beta_blockers.drugs] == ["sotalol", "metoprolol"]
    (nsaids,) = review_drugs(_drugs("ibuprofen", "naproxen")).duplications
    assert (nsaids.entry.group, nsaids.entry.severity) == ("NSAIDs", "major")


@pytest.mark.parametrize(
    ("drug", "diagnosis", "condition"),
    [
        ("nafcillin", "ICD10:Z880", "penicillin allergy"),
        ("spironolactone", "ICD10:E875", "high potassium"),
        ("potassium chloride", "ICD9:2767", "high potassium"),
    ],
)
def test_a_drug_despite_a_condition(drug: str, diagnosis: str, condition: str) -> None:
    (found,) = review_drugs(_drugs(drug), [diagnosis, "ICD10:Z000"]).conditions
    assert (found.drug.name, found.warning.diagnoses) == (drug, (diagnosis,))
    assert found.warning.condition == condition
    assert found.warning.severity in ("contraindicated", "major")


def test_a_drug_with_two_codes_is_named_once() -> None:
    reviewed = review_drugs(_drugs("warfarin", "aspirin", "aspirin for pain"), ["ICD10:D696"])
    (pair,) = reviewed.pairs
    assert sorted(each.drug.name for each in reviewed.conditions) == ["aspirin", "warfarin"]
    assert {pair.a.name, pair.b.name} == {"warfarin", "aspirin"}


def test_a_class_gives_nothing() -> None:
    reviewed = review_drugs(
        [*_drugs("multivitamin"), OrderedDrug("antithrombotics", "B01A", ())], ["ICD9:431"]
    )
    assert (reviewed.pairs, reviewed.conditions, reviewed.duplications, reviewed.counts) == ((), (), (), {})
    text = " ".join(pair.entry.management for pair in review_drugs(_drugs("warfarin", "fluconazole")).pairs)
    assert "Only when" not in text


def test_counts_and_order_are_by_severity() -> None:
    reviewed = review_drugs(
        _drugs("warfarin", "fluconazole", "aspirin", "ibuprofen", "naproxen", "ketorolac")
    )
    assert list(reviewed.counts)[:2] == ["contraindicated", "major"]
    assert sum(reviewed.counts.values()) == len(reviewed.pairs) + len(reviewed.duplications)
    ranks = [list(reviewed.counts).index(pair.entry.severity) for pair in reviewed.pairs]
    assert ranks == sorted(ranks)


def test_every_name_is_of_an_ingredient() -> None:
    assert {drug_names()[CODES[name]] for name in ("warfarin", "amiodarone")} == {"warfarin", "amiodarone"}
    assert all(len(code) in (5, 7) for code in drug_names())  # ATC has no code for iron sucrose itself
