"""Reading a cohort: cases and columns agree, the worklist filters and sorts, search finds, threads share."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import duckdb
import numpy as np
import pytest

from leader_core import sql
from leader_core.cohort import Cohort, PatientQuery
from leader_core.cohort.build import BuildResult
from leader_core.cohort.columns import CohortColumns
from leader_core.cohort.seal import seal_again
from leader_core.domain import KINDS, PROFILE_FIELDS
from leader_core.errors import ArtifactError, InputError, NotFoundError
from tests import raw_tables


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cohort]:
    """Twenty-five copies of the hand-written hospital, so that every split has patients."""
    tables: raw_tables.Tables = {}
    for copy in range(25):
        for name, rows in raw_tables.mimic3().items():
            for row in rows:
                row["SUBJECT_ID"] = int(str(row["SUBJECT_ID"])) + 100 * copy
                if "HADM_ID" in row:
                    row["HADM_ID"] = int(str(row["HADM_ID"])) + 1000 * copy
            tables.setdefault(name, []).extend(rows)
    opened = Cohort.open(raw_tables.build(tmp_path_factory.mktemp("read"), tables).path)
    yield opened
    opened.close()


@pytest.fixture
def copy(plain: BuildResult, tmp_path: Path) -> Path:
    """A copy of the hand-written hospital's database, to be changed."""
    return Path(shutil.copy(plain.path, tmp_path / "c.duckdb"))


@pytest.mark.parametrize("split", ["all", "train", "validation", "test"])
@pytest.mark.parametrize("targets", ["last", "all"])
def test_cases_columns_and_single_cases_agree(cohort: Cohort, split: str, targets: str) -> None:
    cases = cohort.cases(split, targets)  # type: ignore[arg-type]
    columns = cohort.columns(split, targets)  # type: ignore[arg-type]
    assert len(cases) == len(columns) > 0
    assert [(c.patient_id, c.current.visit_no) for c in cases] == sorted(
        (c.patient_id, c.current.visit_no) for c in cases
    )
    for n, case in enumerate(cases):
        assert case.patient_id is not None
        assert case == cohort.case(case.patient_id, case.current.visit_no)
        assert (columns.patient_ids[n], columns.visit_ids[n]) == (case.patient_id, case.current.visit_id)
        assert {name: columns.profile[name][n] for name in PROFILE_FIELDS} == dict(case.profile)
        rows = range(columns.first[n], columns.current[n] + 1)
        for row, visit in zip(rows, (*case.history, case.current), strict=True):
            for kind in KINDS:
                assert columns.codes[kind].of(row) == visit.codes(kind)


def test_columns_of_cases_made_by_hand_hold_the_same(cohort: Cohort) -> None:
    cases = cohort.cases("test", "all")
    built = CohortColumns.from_cases(cases)
    for n, case in enumerate(cases):
        visits = [*case.history, case.current]
        rows = range(built.first[n], built.current[n] + 1)
        assert [built.codes["medication"].of(row) for row in rows] == [v.medications for v in visits]
        assert built.profile["insurance"][n] == case.profile["insurance"]
    assert built.cases() == cases
    assert len(CohortColumns.from_cases([])) == 0


def test_taking_cases_copies_no_codes(cohort: Cohort) -> None:
    columns = cohort.columns("all", "all")
    chosen = columns.take([3, 0])
    assert chosen.visit_ids.tolist() == columns.visit_ids[[3, 0]].tolist()
    assert chosen.codes["diagnosis"].ids is columns.codes["diagnosis"].ids
    assert columns.history_lengths.tolist() == [len(c.history) for c in cohort.cases("all", "all")]


def test_splits_part_the_patients(cohort: Cohort) -> None:
    result = [{c.patient_id for c in cohort.cases(split)} for split in ("train", "validation", "test")]
    assert sum(map(len, result)) == len(set.union(*result)) == cohort.fingerprint.patients == 50


def test_vocabularies_come_from_the_requested_split_alone(cohort: Cohort) -> None:
    codes = {code for case in cohort.cases("train", "all") for code in case.current.diagnoses}
    assert cohort.vocabulary_codes("diagnosis") == sorted(codes)
    assert cohort.profile_values("insurance") == ["Medicare", "Private"]
    with pytest.raises(InputError, match="shoe_size"):
        cohort.profile_values("shoe_size")


def test_the_worklist_shows_the_last_visit(cohort: Cohort) -> None:
    row = cohort.patients(PatientQuery(text="1", page_size=1)).rows[0]
    assert (row.patient_id, row.visits, row.visit_id, row.age, row.gender) == (1, 2, 10, 61, "F")
    assert row.main_diagnosis == "Unspecified septicemia"
    assert (row.diagnoses, row.procedures, row.medications) == (2, 1, 1)


def test_pages_part_the_matches(cohort: Cohort) -> None:
    pages = [cohort.patients(PatientQuery(page=n, page_size=20)) for n in (1, 2, 3, 4)]
    assert [len(p.rows) for p in pages] == [20, 20, 10, 0]
    assert {p.total for p in pages} == {50} and pages[0].pages == 3
    ids = [row.patient_id for page in pages for row in page.rows]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("sort", ["patient_id", "visits", "age", "admitted_at", "diagnoses", "medications"])
@pytest.mark.parametrize("descending", [False, True])
def test_every_order_sorts(cohort: Cohort, sort: str, descending: bool) -> None:
    rows = cohort.patients(PatientQuery(sort=sort, descending=descending, page_size=50)).rows  # type: ignore[arg-type]
    values = [getattr(row, sort) for row in rows]
    assert values == sorted(values, reverse=descending)


def test_filters_narrow(cohort: Cohort) -> None:
    def total(**options: object) -> int:
        return cohort.patients(PatientQuery(**options)).total  # type: ignore[arg-type]

    assert total(genders=("M",)) == total(ages=(89, 120)) == total(visits=(1, 1)) == 25
    assert total(genders=("M",), visits=(2, 9)) == 0
    assert total(splits=("train",)) == len(cohort.cases("train"))
    assert total(splits=("validation", "test")) == 50 - len(cohort.cases("train"))


def test_a_patient_is_in_the_split_that_the_worklist_shows(cohort: Cohort) -> None:
    rows = cohort.patients(PatientQuery(page_size=50)).rows
    assert {row.split for row in rows} == {"train", "validation", "test"}
    assert [cohort.split_of(row.patient_id) for row in rows] == [row.split for row in rows]
    assert cohort.split_of(9_999_999) is None


@pytest.mark.parametrize(
    ("text", "patients"),
    [
        ("heart failure", 25),  # of an earlier visit
        ("428.0", 25),
        ("icd9:4280", 25),
        ("ATRIAL fib", 25),
        ("furosemide", 25),  # a drug of a class
        ("warfarin, atrial fibrillation", 25),
        ("warfarin, heart failure", 0),
        ("heart fibrillation", 0),
        ("warfarin fibrillation", 25),  # no title has both words: a code for each
        ("2401", 1),
        ("1' OR '1'='1", 0),
        ("%", 0),  # nothing understood is not everybody
        ("心不全", 0),
        ("zzz", 0),
        ("CHF and afib", 0),
        ("CHF or afib", 50),
        ("CHF warfarin", 0),
        ("-warfarin", 25),
        ("CHF, not furosemide", 0),
        ("CHF without warfarin", 25),
        ("CHF not zzz", 25),  # nobody has it
        ("not zzz", 0),
        ('"congestive heart"', 25),
        ('"heart congestive"', 0),
        ("patient 2401", 1),
        ("CHF", 25),  # synonyms, brands and slips, as the search for codes knows them
        ("afib, blood thinner", 25),
        ("Coumadin", 25),
        ("hart failure", 25),
        ("warfrin, CHF", 0),
        (", ".join(["CHF"] * 200), 25),  # more than are read
        ("patients with CHF", 25),
        ("very", 0),  # and not "vera"
        ("CHF furo", 25),  # still being typed
        ("CHF x", 0),
        ("'; drop table x;--", 0),
    ],
)
def test_the_worklist_searches_ids_codes_and_words(cohort: Cohort, text: str, patients: int) -> None:
    assert cohort.patients(PatientQuery(text=text)).total == patients


def test_a_search_says_what_it_was_taken_for(cohort: Cohort) -> None:
    reading = cohort.read_search("CHF or warfarin, not I50.9, сердце a*e>70 *")
    assert [(c.excluded, c.patients) for c in reading.clauses] == [
        (False, 50),
        (True, 0),
        (False, 0),
        (False, 0),
    ]
    chf, warfarin = (parts[0] for parts in reading.clauses[0].alternatives)
    assert chf.title == "Congestive heart failure, unspecified" and chf.concepts
    assert warfarin.drug == "warfarin" and warfarin.orders, "orders of the drug, not of its class"
    assert reading.clauses[1].alternatives[0][0].title == "Heart failure, unspecified", (
        "known, but nobody has it"
    )
    assert reading.not_understood() == ("сердце", "a*e>70", "*")
    assert cohort.read_search("CHF, table").not_understood() == ("table",)
    (clause,) = cohort.read_search("serotonin syndrome").clauses
    assert [part.title for part in clause.alternatives[0]] == ["Serotonin syndrome"], (
        "one thing, which nobody has"
    )
    assert cohort.read_search("2401").patient == "2401"


def test_sex_and_age_are_said_to_be_no_words_of_a_search(cohort: Cohort) -> None:
    assert cohort.read_search("elderly, CHF, female, over 70").not_understood() == (
        "elderly",
        "female",
        "over 70",
    )
    assert cohort.patients(PatientQuery(text="women over 70")).total == 0


def test_rows_say_why_they_match(cohort: Cohort) -> None:
    ids = [row.patient_id for row in cohort.patients(PatientQuery(page_size=50)).rows]
    reasons = cohort.match_reasons("heart failure or warfarin, -zzz", ids)
    assert list(reasons) == ids and all(reasons.values())
    texts = {"".join(text for text, _ in reason.pieces) for each in reasons.values() for reason in each}
    assert "Congestive heart failure, unspecified" in texts and any("warfarin" in t.lower() for t in texts)
    assert (("heart failure", True) in reasons[1][0].pieces) or reasons[1]


def test_a_query_out_of_range_names_every_problem() -> None:
    with pytest.raises(InputError) as caught:
        PatientQuery(sort="name", page=0, page_size=10_000, splits=("dev",), ages=(9, 1))  # type: ignore[arg-type]
    for word in ("'name'", "page 0", "page_size 10000", "'dev'", "ages (9, 1)"):
        assert word in str(caught.value)


def test_search_puts_the_cohort_s_codes_first(cohort: Cohort) -> None:
    result = cohort.search("heart failure", kinds=("diagnosis",), limit=5)
    assert result[0].code == "ICD9:4280" and len(result) == len({c.code for c in result}) == 5
    assert cohort.search("428.0")[0].code == "ICD9:4280"
    assert [c.hint for c in cohort.search("CHF", ("diagnosis",), 1)] == ["CHF"]
    assert cohort.searchable_codes > 170_000
    assert cohort.search("I50.9")[0].code == "ICD10:I509"  # known to the libraries alone
    assert cohort.search("warfarin", kinds=("medication",))[0].code == "B01A"
    assert cohort.search("septicemia", kinds=("medication",)) == ()
    assert cohort.search("  ") == cohort.search("heart", limit=0) == ()
    with pytest.raises(InputError, match="'drug'"):
        cohort.search("x", kinds=("drug",))  # type: ignore[arg-type]


def test_titles_come_from_the_cohort_then_the_libraries(cohort: Cohort) -> None:
    assert cohort.title("diagnosis", "ICD9:4280") == "Congestive heart failure, unspecified"
    assert cohort.title("diagnosis", "ICD10:I509") == "Heart failure, unspecified"
    assert cohort.title("medication", "B01A")
    assert cohort.title("diagnosis", "ICD9:99999") is None


def test_what_is_not_there_is_named(cohort: Cohort) -> None:
    with pytest.raises(NotFoundError, match="999999"):
        cohort.case(999_999)
    with pytest.raises(NotFoundError, match="no visit 3"):
        cohort.case(1, visit_no=3)
    with pytest.raises(NotFoundError, match="no visit 0"):
        cohort.case(1, visit_no=0)
    with pytest.raises(NotFoundError, match="424242"):
        cohort.orders(424_242)
    for call in (cohort.cases, cohort.columns):
        with pytest.raises(InputError, match="'dev'"):
            call("dev")
        with pytest.raises(InputError, match="'some'"):
            call("all", "some")  # type: ignore[arg-type]


def test_threads_share_one_cohort(cohort: Cohort) -> None:
    def work(n: int) -> tuple[object, ...]:
        patient = 1 + 100 * (n % 25)
        return cohort.case(patient).patient_id, cohort.patients(PatientQuery(text="heart")).total

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(100))) == [(1 + 100 * (n % 25), 25) for n in range(100)]


def test_readers_do_not_write_and_see_no_other_file(cohort: Cohort) -> None:
    cursor = cohort._cursor()
    with pytest.raises(duckdb.Error):
        cursor.execute("DELETE FROM patients")
    with pytest.raises(duckdb.Error):
        cursor.execute("SELECT * FROM read_text($p)", {"p": __file__})


def test_a_cohort_of_somebody_else_reads_no_other_file(copy: Path, tmp_path: Path) -> None:
    """Not even while it is opened: a view in place of a table would show it on the pages."""
    (tmp_path / "secret").write_text("of this machine")
    link = tmp_path / "link.duckdb"
    link.symlink_to(copy)
    Cohort.open(link).close()
    with duckdb.connect(str(copy)) as connection:
        connection.execute("ALTER TABLE meta RENAME TO own")
        secret = f"SELECT 'label', content FROM read_text('{tmp_path / 'secret'}')"
        connection.execute(
            f"CREATE VIEW meta AS SELECT * FROM own WHERE key NOT IN ('seal', 'label') UNION {secret}"
        )
    with pytest.raises(ArtifactError, match="disabled by configuration"):
        Cohort.open(copy)
    with sql.connect(copy, read_only=True) as reader, pytest.raises(duckdb.Error, match="disabled by"):
        reader.execute("SELECT * FROM meta")


def test_what_is_no_cohort_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="python -m train cohort"):
        Cohort.open(tmp_path / "none.duckdb")
    text = tmp_path / "text.duckdb"
    text.write_text("no database, though long enough to be looked at " * 200)
    with pytest.raises(ArtifactError, match="cannot be opened"):
        Cohort.open(text)
    other = tmp_path / "other.duckdb"
    with duckdb.connect(str(other)) as connection:
        connection.execute("CREATE TABLE patients (patient_id BIGINT)")
    with pytest.raises(ArtifactError, match="it lacks the table accounting"):
        Cohort.open(other)


def test_another_format_is_refused(copy: Path) -> None:
    with duckdb.connect(str(copy)) as connection:
        connection.execute("UPDATE meta SET value = '0' WHERE key = 'format'")
    with pytest.raises(ArtifactError, match="format '0'"):
        Cohort.open(copy)
    with duckdb.connect(str(copy)) as connection:
        connection.execute("UPDATE meta SET value = '1' WHERE key = 'format'")
        connection.execute("DELETE FROM meta WHERE key = 'digest'")
    with pytest.raises(ArtifactError, match="digest"):
        Cohort.open(copy)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("UPDATE meta SET value = 'True' WHERE key = 'synthetic'", "its table meta"),
        ("UPDATE meta SET value = '{}' WHERE key = 'row_counts'", "its table meta"),
        ("DELETE FROM orders WHERE visit_id = (SELECT min(visit_id) FROM orders)", "the table orders has"),
        ("INSERT INTO patients SELECT * FROM patients LIMIT 1", "the table patients has"),
        ("DELETE FROM meta", "format 'unknown'"),
        ("UPDATE visits SET age = age + 1", "does not have the digest"),
    ],
)
def test_a_change_of_a_built_cohort_is_noticed(copy: Path, change: str, expected: str) -> None:
    cohort = Cohort.open(copy)
    assert cohort.verify() > 0
    cohort.close()
    with duckdb.connect(str(copy)) as connection:
        connection.execute(change)
    with pytest.raises(ArtifactError, match=expected):
        Cohort.open(copy).verify()  # what opening does not notice, verifying does


def test_a_seal_covers_every_table_and_its_absence_is_noticed(copy: Path) -> None:
    with duckdb.connect(str(copy)) as connection:
        tables = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
        sealed = connection.execute("SELECT value FROM meta WHERE key = 'row_counts'").fetchone()
        connection.execute("DELETE FROM meta WHERE key IN ('seal', 'row_counts')")
    assert sealed is not None and set(json.loads(sealed[0])) == tables - {"meta"}
    with pytest.raises(ArtifactError, match="its table meta"):
        Cohort.open(copy)
    with duckdb.connect(str(copy)) as connection:
        seal_again(connection)
    assert Cohort.open(copy).verify() > 0


def test_a_file_of_another_database_is_refused_and_fetches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "notes.duckdb"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE meta (key, value)")
    with pytest.raises(ArtifactError, match="cannot be opened as a DuckDB database") as refused:
        Cohort.open(path)
    assert "extension" not in str(refused.value).lower()


def test_codes_are_stored_patient_by_patient(real_cohort: Path) -> None:
    with duckdb.connect(str(real_cohort), read_only=True) as connection:
        stored = connection.execute(
            "SELECT patient_id, visit_no, kind, position FROM visit_codes ORDER BY rowid"
        ).fetchall()
    assert stored == sorted(stored) and len(stored) > 3_000


def test_arrays_are_contiguous_and_typed(real_cohort: Path) -> None:
    columns = Cohort.open(real_cohort).columns("all", "all")
    for kind in KINDS:
        column = columns.codes[kind]
        assert column.ids.values.dtype == np.int32 and column.ids.values.flags.c_contiguous
        assert len(column.ids) == columns.visits and column.ids.lengths.sum() == len(column.ids.values)
        assert list(column.table) == sorted(column.table)
        assert column.ids.values.min() >= 0 and column.ids.values.max() < len(column.table)


def test_a_cohort_that_another_program_holds_says_so(synthetic_cohort: Path, tmp_path: Path) -> None:
    path = tmp_path / "cohort.duckdb"
    shutil.copyfile(synthetic_cohort, path)
    script = (
        f"import duckdb, time; c = duckdb.connect({str(path)!r}); print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None and holder.stdout.readline()
            with pytest.raises(
                ArtifactError, match=rf"held by another program \(\S+, process {holder.pid}\).*is whole"
            ):
                Cohort.open(path)
        finally:
            holder.kill()


def test_a_cohort_tells_that_its_file_was_replaced_and_the_new_one_opens_beside_it(
    synthetic_cohort: Path, synthetic_cohort_mimic4: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cohort.duckdb"
    shutil.copyfile(synthetic_cohort, path)
    cohort = Cohort.open(path)
    replaced = [cohort.replaced]
    shutil.copyfile(synthetic_cohort_mimic4, tmp_path / "new")
    (tmp_path / "new").replace(path)
    replaced.append(cohort.replaced)
    assert cohort.patients().total > 0
    again = Cohort.open(path)
    assert (cohort.fingerprint.source, again.fingerprint.source) == ("mimic3", "mimic4")
    assert not again.replaced and again.patients().rows != cohort.patients().rows
    path.unlink()
    replaced.append(cohort.replaced)
    assert replaced == [False, True, False]
