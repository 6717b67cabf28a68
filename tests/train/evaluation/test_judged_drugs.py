"""Judged pairs: the interval, what counts as right, and files that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leader_core.errors import InputError, NotFoundError
from leader_core.evaluation.class_evidence import wilson
from train.evaluation.mapping_quality import JudgedPair, precision, read_judged

HEAD = "drug,route,expected,verdict,remark\n"


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    # Published: 81 of 263 in Newcombe, Statistics in Medicine 1998;17:857, table I, method 3; 0 of 20 likewise.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_s_interval_is_the_published_one(hits: int, trials: int, low: float, high: float) -> None:
    assert wilson(hits, trials) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share_and_is_symmetric(pair: tuple[int, int]) -> None:
    hits, trials = pair
    low, high = wilson(hits, trials)
    assert 0 <= low <= hits / trials + 1e-12 and hits / trials - 1e-12 <= high <= 1
    assert wilson(trials - hits, trials) == pytest.approx((1 - high, 1 - low))


def test_right_means_judged_correct_and_still_given() -> None:
    judged = [
        JudgedPair("Warfarin", "PO", "B01AA03", "correct", ""),
        JudgedPair("Aspirin", "PO", "A01AD05", "correct", "what the mapper gave once"),
        JudgedPair("Methylene Blue 1%", "IR", "V03AB17", "doubtful", ""),
        JudgedPair("Zzyzx", "PO", "", "unmapped", ""),
        JudgedPair("Furosemide", "PO", "", "unmapped", "nobody judged the code it has now"),
        JudgedPair("Qwxyz", "PO", "C03CA01", "correct", "lost since"),
    ]
    result = precision(judged)
    assert (result.pairs, result.unmapped, result.correct, result.value) == (5, 1, 1, 0.2)
    assert [(pair.drug, given) for pair, given in result.not_correct] == [
        ("Aspirin", "B01AC06"),
        ("Methylene Blue 1%", "V03AB17"),
        ("Furosemide", "C03CA01"),
        ("Qwxyz", ""),
    ]


def test_a_coarser_level_forgives_what_it_cannot_tell_apart() -> None:
    judged = [JudgedPair("Warfarin", "PO", "B01AA07", "correct", "acenocoumarol")]
    assert precision(judged, 5).correct == 0
    assert precision(judged, 3).correct == 1
    with pytest.raises(InputError, match="expected 3, 4 or 5"):
        precision(judged, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("drug,route\nWarfarin,PO\n", "has no column expected, verdict, remark"),
        (HEAD + "Warfarin,PO,B01AA03,,\n", "line 2: 'Warfarin' has the verdict '': expected correct"),
        (HEAD + "Warfarin,PO,B01AA03,correct,\n" * 2, "line 3: 'Warfarin' by 'PO' was judged before"),
        (HEAD, "holds no row"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "judged.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_judged(path)


def test_no_file_and_nothing_to_be_precise_about(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        read_judged(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="No judged pair has a code"):
        precision([JudgedPair("Zzyzx", "PO", "", "unmapped", "")])
