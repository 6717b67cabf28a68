"""Nothing that is typed, linked or uploaded becomes markup: no picture is fetched, no link made, no text coloured."""

from __future__ import annotations

import json
import logging
import re
import threading
from typing import Any

import pytest
from markdown_it import MarkdownIt

from dashboard.new_case import import_file
from dashboard.shared.error_messages import LONGEST
from dashboard.shared.formatting import plain
from leader_core.logs import Lines, hidden_messages, set_up_logs
from leader_core.workspace import Workspace
from tests.dashboard.conftest import OpenPage, Serve, text

RETURNING = "10006"

PICTURE = "![x](http://host.example/a.png)"
MARKUP = (
    PICTURE,
    "[a](http://host.example)",
    "<http://host.example>",
    "<img src=http://host.example/a.png>",
    "http://host.example/a and www.host.example",
    "**b** _i_ ~s~ `c` ``![x](http://host.example/a.png)``",
    "`a ![x](http://host.example/a.png)",
    "\\![x](http://host.example/a.png) \\\\![x](http://host.example/b.png)",
    "# heading",
    "1. list",
    "- list",
    "> quote",
    "| a | b |\n|---|---|",
    "&#33;[x](http://host.example/a.png)",
    ":red[a] :material/home: :smile: $x^2$",
    "```\ncode\n```",
)


@pytest.mark.parametrize("written", MARKUP)
def test_text_stays_text(written: str) -> None:
    html = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(plain(written))
    assert set(re.findall(r"<\s*([a-z0-9]+)", html)) <= {"p", "code"}, html
    assert not re.search(r"(?<!\\)(?::\w|https?:/|\$)", re.sub(r"`[^`]*`", "", plain(written)))


def _shown(test: Any) -> list[str]:
    """Everything on a page that Streamlit reads as Markdown."""
    kinds = ("error", "warning", "info", "success", "markdown", "caption")
    values = [element.value for kind in kinds for element in getattr(test, kind)]
    for kind in ("button", "checkbox", "selectbox", "multiselect", "radio", "text_input", "slider"):
        values += [part for e in getattr(test, kind) for part in (e.label, getattr(e, "help", "") or "")]
    return values


LIVE = re.compile(r"(?<!\\)!\\?\[")


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("case", {"patient": PICTURE}),
        ("case", {"patient": "1", "visit": PICTURE}),
        ("case", {"patient": "1", "class": PICTURE, "view": PICTURE}),
        ("prompt", {"patient": PICTURE}),
        ("prompt", {"patient": "1", "visit": PICTURE}),
        ("patients", {"q": PICTURE, "cases": PICTURE, "chapters": PICTURE}),
        ("errors", {"where": PICTURE}),
        ("models", {"student": PICTURE, "model": PICTURE}),
        ("interactions", {"patient": PICTURE}),
    ],
)
def test_a_link_is_never_markup(open_page: OpenPage, page: str, query: dict[str, str]) -> None:
    test = open_page(page, **query)
    assert not test.exception
    assert [value for value in _shown(test) if LIVE.search(value)] == []


def test_names_of_others_are_never_markup(open_page: OpenPage) -> None:
    from dashboard.server import workspace
    from dashboard.server.service import default_service

    test = open_page("patients")
    stored: Workspace = workspace.get_workspace(default_service())
    from leader_core.cohort import PatientQuery

    stored.save_cohort(PICTURE, PatientQuery(text=PICTURE))
    stored.tags.save_kind(PICTURE, PICTURE)
    test = open_page("patients")
    assert any("host.example" in value for value in _shown(test)), "it is shown"
    assert [value for value in _shown(test) if LIVE.search(value)] == []


def test_an_uploaded_file_ends_in_a_short_sentence_and_is_not_logged(
    serve: Serve, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "Jane Doe, 1 Main Street"
    outcomes: list[import_file.ImportOutcome] = []
    monkeypatch.setattr(import_file, "set_outcome", outcomes.append)
    service: Any = type("S", (), {"engine": serve()})
    for schema in (PICTURE + secret * 100, None, [secret], {"a": secret}):
        content = json.dumps({"schema": schema, "resourceType": secret}).encode()
        import_file._read(service, import_file._Upload([content], "f", None))
    assert len(outcomes) == 4 and all(outcome.problem for outcome in outcomes)
    assert secret not in caplog.text
    assert all(len(plain(outcome.problem, LONGEST)) < 2 * LONGEST for outcome in outcomes)


def test_a_log_is_one_line_that_no_terminal_obeys() -> None:
    record = logging.makeLogRecord({"name": "leader", "msg": "a\r\x1b[2Jb\u2028c\nd"})
    line = Lines(as_json=False).format(record)
    assert line.isprintable() and line.endswith("a  [2Jb c d")


def test_other_libraries_and_threads_log_where_it_broke_and_not_what_was_read(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def broken() -> None:
        raise RuntimeError("Jane Doe")

    set_up_logs()
    handler = logging.StreamHandler()
    logging.getLogger("streamlit.any").addHandler(handler)
    with hidden_messages():
        try:
            broken()
        except RuntimeError:
            logging.getLogger("streamlit.any").exception("a download failed")
        thread = threading.Thread(target=broken)
        thread.start()
        thread.join()
    logging.getLogger("streamlit.any").removeHandler(handler)
    written = capfd.readouterr().err
    assert "a download failed: RuntimeError at" in written and "a thread ended RuntimeError at" in written
    assert "Jane Doe" not in written


def test_a_callback_that_breaks_leaves_the_page_and_no_text_in_the_log(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.new_case import page as new_case

    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(Lines(as_json=True).format(record))  # type: ignore[method-assign]
    logging.getLogger("leader.dashboard").addHandler(handler)

    def broken(*_: object) -> None:
        raise RuntimeError("Jane Doe")

    monkeypatch.setattr(new_case, "copy_case", broken)
    test = open_page("new")
    test.text_input(key=new_case._START).set_value(RETURNING).run()
    next(button for button in test.button if button.key == "copy").click().run()
    logging.getLogger("leader.dashboard").removeHandler(handler)
    assert not test.exception and "Start from a patient" in text(test) + str(
        [t.label for t in test.text_input]
    )
    assert lines and "RuntimeError at" in lines[0] and "Jane Doe" not in "".join(lines)
