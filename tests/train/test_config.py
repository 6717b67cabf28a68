"""Settings files: presets, what extends them, and every problem named at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from leader_core import InputError
from train.config import load_settings


def _file(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_presets_differ_where_the_published_code_is_corrected() -> None:
    default, paper = load_settings("default"), load_settings("paper")
    assert (default.preset, paper.preset) == ("default", "paper")
    assert paper.teacher.prompt_version == "paper-1" != default.teacher.prompt_version
    assert paper.student_training.threshold_rule == "fixed" != default.student_training.threshold_rule
    assert set(default.student.profile_fields) - set(paper.student.profile_fields) == {"age_band", "gender"}


def test_a_file_says_only_what_differs_from_default(tmp_path: Path) -> None:
    default = load_settings("default")
    mine = load_settings(_file(tmp_path, "[teacher.training]\nlearning_rate = 1\n"))
    assert mine.preset == "mine"
    assert mine.teacher_training.learning_rate == 1
    assert mine.teacher_training.batch_size == default.teacher_training.batch_size
    assert (mine.teacher, mine.student, mine.student_training) == (
        default.teacher,
        default.student,
        default.student_training,
    )


def test_a_file_may_extend_the_paper_preset(tmp_path: Path) -> None:
    paper = load_settings("paper")
    mine = load_settings(_file(tmp_path, 'extends = "paper"\nseed = 7\n[student.training]\nalpha = 0.8\n'))
    assert mine.seed == 7
    assert mine.student_training.alpha == 0.8
    assert mine.teacher == paper.teacher


def test_a_given_seed_wins(tmp_path: Path) -> None:
    assert load_settings(_file(tmp_path, "seed = 7"), seed=9).seed == 9


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    text = """
    sede = 1
    [teacher]
    pooling = "sum"
    [teacher.training]
    epochs = "three"
    [student]
    heads = 5
    colour = "red"
    """
    with pytest.raises(InputError) as caught:
        load_settings(_file(tmp_path, text))
    for word in ("sede", "teacher.pooling", "teacher.training.epochs", "student.colour", "heads"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = ", "not valid TOML"),
        ('extends = "mine"', "'default' or 'paper'"),
        ("teacher = 3", "expected a table"),
    ],
)
def test_files_that_cannot_be_read_say_so(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_settings(_file(tmp_path, text))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputError, match=r"nowhere\.toml"):
        load_settings("nowhere.toml")
