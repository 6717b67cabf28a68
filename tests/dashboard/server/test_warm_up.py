"""The server warms up before anybody comes, and says in its log what it lacks."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import streamlit as st
from streamlit.logger import init_uvicorn_logs

from dashboard import app
from dashboard.server import service
from dashboard.shell import gate
from leader_core import NotFoundError
from tests.dashboard.conftest import Serve


def test_the_entry_is_an_app_with_a_lifespan() -> None:
    """Streamlit reads the file to see how it is to be served; plainly run, nothing would happen before a visitor."""
    assert isinstance(app.app, st.App)


def test_the_cohort_is_open_and_the_models_load_before_anybody_comes(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = serve()
    loading = threading.Event()
    addresses = logging.getLogger("uvicorn.access")  # they name patients
    monkeypatch.setattr(addresses, "disabled", False)
    monkeypatch.setattr(service.Service, "start", lambda _: loading.set())

    async def served() -> bool:
        async with gate.lifespan(None):
            return await asyncio.to_thread(loading.wait, 20)

    with ThreadPoolExecutor(1) as threads:  # the browser's tests leave a loop running in this one
        assert threads.submit(asyncio.run, served()).result()
    assert service.default_service().engine is engine
    init_uvicorn_logs()  # as Streamlit does where a config.toml changes while the server runs
    assert not addresses.isEnabledFor(logging.CRITICAL)


def test_a_server_without_a_cohort_says_so_in_one_line(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    serve(error=NotFoundError("No cohort database here."))
    with caplog.at_level(logging.WARNING, "leader.dashboard"):
        gate.warm_up()
    assert [(r.levelname, r.getMessage(), r.exc_info) for r in caplog.records] == [
        ("WARNING", "No cohort database here.", None)
    ]
