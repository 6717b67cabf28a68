"""`check`: what is promised of its JSON and exit codes, its answer for a reader, and that spelling and order do not matter."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.cli import call, main, parse
from train.console import Report

ROOT = Path(__file__).parents[3]
PAIR = {"a", "b", "severity", "effect", "management", "source"}
SPELLINGS = {
    "warfarin": ("warfarin", "Coumadin 5 mg PO daily", "WARFARIN", "B01AA03"),
    "fluconazole": ("fluconazole PO", "Diflucan 200 mg PO", "fluconazole"),
    "metoprolol": ("metoprolol succ XL 50", "Lopressor 25 mg PO BID", "Metoprolol Tartrate"),
    "sotalol": ("sotalol 80 mg PO", "Betapace"),
    "spironolactone": ("Aldactone 25 mg", "spironolactone"),
    "potassium chloride": ("KCl 20 meq PO", "K-Dur", "potassium chloride ER tab"),
}


def _answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["check", *words, "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return answer


def _lines(capsys: pytest.CaptureFixture[str], drugs: str, diagnoses: str = "") -> list[str]:
    assert main(["check", "--drugs", drugs, "--diagnoses", diagnoses]) == 0
    return capsys.readouterr().out.splitlines()


def test_the_promised_example(capsys: pytest.CaptureFixture[str]) -> None:
    answer = _answer(capsys, "--drugs", "warfarin; fluconazole PO", "--diagnoses", "ICD10:E875; I50.9")
    (pair,) = answer["pairs"]
    assert set(pair) >= PAIR
    assert ({pair["a"], pair["b"]}, pair["severity"]) == ({"warfarin", "fluconazole"}, "major")
    assert (answer["conditions"], answer["duplications"], answer["unknown"]) == ([], [], [])


def test_every_part_of_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    drugs = "spironolactone; KCl 20 meq PO; ibuprofen 600; naproxen; unknwn drug xyz"
    answer = _answer(capsys, "--drugs", drugs, "--diagnoses", "E87.5; V43.3")
    despite = {(each["drug"], each["diagnosis"]) for each in answer["conditions"]}
    assert despite >= {("spironolactone", "ICD10:E875"), ("potassium chloride", "ICD10:E875")}
    assert {each["severity"] for each in answer["conditions"]} <= {"contraindicated", "major"}
    assert ["ibuprofen", "naproxen"] in [each["drugs"] for each in answer["duplications"]]
    assert [(each["text"], each["list"]) for each in answer["unknown"]] == [
        ("unknwn drug xyz", "drugs"),
        ("V43.3", "diagnoses"),
    ]
    findings = [*answer["pairs"], *answer["conditions"], *answer["duplications"]]
    assert sum(answer["counts"].values()) == len(findings)
    assert all(each["effect"] and each["management"] and each["source"] for each in findings)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "No drugs given"),
        (("--drugs", " ; "), "No drugs given"),
        (("--drugs", "unknwn drug xyz"), "None of the drugs was understood"),
    ],
)
def test_nothing_to_review_ends_with_2(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line


def test_the_answer_for_a_reader(capsys: pytest.CaptureFixture[str]) -> None:
    drugs = "Tikosyn; amiodarone 200 mg PO; ondansetron IV; foo bar; Cordarone"
    lines = _lines(capsys, drugs, "I45.81")
    assert re.fullmatch(r"\d+ contraindicated, \d+ major", lines[0])
    assert lines[1] == "Not checked: 'foo bar' names no drug of the drug table"
    grades = [line.split(":")[0] for line in lines if line.split(":")[0].isupper()]
    assert grades == sorted(grades) and len(set(grades)) > 1  # C before M: the most severe first
    assert sum(line.startswith(("  what to do:", "  source:")) for line in lines) >= 2 * len(grades) - 2
    assert "The same drug twice: amiodarone (amiodarone 200 mg PO; Cordarone)" in lines
    assert "MAJOR: two beta-blockers: metoprolol, sotalol" in _lines(capsys, "metoprolol; sotalol")
    merged = _lines(capsys, "glyburide-metformin; cimetidine")  # two rules, a line each
    assert sum(line.startswith("    - ") for line in merged) == 4
    assert "unlisted, not safe" in lines[-1] and "not a medical device" in lines[-1]


@pytest.mark.parametrize(
    ("drugs", "names", "unknown"),
    [
        ("Injectafer; Pepto-Bismol", ["bismuth subsalicylate", "ferric carboxymaltose"], []),
        ("warfarin; warfarin foobarium", ["warfarin"], ["foobarium"]),
        ("warfarin fluconazol", ["warfarin", "fluconazole"], []),
        ("N02AJ17", ["oxycodone + acetaminophen"], []),
        ("heparin; heparin and aspirin; heparin", ["heparin", "aspirin"], []),
    ],
)
def test_no_piece_of_the_list_of_drugs_is_lost(
    drugs: str, names: list[str], unknown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = _answer(capsys, "--drugs", drugs)
    assert sorted(each["name"] for each in answer["drugs"]) == sorted(names)
    assert [each["text"] for each in answer["unknown"]] == unknown
    written = {piece.strip() for each in answer["drugs"] for piece in each["written"]}
    assert written == {piece.strip() for piece in drugs.split(";")}


def test_a_drug_without_a_code_of_its_own_carries_what_its_class_carries(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = _answer(capsys, "--drugs", "levorphanol; alprazolam")
    (pair,) = answer["pairs"]
    assert {pair["a"], pair["b"]} == {"levorphanol", "alprazolam"}
    (drug,) = (each for each in answer["drugs"] if each["name"] == "levorphanol")
    assert drug["note"] == "ATC has no code for it alone: what is listed about N02AX counts"


def test_what_clinicians_call_a_condition_is_no_title_of_another_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    codes = {
        text: [
            each["code"] for each in _answer(capsys, "--drugs", "aspirin", "--diagnoses", text)["diagnoses"]
        ]
        for text in ("I50.9, AF", "I50.9, CHF", "I50.9; CKD stage 4")
    }
    assert codes["I50.9, AF"] == ["ICD10:I4891", "ICD10:I509", "ICD9:42731"]
    assert codes["I50.9, CHF"] == ["ICD10:I509"]
    assert codes["I50.9; CKD stage 4"] == ["ICD10:I509", "ICD10:N184", "ICD9:5854"]


def test_products_with_acetaminophen_are_counted_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    answer = _answer(capsys, "--drugs", "Percocet; Tylenol; oxycodone 5 mg; acetaminophen IV")
    products = {
        each["group"]: each["drugs"] for each in answer["duplications"]
    }  # oxycodone twice is one opioid
    assert products == {
        "acetaminophen products": ["acetaminophen", "oxycodone + acetaminophen"],
        "oxycodone products": ["oxycodone", "oxycodone + acetaminophen"],
    }
    assert _answer(capsys, "--drugs", "Fioricet; Tylenol")["duplications"]
    assert not _answer(capsys, "--drugs", "Percocet")["duplications"]


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_spelling_and_order_do_not_change_the_review(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(SPELLINGS)), min_size=2, unique=True))
    spelt = [data.draw(st.sampled_from(SPELLINGS[name])) for name in data.draw(st.permutations(names))]
    plain, written = (
        call(parse(["check", "--drugs", "; ".join(drugs), "--diagnoses", "E87.5"]), Report(quiet=True))
        for drugs in (names, spelt)
    )
    for part in ("pairs", "conditions", "duplications", "unknown", "counts"):
        assert plain[part] == written[part]


def test_no_model_and_no_database_is_needed(tmp_path: Path) -> None:
    code = (
        "import sys; from train.cli import main; main(['check', '--drugs', 'warfarin; aspirin']); "
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith("1 major")
