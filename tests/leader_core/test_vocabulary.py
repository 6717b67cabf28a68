"""Ids are stable, unseen codes are distinguished, and a vocabulary survives its JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leader_core.vocabulary import UNSEEN, Vocabularies, Vocabulary


@given(st.lists(st.text(max_size=8)))
def test_ids_do_not_depend_on_the_order_of_codes(codes: list[str]) -> None:
    assert Vocabulary.of(codes) == Vocabulary.of(reversed(codes))
    vocabulary = Vocabulary.of(codes)
    assert [vocabulary.find(code) for code in vocabulary] == list(range(len(vocabulary)))


def test_unseen_codes_are_reported_not_mapped() -> None:
    vocabulary = Vocabulary.of(["b", "a"])
    assert vocabulary.find("c") == UNSEEN
    assert vocabulary.ids(["b", "c", "a"]) == [1, 0]
    assert vocabulary.unseen(["b", "c", "a"]) == ["c"]


@pytest.mark.parametrize("codes", [("b", "a"), ("a", "a")])
def test_unsorted_or_repeated_codes_are_refused(codes: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="sorted and distinct"):
        Vocabulary(codes)


def test_round_trip_through_json() -> None:
    one = Vocabularies(*(Vocabulary.of([c]) for c in "dpm"), profile={"gender": Vocabulary.of("FM")})
    assert Vocabularies.from_json(json.loads(json.dumps(one.to_json()))) == one
