"""What patients' records say stays in the databases: a planted word is in no log, temporary file, audit log or address."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.error_analysis.page import VIEWS as ANALYSES
from dashboard.interactions.page import VIEWS as INTERACTIONS
from dashboard.new_case.page import _START
from dashboard.prompt.page import MODES
from dashboard.server import analysis_cache, audit, workspace
from dashboard.server.service import default_service
from leader_core.exchange.case_json import case_to_record
from leader_core.logs import hidden_messages, set_up_logs
from tests.dashboard.conftest import OpenPage, Serve
from tests.fakes import FakeEngine
from tests.planted import Planted

MARK = "qqxmark"
PLANT = (
    "UPDATE concepts SET title = title || ' qqxmark-title ![x](http://host.example/a.png)'",
    "UPDATE orders SET drug = drug || ' qqxmark-drug <img src=http://host.example/b.png>'",
    "UPDATE visits SET religion = 'QQXMARK-FAITH'",
)


@pytest.fixture
def planted(synthetic_cohort: Path, tmp_path: Path) -> Planted:
    copy = tmp_path / "hospital.duckdb"
    shutil.copy(synthetic_cohort, copy)
    with duckdb.connect(str(copy)) as connection:
        for statement in PLANT:
            connection.execute(statement)
    (tmp_path / "data").mkdir()
    return Planted(copy, tmp_path / "data")


@pytest.fixture
def served_logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Logs as the server has them."""
    monkeypatch.setenv("LEADER_LOG", "debug")
    set_up_logs()
    with hidden_messages():
        yield


def _urls(test: AppTest) -> list[str]:
    """Every address on a page: of links, of pages, and what the address bar should say."""
    pieces = [element.value for element in test.html]
    for kind in ("bidi_component", "page_link", "link_button", "download_button"):
        pieces += [str(element.proto) for element in test.get(kind)]
    found = re.findall(
        r"""\\*(?:href|src|query|page|url)\\*["']?\s*[=:]\s*\\*["']([^"'\\]*)""", "\n".join(pieces)
    )
    return [*found, *(f"{key}={value}" for key, value in test.query_params.items())]


@pytest.mark.usefixtures("served_logs")
def test_a_planted_word_is_nowhere_outside_the_databases(
    serve: Serve, open_page: OpenPage, planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    outside = tmp_path / "outside"
    for name in ("tmp", "home", "here"):
        (outside / name).mkdir(parents=True)
    for name, value in {"TMPDIR": "tmp", "HOME": "home", "XDG_CACHE_HOME": "home"}.items():
        monkeypatch.setenv(name, str(outside / value))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv(audit.FILE, str(outside / "audit.jsonl"))
    monkeypatch.chdir(outside / "here")
    exports: dict[str, Callable[[], Any]] = {}
    exporting = audit.exporting

    def remember(target: str, write: Callable[[], Any]) -> Callable[[], Any]:
        exports[target] = exporting(target, write)
        return exports[target]

    monkeypatch.setattr(audit, "exporting", remember)
    analysis_cache._open.clear()
    engine = serve(FakeEngine(cohort=planted.cohort))  # type: ignore[arg-type]
    patient = str(planted.columns.patient_ids[0])
    urls: list[str] = []
    shown: list[str] = []

    def see(test: AppTest) -> AppTest:
        assert not test.exception
        urls.extend(_urls(test))
        shown.extend(element.value for element in test.html)
        return test

    see(open_page("patients", search="", sort="-visits")).text_input(key="search").set_value(
        f"{MARK}-title"
    ).run()
    notes = workspace.get_workspace(default_service())
    note = notes.add_note(f"{MARK}-note", patient_id=int(patient), author="Ann")
    notes.edit_note(note.note_id, f"{MARK}-note again", based_on=1)
    notes.save_cohort(f"{MARK}-list", [int(patient)])
    notes.tags.save_kind(f"{MARK}-kind", f"{MARK}-meaning")
    see(open_page("patients", marked="starred"))
    for view in (True, False):
        see(open_page("case", research=view, patient=patient))
    for part in INTERACTIONS:
        see(open_page("interactions", patient=patient, part=part))
    for mode in MODES:
        see(open_page("prompt", patient=patient, mode=mode))
    for part in ANALYSES:
        see(open_page("errors", of="all", part=part))
    see(open_page("models"))

    page = see(open_page("new"))
    page.text_input(key=_START).set_value(patient).run()
    see(next(b for b in page.button if b.key == "copy").click().run())
    record = case_to_record(planted.cohort.case(int(patient)), identified=True)
    condition = {"resourceType": "Condition", "id": "c", "code": {"text": f"{MARK}-words"}}
    bad = {
        "schema": "leader-case/1",
        "profile": {f"{MARK}-field": f"{MARK}"},
        "current": {"diagnoses": [MARK]},
    }
    files = {
        f"{MARK}.json": json.dumps(record).encode(),
        "bad.json": json.dumps(bad).encode(),
        "fhir.json": json.dumps(condition).encode(),
        "cut.json": f'{{"resourceType": "{MARK}'.encode(),
        "fhir.xml": f'<Patient xmlns="http://hl7.org/fhir"><id value="{MARK}"/>'.encode(),
        "packed.gz": gzip.compress(MARK.encode())[:-3],
        "map.csv": f"ndc,atc\n{MARK},{MARK}\n".encode(),
    }
    for name, data in files.items():
        page.file_uploader[0].set_value((name, data, "application/octet-stream")).run()
        see(page)
    page.text_area(key="import-list").set_value(f"{MARK}-typed 428.0\n{MARK}").run()
    see(next(b for b in page.button if b.key == "import-add").click().run())

    made = [data if isinstance(data := write(), bytes) else str(data).encode() for write in exports.values()]
    assert len(exports) >= 6 and sum(MARK.encode() in data.lower() for data in made) >= 3, sorted(exports)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"{MARK}-failure")

    for name in ("recommend", "review", "prompt"):
        monkeypatch.setattr(engine, name, broken)
    for path in ("case", "interactions", "prompt"):
        urls += _urls(open_page(path, patient=patient))
    st.cache_data.clear()
    monkeypatch.setattr(planted.cohort, "case", broken)
    failed = open_page("case", patient=patient)
    assert any("reference" in element.value for element in failed.error)

    assert any(f"{MARK}-drug" in html for html in shown) and any(f"{MARK}-title" in html for html in shown)
    assert not any("<img src=http" in html or 'src="http' in html for html in shown)
    assert len(urls) > 100 and [url for url in urls if MARK in url.lower()] == []
    written = capfd.readouterr()
    assert "RuntimeError at" in written.err and MARK not in (written.out + written.err).lower()
    held = [str(p) for p in outside.rglob("*") if MARK in str(p).lower() or (p.is_file() and _holds(p))]
    assert (outside / "audit.jsonl").is_file() and held == []
    assert MARK.encode() in (tmp_path / "workspace.sqlite").read_bytes().lower(), (
        "the search finds it where it is"
    )


def _holds(path: Path) -> bool:
    return MARK.encode() in path.read_bytes().lower()
