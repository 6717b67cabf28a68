"""ATC codes: levels, and titles that say one thing each."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leader_core.terminology.atc import LENGTHS, all_atc_titles, atc_title, level_of
from leader_core.terminology.drug_table import drug_table
from leader_core.terminology.icd import code_title

TITLES = all_atc_titles()


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("B01A", "Antithrombotics"),
        ("H02A", "Corticosteroids for systemic use"),
        ("D07A", "Corticosteroids, topical"),
        ("S01B", "Eye anti-inflammatory drugs"),
        ("A07A", "Intestinal anti-infectives"),
        ("B01AC06", "Aspirin"),
        ("J01XA01", "Vancomycin, injected"),
        ("J01MA12", "Levofloxacin"),  # by mouth and injected, the eye drops apart
        ("S01AE05", "Levofloxacin, for the eye"),
        ("B01AB01", "Heparin, injected"),
        ("A07AA09", "Vancomycin, by mouth or rectal"),
        ("N02AJ17", "Oxycodone and acetaminophen"),
        ("B05ZB", "Hemofiltration fluids"),
        ("Z99Z", None),
        ("", None),
        ("ICD9:4280", None),
    ],
)
def test_title(code: str, title: str | None) -> None:
    assert atc_title(code) == title
    assert code_title("medication", code) == title


@pytest.mark.parametrize("level", LENGTHS)
def test_titles_of_a_level_differ(level: int) -> None:
    titles = Counter(title.casefold() for code, title in TITLES.items() if level_of(code) == level)
    assert [title for title, times in titles.items() if times > 1] == []


def test_titles_are_plain_sentences() -> None:
    for code, title in TITLES.items():
        assert title == title.strip() and title[0] == title[0].upper(), code
        assert not title.isupper() or len(title) < 8, code
        assert len(title) <= 90, code


def test_every_code_that_an_order_can_get_has_a_title_at_every_level() -> None:
    codes = {code for i in drug_table().ingredients.values() for code in i.codes.values()}
    assert [c for c in codes if atc_title(c) is None] == []
    assert [c for c in codes for level in (1, 2, 3, 4) if atc_title(c[: LENGTHS[level]]) is None] == []


def test_every_class_of_the_index_has_a_title(index: dict[str, str]) -> None:
    assert sorted(code for code in index if len(code) <= 4 and atc_title(code) is None) == []
    assert sorted(code for code in TITLES if code not in index) == []


@given(st.text(max_size=9))
def test_level_of_never_raises(text: str) -> None:
    level = level_of(text)
    assert level is None or len(text) == LENGTHS[level]
