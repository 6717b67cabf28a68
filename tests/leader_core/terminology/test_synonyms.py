"""The table of synonyms: every term finds real codes, of the meaning it claims, in both ICD systems."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from fnmatch import fnmatchcase

import pytest

from leader_core.errors import ArtifactError
from leader_core.search.words import fold
from leader_core.terminology import synonyms as module
from leader_core.terminology.atc import all_atc_titles
from leader_core.terminology.chapters import chapter
from leader_core.terminology.icd import SYSTEMS, code_title, listed_titles
from leader_core.terminology.synonyms import Synonym, drug_synonyms, synonyms


@pytest.fixture(scope="module")
def listed() -> list[str]:
    """Every listed code of all systems, sorted."""
    return sorted(f"{system}:{code}" for system in SYSTEMS for code in listed_titles(system))


def _found(pattern: str, listed: list[str]) -> list[str]:
    start = pattern.partition("*")[0]
    near = listed[bisect_left(listed, start) : bisect_left(listed, f"{start}~")]
    return [code for code in near if fnmatchcase(code, pattern)]


def test_there_are_more_than_enough() -> None:
    terms = [fold(term) for synonym in synonyms() for term in synonym.terms]
    assert len(synonyms()) >= 250 and len(set(terms)) >= 1_500
    assert min(Counter(s.kind for s in synonyms()).values()) >= 80
    assert all(terms)


def test_every_pattern_finds_a_listed_code(listed: list[str]) -> None:
    missing = [
        (synonym.meaning, pattern)
        for synonym in synonyms()
        if synonym.kind != "medication"
        for pattern in synonym.codes
        if not _found(pattern, listed) and code_title(synonym.kind, pattern) is None
    ]
    assert missing == []
    atc = all_atc_titles()
    assert [
        (s.meaning, c) for s in synonyms() if s.kind == "medication" for c in s.codes if c not in atc
    ] == []


def test_diagnoses_and_procedures_resolve_in_both_systems() -> None:
    for synonym in synonyms():
        if synonym.kind == "medication":
            continue
        systems = {pattern.partition(":")[0] for pattern in synonym.codes}
        expected = {"ICD9", "ICD10"} if synonym.kind == "diagnosis" else {"ICD9PCS", "ICD10PCS"}
        assert systems <= expected, synonym
        assert systems == expected or synonym.phrases, synonym


def test_phrases_stand_in_titles_of_both_systems() -> None:
    for synonym in synonyms():
        systems = ("ICD9", "ICD10") if synonym.kind == "diagnosis" else ("ICD9PCS", "ICD10PCS")
        for phrase in synonym.phrases:
            words = fold(phrase).split()
            for system in systems:
                assert any(all(w in t.lower() for w in words) for t in listed_titles(system).values()), (
                    synonym
                )


def test_a_term_has_one_meaning_a_kind_but_for_those_that_really_have_two() -> None:
    """An abbreviation with two readings finds both; anything else twice in the table is a typing error."""
    meanings: dict[tuple[str, str], set[str]] = {}
    for synonym in synonyms():
        for term in synonym.terms:
            meanings.setdefault((synonym.kind, fold(term)), set()).add(synonym.meaning)
    twice = {term: result for (_, term), result in meanings.items() if len(result) > 1}
    assert set(twice) == {"vte"}, twice


def test_a_synonym_stays_near_its_chapter() -> None:
    """The plain codes of the two systems belong to one chapter; where coding moved a condition, it is named here."""
    moved = []
    for synonym in synonyms():
        if synonym.kind != "diagnosis":
            continue
        plain = [p for p in synonym.codes if "*" not in p]
        chapters = [{chapter(p) for p in plain if p.startswith(f"{system}:")} for system in ("ICD9", "ICD10")]
        if all(chapters) and not chapters[0] & chapters[1]:
            moved.append(synonym.meaning)
    assert set(moved) <= MOVED, set(moved) - MOVED


MOVED = {
    "blood in urine", "drug reaction with eosinophilia", "gangrene", "giant cell arteritis", "gout", "hemorrhoids",
    "high uric acid", "insomnia", "monoclonal gammopathy", "posterior reversible encephalopathy",
    "postoperative bleeding", "sarcoidosis", "slow heart rate", "suicidal thoughts",
    "thrombotic thrombocytopenic purpura", "transient ischemic attack", "ventilator-associated pneumonia",
}  # fmt: skip


def test_drug_names_and_brands_come_from_the_drug_table() -> None:
    result = {fold(term): s for s in drug_synonyms() for term in s.terms}
    assert result["lasix"].meaning == "furosemide" and result["lasix"].codes == ("C03CA01",)
    assert result["coumadin"].codes == ("B01AA03",)
    assert len(result) > 4_000


@pytest.mark.parametrize(
    "row",
    [
        {"kind": "drug", "meaning": "x", "terms": "x", "icd9": "", "icd10": "", "atc": "B01A", "phrases": ""},
        {
            "kind": "medication",
            "meaning": "x",
            "terms": " | ",
            "icd9": "",
            "icd10": "",
            "atc": "B01A",
            "phrases": "",
        },
        {
            "kind": "diagnosis",
            "meaning": "x",
            "terms": "x",
            "icd9": "",
            "icd10": "",
            "atc": "",
            "phrases": "",
        },
    ],
)
def test_a_broken_row_is_named(row: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "table_rows", lambda _: iter([row]))
    synonyms.cache_clear()
    try:
        with pytest.raises(ArtifactError, match="line 2"):
            synonyms()
    finally:
        synonyms.cache_clear()


def test_patterns_carry_the_system_of_their_kind() -> None:
    heart = next(s for s in synonyms() if "CABG" in s.terms)
    assert isinstance(heart, Synonym) and heart.kind == "procedure"
    assert "ICD9PCS:3610" in heart.codes and "ICD10PCS:0210*" in heart.codes
