"""Tags on cases: kinds are edited and never lost, answers are versions, and kappa agrees with a table worked by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from leader_core.error_analysis import annotator_agreement
from leader_core.errors import InputError, NotFoundError
from leader_core.workspace import Workspace
from leader_core.workspace.annotations import DEFAULTS, MOST_KINDS
from tests.fakes import FINGERPRINT


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "w.sqlite", FINGERPRINT)


def test_kappa_by_hand() -> None:
    """Cohen's table of 50 cases: both yes 20, first only 5, second only 10, both no 15: kappa 0.4."""
    first = {i: ("a",) if i < 25 else () for i in range(50)}
    second = {i: ("a",) if i < 20 or 25 <= i < 35 else () for i in range(50)}
    (result,) = annotator_agreement(first, {**second, 99: ("a",)}, ["a"])
    assert (result.cases, result.both, result.first_only, result.second_only, result.neither) == (
        50,
        20,
        5,
        10,
        15,
    )
    assert result.observed == pytest.approx(0.7) and result.kappa == pytest.approx(0.4)


def test_kappa_at_its_ends() -> None:
    yes, no = {1: ("a",), 2: ()}, {1: (), 2: ("a",)}
    assert annotator_agreement(yes, yes, ["a"])[0].kappa == 1
    assert annotator_agreement(yes, no, ["a"])[0].kappa == -1
    always = {1: ("a",), 2: ("a",)}
    assert annotator_agreement(always, always, ["a"])[0].kappa is None, "chance alone would agree always"
    assert annotator_agreement(yes, {3: ()}, ["a"])[0].cases == 0
    assert annotator_agreement(always, yes, ["a"])[0].kappa == pytest.approx(0)


def test_a_new_workspace_has_kinds_that_can_be_edited(workspace: Workspace) -> None:
    assert workspace.tags.kinds() == DEFAULTS
    renamed = workspace.tags.save_kind("Forgot  home drug", "x", kind_id="chronic", author="AB")
    assert renamed.name == "Forgot home drug" and renamed.version == 1
    added = workspace.tags.save_kind("Odd")
    assert [k.kind_id for k in workspace.tags.kinds()] == [*(k.kind_id for k in DEFAULTS), added.kind_id]
    workspace.tags.remove_kind("record")
    assert "record" not in {k.kind_id for k in workspace.tags.kinds()}
    assert next(k for k in workspace.tags.kinds(removed=True) if k.kind_id == "record").removed
    for taken in ("odd", "forgot home drug"):
        with pytest.raises(InputError, match="already"):
            workspace.tags.save_kind(taken)
    with pytest.raises(InputError, match="empty"):
        workspace.tags.save_kind("  ")
    with pytest.raises(NotFoundError):
        workspace.tags.save_kind("x", kind_id="nothing")
    for i in range(MOST_KINDS - len(workspace.tags.kinds())):
        workspace.tags.save_kind(f"kind {i}")
    with pytest.raises(InputError, match=f"at most {MOST_KINDS}"):
        workspace.tags.save_kind("one too many")


def test_answers_are_versions_and_the_newest_stands(workspace: Workspace) -> None:
    tags = workspace.tags
    tags.annotate(1, 11, ["chronic", "chronic"], author=" A  B ")
    tags.annotate(1, 11, ["record"], author="A B")
    tags.annotate(1, 11, [], author="CD")
    assert {(a.author, a.kinds, a.version) for a in tags.all(11)} == {("A B", ("record",), 2), ("CD", (), 1)}
    assert tags.tagged("record") == (11,) and tags.tagged("chronic") == ()
    tags.withdraw(1, 11, author="A B")
    assert [a.author for a in tags.all()] == ["CD"]
    with pytest.raises(InputError, match="name"):
        tags.annotate(1, 11, [], author=" ")
    with pytest.raises(NotFoundError, match="<b>"):
        tags.annotate(1, 11, ["<b>"], author="A")
