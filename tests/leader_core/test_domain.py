"""Cases keep what they are given, refuse what they cannot mean, and never show models the current medications."""

from __future__ import annotations

import dataclasses

import pytest

from leader_core import AGE_BANDS, PROFILE_FIELDS, UNKNOWN, Case, CaseError, Visit, age_band


def test_profile_is_completed_with_unknown() -> None:
    case = Case(profile={"gender": "F", "insurance": "  "})
    assert tuple(case.profile) == PROFILE_FIELDS
    assert case.profile["gender"] == "F"
    assert case.profile["insurance"] == UNKNOWN


def test_unknown_profile_field_is_named_with_the_remedy() -> None:
    with pytest.raises(CaseError, match=r"'sex'.*expected any of .*gender"):
        Case(profile={"sex": "F"})


def test_observed_hides_only_the_current_medications() -> None:
    earlier = Visit(("ICD9:4280",), (), ("C03C",))
    case = Case(
        {"gender": "F"}, (earlier,), Visit(("ICD9:4019",), ("ICD9PCS:3961",), ("C09A",)), patient_id=7
    )
    seen = case.observed()
    assert seen.current.medications == ()
    assert seen.history == (earlier,)
    assert seen.current.diagnoses == ("ICD9:4019",)
    assert seen.patient_id == 7
    assert seen.profile == case.profile
    assert case.prescribed == ("C09A",)
    assert ("medication", "C09A") not in set(case.codes())
    assert ("medication", "C03C") in set(case.codes())


def test_cases_are_frozen() -> None:
    case = Case(profile={"gender": "F"})
    with pytest.raises(dataclasses.FrozenInstanceError):
        case.patient_id = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        case.profile["gender"] = "M"  # type: ignore[index]


@pytest.mark.parametrize(
    ("age", "band"),
    [
        (0, "0-17"),
        (17, "0-17"),
        (18, "18-29"),
        (64, "55-64"),
        (65, "65-74"),
        (91, "85+"),
        (None, UNKNOWN),
        (-1, UNKNOWN),
    ],
)
def test_age_band(age: int | None, band: str) -> None:
    assert age_band(age) == band


def test_age_bands_are_in_order() -> None:
    uppers = [upper for upper, _ in AGE_BANDS]
    assert uppers == sorted(uppers)
