"""Precision, recall and what became of scores like this one follow from the counts that a model's folder keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leader_core.errors import ArtifactError
from leader_core.evaluation.class_evidence import (
    EVIDENCE,
    Evidence,
    Proportion,
    read_evidence,
    write_evidence,
)

SCORES = np.array([[0.91, 0.0], [0.62, 1.0], [0.615, 0.3], [0.335, 0.3], [0.0, 0.3]], np.float32)
TRUTH = np.array([[1, 0], [1, 1], [0, 0], [1, 0], [0, 0]], dtype=bool)
MADE = Evidence.of(("A", "B"), SCORES, TRUTH, calibrated=True)


def test_metrics_of_a_class_by_hand() -> None:
    a = MADE.classes["A"]
    assert (a.cases, a.given) == (5, 3)
    assert a.expected == pytest.approx(0.91 + 0.62 + 0.615 + 0.335, abs=1e-4)
    assert a.at(0.62) == (Proportion(2, 2), Proportion(2, 3))
    assert a.at(0.615) == (Proportion(2, 3), Proportion(2, 3))
    assert a.at(0.335) == (Proportion(3, 4), Proportion(3, 3))
    assert a.at(0.34) == (Proportion(2, 3), Proportion(2, 3))
    assert a.at(0.95) == (Proportion(0, 0), Proportion(0, 3))
    assert a.like(0.65) == (0.6, 0.7, Proportion(1, 2))
    assert a.like(1.0) == (0.9, 1.0, Proportion(1, 1))
    assert MADE.classes["B"].like(1.0)[2] == Proportion(1, 1)
    assert MADE.classes["B"].like(0.3)[2] == Proportion(0, 3)


def test_every_cut_off_of_the_grid_counts_what_is_at_or_above_it() -> None:
    source = np.random.default_rng(3)
    scores = np.concatenate([source.random(300), np.arange(201) / 200]).astype(np.float32)[:, None]
    truth = source.random(scores.shape) < scores
    evidence = Evidence.of(("A",), scores, truth, calibrated=False).classes["A"]
    for cut in np.arange(201) / 200:
        chosen = scores[:, 0] >= np.float32(cut)
        precision, recall = evidence.at(float(cut))
        assert (precision.part, precision.whole) == ((chosen & truth[:, 0]).sum(), chosen.sum())
        assert recall.whole == truth.sum()


def test_an_interval_holds_the_share_and_narrows_with_cases() -> None:
    few, many = Proportion(3, 4).interval, Proportion(300, 400).interval
    assert few == pytest.approx((0.3006, 0.9544), abs=1e-3)  # Wilson, by hand
    assert few[0] < many[0] < 0.75 < many[1] < few[1]
    assert Proportion(0, 0).interval == (0.0, 1.0) and Proportion(0, 0).value is None


def test_it_is_written_and_read_back_and_older_folders_have_none(tmp_path: Path) -> None:
    assert read_evidence(tmp_path) is None
    write_evidence(tmp_path, MADE)
    assert read_evidence(tmp_path) == MADE


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 9, "grid": 200}', '{"format": 1, "grid": 200, "classes": []}']
)
def test_a_damaged_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / EVIDENCE).write_text(text)
    with pytest.raises(ArtifactError, match=EVIDENCE):
        read_evidence(tmp_path)
