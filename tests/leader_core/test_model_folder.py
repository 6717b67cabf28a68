"""Model folders are written whole, sealed, and refused by name when anything in them changed."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from leader_core import ArtifactError, Fingerprint, NotFoundError
from leader_core.files import SEAL, replacing_file, replacing_folder, write_sealed
from leader_core.model_folder import (
    MANIFEST,
    REQUIRED,
    BaseModel,
    Manifest,
    read_manifest,
    writing_model,
)

COHORT = Fingerprint("Test", "mimic3", True, "clinical", 3, 10, 20, 5, 7, 3, 4, 0.05, "abc")


def _manifest() -> Manifest:
    return Manifest(
        kind="student",
        preset="default",
        threshold=0.4,
        threshold_rule="test",
        cohort=COHORT,
        settings={"epochs": 1},
        validation={"prauc": 0.5},
        base_model=BaseModel("minilm", "0" * 64),
        history=({"epoch": 1.0},),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "model"
    with writing_model(target, _manifest()) as temporary:
        for name in REQUIRED:
            (temporary / name).write_bytes(name.encode())
    return target


def test_round_trip(folder: Path) -> None:
    manifest = read_manifest(folder, kind="student")
    assert manifest.cohort == COHORT
    assert manifest.threshold == 0.4
    assert manifest.base_model == BaseModel("minilm", "0" * 64)
    assert manifest.history == ({"epoch": 1.0},)
    assert set(manifest.files) == set(REQUIRED)
    assert manifest.packages["torch"]


@pytest.mark.parametrize("name", REQUIRED)
def test_one_flipped_byte_is_refused_by_name(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[0] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(ArtifactError, match=name):
        read_manifest(folder)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_file_is_refused_by_name(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=name):
        read_manifest(folder)


def test_the_wrong_kind_is_refused(folder: Path) -> None:
    with pytest.raises(ArtifactError, match="holds a student, but a teacher was expected"):
        read_manifest(folder, kind="teacher")


def test_no_folder_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="python -m train"):
        read_manifest(tmp_path / "nothing")


def test_a_manifest_cannot_reach_outside_its_folder(folder: Path) -> None:
    record = json.loads((folder / MANIFEST).read_text())
    record["files"]["../secret"] = "0" * 64
    write_sealed(folder / MANIFEST, record)
    with pytest.raises(ArtifactError, match="plain file name"):
        read_manifest(folder)


JUNK = (None, "x", 5, -1.5, True, [], [1], {}, {"a": 1}, float("nan"), 1e308)


@pytest.mark.parametrize("name", sorted(f.name for f in fields(Manifest)))
def test_a_changed_manifest_is_refused_whatever_was_changed(folder: Path, name: str) -> None:
    record = json.loads((folder / MANIFEST).read_text())
    for value in JUNK:
        if record[name] == value:
            continue
        (folder / MANIFEST).write_text(json.dumps({**record, name: value}))
        with pytest.raises(ArtifactError, match=r"manifest\.json"):
            read_manifest(folder)
    del record[SEAL]
    (folder / MANIFEST).write_text(json.dumps(record))
    with pytest.raises(ArtifactError, match="seal"):
        read_manifest(folder)


@pytest.mark.parametrize("threshold", [-0.1, 1.01, float("nan"), float("inf"), "0.5", True, None])
def test_a_cut_off_that_is_none_is_refused(folder: Path, threshold: object) -> None:
    record = json.loads((folder / MANIFEST).read_text())
    write_sealed(folder / MANIFEST, {**record, "threshold": threshold})
    with pytest.raises(ArtifactError, match=r"threshold .*expected a number from 0 to 1"):
        read_manifest(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "student"}', "not json", "[" * 200_000])
def test_an_unreadable_manifest_is_one_sentence(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text)
    with pytest.raises(ArtifactError, match="not a manifest"):
        read_manifest(folder)


def test_an_incomplete_folder_is_never_put_in_place(folder: Path) -> None:
    before = read_manifest(folder)
    with pytest.raises(ArtifactError, match="missing"), writing_model(folder, _manifest()) as temporary:
        (temporary / "config.json").write_text("{}")
    assert read_manifest(folder) == before
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_a_failed_write_leaves_the_earlier_file(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("earlier")
    with pytest.raises(RuntimeError), replacing_file(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "earlier"
    with pytest.raises(RuntimeError), replacing_folder(tmp_path / "folder"):
        raise RuntimeError
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file.txt"]
