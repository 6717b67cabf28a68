"""The cohort: raw hospital tables into one database, and that database as cases, columns and worklist pages."""

from typing import TYPE_CHECKING

from leader_core.cohort.database import Cohort
from leader_core.cohort.patient_search import MatchReason, SearchPart, SearchReading
from leader_core.cohort.worklist_query import PatientPage, PatientQuery, PatientRow, Spread

if TYPE_CHECKING:
    from leader_core.cohort.build import BuildResult, build_cohort


def __getattr__(name: str) -> object:
    """The builder, which a server never imports."""
    if name in ("BuildResult", "build_cohort"):
        from leader_core.cohort import build

        return getattr(build, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
