"""Pages write to the audit log what is opened, exported and changed; what cannot be recorded does not happen."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.new_case.page import _START
from dashboard.server import access, audit, workspace
from dashboard.server.accounts import Account
from dashboard.server.service import get_service
from leader_core.audit import read
from leader_core.workspace import Parent, ReadOnlyError
from tests.dashboard.conftest import text
from tests.fakes import FakeCohort

TEST_PATIENT = next(p for p, person in FakeCohort()._people.items() if person["split"] == "test")
OpenPage = Callable[..., AppTest]
PAGES = Path(__file__).parents[3] / "dashboard"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "log" / "cohort.audit.jsonl"
    monkeypatch.setenv(audit.FILE, str(path))
    return path


def _actions(log: Path) -> list[tuple[str, str]]:
    return [(entry.action, entry.object) for entry in read(log)]


def test_a_case_is_recorded_once_when_it_is_opened(open_page: OpenPage, log: Path) -> None:
    page = open_page("case", patient=str(TEST_PATIENT))
    page.run()
    assert [action for action, _ in _actions(log)] == ["opened"]
    assert _actions(log)[0][1].startswith(f"patient {TEST_PATIENT}, visit ")


def test_a_page_that_was_left_open_is_another_ones_from_the_start(
    open_page: OpenPage, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser goes on with the session of the page, also when another account has signed in there meanwhile."""
    monkeypatch.setenv(access.USERS, "users.json")
    monkeypatch.setattr(access, "current_account", lambda: Account("ann", "annotator"))
    page = open_page("case", patient=str(TEST_PATIENT))
    page.session_state["typed"] = "ann's"
    page.run()
    assert "typed" in page.session_state
    monkeypatch.setattr(access, "current_account", lambda: Account("ben", "viewer"))
    page.run()
    assert not page.exception and "typed" not in page.session_state
    assert [(e.account, e.action) for e in read(log)] == [("ann", "opened"), ("ben", "opened")]
    assert "ben, " in text(page)


def test_a_note_is_recorded_and_none_is_stored_that_cannot_be(
    open_page: OpenPage, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_page("patients")
    notes = workspace.get_workspace(get_service())
    notes.add_note("not in the log", patient_id=TEST_PATIENT, author="AB")
    action, what = _actions(log)[-1]
    assert action == "wrote" and re.fullmatch(rf"note \w+, revision 1 of patient {TEST_PATIENT}", what)
    assert "not in the log" not in log.read_text(encoding="utf-8")
    monkeypatch.setenv(audit.FILE, str(log.parent))  # a folder: it cannot be written
    with pytest.raises(Exception, match=r"audit log .* cannot be written"):
        notes.add_note("lost", patient_id=TEST_PATIENT, author="AB")
    assert [note.text for note in notes.notes(TEST_PATIENT)] == ["not in the log"]


def test_a_role_that_was_taken_away_counts_for_forms_that_are_open(
    open_page: OpenPage, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_page("patients")
    drawn_with = workspace.get_workspace(get_service())
    for role in ("annotator", "viewer", None):
        monkeypatch.setenv(access.USERS, "users.json")
        account = role and Account("ann", role)  # type: ignore[arg-type]
        monkeypatch.setattr(access, "current_account", lambda account=account: account)
        if role == "annotator":
            drawn_with.add_note("first", patient_id=TEST_PATIENT)
        else:
            with pytest.raises(ReadOnlyError, match="You may read here"):
                drawn_with.add_note("second", patient_id=TEST_PATIENT)
    assert [note.text for note in drawn_with.notes()] == ["first"]
    assert [action for action, _ in _actions(log)] == ["wrote"]


def test_a_compared_and_a_copied_case_and_a_variant_are_recorded_too(open_page: OpenPage, log: Path) -> None:
    other = TEST_PATIENT - 1
    page = open_page("case", patient=str(TEST_PATIENT), beside=f"{other}-1")
    page.run()
    notes = workspace.get_workspace(get_service())
    notes.save_variant("less", FakeCohort().case(other), parent=Parent(patient_id=other))
    copying = open_page("new")
    next(button for button in copying.button if button.key == "variant-open").click().run()
    copying.text_input(key=_START).set_value(str(other)).run()
    next(button for button in copying.button if button.key == "copy").click().run()
    opened = [what.split(",")[0] for action, what in _actions(log) if action == "opened"]
    variant = f"variant {notes.variants()[0].variant_id} of patient {other}"
    assert opened == [f"patient {TEST_PATIENT}", f"patient {other}", variant, f"patient {other}"]


def test_an_export_is_recorded_when_its_file_is_made(log: Path) -> None:
    write = audit.exporting("patient 7, visit 1, as pdf", lambda: b"file")
    assert not log.exists()
    assert write() == b"file"
    assert _actions(log) == [("exported", "patient 7, visit 1, as pdf")]


def test_every_download_is_recorded() -> None:
    """A download button of Streamlit's own would not stand in the log."""
    texts = {
        path: path.read_text(encoding="utf-8") for path in PAGES.rglob("*.py") if path.name != "audit.py"
    }
    assert not [path for path, text in texts.items() if "st.download_button(" in text]
    assert sum(text.count("audit.download_button(") for text in texts.values()) >= 7
