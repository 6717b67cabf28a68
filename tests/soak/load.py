"""Many people at once against `python -m dashboard`: what they browse, have scored and write, over Streamlit's own channel.

A session is one websocket that sends what a browser would send and reads all that comes back, without drawing it. It opens
lists and cases (of which only the test split's scores are stored: the others are scored now) and writes notes, with pauses
as a person makes them. In the end every note that was shown as saved has to be in the workspace file.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from tests.conftest import ROOT

READY_SECONDS, ANSWER_SECONDS = 600.0, 300.0
PAUSE = (4.0, 12.0)  # seconds between two actions of a person
TARGETS = {"list": 0.3, "case": 0.5, "teacher": 2.0, "note": 0.3}  # p95 in seconds, of a single user
WORDS = ("heart failure", "pneumonia", "warfarin", "428.0", "sepsis and not diabetes", "CHF")
OTHERS = ("interactions", "errors", "models", "prompt", "new")
SORTS = ("age", "-age", "visits", "-patient_id", "student_jaccard", "-gap")
WATCHED = """
import os, runpy, sys
log = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def watch(event, values):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        os.write(log, f"{event} {values[-1:] if event in ('socket.connect', 'socket.sendto') else values}\\n".encode())
sys.addaudithook(watch)
sys.argv[0] = "dashboard"
runpy.run_module("dashboard", run_name="__main__")
"""
"""Serves and records every connection that Python makes and every name that it looks up."""


class Visitor:
    """One person's session with one server."""

    def __init__(
        self, channel: ClientConnection, name: str, seed: int, patients: dict[str, list[int]]
    ) -> None:
        self.channel, self.name, self.dice, self.patients = channel, name, random.Random(seed), patients
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []
        self.saved: list[str] = []
        self.shown = ""  # of the last page that somebody looked at
        self.fields: dict[str, tuple[str, str, str]] = {}  # kind of field -> widget id, form, fragment

    async def run(
        self, what: str, page: str, query: str, fragment: str = "", values: dict[str, Any] | None = None
    ) -> str:
        """One run of a page: all its text; how long it took until the page stood, and until the teacher answered."""
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_name, state.fragment_id = query, page, fragment
        for key, value in (values or {}).items():
            widget = state.widget_states.widgets.add(id=key)
            if value is True:
                widget.trigger_value = True
            else:
                widget.string_value = value
        began, stood, text = time.monotonic(), 0.0, list[str]()
        await self.channel.send(message.SerializeToString())
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(bytes(await asyncio.wait_for(self.channel.recv(), ANSWER_SECONDS)))  # type: ignore[arg-type]
            kind = answer.WhichOneof("type")
            if kind == "delta":
                text.append(self._read(answer, what))
                if not stood and (
                    "Waiting for the teacher" in text[-1] or "The teacher is reading" in text[-1]
                ):
                    stood = time.monotonic() - began
            elif kind == "navigation":
                self.pages = {
                    each.page_script_hash: each.url_pathname for each in answer.navigation.app_pages
                }
                self.page = self.pages.get(answer.navigation.page_script_hash, "")
            elif kind == "script_finished" and answer.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                if answer.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                    self.errors.append(f"{what}: the page could not be run")
                if fragment or self.page == page:  # else of the page that was asked for before
                    break
        whole = time.monotonic() - began
        self.seconds[what].append(stood or whole)
        if stood:
            self.seconds["teacher"].append(whole)
        return " ".join(text)

    def _read(self, message: ForwardMsg, what: str) -> str:
        """The text of a part of the page; fields to write in are remembered, errors counted."""
        delta, element = message.delta, message.delta.new_element
        kind = element.WhichOneof("type") or ""
        if kind in ("text_area", "text_input", "button"):
            field = getattr(element, kind)
            if kind != "button" or field.is_form_submitter:
                self.fields[f"{kind} {field.label}"] = (field.id, delta.fragment_id)
        if kind == "exception" or (kind == "alert" and element.alert.format == element.alert.ERROR):
            self.errors.append(f"{what}: {element.alert.body or element.exception.message}")
        if kind in ("html", "markdown", "alert"):
            return str(getattr(element, kind).body)
        return str(element.spinner.text) if kind == "spinner" else ""

    async def live(self, until: float) -> None:
        """Browse, have cases scored and write notes until then."""
        await asyncio.sleep(self.dice.uniform(0, PAUSE[1]))
        await self.run("first page", "", "")
        while time.monotonic() < until:
            await asyncio.sleep(self.dice.uniform(*PAUSE))
            query = self.dice.choice(
                (f"sort={self.dice.choice(SORTS)}", f"q={self.dice.choice(WORDS)}", "split=test&page=2")
            )
            await self.run("list", "", query)
            for _ in range(self.dice.randint(1, 3)):
                await asyncio.sleep(self.dice.uniform(*PAUSE))
                patient = self.dice.choice(self.patients[self.dice.choice(("test", "train"))])
                self.fields.clear()
                query = f"patient={patient}&view={self.dice.choice(('all', 'research'))}"
                await self.run("case", "case", query)
                if self.dice.random() < 0.5:
                    await asyncio.sleep(self.dice.uniform(*PAUSE))
                    await self.write(query)

    async def write(self, query: str) -> None:
        """Write a note in the form of the page that is open; it counts as saved where the page then shows it."""
        text = f"{self.name} note {len(self.saved)} {self.dice.randrange(10**9)}"
        try:
            (area, fragment), (save, _) = self.fields["text_area Note"], self.fields["button Save"]
        except KeyError:
            self.errors.append(f"note: no form on {query}")
            return
        values = {area: text, save: True}
        shown = await self.run("note", "case", query, fragment, values)
        if text in shown:
            self.saved.append(text)
        else:
            self.errors.append(f"note: {text} is not shown after it was saved")


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def served(
    folder: Path, cohort: Path, models: Path, servers: int, *more: str
) -> Iterator[list[tuple[int, psutil.Process]]]:
    """So many dashboards over one cohort and one workspace, ready; port and process of each."""
    running: list[tuple[int, subprocess.Popen[bytes]]] = []
    try:
        for number in range(servers):
            port = free_port()
            words = ["--port", str(port), "--cohort", str(cohort), "--models", str(models)]
            words += [
                "--workspace",
                str(folder / "notes.sqlite"),
                "--audit",
                str(folder / "audit.jsonl"),
                *more,
            ]
            command = [sys.executable, "-c", WATCHED, str(folder / "connections"), *words]
            with (folder / f"server{number}.log").open("wb") as log:
                running.append((port, subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)))
        for port, _ in running:
            wait_until_ready(port)
        yield [(port, psutil.Process(process.pid)) for port, process in running]
    finally:
        for _, process in running:
            process.terminate()
        for _, process in running:
            process.wait(60)


def stored_notes(path: Path) -> set[str]:
    """The texts of all notes of a workspace."""
    texts = "SELECT json_extract(body, '$.text') FROM entries WHERE kind = 'note'"
    with sqlite3.connect(path) as connection:
        return {text for (text,) in connection.execute(texts)}


def wait_until_ready(port: int) -> None:
    """Wait until a server says that cohort and models can be used; raises RuntimeError where it takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(1)
    raise RuntimeError("the server was not ready in time: see its log")


def run(folder: Path, sessions: int = 50, seconds: float = 600, servers: int = 1) -> dict[str, Any]:
    """Let so many people work for so long; what they met."""
    import duckdb

    cohort, models = ROOT / "build" / "demo" / "cohort.duckdb", ROOT / "assets" / "demo" / "models"
    for path in (cohort, cohort.with_name("cohort.scores.duckdb")):
        shutil.copy(path, folder)
    with duckdb.connect(str(folder / cohort.name), read_only=True) as connection:
        rows = connection.execute("SELECT split, patient_id FROM patients").fetchall()
    patients: dict[str, list[int]] = defaultdict(list)
    for split, patient in rows:
        patients[split].append(patient)
    with served(folder, folder / cohort.name, models, servers) as running:
        before = [process.memory_info().rss for _, process in running]
        used = [sum(process.cpu_times()[:2]) for _, process in running]
        visitors, late, lost = asyncio.run(_all([port for port, _ in running], sessions, seconds, patients))
        after = [process.memory_info().rss for _, process in running]
        used = [
            sum(process.cpu_times()[:2]) - begun for (_, process), begun in zip(running, used, strict=True)
        ]
    errors = [*lost, *(error for visitor in visitors for error in visitor.errors)]
    logs = "".join(path.read_text(errors="replace") for path in sorted(folder.glob("server*.log")))
    errors += [f"log: {line}" for line in logs.splitlines() if "Traceback" in line or "ERROR" in line]
    stored = stored_notes(folder / "notes.sqlite")
    saved = {text for visitor in visitors for text in visitor.saved}
    lines = (folder / "connections").read_text().splitlines() if (folder / "connections").exists() else []
    everything = {
        what: np.concatenate([v.seconds[what] for v in visitors]) for what in (*TARGETS, "first page")
    }
    return {
        "sessions": sessions, "servers": servers, "seconds": seconds, "runs": int(sum(map(len, everything.values()))),
        "errors": len(errors), "first_errors": errors[:5], "notes_saved": len(saved), "notes_lost": len(saved - stored),
        "p50_seconds": {what: round(float(np.median(each)), 2) for what, each in everything.items() if len(each)},
        "p95_seconds": {what: round(float(np.percentile(each, 95)), 2) for what, each in everything.items() if len(each)},
        "three_times_the_single_user_targets": {what: 3 * target for what, target in TARGETS.items()},
        "memory_mib": {"before": [b >> 20 for b in before], "after": [a >> 20 for a in after]},
        "server_cpu_seconds": [round(each) for each in used], "load_average": round(os.getloadavg()[1], 1),
        "visitors_late_seconds": round(late, 1),
        "connections_elsewhere": sum("127.0.0.1" not in line and "localhost" not in line for line in lines),
    }  # fmt: skip


async def _all(
    ports: list[int], sessions: int, seconds: float, patients: dict[str, list[int]]
) -> tuple[list[Visitor], float, list[str]]:
    """All people at once, by turns on each server; by how many seconds this process itself was late at most, which says
    whether the machine was busy with something else; what ended a session counts as an error.
    """
    until = time.monotonic() + seconds
    visitors: list[Visitor] = []

    async def one(number: int) -> None:
        address = f"ws://127.0.0.1:{ports[number % len(ports)]}/_stcore/stream"
        origin: Any = f"http://127.0.0.1:{ports[number % len(ports)]}"
        protocols: Any = ["streamlit"]
        # No pings, as from a browser: a busy server would be taken for a dead one.
        async with connect(
            address, origin=origin, subprotocols=protocols, max_size=None, ping_interval=None
        ) as channel:
            visitors.append(Visitor(channel, f"visitor {number}", number, patients))
            await visitors[-1].live(until)

    late: list[float] = []

    async def clock() -> None:
        while True:
            due = time.monotonic() + 1
            await asyncio.sleep(1)
            late.append(time.monotonic() - due)

    ticking = asyncio.create_task(clock())
    ends = await asyncio.gather(*(one(number) for number in range(sessions)), return_exceptions=True)
    ticking.cancel()
    return (
        visitors,
        max(late, default=0.0),
        [f"a session ended: {type(end).__name__} {end}" for end in ends if isinstance(end, BaseException)],
    )
