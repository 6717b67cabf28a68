"""Lists read without a cohort: hospital spellings, codes without a system, and what is not understood."""

from __future__ import annotations

import pytest

from leader_core.exchange.code_lists import read_diagnoses, read_drugs


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Coumadin 5 mg PO daily; fluconazole IV", ["B01AA03", "J02AC01"]),
        ("simvastatin 40, clarithromycin 500 mg, PO, bid", ["C10AA01", "J01FA09"]),
        ("vancomycin 125 mg PO q6h; Vancomycin HCl IV", ["A07AA09", "J01XA01"]),
        ("ATC B01AA03; N02BA01", ["B01AA03", "N02BA01"]),
        ("iodinated contrast", ["V08AB02"]),  # of the interaction tables, in no hospital's drug list
        ("Humalog sliding scale", ["A10AB04"]),
    ],
)
def test_drugs_in_any_spelling(text: str, codes: list[str]) -> None:
    read = read_drugs(text)
    assert ([drug.code for drug in read.codes], read.unknown) == (codes, ())


def test_a_mineral_without_a_route_is_looked_up_by_mouth_and_by_vein() -> None:
    assert [each.code for each in read_drugs("calcium").codes] == ["A12AA04", "B05XA19"]
    assert "by mouth and by vein" in read_drugs("calcium").codes[0].note
    assert [each.code for each in read_drugs("calcium 500 mg PO").codes] == ["A12AA04"]


def test_a_guess_at_a_drug_is_noted_and_a_repeated_drug_keeps_both_writings() -> None:
    (theophylline,) = read_drugs("theophyline").codes
    assert (theophylline.name, theophylline.note) == ("theophylline", "spelling corrected")
    (acetaminophen,) = read_drugs("Tylenol 650; APAP").codes
    assert acetaminophen.written == ("Tylenol 650", "APAP")


@pytest.mark.parametrize(
    ("text", "unknown", "reason"),
    [
        ("unknwn drug xyz", "unknwn drug xyz", "names no drug"),
        ("B01A", "B01A", "is a class: name the drug"),
        ("digoxn", "digoxn", "names no drug of the drug table: did you mean digoxin?"),
        ("Plavx", "Plavx", "did you mean Plavix (clopidogrel)?"),
        ("PPI", "PPI", "is a kind of drugs: name the drug itself"),
        ("iron", "iron", "is a kind of drugs"),
        ("ICD10:I50.9", "ICD10:I50.9", "is a diagnosis, not a medication"),
        ("warfarin and foobarium", "foobarium", "was not read"),
        ("NS 1000 mL", "NS 1000 mL", "diluent"),
    ],
)
def test_what_is_no_drug_is_listed_with_its_reason(text: str, unknown: str, reason: str) -> None:
    (found,) = read_drugs(text).unknown
    assert found.text == unknown and reason in found.reason


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("ICD10:E875; I50.9", ["ICD10:E875", "ICD10:I509"]),
        ("icd-9 428.0; E87.5; Z880", ["ICD10:E875", "ICD10:Z880", "ICD9:4280"]),
        ("I50", ["ICD10:I50"]),
        ("CHF", ["ICD10:I509", "ICD9:4280"]),
        ("Hyperkalemia", ["ICD10:E875"]),
        ("hyperkalaemia", ["ICD10:E875", "ICD9:2767"]),
        ("Parkinson's disease", ["ICD10:G20C", "ICD9:3320"]),
        ("kidney transplant; sulfa allergy", ["ICD10:Z882", "ICD10:Z940", "ICD9:V142", "ICD9:V420"]),
        ("acetaminophen overdose", ["ICD10:T391X1A", "ICD9:9654"]),
        ("heart block", ["ICD10:I4430", "ICD9:42610"]),
        ("delirium", ["ICD10:F05", "ICD9:2930"]),
        ("G6PD deficiency", ["ICD10:D75A", "ICD9:2822"]),
    ],
)
def test_diagnoses_in_usual_writings(text: str, codes: list[str]) -> None:
    read = read_diagnoses(text)
    assert ([each.code for each in read.codes], read.unknown) == (codes, ())


def test_a_code_of_two_systems_is_not_decided() -> None:
    """V43.3: a heart valve in ICD-9-CM, a car's occupant in ICD-10-CM."""
    read = read_diagnoses("V43.3; ICD9:V43.3; nonsense words; B01")
    assert [each.code for each in read.codes] == ["ICD10:B01", "ICD9:V433"]
    both, nonsense = read.unknown
    assert "Heart valve" in both.reason and "car occupant" in both.reason and "write ICD9: or" in both.reason
    assert nonsense.text == "nonsense words"
