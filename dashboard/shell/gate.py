"""The server around Streamlit: what it warms up, and what stands before every request.

Requests of other origins and hosts are refused here: Streamlit's own check would look up this machine's public address on
the network. Where people sign in with a password, others get the sign-in page and nothing else, neither files nor the page's
channel. The button that leads to a provider is a page of Streamlit's; who has only that may not send files.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request, cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime import get_instance

from dashboard.server import access
from dashboard.shell import sign_in
from leader_core import LeaderError, sql
from leader_core.logs import hidden_messages, set_up_logs

log = logging.getLogger("leader.dashboard")

HEALTH: Final = "/health"
_OPEN: Final = (sign_in.PATH, sign_in.STATE, HEALTH, "/_stcore/health")
_UPLOADS: Final = "/_stcore/upload_file/"
_NOT_FOR_VISITORS: Final = (_UPLOADS, "/_stcore/metrics")
"""Refused to people who have not signed in with a provider yet."""
_OWN_PAGES_ONLY: Final = "This address answers its own pages only."
_TOO_MANY_PAGES: Final = (
    "Too many pages of LEADER are open under this name: close one, then load this one again."
)
_ONLY_HERE: Final = (
    "This server is for the machine that it runs on: nobody signs in to it. To serve others, through a proxy too, start it "
    "with --users FILE (dashboard/README.md)."
)
_OTHER_HOST: Final = (
    "The page was opened at {opened}, but this request names the host {host}. If a proxy stands in front, let it hand on "
    "the Host header (nginx: proxy_set_header Host $http_host; Apache: ProxyPreserveHost On). Pages of other sites are not "
    "answered."
)
_MESSAGES: Final = ("rerun_script", "stop_script", "app_heartbeat", "file_urls_request")
_OPERATIONS: Final = ("deferred_file", "dataframe_chunk")
_LONGEST_MESSAGE: Final = access.REQUIRED["server.maxWidgetStateSize"] << 20
_LARGEST_UPLOAD: Final = (access.REQUIRED["server.maxUploadSize"] + 1) << 20  # with what is around the file
_MOST_UPLOADED: Final = (
    512 << 20
)  # bytes that Streamlit holds of everybody's files, each until its page is closed
_MOST_PAGES: Final = 32  # open at a time under one name
_MOST_UNNAMED: Final = 128  # where nobody signs in; with a provider, of people who have not yet
_SOON: Final = 60.0  # seconds after which a page is looked at that was not drawn for anybody yet
_SLOWEST: Final = 120.0  # seconds that the body of a request may take: 20 MB at 1.4 Mbit/s
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with none, a browser would not name the origin of the sign-in form
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    # Streamlit's own page needs inline styles, evaluates vega's expressions, and makes blobs of downloads.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
        "frame-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
}


class Gate:
    """ASGI middleware in front of Streamlit."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._uploading = 0  # files that are being sent
        self._channels: set[_Channel] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = _refusal(scope, headers)
        if refusal:
            await _refuse(scope, receive, send, _sentence(scope, refusal))
            return
        cookies, path = cookie_parser(headers.get("cookie", "")), scope["path"]
        if access.sign_in() == "password" and path not in _OPEN and not _seconds_left(cookies, used=True):
            await _refuse(scope, receive, send, RedirectResponse(sign_in.PATH, 303))
            return
        if (
            access.sign_in() == "oidc"
            and path.startswith(_NOT_FOR_VISITORS)
            and not _seconds_left(cookies, used=True)
        ):
            await _refuse(scope, receive, send, PlainTextResponse("Sign in first.", 403))
            return
        document = headers.get("sec-fetch-dest") == "document" and path not in (*_OPEN, sign_in.SIGN_OUT)
        if (document or scope["type"] == "websocket") and self._is_full(cookies):
            log.warning("a page was refused: its account has as many open as it may")
            await _refuse(scope, receive, send, PlainTextResponse(_TOO_MANY_PAGES, 503))
            return
        if scope["type"] == "websocket":
            await self._channel(cookies, scope, receive, send)
            return
        receive, send = _in_time(receive), _with_headers(send)
        if scope["method"] == "PUT" and path.startswith(_UPLOADS):
            await self._upload(scope, receive, send)
        else:
            await self.app(scope, receive, send)
        # Either may have ended a session, here and in other tabs.
        if path in (sign_in.PATH, sign_in.SIGN_OUT):
            for channel in self._channels:
                channel.changed.set()

    def _is_full(self, cookies: Mapping[str, str]) -> bool:
        """Whether the account of these cookies has as many pages open as it may."""
        name = access.owner(cookies)
        number = sum(access.owner(channel.cookies) == name for channel in self._channels)
        return number >= (_MOST_PAGES if name else _MOST_UNNAMED)

    async def _channel(self, cookies: Mapping[str, str], scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a page's channel on, until its session ends."""
        channel = _Channel(cookies, receive, send)
        self._channels.add(channel)
        watch = None
        # A page that was opened after its session with a provider had ended says so: it shows no patient.
        if access.sign_in() and not _ended(cookies):
            receive, send = channel.receive, channel.send
            watch = asyncio.create_task(channel.watch())
        try:
            await self.app(scope, _what_pages_send(receive), send)
        finally:
            self._channels.discard(channel)
            if watch is not None:
                watch.cancel()

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a file on, unless those that are held and those on their way take all the room there is for them."""
        if _uploaded() + (self._uploading + 1) * _LARGEST_UPLOAD > _MOST_UPLOADED:
            log.warning("a file was refused: those that people have open fill the room for them")
            await PlainTextResponse("Too many files are open here: try again later.", 503)(
                scope, receive, send
            )
            return
        self._uploading += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._uploading -= 1


def _uploaded() -> int:
    """Bytes of the files that people have sent and whose pages are open."""
    stats = get_instance().uploaded_file_mgr.get_stats().values()
    return sum(getattr(each, "byte_length", 0) for family in stats for each in family)


def _refusal(scope: Scope, headers: Headers) -> str:
    """Why a request is not answered; "" where it is."""
    host = headers.get("host", "")
    try:
        name = urlsplit(f"//{host}").hostname or ""
        opened = _other_address(scope, headers, host)
    except ValueError:
        return "The host's name or the origin of this request cannot be read."
    client = scope.get("client")
    here = access.is_loopback(name) and (not client or access.is_loopback(client[0]))
    if not access.sign_in() and (not here or (opened and not access.is_loopback(opened.partition(":")[0]))):
        return _ONLY_HERE
    if opened is not None:
        return _OTHER_HOST.format(opened=opened, host=host) if opened else _OWN_PAGES_ONLY
    return ""


def _other_address(scope: Scope, headers: Headers, host: str) -> str | None:
    """The address that a browser has for this page, where that is not this request's Host: a proxy in front has put its
    own in place of it, or another site asks. "" is an address without a name; None where nothing differs.

    A page's first request says it only where the proxy adds X-Forwarded-Host; its scripts name the page as referrer.
    """
    origin = headers.get("origin")
    if origin is None and scope.get("path", "").endswith(".js"):
        origin = headers.get("referer")
    if origin is not None:
        page = urlsplit(origin)
        default = {"http": 80, "https": 443}.get(page.scheme)
        own = urlsplit(f"//{host}")
        if (page.hostname, page.port or default) != (own.hostname, own.port or default):
            return "" if headers.get("sec-fetch-site") == "cross-site" else page.netloc
    forwarded = headers.get("x-forwarded-host", "").partition(",")[0].strip()
    if forwarded and urlsplit(f"//{forwarded}").hostname != urlsplit(f"//{host}").hostname:
        return forwarded
    return None


async def _refuse(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    if scope["type"] == "websocket":
        await receive()  # the request to connect
        await send({"type": "websocket.close", "code": 1008})
        return
    await response(scope, receive, _with_headers(send))


def _sentence(scope: Scope, text: str) -> Response:
    """A refusal as a page; in place of a page's own script, a script that shows it, or nothing would be seen but grey."""
    if scope["type"] == "http" and scope["path"].endswith(".js"):
        script = f"document.body.innerText = {json.dumps(text)}"
        return Response(script, media_type="text/javascript", headers={"Cache-Control": "no-store"})
    return PlainTextResponse(text, 403)


def _seconds_left(cookies: Mapping[str, str], *, used: bool = False) -> float:
    """As `access.seconds_left`; a file of passwords or roles that cannot be read lets nobody in."""
    try:
        return access.seconds_left(cookies, used=used)
    except LeaderError as error:
        log.warning("%s", error)
        return 0.0


def _ended(cookies: Mapping[str, str]) -> bool:
    try:
        return access.session_ended(cookies)
    except LeaderError as error:
        log.warning("%s", error)
        return True


class _Channel:
    """A page's channel, which closes when its session ends: the page, which then asks (`sign_in.STATE`), leaves the screen."""

    def __init__(self, cookies: Mapping[str, str], receive: Receive, send: Send) -> None:
        self.cookies = cookies
        self.changed = asyncio.Event()  # perhaps its session has ended
        self._receive, self._send = receive, send
        self._closed = False

    async def receive(self) -> Message:
        """What the page sends, each message a use of the session; nothing once it has ended."""
        while True:
            message = await self._receive()
            if message["type"] != "websocket.receive" or _seconds_left(self.cookies, used=True):
                return message
            if not _ended(self.cookies):  # a page that asks to sign in with a provider
                return message
            self.changed.set()

    async def send(self, message: Message) -> None:
        """What the page gets; Streamlit may have something to say to one that is closed."""
        if not self._closed:
            await self._send(message)

    async def watch(self) -> None:
        """Close the channel when its session ends, which a use of any page puts off."""
        while not _ended(self.cookies):
            with suppress(TimeoutError):
                async with asyncio.timeout(_seconds_left(self.cookies) or _SOON):
                    await self.changed.wait()
            self.changed.clear()
        self._closed = True
        with suppress(OSError):  # the page has just gone
            await self._send({"type": "websocket.close", "code": 1008, "reason": "The session has ended."})


def _what_pages_send(receive: Receive) -> Receive:
    """The messages of a page, without the kinds that no page here sends: with those, any viewer could empty the caches of
    everybody (cohort and models load again), list the untracked files of this checkout, or have files written into it.
    """

    async def wanted() -> Message:
        while True:
            message = await receive()
            if _is_wanted(message.get("bytes") or b""):
                return message
            log.warning("a message that no page sends was dropped")

    return wanted


def _is_wanted(data: bytes) -> bool:
    """Whether a message is of a kind that pages send; what is no message or too long, Streamlit refuses itself."""
    if len(data) > _LONGEST_MESSAGE:
        return True
    message = BackMsg()
    try:
        message.ParseFromString(data)
    except Exception:  # noqa: BLE001 - of protobuf, which is not ours to pin
        log.warning("a message that cannot be read")
        return True
    kind = message.WhichOneof("type")
    if kind == "backend_operation_request":
        return message.backend_operation_request.WhichOneof("payload") in _OPERATIONS
    return kind is None or kind in _MESSAGES


def _in_time(receive: Receive) -> Receive:
    """The parts of a request's body, which must all have come within `_SLOWEST` seconds."""
    deadline, complete = asyncio.get_running_loop().time() + _SLOWEST, False

    async def part() -> Message:
        nonlocal complete
        if complete:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, "The request came too slowly: try again.") from None
        complete = not message.get("more_body", False)
        return message

    return part


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
        await send(message)

    return sent


async def _health(_: Request) -> Response:
    """For whatever watches the server: 200 where cohort and models can be used, else 503; a word about each."""
    from dashboard.server.service import health  # here, not above: the server begins to listen before it

    usable, words = await asyncio.to_thread(health)
    return JSONResponse(words, 200 if usable else 503, {"Cache-Control": "no-store"})


MIDDLEWARE: Final = [Middleware(Gate)]
ROUTES: Final = [
    *sign_in.ROUTES,
    Route(HEALTH, _health, methods=["GET"]),
]


@asynccontextmanager
async def lifespan(_: object) -> AsyncIterator[dict[str, Any]]:
    """Warm up when the server starts, in a thread of its own: it listens meanwhile."""
    set_up_logs()
    # It quotes addresses, which name patients; Streamlit switches it on where a config.toml changes while the server runs.
    logging.getLogger("uvicorn.access").disabled = True
    with hidden_messages():
        threading.Thread(target=warm_up, name="leader-warm-up", daemon=True).start()
        try:
            yield {}
        finally:
            from dashboard.server.scoring_run import get_scoring_run

            get_scoring_run().end()
            sql.remove_spilled()


def warm_up() -> None:
    """Open the cohort and prepare the worklist while the browser still loads Streamlit's own files; import the other pages
    after the first is drawn.
    """
    try:  # imports here, not above: the server begins to listen before them
        from dashboard.server.service import default_service
        from dashboard.shell import router
        from leader_core.cohort import PatientQuery

        service = default_service()
        router.import_pages(["patients"])
        cohort = service.engine.cohort  # which answers again at once what the worklist without filters asks
        cohort.chapters(), cohort.patients(), cohort.spread(PatientQuery(), "age")
        inspect.stack()  # Streamlit does it for the first element: 80 ms while Python does not know each module's file
        service.wait_for_page()
        router.import_pages()
    except LeaderError as error:
        log.warning("%s", error)  # the first page says it too
    except Exception:
        log.exception("warming up failed")
