"""Nobody gets in without signing in, nothing goes out, and Streamlit's options are never the loose ones."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dashboard.__main__ import main
from dashboard.scores import notes
from dashboard.server import access, accounts, audit
from dashboard.server.accounts import PasswordFile, Sessions
from dashboard.shell import gate, sign_in
from leader_core import InputError, NotFoundError
from leader_core.files import replacing_file
from tests.dashboard.conftest import OpenPage, text

ROOT = Path(__file__).parents[3]
PASSWORD = "correct horse battery"
T = TypeVar("T")
WATCHED = """
import os, runpy, sys
log = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
EVENTS = ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
def watch(event, values):
    if event in EVENTS:
        if event in EVENTS[:2]:
            values = values[1:]
        os.write(log, f"{event} {values!r}\\n".encode())
sys.addaudithook(watch)
sys.argv[0] = "dashboard"
runpy.run_module("dashboard", run_name="__main__")
"""


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PasswordFile:
    monkeypatch.setattr(accounts, "_COST", {"iterations": 1, "lanes": 1, "memory_cost": 8})
    file = PasswordFile(tmp_path / "users.json")
    file.put("ann", "annotator", PASSWORD)
    return file


def test_a_password_file_holds_no_password_and_is_its_owners(users: PasswordFile) -> None:
    assert PASSWORD not in users.path.read_text() and stat.S_IMODE(users.path.stat().st_mode) == 0o600
    users.check()
    signed_in = users.signed_in("ann", PASSWORD)
    assert signed_in is not None and signed_in.role == "annotator"
    for name, password in (("ann", PASSWORD + "!"), ("ann", ""), ("ben", PASSWORD), ("Ann", PASSWORD)):
        assert users.signed_in(name, password) is None
    with replacing_file(users.path) as other, pytest.raises(InputError, match="Another run"):
        shutil.copyfile(users.path, other)
        users.put("ben", "viewer", PASSWORD)  # the other's change would be lost, or this one
    users.put("ann", "annotator", PASSWORD)
    users.path.chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        users.check()


@pytest.mark.parametrize(
    ("name", "role", "password", "expected"),
    [
        ("Ann Other", "viewer", PASSWORD, "Name 'Ann Other'"),
        ("ann", "king", PASSWORD, "Role 'king'"),
        ("ann", "viewer", "short", "A password of 5 characters"),
        ("ann", "viewer", "x" * 10_000, "A password of 10000 characters"),
    ],
)
def test_what_is_no_account_is_refused(
    users: PasswordFile, name: str, role: str, password: str, expected: str
) -> None:
    with pytest.raises(InputError, match=expected):
        users.put(name, role, password)


def test_sessions_expire_end_and_follow_the_file(users: PasswordFile) -> None:
    now = 0.0
    sessions = Sessions(users, clock=lambda: now)
    token = sessions.begin("ann", PASSWORD)
    assert (
        token and sessions.account(token) and not sessions.account(token + "x") and not sessions.account("")
    )
    now += accounts.IDLE_SECONDS - 1
    assert sessions.account(token, used=True)
    now += accounts.IDLE_SECONDS - 1
    assert sessions.account(token)
    now += 2
    assert sessions.account(token, used=True) is None, "not used for too long"
    token = sessions.begin("ann", PASSWORD) or ""
    for _ in range(int(accounts.LONGEST_SECONDS / 600) + 1):
        now += 600
        account = sessions.account(token, used=True)
    assert account is None, "used all the time, and too old"
    token = sessions.begin("ann", PASSWORD) or ""
    users.path.write_text(users.path.read_text().replace("annotator", "viewer"))
    changed = sessions.account(token)
    assert changed is not None and changed.role == "viewer"
    users.put("ann", "viewer", PASSWORD + "!")
    assert sessions.account(token) is None, "begun with another password"
    token = sessions.begin("ann", PASSWORD + "!") or ""
    assert sessions.account(token)
    users.put("ben", "viewer", PASSWORD)
    others = [sessions.begin("ben", PASSWORD) or "" for _ in range(accounts._MOST_OF_ONE + 1)]
    assert not sessions.account(others[0]) and sessions.account(others[1]) and sessions.account(token)
    users.remove("ann")
    assert sessions.account(token) is None, "taken off the file"


@pytest.mark.parametrize(
    ("claims", "may_enter"),
    [
        ({}, True),
        ({"email_verified": True}, True),
        ({"email_verified": False}, False),
        ({"email": "ben@a.org"}, False),
        ({"iat": 1_000_000.0}, False),  # years ago
        ({"iat": None}, False),
    ],
)
def test_a_provider_vouches_for_a_verified_address_and_not_for_ever(
    claims: dict[str, Any], may_enter: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(access.USERS, "")
    monkeypatch.setenv(access.SIGN_IN, "oidc")
    monkeypatch.setattr(access, "_roles", lambda: {"ann@a.org": "annotator"})
    user = {"is_logged_in": True, "email": "Ann@a.org", "iat": time.time() - 60, **claims}
    monkeypatch.setattr(access.st, "user", user)
    monkeypatch.setattr(access.st, "context", SimpleNamespace(cookies={}))
    account = access.current_account()
    assert (account is not None) == may_enter
    cookies = {f"{access.PROVIDER_COOKIE}{n}": f"signed {claims} {n}" for n in ("", "__1")}
    assert (
        not access.seconds_left(cookies) and not access.seconds_left({}) and not access.session_ended(cookies)
    )
    if account is not None:
        monkeypatch.setattr(access.st, "context", SimpleNamespace(cookies={"other": "1", **cookies}))
        access.admit(account)
        left = access.seconds_left(cookies)
        assert accounts.LONGEST_SECONDS - 70 < left < accounts.LONGEST_SECONDS - 50, (
            "since the provider vouched for her"
        )
        assert not access.seconds_left({access.PROVIDER_COOKIE: "forged"}) and not access.session_ended(
            cookies
        )
        assert access.owner(cookies) == "Ann@a.org".lower()
        roles = access._roles
        monkeypatch.setattr(access, "_roles", dict)
        assert access.session_ended(cookies), "taken off the file"
        monkeypatch.setattr(access, "_roles", roles)
        assert access.seconds_left(cookies) and access.dismiss(cookies) == "ann@a.org"
        assert access.session_ended(cookies) and access.current_account() is None, "signed out"


def test_guessing_has_to_wait(users: PasswordFile) -> None:
    now = 0.0
    sessions = Sessions(users, clock=lambda: now)
    for _ in range(accounts.TRIES):
        assert sessions.begin("ann", "wrong") is None
    with pytest.raises(InputError, match="Wait 60 seconds"):
        sessions.begin("ann", PASSWORD)
    now += accounts.WAIT_SECONDS
    assert sessions.begin("ann", PASSWORD)


def test_others_guesses_do_not_keep_somebody_out_of_their_own_browser(users: PasswordFile) -> None:
    users.put("ben", "viewer", PASSWORD)
    sessions, own = Sessions(users, clock=lambda: 0.0), users.device("ann")
    nonce, _, mark = own.partition(".")
    foreign = (
        "",
        "x",
        own + "0",
        f"other.{mark}",
        f"{nonce}.",
        users.device("ben"),
        users.device("nobody"),
        "\ud800.é",
    )
    for number in range(accounts.TRIES):
        assert sessions.begin("ann", "wrong", foreign[number]) is None
    for device in foreign:
        with pytest.raises(InputError, match="Wait"):
            sessions.begin("ann", PASSWORD, device)
    assert sessions.begin("ann", PASSWORD, own)
    with pytest.raises(InputError, match="Wait"):  # the others still wait
        sessions.begin("ann", PASSWORD)
    for _ in range(accounts.TRIES):
        assert sessions.begin("ann", "wrong", own) is None
    with pytest.raises(InputError, match="Wait"):
        sessions.begin("ann", PASSWORD, own)
    other = users.device("ann")
    assert sessions.begin("ann", PASSWORD, other)
    users.put("ann", "viewer", PASSWORD + "!")
    assert not users.is_device("ann", other), "void with a new password"
    assert not users.is_device("nobody", users.device("nobody"))


@pytest.mark.parametrize("name", sorted(access.REQUIRED))
def test_loose_options_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(access.USERS, raising=False)
    options = {**access.REQUIRED, "server.address": "127.0.0.1"}
    access.check_options(options.get)
    for loose in (None, "full", 5_000, not options[name]):
        with pytest.raises(InputError, match=f"{name} is"):
            access.check_options({**options, name: loose}.get)


@pytest.mark.parametrize("address", ["0.0.0.0", "", "::", "10.0.0.4", "leader.hospital.org"])
def test_another_address_needs_sign_in_and_real_patients_need_tls(
    address: str, users: PasswordFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {**access.REQUIRED, "server.address": address}
    with pytest.raises(InputError, match="without sign-in"):
        access.check_options(options.get)
    monkeypatch.setenv(access.USERS, str(users.path))
    access.check_options(options.get)
    with pytest.raises(InputError, match="--behind-tls"):
        access.check_sharing(False, False, address)
    access.check_sharing(True, False, address)
    monkeypatch.setenv(access.BEHIND_TLS, "1")
    access.check_sharing(False, False, address)


def test_wrong_ways_to_serve_end_with_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = (access.USERS, access.SIGN_IN, access.ROLE_OF, access.BEHIND_TLS, "LEADER_COHORT")
    for name in names:
        monkeypatch.setenv(name, "")  # so that what `main` sets is undone
    for words, expected in (
        (["--address", "0.0.0.0"], "without sign-in"),
        (["--port", "0"], "expected 1 to 65535"),
        (["--users", str(tmp_path / "none.json")], "There is no password file"),
        (["--oidc"], "--oidc and --roles"),
    ):
        assert main(words) == 2
        message = capsys.readouterr().err
        assert message.startswith("error: ") and expected in message and message.count("\n") == 1
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(access.USERS, "mine.json")
    assert main([]) == 2 and f"no password file {tmp_path / 'mine.json'}" in capsys.readouterr().err
    with pytest.raises(NotFoundError):
        PasswordFile(tmp_path / "none.json").remove("ann")


@dataclass
class Served:
    base: str
    network: Path
    log: Path
    workspace: Path
    process: int


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, synthetic_cohort: Path) -> Iterator[Served]:
    """A server with sign-in, started in another folder, whose connections are written down."""
    root = tmp_path_factory.mktemp("served")
    file = root / "users.json"
    PasswordFile(file).put("ann", "viewer", PASSWORD)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [
        "--cohort",
        str(synthetic_cohort),
        "--models",
        str(root / "none"),
        "--port",
        str(port),
        "--users",
        str(file),
    ]
    words += ["--workspace", str(root / "w.sqlite")]
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "/bin/sh",
                "-c",
                'ulimit -Sn 900; exec "$@"',
                "sh",
                sys.executable,
                "-c",
                WATCHED,
                str(root / "network"),
                *words,
            ],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )
    base = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 180  # a busy machine
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{base}/_stcore/health", timeout=2)
            break
        except OSError:
            time.sleep(0.2)
    yield Served(base, root / "network", root / "log", root / "w.sqlite", process.pid)
    process.terminate()
    process.wait(20)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _ask(
    served: Served, path: str, data: Any = None, method: str | None = None, **headers: str
) -> tuple[int, Any, bytes]:
    request = urllib.request.Request(served.base + path, data, headers, method=method)
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=20) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def _sign_in(served: Served, password: str = PASSWORD) -> tuple[int, str]:
    status, headers, _ = _ask(
        served, "/sign-in", urllib.parse.urlencode({"name": "ann", "password": password}).encode()
    )
    return status, (headers.get("Set-Cookie") or "").split(";")[0]


def _run(awaitable: Coroutine[Any, Any, T]) -> T:
    """Its result, from a thread of its own: a browser of other tests may hold this thread's event loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, awaitable).result()


def test_a_server_opens_as_many_files_as_the_system_lets_it(served: Served) -> None:
    lines = Path(f"/proc/{served.process}/limits").read_text().splitlines()
    soft, hard = next(line for line in lines if line.startswith("Max open files")).split()[3:5]
    assert soft == hard != "900", "so that connections nobody finishes do not use them up"


def test_health_says_how_far_cohort_and_models_are(served: Served) -> None:
    status, headers, body = _ask(served, "/health")
    assert status == 200 and headers["Content-Type"] == "application/json"
    assert json.loads(body) == {"cohort": "ready", "teacher": "absent", "student": "absent"}


async def _first_messages(
    served: Served,
    cookie: str,
    origin: str | None = None,
    then: Callable[[Any, list[bytes]], Any] | None = None,
) -> list[bytes]:
    """Run the first page over the page's own channel; its first messages, and what `then` does with the open channel."""
    from streamlit.proto.BackMsg_pb2 import BackMsg

    address = served.base.replace("http", "ws") + "/_stcore/stream"
    messages: list[bytes] = []
    async with connect(
        address,
        origin=origin,
        additional_headers={"Cookie": cookie},
        subprotocols=["streamlit"],
        max_size=None,  # type: ignore[arg-type, list-item]
    ) as channel:
        message = BackMsg()
        message.rerun_script.query_string = ""
        await channel.send(message.SerializeToString())
        while not any(b"script_finished" in m or b"Worklist" in m for m in messages) and len(messages) < 40:
            messages.append(bytes(await asyncio.wait_for(channel.recv(), 20)))
        if then is not None:
            await then(channel, messages)
    return messages


def test_nothing_is_served_to_somebody_who_is_not_signed_in(served: Served) -> None:
    for path in (
        "/",
        "/case?patient=1",
        "/_stcore/host-config",
        "/static/index.html",
        "/media/x",
        "/app/static/x",
    ):
        status, headers, body = _ask(served, path)
        assert (status, headers.get("Location"), body) == (303, "/sign-in", b""), path
    for cookie in ("", "leader_session=", "leader_session=guess", "leader_session=" + "x" * 4_000):
        with pytest.raises((InvalidStatus, ConnectionClosed)):
            _run(_first_messages(served, cookie))
    assert _sign_in(served, "wrong password") == (401, "")
    assert _ask(served, "/sign-in", method="HEAD")[0] == 200, "no try"
    status, headers, body = _ask(served, "/sign-in")
    assert status == 200 and b"Sign in to" in body and headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "same-origin", (
        "without a referrer the form's origin would be null, and refused"
    )
    assert _ask(served, "/sign-in", b"x" * 100_000)[0] in (401, 413)
    assert _ask(served, "/sign-in", b"a=1&b=2&c=3&d=4&e=5")[0] == 401


def test_a_session_sees_pages_and_nothing_leaves_this_machine(served: Served) -> None:
    status, headers, _ = _ask(
        served, "/sign-in", urllib.parse.urlencode({"name": "ann", "password": PASSWORD}).encode()
    )
    cookie, device = headers.get_all("Set-Cookie")
    assert status == 303 and all(
        "HttpOnly" in each and "SameSite=strict" in each for each in (cookie, device)
    )
    assert "Path=/sign-in" in device
    token = cookie.split(";")[0]
    assert _ask(served, "/", Cookie=token)[0] == 200
    for foreign in ("http://evil.example", "null", served.base.replace("127.0.0.1", "evil.example")):
        assert _ask(served, "/", Cookie=token, Origin=foreign)[0] == 403
        with pytest.raises((InvalidStatus, ConnectionClosed)):
            _run(_first_messages(served, token, foreign))
    assert len(_run(_first_messages(served, token, served.base))) > 3
    assert _ask(served, "/sign-out", Cookie=token)[0] == 303
    assert _ask(served, "/", Cookie=token)[0] == 303, "signed out"
    lines = served.network.read_text().splitlines() if served.network.exists() else []
    assert [line for line in lines if not any(own in line for own in ("127.0.0.1", "localhost"))] == []
    assert "Traceback" not in served.log.read_text()
    assert stat.S_IMODE(served.workspace.stat().st_mode) == 0o600
    assert json.loads(json.dumps(lines)) == lines


def test_uploads_and_messages_have_limits_and_stand_in_no_log(served: Served, synthetic_cohort: Path) -> None:
    """A file of 20 MB at most, to a session of one's own; a message of 2 MB; nothing that is sent is logged."""
    token = _sign_in(served)[1]
    xsrf = (_ask(served, "/_stcore/health")[1]["Set-Cookie"]).split(";")[0]
    form = b'--b\r\nContent-Disposition: form-data; name="f"; filename="qqxmark.json"\r\n\r\n%s\r\n--b--\r\n'
    statuses: list[int] = []

    def put(session: str, body: Any, cookie: str = token, **headers: str) -> int:
        name = {
            "Content-Type": "multipart/form-data; boundary=b",
            "X-Xsrftoken": xsrf.partition("=")[2],
            **headers,
        }
        path = f"/_stcore/upload_file/{session}/qqxmark"
        try:
            return _ask(served, path, body, "PUT", Cookie=f"{cookie}; {xsrf}", **name)[0]
        except urllib.error.URLError:  # refused, and closed while it was still being sent
            return 413

    async def attack(channel: Any, messages: list[bytes]) -> None:
        from streamlit.proto.BackMsg_pb2 import BackMsg
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        new = next(m for m in map(ForwardMsg.FromString, messages) if m.WhichOneof("type") == "new_session")
        session = new.new_session.initialize.session_id
        large = [form % (b"qqxmark" * 3_200_000)]
        bodies = (form % b"qqxmark", large[0], iter(large))
        statuses.extend([await asyncio.to_thread(put, session, body) for body in bodies])
        statuses.append(await asyncio.to_thread(put, "another", form % b"x"))
        statuses.append(
            await asyncio.to_thread(lambda: put(session, form % b"x", **{"X-Xsrftoken": "guess"}))
        )
        statuses.append(await asyncio.to_thread(put, session, form % b"x", "leader_session=guess"))
        message = BackMsg()  # values of a kind that no field takes: Streamlit says so in an error
        for name in set(re.findall(rb"\$\$(?:ID|WIDGET)-[\x20-\x7e]+", b"".join(messages))):
            message.rerun_script.widget_states.widgets.add(id=name.decode(), string_value="qqxmark")
        await channel.send(message.SerializeToString())
        while b"script_finished" not in str(ForwardMsg.FromString(await channel.recv())).encode():
            pass
        await channel.send(b"qqxmark" * 400_000)
        with pytest.raises(ConnectionClosed):
            while True:
                await asyncio.wait_for(channel.recv(), 20)

    _run(_first_messages(served, token, served.base, attack))
    assert statuses == [204, 413, 413, 400, 403, 303]
    _ask(served, "/case?patient=qqxmark", Cookie=token)
    _ask(served, "/sign-in", b"name=qqxmark&password=qqxmark")
    audit_log = synthetic_cohort.with_name(synthetic_cohort.stem + ".audit.jsonl")
    for path in (served.log, served.network, audit_log):
        assert not path.exists() or "qqxmark" not in path.read_text(), path
    assert "Uncaught app execution" in served.log.read_text() and "Traceback" not in served.log.read_text()


def test_files_that_people_have_open_fill_only_the_room_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager, UploadedFileRec

    held = MemoryUploadedFileManager("")
    monkeypatch.setattr(gate, "get_instance", lambda: SimpleNamespace(uploaded_file_mgr=held))
    monkeypatch.setattr(gate, "_MOST_UPLOADED", 2 * gate._LARGEST_UPLOAD)
    for name in (access.USERS, access.SIGN_IN):
        monkeypatch.setenv(name, "")

    async def streamlit(_: Any, __: Any, send: Any) -> None:
        await asyncio.sleep(0)
        await PlainTextResponse("", 204)({"type": "http"}, receive, send)

    async def receive() -> Any:
        return {"type": "http.request"}

    async def put(number: int) -> int:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        path = f"/_stcore/upload_file/session/{number}"
        headers = [(b"host", b"localhost")]
        await app({"type": "http", "method": "PUT", "path": path, "headers": headers}, receive, send)
        return int(sent[0]["status"])

    async def at_once(puts: int) -> list[int]:
        return await asyncio.gather(*map(put, range(puts)))

    app = gate.Gate(streamlit)
    assert _run(at_once(3)) == [204, 204, 503] and _run(at_once(1)) == [204]
    held.add_file("session", UploadedFileRec("1", "a", "b", bytes(gate._LARGEST_UPLOAD + 1)))
    assert _run(at_once(1)) == [503]
    held.remove_session_files("session")
    assert _run(at_once(1)) == [204]


def _form_request(
    parts: list[tuple[bytes, bool]],
) -> tuple[dict[str, Any], Callable[[], Coroutine[Any, Any, Any]]]:
    """A POST to /sign-in whose body comes in these parts; after the last the client says nothing more."""
    scope = {
        "type": "http", "method": "POST", "path": "/sign-in", "query_string": b"", "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"localhost")],
    }  # fmt: skip
    left = iter(parts)

    async def receive() -> Any:
        part = next(left, None)
        if part is None:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": part and part[0], "more_body": part and part[1]}

    return scope, receive


def test_a_slow_body_and_a_flood_of_sign_ins_end_in_words(
    users: PasswordFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(access.USERS, str(users.path))
    monkeypatch.setattr(gate, "_SLOWEST", 0.05)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    app = Starlette(routes=gate.ROUTES, middleware=gate.MIDDLEWARE)
    _run(app(*_form_request([(b"name=ann", True)]), send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 408 and b"too slowly" in sent[1]["body"]

    at_once: list[int] = []
    running = threading.Semaphore(0)

    def begin(name: str, password: str, device: str) -> tuple[None, str]:
        running.release()
        time.sleep(0.02)
        at_once.append(running._value)  # type: ignore[attr-defined]
        running.acquire()
        return None, ""

    async def flood() -> list[int]:
        monkeypatch.setattr(sign_in, "_turns", asyncio.Semaphore(2))
        tries = [_form_request([(f"name=a{n}&password=b".encode(), False)]) for n in range(9)]
        known = _form_request([(b"name=ann&password=b", False)])
        known[0]["headers"].append((b"cookie", f"{access.DEVICE_COOKIE}={users.device('ann')}".encode()))
        tries.append(known)  # from a browser where she has signed in before
        responses = await asyncio.gather(*(sign_in._sign_in(Request(*each)) for each in tries))
        return [response.status_code for response in responses]

    monkeypatch.setattr(sign_in, "_MOST_WAITING", 6)
    monkeypatch.setattr(sign_in, "_begin", begin)
    assert _run(flood()) == [401] * 6 + [503] * 3 + [401]
    assert max(at_once) <= 2 and not sign_in._waiting


class _Pages:
    """Pages that are open over the gate in front of an application that only listens."""

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self.headers = headers
        self.heard: list[Any] = []
        self.gate = gate.Gate(self._streamlit)

    async def _streamlit(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            if scope["path"] == sign_in.SIGN_OUT:
                await sign_in._sign_out(Request(scope))
            await PlainTextResponse("page")(scope, receive, send)
            return
        while (message := await receive())["type"] != "websocket.disconnect":
            self.heard.append(message)

    def open(
        self, kind: str = "websocket", path: str = "/_stcore/stream"
    ) -> tuple[asyncio.Task[Any], Any, list[Any]]:
        """A page's task, the queue of what it sends, and what it gets."""
        sends: asyncio.Queue[Any] = asyncio.Queue()
        gets: list[Any] = []

        async def send(message: Any) -> None:
            gets.append(message)
            if message["type"] == "websocket.close":
                await sends.put({"type": "websocket.disconnect"})

        headers = [
            *self.headers,
            (b"host", b"localhost"),
            (b"sec-fetch-dest", b"document" if kind == "http" else b"websocket"),
        ]
        scope = {"type": kind, "path": path, "method": "GET", "headers": headers, "query_string": b""}
        return asyncio.create_task(self.gate(scope, sends.get, send)), sends, gets


def _cookie(token: str) -> list[tuple[bytes, bytes]]:
    return [(b"cookie", f"{access.COOKIE}={token}".encode())]


async def _soon(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("end", ["time", "a click after it", "sign-out", "the file"])
def test_a_page_that_is_open_ends_with_its_session(
    end: str, users: PasswordFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(access.USERS, str(users.path))
    monkeypatch.setattr(accounts, "IDLE_SECONDS", 0.3 if end == "time" else 1_800.0)
    token = access.sessions().begin("ann", PASSWORD) or ""
    pages, click = _Pages(_cookie(token)), {"type": "websocket.receive", "bytes": b""}

    async def walk() -> None:
        task, sends, gets = pages.open()
        await sends.put(click)
        await _soon(lambda: pages.heard)
        assert not gets and access.session_ended({access.COOKIE: token}) is False
        if end == "sign-out":
            await pages.open("http", sign_in.SIGN_OUT)[0]
        elif end != "time":
            access.sessions().end(token) if end == "a click after it" else users.path.write_text("x")
            await sends.put(click)
        await asyncio.wait_for(task, 10)
        assert [message["type"] for message in gets] == ["websocket.close"] and gets[0]["code"] == 1008
        assert pages.heard == [click], "nothing after its end"
        state = Request({"type": "http", "headers": _cookie(token)})
        assert (await sign_in._state(state)).status_code == 401
        assert not pages.gate._channels

    _run(walk())


def test_one_name_has_so_many_pages_and_no_more(users: PasswordFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(access.USERS, str(users.path))
    monkeypatch.setattr(gate, "_MOST_PAGES", 3)
    users.put("ben", "viewer", PASSWORD)
    ann, ben = (access.sessions().begin(name, PASSWORD) or "" for name in ("ann", "ben"))
    pages = _Pages(_cookie(ann))

    async def walk() -> None:
        opened = [pages.open() for _ in range(3)]
        await _soon(lambda: len(pages.gate._channels) == 3)
        refused, sends, gets = pages.open()
        await sends.put({"type": "websocket.connect"})
        await refused
        assert gets == [{"type": "websocket.close", "code": 1008}]
        task, _, gets = pages.open("http", "/")
        await task
        assert gets[0]["status"] == 503 and b"close one" in gets[1]["body"]
        pages.headers = _cookie(ben)
        others = pages.open()
        await _soon(lambda: len(pages.gate._channels) == 4)
        await opened[0][1].put({"type": "websocket.disconnect"})
        await opened[0][0]
        pages.headers = _cookie(ann)
        task, _, gets = pages.open("http", "/")
        await task
        assert gets[0]["status"] == 200, "one was closed"
        for task in (others[0], opened[1][0], opened[2][0]):
            task.cancel()

    _run(walk())


def test_who_may_not_sign_in_now_may_still_leave(
    users: PasswordFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(access.USERS, str(users.path))
    token = access.sessions().begin("ann", PASSWORD) or ""
    monkeypatch.setenv(audit.FILE, str(users.path.parent))  # a folder: nothing can be recorded
    leaving = Request({"type": "http", "headers": _cookie(token)})
    assert _run(sign_in._sign_out(leaving)).status_code == 303 and access.sessions().account(token) is None
    users.path.write_text("no longer readable")
    refused = _run(sign_in._sign_in(Request(*_form_request([(b"name=ann&password=b", False)]))))
    assert refused.status_code == 503 and str(users.path).encode() not in refused.body


@pytest.mark.parametrize(
    ("host", "origin", "client", "answered"),
    [
        ("127.0.0.1:8501", None, "127.0.0.1", True),
        ("localhost", "http://localhost", "::1", True),
        ("[::1]:8501", "http://[::1]:8501", "::1", True),
        ("localhost", None, "10.0.0.9", False),  # whatever the options say, the other end is elsewhere
        ("leader.example", None, "127.0.0.1", False),  # a name that was made to lead here
        ("127.0.0.1.evil.example", None, "127.0.0.1", False),
        ("localhost@evil.example", None, "127.0.0.1", False),
        ("localhost", "http://evil.example", "127.0.0.1", False),
        ("localhost", "null", "127.0.0.1", False),
        ("[", "http://[", "127.0.0.1", False),
        ("", None, "127.0.0.1", False),
    ],
)
def test_without_sign_in_only_this_machine_is_answered(
    host: str, origin: str | None, client: str, answered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(access.USERS, "")
    monkeypatch.setenv(access.SIGN_IN, "")
    headers = Headers({"host": host, **({"origin": origin} if origin else {})})
    assert (gate._refusal({"client": (client, 1)}, headers) == "") == answered


@pytest.mark.parametrize(
    ("path", "given", "message"),
    [
        ("/sign-in", {"origin": "https://leader.example"}, "opened at leader.example, .* host 10.0.0.5:8501"),
        (
            "/",
            {"x-forwarded-host": "leader.example, inner"},
            "opened at leader.example.*proxy_set_header Host",
        ),
        ("/static/js/index.js", {"referer": "https://leader.example/case"}, "ProxyPreserveHost On"),
        (
            "/_stcore/stream",
            {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
            "own pages only",
        ),
        ("/", {"origin": "null"}, "own pages only"),
        ("/", {"referer": "https://leader.example/"}, ""),  # a link from elsewhere
        ("/", {"x-forwarded-host": "10.0.0.5"}, ""),
        ("/", {"host": "leader.example:443", "origin": "https://leader.example"}, ""),
        (
            "/",
            {"host": "leader.example", "origin": "https://leader.example:444"},
            "opened at leader.example:444",
        ),
    ],
)
def test_a_proxy_that_puts_its_own_host_in_place_is_named_with_the_remedy(
    path: str, given: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(access.USERS, "users.json")
    scope = {"type": "http", "path": path, "client": ("10.0.0.9", 1)}
    refusal = gate._refusal(scope, Headers({"host": "10.0.0.5:8501", **given}))
    assert re.search(message, refusal) if message else refusal == ""
    monkeypatch.setenv(access.USERS, "")
    assert "--users FILE" in gate._refusal(scope, Headers({"host": "10.0.0.5:8501", **given}))


def test_messages_that_no_page_sends_never_reach_streamlit() -> None:
    """One of them would load cohort and models again for everybody, another write files into the checkout."""
    from streamlit.proto.BackMsg_pb2 import BackMsg

    kinds = ("rerun_script", "clear_cache", "load_git_info", "install_skills", "dataframe_chunk", "deferred_file",
             "dismiss_skills_nudge", "set_run_on_save", "debug_shutdown_runtime", "app_heartbeat")  # fmt: skip
    sent = []
    for kind in kinds:
        message = BackMsg()
        if kind in BackMsg.DESCRIPTOR.fields_by_name:
            field = BackMsg.DESCRIPTOR.fields_by_name[kind]
            getattr(message, kind).SetInParent() if field.message_type else setattr(message, kind, True)
        else:
            getattr(message.backend_operation_request, kind).SetInParent()
        sent.append({"type": "websocket.receive", "bytes": message.SerializeToString()})
    last = {"type": "websocket.disconnect", "code": 1001}
    waiting = iter([*sent, {"type": "websocket.receive", "bytes": b"no message"}, last])

    async def receive() -> Any:
        return next(waiting)

    async def all_of_them() -> list[Any]:
        channel, come = gate._what_pages_send(receive), list[Any]()
        while last not in come:
            come.append(await channel())
        return come

    come = _run(all_of_them())
    passed = [kind for kind, message in zip(kinds, sent, strict=True) if message in come]
    assert passed == ["rerun_script", "dataframe_chunk", "deferred_file", "app_heartbeat"]
    assert len(come) == len(passed) + 2, "what is no message is refused by Streamlit itself"


@pytest.mark.parametrize("role", ["viewer", "annotator", "administrator"])
def test_a_role_decides_what_a_page_offers(
    role: accounts.Role, users: PasswordFile, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(access.USERS, str(users.path))
    assert "session has ended" in text(open_page("case", patient="10003"))
    monkeypatch.setattr(access, "current_account", lambda: accounts.Account("ann", role))
    page = open_page("case", patient="10003")
    assert not page.exception and "Patient 10003" in text(page)
    assert any(button.label == "Save" for button in page.button) == (role != "viewer")
    assert ("You may read here" in text(page)) == (role == "viewer")
    assert access.may_administer() == (role == "administrator")
    assert notes.author() == "ann" and not any("name" in str(field.label) for field in page.text_input)
