"""The cohort whose codes and values the tests of reading files use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leader_core.cohort import Cohort


@pytest.fixture(scope="module")
def cohort(synthetic_cohort: Path) -> Iterator[Cohort]:
    opened = Cohort.open(synthetic_cohort)
    yield opened
    opened.close()
