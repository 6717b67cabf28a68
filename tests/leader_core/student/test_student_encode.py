"""Encoding and packing: one form from cases and from columns, nothing leaks, nothing is silently lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leader_core.cohort.columns import CohortColumns
from leader_core.domain import KINDS, Case, Visit
from leader_core.errors import ArtifactError, InputError
from leader_core.student.config import StudentConfig
from leader_core.student.encode import RESERVED, EncodedCases, Encoder, TokenLayout
from leader_core.student.packing import pack, rectangles_of
from leader_core.vocabulary import Vocabularies, Vocabulary
from tests.hospital import Hospital

CODES = Vocabularies(
    diagnosis=Vocabulary.of(["2252", "ICD9:4019", "ICD9:4280"]),
    procedure=Vocabulary.of(["2252", "ICD9PCS:3961"]),
    medication=Vocabulary.of(["A02B", "B01A", "C03C"]),
    profile={"gender": Vocabulary.of(["F", "M"]), "insurance": Vocabulary.of(["Medicare"])},
)
CONFIG = StudentConfig(profile_fields=("gender", "insurance"), max_visits=3, max_codes=2)


def visit(*codes: str) -> Visit:
    """Codes recognised by their form."""
    return Visit(
        diagnoses=tuple(c for c in codes if c.startswith("ICD9:")),
        procedures=tuple(c for c in codes if c.startswith("ICD9PCS:")),
        medications=tuple(c for c in codes if len(c) == 4),
    )


def sets_of(encoded: EncodedCases, n: int) -> list[tuple[list[int], ...]]:
    """What case n reads: the three sets of each of its visits."""
    rows = range(encoded.first[n], encoded.current[n] + 1)
    return [tuple(encoded.sets(kind).row(row).tolist() for kind in KINDS) for row in rows]


def test_every_kind_has_its_own_ids() -> None:
    layout = TokenLayout.of(CODES)
    assert layout.size == 3 + 3 + 3 + 2
    assert [layout.offset(kind) for kind in ("medication", "diagnosis", "procedure")] == [3, 6, 9]
    encoded = Encoder(CONFIG, CODES).cases([Case(current=Visit(diagnoses=("2252",), procedures=("2252",)))])
    assert encoded.diagnosis.row(0).tolist() == [6]
    assert encoded.procedure.row(0).tolist() == [9]


def test_cases_encode_to_the_same_however_they_are_held() -> None:
    hospital = Hospital(60)
    vocabularies = Vocabularies(
        *(
            Vocabulary.of(hospital.vocabulary_codes(kind)[::2]) for kind in KINDS
        ),  # half of the codes are unseen
        profile={name: Vocabulary.of(hospital.profile_values(name)[:1]) for name in hospital.profile_fields},
    )
    encoder = Encoder(replace(CONFIG, max_codes=3), vocabularies)
    columns = hospital.columns("all", "all")
    rows = np.random.default_rng(0).permutation(len(columns))
    whole, alone = encoder.columns(columns), [encoder.cases(columns.take([row]).cases()) for row in rows]
    width = len(vocabularies.medication)
    for row, one in zip(rows, alone, strict=True):
        assert sets_of(one, 0) == sets_of(whole, row)
        np.testing.assert_array_equal(
            one.labels(np.array([0]), width)[0], whole.labels(rows, width)[rows == row][0]
        )
        for name in ("profile", "first_visit", "visits_cut", "codes_cut", "patient_ids", "visit_ids"):
            np.testing.assert_array_equal(getattr(one, name)[0], getattr(whole, name)[row], err_msg=name)
    assert whole.truncated.any()
    assert not whole.truncated.all()


def test_the_most_recent_visits_are_kept_and_the_current_one_always() -> None:
    history = tuple(visit("ICD9:4019", "A02B") for _ in range(4))
    case = Case(history=(*history, visit("ICD9:4019", "B01A")), current=visit("ICD9:4280"))
    encoder = Encoder(CONFIG, CODES)
    encoded = encoder.cases([case])
    assert [s[0] for s in sets_of(encoded, 0)] == [[7], [7], [8]]
    assert [s[2] for s in sets_of(encoded, 0)][1] == [4]  # the visit before the current one is there
    assert encoded.truncated.tolist() == [True]
    assert not encoder.cases([replace(case, profile={}, history=case.history[:2])]).truncated.any()


def test_more_codes_than_fit_are_cut_and_said() -> None:
    long = visit("ICD9:9999", "ICD9:4280", "ICD9:4019")
    encoder = Encoder(CONFIG, CODES)
    encoded = encoder.cases([Case(current=long), Case(current=visit("ICD9:4280"), history=(long,))])
    assert sets_of(encoded, 0)[0][0] == [8]  # the first two codes recorded, of which one is known
    assert encoded.truncated.tolist() == [True, True]
    medications = Case(current=Visit(diagnoses=("ICD9:4280",), medications=("A02B", "B01A", "C03C")))
    assert not encoder.cases([medications]).truncated.any()  # the current prescription is no input
    assert encoded.codes_cut.tolist() == [True, True]
    assert not encoded.visits_cut.any()
    encoded = encoder.cases([medications])
    assert encoded.medication.row(0).tolist() == [3, 4]
    assert encoded.labels(np.array([0]), 3).tolist() == [[True] * 3]  # but the truth is never cut


def test_unseen_codes_are_left_out_and_reported() -> None:
    case = Case(
        current=visit("ICD9:4280", "ICD9:0000", "ICD9PCS:0000"), history=(visit("ICD9:0000", "Z99Z"),)
    )
    encoder = Encoder(CONFIG, CODES)
    assert encoder.unseen(case) == [
        ("diagnosis", "ICD9:0000"),
        ("medication", "Z99Z"),
        ("procedure", "ICD9PCS:0000"),
    ]
    assert sets_of(encoder.cases([case]), 0) == [([], [], []), ([8], [], [])]


def test_an_unseen_profile_value_has_a_row_of_its_own() -> None:
    encoded = Encoder(CONFIG, CODES).cases([Case(profile={"gender": "X"}), Case(profile={"gender": "F"})])
    assert encoded.profile.tolist() == [[0, 0], [1, 0]]


def test_the_current_medications_are_packed_for_alignment_only() -> None:
    case = Case(history=(visit("A02B"),), current=visit("ICD9:4280", "B01A"))
    encoded = Encoder(CONFIG, CODES).cases([case])
    rows = np.array([0])
    diagnosis, earlier, now = 8, RESERVED, RESERVED + 1
    plain, labelled = pack(encoded, rows), pack(encoded, rows, with_labels=True)
    assert plain.tokens.tolist() == [diagnosis, earlier]
    assert labelled.tokens.tolist() == [diagnosis, earlier, now]
    assert plain.set_at_position.tolist() == [
        2,
        0,
        2,
        2,
        2,
        1,
    ]  # 2: the empty set
    assert labelled.set_at_position.tolist() == [3, 0, 3, 3, 3, 1]
    assert plain.profile_positions.tolist() == [4]
    assert plain.recency.tolist() == [2, 1, 2, 1, 0, 1]
    assert (plain.prescribed.tolist(), labelled.prescribed.tolist()) == ([], [2])


def test_a_visit_of_several_cases_is_packed_once() -> None:
    hospital = Hospital(40)
    columns = hospital.columns("all", "last")
    vocabularies = Vocabularies(
        *(Vocabulary.of(hospital.vocabulary_codes(k, "all")) for k in KINDS), profile={}
    )
    encoder = Encoder(StudentConfig(profile_fields=()), vocabularies)
    once = encoder.columns(columns)
    twice = np.array([3, 3, 3])
    packed = pack(once, twice)
    alone = pack(once, twice[:1])
    assert packed.tokens.tolist() == alone.tokens.tolist()


def test_rectangles_hold_every_row_and_little_padding() -> None:
    lengths = np.sort(np.random.default_rng(0).integers(1, 60, 200))
    rectangles = rectangles_of(lengths, 16)
    assert sum(r.rows for r in rectangles) == 200
    assert sum(r.size for r in rectangles) - lengths.sum() <= 16 * len(rectangles)
    at = 0
    for r in rectangles:
        part = lengths[at : at + r.rows]
        assert part.max() == r.length
        assert (r.mask is None) == (part.min() == r.length)
        at += r.rows
    assert len(rectangles_of(lengths, 0)) == len(np.unique(lengths))
    assert rectangles_of(np.zeros(0, np.int64), 16) == ()


def test_wrong_settings_are_all_named_at_once() -> None:
    with pytest.raises(InputError, match=r"heads = 0.*dropout = 1\.0.*colour.*twice"):
        StudentConfig(heads=0, dropout=1.0, profile_fields=("colour", "colour"))
    with pytest.raises(InputError, match="multiple"):
        StudentConfig(d_model=10, heads=4)


def test_the_configuration_survives_its_file_and_strangers_are_refused() -> None:
    config = replace(CONFIG, recency=True, pooling="recency")
    record = config.to_json()
    assert StudentConfig.from_json({**record, "profile_fields": list(record["profile_fields"])}) == config
    with pytest.raises(ArtifactError, match="colour"):
        StudentConfig.from_json({**record, "colour": 1})
    added = ("current_apart", "equivalence")
    earlier = {name: value for name, value in record.items() if name not in added}
    assert StudentConfig.from_json(earlier) == config  # a folder from before the fields means them off
    with pytest.raises(ArtifactError, match="recency"):
        StudentConfig.from_json({name: value for name, value in record.items() if name != "recency"})
    with pytest.raises(ArtifactError, match="dropout"):
        StudentConfig.from_json({**record, "dropout": 7})


BOTH = replace(CODES, diagnosis=Vocabulary.of(["ICD10:E1165", "ICD10:I10", "ICD10:I509"]))
EQUAL = replace(CONFIG, equivalence=True, max_codes=3, linear=True)


def test_both_icd_versions_are_read_as_the_same_codes() -> None:
    encoder = Encoder(EQUAL, BOTH)
    nine, ten = (
        Case(
            history=(Visit(diagnoses=old, medications=("B01A",)),),
            current=Visit(diagnoses=now, procedures=("2252",)),
        )
        for old, now in (
            (("ICD9:4280",), ("ICD9:4019", "ICD9:4011", "ICD9:4280")),
            (("ICD10:I509",), ("ICD10:I10", "ICD10:I509")),
        )
    )
    encoded = encoder.cases([nine, ten])
    assert sets_of(encoded, 0) == sets_of(encoded, 1) == [([8], [], [4]), ([7, 8], [9], [])]
    packed = pack(encoded, np.array([0, 1])).linear
    assert packed is not None
    assert packed.columns.row(0).tolist() == packed.columns.row(1).tolist(), (
        "and so are columns of the linear path"
    )
    assert not encoder.unseen(nine) and not encoder.unseen(ten)
    off = Encoder(replace(EQUAL, equivalence=False), BOTH)
    assert [len(off.cases([case]).diagnosis.values) for case in (nine, ten)] == [0, 3]


def test_what_is_read_belongs_to_the_codes_of_the_case_and_is_cut_by_what_is_read() -> None:
    codes = ("ICD9:4019", "ICD9:25072", "ICD9:4011", "ICD9:4280", "ICD9:NONE")
    case = Case(current=Visit(diagnoses=codes))
    encoder = Encoder(EQUAL, BOTH)
    assert encoder.read(case)["diagnosis"] == [(0, "ICD9:4019"), (0, "ICD9:25072")], (
        "one of two parts is known"
    )
    encoded = encoder.cases([case])
    assert encoded.diagnosis.row(0).tolist() == [7, 6]
    assert encoded.codes_cut.all(), "I10, two of diabetes, heart failure, and one that nobody knows"
    assert encoder.unseen(case) == [("diagnosis", "ICD9:NONE")]
    whole = Encoder(replace(EQUAL, max_codes=5), BOTH).cases([case])
    assert whole.diagnosis.row(0).tolist() == [7, 6, 8] and not whole.codes_cut.any()
    columns = CohortColumns.from_cases([case, Case(current=Visit(diagnoses=codes[::-1]))])
    assert encoder.columns(columns).diagnosis.row(1).tolist() == [8, 7]
