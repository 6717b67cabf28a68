"""Search by words over all codes: what clinicians type finds what they mean, in both ICD systems, first."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leader_core.domain import KINDS, Concept, Kind
from leader_core.search.index import CodeIndex, CodeTable, with_libraries
from leader_core.search.matching import best_matches, search_codes
from leader_core.search.words import (
    EXACT,
    FUZZY,
    LONGEST_TEXT,
    MOST_WORDS,
    PREFIX,
    WordIndex,
    content_words,
    fold,
    fold_lines,
    search_words,
    spellings,
)

OWN: tuple[tuple[Kind, str, str, int], ...] = (
    ("diagnosis", "ICD9:4280", "Congestive heart failure, unspecified", 90),
    ("diagnosis", "ICD9:42833", "Acute on chronic diastolic heart failure", 20),
    ("diagnosis", "ICD9:42823", "Acute on chronic systolic heart failure", 30),
    ("diagnosis", "ICD9:2449", "Unspecified acquired hypothyroidism", 12),
    ("diagnosis", "ICD9:41071", "Subendocardial infarction, initial episode of care", 40),
    ("diagnosis", "ICD9:99999", "A code of the hospital's own: hyperzylosis", 3),
    ("procedure", "ICD9PCS:3893", "Venous catheterization, not elsewhere classified", 70),
    ("medication", "B01A", "Antithrombotics", 80),
    ("medication", "C10A", "Lipid-lowering drugs", 50),
    ("medication", "J01X", "Other antibacterials", 45),
)


@pytest.fixture(scope="module")
def index() -> CodeIndex:
    """All codes, as a small ICD-9 hospital sees them."""
    kinds, codes, titles, patients = (list(column) for column in zip(*OWN, strict=True))
    systems = [code.partition(":")[0] if ":" in code else "ATC" for code in codes]
    numbers = np.arange(len(OWN), dtype=np.int32)
    own = CodeTable(kinds, codes, systems, titles, numbers, np.array(patients, np.int32), 3)
    return CodeIndex(with_libraries(own))


def _codes(concepts: tuple[Concept, ...]) -> list[str]:
    return [concept.code for concept in concepts]


DIAGNOSES = {
    "heart attack": ("ICD9:41091", "ICD10:I219"),
    "MI": ("ICD9:41091", "ICD10:I219"),
    "CHF": ("ICD9:4280", "ICD10:I509"),
    "heart failure": ("ICD9:4280", "ICD10:I509"),
    "afib": ("ICD9:42731", "ICD10:I4891"),
    "A-fib": ("ICD9:42731", "ICD10:I4891"),
    "DM2": ("ICD9:25000", "ICD10:E119"),
    "T2DM": ("ICD9:25000", "ICD10:E119"),
    "type 2 diabetes": ("ICD9:25000", "ICD10:E119"),
    "AKI": ("ICD9:5849", "ICD10:N179"),
    "COPD": ("ICD9:496", "ICD10:J449"),
    "HTN": ("ICD9:4019", "ICD10:I10"),
    "high blood pressure": ("ICD9:4019", "ICD10:I10"),
    "CVA": ("ICD9:43491", "ICD10:I639"),
    "stroke": ("ICD9:43491", "ICD10:I639"),
    "TIA": ("ICD9:4359", "ICD10:G459"),
    "DVT": ("ICD9:45340", "ICD10:I82409"),
    "PE": ("ICD9:41519", "ICD10:I2699"),
    "UTI": ("ICD9:5990", "ICD10:N390"),
    "GERD": ("ICD9:53081", "ICD10:K219"),
    "CKD": ("ICD9:5859", "ICD10:N189"),
    "ESRD": ("ICD9:5856", "ICD10:N186"),
    "ETOH": ("ICD9:30500", "ICD10:F1010"),
    "SOB": ("ICD9:78605", "ICD10:R0602"),
    "short of breath": ("ICD9:78605", "ICD10:R0602"),
    "NSTEMI": ("ICD9:41071", "ICD10:I214"),
    "BPH": ("ICD9:60000", "ICD10:N400"),
    "OSA": ("ICD9:32723", "ICD10:G4733"),
    "RA": ("ICD9:7140", "ICD10:M069"),
    "sepsis": ("ICD9:99591", "ICD10:A419"),
    "DKA": ("ICD9:25010", "ICD10:E1110"),
    "pneumonia": ("ICD9:486", "ICD10:J189"),
    "high cholesterol": ("ICD9:2724", "ICD10:E785"),
    "underactive thyroid": ("ICD9:2449", "ICD10:E039"),
    "hypothyroidism": ("ICD9:2449", "ICD10:E039"),
    "GI bleed": ("ICD9:5789", "ICD10:K922"),
    "low potassium": ("ICD9:2768", "ICD10:E876"),
    "C. diff": ("ICD9:00845", "ICD10:A0472"),
    "bed sore": ("ICD9:70700", "ICD10:L8990"),
    "fainting": ("ICD9:7802", "ICD10:R55"),
    "old MI": ("ICD9:412", "ICD10:I252"),
    "h/o MI": ("ICD9:412", "ICD10:I252"),
    "s/p CABG": ("ICD9:V4581", "ICD10:Z951"),
    "hip fx": ("ICD9:8208", "ICD10:S72009A"),
    "anaemia": ("ICD9:2859", "ICD10:D649"),
    "gallstones": ("ICD9:57420", "ICD10:K8020"),
    "depression": ("ICD9:311", "ICD10:F32A"),
    "acute on chronic systolic HF": ("ICD9:42823", "ICD10:I5023"),
    "lung cancer": ("ICD9:1629", "ICD10:C3490"),
    "Ménière": ("ICD9:38600", "ICD10:H8109"),
    "PAF": ("ICD9:42731", "ICD10:I480"),
    "SBP": ("ICD9:56723", "ICD10:K652"),
    "DLBCL": ("ICD9:20280", "ICD10:C8330"),
    "MDS": ("ICD9:23875", "ICD10:D469"),
    "TTP": ("ICD9:4466", "ICD10:M3119"),
    "CAUTI": ("ICD9:99664", "ICD10:T83511A"),
    "CLABSI": ("ICD9:99932", "ICD10:T80211A"),
    "water on the brain": ("ICD9:3314", "ICD10:G919"),
    "CLL": ("ICD9:20410", "ICD10:C9110"),
    "DIC": ("ICD9:2866", "ICD10:D65"),
    "PFO": ("ICD9:7455", "ICD10:Q2112"),
    "serotonin syndrome": ("ICD9:33399", "ICD10:G9081"),
}
PROCEDURES = {
    "CABG": ("ICD9PCS:3610", "ICD10PCS:021"),
    "PCI": ("ICD9PCS:0066", "ICD10PCS:027"),
    "dialysis": ("ICD9PCS:3995", "ICD10PCS:5A1D70Z"),
    "central line": ("ICD9PCS:3893", "ICD10PCS:02HV33Z"),
    "intubation": ("ICD9PCS:9604", "ICD10PCS:0BH17EZ"),
    "ventilator": ("ICD9PCS:9671", "ICD10PCS:5A1935Z"),
    "EGD": ("ICD9PCS:4516", "ICD10PCS:0DJ08ZZ"),
    "C-section": ("ICD9PCS:741", "ICD10PCS:10D00Z1"),
    "spinal tap": ("ICD9PCS:0331", "ICD10PCS:009U3ZX"),
    "blood transfusion": ("ICD9PCS:9904", "ICD10PCS:30233N1"),
    "lap chole": ("ICD9PCS:5123", "ICD10PCS:0FT44ZZ"),
    "knee replacement": ("ICD9PCS:8154", "ICD10PCS:0SRC"),
}
MEDICATIONS = {
    "blood thinner": "B01A",
    "water pill": "C03C",
    "statin": "C10A",
    "PPI": "A02B",
    "ACE inhibitor": "C09A",
    "beta blocker": "C07A",
    "Lasix": "C03C",
    "Coumadin": "B01A",
    "warfarin": "B01A",
    "Lipitor": "C10A",
    "Zosyn": "J01C",
    "Tylenol": "N02B",
    "insulin": "A10A",
    "steroid": "H02A",
    "SSRI": "N06A",
    "NSAID": "M01A",
    "vanc": "J01X",
    "albuterol": "R03A",
    "Lovenox": "B01A",
    "paracetamol": "N02B",
}


@pytest.mark.parametrize(("text", "expected"), DIAGNOSES.items())
def test_a_diagnosis_is_found_in_both_systems(index: CodeIndex, text: str, expected: tuple[str, str]) -> None:
    result = _codes(search_codes(index, text, ("diagnosis",), 12))
    assert expected[0] in result[:3]
    assert any(code.startswith(expected[1]) for code in result[:6])


@pytest.mark.parametrize(("text", "expected"), PROCEDURES.items())
def test_a_procedure_is_found_in_both_systems(index: CodeIndex, text: str, expected: tuple[str, str]) -> None:
    result = _codes(search_codes(index, text, ("procedure",), 40))
    assert expected[0] in result[:4]
    assert any(code.startswith(expected[1]) for code in result)


@pytest.mark.parametrize(("text", "expected"), MEDICATIONS.items())
def test_a_medication_class_is_found_by_brand_and_plain_word(
    index: CodeIndex, text: str, expected: str
) -> None:
    assert expected in _codes(search_codes(index, text, ("medication",), 12))[:2]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("hart failure", "diagnosis", "ICD9:4280"),
        ("hart attack", "diagnosis", "ICD9:41071"),
        ("diabetis", "diagnosis", "ICD9:25000"),
        ("diabetes melitus", "diagnosis", "ICD9:25000"),
        ("pnuemonia", "diagnosis", "ICD9:486"),
        ("pnemonia", "diagnosis", "ICD9:486"),
        ("atrial fibrilation", "diagnosis", "ICD9:42731"),
        ("hypertenson", "diagnosis", "ICD9:4019"),
        ("athritis", "diagnosis", "ICD9:71690"),
        ("sepsys", "diagnosis", "ICD9:99591"),
        ("hemorrage", "diagnosis", "ICD9:4590"),
        ("astma", "diagnosis", "ICD9:49390"),
        ("siezure", "diagnosis", "ICD9:78039"),
        ("warfrin", "medication", "B01A"),
        ("lipitr", "medication", "C10A"),
        ("furosimide", "medication", "C03C"),
        ("metoprlol", "medication", "C07A"),
        ("colonscopy", "procedure", "ICD9PCS:4523"),
        ("intubtion", "procedure", "ICD9PCS:9604"),
        ("pnuemo", "diagnosis", "ICD9:486"),  # still being typed
        ("atrial fibbril", "diagnosis", "ICD9:42731"),
    ],
)
def test_typing_errors_are_forgiven(index: CodeIndex, text: str, kind: Kind, expected: str) -> None:
    assert expected in _codes(search_codes(index, text, (kind,), 12))


def test_a_word_that_is_spelt_right_is_never_taken_for_another(index: CodeIndex) -> None:
    assert all(
        "hypotension" in c.title.lower() for c in search_codes(index, "hypotension", ("diagnosis",), 3)
    )
    result = search_codes(index, "hypotension", ("diagnosis",), 60)
    assert not any(c.code == "ICD9:4019" for c in result)
    assert search_codes(index, "NSTEMI", ("diagnosis",), 1)[0].code == "ICD9:41071"


# Order


def test_the_code_itself_comes_first_then_codes_that_begin_so(index: CodeIndex) -> None:
    for text in ("428.0", "4280", "icd9:4280", "ICD9 428.0"):
        assert _codes(search_codes(index, text, KINDS, 5))[0] == "ICD9:4280", text
    begins = _codes(search_codes(index, "428", ("diagnosis",), 30))
    assert begins[:3] == ["ICD9:4280", "ICD9:42823", "ICD9:42833"]  # by patients
    assert all(code.startswith("ICD9:428") for code in begins[:10])
    assert _codes(search_codes(index, "i50.9", KINDS, 1)) == ["ICD10:I509"]
    assert _codes(search_codes(index, "b01a", KINDS, 1)) == ["B01A"]
    both = _codes(search_codes(index, "E8809", ("diagnosis",), 5))
    assert set(both[:2]) == {"ICD9:E8809", "ICD10:E8809"}
    assert _codes(search_codes(index, "icd10 e8809", ("diagnosis",), 5))[0] == "ICD10:E8809"


def test_equal_matches_go_by_patients_and_the_cohort_comes_before_the_libraries(index: CodeIndex) -> None:
    result = _codes(search_codes(index, "heart failure acute chronic", ("diagnosis",), 12))
    assert result[:2] == ["ICD9:42823", "ICD9:42833"]
    assert all(not code.startswith("ICD9:9") for code in result)
    assert _codes(search_codes(index, "hyperzyl", KINDS, 5)) == ["ICD9:99999"]


def test_plain_codes_come_before_exotic_ones(index: CodeIndex) -> None:
    for text, first in {"pneumonia": "J189", "asthma": "J45909", "cystitis": "N3090", "gout": "M109"}.items():
        ten = [c for c in _codes(search_codes(index, text, ("diagnosis",), 40)) if c.startswith("ICD10:")]
        assert ten[0] == f"ICD10:{first}"
    titles = [c.title for c in search_codes(index, "burn of chin", ("diagnosis",), 4)]
    assert not any("sequela" in title or "subsequent" in title for title in titles)


def test_a_synonym_comes_before_words_that_only_begin_so(index: CodeIndex) -> None:
    result = search_codes(index, "MI", ("diagnosis",), 12)
    assert all("infarction" in c.title.lower() for c in result)
    assert search_codes(index, "PE", ("diagnosis",), 1)[0].title.startswith("Other pulmonary embolism")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("diverticulitis of colon with hemorrhage", "Diverticulitis of colon with hemorrhage"),
        ("diverticulosis with hemorrhage", "Diverticulosis of colon with hemorrhage"),
        ("esophageal varices with bleeding", "Esophageal varices with bleeding"),
        ("bleeding varices", "Esophageal varices with bleeding"),
        ("gastric ulcer with bleeding", "Chronic or unspecified gastric ulcer with hemorrhage"),
        ("bleeding duodenal ulcer", "Chronic or unspecified duodenal ulcer with hemorrhage"),
        ("chronic systolic heart failure", "Chronic systolic heart failure"),
        ("delirium tremens", "Alcohol withdrawal delirium"),
    ],
)
def test_what_says_just_what_is_typed_is_first(index: CodeIndex, text: str, title: str) -> None:
    first = search_codes(index, text, ("diagnosis",), 3)[0]
    assert first.title.startswith(title)


def test_all_words_must_fit_while_any_code_has_them_all(index: CodeIndex) -> None:
    for concept in search_codes(index, "diabetes neuropathy", ("diagnosis",), 12):
        assert "neuropathy" in concept.title.lower()
    partly = search_codes(index, "heart failure xyzzy", ("diagnosis",), 3)
    assert partly[0].code == "ICD9:4280" and partly[0].hint == "without \u201cxyzzy\u201d"
    assert search_codes(index, "xyzzy qwrtp", KINDS, 5) == ()


def test_kinds_and_limits_are_kept(index: CodeIndex) -> None:
    assert {c.kind for c in search_codes(index, "heart", ("procedure",), 50)} == {"procedure"}
    assert {c.kind for c in search_codes(index, "insulin", KINDS, 200)} >= {"diagnosis", "medication"}
    assert len(search_codes(index, "a", KINDS, 7)) == 7
    assert (
        search_codes(index, "heart", KINDS, 0)
        == search_codes(index, "heart", (), 5)
        == search_codes(index, "  ", KINDS, 5)
        == ()
    )
    everything = _codes(search_codes(index, "heart", KINDS, 10_000))
    assert len(everything) == len(set(everything)) > 500


# Why


@pytest.mark.parametrize(
    ("text", "kind", "hint"),
    [
        ("CHF", "diagnosis", "CHF"),
        ("COPD", "diagnosis", "COPD: chronic obstructive pulmonary disease"),
        ("heart failure", "diagnosis", ""),  # the title says it
        ("hart failure", "diagnosis", ""),
        ("lasix", "medication", "Lasix: furosemide"),
        ("warfrin", "medication", "warfarin"),
        ("Meniere", "diagnosis", ""),
        ("428.0", "diagnosis", ""),
    ],
)
def test_the_hint_says_what_the_title_does_not(index: CodeIndex, text: str, kind: Kind, hint: str) -> None:
    assert search_codes(index, text, (kind,), 1)[0].hint == hint


def test_a_corrected_word_is_reported_in_the_hint(index: CodeIndex) -> None:
    hints = {c.code: c.hint for c in search_codes(index, "cystits", ("diagnosis",), 30)}
    assert any(hint == "read as \u201ccystitis\u201d" for hint in hints.values())


def test_every_result_knows_its_parent(index: CodeIndex) -> None:
    assert search_codes(index, "428.0", KINDS, 1)[0].parent == "ICD9:428"
    assert search_codes(index, "I50.9", KINDS, 1)[0].parent == "ICD10:I50"


# Worklist


def _concepts(index: CodeIndex, text: str) -> list[int]:
    return sorted(best_matches(index, text).concepts)


def test_the_worklist_matches_all_concepts_of_the_best_grade(index: CodeIndex) -> None:
    assert _concepts(index, "CHF") == [0, 1, 2]
    assert _concepts(index, "heart failure") == [0, 1, 2]
    assert _concepts(index, "MI") == [4]  # and not what begins with "mi"
    assert _concepts(index, "hart failure") == [0, 1, 2]
    assert _concepts(index, "blood thinner") == [7]
    assert _concepts(index, "zzz") == _concepts(index, "") == []
    assert -1 not in _concepts(index, "heart")


# Anything may be typed

ODD = (
    "'", "' OR 1=1 --", '"; DROP TABLE concepts; --', "%", "_", "100%", "\\", "a" * 10_000, "heart " * 2_000,
    "\U0001f600", "\U0001f600 heart \U0001f600", "\x00", "heart\x00failure", "\n\t\r", "heart\nfailure",
    "$1", "[a-z]+", "(((((", "*", "..", "ICD9:", "icd10", ":", "心不全", "Ⅷ", "ﬁbrillation", "\u202eheart", "İ",
    "ß", "a\u0301", "\ud800",
)  # fmt: skip


@pytest.mark.parametrize("text", ODD, ids=lambda text: ascii(text[:20]))
def test_odd_input_is_only_text(index: CodeIndex, text: str) -> None:
    start = time.process_time()
    result = search_codes(index, text, KINDS, 12)
    assert time.process_time() - start < 2
    assert len(result) <= 12
    best_matches(index, text)
    best_matches(index, text, quoted=True)


def test_odd_letters_do_not_hide_the_word(index: CodeIndex) -> None:
    for text in (
        "heart\nfailure",
        "heart\x00failure",
        "\U0001f600 heart failure",
        "HEART  FAILURE",
        "heart-failure",
    ):
        assert search_codes(index, text, ("diagnosis",), 1)[0].code == "ICD9:4280", ascii(text)
    assert "ICD9:42731" in _codes(search_codes(index, "atrial ﬁbrillation", ("diagnosis",), 2))


@given(st.text(max_size=300), st.sampled_from([1, 12]))
def test_any_text_is_answered(index: CodeIndex, text: str, limit: int) -> None:
    result = search_codes(index, text, KINDS, limit)
    assert len(result) <= limit
    assert len({(c.kind, c.code) for c in result}) == len(result)


# Folding


@given(st.text())
def test_folding_leaves_plain_words_and_folds_no_further(text: str) -> None:
    once = fold(text)
    assert fold(once) == once == " ".join(once.split())
    assert all(c == " " or (c.isascii() and (c.isdigit() or c.islower())) for c in once)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=30), max_size=8))
def test_folding_many_is_folding_each(texts: list[str]) -> None:
    folded = fold_lines(texts).split("\n")
    assert len(folded) == max(1, len(texts))
    assert [" ".join(line.split()) for line in folded][: len(texts)] == [fold(text) for text in texts]


@given(st.text(max_size=3_000))
def test_what_is_read_of_a_search_is_bounded(text: str) -> None:
    words = search_words(text)
    assert len(words) <= MOST_WORDS and sum(map(len, words)) <= 4 * LONGEST_TEXT
    assert set(content_words(words)) <= set(words) and bool(content_words(words)) == bool(words)


@given(st.text(st.characters(categories=("Ll",), max_codepoint=127), min_size=1, max_size=12))
def test_a_word_is_one_of_its_spellings(word: str) -> None:
    assert spellings(word)[0] == word and len(set(spellings(word))) == len(spellings(word))


def test_spellings_cover_number_and_british_english() -> None:
    assert "infection" in spellings("infections") and "infections" in spellings("infection")
    assert "biopsy" in spellings("biopsies") and "biopsies" in spellings("biopsy")
    assert "hemorrhage" in spellings("haemorrhage") and "tumor" in spellings("tumour")
    assert "fracture" in spellings("fx")


def test_small_words_are_left_out_but_denials_stay() -> None:
    assert content_words(["failure", "of", "the", "heart"]) == ["failure", "heart"]
    assert content_words(["of", "the"]) == ["of", "the"]
    assert content_words(["without", "complication"]) == ["without", "complication"]


def test_an_abbreviation_is_not_the_beginning_of_another_word(index: CodeIndex) -> None:
    """UTI lists infections of the urinary tract, and no suicide by utility gas."""
    titles = [concept.title for concept in search_codes(index, "UTI", ("diagnosis",), 12)]
    assert titles and all("Urinary tract infection" in title for title in titles)
    assert any("Asthma" in c.title for c in search_codes(index, "ast", ("diagnosis",), 12))


# Words

TEXTS = ("Heart failure", "Heart block", "Hartnup's disease", "Failure to thrive", "Fractures, multiple")


def test_a_word_index_matches_exactly_by_prefix_and_approximately() -> None:
    words = WordIndex(TEXTS)
    assert words.match("heart", typos=False).tolist() == [EXACT, EXACT, 0, 0, 0]
    assert words.match("hea", typos=False).tolist() == [PREFIX, PREFIX, 0, 0, 0]
    assert words.match("fracture", typos=False).tolist() == [0, 0, 0, 0, EXACT]
    assert words.match("haert", typos=False).tolist() == [0] * 5
    assert words.match("haert", typos=True).tolist() == [FUZZY, FUZZY, 0, 0, 0]
    assert words.holding(["heart", "failure"]).tolist() == [0]
    assert words.near("heart") == () and words.near("hea") == () and words.near("he4rt") == ()


@given(
    st.lists(st.text("abc ", max_size=12), min_size=1, max_size=12), st.text("abc", min_size=1, max_size=3)
)
def test_an_index_of_words_agrees_with_reading_every_text(texts: list[str], word: str) -> None:
    fits = WordIndex(texts).match(word, typos=False).tolist()
    forms = spellings(word)
    for text, fit in zip(texts, fits, strict=True):
        held = fold(text).split()
        if any(form in held for form in forms):
            assert fit == EXACT
        elif any(w.startswith(word) for w in held):
            assert fit == PREFIX
