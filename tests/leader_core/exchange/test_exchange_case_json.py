"""Case files: what is written is read back, every problem is reported at once, and hostile JSON gets one sentence."""

from __future__ import annotations

import json
import time
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leader_core import PROFILE_FIELDS, Case, InputError, Visit
from leader_core.exchange.case_json import SCHEMA, case_to_record, read_case_file, read_file
from leader_core.exchange.strict_json import read_json, read_json_values
from tests.fakes import FakeCohort

CASE = Case(
    {"gender": "F", "insurance": "Medicare"},
    (
        Visit(
            ("ICD9:4280", "ICD10:I509"),
            ("ICD9PCS:3961",),
            ("C03C",),
            5,
            1,
            datetime.fromisoformat("2119-01-02T03:04:05"),
        ),
    ),
    Visit(("ICD9:4019",), (), ("B01A",), visit_id=6, visit_no=2),
    patient_id=77,
)

_DIGITS = st.text("0123456789", min_size=3, max_size=3)
_DIAGNOSES = st.one_of(_DIGITS.map(lambda d: f"ICD9:{d}"), _DIGITS.map(lambda d: f"ICD10:A{d[:2]}{d[2]}"))
_PROCEDURES = _DIGITS.map(lambda d: f"ICD9PCS:{d}")
_MEDICATIONS = st.from_regex(r"[A-Z][0-9]{2}[A-Z](?:[A-Z](?:[0-9]{2})?)?", fullmatch=True)
_NUMBERS = st.one_of(st.none(), st.integers(0, 2**63 - 1))
_MOMENTS = st.one_of(st.none(), st.datetimes())
_VISITS = st.builds(
    Visit,
    *(st.lists(codes, max_size=4).map(tuple) for codes in (_DIAGNOSES, _PROCEDURES, _MEDICATIONS)),
    _NUMBERS, _NUMBERS, _MOMENTS, _MOMENTS,
)  # fmt: skip
_VALUES = st.text(max_size=30).filter(str.isprintable)
_CASES = st.builds(
    Case,
    st.dictionaries(st.sampled_from(PROFILE_FIELDS), _VALUES),
    st.lists(_VISITS, max_size=3).map(tuple),
    _VISITS,
    _NUMBERS,
)


@settings(max_examples=80)
@given(case=_CASES)
def test_every_case_is_read_back_as_it_was(case: Case) -> None:
    assert read_case_file(json.dumps(case_to_record(case, identified=True)).encode()) == case


def test_ids_are_exported_on_request_only() -> None:
    record = case_to_record(CASE)
    assert record["schema"] == SCHEMA == "leader-case/1"
    assert "patient_id" not in record and "visit_id" not in record["history"][0]
    assert record["current"] == {"diagnoses": ["ICD9:4019"], "medications": ["B01A"]}
    assert read_case_file(json.dumps(case_to_record(CASE)).encode()).patient_id is None


@pytest.mark.parametrize(
    ("history", "current", "late"),
    [
        ("2019-05-01", "2020-06-02", ""),
        ("2019-05-01", "2091-06-02", "visit 2 on 2091-06-02"),
        ("2151-05-01", "2152-06-02", ""),  # shifted, as MIMIC's are
        ("2019-05-01", "2152-06-02", "visit 2 on 2152-06-02"),  # not both are
        ("2151-05-01", "2502-06-02", "visits 1 on 2151-05-01, 2 on 2502-06-02"),
        ("2091-05-01", "2152-06-02", "visits 1 on 2091-05-01, 2 on 2152-06-02"),
    ],
)
def test_visits_after_today_are_read_with_a_warning_unless_all_dates_are_shifted(
    history: str, current: str, late: str
) -> None:
    first, last = (datetime.fromisoformat(f"{day}T10:00:00") for day in (history, current))
    case = Case({}, (Visit(("ICD9:4280",), admitted_at=first),), Visit(("ICD9:486",), admitted_at=last))
    result = read_file(json.dumps(case_to_record(case)).encode(), FakeCohort())  # type: ignore[arg-type]
    assert [visit.admitted_at for visit in (*result.case.history, result.case.current)] == [first, last]
    expected = f"Check the dates: {late} would begin after today." if late else ""
    assert "".join(result.notes).startswith(expected) and bool(result.notes) == bool(late)


def test_every_problem_is_reported_at_once() -> None:
    record = {
        "schema": SCHEMA,
        "colour": "red",
        "profile": {"gender": 3, "shoe_size": "9"},
        "history": [{"diagnoses": ["428.0", "ICD9:428.0", 7], "admitted_at": "soon", "visit_no": -1}],
        "current": {"medications": ["warfarin"], "procedures": "none"},
    }
    with pytest.raises(InputError) as raised:
        read_case_file(json.dumps(record).encode())
    message = str(raised.value)
    for part in (
        "colour is not known", "profile.gender 3", "profile.shoe_size is not known",
        "history[0].diagnoses[0] '428.0': expected a code that begins with ICD9: or ICD10:",
        "history[0].diagnoses[1] 'ICD9:428.0': expected 'ICD9:4280'", "diagnoses[2]: expected a code as text",
        "history[0].admitted_at 'soon'", "history[0].visit_no -1", "current.medications[0] 'warfarin'",
        "current.procedures: expected a list of codes, found text",
    ):  # fmt: skip
        assert part in message


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "expected an object, found a list"),
        ({}, "expected 'leader-case/1'"),
        ({"schema": "leader-case/2"}, "'leader-case/2': expected"),
        ({"schema": SCHEMA}, "current: missing"),
        ({"schema": SCHEMA, "current": {}, "history": [{}] * 200}, "200 visits"),
        ({"schema": SCHEMA, "current": {"diagnoses": ["ICD9:4280"] * 1001}}, "1,001 codes"),
        ({"schema": SCHEMA, "current": {"diagnoses": ["x"] * 50}}, "and 30 more"),
    ],
)
def test_other_shapes_are_refused_in_words(record: object, message: str) -> None:
    with pytest.raises(InputError, match="cannot be read") as raised:
        read_case_file(json.dumps(record).encode())
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b" " * 1001, "at most"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"{", "not JSON"),
        (b"", "not JSON"),
        (b"[" * 500 + b"]" * 500, "levels deep"),
        (b'{"a": 1, "a": 2}', "'a' twice"),
        (b"[NaN]", "NaN"),
        (b"[" + b"9" * 500 + b"]", "a number of 500 characters"),
        (b"[1e999]", "beyond any measurement"),
        (b'"\\', "not JSON"),
    ],
)
def test_hostile_json_gets_one_sentence(data: bytes, message: str) -> None:
    with pytest.raises(InputError) as raised:
        read_json(data, "The file", 1000)
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_values_one_after_the_other_are_read_where_several_may_be() -> None:
    data = b'\xef\xbb\xbf{"a": 1}{"a": [2]}\n\n 3 "x"'
    assert read_json_values(data, "The file", 1000) == [{"a": 1}, {"a": [2]}, 3, "x"]
    with pytest.raises(InputError, match="4 values stand one after the other"):
        read_json(data, "The file", 1000)
    for broken in (b'{"a": 1}{"a": ', b'{"a": 1},{"a": 2}', b'{"a": 1}{"a": 1, "a": 2}'):
        with pytest.raises(InputError, match=r"is not JSON|'a' twice"):
            read_json_values(broken, "The file", 1000)


def test_brackets_inside_strings_are_no_depth() -> None:
    assert read_json(b'["' + b"[" * 500 + b'"]', "The file", 1000) == ["[" * 500]
    assert read_json('\ufeff{"ä": "\\"["}'.encode(), "The file", 1000) == {"ä": '"['}


def test_a_file_made_to_be_slow_is_not() -> None:
    start = time.process_time()
    names = (
        b"{" + b"".join(b'"%d":0,' % number for number in range(100_000)) + b'"99999":0}'
    )  # the last twice
    for data in (b'\\"' * 1_000_000, b'"' + b"\\" * 2_000_001, b'"a' * 700_000, names):
        with pytest.raises(InputError):
            read_json(data, "The file", 3_000_000)
    assert time.process_time() - start < 10


@given(data=st.binary(max_size=80))
def test_junk_never_raises_anything_else(data: bytes) -> None:
    try:
        read_case_file(data)
    except InputError as error:
        assert str(error)
