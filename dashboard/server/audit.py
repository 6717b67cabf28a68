"""What the pages write to the audit log, for the account that a run of a page is for."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

from dashboard.server import access
from dashboard.server.accounts import Account
from leader_core.audit import AuditLog

if TYPE_CHECKING:
    from leader_core.workspace import Revision

FILE: Final = "LEADER_AUDIT"
_LAST_OPENED: Final = "_audit_opened"


def record(action: str, target: str = "", *, account: Account | None = None) -> None:
    """Add an entry where a log is kept.

    Raises:
        LeaderError: the log cannot be written; what was to be recorded must not happen then.
    """
    if path := os.environ.get(FILE, "").strip():
        who = account or access.current_account()
        _log(Path(path)).append(who.name if who else "", action, target)


def record_opened(target: str, place: str = "page") -> None:
    """A case is shown in a place of this session, unless it is the one that was shown there before.

    Raises:
        LeaderError: as `record`.
    """
    key = f"{_LAST_OPENED}_{place}"
    if st.session_state.get(key) != target:
        record("opened", target)
        st.session_state[key] = target


def download_button(
    label: str,
    target: str,
    write: Callable[[], bytes],
    file_name: str,
    mime: str,
    *,
    icon: str = ":material/download:",
    key: str | None = None,
    help: str | None = None,
) -> None:
    """A button for a file, which is written when it is pressed, and recorded then as an export of `target`."""
    data = exporting(target, write)
    st.download_button(
        label, data, file_name, mime, key=key, icon=icon, help=help, type="tertiary", on_click="ignore"
    )


def exporting(target: str, write: Callable[[], bytes]) -> Callable[[], bytes]:
    """What a download button writes, recorded when the button is pressed: the server asks for the file then."""
    account = access.current_account()  # of the run that draws the button

    def written() -> bytes:
        record("exported", target, account=account)
        return write()

    return written


def record_change(kind: str, revision: Revision) -> None:
    """A note, tag, star, saved cohort or variant was written or removed; called before it is stored."""
    if kind == "about":  # the workspace's own first entry: which cohort it is about
        return
    of = f" of patient {revision.patient_id}" if revision.patient_id is not None else ""
    action = "removed" if revision.deleted else "wrote"
    record(action, f"{kind} {revision.key}, revision {revision.revision}{of}")


@cache
def _log(path: Path) -> AuditLog:
    return AuditLog(path)
