"""What the tests of the cohort share."""

from __future__ import annotations

import pytest

from leader_core.cohort.build import BuildResult
from tests import raw_tables


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The hand-written hospital in MIMIC-III's layout, undamaged."""
    return raw_tables.build(tmp_path_factory.mktemp("plain"))
