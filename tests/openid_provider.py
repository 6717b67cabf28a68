"""A small OpenID Connect provider on this machine, for tests: it signs in the person that `email` names, without a screen.

OpenID Connect Core 1.0: discovery (section 4 of Discovery 1.0), the authorization code flow (3.1), ID tokens signed with
RS256.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "leader", "a-secret-of-the-test"


class OpenIdProvider:
    """The provider's state: who signs in, when they did, and the codes that are still open."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "test", "use": "sig", "alg": "RS256"})
        self.email, self.verified, self.issued = "ann@hospital.example", True, 0.0  # `issued`: seconds ago
        self.base = ""
        self.codes: dict[str, str] = {}  # code -> nonce

    def metadata(self) -> dict[str, Any]:
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return {
            "issuer": self.base,
            **{name: f"{self.base}/{path}" for name, path in names.items()},
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def code(self, query: dict[str, str]) -> str:
        """Where the browser goes after signing in."""
        assert query["client_id"] == CLIENT and "openid" in query["scope"].split()
        code = secrets.token_hex(8)
        self.codes[code] = query.get("nonce", "")
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def tokens(self, form: dict[str, str]) -> dict[str, Any]:
        """The ID token of a code, which counts once."""
        now = int(time.time() - self.issued)
        claims = {
            "iss": self.base, "aud": CLIENT, "sub": self.email, "iat": now, "exp": int(time.time()) + 3600,
            "nonce": self.codes.pop(form["code"]), "email": self.email, "email_verified": self.verified,
        }  # fmt: skip
        token = jwt.encode({"alg": "RS256", "kid": "test"}, claims, self.key)
        return {
            "access_token": secrets.token_hex(8),
            "token_type": "Bearer",
            "expires_in": 3600,
            "id_token": token,
        }


@contextmanager
def openid_provider() -> Iterator[OpenIdProvider]:
    """A provider on a free port, until the block ends."""
    provider = OpenIdProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == "/authorize":
                query = {name: values[0] for name, values in parse_qs(url.query).items()}
                self.send_response(303)
                self.send_header("Location", provider.code(query))
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif url.path == "/keys":
                self._answer({"keys": [provider.key.as_dict(private=False)]})
            else:
                self._answer(provider.metadata())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            given = self.headers.get("Authorization", "").removeprefix("Basic ")
            assert base64.b64decode(given).decode() == f"{CLIENT}:{SECRET}"
            self._answer(provider.tokens(form))

        def _answer(self, record: dict[str, Any]) -> None:
            data = json.dumps(record).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.base = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield provider
    finally:
        server.shutdown()
