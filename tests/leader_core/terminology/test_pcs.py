"""Composed ICD-10-PCS titles against the 2024 list: every table composes, and agrees with the titles listed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leader_core.terminology.icd import code_title, composed_title, listed_titles

OTHER_WORDS = {
    "5A0": "extracorporeal",
    "5A1": "ventilation|oxygenation|performance",
    "X0Z": "stimulation",
    "X2A": "cerebral embolic filtration|coronary sinus",
}
"""Tables whose titles name the method and not the operation, and what they say instead."""

PARTS = {
    "00": "brain|dura|cereb|nerve|spinal|cord|ventricle|epidural|subdural|subarachnoid|thalam|pons|medulla|ganglia",
    "02": "heart|coronary|atri|ventricle|valve|aorta|pulmonary|vena cava|pericardi|septum|conduction|papillary|chordae"
    "|great vessel|sinus|ductus",
    "04": "arter|aorta",
    "06": "vein|vena cava|plexus",
    "08": "eye|lens|retina|cornea|vitreous|conjunctiva|lid|lacrimal|muscle|sclera|choroid|iris|chamber",
    "0B": "trache|bronch|lung|pleura|diaphragm|carina|lingula|lobe",
    "0F": "liver|gallbladder|duct|pancrea|ampulla|lobe|hepat",
    "0H": "skin|breast|nail|hair|nipple",
    "0T": "kidney|ureter|bladder|urethra",
    "0U": "ovar|fallopian|uter|cervix|vagin|vulva|clitoris|cul-de-sac|hymen|endometrium|ova|vestibular gland",
    "0V": "prostate|testis|testes|epididymis|vas def|penis|prepuce|scrot|spermatic|seminal|tunica",
    "30": "vein|artery|circulatory|products of conception|bone marrow|indwelling|heart",
}
"""Words that titles of a body system hold."""


def _tables() -> Iterator[tuple[str, list[str]]]:
    result: dict[str, list[str]] = {}
    for code, title in listed_titles("ICD10PCS").items():
        result.setdefault(code[:3], []).append(title.lower())
    yield from sorted(result.items())


def test_every_table_of_the_list_composes() -> None:
    tables = list(_tables())
    assert len(tables) == 905
    assert [table for table, _ in tables if composed_title(table) is None] == []


def test_the_operation_is_the_one_the_listed_titles_name() -> None:
    """But for rehabilitation (tested next), other procedures and other radiation, which name only the method."""
    wrong = []
    for table, titles in _tables():
        if table[0] in "F8" or (table[0], table[2]) == ("D", "Y"):
            continue
        composed = composed_title(table)
        assert composed is not None
        words = re.findall(r"[a-z]+", composed.rpartition(": ")[2].lower())
        instead = OTHER_WORDS.get(table)
        wrong += [
            (composed, title)
            for title in titles
            if not all(word in title for word in words) and not (instead and re.search(instead, title))
        ]
    assert wrong == []


def test_rehabilitation_says_assessment_treatment_fitting_or_training() -> None:
    ends = {
        "assessment": "assessment|status|screening|training",
        "treatment": "treatment",
        "fitting": "fitting",
    }
    for table, titles in _tables():
        if table[0] == "F":
            composed = composed_title(table)
            assert composed is not None
            last = composed.split()[-1]
            assert all(re.search(ends.get(last, last), title) for title in titles), (composed, titles[:3])


@pytest.mark.parametrize("system", sorted(PARTS))
def test_the_body_system_holds_the_parts_that_its_titles_name(system: str) -> None:
    titles = [t for table, listed in _tables() if table.startswith(system) for t in listed]
    assert titles
    assert [t for t in titles if not re.search(PARTS[system], t)] == []


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("ICD10PCS:0210ZZZ", "Medical and surgical, heart and great vessels: bypass"),
        ("ICD10PCS:0210", "Medical and surgical, heart and great vessels: bypass"),
        (
            "ICD10PCS:5A1",
            "Extracorporeal or systemic assistance and performance, physiological systems: performance",
        ),
        ("ICD10PCS:GZ2ZZZX", "Mental health: crisis intervention"),
        ("ICD10PCS:XW09999", "New technology, anatomical regions: introduction"),
    ],
)
def test_codes_that_no_list_has_are_titled_by_their_table(code: str, title: str) -> None:
    assert code_title("procedure", code) == title


def test_a_listed_title_is_never_replaced() -> None:
    for code, title in list(listed_titles("ICD10PCS").items())[::4_999]:
        assert code_title("procedure", f"ICD10PCS:{code}") == title != composed_title(code)


@given(st.text(max_size=8))
def test_any_other_text_has_no_title(text: str) -> None:
    title = composed_title(text)
    if title is not None:
        assert 3 <= len(text) <= 7 and text == text.upper() and ": " in title


@pytest.mark.parametrize("bare", ["", "0", "02", "0ZZ", "ZZZZZZZ", "021I", "0211234X", "02o", "AB1"])
def test_what_is_no_table_has_no_title(bare: str) -> None:
    assert composed_title(bare) is None
