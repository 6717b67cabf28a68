"""The server's one workspace, opened next to the cohort on first use."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import streamlit as st

from dashboard.server.access import may_write
from dashboard.server.audit import record_change
from dashboard.server.service import Service
from dashboard.server.settings import read_settings
from leader_core import Fingerprint, LeaderError
from leader_core.workspace import ReadOnlyError, Revision, Workspace, default_path
from leader_core.workspace.encryption import given_cipher

VIEWER: Final = "You may read here, and not write: ask an administrator for the role annotator."


def get_workspace(service: Service) -> Workspace:
    """The workspace of the cohort being served; where it cannot be read or written, its `notices` say why."""
    cohort = service.engine.cohort
    path = read_settings().workspace or default_path(Path(cohort.path))
    try:
        workspace = _open(path, cohort.fingerprint)
    except LeaderError as error:  # not cached: the file is tried again on the next run
        workspace = Workspace.without_file(path, cohort.fingerprint, str(error))
    return workspace if may_write() else workspace.read_only(VIEWER)


@st.cache_resource(show_spinner=False, hash_funcs={Fingerprint: hash})
def _open(path: Path, fingerprint: Fingerprint) -> Workspace:
    return Workspace.open(path, fingerprint, _before_a_write, given_cipher())


def _before_a_write(kind: str, revision: Revision) -> None:
    """The role is asked again: a form may have been drawn while its user might still write."""
    if kind != "about" and not may_write():  # a viewer may be the first to open a workspace
        raise ReadOnlyError(VIEWER)
    record_change(kind, revision)


def forget() -> None:
    """Open it again on the next use; for tests."""
    _open.clear()
