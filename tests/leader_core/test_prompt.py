"""The prompt to the exact string, its budget, and what it must never show."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from leader_core.domain import Case, Kind, Visit
from leader_core.errors import InputError
from leader_core.prompt import PromptBuilder
from leader_core.prompt_templates import PROMPTS, fill
from leader_core.terminology.equivalence import DiagnosisReading

TITLES = {
    "ICD9:4280": "Congestive heart failure, unspecified",
    "ICD9:4019": "Unspecified essential hypertension",
    "ICD9:5849": "Acute kidney failure, unspecified",
    "ICD9PCS:3961": "Extracorporeal circulation",
    "ICD9PCS:9671": "Ventilation {diagnoses} <DIAGNOSIS>",  # a title that looks like a placeholder
    "C03C": "High-ceiling diuretics",
    "B01A": "Antithrombotic agents",
}


class Words:
    """One token a word or mark, two special tokens: enough of a tokenizer to count by."""

    specials = 2

    def spans(self, text: str) -> Sequence[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]


def title(kind: Kind, code: str) -> str | None:
    return TITLES.get(code)


def builder(version: str, limit: int = 500, **options: object) -> PromptBuilder:
    return PromptBuilder(version, title, Words(), limit, **options)  # type: ignore[arg-type]


FIRST = Visit(diagnoses=("ICD9:4019",), procedures=(), medications=("B01A",))
SECOND = Visit(
    diagnoses=("ICD9:4280", "ICD9:5849"), procedures=("ICD9PCS:9671",), medications=("B01A", "C03C")
)
CASE = Case(
    history=(FIRST, SECOND),
    current=Visit(diagnoses=("ICD9:4280", "ICD9:Z999"), procedures=("ICD9PCS:3961",), medications=("N02B",)),
)


def test_published_wording_to_the_letter() -> None:
    assert builder("paper-1").build(CASE).text == (
        "The patient has 2 times ICU visits. \n "
        "In 1 visit, the patient had diagnosis: Unspecified essential hypertension; procedures: . "
        "The patient was prescribed drugs: antithrombotic agents. \n"
        "In 2 visit, the patient had diagnosis: Congestive heart failure, unspecified, "
        "Acute kidney failure, unspecified; procedures: Ventilation {diagnoses} <DIAGNOSIS>. "
        "The patient was prescribed drugs: antithrombotic agents, high-ceiling diuretics. \n"
        " In this visit, he has diagnosis: Congestive heart failure, unspecified, ICD9:Z999; "
        "procedures: Extracorporeal circulation. Then, the patient should be prescribed: "
    )


def test_published_wording_without_history() -> None:
    assert builder("paper-1").build(replace(CASE, history=(), profile={})).text == (
        "The patient has 0 times ICU visits. \n "
        " In this visit, he has diagnosis: Congestive heart failure, unspecified, ICD9:Z999; "
        "procedures: Extracorporeal circulation. Then, the patient should be prescribed: "
    )


def test_our_wording_to_the_letter() -> None:
    assert builder("leader-1").build(CASE).text == (
        "The patient has 2 earlier hospital admissions.\n"
        "This admission. Diagnoses: Congestive heart failure, unspecified; ICD9:Z999. "
        "Procedures: Extracorporeal circulation.\n"
        "Admission 2. Medications: Antithrombotic agents; High-ceiling diuretics. "
        "Diagnoses: Congestive heart failure, unspecified; Acute kidney failure, unspecified. "
        "Procedures: Ventilation {diagnoses} <DIAGNOSIS>.\n"
        "Admission 1. Medications: Antithrombotic agents. Diagnoses: Unspecified essential hypertension. "
        "Procedures: none.\n"
        "Medications for this admission:"
    )


def test_our_second_wording_says_what_was_taken_before_and_never_earlier_procedures() -> None:
    assert builder("leader-2").build(CASE).text == (
        "The patient has 2 earlier hospital admissions.\n"
        "This admission. Diagnoses: Congestive heart failure, unspecified; ICD9:Z999. "
        "Procedures: Extracorporeal circulation.\n"
        "Admission 2. Medications: Antithrombotic agents; High-ceiling diuretics. "
        "Diagnoses: Congestive heart failure, unspecified; Acute kidney failure, unspecified.\n"
        "Admission 1. Medications: Antithrombotic agents. Diagnoses: Unspecified essential hypertension.\n"
        "Medications for this admission:"
    )


def test_our_second_wording_gives_up_earlier_diagnoses_before_earlier_medications() -> None:
    first = Visit(diagnoses=("ICD9:5849",), medications=("C03C",))
    case = replace(CASE, profile={}, history=(first, SECOND))
    full = builder("leader-2").build(case)
    assert full.left_out == 1 and not full.dropped, "a procedure, by design"
    one = builder("leader-2", full.token_count - 1).build(case)
    assert one.dropped == ("1 last diagnosis of visit 1 left out: the prompt was too long.",)
    assert "Admission 1. Medications: High-ceiling diuretics. Diagnoses: not shown.\n" in one.text
    two = builder("leader-2", one.token_count - 1).build(case)
    assert two.dropped[1] == "1 last diagnosis of visit 2 left out: the prompt was too long."
    assert two.text.count("High-ceiling diuretics") == 2
    bare = builder("leader-2", two.token_count - 3).build(case)
    assert bare.dropped == (
        two.dropped[0],
        "2 last diagnoses of visit 2 left out: the prompt was too long.",
    )
    short = builder("leader-2", bare.token_count - 1).build(case)
    assert short.dropped == ("Visit 1 left out with 2 codes: the prompt was too long.",)
    assert "Congestive heart failure, unspecified; Acute kidney failure, unspecified.\n" in short.text, (
        "room that the visit left goes to the diagnoses of the one after it"
    )


def test_codes_of_one_reading_are_written_once_by_its_title() -> None:
    titles = {
        "ICD10:I10": "Essential (primary) hypertension",
        "ICD10:E1151": "Angiopathy",
        "ICD10:E1165": "High sugar",
    }
    codes = ("ICD9:4019", "ICD9:25072", "ICD9:4011", "ICD9:5849", "ICD9:NONE")
    make = PromptBuilder(
        "leader-2",
        lambda kind, code: titles.get(code),
        Words(),
        500,
        reading=DiagnosisReading({"ICD10:N179"}, equivalence=True),
    )
    prompt = make.build(Case(current=Visit(diagnoses=codes)))
    assert (
        "Diagnoses: Essential (primary) hypertension; Angiopathy; High sugar; ICD10:N179; ICD9:NONE."
        in prompt.text
    )
    assert prompt.untitled == ("ICD10:N179", "ICD9:NONE") and prompt.left_out == 0
    assert [(each.code, each.read_as) for each in prompt.read_as[:2]] == [
        ("ICD9:4019", ("ICD10:I10",)),
        ("ICD9:25072", ("ICD10:E1151", "ICD10:E1165")),
    ]
    assert prompt.read_as[1].titles == ("Angiopathy", "High sugar")


@pytest.mark.parametrize(
    ("earlier", "sentence"),
    [
        (0, "no earlier hospital admission.\n"),
        (1, "1 earlier hospital admission.\n"),
        (2, "2 earlier hospital admissions.\n"),
    ],
)
def test_our_wording_counts_admissions_in_plain_english(earlier: int, sentence: str) -> None:
    case = Case(history=(FIRST,) * earlier, current=CASE.current)
    assert builder("leader-1").build(case).text.startswith("The patient has " + sentence)


@pytest.mark.parametrize("version", PROMPTS)
def test_current_medications_never_reach_it(version: str) -> None:
    shown = builder(version).build(CASE)
    hidden = builder(version).build(CASE.observed())
    changed = builder(version).build(
        replace(CASE, profile={}, current=replace(CASE.current, medications=("C03C", "A02B")))
    )
    assert shown == hidden == changed
    assert "N02B" not in shown.text


@pytest.mark.parametrize("version", ["leader-1", "leader-2", "paper-1"])
def test_each_visit_shows_its_own_diagnoses(version: str) -> None:
    other = Case(history=(replace(FIRST, diagnoses=("ICD9:5849",)), SECOND), current=CASE.current)
    assert builder(version).build(other).text != builder(version).build(CASE).text
    assert builder(version).build(other).text.count("Unspecified essential hypertension") == 0


@pytest.mark.parametrize("version", PROMPTS)
def test_sections_cover_the_text_and_add_up(version: str) -> None:
    prompt = builder(version).build(CASE)
    assert "".join(prompt.text[s.start : s.end] for s in prompt.sections) == prompt.text
    assert sum(s.token_count for s in prompt.sections) + Words.specials == prompt.token_count
    assert {s.kind for s in prompt.sections} == {"instruction", "history", "current", "question"}
    assert prompt.untitled == ("ICD9:Z999",)
    assert prompt.dropped == () and not prompt.truncated
    current = next(s for s in prompt.sections if s.kind == "current")
    assert (current.label, current.visit_no) == ("Visit 3 of 3 (current)", 3)


def test_only_the_last_visits_are_read_and_that_is_said() -> None:
    case = Case(history=(FIRST, SECOND, FIRST, SECOND, SECOND), current=CASE.current)
    prompt = builder("paper-1").build(case)
    assert "In 2 visit" not in prompt.text and "In 3 visit" in prompt.text
    assert prompt.text.startswith("The patient has 5 times")
    assert prompt.dropped == ("2 oldest visits left out: at most the last 3 earlier visits are read.",)


@pytest.mark.parametrize("version", PROMPTS)
@pytest.mark.parametrize("limit", range(40, 130, 3))
def test_any_limit_holds_and_the_current_visit_outlives_history(version: str, limit: int) -> None:
    many = tuple(f"ICD9:{n}" for n in range(1000, 1004))
    case = Case(history=(SECOND, FIRST, SECOND), current=Visit(diagnoses=many, procedures=("ICD9PCS:3961",)))
    prompt = builder(version, limit).build(case)
    assert prompt.token_count <= limit
    assert prompt.text.rstrip().endswith(PROMPTS[version].question.rstrip())
    history = [s for s in prompt.sections if s.kind == "history"]
    if history:
        assert all(code in prompt.text for code in many)
        assert history[0].visit_no == 3 or not PROMPTS[version].newest_first
    if len(history) < 3:
        assert prompt.truncated


def test_cuts_oldest_visit_then_its_lists_then_the_current_ones() -> None:
    full = builder("leader-1").build(CASE).token_count
    first = builder("leader-1", full - 1).build(CASE)
    assert first.dropped == ("Visit 1 left out with 2 codes: the prompt was too long.",)
    second = builder("leader-1", first.token_count - 1).build(CASE)
    assert second.dropped[1] == "1 last diagnosis of visit 2 left out: the prompt was too long."
    assert "Acute kidney failure" not in second.text and "Antithrombotic" in second.text
    alone = builder("leader-1").build(Case(current=CASE.current)).token_count
    bare = builder("leader-1", alone).build(CASE)
    assert bare.dropped[-1] == "Visit 2 left out with 5 codes: the prompt was too long."
    assert "Extracorporeal circulation" in bare.text
    tight = builder("leader-1", alone - 2).build(CASE)
    assert tight.dropped[-1] == "1 last diagnosis of the current visit left out: the prompt was too long."
    assert "Congestive heart failure" in tight.text and "Z999" not in tight.text


def test_a_list_cut_away_is_not_called_empty() -> None:
    tight = builder("leader-1", 30).build(CASE).text
    assert "Diagnoses: not shown" in tight and "none" not in tight
    assert "Procedures: none" in builder("leader-1", 30).build(Case()).text


def test_bulk_text_equals_the_built_prompt() -> None:
    for version, limit in itertools.product(("leader-1", "leader-2"), (60, 90, 500)):
        make = builder(version, limit)
        assert make.text(CASE) == (make.build(CASE).text, make.build(CASE).truncated)


class Merging(Words):
    """Counts more for a whole text than for its pieces, as tokenizers that merge across pieces may."""

    def spans(self, text: str) -> Sequence[tuple[int, int]]:
        spans = list(super().spans(text))
        return spans + spans[: len(spans) // 10]


def test_limit_holds_where_pieces_do_not_add_up() -> None:
    for limit in range(60, 120, 5):
        assert PromptBuilder("leader-1", title, Merging(), limit).build(CASE).token_count <= limit


def test_unfilled_placeholder_raises() -> None:
    with pytest.raises(InputError, match="diagnoses"):
        fill("had {diagnoses}", {})
    with pytest.raises(InputError, match="digno"):
        fill("had {diagnoses}", {"digno": "x", "diagnoses": "y"})
    assert fill("had {a}, {b}", {"a": "{b}", "b": "<A>"}) == "had {b}, <A>"


def test_bad_settings_are_named() -> None:
    with pytest.raises(InputError, match="leader-9"):
        builder("leader-9")
    with pytest.raises(InputError, match="max_tokens"):
        builder("leader-1", 12)
