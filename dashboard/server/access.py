"""How the dashboard may be served: on this machine alone, or to others who sign in; who the user of this run is.

`python -m dashboard` sets Streamlit's options itself. Started in another way, the server refuses to begin unless they hold.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import streamlit as st

from dashboard.server.accounts import (
    LONGEST_SECONDS,
    MOST_SESSIONS,
    ROLES,
    Account,
    PasswordFile,
    Role,
    Sessions,
)
from leader_core import InputError, LeaderError

REQUIRED: Final[Mapping[str, Any]] = {
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "logger.enableRich": False,  # it prints errors with what they quote, past the logs
    "client.showErrorLinks": False,
    "client.toolbarMode": "minimal",
    "client.allowedOrigins": [],  # other sites that may steer a page from the window around it
    "server.enableXsrfProtection": True,
    "server.enableCORS": True,
    "server.corsAllowedOrigins": [],
    "server.enableAgentApi": False,  # drives pages without a browser
    "server.trustedUserHeaders": {},  # a request would say itself who sends it
    "server.maxUploadSize": 20,  # MB
    "server.maxWidgetStateSize": 2,  # MB of what a page sends at once
    "server.headless": True,
    "server.fileWatcherType": "none",
}
"""Streamlit's options that this dashboard is never served without."""

COOKIE: Final = "leader_session"
DEVICE_COOKIE: Final = "leader_device"
PROVIDER_COOKIE: Final = "_streamlit_user"
"""Streamlit's own, signed, with what a provider said of somebody; long ones are split over several of this beginning."""
USERS: Final = "LEADER_USERS"
SIGN_IN: Final = "LEADER_SIGN_IN"
ROLE_OF: Final = "LEADER_ROLES"
OPEN_DEMO_PATIENTS: Final = 100
BEHIND_TLS: Final = "LEADER_BEHIND_TLS"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "", "10.0.0.4", "a.org")]
    [True, True, True, False, False, False, False]
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def sign_in() -> str:
    """How people sign in: "password", "oidc", or "" where nobody does."""
    if os.environ.get(USERS, "").strip():
        return "password"
    return "oidc" if os.environ.get(SIGN_IN, "").strip() == "oidc" else ""


def behind_tls() -> bool:
    """Whether the operator states that a proxy in front encrypts what is served."""
    return os.environ.get(BEHIND_TLS, "").strip() == "1"


def check_options(option: Callable[[str], Any]) -> None:
    """Refuse to serve with options that would let somebody in or tell something out.

    Args:
        option: the value of one of Streamlit's options, by its name.

    Raises:
        InputError: an option that does not hold, or another address than this machine's without sign-in.
    """
    wrong = [
        f"{name} is {option(name)!r}, expected {value!r}"
        for name, value in REQUIRED.items()
        if option(name) != value
    ]
    if wrong:
        raise InputError(
            f"The dashboard is not served like this: {'; '.join(wrong)}. Start it with `python -m dashboard` or `make run`."
        )
    address = str(option("server.address") or "")
    if not is_loopback(address) and not sign_in():
        raise InputError(
            f"The dashboard is not served on {address or 'every address'} without sign-in: others could read patients' "
            "data. Start it with `python -m dashboard --address ADDRESS --users FILE`, or leave the address out."
        )


def refuse_unless_safe() -> None:
    """End the process with a sentence where Streamlit was started with options that are not safe."""
    try:
        check_options(st.get_option)
        check_sign_in()
    except LeaderError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def is_open_demo(label: str, patients: int) -> bool:
    """Whether a cohort is one of MIMIC's open demos, of 100 patients each; a label alone may say anything.

    >>> is_open_demo("MIMIC-IV demo 2.2", 100), is_open_demo("MIMIC-IV demo", 300_000), is_open_demo("Demography", 90)
    (True, False, False)
    """
    return re.search(r"\bdemo\b", label.lower()) is not None and patients <= OPEN_DEMO_PATIENTS


def check_sharing(synthetic: bool, open_data: bool, address: str) -> None:
    """Refuse to serve real patients to others over a line that anybody can read.

    Raises:
        InputError: data under terms of use, another address than this machine's, and no TLS in front.
    """
    if synthetic or open_data or is_loopback(address) or behind_tls():
        return
    raise InputError(
        f"This cohort is of real patients under its source's terms, and {address} is not this machine: put a proxy with TLS "
        "in front and say so with --behind-tls."
    )


def check_sign_in() -> None:
    """Refuse a way to sign in that cannot work.

    Raises:
        NotFoundError, InputError: a password file or provider that cannot be used.
    """
    if sign_in() == "password":
        sessions().users.check()
    elif sign_in() == "oidc":
        _roles()


def sessions() -> Sessions:
    """The server's sessions of people who signed in with a password."""
    return _sessions(Path(os.environ[USERS].strip()))


@cache
def _sessions(path: Path) -> Sessions:
    return Sessions(PasswordFile(path))


def current_account() -> Account | None:
    """The account that this run of a page is for; None where nobody is signed in, or nobody has to be."""
    way = sign_in()
    if way == "password":
        return sessions().account(st.context.cookies.get(COOKIE, ""))
    if way == "oidc" and st.user.get("is_logged_in") and not provider_session_ended():
        if st.user.get("email_verified") in (False, "false"):  # anybody can claim such an address
            return None
        name = str(st.user.get("email") or "").lower()
        role = _roles().get(name)
        return Account(name, role) if name and role else None
    return None


_admitted: Final[dict[str, tuple[str, float]]] = {}
"""Of provider's cookies, by their digest: whose page was drawn for one ("": they have signed out), and until when it is
theirs."""


def admit(account: Account) -> None:
    """A page is drawn for somebody a provider vouched for: requests with the same cookies are theirs."""
    key = _provider_cookies(st.context.cookies)
    _admitted.pop(key, None)
    _admitted[key] = (account.name, float(str(st.user["iat"])) + LONGEST_SECONDS)
    if len(_admitted) > MOST_SESSIONS:
        _admitted.pop(next(iter(_admitted)), None)


def dismiss(cookies: Mapping[str, str]) -> str:
    """End what a provider vouched for, on every page of the browser with these cookies; whose it was, "" for nobody's."""
    key = _provider_cookies(cookies)
    name, _ = _admitted.get(key, ("", 0.0))
    if name:
        _admitted[key] = ("", 0.0)
    return name


def seconds_left(cookies: Mapping[str, str], *, used: bool = False) -> float:
    """How long the session of a browser with these cookies lasts if nobody uses it further (`used` counts as a use); 0 where
    it has ended, or where no page was drawn yet for somebody a provider vouched for.

    Raises:
        InputError: the password file or that of roles cannot be read.
    """
    if sign_in() == "password":
        return sessions().seconds_left(cookies.get(COOKIE, ""), used=used)
    name, end = _admitted.get(_provider_cookies(cookies), ("", 0.0))
    return max(0.0, end - time.time()) if name in _roles() else 0.0


def session_ended(cookies: Mapping[str, str]) -> bool:
    """Whether pages of a browser with these cookies have to leave the screen; not one that asks to sign in with a provider.

    Raises:
        InputError: as `seconds_left`.
    """
    if not sign_in() or (sign_in() == "oidc" and _provider_cookies(cookies) not in _admitted):
        return False
    return not seconds_left(cookies)


def has_session(cookies: Mapping[str, str]) -> bool:
    """Whether a browser with these cookies may have a session: a provider's are gone once somebody has signed out."""
    return sign_in() != "oidc" or any(name.startswith(PROVIDER_COOKIE) for name in cookies)


def owner(cookies: Mapping[str, str]) -> str:
    """Under whose name the pages of a browser with these cookies are open; "" where nobody has signed in."""
    if sign_in() == "password":
        return sessions().name(cookies.get(COOKIE, ""))
    return _admitted.get(_provider_cookies(cookies), ("", 0.0))[0]


def _provider_cookies(cookies: Mapping[str, str]) -> str:
    values = sorted((name, cookies[name]) for name in cookies if name.startswith(PROVIDER_COOKIE))
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def account_name() -> str:
    """Whom this run of a page is for; "" where nobody is signed in, or nobody has to be."""
    account = current_account()
    return account.name if account is not None else ""


def provider_session_ended() -> bool:
    """Whether a provider vouched for somebody too long ago, for Streamlit's own cookie lasts for weeks, or they signed out."""
    if _admitted.get(_provider_cookies(st.context.cookies), ("?", 0.0))[0] == "":
        return True
    issued = st.user.get("iat")  # seconds since 1970; OpenID Connect Core 1.0, section 2, requires it
    return not isinstance(issued, int | float) or time.time() - issued > LONGEST_SECONDS


def may_write() -> bool:
    """Whether the user of this run may write notes, tags and cohorts."""
    account = current_account()
    return not sign_in() or (account is not None and account.role != "viewer")


def may_administer() -> bool:
    """Whether the user of this run may start and delete trainings."""
    account = current_account()
    return not sign_in() or (account is not None and account.role == "administrator")


def _roles() -> Mapping[str, Role]:
    """Role of every e-mail address that a provider may vouch for, from the file that LEADER_ROLES names, as it is now."""
    path = Path(os.environ.get(ROLE_OF, "").strip() or "roles.json")
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o022:
            raise InputError(f"Others may change the roles {path}. Run: chmod go-w {path}.")
        record = json.loads(path.read_text(encoding="utf-8"))
        roles = {str(name).lower(): role for name, role in record.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f'The roles {path} cannot be read ({error}): expected {{"ann@hospital.org": "annotator"}}. Name the file with '
            "--roles."
        ) from error
    if wrong := [name for name, role in roles.items() if role not in ROLES]:
        raise InputError(f"{path}: the role of {wrong[0]} is unknown: expected {', '.join(ROLES)}.")
    return {name: cast(Role, role) for name, role in roles.items()}
