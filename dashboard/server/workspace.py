"""The server's one workspace, opened next to the cohort on first use."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import streamlit as st

from dashboard.server.audit import record_change
from dashboard.server.service import Service
from dashboard.server.serving import may_write
from dashboard.server.settings import read_settings
from leader_core import Fingerprint
from leader_core.workspace import Workspace, default_path

VIEWER: Final = "You may read here, and not write: ask an administrator for the role annotator."


def get_workspace(service: Service) -> Workspace:
    """The workspace of the cohort being served; where it cannot be written, its `notices` say why.

    Raises:
        ArtifactError: the file is damaged, is no workspace, or was written by a newer version.
    """
    cohort = service.engine.cohort
    workspace = _open(read_settings().workspace or default_path(Path(cohort.path)), cohort.fingerprint)
    return workspace if may_write() else workspace.read_only(VIEWER)


@st.cache_resource(show_spinner=False)
def _open(path: Path, fingerprint: Fingerprint) -> Workspace:
    return Workspace.open(path, fingerprint, record_change)


def forget() -> None:
    """Open it again on the next use; for tests."""
    _open.clear()
