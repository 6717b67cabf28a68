"""Data that several tests share: the real demo tables and reference files where they are, and small synthetic cohorts.

Everything built here is built once a session, through the same commands that users run.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


def _shared(name: str, what: str) -> Path:
    folder = SHARED_DATA / name
    if not folder.is_dir():
        pytest.skip(f"{what} is not beside the project: {folder}")
    return folder


@pytest.fixture(scope="session")
def mimic3demo() -> Path:
    """Raw tables of the open MIMIC-III demo."""
    return _shared("mimic3demo", "the open MIMIC-III demo")


@pytest.fixture(scope="session")
def reference() -> Path:
    """Reference files to check our tables against."""
    return _shared("reference", "the folder of reference files")
