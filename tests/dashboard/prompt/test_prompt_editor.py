"""The prompt's text, edited and scored: the difference, the refusals, and that the text goes nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from leader_core import TrainingError
from tests.dashboard.conftest import OpenPage, Serve, address, text
from tests.fakes import FakeEngine

RETURNING = "10006"


def _send(page: Any, words: str) -> Any:
    page.text_area[0].set_value(words)
    return next(b for b in page.button if b.label == "Score this text").click().run()


def test_an_edited_text_is_scored_next_to_the_original(open_page: OpenPage) -> None:
    page = open_page("prompt", patient=RETURNING, mode="edit")
    assert "ld-changes" not in text(page)
    _send(page, "This visit: Atrial fibrillation.\nWhich medications should be prescribed?")
    assert "11 tokens of at most 512" in text(page)
    assert "suggested only for your wording" in text(page)
    assert "ld-changes" in text(page)
    first = text(page)
    _send(page, "This visit: Pneumonia, organism unspecified.")
    assert text(page) != first
    assert address(page) == {"patient": RETURNING, "visit": "5", "mode": "edit"}
    assert "Pneumonia" not in str(page.query_params)
    next(b for b in page.button if b.label == "Back to the original").click().run()
    assert "ld-changes" not in text(page)
    assert page.text_area[0].value.startswith("[leader-1]")


def test_an_unchanged_text_scores_as_the_original_whatever_is_stored(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each text is scored the same way: a text sent as it was differs by nothing, and one added word by its own effect."""
    page = open_page("prompt", patient=RETURNING, mode="edit")
    original = page.text_area[0].value
    _send(page, original)
    assert "every score is the same" in text(page)
    assert "ld-changes" not in text(page)
    scored: list[str] = []
    score_prompt = FakeEngine.score_prompt
    monkeypatch.setattr(
        FakeEngine, "score_prompt", lambda engine, words: scored.append(words) or score_prompt(engine, words)
    )
    _send(page, f"{original} Pneumonia")
    assert scored == [original, f"{original} Pneumonia"]


@pytest.mark.parametrize(
    ("words", "sentence"), [("word " * 600, "reads at most 512"), ("  ", "The text is empty")]
)
def test_a_text_that_cannot_be_read_is_refused_in_a_sentence(
    open_page: OpenPage, words: str, sentence: str
) -> None:
    page = _send(open_page("prompt", patient=RETURNING, mode="edit"), words)
    assert sentence in text(page)
    assert "ld-changes" not in text(page)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "ran out of memory on this text"),
        (RuntimeError("secret"), "failed on this text"),
        (TrainingError("A plain sentence."), "A plain sentence."),
    ],
)
def test_a_failing_teacher_is_a_sentence(
    serve: Serve, open_page: OpenPage, fault: Exception, sentence: str
) -> None:
    serve(FakeEngine(failing={"teacher": fault}))
    page = _send(open_page("prompt", patient=RETURNING, mode="edit"), "Atrial fibrillation")
    assert sentence in text(page)
    assert "secret" not in text(page)
    assert "2 GiB" not in text(page)
