"""Several servers behind one address, as `dashboard/README.md` describes it: real nginx, sign-in, one workspace, one log.

Every visitor has an address of their own and signs in through nginx. They stay with one server; all notes of both are in the
one workspace and seen by all; after one server is killed its people sign in again at the other, and nothing is lost.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import shutil
import subprocess
import urllib.parse
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from dashboard.server.accounts import PasswordFile
from leader_core.audit import read
from tests.conftest import ROOT
from tests.soak.load import Visitor, free_port, served, stored_notes, wait_until_ready

VISITORS = 8
PASSWORD = "correct horse battery"
CONFIGURATION = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;
events {{}}
http {{
    access_log off; {paths}
    {upstream}
    server {{ listen 127.0.0.1:{port}; {location} }}
}}
"""


def configuration(folder: Path, port: int, ports: list[int]) -> str:
    """What stands in the README, for these ports."""
    text = (ROOT / "dashboard" / "README.md").read_text(encoding="utf-8")
    location = re.search(r"location / \{.*?\}", text, re.S)
    upstream = re.search(r"upstream leader \{.*?\}", text)
    assert location and upstream, "the README has them"
    paths = " ".join(
        f"{kind}_temp_path {folder};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    servers = " ".join(f"server 127.0.0.1:{each};" for each in ports)
    return CONFIGURATION.format(
        folder=folder, port=port, paths=paths,
        upstream=re.sub(r"server .*;", servers, upstream[0]),
        location=re.sub(r"http://[0-9.:]+", "http://leader", location[0]),
    )  # fmt: skip


def _request(
    number: int, port: int, method: str, path: str, cookie: str = "", body: str = ""
) -> http.client.HTTPResponse:
    """A visitor's request, from the visitor's own address."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", port, timeout=120, source_address=(f"127.0.0.{number + 2}", 0)
    )
    headers = {"Cookie": cookie} if cookie else {}
    if body:
        headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{port}"}
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    answer.read()
    return answer


def _sign_in(number: int, port: int) -> str:
    """The cookie of a session."""
    body = urllib.parse.urlencode({"name": f"visitor{number}", "password": PASSWORD})
    answer = _request(number, port, "POST", "/sign-in", body=body)
    return (answer.getheader("set-cookie") or f"no cookie: {answer.status}").partition(";")[0]


async def _visit(number: int, port: int, cookie: str, patient: int, when: str) -> Visitor:
    """Open a patient's case and write a note."""
    address, origin = f"ws://127.0.0.1:{port}/_stcore/stream", f"http://127.0.0.1:{port}"
    options: Any = {"subprotocols": ["streamlit"], "origin": origin, "additional_headers": {"Cookie": cookie}}
    async with connect(
        address, max_size=None, ping_interval=None, local_addr=(f"127.0.0.{number + 2}", 0), **options
    ) as channel:
        visitor = Visitor(channel, f"visitor {number}, {when},", number, {})
        await visitor.run("first page", "", "")
        await visitor.run("case", "case", f"patient={patient}")
        await visitor.write(f"patient={patient}")
        visitor.shown = await visitor.run("case", "case", f"patient={patient}")
    return visitor


def run(folder: Path) -> dict[str, Any]:
    """Let some people work on two servers, kill one, let them go on; what they met."""
    nginx = shutil.which("nginx")
    if nginx is None:
        return {"problems": ["nginx is not installed"]}
    cohort, models = ROOT / "build" / "demo" / "cohort.duckdb", ROOT / "assets" / "demo" / "models"
    shutil.copy(cohort, folder)
    users = PasswordFile(folder / "users.json")
    for number in range(VISITORS):
        users.put(f"visitor{number}", "annotator", PASSWORD)
    problems: list[str] = []
    with served(folder, folder / cohort.name, models, 2, "--users", str(users.path)) as running:
        port = free_port()
        (folder / "nginx.conf").write_text(configuration(folder, port, [each for each, _ in running]))
        with (folder / "nginx.log").open("wb") as log:
            front = subprocess.Popen([nginx, "-c", str(folder / "nginx.conf")], stderr=log)
        try:
            wait_until_ready(port)
            cookies = [_sign_in(number, port) for number in range(VISITORS)]
            places = defaultdict[int, list[int]](list)
            for number, cookie in enumerate(cookies):
                known = [
                    each for each, _ in running if _request(number, each, "GET", "/", cookie).status == 200
                ]
                statuses = {_request(number, port, "GET", "/", cookie).status for _ in range(5)}
                if len(known) != 1 or statuses != {200}:
                    problems.append(f"visitor {number} does not stay with one server: {known}, {statuses}")
                places[known[0] if known else 0].append(number)
            if len(places) != 2:
                problems.append(f"all visitors are with one server: {dict(places)}")
            patient = 10000594

            async def all_visit(when: str) -> list[Visitor]:
                return [await _visit(n, port, cookies[n], patient, when) for n in range(VISITORS)]

            before = asyncio.run(all_visit("before"))
            dead, process = running[0]
            process.kill()
            process.wait()
            for number in places[dead]:
                status = _request(number, port, "GET", "/", cookies[number]).status
                if status != 303:
                    problems.append(
                        f"visitor {number}, whose server was killed, gets {status}, not the sign-in page"
                    )
                cookies[number] = _sign_in(number, port)
            after = asyncio.run(all_visit("after"))
        finally:
            front.terminate()
            with suppress(subprocess.TimeoutExpired):
                front.wait(10)
    visitors = [*before, *after]
    problems += [error for visitor in visitors for error in visitor.errors]
    saved = {text for visitor in visitors for text in visitor.saved}
    lost = saved - stored_notes(folder / "notes.sqlite")
    problems += [f"not stored: {text}" for text in lost]
    problems += [f"not seen by the last: {text}" for text in saved if text not in visitors[-1].shown]
    entries = list(read(folder / "audit.jsonl"))
    return {
        "visitors": {port: len(numbers) for port, numbers in places.items()}, "notes_saved": len(saved),
        "notes_lost": len(lost), "audit_entries": len(entries), "problems": problems,
    }  # fmt: skip
