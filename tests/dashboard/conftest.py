"""Pages over the fake engine: `serve` says which engine, `open_page` opens a page of it as a browser would."""

from __future__ import annotations

import html
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.app_test import calc_hash

from dashboard.server import service, workspace
from dashboard.shared import view_switch, wording
from leader_core import Engine
from leader_core.evaluation.class_evidence import EVIDENCE, Evidence, write_evidence
from tests.fakes import MEDICATIONS, FakeEngine, manifest

APP = Path(__file__).parents[2] / "dashboard" / "app.py"

Serve = Callable[..., FakeEngine]
OpenPage = Callable[..., AppTest]


def click_instead_of_waiting(event: threading.Event) -> bool:
    """Nobody clicks in an AppTest: a run that waits for something that does not come ends here, as with a click."""
    if not event.wait(0.2):
        st.stop()
    return True


@pytest.fixture(scope="session", autouse=True)
def _no_packages_of_components() -> Iterator[None]:
    """An AppTest looks through all installed packages for components of theirs.

    That is 0.19 of a small page's 0.25 seconds of processor time, in some 500 tests.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streamlit.components.v2.manifest_scanner.scan_component_manifests", list)
        yield


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Serve]:
    """Serve a fake engine, or an error instead of one; its workspace is the test's own."""
    service._open.clear()
    workspace.forget()
    monkeypatch.setenv("LEADER_WORKSPACE", str(tmp_path / "workspace.sqlite"))
    monkeypatch.setattr(service, "wait", click_instead_of_waiting)
    engines: list[FakeEngine] = []

    def choose(engine: FakeEngine | None = None, *, error: Exception | None = None) -> FakeEngine:
        chosen = engine or FakeEngine()
        engines.append(chosen)

        def opened(_: object) -> Engine:
            if error is not None:
                raise error
            return chosen  # type: ignore[return-value]

        monkeypatch.setattr(service, "open_engine", opened)
        service._open.clear()
        return chosen

    yield choose
    for engine in engines:
        engine.finish_loading()
    service._open.clear()


@pytest.fixture
def open_page(serve: Serve) -> OpenPage:
    """Open a page with URL parameters; serves the default fake engine unless `serve` chose another.

    The page is in the research view unless `research` is False.
    """
    serve()

    def opened(
        path: str = "patients", session: dict[str, Any] | None = None, research: bool = True, **query: str
    ) -> AppTest:
        test = AppTest.from_file(str(APP), default_timeout=120)
        if research:
            test.query_params[view_switch.PARAMETER] = view_switch.RESEARCH
        for key, value in (session or {}).items():
            test.session_state[key] = value
        for key, value in query.items():
            test.query_params[key] = value
        if path != "patients":
            test._page_hash = calc_hash(path)
        return test.run()

    return opened


def text(test: AppTest) -> str:
    """Everything a person can read on the page, as one string; the glossary is read only once it is opened."""
    folded = html.escape(wording.GLOSSARY["Truncated"])
    pieces = [e.value for e in test.html if not e.value.startswith("<style") and folded not in e.value]
    for kind in ("markdown", "caption", "warning", "error", "info", "button"):
        pieces += [str(getattr(e, "value", "")) + str(getattr(e, "label", "")) for e in getattr(test, kind)]
    return re.sub(
        r"\\([\\`*_\[\]<>$~!|#&:.+)-])", r"\1", "\n".join(pieces).replace("<wbr>", "")
    )  # as a browser shows it


def component_data(test: AppTest, name: str) -> dict[str, Any]:
    """What a browser component was given to draw."""
    for element in test.get("bidi_component"):
        if element.proto.component_name == f"leader.{name}":
            return dict(json.loads(element.proto.json)[0])
    raise AssertionError(f"no component {name} on the page")


def address(test: AppTest) -> dict[str, str]:
    """What the address bar should show, but for the research view that `open_page` asks for."""
    query = dict(parse_qsl(component_data(test, "url_state")["query"]))
    return {
        key: value
        for key, value in query.items()
        if (key, value) != (view_switch.PARAMETER, view_switch.RESEARCH)
    }


def with_evidence(tmp_path: Path) -> FakeEngine:
    """Both models with evidence: every class in 100 cases, prescribed in those scored above a half."""
    engine = FakeEngine()
    scores = np.tile(np.linspace(0.005, 0.995, 100, dtype=np.float32)[:, None], (1, len(MEDICATIONS)))
    evidence = Evidence.of(list(MEDICATIONS), scores, scores > 0.5, calibrated=True)
    for name, card in engine.models.items():
        card.folder = tmp_path / name
        card.folder.mkdir()
        write_evidence(card.folder, evidence)
        result = manifest(name)
        card.manifest = replace(result, files={**result.files, EVIDENCE: "45" * 32})
    return engine
