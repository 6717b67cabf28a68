"""The session's values of a page are set whole, wherever a click ends the run that sets them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from dashboard.shared import url_state
from dashboard.shared.url_state import Binding

NUMBERS = {"rows": Binding.number(25, (25, 50)), "page": Binding.number(1)}
WORDS = {name: Binding.choice("age", {"age": 1, "gender": 2}) for name in ("rows", "columns")}


class Interrupted(dict[str, Any]):
    """A session whose run is ended before it writes its `left`-th value."""

    left = -1

    def __setitem__(self, key: str, value: Any) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        super().__setitem__(key, value)


@pytest.mark.parametrize("left", range(1, 6))
def test_a_click_while_a_page_is_entered_leaves_no_value_of_another_page(
    left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = Interrupted()
    monkeypatch.setattr(url_state.st, "session_state", state)
    url_state.enter("patients", NUMBERS, {"rows": "50"})
    assert state["rows"] == 50
    state.left = left
    with suppress(KeyboardInterrupt):
        url_state.enter("errors", WORDS, {})
    state.left = -1
    url_state.enter("patients", NUMBERS, {})
    assert state["rows"] in (25, 50)
    url_state.enter("errors", WORDS, {"columns": "gender"})
    assert (state["rows"], state["columns"]) == ("age", "gender")
