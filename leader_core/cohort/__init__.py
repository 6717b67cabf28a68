"""The cohort: raw hospital tables into one database, and that database as cases, columns and worklist pages."""

from leader_core.cohort.build import BuildResult, build_cohort
from leader_core.cohort.columns import CodeColumn, CohortColumns
from leader_core.cohort.database import FORMAT, Cohort
from leader_core.cohort.patient_search import MatchReason, SearchPart, SearchReading
from leader_core.cohort.query import SCORE_SORTS, SORTS, SPLITS, PatientPage, PatientQuery, PatientRow, Spread

__all__ = [
    "FORMAT",
    "SCORE_SORTS",
    "SORTS",
    "SPLITS",
    "BuildResult",
    "CodeColumn",
    "Cohort",
    "CohortColumns",
    "MatchReason",
    "PatientPage",
    "PatientQuery",
    "PatientRow",
    "SearchPart",
    "SearchReading",
    "Spread",
    "build_cohort",
]
