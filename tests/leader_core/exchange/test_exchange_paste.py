"""Pasted lists: each piece becomes a code or is listed with its reason, in any usual writing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leader_core import InputError
from leader_core.cohort import Cohort
from leader_core.domain import Kind
from leader_core.exchange.paste import PastedList, read_list
from leader_core.exchange.resolve import split_route
from tests.conftest import ROOT
from tests.fakes import FINGERPRINT, FakeCohort

FAKE = FakeCohort()


def _codes(result: PastedList) -> list[str]:
    return [r.code.code for r in result.resolved]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ('="0389"\t="4280"\n="038.9"', ["ICD9:0389", "ICD9:4280"]),
        ("428.0, I50.9; 4019\t250.00", ["ICD9:4280", "ICD10:I509", "ICD9:4019", "ICD9:25000"]),
        ("ICD9:428.0\nicd-10: I50.9\nICD-10-CM E11.9", ["ICD9:4280", "ICD10:I509", "ICD10:E119"]),
        ("428.0 - CHF\n486 pneumonia\nE11.9 (type 2)", ["ICD9:4280", "ICD9:486", "ICD10:E119"]),
        ('1. 486\n2) 428.0\n- 4019\n\u2022 "250.00"', ["ICD9:486", "ICD9:4280", "ICD9:4019", "ICD9:25000"]),
        ("congestive heart failure, UNSPECIFIED", ["ICD9:4280"]),
        ("ATC B01AA03; ICD9PCS:39.61", ["B01A", "ICD9PCS:3961"]),
        ("428.0\r4019\n486", ["ICD9:4280", "ICD9:4019", "ICD9:486"]),
        ("icd_code,icd_version\r4280,9\rI509,10", ["ICD9:4280", "ICD10:I509"]),
    ],
)
def test_diagnoses_in_usual_writings(cohort: Cohort, text: str, codes: list[str]) -> None:
    result = read_list(text, "diagnosis", cohort)
    assert _codes(result) == codes
    assert result.unmapped == ()


def test_procedures(cohort: Cohort) -> None:
    result = read_list("39.61, 9671\n5A1D70Z\nICD9: 38.93", "procedure", cohort)
    assert _codes(result) == ["ICD9PCS:3961", "ICD9PCS:9671", "ICD10PCS:5A1D70Z", "ICD9PCS:3893"]


def test_drugs_by_name_route_and_code(cohort: Cohort) -> None:
    result = read_list(
        "warfarin 5 mg PO\naspirin 81 mg po daily, Vancomycin HCl IV\nVancomycin 125 mg, PO, q6h\nC03C",
        "medication",
        cohort,
    )
    assert _codes(result) == ["B01A", "J01X", "A07A", "C03C"]
    assert result.repeated == ("aspirin 81 mg po daily",), "aspirin stands in warfarin's class"
    assert result.resolved[2].text == "Vancomycin 125 mg, PO, q6h"


def test_what_cannot_be_read_is_listed_with_its_reason(cohort: Cohort) -> None:
    result = read_list("99999\nxyzzy 12\nheart failure\nCHF", "diagnosis", cohort)
    reasons = {u.text: u.reason for u in result.unmapped}
    assert "no code that the lists of ICD-9-CM hold" in reasons["99999"]
    assert "matches no diagnosis" in reasons["xyzzy 12"], "a number alone is no match"
    assert "choose one" in reasons["heart failure"]
    assert {c.kind for u in result.unmapped for c in u.candidates} == {"diagnosis"}
    assert "CHF" in reasons, "one title holds these letters, and it is another illness"
    (short,) = read_list("T2DM", "diagnosis", cohort).unmapped
    assert short.candidates[0].code == "ICD9:25000", "a digit does not make it a code"
    drugs = read_list("heparin flush\nB01\nZ99Z\nfoozumab\nD5W", "medication", cohort)
    assert [u.reason.split(":")[0] for u in drugs.unmapped] == [
        "is no drug of its own (flush)",
        "is coarser than the classes here (ATC level 3)",
        "is no class of the ATC tables here",
        "names no drug of the drug table",
        "is no drug of its own (diluent)",
    ]


@pytest.mark.parametrize(
    ("kind", "text", "taken"),
    [
        (
            "medication",
            "no warfarin\nD/C warfarin\nwarfarin (held)\nallergic to warfarin\nnot on warfarin",
            0,
        ),
        ("medication", "metoprolol 25 mg PO hold for SBP < 100\nAcetaminophen w/Codeine No.3", 2),
        ("diagnosis", "no pneumonia\nr/o I21.4\ndenies 428.0", 0),
        ("diagnosis", "428.0\n410.71 (ruled out earlier)", 2),
    ],
)
def test_what_is_denied_or_not_taken_is_not_read_as_present(
    cohort: Cohort, kind: Kind, text: str, taken: int
) -> None:
    result = read_list(text, kind, cohort)
    assert len(result.resolved) + len(result.repeated) == taken
    assert all("not taken" in each.reason for each in result.unmapped)
    assert taken or len(result.unmapped) == text.count("\n") + 1


def test_words_behind_a_code_and_a_comma_are_its_description(cohort: Cohort) -> None:
    (only,) = read_list("428.0, CHF", "diagnosis", cohort).resolved
    assert (only.code.code, only.code.note) == ("ICD9:4280", "'CHF' taken as its description")


@pytest.mark.parametrize(("source", "system"), [("mimic3", "ICD9"), ("mimic4", "ICD10")])
def test_a_code_of_both_systems_is_read_as_the_cohort_is_coded_and_says_so(source: str, system: str) -> None:
    cohort = FakeCohort(fingerprint=replace(FINGERPRINT, source=source))
    result = read_list("V90.01; E928.1", "diagnosis", cohort)  # type: ignore[arg-type]
    assert len(result.resolved) + len(result.unmapped) == 2
    both = read_list("E8342", "diagnosis", cohort)  # type: ignore[arg-type]
    assert _codes(both) == [f"{system}:E8342"]
    assert "as this cohort is coded; in ICD-" in both.resolved[0].code.note
    named = read_list("ICD9 E8342, ICD10 E8342", "diagnosis", cohort)  # type: ignore[arg-type]
    assert _codes(named) == ["ICD9:E8342", "ICD10:E8342"]
    assert {r.code.note for r in named.resolved} == {""}


def test_the_cohorts_own_code_wins_over_its_usual_system() -> None:
    class Mixed(FakeCohort):
        def titles(self, kind: str) -> dict[str, str]:
            return {**super().titles(kind), "ICD10:E8342": "Hypomagnesemia"}

    assert _codes(read_list("E83.42", "diagnosis", Mixed())) == ["ICD10:E8342"]  # type: ignore[arg-type]
    assert _codes(read_list("E8342", "diagnosis", Mixed())) == ["ICD10:E8342"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "case", "systems"),
    [
        ("I10\nE11.9\nheart failure", "", {"ICD10"}),
        ("heart failure\n428.0, 401.9", "", {"ICD9"}),
        ("heart failure", "ICD10", {"ICD10"}),
        ("428.0\nheart failure", "ICD10", {"ICD9"}),  # the list's own codes count first
        ("428.0\nI10\nheart failure", "", {"ICD9", "ICD10"}),
    ],
)
def test_words_are_offered_in_the_system_that_the_list_is_written_in(
    cohort: Cohort, text: str, case: str, systems: set[str]
) -> None:
    (item,) = read_list(text, "diagnosis", cohort, case).unmapped
    offered = {concept.system for concept in item.candidates}
    assert item.text == "heart failure" and offered and offered <= systems
    assert len(systems) > 1 or offered == systems


def test_limits(cohort: Cohort) -> None:
    with pytest.raises(InputError, match="Paste it in parts"):
        read_list("x" * 100_001, "diagnosis", cohort)
    with pytest.raises(InputError, match="more than 1,000"):
        read_list("428.0\n" * 1_001, "diagnosis", cohort)
    (long,) = read_list("x" * 400, "diagnosis", cohort).unmapped
    assert "longer than 300" in long.reason
    assert read_list(" \n;;,\t", "diagnosis", cohort) == PastedList((), (), ())


@settings(max_examples=40)
@given(text=st.text(max_size=60), kind=st.sampled_from(["diagnosis", "procedure", "medication"]))
def test_no_text_breaks_it_and_no_piece_is_lost(text: str, kind: Kind) -> None:
    result = read_list(text, kind, FAKE)  # type: ignore[arg-type]
    pieces = [r.text for r in result.resolved] + [u.text for u in result.unmapped] + list(result.repeated)
    assert bool(pieces) or not any(c.isalnum() for c in text)


CASES = ROOT.parent / "shared" / "cases" / "pasted" / "lists.json"


@pytest.mark.parametrize("number", range(10))
def test_lists_that_people_pasted(cohort: Cohort, number: int) -> None:
    if not CASES.is_file():
        pytest.skip(f"the cases are not next to the project: {CASES}")
    case = json.loads(CASES.read_text(encoding="utf-8"))[number]
    result = read_list(case["text"], case["kind"], cohort)
    assert _codes(result) == case["codes"]
    assert result.unmapped == ()


@pytest.mark.parametrize(
    ("kind", "text", "codes", "unmapped"),
    [
        (
            "diagnosis",
            "I10\tE11.9\nN18.3\tJ44.9",
            ["ICD10:I10", "ICD10:E119", "ICD10:N183", "ICD10:J449"],
            [],
        ),
        ("diagnosis", '{"codes": ["I10", "E11.9"]}', ["ICD10:I10", "ICD10:E119"], []),
        ("diagnosis", '[{"icd_code": "4280", "icd_version": 9}]', ["ICD9:4280"], []),
        ("diagnosis", "('4280', 9), ('I10', 10)", ["ICD9:4280", "ICD10:I10"], []),
        ("diagnosis", "4280,9\nI10,10", ["ICD9:4280", "ICD10:I10"], []),
        ("diagnosis", "[I10, E11.9]", ["ICD10:I10", "ICD10:E119"], []),
        ("diagnosis", "seq\ticd9_code\n1\t4280\n2\t4019", ["ICD9:4280", "ICD9:4019"], []),
        ("diagnosis", "code;description\nI10;Hypertension\nE11.9;Diabetes", ["ICD10:I10", "ICD10:E119"], []),
        ("diagnosis", "icd9_code,icd10_code\n4280,I50.9", ["ICD9:4280", "ICD10:I509"], []),
        ("diagnosis", "428.0/401.9|xyzzy", ["ICD9:4280", "ICD9:4019"], ["xyzzy"]),
        ("diagnosis", "4280 99999 I10", ["ICD9:4280", "ICD10:I10"], ["99999"]),
        ("diagnosis", "CHF, I10 and DM", ["ICD10:I10"], ["CHF", "DM"]),
        ("diagnosis", "486 (pneumonia) 4280 (CHF)", ["ICD9:486", "ICD9:4280"], []),
        ("diagnosis", "type 2 diabetes (E11.9) with CKD [N18.3]", ["ICD10:E119", "ICD10:N183"], []),
        ("diagnosis", "Heart failure (I50.9), pneumonia (J18.9)", ["ICD10:I509", "ICD10:J189"], []),
        ("medication", "warfarin 5 mg PO and furosemide 40 mg IV", ["B01A", "C03C"], []),
        ("medication", "amoxicillin/clavulanate 875 mg", ["J01C"], []),
        ("medication", "drug,route\nwarfarin,PO\nvancomycin,IV", ["B01A", "J01X"], []),
        ("medication", "Coumadin (B01AA03); Lasix [C03CA01]", ["B01A", "C03C"], []),
        ("diagnosis", "I10-E11.9\nE10-E14", [], ["I10-E11.9", "E10-E14"]),  # two codes, or all between
        ("diagnosis", "I10 2024-01-05 active\n01/05/2024", ["ICD10:I10"], ["2024-01-05", "01/05/2024"]),
        ("diagnosis", "I50 .9, N18. 3", ["ICD10:I509", "ICD10:N183"], []),
        ("diagnosis", "\ufeffI10\u200b", ["ICD10:I10"], []),
        ("diagnosis", "I10 E11.9 " * 50, ["ICD10:I10", "ICD10:E119"], []),
        ("diagnosis", 'code,title\nI10,"high\nblood pressure"', ["ICD10:I10"], []),
        ("procedure", "0210093 5A1D70Z 3893", ["ICD10PCS:0210093", "ICD10PCS:5A1D70Z", "ICD9PCS:3893"], []),
    ],
)
def test_several_codes_on_a_line(
    cohort: Cohort, kind: Kind, text: str, codes: list[str], unmapped: list[str]
) -> None:
    result = read_list(text, kind, cohort)
    assert _codes(result) == codes
    assert [each.text for each in result.unmapped] == unmapped


_TOKENS = (
    "428.0",
    "4019",
    "I10",
    "E11.9",
    "99999",
    "401.9x",
    "CHF",
    "pneumonia",
    "xyzzy",
    "B01A",
    "C03CA01",
    "warfarin",
)
_BETWEEN = (" ", ", ", ";", "\n", "\t", " / ", "/", "|", " and ", " (", ") ", " [", "] ", "', '", '", "')


@settings(max_examples=150)
@given(
    tokens=st.lists(st.tuples(st.sampled_from(_TOKENS), st.sampled_from(_BETWEEN)), min_size=1, max_size=7),
    around=st.sampled_from(("", "[]", "()", "{}", "['']", '[""]')),
    kind=st.sampled_from(["diagnosis", "procedure", "medication"]),
)
def test_no_token_disappears(tokens: list[tuple[str, str]], around: str, kind: Kind) -> None:
    half = len(around) // 2
    text = around[:half] + "".join(part for token in tokens for part in token) + around[half:]
    result = read_list(text, kind, FAKE)  # type: ignore[arg-type]
    read = " ".join(
        [*(r.text for r in result.resolved), *(u.text for u in result.unmapped), *result.repeated]
    )
    assert [token for token, _ in tokens if token not in read] == []
    known = ("428.0", "4019", "I10", "E11.9") if kind == "diagnosis" else ("B01A", "C03CA01")
    taken = {*(r.text for r in result.resolved), *result.repeated}
    if kind != "procedure":
        assert [text for text in taken if sum(code in text for code in known) > 1] == [], "one code each"


def test_a_route_is_found_behind_the_name_only() -> None:
    assert split_route("Lisinopril 10 mg PO/NG daily") == ("Lisinopril 10 mg daily", "PO/NG")
    assert split_route("PO phosphate") == ("PO phosphate", "")
