"""The parser of patient searches: no word disappears, and operators mean what a person expects."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leader_core.search.query import AND, NOT, OR, parse
from leader_core.search.words import LONGEST_TEXT, fold

WORDS = (
    "heart",
    "failure",
    "428.0",
    "warfarin",
    "β-blocker",
    "心不全",
    "сердце",
    "age>70",
    "COVID-19",
    "D&C",
    "of",
    "1",
    "over 70",
    "65 yo",
    "male",
    "very",
    "BMI",
    "elderly",
    "women",
    "age >= 65",
)
SYMBOLS = ("*", "'", "--", ";", ",", "(", ")", "=", "\U0001f600", '"', "%", "\x00")
OPERATORS = ("and", "OR", "not", "without", "-", "+", "&", "or", "but")


@pytest.mark.parametrize(
    ("text", "clauses", "unread"),
    [
        ("heart failure and renal failure", ["heart failure", "renal failure"], ()),
        ("heart failure, renal failure;", ["heart failure", "renal failure"], ()),
        ('"heart failure" warfarin -dialysis', ["“heart failure”", "warfarin", "not dialysis"], ()),
        ("CHF or COPD but not warfarin", ["CHF | COPD", "not warfarin"], ()),
        ("CHF or not COPD", ["CHF", "not COPD"], ()),
        ("without dialysis", ["not dialysis"], ()),
        ("UTI site not specified", ["UTI site not specified"], ()),
        ("'; drop table x;--", ["drop table x"], ("'", "--")),
        ("(chf) I50*", ["chf I50"], ("(", ")", "*")),
        ("chf, сердце", ["chf", "?сердце"], ()),
        ("1'='1", ["?1'='1"], ()),
        ("COVID-19 and β-blocker", ["COVID-19", "beta-blocker"], ()),
        ("heart or", ["heart"], ()),
        ("CHF over 70", ["CHF"], ("over 70",)),
        ("70-year-old woman with pneumonia", ["with pneumonia"], ("70-year-old", "woman")),
        ("old stroke, female breast cancer", ["old stroke", "female breast cancer"], ()),
        ("glucose over 200", ["glucose"], ("over 200",)),
        ("not patients with CHF", ["not with CHF"], ("patients",)),
        ("BMI over 40", ["BMI over 40"], ()),
        ("type 2 diabetes, 0.9 saline", ["type 2 diabetes", "0.9 saline"], ()),
        ("please find CHF", ["CHF"], ("please", "find")),
        ('"over 70"', ["“over 70”"], ()),
        ("***", [], ("***",)),
        ("", [], ()),
    ],
)
def test_a_search_is_read_as_a_person_means_it(
    text: str, clauses: list[str], unread: tuple[str, ...]
) -> None:
    parsed = parse(text)
    read = []
    for clause in parsed.clauses:
        terms = [f"“{t.text}”" if t.quoted else t.text if t.readable else f"?{t.text}" for t in clause.terms]
        read.append(("not " if clause.excluded else "") + " | ".join(terms))
    assert (read, parsed.unread) == (clauses, unread)


TEXTS = st.one_of(
    st.lists(st.sampled_from((*WORDS, *SYMBOLS, *OPERATORS)), max_size=14).map(" ".join),
    st.lists(st.sampled_from((*WORDS, *SYMBOLS, *OPERATORS)), max_size=14).map("".join),
    st.text(max_size=300),
)


@given(TEXTS)
def test_no_word_of_a_search_disappears(text: str) -> None:
    parsed = parse(text)
    terms = [term for clause in parsed.clauses for term in clause.terms]
    listed = [run for read in (*(term.text for term in terms), *parsed.unread) for run in _runs(read)]
    for word in re.split(r"[\s,;\"“”„«»]+", text):
        if word.lower() not in AND | OR | NOT:
            assert all(any(run in each for each in listed) for run in _runs(word)), (word, parsed)
    assert all(fold(term.text) or not term.readable for term in terms), "a term has something to look up"


def _runs(text: str) -> list[str]:
    """The runs of letters and digits, with Greek letters by name."""
    for letter, name in zip("αβγδ", ("alpha", "beta", "gamma", "delta"), strict=True):
        text = text.replace(letter, name)
    return re.findall(r"[^\W_]+", text)


def test_what_follows_the_longest_text_is_listed() -> None:
    parsed = parse("heart " * LONGEST_TEXT)
    assert set(parsed.unread) == {"heart"} and len(parsed.clauses) == 1
