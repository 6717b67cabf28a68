"""Who may use this server: a file of names with hashed passwords, roles, and sessions that expire.

The file is for a small group; passwords are hashed with Argon2id (RFC 9106). Sessions live in the server's memory: a
restart signs everybody out.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

from leader_core import InputError, NotFoundError
from leader_core.files import OutputKind, replacing_file

Role = Literal["viewer", "annotator", "administrator"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
"""A viewer reads; an annotator also writes notes, tags and cohorts; an administrator also trains students."""

SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 256
IDLE_SECONDS: Final = 30 * 60.0
LONGEST_SECONDS: Final = 12 * 3600.0
MOST_SESSIONS: Final = 10_000
_MOST_OF_ONE: Final = 50  # sessions of one name; a further one ends the oldest
TRIES: Final = 5
"""Wrong passwords for one name until it has to wait, from one browser that signed in with it before or from all others."""
WAIT_SECONDS: Final = 60.0

_COST: Final[dict[str, Any]] = {"iterations": 2, "lanes": 1, "memory_cost": 19 * 1024}
"""The last in KiB. Source: OWASP, Password Storage Cheat Sheet, Argon2id."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


class WaitError(InputError):
    """Somebody has to wait before they can sign in; the text may be shown to anybody."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who somebody is and what they may do."""

    name: str
    role: Role


class PasswordFile:
    """Names, roles and hashed passwords in a JSON file that only its owner may read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._nobody = _hashed(
            secrets.token_hex(16)
        )  # so that a wrong name takes as long as a wrong password

    def check(self) -> None:
        """Refuse a file that cannot be used.

        Raises:
            NotFoundError: no such file.
            InputError: others may read it, it is no such file, or it names nobody.
        """
        if not self.path.is_file():
            raise NotFoundError(
                f"There is no password file {self.path}. Make one: python -m dashboard user NAME --role viewer "
                f"--users {self.path}."
            )
        if stat.S_IMODE(self.path.stat().st_mode) & 0o077:
            raise InputError(
                f"Others may read {self.path}: only its owner should. Run: chmod 600 {self.path}."
            )
        if not self._users():
            raise InputError(
                f"{self.path} names nobody. Add somebody: python -m dashboard user NAME --role viewer."
            )

    def put(self, name: str, role: str, password: str) -> Account:
        """Add somebody, or give them another role and password.

        Raises:
            InputError: a name, role or password that will not do.
        """
        if not _NAME.fullmatch(name):
            raise InputError(f"Name {name!r}: expected up to 64 small letters, digits and . _ @ - .")
        if role not in ROLES:
            raise InputError(f"Role {role!r}: expected {', '.join(ROLES)}.")
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise InputError(
                f"A password of {len(password)} characters: expected {SHORTEST_PASSWORD} to {LONGEST_PASSWORD}."
            )
        entry = {"role": role, "password": _hashed(password)}
        self._change(lambda users: {**users, name: entry})
        return Account(name, role)

    def remove(self, name: str) -> None:
        """Take somebody off the file.

        Raises:
            NotFoundError: nobody has that name.
        """

        def without(users: dict[str, Any]) -> dict[str, Any]:
            if name not in users:
                raise NotFoundError(
                    f"Nobody in {self.path} is called {name!r}. Names: {', '.join(users) or 'none'}."
                )
            return {key: value for key, value in users.items() if key != name}

        self._change(without)

    def find(self, name: str, stored: str) -> Account | None:
        """Somebody who may use the server now and still has this hash; a change of the file counts at once."""
        entry = self._users().get(name)
        return Account(name, entry["role"]) if entry and entry["password"] == stored else None

    def stored(self, name: str) -> str:
        """The hash of somebody's password, which is another for every password that is set; "" for nobody's."""
        entry = self._users().get(name)
        return str(entry["password"]) if entry else ""

    def device(self, name: str) -> str:
        """What a browser keeps once somebody has signed in there, by which it is known again; void with a new password.

        Source: OWASP, Slow Down Online Guessing Attacks with Device Cookies.
        """
        nonce = secrets.token_urlsafe(16)
        return f"{nonce}.{_device_mark(name, nonce, self.stored(name))}"

    def is_device(self, name: str, device: str) -> bool:
        """Whether somebody has signed in under this name in the browser that keeps this."""
        nonce, _, mark = device.partition(".")
        stored = self.stored(name)
        return bool(stored) and hmac.compare_digest(_bytes(mark), _device_mark(name, nonce, stored).encode())

    def signed_in(self, name: str, password: str) -> Account | None:
        """The account of a name and its password; None where they do not belong together. Takes a twentieth of a second."""
        entry = self._users().get(name)
        right = _matches(password[:LONGEST_PASSWORD], entry["password"] if entry else self._nobody)
        return Account(name, entry["role"]) if entry and right else None

    def _users(self) -> dict[str, Any]:
        if not self.path.is_file():
            return {}
        try:
            record = json.loads(self.path.read_text(encoding="utf-8"))
            users: dict[str, Any] = record["users"]
            for name, entry in users.items():
                if entry["role"] not in ROLES or not entry["password"].startswith("$argon2id$"):
                    raise ValueError(f"the entry of {name}")
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise InputError(
                f"{self.path} cannot be read as a password file ({error}). Restore it, or delete it and add everybody again."
            ) from error
        return users

    def _change(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Write what a change makes of the file; nobody else changes it meanwhile, or an entry would be lost."""
        try:
            with replacing_file(self.path, _PASSWORD_FILE, alone=True) as temporary:
                users = change(self._users())
                temporary.write_text(json.dumps({"users": users}, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be written ({error.strerror or error}) and is as it was: free some space, or name another "
                "file with --users."
            ) from error


def _is_password_file(path: Path) -> str:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return "it is another file"
    return "" if isinstance(record, dict) and "users" in record else "it is another file"


_PASSWORD_FILE: Final = OutputKind("a password file", False, _is_password_file, private=True)


def _hashed(password: str) -> str:
    from cryptography.hazmat.primitives.kdf.argon2 import (
        Argon2id,  # slow to import, and only sign-in needs it
    )

    return Argon2id(salt=secrets.token_bytes(16), length=32, **_COST).derive_phc_encoded(_bytes(password))


def _matches(password: str, stored: str) -> bool:
    from cryptography.exceptions import InvalidKey
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    try:
        Argon2id.verify_phc_encoded(_bytes(password), stored)
    except (InvalidKey, ValueError):
        return False
    return True


def _device_mark(name: str, nonce: str, stored: str) -> str:
    return hmac.new(stored.encode(), _bytes(f"{name} {nonce}"), "sha256").hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@dataclass(slots=True)
class _Session:
    name: str
    stored: str  # hash of the password that it was begun with
    began: float
    used: float


@dataclass(slots=True)
class Sessions:
    """Who is signed in, by a random token that a cookie carries. Safe between threads."""

    users: PasswordFile
    clock: Callable[[], float] = time.monotonic
    _sessions: dict[str, _Session] = field(default_factory=dict)
    _failures: dict[tuple[str, str], list[float]] = field(default_factory=dict)  # by name and known device
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, name: str, password: str, device: str = "") -> str | None:
        """A new session's token; None where name and password do not belong together.

        Wrong passwords from elsewhere do not keep out a browser where somebody has signed in before (`device`).

        Raises:
            WaitError: too many wrong passwords for this name; the text says how long to wait.
            InputError: the password file cannot be read.
        """
        now = self.clock()
        source = name, device if self.users.is_device(name, device) else ""
        with self._lock:
            failures = [at for at in self._failures.get(source, []) if now - at < WAIT_SECONDS]
            if len(failures) >= TRIES:
                seconds = WAIT_SECONDS - (now - failures[0])
                raise WaitError(
                    f"Too many wrong passwords. Wait {max(1, round(seconds))} seconds, then try again."
                )
            self._failures[source] = [*failures, now]  # taken back below: tries at the same time count too
            if len(self._failures) > MOST_SESSIONS:
                self._failures.pop(next(iter(self._failures)))
        stored = self.users.stored(name)
        account = self.users.signed_in(name, password)
        if account is None:
            return None
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._failures.pop(source, None)
            self._sessions = {t: s for t, s in self._sessions.items() if self._alive(s, now)}
            own = [t for t, session in self._sessions.items() if session.name == account.name]
            if len(own) >= _MOST_OF_ONE:
                del self._sessions[own[0]]
            self._sessions[token] = _Session(account.name, stored, now, now)
        return token

    def name(self, token: str) -> str:
        """The name that a session was begun under; "" where it is not known."""
        with self._lock:
            session = self._sessions.get(token)
            return session.name if session is not None else ""

    def seconds_left(self, token: str, *, used: bool = False) -> float:
        """How long a session lasts if nobody uses it further; 0 where it has ended. `used` counts as a use."""
        if self.account(token, used=used) is None:
            return 0.0
        with self._lock:
            session = self._sessions.get(token)
            return 0.0 if session is None else max(0.0, self._end(session) - self.clock())

    def account(self, token: str, *, used: bool = False) -> Account | None:
        """Whose session this is, while it lasts; `used` keeps it from ending for want of use."""
        now = self.clock()
        with self._lock:
            session = self._sessions.get(token)
            if session is None:
                return None
            if not self._alive(session, now):
                del self._sessions[token]
                return None
            if used:
                session.used = now
        return self.users.find(session.name, session.stored)

    def end(self, token: str) -> None:
        """Sign out."""
        with self._lock:
            self._sessions.pop(token, None)

    def _end(self, session: _Session) -> float:
        return min(session.used + IDLE_SECONDS, session.began + LONGEST_SECONDS)

    def _alive(self, session: _Session, now: float) -> bool:
        return now < self._end(session)
