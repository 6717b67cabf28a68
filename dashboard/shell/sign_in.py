"""Signing in with a password, and signing out: pages of the server's own, around Streamlit."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboard.server import access, audit
from dashboard.server.accounts import Account, WaitError
from leader_core import LeaderError

log = logging.getLogger("leader.dashboard")

PATH: Final = "/sign-in"
SIGN_OUT: Final = "/sign-out"
STATE: Final = "/signed-in"
_PROVIDER_SIGN_OUT: Final = "/auth/logout"  # Streamlit's, which takes its cookies away
_LONGEST_FORM: Final = 4_096
_AT_ONCE: Final = 2  # sign-ins: a hash takes a core
_MOST_WAITING: Final = 64
_DEVICE_SECONDS: Final = 365 * 86_400  # for which a browser is known


async def _sign_in(request: Request) -> Response:
    if access.sign_in() != "password":
        return RedirectResponse("/", 303)
    if request.method != "POST":  # HEAD too
        return _form()
    body = await _small_body(request)
    try:
        values = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=4)
    except ValueError:  # more fields than the form has
        values = {}
    name, password = (values.get(key, [""])[0] for key in ("name", "password"))
    name, device = name.strip().lower()[:64], request.cookies.get(access.DEVICE_COOKIE, "")
    turn = object()
    try:
        # A flood of strangers' tries fills the places; people who have signed in from this browser before come in.
        if len(_waiting) >= _MOST_WAITING and not access.sessions().users.is_device(name, device):
            return _form("Too many people are signing in at this moment: try again.", 503)
        _waiting.add(turn)
        async with _turns:
            token, device = await asyncio.to_thread(_begin, name, password, device)
    except WaitError as error:
        return _form(str(error), 429)
    except LeaderError as error:  # it names files of the server
        log.warning("%s", error)
        return _form("Nobody can sign in now: the server's log says why.", 503)
    finally:
        _waiting.discard(turn)
    if token is None:
        return _form("Name and password do not belong together.", 401)
    response = RedirectResponse("/", 303)
    cookie: dict[str, Any] = {"httponly": True, "samesite": "strict", "secure": access.behind_tls()}
    response.set_cookie(access.COOKIE, token, path="/", **cookie)
    response.set_cookie(access.DEVICE_COOKIE, device, path=PATH, max_age=_DEVICE_SECONDS, **cookie)
    return response


def _begin(name: str, password: str, device: str) -> tuple[str | None, str]:
    """A new session's token and what the browser is known by from now on. Recorded in the audit log as a refused try is: by
    name only where somebody has it, for a password may have been typed in its place.
    """
    users = access.sessions().users
    token = access.sessions().begin(name, password, device)
    known = name if users.stored(name) else "(no such account)"
    try:
        audit.record("signed in" if token else "refused", "", account=Account(known, "viewer"))
    except LeaderError:
        access.sessions().end(token or "")
        raise
    return token, users.device(name)


async def _small_body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_FORM:
            return b""
    return body


def _form(message: str = "", status: int = 200) -> Response:
    from dashboard.shared.templates import render  # here, not above: the server begins to listen before it

    page = HTMLResponse(str(render("shell/sign_in.html", message=message)), status)
    page.headers["Cache-Control"] = "no-store"
    return page


async def _sign_out(request: Request) -> Response:
    if access.sign_in() == "oidc":
        name, then = access.dismiss(request.cookies), _PROVIDER_SIGN_OUT
    elif access.sign_in():
        name, then = access.owner(request.cookies), PATH
        access.sessions().end(request.cookies.get(access.COOKIE, ""))
    else:
        name, then = "", "/"
    if name:
        try:
            audit.record("signed out", account=Account(name, "viewer"))
        except LeaderError as error:  # to leave is allowed all the same
            log.warning("%s", error)
    response = RedirectResponse(then, 303)
    response.delete_cookie(access.COOKIE, path="/")
    return response


async def _state(request: Request) -> Response:
    """For a page that has lost its channel: 401 where its session has ended; asking is no use of it."""
    try:
        ended = access.session_ended(request.cookies) or not access.has_session(request.cookies)
    except LeaderError as error:  # nobody is let in then
        log.warning("%s", error)
        ended = True
    return Response(status_code=401 if ended else 204, headers={"Cache-Control": "no-store"})


_turns: Final = asyncio.Semaphore(_AT_ONCE)
_waiting: Final[set[object]] = set()

ROUTES: Final = [
    Route(PATH, _sign_in, methods=["GET", "POST"]),
    Route(SIGN_OUT, _sign_out, methods=["GET"]),
    Route(STATE, _state, methods=["GET"]),
]
