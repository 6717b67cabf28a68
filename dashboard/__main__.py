"""`python -m dashboard`: serve the dashboard, on this machine unless an address is given; `user` keeps the password file.

python -m dashboard [--cohort FILE] [--models DIR] [--port N]
python -m dashboard --address 0.0.0.0 --users users.json --behind-tls
python -m dashboard user ann --role annotator --users users.json
"""

from __future__ import annotations

import argparse
import getpass
import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INTERRUPTED = 130


def main(words: Sequence[str] | None = None) -> int:
    """Serve, or change the password file; returns the exit code."""
    given = list(sys.argv[1:] if words is None else words)
    from leader_core import LeaderError
    from leader_core.logs import set_up_logs

    try:
        set_up_logs()
        if given[:1] == ["user"]:
            return _user(_user_parser().parse_args(given[1:]))
        return _serve(_parser().parse_args(given))
    except LeaderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename or 'the server'}: {error.strerror or error}.", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dashboard", description="Serve the LEADER dashboard.")
    parser.add_argument("--cohort", type=Path, metavar="FILE", help="a cohort database (default: the demo's)")
    parser.add_argument(
        "--models", type=Path, metavar="DIR", help="a folder with teacher/ and student/ inside"
    )
    parser.add_argument("--workspace", type=Path, metavar="FILE", help="default: next to the cohort")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--port", type=int, default=8501, metavar="N", help="(default: %(default)s)")
    parser.add_argument(
        "--address",
        default="127.0.0.1",
        help="another than this machine's needs sign-in (default: %(default)s)",
    )
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--users", type=Path, metavar="FILE", help="people sign in with a password of this file")
    way.add_argument(
        "--oidc", action="store_true", help="people sign in with the provider of .streamlit/secrets.toml"
    )
    parser.add_argument("--roles", type=Path, metavar="FILE.json", help="with --oidc: e-mail address to role")
    log = parser.add_mutually_exclusive_group()
    log.add_argument(
        "--audit",
        type=Path,
        metavar="FILE",
        help="record who opened, exported and changed what (default with sign-in: next to the cohort)",
    )
    log.add_argument("--no-audit", action="store_true", help="record nothing, with sign-in too")
    parser.add_argument(
        "--behind-tls",
        action="store_true",
        help="state that a proxy in front encrypts: cookies are sent over TLS only",
    )
    parser.add_argument(
        "--allow-training", action="store_true", help="show the form that trains students on the Models page"
    )
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    from leader_core import InputError

    if not 1 <= arguments.port <= 65_535:
        raise InputError(f"--port {arguments.port}: expected 1 to 65535.")
    if arguments.oidc != (arguments.roles is not None):
        raise InputError("--oidc and --roles FILE.json go together: the file says who may do what.")
    _set_environment(arguments)
    _open_more_files()
    os.chdir(ROOT)  # Streamlit reads theme and static files from there
    from dashboard.server import access

    access.check_sign_in()
    options = {
        **access.REQUIRED,
        "server.address": arguments.address,
        "server.port": arguments.port,
        "browser.serverAddress": arguments.address,
    }
    access.check_options(lambda name: options.get(name))
    if not access.is_loopback(arguments.address):
        _check_sharing(arguments.address)
    import streamlit as st

    from dashboard.shell.gate import MIDDLEWARE, ROUTES, lifespan

    app = st.App(ROOT / "dashboard" / "app.py", lifespan=lifespan, middleware=MIDDLEWARE, routes=ROUTES)
    print(f"LEADER on http://{arguments.address}:{arguments.port}; Ctrl-C stops it", file=sys.stderr)
    app.run(config=options)
    print("stopped", file=sys.stderr)
    return 0


def _open_more_files() -> None:
    """Let this process open as many files, connections among them, as the system allows it; often it begins with 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS does not keep its own word
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _set_environment(arguments: argparse.Namespace) -> None:
    """What the pages read of the command line; paths are made whole, for the folder changes."""
    from dashboard.server import access, audit
    from dashboard.server.settings import DEFAULT_COHORT
    from leader_core.audit import SUFFIX

    os.umask(0o077)  # logs, workspaces and runs are this user's alone
    paths = {
        "LEADER_COHORT": arguments.cohort,
        "LEADER_MODELS": arguments.models,
        "LEADER_WORKSPACE": arguments.workspace,
        access.USERS: arguments.users,
        access.ROLE_OF: arguments.roles,
        audit.FILE: arguments.audit,
    }
    texts = {name: str(path.resolve()) for name, path in paths.items() if path is not None}
    for name in (
        *paths,
        "LEADER_RUNS",
        "LEADER_STATES",
        "LEADER_WORKSPACE_KEY_FILE",
        "LEADER_COHORT_KEY_FILE",
    ):
        if name not in texts and os.environ.get(name, "").strip():
            texts[name] = str(Path(os.environ[name].strip()).resolve())
    if arguments.device:
        texts["LEADER_DEVICE"] = arguments.device
    if arguments.oidc:
        texts[access.SIGN_IN] = "oidc"
    if arguments.allow_training:
        texts["LEADER_TRAINING"] = "on"
    if arguments.behind_tls:
        texts[access.BEHIND_TLS] = "1"
    os.environ.update(texts)
    if arguments.no_audit:
        os.environ.pop(audit.FILE, None)
    elif access.sign_in() and not os.environ.get(audit.FILE):
        cohort = Path(texts.get("LEADER_COHORT", DEFAULT_COHORT))
        os.environ[audit.FILE] = str(cohort.with_name(cohort.stem + SUFFIX))


def _check_sharing(address: str) -> None:
    from dashboard.server import access
    from dashboard.server.settings import read_settings
    from leader_core.cohort import Cohort

    cohort = Cohort.open(read_settings().cohort)
    about = cohort.fingerprint
    cohort.close()
    open_data = access.is_open_demo(about.label, about.patients)
    access.check_sharing(about.synthetic, open_data, address)


def _user_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dashboard user", description="Add somebody to the password file, or remove them."
    )
    parser.add_argument("name")
    parser.add_argument("--users", type=Path, required=True, metavar="FILE", help="the password file")
    parser.add_argument("--role", choices=("viewer", "annotator", "administrator"), default="viewer")
    parser.add_argument("--remove", action="store_true")
    return parser


def _user(arguments: argparse.Namespace) -> int:
    from dashboard.server.accounts import PasswordFile

    users = PasswordFile(arguments.users)
    if arguments.remove:
        users.remove(arguments.name)
        print(f"{arguments.name} may not sign in any more.", file=sys.stderr)
        return 0
    if sys.stdin.isatty():
        password = getpass.getpass(f"Password of {arguments.name}: ")
        if getpass.getpass("The same again: ") != password:
            print("error: the two passwords differ.", file=sys.stderr)
            return 2
    else:
        password = sys.stdin.readline().rstrip("\n")
    account = users.put(arguments.name, arguments.role, password)
    print(f"{account.name} may sign in as {account.role}.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    try:
        from leader_core.interrupts import set_up_interrupts

        set_up_interrupts(signal.SIGINT)  # until the server is up, which handles signals itself
        code = main()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        code = INTERRUPTED
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # all is closed; DuckDB would list what other threads still held as leaks
