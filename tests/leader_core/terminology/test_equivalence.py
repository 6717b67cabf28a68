"""Both ICD versions, one meaning: which ICD-10-CM codes stand for a code, and which of them a model knows."""

from __future__ import annotations

import pytest

from leader_core.terminology.equivalence import (
    DiagnosisReading,
    current_codes,
    general_mappings,
    icd10_reading,
)
from leader_core.terminology.icd import listed_titles


@pytest.mark.parametrize(
    ("code", "read"),
    [
        ("ICD9:2767", ("ICD10:E875",)),  # hyperkalemia
        ("ICD9:2768", ("ICD10:E876",)),  # hypokalemia
        ("ICD9:5849", ("ICD10:N179",)),
        ("ICD9:51881", ("ICD10:J9600",)),  # of two, the title that says "acute" as well
        ("ICD9:2724", ("ICD10:E785",)),  # of two, the unspecified one
        ("ICD9:25080", ("ICD10:E1169",)),  # of many, the title with most of its words
        ("ICD9:5770", ("ICD10:K8590",)),  # K85.9 has been split since
        ("ICD9:25072", ("ICD10:E1151", "ICD10:E1165")),  # a combination
        ("ICD9:99811", ("ICD9:99811",)),  # a code for each organ: no one equivalent
        ("ICD9:70720", ("ICD9:70720",)),  # no mapping
        ("ICD9:NONE", ("ICD9:NONE",)),
        ("ICD10:I509", ("ICD10:I509",)),
        ("ICD9PCS:3961", ("ICD9PCS:3961",)),
    ],
)
def test_what_stands_for_a_code(code: str, read: tuple[str, ...]) -> None:
    assert icd10_reading(code) == read


def test_every_reading_is_a_current_code_and_nearly_every_code_has_one() -> None:
    """Of the 14,567 ICD-9-CM codes 425 have no mapping, and few of the others are spread too widely or end in a dead code."""
    current = listed_titles("ICD10")
    readings = {code: icd10_reading(f"ICD9:{code}") for code in listed_titles("ICD9")}
    itself = [code for code, read in readings.items() if read == (f"ICD9:{code}",)]
    unmapped = [code for code in itself if code not in general_mappings()[0]]
    assert (len(unmapped), len(itself) - len(unmapped)) == (425, 28)
    dead = {
        read
        for codes in readings.values()
        for read in codes
        if read[:5] == "ICD10" and read[6:] not in current
    }
    assert len(dead) < 20


@pytest.mark.parametrize(
    ("code", "current"),
    [
        ("I509", ("I509",)),
        ("I482", ("I4820", "I4821")),
        ("S0210XA", ("S02101A", "S02102A", "S02109A")),
        ("H8149", ("H814",)),
        ("NONE", ()),
    ],
)
def test_codes_that_replaced_a_code(code: str, current: tuple[str, ...]) -> None:
    assert current_codes(code) == current


def test_a_model_reads_what_it_knows_first() -> None:
    reading = DiagnosisReading({"ICD10:I509", "ICD10:J9690", "ICD10:E785", "ICD9:7806"}, equivalence=True)
    assert reading.of("diagnosis", "ICD9:4280") == ("ICD10:I509",)
    assert reading.of("diagnosis", "ICD9:51881") == ("ICD10:J9690",), "of two equivalents the known one"
    assert reading.of("diagnosis", "ICD9:7806") == ("ICD9:7806",), "a known code is read as it is"
    assert reading.of("diagnosis", "ICD10:E784") == ("ICD10:E785",), "through ICD-9-CM and forward again"
    assert reading.of("diagnosis", "ICD9:5849") == ("ICD10:N179",), "known or not"
    assert reading.of("diagnosis", "ICD10:N179") == ("ICD10:N179",)
    assert reading.of("procedure", "ICD9:4280") == ("ICD9:4280",)


def test_a_code_newer_than_the_mappings_is_read_through_the_one_that_it_was_split_from() -> None:
    assert DiagnosisReading({"ICD10:I4891"}, equivalence=True).of("diagnosis", "ICD10:I4820") == (
        "ICD10:I4891",
    )


def test_two_codes_of_one_meaning_are_read_once() -> None:
    reading = DiagnosisReading((), equivalence=True)
    assert reading.pairs("diagnosis", ["ICD9:4019", "ICD9:4011", "ICD10:I509"]) == [
        ("ICD9:4019", "ICD10:I10"),
        ("ICD10:I509", "ICD10:I509"),
    ]
    off = DiagnosisReading((), equivalence=False)
    assert off.pairs("diagnosis", ["ICD9:4019", "ICD9:4011"]) == [(c, c) for c in ("ICD9:4019", "ICD9:4011")]
